//! How a service fared in the last minute, ten minutes, hour and day: four rings of a fixed size, however long it is
//! watched.

use std::collections::VecDeque;

/// What was seen in a span of time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Seen {
    /// Seconds, and those of all clients that were open, and those of all clients.
    pub(super) seconds: u64,
    pub(super) open: u64,
    pub(super) clients: u64,
    pub(super) answered: u64,
    pub(super) sum_ns: u64,
    pub(super) best_ns: u64,
    pub(super) worst_ns: u64,
    pub(super) missed: u64,
    pub(super) late: u64,
    pub(super) losses: u64,
}

impl Seen {
    /// One round trip.
    pub(super) fn answer(&mut self, ns: u64) {
        self.best_ns = match self.answered {
            0 => ns,
            _ => self.best_ns.min(ns),
        };
        self.answered += 1;
        self.sum_ns = self.sum_ns.saturating_add(ns);
        self.worst_ns = self.worst_ns.max(ns);
    }

    pub(super) fn mean_ns(&self) -> Option<u64> {
        self.sum_ns.checked_div(self.answered)
    }

    fn add(&mut self, other: &Self) {
        if other.answered > 0 {
            self.best_ns = match self.answered {
                0 => other.best_ns,
                _ => self.best_ns.min(other.best_ns),
            };
        }
        self.seconds += other.seconds;
        self.open += other.open;
        self.clients += other.clients;
        self.answered += other.answered;
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        self.worst_ns = self.worst_ns.max(other.worst_ns);
        self.missed += other.missed;
        self.late += other.late;
        self.losses += other.losses;
    }
}

/// The newest spans of equal length, and the one that is not full.
#[derive(Debug)]
struct Ring {
    name: &'static str,
    /// Seconds in a span, and spans in the ring.
    width: u64,
    spans: usize,
    full: VecDeque<Seen>,
    running: Seen,
}

impl Ring {
    fn new(name: &'static str, width: u64, spans: usize) -> Self {
        Self {
            name,
            width,
            spans,
            full: VecDeque::with_capacity(spans),
            running: Seen::default(),
        }
    }

    fn push(&mut self, second: &Seen) {
        self.running.add(second);
        if self.running.seconds >= self.width {
            if self.full.len() == self.spans {
                self.full.pop_front();
            }
            self.full.push_back(std::mem::take(&mut self.running));
        }
    }

    /// The newest spans together, as long as the ring is at most.
    fn all(&self) -> Seen {
        let mut all = self.running;
        let skipped = usize::from(self.running.seconds > 0 && self.full.len() == self.spans);
        self.full
            .iter()
            .skip(skipped)
            .for_each(|span| all.add(span));
        all
    }
}

/// The last minute, ten minutes, hour and day.
#[derive(Debug)]
pub(super) struct Rolling([Ring; 4]);

impl Default for Rolling {
    fn default() -> Self {
        Self([
            Ring::new("1 min", 1, 60),
            Ring::new("10 min", 10, 60),
            Ring::new("1 h", 60, 60),
            Ring::new("1 day", 900, 96),
        ])
    }
}

impl Rolling {
    /// Adds a second.
    pub(super) fn push(&mut self, second: &Seen) {
        self.0.iter_mut().for_each(|ring| ring.push(second));
    }

    /// The name of each span, and what was seen in it.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, Seen)> {
        self.0.iter().map(|ring| (ring.name, ring.all()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_span_forgets_what_is_older() {
        let mut rolling = Rolling::default();
        let mut seen = |missed| {
            let mut second = Seen {
                seconds: 1,
                open: 5,
                clients: 5,
                missed,
                ..Seen::default()
            };
            second.answer(7);
            rolling.push(&second);
        };
        seen(1);
        (0..59).for_each(|_| seen(0));
        (0..600).for_each(|_| seen(0));
        seen(2);
        let told: Vec<_> = rolling
            .all()
            .map(|(name, seen)| (name, seen.missed))
            .collect();
        assert_eq!(
            told,
            [("1 min", 2), ("10 min", 2), ("1 h", 3), ("1 day", 3)]
        );
        for _ in 0..100_000 {
            rolling.push(&Seen {
                seconds: 1,
                ..Seen::default()
            });
        }
        let lengths: Vec<_> = rolling.all().map(|(_, seen)| seen.seconds).collect();
        assert_eq!(lengths[0], 60);
        assert!((590..=600).contains(&lengths[1]), "{lengths:?}");
        assert!((3_540..=3_600).contains(&lengths[2]), "{lengths:?}");
        assert!((85_500..=86_400).contains(&lengths[3]), "{lengths:?}");
        assert!(rolling.0.iter().all(|ring| ring.full.len() <= ring.spans));
    }
}
