//! Why a connection ended: a pure function of the evidence about it.

use crate::measure::TcpView;
use crate::metric::{Cause, CloseKind, Side};
use crate::net::Lost;
use crate::net::TcpEnd;

/// The code of a Close frame without one (RFC 6455 section 7.1.5).
pub(in crate::engine) const NO_CODE: u16 = 1005;
/// A kernel may hold an acknowledgement back for so long, in nanoseconds (Linux, `TCP_DELACK_MAX`).
const ACK_DELAY_NS: u64 = 200_000_000;

/// What was seen of a connection's end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::engine) struct Evidence {
    /// The code we sent a Close frame with, and whether we were first.
    pub(in crate::engine) sent: Option<(u16, Side)>,
    /// The code of the Close frame we received; inside, `None` for an empty one.
    pub(in crate::engine) received: Option<Option<u16>>,
    /// The reason in that frame.
    pub(in crate::engine) reason: String,
    /// Pongs were missed, and this is what the kernel said at that moment.
    pub(in crate::engine) dead: Option<Option<TcpView>>,
    /// How the transport ended; `None` when we gave up waiting for that.
    pub(in crate::engine) lost: Option<Lost>,
    /// We gave up because the peer took no more bytes.
    pub(in crate::engine) stuck: bool,
    /// We ended it without a close handshake, because of the fault it plays; and how that looks to the peer.
    pub(in crate::engine) cut: Option<CloseKind>,
    /// Its fault ended it, or began to.
    pub(in crate::engine) by_fault: bool,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct Verdict {
    pub(in crate::engine) cause: Cause,
    pub(in crate::engine) kind: CloseKind,
    pub(in crate::engine) side: Side,
    pub(in crate::engine) detail: String,
}

/// Judges the evidence.
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
    if let Some(view) = &evidence.dead {
        return (of_silence(*view), String::new());
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
    match (&evidence.lost, evidence.received, evidence.sent) {
        (Some(Lost::Broken(cause, detail)), ..) => (*cause, detail.clone()),
        (Some(Lost::Io(detail)), None, _) => (Cause::Io, detail.clone()),
        (_, Some(code), Some((_, Side::Peer)) | None) => {
            let code = code.unwrap_or(NO_CODE);
            (Cause::ClosedByPeer, format!("close code {code}"))
        }
        (Some(_), Some(_), Some((_, Side::Local))) => (Cause::Completed, String::new()),
        (None, ..) => (Cause::CloseTimeout, String::new()),
        (Some(Lost::Tcp(TcpEnd::Fin)), None, _) => (Cause::Eof, String::new()),
        (Some(Lost::Tcp(TcpEnd::Rst)), None, _) => (Cause::Reset, String::new()),
    }
}

/// A peer whose kernel still acknowledges is frozen; otherwise there is no path to it. What was sent just now
/// may be unacknowledged either way.
fn of_silence(view: Option<TcpView>) -> Cause {
    let Some(view) = view else {
        return Cause::MissedPong;
    };
    let acknowledges = view.unacked == 0 || view.last_ack_ns <= ACK_DELAY_NS;
    if acknowledges && view.retransmits == 0 {
        Cause::PeerFrozen
    } else {
        Cause::PathDead
    }
}

fn close(evidence: &Evidence) -> (CloseKind, Side) {
    if let Some(kind) = evidence.cut {
        return (kind, Side::Local);
    }
    match (evidence.sent, evidence.received, &evidence.lost) {
        (Some((code, Side::Local)), Some(_), _) => (CloseKind::Code(code), Side::Local),
        (_, Some(code), _) => (CloseKind::Code(code.unwrap_or(NO_CODE)), Side::Peer),
        (_, None, Some(Lost::Tcp(TcpEnd::Fin))) => (CloseKind::Fin, Side::Peer),
        (_, None, Some(Lost::Tcp(TcpEnd::Rst))) => (CloseKind::Rst, Side::Peer),
        (_, None, Some(Lost::Broken(..) | Lost::Io(_))) => (CloseKind::Fin, Side::Local),
        (_, None, None) => (CloseKind::Timeout, Side::Local),
    }
}

/// RFC 6455 section 7.4: 1004, 1005, 1006 and 1015 are never sent, nor is anything outside of 1000 to 4999.
/// 1012 to 1014 were registered later; 1016 to 2999 are kept for the protocol's future and let pass.
pub(in crate::engine) fn may_be_sent(code: u16) -> bool {
    (1000..5000).contains(&code) && !matches!(code, 1004 | 1005 | 1006 | 1015)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(end: TcpEnd) -> Option<Lost> {
        Some(Lost::Tcp(end))
    }

    fn view(unacked: u32, retransmits: u32, last_ack_ms: u64) -> Option<TcpView> {
        Some(TcpView {
            unacked,
            retransmits,
            last_ack_ns: last_ack_ms * 1_000_000,
        })
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
        for code in [0, 999, 1004, 1005, 1006, 1015, 5000] {
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
    fn the_kernel_tells_a_frozen_peer_from_a_dead_path() {
        let dead = |view| Evidence {
            dead: Some(view),
            ..Evidence::default()
        };
        let of = |view| judge(&dead(view)).cause;
        assert_eq!(of(view(0, 0, 5000)), Cause::PeerFrozen);
        assert_eq!(of(view(1, 3, 5000)), Cause::PathDead);
        assert_eq!(of(view(1, 3, 0)), Cause::PathDead);
        assert_eq!(of(None), Cause::MissedPong);
    }

    #[test]
    fn what_was_sent_just_now_tells_nothing() {
        assert_eq!(of_silence(view(1, 0, 40)), Cause::PeerFrozen);
        assert_eq!(of_silence(view(1, 0, 1000)), Cause::PathDead);
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
            lost: Some(broken),
            ..Evidence::default()
        };
        expect(evidence, Cause::BadUtf8, CloseKind::Fin, Side::Local);
    }
}
