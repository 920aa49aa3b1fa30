//! A NATS server that is far away: the clocks are known less well, orders are given earlier, and the run is the same.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::common::nats::{Nats, Version};
use super::common::{Broadcast, Ended, Running, Script, Server};
use super::rooms;
use super::setting::{Alone, LONGEST, agent, assert_code, coordinator, scenario};

/// How long everything is on its way, in each direction.
const WAY: Duration = Duration::from_millis(150);

/// What is on the way, with the time at which it arrives.
type Chunk = (Instant, Vec<u8>);

/// Where a long way to this address begins. Its threads end with the test.
fn far(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(to).unwrap());
            for (from, to) in [(&client, &server), (&server, &client)] {
                let (tell, told) = sync_channel(4_096);
                let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                thread::spawn(move || departs(from, &tell));
                thread::spawn(move || arrives(to, &told));
            }
        }
    });
    address
}

fn departs(mut from: TcpStream, tell: &SyncSender<Chunk>) {
    let mut room = [0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut room) {
        let chunk = room[..read].to_vec();
        if tell.send((Instant::now() + WAY, chunk)).is_err() {
            break;
        }
    }
}

fn arrives(mut to: TcpStream, told: &Receiver<Chunk>) {
    for (at, chunk) in told {
        thread::sleep(at.saturating_duration_since(Instant::now()));
        if to.write_all(&chunk).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// An agent that is near the NATS server, and one that is far from it.
fn agents(nats: &Nats) -> [Running; 2] {
    let url = format!("nats://{}", far(nats.address()));
    let distant = [
        "agent",
        "--nats",
        &url,
        "--name",
        "far",
        "--keep",
        ".",
        "--workers",
        "1",
        "--once",
    ];
    let distant = Running::call(tempfile::tempdir().unwrap(), &distant, &[]).within(LONGEST);
    [distant, agent(nats, "near", "1")]
}

/// By how much the times of each agent may be wrong, in nanoseconds.
fn errors(led: &Ended) -> Vec<u64> {
    let report = led.report();
    let parts = report.json["parts"].as_array().unwrap().iter();
    parts
        .map(|part| part["clock"]["error_ns"].as_u64().unwrap())
        .collect()
}

#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn an_agent_that_is_far_from_the_broker_plays_the_same_run() {
    let server = Server::start(Script::default());
    let scenario = scenario(&server.url(), 3);
    let alone = Alone::begin(3);
    let nats = Nats::start(Version::Debian);
    let agents = agents(&nats);
    let led = coordinator(&nats, &scenario, 2, &[]).end();
    assert_code(&led, 0);
    assert_eq!(led.report().fixed_by_the_plan(), *alone.counts());
    // Half of a round trip is what nobody can know.
    let way = WAY.as_nanos() as u64;
    let [far, near] = errors(&led)[..] else {
        panic!("{}", led.stdout);
    };
    assert!(far >= way && near < far, "{far} {near}");
    for agent in agents {
        assert_code(&agent.end(), 0);
    }
}

/// A time from one machine to the other that the clocks may be wrong by decides nothing.
#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn a_gate_that_the_clocks_may_have_decided_has_no_verdict() {
    let (nats, server) = (Nats::start(Version::PyPi), Broadcast::start(|_| 1));
    let agents = agents(&nats);
    let scenario = rooms::scenario(&server.url(), 3).replace("< 2s", "< 100ms");
    let led = coordinator(&nats, &scenario, 2, &[]).end();
    assert_code(&led, 4);
    let doubts = led.report();
    let doubts = doubts.distrust();
    assert!(doubts.contains(&"clocks_apart"), "{doubts:?}");
    for agent in agents {
        assert_code(&agent.end(), 0);
    }
}
