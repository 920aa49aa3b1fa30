//! The second observer: an echo server that writes down when the kernel received each message and when the answer was
//! written, counts all of it, and is late, stalls or breaks off as it is told. It also passes on what one says to others,
//! and loses, doubles and swaps some of it. `scripts/accuracy` holds wsbench to it.

#[cfg(target_os = "linux")]
mod books;
#[cfg(target_os = "linux")]
#[path = "../floor/circle.rs"]
mod circle;
#[cfg(target_os = "linux")]
mod command;
#[cfg(target_os = "linux")]
mod conduct;
#[cfg(target_os = "linux")]
mod deflate;
#[cfg(target_os = "linux")]
#[cfg_attr(not(test), expect(dead_code, reason = "the client's half of the file"))]
#[path = "../floor/frame.rs"]
mod frame;
#[cfg(target_os = "linux")]
mod peer;
#[cfg(target_os = "linux")]
mod seal;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod stamped;
#[cfg(target_os = "linux")]
mod upgrade;

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    command::run()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
