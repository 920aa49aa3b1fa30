//! What only a long look at a server shows of the rules of RFC 6455.

use std::env::consts::ARCH;
use std::fs;
use std::net::TcpStream;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::Running;
use crate::common::address;
use crate::common::process::{self, Leashed};

/// ejabberd, with nothing but its protocol over WebSocket. It is started without its script, whose processes would outlive
/// it.
struct Ejabberd {
    url: String,
    _child: Leashed,
    _folder: TempDir,
}

impl Ejabberd {
    fn start() -> Self {
        let (folder, at) = (tempfile::tempdir().unwrap(), address::free());
        let settings = format!(
            "hosts: [localhost]\nloglevel: 2\nauth_method: [anonymous]\nmodules: {{}}\nlisten:\n  - port: {}\n    \
             ip: \"{}\"\n    module: ejabberd_http\n    request_handlers:\n      /ws: ejabberd_http_ws\n",
            at.port(),
            at.ip(),
        );
        let file = |name: &str| folder.path().join(name);
        fs::write(file("ejabberd.yml"), settings).unwrap();
        let mut command = process::command("erl");
        command
            .args(["-noinput", "-mnesia", "dir"])
            .arg(format!("\"{}\"", file("data").display()))
            .args(["-s", "ejabberd"])
            .env("ERL_LIBS", format!("/usr/lib/{ARCH}-linux-gnu"))
            .env("EJABBERD_CONFIG_PATH", file("ejabberd.yml"))
            .env("EJABBERD_LOG_PATH", file("ejabberd.log"))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let child = Leashed(command.spawn().expect("ejabberd has brought Erlang"));
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(at).is_err() {
            assert!(Instant::now() < deadline, "ejabberd listens nowhere");
            thread::sleep(Duration::from_millis(50));
        }
        Self {
            url: format!("ws://{at}/ws"),
            _child: child,
            _folder: folder,
        }
    }
}

#[test]
#[ignore = "takes 40 s and needs ejabberd; run by scripts/test --all"]
fn ejabberd_sends_a_second_close_after_half_a_minute() {
    let server = Ejabberd::start();
    let arguments = [
        "probe",
        &server.url,
        "--subprotocol",
        "xmpp",
        "--conformance",
        "--json",
        "--for",
        "35s",
    ];
    let ended = Running::call(tempfile::tempdir().unwrap(), &arguments, &[]).end();
    assert_eq!((ended.code, ended.stderr.as_str()), (3, ""));
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    let rules = found["rules"].as_array().unwrap();
    for (id, how) in [
        ("R7", "a second Close: Close 1000"),
        ("R9", "only after 30.0 s"),
    ] {
        let rule = rules.iter().find(|rule| rule["id"] == id).unwrap();
        assert_eq!(rule["outcome"], "fail", "{rule}");
        assert!(rule["seen"].as_str().unwrap().contains(how), "{rule}");
    }
}
