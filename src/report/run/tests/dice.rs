//! Makes up runs: nothing in them needs to make sense, but they may hold whatever a run may hold.

mod judged;
mod measured;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::super::*;
use crate::measure::{Incident, IncidentKind, Relayed, SocketEnd, Sockets, Surroundings, Usage};
use crate::scenario::HttpWord;
use crate::units::{Nanos, Timestamp};
use crate::verdict::{ClockOffset, Outcome, Throttling};

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
                congestion_control: self.maybe(Self::text),
                cpus: self.maybe(|dice| dice.count() as usize),
                cpu_model: self.maybe(Self::text),
            },
            started_at: "2026-11-23T20:15:00.250Z".to_owned(),
            facts: self.facts(),
            parts: self.parts(),
            summary: self.summary(),
            verdict: self.verdict(),
            baseline: self.maybe(Self::baseline),
            outputs: self.some(2, |dice| OutputRecord {
                output: dice.text(),
                sent: dice.count(),
                lost: dice.count(),
                error: dice.maybe(Self::text),
            }),
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
            name: dice.maybe(Self::text),
            machine: dice.text(),
            workers: dice.count() as usize,
            cores: dice.maybe(Self::number),
            outcome: dice.text(),
            lost_seconds: dice.maybe(Self::number),
            opened: dice.count(),
            failed: dice.count(),
            settled_seconds: dice.maybe(Self::number),
            cpu_percent: dice.maybe(Self::number),
            rss_bytes: dice.maybe(Self::number),
            longest_lag_ns: dice.maybe(Self::count),
            lag_p99_ns: dice.maybe(Self::count),
            clock: dice.maybe(|dice| ClockOffset {
                offset_ns: dice.count() as i64,
                error_ns: dice.count(),
            }),
            doubts: dice.some(3, Self::text),
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
}
