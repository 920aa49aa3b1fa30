//! Tests `wsbench probe` as a program: its findings about servers with known behaviour, and its failures.
//! Checks facts only, never how long something took on this machine.

mod common;

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::{Act, Echo, Ended, Handshake, Pong, Reception, Running, Script, Server, When, raw};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use wsbench::scenario::{self, Outside, Overrides, Source};

fn probe(arguments: &[&str]) -> Ended {
    let arguments = [&["probe"], arguments].concat();
    Running::call(tempfile::tempdir().unwrap(), &arguments, &[]).end()
}

/// The findings of a probe, as JSON.
#[track_caller]
fn found(url: &str, watch: &str) -> Value {
    let ended = probe(&[url, "--json", "--for", watch]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    serde_json::from_str(&ended.stdout).unwrap()
}

/// How one trial ended; null if the server did not end it.
fn fate<'a>(found: &'a Value, doing: &str) -> &'a Value {
    let trials = found["activity"].as_array().unwrap();
    let trial = trials.iter().find(|trial| trial["doing"] == doing);
    let trial = trial.unwrap_or_else(|| panic!("no {doing}: {trials:?}"));
    assert_eq!(trial["failed"], Value::Null);
    &trial["ending"]
}

#[track_caller]
fn parses(text: &str) {
    let source = Source {
        name: "probed".to_owned(),
        text: text.to_owned(),
    };
    let outside = Outside {
        env: &|_| None,
        read: &|path| fs::read(path),
        list: &Outside::no_folder,
    };
    if let Err(problems) = scenario::parse(&source, &Overrides::default(), &outside) {
        panic!("{problems}\n{text}");
    }
}

/// A server that pings, and ends each client that has not answered by the next ping.
struct Reaper {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Reaper {
    const INTERVAL: Duration = Duration::from_millis(200);

