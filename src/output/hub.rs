//! Hands each second of a run to its outputs. One that is slow, gone or wrong loses seconds, which are counted; it delays
//! neither the run nor the others.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TryRecvError, channel, sync_channel,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::measure::Interval;
use crate::report::OutputRecord;
use crate::units::{cut, visible};

/// Takes what each second held. It has a thread of its own, and may block: the run never waits for it.
pub trait Output: Send {
    /// Hands over one second. Should end within a few seconds even if nobody takes it.
    ///
    /// # Errors
    /// When it was not taken.
    fn send(&mut self, second: &Second) -> Result<(), SendError>;

    /// Why what it took reached nobody, where that is known at the end.
    fn reached_nobody(&self) -> Option<String> {
        None
    }
}

/// Two that belong together: both are handed each second, by one thread.
impl<A: Output, B: Output> Output for (A, B) {
    fn send(&mut self, second: &Second) -> Result<(), SendError> {
        self.0.send(second)?;
        self.1.send(second)
    }
}

/// One second of a run.
#[derive(Debug, Clone)]
pub struct Second {
    /// The end of the second by the wall clock.
    pub at: SystemTime,
    /// What it held.
    pub interval: Arc<Interval>,
}

/// Why a second was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendError {
    /// The reason, as in "connection refused".
    pub why: String,
    /// Whether it may be taken later.
    pub may_pass: bool,
}

impl SendError {
    /// The error of something that may work later.
    pub fn passing(why: impl std::fmt::Display) -> Self {
        Self {
            why: why.to_string(),
            may_pass: true,
        }
    }

    /// The error of something that will not work later either.
    pub fn lasting(why: impl std::fmt::Display) -> Self {
        Self {
            why: why.to_string(),
            may_pass: false,
        }
    }
}

/// The most seconds of one cohort that wait for an output; of several cohorts, as many together, but at least
/// [`FEWEST`] of each.
const WAITING: usize = 60;
const FEWEST: usize = 4;
/// The pauses before a second is tried again. Newer seconds wait meanwhile.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];
/// How long all outputs together may take after the run.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest reason that is kept, in characters.
const LONGEST: usize = 300;
/// How far the wall clock may run away from the seconds of the run before it is followed.
const ASTRAY: Duration = Duration::from_secs(2);

/// The outputs of a run. Without any it does nothing.
#[derive(Default)]
pub struct Hub {
    lines: Vec<Line>,
    /// The time of the wall clock at which the seconds begin.
    origin: Option<SystemTime>,
}

/// The way to one output.
struct Line {
    shown: String,
    queue: SyncSender<Second>,
    /// Dropped when the run is over, which ends the pauses.
    running: Option<std::sync::mpsc::Sender<()>>,
    done: Receiver<()>,
    offered: u64,
    taken: Arc<Mutex<Taken>>,
}

/// What an output took.
#[derive(Default)]
struct Taken {
    seconds: u64,
    /// Why the last second that was lost was not taken.
    error: Option<String>,
}

