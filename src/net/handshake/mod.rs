//! The opening handshake (RFC 6455 section 4.1). Our own, because what is wrong with an answer is a result of the run.

mod answer;
mod extended;
mod extensions;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;

pub(crate) use self::extensions::Agreed;
use super::end::TcpEnd;
use super::failure::Failure;
use super::link::Link;
use super::transport::Lost;
use crate::http::{HeadReader, first_line};
use crate::metric::Cause;
use crate::scenario::{Ask, Compression, WsUrl};

/// An upgrade request without its key: made once for a run.
#[derive(Debug)]
pub(crate) struct Request {
    head: String,
    subprotocols: Vec<String>,
}

/// A valid answer: a 101.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Switched {
    /// The length of its head in bytes.
    pub(crate) length: usize,
    /// The compression that was agreed on.
    pub(crate) agreed: Option<Agreed>,
}

/// What an upgrade request says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestText<'a> {
    /// The value of `Host`, unless a header says it.
    pub(crate) host: &'a str,
    /// The path and query.
    pub(crate) resource: &'a str,
    pub(crate) origin: Option<&'a str>,
    pub(crate) subprotocols: &'a [String],
    /// Extra headers, in order.
    pub(crate) headers: &'a [(String, String)],
}

impl Request {
    /// Builds the request for this server.
    pub(crate) fn new(url: &WsUrl, ask: &Ask) -> Self {
        Self::of(&RequestText {
            host: &url.origin().authority(),
            resource: &url.resource,
            origin: ask.origin.as_deref(),
            subprotocols: &ask.subprotocols,
            headers: &ask.headers,
        })
    }

    /// Builds the request that says this.
    pub(crate) fn of(text: &RequestText<'_>) -> Self {
        let mut head = format!("GET {} HTTP/1.1\r\n", text.resource);
        let mut line = |name: &str, value: &str| {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        };
        let mut names = text.headers.iter().map(|(name, _)| name);
        if !names.any(|name| name.eq_ignore_ascii_case("host")) {
            line("Host", text.host);
        }
        line("Upgrade", "websocket");
        line("Connection", "Upgrade");
        line("Sec-WebSocket-Version", "13");
        if let Some(origin) = text.origin {
            line("Origin", origin);
        }
        if !text.subprotocols.is_empty() {
            line("Sec-WebSocket-Protocol", &text.subprotocols.join(", "));
        }
        for (name, value) in text.headers {
            line(name, value);
        }
        Self {
            head,
            subprotocols: text.subprotocols.to_vec(),
        }
    }

    /// Sends the request with an offer of compression, and checks the answer. Returns all received bytes of the final
    /// answer, and what it says if it is valid.
    pub(crate) async fn ask(
        &self,
        link: &mut Link,
        compression: Option<&Compression>,
    ) -> (Vec<u8>, Result<Switched, Failure>) {
        let mut answer = Vec::with_capacity(1024);
        let checked = self.exchange(link, compression, &mut answer).await;
        (answer, checked)
    }

    async fn exchange(
        &self,
        link: &mut Link,
        compression: Option<&Compression>,
        answer: &mut Vec<u8>,
    ) -> Result<Switched, Failure> {
        let key = generate_key();
        let offer = compression.map_or_else(String::new, |compression| {
            format!("Sec-WebSocket-Extensions: {}\r\n", compression.offer)
        });
        let request = format!("{}{offer}Sec-WebSocket-Key: {key}\r\n\r\n", self.head);
        let sent = async {
            link.write_all(request.as_bytes()).await?;
            link.flush().await
        };
        // A server that did not accept the whole request may have sent a reason before.
        let not_sent = sent.await.err();
        let mut head = HeadReader::default();
        loop {
            let error = match link.read_buf(answer).await {
                Ok(0) => not_sent,
                Err(error) => Some(error),
                Ok(_) => match self.check(answer, &key, compression, &mut head)? {
                    Some(valid) => return Ok(valid),
                    None => continue,
                },
            };
            return Err(lost(link.lost(error.as_ref()), answer));
        }
    }

