//! Two runs made by hand: every number in the golden files can be traced to a line here.
//! Nothing is measured, so nothing varies.

use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

use wsbench::measure::{
    Cells, Collector, Ending, Layout, Open, Phase, Sample, Shard, State, Summary, TcpView, Usage,
    Window,
};
use wsbench::metric::{Cause, CloseKind, Counter, Side, Timed, Timer};
use wsbench::report::{Host, Labels, Options, Parts, Run};
use wsbench::scenario::{
    Access, AliveOn, Ask, Cohort, Expect, FrameKind, Gaps, Gate, Gates, Heartbeat, Lasts, Load,
    Message, OnDead, Op, Pace, Pacing, Payload, Phase as Spread, PingKind, Pings, Process,
    Protocol, Reconnect, Scenario, Selector, Servers, Shape, Stage, Stat, Subject, Target,
    TargetUrl, Watch, WsUrl,
};
use wsbench::units::{ByteSize, Nanos, Rate, Timestamp};
use wsbench::verdict::{Facts, judge};

/// A finished run, and the scenario that it is of.
pub(crate) struct Case {
    pub(crate) scenario: Scenario,
    pub(crate) run: Run,
}

impl Case {
    pub(crate) fn of(scenario: Scenario, summary: Summary) -> Self {
        Self::judged(scenario, summary, Facts::completed(2))
    }

    pub(crate) fn judged(scenario: Scenario, summary: Summary, facts: Facts) -> Self {
        let verdict = judge(&scenario, &summary, &facts);
        let run = Run::of(Parts {
            scenario: &scenario,
            scenario_text: "name = \"demo\"\n",
            scenario_file: Some("load/demo.toml".to_owned()),
            options: Options {
                seed: 7,
                overrides: vec!["--connections 100".to_owned()],
                labels: Labels::of(
                    ["commit=abc123", "branch=main"].map(|text| text.parse().unwrap()),
                )
                .unwrap(),
            },
            host: Host {
                os: "linux".to_owned(),
                arch: "x86_64".to_owned(),
                kernel: Some("6.1.0".to_owned()),
                congestion_control: Some("cubic".to_owned()),
                cpus: Some(2),
                cpu_model: None,
            },
            started_at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_464_900_250),
            facts,
            summary,
            verdict,
        });
        Self { scenario, run }
    }
}

/// Two cohorts: `echo` sends messages and pings, `idle` only pings. Some things go wrong.
pub(crate) fn troubled() -> Case {
    let mut scenario = scenario(
        "demo",
        Shape::Steady {
            ramp_up: Duration::from_secs(1),
            warm_up: Duration::ZERO,
            duration: Lasts::For(Duration::from_secs(10)),
        },
        vec![
            cohort("echo", 80, Some(message("echo")), true),
            cohort("idle", 20, None, true),
        ],
    );
    scenario.description = "A hundred clients, some of them idle.".to_owned();
    scenario.gates.pass = vec![
        gate(
            Stat::Percentile(99.0),
            "latency.echo",
            Op::Less,
            50e6,
            "p99(latency.echo) < 50ms",
        ),
        gate(
            Stat::Count,
            "connections.dead",
            Op::Equal,
            0.0,
            "count(connections.dead) == 0",
        ),
        gate(
            Stat::Max,
            "reconnect.duration",
            Op::Less,
            1e9,
            "max(reconnect.duration) < 1s",
        ),
        Gate {
            subject: Subject::Ratio(selector("messages.timed_out"), selector("messages.sent")),
            op: Op::Less,
            value: 0.001,
            text: "ratio(messages.timed_out / messages.sent) < 0.1%".to_owned(),
        },
    ];
    Case::of(scenario, troubled_summary())
}

