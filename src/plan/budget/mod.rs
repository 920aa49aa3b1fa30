//! What a plan will do and what it needs, computed before a socket is opened: for `check`, and for the limits.

mod compressing;
mod memory;
mod ports;

use std::time::Duration;

pub use self::compressing::Compressing;
use self::memory::memory;
use self::ports::ports;
use super::often::{Often, Said};
use crate::scenario::{Cohort, HttpVersion, Scenario, Servers, Shape, Verb};

/// What a plan will do and needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// The most connections open at once.
    pub open_at_once: u64,
    /// Number of dials, without reconnects.
    pub dials: u64,
    /// Messages a second at full load when all are ready, without those of `sends_in_all`; `None` if a closed model
    /// leaves the rate to the server.
    pub sends_per_second: Option<f64>,
    /// The most messages, over the whole run, of those whose `count` is used up before its end, and of steps that are
    /// played a known number of times.
    pub sends_in_all: u64,
    /// Pings a second at full load.
    pub pings_per_second: f64,
    /// From the first dial to the end of the load, with every connection opened at once.
    pub planned: Duration,
    /// The most time on top of that: dials that use their whole timeout, the set-up, answers that are due, closes.
    pub overtime: Duration,
    /// The most TCP connections open at once: fewer than WebSockets where these share some.
    pub tcp_at_once: u64,
    /// File descriptors: one for each TCP connection, two more if it goes through the relay of the path, and some for
    /// the rest.
    pub descriptors: u64,
    /// How many of them do not depend on the number of connections.
    pub other_descriptors: u64,
    /// Local ports on each source address, for the server or the proxy with the most connections.
    pub ports: u64,
    /// The proxy that they lead to, without credentials; `None`: a server.
    pub ports_to: Option<String>,
    /// Estimated memory of connections, payloads, histograms and workers, in bytes.
    pub memory: u64,
    /// What compression does, by cohort.
    pub compressing: Vec<Compressing>,
}

/// Standard streams, reports, signals and the relay's event queue.
const PROCESS_DESCRIPTORS: u64 = 24;
/// The event queue, the timer, and the descriptor that wakes a worker from outside.
const WORKER_DESCRIPTORS: u64 = 5;
/// The least number of descriptors set aside for the process and its workers.
const LEAST_OTHER_DESCRIPTORS: u64 = 64;
/// The relay has two sockets for each connection: one to its client, one to the target.
const RELAY_LEGS: u64 = 2;
impl Budget {
    /// Computes the budget of a scenario for at most `workers` workers; each of them has at least one connection.
    /// Allocates nothing of what it counts.
    pub fn new(scenario: &Scenario, workers: usize) -> Self {
        let open_at_once = open_at_once(scenario);
        let sources = scenario.target.source_addresses.len().max(1) as u64;
        let workers = u64::try_from(workers).map_or(open_at_once, |most| most.min(open_at_once));
        let tcp_at_once = tcp_at_once(scenario, &scenario.cohorts, open_at_once, workers);
        let relay = Relayed::of(scenario, open_at_once, workers);
        let ports = ports(scenario, open_at_once, workers);
        let other_descriptors = own_descriptors(workers) + relay.cohorts;
        Self {
            open_at_once,
            dials: dials(scenario),
            sends_per_second: sends_per_second(scenario),
            sends_in_all: sends_in_all(scenario),
            pings_per_second: pings_per_second(scenario),
            planned: planned(scenario),
            overtime: overtime(scenario),
            tcp_at_once,
            descriptors: tcp_at_once + RELAY_LEGS * relay.open_at_once + other_descriptors,
            other_descriptors,
            ports: ports.needed.div_ceil(sources),
            ports_to: ports.proxy,
            memory: memory(scenario, open_at_once, workers),
            compressing: Compressing::of(scenario),
        }
    }

    /// Returns the longest time that the run can take.
    pub fn longest(&self) -> Duration {
        self.planned.saturating_add(self.overtime)
    }

    /// Returns how many connections this many descriptors allow, if the cohorts keep their proportions.
    pub fn connections_within(&self, descriptors: u64) -> u64 {
        let all = u128::from(self.descriptors - self.other_descriptors).max(1);
        let room = u128::from(descriptors.saturating_sub(self.other_descriptors));
        (room * u128::from(self.open_at_once) / all) as u64
    }
}

