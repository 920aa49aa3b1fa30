//! Between frames and bytes: sees what the library does not tell (the close code as it was on the wire),
//! and holds back what the library would send by itself (pongs).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const CLOSE: u8 = 0x8;
const PONG: u8 = 0xA;

/// Watches frames go by, and drops our pongs where that is asked for.
#[derive(Debug)]
pub(super) struct FrameFilter<S> {
    inner: S,
    inbound: Inbound,
    outbound: Option<Box<Outbound>>,
}

impl<S> FrameFilter<S> {
    /// With `drop_pongs`, no pong is sent. `already_read` are bytes that came with the handshake.
    pub(super) fn new(inner: S, drop_pongs: bool, already_read: &[u8]) -> Self {
        let mut inbound = Inbound::default();
        inbound.see(already_read);
        Self {
            inner,
            inbound,
            outbound: drop_pongs.then(Box::default),
        }
    }

    pub(super) fn inner(&self) -> &S {
        &self.inner
    }

    pub(super) fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The code of the Close frame that was received, as it was on the wire.
    pub(super) fn close_code(&self) -> Option<u16> {
        (self.inbound.close_bytes == 2).then(|| u16::from_be_bytes(self.inbound.close_code))
    }
}

/// Follows the frames that are received (RFC 6455 section 5.2).
#[derive(Debug, Default)]
struct Inbound {
    header: [u8; 14],
    have: u8,
    /// Bytes of the current frame's payload still to come.
    payload: u64,
    in_close: bool,
    close_code: [u8; 2],
    close_bytes: u8,
}

impl Inbound {
    fn see(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.payload > 0 {
                let taken =
                    usize::try_from(self.payload).map_or(bytes.len(), |left| left.min(bytes.len()));
                if self.in_close {
                    for byte in bytes.iter().take(2 - usize::from(self.close_bytes)) {
                        self.close_code[usize::from(self.close_bytes)] = *byte;
                        self.close_bytes += 1;
                    }
                }
                self.payload -= taken as u64;
                bytes = &bytes[taken..];
                continue;
            }
            self.header[usize::from(self.have)] = bytes[0];
            self.have += 1;
            bytes = &bytes[1..];
            if let Some((length, payload)) = frame(&self.header[..usize::from(self.have)])
                && usize::from(self.have) == length
            {
                self.payload = payload;
                self.in_close = self.header[0] & 0x0F == CLOSE && self.close_bytes == 0;
                self.have = 0;
            }
        }
    }
}

/// The length of a frame's header and of its payload; `None` when there are too few bytes to tell.
fn frame(bytes: &[u8]) -> Option<(usize, u64)> {
    let second = *bytes.get(1)?;
    let mask = if second & 0x80 != 0 { 4 } else { 0 };
    match second & 0x7F {
        126 => {
            let length: [u8; 2] = bytes.get(2..4)?.try_into().ok()?;
            Some((4 + mask, u64::from(u16::from_be_bytes(length))))
        }
        127 => {
            let length: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
            Some((10 + mask, u64::from_be_bytes(length)))
        }
        short => Some((2 + mask, u64::from(short))),
    }
}

/// Follows the frames that are sent. The library hands over whole frames, so that what is left of a write
/// that was cut short begins where the cut was.
#[derive(Debug, Default)]
struct Outbound {
    left: u64,
    dropping: bool,
}

impl Outbound {
    /// How many of the first bytes belong together, and whether they are to be dropped.
    fn part(&mut self, bytes: &[u8]) -> (usize, bool) {
        if self.left == 0 {
            let Some((header, payload)) = frame(bytes) else {
                return (bytes.len(), false);
            };
            self.left = header as u64 + payload;
            self.dropping = bytes[0] & 0x0F == PONG;
        }
        let part = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
        (part, self.dropping)
    }

    fn done(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes as u64);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FrameFilter<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        this.inbound.see(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FrameFilter<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(outbound) = &mut this.outbound else {
            return Pin::new(&mut this.inner).poll_write(cx, bytes);
        };
        let (part, drop) = outbound.part(bytes);
        let written = if drop {
            part
        } else {
            ready!(Pin::new(&mut this.inner).poll_write(cx, &bytes[..part]))?
        };
        outbound.done(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Unmasked frames, as a server sends them.
    fn server_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![0x80 | opcode];
        match payload.len() {
            0..126 => out.push(payload.len() as u8),
            126..65_536 => {
                out.push(126);
                out.extend((payload.len() as u16).to_be_bytes());
            }
            _ => {
                out.push(127);
                out.extend((payload.len() as u64).to_be_bytes());
            }
        }
        out.extend(payload);
        out
    }

    /// As the library sends them: masked, with a mask of zeros.
    fn client_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = server_frame(opcode, payload);
        let header = out.len() - payload.len();
        out[1] |= 0x80;
        out.splice(header..header, [0; 4]);
        out
    }

    proptest! {
        #[test]
        fn the_close_code_is_seen_however_the_bytes_are_cut(
            lengths in prop::collection::vec(0usize..70_000, 0..4), code in any::<u16>(), cut in 1usize..5000,
        ) {
            let mut bytes = Vec::new();
            for length in lengths {
                bytes.extend(server_frame(0x2, &vec![0x88; length]));
            }
            bytes.extend(server_frame(CLOSE, &code.to_be_bytes()));
            let mut filter = FrameFilter::new((), false, &[]);
            for part in bytes.chunks(cut) {
                prop_assert_eq!(filter.close_code(), None);
                filter.inbound.see(part);
            }
            prop_assert_eq!(filter.close_code(), Some(code));
        }

        #[test]
        fn only_pongs_are_dropped_however_writes_are_cut(
            frames in prop::collection::vec((prop_oneof![Just(1u8), Just(PONG), Just(9u8)], 0usize..300), 1..8),
            most in 1usize..400,
        ) {
            let (mut all, mut wanted) = (Vec::new(), Vec::<u8>::new());
            for (opcode, length) in frames {
                let frame = client_frame(opcode, &vec![7; length]);
                all.extend(&frame);
                if opcode != PONG {
                    wanted.extend(&frame);
                }
            }
            let (mut outbound, mut written, mut rest) = (Outbound::default(), Vec::<u8>::new(), &all[..]);
            while !rest.is_empty() {
                let (part, drop) = outbound.part(rest);
                let taken = if drop { part } else { part.min(most) };
                if !drop {
                    written.extend(&rest[..taken]);
                }
                outbound.done(taken);
                rest = &rest[taken..];
            }
            prop_assert_eq!(written, wanted);
        }
    }

    #[test]
    fn an_empty_close_has_no_code() {
        let filter = FrameFilter::new((), false, &server_frame(CLOSE, &[]));
        assert_eq!(filter.close_code(), None);
    }
}
