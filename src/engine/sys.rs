//! The system calls that no kept crate wraps. The only file with `unsafe` in it.
#![expect(
    unsafe_code,
    reason = "two socket options that neither socket2 nor rustix offers"
)]

use crate::measure::TcpView;
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd as _;
use std::os::fd::BorrowedFd;

/// Whether this system can tell what became of sent bytes (`TCP_INFO`).
pub const TCP_VIEW: bool = cfg!(target_os = "linux");

/// The kernel's view of a TCP connection; `None` where the system has none.
#[cfg(target_os = "linux")]
pub(super) fn tcp_view(socket: BorrowedFd<'_>) -> Option<TcpView> {
    let mut info = std::mem::MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: `socket` is open for the whole call, because it is borrowed. `info` is valid for writes of
    // `length` bytes, and the kernel writes no more than that.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return None;
    }
    // SAFETY: all bytes are initialised: zeroed above, then partly written by the kernel. `tcp_info` is made
    // of integers only, for which any bytes are valid.
    let info = unsafe { info.assume_init() };
    Some(TcpView {
        unacked: info.tcpi_unacked,
        retransmits: u32::from(info.tcpi_retransmits),
        last_ack_ns: u64::from(info.tcpi_last_ack_recv) * 1_000_000,
    })
}

/// The kernel's view of a TCP connection; `None` where the system has none.
#[cfg(not(target_os = "linux"))]
pub(super) fn tcp_view(_socket: BorrowedFd<'_>) -> Option<TcpView> {
    None
}

/// Puts off the choice of the local port until the connect, so that ports are counted for each pair of
/// addresses and not for each local address (`IP_BIND_ADDRESS_NO_PORT`).
///
/// # Errors
/// What the system says.
#[cfg(target_os = "linux")]
pub(super) fn bind_address_no_port(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: `socket` is open for the whole call, because it is borrowed. `on` is valid for reads of the
    // length given, and outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Other systems choose late by themselves.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub(super) fn bind_address_no_port(_socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(())
}

/// Tells the runtime to watch a descriptor that becomes readable.
///
/// # Errors
/// What the system says.
#[cfg(target_os = "linux")]
pub(super) fn watch(
    fd: std::os::fd::OwnedFd,
) -> io::Result<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>> {
    // SAFETY: an `OwnedFd` stays open until it is dropped, and names the same descriptor all that time; the
    // `AsyncFd` owns it, and takes it out of the runtime's reactor before it drops it.
    unsafe { tokio::io::unix::AsyncFd::register_with_interest(fd, tokio::io::Interest::READABLE) }
        .map_err(|error| error.into_parts().1)
}