fn troubled_summary() -> Summary {
    let layout = Layout {
        cohorts: vec![
            ("echo".to_owned(), vec![Timed::sent("echo")]),
            ("idle".to_owned(), Vec::new()),
        ],
        stages: 0,
        topics: Default::default(),
    };
    let mut collector = Collector::new(layout.clone());
    let mut shard = Shard::new(&layout);

    // Second 0: the ramp-up. Two dials are refused.
    opened(&mut shard.cohorts[0].whole, 78);
    opened(&mut shard.cohorts[1].whole, 20);
    for _ in 0..2 {
        shard.cohorts[0].whole.count(Counter::ConnectionsAttempted);
        shard.cohorts[0].whole.count(Counter::ConnectionsFailed);
        shard.cohorts[0].whole.cause(Cause::Refused);
    }
    shard.ending(refused(), 10);
    (shard.cohorts[0].open.open, shard.cohorts[1].open.open) = (78, 20);
    collector.interval(Phase::RampUp, &shard, sample(12.5));
    shard.clear();

    // Second 1: the measured window. One peer dies, one closes with a reason full of tricks.
    shard.interval = 1;
    let echo = shard.cohorts[0].window(Window::measured(0));
    echo.add(Counter::MessagesDue, 10_000);
    echo.add(Counter::MessagesSent, 10_000);
    echo.add(Counter::MessagesReceived, 9_997);
    echo.add(Counter::MessagesEchoed, 9_997);
    echo.add(Counter::MessagesTimedOut, 2);
    echo.add(Counter::MessagesLost, 1);
    for number in 0..9_997 {
        let service = 50_000 + number * 100;
        let waited = if number % 50 == 0 { 4_000_000 } else { 10_000 };
        echo.answer(0, Nanos(service + waited), Nanos(service));
        echo.time(Timer::ScheduleLateness, Nanos(10_000));
    }
    for cohort in &mut shard.cohorts {
        let pings = cohort.window(Window::measured(0));
        pings.add(Counter::PingsSent, 1_000);
        pings.add(Counter::PongsReceived, 1_000);
        for number in 0..1_000 {
            pings.time(Timer::HeartbeatRtt, Nanos(60_000 + number * 10));
        }
    }
    shard.cohorts[1]
        .window(Window::measured(0))
        .count(Counter::PingsSent);
    shard.cohorts[1]
        .window(Window::measured(0))
        .count(Counter::PingsMissed);
    shard.cohorts[0].whole.count(Counter::ConnectionsLost);
    shard.cohorts[1].whole.count(Counter::ConnectionsDead);
    shard.cohorts[1].whole.count(Counter::ConnectionsLost);
    shard.cohorts[1].whole.cause(Cause::PeerFrozen);
    shard.cohorts[0].whole.cause(Cause::ClosedByPeer);
    shard.cohorts[0]
        .whole
        .close(CloseKind::Code(1011), Side::Peer);
    shard.ending(frozen(), 10);
    shard.ending(closed_with_tricks(), 10);
    shard.cohorts[0].open.open = 77;
    shard.cohorts[1].open = Open {
        open: 19,
        dead: 1,
        ..Open::default()
    };
    collector.interval(Phase::Measure, &shard, sample(37.5));
    shard.clear();

    // Second 2: the drain. Nothing is sent, so most cells know nothing.
    shard.interval = 2;
    for cohort in &mut shard.cohorts {
        cohort
            .whole
            .add(Counter::ConnectionsClosed, cohort.open.open);
        cohort.open = Open {
            dead: cohort.open.dead,
            ..Open::default()
        };
    }
    collector.interval(Phase::Drain, &shard, Sample::default());
    collector.summary(12.25, &[10.0])
}

/// One cohort that only pings, up and down in two stages, against a healthy server.
pub(crate) fn healthy() -> Case {
    let stage = |seconds, connections| Stage {
        duration: Duration::from_secs(seconds),
        connections,
    };
    let mut scenario = scenario(
        "ramp",
        Shape::Stages(vec![stage(30, 50), stage(60, 0)]),
        vec![cohort("main", 50, None, true)],
    );
    scenario.gates.pass = vec![gate(
        Stat::Count,
        "connections.dead",
        Op::Equal,
        0.0,
        "count(connections.dead) == 0",
    )];
    let layout = Layout {
        cohorts: vec![("main".to_owned(), Vec::new())],
        stages: 2,
        topics: Default::default(),
    };
    let mut collector = Collector::new(layout.clone());
    let mut shard = Shard::new(&layout);
    opened(&mut shard.cohorts[0].whole, 50);
    for stage in 0..2 {
        shard.interval = stage;
        shard.cohorts[0].open.open = 50 - 25 * stage;
        let pings = shard.cohorts[0].window(Window::measured(stage as usize));
        pings.add(Counter::PingsSent, 10_000);
        pings.add(Counter::PongsReceived, 10_000);
        for _ in 0..10_000 {
            pings.time(Timer::HeartbeatRtt, Nanos(80_000 * (stage + 1)));
        }
        collector.interval(Phase::Stage(stage as u32 + 1), &shard, sample(3.0));
        shard.clear();
    }
    Case::of(scenario, collector.summary(151.0, &[30.0, 60.0]))
}

