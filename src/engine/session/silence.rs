//! What a silent peer has shown of itself, and what its silence means.

use std::time::Duration;

use crate::measure::TcpView;
use crate::metric::Cause;
use crate::units::{Nanos, Timestamp, format_duration};

/// The longest time for which a kernel delays an acknowledgement, in nanoseconds (Linux, `TCP_DELACK_MAX`).
const ACK_DELAY_NS: u64 = 200_000_000;

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

    /// Tells the causes of silence apart. A peer that sends nothing while its kernel acknowledges is frozen, unless a proxy
    /// acknowledges for it. A peer that sent something after the missed ping is not frozen; the path to it is dead only if
    /// its kernel is silent now. Bytes sent just now may be unacknowledged in either case.
    pub(super) fn cause(&self) -> Cause {
        let (untold, frozen) = match self.lasted {
            Some(_) => (Cause::Silent, Cause::Silent),
            None => (Cause::MissedPong, Cause::PeerFrozen),
        };
        let Some(view) = self.view else {
            return untold;
        };
        let acknowledges = view.unacked == 0 || view.last_ack_ns <= ACK_DELAY_NS;
        match (acknowledges, self.signs.is_empty()) {
            (true, true) if view.retransmits == 0 && self.is_of_proxy => untold,
            (true, true) if view.retransmits == 0 => frozen,
            (true, false) => untold,
            _ => Cause::PathDead,
        }
    }

    /// Returns what is known of it: how long it lasted, the signs of life, and what held data back.
    pub(super) fn words(&self) -> String {
        let signs = self.signs.iter().map(|sign| sign.words().to_owned());
        let held_back = self.held_back;
        let held_back = held_back.map(|fault| format!("`{fault}` of `[path]` held data back"));
        let lasted = self.lasted.map(|lasted| {
            let lasted = format_duration(Duration::from(lasted));
            format!("nothing came for {lasted}")
        });
        let words: Vec<String> = lasted.into_iter().chain(signs).chain(held_back).collect();
        words.join(", ")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn view(unacked: u32, retransmits: u32, last_ack_ms: u64) -> Option<TcpView> {
        Some(TcpView {
            unacked,
            retransmits,
            last_ack_ns: last_ack_ms * 1_000_000,
        })
    }

    fn silent(view: Option<TcpView>, signs: &[Sign]) -> (Cause, String) {
        let silence = Silence {
            view,
            missed: 1,
            signs: signs.to_vec(),
            ..Silence::default()
        };
        (silence.cause(), silence.words())
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
            let silence = Silence {
                view,
                is_of_proxy: true,
                ..Silence::default()
            };
            silence.cause()
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
}
