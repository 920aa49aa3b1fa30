//! Checks the server's answer to an upgrade request by RFC 6455 section 4.1: bytes in, a result out.

use std::num::NonZeroU32;

use httparse::Response;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::extensions::{Agreed, agreed};
use crate::http::{RetryAfter, quoted, status_line, values};
use crate::metric::Cause;
use crate::net::failure::Failure;
use crate::scenario::Compression;
use crate::time::unix_seconds;
use crate::units::counted;

/// Checks the head of a final answer, to a request with this key that offered these subprotocols and this compression;
/// `behind` is what came behind it. Returns the compression that was agreed on.
///
/// # Errors
/// When it opens no connection.
pub(super) fn check(
    (response, behind): (&Response<'_, '_>, &[u8]),
    key: &str,
    subprotocols: &[String],
    compression: Option<&Compression>,
) -> Result<Option<Agreed>, Failure> {
    match response.code {
        Some(101) => check_switching(response, key, subprotocols, compression),
        _ => Err(refused(response, behind)),
    }
}

/// Describes a refusal: the status line, the target of a redirection, and the first words of the body.
pub(super) fn refused(response: &Response<'_, '_>, body: &[u8]) -> Failure {
    let mut detail = status_line(response);
    if let Some(location) = values(response, "Location").next() {
        detail += &format!("; Location: {}", String::from_utf8_lossy(location));
    }
    let body = quoted(body);
    if !body.is_empty() {
        detail += &format!(": \"{body}\"");
    }
    let retry_after = match response.code {
        Some(429 | 503) => values(response, "Retry-After").next(),
        _ => None,
    };
    Failure {
        retry_after: retry_after.and_then(seconds),
        ..Failure::new(Cause::HttpStatus, detail)
    }
}

/// The seconds that `Retry-After` asks for from now on; `None` if it asks for nothing.
fn seconds(retry_after: &[u8]) -> Option<NonZeroU32> {
    let wait = RetryAfter::read(retry_after)?.from(unix_seconds());
    NonZeroU32::new(u32::try_from(wait.as_secs()).unwrap_or(u32::MAX))
}

fn check_switching(
    response: &Response<'_, '_>,
    key: &str,
    subprotocols: &[String],
    compression: Option<&Compression>,
) -> Result<Option<Agreed>, Failure> {
    let named = |name| values(response, name);
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
    check_agreed(response, subprotocols, compression)
}

/// A header of an answer that is not as it has to be.
fn wrong<T>(cause: Cause, name: &str, value: Option<&[u8]>) -> Result<T, Failure> {
    let detail = value.map_or_else(
        || format!("no `{name}` header"),
        |value| format!("{name}: {}", String::from_utf8_lossy(value)),
    );
    Err(Failure::new(cause, detail))
}

/// Checks what a server agreed to, when it opened the connection: the extensions and the subprotocol.
pub(super) fn check_agreed(
    response: &Response<'_, '_>,
    subprotocols: &[String],
    compression: Option<&Compression>,
) -> Result<Option<Agreed>, Failure> {
    let named = |name| values(response, name);
    const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
    let offer = compression.map(|compression| &compression.offer);
    let agreed = agreed(named(EXTENSIONS), offer).map_err(|why| {
        let values: Vec<_> = named(EXTENSIONS).map(String::from_utf8_lossy).collect();
        let detail = format!("{EXTENSIONS}: {}: {why}", values.join(", "));
        Failure::new(Cause::BadExtension, detail)
    })?;
    if agreed.is_none() && compression.is_some_and(|compression| compression.required) {
        let why = "the server agreed to no compression, which `compression.required` demands";
        return Err(Failure::new(Cause::NoExtension, why));
    }
    const PROTOCOL: &str = "Sec-WebSocket-Protocol";
    let is_asked_for =
        |chosen: &[u8]| (subprotocols.iter()).any(|subprotocol| subprotocol.as_bytes() == chosen);
    // The header may occur only once in an answer (RFC 6455 section 11.3.4).
    let mut chosen = named(PROTOCOL);
    match (chosen.next(), chosen.next()) {
        (Some(first), _) if !is_asked_for(first) => {
            wrong(Cause::BadSubprotocol, PROTOCOL, Some(first))
        }
        (Some(_), Some(_)) => {
            let all: Vec<_> = named(PROTOCOL).map(String::from_utf8_lossy).collect();
            let detail = format!(
                "{PROTOCOL} given {}: {}",
                counted(all.len() as u64, "time"),
                all.join(", ")
            );
            Err(Failure::new(Cause::BadSubprotocol, detail))
        }
        _ => Ok(agreed),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Request, Switched};
    use super::*;
    use crate::http::{HeadReader, MAX_HEAD_ALONE};

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn read(answer: &str) -> Result<Option<Switched>, Failure> {
        let request = Request {
            head: String::new(),
            subprotocols: vec!["chat".to_owned(), "v2".to_owned()],
        };
        let mut came = answer.as_bytes().to_vec();
        request.check(&mut came, KEY, None, &mut HeadReader::default())
    }

    fn switching(lines: &str) -> String {
        format!("HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n")
    }

    #[track_caller]
    fn fails(answer: &str, cause: Cause, detail: &str) {
        let failure = read(answer).unwrap_err();
        assert_eq!((failure.cause, failure.detail.as_str()), (cause, detail));
    }

    /// Uses the example of RFC 6455 section 1.3.
    #[test]
    fn the_answer_of_the_standard_is_taken() {
        let answer = switching(&format!(
            "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Protocol: chat\r\n"
        ));
        assert_eq!(
            read(&answer),
            Ok(Some(Switched {
                length: answer.len(),
                agreed: None
            }))
        );
        assert_eq!(read(&answer[..answer.len() - 1]), Ok(None));
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
            "Sec-WebSocket-Extensions: permessage-deflate: it was not offered",
        );
    }

    #[test]
    fn what_is_not_http_is_garbage() {
        assert_eq!(
            read("SSH-2.0-x\r\n").unwrap_err().cause,
            Cause::HandshakeGarbage
        );
        let endless = format!("HTTP/1.1 101 x\r\nA: {}", "b".repeat(MAX_HEAD_ALONE));
        assert_eq!(read(&endless).unwrap_err().cause, Cause::HandshakeGarbage);
    }

    #[test]
    fn a_subprotocol_is_chosen_once() {
        let twice = "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: mqtt\r\n";
        fails(
            &switching(&format!("{twice}Sec-WebSocket-Accept: {ACCEPT}\r\n")),
            Cause::BadSubprotocol,
            "Sec-WebSocket-Protocol given 2 times: chat, mqtt",
        );
    }

    #[test]
    fn a_refusal_shows_where_to_go_instead_and_its_first_words() {
        fails(
            "HTTP/1.1 308 Permanent Redirect\r\nLocation: wss://h/new\r\n\r\n",
            Cause::HttpStatus,
            "HTTP/1.1 308 Permanent Redirect; Location: wss://h/new",
        );
        fails(
            "HTTP/1.1 403 Forbidden\r\n\r\n{\r\n \"error\": \"token\x1b expired\" }",
            Cause::HttpStatus,
            "HTTP/1.1 403 Forbidden: \"{ \"error\": \"token expired\" }\"",
        );
    }
}
