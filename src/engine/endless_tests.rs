//! A month of an endless run by a clock that is set by hand, over transports that answer at once and are lost now and then:
//! memory stays, reports are closed, and together they are the run.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::client;
use super::dial::{Connected, Connector, Dialer, Wanted};
use super::intake::Intake;
use super::observer::{Closed, Observer, Second};
use super::phases::{Event, Phases};
use super::session::tests::plan;
use super::shared::{RunState, Shared};
use super::worker::Handover;
use crate::frame::{Frame, Room};
use crate::measure::{Endings, Events, Sample, Shard, TcpView, Timeline};
use crate::metric::Counter;
use crate::net::{Act, Failure, Lost, Steps, TcpEnd, Transport};
use crate::plan::Share;
use crate::time::{Clock, Manual};
use crate::units::{Nanos, Timestamp};

const MINUTE: Nanos = Nanos::from_secs(60);
const DAY: u64 = 24 * 60;
/// In minutes.
const MONTH: u64 = 30 * DAY;
/// How long a connection lives, in minutes.
const LIFE: u64 = 100;

const ENDLESS: &str = r#"
    load = { connections = 5, ramp_up = "0s", duration = "endless", reconnect = { initial = "1s" } }
    heartbeat = { interval = "1m", timeout = "5s", on_dead = "reconnect" }
"#;

/// A peer that answers each ping at once and resets after a time.
struct Peer {
    clock: Manual,
    ends: Timestamp,
    pongs: Vec<Vec<u8>>,
    waker: Option<Waker>,
}

