//! A complete answer, and why there is none.

use httparse::Response;

use super::head::{MAX_HEADERS, first_line, quoted, values};
use super::reader::{MAX_BODY, MAX_HEAD};
use crate::units::{counted, human_count};

/// A complete answer to a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Between 200 and 999.
    pub status: u16,
    /// The words behind the status; may be empty.
    pub reason: String,
    /// The body as it was sent, without chunks around it; no coding of its content is undone.
    pub body: Vec<u8>,
    /// Whether the connection can take another request (RFC 9112 section 9.3), as far as the server says. Not if bytes
    /// came behind the answer, or its end was told by the end of the connection.
    pub keep_alive: bool,
    headers: Vec<(String, Vec<u8>)>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not HTTP/1.
    #[error("the answer is no HTTP: {why}: {first}")]
    NoHttp {
        /// What is wrong with it.
        why: String,
        /// Its first line, in quotation marks.
        first: String,
    },
    /// A status below 100 (RFC 9110 section 15).
    #[error("the answer has the status {0:03}, which is none")]
    Status(u16),
    /// A head without an end.
    #[error("the head of the answer has more than {} bytes: {first}", human_count(*.most as u64))]
    LongHead {
        /// The most bytes that it may have.
        most: usize,
        /// Its first line, in quotation marks.
        first: String,
    },
    /// Over 100; with its first line, in quotation marks.
    #[error("the answer has more than {MAX_HEADERS} headers: {0}")]
    ManyHeaders(String),
    /// 101, which the request did not ask for (RFC 9110 section 15.2.2).
    #[error("the server switches to a protocol that nobody asked for")]
    Switching,
    /// Informational answers, over 16 or over 16 KiB.
    #[error("{} and no final one", counted(*.0 as u64, "informational answer"))]
    Interim(usize),
    /// No number, or two different ones (RFC 9112 section 6.3).
    #[error("the answer has a wrong `Content-Length`: \"{0}\"")]
    Length(String),
    /// A transfer coding other than `chunked`, which the request did not allow.
    #[error("the answer has a `Transfer-Encoding` that wsbench does not know: \"{0}\"")]
    Coding(String),
    /// A chunk without a size, or without an end (RFC 9112 section 7.1).
    #[error("the body of the answer has a wrong chunk: \"{0}\"")]
    Chunk(String),
    /// Over 1 MiB.
    #[error("the body of the answer has more than {} bytes", human_count(MAX_BODY as u64))]
    Big,
    /// Over 64 KiB of fields behind the last chunk.
    #[error("the fields behind the body have more than {} bytes", human_count(MAX_HEAD as u64))]
    LongTrailer,
    /// The connection ended too early.
    #[error("the connection ended {0}")]
    Ended(EndedAt),
}

/// Where an answer ended too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndedAt {
    /// Nothing had come.
    #[error("before any answer")]
    Before,
    /// Inside of the head.
    #[error("inside of the head of the answer")]
    Head,
    /// Inside of a body whose length was told.
    #[error("after {} of {} of the body", human_count(*.came as u64), counted(*.of as u64, "byte"))]
    Counted {
        /// Bytes of the body that came.
        came: usize,
        /// Its length.
        of: usize,
    },
    /// Before the last chunk of a body, or the end of the fields behind it.
    #[error("before the last chunk, after {} of the body", counted(*.came as u64, "byte"))]
    Chunked {
        /// Bytes of the body that came.
        came: usize,
    },
}

impl AnswerError {
    /// What these bytes begin with is no HTTP.
    pub(super) fn no_http(why: impl Into<String>, bytes: &[u8]) -> Self {
        Self::NoHttp {
            why: why.into(),
            first: first_line(bytes),
        }
    }
}

/// How the end of a body is found (RFC 9112 section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    None,
    Counted(usize),
    Chunked,
    ToEnd,
}

