//! The stamp of a message that is published to a topic: whoever hears it knows whose it is, and which.

use std::cell::Cell;
use std::ops::RangeInclusive;

use memchr::memmem;

use super::stamp::{STAMP_LEN, hex, unhex};
use crate::units::Timestamp;

/// Version 2: `w2`, then in hexadecimal run (8 digits), lane (2), number in the topic (8), connection (6), message (2),
/// sequence (8) and intended time in nanoseconds, modulo 2^48 (12).
const VERSION: [u8; 2] = *b"w2";

/// Where each part begins.
const LANE: usize = 10;
const NUMBER: usize = 12;
const CONNECTION: usize = 20;
const MESSAGE: usize = 26;
const SEQUENCE: usize = 28;
const INTENDED: usize = 36;

/// What is left of the intended time: 78 hours.
const INTENDED_MASK: u64 = (1 << 48) - 1;

/// Identifies one message of one run that is published to a topic. It is text, so any server that forwards text forwards
/// it, and it holds nothing that JSON escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicStamp {
    /// The worker that published it, counted over all machines.
    pub lane: u8,
    /// The number among those that this worker published to the topic, from 0; after 2^32 it begins again.
    pub number: u32,
    /// The connection that published it; below 2^24.
    pub connection: u32,
    /// The number of the message or step among those of its cohort that are published; below 256.
    pub message: u8,
    /// The sequence number, from 0 for each connection and message, and for all steps together; after 2^32 it begins again.
    pub sequence: u32,
    /// When it was due.
    pub intended: Timestamp,
}

/// What a message is published as, and its place among those that one worker published to a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// What is published, as in [`TopicStamp::message`].
    pub message: u8,
    /// The worker, as in [`TopicStamp::lane`].
    pub lane: u8,
    /// The number, as in [`TopicStamp::number`].
    pub number: u32,
}

/// The stamps of one message of one connection, or of all its steps that are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSeries {
    run: [u8; 8],
    connection: [u8; MESSAGE - CONNECTION],
    messages: RangeInclusive<u8>,
}

impl TopicSeries {
    /// Takes the run, and the connection and the messages of a [`TopicStamp`].
    pub fn new(run: u32, connection: u32, messages: RangeInclusive<u8>) -> Self {
        let [_, _, connection @ ..] = hex(connection);
        Self {
            run: hex(run),
            connection,
            messages,
        }
    }

    /// Writes the 48 bytes of one stamp.
    pub fn stamp(
        &self,
        published: Published,
        sequence: u64,
        intended: Timestamp,
    ) -> [u8; STAMP_LEN] {
        let Published {
            message,
            lane,
            number,
        } = published;
        let intended = intended.as_nanos();
        let mut out = [0; STAMP_LEN];
        out[..2].copy_from_slice(&VERSION);
        out[2..LANE].copy_from_slice(&self.run);
        out[LANE..NUMBER].copy_from_slice(&hex(lane.into())[6..]);
        out[NUMBER..CONNECTION].copy_from_slice(&hex(number));
        out[CONNECTION..MESSAGE].copy_from_slice(&self.connection);
        out[MESSAGE..SEQUENCE].copy_from_slice(&hex(message.into())[6..]);
        out[SEQUENCE..INTENDED].copy_from_slice(&hex(sequence as u32));
        out[INTENDED..40].copy_from_slice(&hex((intended >> 32) as u32)[4..]);
        out[40..].copy_from_slice(&hex(intended as u32));
        out
    }
}

impl TopicSeries {
    /// Reads the sequence number and the intended time, nearest to `now`, of a stamp at the start of these bytes; `None`
    /// if there is no stamp of this series.
    pub fn read(&self, bytes: &[u8], now: Timestamp) -> Option<(u64, Timestamp)> {
        let is_own =
            bytes.get(2..LANE)? == self.run && bytes.get(CONNECTION..MESSAGE)? == self.connection;
        let stamp = TopicStamp::decode(bytes, now).filter(|_| is_own)?;
        let is_one = self.messages.contains(&stamp.message);
        is_one.then_some((stamp.sequence.into(), stamp.intended))
    }
}

impl TopicStamp {
    /// Reads a stamp, of any run, from the start of these bytes; `None` if there is none. The intended time is the
    /// nearest to `now`.
    pub fn decode(bytes: &[u8], now: Timestamp) -> Option<Self> {
        let bytes: &[u8; STAMP_LEN] = bytes.first_chunk()?;
        if bytes[..2] != VERSION {
            return None;
        }
        // The digits of the run must be such as well, so that each stamp has one encoding.
        unhex(*bytes[2..].first_chunk()?)?;
        Self::decode_rest(bytes, now)
    }

    /// Reads what stands behind the run. Reads eight digits at once, up to the last of a number: of shorter ones, those
    /// before are cut off.
    #[inline(always)]
    fn decode_rest(bytes: &[u8; STAMP_LEN], now: Timestamp) -> Option<Self> {
        let up_to = |end: usize| unhex(*bytes[end - 8..].first_chunk()?);
        let from = up_to(SEQUENCE)?;
        let intended_high = up_to(INTENDED + 4)? as u16;
        let intended = u64::from(intended_high) << 32 | u64::from(up_to(STAMP_LEN)?);
        Some(Self {
            lane: up_to(NUMBER)? as u8,
            number: up_to(CONNECTION)?,
            connection: from >> 8,
            message: from as u8,
            sequence: up_to(INTENDED)?,
            intended: nearest(intended, now),
        })
    }
}

