//! The memberships of one connection, and what it hears.

use super::audience::Audience;
use super::track::{Seen, Track};
use super::{TopicIndex, second_of};
use crate::units::{Nanos, Timestamp};

/// The memberships of one connection.
#[derive(Debug)]
pub struct Listener {
    cohort: u8,
    memberships: Vec<Membership>,
}

/// A published message that a connection heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// The topic to which it was published.
    pub topic: TopicIndex,
    /// The worker that published it.
    pub lane: u8,
    /// Its number among those that this worker published to the topic.
    pub sequence: u32,
    /// The connection that published it.
    pub speaker: u32,
    /// Whether this is the connection that published it, to which the server should not send it back.
    pub is_returned: bool,
    /// When it was to be published.
    pub intended: Timestamp,
    /// How long after that it should be heard.
    pub timeout: Nanos,
}

/// What it means that a connection heard a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// For the first time.
    First {
        /// After its timeout.
        is_late: bool,
        /// By a connection that was a member for too short a time to be counted.
        is_unsure: bool,
        /// After a later one of the same speaker.
        is_unordered: bool,
    },
    /// Not for the first time.
    Duplicate,
    /// By a connection that should not hear it.
    Stray,
}

/// One connection in one topic.
#[derive(Debug)]
struct Membership {
    topic: TopicIndex,
    /// The first second that began while it was a member; [`NEVER`] if there is none.
    since: u64,
    /// When it left, if it has: what is under way still comes.
    left: Option<Timestamp>,
    /// For each open second, at its number modulo their count.
    open: Box<[OpenPart]>,
    /// The seconds before this one are cleared.
    cleared: u64,
    track: Track,
}

/// What concerns one membership in an open second.
#[derive(Debug, Clone, Copy, Default)]
struct OpenPart {
    /// What it heard in time while it counted.
    heard: u32,
    /// What it published that is not sent back to it.
    own: u32,
}

/// After all seconds.
const NEVER: u64 = u64::MAX;

impl Listener {
    /// Makes a connection of this cohort that is a member of nothing.
    pub fn new(cohort: u8) -> Self {
        Self {
            cohort,
            memberships: Vec::new(),
        }
    }

    /// Its cohort.
    pub fn cohort(&self) -> u8 {
        self.cohort
    }

    /// Messages of the topic may come from now on, but it is not certain yet that they do.
    pub fn joining(&mut self, topic: TopicIndex, audience: &Audience) {
        let known = self.memberships.iter_mut().find(|one| one.topic == topic);
        match known {
            Some(membership) if membership.left.is_none() => {}
            Some(membership) => *membership = Membership::new(topic, audience),
            None => self.memberships.push(Membership::new(topic, audience)),
        }
    }

    /// The connection is a member of the topic `from` then on, which is now or a little later.
    pub fn join(
        &mut self,
        topic: TopicIndex,
        from: Timestamp,
        now: Timestamp,
        audience: &mut Audience,
    ) {
        audience.advance(now);
        self.joining(topic, audience);
        let cohort = self.cohort;
        let known = self.memberships.iter_mut().find(|one| one.topic == topic);
        if let Some(membership) = known.filter(|membership| membership.since == NEVER) {
            let since = second_of(from + Nanos(super::SECOND.0 - 1));
            membership.since = since;
            audience.at(since).change(topic, cohort, 1);
        }
    }

    /// Whether it is a member of a topic that counts, or will.
    pub fn is_member(&self) -> bool {
        self.memberships.iter().any(|one| one.since != NEVER)
    }

    /// The connection leaves the topic.
    pub fn leave(&mut self, topic: TopicIndex, now: Timestamp, audience: &mut Audience) {
        audience.advance(now);
        let cohort = self.cohort;
        let known = self.memberships.iter_mut().find(|one| one.topic == topic);
        if let Some(membership) = known {
            membership.leave(cohort, now, audience);
        }
    }

    /// The connection leaves all topics.
    pub fn leave_all(&mut self, now: Timestamp, audience: &mut Audience) {
        audience.advance(now);
        for membership in &mut self.memberships {
            membership.leave(self.cohort, now, audience);
        }
    }

    /// The connection publishes a message that is not sent back to it.
    pub(super) fn speaks(&mut self, topic: TopicIndex, second: u64, audience: &mut Audience) {
        let cohort = self.cohort;
        let known = self.memberships.iter_mut().find(|one| one.topic == topic);
        if let Some(membership) = known.filter(|membership| membership.since <= second) {
            membership.open(second, audience.first()).own += 1;
            *audience.at(second).own(topic, cohort) += 1;
        }
    }

    /// The connection hears a message; `None` if it cannot be one, since it would come from the future.
    pub fn hear(
        &mut self,
        heard: &Heard,
        now: Timestamp,
        audience: &mut Audience,
    ) -> Option<Receipt> {
        audience.advance(now);
        let second = second_of(heard.intended);
        // A message may be read that was sent after the clock was.
        if second > second_of(now) + 1 {
            return None;
        }
        let patience = audience.patience();
        let knows = |one: &&mut Membership| one.topic == heard.topic && one.hears(now, patience);
        let known = self.memberships.iter_mut().find(knows);
        let Some(membership) = known.filter(|_| !heard.is_returned) else {
            return Some(Receipt::Stray);
        };
        let seen = membership.track.hear(heard.lane, heard.sequence);
        if seen == Seen::Before {
            return Some(Receipt::Duplicate);
        }
        let is_over = second < audience.first();
        let is_late = is_over || now.saturating_since(heard.intended) > heard.timeout;
        let is_unsure = membership.since > second || seen == Seen::Unknown;
        if !is_late && !is_unsure {
            membership.open(second, audience.first()).heard += 1;
            audience.heard(second, self.cohort)[0] += 1;
        }
        let (speaker, sequence) = (heard.speaker, heard.sequence);
        Some(Receipt::First {
            is_late,
            is_unsure,
            is_unordered: membership.track.is_unordered(speaker, sequence),
        })
    }
}

impl Membership {
    fn new(topic: TopicIndex, audience: &Audience) -> Self {
        Self {
            topic,
            since: NEVER,
            left: None,
            open: vec![OpenPart::default(); audience.span()].into(),
            cleared: audience.first(),
            track: Track::default(),
        }
    }

    /// Whether messages of the topic may come: after it left, those that are under way.
    fn hears(&self, now: Timestamp, patience: Nanos) -> bool {
        self.left
            .is_none_or(|left| now.saturating_since(left) <= patience)
    }

    /// Its part of an open second; `first` is the first of them.
    fn open(&mut self, second: u64, first: u64) -> &mut OpenPart {
        let span = self.open.len() as u64;
        for over in self.cleared..first.min(self.cleared + span) {
            self.open[(over % span) as usize] = OpenPart::default();
        }
        self.cleared = self.cleared.max(first);
        &mut self.open[(second % span) as usize]
    }

    /// Takes its open seconds back: it was not a member until they were over.
    fn leave(&mut self, cohort: u8, now: Timestamp, audience: &mut Audience) {
        self.left.get_or_insert(now);
        if self.since == NEVER {
            return;
        }
        let first = audience.first();
        audience
            .at(first.max(self.since))
            .change(self.topic, cohort, -1);
        self.since = NEVER;
        for second in first..first + self.open.len() as u64 {
            let OpenPart { heard, own } = *self.open(second, first);
            if own > 0 {
                *audience.at(second).own(self.topic, cohort) -= own;
            }
            if heard > 0 {
                let [received, unsure] = audience.heard(second, cohort);
                *received -= heard;
                *unsure += heard;
            }
        }
    }
}
