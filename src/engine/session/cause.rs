//! Finds out why a connection ended: a pure function of the evidence about it.

use super::silence::Silence;
use crate::frame::may_be_sent;
use crate::metric::{Cause, CloseKind, Side};
use crate::net::Lost;
use crate::net::TcpEnd;
use crate::units::Nanos;

/// The code that stands for a Close frame without one (RFC 6455 section 7.1.5).
pub(in crate::engine) const NO_CODE: u16 = 1005;
/// Evidence of how a connection ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::engine) struct Evidence {
    /// The code of the Close frame we sent, and which side sent its Close first.
    pub(in crate::engine) sent: Option<(u16, Side)>,
    /// The code of the Close frame we received; the inner `None` stands for an empty one.
    pub(in crate::engine) received: Option<Option<u16>>,
    /// The reason in that frame.
    pub(in crate::engine) reason: Box<str>,
    /// Pongs were missed: the state at that moment.
    pub(in crate::engine) dead: Option<Box<Silence>>,
    /// How the transport ended; `None` if we gave up waiting for that.
    pub(in crate::engine) lost: Option<Box<Lost>>,
    /// We gave up before `close_timeout`, because a signal ended the run.
    pub(in crate::engine) is_cut_short: bool,
    /// We gave up because the peer took no more bytes.
    pub(in crate::engine) stuck: bool,
    /// We ended it without a close handshake, because of its fault; the value is how that looks to the peer.
    pub(in crate::engine) cut: Option<CloseKind>,
    /// A step failed: the cause, and which step and why.
    pub(in crate::engine) failed: Option<Box<(Cause, String)>>,
    /// Its client wants to dial again.
    pub(in crate::engine) dials_again: Option<Box<Redial>>,
    /// A fault of the client ended it, or began to.
    pub(in crate::engine) by_fault: bool,
}

/// When a client dials again after it closed its connection itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Redial {
    /// After this time.
    After(Nanos),
    /// As `reconnect` says, and not before this time has passed: the server has asked for it.
    NotBefore(Nanos),
    /// As `reconnect` says.
    AsAfterLoss,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct Verdict {
    pub(in crate::engine) cause: Cause,
    pub(in crate::engine) kind: CloseKind,
    pub(in crate::engine) side: Side,
    pub(in crate::engine) detail: String,
}

/// Finds cause, kind and side of an end.
pub(in crate::engine) fn judge(evidence: &Evidence) -> Verdict {
    let (kind, side) = close(evidence);
    let (cause, detail) = cause(evidence);
    Verdict {
        cause,
        kind,
        side,
        detail,
    }
}

fn cause(evidence: &Evidence) -> (Cause, String) {
    if let Some(silence) = &evidence.dead {
        return (silence.cause(), silence.words());
    }
    if let Some(failed) = &evidence.failed {
        return (failed.0, failed.1.clone());
    }
    if evidence.cut.is_some() {
        return (Cause::Fault, String::new());
    }
    if let Some(Some(code)) = evidence.received
        && !may_be_sent(code)
    {
        return (Cause::BadCloseCode, format!("close code {code}"));
    }
    if evidence.stuck {
        return (Cause::WriteTimeout, String::new());
    }
    match (evidence.lost.as_deref(), evidence.received, evidence.sent) {
        // The Close before what is forbidden says why the peer ended the connection.
        (Some(Lost::Broken(cause, detail)), Some(code), _) => (
            *cause,
            format!("{detail}: {}", close_frame(code, &evidence.reason)),
        ),
        (Some(Lost::Broken(cause, detail)), ..) => (*cause, detail.clone()),
        (Some(Lost::Failed(cause, detail)), None, _) => (*cause, detail.clone()),
        (_, Some(code), Some((_, Side::Peer)) | None) => {
            (Cause::ClosedByPeer, close_frame(code, &evidence.reason))
        }
        (Some(_), Some(_), Some((_, Side::Local))) => (Cause::Completed, String::new()),
        (Some(Lost::Closed), ..) => (Cause::Completed, String::new()),
        (None, ..) if evidence.is_cut_short => {
            let detail = "a signal ended the run before `close_timeout` was over";
            (Cause::CloseTimeout, detail.to_owned())
        }
        (None, ..) => (Cause::CloseTimeout, String::new()),
        (Some(Lost::Tcp(TcpEnd::Fin)), None, _) => (Cause::Eof, String::new()),
        (Some(Lost::Tcp(TcpEnd::Rst)), None, _) => (Cause::Reset, String::new()),
    }
}

/// A Close frame in words.
fn close_frame(code: Option<u16>, reason: &str) -> String {
    let code = code.unwrap_or(NO_CODE);
    match reason {
        "" => format!("close code {code}"),
        reason => format!("close code {code}: \"{reason}\""),
    }
}

