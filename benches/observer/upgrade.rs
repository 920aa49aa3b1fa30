//! The opening handshake, as far as the observer needs it: a request in one piece, and the answer to it.

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::deflate;

/// The longest request.
const MAX_REQUEST: usize = 8192;
const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
const EXTENSIONS: &str = "sec-websocket-extensions";

/// A request that came whole.
pub(crate) struct Upgrade {
    /// Its length.
    pub(crate) len: usize,
    pub(crate) answer: Vec<u8>,
    /// Messages may be compressed.
    pub(crate) deflates: bool,
}

/// The bytes are no request for a WebSocket.
pub(crate) struct Broken;

/// Reads the request that `bytes` begin with; `None` where it has not come whole yet. `may_deflate` agrees to
/// compression where it is offered.
pub(crate) fn read(bytes: &[u8], may_deflate: bool) -> Result<Option<Upgrade>, Broken> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let len = match request.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) if bytes.len() <= MAX_REQUEST => return Ok(None),
        _ => return Err(Broken),
    };
    let named = |name: &str| {
        let mut all = request.headers.iter();
        all.find(|header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    };
    let key = named("sec-websocket-key").ok_or(Broken)?;
    let offered = named(EXTENSIONS).map(String::from_utf8_lossy);
    let deflates = may_deflate && offered.is_some_and(|offered| deflate::is_offered(&offered));
    let agreed = match deflates {
        true => format!("{EXTENSIONS}: {}\r\n", deflate::AGREED),
        false => String::new(),
    };
    let accept = derive_accept_key(key);
    Ok(Some(Upgrade {
        len,
        answer: format!("{ACCEPTED}{accept}\r\n{agreed}\r\n").into_bytes(),
        deflates,
    }))
}
