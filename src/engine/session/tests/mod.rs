//! Tests the logic of a connection on a scripted transport with a clock that is set by hand: no socket, no runtime, no
//! sleep. A test plays a scenario against a script, and checks what the peer received, when, and what was recorded.

mod answers;
mod bad;
mod blocked;
mod books;
mod death;
mod ending;
mod faults_activity;
mod faults_ending;
mod faults_pongs;
mod interrupted;
mod lazy;
mod lifetime;
mod pacing;
mod packets;
mod parted;
mod peer;
mod pings;
mod play;
mod polls;
mod records;
mod script;
mod seen;
mod silence;
mod steps;
mod texts;
mod topics;

pub(in crate::engine) use play::plan;

/// Limits the size, because there are thousands of sessions. Few of them are watched, have faults or compress: for what
/// those need, the others have a pointer.
#[test]
fn an_open_connection_stays_small() {
    let size = size_of::<super::Session<crate::net::WebSocket>>();
    assert!(size <= 776, "{size}");
}