/// Returns the time nearest to `now` that is `rest` modulo 2^48; none before the origin.
fn nearest(rest: u64, now: Timestamp) -> Timestamp {
    const HALF: u64 = 1 << 47;
    let now = now.as_nanos();
    let ahead = rest.wrapping_sub(now) & INTENDED_MASK;
    let time = match ahead < HALF {
        true => now.saturating_add(ahead),
        false => now.checked_sub(INTENDED_MASK + 1 - ahead).unwrap_or(rest),
    };
    Timestamp::from_nanos(time)
}

/// Finds the stamps of one run anywhere in received bytes.
#[derive(Debug, Clone)]
pub struct TopicFinder {
    start: [u8; LANE],
    search: memmem::Finder<'static>,
    /// Where the last one stood: messages of a kind look alike.
    last: Cell<usize>,
}

impl TopicFinder {
    /// Makes a finder for the stamps of this run.
    pub fn new(run: u32) -> Self {
        let mut start = [0; LANE];
        start[..2].copy_from_slice(&VERSION);
        start[2..].copy_from_slice(&hex(run));
        Self {
            search: memmem::Finder::new(&start).into_owned(),
            start,
            last: Cell::new(0),
        }
    }

    /// Returns a stamp of the run and the position of its first byte; the first of several, unless the last message had
    /// one in the same place.
    #[inline]
    pub fn find(&self, bytes: &[u8], now: Timestamp) -> Option<(usize, TopicStamp)> {
        let last = self.last.get();
        if let Some(stamp) = bytes.get(last..).and_then(<[u8]>::first_chunk)
            && stamp.starts_with(&self.start)
            && let Some(stamp) = TopicStamp::decode_rest(stamp, now)
        {
            return Some((last, stamp));
        }
        self.search(bytes, now)
    }

    #[inline(never)]
    fn search(&self, bytes: &[u8], now: Timestamp) -> Option<(usize, TopicStamp)> {
        let mut places = self.search.find_iter(bytes);
        let found = places.find_map(|at| Some((at, TopicStamp::decode(&bytes[at..], now)?)))?;
        self.last.set(found.0);
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(stamp: &TopicStamp, run: u32) -> [u8; STAMP_LEN] {
        let series = TopicSeries::new(run, stamp.connection, stamp.message..=stamp.message);
        let published = Published {
            message: stamp.message,
            lane: stamp.lane,
            number: stamp.number,
        };
        series.stamp(published, stamp.sequence.into(), stamp.intended)
    }

    fn stamps() -> impl Strategy<Value = TopicStamp> {
        let names = (
            any::<u8>(),
            any::<u32>(),
            0u32..1 << 24,
            any::<u8>(),
            any::<u32>(),
        );
        (names, 0u64..1 << 60).prop_map(|(names, intended)| TopicStamp {
            lane: names.0,
            number: names.1,
            connection: names.2,
            message: names.3,
            sequence: names.4,
            intended: Timestamp::from_nanos(intended),
        })
    }

    proptest! {
        /// Up to 39 hours before or after the intended time.
        #[test]
        fn a_stamp_is_found_wherever_a_server_puts_it(
            stamp in stamps(), run in any::<u32>(), since in -(1i64 << 47) + 1..1 << 47,
            around in prop::collection::vec(any::<u8>(), 0..40), last in 0usize..100,
        ) {
            let now = Timestamp::from_nanos(stamp.intended.as_nanos().saturating_add_signed(since));
            let bytes = encode(&stamp, run);
            prop_assert!(bytes.is_ascii());
            prop_assert_eq!(TopicStamp::decode(&bytes, now), Some(stamp));
            let series = |connection| TopicSeries::new(run, connection, 0..=stamp.message);
            let read = series(stamp.connection).read(&bytes, now);
            prop_assert_eq!(read, Some((stamp.sequence.into(), stamp.intended)));
            prop_assert_eq!(series(stamp.connection ^ 1).read(&bytes, now), None);
            let others = TopicSeries::new(run, stamp.connection, stamp.message.saturating_add(1)..=255);
            prop_assert!(stamp.message == 255 || others.read(&bytes, now).is_none());
            let wrapped = [&around[..], &bytes, &around].concat();
            let finder = TopicFinder::new(run);
            finder.last.set(last);
            for _ in 0..2 {
                prop_assert_eq!(finder.find(&wrapped, now), Some((around.len(), stamp)));
            }
            prop_assert_eq!(TopicFinder::new(run ^ 1).find(&wrapped, now), None);
            prop_assert_eq!(finder.find(&wrapped[..around.len() + STAMP_LEN - 1], now), None);
        }

        #[test]
        fn one_changed_byte_is_another_stamp_or_none(stamp in stamps(), place in 10..STAMP_LEN, byte in any::<u8>()) {
            let mut bytes = encode(&stamp, 7);
            prop_assume!(bytes[place] != byte);
            bytes[place] = byte;
            prop_assert_ne!(TopicStamp::decode(&bytes, stamp.intended), Some(stamp));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), last in any::<usize>(), now in any::<u64>()) {
            let finder = TopicFinder::new(0);
            finder.last.set(last);
            let _ = finder.find(&bytes, Timestamp::from_nanos(now));
        }

        #[test]
        fn any_stamp_is_read_at_any_time(rest in 0u64..1 << 48, now in any::<u64>()) {
            let time = nearest(rest, Timestamp::from_nanos(now)).as_nanos();
            prop_assert!(time & INTENDED_MASK == rest || time == u64::MAX);
        }
    }

    #[test]
    fn after_a_false_beginning_the_stamp_is_found() {
        let stamp = TopicStamp {
            lane: 1,
            number: 2,
            connection: 3,
            message: 4,
            sequence: 5,
            intended: Timestamp::from_nanos(6),
        };
        let bytes = encode(&stamp, 7);
        let text = [&bytes[..20], b"...", &bytes].concat();
        let found = TopicFinder::new(7).find(&text, Timestamp::ORIGIN);
        assert_eq!(found, Some((23, stamp)));
    }
}
