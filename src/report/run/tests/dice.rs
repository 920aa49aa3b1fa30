//! Makes up runs: nothing in them needs to make sense, but they may hold whatever a run may hold.

mod judged;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::super::*;
use crate::measure::{
    Agreed, ConnectionRecord, ConnectionRecords, Encoded, EndedBy, Ending, Endings, Fallbacks,
    GaugeStats, Histogram, Incident, IncidentKind, Interval, Metric, Open, Own, Part, Phase,
    Relayed, Row, SocketEnd, Sockets, State, States, Surroundings, TcpEnding, TcpView, Usage,
    Value,
};
use crate::metric::{Cause, Counter, Gauge, Side, Timer, latency};
use crate::scenario::HttpWord;
use crate::units::{Nanos, Timestamp};
use crate::verdict::{Outcome, Throttling};

/// Times up to this many nanoseconds are stored in microseconds without a loss.
const LONGEST: u64 = 1 << 50;
const COHORTS: [&str; 3] = ["main", "b-1", "c_2"];
/// Texts as servers and users write them.
const TEXTS: [&str; 6] = [
    "",
    "1011 \u{1b}[31mred",
    "=cmd|'/c calc'!A1,\"quoted\",\nsecond line",
    "\u{202e}\u{0}\\ 漢字 🦀",
    "connect: Connection refused (os error 111)",
    "p99(latency.echo) < 50ms",
];

/// Makes up runs by chance.
pub(super) struct Dice(Xoshiro256PlusPlus);

