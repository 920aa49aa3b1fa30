//! The deadlines of one worker in one queue: one slot for each connection, and at most one entry for
//! each slot.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::task::Waker;

use crate::units::Timestamp;

/// Identifies the slot of a connection in the queue. Freed by [`Deadlines::leave`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SlotId(u32);

/// A slot that is freed when this is dropped.
#[derive(Debug)]
pub(crate) struct OwnedSlot<'a> {
    deadlines: &'a Deadlines,
    pub(crate) id: SlotId,
}

impl<'a> OwnedSlot<'a> {
    /// Takes a slot.
    pub(crate) fn take(deadlines: &'a Deadlines) -> Self {
        Self {
            deadlines,
            id: deadlines.join(),
        }
    }
}

impl Drop for OwnedSlot<'_> {
    fn drop(&mut self) {
        self.deadlines.leave(self.id);
    }
}

/// The queue of deadlines.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    inner: RefCell<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    queue: BTreeSet<(Timestamp, SlotId)>,
    slots: Vec<Slot>,
    free: Vec<SlotId>,
    /// The waker of the task that sleeps until the first deadline, and the time until which it sleeps.
    driver: Option<Waker>,
    sleeping_until: Timestamp,
    /// How often somebody was woken.
    woken: u64,
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
    /// Takes a slot.
    pub(crate) fn join(&self) -> SlotId {
        let mut inner = self.inner.borrow_mut();
        if let Some(id) = inner.free.pop() {
            return id;
        }
        inner.slots.push(Slot::EMPTY);
        SlotId(inner.slots.len() as u32 - 1)
    }

    /// Frees a slot.
    pub(crate) fn leave(&self, id: SlotId) {
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        let slot = &mut inner.slots[id.0 as usize];
        inner.queue.remove(&(slot.queued, id));
        *slot = Slot::EMPTY;
        inner.free.push(id);
    }

    /// Asks to be woken at this time; replaces the time asked for before.
    pub(crate) fn set(&self, id: SlotId, at: Timestamp, waker: &Waker) {
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        let slot = &mut inner.slots[id.0 as usize];
        slot.wanted = at;
        match &mut slot.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        // A later time leaves the entry where it is: the entry is moved when it comes up.
        if at < slot.queued {
            if slot.queued != Timestamp::NEVER {
                inner.queue.remove(&(slot.queued, id));
            }
            inner.queue.insert((at, id));
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
        while let Some((at, id)) = inner.queue.first().copied() {
            if at > now {
                return at;
            }
            inner.queue.pop_first();
            let slot = &mut inner.slots[id.0 as usize];
            slot.queued = Timestamp::NEVER;
            if slot.wanted <= now {
                slot.wanted = Timestamp::NEVER;
                if let Some(waker) = &slot.waker {
                    waker.wake_by_ref();
                    inner.woken += 1;
                }
            } else if slot.wanted != Timestamp::NEVER {
                slot.queued = slot.wanted;
                inner.queue.insert((slot.wanted, id));
            }
        }
        Timestamp::NEVER
    }

    /// Wakes the holders of `count` slots from `first` on, whatever their deadlines. Returns the number of slots.
    pub(crate) fn wake(&self, first: usize, count: usize) -> usize {
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        let slots = inner.slots.iter().skip(first).take(count);
        for waker in slots.filter_map(|slot| slot.waker.as_ref()) {
            waker.wake_by_ref();
            inner.woken += 1;
        }
        inner.slots.len()
    }

    /// Returns how often somebody was woken: where that has changed, somebody may not have run since.
    pub(crate) fn woken(&self) -> u64 {
        self.inner.borrow().woken
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
        let id = queue.join();
        queue.set(id, Timestamp::from_nanos(10), &waker);
        queue.set(id, Timestamp::from_nanos(30), &waker);
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
        let id = queue.join();
        queue.sleep(Timestamp::from_nanos(100), &driver);
        queue.set(id, Timestamp::from_nanos(200), &waker);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        queue.set(id, Timestamp::from_nanos(50), &waker);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_slot_has_one_entry_however_often_its_deadline_moves() {
        let queue = Deadlines::default();
        let (count, waker) = counter();
        let (id, other) = (queue.join(), queue.join());
        queue.set(other, Timestamp::from_nanos(1_000_000), &waker);
        // Like a connection that waits for an answer, thinks, and waits again.
        for now in 0..10_000 {
            queue.set(id, Timestamp::from_nanos(500_000 + now), &waker);
            queue.set(id, Timestamp::from_nanos(now + 1), &waker);
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
    fn a_slot_that_was_left_wakes_nobody() {
        let queue = Deadlines::default();
        let (count, waker) = counter();
        let id = queue.join();
        queue.set(id, Timestamp::from_nanos(10), &waker);
        queue.leave(id);
        assert_eq!(queue.fire(Timestamp::from_nanos(9)), Timestamp::NEVER);
        queue.fire(Timestamp::from_nanos(10));
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        assert_eq!(queue.join(), id);
    }
}
