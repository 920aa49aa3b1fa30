//! What the rooms do wrong on purpose, one thing at a time: each breaks one promise and keeps all others.
//! "Now and then" is once in so many, at a place that the seed decides; so any run that is long enough shows it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use tokio::time::Instant;

use super::mailbox::{Letter, Mailbox};
use crate::scenario::RoomDefect;

/// The longest time that a message is held back, to be heard behind the next one. If none comes, it is late and in order.
const HELD: Duration = Duration::from_secs(1);
/// The distance of a wrong id to the right one.
const WRONG_BY: u64 = 1_000_000;

/// One defect of the rooms, and what it has under way.
#[derive(Debug)]
pub(super) struct Guilt {
    defect: RoomDefect,
    seldom: Seldom,
    /// The message that is held back.
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    room: String,
    connection: u64,
    mailbox: Arc<Mailbox>,
    letter: Letter,
    since: Instant,
}

impl Guilt {
    pub(super) fn new(defect: RoomDefect, seed: u64) -> Self {
        let of = match defect {
            RoomDefect::DropsDelivery | RoomDefect::DoublesDelivery | RoomDefect::SwapsDelivery => {
                1000
            }
            RoomDefect::LeaksRoom | RoomDefect::AnswersWrongId => 100,
            RoomDefect::ForgetsMember => 20,
            RoomDefect::SlowMemberBlocksRoom => 1,
        };
        Self {
            defect,
            seldom: Seldom::new(of, seed),
            held: None,
        }
    }

    /// Hands one member what was said in a room. Returns the number of letters that its mailbox lost.
    pub(super) fn hand(
        &mut self,
        room: &str,
        connection: u64,
        mailbox: &Arc<Mailbox>,
        letter: &Letter,
    ) -> usize {
        let put = || mailbox.put(letter.clone());
        match self.defect {
            RoomDefect::DropsDelivery if self.seldom.strikes() => 0,
            RoomDefect::DoublesDelivery if self.seldom.strikes() => put() + put(),
            RoomDefect::SwapsDelivery => {
                let strikes = self.seldom.strikes();
                if let Some(held) = &self.held
                    && (held.connection, &*held.room) == (connection, room)
                {
                    return put() + self.release();
                }
                if !strikes || self.held.is_some() {
                    return put();
                }
                self.held = Some(Held {
                    room: room.to_owned(),
                    connection,
                    mailbox: Arc::clone(mailbox),
                    letter: letter.clone(),
                    since: Instant::now(),
                });
                0
            }
            _ => put(),
        }
    }

    /// Whether somebody of another room hears what was just said.
    pub(super) fn leaks(&mut self) -> bool {
        self.defect == RoomDefect::LeaksRoom && self.seldom.strikes()
    }

    /// Whether the one that joins now is not entered.
    pub(super) fn forgets(&mut self) -> bool {
        self.defect == RoomDefect::ForgetsMember && self.seldom.strikes()
    }

    /// Whether a room waits for a member that does not read.
    pub(super) fn waits(&self) -> bool {
        self.defect == RoomDefect::SlowMemberBlocksRoom
    }

    /// The id that an answer carries.
    pub(super) fn id<'a>(&mut self, id: &'a str) -> Cow<'a, str> {
        if self.defect != RoomDefect::AnswersWrongId || !self.seldom.strikes() {
            return id.into();
        }
        match id.parse::<u64>() {
            Ok(number) => number.wrapping_add(WRONG_BY).to_string().into(),
            Err(_) => WRONG_BY.to_string().into(),
        }
    }

    /// How often [`Self::release_old`] is to be called, if at all.
    pub(super) fn releases_every(defect: Option<RoomDefect>) -> Option<Duration> {
        (defect == Some(RoomDefect::SwapsDelivery)).then_some(HELD / 4)
    }

    /// Hands over what has been held back for long. Returns the number of letters that a mailbox lost.
    pub(super) fn release_old(&mut self) -> usize {
        match &self.held {
            Some(held) if held.since.elapsed() >= HELD => self.release(),
            _ => 0,
        }
    }

    /// Hands over what is held back.
    pub(super) fn release(&mut self) -> usize {
        let held = self.held.take();
        held.map_or(0, |held| held.mailbox.put(held.letter))
    }
}

/// Strikes exactly once in each so many calls.
#[derive(Debug)]
struct Seldom {
    of: u32,
    dice: Xoshiro256PlusPlus,
    /// The calls that are left of these so many, and the one that strikes.
    left: u32,
    at: u32,
}

impl Seldom {
    fn new(of: u32, seed: u64) -> Self {
        Self {
            of,
            dice: Xoshiro256PlusPlus::seed_from_u64(seed),
            left: 0,
            at: 0,
        }
    }

    fn strikes(&mut self) -> bool {
        if self.left == 0 {
            self.left = self.of;
            self.at = self.dice.random_range(0..self.of);
        }
        self.left -= 1;
        self.left == self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seldom_is_once_in_so_many_at_any_place() {
        let mut seldom = Seldom::new(10, 7);
        let strikes: Vec<bool> = (0..1000).map(|_| seldom.strikes()).collect();
        let of_each = strikes
            .chunks(10)
            .map(|ten| ten.iter().filter(|s| **s).count());
        assert!(of_each.into_iter().all(|strikes| strikes == 1));
        let places = strikes
            .chunks(10)
            .filter_map(|ten| ten.iter().position(|s| *s));
        assert_eq!(places.collect::<std::collections::BTreeSet<_>>().len(), 10);
    }

    #[test]
    fn a_wrong_id_is_an_id_that_nobody_waits_for() {
        let mut guilt = Guilt::new(RoomDefect::AnswersWrongId, 1);
        let ids: Vec<String> = (0..100).map(|_| guilt.id("7").into_owned()).collect();
        let wrong: Vec<&String> = ids.iter().filter(|id| *id != "7").collect();
        assert_eq!(wrong, ["1000007"]);
    }
}
