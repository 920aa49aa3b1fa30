//! System calls that have no better place: those that no crate we use wraps, and what several parts ask of the system.
//! The only file with `unsafe` in it.
#![expect(
    unsafe_code,
    reason = "socket options, ancillary data and flags that neither socket2 nor rustix offers"
)]

use crate::measure::TcpView;
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd as _;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Whether this system reports what became of sent bytes (`TCP_INFO`).
pub const TCP_VIEW: bool = cfg!(target_os = "linux");

/// Makes room for this many descriptors before they are needed. Otherwise Linux enlarges the descriptor table of a
/// process step by step. In a process with several threads each step stops the thread that opens a descriptor for more
/// than ten milliseconds, and with it all connections of that worker.
pub(crate) fn make_room(descriptors: u64) {
    let Ok(last) = i32::try_from(descriptors.saturating_sub(1)) else {
        return;
    };
    // The descriptor is closed at once; the table keeps its size. Ignores errors: the table then grows step by step.
    let any = std::fs::File::open("/dev/null");
    let _ = any.map(|any| rustix::io::fcntl_dupfd_cloexec(any, last));
}

/// Marks all inherited descriptors but the standard streams as close-on-exec, so that child processes do not depend on
/// what a shell or a CI agent left open. Linux 5.11 and later.
#[cfg(target_os = "linux")]
pub fn keep_inherited_descriptors() {
    const FIRST: libc::c_uint = 3;
    // SAFETY: no memory is passed, and no descriptor is closed: each only gets a flag. An older kernel returns an error
    // and changes nothing.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            FIRST,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        );
    }
}

/// Does nothing: only Linux can mark all of them at once.
#[cfg(not(target_os = "linux"))]
pub fn keep_inherited_descriptors() {}

/// Returns whether this process was started with SIGHUP ignored, as `nohup` does.
pub(crate) fn ignores_hangup() -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action changes nothing, and `action` is valid for writes of its size.
    let result = unsafe { libc::sigaction(libc::SIGHUP, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all bytes are initialised, zeroed above and then written by the system; zero is a valid value of each
    // field.
    result == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Returns the kernel's view of a TCP connection; `None` if the system has none.
pub(crate) fn tcp_view(socket: BorrowedFd<'_>) -> Option<TcpView> {
    tcp_state(socket).map(|state| state.view)
}

/// The kernel's state of a TCP connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TcpState {
    pub(crate) view: TcpView,
    /// The peer's FIN was received, even if it was not read yet (RFC 9293 section 3.3.2), or the connection has ended.
    pub(crate) is_ended: bool,
}

/// Returns the kernel's state of a TCP connection; `None` if the system does not report it.
#[cfg(target_os = "linux")]
pub(crate) fn tcp_state(socket: BorrowedFd<'_>) -> Option<TcpState> {
    /// `TCP_ESTABLISHED`, `TCP_SYN_SENT`, `TCP_SYN_RECV`, `TCP_FIN_WAIT1`, `TCP_FIN_WAIT2` and `TCP_LISTEN` of the
    /// kernel's `tcp_states.h`.
    const WITHOUT_FIN: [u8; 6] = [1, 2, 3, 4, 5, 10];
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
    Some(TcpState {
        view: TcpView {
            unacked: info.tcpi_unacked,
            retransmits: u32::from(info.tcpi_retransmits),
            last_ack_ns: u64::from(info.tcpi_last_ack_recv) * 1_000_000,
        },
        is_ended: !WITHOUT_FIN.contains(&info.tcpi_state),
    })
}

/// Returns the kernel's state of a TCP connection; `None` if the system does not report it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn tcp_state(_socket: BorrowedFd<'_>) -> Option<TcpState> {
    None
}

