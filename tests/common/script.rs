//! What a scripted server does, fault by fault. Every field is independent of the others:
//! `Script { pong: Pong::Never, ..Script::default() }` is a good echo server that answers no ping.

use std::time::Duration;

/// The behaviour of a scripted server towards each connection. The default is a correct echo server.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// What it answers to the upgrade request.
    pub handshake: Handshake,
    /// What it answers to a message.
    pub echo: Echo,
    /// What it answers to a ping.
    pub pong: Pong,
    /// What it answers to a Close frame.
    pub on_close: OnClose,
    /// Sends a ping this often, counted from the open; its payload is its number, from 1.
    pub ping_every: Option<Duration>,
    /// Sends a pong that nobody asked for this often.
    pub pong_every: Option<Duration>,
    /// Sends a text message nobody asked for this often; its text is its number, from 1.
    pub text_every: Option<Duration>,
    /// One thing it does at one time of each connection's life.
    pub act: Option<(When, Act)>,
}

impl Script {
    /// A correct echo server that does one thing at one time.
    pub fn act(when: When, act: Act) -> Self {
        Self {
            act: Some((when, act)),
            ..Self::default()
        }
    }

    /// A server that fails at the handshake.
    pub fn handshake(handshake: Handshake) -> Self {
        Self {
            handshake,
            ..Self::default()
        }
    }

    /// A correct server but for its answers to messages.
    pub fn echo(echo: Echo) -> Self {
        Self {
            echo,
            ..Self::default()
        }
    }

    /// A correct echo server but for its answers to pings.
    pub fn pong(pong: Pong) -> Self {
        Self {
            pong,
            ..Self::default()
        }
    }

    /// A correct echo server but for its answer to a Close frame.
    pub fn on_close(on_close: OnClose) -> Self {
        Self {
            on_close,
            ..Self::default()
        }
    }
}

/// What it answers to the upgrade request.
#[derive(Debug, Clone, Default)]
pub enum Handshake {
    /// A correct 101 that chooses no subprotocol and no extension.
    #[default]
    Valid,
    /// A correct 101 after so long.
    Late(Duration),
    /// An answer with this status (1xx), then a correct 101.
    Informed(u16),
    /// Nothing listens on the port, and nothing else can: connections are refused.
    Refuse,
    /// Accepts TCP, reads the request, and never answers.
    Silent,
    /// This status with this body.
    Status(u16, &'static str),
    /// Bytes that are not HTTP.
    Garbage,
    /// A status line and then headers without end.
    EndlessHeader,
    /// A 101 with the key of someone else.
    WrongAccept,
    /// A 101 without a key.
    NoAccept,
    /// A 101 without `Upgrade: websocket`.
    NoUpgrade,
    /// A 101 that chooses this subprotocol, asked for or not.
    Subprotocol(&'static str),
    /// A 101 that chooses this extension, asked for or not.
    Extension(&'static str),
    /// Half a response, then FIN.
    Fin,
    /// Half a response, then RST.
    Reset,
}

/// What it answers to a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Echo {
    /// The same bytes with the same opcode.
    #[default]
    Same,
    /// Nothing.
    Never,
    /// As many bytes, the last of them wrong.
    Wrong,
    /// The same, twice.
    Twice,
    /// The same, after so long; messages do not wait for each other.
    Late(Duration),
    /// The same in frames of at most so many bytes, above zero.
    Fragments(usize),
    /// The same bytes as the other kind: text as binary, binary as text.
    Retyped,
}

/// What it answers to a ping.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pong {
    /// A pong with the ping's payload.
    #[default]
    Prompt,
    /// Nothing, while everything else goes on.
    Never,
    /// A pong after so long.
    Late(Duration),
    /// So many pongs, then none.
    Only(u64),
    /// A pong with another payload.
    Wrong,
}

/// What it answers to a Close frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnClose {
    /// The same code; then it closes TCP first.
    #[default]
    Answer,
    /// Nothing, and TCP stays open.
    Never,
    /// The same code, but TCP stays open until the client closes it.
    KeepTcp,
    /// RST in place of an answer.
    Reset,
}

/// When the act of a script comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Right behind the 101.
    Open,
    /// So long after the 101.
    After(Duration),
    /// On the arrival of the n-th message, from 1, in place of an answer.
    Message(u64),
}

/// One thing a script does.
#[derive(Debug, Clone)]
pub enum Act {
    /// Reads nothing and sends nothing any more; TCP stays open.
    Freeze,
    /// Reads and sends nothing for so long, then goes on where it was.
    Stall(Duration),
    /// Sends these bytes as they are, then goes on. See [`raw`](super::raw).
    Send(Vec<u8>),
    /// Sends one binary message of so many bytes, for real, then goes on.
    Flood(u64),
    /// Sends a Close frame with this code, if any, and this reason; then waits for the client's.
    Close(Option<u16>, &'static str),
    /// Ends TCP without a Close frame.
    Fin,
    /// Resets TCP.
    Reset,
}
