//! Reads with the kernel's stamps: when what was read reached this machine.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

/// A point in time: nanoseconds since 1970 by the system's wall clock, in which the kernel stamps.
pub(crate) type Time = u64;

/// The kernel begins to stamp a moment after it is first asked; longer than this it does not take.
const BEGINNING: Duration = Duration::from_secs(1);

/// Asks for stamps, for all that is accepted from here on. Returns when the kernel gives them.
pub(crate) fn ask(listener: &TcpListener) -> io::Result<()> {
    setsockopt(listener, sockopt::ReceiveTimestampns, &true)?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    let own = socket.local_addr()?;
    let deadline = Instant::now() + BEGINNING;
    while Instant::now() < deadline {
        socket.send_to(&[0], own)?;
        if let (_, Some(_)) = read(&socket, &mut [0])? {
            return Ok(());
        }
        std::thread::yield_now();
    }
    Err(io::Error::other("the kernel stamps nothing that comes in"))
}

/// Reads once. The stamp is that of the last bytes read: what came before them, in the same read, came earlier.
pub(crate) fn read(socket: &impl AsRawFd, input: &mut [u8]) -> io::Result<(usize, Option<Time>)> {
    let mut control = nix::cmsg_space!(TimeSpec);
    let mut parts = [IoSliceMut::new(input)];
    let read = recvmsg::<SockaddrIn>(
        socket.as_raw_fd(),
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