/// Returns the descriptors of the process and its workers.
fn own_descriptors(workers: u64) -> u64 {
    let own = PROCESS_DESCRIPTORS + WORKER_DESCRIPTORS * workers;
    own.max(LEAST_OTHER_DESCRIPTORS)
}

/// The part of the load that goes through the relay of the path.
struct Relayed {
    /// Number of cohorts; the relay has one listener for each.
    cohorts: u64,
    /// The most TCP connections open at once.
    open_at_once: u64,
}

impl Relayed {
    fn of(scenario: &Scenario, open_at_once: u64, workers: u64) -> Self {
        let leads = |name: &str| scenario.path.as_ref().is_some_and(|path| path.leads(name));
        let led = || (scenario.cohorts.iter()).filter(|cohort| leads(&cohort.name));
        let connections: u64 = led().map(|cohort| u64::from(cohort.connections)).sum();
        Self {
            cohorts: led().count() as u64,
            open_at_once: tcp_at_once(scenario, led(), connections.min(open_at_once), workers),
        }
    }
}

fn open_at_once(scenario: &Scenario) -> u64 {
    match &scenario.load.shape {
        Shape::Arrivals {
            rate,
            lifetime,
            max_open,
            warm_up,
            ..
        } => {
            let stays = lifetime.longest(&scenario.cohorts[0], *warm_up);
            let expected = (rate.hertz() * stays.as_secs_f64()).ceil() as u64;
            // A slow target keeps arrivals open longer than planned: leaves room for twice as many.
            let most = u64::from(*max_open).min(expected.saturating_mul(2).max(1));
            most.min(dials(scenario).max(1))
        }
        _ => scenario.connections(),
    }
}

/// How many TCP connections these cohorts take, of which so many WebSockets are open at once.
fn tcp_at_once<'a>(
    scenario: &Scenario,
    cohorts: impl IntoIterator<Item = &'a Cohort>,
    open_at_once: u64,
    workers: u64,
) -> u64 {
    let spared = cohorts.into_iter().map(|cohort| {
        let connections = u64::from(cohort.connections).min(open_at_once);
        let servers = cohort.dialled(&scenario.target.url);
        let servers = servers.into_iter().flat_map(Servers::iter);
        let all: u64 = servers.clone().map(|server| u64::from(server.weight)).sum();
        let share = |weight: u32| (connections * u64::from(weight)).div_ceil(all.max(1));
        match cohort.access.http {
            HttpVersion::One => 0,
            HttpVersion::Two(sharing) => {
                let each = servers.map(|server| sharing.carriers(share(server.weight), workers));
                connections.saturating_sub(each.sum())
            }
        }
    });
    open_at_once.saturating_sub(spared.sum())
}

fn dials(scenario: &Scenario) -> u64 {
    match &scenario.load.shape {
        Shape::Stages(stages) => {
            // Each stage that rises opens as many connections as it rises by.
            let mut from = 0;
            stages
                .iter()
                .map(|stage| {
                    let rise = stage.connections.saturating_sub(from);
                    from = stage.connections;
                    u64::from(rise)
                })
                .sum()
        }
        _ => scenario.connections(),
    }
}

/// Returns how many of a cohort's connections are open at once.
fn at_once(scenario: &Scenario, cohort: &Cohort) -> f64 {
    match &scenario.load.shape {
        Shape::Arrivals {
            rate,
            lifetime,
            max_open,
            warm_up,
            ..
        } => {
            let stays = lifetime.longest(cohort, *warm_up);
            (rate.hertz() * stays.as_secs_f64()).min(f64::from(*max_open))
        }
        _ => f64::from(cohort.connections),
    }
}

/// How long a connection of a cohort is open at most.
pub(super) fn open(scenario: &Scenario, cohort: &Cohort) -> Duration {
    let planned = planned(scenario);
    match &scenario.load.shape {
        Shape::Arrivals {
            lifetime, warm_up, ..
        } => planned.min(lifetime.longest(cohort, *warm_up)),
        _ => planned,
    }
}

