//! The carriers of one worker for one cohort, and the places on them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::carrier::{Carrier, Hears};
use super::numbers::{Numbering, Numbers};
use crate::net::failure::Failure;

/// The carriers of one worker for one cohort, to all of its servers.
pub(crate) struct Pool {
    /// The most streams on each.
    streams: u32,
    numbering: Rc<RefCell<Numbering>>,
    carriers: RefCell<Vec<Rc<Carrier>>>,
    /// By server, the most streams that it allowed last.
    allowed: RefCell<BTreeMap<usize, u32>>,
}

/// A place for one stream on a carrier, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Rc<Carrier>);

impl Pool {
    /// For `streams` on each carrier; above zero. The numbers of carriers begin with `first` and are `step` apart.
    pub(crate) fn new(streams: u32, first: u32, step: u32) -> Self {
        Self {
            streams,
            numbering: Numbering::new(first, step),
            carriers: RefCell::default(),
            allowed: RefCell::default(),
        }
    }

    /// Takes a place for a client with these numbers: on the fullest carrier to its server that is open and has room, else
    /// on one that is being opened, else on a new one. Returns the new one too: it is to be opened.
    pub(crate) fn take(
        &self,
        client: Numbers,
        hears: impl FnOnce() -> Hears,
    ) -> (Place, Option<Rc<Carrier>>) {
        let carriers = &mut *self.carriers.borrow_mut();
        let has_room = |carrier: &&Rc<Carrier>| {
            carrier.numbers.server == client.server
                && carrier.is_connecting().is_some()
                && carrier.taken.get() < self.room(carrier)
        };
        let best = (carriers.iter().filter(has_room))
            .max_by_key(|carrier| (carrier.is_connecting() == Some(false), carrier.taken.get()));
        if let Some(best) = best {
            return (Place::on(best), None);
        }
        let (numbers, lease) = match self.streams {
            // It belongs to its client alone.
            1 => (client, None),
            _ => {
                let (numbers, lease) = Numbering::lease(&self.numbering, client.server);
                (numbers, Some(lease))
            }
        };
        let carrier = Rc::new(Carrier::new(numbers, lease, hears()));
        carriers.push(carrier.clone());
        (Place::on(&carrier), Some(carrier))
    }

    /// A carrier has ended, and so have its streams.
    pub(crate) fn forget(&self, carrier: &Rc<Carrier>) {
        carrier.end_lease();
        let carriers = &mut *self.carriers.borrow_mut();
        carriers.retain(|known| !Rc::ptr_eq(known, carrier));
    }

    /// How many streams a carrier may have.
    fn room(&self, carrier: &Carrier) -> u32 {
        let server = carrier.numbers.server;
        let mut known = self.allowed.borrow_mut();
        if let Some(allowed) = carrier.allowed() {
            known.insert(server, allowed);
        }
        let allowed = known.get(&server).copied();
        self.streams.min(allowed.unwrap_or(u32::MAX))
    }

    /// Waits until the carrier of a place is open. Returns the place, or `None` if it has to be looked for elsewhere: the
    /// server allows fewer streams, or wants no more.
    ///
    /// # Errors
    /// Why the carrier could not be opened.
    pub(crate) async fn opened(&self, place: Place) -> Result<Option<Place>, Failure> {
        let carrier = &place.0;
        if !carrier.opened().await? {
            return Ok(None);
        }
        let fits = carrier.taken.get() <= self.room(carrier);
        Ok(fits.then_some(place))
    }
}

impl Place {
    /// The only one on a carrier that belongs to no pool.
    pub(super) fn alone() -> Self {
        let hears = Box::new(|_| {});
        Self::on(&Rc::new(Carrier::new(Numbers::default(), None, hears)))
    }

    fn on(carrier: &Rc<Carrier>) -> Self {
        carrier.taken.set(carrier.taken.get() + 1);
        Self(carrier.clone())
    }

    pub(super) fn carrier(&self) -> &Rc<Carrier> {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.leave();
    }
}
