//! The measurements of one worker in one interval. Moved to the supervisor, merged there, and recycled.

use serde::{Deserialize, Serialize};

use super::agreed::Agreed;
use super::cells::Cells;
use super::connection_record::ConnectionRecord;
use super::delivery::Deliveries;
use super::echo::{Echoes, Events, Traces};
use super::ending::Ending;
use super::fallbacks::Fallbacks;
use super::histogram::Histogram;
use super::layout::{Layout, Window};
use super::stops::Stops;
use crate::units::one_line;

/// The current number of connections in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// In the handshake (readyState 0).
    pub connecting: u64,
    /// Open (readyState 1).
    pub open: u64,
    /// Open, and its client is ready: its set-up is done, if it has one.
    #[serde(default)]
    pub ready: u64,
    /// In the close handshake (readyState 2).
    pub closing: u64,
    /// Declared dead so far.
    pub dead: u64,
    /// Pings whose pong is neither there nor missed.
    #[serde(default, skip_serializing_if = "is_none")]
    pub pinged: u64,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Open {
    /// Adds another worker's numbers of the same interval.
    pub fn merge(&mut self, other: &Self) {
        self.connecting = self.connecting.saturating_add(other.connecting);
        self.open = self.open.saturating_add(other.open);
        self.ready = self.ready.saturating_add(other.ready);
        self.closing = self.closing.saturating_add(other.closing);
        self.dead = self.dead.saturating_add(other.dead);
        self.pinged = self.pinged.saturating_add(other.pinged);
    }
}

/// One cohort's part of a shard.
#[derive(Debug, Clone)]
pub struct CohortShard {
    /// What covers the whole run: connections, handshakes, closes, bytes.
    pub whole: Cells,
    /// In the order of the windows; empty, and each of them `None`, until something is recorded there.
    windows: Vec<Option<Box<Cells>>>,
    /// The number of windows, and the number of messages.
    room: (usize, usize),
    /// The states of connections at the end of the interval.
    pub open: Open,
}

impl CohortShard {
    fn new(messages: usize, windows: usize) -> Self {
        Self {
            whole: Cells::new(messages),
            windows: Vec::new(),
            room: (windows + 1, messages),
            open: Open::default(),
        }
    }

    /// The cells of one window, for recording.
    pub fn window(&mut self, window: Window) -> &mut Cells {
        if !matches!(self.windows.get(window.number()), Some(Some(_))) {
            self.make(window);
        }
        match &mut self.windows[window.number()] {
            Some(cells) => cells,
            None => unreachable!("it was just made"),
        }
    }

    #[cold]
    #[inline(never)]
    fn make(&mut self, window: Window) {
        let (windows, messages) = self.room;
        self.windows.resize(windows, None);
        self.windows[window.number()] = Some(Box::new(Cells::new(messages)));
    }

    /// What was recorded in one window; `None` if nothing was.
    pub fn recorded(&self, window: Window) -> Option<&Cells> {
        self.windows.get(window.number())?.as_deref()
    }

    /// The windows in which something was recorded, starting with the one that is not measured.
    pub fn windows(&self) -> impl Iterator<Item = (Window, &Cells)> {
        let all = self.windows.iter().enumerate();
        all.filter_map(|(index, cells)| Some((Window::at(index), cells.as_deref()?)))
    }

    /// Everything that was recorded, merged.
    pub fn together(&self) -> Cells {
        let mut all = self.whole.clone();
        self.windows().for_each(|(_, cells)| all.merge(cells));
        all
    }

    fn merge(&mut self, other: &Self) {
        self.whole.merge(&other.whole);
        for (window, theirs) in other.windows() {
            self.window(window).merge(theirs);
        }
    }

    /// Empties the cells, and keeps the memory of the windows that were in use.
    fn clear(&mut self) {
        self.whole.clear();
        for slot in &mut self.windows {
            match slot {
                Some(cells) if !cells.is_empty() => cells.clear(),
                unused => *unused = None,
            }
        }
    }
}

