//! Tests `wsbench serve` as a process, and as the child of a run: it starts, answers, counts, and ends with its parent.

mod common;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::process;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use wsbench::scenario::{Defect, HeartbeatWord, ServerHeartbeat, ServerRooms};
use wsbench::server::{Behaviour, EmbeddedServer, SpawnError};

const WSBENCH: &str = env!("CARGO_BIN_EXE_wsbench");

async fn connect(url: &str) -> WebSocketStream<TcpStream> {
    let address = url.strip_prefix("ws://").expect("a ws:// address");
    let socket = TcpStream::connect(address).await.unwrap();
    let (client, _) = tokio_tungstenite::client_async(url, socket).await.unwrap();
    client
}

async fn echo_once(client: &mut WebSocketStream<TcpStream>) {
    let message = Message::text("hello");
    client.send(message.clone()).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), message);
}

/// Starts `wsbench serve` and returns it with its address.
fn serve(arguments: &[&str], input: Stdio) -> (Child, BufReader<impl Read>, String) {
    let mut child = process::command(WSBENCH)
        .args(["serve", "--port", "0"])
        .args(arguments)
        .stdin(input)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let url = line.trim_end().strip_prefix("listening on ").expect(&line);
    (child, output, url.to_owned())
}

fn wait_at_most(child: &mut Child, time: Duration) -> std::process::ExitStatus {
    let deadline = Instant::now() + time;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("still running after {time:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn that_others_can_connect_is_told() {
    let mut child = process::command(WSBENCH)
        .args(["serve", "--port", "0", "--host", "0.0.0.0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    errors.read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        line.starts_with("note: other machines can connect"),
        "{line}"
    );
}

#[tokio::test]
async fn an_embedded_server_returns_its_counts() {
    let server = EmbeddedServer::spawn(Path::new(WSBENCH), &Behaviour::default()).unwrap();
    let mut client = connect(server.url()).await;
    echo_once(&mut client).await;
    drop(client);
    let counts = server.stop().expect("counts");
    assert_eq!((counts.opened, counts.closed, counts.text), (1, 1, 1));
    assert_eq!(counts.bytes, 5);
}

#[tokio::test]
async fn an_embedded_server_behaves_as_told() {
    let behaviour = Behaviour {
        drop: 1.0,
        ..Behaviour::default()
    };
    let server = EmbeddedServer::spawn(Path::new(WSBENCH), &behaviour).unwrap();
    let mut client = connect(server.url()).await;
    client.send(Message::text("hello")).await.unwrap();
    client.send(Message::Ping("1".into())).await.unwrap();
    let first = client.next().await.unwrap().unwrap();
    assert_eq!(first, Message::Pong("1".into()));
    assert_eq!(server.stop().expect("counts").dropped, 1);
}

#[tokio::test]
async fn an_embedded_server_has_rooms_and_counts_what_is_said() {
    let behaviour = Behaviour {
        rooms: Some(ServerRooms::default()),
        ..Behaviour::default()
    };
    let server = EmbeddedServer::spawn(Path::new(WSBENCH), &behaviour).unwrap();
    let mut client = connect(server.url()).await;
    for (request, answer) in [
        (r#"{"join":"r","id":1}"#, r#"{"id":1,"ok":true}"#),
        (r#"{"say":"r","data":7}"#, r#","data":7}"#),
    ] {
        client.send(Message::text(request)).await.unwrap();
        let Message::Text(text) = client.next().await.unwrap().unwrap() else {
            panic!("expected a text");
        };
        assert!(text.ends_with(answer), "{text}");
    }
    let counts = server.stop().expect("counts");
    assert_eq!((counts.said, counts.delivered), (1, 1));
}

#[tokio::test]
async fn a_dropped_embedded_server_is_gone() {
    let server = EmbeddedServer::spawn(Path::new(WSBENCH), &Behaviour::default()).unwrap();
    let mut client = connect(server.url()).await;
    drop(server);
    let Message::Close(Some(frame)) = client.next().await.unwrap().unwrap() else {
        panic!("expected a close frame");
    };
    assert_eq!(u16::from(frame.code), 1001);
    assert!(client.next().await.is_none());
}

/// Sends a signal to a process.
#[cfg(unix)]
fn signal(name: &str, process: u32) {
    let sent = process::command("kill")
        .args([name, &process.to_string()])
        .status();
    assert!(sent.unwrap().success(), "{name} to {process}");
}

#[cfg(unix)]
#[tokio::test]
async fn an_embedded_server_that_stands_still_ends_all_the_same() {
    let server = EmbeddedServer::spawn(Path::new(WSBENCH), &Behaviour::default()).unwrap();
    let mut client = connect(server.url()).await;
    echo_once(&mut client).await;
    drop(client);
    signal("-STOP", server.id());
    let begun = Instant::now();
    assert_eq!(server.stop().expect("counts").text, 1);
    assert!(begun.elapsed() < Duration::from_secs(3));
}

/// Connects twenty clients, each of which answers pings 100 ms late, to a server that stops for a second three times.
/// Returns how many clients it lost.
#[cfg(unix)]
async fn lost_by_stalls(defect: Option<Defect>) -> u64 {
    let behaviour = Behaviour {
        heartbeat: Some(ServerHeartbeat {
            interval: Duration::from_millis(300),
            timeout: Duration::from_millis(300),
            kind: HeartbeatWord::Frames,
            defect,
        }),
        ..Behaviour::default()
    };
    let server = EmbeddedServer::spawn(Path::new(WSBENCH), &behaviour).unwrap();
    let url = server.url().to_owned();
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move {
                let mut client = connect(&url).await;
                while let Some(Ok(Message::Ping(_))) = client.next().await {
                    // Waits, because the library sends the pong only at its next operation.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    let _ = client.flush().await;
                }
            })
        })
        .collect();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(670)).await;
        signal("-STOP", server.id());
        tokio::time::sleep(Duration::from_secs(1)).await;
        signal("-CONT", server.id());
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    for client in &clients {
        client.abort();
    }
    // Stops it on another thread: on this one, clients may still have a pong to send to another server.
    let stopped = tokio::task::spawn_blocking(move || server.stop());
    let counts = stopped.await.unwrap().expect("counts");
    assert_eq!(counts.opened, 20);
    assert!(counts.pongs >= 20, "{counts:?}");
    counts.reaped
}

