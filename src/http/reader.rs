//! Reads an answer from whatever pieces it comes in.

use std::mem;

use memchr::memchr;

use super::answer::{Answer, AnswerError, EndedAt, Framing};
use super::head::{Interim, first_line, quoted, read_head};

/// The longest head, and the longest fields behind a body, in bytes.
pub(super) const MAX_HEAD: usize = 64 * 1024;
/// The longest body, in bytes.
pub const MAX_BODY: usize = 1024 * 1024;
/// The longest line before a chunk, with its extensions, in bytes.
const MAX_CHUNK_LINE: usize = 1024;

/// Reads one answer. Holds at most 64 KiB of lines and 1 MiB of body.
#[derive(Debug)]
pub struct Reader {
    is_to_head: bool,
    interim: Interim,
    state: State,
    /// The head or line that is not complete yet.
    lines: Vec<u8>,
    answer: Answer,
}

/// What comes next.
#[derive(Debug, Clone, Copy)]
enum State {
    Head,
    Counted {
        left: usize,
    },
    ToEnd,
    ChunkSize,
    Chunk {
        left: usize,
    },
    /// The line end that follows the bytes of a chunk.
    ChunkEnd,
    /// Fields behind the last chunk, which are dropped (RFC 9110 section 6.5.1); so many bytes of them came.
    Trailer {
        came: usize,
    },
    Done,
}

impl Reader {
    /// Waits for the answer to a request of this method: one to `HEAD` has no body.
    pub fn new(method: &str) -> Self {
        Self {
            is_to_head: method == "HEAD",
            interim: Interim::default(),
            state: State::Head,
            lines: Vec::new(),
            answer: Answer::default(),
        }
    }

