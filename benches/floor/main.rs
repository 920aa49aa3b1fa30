//! The floor: a bare epoll client and a bare epoll echo server, the least that any program can do.
//! `scripts/bench` measures wsbench against the client, both talking to this server.

#[cfg(target_os = "linux")]
mod circle;
#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
mod command;
#[cfg(target_os = "linux")]
mod frame;
#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod stream;

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    command::run()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
