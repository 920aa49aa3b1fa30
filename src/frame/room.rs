//! Where connections read into: one room for all that a thread looks after, since it looks at one at a time.

use std::ops::Range;

/// What is read at once, at most, in bytes.
const SIZE: usize = 16 * 1024;
/// How often a connection reads before others have their turn.
const READS: u32 = 4;

/// Bytes of one connection that were read and not taken, and what is lent of them.
#[derive(Debug)]
pub struct Room {
    bytes: Box<[u8]>,
    unread: Range<usize>,
    /// How often the connection whose turn it is has read.
    reads: u32,
    /// A message that did not come in one piece.
    message: Vec<u8>,
}

/// Where something is that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Among what was read.
    Bytes(Range<usize>),
    /// It was put together.
    Message,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            bytes: vec![0; SIZE].into_boxed_slice(),
            unread: 0..0,
            reads: 0,
            message: Vec::new(),
        }
    }
}

impl Room {
    /// What was read and not taken.
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.unread.clone()]
    }

    /// Whether the connection whose turn it is may read once more, which it then has to.
    pub fn may_read(&mut self) -> bool {
        let may = self.reads < READS;
        self.reads += u32::from(may);
        may
    }

    /// Where to read to, behind what is unread; [`Self::filled`] says how much it was. Empty only while a whole room
    /// is unread.
    pub fn space(&mut self) -> &mut [u8] {
        if !self.unread.is_empty() {
            self.bytes.copy_within(self.unread.clone(), 0);
        }
        self.unread = 0..self.unread.len();
        &mut self.bytes[self.unread.end..]
    }

    /// So many bytes were read into [`Self::space`].
    pub fn filled(&mut self, bytes: usize) {
        self.unread.end += bytes;
        debug_assert!(self.unread.end <= self.bytes.len());
    }

    /// Takes in what a connection left when its last turn ended, behind what is unread, as far as there is space.
    pub fn enter(&mut self, left: &mut Vec<u8>) {
        if left.is_empty() {
            return;
        }
        let space = self.space();
        let part = left.len().min(space.len());
        space[..part].copy_from_slice(&left[..part]);
        self.filled(part);
        left.drain(..part);
        if left.is_empty() {
            *left = Vec::new();
        }
    }

    /// Ends a connection's turn: what is unread goes with it, which is less than a frame unless it was cut short.
    pub fn leave(&mut self, left: &mut Vec<u8>) {
        if !self.unread.is_empty() {
            left.splice(0..0, self.bytes[self.unread.clone()].iter().copied());
        }
        self.unread = 0..0;
        self.reads = 0;
        if self.message.capacity() > 0 {
            self.message = Vec::new();
        }
    }

    /// Something was put together elsewhere; it is lent from here.
    pub fn put(&mut self, message: Vec<u8>) -> &[u8] {
        self.message = message;
        &self.message
    }

    /// Takes so many bytes, which must be there.
    pub(super) fn take(&mut self, bytes: usize) -> Range<usize> {
        let taken = self.unread.start..self.unread.start + bytes;
        debug_assert!(taken.end <= self.unread.end);
        self.unread.start = taken.end;
        taken
    }

    pub(super) fn at(&self, place: &Place) -> &[u8] {
        match place {
            Place::Bytes(range) => &self.bytes[range.clone()],
            Place::Message => &self.message,
        }
    }
}
