//! Finds where to cut a server's bytes so that a frame is split in two. Pure.

/// How many of these bytes to pass on before a cut. If they start with a complete frame (RFC 6455 section 5.2) or TLS
/// record (RFC 8446 section 5.1), up to the middle of it; otherwise up to the middle of all bytes. Always less than all
/// of them, unless there are none.
pub(super) fn middle(bytes: &[u8]) -> usize {
    let first = match bytes {
        [20..=24, 3, _, high, low, ..] => 5 + usize::from(u16::from_be_bytes([*high, *low])),
        _ => frame(bytes).unwrap_or(usize::MAX),
    };
    first.min(bytes.len()) / 2
}

/// The length of a server's frame with header and payload; a server's frame has no mask.
fn frame(bytes: &[u8]) -> Option<usize> {
    let length = match *bytes.get(1)? & 0x7f {
        126 => 4 + usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)),
        127 => {
            let long = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
            usize::try_from(long).ok()?.saturating_add(10)
        }
        short => 2 + usize::from(short),
    };
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_frame_is_torn_where_there_are_several() {
        let two = [0x82, 4, 1, 2, 3, 4, 0x82, 4, 1, 2, 3, 4];
        assert_eq!(middle(&two), 3);
        let mut long = vec![0x82, 126, 1, 0];
        long.resize(4 + 256, 7);
        long.extend_from_slice(&two);
        assert_eq!(middle(&long), 130);
        let mut longest = vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0];
        longest.resize(10 + 65_536, 7);
        assert_eq!(middle(&longest), 32_773);
        let mut record = vec![23, 3, 3, 0, 20];
        record.resize(25, 7);
        record.extend_from_slice(&[23, 3, 3, 0, 20]);
        assert_eq!(middle(&record), 12);
    }

    #[test]
    fn a_part_of_a_frame_is_halved_and_never_passed_whole() {
        assert_eq!(middle(&[0x82, 100, 1, 2]), 2);
        assert_eq!(
            middle(&[0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255]),
            5
        );
        assert_eq!(middle(&[0x82]), 0);
        assert_eq!(middle(&[]), 0);
    }
}
