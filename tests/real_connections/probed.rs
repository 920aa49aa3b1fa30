//! What the probe writes, `run` takes, and the same healthy server passes: for every kind of server that the tests have.

use std::fs;
use std::path::Path;
use std::time::Duration;

use wsbench::scenario::{Defect, HeartbeatWord, ServerHeartbeat};
use wsbench::server::{Behaviour, EmbeddedServer};

use super::common::Running;
use super::common::peer::Setup;
use super::common::real::{RealServer, Target, wsbench};

/// The longest that a run of a scenario takes that a probe has written: of a dialect, 30 s and what comes before and after.
const LONGEST: Duration = Duration::from_secs(60);

/// Probes a server, and runs what the probe has written, as it is.
fn passes(name: &str, url: &str, options: &[&str]) -> Result<(), String> {
    let arguments = ["probe", url, "--for", "7s", "--out", "probed.toml"];
    let folder = tempfile::tempdir().unwrap();
    let probed = Running::call(folder, &[&arguments, options].concat(), &[]).end();
    if probed.code != 0 {
        return Err(format!("{name} is not probed: {}", probed.stderr));
    }
    let found = probed.stdout.clone();
    // A second over all is for a machine with other things to do.
    if probed.took > Duration::from_secs(8) {
        return Err(format!("{name} was probed for {:?}\n{found}", probed.took));
    }
    let mut folder = probed.into_folder();
    let scenario = fs::read_to_string(folder.path().join("probed.toml")).unwrap();
    let run = ["run", "probed.toml", "--quiet"];
    let mut ended = Running::call(folder, &run, &[]).within(LONGEST).end();
    // A machine that was busy with the others proves nothing.
    for _ in 0..3 {
        if !(ended.code == 4 && ended.stdout.contains("wsbench itself was held up")) {
            break;
        }
        folder = ended.into_folder();
        ended = Running::call(folder, &run, &[]).within(LONGEST).end();
    }
    match ended.code {
        0 => Ok(()),
        code => Err(format!(
            "{name} ended with {code}\n{found}\n{scenario}\n{}{}",
            ended.stdout, ended.stderr
        )),
    }
}

/// Runs each of these beside the others, since they wait nearly all the time.
#[track_caller]
fn all_pass(servers: Vec<(&'static str, String, Vec<&'static str>)>) {
    let threads = servers
        .into_iter()
        .map(|(name, url, options)| std::thread::spawn(move || passes(name, &url, &options)));
    let threads: Vec<_> = threads.collect();
    let failed: Vec<String> = (threads.into_iter())
        .filter_map(|thread| thread.join().unwrap().err())
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
#[ignore = "needs every target; run by scripts/test"]
fn real_servers_pass_what_the_probe_wrote_of_them() {
    let targets = [
        ("ws", Target::Node, ""),
        ("ws with a heartbeat", Target::NodeHeartbeat, ""),
        ("websockets", Target::Python, ""),
        ("websockets with a heartbeat", Target::PythonHeartbeat, ""),
        ("aiohttp", Target::Aiohttp, ""),
        ("Tornado", Target::Tornado, ""),
        ("picows", Target::Picows, ""),
        ("faye", Target::Faye, ""),
        ("Flask", Target::Flask, ""),
        ("nginx", Target::Nginx, ""),
        (
            "Socket.IO",
            Target::SocketIo,
            "socket.io/?EIO=4&transport=websocket",
        ),
    ];
    let servers = targets.map(|(name, target, path)| (name, RealServer::start(target), path));
    let all = servers
        .iter()
        .map(|(name, server, path)| (*name, format!("{}{path}", server.url()), Vec::new()));
    all_pass(all.collect());
}

#[test]
#[ignore = "needs every target; run by scripts/test"]
fn servers_that_wait_for_a_first_word_get_it() {
    let graphql = RealServer::start(Target::GraphqlWs);
    let nats = Setup::of("nats-mute.conf").start();
    all_pass(vec![
        (
            "graphql-ws",
            format!("{}graphql", graphql.url()),
            vec!["--subprotocol", "graphql-transport-ws"],
        ),
        (
            "NATS",
            format!("ws://{}/", nats.address()),
            vec!["--first", "CONNECT {}\r\n"],
        ),
    ]);
}

#[test]
#[ignore = "takes half a minute; run by scripts/test"]
fn the_built_in_server_passes_what_the_probe_wrote_of_it_with_each_defect() {
    let heartbeat = |kind, defect| {
        Some(ServerHeartbeat {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            kind,
            defect,
        })
    };
    let frames = |defect| heartbeat(HeartbeatWord::Frames, Some(defect));
    let behaviours = [
        ("none", None),
        ("frames", heartbeat(HeartbeatWord::Frames, None)),
        ("text", heartbeat(HeartbeatWord::Text, None)),
        ("global tick", frames(Defect::GlobalTick)),
        ("normal close", frames(Defect::NormalClose)),
        ("no close frame", frames(Defect::NoCloseFrame)),
        ("blocked ping", frames(Defect::BlockedPing)),
        ("slow pong", frames(Defect::SlowPong)),
        ("never reaps", frames(Defect::NeverReaps)),
        ("kills after stall", frames(Defect::KillsAfterStall)),
    ];
    let servers = behaviours.map(|(name, heartbeat)| {
        let behaviour = Behaviour {
            heartbeat,
            ..Behaviour::default()
        };
        let program = wsbench();
        (
            name,
            EmbeddedServer::spawn(Path::new(&program), &behaviour).unwrap(),
        )
    });
    let all = servers
        .iter()
        .map(|(name, server)| (*name, server.url().to_owned(), Vec::new()));
    all_pass(all.collect());
}