impl Dice {
    /// The same seed makes up the same run.
    pub(super) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.0.random_range(0..all.len())]
    }

    fn yes(&mut self) -> bool {
        self.0.random()
    }

    fn count(&mut self) -> u64 {
        let most = self.of(&[1, 100, 1 << 32, u64::MAX]);
        self.0.random_range(0..=most)
    }

    fn labels(&mut self) -> Labels {
        let all = ["commit=abc123", "branch==cmd|'\"`<", "run_by=漢字 🦀"];
        let some = all.into_iter().filter(|_| self.yes());
        let labels = some.map(|text| text.parse().expect("a label"));
        Labels::of(labels).expect("different keys")
    }

    /// A time in nanoseconds.
    fn ns(&mut self) -> u64 {
        let most = self.of(&[1, 1_000_000, 10_000_000_000, LONGEST]);
        self.0.random_range(0..=most)
    }

    fn length(&mut self) -> Nanos {
        Nanos(self.ns())
    }

    /// A time that is stored as it is.
    fn when(&mut self) -> Timestamp {
        Timestamp::from_nanos(self.count())
    }

    /// A time that is stored in seconds.
    fn soon(&mut self) -> Timestamp {
        Timestamp::from_nanos(self.ns())
    }

    fn number(&mut self) -> f64 {
        let scale = self.of(&[0.0, 1e-9, 1.0, 1e3, 1e12, 1e300]);
        self.0.random::<f64>() * scale
    }

    fn text(&mut self) -> String {
        self.of(&TEXTS).to_owned()
    }

    fn texts(&mut self) -> Vec<String> {
        self.some(3, Self::text)
    }

    fn maybe<T>(&mut self, one: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.yes().then(|| one(self))
    }

    fn some<T>(&mut self, most: usize, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.0.random_range(0..=most);
        (0..count).map(|_| one(self)).collect()
    }

    fn cohort(&mut self) -> usize {
        self.0.random_range(0..COHORTS.len())
    }

    fn name(&mut self) -> String {
        self.of(&COHORTS).to_owned()
    }

    pub(super) fn run(&mut self) -> Run {
        Run {
            tool: Tool {
                name: "wsbench".to_owned(),
                version: self.text(),
            },
            scenario: self.scenario(),
            options: Options {
                seed: self.count(),
                overrides: self.texts(),
                labels: self.labels(),
            },
            host: Host {
                os: self.text(),
                arch: self.text(),
                kernel: self.maybe(Self::text),
                cpus: self.maybe(|dice| dice.count() as usize),
                cpu_model: self.maybe(Self::text),
            },
            started_at: "2026-11-23T20:15:00.250Z".to_owned(),
            facts: self.facts(),
            parts: self.parts(),
            summary: self.summary(),
            verdict: self.verdict(),
            baseline: self.maybe(Self::baseline),
        }
    }

    fn baseline(&mut self) -> BaselineRecord {
        BaselineRecord {
            sessions: self.count() as usize,
            times: self.some(3, |dice| BaselineTimes {
                metric: dice
                    .of(&["latency.echo", "heartbeat.rtt", "handshake.total"])
                    .to_owned(),
                sessions: dice.count() as usize,
                times: dice.times(),
            }),
        }
    }

    fn scenario(&mut self) -> ScenarioRecord {
        let cohorts = COHORTS.map(|name| CohortRecord {
            name: name.to_owned(),
            connections: self.count() as u32,
            proxy: self.maybe(Self::text),
            servers: vec![ServerRecord {
                address: self.text(),
                weight: 1 + self.count() as u32 % 100,
            }],
            http: self.of(HttpWord::ALL),
            heartbeat: self.yes(),
            faults: self.texts(),
            expects_end: self.yes(),
            preset: self.maybe(Self::text),
        });
        ScenarioRecord {
            name: self.text(),
            description: self.text(),
            file: self.maybe(Self::text),
            text: self.text(),
            sha256: self.text(),
            target: self.text(),
            cohorts: cohorts.into(),
            stages: self.some(2, |dice| StageRecord {
                seconds: dice.ns() as f64 / 1e9,
                connections: dice.count() as u32,
            }),
        }
    }

    fn facts(&mut self) -> Facts {
        let outcomes = [
            Outcome::Completed,
            Outcome::Interrupted,
            Outcome::Aborted { gate: self.text() },
            Outcome::Broken { why: self.text() },
        ];
        let place = self.0.random_range(0..outcomes.len());
        Facts {
            outcome: outcomes[place].clone(),
            workers: self.0.random_range(1..=1024),
            precise_timer: self.yes(),
            kernel_view: self.yes(),
            cores: self.maybe(Self::number),
            throttling: self.maybe(|dice| Throttling {
                periods: dice.count(),
                throttled: dice.count(),
            }),
            surroundings: self.surroundings(),
            // Told by the records of the parts.
            parts: Vec::new(),
        }
    }

    fn parts(&mut self) -> Vec<PartRecord> {
        self.some(3, |dice| PartRecord {
            part: dice.count() as u32,
            machine: dice.text(),
            workers: dice.count() as usize,
            cores: dice.maybe(Self::number),
            outcome: dice.text(),
            opened: dice.count(),
            settled_seconds: dice.maybe(Self::number),
            cpu_percent: dice.maybe(Self::number),
            rss_bytes: dice.maybe(Self::number),
            longest_lag_ns: dice.maybe(Self::count),
        })
    }

    fn usage(&mut self) -> Usage {
        Usage {
            rss: self.count(),
            descriptors: self.count(),
            cpu: self.maybe(Self::length),
        }
    }

    fn surroundings(&mut self) -> Surroundings {
        Surroundings {
            incidents: self.some(3, |dice| Incident {
                kind: dice.of(&[IncidentKind::Sigstop, IncidentKind::HalfClose]),
                cohorts: dice.some(2, Self::name),
                began_ns: dice.soon(),
                ended_ns: dice.maybe(Self::soon),
            }),
            fault_failed: self.maybe(Self::text),
            // Told by its warning.
            look_ups_failed: None,
            relayed: self.maybe(|dice| Relayed {
                connections: dice.count(),
                refused: dice.count(),
                unreachable: dice.count(),
                accepts_failed: dice.count(),
                backed_up: dice.count(),
                cpu_ns: dice.maybe(Self::length),
            }),
            sockets: self.maybe(|dice| Sockets {
                ends: dice.some(3, |dice| SocketEnd {
                    client_port: dice.count() as u16,
                    relayed: dice.maybe(Self::cohort),
                    seen_ns: dice.when(),
                    left_ns: dice.maybe(Self::when),
                    gone_ns: dice.maybe(Self::when),
                    send_queue: dice.count(),
                }),
                resolution_ns: dice.length(),
                more: dice.count(),
            }),
            usage: self.maybe(|dice| (dice.usage(), dice.usage())),
        }
    }

    fn summary(&mut self) -> Summary {
        Summary {
            cohorts: COHORTS.map(str::to_owned).into(),
            seconds: self.number(),
            measured_seconds: self.number(),
            metrics: self.some(8, Self::metric),
            totals: self.some(8, Self::metric),
            states: self.some(5, |dice| States {
                cohort: dice.maybe(Self::cohort),
                phase: dice.phase(),
                connecting: dice.gauge(),
                open: dice.gauge(),
                ready: dice.gauge(),
                closing: dice.gauge(),
            }),
            timeline: self.some(5, Self::step),
            intervals: self.intervals(),
            endings: Endings {
                rows: self.some(5, Self::ending),
                more: self.count(),
                examples: self.examples(),
                unexpected: self.texts(),
            },
            records: ConnectionRecords {
                rows: self.some(5, Self::record),
                more: self.count(),
            },
            fallbacks: self.fallbacks(),
            agreed: self.agreed(),
            stops: Default::default(),
            measured_from: None,
        }
    }

    /// Steps that follow one another, each with all cohorts.
    fn intervals(&mut self) -> Vec<Interval<Encoded>> {
        let mut from = 0;
        let widths = self.some(3, |dice| dice.of(&[1, 2, 300]));
        let step = |width: u64| {
            let first = from;
            from += width;
            let generators = self.some(2, |dice| {
                (dice.of(&["generator", "agent-2"]).into(), dice.own())
            });
            Interval {
                index: first,
                from: Timestamp::ORIGIN + first * Interval::SECOND,
                to: Timestamp::ORIGIN + from * Interval::SECOND,
                phase: self.phase(),
                cohorts: COHORTS.map(|_| self.part()).into(),
                sources: generators.into_iter().collect(),
                target: self.maybe(Self::usage),
            }
        };
        widths.into_iter().map(step).collect()
    }

    fn part(&mut self) -> Part<Encoded> {
        let count = |dice: &mut Self| (dice.of(Counter::ALL).name().into(), dice.count());
        let times = |dice: &mut Self| (dice.of(Timer::ALL).name().into(), dice.encoded());
        Part {
            gauges: self.open(),
            counts: self.some(3, count).into_iter().collect(),
            times: self.some(2, times).into_iter().collect(),
        }
    }

    fn own(&mut self) -> Own<Encoded> {
        Own {
            cpu: self.maybe(Self::length),
            rss: self.maybe(Self::count),
            loop_lag: self.maybe(Self::encoded),
            look_ups: self.maybe(Self::encoded),
        }
    }

    fn encoded(&mut self) -> Encoded {
        Encoded::from(&self.times())
    }

    fn phase(&mut self) -> Phase {
        let stage = Phase::Stage(self.count() as u32);
        let plain = [Phase::RampUp, Phase::WarmUp, Phase::Measure, Phase::Drain];
        match self.yes() {
            true => stage,
            false => self.of(&plain),
        }
    }

    fn gauge(&mut self) -> GaugeStats {
        GaugeStats {
            samples: u64::from(self.count() as u32),
            min: self.number(),
            max: self.number(),
            mean: self.number(),
            last: self.number(),
        }
    }

    /// Counters are small, since they are added up.
    fn metric(&mut self) -> Metric {
        let (name, value) = match self.of(&[0, 1, 2]) {
            0 => {
                let counter = self.of(Counter::ALL).name().to_owned();
                let error = crate::metric::error(self.of(Cause::ALL));
                let name = if self.yes() { counter } else { error };
                (name, Value::Counter(self.count() >> 8))
            }
            1 => {
                let name = self.of(Gauge::ALL).name().to_owned();
                (name, Value::Gauge(self.gauge()))
            }
            _ => {
                let timer = self.of(Timer::ALL).name().to_owned();
                let name = if self.yes() { timer } else { latency("echo") };
                (name, Value::Histogram(Box::new(self.times())))
            }
        };
        Metric {
            name,
            cohort: self.maybe(Self::name),
            stage: self.maybe(|dice| dice.of(&[1, 2])),
            seconds: self.number(),
            value,
        }
    }

    fn open(&mut self) -> Open {
        Open {
            ready: self.count(),
            connecting: self.count(),
            open: self.count(),
            closing: self.count(),
            dead: self.count(),
        }
    }

    /// Never empty. May be so full that a float does not hold its sum, and may have held longer times before.
    fn times(&mut self) -> Histogram {
        let mut times = Histogram::new();
        for _ in 0..self.of(&[0, 100]) {
            times.record(self.ns());
        }
        times.clear();
        times.record(self.ns());
        for _ in 0..self.of(&[0, 3, 100]) {
            times.record(self.ns());
        }
        for _ in 0..self.of(&[0, 0, 40]) {
            let same = times.clone();
            times.merge(&same);
        }
        times
    }

    pub(super) fn step(&mut self) -> Row {
        Row {
            second: self.count(),
            seconds: self.count(),
            phase: self.phase(),
            cohort: self.cohort(),
            open: self.open(),
            sent: self.count(),
            received: self.count(),
            timed_out: self.count(),
            pings_sent: self.count(),
            pongs_received: self.count(),
            missed: self.count(),
            latency_p50_ns: self.maybe(Self::count),
            latency_p99_ns: self.maybe(Self::count),
            latency_max_ns: self.maybe(Self::count),
            rtt_p99_ns: self.maybe(Self::count),
            lateness_p99_ns: self.maybe(Self::count),
            delivered: self.count(),
        }
    }

    fn ending(&mut self) -> Ending {
        Ending {
            connection: self.count() as u32,
            cohort: self.cohort(),
            opened_ns: self.maybe(Self::when),
            ended_ns: self.maybe(Self::when),
            state: self.of(&[State::Connecting, State::Open, State::Closing, State::Dead]),
            close_code: self.maybe(|dice| dice.count() as u16),
            close_reason: self.text(),
            closed_by: self.maybe(|dice| dice.of(&[Side::Peer, Side::Local])),
            cause: self.of(Cause::ALL),
            detail: self.text(),
            last_received_ns: self.maybe(Self::when),
            last_ping_ns: self.maybe(Self::when),
            last_pong_ns: self.maybe(Self::when),
            pings_missed: self.count() as u32,
            tcp: self.maybe(|dice| TcpView {
                unacked: dice.count() as u32,
                retransmits: dice.count() as u32,
                last_ack_ns: dice.count(),
            }),
            extension: self.maybe(Self::text),
            claimed: self.maybe(|dice| Ipv4Addr::from_bits(dice.count() as u32).into()),
            tls: self.maybe(Self::text),
        }
    }

    fn examples(&mut self) -> BTreeMap<Cause, Vec<String>> {
        let some = self.some(3, |dice| (dice.of(&Cause::ALL[1..]), dice.texts()));
        let mut examples: BTreeMap<_, _> = some.into_iter().collect();
        examples.retain(|cause, texts| *cause != Cause::Completed && !texts.is_empty());
        examples
    }

    fn agreed(&mut self) -> Agreed {
        let mut agreed = Agreed::default();
        for _ in 0..self.of(&[0, 2]) {
            let (what, value) = (self.text(), self.text());
            agreed.add(&what, &value, self.count() >> 8);
        }
        agreed
    }

    fn fallbacks(&mut self) -> Fallbacks {
        let mut fallbacks = Fallbacks::default();
        for _ in 0..self.of(&[0, 2]) {
            let (address, why) = (self.text(), self.text());
            fallbacks.add(&address, self.count() >> 8, &why);
        }
        fallbacks
    }

    fn record(&mut self) -> ConnectionRecord {
        ConnectionRecord {
            connection: self.count() as u32,
            cohort: self.cohort(),
            local_port: self.maybe(|dice| dice.count() as u16),
            level_ns: self.maybe(Self::length),
            opened_ns: self.when(),
            ready_ns: self.maybe(Self::when),
            lost_before_ns: self.maybe(Self::when),
            fault_ns: self.maybe(Self::when),
            fault_end_ns: self.maybe(Self::when),
            unanswered_ping_ns: self.maybe(Self::when),
            last_sent_ns: self.maybe(Self::when),
            first_answer_ns: self.maybe(Self::when),
            pings_ns: self.some(3, Self::when),
            resumed_ns: self.some(3, Self::when),
            dead_ns: self.maybe(Self::when),
            dead_as: self.maybe(|dice| dice.of(Cause::ALL)),
            close_sent_ns: self.maybe(Self::when),
            close_sent_code: self.maybe(|dice| dice.count() as u16),
            close_received_ns: self.maybe(Self::when),
            close_code: self.maybe(|dice| dice.count() as u16),
            close_reason: self.text(),
            frames_after_close: self.count() as u32,
            tcp_end_ns: self.maybe(Self::when),
            tcp_end: self.maybe(|dice| dice.of(&[TcpEnding::Fin, TcpEnding::Rst])),
            probe: self.maybe(|dice| (dice.when(), dice.yes())),
            ended_by: self.of(&[EndedBy::Server, EndedBy::Fault, EndedBy::Plan]),
            cause: self.of(Cause::ALL),
            ended_ns: self.when(),
        }
    }
}
