//! The trials: what each connection says, and what it waits for.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::super::frame::{Frame, Opcode};
use super::super::talk::CLOSING;
use crate::frame::put;
use crate::scenario::{Ask, WsUrl};

/// How long an answer is waited for.
pub(super) const ANSWER: Duration = Duration::from_secs(2);
/// The number of pings that are sent at once.
pub(super) const BURST: usize = 10;
/// The payloads of the pings that are sent one by one.
pub(super) const PAYLOADS: [&[u8]; 4] = [b"", b"1", &[b'p'; 125], &[0xff, 0xfe, 0x00, 0xc3]];
/// The lengths of the messages that are to come back: the ends of the three forms of a length.
pub(super) const LENGTHS: [usize; 5] = [0, 125, 126, 65_535, 65_536];
/// A text of several fragments; the second character is split.
pub(super) const WHOLE: &str = "wsb\u{e9}nch";
/// The key of the example in section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

macro_rules! trials {
    ($($name:ident $words:literal)*) => {
        /// A connection that does one thing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Trial { $(#[doc = $words] $name,)* }

        impl Trial {
            /// All trials, in the order in which they are made.
            pub(super) const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// What is done, in words.
            pub const fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }
        }
    };
}

trials! {
    Quiet "reads, and says nothing, not even a pong"
    Deaf "answers neither pings nor a Close"
    Bystander "sends a ping when all that is illegal has been sent by others"
    LongPing "a ping of 126 bytes"
    FragmentedPing "a ping in fragments"
    Unmasked "a text without a mask"
    ReservedBit "a text with a reserved bit"
    ReservedOpcode "a frame of opcode 3"
    ReservedControl "a frame of opcode 11"
    BadUtf8 "a text that is not UTF-8"
    Orphan "a continuation of nothing"
    Interleaved "a message within another"
    HalfCode "a Close with one byte"
    BadCode "a Close with the code 1005"
    BadReason "a Close whose reason is not UTF-8"
    Pings "pings of 0, 1, 125 and 4 bytes, the last no UTF-8"
    Burst "ten pings at once"
    UnaskedPong "a pong nobody asked for, then a ping"
    Within "a ping between two fragments"
    Close1000 "a Close 1000"
    Close1001 "a Close 1001"
    Close3000 "a Close 3000"
    Close4999 "a Close 4999"
    CloseEmpty "a Close without a code"
    Lengths "messages of 0, 125, 126, 65,535 and 65,536 bytes"
    Fragments "a text in three fragments, one character split"
    OtherVersion "a request with Sec-WebSocket-Version: 99"
    NoKey "a request without Sec-WebSocket-Key"
    Post "a request with the method POST"
    OtherCase "a request with other capitals, and Connection: keep-alive, Upgrade"
    Extension "an offer of an extension that nobody knows"
}

impl Serialize for Trial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.words())
    }
}

/// What a connection does.
pub(super) enum Script {
    /// It is opened, and these steps are played one after the other, each when the one before got what it waited for.
    Steps(Vec<Step>),
    /// Instead of an upgrade request this is said.
    Request(String),
}

/// Bytes to be sent, and what is then waited for.
pub(super) struct Step {
    pub(super) bytes: Vec<u8>,
    pub(super) awaits: Awaits,
    pub(super) limit: Duration,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Awaits {
    /// A pong with this payload.
    Pong(Vec<u8>),
    /// A message with these bytes.
    Message(Vec<u8>),
    /// The server's Close frame or the end of TCP.
    End,
}

impl Step {
    fn new(bytes: Vec<u8>, awaits: Awaits) -> Self {
        let limit = ANSWER;
        Self {
            bytes,
            awaits,
            limit,
        }
    }

    fn ping(payload: &[u8]) -> Self {
        let bytes = Frame::new(Opcode::Ping, payload).bytes();
        Self::new(bytes, Awaits::Pong(payload.to_vec()))
    }

