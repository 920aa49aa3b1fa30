//! The kinds of promises that a server can make, in one table.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use schemars::JsonSchema;

use super::value::{Between, Form, Promised, Span};
use crate::scenario::fault::alternatives;
use crate::units::{format_duration, human_count, plain_duration};

/// One promise: a key of `[cohort.contract]` and a row in `contracts.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct Promise {
    /// The kind of promise.
    pub kind: PromiseKind,
    /// The value, in the form that the table gives for its kind.
    pub value: Promised,
}

/// The keys of a contract, in the order of reports. Their comments are the descriptions in the JSON Schema.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    JsonSchema,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
)]
#[schemars(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PromiseKind {
    /// The server ends at most this many connections before their time.
    Closed,
    /// At most this many connections are lost each time the target or the path stands still.
    ClosedPerStall,
    /// The server ends no connection sooner than this.
    AliveFor,
    /// The server decides to end each connection between these two times: its Close frame, or the end of TCP without one.
    ClosedBetween,
    /// The server's Close frame has this code, or one of these; 1005 means an empty frame.
    Code,
    /// How the server ends a connection: one of these, or a list.
    EndsWith,
    /// TCP ends between these two times after the server's decision; without a Close frame, after a `half_close`.
    TcpEndBetween,
    /// The server gives up a connection between these two times, even if the client cannot see it.
    ReapedBetween,
    /// The server's socket is released within this time. Only with a target on this machine.
    ReleasedWithin,
    /// Pongs later than some time between these two are too late, found by a sweep of `late_pong`.
    EffectiveTimeout,
    /// 99 % of the server's pongs come within this time. Needs a `heartbeat`.
    PongWithin,
    /// The time between two pings of the server.
    PingsBetween,
    /// How much the server's pings to different clients may coincide: from 0 (evenly spread) to 1 (all at once).
    MaxPingSync,
    /// The longest time from wsbench's Close to the server's.
    CloseAnsweredWithin,
    /// The server answers wsbench's Close with the same code. Only `true`.
    CloseCodeEchoed,
    /// No frame follows the server's Close. Only `true`.
    SilentAfterClose,
    /// This client's heartbeat notices a silent server between these two times after `from`. Needs a `heartbeat`.
    DetectedBetween,
    /// The longest time from the end of a fault to the next pong. Needs a `heartbeat`.
    RecoversWithin,
    /// The longest time from the loss of a connection to the first answer on the next one. Needs `reconnect`.
    BackWithin,
    /// The most memory that the target may have gained after the run. Only with a target on this machine.
    MaxRssGrowth,
    /// The most descriptors that the target may have gained after the run. Only with a target on this machine.
    MaxDescriptorGrowth,
}

/// A row of the table: the properties of a kind of promise that do not depend on a run.
pub(in crate::scenario) struct Rule {
    /// How its value is written.
    pub(in crate::scenario) form: Form,
    /// Whether its times count from the contract's `from`.
    pub(in crate::scenario) from_origin: bool,
    /// The conditions without which it cannot be judged.
    pub(in crate::scenario) needs: &'static [Need],
    /// Which side must have ended the connections.
    pub(in crate::scenario) ended: Ended,
}

/// A condition without which a promise cannot be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) enum Need {
    /// The cohort pings the server.
    Heartbeat,
    /// The cohort reconnects.
    Reconnect,
    /// Something may end a connection before the run does: a fault, or the server. The built-in one ends none unless told.
    Loss,
    /// A fault makes the target or the path stand still for a time.
    Stall,
    /// A fault ends before the run does.
    EndOfFault,
    /// The cohort delays its pongs, with several delays (a sweep).
    Sweep,
    /// The server pings, as far as that is known: the built-in one only if told.
    ServerPings,
    /// Enough clients to compare their pings.
    Clients,
    /// The target is on this machine.
    SameHost,
    /// The clients have ports.
    Ports,
    /// The server sees the clients' own ports.
    OwnPorts,
    /// Each client has a TCP connection of its own.
    OwnTcp,
    /// wsbench knows the target's process.
    Process,
    /// `close_timeout` is long enough for the answer to a Close.
    CloseTimeout,
    /// No fault keeps the clients from seeing the server's frames.
    Frames,
    /// No fault keeps the server's packets, and so the end of TCP, from the clients.
    Packets,
}

/// Which side has ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) enum By {
    /// The server.
    Server,
    /// A fault of the client: `close` or `reset`.
    Fault,
    /// The client's heartbeat.
    Heartbeat,
    /// The plan, at the end of the run.
    Plan,
}

