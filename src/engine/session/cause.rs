//! Finds out why a connection ended: a pure function of the evidence about it.

use std::time::Duration;

use crate::frame::may_be_sent;
use crate::measure::TcpView;
use crate::metric::{Cause, CloseKind, Side};
use crate::net::Lost;
use crate::net::TcpEnd;
use crate::units::{Nanos, Timestamp, format_duration};

/// The code that stands for a Close frame without one (RFC 6455 section 7.1.5).
pub(in crate::engine) const NO_CODE: u16 = 1005;
/// The longest time for which a kernel delays an acknowledgement, in nanoseconds (Linux, `TCP_DELACK_MAX`).
const ACK_DELAY_NS: u64 = 200_000_000;

/// Evidence of how a connection ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::engine) struct Evidence {
    /// The code of the Close frame we sent, and which side sent its Close first.
    pub(in crate::engine) sent: Option<(u16, Side)>,
    /// The code of the Close frame we received; the inner `None` stands for an empty one.
    pub(in crate::engine) received: Option<Option<u16>>,
    /// The reason in that frame.
    pub(in crate::engine) reason: String,
    /// Pongs were missed: the state at that moment.
    pub(in crate::engine) dead: Option<Box<Silence>>,
    /// How the transport ended; `None` if we gave up waiting for that.
    pub(in crate::engine) lost: Option<Lost>,
    /// We gave up before `close_timeout`, because a signal ended the run.
    pub(in crate::engine) is_cut_short: bool,
    /// We gave up because the peer took no more bytes.
    pub(in crate::engine) stuck: bool,
    /// We ended it without a close handshake, because of its fault; the value is how that looks to the peer.
    pub(in crate::engine) cut: Option<CloseKind>,
    /// A step failed: the cause, and which step and why.
    pub(in crate::engine) failed: Option<Box<(Cause, String)>>,
    /// Its client wants to dial again.
    pub(in crate::engine) dials_again: Option<Redial>,
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

/// The state of a peer when its heartbeat declared it dead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::engine) struct Silence {
    /// The kernel's view; `None` if the system has none.
    pub(in crate::engine) view: Option<TcpView>,
    /// Whether that is a view of a proxy, which acknowledges for the server behind it.
    pub(in crate::engine) is_of_proxy: bool,
    /// Pings missed in a row.
    pub(in crate::engine) missed: u32,
    /// How long nothing came, if that is why, and not that pongs were missed.
    pub(in crate::engine) lasted: Option<Nanos>,
    /// What the peer sent after the first of those pings, late pongs to them included. Empty if it sent nothing at all.
    pub(in crate::engine) signs: Vec<Sign>,
    /// The fault of `[path]` that held data back meanwhile, if there was one.
    pub(in crate::engine) held_back: Option<&'static str>,
}

impl Silence {
    /// A pong to one of those pings came after all.
    pub(in crate::engine) fn pong_came_late(&mut self) {
        if !self.signs.contains(&Sign::LatePongs) {
            self.signs.push(Sign::LatePongs);
        }
    }
}

/// A sign of life: a kind of data that a peer sends, other than a pong in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Sign {
    /// Answers to messages.
    Answers,
    /// Messages that answer nothing.
    Messages,
    /// Pongs that answer none of our pings.
    OtherPongs,
    /// Pongs to pings that had been counted as missed.
    LatePongs,
    /// Pings.
    Pings,
    /// Bytes of an incomplete frame.
    Bytes,
}

impl Sign {
    fn words(self) -> &'static str {
        match self {
            Self::Answers => "it answers messages",
            Self::Messages => "it sends messages",
            Self::OtherPongs => "pongs carry another payload",
            Self::LatePongs => "pongs are late",
            Self::Pings => "it sends pings",
            Self::Bytes => "a part of a frame came",
        }
    }
}

/// When each kind of data last came from a peer.
#[derive(Debug, Clone, Default)]
pub(in crate::engine) struct Heard {
    pub(in crate::engine) answer: Option<Timestamp>,
    pub(in crate::engine) message: Option<Timestamp>,
    pub(in crate::engine) other_pong: Option<Timestamp>,
    pub(in crate::engine) late_pong: Option<Timestamp>,
    pub(in crate::engine) ping: Option<Timestamp>,
    /// Any bytes, whole frames or not.
    pub(in crate::engine) bytes: Option<Timestamp>,
}

