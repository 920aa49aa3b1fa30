//! Reads the server's sockets from the system's table of sockets (sock_diag(7)): one request for each address family,
//! and one row for each socket.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::net::netlink::SOCK_DIAG;

use super::netlink::Netlink;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const IPPROTO_TCP: u8 = 6;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

const ESTABLISHED: u8 = 1;
const FIN_WAIT1: u8 = 4;
const FIN_WAIT2: u8 = 5;
const CLOSE_WAIT: u8 = 8;
const LAST_ACK: u8 = 9;
const CLOSING: u8 = 11;
/// The states to ask for. Leaves out `TIME_WAIT`: such a socket holds nothing of the server's, and there can be very
/// many.
const STATES: u32 = 1 << ESTABLISHED
    | 1 << FIN_WAIT1
    | 1 << FIN_WAIT2
    | 1 << CLOSE_WAIT
    | 1 << LAST_ACK
    | 1 << CLOSING;
/// The timer value of a socket in `TIME_WAIT`, or in another state where only the address is left (`sk_diag_fill` of
/// inet_diag.c).
const TIMER_TIME_WAIT: u8 = 3;

/// What the server and the system still hold of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// The server has it open: `ESTABLISHED` or `CLOSE_WAIT`.
    Open,
    /// The server has closed it, but the system still holds it, and may have bytes to send.
    Closed,
    /// Only the address is left: no memory is held, although `FIN_WAIT2` may last a minute.
    Address,
}

/// One socket of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SocketRow {
    /// Identifies the socket, unique until the system restarts.
    pub(super) cookie: u64,
    pub(super) client_port: u16,
    pub(super) held: Held,
    /// The number of bytes that are not acknowledged, or not sent yet.
    pub(super) send_queue: u64,
}

/// The system's table of sockets.
#[derive(Debug)]
pub(super) struct SocketTable {
    netlink: Netlink,
}

impl SocketTable {
    /// Opens the table.
    ///
    /// # Errors
    /// The system has no such table.
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            netlink: Netlink::open(Some(SOCK_DIAG))?,
        })
    }

    /// Adds the sockets with this local port whose two ends are both on this machine.
    ///
    /// # Errors
    /// The error of the kernel; `rows` is then incomplete.
    pub(super) fn read(&mut self, port: u16, rows: &mut Vec<SocketRow>) -> io::Result<()> {
        for family in [AF_INET, AF_INET6] {
            let mut add = |body: &[u8]| rows.extend(row(body, port));
            (self.netlink).dump(SOCK_DIAG_BY_FAMILY, &question(family, port), &mut add)?;
        }
        Ok(())
    }
}

/// A `struct inet_diag_req_v2` with the address family, the states, and the local port.
fn question(family: u8, port: u16) -> Vec<u8> {
    let mut question = vec![family, IPPROTO_TCP, 0, 0];
    question.extend(STATES.to_ne_bytes());
    question.extend(port.to_be_bytes());
    // Any remote port, addresses and interface.
    question.extend([0; 2 + 16 + 16 + 4]);
    // No cookie, so that all sockets match.
    question.extend([0xff; 8]);
    question
}

/// Reads a `struct inet_diag_msg`; `None` for a socket that is not one of the wanted ones.
fn row(body: &[u8], port: u16) -> Option<SocketRow> {
    let body: &[u8; 72] = body.first_chunk()?;
    let [family, state, timer, ..] = *body;
    let port_at = |at| u16::from_be_bytes([body[at], body[at + 1]]);
    let word_at = |at: usize| {
        body[at..]
            .first_chunk()
            .map(|word| u32::from_ne_bytes(*word))
    };
    let (local, remote) = (
        address(family, &body[8..24])?,
        address(family, &body[24..40])?,
    );
    // A socket with the same address at both ends cannot have its other end on another machine.
    let is_here = remote.is_loopback() || remote == local;
    if port_at(4) != port || !is_here {
        return None;
    }
    Some(SocketRow {
        cookie: u64::from(word_at(44)?) | u64::from(word_at(48)?) << 32,
        client_port: port_at(6),
        held: match (timer, state) {
            (TIMER_TIME_WAIT, _) => Held::Address,
            (_, ESTABLISHED | CLOSE_WAIT) => Held::Open,
            (_, FIN_WAIT1 | FIN_WAIT2 | LAST_ACK | CLOSING) => Held::Closed,
            _ => return None,
        },
        send_queue: word_at(60)?.into(),
    })
}

