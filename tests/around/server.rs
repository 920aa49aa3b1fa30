//! The built-in server as anyone would start it: by hand, or as the command of a scenario.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};

use super::common::process;
use super::common::real::wsbench;

/// `wsbench serve`, started by hand on a free port; ends with its value.
pub(super) struct Serve {
    child: Child,
    /// `ws://127.0.0.1:PORT`
    pub(super) url: String,
}

impl Serve {
    /// Starts it with these arguments, and waits until it listens.
    pub(super) fn start(arguments: &[&str]) -> Self {
        let mut child = process::command(wsbench())
            .args(["serve", "--port", "0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap();
        Self {
            url: url.to_owned(),
            child,
        }
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.url.strip_prefix("ws://").unwrap().parse().unwrap()
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // It fails where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `url` and `command` of a `[target]` that starts the built-in server there, with these arguments.
pub(super) fn command(address: SocketAddr, arguments: &[&str]) -> String {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let program = wsbench();
    let program = program.to_str().unwrap();
    let words = [program, "serve", "--host", &host, "--port", &port];
    let words = [&words, arguments].concat();
    format!("url = \"ws://{address}/\"\ncommand = {words:?}")
}
