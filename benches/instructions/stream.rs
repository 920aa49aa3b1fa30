//! Stands in for a socket, in memory: gives one frame at a time, as a server does that answers, and takes everything.

use std::io::{ErrorKind, Read, Result, Write};

/// As long as in the scenarios of the benchmark.
pub(crate) const PAYLOAD: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// A server's frame, unmasked: the header has two bytes.
const FRAME: usize = 2 + PAYLOAD.len();
const FIN_TEXT: u8 = 0x81;

/// The socket.
pub(crate) struct Stream {
    frame: [u8; FRAME],
    is_there: bool,
    /// Where bytes go that are written, and how many there were.
    taken: [u8; 1024],
    pub(crate) written: u64,
}

impl Stream {
    /// Nothing to read yet.
    pub(crate) fn new() -> Self {
        let mut frame = [0; FRAME];
        frame[..2].copy_from_slice(&[FIN_TEXT, PAYLOAD.len() as u8]);
        frame[2..].copy_from_slice(PAYLOAD.as_bytes());
        Self {
            frame,
            is_there: false,
            taken: [0; 1024],
            written: 0,
        }
    }

    /// A frame has come.
    pub(crate) fn answer(&mut self) {
        self.is_there = true;
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        if !std::mem::take(&mut self.is_there) {
            return Err(ErrorKind::WouldBlock.into());
        }
        bytes[..FRAME].copy_from_slice(&self.frame);
        Ok(FRAME)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.taken[..bytes.len()].copy_from_slice(bytes);
        self.written += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
