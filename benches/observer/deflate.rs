//! Compressed messages (RFC 7692), by another implementation of DEFLATE than that of wsbench. Both directions keep what
//! they had before, as most servers do.

use miniz_oxide::deflate::CompressionLevel;
use miniz_oxide::deflate::core::CompressorOxide;
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, StreamResult};

/// What both sides agree on: nothing but the extension itself.
pub(crate) const AGREED: &str = "permessage-deflate";
/// The only parameter that may be offered. It allows us to ask for a narrower window, which we do not.
const HINT: &str = "client_max_window_bits";
/// What each message ends with, and does not have on the wire.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// The longest message.
const MAX_PLAIN: usize = 1 << 22;
const ROOM: usize = 16 * 1024;

/// The bytes are no message, or one that is too long.
#[derive(Debug, PartialEq)]
pub(crate) struct Broken;

/// Says whether this value of `Sec-WebSocket-Extensions` has an offer that [`AGREED`] answers.
pub(crate) fn is_offered(extensions: &str) -> bool {
    extensions.split(',').any(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        parts.next() == Some(AGREED)
            && parts.all(|part| part.split('=').next().map(str::trim_end) == Some(HINT))
    })
}

/// Both directions of one connection.
pub(crate) struct Deflate {
    opening: Box<InflateState>,
    closing: Box<CompressorOxide>,
}

impl Deflate {
    pub(crate) fn new() -> Self {
        let level = CompressionLevel::DefaultLevel;
        let closing = CompressorOxide::with_format_and_level(DataFormat::Raw, level);
        Self {
            opening: InflateState::new_boxed(DataFormat::Raw),
            closing: Box::new(closing),
        }
    }

    /// What a message of the client is, restored.
    pub(crate) fn open(&mut self, packed: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut plain = Vec::new();
        for part in [packed, &TAIL] {
            let opening = &mut self.opening;
            passed(part, &mut plain, |rest, room| {
                inflate(opening, rest, room, MZFlush::None)
            })?;
        }
        Ok(plain)
    }

    /// What a message of ours is on the wire.
    pub(crate) fn close(&mut self, plain: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut packed = Vec::new();
        let closing = &mut self.closing;
        passed(plain, &mut packed, |rest, room| {
            deflate(closing, rest, room, MZFlush::Sync)
        })?;
        let end = packed.len().checked_sub(TAIL.len()).ok_or(Broken)?;
        if packed.split_off(end) != TAIL {
            return Err(Broken);
        }
        Ok(packed)
    }
}

/// Adds to `out` what becomes of all of `input`, room by room.
fn passed(
    input: &[u8],
    out: &mut Vec<u8>,
    mut step: impl FnMut(&[u8], &mut [u8]) -> StreamResult,
) -> Result<(), Broken> {
    let mut rest = input;
    loop {
        let end = out.len();
        if end > MAX_PLAIN {
            return Err(Broken);
        }
        out.resize(end + ROOM, 0);
        let done = step(rest, &mut out[end..]);
        out.truncate(end + done.bytes_written);
        rest = &rest[done.bytes_consumed..];
        match done.status {
            // What fills the room may not be all.
            Ok(_) if !rest.is_empty() || done.bytes_written == ROOM => {}
            // Nothing was left to do.
            Ok(_) | Err(MZError::Buf) if rest.is_empty() => return Ok(()),
            _ => return Err(Broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7692 section 7.2.3.2, whose second message refers to the first.
    #[test]
    fn what_was_said_before_is_kept() {
        let mut deflate = Deflate::new();
        let first = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        let second = [0xf2, 0x00, 0x11, 0x00, 0x00];
        assert_eq!(deflate.open(&first).unwrap(), b"Hello");
        assert_eq!(deflate.open(&second).unwrap(), b"Hello");
    }

    #[test]
    fn what_is_packed_can_be_opened() {
        let (mut ours, mut theirs) = (Deflate::new(), Deflate::new());
        let long: Vec<u8> = (0..300_000u32)
            .map(|n| (n.wrapping_mul(n) >> 7) as u8)
            .collect();
        for plain in [b"".as_slice(), b"a", &long, b"a", &long[..70_000]] {
            let packed = ours.close(plain).unwrap();
            assert_eq!(theirs.open(&packed).unwrap(), plain, "{}", plain.len());
        }
    }

    #[test]
    fn what_is_no_message_is_broken() {
        // A block of the kind that there is not.
        assert_eq!(Deflate::new().open(&[0xff; 9]), Err(Broken));
    }

    #[test]
    fn an_offer_that_asks_for_more_is_declined() {
        for taken in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "foo, permessage-deflate ; client_max_window_bits = 12",
            "permessage-deflate; server_no_context_takeover, permessage-deflate",
        ] {
            assert!(is_offered(taken), "{taken}");
        }
        for declined in [
            "",
            "permessage-bzip2",
            "permessage-deflate; server_no_context_takeover",
            "permessage-deflate; server_max_window_bits=10",
        ] {
            assert!(!is_offered(declined), "{declined}");
        }
    }
}
