//! Tests the relay over loopback, seen from both ends of a connection: a client of a cohort, and the target.
//! Always listens on port 0; every wait has a limit.

mod bytes;
mod endings;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::{Relay, RelayLog};
use crate::metric::Cause;
use crate::net::{PassedBy, Resolver, TcpDialer};
use crate::scenario::{Direction, Path, PathFault, PathFaultKind};

/// The timeout of waits: longer than anything takes that works.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// How long to wait for bytes that must not come: enough for a byte to arrive over loopback, if it was sent.
const A_WHILE: Duration = Duration::from_millis(100);

/// Two cohorts on the path, and a target that the test controls.
struct Scene {
    relay: Relay,
    target: TcpListener,
}

/// How TCP ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Fin,
    Rst,
}

impl Scene {
    /// A path with these faults for the cohort `bad`; the cohort `good` uses it too, but has no fault.
    fn new(faults: &[PathFault]) -> Self {
        // Adds a fault that never begins, so that `good` uses the path.
        let mut faults = faults.to_vec();
        faults.push(
            fault(PathFaultKind::Freeze)
                .after(MAX_WAIT * 100)
                .to("good")
                .it,
        );
        let target = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = target.local_addr().unwrap();
        Self {
            relay: start(faults, &[address]),
            target,
        }
    }

    /// Opens one connection; returns the client's end and the target's.
    fn open(&self, cohort: usize) -> (TcpStream, TcpStream) {
        let client = dial(route(&self.relay, cohort));
        (client, patient(self.target.accept().unwrap().0))
    }

    /// Starts measuring now.
    fn measure(&self) -> Instant {
        let now = Instant::now();
        self.relay.measuring(now);
        now
    }

    fn stop(self) -> RelayLog {
        self.relay.stop().unwrap()
    }
}

const BAD: usize = 0;
const GOOD: usize = 1;

fn start(faults: Vec<PathFault>, target: &[SocketAddr]) -> Relay {
    start_from(&[], faults, target)
}

/// Starts a relay that dials the target from these addresses.
fn start_from(sources: &[IpAddr], faults: Vec<PathFault>, target: &[SocketAddr]) -> Relay {
    let cohorts = ["bad", "good", "left_alone"].map(str::to_owned);
    let target = TcpDialer::new(Resolver::of(target), sources);
    Relay::start(&Path { faults }, &cohorts, |_| target.clone(), MAX_WAIT, 1).unwrap()
}

/// The address to which the clients of a cohort connect.
fn route(relay: &Relay, cohort: usize) -> SocketAddr {
    relay.routes()[cohort].as_ref().unwrap().address
}

fn dial(address: SocketAddr) -> TcpStream {
    patient(TcpStream::connect(address).unwrap())
}

fn patient(tcp: TcpStream) -> TcpStream {
    tcp.set_nodelay(true).unwrap();
    tcp.set_read_timeout(Some(MAX_WAIT)).unwrap();
    tcp.set_write_timeout(Some(MAX_WAIT)).unwrap();
    tcp
}

/// Builds a fault of the cohort `bad` in the words of a scenario.
struct Said {
    it: PathFault,
}

fn fault(kind: PathFaultKind) -> Said {
    Said {
        it: PathFault {
            kind,
            after: None,
            lasts: None,
            cohorts: vec!["bad".to_owned()],
        },
    }
}

impl Said {
    fn after(mut self, after: Duration) -> Self {
        self.it.after = Some(after);
        self
    }

    fn lasting(mut self, lasts: Duration) -> Self {
        self.it.lasts = Some(lasts);
        self
    }

    fn to(mut self, cohort: &str) -> Self {
        self.it.cohorts = vec![cohort.to_owned()];
        self
    }
}

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// An address on which no server listens.
fn dead() -> SocketAddr {
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    gone.local_addr().unwrap()
}

