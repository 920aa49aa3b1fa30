//! The opening handshake (RFC 6455 section 4.1): our own, because what is wrong with an answer is a result.

use std::mem::MaybeUninit;

use httparse::{ParserConfig, Response, Status};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::end::TcpEnd;
use super::failure::Failure;
use crate::metric::Cause;
use crate::scenario::{Target, WsUrl};

/// A longer response head than this is not one.
const MAX_HEAD: usize = 16 * 1024;
const MAX_HEADERS: usize = 100;

/// A request, but for its key: made once for a run.
#[derive(Debug)]
pub(crate) struct Request {
    head: String,
    subprotocols: Vec<String>,
}

impl Request {
    /// The request for this target.
    pub(crate) fn new(url: &WsUrl, target: &Target) -> Self {
        let mut head = format!("GET {} HTTP/1.1\r\n", url.resource);
        let mut line = |name: &str, value: &str| {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        };
        if !target
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            line("Host", &host(url));
        }
        line("Upgrade", "websocket");
        line("Connection", "Upgrade");
        line("Sec-WebSocket-Version", "13");
        if let Some(origin) = &target.origin {
            line("Origin", origin);
        }
        if !target.subprotocols.is_empty() {
            line("Sec-WebSocket-Protocol", &target.subprotocols.join(", "));
        }
        for (name, value) in &target.headers {
            line(name, value);
        }
        Self {
            head,
            subprotocols: target.subprotocols.clone(),
        }
    }

    /// Asks for the upgrade and checks the answer. Returns the bytes that came after it.
    pub(crate) async fn upgrade<S>(
        &self,
        stream: &mut S,
        ended: impl Fn(&S) -> Option<TcpEnd>,
    ) -> Result<Vec<u8>, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut answer, checked) = self.ask(stream, ended).await;
        checked.map(|length| answer.split_off(length))
    }

    /// The same with all that came, and the length of the answer's head in it where it is right.
    pub(crate) async fn ask<S>(
        &self,
        stream: &mut S,
        ended: impl Fn(&S) -> Option<TcpEnd>,
    ) -> (Vec<u8>, Result<usize, Failure>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut answer = Vec::with_capacity(1024);
        let checked = self.exchange(stream, ended, &mut answer).await;
        (answer, checked)
    }

    async fn exchange<S>(
        &self,
        stream: &mut S,
        ended: impl Fn(&S) -> Option<TcpEnd>,
        answer: &mut Vec<u8>,
    ) -> Result<usize, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let key = generate_key();
        let request = format!("{}Sec-WebSocket-Key: {key}\r\n\r\n", self.head);
        let sent = async {
            stream.write_all(request.as_bytes()).await?;
            stream.flush().await
        };
        if let Err(error) = sent.await {
            return Err(end_of_tcp(ended(stream), answer, &error.to_string()));
        }
        loop {
            match stream.read_buf(answer).await {
                Ok(0) => return Err(end_of_tcp(ended(stream), answer, "")),
                Ok(_) => {}
                Err(error) => return Err(end_of_tcp(ended(stream), answer, &error.to_string())),
            }
            if let Some(length) = self.check(answer, &key)? {
                return Ok(length);
            }
        }
    }

    /// The length of the answer's head, once it is whole.
    fn check(&self, answer: &[u8], key: &str) -> Result<Option<usize>, Failure> {
        let garbage = |why: &str| {
            Err(Failure::new(
                Cause::HandshakeGarbage,
                format!("{why}: {}", excerpt(answer)),
            ))
        };
        let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut response = Response::new(&mut []);
        let parser = ParserConfig::default();
        match parser.parse_response_with_uninit_headers(&mut response, answer, &mut headers) {
            Ok(Status::Complete(length)) => {
                self.check_response(&response, key)?;
                Ok(Some(length))
            }
            Ok(Status::Partial) if answer.len() > MAX_HEAD => {
                garbage("no end of the response head")
            }
            Ok(Status::Partial) => Ok(None),
            Err(error) => garbage(&error.to_string()),
        }
    }

    fn check_response(&self, response: &Response<'_, '_>, key: &str) -> Result<(), Failure> {
        let status = response.code.unwrap_or(0);
        if status != 101 {
            let reason = response.reason.unwrap_or("");
            let line = format!("HTTP/1.{} {status} {reason}", response.version.unwrap_or(1));
            return Err(Failure::new(Cause::HttpStatus, line.trim_end()));
        }
        let named = |name: &'static str| {
            (response.headers.iter())
                .filter(move |header| header.name.eq_ignore_ascii_case(name))
                .map(|header| header.value.trim_ascii())
        };
        let wrong = |cause, name: &str, value: Option<&[u8]>| {
            let detail = value.map_or_else(
                || format!("no `{name}` header"),
                |value| format!("{name}: {}", String::from_utf8_lossy(value)),
            );
            Err(Failure::new(cause, detail))
        };
        if !named("Upgrade").any(|value| value.eq_ignore_ascii_case(b"websocket")) {
            return wrong(Cause::BadUpgrade, "Upgrade", named("Upgrade").next());
        }
        let has_token = |value: &[u8]| {
            value
                .split(|byte| *byte == b',')
                .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
        };
        if !named("Connection").any(has_token) {
            return wrong(Cause::BadUpgrade, "Connection", named("Connection").next());
        }
        let accept = named("Sec-WebSocket-Accept").next();
        if accept != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
            return wrong(Cause::BadAccept, "Sec-WebSocket-Accept", accept);
        }
        if let Some(extension) = named("Sec-WebSocket-Extensions").find(|value| !value.is_empty()) {
            return wrong(
                Cause::BadExtension,
                "Sec-WebSocket-Extensions",
                Some(extension),
            );
        }
        let is_asked_for = |chosen: &[u8]| {
            (self.subprotocols.iter()).any(|subprotocol| subprotocol.as_bytes() == chosen)
        };
        match named("Sec-WebSocket-Protocol").next() {
            Some(chosen) if !is_asked_for(chosen) => wrong(
                Cause::BadSubprotocol,
                "Sec-WebSocket-Protocol",
                Some(chosen),
            ),
            _ => Ok(()),
        }
    }
}

