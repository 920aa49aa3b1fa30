//! Compares what wsbench says in a dialect with what the official client of that protocol said to a server, which
//! `tests/targets/node/record.js` has recorded: the same messages in the same order, but for their ids. The server here
//! says what the recorded one said.

mod common;

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use common::run::{Run, run};
use serde_json::Value;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

/// A dialect, and what of it is not compared.
struct Dialect {
    name: &'static str,
    /// What ends each message in a frame.
    ends: Option<char>,
    /// Where ids stand.
    ids: &'static [&'static str],
    /// What the client tells of itself.
    own: &'static [&'static str],
    /// How its heartbeats and its goodbye look, which come at times of their own.
    untimed: fn(&Value) -> bool,
}

/// One line of a recording.
enum Line {
    Open(String),
    Client(Value),
    Server(Value),
}

impl Dialect {
    fn recording(&self) -> VecDeque<Line> {
        let text = self.file("txt");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let mut timed = true;
        let lines = lines.flat_map(|line| {
            let (kind, rest) = line.split_once(' ').expect("a kind");
            if kind == "open" {
                return vec![Line::Open(rest.to_owned())];
            }
            let frame: String = serde_json::from_str(rest).expect("a frame as a JSON text");
            let messages = self.messages(&frame);
            let is_client = kind == ">";
            messages
                .into_iter()
                .filter_map(|message| {
                    if is_client {
                        timed = !(self.untimed)(&message);
                    }
                    // What answers a heartbeat goes with it.
                    timed.then_some(match is_client {
                        true => Line::Client(message),
                        false => Line::Server(message),
                    })
                })
                .collect()
        });
        lines.collect()
    }

