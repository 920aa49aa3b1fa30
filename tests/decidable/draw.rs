//! Draws scenarios and gates as text. Rates do not divide the times, so that nothing hangs on the last nanosecond.

use std::fmt::{self, Display};

use proptest::prelude::*;
use proptest::sample::select;
use wsbench::metric;
use wsbench::scenario::{PromiseKind, Selector, Stat, Subject};

use super::talk::{Played, asking, fitting, setup, steps};

/// A scenario without gates.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    target: &'static str,
    load: String,
    path: &'static str,
    cohorts: Vec<Group>,
    /// Whether the load is that of one cohort, `main`.
    is_alone: bool,
}

#[derive(Debug, Clone)]
struct Group {
    connections: u32,
    messages: Vec<String>,
    heartbeat: &'static str,
    reconnect: &'static str,
    fault: String,
    /// The steps of its set-up and those behind it.
    setup: Vec<Played>,
    steps: Vec<Played>,
    joins: &'static str,
    asks: bool,
}

impl Drawn {
    /// The text with this promise: of all healthy clients, or of the first cohort where it is about a fault of clients.
    pub(crate) fn promising(&self, promise: &Promise) -> String {
        let mut drawn = self.clone();
        // A contract takes a WebSocket.
        for group in &mut drawn.cohorts {
            group.asks = false;
        }
        let contract = format!("contract = {{ {} }}", promise.contract);
        if !promise.path.is_empty() {
            drawn.path = promise.path;
        }
        if promise.fault.is_empty() {
            let text = drawn.to_string();
            return text.replacen('\n', &format!("\n{contract}\n"), 1);
        }
        drawn.is_alone = false;
        let first = &mut drawn.cohorts[0];
        first.fault = format!("{}\n{contract}", promise.fault);
        if promise.fault.contains("fragments") {
            first.messages.clear();
            first.steps.clear();
        }
        drawn.to_string()
    }
}

/// A contract with one promise or a preset, and what happens to the clients that it is about.
#[derive(Debug, Clone)]
pub(crate) struct Promise {
    contract: String,
    fault: &'static str,
    path: &'static str,
}

/// The kinds that must have been accepted somewhere. The growth of resources needs a process.
pub(crate) const PROMISED: &[PromiseKind] = &[
    PromiseKind::Closed,
    PromiseKind::ClosedPerStall,
    PromiseKind::AliveFor,
    PromiseKind::ClosedBetween,
    PromiseKind::Code,
    PromiseKind::EndsWith,
    PromiseKind::TcpEndBetween,
    PromiseKind::ReapedBetween,
    PromiseKind::ReleasedWithin,
    PromiseKind::EffectiveTimeout,
    PromiseKind::PongWithin,
    PromiseKind::PingsBetween,
    PromiseKind::MaxPingSync,
    PromiseKind::CloseAnsweredWithin,
    PromiseKind::CloseCodeEchoed,
    PromiseKind::SilentAfterClose,
    PromiseKind::DetectedBetween,
    PromiseKind::RecoversWithin,
    PromiseKind::BackWithin,
];

/// A promise that may be about any clients, with what its times count from; or one that needs something to happen.
pub(crate) fn promise() -> impl Strategy<Value = Promise> {
    prop_oneof![2 => plain_promise(), 1 => promise_of_a_fault()]
}

fn promise_of_a_fault() -> impl Strategy<Value = Promise> {
    const BACK: &str = "back_within = { all = \"800ms\" }";
    const RESET: &str = "fault = { kind = \"reset\", after = \"30ms\" }";
    const CLOSE: &str = "fault = { kind = \"close\", code = 4000, after = \"20ms\" }";
    const DEAF: &str = "fault = { kind = \"stop_reading\", after = \"30ms\" }";
    const SWEEP: &str =
        "fault = { kind = \"late_pong\", delay = { from = \"100ms\", to = \"2s\", levels = 4 } }";
    const FROZEN: &str = "path = { freeze = { after = \"100ms\", for = \"150ms\" } }";
    const CUT: &str = "path = { reset = { after = \"200ms\" } }";
    let cases = select(vec![
        (BACK, RESET, ""),
        (BACK, "", CUT),
        (BACK, "", FROZEN),
        (BACK, "", ""),
        (BACK, "fault = { kind = \"fragments\" }", ""),
        ("recovers_within = \"1s\"", "", FROZEN),
        ("closed_per_stall = 1", "", FROZEN),
        ("effective_timeout = [\"100ms\", \"2s\"]", SWEEP, ""),
        ("reaped_between = [\"500ms\", \"2s\"]", DEAF, ""),
        ("reaped_between = [\"0s\", \"1s\"]", "", FROZEN),
        ("released_within = \"900ms\"", CLOSE, ""),
        ("tcp_end_within = \"900ms\"", CLOSE, ""),
        (
            "close_answered_within = \"900ms\", tcp_end_within = \"900ms\"",
            "",
            "",
        ),
    ]);
    cases.prop_map(|(contract, fault, path)| Promise {
        contract: contract.to_owned(),
        fault,
        path,
    })
}

