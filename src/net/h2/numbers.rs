//! The numbers of TCP connections that are shared. What a client shows follows from its number; what a shared connection
//! shows, from one of its own.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What a TCP connection shows, and where it goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// The place of its server in the list of its cohort.
    pub(crate) server: usize,
    /// Selects its certificate, the address that it claims, and the sessions of TLS that it resumes.
    pub(crate) number: u32,
    /// Selects an address of its server, and its source address.
    pub(crate) turn: u32,
}

/// Numbers of which the lowest that is free is given first.
#[derive(Debug, Default)]
struct Lowest {
    next: u32,
    given_back: BTreeSet<u32>,
}

impl Lowest {
    fn take(&mut self) -> u32 {
        self.given_back.pop_first().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }

    fn give_back(&mut self, number: u32) {
        self.given_back.insert(number);
    }
}

/// The numbers that the shared connections of one worker have in one cohort: `first`, and every `step`-th behind it. So
/// those of other workers and cohorts have others.
#[derive(Debug)]
pub(super) struct Numbering {
    first: u32,
    step: u32,
    /// Over all servers.
    numbers: Lowest,
    /// By server.
    turns: BTreeMap<usize, Lowest>,
}

impl Numbering {
    pub(super) fn new(first: u32, step: u32) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            first,
            step,
            numbers: Lowest::default(),
            turns: BTreeMap::new(),
        }))
    }

    /// Takes the lowest numbers that are free for one more connection to a server. They are free again when the lease ends.
    pub(super) fn lease(this: &Rc<RefCell<Self>>, server: usize) -> (Numbers, Lease) {
        let numbering = &mut *this.borrow_mut();
        let number = numbering.numbers.take();
        let turn = numbering.turns.entry(server).or_default().take();
        let numbers = Numbers {
            server,
            number: numbering.nth(number),
            turn: numbering.nth(turn),
        };
        let lease = Lease {
            numbering: this.clone(),
            server,
            number,
            turn,
        };
        (numbers, lease)
    }

    fn nth(&self, nth: u32) -> u32 {
        self.first.wrapping_add(nth.wrapping_mul(self.step))
    }
}

/// Numbers that a connection has, until this is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    numbering: Rc<RefCell<Numbering>>,
    server: usize,
    number: u32,
    turn: u32,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let numbering = &mut *self.numbering.borrow_mut();
        numbering.numbers.give_back(self.number);
        let turns = numbering.turns.entry(self.server).or_default();
        turns.give_back(self.turn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_number_of_its_own_and_those_of_a_server_are_counted_without_a_gap() {
        let numbering = Numbering::new(7, 2);
        let mut leases: Vec<_> = [0, 1, 0, 1]
            .map(|server| Numbering::lease(&numbering, server))
            .into();
        let shown = |(numbers, _): &(Numbers, Lease)| (numbers.number, numbers.turn);
        let all: Vec<_> = leases.iter().map(shown).collect();
        assert_eq!(all, [(7, 7), (9, 7), (11, 9), (13, 9)]);
        // The next one takes the place of one that has ended, not that of one that is there.
        drop(leases.remove(1));
        let next = Numbering::lease(&numbering, 0);
        assert_eq!(shown(&next), (9, 11));
        let behind = Numbering::lease(&numbering, 1);
        assert_eq!(shown(&behind), (15, 7));
    }
}
