//! Clients that fall silent, against a server that takes any byte for a sign of life: they send none.

use std::time::{Duration, Instant};

use super::common::frame::{Frame, PONG};
use super::common::run::{run, trusted};
use super::common::{Act, Entry, Event, Script, Server, When};

/// The time after which the server ends a client that it has not heard from.
const QUIET: Duration = Duration::from_secs(1);

/// A byte sent after the fault would put the end off by up to a second, beyond the windows.
const SILENT: &str = r#"
    name = "quiet"
    target.url = "URL"
    load = { ramp_up = "300ms", duration = "4s" }
    [contract]
    closed = 0
    [[cohort]]
    name = "talking"
    connections = 5
    message = [{ name = "echo", rate = "10/s" }]
    [[cohort]]
    name = "answering"
    connections = 5
    [[cohort]]
    name = "mute"
    connections = 5
    fault = { kind = "no_pong", after = "500ms" }
    contract = { from = "last_byte", closed_between = ["990ms", "1500ms"] }
    [[cohort]]
    name = "nothing"
    connections = 5
    fault = { kind = "only", frame = "nothing", after = "500ms" }
    contract = { from = "last_byte", closed_between = ["990ms", "1500ms"] }
    [[cohort]]
    name = "reads_not"
    connections = 5
    fault = { kind = "stop_reading", after = "500ms" }
    contract = { from = "last_byte", closed_between = ["990ms", "1500ms"] }
    [[cohort]]
    name = "reaped"
    connections = 10
    fault = { kind = "stop_reading", after = "500ms" }
    contract = { from = "last_byte", reaped_between = ["990ms", "1500ms"] }
    "#;

fn server() -> Server {
    Server::start(Script {
        ping_every: Some(Duration::from_millis(100)),
        ..Script::act(When::Quiet(QUIET), Act::Fin)
    })
}

#[test]
fn silent_clients_send_no_byte_and_are_ended_in_time() {
    let (run, server) = trusted(|| {
        let server = server();
        (run(&SILENT.replace("URL", &server.url()), &[]), server)
    });
    run.assert_passed();
    let log = server.log();
    assert_eq!(log.violations(), [""; 0]);
    let entries = log.entries();
    let ended: Vec<(&Entry, Instant)> = (entries.iter())
        .filter_map(|entry| match entry.event {
            Event::Acted { heard } => Some((entry, heard)),
            _ => None,
        })
        .collect();
    assert_eq!(ended.len(), 25, "all clients with a fault, and only these");
    for (end, heard) in ended {
        let of_it = entries.iter().filter(|e| e.connection == end.connection);
        let of_it = of_it.take_while(|e| !matches!(e.event, Event::Acted { .. }));
        let received: Vec<(&Frame, Instant)> = of_it
            .filter_map(|entry| match &entry.event {
                Event::Received(frame) => Some((frame, entry.at)),
                _ => None,
            })
            .collect();
        assert!(received.len() >= 3, "pings before the fault are answered");
        for ((frame, _), number) in received.iter().zip(1u64..) {
            assert_eq!(frame.opcode, PONG, "it sends nothing but pongs");
            assert_eq!(
                frame.payload,
                number.to_string().as_bytes(),
                "it answers each ping once"
            );
        }
        // A frame is noted after the time of its bytes, so a later time is that of bytes which end no frame.
        let (_, last) = received.last().expect("there are three");
        assert!(heard <= *last, "it sends no part of a frame");
    }
}