    /// Starts the server. It ends clients with this code, or without a Close frame.
    fn start(code: Option<u16>) -> Self {
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

    fn url(&self) -> String {
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

#[test]
fn a_correct_echo_server_is_described_in_words_and_gets_a_scenario() {
    let script = Script {
        ping_every: Some(Duration::from_millis(200)),
        ..Script::default()
    };
    let server = Server::start(script);
    let ended = probe(&[&server.url(), "--for", "1s"]);
    let next = "then type: wsbench run FILE\n";
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.ends_with(next), "{}", ended.stderr);
    for fact in [
        "at most 10 connections",
        "HTTP/1.1 101 Switching Protocols",
        "text and binary come back the same",
        "20 of 20 answered with the same payload",
        "10 of 10 sent at once answered, the last one too",
        "between two fragments of a message: answered after",
        "pings every ",
        "payload \"1\"",
        "a silent client was not ended within 1.00 s",
        "our Close 1000 is answered by Close 1000",
    ] {
        assert!(ended.stdout.contains(fact), "{fact}\n\n{}", ended.stdout);
    }
    assert_eq!(ended.stdout.matches(" alive after ").count(), 5);
    let at = ended.stdout.find("# Written by").unwrap();
    parses(&ended.stdout[at..]);
    for entry in server.log().entries() {
        let shown = format!("{entry:?}");
        assert!(!shown.contains("Violation"), "{shown}");
    }
}

#[test]
fn a_server_that_greets_as_a_dialect_does_gets_a_scenario_in_it() {
    let greeting = raw::text("0{\"sid\":\"a\",\"pingInterval\":25000}");
    let server = Server::start(Script::act(When::Open, Act::Send(greeting)));
    let url = server.url() + "?EIO=4&transport=websocket";
    let ended = probe(&[&url, "--for", "1s"]);
    let fact = "speaks     socket.io, by its greeting: write `dialect = \"socket.io\"`";
    assert!(ended.stdout.contains(fact), "{}", ended.stdout);
    let at = ended.stdout.find("# Written by").unwrap();
    let scenario = &ended.stdout[at..];
    parses(scenario);
    for line in [
        &format!("url = \"{}\"", server.url()),
        "dialect = \"socket.io\"",
        "  \"count(setup.failed) == 0\",",
    ] {
        assert!(
            scenario.lines().any(|found| found == line),
            "{line}\n\n{scenario}"
        );
    }
}

#[test]
fn a_server_that_closes_mute_clients_is_found_out() {
    let server = Reaper::start(Some(1011));
    let found = found(&server.url(), "2s");
    assert_eq!(*fate(&found, "answer_pings"), Value::Null);
    for doing in ["nothing", "unsolicited_pongs", "pings", "texts"] {
        let close = &fate(&found, doing)["how"]["close"];
        assert_eq!(close["code"], 1011, "{doing}");
        assert_eq!(close["reason"], "silent", "{doing}");
        assert_eq!(fate(&found, doing)["tcp"]["reset"], false, "{doing}");
    }
    assert_eq!(found["idle"]["silent"]["since"], "ping");
    assert_eq!(found["idle"]["answering"], Value::Null);
    assert_eq!(found["quiet"]["payload"], "are you there");
    let scenario = found["scenario"].as_str().unwrap();
    for line in [
        "closed = 0",
        "name = \"mute\"",
        "from = \"ping\"",
        "code = 1011",
    ] {
        assert!(scenario.contains(line), "{line}\n\n{scenario}");
    }
    parses(scenario);
}

#[test]
fn an_end_without_a_close_frame_is_told_as_such() {
    let server = Reaper::start(None);
    let found = found(&server.url(), "1s");
    assert_eq!(fate(&found, "nothing")["how"], "fin");
    let scenario = found["scenario"].as_str().unwrap();
    assert!(scenario.contains("ends_with = \"fin\""), "{scenario}");
    parses(scenario);
}

#[test]
fn an_end_that_comes_whatever_a_client_does_is_no_missed_pong() {
    let act = Script::act(When::After(Duration::from_secs(1)), Act::Reset);
    let server = Server::start(Script {
        ping_every: Some(Duration::from_millis(300)),
        ..act
    });
    let found = found(&server.url(), "3s");
    for doing in ["answer_pings", "nothing", "texts"] {
        assert_eq!(fate(&found, doing)["how"], "rst", "{doing}");
    }
    let scenario = found["scenario"].as_str().unwrap();
    assert!(scenario.contains("from = \"open\""), "{scenario}");
    for not_so in ["no_pong", "closed = 0"] {
        assert!(!scenario.contains(not_so), "{scenario}");
    }
    assert_eq!(found["idle"]["talkers_too"], true);

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("probed.toml"), scenario).unwrap();
    let run = ["run", "probed.toml", "--duration", "3s"];
    let ended = Running::call(folder, &run, &[]).end();
    assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);
}

#[test]
fn what_no_connection_saw_is_not_known() {
    // For the first questions, for compression, and for pings.
    let (_runtime, url) = serves_first(3, echoes);
    let ended = probe(&[&url, "--for", "1s"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let unknown = "not known, no connection: nothing listens on that port";
    for question in ["by itself  ", "silent     ", "close      "] {
        let line = format!("\n{question}{unknown}");
        assert!(ended.stdout.contains(&line), "{line}\n\n{}", ended.stdout);
    }
    let watchers = "not opened: nothing listens on that port";
    assert_eq!(ended.stdout.matches(watchers).count(), 5);
    assert!(!ended.stdout.contains("was not ended"), "{}", ended.stdout);

    let (_runtime, url) = serves_first(3, echoes);
    let found = found(&url, "1s");
    for none in ["quiet", "idle", "close"] {
        assert_eq!(found[none], Value::Null, "{none}");
    }
    let asked = found["unknown"].as_array().unwrap().iter();
    let asked: Vec<_> = asked.map(|unknown| &unknown["question"]).collect();
    assert_eq!(asked, ["quiet", "idle", "close"]);
    parses(found["scenario"].as_str().unwrap());
}

#[test]
fn a_server_that_answers_nothing_is_told_as_such() {
    let server = Server::start(Script {
        echo: Echo::Never,
        pong: Pong::Never,
        text_every: Some(Duration::from_millis(100)),
        ..Script::default()
    });
    let found = found(&server.url(), "1s");
    assert_eq!(found["pings"]["answered"], 0);
    assert_eq!(found["quiet"]["pings"], 0);
    let unasked = &found["quiet"]["messages"];
    assert_eq!(unasked[0]["sample"], "1");
    assert_eq!(unasked[1]["sample"], "2");
    let scenario = found["scenario"].as_str().unwrap();
    assert!(!scenario.contains("[heartbeat]"), "{scenario}");
    assert!(!scenario.contains("[[message]]"), "{scenario}");
    parses(scenario);
}

/// Starts a server that runs `conversation` on its connection after the handshake.
fn serves<F: Future<Output = Option<()>> + Send + 'static>(
    conversation: impl Fn(TcpStream) -> F + Send + 'static,
) -> (Runtime, String) {
    serves_first(usize::MAX, conversation)
}

/// The same, but nothing listens any more after this number of connections.
fn serves_first<F: Future<Output = Option<()>> + Send + 'static>(
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
async fn echoes(socket: TcpStream) -> Option<()> {
    let mut client = WebSocketStream::from_raw_socket(socket, Role::Server, None).await;
    loop {
        let message = client.next().await?.ok()?;
        if message.is_text() || message.is_binary() {
            client.send(message).await.ok()?;
        }
    }
}

/// Answers every ping with an empty pong, and a Close with a Close.
async fn pongs_empty(mut socket: TcpStream) -> Option<()> {
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
async fn floods(mut socket: TcpStream) -> Option<()> {
    let frames = [0x81, 1, b'x'].repeat(1000);
    loop {
        socket.write_all(&frames).await.ok()?;
    }
}

/// The probe waits for the pong to each kind of ping once, and at most six seconds for all of them.
#[test]
fn a_server_whose_pongs_are_wrong_does_not_hold_a_probe() {
    let (_runtime, url) = serves(pongs_empty);
    let began = Instant::now();
    let found = found(&url, "1s");
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    assert!(found["pings"]["answered"].as_u64() >= Some(1));
    let unanswered = found["pings"]["unanswered_lengths"].as_array().unwrap();
    assert!((2..=3).contains(&unanswered.len()), "{unanswered:?}");
}

#[test]
fn a_server_that_never_stops_talking_does_not_hold_a_probe() {
    let (_runtime, url) = serves(floods);
    let began = Instant::now();
    let found = found(&url, "200ms");
    assert!(
        began.elapsed() < Duration::from_secs(40),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(found["idle"]["silent"], Value::Null);
}

#[test]
fn a_server_under_tls_is_probed_like_any_other() {
    let server = Reception::secure();
    let url = server.url("localhost");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.pem"), server.certificate()).unwrap();
    let arguments = ["probe", &url, "--for", "1s", "--json", "--ca", "ca.pem"];
    let ended = Running::call(folder, &arguments, &[]).end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(found["handshake"]["dns_ns"].is_u64());
    let addresses = found["handshake"]["addresses"].as_array().unwrap();
    assert!(addresses.contains(&found["handshake"]["address"]));
    let tls = &found["tls"];
    assert_eq!(tls["version"], "TLS 1.3");
    assert_eq!(tls["cipher"], "TLS13_AES_256_GCM_SHA384");
    assert_eq!(tls["alpn"], Value::Null);
    assert_eq!(
        tls["certificate"]["names"],
        serde_json::json!(["localhost", "127.0.0.1"])
    );
    assert_eq!(tls["resumes"], true);
    assert_eq!(tls["client_certificate"], "not_asked");
    assert_eq!(found["pings"]["answered"], 20);
    assert_eq!(*fate(&found, "nothing"), Value::Null);
    parses(found["scenario"].as_str().unwrap());
}

/// Checks that a probe without a connection fails with exit code 4, the reason and a hint.
#[track_caller]
fn fails(url: &str, reason: &str, hint: &str) {
    let ended = probe(&[url, "--for", "1s"]);
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    let start = format!("error: failed to connect to {url}: {reason}");
    assert!(ended.stderr.starts_with(&start), "{}", ended.stderr);
    assert!(
        ended.stderr.contains(&format!("\nhint: {hint}")),
        "{}",
        ended.stderr
    );
    assert!(!ended.stdout.contains("# Written by"));
}

#[test]
fn each_way_to_get_no_connection_has_its_reason_and_a_hint() {
    for (handshake, reason, hint) in [
        (
            Handshake::Refuse,
            "nothing listens",
            "check that the server runs",
        ),
        (
            Handshake::Status(404, "no"),
            "an HTTP status other than 101 (HTTP/1.1 404 Scripted",
            "check the path",
        ),
        (
            Handshake::Status(401, "no"),
            "an HTTP status other than 101 (HTTP/1.1 401 Scripted",
            "give what the server asks for",
        ),
        (
            Handshake::Garbage,
            "",
            "does this port speak TLS? then use wss://",
        ),
        (
            Handshake::Fin,
            "",
            "does this port speak TLS? then use wss://",
        ),
        (
            Handshake::WrongAccept,
            "",
            "check that a WebSocket service is there",
        ),
    ] {
        let server = Server::start(Script::handshake(handshake));
        fails(&server.url(), reason, hint);
    }
}

/// RFC 9110 section 15.2.
#[test]
fn an_informational_answer_is_not_the_final_one() {
    let server = Server::start(Script::handshake(Handshake::Informed(103)));
    let found = found(&server.url(), "200ms");
    assert_eq!(
        found["handshake"]["status"],
        "HTTP/1.1 101 Switching Protocols"
    );
}

#[test]
fn tls_trouble_says_how_to_trust() {
    let trusted = Reception::secure();
    fails(
        &trusted.url("127.0.0.1"),
        "the server's certificate is not trusted",
        "name its certificate, or that of its authority, in `ca` (`--ca FILE`)",
    );
}

#[test]
fn the_scenario_goes_into_a_new_file_without_the_secrets_of_headers() {
    let server = Server::start(Script::default());
    let folder = tempfile::tempdir().unwrap();
    let url = server.url();
    let arguments = [
        "probe",
        &url,
        "--for",
        "100ms",
        "--header",
        "X-Token: s3cret",
        "--out",
        "new.toml",
    ];
    let ended = Running::call(folder, &arguments, &[]).end();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("wrote new.toml"), "{}", ended.stderr);
    let text = fs::read_to_string(ended.folder().join("new.toml")).unwrap();
    assert!(!text.contains("s3cret") && !ended.stdout.contains("s3cret"));
    assert!(text.contains("\"X-Token\" = \"${X_TOKEN}\""), "{text}");

    let there = tempfile::tempdir().unwrap();
    fs::write(there.path().join("new.toml"), text).unwrap();
    let check = ["check", "new.toml"];
    let ended = Running::call(there, &check, &[("X_TOKEN", "other")]).end();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

#[test]
fn a_file_that_is_there_is_not_written_over_and_nothing_is_dialled() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine.toml"), "mine").unwrap();
    let arguments = ["probe", "ws://127.0.0.1:9/", "--out", "mine.toml"];
    let ended = Running::call(folder, &arguments, &[]).end();
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("it is there already"),
        "{}",
        ended.stderr
    );
    assert_eq!(fs::read(ended.folder().join("mine.toml")).unwrap(), b"mine");
}

#[test]
fn what_makes_no_sense_is_refused_before_the_first_connection() {
    for (arguments, reason) in [
        (&["127.0.0.1:9"][..], "has no scheme"),
        (&["embedded"], "the built-in server"),
        (&["ws://127.0.0.1:9/", "--insecure"], "is only for wss://"),
        (&["ws://127.0.0.1:9/", "--for", "soon"], "is not a duration"),
        (&["ws://127.0.0.1:9/", "--for", "1ms"], "at least 100ms"),
        (
            &["ws://127.0.0.1:9/", "--header", "X"],
            "a name, a colon and a value",
        ),
        (
            &["ws://127.0.0.1:9/", "--header", "Upgrade: x"],
            "wsbench sets itself",
        ),
    ] {
        let ended = probe(arguments);
        assert_eq!(ended.code, 2, "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    }
}
