//! The scripted server's side of the opening handshake (RFC 6455 section 4.2), correct or with a fault.
//! Reads the whole request before it answers, so that unread bytes never cause a reset by accident.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::script::Handshake;
use super::server::{Stop, reset_at_end};

const MAX_REQUEST: usize = 64 << 10;

/// A 101 to send, and the bytes that came after the request.
pub(super) struct Switch {
    pub(super) response: String,
    pub(super) early: Vec<u8>,
}

/// Reads the upgrade request and returns its 101, correct or with a fault; `None` if the script ends here.
pub(super) fn answer(
    mut socket: &TcpStream,
    script: &Handshake,
    stop: &Stop,
) -> io::Result<Option<Switch>> {
    let (key, early) = read_request(socket)?;
    let accept = derive_accept_key(key.as_bytes());
    let response = match script {
        Handshake::Valid => switching(&accept, ""),
        Handshake::Late(time) => {
            stop.pause(*time);
            switching(&accept, "")
        }
        Handshake::Informed(status) => {
            let hint = format!("HTTP/1.1 {status} Scripted\r\nLink: </style.css>\r\n\r\n");
            socket.write_all(hint.as_bytes())?;
            switching(&accept, "")
        }
        Handshake::Subprotocol(name) => {
            switching(&accept, &format!("Sec-WebSocket-Protocol: {name}\r\n"))
        }
        Handshake::Extension(name) => {
            switching(&accept, &format!("Sec-WebSocket-Extensions: {name}\r\n"))
        }
        Handshake::WrongAccept => switching(&derive_accept_key(b"someone else's key"), ""),
        Handshake::NoAccept => {
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
                .to_owned()
        }
        Handshake::NoUpgrade => format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        ),
        Handshake::Status(status, body) => {
            let len = body.len();
            let response =
                format!("HTTP/1.1 {status} Scripted\r\nContent-Length: {len}\r\n\r\n{body}");
            socket.write_all(response.as_bytes())?;
            return end(socket);
        }
        Handshake::Garbage => {
            socket.write_all(b"\x00\x01SSH-2.0-not_http\r\n\r\n\xff\xfe")?;
            return end(socket);
        }
        Handshake::EndlessHeader => return endless_header(socket),
        Handshake::Fin => {
            socket.write_all(b"HTTP/1.1 101 Switching Proto")?;
            return end(socket);
        }
        Handshake::Reset => {
            socket.write_all(b"HTTP/1.1 101 Switching Proto")?;
            reset_at_end(socket)?;
            return Ok(None);
        }
        Handshake::Silent | Handshake::Refuse => {
            stop.wait();
            return Ok(None);
        }
    };
    Ok(Some(Switch { response, early }))
}

fn switching(accept: &str, extra: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{extra}\r\n"
    )
}

/// Reads the request; returns the client's key, empty if there is none, and the bytes that came after it.
fn read_request(mut socket: &TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            let early = request.split_off(end + 4);
            let text = String::from_utf8_lossy(&request);
            let key = text.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_key = name.eq_ignore_ascii_case("sec-websocket-key");
                is_key.then(|| value.trim().to_owned())
            });
            return Ok((key.unwrap_or_default(), early));
        }
        let read = socket.read(&mut chunk)?;
        if read == 0 || request.len() > MAX_REQUEST {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        request.extend_from_slice(&chunk[..read]);
    }
}

/// Sends a FIN, and reads up to the client's, because unread bytes would turn the FIN into a RST.
fn end(socket: &TcpStream) -> io::Result<Option<Switch>> {
    finish(socket)?;
    Ok(None)
}

/// Sends a FIN, then reads to the end of the client's bytes.
pub(super) fn finish(socket: &TcpStream) -> io::Result<()> {
    socket.shutdown(Shutdown::Write)?;
    drain(socket)
}

/// Reads to the end of the client's bytes.
pub(super) fn drain(mut socket: &TcpStream) -> io::Result<()> {
    io::copy(&mut socket, &mut io::sink()).map(drop)
}

/// Sends headers until the client no longer accepts them.
fn endless_header(mut socket: &TcpStream) -> io::Result<Option<Switch>> {
    socket.write_all(b"HTTP/1.1 101 Switching Protocols\r\n")?;
    loop {
        socket.write_all(b"X-Filler: and another one, and another one\r\n")?;
    }
}