impl Hub {
    /// Starts the thread of an output. `shown` says which one it is; `cohorts` is how many the run has.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn add(
        &mut self,
        shown: String,
        output: impl Output + 'static,
        cohorts: usize,
    ) -> io::Result<()> {
        let (queue, seconds) = sync_channel((WAITING / cohorts.max(1)).max(FEWEST));
        let (running, over) = channel();
        let (ended, done) = sync_channel(1);
        let taken = Arc::new(Mutex::new(Taken::default()));
        let carrier = Carrier {
            output,
            over,
            taken: taken.clone(),
        };
        thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || {
                carrier.carry(&seconds);
                // Ignores the error: nobody waits if this took too long.
                let _ = ended.send(());
            })?;
        self.lines.push(Line {
            shown,
            queue,
            running: Some(running),
            done,
            offered: 0,
            taken,
        });
        Ok(())
    }

    /// Queues a second for each output, which ended at about `now` by the wall clock. Never waits.
    pub fn offer(&mut self, now: SystemTime, interval: &Arc<Interval>) {
        if self.lines.is_empty() {
            return;
        }
        let second = Second {
            at: self.wall(now, interval),
            interval: interval.clone(),
        };
        for line in &mut self.lines {
            line.offered += 1;
            if line.queue.try_send(second.clone()).is_err() {
                lock(&line.taken).error.get_or_insert_with(|| {
                    "it was too slow: too many seconds waited for it".to_owned()
                });
            }
        }
    }

    /// The end of an interval by the wall clock: a whole number of seconds after the first, so that no two are at once.
    fn wall(&mut self, now: SystemTime, interval: &Interval) -> SystemTime {
        let since = Duration::from_nanos(interval.to.as_nanos());
        let expected = self.origin.map(|origin| origin + since);
        let is_near = |at: &SystemTime| {
            let apart = now.duration_since(*at).unwrap_or_else(|e| e.duration());
            apart <= ASTRAY
        };
        expected.filter(is_near).unwrap_or_else(|| {
            self.origin = now.checked_sub(since);
            now
        })
    }

    /// What each output has taken and lost so far. What still waits counts as neither.
    pub fn so_far(&self) -> Vec<OutputRecord> {
        self.lines.iter().map(Line::record).collect()
    }

    /// Waits until all have taken what waits, a few seconds at most, and returns what each took. What it has not taken by
    /// then is lost.
    pub fn finish(mut self) -> Vec<OutputRecord> {
        let deadline = Instant::now() + PATIENCE;
        let mut ends = Vec::new();
        for mut line in self.lines.drain(..) {
            drop(line.running.take());
            let Line {
                shown,
                queue,
                done,
                offered,
                taken,
                ..
            } = line;
            drop(queue);
            ends.push((shown, done, offered, taken));
        }
        let ends = ends.into_iter().map(|(output, done, offered, taken)| {
            let left = deadline.saturating_duration_since(Instant::now());
            let is_late = done.recv_timeout(left) == Err(RecvTimeoutError::Timeout);
            let taken = lock(&taken);
            let lost = offered.saturating_sub(taken.seconds);
            let late = || is_late.then(|| "it took too long".to_owned());
            OutputRecord {
                output,
                sent: taken.seconds,
                lost,
                error: (lost > 0)
                    .then(|| taken.error.clone().or_else(late))
                    .flatten(),
            }
        });
        ends.collect()
    }
}

