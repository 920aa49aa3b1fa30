//! The bytes on the wire, as far as the floor needs them: prepared frames for the client,
//! and a reader of client frames for the server (RFC 6455 section 5.2).

/// The opcodes that are treated in a way of their own. All others are data.
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
pub(crate) const TEXT: u8 = 1;

/// The last fragment of a message; all that the client sends.
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
/// One mask for all: the floor does not pay for random numbers.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// The longest payload the server takes.
const MAX_PAYLOAD: usize = 1 << 20;

/// A whole client frame, ready to be written again and again. At most 125 bytes of payload.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() <= 125, "a short frame has a short payload");
    let mut frame = vec![FIN | opcode, MASKED | payload.len() as u8];
    frame.extend(MASK);
    frame.extend(unmask(payload, MASK));
    frame
}

/// The length of the server's answer to [`masked`]: the same without a mask.
pub(crate) fn answer_len(frame: &[u8]) -> usize {
    frame.len() - MASK.len()
}

fn unmask(payload: &[u8], mask: [u8; 4]) -> impl Iterator<Item = u8> {
    payload
        .iter()
        .enumerate()
        .map(move |(place, byte)| byte ^ mask[place % 4])
}

/// One client frame at the start of some bytes.
#[derive(Debug, PartialEq)]
pub(crate) struct Frame<'a> {
    first: u8,
    mask: [u8; 4],
    payload: &'a [u8],
    /// How many bytes it takes, header and all.
    pub(crate) len: usize,
}

/// The bytes are no client frame, or one that is too long.
#[derive(Debug, PartialEq)]
pub(crate) struct Broken;

impl<'a> Frame<'a> {
    /// Reads the frame that `bytes` begin with; `None` where it has not come whole yet.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Option<Self>, Broken> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        if second & MASKED == 0 {
            return Err(Broken);
        }
        let (payload_len, rest) = match (second & !MASKED, rest) {
            (126, [a, b, rest @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest),
            (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
                let len = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                (usize::try_from(len).map_err(|_| Broken)?, rest)
            }
            (126 | 127, _) => return Ok(None),
            (short, rest) => (usize::from(short), rest),
        };
        if payload_len > MAX_PAYLOAD {
            return Err(Broken);
        }
        let Some((mask, rest)) = rest.split_first_chunk() else {
            return Ok(None);
        };
        let Some(payload) = rest.get(..payload_len) else {
            return Ok(None);
        };
        let header = bytes.len() - rest.len();
        Ok(Some(Self {
            first: *first,
            mask: *mask,
            payload,
            len: header + payload_len,
        }))
    }

    pub(crate) fn opcode(&self) -> u8 {
        self.first & 0x0f
    }

    /// Writes the same frame unmasked, under another opcode. Fragments are answered one by one, which is
    /// an echo too.
    pub(crate) fn answer(&self, opcode: u8, out: &mut Vec<u8>) {
        header((self.first & 0xf0) | opcode, self.payload.len(), out);
        out.extend(unmask(self.payload, self.mask));
    }
}

/// Writes the header of a frame of a server, whose first byte this is.
pub(crate) fn header(first: u8, payload_len: usize, out: &mut Vec<u8>) {
    out.push(first);
    match payload_len {
        len @ 0..126 => out.push(len as u8),
        len @ 126..65_536 => {
            out.push(126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(127);
            out.extend((len as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prepared_frame_is_read_back_and_answered_in_the_clear() {
        let bytes = masked(TEXT, b"hello");
        let frame = Frame::read(&bytes).unwrap().unwrap();
        assert_eq!((frame.opcode(), frame.len), (TEXT, bytes.len()));
        let mut answer = Vec::new();
        frame.answer(frame.opcode(), &mut answer);
        assert_eq!(answer, b"\x81\x05hello");
        assert_eq!(answer.len(), answer_len(&bytes));
    }

    #[test]
    fn every_length_of_header_is_read_and_written() {
        for len in [125usize, 126, 65_535, 65_536] {
            let mut bytes = vec![0x82];
            match len {
                125 => bytes.push(0x80 | 125),
                126 | 65_535 => {
                    bytes.push(0x80 | 126);
                    bytes.extend((len as u16).to_be_bytes());
                }
                _ => {
                    bytes.push(0x80 | 127);
                    bytes.extend((len as u64).to_be_bytes());
                }
            }
            bytes.extend([0; 4]);
            bytes.extend(vec![b'x'; len]);
            let frame = Frame::read(&bytes).unwrap().unwrap();
            assert_eq!(frame.len, bytes.len());
            let mut answer = Vec::new();
            frame.answer(frame.opcode(), &mut answer);
            assert_eq!(answer.len(), bytes.len() - 4);
            assert!(answer.ends_with(&vec![b'x'; len]));
        }
    }

    #[test]
    fn part_of_a_frame_waits_for_the_rest() {
        let bytes = masked(PING, b"1234");
        for end in 0..bytes.len() {
            assert_eq!(Frame::read(&bytes[..end]), Ok(None), "{end} bytes");
        }
    }

    #[test]
    fn what_no_client_may_send_is_broken() {
        assert_eq!(Frame::read(b"\x81\x02hi"), Err(Broken));
        let terabyte = [0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0];
        assert_eq!(Frame::read(&terabyte), Err(Broken));
    }
}
