//! Builds a small scenario and its runs by hand, for the tests of this folder.
//! Compiled for tests only.

use std::time::Duration;

use crate::measure::{
    Cells, Collector, Ending, Layout, Metric, Phase, Sample, Shard, State, Stop, Summary, Window,
};
use crate::metric::{Cause, Counter, Timer};
use crate::scenario::{
    Access, AliveOn, Await, Cohort, Expect, FrameKind, Gaps, Gate, Gates, Heartbeat, Lasts, Load,
    Message, OnDead, OnFail, Op, Pace, Pacing, Payload, Phase as Spread, PingKind, Pings, Process,
    Protocol, Reconnect, Scenario, Selector, Send, Shape, Stat, Step, Subject, Target, TargetUrl,
    Verb, Watch,
};
use crate::units::{ByteSize, Nanos, Rate, Timestamp, human_ns};

/// Ten connections that send echoes on a schedule and pings; one gate that a healthy run passes.
pub(super) fn scenario() -> Scenario {
    let second = Duration::from_secs(1);
    let echo = Message {
        name: "echo".to_owned(),
        payload: Payload::Size(ByteSize(64)),
        frame: FrameKind::Text,
        pacing: Pacing::Open {
            rate: Rate::per_second(10.0).unwrap(),
            gaps: Gaps::Constant,
            phase: Spread::Spread,
            in_flight: None,
        },
        count: None,
        expect: Expect::Echo,
        check: None,
        save: Vec::new(),
        timeout: second,
        to: None,
    };
    let heartbeat = Heartbeat {
        pings: Some(Pings {
            interval: second,
            phase: Spread::Spread,
            kind: PingKind::Frames,
            watch: Some(Watch {
                timeout: second,
                max_missed: 1,
                alive_on: AliveOn::Pong,
            }),
        }),
        server: None,
        silence: None,
        on_dead: OnDead::Close,
        auto_pong: true,
    };
    Scenario {
        name: "echo".to_owned(),
        description: String::new(),
        target: Target {
            url: TargetUrl::Embedded,
            connect_timeout: second,
            close_timeout: second,
            access: Access::default(),
            max_message: ByteSize(1 << 20),
            split: None,
            embedded_push: None,
            embedded_heartbeat: None,
            embedded_rooms: None,
            dialect: None,
            process: Process::Unknown,
            faults: Vec::new(),
        },
        path: None,
        load: Load {
            shape: Shape::Steady {
                ramp_up: Duration::ZERO,
                warm_up: Duration::ZERO,
                duration: Lasts::For(10 * second),
            },
            ramp_down: Duration::ZERO,
            pace: Pace::Steady,
        },
        cohorts: vec![Cohort {
            name: "main".to_owned(),
            connections: 10,
            protocol: Protocol::WebSocket,
            servers: None,
            keep_alive: true,
            access: Access::default(),
            messages: vec![echo],
            joins: Vec::new(),
            setup: Vec::new(),
            steps: Vec::new(),
            on: Vec::new(),
            saved: Vec::new(),
            upgrade: None,
            heartbeat: Some(heartbeat),
            reconnect: Reconnect::None,
            faults: Vec::new(),
            contract: None,
        }],
        secrets: crate::scenario::Secrets::default(),
        data: Vec::new(),
        gates: Gates {
            baseline: Vec::new(),
            pass: vec![gate(Stat::Count, "connections.dead", Op::Equal, 0.0)],
            abort: Vec::new(),
        },
    }
}

/// The scenario with clients that send no messages but play this step.
pub(super) fn with_step(verb: Verb) -> Scenario {
    let mut scenario = scenario();
    let cohort = &mut scenario.cohorts[0];
    cohort.messages.clear();
    cohort.steps = vec![step(verb)];
    scenario
}

pub(super) fn step(verb: Verb) -> Step {
    Step {
        name: Some("order".to_owned()),
        verb,
        chance: 1.0,
        on_fail: OnFail::Skip,
    }
}

/// A message that expects this.
pub(super) fn send(expect: Expect) -> Verb {
    Verb::Send(Send {
        payload: Payload::Size(ByteSize(64)),
        frame: FrameKind::Text,
        expect,
        check: None,
        save: Vec::new(),
        timeout: Duration::from_secs(1),
        to: None,
        joins: Vec::new(),
        leaves: Vec::new(),
    })
}