#[cold]
fn first_words(message: &[u8]) -> String {
    const BYTES: usize = 200;
    const CHARACTERS: usize = 80;
    let beginning = &message[..message.len().min(BYTES)];
    one_line(&String::from_utf8_lossy(beginning), CHARACTERS)
}

/// The measurements of one worker in one interval, or several shards merged.
#[derive(Debug, Clone)]
pub struct Shard {
    /// The number of the interval, counted from the common start of all workers.
    pub interval: u64,
    /// One part for each cohort, in the order of the [`Layout`].
    pub cohorts: Vec<CohortShard>,
    /// How late the worker was woken since measuring began, in nanoseconds.
    pub loop_lag: Histogram,
    /// How late the worker was woken before measuring began, in nanoseconds.
    pub early_lag: Histogram,
    /// When the worker stood still.
    pub stops: Stops,
    /// How long look-ups of the target's name took, in nanoseconds.
    pub look_ups: Histogram,
    /// Addresses of the target that accepted no connection.
    pub fallbacks: Fallbacks,
    /// What clients and servers agreed on.
    pub agreed: Agreed,
    /// Connections that did not end as planned; at most [`Shard::MAX_ENDINGS`].
    pub endings: Vec<Ending>,
    /// How many more there were, which were not kept.
    pub more_endings: u64,
    /// The first words of messages that answered nothing; at most [`Shard::MAX_UNEXPECTED`].
    pub unexpected: Vec<String>,
    /// Connections whose contract is to be judged; at most [`Shard::MAX_RECORDS`].
    pub records: Vec<ConnectionRecord>,
    /// How many more there were, which were not kept.
    pub more_records: u64,
    /// Single messages, if they were asked for. They belong to one interval, and `merge` does not add them.
    pub echoes: Echoes,
    /// What happened on connections, likewise.
    pub traces: Traces,
    /// What happened to clients, likewise.
    pub events: Events,
    /// Seconds of fan-out that are over. They are put together for each interval, and `merge` does not add them.
    pub deliveries: Deliveries,
}

impl Shard {
    /// The most endings that one shard holds.
    pub const MAX_ENDINGS: usize = 20_000;
    /// The most unexpected messages that one shard quotes.
    pub const MAX_UNEXPECTED: usize = 3;
    /// The most records that one shard holds.
    pub const MAX_RECORDS: usize = 50_000;

    /// Creates an empty shard.
    pub fn new(layout: &Layout) -> Self {
        let cohorts = layout
            .cohorts
            .iter()
            .map(|(_, messages)| CohortShard::new(messages.len(), layout.measured()))
            .collect();
        Self {
            interval: 0,
            cohorts,
            loop_lag: Histogram::new(),
            early_lag: Histogram::new(),
            stops: Stops::default(),
            look_ups: Histogram::new(),
            fallbacks: Fallbacks::default(),
            agreed: Agreed::default(),
            endings: Vec::new(),
            more_endings: 0,
            unexpected: Vec::new(),
            records: Vec::new(),
            more_records: 0,
            echoes: Echoes::default(),
            traces: Traces::default(),
            events: Events::default(),
            deliveries: Deliveries::default(),
        }
    }

    /// Keeps a record, or counts it if there is no more room.
    pub fn record(&mut self, record: ConnectionRecord, room: usize) {
        if self.records.len() < room {
            self.records.push(record);
        } else {
            self.more_records += 1;
        }
    }

    /// Keeps an ending, or counts it if there is no more room.
    pub fn ending(&mut self, ending: Ending, room: usize) {
        if self.endings.len() < room {
            self.endings.push(ending);
        } else {
            self.more_endings += 1;
        }
    }

