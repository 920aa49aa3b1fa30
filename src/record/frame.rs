//! Records as they stand in the file: a length, a check, and so many bytes.

use std::io::{self, ErrorKind, Read, Write};

use super::error::RecordError;

/// What a file begins with.
const MAGIC: [u8; 4] = *b"wsbr";
/// The version of the format: raised when a reader of the old one could misread the new one.
pub(super) const VERSION: u8 = 3;
/// The longest record in bytes.
pub(super) const MAX_RECORD: u32 = 4 << 20;

/// Writes what a file begins with.
pub(super) fn begin(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&MAGIC)?;
    out.write_all(&[VERSION])
}

/// Reads it.
pub(super) fn check_begin(from: &mut impl Read) -> Result<(), RecordError> {
    let mut start = [0; MAGIC.len() + 1];
    let read = fill(from, &mut start)?;
    let magic = &start[..read.min(MAGIC.len())];
    if magic.is_empty() || !MAGIC.starts_with(magic) {
        return Err(RecordError::Foreign);
    }
    match (read == start.len(), start[MAGIC.len()]) {
        (false, _) => Err(RecordError::Cut(0)),
        (true, VERSION) => Ok(()),
        (true, other) => Err(RecordError::Version(other)),
    }
}

/// Writes a record.
pub(super) fn write(out: &mut impl Write, record: &[u8]) -> io::Result<()> {
    let length = u32::try_from(record.len()).ok();
    let length = length.filter(|length| *length <= MAX_RECORD);
    let length = length.ok_or_else(|| io::Error::other("a record is too long"))?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&check(length, record).to_le_bytes())?;
    out.write_all(record)
}

/// What becomes of an attempt to read a record.
pub(super) enum Next {
    Record(Vec<u8>),
    /// The file ends before it.
    Nothing,
    /// The file ends inside of it.
    Cut,
}

/// Reads the record with this number.
pub(super) fn read(from: &mut impl Read, number: u64) -> Result<Next, RecordError> {
    let mut head = [0; 8];
    match fill(from, &mut head)? {
        0 => return Ok(Next::Nothing),
        8 => {}
        _ => return Ok(Next::Cut),
    }
    let [a, b, c, d, check_bytes @ ..] = head;
    let length = u32::from_le_bytes([a, b, c, d]);
    if length > MAX_RECORD {
        return Err(RecordError::TooLong(number));
    }
    // Allocates no more than there is.
    let mut record = Vec::new();
    from.take(length.into()).read_to_end(&mut record)?;
    if record.len() < length as usize {
        return Ok(Next::Cut);
    }
    match check(length, &record) == u32::from_le_bytes(check_bytes) {
        true => Ok(Next::Record(record)),
        false => Err(RecordError::Damaged(number)),
    }
}

/// The check of a record and its length: an empty one has another than zero.
fn check(length: u32, record: &[u8]) -> u32 {
    let mut check = crc32fast::Hasher::new();
    check.update(&length.to_le_bytes());
    check.update(record);
    check.finalize()
}

/// Reads until the buffer is full or the file ends. Returns how many bytes there were.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match from.read(&mut buffer[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
