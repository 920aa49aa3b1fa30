//! Tests the built-in server over loopback: as an echo, with a correct heartbeat, and with each defect.

mod echo;
mod guilty;
mod innocent;
mod running;
mod stall;