    fn echo(opcode: Opcode, payload: Vec<u8>) -> Self {
        let bytes = Frame::new(opcode, payload.clone()).bytes();
        Self::new(bytes, Awaits::Message(payload))
    }
}

/// The code of a Close frame that a trial sends.
pub(super) const fn sent_code(trial: Trial) -> Option<u16> {
    match trial {
        Trial::Close1000 => Some(1000),
        Trial::Close1001 => Some(1001),
        Trial::Close3000 => Some(3000),
        Trial::Close4999 => Some(4999),
        _ => None,
    }
}

/// The text of the first message, which tells whether a server echoes.
pub(super) const HELLO: &str = "wsbench probe";

impl Trial {
    /// The longest time that it takes, without the dial. `watch`: how long a quiet connection is watched.
    pub(super) fn longest(self, watch: Duration) -> Duration {
        let steps = match self.script(watch, None) {
            Script::Steps(steps) => steps.iter().map(|step| step.limit).sum(),
            Script::Request(_) => ANSWER,
        };
        steps + self.watches_close(watch)
    }

    /// How long it looks at what comes after both Close frames. Some servers do something only much later.
    pub(super) fn watches_close(self, watch: Duration) -> Duration {
        match self {
            Self::Close1000 | Self::Deaf => watch.max(CLOSING.into()),
            _ => CLOSING.into(),
        }
    }

    /// Whether the client answers the server's pings, and its Close.
    pub(super) fn answers(self) -> Answers {
        Answers {
            pings: !matches!(self, Self::Quiet | Self::Deaf),
            close: self != Self::Deaf,
        }
    }

    /// What it does. `asked`: how the server is asked for an upgrade.
    pub(super) fn script(self, watch: Duration, asked: Option<(&WsUrl, &Ask)>) -> Script {
        let end = |bytes: Vec<u8>| Script::Steps(vec![Step::new(bytes, Awaits::End)]);
        let request = |change: fn(&mut Lines)| {
            let mut lines = Lines::default();
            if let Some((url, ask)) = asked {
                lines = Lines::upgrade(url, ask);
                change(&mut lines);
            }
            Script::Request(lines.text())
        };
        match self {
            Self::Quiet | Self::Deaf => Script::Steps(vec![Step {
                limit: watch,
                ..Step::new(Vec::new(), Awaits::End)
            }]),
            Self::Bystander => Script::Steps(vec![Step::ping(b"bystander")]),
            Self::LongPing => end(raw(0x89, &[b'p'; 126])),
            Self::FragmentedPing => end([raw(0x09, b"wsb"), raw(0x80, b"ench")].concat()),
            Self::Unmasked => end([&[0x81, 7][..], b"wsbench"].concat()),
            Self::ReservedBit => end(raw(0xc1, b"wsbench")),
            Self::ReservedOpcode => end(raw(0x83, b"wsbench")),
            Self::ReservedControl => end(raw(0x8b, b"wsbench")),
            Self::BadUtf8 => end(raw(0x81, b"wsb\xffnch")),
            Self::Orphan => end(raw(0x80, b"wsbench")),
            Self::Interleaved => end([raw(0x01, b"wsb"), raw(0x81, b"ench")].concat()),
            Self::HalfCode => end(raw(0x88, &[3])),
            Self::BadCode => end(Frame::close(Some(1005)).bytes()),
            Self::BadReason => end(raw(0x88, &[0x03, 0xe8, 0xff, 0xfe])),
            Self::Pings => Script::Steps(PAYLOADS.map(Step::ping).into()),
            Self::Burst => {
                let payload = |number: usize| format!("burst {number}").into_bytes();
                let pings = (1..=BURST).flat_map(|n| Frame::new(Opcode::Ping, payload(n)).bytes());
                Script::Steps(vec![Step::new(
                    pings.collect(),
                    Awaits::Pong(payload(BURST)),
                )])
            }
            Self::UnaskedPong => {
                let mut step = Step::ping(b"after");
                let pong = Frame::new(Opcode::Pong, UNASKED).bytes();
                step.bytes = [pong, step.bytes].concat();
                Script::Steps(vec![step])
            }
            Self::Within => {
                let mut step = Step::ping(b"within");
                let open = Frame::part(Opcode::Text, "wsbench ").bytes();
                step.bytes = [open, step.bytes].concat();
                let whole = Frame::new(Opcode::Continuation, "probe").bytes();
                Script::Steps(vec![
                    step,
                    Step::new(whole, Awaits::Pong(b"within".to_vec())),
                ])
            }
            Self::Close1000 | Self::Close1001 | Self::Close3000 | Self::Close4999 => {
                end(Frame::close(sent_code(self)).bytes())
            }
            Self::CloseEmpty => end(Frame::close(None).bytes()),
            Self::Lengths => {
                let hello = Step::echo(Opcode::Text, HELLO.into());
                let lengths = LENGTHS.map(|length| Step::echo(Opcode::Binary, vec![b'x'; length]));
                Script::Steps([hello].into_iter().chain(lengths).collect())
            }
            Self::Fragments => {
                let (first, rest) = WHOLE.as_bytes().split_at(4);
                let (second, third) = rest.split_at(2);
                let parts = [raw(0x01, first), raw(0x00, second), raw(0x80, third)];
                let whole = Awaits::Message(WHOLE.as_bytes().to_vec());
                Script::Steps(vec![
                    Step::echo(Opcode::Text, HELLO.into()),
                    Step::new(parts.concat(), whole),
                ])
            }
            Self::OtherVersion => request(|lines| lines.set("Sec-WebSocket-Version", "99")),
            Self::NoKey => request(|lines| lines.remove("Sec-WebSocket-Key")),
            Self::Post => request(|lines| {
                lines.method = "POST";
                lines.set("Content-Length", "0");
            }),
            Self::OtherCase => request(|lines| {
                lines.set("Upgrade", "WebSocket");
                lines.set("Connection", "keep-alive, Upgrade");
                for (name, _) in &mut lines.headers {
                    *name = name.to_ascii_lowercase();
                }
            }),
            Self::Extension => {
                request(|lines| lines.set("Sec-WebSocket-Extensions", "x-wsbench-nobody-knows"))
            }
        }
    }
}

/// What a client answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answers {
    pub(super) pings: bool,
    pub(super) close: bool,
}