fn close(evidence: &Evidence) -> (CloseKind, Side) {
    if let Some(kind) = evidence.cut {
        return (kind, Side::Local);
    }
    match (evidence.sent, evidence.received, evidence.lost.as_deref()) {
        (Some((code, Side::Local)), Some(_), _) => (CloseKind::Code(code), Side::Local),
        (_, Some(code), _) => (CloseKind::Code(code.unwrap_or(NO_CODE)), Side::Peer),
        (_, None, Some(Lost::Tcp(TcpEnd::Fin))) => (CloseKind::Fin, Side::Peer),
        (_, None, Some(Lost::Tcp(TcpEnd::Rst))) => (CloseKind::Rst, Side::Peer),
        (_, None, Some(Lost::Broken(..) | Lost::Failed(..) | Lost::Closed)) => {
            (CloseKind::Fin, Side::Local)
        }
        (_, None, None) => (CloseKind::Timeout, Side::Local),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(end: TcpEnd) -> Option<Box<Lost>> {
        Some(Box::new(Lost::Tcp(end)))
    }

    #[track_caller]
    fn expect(evidence: Evidence, cause: Cause, kind: CloseKind, side: Side) {
        let verdict = judge(&evidence);
        assert_eq!(
            (verdict.cause, verdict.kind, verdict.side),
            (cause, kind, side)
        );
    }

    #[test]
    fn our_close_answered_and_tcp_ended_is_as_planned() {
        for end in [TcpEnd::Fin, TcpEnd::Rst] {
            let evidence = Evidence {
                sent: Some((1000, Side::Local)),
                received: Some(Some(1000)),
                lost: tcp(end),
                ..Evidence::default()
            };
            expect(
                evidence,
                Cause::Completed,
                CloseKind::Code(1000),
                Side::Local,
            );
        }
    }

    #[test]
    fn our_close_without_the_end_of_tcp_is_a_timeout() {
        let evidence = Evidence {
            sent: Some((1000, Side::Local)),
            received: Some(Some(1000)),
            ..Evidence::default()
        };
        expect(
            evidence,
            Cause::CloseTimeout,
            CloseKind::Code(1000),
            Side::Local,
        );
        let unanswered = Evidence {
            sent: Some((1000, Side::Local)),
            ..Evidence::default()
        };
        expect(
            unanswered,
            Cause::CloseTimeout,
            CloseKind::Timeout,
            Side::Local,
        );
    }

    #[test]
    fn our_close_answered_by_bare_fin_is_not_as_planned() {
        let evidence = Evidence {
            sent: Some((1000, Side::Local)),
            lost: tcp(TcpEnd::Fin),
            ..Evidence::default()
        };
        expect(evidence, Cause::Eof, CloseKind::Fin, Side::Peer);
    }

    #[test]
    fn a_close_nobody_asked_for_is_the_peers() {
        for (received, code) in [(Some(1011), 1011), (None, 1005)] {
            let evidence = Evidence {
                sent: Some((1000, Side::Peer)),
                received: Some(received),
                lost: tcp(TcpEnd::Fin),
                ..Evidence::default()
            };
            expect(
                evidence,
                Cause::ClosedByPeer,
                CloseKind::Code(code),
                Side::Peer,
            );
        }
    }

    #[test]
    fn forbidden_codes_are_told_apart() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000] {
            let evidence = Evidence {
                received: Some(Some(code)),
                lost: tcp(TcpEnd::Fin),
                ..Evidence::default()
            };
            expect(
                evidence,
                Cause::BadCloseCode,
                CloseKind::Code(code),
                Side::Peer,
            );
        }
        assert!(
            [1000, 1003, 1012, 1014, 3000, 4999]
                .into_iter()
                .all(may_be_sent)
        );
    }

    #[test]
    fn without_a_close_frame_the_end_of_tcp_speaks() {
        let ended = |lost| Evidence {
            lost,
            ..Evidence::default()
        };
        expect(
            ended(tcp(TcpEnd::Fin)),
            Cause::Eof,
            CloseKind::Fin,
            Side::Peer,
        );
        expect(
            ended(tcp(TcpEnd::Rst)),
            Cause::Reset,
            CloseKind::Rst,
            Side::Peer,
        );
    }

    #[test]
    fn what_a_fault_cut_off_is_ours() {
        let evidence = Evidence {
            cut: Some(CloseKind::Rst),
            ..Evidence::default()
        };
        expect(evidence, Cause::Fault, CloseKind::Rst, Side::Local);
    }

    #[test]
    fn a_broken_rule_comes_before_the_way_it_ended() {
        let broken = Lost::Broken(Cause::BadUtf8, "why".to_owned());
        let evidence = Evidence {
            lost: Some(Box::new(broken)),
            ..Evidence::default()
        };
        expect(evidence, Cause::BadUtf8, CloseKind::Fin, Side::Local);
    }

    #[test]
    fn a_frame_after_a_close_does_not_hide_its_reason() {
        let broken = Lost::Broken(Cause::ProtocolError, "too much".to_owned());
        let mut evidence = Evidence {
            received: Some(Some(4401)),
            reason: "bad login".into(),
            lost: Some(Box::new(broken)),
            ..Evidence::default()
        };
        let detail = |evidence: &Evidence| judge(evidence).detail;
        assert_eq!(
            detail(&evidence),
            "too much: close code 4401: \"bad login\""
        );
        evidence.received = None;
        assert_eq!(detail(&evidence), "too much");
    }
}