    fn file(&self, extension: &str) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/recorded");
        fs::read_to_string(folder.join(self.name).with_extension(extension)).unwrap()
    }

    fn messages(&self, frame: &str) -> Vec<Value> {
        let pieces = match self.ends {
            Some(ends) => frame.split_terminator(ends).collect(),
            None => vec![frame],
        };
        let read = |text| serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
        pieces.into_iter().map(read).collect()
    }

    /// Plays the scenario against the server of the recording.
    fn play(&self) -> Run {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let scenario = self.file("toml");
        let scenario = scenario.replace("127.0.0.1:3000", &address.to_string());
        thread::scope(|scope| {
            let server = scope.spawn(move || self.serve(&listener));
            let run = run(&scenario, &[]);
            match server.join() {
                Ok(()) => run,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// The recorded server, for one connection.
    fn serve(&self, listener: &TcpListener) {
        let mut recording = self.recording();
        let (socket, _) = listener.accept().unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let mut path = String::new();
        #[allow(
            clippy::result_large_err,
            reason = "the library says what it refuses with"
        )]
        let note = |request: &Request, response: Response| {
            path = request.uri().to_string();
            Ok(response)
        };
        let mut socket = tungstenite::accept_hdr(socket, note).unwrap();
        let Some(Line::Open(recorded)) = recording.pop_front() else {
            panic!("a recording begins with a request");
        };
        assert_address(&path, &recorded);
        let mut ids = BTreeMap::new();
        for line in recording {
            match line {
                Line::Open(_) => panic!("one connection alone"),
                Line::Client(recorded) => self.expect(&mut socket, recorded, &mut ids),
                Line::Server(mut message) => {
                    self.each_id(&mut message, |id| {
                        if let Some(ours) = ids.get(&id.to_string()) {
                            *id = Value::clone(ours);
                        }
                    });
                    let mut text = message.to_string();
                    text.extend(self.ends);
                    socket.send(Message::text(text)).unwrap();
                }
            }
        }
        let rest = self.next(&mut socket);
        assert_eq!(rest, None, "nothing else was recorded");
    }

    /// Compares the next message with a recorded one, and notes which of its ids is which of ours.
    fn expect(
        &self,
        socket: &mut WebSocket<TcpStream>,
        mut recorded: Value,
        ids: &mut BTreeMap<String, Value>,
    ) {
        let mut ours = self.next(socket).expect("another message");
        for pointer in self.own {
            let (object, key) = pointer.rsplit_once('/').unwrap();
            if let Some(Value::Object(object)) = recorded.pointer_mut(object) {
                object.remove(key);
            }
        }
        let mut named = Vec::new();
        self.each_id(&mut ours, |id| named.push(id.take()));
        let mut theirs = Vec::new();
        self.each_id(&mut recorded, |id| theirs.push(id.take()));
        assert_eq!(ours, recorded);
        assert_eq!(named.len(), theirs.len());
        for (ours, theirs) in named.into_iter().zip(theirs) {
            // A number stays a number, a text a text, nothing nothing.
            assert_eq!(
                ours.is_string(),
                theirs.is_string(),
                "{ours} is not {theirs}"
            );
            let known = ids
                .entry(theirs.to_string())
                .or_insert_with(|| ours.clone());
            assert_eq!(*known, ours, "one id of {theirs} in all messages");
        }
    }

    /// The next message that has its time; `None` at the Close.
    fn next(&self, socket: &mut WebSocket<TcpStream>) -> Option<Value> {
        loop {
            match socket.read().expect("a frame") {
                Message::Text(text) => {
                    let [message] = &self.messages(&text)[..] else {
                        panic!("one message in each frame: {text:?}");
                    };
                    if let Some(ends) = self.ends {
                        assert!(text.ends_with(ends), "{text:?}");
                    }
                    if !(self.untimed)(message) {
                        return Some(message.clone());
                    }
                }
                Message::Close(_) => return None,
                other => panic!("what is {other:?}?"),
            }
        }
    }

    fn each_id(&self, message: &mut Value, mut each: impl FnMut(&mut Value)) {
        for pointer in self.ids {
            if let Some(id) = message.pointer_mut(pointer) {
                each(id);
            }
        }
    }
}

/// Checks that the path is the client's, and that it has all that we ask for in the query.
#[track_caller]
fn assert_address(ours: &str, recorded: &str) {
    let parts = |address: &str| {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let query = query.split('&').filter_map(|pair| pair.split_once('='));
        let query: BTreeMap<_, _> = query.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        (path.to_owned(), query)
    };
    let (ours, recorded) = (parts(ours), parts(recorded));
    assert_eq!(ours.0, recorded.0);
    for (name, value) in &ours.1 {
        let theirs = recorded.1.get(name).expect("a key of the client");
        // Which client it is.
        if !["client", "version"].contains(&name.as_str()) {
            assert_eq!(value, theirs, "{name}");
        }
    }
}

/// Checks that all was answered and `heard` was pushed.
#[track_caller]
fn assert_understood(run: &Run, heard: u64) {
    run.assert_passed();
    let totals = [
        "setup.ready",
        "setup.failed",
        "messages.mismatched",
        "messages.timed_out",
        "messages.unsolicited",
        "pushes.received",
    ];
    let totals = totals.map(|name| run.report.count(name));
    assert_eq!(totals, [1, 0, 0, 0, 0, heard]);
}

#[test]
fn phoenix_is_spoken_as_its_client_speaks() {
    let dialect = Dialect {
        name: "phoenix",
        ends: None,
        ids: &["/0", "/1"],
        own: &[],
        untimed: |message| message.pointer("/2") == Some(&"phoenix".into()),
    };
    assert_understood(&dialect.play(), 1);
}

#[test]
fn signalr_is_spoken_as_its_client_speaks() {
    let dialect = Dialect {
        name: "signalr",
        ends: Some('\u{1e}'),
        ids: &["/invocationId"],
        own: &[],
        // 6 is a ping, 7 the goodbye.
        untimed: |message| [Some(&6.into()), Some(&7.into())].contains(&message.pointer("/type")),
    };
    assert_understood(&dialect.play(), 2);
}

#[test]
fn centrifugo_is_spoken_as_its_client_speaks() {
    let dialect = Dialect {
        name: "centrifugo",
        ends: Some('\n'),
        ids: &["/id"],
        // The client's name, and that it would take shorter names of channels.
        own: &["/connect/name", "/subscribe/flag"],
        untimed: |_| false,
    };
    assert_understood(&dialect.play(), 1);
}

#[test]
fn pusher_is_spoken_as_its_client_speaks() {
    let dialect = Dialect {
        name: "pusher",
        ends: None,
        ids: &[],
        own: &[],
        untimed: |_| false,
    };
    assert_understood(&dialect.play(), 1);
}