/// Reads an address. Converts an IPv4-mapped IPv6 address to IPv4.
fn address(family: u8, bytes: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => Some(Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()),
        AF_INET6 => Some(IpAddr::from(Ipv6Addr::from(*bytes.first_chunk::<16>()?)).to_canonical()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows as the kernel wrote them (Linux 6.18, x86_64), of a server at 127.0.0.1:56403 or at [::]:56683.
    const ESTABLISHED_V4: &str = "02010000dc539d6a7f0000010000000000000000000000007f0000010000000000000000000000000000000001200000000000000000000000000000000000000000000094322700";
    const CLOSE_WAIT_V4: &str = "02080000dc539d6a7f0000010000000000000000000000007f0000010000000000000000000000000000000001200000000000000000000001000000000000000000000094322700";
    const FIN_WAIT1_WITH_QUEUE: &str = "02040100dc539d767f0000010000000000000000000000007f000001000000000000000000000000000000000220000000000000c800000000000000a1263b000000000000000000";
    const FIN_WAIT2_WITHOUT_OWNER: &str = "02050300dc539d7c7f0000010000000000000000000000007f00000100000000000000000000000000000000032000000000000058ea000000000000000000000000000000000000";
    const ESTABLISHED_V6: &str = "0a010000dd6b92d60000000000000000000000000000000100000000000000000000000000000001000000000520000000000000000000000000000000000000000000009c322700";
    const MAPPED_V4: &str = "0a010000dd6ba42000000000000000000000ffff7f00000100000000000000000000ffff7f000001000000000420000000000000000000000000000000000000000000009a322700";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        let byte = |two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap();
        digits.map(byte).collect()
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn rows_of_the_kernel_are_read() {
        let v4 = |hex| row(&bytes(hex), 56_403).unwrap();
        let open = SocketRow {
            cookie: 0x2001,
            client_port: 40_298,
            held: Held::Open,
            send_queue: 0,
        };
        assert_eq!(v4(ESTABLISHED_V4), open);
        assert_eq!(v4(CLOSE_WAIT_V4), open);
        let orphan = SocketRow {
            cookie: 0x2002,
            client_port: 40_310,
            held: Held::Closed,
            send_queue: 0x3b_26a1,
        };
        assert_eq!(v4(FIN_WAIT1_WITH_QUEUE), orphan);
        assert_eq!(v4(FIN_WAIT2_WITHOUT_OWNER).held, Held::Address);
        let v6 = |hex| row(&bytes(hex), 56_683).unwrap();
        assert_eq!(v6(ESTABLISHED_V6).client_port, 37_590);
        assert_eq!(v6(MAPPED_V4).client_port, 42_016);
    }

    #[test]
    fn only_clients_of_this_machine_and_port_concern_us() {
        let own = bytes(ESTABLISHED_V4);
        assert_eq!(row(&own, 56_404), None);
        assert_eq!(row(&own[..71], 56_403), None, "not whole");

        let mut from_outside = own.clone();
        from_outside[24..28].copy_from_slice(&[192, 0, 2, 9]);
        assert_eq!(row(&from_outside, 56_403), None);
        // The server is at 192.0.2.9, and its client on the same machine.
        from_outside[8..12].copy_from_slice(&[192, 0, 2, 9]);
        assert!(row(&from_outside, 56_403).is_some());
    }
}
