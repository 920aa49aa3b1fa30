//! Requests to the kernel over netlink (netlink(7)): one message out, several back.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

/// The timeout of a request. The kernel answers at once, or not at all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// The size of the receive buffer. The kernel sends at most 32 KiB at once (`netlink_dump`).
const BUFFER: usize = 64 << 10;
/// The length of a header: length, kind, flags, sequence and port.
const HEADER: usize = 16;

const NLM_F_REQUEST: u16 = 0x1;
/// Asks for an answer with error code zero if there is no other answer.
const NLM_F_ACK: u16 = 0x4;
/// Asks for all entries that match.
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

/// A netlink socket to the kernel.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    /// Opens a socket. `None` is NETLINK_ROUTE: routes and links.
    ///
    /// # Errors
    /// The error of the system.
    pub(super) fn open(protocol: Option<Protocol>) -> io::Result<Self> {
        let (family, flags) = (AddressFamily::NETLINK, SocketFlags::CLOEXEC);
        let socket = socket_with(family, SocketType::RAW, flags, protocol)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(ANSWER_TIMEOUT))?;
        Ok(Self {
            socket,
            sequence: 0,
            buffer: vec![0; BUFFER],
        })
    }

    /// Requests a change.
    ///
    /// # Errors
    /// The error of the kernel.
    pub(super) fn order(&mut self, kind: u16, body: &[u8]) -> io::Result<()> {
        self.ask(kind, NLM_F_REQUEST | NLM_F_ACK, body, &mut |_| {})
    }

    /// Requests all entries that match, and passes the body of each answer on.
    ///
    /// # Errors
    /// The error of the kernel.
    pub(super) fn dump(
        &mut self,
        kind: u16,
        body: &[u8],
        each: &mut dyn FnMut(&[u8]),
    ) -> io::Result<()> {
        self.ask(kind, NLM_F_REQUEST | NLM_F_DUMP, body, each)
    }

    fn ask(
        &mut self,
        kind: u16,
        flags: u16,
        body: &[u8],
        each: &mut dyn FnMut(&[u8]),
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let question = message(kind, flags, self.sequence, body);
        send(&self.socket, &question, SendFlags::empty())?;
        loop {
            let (read, _) = recv(&self.socket, &mut self.buffer[..], RecvFlags::empty())?;
            for answer in answers(&self.buffer[..read]) {
                // Skips the remaining answers of an earlier request that was given up.
                if answer.sequence != self.sequence {
                    continue;
                }
                match answer.kind {
                    NLMSG_DONE | NLMSG_ERROR => return outcome(answer.body),
                    _ => each(answer.body),
                }
            }
        }
    }
}

/// One message from the kernel.
struct Reply<'a> {
    kind: u16,
    sequence: u32,
    body: &'a [u8],
}

fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = (HEADER + body.len()) as u32;
    let mut message = Vec::with_capacity(HEADER + body.len());
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    // The port of the sender, which the kernel fills in.
    message.extend([0; 4]);
    message.extend(body);
    message
}

/// The messages in the bytes of one read; ends at the first incomplete one.
fn answers(mut bytes: &[u8]) -> impl Iterator<Item = Reply<'_>> {
    std::iter::from_fn(move || {
        let (header, _) = bytes.split_first_chunk::<HEADER>()?;
        let [l0, l1, l2, l3, k0, k1, _, _, s0, s1, s2, s3, ..] = *header;
        let length = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
        let body = bytes.get(HEADER..length)?;
        // The next message starts at a multiple of four bytes.
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Reply {
            kind: u16::from_ne_bytes([k0, k1]),
            sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
            body,
        })
    })
}

/// Reads the start of a final answer: zero, or a negative error number.
fn outcome(body: &[u8]) -> io::Result<()> {
    match body.first_chunk().map(|code| i32::from_ne_bytes(*code)) {
        Some(code @ ..0) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_up_to_the_first_that_is_not_whole() {
        let mut bytes = message(20, 2, 7, b"abcde");
        bytes.extend([0; 3]);
        bytes.extend(message(3, 2, 8, &[]));
        bytes.extend(&message(20, 2, 9, b"cut off")[..20]);
        let read: Vec<_> = answers(&bytes)
            .map(|answer| (answer.kind, answer.sequence, answer.body.to_vec()))
            .collect();
        assert_eq!(read, [(20, 7, b"abcde".to_vec()), (3, 8, Vec::new())]);
    }

    #[test]
    fn a_length_that_cannot_be_ends_it() {
        let mut bytes = message(20, 2, 7, &[]);
        bytes[..4].copy_from_slice(&4u32.to_ne_bytes());
        assert_eq!(answers(&bytes).count(), 0);
    }

    #[test]
    fn an_error_is_told_in_the_words_of_the_system() {
        let refused = outcome(&(-1i32).to_ne_bytes()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        assert!(outcome(&0i32.to_ne_bytes()).is_ok());
        assert!(outcome(&i32::MIN.to_ne_bytes()).is_err());
    }

    #[test]
    fn the_kernel_refuses_what_it_does_not_know() {
        let mut netlink = Netlink::open(None).unwrap();
        assert!(netlink.order(0xfff, &[0; 16]).is_err());
    }
}
