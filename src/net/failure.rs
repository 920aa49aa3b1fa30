//! Why a connection was not opened.

use std::io;
use std::num::NonZeroU32;

use crate::metric::Cause;
use crate::units::cut;

/// The most characters that are kept of a server's words, because thousands of connections may fail.
const MAX_DETAIL: usize = 200;

/// Why a connection was not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    /// The status line, the wrong header, or the system's error. Shown as an example, never used as a key.
    pub(crate) detail: String,
    /// After how many seconds the server wants to be dialled again, if it says so.
    pub(crate) retry_after: Option<NonZeroU32>,
}

impl Failure {
    pub(crate) fn new(cause: Cause, detail: impl Into<String>) -> Self {
        let detail = cut(&detail.into(), MAX_DETAIL);
        Self {
            cause,
            detail,
            retry_after: None,
        }
    }
}

/// Finds the cause of an error of `connect`.
pub(crate) fn of_connect(error: &io::Error) -> Failure {
    use io::ErrorKind as Kind;
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    const EAFNOSUPPORT: i32 = libc::EAFNOSUPPORT;
    let cause = match error.kind() {
        Kind::ConnectionRefused => Cause::Refused,
        Kind::ConnectionReset | Kind::ConnectionAborted => Cause::HandshakeReset,
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => Cause::Unreachable,
        Kind::TimedOut => Cause::ConnectTimeout,
        Kind::AddrNotAvailable | Kind::AddrInUse => Cause::NoLocalPort,
        _ if matches!(error.raw_os_error(), Some(EMFILE | ENFILE)) => Cause::NoDescriptor,
        _ if error.raw_os_error() == Some(EAFNOSUPPORT) => Cause::Unreachable,
        _ => Cause::Io,
    };
    Failure::new(cause, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_a_server_says_little_is_kept() {
        let detail = Failure::new(Cause::HttpStatus, "ä".repeat(20 * MAX_DETAIL)).detail;
        assert_eq!(detail.chars().count(), MAX_DETAIL);
        assert!(detail.ends_with("ä…"));
        assert_eq!(Failure::new(Cause::HttpStatus, "503").detail, "503");
    }
}