impl Line {
    fn record(&self) -> OutputRecord {
        let taken = lock(&self.taken);
        OutputRecord {
            output: self.shown.clone(),
            sent: taken.seconds,
            lost: self.offered.saturating_sub(taken.seconds),
            error: taken.error.clone(),
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> std::sync::MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the thread of an output does.
struct Carrier<O> {
    output: O,
    /// Nothing ever comes; it is closed when the run is over.
    over: Receiver<()>,
    taken: Arc<Mutex<Taken>>,
}

impl<O: Output> Carrier<O> {
    fn carry(mut self, seconds: &Receiver<Second>) {
        for second in seconds {
            match self.try_often(&second) {
                Ok(()) => lock(&self.taken).seconds += 1,
                Err(error) => lock(&self.taken).error = Some(cut(&visible(&error.why), LONGEST)),
            }
        }
        if let Some(why) = self.output.reached_nobody() {
            *lock(&self.taken) = Taken {
                seconds: 0,
                error: Some(why),
            };
        }
    }

    /// Tries again after pauses, until the run is over.
    fn try_often(&mut self, second: &Second) -> Result<(), SendError> {
        let mut pauses = VecDeque::from(PAUSES);
        loop {
            match self.output.send(second) {
                Err(error) if error.may_pass && self.is_running() => {
                    let Some(pause) = pauses.pop_front() else {
                        return Err(error);
                    };
                    // Ends early when the run is over.
                    let _ = self.over.recv_timeout(pause);
                }
                result => return result,
            }
        }
    }

    fn is_running(&self) -> bool {
        self.over.try_recv() == Err(TryRecvError::Empty)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Sender;

    use super::*;
    use crate::measure::Phase;
    use crate::units::Timestamp;

    fn interval(index: u64) -> Arc<Interval> {
        Arc::new(Interval {
            index,
            from: Timestamp::ORIGIN + index * Interval::SECOND,
            to: Timestamp::ORIGIN + (index + 1) * Interval::SECOND,
            phase: Phase::Measure,
            cohorts: Vec::new(),
            sources: std::collections::BTreeMap::new(),
            target: None,
        })
    }

    fn offer_all(hub: &mut Hub, count: u64) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        for index in 0..count {
            hub.offer(now + Duration::from_secs(index), &interval(index));
        }
    }

    /// Tells of each second, and waits for a permit before it takes it.
    struct Slow {
        asked: Sender<u64>,
        permits: Receiver<Result<(), SendError>>,
    }

    impl Output for Slow {
        fn send(&mut self, second: &Second) -> Result<(), SendError> {
            let _ = self.asked.send(second.interval.index);
            self.permits
                .recv()
                .unwrap_or_else(|_| Err(SendError::lasting("nobody permits it")))
        }
    }

    #[test]
    fn what_is_taken_is_counted_and_nothing_is_lost() {
        struct Takes;
        impl Output for Takes {
            fn send(&mut self, _: &Second) -> Result<(), SendError> {
                Ok(())
            }
        }
        let mut hub = Hub::default();
        hub.add("jsonl=a".to_owned(), Takes, 1).unwrap();
        hub.add("jsonl=b".to_owned(), Takes, 1).unwrap();
        offer_all(&mut hub, 10);
        let records = hub.finish();
        assert_eq!(records.len(), 2);
        for record in &records {
            let counts = (record.sent, record.lost, record.error.as_deref());
            assert_eq!(counts, (10, 0, None));
        }
    }

    #[test]
    fn an_output_that_hangs_delays_nobody_and_loses_what_has_no_room() {
        let (asked, asks) = channel();
        let (_hold, permits) = channel();
        let mut hub = Hub::default();
        hub.add("hangs".to_owned(), Slow { asked, permits }, 1)
            .unwrap();
        offer_all(&mut hub, 1);
        assert_eq!(asks.recv(), Ok(0), "the first is being sent");
        // One more than has room; this would never end if it waited.
        offer_all(&mut hub, WAITING as u64 + 1);
        let record = &hub.so_far()[0];
        assert_eq!((record.sent, record.lost), (0, WAITING as u64 + 2));
        assert!(record.error.as_ref().unwrap().contains("too slow"));
    }

    #[test]
    fn what_is_refused_for_good_is_lost_at_once_and_the_next_is_tried() {
        let (asked, asks) = channel();
        let (permit, permits) = channel();
        for _ in 0..2 {
            permit
                .send(Err(SendError::lasting("404\u{1b}[31m")))
                .unwrap();
        }
        permit.send(Ok(())).unwrap();
        let mut hub = Hub::default();
        hub.add("refuses".to_owned(), Slow { asked, permits }, 1)
            .unwrap();
        offer_all(&mut hub, 3);
        let record = hub.finish().remove(0);
        assert_eq!((record.sent, record.lost), (1, 2));
        assert_eq!(record.error.as_deref(), Some("404\\x1b[31m"));
        assert_eq!(asks.iter().collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn what_may_pass_is_tried_again_and_no_pause_outlives_the_run() {
        let (asked, asks) = channel();
        let (permit, permits) = channel();
        let mut hub = Hub::default();
        hub.add("returns".to_owned(), Slow { asked, permits }, 2)
            .unwrap();
        offer_all(&mut hub, 2);
        let refuse = || permit.send(Err(SendError::passing("refused"))).unwrap();
        for _ in 0..2 {
            assert_eq!(asks.recv(), Ok(0), "tried again after a pause");
            refuse();
        }
        let over = Instant::now();
        drop(hub.lines[0].running.take());
        // Where it had begun its second pause, it has another try at once.
        while asks.recv() == Ok(0) {
            refuse();
        }
        permit.send(Ok(())).unwrap();
        let record = hub.finish().remove(0);
        assert_eq!((record.sent, record.lost), (1, 1));
        assert!(record.error.is_some());
        assert!(over.elapsed() < PAUSES[1] + PAUSES[2]);
    }

    #[test]
    fn seconds_are_a_second_apart_and_follow_a_clock_that_was_set() {
        let mut hub = Hub::default();
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let ms = Duration::from_millis;
        let at = |hub: &mut Hub, index, now| hub.wall(now, &interval(index));
        let first = at(&mut hub, 0, start + ms(1_007));
        assert_eq!(first, start + ms(1_007));
        assert_eq!(at(&mut hub, 1, start + ms(2_900)), first + ms(1_000));
        // Two shards that came at once.
        assert_eq!(at(&mut hub, 2, start + ms(4_100)), first + ms(2_000));
        assert_eq!(at(&mut hub, 3, start + ms(4_100)), first + ms(3_000));
        let set = start + Duration::from_secs(3_600);
        assert_eq!(at(&mut hub, 4, set), set);
        assert_eq!(at(&mut hub, 5, set + ms(1_000)), set + ms(1_000));
    }
}