impl Answer {
    /// Takes the head of a final answer, and tells how its body ends.
    pub(super) fn new(
        response: &Response<'_, '_>,
        is_to_head: bool,
    ) -> Result<(Self, Framing), AnswerError> {
        let status = response.code.unwrap_or(0);
        if status < 100 {
            return Err(AnswerError::Status(status));
        }
        let framing = framing(response, is_to_head)?;
        let is_closed_for_certain = framing == Framing::ToEnd || has_both(response);
        let owned = |header: &httparse::Header<'_>| {
            (header.name.to_owned(), header.value.trim_ascii().to_vec())
        };
        let answer = Self {
            status,
            reason: response.reason.unwrap_or("").to_owned(),
            body: Vec::new(),
            keep_alive: !is_closed_for_certain && is_kept(response),
            headers: response.headers.iter().map(owned).collect(),
        };
        Ok((answer, framing))
    }

    /// Returns the value of the first header with this name, whatever its case, without blanks around it.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers(name).next()
    }

    /// Returns its status, its words and its body.
    pub fn shown(&self) -> Vec<u8> {
        let line = format!("{} {} ", self.status, self.reason);
        let shown = [line.as_bytes(), &self.body].concat();
        shown.trim_ascii_end().to_vec()
    }

    /// Returns the values of all headers with this name, in their order.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let is_it = move |header: &&(String, Vec<u8>)| header.0.eq_ignore_ascii_case(name);
        self.headers.iter().filter(is_it).map(|(_, value)| &**value)
    }
}

/// Finds how the body ends: the rules of RFC 9112 section 6.3 in their order, without `CONNECT`.
fn framing(response: &Response<'_, '_>, is_to_head: bool) -> Result<Framing, AnswerError> {
    if is_to_head || matches!(response.code, Some(204 | 304)) {
        return Ok(Framing::None);
    }
    let mut codings = elements(response, "Transfer-Encoding");
    match (codings.next(), codings.next()) {
        (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => {
            return Ok(Framing::Chunked);
        }
        (None, _) => {}
        _ => {
            let all: Vec<_> = values(response, "Transfer-Encoding").collect();
            return Err(AnswerError::Coding(quoted(&all.join(&b", "[..]))));
        }
    }
    let mut lengths = elements(response, "Content-Length");
    let Some(length) = lengths.next() else {
        return Ok(Framing::ToEnd);
    };
    // The same length said twice is allowed.
    if let Some(other) = lengths.find(|other| *other != length) {
        return Err(AnswerError::Length(quoted(
            &[length, other].join(&b", "[..]),
        )));
    }
    let is_number = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
    if !is_number {
        return Err(AnswerError::Length(quoted(length)));
    }
    match str::from_utf8(length)
        .ok()
        .and_then(|digits| digits.parse().ok())
    {
        Some(length) if length <= MAX_BODY => Ok(Framing::Counted(length)),
        _ => Err(AnswerError::Big),
    }
}

/// Tells whether it has both a length and chunks, of which a proxy may have taken the other (RFC 9112 section 6.3), or
/// chunks in HTTP/1.0, which has none (section 6.1).
fn has_both(response: &Response<'_, '_>) -> bool {
    let has = |name| values(response, name).next().is_some();
    has("Transfer-Encoding") && (has("Content-Length") || response.version == Some(0))
}

/// Tells whether the server keeps the connection (RFC 9112 section 9.3).
fn is_kept(response: &Response<'_, '_>) -> bool {
    let says = |word: &str| {
        elements(response, "Connection").any(|said| said.eq_ignore_ascii_case(word.as_bytes()))
    };
    !says("close") && (response.version == Some(1) || says("keep-alive"))
}

/// Returns the elements of a list that may go over several headers (RFC 9110 section 5.6.1).
fn elements<'h>(
    response: &'h Response<'_, '_>,
    name: &'static str,
) -> impl Iterator<Item = &'h [u8]> {
    let split = |value: &'h [u8]| value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    values(response, name)
        .flat_map(split)
        .filter(|element| !element.is_empty())
}
