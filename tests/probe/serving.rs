//! Servers that behave in one way that the scripted server of `common` does not.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

/// A server that pings, and ends each client that has not answered by the next ping.
pub(super) struct Reaper {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Reaper {
    pub(super) const INTERVAL: Duration = Duration::from_millis(200);

    /// Starts the server. It ends clients with this code, or without a Close frame.
    pub(super) fn start(code: Option<u16>) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(Self::serve(socket, code));
            }
        });
        Self {
            address,
            _runtime: runtime,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    async fn serve(socket: TcpStream, code: Option<u16>) -> Option<()> {
        let mut client = tokio_tungstenite::accept_async(socket).await.ok()?;
        let mut ticks = tokio::time::interval(Self::INTERVAL);
        ticks.tick().await;
        let mut waiting = false;
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    if waiting {
                        let frame = CloseFrame { code: code?.into(), reason: "silent".into() };
                        client.close(Some(frame)).await.ok()?;
                        while client.next().await?.is_ok() {}
                        return None;
                    }
                    waiting = true;
                    client.send(Message::Ping("are you there".into())).await.ok()?;
                }
                message = client.next() => match message?.ok()? {
                    Message::Pong(payload) => waiting &= payload != "are you there",
                    message @ (Message::Text(_) | Message::Binary(_)) => {
                        client.send(message).await.ok()?;
                    }
                    _ => {}
                }
            }
        }
    }
}

/// An echo server that keeps a client only if its first message is the right one, and says it soon.
pub(super) struct Doorman {
    url: String,
    _runtime: Runtime,
}

impl Doorman {
    pub(super) fn start(word: &'static str) -> Self {
        let (runtime, url) = serves(move |socket| async move {
            let mut client = WebSocketStream::from_raw_socket(socket, Role::Server, None).await;
            let first = tokio::time::timeout(Duration::from_millis(300), client.next()).await;
            let is_right = matches!(first, Ok(Some(Ok(Message::Text(text)))) if text == word);
            if !is_right {
                let frame = CloseFrame {
                    code: 4408.into(),
                    reason: "who are you".into(),
                };
                client.close(Some(frame)).await.ok()?;
            }
            while let Some(Ok(message)) = client.next().await {
                if message.is_text() || message.is_binary() {
                    client.send(message).await.ok()?;
                }
            }
            None
        });
        Self {
            url,
            _runtime: runtime,
        }
    }

    pub(super) fn url(&self) -> String {
        self.url.clone()
    }
}

/// Starts a server that runs `conversation` on its connection after the handshake.
pub(super) fn serves<F: Future<Output = Option<()>> + Send + 'static>(
    conversation: impl Fn(TcpStream) -> F + Send + 'static,
) -> (Runtime, String) {
    serves_first(usize::MAX, conversation)
}

/// The same, but nothing listens any more after this number of connections.
pub(super) fn serves_first<F: Future<Output = Option<()>> + Send + 'static>(
    most: usize,
    conversation: impl Fn(TcpStream) -> F + Send + 'static,
) -> (Runtime, String) {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    runtime.spawn(async move {
        for _ in 0..most {
            let Ok((socket, _)) = listener.accept().await else {
                break;
            };
            if let Ok(client) = tokio_tungstenite::accept_async(socket).await {
                tokio::spawn(conversation(client.into_inner()));
            }
        }
    });
    (runtime, url)
}

/// Sends every message back, and answers pings and a Close.
pub(super) async fn echoes(socket: TcpStream) -> Option<()> {
    let mut client = WebSocketStream::from_raw_socket(socket, Role::Server, None).await;
    loop {
        let message = client.next().await?.ok()?;
        if message.is_text() || message.is_binary() {
            client.send(message).await.ok()?;
        }
    }
}

/// Answers every ping with an empty pong, and a Close with a Close.
pub(super) async fn pongs_empty(mut socket: TcpStream) -> Option<()> {
    loop {
        let mut header = [0; 6];
        socket.read_exact(&mut header).await.ok()?;
        let length = usize::from(header[1] & 0x7f);
        socket.read_exact(&mut vec![0; length]).await.ok()?;
        match header[0] & 0x0f {
            0x9 => socket.write_all(&[0x8a, 0]).await.ok()?,
            0x8 => return socket.write_all(&[0x88, 0]).await.ok(),
            _ => {}
        }
    }
}

/// Sends without end, and reads nothing.
pub(super) async fn floods(mut socket: TcpStream) -> Option<()> {
    let frames = [0x81, 1, b'x'].repeat(1000);
    loop {
        socket.write_all(&frames).await.ok()?;
    }
}
