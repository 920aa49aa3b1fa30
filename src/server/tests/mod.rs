//! Tests the built-in server over loopback: as an echo, with rooms, with a correct heartbeat, and with each defect.

mod browser;
mod echo;
mod guilty;
mod innocent;
mod login;
mod polls;
mod rooms;
mod rooms_guilty;
mod running;
mod stall;