#[cfg(unix)]
#[tokio::test]
async fn a_stopped_process_blames_nobody_unless_that_is_its_defect() {
    let (innocent, guilty) = tokio::join!(
        lost_by_stalls(None),
        lost_by_stalls(Some(Defect::KillsAfterStall))
    );
    assert_eq!(innocent, 0);
    assert!(guilty > 0);
}

#[test]
fn a_program_that_is_no_server_is_an_error() {
    let spawn = |program| EmbeddedServer::spawn(Path::new(program), &Behaviour::default());
    let missing = spawn("no/such/program").unwrap_err();
    assert!(matches!(missing, SpawnError::Run { .. }), "{missing}");
    let silent = spawn("true").unwrap_err();
    assert_eq!(
        silent.to_string(),
        "start the built-in server: it ended at once"
    );
}

#[tokio::test]
async fn a_tied_server_ends_with_the_pipe_to_its_parent() {
    let (mut child, _output, url) = serve(&["--tied"], Stdio::piped());
    let mut client = connect(&url).await;
    echo_once(&mut client).await;
    // Closes the pipe, as the end of a killed parent does.
    drop(child.stdin.take());
    assert!(wait_at_most(&mut child, Duration::from_secs(3)).success());
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_closes_politely_and_prints_the_counts() {
    for name in ["-INT", "-TERM"] {
        let (mut child, mut output, url) = serve(&[], Stdio::null());
        let mut client = connect(&url).await;
        echo_once(&mut client).await;
        signal(name, child.id());
        let Message::Close(Some(frame)) = client.next().await.unwrap().unwrap() else {
            panic!("expected a close frame");
        };
        assert_eq!(u16::from(frame.code), 1001);
        assert!(client.next().await.is_none());
        assert!(wait_at_most(&mut child, Duration::from_secs(3)).success());
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        let page = url.replacen("ws", "http", 1);
        assert_eq!(
            rest,
            format!(
                "try a server by hand at {page}/\nserved: connections 1, text messages 1, bytes 5\n"
            )
        );
    }
}

/// Whatever opens pages on this system is called with the address of the page, and need not be there.
#[cfg(target_os = "linux")]
#[test]
fn the_page_is_opened_in_the_browser() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let opener = folder.path().join("xdg-open");
    let called = folder.path().join("called");
    let script = format!("#!/bin/sh\necho \"$1\" >{}\n", called.display());
    std::fs::write(&opener, script).unwrap();
    std::fs::set_permissions(&opener, PermissionsExt::from_mode(0o755)).unwrap();
    for has_opener in [true, false] {
        let mut command = process::command(WSBENCH);
        command.args(["serve", "--port", "0", "--open"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        match has_opener {
            true => command.env("PATH", format!("{}:/bin:/usr/bin", folder.path().display())),
            false => command.env("PATH", "/nowhere"),
        };
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let page = lines.nth(1).unwrap().unwrap();
        let page = page.strip_prefix("try a server by hand at ").unwrap();
        if has_opener {
            let deadline = Instant::now() + Duration::from_secs(20);
            while std::fs::read_to_string(&called).unwrap_or_default() != format!("{page}\n") {
                assert!(Instant::now() < deadline, "not opened: {page}");
                std::thread::sleep(Duration::from_millis(10));
            }
        } else {
            let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
            let note = errors.next().unwrap().unwrap();
            assert_eq!(note, "note: no browser could be opened");
            let hint = errors.next().unwrap().unwrap();
            assert_eq!(hint, format!("hint: open {page} yourself"));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn a_port_in_use_is_an_error_with_a_hint() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = process::command(WSBENCH)
        .args(["serve", "--port", &port])
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(
        error.contains("failed to listen on") && error.contains("hint:"),
        "{error}"
    );
}
