//! The head of an answer: an upgrade, a proxy and any other exchange read it in the same way.

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

/// The longest head where nothing but the head is wanted, in bytes.
pub(crate) const MAX_HEAD_ALONE: usize = 16 * 1024;

/// Reads the head that these bytes begin with: returns what `read` makes of it and of its length in bytes, or `None`
/// while it is not complete.
///
/// # Errors
/// When this is no HTTP/1, or there are more than 100 headers.
pub fn read_head<R>(
    bytes: &[u8],
    read: impl FnOnce(&Response<'_, '_>, usize) -> R,
) -> Result<Option<R>, AnswerError> {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut response = Response::new(&mut []);
    let parser = ParserConfig::default();
    match parser.parse_response_with_uninit_headers(&mut response, bytes, &mut headers) {
        Ok(Status::Complete(length)) => Ok(Some(read(&response, length))),
        Ok(Status::Partial) => Ok(None),
        Err(Error::TooManyHeaders) => Err(AnswerError::ManyHeaders(first_line(bytes))),
        Err(error) => Err(AnswerError::no_http(error.to_string(), bytes)),
    }
}

/// Reads the head of an answer that is wanted for its head alone: that of an upgrade, and that of a proxy.
#[derive(Debug, Default)]
pub struct HeadReader {
    interim: Interim,
}

impl HeadReader {
    /// Looks at all that has come, and drops informational answers from it. Returns what `read` makes of the head of the
    /// final answer and of the bytes behind it, with its length in bytes; `None` while it is not complete. A 101 is final.
    ///
    /// # Errors
    /// When this is no HTTP/1, or more than is waited for.
    pub fn look<R>(
        &mut self,
        came: &mut Vec<u8>,
        mut read: impl FnMut(&Response<'_, '_>, &[u8]) -> R,
    ) -> Result<Option<(usize, R)>, AnswerError> {
        loop {
            let found = read_head(came, |response, length| {
                let is_final = !matches!(response.code, Some(100 | 102..=199));
                (length, is_final.then(|| read(response, &came[length..])))
            });
            match found? {
                Some((length, Some(read))) => return Ok(Some((length, read))),
                Some((length, None)) => {
                    self.interim.add(length)?;
                    came.drain(..length);
                }
                None if came.len() > MAX_HEAD_ALONE => {
                    return Err(AnswerError::LongHead {
                        most: MAX_HEAD_ALONE,
                        first: first_line(came),
                    });
                }
                None => return Ok(None),
            }
        }
    }
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
pub(super) struct Interim {
    answers: usize,
    bytes: usize,
}

impl Interim {
    /// Counts one of this many bytes.
    ///
    /// # Errors
    /// When there are more than 16, or more than 16 KiB of them.
    pub(super) fn add(&mut self, length: usize) -> Result<(), AnswerError> {
        self.answers += 1;
        self.bytes += length;
        if self.answers > MAX_INTERIM || self.bytes > MAX_INTERIM_BYTES {
            return Err(AnswerError::Interim(self.answers));
        }
        Ok(())
    }
}

/// Returns the first line, put together again: version, status and words. An answer without a version is one of HTTP/2.
pub fn status_line(response: &Response<'_, '_>) -> String {
    let status = response.code.unwrap_or_default();
    let reason = response.reason.unwrap_or_default();
    let line = match response.version {
        Some(minor) => format!("HTTP/1.{minor} {status} {reason}"),
        None => format!("HTTP/2 {status}"),
    };
    line.trim_end().to_owned()
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
