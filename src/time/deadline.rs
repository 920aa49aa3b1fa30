//! The deadlines of one worker in one queue: one place for each connection, and at most one entry for each place.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::task::Waker;

use crate::units::Timestamp;

/// A connection's place in the queue. Freed by [`Deadlines::leave`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u32);

/// A place that is freed when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat<'a> {
    deadlines: &'a Deadlines,
    pub(crate) place: Place,
}

impl<'a> Seat<'a> {
    /// Takes a place.
    pub(crate) fn take(deadlines: &'a Deadlines) -> Self {
        Self {
            deadlines,
            place: deadlines.join(),
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.deadlines.leave(self.place);
    }
}

/// The queue of deadlines.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    inner: RefCell<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    queue: BTreeSet<(Timestamp, Place)>,
    slots: Vec<Slot>,
    free: Vec<Place>,
    /// The waker of the task that sleeps until the first deadline, and the time until which it sleeps.
    driver: Option<Waker>,
    sleeping_until: Timestamp,
}

#[derive(Debug)]
struct Slot {
    waker: Option<Waker>,
    /// When the connection wants to be woken.
    wanted: Timestamp,
    /// The time of its entry in the queue: never later than `wanted`. `Timestamp::NEVER` while it has no entry.
    queued: Timestamp,
}

impl Slot {
    const EMPTY: Self = Self {
        waker: None,
        wanted: Timestamp::NEVER,
        queued: Timestamp::NEVER,
    };
}

impl Deadlines {
    /// Takes a place.
    pub(crate) fn join(&self) -> Place {
        let mut inner = self.inner.borrow_mut();
        if let Some(place) = inner.free.pop() {
            return place;
        }
        inner.slots.push(Slot::EMPTY);
        Place(inner.slots.len() as u32 - 1)
    }

    /// Frees a place.
    pub(crate) fn leave(&self, place: Place) {
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        let slot = &mut inner.slots[place.0 as usize];
        inner.queue.remove(&(slot.queued, place));
        *slot = Slot::EMPTY;
        inner.free.push(place);
    }

    /// Asks to be woken at this time; replaces the time asked for before.
    pub(crate) fn set(&self, place: Place, at: Timestamp, waker: &Waker) {
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        let slot = &mut inner.slots[place.0 as usize];
        slot.wanted = at;
        match &mut slot.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        // A later time leaves the entry where it is: the entry is moved when it comes up.
        if at < slot.queued {
            if slot.queued != Timestamp::NEVER {
                inner.queue.remove(&(slot.queued, place));
            }
            inner.queue.insert((at, place));
            slot.queued = at;
            if at < inner.sleeping_until
                && let Some(driver) = inner.driver.take()
            {
                driver.wake();
            }
        }
    }

    /// Wakes all connections whose time has come, and returns the next deadline.
    pub(crate) fn fire(&self, now: Timestamp) -> Timestamp {
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        while let Some((at, place)) = inner.queue.first().copied() {
            if at > now {
                return at;
            }
            inner.queue.pop_first();
            let slot = &mut inner.slots[place.0 as usize];
            slot.queued = Timestamp::NEVER;
            if slot.wanted <= now {
                slot.wanted = Timestamp::NEVER;
                if let Some(waker) = &slot.waker {
                    waker.wake_by_ref();
                }
            } else if slot.wanted != Timestamp::NEVER {
                slot.queued = slot.wanted;
                inner.queue.insert((slot.wanted, place));
            }
        }
        Timestamp::NEVER
    }

    /// Wakes the holders of `count` places from `first` on, whatever their deadlines. Returns the number of places.
    pub(crate) fn wake(&self, first: usize, count: usize) -> usize {
        let inner = self.inner.borrow();
        let places = inner.slots.iter().skip(first).take(count);
        places
            .filter_map(|slot| slot.waker.as_ref())
            .for_each(Waker::wake_by_ref);
        inner.slots.len()
    }

    /// Records that the driver sleeps until then; an earlier deadline wakes it.
    pub(crate) fn sleep(&self, until: Timestamp, driver: &Waker) {
        let mut inner = self.inner.borrow_mut();
        inner.sleeping_until = until;
        inner.driver = Some(driver.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counter() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (count.clone(), count.into())
    }

    #[test]
    fn each_is_woken_once_at_its_time() {
        let queue = Deadlines::default();
        let (count, waker) = counter();
        let (a, b) = (queue.join(), queue.join());
        queue.set(a, Timestamp::from_nanos(10), &waker);
        queue.set(b, Timestamp::from_nanos(20), &waker);
        assert_eq!(
            queue.fire(Timestamp::from_nanos(9)),
            Timestamp::from_nanos(10)
        );
        assert_eq!(
            queue.fire(Timestamp::from_nanos(15)),
            Timestamp::from_nanos(20)
        );
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(queue.fire(Timestamp::from_nanos(20)), Timestamp::NEVER);
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_postponed_deadline_wakes_nobody_early() {
        let queue = Deadlines::default();
        let (count, waker) = counter();
        let place = queue.join();
        queue.set(place, Timestamp::from_nanos(10), &waker);
        queue.set(place, Timestamp::from_nanos(30), &waker);
        assert_eq!(
            queue.fire(Timestamp::from_nanos(10)),
            Timestamp::from_nanos(30)
        );
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        assert_eq!(queue.fire(Timestamp::from_nanos(30)), Timestamp::NEVER);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn an_earlier_deadline_wakes_the_driver() {
        let queue = Deadlines::default();
        let (count, driver) = counter();
        let (_, waker) = counter();
        let place = queue.join();
        queue.sleep(Timestamp::from_nanos(100), &driver);
        queue.set(place, Timestamp::from_nanos(200), &waker);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        queue.set(place, Timestamp::from_nanos(50), &waker);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_place_has_one_entry_however_often_its_deadline_moves() {
        let queue = Deadlines::default();
        let (count, waker) = counter();
        let (place, other) = (queue.join(), queue.join());
        queue.set(other, Timestamp::from_nanos(1_000_000), &waker);
        // Like a connection that waits for an answer, thinks, and waits again.
        for now in 0..10_000 {
            queue.set(place, Timestamp::from_nanos(500_000 + now), &waker);
            queue.set(place, Timestamp::from_nanos(now + 1), &waker);
            queue.fire(Timestamp::from_nanos(now + 1));
        }
        assert_eq!(count.0.load(Ordering::Relaxed), 10_000);
        assert!(queue.inner.borrow().queue.len() <= 2);
        assert_eq!(
            queue.fire(Timestamp::from_nanos(999_999)),
            Timestamp::from_nanos(1_000_000)
        );
    }

    #[test]
    fn a_place_that_was_left_wakes_nobody() {
        let queue = Deadlines::default();
        let (count, waker) = counter();
        let place = queue.join();
        queue.set(place, Timestamp::from_nanos(10), &waker);
        queue.leave(place);
        assert_eq!(queue.fire(Timestamp::from_nanos(9)), Timestamp::NEVER);
        queue.fire(Timestamp::from_nanos(10));
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        assert_eq!(queue.join(), place);
    }
}