/// The payload of the pong nobody asked for.
pub(super) const UNASKED: &[u8] = b"unasked";

/// A masked frame of any first byte, legal or not.
fn raw(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(
        &mut bytes,
        first & 0x80 != 0,
        first & 0x7f,
        *b"mask",
        payload,
    );
    bytes
}

/// An upgrade request in parts.
#[derive(Default)]
struct Lines {
    method: &'static str,
    resource: String,
    headers: Vec<(String, String)>,
}

impl Lines {
    /// A correct one.
    fn upgrade(url: &WsUrl, ask: &Ask) -> Self {
        let mut lines = Self {
            method: "GET",
            resource: url.resource.clone(),
            headers: Vec::new(),
        };
        lines.set("Host", &url.origin().authority());
        lines.set("Upgrade", "websocket");
        lines.set("Connection", "Upgrade");
        lines.set("Sec-WebSocket-Version", "13");
        lines.set("Sec-WebSocket-Key", KEY);
        if let Some(origin) = &ask.origin {
            lines.set("Origin", origin);
        }
        if !ask.subprotocols.is_empty() {
            lines.set("Sec-WebSocket-Protocol", &ask.subprotocols.join(", "));
        }
        for (name, value) in &ask.headers {
            match name.eq_ignore_ascii_case("host") {
                true => lines.set("Host", value),
                false => lines.headers.push((name.clone(), value.clone())),
            }
        }
        lines
    }

    fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    fn remove(&mut self, name: &str) {
        (self.headers).retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    fn text(&self) -> String {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.resource);
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text + "\r\n"
    }
}