/// Reads all bytes to the end of TCP; returns them, and how it ended.
fn read_to_end(mut tcp: &TcpStream) -> (Vec<u8>, Ended) {
    let mut bytes = Vec::new();
    match tcp.read_to_end(&mut bytes) {
        Ok(_) => (bytes, Ended::Fin),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => (bytes, Ended::Rst),
        Err(error) => panic!("after {} bytes: {error}", bytes.len()),
    }
}

fn read(mut tcp: &TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    tcp.read_exact(&mut bytes).unwrap();
    bytes
}

fn write(mut tcp: &TcpStream, bytes: &[u8]) {
    tcp.write_all(bytes).unwrap();
}

/// Whether neither a byte nor an end comes for a while.
fn is_quiet(mut tcp: &TcpStream) -> bool {
    tcp.set_read_timeout(Some(A_WHILE)).unwrap();
    let result = tcp.read(&mut [0]);
    tcp.set_read_timeout(Some(MAX_WAIT)).unwrap();
    matches!(result, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

/// Whether bytes pass both ways.
fn is_well(client: &TcpStream, server: &TcpStream) -> bool {
    write(client, b"there");
    let there = read(server, 5);
    write(server, b"back");
    there == b"there" && read(client, 4) == b"back"
}

/// Sends a byte now and then until a RST answers.
fn write_until_reset(mut tcp: &TcpStream) {
    let give_up = Instant::now() + MAX_WAIT;
    tcp.set_read_timeout(Some(ms(2))).unwrap();
    while Instant::now() < give_up {
        match tcp.write_all(b".").and_then(|()| tcp.read(&mut [0])) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
                ) =>
            {
                return;
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("never reset");
}

#[test]
fn only_cohorts_that_something_happens_to_are_led_over_the_path() {
    let scene = Scene::new(&[fault(PathFaultKind::Freeze).it]);
    let is_led = (scene.relay.routes().iter()).map(Option::is_some);
    assert_eq!(Vec::from_iter(is_led), [true, true, false]);
}

#[test]
fn what_happened_is_told_with_its_time() {
    let scene = Scene::new(&[
        fault(PathFaultKind::Drop(Direction::ToClient))
            .after(ms(20))
            .lasting(ms(10))
            .it,
        fault(PathFaultKind::Reset).after(ms(40)).it,
        fault(PathFaultKind::Cut).after(MAX_WAIT).it,
        // A throttle without `after` and `for` is a lasting state of the path, not an incident.
        fault(PathFaultKind::Throttle(crate::units::ByteSize(1 << 20))).it,
    ]);
    let (client, server) = scene.open(BAD);
    let (good, good_server) = scene.open(GOOD);
    let ports = [&client, &good].map(|tcp| tcp.local_addr().unwrap().port());
    let seen = [&server, &good_server].map(|tcp| tcp.peer_addr().unwrap().port());
    write(&client, b"four");
    assert_eq!(read(&server, 4), b"four");
    let from = scene.measure();
    assert_eq!(read_to_end(&client).1, Ended::Rst);
    assert!(is_well(&good, &good_server));
    let log = scene.stop();
    let told: Vec<_> = (log.incidents.iter())
        .map(|incident| {
            (
                incident.kind.name(),
                incident.began - from,
                incident.ended.map(|at| at - from),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("drop", ms(20), Some(ms(30))),
            ("reset", ms(40), Some(ms(40)))
        ]
    );
    assert_eq!(log.incidents[0].cohorts, ["bad"]);
    let relayed = log.relayed();
    assert_eq!((relayed.connections, relayed.refused), (2, 0));
    assert_eq!((relayed.unreachable, relayed.backed_up), (0, 0));
    assert_eq!(relayed.cpu_ns.is_some(), cfg!(target_os = "linux"));
    assert_eq!((log.bytes_to_server, log.bytes_to_client), (4 + 5, 4));
    let passages: Vec<_> = (log.passages.iter())
        .map(|passage| (passage.cohort, passage.client_port, passage.target_port))
        .collect();
    assert_eq!(
        passages,
        [(BAD, ports[0], seen[0]), (GOOD, ports[1], seen[1])]
    );
}

#[test]
fn stopping_ends_every_connection() {
    let scene = Scene::new(&[fault(PathFaultKind::Freeze).it]);
    let (frozen, frozen_server) = scene.open(BAD);
    let (good, good_server) = scene.open(GOOD);
    drop(scene);
    for tcp in [frozen, frozen_server, good, good_server] {
        assert_eq!(read_to_end(&tcp), (Vec::new(), Ended::Fin));
    }
}

#[test]
fn a_target_that_is_not_there_resets_the_client() {
    let relay = start(
        vec![fault(PathFaultKind::Freeze).after(MAX_WAIT).it],
        &[dead(), dead()],
    );
    let client = dial(route(&relay, BAD));
    assert_eq!(read_to_end(&client).1, Ended::Rst);
    let log = relay.stop().unwrap();
    assert_eq!((log.connections, log.unreachable), (1, 1));
}

#[test]
#[cfg(target_os = "linux")]
fn the_target_is_dialled_from_each_source_address_in_turn() {
    let sources = ["127.0.0.2", "127.0.0.3"].map(|text| text.parse().unwrap());
    let target = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let never = fault(PathFaultKind::Freeze).after(MAX_WAIT).it;
    let relay = start_from(&sources, vec![never], &[target.local_addr().unwrap()]);
    let clients = [(); 2].map(|()| dial(route(&relay, BAD)));
    let mut seen = clients.each_ref().map(|_| target.accept().unwrap().1.ip());
    seen.sort_unstable();
    assert_eq!(seen, sources);
    relay.stop().unwrap();
}

#[test]
fn an_address_that_refuses_is_followed_by_the_next_and_told_to_the_clients() {
    let (first, target) = (dead(), TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let relay = start(
        vec![fault(PathFaultKind::Freeze).after(MAX_WAIT).it],
        &[first, target.local_addr().unwrap()],
    );
    for turn in 0..2 {
        let client = dial(route(&relay, BAD));
        let server = patient(target.accept().unwrap().0);
        assert!(is_well(&client, &server), "{turn}");
    }
    let told = relay.routes()[BAD].as_ref().unwrap().clone();
    // The second connection began with the second address.
    let mut once = PassedBy::default();
    once.add(&[(first, Cause::Refused)]);
    assert_eq!(told.take_passed(), once);
    assert_eq!(told.take_passed().dials, 0, "each is told once");

    // Nobody takes what the third connection met.
    let client = dial(route(&relay, BAD));
    let server = patient(target.accept().unwrap().0);
    assert!(is_well(&client, &server));
    let log = relay.stop().unwrap();
    assert_eq!((log.connections, log.unreachable), (3, 0));
    assert_eq!(log.passed, [(BAD, once)]);
}

/// Of two addresses the first refuses, and the second never answers, so that the relay ends in the middle of the dial.
#[test]
#[cfg(target_os = "linux")]
fn a_dial_that_the_end_of_the_relay_cuts_short_is_told_too() {
    let (first, silent) = (
        dead(),
        Socket::new(Domain::IPV4, Type::STREAM, None).unwrap(),
    );
    silent
        .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .unwrap();
    silent.listen(0).unwrap();
    let second = silent.local_addr().unwrap().as_socket().unwrap();
    let _fills_its_queue = dial(second);
    let never = fault(PathFaultKind::Freeze).after(MAX_WAIT).it;
    let relay = start(vec![never], &[first, second]);
    let _client = dial(route(&relay, BAD));
    let dials = || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let to_it = format!(":{:04X} 02 ", second.port());
        table.lines().any(|line| line.contains(&to_it))
    };
    let begun = Instant::now();
    while !dials() {
        assert!(begun.elapsed() < MAX_WAIT, "the relay never dialled it");
        std::thread::sleep(ms(5));
    }
    let passed = relay.stop().unwrap().passed;
    let (address, _) = passed[0].1.addresses.iter().next().unwrap();
    assert_eq!((passed.len(), address), (1, first.to_string().as_str()));
}
