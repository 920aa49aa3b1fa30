//! A column of data whose values must not be shown. There may be millions of them, so they are kept sorted.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::secrets::{LEAST, forms};
use super::section::is_unreserved;

/// The values of a column that has secrets, in each form in which they can be read again.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SecretColumn(Arc<Values>);

#[derive(PartialEq, Eq)]
struct Values {
    /// What is shown instead.
    shown: String,
    text: String,
    /// Where each value stands in `text`, in the order of the values, without equal ones.
    places: Vec<Range<usize>>,
    beginnings: Beginnings,
}

/// Shows no value.
impl fmt::Debug for SecretColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretColumn({})", self.len())
    }
}

impl SecretColumn {
    /// Keeps those that are long enough to be hidden.
    pub(super) fn new<'v>(shown: String, values: impl Iterator<Item = &'v str>) -> Self {
        let mut text = String::new();
        let mut places = Vec::new();
        let mut keep = |value: &str| {
            if value.len() >= LEAST {
                places.push(text.len()..text.len() + value.len());
                text.push_str(value);
            }
        };
        for value in values {
            match value.bytes().all(is_unreserved) {
                true => keep(value),
                false => forms(value).iter().for_each(|form| keep(form)),
            }
        }
        places.sort_unstable_by(|one, other| text[one.clone()].cmp(&text[other.clone()]));
        places.dedup_by(|one, other| text[one.clone()] == text[other.clone()]);
        places.shrink_to_fit();
        let beginnings = Beginnings::of(places.iter().map(|place| &text.as_bytes()[place.clone()]));
        Self(Arc::new(Values {
            shown,
            text,
            places,
            beginnings,
        }))
    }

    /// The number of values, each form counted.
    pub(super) fn len(&self) -> usize {
        self.0.places.len()
    }

    /// The bytes that it takes.
    pub(super) fn memory(&self) -> u64 {
        let places = size_of::<Range<usize>>() * self.len();
        (self.0.text.len() + places + size_of_val(&*self.0.beginnings.bits)) as u64
    }

    /// What is shown instead of a value.
    pub(super) fn shown(&self) -> &str {
        &self.0.shown
    }

    /// Where values stand in a text: at each place the longest.
    pub(super) fn found(&self, text: &str) -> impl Iterator<Item = Range<usize>> {
        let places = 0..text.len();
        places.filter_map(|at| {
            let length = self.0.longest_at(&text.as_bytes()[at..])?;
            Some(at..at + length)
        })
    }

    /// The most bytes of a value's beginning with which the text ends; `None` for fewer than [`LEAST`].
    pub(super) fn begun(&self, text: &str) -> Option<usize> {
        let bytes = text.as_bytes();
        let ends = (0..bytes.len()).map(|at| &bytes[at..]);
        let mut ends = ends.filter(|end| self.0.beginnings.has(end));
        let begun = ends.find(|end| {
            // The first value that is not before the end begins with it, if one does.
            let first = (self.0.places).partition_point(|place| self.0.value(place) < *end);
            let first = self.0.places.get(first);
            first.is_some_and(|place| self.0.value(place).starts_with(end))
        });
        begun.map(<[u8]>::len)
    }
}

/// Which first bytes a value can have: most places of a text need no search.
#[derive(PartialEq, Eq)]
struct Beginnings {
    /// For each hash, whether a value has it; a power of two of them.
    bits: Box<[u64]>,
}

impl Beginnings {
    /// Takes about 16 bits for each value, so that few hashes are shared.
    fn of<'v>(values: impl ExactSizeIterator<Item = &'v [u8]>) -> Self {
        let words = (values.len() / 4).clamp(64, 1 << 22).next_power_of_two();
        let mut beginnings = Self {
            bits: vec![0; words].into(),
        };
        for value in values {
            if let Some((word, bit)) = beginnings.place(value) {
                beginnings.bits[word] |= bit;
            }
        }
        beginnings
    }

    /// The word and the bit of the first bytes, by multiplicative hashing (Knuth, volume 3, section 6.4); `None` where
    /// there are too few bytes.
    fn place(&self, bytes: &[u8]) -> Option<(usize, u64)> {
        let first = u32::from_le_bytes(*bytes.first_chunk::<LEAST>()?);
        let hash = u64::from(first).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let word = (hash >> 32) as usize & (self.bits.len() - 1);
        Some((word, 1 << (hash >> 26 & 63)))
    }

    /// Whether a value may have the first of these bytes.
    fn has(&self, bytes: &[u8]) -> bool {
        let place = self.place(bytes);
        place.is_some_and(|(word, bit)| self.bits[word] & bit != 0)
    }
}

impl Values {
    fn value(&self, place: &Range<usize>) -> &[u8] {
        &self.text.as_bytes()[place.clone()]
    }

    /// The length of the longest value with which these bytes begin.
    fn longest_at(&self, mut rest: &[u8]) -> Option<usize> {
        while self.beginnings.has(rest) {
            // All values with which the bytes begin stand before them, and the longest of these comes last.
            let before = self
                .places
                .partition_point(|place| self.value(place) <= rest);
            let nearest = self.value(self.places.get(before.checked_sub(1)?)?);
            let common = nearest
                .iter()
                .zip(rest)
                .take_while(|(one, other)| one == other);
            let common = common.count();
            if common == nearest.len() {
                return Some(common);
            }
            rest = &rest[..common];
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column(values: &[String]) -> SecretColumn {
        SecretColumn::new("x".to_owned(), values.iter().map(String::as_str))
    }

    #[test]
    fn a_value_is_found_in_each_of_its_forms() {
        let column = column(&["p@ss w\"rd".to_owned(), "abc".to_owned()]);
        for text in [
            "p@ss w\"rd",
            "p@ss w\\\"rd",
            "p@ss w%22rd",
            "p%40ss%20w%22rd",
        ] {
            let found: Vec<_> = column.found(text).collect();
            assert_eq!(found, vec![0..text.len(); 1], "{text}");
        }
        assert_eq!(column.found("abc").count(), 0, "it is too short");
        assert_eq!(
            format!("{column:?}"),
            format!("SecretColumn({})", column.len())
        );
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_a_search_for_each_value_finds(
            values in prop::collection::vec("[ab]{3,7}|[é€]{1,4}", 0..12), text in "[abé€]{0,30}",
        ) {
            let column = column(&values);
            // Forms of values with other letters are longer than the text of such letters could be.
            let longest = |at: usize| {
                let here = values.iter().filter(|value| value.len() >= LEAST);
                let here = here.filter(|value| text.as_bytes()[at..].starts_with(value.as_bytes()));
                here.map(String::len).max()
            };
            let expected: Vec<_> = (0..text.len()).filter_map(|at| Some(at..at + longest(at)?)).collect();
            prop_assert_eq!(column.found(&text).collect::<Vec<_>>(), expected);
            let begun = (0..text.len()).map(|at| &text.as_bytes()[at..]).find(|end| {
                end.len() >= LEAST && values.iter().any(|value| value.len() >= LEAST && value.as_bytes().starts_with(end))
            });
            prop_assert_eq!(column.begun(&text), begun.map(<[u8]>::len));
        }
    }
}
