//! The head of an answer: what an upgrade and any other exchange read in the same way.

use std::mem::MaybeUninit;

use httparse::{Error, ParserConfig, Response, Status};

use super::answer::AnswerError;
use crate::units::one_line;

/// The most headers of an answer.
pub(super) const MAX_HEADERS: usize = 100;
/// The most informational answers before the final one, and the most bytes of them.
const MAX_INTERIM: usize = 16;
const MAX_INTERIM_BYTES: usize = 16 * 1024;
/// The most characters of an answer that are quoted.
const MAX_QUOTED: usize = 80;

/// Reads the head that these bytes begin with: returns what `read` makes of it and of its length in bytes, or `None`
/// while it is not complete.
///
/// # Errors
/// When this is no HTTP/1, or there are more than 100 headers.
pub fn read_head<R>(
    bytes: &[u8],
    read: impl FnOnce(&Response<'_, '_>, usize) -> R,
) -> Result<Option<R>, Error> {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut response = Response::new(&mut []);
    let parser = ParserConfig::default();
    let parsed = parser.parse_response_with_uninit_headers(&mut response, bytes, &mut headers)?;
    Ok(match parsed {
        Status::Complete(length) => Some(read(&response, length)),
        Status::Partial => None,
    })
}

/// Returns the values of all headers with this name, whatever its case, without blanks around them.
pub fn values<'h>(
    response: &'h Response<'_, '_>,
    name: &'static str,
) -> impl Iterator<Item = &'h [u8]> {
    (response.headers.iter())
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value.trim_ascii())
}

/// Counts the informational answers that came before the final one (RFC 9110 section 15.2).
#[derive(Debug, Default)]
pub struct Interim {
    answers: usize,
    bytes: usize,
}

impl Interim {
    /// Counts one of this many bytes.
    ///
    /// # Errors
    /// When there are more than 16, or more than 16 KiB of them.
    pub fn add(&mut self, length: usize) -> Result<(), AnswerError> {
        self.answers += 1;
        self.bytes += length;
        if self.answers > MAX_INTERIM || self.bytes > MAX_INTERIM_BYTES {
            return Err(AnswerError::Interim(self.answers));
        }
        Ok(())
    }
}

/// Returns the first line, in quotation marks.
pub fn first_line(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\n').next();
    format!("\"{}\"", quoted(line.unwrap_or_default()))
}

/// Returns the first words, at most 80 characters on one line.
pub fn quoted(bytes: &[u8]) -> String {
    let first = &bytes[..bytes.len().min(4 * MAX_QUOTED)];
    one_line(&String::from_utf8_lossy(first), MAX_QUOTED)
}
