//! The same by a memory without limits.

use std::collections::{HashMap, HashSet};

use super::world::{Event, Run};
use crate::measure::delivery::Receipt;

/// Remembers everything.
#[derive(Default)]
pub(super) struct Naive {
    heard: HashSet<(u32, usize, usize)>,
    newest: HashMap<(u32, usize, u32), u64>,
}

impl Naive {
    /// What it means that a connection hears a message, by its whole history.
    pub(super) fn hear(&mut self, run: &Run, connection: u32, index: usize, now: u64) -> Receipt {
        let publish = &run.publishes[index];
        let is_lost = |from: u64| {
            run.events.iter().any(|(at, of, event)| {
                *of == connection && *event == Event::Lost && (from..=now).contains(at)
            })
        };
        let stays = run.stays.iter().enumerate().filter(|(_, stay)| {
            stay.connection == connection && stay.topic == publish.topic && stay.served.0 <= now
        });
        let stay = stays.max_by_key(|(_, stay)| stay.from).filter(|(_, stay)| {
            let is_there = now <= stay.to.saturating_add(run.shape.patience);
            is_there && !is_lost(stay.from)
        });
        let is_returned = publish.speaker == connection && Run::keeps_back(publish.topic);
        let Some((number, stay)) = stay.filter(|_| !is_returned) else {
            return Receipt::Stray;
        };
        if !self.heard.insert((connection, number, index)) {
            return Receipt::Duplicate;
        }
        let second = publish.intended / 1000;
        let is_member = (stay.from..stay.to).contains(&now);
        let newest = self
            .newest
            .entry((connection, number, publish.speaker))
            .or_default();
        let place = 1 + u64::from(publish.sequence);
        let is_unordered = place < *newest;
        *newest = place.max(*newest);
        Receipt::First {
            is_late: now - publish.intended > run.timeout(publish.topic),
            is_unsure: !is_member || stay.from > second * 1000,
            is_unordered,
        }
    }
}
