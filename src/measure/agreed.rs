//! What clients and servers agreed on when they connected, such as versions, ciphers and limits: what was really measured.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How often each value of each thing was agreed on. Bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed(BTreeMap<String, BTreeMap<String, u64>>);

impl Agreed {
    /// The most values of one thing that are kept.
    pub const MAX: usize = 32;

    /// Adds `count` connections that agreed on this value.
    pub fn add(&mut self, what: &str, value: &str, count: u64) {
        if !self.0.contains_key(what) && self.0.len() < Self::MAX {
            self.0.insert(what.to_owned(), BTreeMap::new());
        }
        let Some(values) = self.0.get_mut(what) else {
            return;
        };
        if let Some(known) = values.get_mut(value) {
            *known += count;
        } else if values.len() < Self::MAX {
            values.insert(value.to_owned(), count);
        }
    }

    /// Adds what was agreed on with another worker or in another interval.
    pub fn merge(&mut self, other: &Self) {
        for (what, values) in &other.0 {
            for (value, count) in values {
                self.add(what, value, *count);
            }
        }
    }

    /// Removes all of it.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether nothing was agreed on.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All values of all things, and how often each was agreed on.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, u64)> {
        let values = self.0.values().flatten();
        values.map(|(value, count)| (value.as_str(), *count))
    }

    /// The values of one thing, and how often each was agreed on.
    pub fn values(&self, what: &str) -> impl Iterator<Item = (&str, u64)> {
        let values = self.0.get(what).into_iter().flatten();
        values.map(|(value, count)| (value.as_str(), *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_by_what_they_are_of_and_bounded() {
        let (mut all, mut some) = (Agreed::default(), Agreed::default());
        some.add("http", "2", 3);
        all.merge(&some);
        all.merge(&some);
        for number in 0..2 * Agreed::MAX {
            all.add("streams", &number.to_string(), 1);
        }
        assert_eq!(all.values("http").collect::<Vec<_>>(), [("2", 6)]);
        assert_eq!(all.values("streams").count(), Agreed::MAX);
        assert_eq!(all.values("cipher").count(), 0);
    }
}