fn plain_promise() -> impl Strategy<Value = Promise> {
    let promise = select(vec![
        "closed = 0",
        "closed_between = [\"0s\", \"200ms\"]",
        "closed_between = [\"1s\", \"3s\"]",
        "alive_for = \"30ms\"",
        "alive_for = \"4s\"",
        "detected_between = [\"0s\", \"2s\"]",
        "pong_within = \"1s\"",
        "pings_between = [\"200ms\", \"900ms\"]",
        "max_ping_sync = 0.5",
        "code = 1001",
        "ends_with = \"fin\"",
        "close_answered_within = \"1s\"",
        "close_code_echoed = true",
        "silent_after_close = true",
        "preset = \"ws\"",
        "preset = \"websockets\", interval = \"1s\", timeout = \"2s\"",
        "preset = \"nginx\", read_timeout = \"2s\"",
    ]);
    let from = select(vec![
        "",
        "",
        ", from = \"last_byte\"",
        ", from = \"ping\"",
        ", from = \"ready\"",
    ]);
    (promise, from).prop_map(|(promise, from)| Promise {
        contract: format!("{promise}{from}"),
        fault: "",
        path: "",
    })
}

impl Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "name = \"drawn\"\ntarget = {{ {} }}", self.target)?;
        writeln!(f, "{}", self.path)?;
        let messages = |group: &Group, path: &str| -> String {
            let one = |(index, keys): (usize, &String)| {
                format!("[[{path}]]\nname = \"m{index}\"\n{keys}\n")
            };
            group.messages.iter().enumerate().map(one).collect()
        };
        let steps = |group: &Group, path: &str| -> String {
            let lists = [("setup", &group.setup), ("step", &group.steps)];
            let mut text = String::new();
            for (list, steps) in lists {
                for (index, step) in steps.iter().enumerate() {
                    // Each text once, or answers could not be told apart.
                    let keys = |keys: &str, number: usize| {
                        keys.replace("NUMBER", &format!("{}{number}", &list[..2]))
                    };
                    text += &format!("[[{path}{list}]]\n{}\n", keys(&step.keys, 10 * index));
                    for (place, inside) in step.inside.iter().enumerate() {
                        let inside = keys(inside, 10 * index + place + 1);
                        text += &format!("[[{path}{list}.step]]\n{inside}\n");
                    }
                }
            }
            text
        };
        if self.is_alone {
            let group = &self.cohorts[0];
            let load = self
                .load
                .replace("CONNECTIONS", &group.connections.to_string());
            writeln!(f, "heartbeat = {}", group.heartbeat)?;
            writeln!(f, "load = {{ {load}, reconnect = {} }}", group.reconnect)?;
            return f.write_str(&(messages(group, "message") + &steps(group, "")));
        }
        writeln!(
            f,
            "load = {{ {} }}",
            self.load.replace("connections = CONNECTIONS, ", "")
        )?;
        for (index, group) in self.cohorts.iter().enumerate() {
            let Group {
                connections,
                heartbeat,
                reconnect,
                fault,
                joins,
                ..
            } = group;
            if group.asks {
                let target = "target.url = \"http://127.0.0.1:9/\"";
                writeln!(
                    f,
                    "[[cohort]]\nname = \"c{index}\"\nconnections = {connections}"
                )?;
                writeln!(f, "heartbeat = \"off\"\nreconnect = {reconnect}\n{target}")?;
                let asking = Group {
                    steps: asking(),
                    setup: Vec::new(),
                    ..group.clone()
                };
                f.write_str(&steps(&asking, "cohort."))?;
                continue;
            }
            writeln!(
                f,
                "[[cohort]]\nname = \"c{index}\"\nconnections = {connections}"
            )?;
            writeln!(
                f,
                "heartbeat = {heartbeat}\nreconnect = {reconnect}\n{fault}\n{joins}"
            )?;
            f.write_str(&messages(group, "cohort.message"))?;
            f.write_str(&steps(group, "cohort."))?;
        }
        Ok(())
    }
}

