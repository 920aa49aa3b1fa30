//! The border between two reports of a run that goes on. What is under way there counts in the report in which it is settled:
//! so what each report asked is what it knows the end of, and all reports together are the run.

use serde::{Deserialize, Serialize};

use super::cells::Cells;
use super::layout::Window;
use super::shard::{CohortShard, Shard};
use crate::metric::Counter;

/// What a report took over from the one before, and left to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Border {
    /// Connections that were open when it began.
    pub open: u64,
    /// Messages, pings, dials, set-ups and waits that were under way when it began: it counts them.
    pub taken: u64,
    /// The same when it was closed: the next report counts them.
    pub left: u64,
}

/// What begins, and how that is settled.
struct Account {
    /// Counted once each when it begins.
    begun: &'static [Counter],
    settled: &'static [Counter],
    /// Only where all that begins is settled in the end.
    is_of_messages: bool,
}

const ACCOUNTS: [Account; 4] = [
    Account {
        begun: &[Counter::MessagesSent, Counter::MessagesDue],
        settled: &[
            Counter::MessagesEchoed,
            Counter::MessagesAnswered,
            Counter::MessagesMismatched,
            Counter::MessagesTimedOut,
            Counter::MessagesLost,
        ],
        is_of_messages: true,
    },
    Account {
        begun: &[Counter::ConnectionsAttempted],
        settled: &[
            Counter::ConnectionsOpened,
            Counter::ConnectionsFailed,
            Counter::ConnectionsAbandoned,
        ],
        is_of_messages: false,
    },
    Account {
        begun: &[Counter::SetupBegun],
        settled: &[
            Counter::SetupReady,
            Counter::SetupFailed,
            Counter::SetupLost,
            Counter::SetupAbandoned,
        ],
        is_of_messages: false,
    },
    Account {
        begun: &[Counter::AwaitsBegun],
        settled: &[
            Counter::AwaitsMet,
            Counter::AwaitsWrong,
            Counter::AwaitsTimedOut,
            Counter::AwaitsLost,
            Counter::AwaitsAbandoned,
        ],
        is_of_messages: false,
    },
];

impl Account {
    /// Moves what is under way to the next report. Returns how much that is.
    fn carry(&self, from: &mut Cells, to: &mut Cells) -> u64 {
        let settled: u64 = self.settled.iter().map(|one| from.counter(*one)).sum();
        let begun = (self.begun.first()).map_or(0, |begun| from.counter(*begun));
        let left = begun.saturating_sub(settled);
        for begun in self.begun {
            from.carry(*begun, left, to);
        }
        left
    }
}

/// Moves what is under way from the numbers of a report to those of the next. `asks` tells of each cohort whether each of its
/// messages is waited for; of others nobody knows what is under way. Returns how much that is.
pub(super) fn carry(from: &mut Shard, to: &mut Shard, asks: &[bool]) -> u64 {
    let cohorts = from.cohorts.iter_mut().zip(&mut to.cohorts);
    let left = cohorts.enumerate().map(|(index, (from, to))| {
        let asks = asks.get(index).copied().unwrap_or(false);
        carry_cohort(from, to, asks) + carry_pings(from, to)
    });
    left.sum()
}

fn carry_cohort(from: &mut CohortShard, to: &mut CohortShard, asks: bool) -> u64 {
    let accounts = || ACCOUNTS.iter().filter(|one| asks || !one.is_of_messages);
    let mut left = 0;
    for account in accounts() {
        left += account.carry(&mut from.whole, &mut to.whole);
    }
    let windows: Vec<Window> = from.windows().map(|(window, _)| window).collect();
    for window in windows {
        for account in accounts() {
            left += account.carry(from.window(window), to.window(window));
        }
    }
    left
}

/// A pong answers all pings before it, so counts do not tell how many wait: their state does. Those of a run without end are
/// in its one measured window.
fn carry_pings(from: &mut CohortShard, to: &mut CohortShard) -> u64 {
    let window = Window::measured(0);
    let sent = from.recorded(window);
    let sent = sent.map_or(0, |cells| cells.counter(Counter::PingsSent));
    let left = from.open.pinged.min(sent);
    if left > 0 {
        (from.window(window)).carry(Counter::PingsSent, left, to.window(window));
    }
    left
}
