//! What happened, in a line each.

use std::fmt::Write as _;
use std::time::Duration;

use crate::measure::{Ending, TcpView};
use crate::metric::{Cause, Side};
use crate::units::{Nanos, Timestamp, counted, human_ns, one_line, roughly};

/// The longest text of a server in a line, in characters.
const LONGEST: usize = 120;

/// Why a connection ended, or did not open: the cause by name, in words, and what is known besides.
pub(super) fn why(ending: &Ending) -> String {
    let mut text = ending.cause.name().to_owned();
    if let Some(words) = in_words(ending.cause) {
        let _ = write!(text, ": {words}");
    }
    if let Some(code) = ending.close_code {
        let _ = write!(text, ", code {code}");
    }
    if !ending.close_reason.is_empty() {
        let _ = write!(text, " {:?}", one_line(&ending.close_reason, LONGEST));
    }
    let by = ending.closed_by.map(|side| match side {
        Side::Peer => "the server ended it",
        Side::Local => "wsbench ended it",
    });
    if let Some(by) = by.filter(|_| ending.cause != Cause::ClosedByPeer) {
        let _ = write!(text, "; {by}");
    }
    if !ending.detail.is_empty() {
        let _ = write!(text, "; {}", one_line(&ending.detail, LONGEST));
    }
    text
}

/// What was known of an open connection when it ended at this time.
pub(super) fn evidence(ending: &Ending, at: Timestamp) -> String {
    let mut text = String::new();
    if let Some(opened) = ending.opened_ns {
        let _ = write!(text, "; open for {}", long(at.saturating_since(opened)));
    }
    if let Some(heard) = ending.last_received_ns {
        let ago = human_ns(at.saturating_since(heard).0);
        let _ = write!(text, "; last heard {ago} before");
    }
    if ending.pings_missed > 0 {
        let missed = counted(u64::from(ending.pings_missed), "ping");
        let _ = write!(text, "; {missed} missed in a row");
    }
    if let Some(view) = &ending.tcp {
        let _ = write!(text, "; kernel: {}", kernel(view));
    }
    text
}

fn kernel(view: &TcpView) -> String {
    let unacked = match view.unacked {
        0 => "all acknowledged".to_owned(),
        some => format!("{} not acknowledged", counted(some.into(), "segment")),
    };
    let again = match view.retransmits {
        0 => String::new(),
        some => format!(", sent again {}", counted(some.into(), "time")),
    };
    format!(
        "{unacked}{again}, last acknowledgement {} before",
        human_ns(view.last_ack_ns)
    )
}

/// A length of time: exact where it is short, in its two largest units else.
pub(super) fn long(length: Nanos) -> String {
    roughly(Duration::from(length))
}

/// A cause that people watch for, in words; `None` where its name says it.
fn in_words(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        Cause::ClosedByPeer => "the server closed it",
        Cause::PeerFrozen => "no pong came, and its kernel acknowledged all: the process hangs",
        Cause::PathDead => "no pong came, and nothing was acknowledged: host or network gone",
        Cause::MissedPong => "no pong came",
        Cause::Reset => "TCP was reset",
        Cause::Eof => "TCP ended without a Close frame",
        Cause::Refused => "nothing listens on that port",
        Cause::HttpStatus => "the server did not upgrade",
        _ => return None,
    })
}