/// A server that is not there.
pub(crate) fn doubtful() -> Case {
    let shape = Shape::Steady {
        ramp_up: Duration::ZERO,
        warm_up: Duration::ZERO,
        duration: Lasts::For(Duration::from_secs(10)),
    };
    let mut scenario = scenario("demo", shape, vec![cohort("main", 3, None, true)]);
    scenario.gates.pass = vec![gate(
        Stat::Percentile(99.0),
        "heartbeat.rtt",
        Op::Less,
        1e6,
        "p99(heartbeat.rtt) < 1ms",
    )];
    let layout = Layout {
        cohorts: vec![("main".to_owned(), Vec::new())],
        stages: 0,
        topics: Default::default(),
    };
    let mut collector = Collector::new(layout.clone());
    let mut shard = Shard::new(&layout);
    for _ in 0..3 {
        shard.cohorts[0].whole.count(Counter::ConnectionsAttempted);
        shard.cohorts[0].whole.count(Counter::ConnectionsFailed);
        shard.cohorts[0].whole.cause(Cause::Refused);
    }
    shard.ending(refused(), 10);
    collector.interval(Phase::RampUp, &shard, sample(1.0));
    Case::of(scenario, collector.summary(0.01, &[0.0]))
}

pub(crate) fn opened(cells: &mut Cells, connections: u64) {
    cells.add(Counter::ConnectionsAttempted, connections);
    cells.add(Counter::ConnectionsOpened, connections);
    for number in 0..connections {
        cells.time(Timer::HandshakeTotal, Nanos(1_000_000 + number * 10_000));
    }
}

fn sample(cpu: f64) -> Sample {
    Sample {
        cpu: Some(cpu),
        rss: Some(16_777_216.0),
        bytes_per_connection: Some(6_400.0),
        target: Some(Usage {
            rss: 33_554_432,
            descriptors: 1_024,
            cpu: Some(Nanos::from_millis(120)),
        }),
    }
}

fn ending(connection: u32, cohort: usize, cause: Cause) -> Ending {
    Ending {
        connection,
        cohort,
        opened_ns: None,
        ended_ns: None,
        state: State::Connecting,
        close_code: None,
        close_reason: String::new(),
        closed_by: None,
        cause,
        detail: String::new(),
        last_received_ns: None,
        last_ping_ns: None,
        last_pong_ns: None,
        pings_missed: 0,
        tcp: None,
        extension: None,
        claimed: None,
        tls: None,
    }
}

fn refused() -> Ending {
    Ending {
        ended_ns: Some(Timestamp::from_nanos(1_500_000)),
        detail: "connect: Connection refused (os error 111)".to_owned(),
        ..ending(3, 0, Cause::Refused)
    }
}

fn frozen() -> Ending {
    Ending {
        opened_ns: Some(Timestamp::from_nanos(2_000_000)),
        ended_ns: Some(Timestamp::from_nanos(1_900_000_123)),
        state: State::Dead,
        closed_by: Some(Side::Local),
        last_received_ns: Some(Timestamp::from_nanos(900_000_000)),
        last_ping_ns: Some(Timestamp::from_nanos(1_000_000_000)),
        last_pong_ns: Some(Timestamp::from_nanos(900_000_000)),
        pings_missed: 1,
        tcp: Some(TcpView {
            unacked: 0,
            retransmits: 0,
            last_ack_ns: 880_000_000,
        }),
        extension: Some("permessage-deflate; client_max_window_bits=12".to_owned()),
        claimed: Some(Ipv4Addr::new(203, 0, 113, 85).into()),
        tls: Some("1.3 resumed".to_owned()),
        ..ending(85, 1, Cause::PeerFrozen)
    }
}

