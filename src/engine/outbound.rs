//! What a connection sends, where that is not simply what the library hands over: pongs and Close frames held back,
//! and bytes put in between two frames.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use super::filter::frame;

const CLOSE: u8 = 0x8;
const PONG: u8 = 0xA;

/// Follows the frames that are sent, and drops some of them whole. The library's pongs are never sent: who answers
/// the server's pings puts the answers in.
///
/// The library hands over whole frames, so that what is left of a write that was cut short begins where the cut was.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    /// Bytes of the library's current frame still to come, and whether they are dropped.
    left: u64,
    dropping: bool,
    without_close: bool,
    is_sealed: bool,
    is_held: bool,
    /// Put in, and not sent yet.
    put: Vec<u8>,
}

impl Outbound {
    /// These bytes are sent with the next flush, after the frame that is under way.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.put.extend_from_slice(bytes);
    }

    /// No Close frame of the library's is sent from now on.
    pub(super) fn hold_close(&mut self) {
        self.without_close = true;
    }

    /// No frame of the library's is sent from now on.
    pub(super) fn seal(&mut self) {
        self.is_sealed = true;
    }

    /// Nothing at all is sent, until it may be.
    pub(super) fn hold(&mut self, hold: bool) {
        self.is_held = hold;
    }

    /// How many of the first bytes belong together, and whether they are to be dropped.
    fn part(&mut self, bytes: &[u8]) -> (usize, bool) {
        if self.left == 0 {
            let Some((header, payload)) = frame(bytes) else {
                return (bytes.len(), false);
            };
            self.left = header as u64 + payload;
            let opcode = bytes[0] & 0x0F;
            self.dropping =
                self.is_sealed || opcode == PONG || opcode == CLOSE && self.without_close;
        }
        let part = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
        (part, self.dropping)
    }

    /// Sends what was put in, unless a frame is under way. While nothing may be sent it is pending, and wakes nobody:
    /// who ends that polls again.
    pub(super) fn poll_put<S: AsyncWrite + Unpin>(
        &mut self,
        to: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_held {
            return Poll::Pending;
        }
        while self.left == 0 && !self.put.is_empty() {
            match ready!(Pin::new(&mut *to).poll_write(cx, &self.put))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => drop(self.put.drain(..written)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends, or drops, the first of the library's bytes; says how many.
    pub(super) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        to: &mut S,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_put(to, cx))?;
        let (part, drop) = self.part(bytes);
        let written = if drop {
            part
        } else {
            ready!(Pin::new(to).poll_write(cx, &bytes[..part]))?
        };
        self.left = self.left.saturating_sub(written as u64);
        Poll::Ready(Ok(written))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Takes a few bytes at a time.
    struct Narrow {
        most: usize,
        taken: Vec<u8>,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let part = bytes.len().min(self.most);
            self.taken.extend_from_slice(&bytes[..part]);
            Poll::Ready(Ok(part))
        }

        fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn context() -> Context<'static> {
        Context::from_waker(std::task::Waker::noop())
    }

    /// As the library sends them: masked, with a mask of zeros.
    fn client_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![0x80 | opcode];
        match payload.len() {
            short @ 0..126 => out.push(0x80 | short as u8),
            long => {
                out.push(0x80 | 126);
                out.extend((long as u16).to_be_bytes());
            }
        }
        out.extend([0; 4]);
        out.extend(payload);
        out
    }

    /// What is put in, told from the library's frames by its first byte.
    const PUT: &[u8] = &[0x8A, 0x81, 1, 2, 3, 4, b'!'];

    proptest! {
        #[test]
        fn held_frames_are_dropped_whole_and_bytes_are_put_in_between_frames(
            frames in prop::collection::vec(
                (prop_oneof![Just(1u8), Just(PONG), Just(9u8), Just(CLOSE)], 0usize..300), 1..8),
            most in 1usize..400, put_at in prop::collection::vec(0usize..2000, 0..4),
            without_close in any::<bool>(), seal_at in 0usize..3000,
        ) {
            let all: Vec<u8> = frames.iter()
                .flat_map(|(opcode, length)| client_frame(*opcode, &vec![7; *length])).collect();
            let mut outbound = Outbound::default();
            if without_close {
                outbound.hold_close();
            }
            let mut to = Narrow { most, taken: Vec::new() };
            let (mut sent, mut puts) = (0, put_at.clone());
            let mut sealed = None;
            while sent < all.len() {
                puts.retain(|at| {
                    if *at <= sent {
                        outbound.put(PUT);
                    }
                    *at > sent
                });
                if seal_at <= sent && sealed.is_none() {
                    sealed = Some(sent);
                    outbound.seal();
                }
                match outbound.poll_write(&mut to, &mut context(), &all[sent..]) {
                    Poll::Ready(Ok(written)) => sent += written,
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            prop_assert!(outbound.poll_put(&mut to, &mut context()).is_ready());
            let put = put_at.len() - puts.len();
            // What was taken is whole frames: the wanted ones in their order, and what was put in.
            let (mut rest, mut seen_put, mut seen) = (&to.taken[..], 0, Vec::new());
            while !rest.is_empty() {
                let (header, payload) = frame(rest).unwrap();
                let (whole, more) = rest.split_at(header + payload as usize);
                if whole == PUT {
                    seen_put += 1;
                } else {
                    seen.push((whole[0] & 0x0F, payload as usize));
                }
                rest = more;
            }
            let mut begins = 0;
            let wanted: Vec<_> = frames.into_iter().filter(|(opcode, length)| {
                let begin = begins;
                begins += client_frame(*opcode, &vec![7; *length]).len();
                let is_sealed = sealed.is_some_and(|sealed| begin >= sealed);
                !is_sealed && *opcode != PONG && !(*opcode == CLOSE && without_close)
            }).collect();
            prop_assert_eq!(seen, wanted);
            prop_assert_eq!(seen_put, put);
        }
    }

    #[test]
    fn while_nothing_may_be_sent_nothing_is_lost() {
        let (mut outbound, mut to) = (
            Outbound::default(),
            Narrow {
                most: 100,
                taken: Vec::new(),
            },
        );
        outbound.put(PUT);
        outbound.hold(true);
        let message = client_frame(1, b"hello");
        let cx = &mut context();
        assert!(outbound.poll_write(&mut to, cx, &message).is_pending());
        assert!(outbound.poll_put(&mut to, cx).is_pending());
        outbound.hold(false);
        assert!(outbound.poll_write(&mut to, cx, &message).is_ready());
        assert_eq!(to.taken, [PUT, &message].concat());
    }
}
