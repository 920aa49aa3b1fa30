//! One request of HTTP and its answer, over a connection that is there: for who asks once, and for who asks again and again.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::link::Link;
use super::transport::Lost;
use crate::http::{Answer, AnswerError, EndedAt, Reader};

/// The newest request, and how far it and its answer have come.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    request: Vec<u8>,
    /// How much of it is still to be written to this connection.
    unwritten: usize,
    /// Whether this connection takes no more bytes.
    is_deaf: bool,
    /// Reads the answer; `None` while none is due.
    reader: Option<Reader>,
    /// Whether some of the answer came.
    pub(super) has_begun: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// It is no HTTP, or goes over a limit.
    Wrong(AnswerError),
    /// The connection was lost, and where in the answer; `None` in a body that the end of the connection would have ended.
    Lost(Lost, Option<EndedAt>),
}

impl Exchange {
    /// Begins with the next request.
    pub(super) fn begin(&mut self, request: &[u8]) {
        self.request.clear();
        self.request.extend_from_slice(request);
        self.begin_again();
    }

    /// Begins with the same request once more.
    pub(super) fn begin_again(&mut self) {
        self.unwritten = self.request.len();
        self.reader = Some(Reader::new(&String::from_utf8_lossy(self.method())));
        self.has_begun = false;
    }

    /// Goes over to another connection, on which nothing of the request was sent.
    pub(super) fn move_over(&mut self) {
        self.unwritten = self.request.len();
        self.is_deaf = false;
    }

    /// Whether an answer is due.
    pub(super) fn is_due(&self) -> bool {
        self.reader.is_some()
    }

    /// Whether the whole request was sent.
    pub(super) fn is_sent(&self) -> bool {
        self.unwritten == 0
    }

    /// The method of the newest request.
    pub(super) fn method(&self) -> &[u8] {
        self.word(0)
    }

    /// The path and query of the newest request.
    pub(super) fn target(&self) -> &str {
        str::from_utf8(self.word(1)).unwrap_or_default()
    }

    fn word(&self, nth: usize) -> &[u8] {
        let mut words = self.request.split(|byte| *byte == b' ');
        words.nth(nth).unwrap_or_default()
    }

    /// Sends the request, as far as the server takes it. Pending while it takes no more.
    pub(super) fn poll_send(&mut self, link: &mut Link, cx: &mut Context<'_>) -> Poll<()> {
        while self.unwritten > 0 && !self.is_deaf {
            let rest = &self.request[self.request.len() - self.unwritten..];
            match ready!(Pin::new(&mut *link).poll_write(cx, rest)) {
                Ok(written @ 1..) => self.unwritten -= written,
                Ok(_) | Err(_) => {
                    // What the server said before, or its end, is found by reading.
                    self.is_deaf = true;
                    cx.waker().wake_by_ref();
                }
            }
        }
        if !self.is_deaf {
            let _ = ready!(Pin::new(link).poll_flush(cx));
        }
        Poll::Ready(())
    }

    /// Reads once, into `space`, while an answer is due. Returns the answer if that was its end.
    ///
    /// # Errors
    /// Why there will be none.
    pub(super) fn poll_read(
        &mut self,
        link: &mut Link,
        cx: &mut Context<'_>,
        space: &mut [u8],
    ) -> Poll<Result<Option<Answer>, NoAnswer>> {
        let mut space = ReadBuf::new(space);
        let read = ready!(Pin::new(&mut *link).poll_read(cx, &mut space));
        let Some(mut reader) = self.reader.take() else {
            return Poll::Ready(Ok(None));
        };
        let error = match (read, space.filled()) {
            (Ok(()), []) => None,
            (Err(error), _) => Some(error),
            (Ok(()), bytes) => {
                self.has_begun = true;
                let answer = reader.take(bytes).map_err(NoAnswer::Wrong)?;
                if answer.is_none() {
                    self.reader = Some(reader);
                }
                return Poll::Ready(Ok(answer));
            }
        };
        let at = match (reader.end(), &error) {
            (Ok(answer), None) => return Poll::Ready(Ok(Some(answer))),
            (Err(AnswerError::Ended(at)), _) => Some(at),
            (Ok(_) | Err(_), _) => None,
        };
        Poll::Ready(Err(NoAnswer::Lost(link.lost(error.as_ref()), at)))
    }
}