    /// Takes the bytes that came, and returns the answer once it is complete; nothing may be taken after it.
    ///
    /// # Errors
    /// When this is no answer, or one over a limit. How the bytes were cut makes no difference.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<Option<Answer>, AnswerError> {
        loop {
            if let State::Done = self.state {
                let mut answer = mem::take(&mut self.answer);
                answer.keep_alive &= bytes.is_empty();
                return Ok(Some(answer));
            }
            if bytes.is_empty() {
                return Ok(None);
            }
            self.step(&mut bytes)?;
        }
    }

    /// Tells that the connection has ended, and returns the answer if that was its end.
    ///
    /// # Errors
    /// When the answer is not complete.
    pub fn end(self) -> Result<Answer, AnswerError> {
        let came = self.answer.body.len();
        let at = match self.state {
            State::ToEnd | State::Done => return Ok(self.answer),
            State::Head if self.lines.is_empty() => EndedAt::Before,
            State::Head => EndedAt::Head,
            State::Counted { left } => EndedAt::Counted {
                came,
                of: came + left,
            },
            _ => EndedAt::Chunked { came },
        };
        Err(AnswerError::Ended(at))
    }

    /// Takes some of the bytes, of which there is at least one.
    fn step(&mut self, bytes: &mut &[u8]) -> Result<(), AnswerError> {
        match self.state {
            State::Head => {
                let is_line = self.take_line(bytes);
                if self.lines.len() > MAX_HEAD {
                    return Err(AnswerError::LongHead {
                        most: MAX_HEAD,
                        first: first_line(&self.lines),
                    });
                }
                if is_line {
                    self.read_head()?;
                }
            }
            State::Counted { left } => {
                let left = left - self.take_body(bytes, left);
                self.state = if left == 0 {
                    State::Done
                } else {
                    State::Counted { left }
                };
            }
            State::ToEnd => {
                self.take_body(bytes, MAX_BODY - self.answer.body.len());
                if !bytes.is_empty() {
                    return Err(AnswerError::Big);
                }
            }
            State::ChunkSize => {
                let is_line = self.take_line(bytes);
                if self.lines.len() > MAX_CHUNK_LINE {
                    return Err(AnswerError::Chunk(quoted(&self.lines)));
                }
                if is_line {
                    let size = chunk_size(&self.lines)
                        .ok_or_else(|| AnswerError::Chunk(quoted(&self.lines)))?;
                    self.lines.clear();
                    if size > MAX_BODY - self.answer.body.len() {
                        return Err(AnswerError::Big);
                    }
                    self.state = match size {
                        0 => State::Trailer { came: 0 },
                        left => State::Chunk { left },
                    };
                }
            }
            State::Chunk { left } => {
                let left = left - self.take_body(bytes, left);
                self.state = if left == 0 {
                    State::ChunkEnd
                } else {
                    State::Chunk { left }
                };
            }
            State::ChunkEnd => {
                const END: &[u8] = b"\r\n";
                let (first, rest) = bytes.split_at(1);
                *bytes = rest;
                self.lines.extend_from_slice(first);
                if !END.starts_with(&self.lines) {
                    return Err(AnswerError::Chunk("longer than its size".to_owned()));
                }
                if self.lines == END {
                    self.lines.clear();
                    self.state = State::ChunkSize;
                }
            }
            State::Trailer { came } => {
                let is_line = self.take_line(bytes);
                if came + self.lines.len() > MAX_HEAD {
                    return Err(AnswerError::LongTrailer);
                }
                if is_line {
                    let is_last = self.lines == b"\r\n";
                    let came = came + self.lines.len();
                    self.lines.clear();
                    self.state = if is_last {
                        State::Done
                    } else {
                        State::Trailer { came }
                    };
                }
            }
            State::Done => {}
        }
        Ok(())
    }

    /// Looks at the head when its first line is there, so that what is no HTTP is refused early, and when an empty line
    /// may have ended it.
    fn read_head(&mut self) -> Result<(), AnswerError> {
        let is_first_line = memchr(b'\n', &self.lines) == Some(self.lines.len() - 1);
        let is_end = self.lines.ends_with(b"\n\r\n") || self.lines.ends_with(b"\n\n");
        if !is_first_line && !is_end {
            return Ok(());
        }
        let is_to_head = self.is_to_head;
        let read = read_head(&self.lines, |response, _| match response.code {
            Some(101) => Err(AnswerError::Switching),
            Some(100..=199) => Ok(None),
            _ => Answer::new(response, is_to_head).map(Some),
        });
        match read {
            Ok(Some(Ok(Some((answer, framing))))) => {
                self.answer = answer;
                self.state = match framing {
                    Framing::None | Framing::Counted(0) => State::Done,
                    Framing::Counted(left) => State::Counted { left },
                    Framing::Chunked => State::ChunkSize,
                    Framing::ToEnd => State::ToEnd,
                };
            }
            Ok(Some(Ok(None))) => self.interim.add(self.lines.len())?,
            Ok(Some(Err(error))) => return Err(error),
            Ok(None) if is_first_line && !is_end => return Ok(()),
            Ok(None) => return Err(AnswerError::no_http("its head does not end", &self.lines)),
            Err(error) => return Err(error),
        }
        self.lines.clear();
        Ok(())
    }

    /// Moves bytes up to the end of a line to the lines, and tells whether it was reached.
    fn take_line(&mut self, bytes: &mut &[u8]) -> bool {
        let end = memchr(b'\n', bytes);
        let (line, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        self.lines.extend_from_slice(line);
        *bytes = rest;
        end.is_some()
    }

    /// Moves at most so many bytes to the body, and returns how many.
    fn take_body(&mut self, bytes: &mut &[u8], most: usize) -> usize {
        let (body, rest) = bytes.split_at(bytes.len().min(most));
        self.answer.body.extend_from_slice(body);
        *bytes = rest;
        body.len()
    }
}

/// Returns the size that a chunk begins with (RFC 9112 section 7.1), whose extensions are passed over.
fn chunk_size(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\r\n")?;
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let (digits, rest) = line.split_at(digits);
    if !matches!(rest.trim_ascii_start(), [] | [b';', ..]) {
        return None;
    }
    let digits = str::from_utf8(digits).ok()?;
    usize::from_str_radix(digits, 16).ok()
}