/// A wait for a message of the server.
pub(super) fn wait() -> Verb {
    Verb::Await(Await {
        any: Vec::new(),
        times: 1,
        check: None,
        save: Vec::new(),
        timeout: Duration::from_secs(1),
        joins: Vec::new(),
    })
}

pub(super) fn selector(metric: &str) -> Selector {
    Selector {
        metric: metric.to_owned(),
        cohort: None,
        stage: None,
    }
}

pub(super) fn gate(stat: Stat, metric: &str, op: Op, value: f64) -> Gate {
    written(stat, metric, op, value, &value.to_string())
}

pub(super) fn timed_gate(stat: Stat, metric: &str, op: Op, ns: f64) -> Gate {
    let time = human_ns(ns as u64).replace(".0 ", "").replace(' ', "");
    written(stat, metric, op, ns, &time)
}

fn written(stat: Stat, metric: &str, op: Op, value: f64, shown: &str) -> Gate {
    let stat_name = match stat {
        Stat::Percentile(percent) => format!("p{percent}"),
        other => format!("{other:?}").to_lowercase(),
    };
    let op_name = match op {
        Op::Less => "<",
        Op::LessOrEqual => "<=",
        Op::Greater => ">",
        Op::GreaterOrEqual => ">=",
        Op::Equal => "==",
        Op::NotEqual => "!=",
    };
    Gate {
        subject: Subject::Stat(stat, selector(metric)),
        op,
        value,
        text: format!("{stat_name}({metric}) {op_name} {shown}"),
    }
}

/// What one second of one cohort recorded; `summary` builds a run of ten measured seconds from it.
pub(super) struct Run {
    shard: Shard,
    cpu: Vec<f64>,
}

impl Run {
    pub(super) fn new() -> Self {
        let layout = layout();
        Self {
            shard: Shard::new(&layout),
            cpu: Vec::new(),
        }
    }

    /// Ten connections: all opened, every message and ping answered within a millisecond.
    pub(super) fn healthy() -> Self {
        let mut run = Self::new();
        run.opened(10).echoed(100_000, 1_000_000);
        run.add(Counter::MessagesDue, 100_000)
            .add(Counter::PingsSent, 100)
            .add(Counter::PongsReceived, 100);
        run
    }

    fn whole(&mut self) -> &mut Cells {
        &mut self.shard.cohorts[0].whole
    }

    fn window(&mut self) -> &mut Cells {
        self.shard.cohorts[0].window(Window::measured(0))
    }

    /// Adds to a counter where the engine would: connections and set-ups in the whole run, all others in the window.
    pub(super) fn add(&mut self, counter: Counter, more: u64) -> &mut Self {
        let of_run = ["connections.", "setup."];
        if of_run.iter().any(|group| counter.name().starts_with(group)) {
            self.whole().add(counter, more);
        } else {
            self.window().add(counter, more);
        }
        self
    }

    pub(super) fn opened(&mut self, connections: u64) -> &mut Self {
        self.add(Counter::ConnectionsAttempted, connections)
            .add(Counter::ConnectionsOpened, connections)
    }

    /// A healthy run in which `missing` of the ten connections did not open.
    pub(super) fn opened_less(&mut self, missing: u64) -> &mut Self {
        let cells = std::mem::replace(self.whole(), Cells::new(1));
        self.opened(cells.counter(Counter::ConnectionsOpened) - missing)
    }

    pub(super) fn failed(&mut self, cause: Cause, times: u64) -> &mut Self {
        for _ in 0..times {
            self.whole().cause(cause);
        }
        self.add(Counter::ConnectionsAttempted, times)
            .add(Counter::ConnectionsFailed, times)
    }

    pub(super) fn refused(&mut self, times: u64, detail: &str) -> &mut Self {
        self.shard.ending(
            Ending {
                connection: 0,
                cohort: 0,
                opened_ns: None,
                ended_ns: Some(Timestamp::ORIGIN),
                state: State::Connecting,
                close_code: None,
                close_reason: String::new(),
                closed_by: None,
                cause: Cause::Refused,
                detail: detail.to_owned(),
                last_received_ns: None,
                last_ping_ns: None,
                last_pong_ns: None,
                pings_missed: 0,
                tcp: None,
                extension: None,
                claimed: None,
                tls: None,
            },
            10,
        );
        self.failed(Cause::Refused, times)
    }