/// How many HTTP requests and how many messages a client of a cohort sends to become ready, without requests that are
/// sent once for the run.
pub fn sent_by_setup(cohort: &Cohort) -> (u64, u64) {
    let (mut requests, mut messages) = (0.0, 0.0);
    for (step, often) in Often::of_steps(&cohort.setup, Duration::MAX) {
        let times = often.in_all.unwrap_or_default();
        match &step.verb {
            Verb::Http(http) if !http.once => requests += times,
            Verb::Send(_) => messages += times,
            _ => {}
        }
    }
    (requests.ceil() as u64, messages.ceil() as u64)
}

/// What one connection of a cohort says when it is ready.
fn said(scenario: &Scenario, cohort: &Cohort) -> impl Iterator<Item = Said> {
    let open = open(scenario, cohort);
    let messages = cohort.messages.iter();
    let messages = messages.map(move |message| Said::by_message(message, open));
    messages.chain([Said::by_steps(&cohort.steps, open)])
}

fn sends_per_second(scenario: &Scenario) -> Option<f64> {
    let mut total = 0.0;
    for cohort in &scenario.cohorts {
        for said in said(scenario, cohort) {
            if said.as_answered {
                return None;
            }
            total += said.per_second * at_once(scenario, cohort);
        }
    }
    Some(total)
}

fn sends_in_all(scenario: &Scenario) -> u64 {
    let of_cohort = |cohort: &Cohort| {
        let dials = match &scenario.load.shape {
            // Only one cohort can have stages.
            Shape::Stages(_) => dials(scenario),
            _ => u64::from(cohort.connections),
        };
        let each: f64 = said(scenario, cohort).map(|said| said.in_all).sum();
        (each * dials as f64).ceil() as u64
    };
    let cohorts = scenario.cohorts.iter().map(of_cohort);
    cohorts.fold(0, u64::saturating_add)
}

fn pings_per_second(scenario: &Scenario) -> f64 {
    let mut total = 0.0;
    for cohort in &scenario.cohorts {
        if let Some(pings) = cohort.pings() {
            total += at_once(scenario, cohort) / pings.interval.as_secs_f64();
        }
    }
    total
}

fn planned(scenario: &Scenario) -> Duration {
    let load = match &scenario.load.shape {
        Shape::Steady {
            ramp_up,
            warm_up,
            duration,
        } => *ramp_up + *warm_up + *duration,
        Shape::Stages(stages) => stages.iter().map(|stage| stage.duration).sum(),
        Shape::Arrivals {
            warm_up, duration, ..
        } => *warm_up + *duration,
    };
    load + scenario.load.ramp_down
}

