//! One direction of one connection: the bytes on their way, each with the time at which it is due, and the end of TCP.
//! Pure: the caller passes the time, and does the I/O. Times count from the relay's start.

use std::collections::VecDeque;

use bytes::{Buf as _, BytesMut};
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::schedule::Conditions;

use crate::units::{Nanos, Timestamp};

/// The most bytes that are held for one direction. Beyond that, reading stops, and TCP makes the sender wait.
pub(super) const MOST_BYTES: usize = 256 << 10;
/// The same limit while bytes are throttled: it is lower, so that the bytes wait at the sender.
const MOST_THROTTLED: usize = 16 << 10;
/// The most reads with different due times.
const MOST_READS: usize = 4096;
/// The most memory that an idle direction keeps for its queue, in bytes.
const KEPT_BYTES: usize = 4 << 10;
/// How many times a second a throttled direction passes bytes on.
const PORTIONS: u64 = 100;
/// How much time a throttled direction may catch up after a late wake-up: one portion.
const CATCH_UP: Nanos = Nanos(1_000_000_000 / PORTIONS);

/// How a sender ended TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Fin,
    Rst,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Pipe {
    bytes: BytesMut,
    /// The due time of each chunk and its number of bytes, in order.
    due: VecDeque<(Timestamp, usize)>,
    /// The latest due time so far.
    last_due: Timestamp,
    /// The end of TCP behind the bytes, and when it is due.
    end: Option<(End, Timestamp)>,
    /// Until this time a throttle lets nothing pass.
    next_portion: Timestamp,
    random: Xoshiro256PlusPlus,
    /// Whether a limit was ever reached.
    was_full: bool,
}

impl Pipe {
    /// An empty direction.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            bytes: BytesMut::new(),
            due: VecDeque::new(),
            last_due: Timestamp::ORIGIN,
            end: None,
            next_portion: Timestamp::ORIGIN,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            was_full: false,
        }
    }

    /// How many bytes there is room for. If 0, further bytes must wait in the sender's socket.
    pub(super) fn room(&mut self, conditions: &Conditions) -> usize {
        let most = match conditions.rate {
            Some(_) => MOST_THROTTLED,
            None => MOST_BYTES,
        };
        let mut room = most.saturating_sub(self.bytes.len());
        if self.due.len() >= MOST_READS {
            room = 0;
        }
        self.was_full |= room == 0 && conditions.rate.is_none();
        room
    }

    /// Whether there was ever no room, for another reason than a throttle.
    pub(super) fn was_full(&self) -> bool {
        self.was_full
    }

    /// Adds bytes that have come.
    pub(super) fn take(&mut self, bytes: &[u8], conditions: &Conditions, now: Timestamp) {
        let due = self.late(conditions, now);
        self.bytes.extend_from_slice(bytes);
        match self.due.back_mut() {
            Some((last, length)) if *last == due => *length += bytes.len(),
            _ => self.due.push_back((due, bytes.len())),
        }
    }

    /// Adds the end of TCP. A RST replaces a FIN; anything else after an end is ignored.
    pub(super) fn take_end(&mut self, end: End, conditions: &Conditions, now: Timestamp) {
        let is_new = match self.end {
            None => true,
            Some((before, _)) => before == End::Fin && end == End::Rst,
        };
        if is_new {
            self.end = Some((end, self.late(conditions, now)));
        }
    }

    /// Drops the bytes that are on their way.
    pub(super) fn clear(&mut self) {
        self.bytes = BytesMut::new();
        self.due.clear();
    }

    /// The bytes that are to be passed on now.
    pub(super) fn front(&self, conditions: &Conditions, now: Timestamp) -> &[u8] {
        let is_due = self.due.iter().take_while(|(due, _)| *due <= now);
        let mut length: usize = is_due.map(|(_, length)| length).sum();
        if let Some(rate) = conditions.rate {
            if now < self.next_portion {
                return &[];
            }
            length = length.min(portion(rate));
        }
        &self.bytes[..length]
    }

    /// Removes this many bytes, which were passed on.
    pub(super) fn passed(&mut self, count: usize, conditions: &Conditions, now: Timestamp) {
        self.bytes.advance(count);
        let mut left = count;
        while let Some((_, length)) = self.due.front_mut() {
            if *length > left {
                *length -= left;
                break;
            }
            left -= *length;
            self.due.pop_front();
        }
        if self.due.is_empty() && self.bytes.capacity() > KEPT_BYTES {
            self.clear();
        }
        if let Some(rate) = conditions.rate {
            let takes = Nanos::from_secs(1).saturating_mul(count as u64) / rate.max(1);
            let from = self.next_portion.max(now.saturating_sub(CATCH_UP));
            self.next_portion = from.saturating_add(takes);
        }
    }

    /// The end of TCP, if it is to be passed on now.
    pub(super) fn end(&self, now: Timestamp) -> Option<End> {
        let (end, due) = self.end?;
        (self.due.is_empty() && due <= now).then_some(end)
    }

    /// Whether the end of TCP has come, so that nothing more follows.
    pub(super) fn has_end(&self) -> bool {
        self.end.is_some()
    }

    /// When the next bytes become due; `Timestamp::NEVER` if there are none, or if they are due already.
    pub(super) fn next_due(&self, conditions: &Conditions, now: Timestamp) -> Timestamp {
        let portion = conditions
            .rate
            .map_or(Timestamp::ORIGIN, |_| self.next_portion);
        let due = match (self.due.front(), self.end) {
            (Some((due, _)), _) => (*due).max(portion),
            (None, Some((_, due))) => due,
            (None, None) => Timestamp::NEVER,
        };
        if due > now { due } else { Timestamp::NEVER }
    }

    /// When something that comes now is due: never before what came earlier.
    fn late(&mut self, conditions: &Conditions, now: Timestamp) -> Timestamp {
        let share = (u128::from(self.random.next_u64()) * u128::from(conditions.jitter.0)) >> 64;
        let due = now
            .saturating_add(conditions.delay)
            .saturating_add(Nanos(share as u64));
        self.last_due = self.last_due.max(due);
        self.last_due
    }
}

