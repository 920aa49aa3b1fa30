//! One request of HTTP over a connection of its own.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::end::TcpEnd;
use super::failure::Failure;
use super::link::Link;
use super::tcp_dialer::{Dial, Progress};
use super::tls;
use super::way::{Linked, Way};
use crate::http::{Address, Answer, AnswerError, Reader};
use crate::metric::{ANSWER_STEP, Cause};
use crate::scenario::WebOrigin;
use crate::time::Clock;

/// How much is read at a time, in bytes.
const PIECE: usize = 4096;

/// An answer, or why there is none; and the bytes that were sent and received.
pub(crate) struct Asked {
    pub(crate) answer: Result<Answer, Failure>,
    pub(crate) bytes: (u64, u64),
}

/// What cookies go by: a server and a path there.
pub(crate) fn address<'a>(origin: &'a WebOrigin, path: &'a str) -> Address<'a> {
    Address {
        host: &origin.host,
        path,
        secure: origin.secure,
    }
}

impl Way {
    /// Opens a connection, sends this request, and waits for its answer. Has no time limit of its own.
    pub(crate) async fn ask(
        &self,
        method: &str,
        request: &[u8],
        dial: Dial,
        clock: &dyn Clock,
        progress: &mut Progress,
    ) -> Asked {
        let mut link = match self.link(dial, clock, progress).await {
            Ok(Linked { link, .. }) => link,
            Err(failure) => {
                return Asked {
                    answer: Err(failure),
                    bytes: (0, 0),
                };
            }
        };
        progress.reached = ANSWER_STEP;
        Asked {
            answer: exchange(&mut link, method, request).await,
            bytes: link.wire_mut().take_bytes(),
        }
    }
}

async fn exchange(link: &mut Link, method: &str, request: &[u8]) -> Result<Answer, Failure> {
    let sent = async {
        link.write_all(request).await?;
        link.flush().await
    };
    // A server that did not take the whole request may have answered before.
    let _ = sent.await;
    let mut reader = Reader::new(method);
    let mut piece = Vec::with_capacity(PIECE);
    loop {
        piece.clear();
        let ended = match link.read_buf(&mut piece).await {
            Ok(0) => None,
            Ok(_) => match reader.take(&piece) {
                Ok(None) => continue,
                Ok(Some(answer)) => return Ok(answer),
                Err(error) => return Err(failure(&error)),
            },
            Err(error) => {
                if let Some(failure) = tls::broken(&error) {
                    return Err(failure);
                }
                Some(error)
            }
        };
        let is_reset = link.wire().end() == Some(TcpEnd::Rst);
        return match reader.end() {
            Ok(answer) if ended.is_none() => Ok(answer),
            Err(error @ AnswerError::Ended(_)) if is_reset => {
                let detail = format!("{error}, by a reset");
                Err(Failure::new(Cause::HandshakeReset, detail))
            }
            Err(error) => Err(failure(&error)),
            Ok(_) => {
                let detail = ended.map_or_else(String::new, |error| error.to_string());
                Err(Failure::new(Cause::Io, detail))
            }
        };
    }
}

fn failure(error: &AnswerError) -> Failure {
    let cause = match error {
        AnswerError::Ended(_) => Cause::HandshakeEof,
        _ => Cause::HandshakeGarbage,
    };
    Failure::new(cause, error.to_string())
}