impl Heard {
    /// Returns the signs of life since a time. A sign that follows from another is left out.
    pub(in crate::engine) fn since(&self, time: Timestamp) -> Vec<Sign> {
        let came = |at: Option<Timestamp>| at >= Some(time);
        let mut signs = Vec::new();
        if came(self.answer) {
            signs.push(Sign::Answers);
        } else if came(self.message) {
            signs.push(Sign::Messages);
        }
        let others = [
            (self.other_pong, Sign::OtherPongs),
            (self.late_pong, Sign::LatePongs),
            (self.ping, Sign::Pings),
        ];
        signs.extend(
            others
                .iter()
                .filter(|(at, _)| came(*at))
                .map(|(_, sign)| *sign),
        );
        if signs.is_empty() && came(self.bytes) {
            signs.push(Sign::Bytes);
        }
        signs
    }
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
        let words = silence.signs.iter().map(|sign| sign.words().to_owned());
        let held_back = silence.held_back;
        let held_back = held_back.map(|fault| format!("`{fault}` of `[path]` held data back"));
        let lasted = silence.lasted.map(|lasted| {
            let lasted = format_duration(Duration::from(lasted));
            format!("nothing came for {lasted}")
        });
        let words: Vec<String> = lasted.into_iter().chain(words).chain(held_back).collect();
        return (of_silence(silence), words.join(", "));
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
    match (&evidence.lost, evidence.received, evidence.sent) {
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

/// Tells the causes of silence apart. A peer that sends nothing while its kernel acknowledges is frozen, unless a proxy
/// acknowledges for it. A peer that sent something after the missed ping is not frozen; the path to it is dead only if its kernel is silent now. Bytes
/// sent just now may be unacknowledged in either case.
fn of_silence(silence: &Silence) -> Cause {
    let (untold, frozen) = match silence.lasted {
        Some(_) => (Cause::Silent, Cause::Silent),
        None => (Cause::MissedPong, Cause::PeerFrozen),
    };
    let Some(view) = silence.view else {
        return untold;
    };
    let acknowledges = view.unacked == 0 || view.last_ack_ns <= ACK_DELAY_NS;
    match (acknowledges, silence.signs.is_empty()) {
        (true, true) if view.retransmits == 0 && silence.is_of_proxy => untold,
        (true, true) if view.retransmits == 0 => frozen,
        (true, false) => untold,
        _ => Cause::PathDead,
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
        (_, None, Some(Lost::Broken(..) | Lost::Failed(..) | Lost::Closed)) => {
            (CloseKind::Fin, Side::Local)
        }
        (_, None, None) => (CloseKind::Timeout, Side::Local),
    }
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

    fn silent(view: Option<TcpView>, signs: &[Sign]) -> (Cause, String) {
        let verdict = judge(&Evidence {
            dead: Some(Box::new(Silence {
                view,
                missed: 1,
                signs: signs.to_vec(),
                ..Silence::default()
            })),
            ..Evidence::default()
        });
        (verdict.cause, verdict.detail)
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
    fn the_kernel_tells_a_frozen_peer_from_a_dead_path() {
        let of = |view| silent(view, &[]).0;
        assert_eq!(of(view(0, 0, 5000)), Cause::PeerFrozen);
        assert_eq!(of(view(1, 3, 5000)), Cause::PathDead);
        assert_eq!(of(view(1, 3, 0)), Cause::PathDead);
        assert_eq!(of(None), Cause::MissedPong);
    }

    #[test]
    fn a_proxy_that_acknowledges_tells_nothing_of_the_server_behind_it() {
        let of = |view| {
            of_silence(&Silence {
                view,
                is_of_proxy: true,
                ..Silence::default()
            })
        };
        assert_eq!(of(view(0, 0, 5000)), Cause::MissedPong);
        // That the proxy itself is gone it does tell.
        assert_eq!(of(view(1, 3, 5000)), Cause::PathDead);
    }

    #[test]
    fn what_was_sent_just_now_tells_nothing() {
        assert_eq!(silent(view(1, 0, 40), &[]).0, Cause::PeerFrozen);
        assert_eq!(silent(view(1, 0, 1000), &[]).0, Cause::PathDead);
    }

    #[test]
    fn a_peer_that_sends_something_is_not_frozen() {
        let alive = view(0, 0, 5000);
        for sign in [
            Sign::Answers,
            Sign::Messages,
            Sign::OtherPongs,
            Sign::LatePongs,
            Sign::Pings,
            Sign::Bytes,
        ] {
            let expected = (Cause::MissedPong, sign.words().to_owned());
            assert_eq!(silent(alive, &[sign]), expected);
            // One segment that was lost a moment ago does not mean that the path is dead.
            assert_eq!(silent(view(1, 1, 100), &[sign]), expected);
        }
        let (cause, detail) = silent(view(1, 3, 5000), &[Sign::Messages, Sign::Pings]);
        assert_eq!(cause, Cause::PathDead);
        assert_eq!(detail, "it sends messages, it sends pings");
    }

    #[test]
    fn only_what_came_after_the_missed_ping_counts() {
        let heard = Heard {
            answer: Some(Timestamp::from_nanos(7)),
            message: Some(Timestamp::from_nanos(8)),
            late_pong: Some(Timestamp::from_nanos(9)),
            bytes: Some(Timestamp::from_nanos(12)),
            ..Heard::default()
        };
        assert_eq!(
            heard.since(Timestamp::from_nanos(7)),
            [Sign::Answers, Sign::LatePongs]
        );
        assert_eq!(
            heard.since(Timestamp::from_nanos(8)),
            [Sign::Messages, Sign::LatePongs]
        );
        assert_eq!(heard.since(Timestamp::from_nanos(10)), [Sign::Bytes]);
        assert_eq!(heard.since(Timestamp::from_nanos(13)), []);
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

    #[test]
    fn a_frame_after_a_close_does_not_hide_its_reason() {
        let broken = Lost::Broken(Cause::ProtocolError, "too much".to_owned());
        let mut evidence = Evidence {
            received: Some(Some(4401)),
            reason: "bad login".to_owned(),
            lost: Some(broken),
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
