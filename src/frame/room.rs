//! The read buffer of a thread: one for all its connections, because it reads one at a time.

use std::ops::Range;

use super::deflate::Inflater;

/// The most bytes in one read.
const SIZE: usize = 16 * 1024;
/// The most reads of a connection before others have their turn.
const READS: u32 = 4;
/// The longest message whose buffer is kept for the next one, in bytes.
const KEPT: usize = 16 * 1024;

/// Bytes of one connection that were read and not taken, and the message that is lent.
#[derive(Debug)]
pub struct Room {
    bytes: Box<[u8]>,
    unread: Range<usize>,
    /// How often the current connection has read in this turn.
    reads: u32,
    /// A message that was assembled from several pieces.
    message: Vec<u8>,
    /// Restores compressed messages of connections that keep nothing of them.
    pub(super) inflater: Option<Box<Inflater>>,
}

/// The place of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PayloadPlace {
    /// In the read bytes.
    Bytes(Range<usize>),
    /// In the assembled message.
    Message,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            bytes: vec![0; SIZE].into_boxed_slice(),
            unread: 0..0,
            reads: 0,
            message: Vec::new(),
            inflater: None,
        }
    }
}

impl Room {
    /// Returns the bytes that were read and not taken.
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.unread.clone()]
    }

    /// Returns whether the current connection may read once more. Counts the read, so the caller must do it.
    pub fn may_read(&mut self) -> bool {
        let may = self.reads < READS;
        self.reads += u32::from(may);
        may
    }

    /// Returns the space to read into, after the unread bytes; report the number of bytes read with [`Self::filled`].
    /// Empty only if the whole buffer is unread.
    pub fn space(&mut self) -> &mut [u8] {
        if !self.unread.is_empty() {
            self.bytes.copy_within(self.unread.clone(), 0);
        }
        self.unread = 0..self.unread.len();
        &mut self.bytes[self.unread.end..]
    }

    /// Records that this many bytes were read into [`Self::space`].
    pub fn filled(&mut self, bytes: usize) {
        self.unread.end += bytes;
        debug_assert!(self.unread.end <= self.bytes.len());
    }

    /// Takes in the bytes that a connection kept at the end of its last turn, after the unread ones, as far as there is
    /// space.
    #[inline]
    pub fn enter(&mut self, left: &mut Vec<u8>) {
        if !left.is_empty() {
            self.take_in(left);
        }
    }

    #[inline(never)]
    fn take_in(&mut self, left: &mut Vec<u8>) {
        let space = self.space();
        let part = left.len().min(space.len());
        space[..part].copy_from_slice(&left[..part]);
        self.filled(part);
        left.drain(..part);
        if left.is_empty() {
            *left = Vec::new();
        }
    }

    /// Ends a connection's turn: moves the unread bytes to `left`. They are less than a frame unless the turn was cut
    /// short.
    pub fn leave(&mut self, left: &mut Vec<u8>) {
        if !self.unread.is_empty() {
            left.splice(0..0, self.bytes[self.unread.clone()].iter().copied());
        }
        self.unread = 0..0;
        self.reads = 0;
        if self.message.capacity() > KEPT {
            self.message = Vec::new();
        }
    }

    /// Keeps a message that was assembled elsewhere, and lends it.
    pub fn put(&mut self, message: Vec<u8>) -> &[u8] {
        self.message = message;
        &self.message
    }

    /// Hands out an empty buffer for the next message that is put together.
    pub(super) fn spare(&mut self) -> Vec<u8> {
        let mut spare = std::mem::take(&mut self.message);
        spare.clear();
        spare
    }

    /// Takes this many bytes, which must be there.
    pub(super) fn take(&mut self, bytes: usize) -> Range<usize> {
        let taken = self.unread.start..self.unread.start + bytes;
        debug_assert!(taken.end <= self.unread.end);
        self.unread.start = taken.end;
        taken
    }

    pub(super) fn at(&self, place: &PayloadPlace) -> &[u8] {
        match place {
            PayloadPlace::Bytes(range) => &self.bytes[range.clone()],
            PayloadPlace::Message => &self.message,
        }
    }
}
