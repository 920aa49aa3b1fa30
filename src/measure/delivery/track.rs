//! What a member has heard of a topic already: for duplicates and for the order.

/// How many messages back a duplicate is known, for each worker that publishes.
const REMEMBERED: u32 = 1024;
const WORDS: usize = REMEMBERED as usize / u64::BITS as usize;
/// The number of speakers whose order is looked at: the last ones.
const SPEAKERS: usize = 16;

/// Whether a message was heard before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// It was not.
    First,
    /// It was.
    Before,
    /// It is too old to tell.
    Unknown,
}

/// What was heard of a topic, and from whom last.
#[derive(Debug, Default)]
pub(super) struct Track {
    lanes: Vec<Lane>,
    /// The last heard first.
    speakers: Vec<Speaker>,
}

/// The messages that one worker published, by their numbers in the topic.
#[derive(Debug)]
struct Lane {
    number: u8,
    newest: u32,
    /// A bit for each of the last [`REMEMBERED`] numbers, at the number modulo their count.
    heard: Box<[u64; WORDS]>,
}

#[derive(Debug, Clone, Copy)]
struct Speaker {
    connection: u32,
    newest: u32,
}

impl Track {
    /// Takes a message, and returns whether it was heard before.
    pub(super) fn hear(&mut self, lane: u8, sequence: u32) -> Seen {
        match self.lanes.iter_mut().find(|known| known.number == lane) {
            Some(lane) => lane.hear(sequence),
            None => {
                self.lanes.push(Lane::starting(lane, sequence));
                Seen::First
            }
        }
    }

    /// Takes a message that was not heard before, and returns whether a later one of the same speaker was.
    pub(super) fn is_unordered(&mut self, speaker: u32, sequence: u32) -> bool {
        let known = self
            .speakers
            .iter()
            .position(|one| one.connection == speaker);
        let Some(place) = known else {
            self.speakers.truncate(SPEAKERS - 1);
            let new = Speaker {
                connection: speaker,
                newest: sequence,
            };
            self.speakers.insert(0, new);
            return false;
        };
        self.speakers[..=place].rotate_right(1);
        let newest = &mut self.speakers[0].newest;
        if is_newer(sequence, *newest) {
            *newest = sequence;
            return false;
        }
        true
    }
}

impl Lane {
    fn starting(number: u8, sequence: u32) -> Self {
        let mut lane = Self {
            number,
            newest: sequence,
            heard: Box::new([0; WORDS]),
        };
        lane.mark(sequence);
        lane
    }

    fn hear(&mut self, sequence: u32) -> Seen {
        if is_newer(sequence, self.newest) {
            let ahead = sequence.wrapping_sub(self.newest);
            if ahead >= REMEMBERED {
                self.heard.fill(0);
            } else {
                (1..ahead).for_each(|step| self.forget(self.newest.wrapping_add(step)));
            }
            self.newest = sequence;
        } else if self.newest.wrapping_sub(sequence) >= REMEMBERED {
            return Seen::Unknown;
        } else if self.is_marked(sequence) {
            return Seen::Before;
        }
        self.mark(sequence);
        Seen::First
    }

    fn place(sequence: u32) -> (usize, u64) {
        let bit = sequence % REMEMBERED;
        ((bit / u64::BITS) as usize, 1 << (bit % u64::BITS))
    }

    fn mark(&mut self, sequence: u32) {
        let (word, bit) = Self::place(sequence);
        self.heard[word] |= bit;
    }

    fn forget(&mut self, sequence: u32) {
        let (word, bit) = Self::place(sequence);
        self.heard[word] &= !bit;
    }

    fn is_marked(&self, sequence: u32) -> bool {
        let (word, bit) = Self::place(sequence);
        self.heard[word] & bit != 0
    }
}

/// Whether a number is newer than another; after 2^32 they begin with 0 again.
fn is_newer(this: u32, other: u32) -> bool {
    (this.wrapping_sub(other) as i32) > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, HashSet};

    proptest! {
        #[test]
        fn duplicates_are_those_of_a_set(
            start in any::<u32>(), steps in prop::collection::vec((-1_100i32..1_100, 0u8..3), 1..300),
        ) {
            let mut track = Track::default();
            let mut heard = HashSet::new();
            let mut newest: BTreeMap<u8, u32> = BTreeMap::new();
            for (step, lane) in steps {
                let newest = newest.entry(lane).or_insert(start);
                let sequence = newest.wrapping_add_signed(step);
                let is_first_of_lane = !heard.iter().any(|(one, _)| *one == lane);
                let is_old = !is_first_of_lane && step <= -1024;
                let expected = match heard.contains(&(lane, sequence)) {
                    _ if is_old => Seen::Unknown,
                    true => Seen::Before,
                    false => Seen::First,
                };
                prop_assert_eq!(track.hear(lane, sequence), expected);
                if !is_old {
                    heard.insert((lane, sequence));
                }
                if step > 0 || is_first_of_lane {
                    *newest = sequence;
                }
            }
        }

        #[test]
        fn the_order_of_a_few_speakers_is_known(says in prop::collection::vec((0u32..16, any::<u32>()), 1..100)) {
            let mut track = Track::default();
            let mut newest: BTreeMap<u32, u32> = BTreeMap::new();
            for (speaker, sequence) in says {
                let sequence = sequence >> 1;
                let last = newest.entry(speaker).or_insert(sequence);
                let expected = sequence < *last;
                // The same number twice is a duplicate, which is not asked for.
                prop_assume!(sequence != *last || *last == sequence && !expected);
                *last = (*last).max(sequence);
                let is_known = track.speakers.iter().any(|one| one.connection == speaker && one.newest == sequence);
                let is_unordered = track.is_unordered(speaker, sequence);
                prop_assert!(is_known || is_unordered == expected);
            }
        }
    }

    #[test]
    fn who_spoke_long_ago_is_forgotten() {
        let mut track = Track::default();
        for speaker in 0..17 {
            assert!(!track.is_unordered(speaker, 5));
        }
        assert!(!track.is_unordered(0, 1), "sixteen others spoke since");
        assert!(track.is_unordered(16, 1));
        assert_eq!(track.speakers.len(), SPEAKERS);
    }
}
