//! What an error of HTTP/2 means for a stream, or for a request that has no answer yet.

use h2::Reason;

use super::carrier::Carrier;
use crate::metric::Cause;
use crate::net::end::TcpEnd;
use crate::net::failure::Failure;

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// As TCP would: in order, or by a reset.
    As(TcpEnd),
    /// By an error that has a cause of its own.
    By(Failure),
}

/// How a stream ended by this error; `carrier` is what it was on, `is_open` says whether its request was answered.
pub(super) fn ended(error: &h2::Error, carrier: &Carrier, is_open: bool) -> Ended {
    if error.is_io() {
        return carrier.ended(error);
    }
    let reason = error.reason().unwrap_or(Reason::INTERNAL_ERROR);
    let (frame, is_refused) = match (error.is_go_away(), reason) {
        (true, reason) => ("GOAWAY", reason == Reason::NO_ERROR),
        (false, Reason::CANCEL | Reason::NO_ERROR) if error.is_remote() => {
            return Ended::As(TcpEnd::Rst);
        }
        (false, reason) => ("RST_STREAM", reason == Reason::REFUSED_STREAM),
    };
    let (cause, detail) = match error.is_remote() {
        true if is_refused && !is_open => (Cause::H2Refused, named(frame, reason)),
        true => (Cause::H2Error, named(frame, reason)),
        false if error.is_library() => {
            let detail = format!("the server broke HTTP/2: {}", named(frame, reason));
            (Cause::H2Error, detail)
        }
        false => (Cause::H2Error, error.to_string()),
    };
    Ended::By(Failure::new(cause, detail))
}

/// Whether the whole connection ended, and not only a stream.
pub(super) fn is_of_carrier(error: &h2::Error) -> bool {
    let is_shut = error.is_go_away() && error.reason() != Some(Reason::NO_ERROR);
    error.is_io() || is_shut
}

/// A frame and its code, by name and number (RFC 9113 section 7).
fn named(frame: &str, reason: Reason) -> String {
    format!("{frame}, {reason:?} ({})", u32::from(reason))
}