/// Makes a socket use this network device alone (`SO_BINDTODEVICE`).
///
/// # Errors
/// The error of the system: ENODEV where there is no such device.
#[cfg(target_os = "linux")]
pub(crate) fn bind_device(socket: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    // SAFETY: the socket is open for the whole call, because it is borrowed; `name` is valid for reads of its length.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_BINDTODEVICE,
            name.as_ptr().cast(),
            name.len() as libc::socklen_t,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Other systems have no such option.
#[cfg(not(target_os = "linux"))]
pub(crate) fn bind_device(_socket: BorrowedFd<'_>, _name: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns the number of a network device; `None` if there is none of this name.
pub(crate) fn device_index(name: &str) -> Option<u32> {
    let name = std::ffi::CString::new(name).ok()?;
    // SAFETY: `name` is a string that ends with a zero byte, and outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index > 0).then_some(index)
}

/// Returns whether the peer of a socket of any kind has ended its half, even if that was not read yet (`POLLRDHUP`).
#[cfg(target_os = "linux")]
pub(crate) fn is_hung_up(socket: BorrowedFd<'_>) -> bool {
    let mut asked = libc::pollfd {
        fd: socket.as_raw_fd(),
        events: libc::POLLRDHUP,
        revents: 0,
    };
    // SAFETY: `asked` is one valid entry, and its socket is open for the whole call, because it is borrowed. Returns at once.
    let count = unsafe { libc::poll(&raw mut asked, 1, 0) };
    count > 0 && asked.revents & (libc::POLLRDHUP | libc::POLLHUP) != 0
}

/// Other systems do not tell it apart from bytes that can be read.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_hung_up(_socket: BorrowedFd<'_>) -> bool {
    false
}

/// Sets a socket option with an integer value.
#[cfg(target_os = "linux")]
fn set(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: `socket` is open for the whole call, because it is borrowed. `value` is valid for reads of the
    // length given, and outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Turns on receive timestamps: the time at which bytes reach this machine (`SO_TIMESTAMPNS`).
///
/// # Errors
/// The error of the system.
#[cfg(target_os = "linux")]
pub(crate) fn stamp_receives(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
}

/// Other systems have no such timestamps.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub(crate) fn stamp_receives(_socket: BorrowedFd<'_>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Reads what has come. Returns the number of bytes, and when the last of them reached this machine: by the system's
/// wall clock, since 1970.
///
/// # Errors
/// The error of the system.
#[cfg(target_os = "linux")]
pub(crate) fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<(usize, Option<Duration>)> {
    /// Room for one timestamp and its header, in words of 8 bytes, so that the header is aligned.
    const ROOM: usize = 16;
    let mut control = [0u64; ROOM];
    let mut part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: `msghdr` is made of integers and pointers only, for which zeros are valid.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: `socket` is open for the whole call, because it is borrowed. `message` names one part and one room for
    // control data, both valid for writes of the lengths given, and all of them outlive the call.
    let read = counted(unsafe {
        libc::syscall(
            libc::SYS_recvmsg,
            socket.as_raw_fd(),
            &raw mut message,
            0 as libc::c_int,
        )
    })?;
    // SAFETY: `message` is as the kernel left it: its control data are whole headers within `control`, which is aligned
    // for them. `CMSG_FIRSTHDR` returns null or the first header. The kernel puts a `timespec` after a header of this
    // type; it is read unaligned.
    let stamp = unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        header.as_ref().and_then(|found| {
            let is_stamp =
                (found.cmsg_level, found.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS);
            is_stamp.then(|| {
                libc::CMSG_DATA(header)
                    .cast::<libc::timespec>()
                    .read_unaligned()
            })
        })
    };
    let since_1970 = stamp.and_then(|stamp| {
        let seconds = u64::try_from(stamp.tv_sec).ok()?;
        Some(Duration::new(seconds, u32::try_from(stamp.tv_nsec).ok()?))
    });
    Ok((read, since_1970))
}

/// Never called: other systems have no timestamps.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub(crate) fn receive(
    _socket: BorrowedFd<'_>,
    _buffer: &mut [u8],
) -> io::Result<(usize, Option<Duration>)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Reads what has come, without a time. Returns the number of bytes.
///
/// # Errors
/// The error of the system.
#[cfg(target_os = "linux")]
pub(crate) fn read(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: `socket` is open for the whole call, because it is borrowed. `buffer` is valid for writes of its length. No address
    // is asked for.
    counted(unsafe {
        libc::syscall(
            libc::SYS_recvfrom,
            socket.as_raw_fd(),
            buffer.as_mut_ptr(),
            buffer.len(),
            0 as libc::c_int,
            std::ptr::null_mut::<libc::sockaddr>(),
            std::ptr::null_mut::<libc::socklen_t>(),
        )
    })
}

