//! Counts what makes it unknown which message or ping an answer belongs to, where answers do not say, and describes it.

use super::view::View;
use crate::metric::Counter;
use crate::scenario::{Cohort, Pings, Watch};
use crate::units::counted;

/// Reasons why answers that name no message or ping may have been matched with another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unnamed {
    /// Whether these are messages; otherwise they are text heartbeats.
    pub are_messages: bool,
    /// Messages or pings without an answer in time: answers after that may have been taken for theirs.
    pub timed_out: u64,
    /// Answers that nothing waited for, such as duplicates: others like them may have been taken for answers.
    pub surplus: u64,
    /// Answers that were not timed.
    pub uncertain: u64,
}

impl Unnamed {
    pub(super) const fn none(are_messages: bool) -> Self {
        Self {
            are_messages,
            timed_out: 0,
            surplus: 0,
            uncertain: 0,
        }
    }

    /// Counts those of one cohort, over the whole run; only `uncertain` is of the measured time.
    pub(super) fn of(view: &View<'_>, cohort: &Cohort, are_messages: bool) -> Self {
        let total = |counter: Counter| view.total_of(counter.name(), &cohort.name);
        let measured = |counter: Counter| view.count_of(counter.name(), &cohort.name);
        if are_messages {
            return Self {
                are_messages,
                timed_out: total(Counter::MessagesTimedOut),
                surplus: total(Counter::MessagesDuplicated),
                uncertain: measured(Counter::MessagesUncertain),
            };
        }
        let uncertain = measured(Counter::PongsUncertain);
        // With `alive_on = "any"`, an unanswered ping need not count as missed.
        let answered = total(Counter::PongsReceived) + total(Counter::PongsLate);
        let missed =
            total(Counter::PingsMissed).max(total(Counter::PingsSent).saturating_sub(answered));
        Self {
            are_messages,
            timed_out: match uncertain > 0 || text_heartbeat(cohort).is_some_and(overlaps) {
                true => missed,
                false => 0,
            },
            surplus: total(Counter::PongsUnsolicited),
            uncertain,
        }
    }

    /// Adds the counts of another cohort.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            are_messages: self.are_messages,
            timed_out: self.timed_out + other.timed_out,
            surplus: self.surplus + other.surplus,
            uncertain: self.uncertain + other.uncertain,
        }
    }

    /// The greater of each count.
    pub(super) fn most(self, other: Self) -> Self {
        Self {
            are_messages: self.are_messages,
            timed_out: self.timed_out.max(other.timed_out),
            surplus: self.surplus.max(other.surplus),
            uncertain: self.uncertain.max(other.uncertain),
        }
    }

    /// Whether answers may have been matched with another message or ping.
    pub(super) const fn is_any(&self) -> bool {
        self.timed_out + self.surplus > 0
    }

    /// What the answers belong to.
    pub(super) const fn noun(&self) -> &'static str {
        if self.are_messages {
            "message"
        } else {
            "text ping"
        }
    }

    /// What was seen, as in "3 messages timed out, and the answers carry no stamp".
    pub(super) fn words(&self) -> String {
        let unnamed = match self.are_messages {
            true => "the answers carry no stamp",
            false => "the answers do not say which ping they answer",
        };
        let noun = self.noun();
        let mut parts = Vec::new();
        if self.timed_out > 0 {
            parts.push(format!("{} timed out", counted(self.timed_out, noun)));
        }
        if self.surplus > 0 {
            let answers = counted(self.surplus, "answer");
            parts.push(format!("{answers} came that no {noun} waited for"));
        }
        parts.push(format!("and {unnamed}"));
        parts.join(", ")
    }

    /// What to do about it.
    pub(super) const fn hint(&self) -> &'static str {
        match self.are_messages {
            true => {
                "put `{{stamp}}` into the text of the message, so that each answer names its message"
            }
            false => {
                "use ping frames if the server answers them, or an `interval` longer than the `timeout`"
            }
        }
    }
}

/// The pings of a cohort, if their answers are messages that name no ping.
pub(super) fn text_heartbeat(cohort: &Cohort) -> Option<(&Pings, &Watch)> {
    let watched = cohort.watched();
    watched.filter(|(pings, _)| !pings.kind.is_named())
}

/// Whether a ping can be sent while another one waits for its answer.
pub(super) fn overlaps((pings, watch): (&Pings, &Watch)) -> bool {
    watch.timeout > pings.interval
}