/// How many bytes a throttle passes on at a time.
fn portion(rate: u64) -> usize {
    (rate / PORTIONS).clamp(1, MOST_THROTTLED as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn late(delay_ns: u64, jitter_ns: u64) -> Conditions {
        Conditions {
            delay: Nanos(delay_ns),
            jitter: Nanos(jitter_ns),
            ..Conditions::default()
        }
    }

    fn throttled(rate: u64) -> Conditions {
        Conditions {
            rate: Some(rate),
            ..Conditions::default()
        }
    }

    /// Passes on all bytes that are due.
    fn drain(pipe: &mut Pipe, conditions: &Conditions, now: u64) -> Vec<u8> {
        let bytes = pipe.front(conditions, Timestamp::from_nanos(now)).to_vec();
        pipe.passed(bytes.len(), conditions, Timestamp::from_nanos(now));
        bytes
    }

    proptest! {
        #[test]
        fn bytes_keep_their_order_and_none_is_early_or_later_than_delay_and_jitter(
            reads in prop::collection::vec((0u64..2_000, 1usize..50, 0u64..3_000, 0u64..3_000), 1..60),
            seed: u64,
        ) {
            let mut pipe = Pipe::new(seed);
            let (mut now, mut next, mut latest) = (0, 0u8, 0);
            let mut came = Vec::new();
            let mut passed = Vec::new();
            for (gap, length, delay, jitter) in reads {
                let until = now + gap;
                while now < until {
                    let due = pipe.next_due(&late(0, 0), Timestamp::from_nanos(now)).min(Timestamp::from_nanos(until));
                    now = due.as_nanos();
                    passed.extend(drain(&mut pipe, &late(0, 0), now).into_iter().map(|byte| (byte, now)));
                }
                latest = latest.max(now + delay + jitter);
                let bytes: Vec<u8> = (0..length).map(|_| { next = next.wrapping_add(1); next }).collect();
                came.extend(bytes.iter().map(|byte| (*byte, now + delay, latest)));
                pipe.take(&bytes, &late(delay, jitter), Timestamp::from_nanos(now));
            }
            pipe.take_end(End::Fin, &late(0, 0), Timestamp::from_nanos(now));
            while pipe.end(Timestamp::from_nanos(now)).is_none() {
                now = match pipe.next_due(&late(0, 0), Timestamp::from_nanos(now)) { Timestamp::NEVER => now, due => due.as_nanos() };
                passed.extend(drain(&mut pipe, &late(0, 0), now).into_iter().map(|byte| (byte, now)));
            }
            prop_assert_eq!(came.len(), passed.len());
            for ((byte, earliest, latest), (other, at)) in came.into_iter().zip(passed) {
                prop_assert_eq!(byte, other);
                prop_assert!(earliest <= at && at <= latest, "{earliest} <= {at} <= {latest}");
            }
        }

        #[test]
        fn a_throttle_passes_its_rate_and_hardly_more(rate in 1u64..5_000_000, late_ns in 0u64..5_000_000) {
            let conditions = throttled(rate);
            let mut pipe = Pipe::new(1);
            let (mut now, mut passed) = (0, 0);
            pipe.take(&[0], &conditions, Timestamp::ORIGIN);
            while now < SECOND_NS {
                passed += drain(&mut pipe, &conditions, now).len() as u64;
                let room = pipe.room(&conditions);
                pipe.take(&vec![0; room], &conditions, Timestamp::from_nanos(now));
                now = match pipe.next_due(&conditions, Timestamp::from_nanos(now)) {
                    Timestamp::NEVER => now,
                    due => (due + Nanos(late_ns)).as_nanos(),
                };
            }
            // Allows for the first portion, and one to catch up with.
            let most = rate + 2 * (rate / PORTIONS + 1);
            prop_assert!(passed <= most, "{passed} of {rate}");
            // Allows for a portion that is left over at the end.
            prop_assert!(passed + rate / PORTIONS + 1 >= rate * 98 / 100, "{passed} of {rate}");
        }
    }

    #[test]
    fn what_is_held_is_bounded_by_bytes_and_by_reads() {
        let waiting = late(SECOND_NS, 0);
        let mut pipe = Pipe::new(1);
        assert_eq!(pipe.room(&waiting), MOST_BYTES);
        pipe.take(&vec![0; MOST_BYTES - 1], &waiting, Timestamp::ORIGIN);
        assert_eq!(pipe.room(&waiting), 1);
        assert!(!pipe.was_full());
        pipe.take(&[0], &waiting, Timestamp::ORIGIN);
        assert_eq!(pipe.room(&waiting), 0);
        assert!(pipe.was_full());

        let mut pipe = Pipe::new(1);
        for now in 0..MOST_READS as u64 {
            assert_ne!(pipe.room(&waiting), 0);
            pipe.take(&[0], &waiting, Timestamp::from_nanos(now));
        }
        assert_eq!(pipe.room(&waiting), 0);
    }

    #[test]
    fn an_idle_pipe_gives_its_memory_back() {
        let mut pipe = Pipe::new(1);
        pipe.take(&vec![0; MOST_BYTES], &late(0, 0), Timestamp::ORIGIN);
        assert_eq!(drain(&mut pipe, &late(0, 0), 0).len(), MOST_BYTES);
        assert!(pipe.bytes.capacity() <= KEPT_BYTES);
    }

    #[test]
    fn a_rst_overrules_a_fin_and_both_come_after_the_bytes() {
        let conditions = late(10, 0);
        let mut pipe = Pipe::new(1);
        pipe.take(b"bytes", &conditions, Timestamp::ORIGIN);
        pipe.take_end(End::Fin, &conditions, Timestamp::from_nanos(5));
        pipe.take_end(End::Rst, &conditions, Timestamp::from_nanos(7));
        pipe.take_end(End::Fin, &conditions, Timestamp::from_nanos(8));
        assert_eq!(
            pipe.next_due(&conditions, Timestamp::ORIGIN),
            Timestamp::from_nanos(10)
        );
        assert_eq!(
            pipe.end(Timestamp::from_nanos(20)),
            None,
            "the bytes are still there"
        );
        assert_eq!(drain(&mut pipe, &conditions, 10), b"bytes");
        assert_eq!(
            pipe.next_due(&conditions, Timestamp::from_nanos(10)),
            Timestamp::from_nanos(17)
        );
        assert_eq!(pipe.end(Timestamp::from_nanos(17)), Some(End::Rst));
    }
}
