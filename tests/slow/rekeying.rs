//! A server of TLS 1.3 that asks for new keys again and again (RFC 8446 section 4.6.3): OpenSSL's, which is told what to
//! say on its standard input, and tells what it hears on its standard output.

use std::fs::File;
use std::io::Read as _;
use std::thread;
use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::common::Running;
use crate::common::own::Own;
use crate::common::peer::Peer;

/// So many changes of keys.
const CHANGES: usize = 1000;

/// What the server has told.
struct Told {
    file: File,
    bytes: Vec<u8>,
}

impl Told {
    /// Waits until a text was told, and forgets what was told so far.
    fn wait(&mut self, text: &[u8]) -> Vec<u8> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.bytes.windows(text.len()).any(|at| at == text) {
            assert!(
                Instant::now() < deadline,
                "not told: {}, but: {}",
                text.escape_ascii(),
                self.bytes.escape_ascii()
            );
            thread::sleep(Duration::from_millis(1));
            self.file.read_to_end(&mut self.bytes).unwrap();
        }
        std::mem::take(&mut self.bytes)
    }
}

/// Opens the WebSocket.
fn upgrade(server: &mut Peer, told: &mut Told) {
    let text = told.wait(b"\r\n\r\n");
    let text = String::from_utf8_lossy(&text);
    let (_, key) = text.split_once("Sec-WebSocket-Key: ").unwrap();
    let accept = derive_accept_key(key.lines().next().unwrap().as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    server.say(answer.as_bytes());
}

#[test]
#[ignore = "needs openssl, and takes long; run by scripts/test --all"]
fn a_connection_outlives_thousands_of_new_keys() {
    let own = Own::new();
    let mut server = own.s_server("-tls1_3 -msg").start();
    let scenario = format!(
        r#"
        name = "rekeying"
        heartbeat = "off"
        [target]
        url = "wss://{}/"
        ca = "ca.pem"
        tls = {{ server_name = "localhost" }}
        [load]
        connections = 1
        ramp_up = "0s"
        duration = "5m"
        "#,
        server.address()
    );
    let run = Running::start_in(own.folder(), &scenario, &["--quiet"], &[]);
    let mut told = Told {
        file: File::open(server.folder().join("output.txt")).unwrap(),
        bytes: Vec::new(),
    };
    upgrade(&mut server, &mut told);
    // A command stands at the beginning of what is read at once, so each waits for what came of what was said before.
    // The client's own new keys come with what it sends next.
    let update = |arrow: &str| format!("{arrow} TLS 1.3, Handshake [length 0005], KeyUpdate");
    let mut updates = 0;
    for _ in 0..CHANGES {
        server.say(&[0x89, 1, b'?']);
        let heard = told.wait(&[0x8a, 0x81]);
        let heard = String::from_utf8_lossy(&heard);
        updates += usize::from(heard.contains(&update("<<<")));
        server.say(b"K\n");
        told.wait(update(">>>").as_bytes());
    }
    assert_eq!(updates, CHANGES - 1, "the first pong came before");
    // A Close frame with 1000, which is answered by one.
    server.say(&[0x88, 2, 0x03, 0xe8]);
    told.wait(&[0x88, 0x82]);
    run.signal("INT");
    let errors = run
        .end()
        .report()
        .errors()
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count))
        .collect::<Vec<_>>();
    assert_eq!(errors, [("closed_by_peer".to_owned(), 1)]);
}
