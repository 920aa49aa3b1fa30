//! The server's sockets in the system's table of them (sock_diag(7)): one question for each family of addresses, and
//! one row for each socket.

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
/// All that are asked for. `TIME_WAIT` holds nothing of the server's, and there can be very many.
const STATES: u32 = 1 << ESTABLISHED
    | 1 << FIN_WAIT1
    | 1 << FIN_WAIT2
    | 1 << CLOSE_WAIT
    | 1 << LAST_ACK
    | 1 << CLOSING;
/// The timer of a socket of which only the address is left, as in `TIME_WAIT` (`sk_diag_fill` of inet_diag.c).
const TIMER_TIME_WAIT: u8 = 3;

/// How far a socket has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// The server has it: `ESTABLISHED` or `CLOSE_WAIT`.
    Open,
    /// The server has closed it, and the system still holds it, perhaps with bytes to send.
    Closed,
    /// Only its address is left: no memory is held, though `FIN_WAIT2` may last a minute.
    Address,
}

/// One socket of the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// Names the socket, and no other until the system starts again.
    pub(super) cookie: u64,
    pub(super) client_port: u16,
    pub(super) held: Held,
    /// Bytes sent and not acknowledged, or not yet sent.
    pub(super) send_queue: u64,
}

/// The system's table of sockets.
#[derive(Debug)]
pub(super) struct Table {
    netlink: Netlink,
}

impl Table {
    /// Opens it.
    ///
    /// # Errors
    /// The system has none.
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            netlink: Netlink::open(Some(SOCK_DIAG))?,
        })
    }

    /// Adds the sockets with this local port whose both ends are on this machine.
    ///
    /// # Errors
    /// What the kernel says; the rows are then not all there.
    pub(super) fn read(&mut self, port: u16, rows: &mut Vec<Row>) -> io::Result<()> {
        for family in [AF_INET, AF_INET6] {
            let mut add = |body: &[u8]| rows.extend(row(body, port));
            (self.netlink).dump(SOCK_DIAG_BY_FAMILY, &question(family, port), &mut add)?;
        }
        Ok(())
    }
}

/// A `struct inet_diag_req_v2`: the family, the states, and the local port.
fn question(family: u8, port: u16) -> Vec<u8> {
    let mut question = vec![family, IPPROTO_TCP, 0, 0];
    question.extend(STATES.to_ne_bytes());
    question.extend(port.to_be_bytes());
    // The other port, both addresses and the interface: any.
    question.extend([0; 2 + 16 + 16 + 4]);
    // No cookie.
    question.extend([0xff; 8]);
    question
}

/// A `struct inet_diag_msg`; `None` of a socket that does not concern us.
fn row(body: &[u8], port: u16) -> Option<Row> {
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
    // From an address of this machine to the same one: no other machine can be there.
    let is_here = remote.is_loopback() || remote == local;
    if port_at(4) != port || !is_here {
        return None;
    }
    Some(Row {
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

/// An address; one of IPv4 in the clothes of IPv6 is one of IPv4.
fn address(family: u8, bytes: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => Some(Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()),
        AF_INET6 => Some(IpAddr::from(Ipv6Addr::from(*bytes.first_chunk::<16>()?)).to_canonical()),
        _ => None,
    }
}