/// Which side must have ended connections for a promise to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) enum Ended {
    /// Any side.
    Any,
    /// One of these, for each first connection of a client.
    Each(&'static [By]),
    /// One of these, for at least one connection.
    One(&'static [By]),
}

impl PromiseKind {
    /// The row of this kind in the table.
    pub(in crate::scenario) const fn rule(self) -> Rule {
        use By::{Fault, Heartbeat as OwnHeartbeat, Plan, Server};
        use Form::{AtLeast, Back, Codes, Count, Ends, Fraction, Size, True, Window, Within};
        use Need::{
            Clients, CloseTimeout, EndOfFault, Frames, Heartbeat, Loss, OwnPorts, OwnTcp, Packets,
            Ports, Process, Reconnect, SameHost, ServerPings, Stall, Sweep,
        };
        const SERVER: &[By] = &[Server];
        const OR_FAULT: &[By] = &[Server, Fault];
        const OURS: &[By] = &[Fault, Plan];
        const LOST: &[By] = &[Server, Fault, OwnHeartbeat];
        match self {
            Self::Closed => Rule::of(Count),
            Self::ClosedPerStall => Rule::of(Count).needs(&[Stall]),
            Self::AliveFor => Rule::of(AtLeast).timed_from_origin(),
            Self::ClosedBetween => {
                let rule = Rule::of(Window).timed_from_origin().needs(&[Packets]);
                rule.ended(Ended::Each(SERVER))
            }
            Self::Code => {
                let rule = Rule::of(Codes).needs(&[Frames]);
                rule.ended(Ended::Each(OR_FAULT))
            }
            Self::EndsWith => Rule::of(Ends).needs(&[Frames]),
            Self::TcpEndBetween => {
                let rule = Rule::of(Window).needs(&[Frames]);
                rule.ended(Ended::Each(OR_FAULT))
            }
            Self::ReapedBetween => Rule::of(Window)
                .timed_from_origin()
                .needs(&[Ports, OwnPorts, OwnTcp]),
            Self::ReleasedWithin => {
                let rule = Rule::of(Within).needs(&[SameHost, OwnPorts, OwnTcp]);
                rule.timed_from_origin()
            }
            Self::EffectiveTimeout => {
                let rule = Rule::of(Window).needs(&[Sweep, ServerPings]);
                rule.ended(Ended::One(SERVER))
            }
            Self::PongWithin => Rule::of(Within).needs(&[Heartbeat]),
            Self::PingsBetween => Rule::of(Window).needs(&[ServerPings]),
            Self::MaxPingSync => Rule::of(Fraction).needs(&[ServerPings, Clients]),
            Self::CloseAnsweredWithin => {
                let rule = Rule::of(Within).needs(&[CloseTimeout, Frames]);
                rule.ended(Ended::One(OURS))
            }
            Self::CloseCodeEchoed => {
                let rule = Rule::of(True).needs(&[Frames]);
                rule.ended(Ended::One(OURS))
            }
            Self::SilentAfterClose => Rule::of(True).needs(&[Frames]),
            Self::DetectedBetween => Rule::of(Window).timed_from_origin().needs(&[Heartbeat]),
            Self::RecoversWithin => Rule::of(Within).needs(&[Heartbeat, EndOfFault]),
            Self::BackWithin => {
                let rule = Rule::of(Back).needs(&[Reconnect, Loss]);
                rule.ended(Ended::One(LOST))
            }
            Self::MaxRssGrowth => Rule::of(Size).needs(&[Process]),
            Self::MaxDescriptorGrowth => Rule::of(Count).needs(&[Process]),
        }
    }

    /// The key in scenarios and `contracts.csv`.
    pub fn key(self) -> &'static str {
        self.into()
    }

    /// A promise of this kind with a value of the right form. A duration is the latest time, or the earliest one where
    /// the kind says so.
    pub fn of(self, value: impl Into<Promised>) -> Promise {
        let form = self.rule().form;
        let value = match value.into() {
            Promised::Within(time) if form == Form::AtLeast => Promised::AtLeast(time),
            value => value,
        };
        debug_assert_eq!(form, Form::from(&value), "{self:?}");
        Promise { kind: self, value }
    }

    /// Whether keeping this promise means that the server has ended the connection.
    pub const fn expects_end(self) -> bool {
        matches!(
            self,
            Self::ClosedBetween
                | Self::Code
                | Self::TcpEndBetween
                | Self::ReapedBetween
                | Self::EffectiveTimeout
                | Self::BackWithin
        )
    }

    /// Whether it is kept where nothing at all happens to a connection.
    pub const fn is_kept_by_nothing(self) -> bool {
        matches!(
            self,
            Self::Closed
                | Self::AliveFor
                | Self::EndsWith
                | Self::MaxRssGrowth
                | Self::MaxDescriptorGrowth
        )
    }

    /// Whether its times count from the contract's `from`.
    pub const fn has_origin(self) -> bool {
        self.rule().from_origin
    }

    /// Whether it can be judged only if the target is on this machine.
    pub fn needs_same_host(self) -> bool {
        let needs = self.rule().needs;
        needs.contains(&Need::SameHost) || needs.contains(&Need::Process)
    }
}

