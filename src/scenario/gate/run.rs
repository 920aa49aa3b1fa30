//! A scenario as gates see it, and what its servers do unasked.

use std::time::Duration;

use crate::scenario::contract::Environment;
use crate::scenario::{Cohort, HeartbeatWord, Protocol, Target, TargetUrl};

/// The interval of a server that sends whenever it likes.
pub(super) const ANY_TIME: Duration = Duration::from_micros(1);

/// A scenario without its gates.
#[derive(Clone, Copy)]
pub(in crate::scenario) struct Run<'a> {
    pub(in crate::scenario) environment: &'a Environment<'a>,
    pub(in crate::scenario) cohorts: &'a [Cohort],
}

impl Run<'_> {
    /// Whether these clients ask the built-in server, of which it is known what it does.
    pub(super) fn is_known(&self, cohort: &Cohort) -> bool {
        self.environment.target.url == TargetUrl::Embedded && cohort.servers.is_none()
    }

    /// How often the server sends such clients a message that they did not ask for, if it does.
    pub(super) fn tells(&self, cohort: &Cohort) -> Option<Duration> {
        let target = self.environment.target;
        if cohort.protocol == Protocol::Http {
            return None;
        }
        // What others say in a room may come at any time.
        if !self.is_known(cohort) || target.embedded_rooms.is_some() {
            return Some(ANY_TIME);
        }
        let pings = pings_by(target, HeartbeatWord::Text).into_iter();
        pings.chain(target.embedded_push).min()
    }

    /// How often the server pings such clients, if it does.
    pub(super) fn pings(&self, cohort: &Cohort) -> Option<Duration> {
        if cohort.protocol == Protocol::Http {
            return None;
        }
        match self.is_known(cohort) && !cohort.takes_texts_for_pings() {
            true => pings_by(self.environment.target, HeartbeatWord::Frames),
            false => Some(ANY_TIME),
        }
    }
}

/// How often the built-in server pings, if it does so by this.
fn pings_by(target: &Target, kind: HeartbeatWord) -> Option<Duration> {
    let heartbeat = target.embedded_heartbeat?;
    (heartbeat.kind == kind).then_some(heartbeat.interval)
}
