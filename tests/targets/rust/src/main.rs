//! Servers in Rust. Arguments: `actix` or `socketioxide`, the port, and in milliseconds the time between two pings and that
//! until a client without a sign of life is ended.

mod actix;
mod socket_io;

use std::env;
use std::time::Duration;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [server, port, interval, timeout] = &arguments[..] else {
        panic!("SERVER PORT INTERVAL_MS TIMEOUT_MS");
    };
    let port = port.parse().expect("a port");
    let [interval, timeout] =
        [interval, timeout].map(|ms| Duration::from_millis(ms.parse().expect("milliseconds")));
    match server.as_str() {
        "actix" => actix::serve(port, interval, timeout),
        "socketioxide" => socket_io::serve(port, interval, timeout),
        other => panic!("no server {other}"),
    }
}
