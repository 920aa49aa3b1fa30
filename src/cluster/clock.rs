//! How far two clocks are apart, and how sure that is: a question and its answer, as in NTP (RFC 5905 section 8).

/// One question and its answer. Times are in nanoseconds since 1970, each by its own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When it was asked, by the clock of who asks.
    pub sent_ns: u64,
    /// What the other clock said.
    pub theirs_ns: u64,
    /// When the answer was there, by the clock of who asks.
    pub received_ns: u64,
}

/// How far another clock is ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    /// Its time less ours; negative if it is behind.
    pub ns: i64,
    /// The offset is at most so much more or less: half of the round trip.
    pub bound_ns: u64,
}

impl Sample {
    /// `None` if time went backwards, or the clocks are centuries apart.
    fn offset(self) -> Option<Offset> {
        let bound_ns = self.received_ns.checked_sub(self.sent_ns)?.div_ceil(2);
        let middle = self.sent_ns.checked_add(bound_ns)?;
        let ns = i128::from(self.theirs_ns) - i128::from(middle);
        Some(Offset {
            ns: ns.try_into().ok()?,
            bound_ns,
        })
    }
}

/// The offset of the quickest answer, which is the surest.
#[must_use]
pub fn best(samples: &[Sample]) -> Option<Offset> {
    let offsets = samples.iter().filter_map(|sample| sample.offset());
    offsets.min_by_key(|offset| offset.bound_ns)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_true_offset_is_within_the_bound(
            ahead in -1_000_000_000_000_i64..1_000_000_000_000,
            questions in proptest::collection::vec((0..1_000_000_u64, 0..1_000_000_u64), 1..32),
        ) {
            let mut now = 1_800_000_000_000_000_000_u64;
            let mut samples = Vec::new();
            for (there, back) in questions {
                let sent_ns = now;
                let theirs_ns = (now + there).checked_add_signed(ahead).unwrap();
                now += there + back;
                samples.push(Sample { sent_ns, theirs_ns, received_ns: now });
            }
            let offset = best(&samples).unwrap();
            prop_assert!(offset.ns.abs_diff(ahead) <= offset.bound_ns);
            let quickest = samples.iter().map(|one| one.received_ns - one.sent_ns).min().unwrap();
            prop_assert_eq!(offset.bound_ns, quickest.div_ceil(2));
        }

        #[test]
        fn no_times_panic(sent_ns: u64, theirs_ns: u64, received_ns: u64) {
            let _ = best(&[Sample { sent_ns, theirs_ns, received_ns }]);
        }
    }

    #[test]
    fn without_an_answer_nothing_is_known() {
        assert_eq!(best(&[]), None);
        let backwards = Sample {
            sent_ns: 2,
            theirs_ns: 2,
            received_ns: 1,
        };
        assert_eq!(best(&[backwards]), None);
    }
}