fn closed_with_tricks() -> Ending {
    Ending {
        opened_ns: Some(Timestamp::from_nanos(3_000_000)),
        ended_ns: Some(Timestamp::from_nanos(1_250_000_000)),
        state: State::Open,
        close_code: Some(1011),
        close_reason: "=cmd|'/c calc'!A1,\"quoted\",\nsecond line".to_owned(),
        closed_by: Some(Side::Peer),
        detail: "1011 \x1b[31mred".to_owned(),
        ..ending(12, 0, Cause::ClosedByPeer)
    }
}

pub(crate) fn scenario(name: &str, shape: Shape, cohorts: Vec<Cohort>) -> Scenario {
    Scenario {
        name: name.to_owned(),
        description: String::new(),
        target: Target {
            url: TargetUrl::Servers(Servers::from(WsUrl {
                secure: false,
                host: "127.0.0.1".to_owned(),
                port: 3000,
                resource: "/".to_owned(),
                unix: None,
                shown: "ws://127.0.0.1:3000/?token=${TOKEN}".to_owned(),
            })),
            connect_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
            access: Access {
                ask: Ask {
                    headers: vec![("Authorization".to_owned(), "a secret".to_owned())],
                    ..Ask::default()
                },
                ..Access::default()
            },
            max_message: ByteSize(1 << 20),
            split: None,
            embedded_push: None,
            embedded_heartbeat: None,
            embedded_rooms: None,
            dialect: None,
            process: Process::Unknown,
            faults: Vec::new(),
        },
        load: Load {
            shape,
            ramp_down: Duration::ZERO,
            pace: Pace::Steady,
        },
        path: None,
        cohorts,
        secrets: wsbench::scenario::Secrets::default(),
        data: Vec::new(),
        gates: Gates::default(),
    }
}

pub(crate) fn cohort(
    name: &str,
    connections: u32,
    message: Option<Message>,
    pings: bool,
) -> Cohort {
    let heartbeat = Heartbeat {
        pings: Some(Pings {
            interval: Duration::from_secs(1),
            phase: Spread::Spread,
            kind: PingKind::Frames,
            watch: Some(Watch {
                timeout: Duration::from_secs(1),
                max_missed: 1,
                alive_on: AliveOn::Pong,
            }),
        }),
        server: None,
        silence: None,
        on_dead: OnDead::Close,
        auto_pong: true,
    };
    Cohort {
        name: name.to_owned(),
        connections,
        protocol: Protocol::WebSocket,
        servers: None,
        keep_alive: true,
        access: Access::default(),
        messages: message.into_iter().collect(),
        joins: Vec::new(),
        setup: Vec::new(),
        steps: Vec::new(),
        on: Vec::new(),
        saved: Vec::new(),
        upgrade: None,
        heartbeat: pings.then_some(heartbeat),
        reconnect: Reconnect::None,
        faults: Vec::new(),
        contract: None,
    }
}

fn message(name: &str) -> Message {
    Message {
        name: name.to_owned(),
        payload: Payload::Size(ByteSize(64)),
        frame: FrameKind::Text,
        pacing: Pacing::Open {
            rate: Rate::per_second(12.5).expect("above zero"),
            gaps: Gaps::Constant,
            phase: Spread::Spread,
            in_flight: None,
        },
        count: None,
        expect: Expect::Echo,
        check: None,
        save: Vec::new(),
        timeout: Duration::from_secs(5),
        to: None,
    }
}

fn selector(metric: &str) -> Selector {
    Selector {
        metric: metric.to_owned(),
        cohort: None,
        stage: None,
    }
}

fn gate(stat: Stat, metric: &str, op: Op, value: f64, text: &str) -> Gate {
    Gate {
        subject: Subject::Stat(stat, selector(metric)),
        op,
        value,
        text: text.to_owned(),
    }
}
