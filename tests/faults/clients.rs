//! Tests bad clients on real sockets: what a server sees of them, and what their records contain.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::common::{Act, Event, Script, Server, When};
use wsbench::engine::{EngineError, Finished, LimitError, Observer, Prepared, Second};
use wsbench::measure::{ConnectionRecord, EndedBy, TcpEnding};
use wsbench::metric::Cause;
use wsbench::net::{Resolvers, Route};
use wsbench::plan::{Plan, Share};
use wsbench::scenario::{
    self, Between, Contract, Fault, FaultKind, Illegal, Origin, Outside, Overrides, PromiseKind,
    Source, Sweep,
};
use wsbench::units::Nanos;

const MS: u64 = 1_000_000;

/// Records when measuring started.
#[derive(Default)]
struct Witness(Vec<Instant>);

impl Observer for Witness {
    fn measuring(&mut self, from: Instant) {
        self.0.push(from);
    }

    fn second(&mut self, _second: &Second<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Runs four clients with these faults for a second and a half.
fn run(server: &Server, faults: Vec<(u64, FaultKind)>) -> (Finished, Witness) {
    run_by(server.address(), &[], faults)
}

fn run_by(
    target: SocketAddr,
    routes: &[Option<Route>],
    faults: Vec<(u64, FaultKind)>,
) -> (Finished, Witness) {
    let prepared = prepare(target, routes, faults).unwrap();
    let mut witness = Witness::default();
    let (_signals, interrupt) = tokio::sync::mpsc::channel(1);
    let finished = prepared.run(interrupt, &mut witness).unwrap();
    assert_eq!(records(&finished).len(), 4);
    (finished, witness)
}

fn prepare(
    target: SocketAddr,
    routes: &[Option<Route>],
    faults: Vec<(u64, FaultKind)>,
) -> Result<Prepared, EngineError> {
    let source = Source {
        name: "faults".to_owned(),
        text: format!(
            r#"
            name = "faults"
            target = {{ url = "ws://{target}/", close_timeout = "400ms" }}
            load = {{ connections = 4, ramp_up = "50ms", duration = "1500ms", ramp_down = "50ms" }}
            "#
        ),
    };
    let outside = Outside {
        env: &|_| None,
        read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        list: &Outside::no_folder,
    };
    let mut scenario = scenario::parse(&source, &Overrides::default(), &outside).unwrap();
    let servers = scenario.target.url.servers().cloned();
    let servers = servers.expect("an address was given");
    scenario.cohorts[0].faults = (faults.into_iter())
        .map(|(after, kind)| Fault {
            kind,
            after: Duration::from_millis(after),
        })
        .collect();
    scenario.cohorts[0].contract = Some(Contract {
        from: Origin::Fault,
        preset: None,
        promises: vec![PromiseKind::ClosedBetween.of(Between {
            lo: Duration::ZERO,
            hi: Duration::from_millis(400),
        })],
    });
    let names = std::sync::Arc::new(Resolvers::of(&scenario, &servers));
    Prepared::new(
        Plan::new(scenario, 1, 1),
        &servers,
        &names,
        routes,
        Share::whole(1),
    )
}

fn records(finished: &Finished) -> &[ConnectionRecord] {
    &finished.summary.records.rows
}

fn pinging(every: u64) -> Script {
    Script {
        ping_every: Some(Duration::from_millis(every)),
        ..Script::default()
    }
}

/// The times of the matching events of each connection, as the server saw them.
fn times(server: &Server, like: impl Fn(&Event) -> bool) -> Vec<(u64, Instant)> {
    let entries = server.log().entries().into_iter();
    let picked = entries.filter(|entry| like(&entry.event));
    picked.map(|entry| (entry.connection, entry.at)).collect()
}

#[test]
fn who_answers_no_ping_still_closes_in_order() {
    let server = Server::start(pinging(200));
    let (finished, witness) = run(&server, vec![(500, FaultKind::NoPong)]);
    assert_eq!(server.log().close_codes(), [Some(1000); 4]);
    assert_eq!(server.log().violations(), [""; 0]);
    // The pings at 200 and 400 ms were answered, on each of four connections.
    assert_eq!(server.log().pongs(), 8);
    for record in records(&finished) {
        assert_eq!(record.cause, Cause::Completed);
        assert_eq!(record.fault_ns, Some(record.opened_ns + Nanos(500 * MS)));
        let unanswered = record.unanswered_ping_ns.unwrap();
        let unanswered = unanswered.saturating_since(record.opened_ns).0;
        assert!((595 * MS..700 * MS).contains(&unanswered), "{unanswered}");
        assert_eq!(record.tcp_end, Some(TcpEnding::Fin));
        assert!(record.local_port.is_some());
    }
    let [from] = witness.0[..] else {
        panic!("{:?}", witness.0);
    };
    assert!(from >= finished.origin + Duration::from_millis(30));
}

#[test]
fn late_pongs_are_late_by_their_delay() {
    let server = Server::start(pinging(300));
    let levels = [50, 150].map(Duration::from_millis).to_vec();
    let delay = Sweep { levels };
    let (finished, _) = run(&server, vec![(0, FaultKind::LatePong { delay })]);
    let pings = times(
        &server,
        |event| matches!(event, Event::Sent(frame) if frame.opcode == 9),
    );
    let pongs = times(
        &server,
        |event| matches!(event, Event::Received(frame) if frame.opcode == 10),
    );
    assert!(pongs.len() >= 12, "{}", pongs.len());
    // Compares in order for each connection: each ping has one pong.
    for connection in 0..4 {
        let of = |all: &[(u64, Instant)]| -> Vec<Instant> {
            let own = all.iter().filter(|(number, _)| *number == connection);
            own.map(|(_, at)| *at).collect()
        };
        let late: Vec<Duration> = (of(&pings).into_iter().zip(of(&pongs)))
            .map(|(ping, pong)| pong - ping)
            .collect();
        let shortest = *late.iter().min().unwrap();
        let level = if shortest < Duration::from_millis(150) {
            50
        } else {
            150
        };
        let over = shortest - Duration::from_millis(level);
        assert!(over < Duration::from_millis(15), "{late:?}");
    }
    let mut levels: Vec<_> = records(&finished)
        .iter()
        .map(|record| record.level_ns)
        .collect();
    levels.sort_unstable();
    assert_eq!(levels, [50, 50, 150, 150].map(|ms| Some(Nanos(ms * MS))));
}

#[test]
fn a_reset_and_a_half_close_reach_the_server_as_such() {
    let server = Server::start(Script::default());
    let (finished, _) = run(&server, vec![(300, FaultKind::Reset)]);
    server.wait_until(|log| log.count(|event| *event == Event::Reset) == 4);
    assert!(
        records(&finished)
            .iter()
            .all(|record| record.ended_by == EndedBy::Fault)
    );
    let server = Server::start(Script::default());
    let (finished, _) = run(&server, vec![(300, FaultKind::HalfClose)]);
    server.wait_until(|log| log.count(|event| *event == Event::Fin) == 4);
    assert!(server.log().close_codes().is_empty());
    assert!(
        records(&finished)
            .iter()
            .all(|record| record.fault_ns.is_some())
    );
}

#[test]
fn a_server_sees_each_illegal_frame_for_what_it_is() {
    use Illegal::*;
    for illegal in [
        LongPing,
        FragmentedPing,
        BadCloseCode,
        BadUtf8,
        Unmasked,
        ReservedOpcode,
        Rsv1Ping,
        BadDeflate,
        DeflateBomb,
    ] {
        let server = Server::start(Script::default());
        run(&server, vec![(100, FaultKind::IllegalFrame(illegal))]);
        // The scripted server does not check UTF-8 and close codes.
        let not_utf8 = |event: &Event| matches!(event, Event::Received(frame) if frame.payload == [0xC3, 0x28]);
        let is_seen = match illegal {
            BadCloseCode => server.log().close_codes() == [Some(1005); 4],
            BadUtf8 => server.log().count(not_utf8) == 4,
            _ => !server.log().violations().is_empty(),
        };
        assert!(is_seen, "{illegal:?}");
    }
}

#[test]
fn frames_after_a_close_are_counted_and_the_end_is_timed() {
    let close_and_talk = vec![0x88, 2, 3, 232, 0x81, 1, b'x', 0x82, 0];
    let after = When::After(Duration::from_millis(300));
    let server = Server::start(Script::act(after, Act::Send(close_and_talk)));
    let (finished, _) = run(&server, vec![]);
    for record in records(&finished) {
        // The server answers the client's answer with a Close frame of its own.
        assert_eq!(
            (record.close_code, record.frames_after_close),
            (Some(1000), 3)
        );
        assert_eq!(record.ended_by, EndedBy::Server);
        let closed = record.close_received_ns.unwrap();
        let closed = closed.saturating_since(record.opened_ns).0;
        assert!((295 * MS..400 * MS).contains(&closed), "{closed}");
    }
}

#[test]
fn who_does_not_read_fills_its_window_and_sends_nothing() {
    let after = When::After(Duration::from_millis(300));
    let server = Server::start(Script::act(after, Act::Flood(8 << 20)));
    let (finished, _) = run(&server, vec![(100, FaultKind::StopReading)]);
    for record in records(&finished) {
        // The client need not probe: the server is on this machine, so the system's table of sockets tells what it did.
        assert_eq!(record.probe, None);
        assert_eq!(
            (record.cause, record.ended_by),
            (Cause::Fault, EndedBy::Plan)
        );
    }
    // The client closes with unread bytes, so its kernel sends a RST.
    server.wait_until(|log| log.count(|event| *event == Event::Reset) == 4);
    assert_eq!(server.log().pongs(), 0);
}

#[test]
fn who_vanishes_is_gone_without_a_word_or_is_refused() {
    let server = Server::start(pinging(200));
    let fault = FaultKind::Vanish { lasts: None };
    if !wsbench::net::can_vanish() {
        let refused = prepare(server.address(), &[], vec![(300, fault)]).err();
        assert!(matches!(
            refused,
            Some(EngineError::Limit(LimitError::Vanish { .. }))
        ));
        return;
    }
    let (finished, _) = run(&server, vec![(300, fault)]);
    // Only the pings at 200 ms were answered; the client did not receive the later ones.
    assert_eq!(server.log().pongs(), 4);
    assert!(server.log().close_codes().is_empty());
    assert_eq!(server.log().count(|event| *event == Event::Fin), 0);
    for record in records(&finished) {
        assert_eq!(record.cause, Cause::Fault);
        assert_eq!((record.tcp_end, record.pings_ns.len()), (None, 1));
    }
}

#[test]
fn a_route_leads_elsewhere_with_the_same_request() {
    let (target, relay) = (
        Server::start(Script::default()),
        Server::start(Script::default()),
    );
    let route = Route::over(relay.address());
    let (finished, _) = run_by(target.address(), &[Some(route)], vec![]);
    assert_eq!((target.log().opened(), relay.log().opened()), (0, 4));
    assert_eq!(records(&finished).len(), 4);
}

/// RFC 6455 sections 7.1.7 and 7.4.1.
#[test]
fn a_server_that_breaks_the_protocol_is_told_how() {
    let reserved_opcode = vec![0x83, 0];
    let bad_utf8 = vec![0x81, 2, 0xC3, 0x28];
    let endless = [&[0x82, 127], (1u64 << 40).to_be_bytes().as_slice()].concat();
    for (bytes, code, cause) in [
        (reserved_opcode, 1002, Cause::ProtocolError),
        (bad_utf8, 1007, Cause::BadUtf8),
        (endless, 1009, Cause::MessageTooBig),
    ] {
        let after = When::After(Duration::from_millis(300));
        let server = Server::start(Script::act(after, Act::Send(bytes)));
        let (finished, _) = run(&server, vec![]);
        server.wait_until(|log| log.close_codes().len() == 4);
        assert_eq!(server.log().close_codes(), [Some(code); 4]);
        let causes: Vec<_> = records(&finished)
            .iter()
            .map(|record| record.cause)
            .collect();
        assert_eq!(causes, [cause; 4]);
    }
}