fn target() -> impl Strategy<Value = &'static str> {
    select(vec![
        r#"url = "embedded""#,
        r#"url = "embedded", push = "700ms""#,
        r#"url = "embedded", heartbeat = { interval = "1500ms", timeout = "1s" }"#,
        r#"url = "ws://127.0.0.1:9""#,
        r#"url = "ws://localhost:9""#,
        r#"url = "wss://[::1]:9", insecure = true"#,
        r#"url = "wss://example.org""#,
    ])
}

fn seconds() -> impl Strategy<Value = &'static str> {
    select(vec!["40ms", "300ms", "1s", "2500ms", "11s"])
}

fn steady() -> impl Strategy<Value = String> {
    (select(vec!["0s", "500ms", "3s"]), select(vec!["0s", "1300ms"]), seconds()).prop_map(
        |(ramp_up, warm_up, duration)| {
            format!(
                "connections = CONNECTIONS, ramp_up = \"{ramp_up}\", warm_up = \"{warm_up}\", duration = \"{duration}\""
            )
        },
    )
}

fn stages() -> impl Strategy<Value = String> {
    prop::collection::vec((seconds(), 0u32..7), 1..4).prop_filter_map("opens none", |legs| {
        let is_some = legs.iter().any(|(_, connections)| *connections > 0);
        let legs: Vec<String> = legs
            .iter()
            .map(|(time, count)| format!("{{ duration = \"{time}\", connections = {count} }}"))
            .collect();
        is_some.then(|| format!("stages = [{}]", legs.join(", ")))
    })
}

fn arrivals() -> impl Strategy<Value = String> {
    let lifetime = prop_oneof![3 => seconds(), 1 => Just("steps")];
    (select(vec!["3.3/s", "19/s", "6/m"]), lifetime, select(vec!["0s", "1300ms"]), seconds()).prop_map(
        |(rate, lifetime, warm_up, duration)| {
            format!(
                "arrivals = {{ rate = \"{rate}\", lifetime = \"{lifetime}\", max_open = 7 }}, warm_up = \"{warm_up}\", duration = \"{duration}\""
            )
        },
    )
}

fn message() -> impl Strategy<Value = String> {
    let pacing = prop_oneof![
        (
            select(vec!["0.23/s", "1.1/s", "3.7/s", "53/s"]),
            select(vec![
                "",
                "phase = \"aligned\"\n",
                "gaps = \"poisson\"\n",
                "in_flight = 1\n"
            ]),
        )
            .prop_map(|(rate, more)| format!("rate = \"{rate}\"\n{more}")),
        select(vec!["0s", "800ms", "30s"])
            .prop_map(|think| format!("in_flight = 2\nthink = \"{think}\"\n")),
    ];
    let count = select(vec!["", "", "count = 1\n", "count = 3\n"]);
    let answer = select(vec!["", "", "expect = \"none\"\n"]);
    // Each length once, or answers could not be told apart.
    let payload = select(vec!["", "", "payload = { size = \"LENGTH\" }\n"]);
    (pacing, count, answer, payload).prop_map(|(pacing, count, answer, payload)| {
        let answer = if pacing.contains("in_flight") {
            ""
        } else {
            answer
        };
        format!("timeout = \"900ms\"\n{pacing}{count}{answer}{payload}")
    })
}