impl Rule {
    const fn of(form: Form) -> Self {
        Self {
            form,
            from_origin: false,
            needs: &[],
            ended: Ended::Any,
        }
    }

    const fn timed_from_origin(self) -> Self {
        Self {
            from_origin: true,
            ..self
        }
    }

    const fn needs(self, needs: &'static [Need]) -> Self {
        Self { needs, ..self }
    }

    const fn ended(self, ended: Ended) -> Self {
        Self { ended, ..self }
    }
}

impl Promise {
    /// The times of the promise; `None` if it has none. For `back_within`, the time at which all are back.
    pub fn span(&self) -> Option<Span> {
        let within = |hi| Span {
            lo: Duration::ZERO,
            hi: Some(hi),
        };
        match &self.value {
            Promised::AtLeast(lo) => Some(Span { lo: *lo, hi: None }),
            Promised::Within(time) => Some(within(*time)),
            Promised::Window(Between { lo, hi }) => Some(Span {
                lo: *lo,
                hi: Some(*hi),
            }),
            Promised::Back(back) => back.all.map(within),
            _ => None,
        }
    }

    /// The promised value apart from times, for reports.
    pub fn besides_times(&self) -> String {
        let listed = |items: Vec<String>| items.join(", ");
        match (self.kind, &self.value) {
            (PromiseKind::ClosedPerStall, Promised::Count(most)) => {
                format!("at most {} each", human_count(*most))
            }
            (_, Promised::Count(most)) => format!("at most {}", human_count(*most)),
            (_, Promised::Fraction(most)) => format!("at most {most}"),
            (_, Promised::Size(most)) => format!("at most {most}"),
            (_, Promised::Codes(codes)) => listed(codes.iter().map(u16::to_string).collect()),
            (_, Promised::Ends(ends)) => listed(ends.iter().map(|end| end.name().into()).collect()),
            (_, Promised::Back(back)) => {
                let part = |(part, time)| format!("{part} in {}", plain_duration(time));
                let parts = back.parts(["50 %", "90 %", "99 %", "all"]);
                listed(parts.map(part).collect())
            }
            (PromiseKind::PongWithin, _) => "99 %".to_owned(),
            (PromiseKind::CloseCodeEchoed, _) => "the same code".to_owned(),
            (PromiseKind::SilentAfterClose, _) => "no frame".to_owned(),
            _ => String::new(),
        }
    }
}

/// Writes the promise in words close to those of a scenario file.
impl Display for Promise {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.key())?;
        match &self.value {
            Promised::Count(most) => write!(f, " {most}"),
            Promised::Within(time) | Promised::AtLeast(time) => {
                write!(f, " {}", format_duration(*time))
            }
            Promised::Window(window) => write!(f, " {window}"),
            Promised::Codes(codes) => {
                write!(f, " {}", alternatives(codes.iter().map(u16::to_string)))
            }
            Promised::Ends(ends) => {
                let names = ends.iter().map(|end| end.name().to_owned());
                write!(f, " {}", alternatives(names))
            }
            Promised::Fraction(most) => write!(f, " {most}"),
            Promised::Back(back) => {
                let part = |(part, time)| format!("{part} {}", format_duration(time));
                let parts: Vec<_> = back.parts(["p50", "p90", "p99", "all"]).map(part).collect();
                write!(f, " {}", parts.join(", "))
            }
            Promised::Size(most) => write!(f, " {most}"),
            Promised::True => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::Back;
    use super::*;

    #[test]
    fn promises_read_as_they_are_written() {
        let (lo, hi) = (Duration::from_millis(1500), Duration::from_secs(2));
        let window = PromiseKind::ClosedBetween.of(Between { lo, hi });
        assert_eq!(window.to_string(), "closed_between 1.5s to 2s");
        let back = PromiseKind::BackWithin.of(Back {
            p50: Some(lo),
            all: Some(hi),
            ..Back::default()
        });
        assert_eq!(back.to_string(), "back_within p50 1.5s, all 2s");
        assert_eq!(back.besides_times(), "50 % in 1.5 s, all in 2 s");
        let code = PromiseKind::Code.of(vec![1011, 1001]);
        assert_eq!(code.to_string(), "code 1011 or 1001");
    }

    #[test]
    fn a_time_is_a_limit_below_or_above() {
        let second = Duration::from_secs(1);
        let span = |kind: PromiseKind| kind.of(second).span().unwrap();
        assert_eq!(span(PromiseKind::AliveFor).hi, None);
        assert_eq!(span(PromiseKind::AliveFor).lo, second);
        assert_eq!(span(PromiseKind::PongWithin).hi, Some(second));
    }
}