fn host(url: &WsUrl) -> String {
    let host = if url.host.contains(':') {
        format!("[{}]", url.host)
    } else {
        url.host.clone()
    };
    match (url.secure, url.port) {
        (false, 80) | (true, 443) => host,
        (_, port) => format!("{host}:{port}"),
    }
}

fn end_of_tcp(end: Option<TcpEnd>, answer: &[u8], error: &str) -> Failure {
    let after = if answer.is_empty() {
        "before any answer".to_owned()
    } else {
        format!("after {}", excerpt(answer))
    };
    match end {
        Some(TcpEnd::Fin) => Failure::new(Cause::HandshakeEof, after),
        Some(TcpEnd::Rst) => Failure::new(Cause::HandshakeReset, after),
        None => Failure::new(Cause::Io, error),
    }
}

/// The first line of what came, made safe to show.
fn excerpt(bytes: &[u8]) -> String {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let shown: String = String::from_utf8_lossy(&line[..line.len().min(80)])
        .chars()
        .map(|c| if c.is_control() { '.' } else { c })
        .collect();
    format!("\"{}\"", shown.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn check(answer: &str) -> Result<Option<usize>, Failure> {
        let request = Request {
            head: String::new(),
            subprotocols: vec!["chat".to_owned()],
        };
        request.check(answer.as_bytes(), KEY)
    }

    fn switching(lines: &str) -> String {
        format!("HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n")
    }

    #[track_caller]
    fn fails(answer: &str, cause: Cause, detail: &str) {
        let failure = check(answer).unwrap_err();
        assert_eq!((failure.cause, failure.detail.as_str()), (cause, detail));
    }

    /// The example of RFC 6455 section 1.3.
    #[test]
    fn the_answer_of_the_standard_is_taken() {
        let answer = switching(&format!(
            "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Protocol: chat\r\n"
        ));
        assert_eq!(check(&answer), Ok(Some(answer.len())));
        assert_eq!(check(&answer[..answer.len() - 1]), Ok(None));
    }

    #[test]
    fn each_wrong_answer_has_its_own_kind_and_says_what_was_wrong() {
        fails(
            "HTTP/1.1 503 Service Unavailable\r\n\r\n",
            Cause::HttpStatus,
            "HTTP/1.1 503 Service Unavailable",
        );
        fails(
            &switching("Connection: Upgrade\r\n"),
            Cause::BadUpgrade,
            "no `Upgrade` header",
        );
        fails(
            &switching("Upgrade: h2c\r\nConnection: Upgrade\r\n"),
            Cause::BadUpgrade,
            "Upgrade: h2c",
        );
        let upgraded = "Upgrade: WebSocket\r\nConnection: upgrade\r\n";
        fails(
            &switching(upgraded),
            Cause::BadAccept,
            "no `Sec-WebSocket-Accept` header",
        );
        fails(
            &switching(&format!("{upgraded}Sec-WebSocket-Accept: x\r\n")),
            Cause::BadAccept,
            "Sec-WebSocket-Accept: x",
        );
        let accepted = format!("{upgraded}Sec-WebSocket-Accept: {ACCEPT}\r\n");
        fails(
            &switching(&format!("{accepted}Sec-WebSocket-Protocol: mqtt\r\n")),
            Cause::BadSubprotocol,
            "Sec-WebSocket-Protocol: mqtt",
        );
        fails(
            &switching(&format!(
                "{accepted}Sec-WebSocket-Extensions: permessage-deflate\r\n"
            )),
            Cause::BadExtension,
            "Sec-WebSocket-Extensions: permessage-deflate",
        );
    }

    #[test]
    fn what_is_not_http_is_garbage() {
        assert_eq!(
            check("SSH-2.0-x\r\n").unwrap_err().cause,
            Cause::HandshakeGarbage
        );
        let endless = format!("HTTP/1.1 101 x\r\nA: {}", "b".repeat(MAX_HEAD));
        assert_eq!(check(&endless).unwrap_err().cause, Cause::HandshakeGarbage);
    }
}