fn group() -> impl Strategy<Value = Group> {
    let heartbeat = select(vec![
        "\"off\"",
        "{ interval = \"1s\", timeout = \"500ms\" }",
        "{ interval = \"7s\", timeout = \"1s\", max_missed = 2, on_dead = \"keep\" }",
        "{ interval = \"2s\", timeout = \"1s\", phase = \"aligned\", kind = \"text\", send = \"hi\", expect = \"ho\" }",
        "{ interval = \"1s\", timeout = \"400ms\", kind = \"text\", send = \"hi {{id}}.\", expect = \"ho {{id}}.\", silence = \"11s\" }",
        "{ interval = \"3s\", kind = \"text\", send = \"hi {{n}}\", expect = \"none\" }",
        "{ kind = \"text\", server = { ping = \"2\", pong = \"3\" }, silence = \"2300ms\", on_dead = \"keep\" }",
    ]);
    let fault = select(vec![
        "",
        "",
        "fault = { kind = \"no_pong\" }",
        "fault = { kind = \"reset\", after = \"30ms\" }",
        "fault = { kind = \"close\", code = 4000, after = \"20ms\" }",
        "fault = { kind = \"fragments\", pause = \"50ms\" }",
    ]);
    let reconnect = select(vec!["\"none\"", "{ initial = \"100ms\", max = \"1s\" }"]);
    let connections = prop_oneof![10 => 1u32..12, 5 => 10u32..15, 1 => Just(5000u32)];
    let messages = prop::collection::vec(message(), 0..3);
    let joins = select(vec!["", "", "joins = \"r\""]);
    let talk = (setup(), steps(), joins, prop::bool::weighted(0.1));
    (connections, messages, heartbeat, reconnect, fault, talk).prop_map(
        |(connections, messages, heartbeat, reconnect, fault, (setup, steps, joins, asks))| {
            // Such a client sends no other messages.
            let most = if fault.contains("fragments") { 0 } else { 2 };
            let messages = messages.into_iter().take(most).enumerate();
            Group {
                connections,
                messages: messages
                    .map(|(index, keys)| keys.replace("LENGTH", &format!("{}B", 10 + index)))
                    .collect(),
                heartbeat,
                reconnect,
                fault: fault.to_owned(),
                setup,
                steps: match fault.contains("fragments") {
                    true => Vec::new(),
                    false => fitting(steps, !joins.is_empty()),
                },
                joins,
                asks,
            }
        },
    )
}

pub(crate) fn scenario() -> impl Strategy<Value = Drawn> {
    let load = prop_oneof![
        3 => (steady(), any::<bool>()),
        1 => (stages(), Just(true)),
        1 => (arrivals(), Just(true)),
    ];
    let cohorts = prop::collection::vec(group(), 1..4);
    let path = select(vec!["", "", "path = { delay = \"1ms\" }"]);
    (target(), load, path, cohorts).prop_map(|(target, (load, is_alone), path, mut cohorts)| {
        if is_alone {
            // Only a cohort can be in a topic by itself.
            let group = &mut cohorts[0];
            group.joins = "";
            group.steps = fitting(std::mem::take(&mut group.steps), false);
        }
        if load.contains("lifetime = \"steps\"") {
            let group = &mut cohorts[0];
            group.reconnect = "\"none\"";
            group.steps.retain(|step| !step.is_endless());
            group.steps.insert(0, Played::alone("pause = \"300ms\""));
        }
        Drawn {
            target,
            load,
            path,
            cohorts,
            is_alone,
        }
    })
}

/// What is timed by name in most scenarios.
const NAMES: &[&str] = &[
    "m0", "m1", "login", "ast0", "ast1", "ast10", "ast11", "ast20", "ast21",
];

/// A gate on any metric, with a statistic and a value that fit most of them.
pub(crate) fn gate() -> impl Strategy<Value = String> {
    let mut metrics = metric::names(NAMES);
    metrics.extend(
        [
            "closes.1000.local",
            "closes.1011.local",
            "closes.4000.local",
            "closes.rst.local",
            "closes.rst.peer",
        ]
        .map(str::to_owned),
    );
    let place = select(vec![
        "",
        "",
        "",
        "{cohort=main}",
        "{cohort=c1}",
        "{stage=2}",
    ]);
    (select(metrics), place, 0usize..2).prop_map(|(metric, place, choice)| {
        let text = match metric::kind_of(&metric, NAMES) {
            Some(metric::Kind::Counter) => ["count", "rate"][choice],
            Some(metric::Kind::Histogram) => ["p99", "max"][choice],
            _ => ["peak", "max"][choice],
        };
        let value = match (text, metric::unit_of(&metric)) {
            ("count" | "rate", _) | (_, metric::Unit::Count) => "1",
            (_, metric::Unit::Time) => "1s",
            (_, metric::Unit::Bytes) => "1KiB",
            (_, metric::Unit::Percent) => "50%",
        };
        format!("{text}({metric}{place}) < {value}")
    })
}

/// What a drawn gate without a cohort or a stage is about, read without any check.
pub(crate) fn unchecked(gate: &str) -> Option<Subject> {
    let (stat, rest) = gate.split_once('(')?;
    let (metric, _) = rest.split_once(')')?;
    let stat = match stat {
        "count" => Stat::Count,
        "rate" => Stat::Rate,
        "p99" => Stat::Percentile(99.0),
        "max" => Stat::Max,
        _ => Stat::Peak,
    };
    let selector = Selector {
        metric: metric.to_owned(),
        cohort: None,
        stage: None,
    };
    (!metric.contains('{')).then_some(Subject::Stat(stat, selector))
}
