//! The script of a scripted server: its behaviour and its faults. Each field is independent of the others:
//! `Script { pong: Pong::Never, ..Script::default() }` is a good echo server that answers no ping.

use std::time::Duration;

/// The behaviour of a scripted server towards each connection. The default is a correct echo server.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// The answer to the upgrade request.
    pub handshake: Handshake,
    /// The answer to a message.
    pub echo: Echo,
    /// The answer to a ping.
    pub pong: Pong,
    /// The answer to a Close frame.
    pub on_close: OnClose,
    /// The time between pings of the server, counted from the open; the payload of each is its number, from 1.
    pub ping_every: Option<Duration>,
    /// The time between unsolicited pongs of the server.
    pub pong_every: Option<Duration>,
    /// The time between unsolicited text messages of the server; the text of each is its number, from 1.
    pub text_every: Option<Duration>,
    /// One action at one time in the life of each connection.
    pub act: Option<(When, Act)>,
}

impl Script {
    /// A correct echo server with one action at one time.
    pub fn act(when: When, act: Act) -> Self {
        Self {
            act: Some((when, act)),
            ..Self::default()
        }
    }

    /// A server with a fault in its handshake.
    pub fn handshake(handshake: Handshake) -> Self {
        Self {
            handshake,
            ..Self::default()
        }
    }

    /// A server that is correct except for its answers to messages.
    pub fn echo(echo: Echo) -> Self {
        Self {
            echo,
            ..Self::default()
        }
    }

    /// An echo server that is correct except for its answers to pings.
    pub fn pong(pong: Pong) -> Self {
        Self {
            pong,
            ..Self::default()
        }
    }

    /// An echo server that is correct except for its answer to a Close frame.
    pub fn on_close(on_close: OnClose) -> Self {
        Self {
            on_close,
            ..Self::default()
        }
    }
}

/// The answer to the upgrade request.
#[derive(Debug, Clone, Default)]
pub enum Handshake {
    /// A correct 101 that chooses no subprotocol and no extension.
    #[default]
    Valid,
    /// A correct 101 after this time.
    Late(Duration),
    /// An answer with this status (1xx), then a correct 101.
    Informed(u16),
    /// Connections are refused: nothing listens on the port, and it is reserved, so that nothing else can listen.
    Refuse,
    /// Accepts TCP, reads the request, and never answers.
    Silent,
    /// A response with this status and this body.
    Status(u16, &'static str),
    /// Bytes that are not HTTP.
    Garbage,
    /// A status line, and then headers without end.
    EndlessHeader,
    /// A 101 with the accept key of another request.
    WrongAccept,
    /// A 101 without an accept key.
    NoAccept,
    /// A 101 without `Upgrade: websocket`.
    NoUpgrade,
    /// A 101 that chooses this subprotocol, whether it was offered or not.
    Subprotocol(&'static str),
    /// A 101 that chooses this extension, whether it was offered or not.
    Extension(&'static str),
    /// Half a response, then a FIN.
    Fin,
    /// Half a response, then a RST.
    Reset,
}

/// The answer to a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Echo {
    /// The same bytes with the same opcode.
    #[default]
    Same,
    /// No answer.
    Never,
    /// The same number of bytes, the last of them wrong.
    Wrong,
    /// The same answer twice.
    Twice,
    /// The same bytes after this time; messages do not wait for each other.
    Late(Duration),
    /// The same bytes in frames of at most this many bytes, above zero.
    Fragments(usize),
    /// The same bytes as the other kind of message: text as binary, binary as text.
    Retyped,
}

/// The answer to a ping.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pong {
    /// A pong with the ping's payload.
    #[default]
    Prompt,
    /// No answer, while everything else goes on.
    Never,
    /// The pong comes after this time.
    Late(Duration),
    /// This many pongs, then none.
    Only(u64),
    /// A pong with another payload.
    Wrong,
}

/// The answer to a Close frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnClose {
    /// The same code; then the server closes TCP first.
    #[default]
    Answer,
    /// No answer, and TCP stays open.
    Never,
    /// The same code, but TCP stays open until the client closes it.
    KeepTcp,
    /// The same code and these bytes behind it; then the server closes TCP.
    AnswerAnd(&'static [u8]),
    /// A RST instead of an answer.
    Reset,
}

/// The time of a script's action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Directly after the 101.
    Open,
    /// This time after the 101.
    After(Duration),
    /// When the n-th message comes, counted from 1; replaces its answer.
    Message(u64),
    /// When no byte has come for this time.
    Quiet(Duration),
}

/// The action of a script.
#[derive(Debug, Clone)]
pub enum Act {
    /// Reads and sends nothing any more; TCP stays open.
    Freeze,
    /// Reads and sends nothing for this time, then goes on where it stopped.
    Stall(Duration),
    /// Sends these bytes as they are, then goes on. See [`raw`](super::raw).
    Send(Vec<u8>),
    /// Sends one real binary message of this many bytes, then goes on.
    Flood(u64),
    /// Sends a Close frame with this code, if any, and this reason; then waits for the client's.
    Close(Option<u16>, &'static str),
    /// Ends TCP without a Close frame.
    Fin,
    /// Resets TCP.
    Reset,
}
