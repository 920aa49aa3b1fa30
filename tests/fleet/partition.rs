//! Hosts that lose sight of the NATS server for a time. Each is a network namespace with two links to this one: by the
//! first it reaches the NATS server, which is what a partition cuts, and by the second the target.

use std::net::Ipv4Addr;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use rustix::process::{getgid, getuid};

use super::common::nats::{Nats, Version};
use super::common::process::command;
use super::common::{Running, Script, Server};
use super::setting::{
    Alone, agent_by, assert_code, attach, coordinator, coordinator_by, lost_of, run_of, scenario,
    unbalanced, wait_for_messages,
};

/// What lets a process of another host speak to the NATS server of this one.
const FAR: &str = "--insecure-nats";

/// Another host; gone when dropped.
struct Host {
    name: String,
    links: [Cable; 2],
}

/// A link to it.
struct Cable {
    /// The end over there.
    end: String,
    /// The address of this machine on it.
    here: Ipv4Addr,
}

impl Host {
    /// A host with two links.
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("wsb{}-{}", process::id(), COUNT.fetch_add(1, Relaxed));
        ip(&["netns", "add", &name]);
        let links = ["a", "b"].map(|which| Cable::new(&name, which));
        Self { name, links }
    }

    /// What executes a program there, as this user.
    fn by(&self) -> Vec<String> {
        let enter = ["ip", "netns", "exec", &self.name];
        let sudo = AS_ROOT.iter().copied().filter(|_| !is_root());
        let mut words: Vec<String> = sudo.chain(enter).map(str::to_owned).collect();
        if !is_root() {
            let [user, group] = [getuid().as_raw(), getgid().as_raw()];
            words.push("setpriv".to_owned());
            words.push("--clear-groups".to_owned());
            words.push(format!("--reuid={user}"));
            words.push(format!("--regid={group}"));
        }
        words
    }

    /// Where this host is, as it sees it: for the NATS server, and for the target.
    fn here(&self) -> [Ipv4Addr; 2] {
        [self.links[0].here, self.links[1].here]
    }

    /// Cuts it off from the NATS server for so long.
    fn cut_off(&self, time: Duration) {
        self.set("down");
        thread::sleep(time);
        self.set("up");
    }

    fn set(&self, state: &str) {
        let link = &self.links[0].end;
        ip(&["-n", &self.name, "link", "set", link, state]);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Takes its links with it.
        let _ = as_root(&["ip", "netns", "del", &self.name]).status();
    }
}

impl Cable {
    fn new(host: &str, which: &str) -> Self {
        // Four addresses of those that are set aside for such tests (RFC 2544).
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let block = (process::id() * 16 + COUNT.fetch_add(1, Relaxed)) % (1 << 15);
        let first = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + 4 * block;
        let (here, there) = (Ipv4Addr::from(first + 1), Ipv4Addr::from(first + 2));
        let name = format!("w{}{which}{}", process::id(), block % 16);
        let end = format!("{name}p");
        ip(&["link", "add", &name, "type", "veth", "peer", "name", &end]);
        ip(&["link", "set", &end, "netns", host]);
        ip(&["addr", "add", &format!("{here}/30"), "dev", &name]);
        ip(&["link", "set", &name, "up"]);
        let there = format!("{there}/30");
        ip(&["-n", host, "addr", "add", &there, "dev", &end]);
        ip(&["-n", host, "link", "set", &end, "up"]);
        Self { end, here }
    }
}

/// What makes somebody else root, as `scripts/test` does it.
const AS_ROOT: [&str; 2] = ["sudo", "--non-interactive"];

fn is_root() -> bool {
    getuid().is_root()
}

fn as_root(words: &[&str]) -> Command {
    let words: Vec<&str> = match is_root() {
        true => words.to_vec(),
        false => AS_ROOT.iter().chain(words).copied().collect(),
    };
    let mut call = command(words[0]);
    call.args(&words[1..]);
    call
}

#[track_caller]
fn ip(arguments: &[&str]) {
    let made = as_root(&[&["ip"], arguments].concat()).output().unwrap();
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(
        made.status.success(),
        "ip {arguments:?}: {said}\nhint: this needs root, or sudo without a password"
    );
}

