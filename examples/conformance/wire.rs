//! Both ends of a recorded connection: heads of HTTP, and a client's frames.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

const END_OF_HEAD: &[u8] = b"\r\n\r\n";
const MASKED: u8 = 0x80;

/// Takes a head of HTTP off the beginning of `came`; `None` while it is not complete.
pub(crate) fn take_head(came: &mut Vec<u8>) -> Option<Vec<u8>> {
    let found = came
        .windows(END_OF_HEAD.len())
        .position(|bytes| bytes == END_OF_HEAD)?;
    Some(came.drain(..found + END_OF_HEAD.len()).collect())
}

/// Takes a client's frame off the beginning of `came`, as its first byte and its payload without the mask; `None` while
/// it is not complete.
///
/// # Errors
/// When it has no mask (RFC 6455 section 5.1).
pub(crate) fn take_frame(came: &mut Vec<u8>) -> Result<Option<Vec<u8>>, String> {
    let &[first, second, ..] = came.as_slice() else {
        return Ok(None);
    };
    if second & MASKED == 0 {
        return Err("the client sent a frame without a mask".to_owned());
    }
    let (length, begins) = match second & !MASKED {
        126 => (number(came.get(2..4)), 4),
        127 => (number(came.get(2..10)), 10),
        short => (Some(usize::from(short)), 2),
    };
    let Some(length) = length else {
        return Ok(None);
    };
    let (key, payload) = (begins..begins + 4, begins + 4..begins + 4 + length);
    let (Some(key), Some(payload)) = (came.get(key), came.get(payload.clone())) else {
        return Ok(None);
    };
    let unmasked = payload
        .iter()
        .zip(key.iter().cycle())
        .map(|(byte, key)| byte ^ key);
    let frame = std::iter::once(first).chain(unmasked).collect();
    came.drain(..begins + 4 + length);
    Ok(Some(frame))
}

fn number(bytes: Option<&[u8]>) -> Option<usize> {
    let bytes = bytes?.iter();
    Some(bytes.fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

/// Appends what comes next to `came`. Returns whether something came, and not the end.
pub(crate) async fn more(
    from: &mut (impl AsyncRead + Unpin),
    came: &mut Vec<u8>,
) -> io::Result<bool> {
    const AT_ONCE: usize = 64 * 1024;
    came.reserve(AT_ONCE);
    Ok(from.read_buf(came).await? > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_once_it_is_whole() {
        for length in [0, 5, 125, 126, 65_536_usize] {
            let mut bytes = vec![0x82];
            match length {
                0..126 => bytes.push(MASKED | length as u8),
                126..65_536 => {
                    bytes.push(MASKED | 126);
                    bytes.extend((length as u16).to_be_bytes());
                }
                _ => {
                    bytes.push(MASKED | 127);
                    bytes.extend((length as u64).to_be_bytes());
                }
            }
            bytes.extend([1, 2, 4, 8]);
            bytes.extend((0..length).map(|at| 0x55 ^ [1, 2, 4, 8][at % 4]));
            let mut part = bytes[..bytes.len() - 1].to_vec();
            assert_eq!(take_frame(&mut part), Ok(None));
            bytes.push(0x88);
            let frame = [vec![0x82], vec![0x55; length]].concat();
            assert_eq!(take_frame(&mut bytes), Ok(Some(frame)));
            assert_eq!(bytes, [0x88]);
        }
        assert!(take_frame(&mut vec![0x82, 0]).is_err());
    }

    #[test]
    fn a_head_ends_at_its_empty_line() {
        let mut came = b"GET / HTTP/1.1\r\n\r".to_vec();
        assert_eq!(take_head(&mut came), None);
        came.extend(b"\n\x81");
        assert_eq!(take_head(&mut came).unwrap(), b"GET / HTTP/1.1\r\n\r\n");
        assert_eq!(came, [0x81]);
    }
}
