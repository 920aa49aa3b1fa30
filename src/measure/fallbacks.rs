//! Addresses of the target that accepted no connection, so that dials continued with the next address.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Addresses after which dials continued with the next one: how often, and why. Bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallbacks(BTreeMap<String, Fallback>);

/// What happened at one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallback {
    /// How many dials continued with the next address.
    pub count: u64,
    /// The reason of the first of these dials.
    pub why: String,
}

impl Fallbacks {
    /// The most addresses that are kept.
    pub const MAX: usize = 64;

    /// Adds `count` dials that continued with the next address after this one.
    pub fn add(&mut self, address: &str, count: u64, why: &str) {
        if let Some(known) = self.0.get_mut(address) {
            known.count += count;
        } else if self.0.len() < Self::MAX {
            let why = why.to_owned();
            self.0.insert(address.to_owned(), Fallback { count, why });
        }
    }

    /// Adds the fallbacks of another worker or interval.
    pub fn merge(&mut self, other: &Self) {
        for (address, fallback) in other.iter() {
            self.add(address, fallback.count, &fallback.why);
        }
    }

    /// Removes all of them.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Each address, and what happened there.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Fallback)> {
        self.0.iter().map(|(address, one)| (address.as_str(), one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dials_are_counted_by_address_and_the_addresses_are_bounded() {
        let (mut all, mut some) = (Fallbacks::default(), Fallbacks::default());
        some.add("[::1]:1", 2, "refused");
        all.merge(&some);
        all.merge(&some);
        for number in 0..2 * Fallbacks::MAX {
            all.add(&number.to_string(), 1, "refused");
        }
        assert_eq!(all.iter().count(), Fallbacks::MAX);
        let (_, first) = all
            .iter()
            .find(|(address, _)| *address == "[::1]:1")
            .unwrap();
        assert_eq!((first.count, first.why.as_str()), (4, "refused"));
    }
}