fn overtime(scenario: &Scenario) -> Duration {
    let target = &scenario.target;
    // Members listen until the patience after the last whole second is over.
    let rest = scenario
        .patience()
        .map_or(Duration::ZERO, |_| Duration::from_secs(1));
    let known = target.connect_timeout + scenario.longest_answer() + rest + target.close_timeout;
    known.saturating_add(scenario.longest_setup())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse::parse_alone;
    use crate::scenario::{Outside, Overrides, Source, parse};

    fn budget(text: &str) -> Budget {
        Budget::new(&scenario(text), 1)
    }

    fn scenario(text: &str) -> Scenario {
        let text = format!("name = \"x\"\ntarget.url = \"embedded\"\n{text}");
        let source = Source {
            name: "x".into(),
            text,
        };
        let outside = Outside {
            env: &|_| None,
            read: &|_| Ok(vec![b'x'; 16 << 20]),
            list: &Outside::no_folder,
        };
        let scenario = parse(&source, &Overrides::default(), &outside);
        scenario.unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// Returns cohorts with their own payload, or with the common one.
    fn cohorts(count: usize, own: &str) -> String {
        let cohort = |i| format!("[[cohort]]\nname = \"c{i}\"\nconnections = 1\n{own}");
        (0..count).map(cohort).collect()
    }

    #[test]
    fn payloads_are_counted_and_not_made() {
        let own: String = (0..256)
            .map(|i| {
                format!("[[cohort.message]]\nname = \"m{i}\"\nrate = \"1/h\"\npayload = {{ size = \"16MiB\" }}\n")
            })
            .collect();
        let few = budget(&cohorts(1, "")).memory;
        let memory = budget(&cohorts(256, &own)).memory;
        // Each connection may hold one answer of 16 MiB.
        assert!(memory > 256 * (16 << 20), "{memory}");
        assert!(few < 16 << 20, "{few}");
    }

    /// Measured with debug builds: 37 MiB for the many, 325 MiB for the busy.
    #[test]
    fn histograms_take_memory_where_they_hold_many_times() {
        let message = "[[message]]\nname = \"m\"\nrate = \"10/s\"\n";
        let load = "load.duration = \"4s\"\n";
        let many = budget(&format!("{load}{message}{}", cohorts(256, ""))).memory >> 20;
        assert!((10..50).contains(&many), "{many} MiB");
        let busy = cohorts(64, "").replace("connections = 1", "connections = 20");
        let busy = budget(&format!("{load}{message}{busy}")).memory >> 20;
        assert!((100..400).contains(&busy), "{busy} MiB");
    }

    #[test]
    fn ports_are_those_of_the_server_with_the_most_connections() {
        let ports = |url: &str, load: &str| {
            let text = format!("name = \"x\"\ntarget.url = {url}\n{load}");
            let scenario = parse_alone(&text, &Overrides::default());
            Budget::new(&scenario.unwrap_or_else(|problems| panic!("{problems}")), 1).ports
        };
        let hundred = "load.connections = 100";
        let both = "[\"ws://a/\", { url = \"ws://b/\", weight = 3 }]";
        let mixed = "[\"ws://a/\", \"ws+unix:/a.sock:/\"]";
        assert_eq!(ports("\"ws://a/\"", hundred), 100);
        assert_eq!(ports(both, hundred), 75);
        assert_eq!(ports(mixed, hundred), 50);
        assert_eq!(ports("\"ws+unix:/a.sock\"", hundred), 0);
        let sources = format!("{hundred}\ntarget.source_addresses = [\"127.0.0.1-127.0.0.2\"]");
        assert_eq!(ports("\"ws://a/\"", &sources), 50);
        // However many servers there are behind it.
        let proxied = format!("{hundred}\ntarget.proxy = \"http://p:3128\"");
        assert_eq!(ports(both, &proxied), 100);
        let other = "[[cohort]]\nname = \"a\"\nconnections = 10\n[[cohort]]\nname = \"b\"\nconnections = 4\ntarget.url = \"ws://b/\"";
        assert_eq!(ports("\"ws://a/\"", other), 10);
    }

    #[test]
    fn a_file_is_there_once() {
        let message = "[[message]]\nname = \"m\"\nrate = \"1/h\"\npayload.file = \"f\"\n";
        let one = budget(&format!("{message}{}", cohorts(1, ""))).memory;
        let two = budget(&format!("{message}{}", cohorts(2, ""))).memory;
        // The second connection needs memory, but there is no second copy of the file.
        assert!(two - one < 24 << 20, "{one} {two}");
    }

    #[test]
    fn rows_and_what_hides_them_take_memory() {
        let rows = |count: usize, keys: &str| {
            let file = format!("name\n{}", "ann-ann-ann\n".repeat(count));
            let text = format!(
                "name = \"x\"\ntarget.url = \"embedded\"\nload.connections = 1\ndata.user = {{ file = \"f\"{keys} }}"
            );
            let name = "x".into();
            let outside = Outside {
                env: &|_| None,
                read: &|_| Ok(file.clone().into_bytes()),
                list: &Outside::no_folder,
            };
            let scenario = parse(&Source { name, text }, &Overrides::default(), &outside);
            Budget::new(&scenario.unwrap(), 1).memory
        };
        let (few, many) = (rows(1, ""), rows(1 << 20, ""));
        assert_eq!(many - few, ((1 << 20) - 1) * (11 + 4));
        assert!(rows(1, ", secret = \"name\"") > few);
    }

    #[test]
    fn messages_whose_count_is_used_up_are_counted_in_all() {
        let sends = |keys: &str| {
            let load = "load = { connections = 20, duration = \"10s\" }";
            let budget = budget(&format!("{load}\n[[message]]\nname = \"m\"\n{keys}"));
            (budget.sends_per_second, budget.sends_in_all)
        };
        assert_eq!(sends("rate = \"1000/s\"\ncount = 1"), (Some(0.0), 20));
        assert_eq!(
            sends("rate = \"1000/s\"\ncount = 5000"),
            (Some(0.0), 100_000)
        );
        assert_eq!(sends("in_flight = 2\ncount = 5"), (Some(0.0), 100));
        // The run ends before.
        assert_eq!(sends("rate = \"1/s\"\ncount = 500"), (Some(20.0), 0));
        let second = "[[message]]\nname = \"n\"\nrate = \"2/s\"";
        assert_eq!(
            sends(&format!("rate = \"1000/s\"\ncount = 1\n{second}")),
            (Some(40.0), 20)
        );
        assert_eq!(sends("in_flight = 1"), (None, 0));
    }

    #[test]
    fn arrivals_are_reckoned_to_stay_as_long_as_their_steps_can_last() {
        let session = |max_open: u32| {
            budget(&format!(
                r#"
                load.arrivals = {{ rate = "10/s", lifetime = "steps", max_open = {max_open} }}
                load.duration = "20s"
                setup = [{{ name = "l", send = "l", expect = "ok", timeout = "2s" }}]
                step = [{{ pause = ["1s", "3s"] }}, {{ send = "bye", expect = "none" }}]
                message = [{{ name = "m", rate = "1/s" }}]
                "#
            ))
        };
        // Five seconds each, and room for twice as many.
        let wide = session(500);
        assert_eq!(wide.open_at_once, 100);
        assert_eq!(wide.sends_per_second, Some(50.0));
        assert_eq!(wide.sends_in_all, 200);
        let narrow = session(20);
        assert_eq!(narrow.open_at_once, 20);
        assert_eq!(narrow.sends_per_second, Some(20.0));
    }

    #[test]
    fn requests_and_messages_of_a_set_up_are_told_apart() {
        let login = |keys: &str| {
            format!(
                "[[setup]]\nname = \"login\"\nhttp = {{ url = \"http://127.0.0.1:9/\"{keys} }}\n"
            )
        };
        let send = "[[setup]]\nname = \"join\"\nsend = \"join\"\nexpect = \"none\"\n";
        let sent = |setup: &str| {
            let scenario = scenario(&format!("load.connections = 2\n{setup}"));
            sent_by_setup(&scenario.cohorts[0])
        };
        assert_eq!(
            sent(&(login("") + send + &send.replace("join", "look"))),
            (1, 2)
        );
        assert_eq!(sent(&(login(", once = true") + send)), (0, 1));
    }

    #[test]
    fn streams_take_descriptors_and_ports_by_the_connections_that_they_share() {
        let plan = |streams: &str, workers: usize| {
            let text = format!(
                "name = \"x\"\n[target]\nurl = \"ws://127.0.0.1:9/\"\n{streams}\n[load]\nconnections = 1000\n"
            );
            let name = "x".into();
            let outside = Outside {
                env: &|_| None,
                read: &|_| Ok(Vec::new()),
                list: &Outside::no_folder,
            };
            let scenario = parse(&Source { name, text }, &Overrides::default(), &outside);
            Budget::new(&scenario.unwrap(), workers)
        };
        let alone = plan("", 2);
        let shared = plan("http = \"2\"\nstreams_per_connection = 100", 1);
        assert_eq!((alone.tcp_at_once, shared.tcp_at_once), (1000, 10));
        assert_eq!(shared.descriptors - shared.other_descriptors, 10);
        assert_eq!(shared.ports, 10);
        // Each of three workers has 334 at most.
        let three = plan("http = \"2\"\nstreams_per_connection = 100", 3);
        assert_eq!(three.tcp_at_once, 12);
        let browsers = plan("http = \"2\"\nstreams_per_connection = 1", 2);
        assert_eq!(browsers.tcp_at_once, 1000);
        assert!(browsers.memory > shared.memory + (20 << 20));
    }

    #[test]
    fn without_a_heartbeat_there_are_no_pings() {
        let pings = budget("load.connections = 20").pings_per_second;
        assert!(pings == 0.0 && pings.is_sign_positive(), "{pings}");
    }

    #[test]
    fn many_workers_take_descriptors_of_their_own() {
        assert_eq!(own_descriptors(1), own_descriptors(8));
        assert_eq!(own_descriptors(108) - own_descriptors(8), 500);
    }
}