/// An agent on another host, and one on this.
fn two_agents(host: &Host, nats: &Nats, target: Ipv4Addr) -> [Running; 2] {
    let (nats_here, target) = (host.here()[0], target.to_string());
    assert!(nats.url().contains(&nats_here.to_string()));
    let options = [FAR, "--allow-target", &target, "--workers", "1", "--once"];
    let folder = || tempfile::tempdir().unwrap();
    let by = host.by();
    let by: Vec<&str> = by.iter().map(String::as_str).collect();
    [
        agent_by(&by, nats, "far", &options, folder()),
        agent_by(&[], nats, "near", &options, folder()),
    ]
}

#[test]
#[ignore = "needs root, iproute2 and NATS servers of both versions; run by scripts/test"]
fn an_agent_that_is_cut_off_for_a_moment_loses_nothing() {
    let alone = Alone::begin(8);
    Version::each(|version| {
        let host = Host::new();
        let [for_nats, for_target] = host.here();
        let nats = Nats::start_at(for_nats, version);
        let server = Server::start_at(for_target, Script::default());
        let scenario = scenario(&server.url(), 8);
        let agents = two_agents(&host, &nats, for_target);
        let led = coordinator(&nats, &scenario, 2, &[FAR]);
        for more in [300, 500, 700] {
            wait_for_messages(&server, more);
            host.cut_off(Duration::from_millis(500));
        }
        let led = led.end();
        assert_code(&led, 0);
        assert_eq!(led.report().fixed_by_the_plan(), *alone.counts());
        for agent in agents {
            assert_code(&agent.end(), 0);
        }
    });
}

/// It plays its share to the end, and hands it in when it is back: the coordinator has judged the rest by then.
#[test]
#[ignore = "needs root, iproute2 and NATS servers of both versions; run by scripts/test"]
fn an_agent_that_is_cut_off_for_long_is_lost_and_its_share_is_not() {
    let alone = Alone::begin(10);
    Version::each(|version| {
        let host = Host::new();
        let [for_nats, for_target] = host.here();
        let nats = Nats::start_at(for_nats, version);
        let server = Server::start_at(for_target, Script::default());
        let scenario = scenario(&server.url(), 10);
        let agents = two_agents(&host, &nats, for_target);
        let options = [FAR, "--on-agent-loss", "continue"];
        let led = coordinator(&nats, &scenario, 2, &options);
        let run = run_of(&led);
        wait_for_messages(&server, 300);
        host.set("down");
        let led = led.end();
        host.set("up");
        assert_code(&led, 0);
        let report = unbalanced(&led);
        let [Some(at), None] = lost_of(&report)[..] else {
            panic!("{:?}", report["parts"]);
        };
        assert!(at > 0.0 && at < 10.0, "{at}");
        for agent in agents {
            assert_code(&agent.end(), 0);
        }
        let all = attach(&nats, &run, &[FAR]).end();
        assert_code(&all, 0);
        assert_eq!(all.report().fixed_by_the_plan(), *alone.counts());
        assert_eq!(lost_of(&unbalanced(&all)), [None, None]);
    });
}

/// It hears of nobody meanwhile, so nobody is lost.
#[test]
#[ignore = "needs root, iproute2 and NATS servers of both versions; run by scripts/test"]
fn a_coordinator_that_is_cut_off_loses_no_agent() {
    let alone = Alone::begin(12);
    Version::each(|version| {
        let host = Host::new();
        let [for_nats, for_target] = host.here();
        let nats = Nats::start_at(for_nats, version);
        let server = Server::start_at(for_target, Script::default());
        let scenario = scenario(&server.url(), 12);
        let target = for_target.to_string();
        let options = [FAR, "--allow-target", &target, "--workers", "1", "--once"];
        let agents = ["one", "two"].map(|name| {
            let folder = tempfile::tempdir().unwrap();
            agent_by(&[], &nats, name, &options, folder)
        });
        let by = host.by();
        let by: Vec<&str> = by.iter().map(String::as_str).collect();
        let led = coordinator_by(&by, &nats, &scenario, 2, &[FAR]);
        wait_for_messages(&server, 300);
        // Twice as long as an agent may be silent.
        host.cut_off(Duration::from_secs(6));
        let led = led.end();
        assert_code(&led, 0);
        assert_eq!(led.report().fixed_by_the_plan(), *alone.counts());
        for agent in agents {
            assert_code(&agent.end(), 0);
        }
    });
}