    pub(super) fn sent(&mut self, messages: u64) -> &mut Self {
        self.add(Counter::MessagesSent, messages)
    }

    pub(super) fn not_sent(&mut self, messages: u64) -> &mut Self {
        self.add(Counter::MessagesDue, messages)
            .add(Counter::MessagesNotSent, messages)
    }

    /// Adds echoes with this latency; half of it is service time.
    pub(super) fn echoed(&mut self, times: u64, ns: u64) -> &mut Self {
        for _ in 0..times {
            self.window().answer(0, Nanos(ns), Nanos(ns / 2));
        }
        self.sent(times).add(Counter::MessagesEchoed, times)
    }

    pub(super) fn late(&mut self, ns: u64, times: u64) -> &mut Self {
        self.timed(Timer::ScheduleLateness, ns, times)
    }

    pub(super) fn timed(&mut self, timer: Timer, ns: u64, times: u64) -> &mut Self {
        for _ in 0..times {
            self.window().time(timer, Nanos(ns));
        }
        self
    }

    /// Adds wake-ups of workers that were this late.
    pub(super) fn lagged(&mut self, ns: u64, times: u64) -> &mut Self {
        for _ in 0..times {
            self.shard.loop_lag.record(ns);
        }
        self
    }

    /// Adds a stop that began at this time.
    pub(super) fn stopped(&mut self, from: Timestamp, length: Nanos) -> &mut Self {
        let to = from + length;
        self.shard.stops.add(Stop { from, to });
        self.lagged(length.0, 1)
    }

    /// Adds a connection that ended with this cause, at this time.
    pub(super) fn ended(&mut self, cause: Cause, at: Timestamp) -> &mut Self {
        self.refused(1, "");
        if let Some(ending) = self.shard.endings.last_mut() {
            (ending.cause, ending.ended_ns) = (cause, Some(at));
        }
        self.cause(cause, 1).add(Counter::ConnectionsLost, 1)
    }

    /// Adds wake-ups that were this late before measuring began.
    pub(super) fn lagged_early(&mut self, ns: u64, times: u64) -> &mut Self {
        for _ in 0..times {
            self.shard.early_lag.record(ns);
        }
        self
    }

    /// Adds connections that ended with this cause.
    pub(super) fn cause(&mut self, cause: Cause, times: u64) -> &mut Self {
        for _ in 0..times {
            self.whole().cause(cause);
        }
        self
    }

    pub(super) fn cpu(&mut self, percents: &[f64]) -> &mut Self {
        self.cpu.extend(percents);
        self
    }

    /// Twelve seconds, ten of them measured.
    pub(super) fn summary(&self) -> Summary {
        let mut collector = Collector::new(layout());
        collector.interval(Phase::Measure, &self.shard, Sample::default());
        let mut idle = Shard::new(&layout());
        for (second, cpu) in self.cpu.iter().enumerate() {
            idle.interval = second as u64 + 1;
            let sample = Sample {
                cpu: Some(*cpu),
                ..Sample::default()
            };
            collector.interval(Phase::Measure, &idle, sample);
        }
        collector.summary(12.0, &[10.0])
    }
}

/// Adds the cohort of another run to this one, under this name.
pub(super) fn beside(summary: &mut Summary, name: &str, other: Summary) {
    summary.cohorts.push(name.to_owned());
    let named = |metrics: Vec<Metric>| {
        let own = metrics.into_iter().filter(|metric| metric.cohort.is_some());
        own.map(|metric| Metric {
            cohort: Some(name.to_owned()),
            ..metric
        })
    };
    summary.metrics.extend(named(other.metrics));
    summary.totals.extend(named(other.totals));
}

fn layout() -> Layout {
    Layout {
        cohorts: vec![("main".to_owned(), vec![crate::metric::Timed::sent("echo")])],
        stages: 0,
        topics: Default::default(),
    }
}