    /// Drops informational answers, and returns what the final one says once its head is complete.
    fn check(
        &self,
        answer: &mut Vec<u8>,
        key: &str,
        compression: Option<&Compression>,
        head: &mut HeadReader,
    ) -> Result<Option<Switched>, Failure> {
        let checked = head.look(answer, |response, behind| {
            answer::check((response, behind), key, &self.subprotocols, compression)
        });
        match checked {
            Ok(Some((length, agreed))) => Ok(Some(Switched {
                length,
                agreed: agreed?,
            })),
            Ok(None) => Ok(None),
            Err(error) => Err(Failure::new(Cause::HandshakeGarbage, error.to_string())),
        }
    }
}

/// The failure of a connection that was lost when this much of the answer had come.
fn lost(lost: Lost, answer: &[u8]) -> Failure {
    let end = match lost {
        Lost::Tcp(end) => end,
        Lost::Failed(cause, detail) | Lost::Broken(cause, detail) => {
            return Failure::new(cause, detail);
        }
        Lost::Closed => TcpEnd::Fin,
    };
    let after = match answer {
        [] => "before any answer".to_owned(),
        _ => format!("after {}", first_line(answer)),
    };
    Failure::new(end.before_open(), after)
}

/// Asserts what must hold for any answer, for the tests and the fuzzer: an incomplete answer has a length limit, an
/// accepted one came complete, and a refusal has a description.
#[cfg(any(test, fuzzing))]
pub(crate) fn check_any_answer(answer: &[u8]) {
    let request = Request {
        head: String::new(),
        subprotocols: vec!["chat".to_owned()],
    };
    let (mut left, mut head) = (answer.to_vec(), HeadReader::default());
    let compression = Compression::default();
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    match request.check(&mut left, key, Some(&compression), &mut head) {
        Ok(Some(Switched { length, .. })) => assert!(length <= left.len(), "longer than what came"),
        Ok(None) => assert!(
            left.len() <= crate::http::MAX_HEAD_ALONE,
            "waits without end"
        ),
        Err(failure) => assert!(!failure.detail.is_empty(), "refused without a word"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uses the example of RFC 6455 section 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    /// Checks an answer that comes in pieces of `piece` bytes.
    fn check(answer: &str, piece: usize) -> (Vec<u8>, Result<Option<Switched>, Failure>) {
        let request = Request {
            head: String::new(),
            subprotocols: Vec::new(),
        };
        let (mut came, mut head) = (Vec::new(), HeadReader::default());
        let mut checked = Ok(None);
        for bytes in answer.as_bytes().chunks(piece) {
            came.extend_from_slice(bytes);
            checked = request.check(&mut came, KEY, None, &mut head);
            if !matches!(checked, Ok(None)) {
                break;
            }
        }
        (came, checked)
    }

    #[test]
    fn informational_answers_are_skipped() {
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
        let answer = format!("HTTP/1.1 100 Continue\r\n\r\n{hints}{SWITCHING}");
        for piece in [1, 7, answer.len()] {
            let (came, checked) = check(&answer, piece);
            let length = SWITCHING.len();
            let agreed = None;
            assert_eq!(checked, Ok(Some(Switched { length, agreed })), "{piece}");
            assert_eq!(came, SWITCHING.as_bytes(), "{piece}");
        }
    }

    #[test]
    fn the_final_answer_behind_an_informational_one_is_judged() {
        let (_, checked) = check("HTTP/1.1 103 \r\n\r\nHTTP/1.1 403 No\r\n\r\n", 1000);
        assert_eq!(checked.unwrap_err().cause, Cause::HttpStatus);
    }

    #[test]
    fn informational_answers_without_end_are_no_answer() {
        let many = "HTTP/1.1 100 Continue\r\n\r\n".repeat(17);
        let (_, checked) = check(&many, 1000);
        assert_eq!(checked.unwrap_err().cause, Cause::HandshakeGarbage);
        let long = format!("HTTP/1.1 103 x\r\nA: {}\r\n\r\n", "b".repeat(8 * 1024)).repeat(2);
        let (_, checked) = check(&long, long.len());
        assert_eq!(checked.unwrap_err().cause, Cause::HandshakeGarbage);
    }
}
