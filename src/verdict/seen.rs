//! What the server did instead of answering, for doubts and their hints.

use std::fmt;

use crate::measure::Summary;
use crate::metric::{self, Cause, Counter};
use crate::scenario::Cohort;
use crate::units::counted;

/// What the server did instead of answering.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Connections that the server closed without being asked.
    pub closed: u64,
    /// The code and the reason of the first of those Close frames.
    pub close: Option<String>,
    /// Messages received that answered nothing.
    pub messages: u64,
    /// The first words of one of these messages.
    pub message: Option<String>,
}

impl Seen {
    /// What the server did to these cohorts.
    pub(super) fn of(all: &Summary, cohorts: &[&Cohort]) -> Self {
        let is_theirs = |name: Option<&String>| {
            name.is_some_and(|name| cohorts.iter().any(|cohort| cohort.name == *name))
        };
        let total = |name: &str| {
            let rows = all.totals.iter().filter(|row| row.name == name);
            Summary::sum(rows.filter(|row| is_theirs(row.cohort.as_ref())))
        };
        let mut closes = all.endings.rows.iter().filter(|row| {
            row.cause == Cause::ClosedByPeer && is_theirs(all.cohorts.get(row.cohort))
        });
        let messages = total(Counter::MessagesReceived.name());
        // Quotes are not kept by cohort: it is one of theirs if nobody else received a message.
        let are_all_theirs = messages == all.total(Counter::MessagesReceived.name());
        let quote = all.endings.unexpected.first().filter(|_| are_all_theirs);
        Self {
            closed: total(&metric::error(Cause::ClosedByPeer)),
            close: (closes.find(|row| !row.detail.is_empty())).map(|row| row.detail.clone()),
            messages,
            message: quote.cloned(),
        }
    }

    /// What to do about it, if what was seen allows advice.
    pub fn hint(&self) -> Option<&'static str> {
        self.hint_of_close().or_else(|| {
            (self.messages > 0).then_some(
                "messages came, but not the bytes that were sent: set `expect = \"none\"` for a server that does not echo",
            )
        })
    }

    /// What to do about connections that the server closed.
    pub fn hint_of_close(&self) -> Option<&'static str> {
        (self.closed > 0).then(|| match self.asks_for_a_login() {
            true => {
                "the server ends the connections by itself: if it requires a login, put the token into `headers`, `subprotocols` or the query of `url`"
            }
            false => {
                "the server ends the connections by itself: look for the reason in its Close frame and in its log"
            }
        })
    }
}

impl Seen {
    /// Whether a close code suggests that a login is required: 1008 is a policy violation (RFC 6455 section 7.4.1),
    /// 3000 is "unauthorized" (IANA), and 4000 to 4999 are defined by each service.
    fn asks_for_a_login(&self) -> bool {
        let words = self.close.iter().flat_map(|close| close.split([' ', ':']));
        let mut codes = words.filter_map(|word| word.parse::<u16>().ok());
        codes.any(|code| matches!(code, 1008 | 3000 | 4000..5000))
    }
}

impl fmt::Display for Seen {
    /// Continues a sentence: `; 20 other messages came ("hello"); it closed 20 connections (close code 4401)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let example = |example: &Option<String>| {
            (example.as_ref()).map_or_else(String::new, |example| format!(" ({example})"))
        };
        if self.messages > 0 {
            let count = counted(self.messages, "other message");
            write!(f, "; {count} came{}", example(&self.message))?;
        }
        if self.closed > 0 {
            let count = counted(self.closed, "connection");
            write!(f, "; it closed {count}{}", example(&self.close))?;
        }
        Ok(())
    }
}
