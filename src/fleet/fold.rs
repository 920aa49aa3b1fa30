//! What agents hand over, in whatever order and however often it comes, as each has written it: in order, and once.

use std::collections::BTreeMap;

/// How many records of an agent may wait for one before them. A broker keeps the order of one sender, so it takes a
/// lost message and a repeated one that crossed to need this at all.
const MOST_WAITING: usize = 64;

/// Why a record cannot be taken. Fits after "it ".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FoldError {
    /// Too many came before it.
    #[error("lost record {0}: many came after it")]
    Missing(u64),
}

/// The records of one agent.
#[derive(Debug, Default)]
pub(super) struct Fold {
    /// The next that is due.
    next: u64,
    waiting: BTreeMap<u64, Vec<u8>>,
}

impl Fold {
    /// Takes the record with this number. One that was taken already is dropped.
    ///
    /// # Errors
    /// When one before it seems to be lost.
    pub(super) fn take(&mut self, number: u64, record: Vec<u8>) -> Result<(), FoldError> {
        if number >= self.next {
            self.waiting.entry(number).or_insert(record);
        }
        match self.waiting.len() > MOST_WAITING && !self.waiting.contains_key(&self.next) {
            true => Err(FoldError::Missing(self.next)),
            false => Ok(()),
        }
    }

    /// The next record, if it is there.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let record = self.waiting.remove(&self.next)?;
        self.next += 1;
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folded(deliveries: &[u64]) -> Vec<Vec<u8>> {
        let mut fold = Fold::default();
        let mut all = Vec::new();
        for number in deliveries {
            fold.take(*number, number.to_le_bytes().to_vec()).unwrap();
            all.extend(std::iter::from_fn(|| fold.next()));
        }
        all
    }

    proptest! {
        /// Each comes at least once, in any order and any number of times.
        #[test]
        fn records_are_folded_in_order_and_once(
            deliveries in (1u64..40).prop_flat_map(|count| {
                let again = prop::collection::vec(0..count, 0..40);
                again.prop_flat_map(move |again| Just((0..count).chain(again).collect::<Vec<_>>()).prop_shuffle())
            }),
        ) {
            let count = deliveries.iter().max().map_or(0, |last| last + 1);
            let expected: Vec<Vec<u8>> = (0..count).map(|number| number.to_le_bytes().to_vec()).collect();
            prop_assert_eq!(folded(&deliveries), expected);
        }
    }

    #[test]
    fn one_that_never_comes_is_missed() {
        let mut fold = Fold::default();
        fold.take(0, Vec::new()).unwrap();
        assert!(fold.next().is_some());
        let mut taken = (2..).map(|number| fold.take(number, Vec::new()));
        let refused = taken.find_map(Result::err);
        assert_eq!(refused, Some(FoldError::Missing(1)));
        assert_eq!(fold.next(), None);
    }
}
