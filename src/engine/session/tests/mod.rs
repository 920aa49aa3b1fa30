//! The logic of a connection, proven on a scripted transport with a hand-driven clock: no socket, no runtime, no
//! sleep. A test plays a scenario against a script and looks at what was heard, and when, and what was recorded.

mod answers;
mod bad;
mod blocked;
mod books;
mod death;
mod ending;
mod faults_activity;
mod faults_ending;
mod faults_pongs;
mod pacing;
mod peer;
mod pings;
mod play;
mod records;
mod script;
mod silence;

pub(in crate::engine) use play::plan;

/// There are thousands of them, and hardly any is watched or does wrong.
#[test]
fn an_open_connection_stays_small() {
    let size = size_of::<super::Session<crate::net::WebSocket>>();
    assert!(size <= 832, "{size}");
}