impl Transport for Peer {
    fn poll_event<'room>(
        &mut self,
        cx: &mut Context<'_>,
        room: &'room mut Room,
    ) -> Poll<Result<Frame<'room>, Lost>> {
        if self.clock.now() >= self.ends {
            return Poll::Ready(Err(Lost::Tcp(TcpEnd::Rst)));
        }
        match self.pongs.pop() {
            Some(pong) => Poll::Ready(Ok(Frame::Pong(room.put(pong)))),
            None => {
                self.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn leave(&mut self, _room: &mut Room) {}

    fn feed(&mut self, frame: Frame<'_>) {
        if let Frame::Ping(name) = frame {
            self.pongs.push(name.to_vec());
            self.waker.take().iter().for_each(Waker::wake_by_ref);
        }
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        Poll::Ready(Ok(()))
    }

    fn poll_end(&mut self, _cx: &mut Context<'_>) -> Poll<TcpEnd> {
        Poll::Pending
    }

    fn act(&mut self, _act: Act) -> Result<(), Lost> {
        unreachable!("it has no fault")
    }

    fn received_at(&self, _clock: &dyn Clock) -> Option<Timestamp> {
        None
    }

    fn frames_after_close(&self) -> u32 {
        0
    }

    fn local_port(&self) -> Option<u16> {
        None
    }

    fn take_bytes(&mut self) -> (u64, u64) {
        (0, 0)
    }

    fn tcp_view(&self) -> Option<TcpView> {
        None
    }
}

#[derive(Clone)]
struct Peers(Manual);

impl Connector for Peers {
    type Transport = Peer;

    fn dialer(&self) -> &Dialer {
        unreachable!("nobody asks by HTTP")
    }

    async fn connect(&self, wanted: Wanted<'_>, _: &Shared) -> Result<Connected<Peer>, Failure> {
        let life = (LIFE + u64::from(wanted.connection)) * MINUTE;
        Ok(Connected {
            transport: Peer {
                clock: self.0.clone(),
                ends: self.0.now() + life,
                pongs: Vec::new(),
                waker: None,
            },
            steps: Steps::default(),
            head: Vec::new(),
        })
    }
}

/// Closes a report each hour, and adds them up.
#[derive(Default)]
struct Keeper {
    closes: bool,
    reports: u64,
    pings: u64,
    pongs: u64,
    lost: u64,
    events: usize,
}

impl Observer for Keeper {
    fn events(&mut self, events: Events, _until: Timestamp) {
        assert_eq!(events.more, 0);
        self.events += events.rows.len();
    }

    fn second(&mut self, _second: &Second<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn closes_report(&mut self, second: &Second<'_>) -> bool {
        self.closes && second.report_lasted() >= Duration::from_secs(3_600)
    }

    fn report(&mut self, closed: Closed) {
        let summary = &closed.summary;
        self.reports += 1;
        let pings = summary.count(Counter::PingsSent.name());
        let pongs = summary.count(Counter::PongsReceived.name());
        assert_eq!(
            pings, pongs,
            "each report knows the answers to all it counts"
        );
        (self.pings, self.pongs) = (self.pings + pings, self.pongs + pongs);
        self.lost += summary.count("connections.lost");
        assert_eq!(summary.count(Counter::PingsMissed.name()), 0);
        assert!(summary.timeline.len() <= Timeline::MAX_INTERVALS + 1);
        assert!(summary.timeline.iter().all(|row| row.second < 3_600));
    }
}

/// The memory of this process in bytes.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux says it");
    let resident = status
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    resident.expect("it is a number") * 4_096
}

/// A client, and whether it was woken.
struct Woken {
    life: Pin<Box<dyn Future<Output = ()>>>,
    flag: Arc<Flag>,
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Woken {
    /// Lets it run if it was woken. Returns whether it was.
    fn runs(&mut self) -> bool {
        let woken = self.flag.0.swap(false, Ordering::Relaxed);
        if woken {
            let waker = Waker::from(self.flag.clone());
            let polled = self.life.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending(), "it has no end");
        }
        woken
    }
}

/// Plays a month; returns how much memory was used after two days and at the end.
fn month(closes: bool) -> (Keeper, Intake, [u64; 2]) {
    let clock = Manual::default();
    let mut plan = plan(ENDLESS);
    plan.tells = true;
    let plan = Arc::new(plan);
    let state = Arc::new(RunState::new(plan.connections()));
    let shared = Shared::new(Box::new(clock.clone()), plan.clone(), state.clone());
    let shared = Rc::new(shared);
    let mut phases = Phases::new(&plan);
    let mut intake = Intake::new(&plan, 1, Share::whole(1));
    let begun = phases.on(Event::Settled, clock.now());
    assert!(begun.is_ok_and(|command| command.is_some()));
    let from = phases.measure_from().expect("it is known");
    state.schedule(from, Timestamp::NEVER);
    let mut clients: Vec<Woken> = plan
        .openings(0, 1)
        .map(|opening| Woken {
            life: Box::pin(client::live(shared.clone(), Peers(clock.clone()), opening)),
            flag: Arc::new(Flag(AtomicBool::new(true))),
        })
        .collect();
    let mut keeper = Keeper {
        closes,
        ..Keeper::default()
    };
    let mut used = [0; 2];
    for minute in 1..=MONTH {
        let end = Timestamp::ORIGIN + minute * MINUTE;
        loop {
            let next = shared.deadlines.fire(clock.now());
            let mut any = false;
            for client in &mut clients {
                any |= client.runs();
            }
            if any {
                continue;
            }
            if next > end {
                break;
            }
            clock.set(next);
        }
        clock.set(end);
        let mut shard = Shard::new(&plan.layout());
        {
            let mut current = shared.shard.borrow_mut();
            shard.cohorts[0].open = current.cohorts[0].open;
            std::mem::swap(&mut *current, &mut shard);
        }
        // What covers several seconds is handed over under the number of the last of them.
        shard.interval = minute * 60 - 1;
        intake.merging.add(Handover {
            worker: 0,
            shard,
            last: false,
        });
        let shard = intake.merging.next().expect("there is one worker");
        intake.second(shard, clock.now(), Sample::default(), &phases, &mut keeper);
        if minute == 2 * DAY {
            used[0] = memory();
        }
    }
    used[1] = memory();
    (keeper, intake, used)
}

/// Runs this test alone in a process of its own, whose memory then is that of the run.
fn alone(name: &str) -> bool {
    if std::env::args().any(|argument| argument == "--exact") {
        return true;
    }
    let own = std::env::current_exe().expect("it runs");
    let played = std::process::Command::new(own)
        .args([name, "--exact", "--nocapture", "--test-threads", "1"])
        .output()
        .expect("it starts again");
    let told = String::from_utf8_lossy(&played.stdout);
    assert!(
        played.status.success() && told.contains("1 passed"),
        "{told}\n{}",
        String::from_utf8_lossy(&played.stderr)
    );
    false
}

/// The most that a month may take beyond what two days take.
const MORE: u64 = 4 << 20;

#[test]
fn a_month_of_reports_takes_no_more_memory_than_two_days() {
    if !alone("engine::endless_tests::a_month_of_reports_takes_no_more_memory_than_two_days") {
        return;
    }
    let (keeper, intake, [early, late]) = month(true);
    assert!(
        late < early + MORE,
        "{early} bytes after two days, {late} after a month"
    );
    // The last hour ends with the month, so its report is closed as well.
    assert_eq!(keeper.reports, MONTH / 60);
    assert!(
        keeper.pings > 5 * (MONTH - MONTH / LIFE * 2),
        "{}",
        keeper.pings
    );
    assert_eq!(keeper.pings, keeper.pongs);
    assert!(keeper.lost >= 5 * (MONTH / (LIFE + 6)), "{}", keeper.lost);
    assert!(keeper.events as u64 > keeper.pings);
    drop(intake);
}

#[test]
fn a_month_in_one_report_keeps_the_newest() {
    if !alone("engine::endless_tests::a_month_in_one_report_keeps_the_newest") {
        return;
    }
    let (_, intake, [early, late]) = month(false);
    assert!(
        late < early + MORE,
        "{early} bytes after two days, {late} after a month"
    );
    let end = Timestamp::ORIGIN + MONTH * MINUTE;
    let phases = Phases::new(&plan(ENDLESS));
    let summary = intake.last(&phases, end).summary;
    assert!(summary.timeline.len() <= Timeline::MAX_INTERVALS + 1);
    let endings = &summary.endings;
    assert!(endings.rows.len() <= Endings::MAX_NEWEST);
    assert_eq!(
        endings.rows.len() as u64 + endings.more,
        summary.total("connections.lost")
    );
    let last = endings.rows.last().and_then(|ending| ending.ended_ns);
    assert!(
        last > Some(end.saturating_sub(2 * LIFE * MINUTE)),
        "{last:?}"
    );
}
