//! Reads with the kernel's stamps: when what was read reached this machine.

use std::io::{self, IoSliceMut};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::time::SystemTime;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

/// A point in time: nanoseconds since 1970 by the system's wall clock, in which the kernel stamps.
pub(crate) type Time = u64;

/// Asks for stamps, for all that is accepted from here on.
pub(crate) fn ask(listener: &TcpListener) -> io::Result<()> {
    Ok(setsockopt(listener, sockopt::ReceiveTimestampns, &true)?)
}

/// Reads once. The stamp is that of the last bytes read: what came before them, in the same read, came earlier.
pub(crate) fn read(stream: &TcpStream, input: &mut [u8]) -> io::Result<(usize, Option<Time>)> {
    let mut control = nix::cmsg_space!(TimeSpec);
    let mut parts = [IoSliceMut::new(input)];
    let read = recvmsg::<SockaddrIn>(
        stream.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::empty(),
    )?;
    let stamp = read.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::ScmTimestampns(at) => {
            Some(at.tv_sec() as u64 * 1_000_000_000 + at.tv_nsec() as u64)
        }
        _ => None,
    });
    Ok((read.bytes, stamp))
}

/// Now, by the same clock.
pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}
