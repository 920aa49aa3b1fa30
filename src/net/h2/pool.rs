//! The carriers of one worker to one server for one cohort, and the places on them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::carrier::{Carrier, Hears};
use crate::net::failure::Failure;

/// The carriers of one worker for one cohort.
pub(crate) struct Pool {
    /// The most streams on each.
    streams: u32,
    /// This worker, and how many there are.
    worker: u32,
    workers: u32,
    carriers: RefCell<Vec<Rc<Carrier>>>,
    /// The most streams that the server allowed last.
    allowed: Cell<u32>,
}

/// A place for one stream on a carrier, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Rc<Carrier>);

impl Pool {
    /// For `streams` on each carrier. Above zero.
    pub(crate) fn new(streams: u32, (worker, workers): (u32, u32)) -> Self {
        Self {
            streams,
            worker,
            workers,
            carriers: RefCell::default(),
            allowed: Cell::new(u32::MAX),
        }
    }

    /// Takes a place for a connection: on the fullest carrier that is open and has room, else on one that is being
    /// opened, else on a new one. Returns the new one too: it is to be opened.
    pub(crate) fn take(
        &self,
        connection: u32,
        hears: impl FnOnce() -> Hears,
    ) -> (Place, Option<Rc<Carrier>>) {
        let carriers = &mut *self.carriers.borrow_mut();
        let has_room = |carrier: &&Rc<Carrier>| {
            carrier.is_connecting().is_some() && carrier.taken.get() < self.room(carrier)
        };
        let best = (carriers.iter().filter(has_room))
            .max_by_key(|carrier| (carrier.is_connecting() == Some(false), carrier.taken.get()));
        if let Some(best) = best {
            return (Place::on(best), None);
        }
        let number = match self.streams {
            1 => connection,
            _ => self.free_number(carriers),
        };
        let carrier = Rc::new(Carrier::new(number, hears()));
        carriers.push(carrier.clone());
        (Place::on(&carrier), Some(carrier))
    }

    /// A carrier has ended.
    pub(crate) fn forget(&self, carrier: &Rc<Carrier>) {
        let carriers = &mut *self.carriers.borrow_mut();
        carriers.retain(|known| !Rc::ptr_eq(known, carrier));
    }

    /// The lowest number that no carrier has. One that is lost leaves its number, and all that follows from it, to the
    /// next.
    fn free_number(&self, carriers: &[Rc<Carrier>]) -> u32 {
        let numbers =
            (0..).map(|nth: u32| nth.wrapping_mul(self.workers).wrapping_add(self.worker));
        let is_free = |number: &u32| carriers.iter().all(|carrier| carrier.number != *number);
        numbers.into_iter().find(is_free).unwrap_or(self.worker)
    }

    /// How many streams a carrier may have.
    fn room(&self, carrier: &Carrier) -> u32 {
        let allowed = carrier.allowed();
        if let Some(allowed) = allowed {
            self.allowed.set(allowed);
        }
        self.streams
            .min(allowed.unwrap_or_else(|| self.allowed.get()))
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
        Self::on(&Rc::new(Carrier::new(0, Box::new(|_| {}))))
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