/// Sends what the system accepts at once, on a non-blocking socket. If the peer is gone, returns an error instead of
/// raising a signal.
///
/// # Errors
/// The error of the system.
#[cfg(target_os = "linux")]
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: `socket` is open for the whole call, because it is borrowed. `bytes` is valid for reads of its length. No address is
    // given.
    counted(unsafe {
        libc::syscall(
            libc::SYS_sendto,
            socket.as_raw_fd(),
            bytes.as_ptr(),
            bytes.len(),
            libc::MSG_NOSIGNAL,
            std::ptr::null::<libc::sockaddr>(),
            0 as libc::socklen_t,
        )
    })
}

/// What a call for a message has returned. It is asked of the system itself: the functions of the C library for it are points
/// at which a thread may be cancelled, and in a process with several threads they look after that twice.
#[cfg(target_os = "linux")]
fn counted(returned: libc::c_long) -> io::Result<usize> {
    usize::try_from(returned).map_err(|_| io::Error::last_os_error())
}

/// Reads what has come, without a time. Returns the number of bytes.
///
/// # Errors
/// The error of the system.
#[cfg(not(target_os = "linux"))]
pub(crate) fn read(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    io::Read::read(&mut &*socket2::SockRef::from(&socket), buffer)
}

/// Sends what the system accepts at once, on a non-blocking socket. That it raises no signal was set when the socket was made.
///
/// # Errors
/// The error of the system.
#[cfg(not(target_os = "linux"))]
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    socket2::SockRef::from(&socket).send(bytes)
}

/// Makes the socket drop all received packets, so that it acknowledges none (`SO_ATTACH_FILTER`).
///
/// # Errors
/// The error of the system.
#[cfg(target_os = "linux")]
pub(crate) fn deafen(socket: BorrowedFd<'_>) -> io::Result<()> {
    /// Keeps no byte of a packet.
    const KEEP_NOTHING: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let program = [socket2::SockFilter::new(KEEP_NOTHING, 0, 0, 0)];
    socket2::SockRef::from(&socket).attach_filter(&program)
}

/// Accepts packets again.
///
/// # Errors
/// The error of the system.
#[cfg(target_os = "linux")]
pub(crate) fn hear(socket: BorrowedFd<'_>) -> io::Result<()> {
    socket2::SockRef::from(&socket).detach_filter()
}

/// Makes the socket send neither FIN nor RST when it is closed (`TCP_REPAIR`).
///
/// # Errors
/// Without `CAP_NET_ADMIN`.
#[cfg(target_os = "linux")]
pub(crate) fn leave_in_silence(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::IPPROTO_TCP, libc::TCP_REPAIR, 1)
}

/// Not available on other systems.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub(crate) fn deafen(_socket: BorrowedFd<'_>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not available on other systems.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub(crate) fn hear(_socket: BorrowedFd<'_>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not available on other systems.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub(crate) fn leave_in_silence(_socket: BorrowedFd<'_>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Delays the choice of the local port until the connect, so that ports are counted for each pair of addresses and not
/// for each local address (`IP_BIND_ADDRESS_NO_PORT`).
///
/// # Errors
/// The error of the system.
#[cfg(target_os = "linux")]
pub(crate) fn bind_address_no_port(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

/// Other systems delay the choice without an option.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub(crate) fn bind_address_no_port(_socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(())
}

/// Registers a descriptor with the runtime, to wait until it is readable.
///
/// # Errors
/// The error of the system.
#[cfg(target_os = "linux")]
pub(crate) fn watch(
    fd: std::os::fd::OwnedFd,
) -> io::Result<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>> {
    // SAFETY: an `OwnedFd` stays open until it is dropped, and refers to the same descriptor all that time; the
    // `AsyncFd` owns it, and removes it from the runtime's reactor before it drops it.
    unsafe { tokio::io::unix::AsyncFd::register_with_interest(fd, tokio::io::Interest::READABLE) }
        .map_err(|error| error.into_parts().1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `FDSize` of proc_pid_status(5).
    #[cfg(target_os = "linux")]
    #[test]
    fn there_is_room_for_all_descriptors_before_the_first_dial() {
        make_room(1000);
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("FDSize:"));
        assert!(
            size.unwrap().trim().parse::<u64>().unwrap() >= 1000,
            "{status}"
        );
    }
}
