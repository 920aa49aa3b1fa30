//! The same frames by tungstenite, set up as for a client of many connections: what the library costs beside our own.

use std::hint::black_box;

use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::stream::{PAYLOAD, Stream};

/// Read at once: the library fills it with zeros before.
const READ_BUFFER: usize = 1024;

/// See [`crate::PATHS`].
pub(crate) fn read(count: u64) {
    let (mut stream, mut context) = (Stream::new(), context());
    let mut seen = 0;
    for _ in 0..count {
        stream.answer();
        while let Ok(message) = context.read(black_box(&mut stream)) {
            seen += u64::from(
                black_box(message)
                    .to_text()
                    .is_ok_and(|text| text == PAYLOAD),
            );
        }
    }
    assert_eq!(seen, count);
}

/// See [`crate::PATHS`]. The payload is lent, which is the cheapest way to give it to the library.
pub(crate) fn write(count: u64) {
    let (mut stream, mut context) = (Stream::new(), context());
    for _ in 0..count {
        let message = Message::Text(black_box(Utf8Bytes::from_static(PAYLOAD)));
        let stream = black_box(&mut stream);
        let written = context.write(stream, message);
        let flushed = written.and_then(|()| context.flush(stream));
        flushed.expect("the stream takes everything");
    }
    let payload = count * PAYLOAD.len() as u64;
    assert!(stream.written > payload);
}

fn context() -> WebSocketContext {
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    WebSocketContext::new(Role::Client, Some(config))
}
