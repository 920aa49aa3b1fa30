//! Plays the server's part of recorded cases, and holds the client to its own.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::client::Echo;
use crate::recording::{Case, Did, Recording, Side, Step};
use crate::wire::{more, take_frame, take_head};

/// How long the client may take for one step.
const STEP: Duration = Duration::from_secs(10);

/// Takes one connection, and plays a case with it.
///
/// # Errors
/// What the client did otherwise than in the recording.
async fn play(listener: &TcpListener, case: &Case) -> Result<(), String> {
    let (stream, _) = listener.accept().await.map_err(|error| error.to_string())?;
    stream
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    let (mut client, mut came) = (
        Client {
            stream,
            came: Vec::new(),
        },
        0,
    );
    client.open().await.map_err(|error| error.to_string())?;
    for Step { by, did } in &case.steps {
        match (by, did) {
            (Side::Server, Did::Send(bytes)) => client.send(bytes).await,
            (Side::Server, Did::End) => client.end().await,
            (Side::Client, did) => {
                came += 1;
                let wanted = match did {
                    Did::Send(frame) => Some(frame.as_slice()),
                    Did::End => None,
                };
                let frame = timeout(STEP, client.frame()).await;
                let frame = frame.map_err(|_| format!("its {came}. frame did not come"))??;
                if frame.as_deref() != wanted {
                    let [wanted, frame] = [wanted, frame.as_deref()].map(shown);
                    return Err(format!("{came}. {frame} in place of {wanted}"));
                }
            }
        }
    }
    Ok(())
}

fn shown(frame: Option<&[u8]>) -> String {
    match frame {
        Some(frame) => format!("frame {:02x?}", &frame[..frame.len().min(20)]),
        None => "the end of TCP".to_owned(),
    }
}

/// The client's end of a connection.
struct Client {
    stream: TcpStream,
    came: Vec<u8>,
}

impl Client {
    /// Answers the handshake.
    async fn open(&mut self) -> io::Result<()> {
        const KEY: &str = "sec-websocket-key:";
        let head = loop {
            if let Some(head) = take_head(&mut self.came) {
                break String::from_utf8_lossy(&head).into_owned();
            }
            if !more(&mut self.stream, &mut self.came).await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let mut lines = head.lines();
        let key = lines.find(|line| line.to_ascii_lowercase().starts_with(KEY));
        let key = key.map_or("", |line| line[KEY.len()..].trim());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            derive_accept_key(key.as_bytes())
        );
        self.stream.write_all(answer.as_bytes()).await
    }

    /// Sends bytes. A client that has ended does not take them, which the next step shows.
    async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    async fn end(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Returns the next frame; `None` at the end of TCP.
    async fn frame(&mut self) -> Result<Option<Vec<u8>>, String> {
        loop {
            if let Some(frame) = take_frame(&mut self.came)? {
                return Ok(Some(frame));
            }
            // A reset is an end, too.
            if !more(&mut self.stream, &mut self.came)
                .await
                .unwrap_or(false)
            {
                return match self.came.is_empty() {
                    true => Ok(None),
                    false => Err("TCP ended within a frame".to_owned()),
                };
            }
        }
    }
}

/// Made by `scripts/conformance --record`.
const RECORDED: &str = include_str!("recorded.txt");
/// The cases of sections 1 to 7 and 10.
const CASES: usize = 247;

#[tokio::test]
async fn each_recorded_case_is_passed_as_it_was() {
    let recording = Recording::read(RECORDED).unwrap();
    assert_eq!(recording.cases.len(), CASES);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let echo = Echo::to(listener.local_addr().unwrap(), "").unwrap();
    for case in &recording.cases {
        let (played, echoed) = tokio::join!(play(&listener, case), echo.echo("/"));
        let Case { name, verdict, .. } = case;
        assert_eq!((played, echoed), (Ok(()), Ok(())), "{name} ({verdict})");
    }
}

/// A client that does something else, or does not do it, is found out.
#[tokio::test]
async fn a_case_fails_where_the_client_does_something_else() {
    for (case, wrong) in [
        ("> 8100\n< 8178", "1. frame [81] in place of frame [81, 78]"),
        (
            "> 8100\n> end\n< end",
            "1. frame [81] in place of the end of TCP",
        ),
        (
            "> 8100\n< 81\n> 8302\n< 81",
            "2. frame [88, 03, ea] in place of frame [81]",
        ),
        ("> end\n< 81", "1. the end of TCP in place of frame [81]"),
    ] {
        let recording = Recording::read(&format!("case 1 OK\n{case}\n")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let echo = Echo::to(listener.local_addr().unwrap(), "").unwrap();
        let (played, _) = tokio::join!(play(&listener, &recording.cases[0]), echo.echo("/"));
        assert_eq!(played, Err(wrong.to_owned()));
    }
}