    /// Keeps the first words of a message that answered nothing, for the first [`Shard::MAX_UNEXPECTED`] of a shard.
    /// `hide` takes out of them what must not be shown.
    #[cold]
    pub fn unexpected(&mut self, message: &[u8], hide: impl FnOnce(&mut String)) {
        if self.unexpected.len() < Self::MAX_UNEXPECTED {
            let mut words = first_words(message);
            hide(&mut words);
            self.unexpected.push(words);
        }
    }

    /// Adds everything in `other`, except the states, which belong to a moment, single messages and seconds of
    /// fan-out. Exact.
    pub fn merge(&mut self, other: &Self, room: usize) {
        self.more_records += other.more_records;
        let kept = room
            .saturating_sub(self.records.len())
            .min(other.records.len());
        self.records.extend_from_slice(&other.records[..kept]);
        self.more_records += (other.records.len() - kept) as u64;
        for (mine, theirs) in self.cohorts.iter_mut().zip(&other.cohorts) {
            mine.merge(theirs);
        }
        let lags = [&mut self.loop_lag, &mut self.early_lag];
        for (mine, theirs) in lags.into_iter().zip([&other.loop_lag, &other.early_lag]) {
            if !theirs.is_empty() {
                mine.merge(theirs);
            }
        }
        self.stops.merge(&other.stops);
        if !other.look_ups.is_empty() {
            self.look_ups.merge(&other.look_ups);
        }
        self.fallbacks.merge(&other.fallbacks);
        self.agreed.merge(&other.agreed);
        let kept = (room.saturating_sub(self.endings.len())).min(other.endings.len());
        self.endings.extend_from_slice(&other.endings[..kept]);
        self.more_endings += (other.endings.len() - kept) as u64;
        self.more_endings += other.more_endings;
        let room = Self::MAX_UNEXPECTED.saturating_sub(self.unexpected.len());
        (self.unexpected).extend(other.unexpected.iter().take(room).cloned());
    }

    /// Applies `change` to each text that a server may have written, to mask what must not be shown.
    pub fn each_text(&mut self, mut change: impl FnMut(&mut String)) {
        for ending in &mut self.endings {
            change(&mut ending.detail);
            change(&mut ending.close_reason);
        }
        self.unexpected.iter_mut().for_each(&mut change);
        for record in &mut self.records {
            change(&mut record.close_reason);
        }
    }

    /// Prepares for the next interval; keeps the states and the memory.
    pub fn clear(&mut self) {
        for cohort in &mut self.cohorts {
            cohort.clear();
        }
        for lag in [&mut self.loop_lag, &mut self.early_lag] {
            if !lag.is_empty() {
                lag.clear();
            }
        }
        self.stops.clear();
        self.look_ups.clear();
        self.fallbacks.clear();
        self.agreed.clear();
        self.endings.clear();
        self.more_endings = 0;
        self.unexpected.clear();
        self.records.clear();
        self.more_records = 0;
        self.echoes.clear();
        self.traces.clear();
        self.events.clear();
        self.deliveries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Counter, Timed};

    #[test]
    fn a_window_takes_memory_only_while_it_is_in_use() {
        let mut shard = Shard::new(&Layout {
            cohorts: vec![("main".to_owned(), vec![Timed::sent("echo")])],
            stages: 1_000,
            topics: Default::default(),
        });
        assert!(shard.cohorts[0].windows.is_empty());
        let window = Window::measured(7);
        shard.cohorts[0].window(window).count(Counter::MessagesSent);
        let seen = |shard: &Shard| {
            shard.cohorts[0]
                .windows()
                .map(|(window, _)| window)
                .collect()
        };
        let windows: Vec<Window> = seen(&shard);
        assert_eq!(windows, [window]);
        // The next second is usually in the same window.
        shard.clear();
        assert!(
            shard.cohorts[0]
                .recorded(window)
                .is_some_and(Cells::is_empty)
        );
        shard.clear();
        let windows: Vec<Window> = seen(&shard);
        assert_eq!(windows, []);
    }
}
