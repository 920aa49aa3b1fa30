//! Between frames and bytes: sees what the library does not tell (the close code as it was on the wire), holds back
//! what it would send by itself (pongs, Close frames), and puts in bytes that it would not send.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::outbound::Outbound;

const CLOSE: u8 = 0x8;

/// Watches frames go by, and comes between where that is asked for.
#[derive(Debug)]
pub(super) struct FrameFilter<S> {
    inner: S,
    inbound: Inbound,
    outbound: Option<Box<Outbound>>,
}

impl<S> FrameFilter<S> {
    /// With `outbound`, what is sent is changed. `already_read` are bytes that came with the handshake.
    pub(super) fn new(inner: S, outbound: Option<Outbound>, already_read: &[u8]) -> Self {
        let mut inbound = Inbound::default();
        inbound.see(already_read);
        Self {
            inner,
            inbound,
            outbound: outbound.map(Box::new),
        }
    }

    pub(super) fn inner(&self) -> &S {
        &self.inner
    }

    pub(super) fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// What changes what is sent, where there is such a thing.
    pub(super) fn outbound(&mut self) -> Option<&mut Outbound> {
        self.outbound.as_deref_mut()
    }

    /// The code of the Close frame that was received, as it was on the wire.
    pub(super) fn close_code(&self) -> Option<u16> {
        (self.inbound.close_bytes == 2).then(|| u16::from_be_bytes(self.inbound.close_code))
    }

    /// Frames that were received after it.
    pub(super) fn frames_after_close(&self) -> u32 {
        self.inbound.after_close
    }
}

impl<S: AsyncWrite + Unpin> FrameFilter<S> {
    /// Sends what was put in, unless a frame of the library's is under way.
    pub(super) fn poll_put(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.outbound {
            Some(outbound) => outbound.poll_put(&mut self.inner, cx),
            None => Poll::Ready(Ok(())),
        }
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
    is_closed: bool,
    after_close: u32,
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
                self.after_close = self.after_close.saturating_add(u32::from(self.is_closed));
                self.in_close = self.header[0] & 0x0F == CLOSE && !self.is_closed;
                self.is_closed |= self.in_close;
                self.have = 0;
            }
        }
    }
}

/// The length of a frame's header and of its payload; `None` when there are too few bytes to tell.
pub(super) fn frame(bytes: &[u8]) -> Option<(usize, u64)> {
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

impl<S: AsyncRead + Unpin> AsyncRead for FrameFilter<S> {
    #[inline]
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
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(outbound) = &mut this.outbound else {
            return Pin::new(&mut this.inner).poll_write(cx, bytes);
        };
        outbound.poll_write(&mut this.inner, cx, bytes)
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_put(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
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
            let mut filter = FrameFilter::new((), None, &[]);
            for part in bytes.chunks(cut) {
                prop_assert_eq!(filter.close_code(), None);
                filter.inbound.see(part);
            }
            prop_assert_eq!(filter.close_code(), Some(code));
        }

        #[test]
        fn frames_after_a_close_are_counted_however_the_bytes_are_cut(
            before in 0usize..4, lengths in prop::collection::vec(0usize..300, 0..6), cut in 1usize..500,
        ) {
            let mut bytes = Vec::new();
            for _ in 0..before {
                bytes.extend(server_frame(0x1, b"before"));
            }
            bytes.extend(server_frame(CLOSE, &[3, 232]));
            for length in &lengths {
                bytes.extend(server_frame(0x2, &vec![0x88; *length]));
            }
            let mut filter = FrameFilter::new((), None, &[]);
            bytes.chunks(cut).for_each(|part| filter.inbound.see(part));
            prop_assert_eq!(filter.frames_after_close() as usize, lengths.len());
            prop_assert_eq!(filter.close_code(), Some(1000));
        }
    }

    #[test]
    fn an_empty_close_has_no_code() {
        let filter = FrameFilter::new((), None, &server_frame(CLOSE, &[]));
        assert_eq!(filter.close_code(), None);
    }
}
