//! Decodes the same bytes with another implementation, tungstenite, for the tests and the fuzzer.

use std::io::{ErrorKind, Read, Write};

use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};

use super::{Broken, Frame, Reader, Room};

pub(super) const MAX_MESSAGE: usize = 100_000;

/// One decoded item, up to a Close frame or the first broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DecodedItem {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    TooBig,
    BadUtf8,
    /// A length that tungstenite accepts.
    Length,
    Broken,
}

impl DecodedItem {
    fn is_end(&self) -> bool {
        matches!(
            self,
            Self::Close(..) | Self::TooBig | Self::BadUtf8 | Self::Length | Self::Broken
        )
    }
}

/// Decodes as a transport does: `cut` bytes are read at once, and another connection has its turn in between.
pub(super) fn ours(bytes: &[u8], cut: usize) -> Vec<DecodedItem> {
    let (mut room, mut left) = (Room::default(), Vec::new());
    let mut reader = Reader::new(MAX_MESSAGE);
    let mut seen = Vec::new();
    let mut parts = bytes.chunks(cut);
    loop {
        room.enter(&mut left);
        match reader.next(&mut room, None) {
            Ok(Some(found)) => seen.push(match found.lend(&room) {
                Frame::Text(bytes) => DecodedItem::Text(bytes.to_vec()),
                Frame::Binary(bytes) => DecodedItem::Binary(bytes.to_vec()),
                Frame::Ping(bytes) => DecodedItem::Ping(bytes.to_vec()),
                Frame::Pong(bytes) => DecodedItem::Pong(bytes.to_vec()),
                Frame::Close { code, reason } => DecodedItem::Close(code, reason.to_owned()),
            }),
            Ok(None) => {
                let Some(part) = parts.next() else {
                    return seen;
                };
                room.space()[..part.len()].copy_from_slice(part);
                room.filled(part.len());
            }
            Err(Broken::TooBig { .. }) => seen.push(DecodedItem::TooBig),
            Err(Broken::BadUtf8 | Broken::BadReason) => seen.push(DecodedItem::BadUtf8),
            Err(Broken::LongControl | Broken::LongLength) => seen.push(DecodedItem::Length),
            Err(_) => seen.push(DecodedItem::Broken),
        }
        if seen.last().is_some_and(DecodedItem::is_end) {
            return seen;
        }
        room.leave(&mut left);
    }
}

pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(ErrorKind::WouldBlock.into()),
            read => Ok(read),
        }
    }
}

impl Write for Bytes<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn theirs(bytes: &[u8]) -> Vec<DecodedItem> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let mut context = WebSocketContext::new(Role::Client, Some(config));
    let (mut stream, mut seen) = (Bytes(bytes), Vec::new());
    loop {
        seen.push(match context.read(&mut stream) {
            Ok(Message::Text(text)) => DecodedItem::Text(text.as_bytes().to_vec()),
            Ok(Message::Binary(bytes)) => DecodedItem::Binary(bytes.to_vec()),
            Ok(Message::Ping(bytes)) => DecodedItem::Ping(bytes.to_vec()),
            Ok(Message::Pong(bytes)) => DecodedItem::Pong(bytes.to_vec()),
            Ok(Message::Close(close)) => DecodedItem::Close(
                close.as_ref().map(|close| close.code.into()),
                close.map_or_else(String::new, |close| close.reason.to_string()),
            ),
            Ok(Message::Frame(_)) => unreachable!("it never reads a message as a raw frame"),
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return seen,
            Err(Error::Capacity(_)) => DecodedItem::TooBig,
            Err(Error::Utf8(_)) => DecodedItem::BadUtf8,
            Err(Error::Protocol(_)) => DecodedItem::Broken,
            Err(other) => panic!("{other}"),
        });
        if seen.last().is_some_and(DecodedItem::is_end) {
            return seen;
        }
    }
}

/// Asserts that both decode these bytes alike, with `cut` bytes read at once; `cut` is at least 1.
pub(crate) fn assert_same(bytes: &[u8], cut: usize) {
    let ours = ours(bytes, cut);
    let mut theirs = theirs(bytes);
    if ours.last() == Some(&DecodedItem::Length) {
        // Tungstenite accepts a length field that is longer than needed, which section 5.2 forbids; no control frame needs
        // a long one.
        theirs.truncate(ours.len() - 1);
        theirs.push(DecodedItem::Length);
    }
    // Tungstenite does not return the code and the reason if the code is forbidden.
    if let (Some(DecodedItem::Close(code, reason)), Some(last @ DecodedItem::Close(..))) =
        (ours.last(), theirs.last_mut())
        && *last == DecodedItem::Close(Some(1002), "Protocol violation".to_owned())
    {
        *last = DecodedItem::Close(*code, reason.clone());
    }
    // Tungstenite waits for a complete frame before it checks the first two bytes, and its text.
    if ours.len() > theirs.len()
        && matches!(
            ours.last(),
            Some(DecodedItem::Broken | DecodedItem::TooBig | DecodedItem::BadUtf8)
        )
    {
        theirs.extend(ours.last().cloned());
    }
    // Tungstenite checks the length of a frame before it checks whether the frame is allowed.
    if ours.last() == Some(&DecodedItem::Broken) && theirs.last() == Some(&DecodedItem::TooBig) {
        theirs.pop();
        theirs.push(DecodedItem::Broken);
    }
    assert_eq!(ours, theirs);
}
