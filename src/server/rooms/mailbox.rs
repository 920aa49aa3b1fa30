//! What waits to be sent to one member, in order and bounded.
//! A member whose socket takes nothing more is cut off once its mailbox is full: nobody waits for it, and it never hears
//! a room with a hole in it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio_tungstenite::tungstenite::Utf8Bytes;

/// The most texts, and the most bytes of them, that may wait for a member whose socket takes nothing. While it does take
/// some, what waits is bounded by the turns of the speakers: each says one thing between two turns of a member.
const MAX_WAITING: usize = 4096;
const MAX_WAITING_BYTES: usize = 1 << 20;

/// What a text is, for counting it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Kind {
    Answer,
    Said,
    Tick,
}

/// A text for one member. Its bytes are shared by all who get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::server) struct Letter {
    pub(in crate::server) kind: Kind,
    pub(in crate::server) text: Utf8Bytes,
}

impl Letter {
    pub(super) fn new(kind: Kind, text: String) -> Self {
        let text = text.into();
        Self { kind, text }
    }
}

#[derive(Debug, Default)]
pub(super) struct Mailbox(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    letters: VecDeque<Letter>,
    bytes: usize,
    /// Whether the socket takes nothing at the moment.
    blocked: bool,
    /// Whether the member is cut off: it gets nothing more.
    cut: bool,
    waker: Option<Waker>,
}

impl Mailbox {
    /// Puts a letter in. Returns the number of letters that are lost by that: none, unless the member is cut off.
    pub(super) fn put(&self, letter: Letter) -> usize {
        let mut waiting = self.lock();
        if waiting.cut {
            return 1;
        }
        let is_full = waiting.letters.len() >= MAX_WAITING
            || waiting.bytes + letter.text.len() > MAX_WAITING_BYTES;
        let lost = if waiting.blocked && is_full {
            waiting.cut = true;
            waiting.bytes = 0;
            let lost = std::mem::take(&mut waiting.letters);
            lost.iter().filter(|l| l.kind != Kind::Answer).count() + 1
        } else {
            waiting.bytes += letter.text.len();
            waiting.letters.push_back(letter);
            0
        };
        // A blocked member is woken by its socket.
        let wakes = !waiting.blocked || waiting.cut;
        let waker = waiting.waker.take_if(|_| wakes);
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
        lost
    }

    /// Takes the next letter; `None` once the member is cut off.
    pub(super) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<Letter>> {
        let mut waiting = self.lock();
        if waiting.cut {
            return Poll::Ready(None);
        }
        if let Some(letter) = waiting.letters.pop_front() {
            waiting.bytes -= letter.text.len();
            return Poll::Ready(Some(letter));
        }
        waiting.wake_by(cx);
        Poll::Pending
    }

    /// Notes that the socket takes nothing. Returns whether the member is cut off.
    pub(super) fn block(&self, cx: &mut Context<'_>) -> bool {
        let mut waiting = self.lock();
        waiting.blocked = true;
        waiting.wake_by(cx);
        waiting.cut
    }

    /// Whether the socket takes nothing at the moment.
    pub(super) fn is_blocked(&self) -> bool {
        self.lock().blocked
    }

    /// Notes that the socket takes something again.
    pub(super) fn unblock(&self) {
        self.lock().blocked = false;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn wake_by(&mut self, cx: &mut Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.waker = Some(cx.waker().clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(text: &str) -> Letter {
        Letter {
            kind: Kind::Said,
            text: text.into(),
        }
    }

    fn take(mailbox: &Mailbox) -> Poll<Option<Letter>> {
        mailbox.poll_take(&mut Context::from_waker(Waker::noop()))
    }

    fn block(mailbox: &Mailbox) -> bool {
        mailbox.block(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn letters_come_out_in_order() {
        let mailbox = Mailbox::default();
        assert_eq!(mailbox.put(letter("a")) + mailbox.put(letter("b")), 0);
        assert_eq!(take(&mailbox), Poll::Ready(Some(letter("a"))));
        assert_eq!(take(&mailbox), Poll::Ready(Some(letter("b"))));
        assert_eq!(take(&mailbox), Poll::Pending);
    }

    #[test]
    fn who_takes_nothing_is_cut_off_when_the_mailbox_is_full() {
        let mailbox = Mailbox::default();
        assert!(!block(&mailbox));
        for _ in 0..MAX_WAITING {
            assert_eq!(mailbox.put(letter("x")), 0);
        }
        assert_eq!(mailbox.put(letter("x")), MAX_WAITING + 1);
        assert_eq!(mailbox.put(letter("x")), 1);
        assert!(block(&mailbox));
        assert_eq!(take(&mailbox), Poll::Ready(None));

        let long = "x".repeat(MAX_WAITING_BYTES / 2);
        let mailbox = Mailbox::default();
        block(&mailbox);
        assert_eq!(mailbox.put(letter(&long)) + mailbox.put(letter(&long)), 0);
        assert_eq!(mailbox.put(letter("x")), 3);
    }

    #[test]
    fn who_takes_something_is_given_all() {
        let mailbox = Mailbox::default();
        block(&mailbox);
        mailbox.unblock();
        for _ in 0..=MAX_WAITING {
            assert_eq!(mailbox.put(letter("x")), 0);
        }
        assert_eq!(take(&mailbox), Poll::Ready(Some(letter("x"))));
    }
}
