#![allow(clippy::all, missing_docs)]
use std::time::Duration;
use std::ops::ControlFlow;
use wsbench::scenario::*;
use wsbench::units::*;
#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let port: u16 = a[1].parse().unwrap();
    let n: u32 = a[2].parse().unwrap();
    let rate: f64 = a[3].parse().unwrap();
    let secs: u64 = a[4].parse().unwrap();
    let workers: usize = a[5].parse().unwrap();
    let hb: f64 = a[6].parse().unwrap();
    let url = WsUrl { secure: false, host: "127.0.0.1".into(), port, resource: "/".into(), shown: "x".into() };
    let s = Scenario { name: "try".into(), description: String::new(),
        target: Target { url: TargetUrl::Url(url.clone()), connect_timeout: Duration::from_secs(10), close_timeout: Duration::from_secs(5), headers: vec![], origin: None, subprotocols: vec![], trust: Trust::System, source_addresses: vec![], max_message: ByteSize(1<<20) },
        load: Load { shape: Shape::Steady { ramp_up: Duration::from_secs(1), warm_up: Duration::from_secs(1), duration: Duration::from_secs(secs) }, ramp_down: Duration::from_secs(1), pace: if a.len() > 7 {Pace::Precise} else {Pace::Steady}, reconnect: Reconnect::None },
        cohorts: vec![Cohort { name: "main".into(), connections: n, messages: if rate > 0.0 { vec![Message { name: "echo".into(), payload: Payload::Size(ByteSize(64)), frame: FrameKind::Text, pacing: Pacing::Open { rate: Rate::per_second(rate).unwrap(), gaps: Gaps::Constant, phase: Phase::Spread, in_flight: None }, count: None, expect: Expect::Echo, timeout: Duration::from_secs(5) }]} else {vec![]},
          heartbeat: (hb > 0.0).then(|| Heartbeat { interval: Duration::from_secs_f64(hb), timeout: Duration::from_secs(1), max_missed: 1, phase: Phase::Spread, alive_on: AliveOn::Pong, on_dead: OnDead::Close, auto_pong: true, kind: HeartbeatKind::Frames }) }],
        gates: Gates::default() };
    let plan = wsbench::plan::Plan::new(s, 1);
    let p = wsbench::engine::Prepared::new(plan, &url, Some(workers)).unwrap();
    let (_tx, rx) = tokio::sync::mpsc::channel(1);
    let f = p.run(rx, &mut |s| { let p = &s.progress; eprintln!("{} {:?} open {} sent {} recv {} pings {} p50 {:?} p99 {:?}", p.phase, p.elapsed, p.open.open, p.sent, p.received, p.pings_sent, p.latency_p50_ns, p.latency_p99_ns); ControlFlow::Continue(()) }).unwrap();
    for m in &f.summary.metrics { match &m.value { wsbench::measure::Value::Counter(0) => {}, wsbench::measure::Value::Counter(c) => println!("{} {c}", m.name), wsbench::measure::Value::Histogram(h) => println!("{} n={} p50={} p99={} p99.9={} max={}", m.name, h.count(), human_ns(h.percentile(50.).unwrap()), human_ns(h.percentile(99.).unwrap()), human_ns(h.percentile(99.9).unwrap()), human_ns(h.max().unwrap())), wsbench::measure::Value::Gauge(g) => println!("{} {g:?}", m.name) } }
    println!("seconds {}", f.summary.seconds);
}
