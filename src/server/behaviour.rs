//! What the built-in server does besides echoing, also as arguments of `wsbench serve`.

use std::time::Duration;

use crate::scenario::{HeartbeatWord, ServerHeartbeat, ServerRooms};
use crate::units::{ByteSize, format_duration};

/// The server's behaviour on each connection. The default is a plain echo: text as text, binary as binary,
/// unchanged, in order, pings answered at once.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Behaviour {
    /// The delay of each answer, which can be up to 2 ms longer. Zero: no delay.
    pub delay: Duration,
    /// Sends a message on a schedule, without being asked.
    pub push: Option<Push>,
    /// The share of messages that get no answer, from 0 to 1.
    pub drop: f64,
    /// Sends a ping at this interval. Above zero.
    pub ping: Option<Duration>,
    /// Pings each client, and gives it up if no pong comes. Cannot be combined with `ping`.
    pub heartbeat: Option<ServerHeartbeat>,
    /// Has rooms, beside the echo.
    pub rooms: Option<ServerRooms>,
    /// Refuses clients with 503 while so many connections are open or opening. Above zero.
    pub admits: Option<u32>,
    /// Decides which messages are dropped and when heartbeats start: the same seed gives the same choices.
    pub seed: u64,
}

/// A message sent to every connection on a schedule that starts when it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Push {
    /// The time between two pushes. Above zero. A push that is due while the peer does not read is skipped.
    pub every: Duration,
    /// The length of the text; it is longer if the push's number needs more digits.
    pub size: ByteSize,
}

impl Behaviour {
    /// What is wrong with it, if anything: a time of zero between two events, or a share outside of 0 to 1.
    pub(super) fn problem(&self) -> Option<&'static str> {
        if self.push.is_some_and(|push| push.every.is_zero()) {
            Some("the time between two pushes must be above zero")
        } else if self.ping.is_some_and(|every| every.is_zero()) {
            Some("the time between two pings must be above zero")
        } else if self
            .heartbeat
            .is_some_and(|h| h.interval.is_zero() || h.timeout.is_zero())
        {
            Some("the times of a heartbeat must be above zero")
        } else if self.heartbeat.is_some() && self.ping.is_some() {
            Some("a heartbeat sends its own pings")
        } else if self.heartbeat.is_some_and(|h| h.defect.is_some())
            && self.rooms.is_some_and(|rooms| rooms.defect.is_some())
        {
            Some("it can have one defect at a time")
        } else if !(0.0..=1.0).contains(&self.drop) {
            Some("the share of dropped messages must be from 0 to 1")
        } else {
            None
        }
    }

    /// Converts it to arguments of `wsbench serve`. Leaves out what is off.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        let mut add = |flag: &str, value: Option<String>| {
            arguments.push(flag.to_owned());
            arguments.extend(value);
        };
        if !self.delay.is_zero() {
            add("--delay", Some(format_duration(self.delay)));
        }
        if let Some(push) = self.push {
            add("--push", Some(format_duration(push.every)));
            add("--push-size", Some(push.size.to_string()));
        }
        if self.drop > 0.0 {
            add("--drop", Some(self.drop.to_string()));
        }
        if let Some(every) = self.ping {
            add("--ping", Some(format_duration(every)));
        }
        if let Some(heartbeat) = self.heartbeat {
            add("--heartbeat", Some(format_duration(heartbeat.interval)));
            add(
                "--heartbeat-timeout",
                Some(format_duration(heartbeat.timeout)),
            );
            if heartbeat.kind != HeartbeatWord::Frames {
                add("--heartbeat-kind", Some(heartbeat.kind.name().to_owned()));
            }
            if let Some(defect) = heartbeat.defect {
                add("--defect", Some(defect.name().to_owned()));
            }
        }
        if let Some(rooms) = self.rooms {
            add("--rooms", None);
            if let Some(tick) = rooms.tick {
                add("--tick", Some(tick.to_string()));
            }
            if rooms.login {
                add("--login", None);
            }
            if let Some(defect) = rooms.defect {
                add("--defect", Some(defect.name().to_owned()));
            }
        }
        if let Some(most) = self.admits {
            add("--max-connections", Some(most.to_string()));
        }
        if self.seed != 0 {
            add("--seed", Some(self.seed.to_string()));
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_echo_needs_no_arguments() {
        assert_eq!(Behaviour::default().arguments(), Vec::<String>::new());
    }

    #[test]
    fn what_could_never_end_is_a_problem() {
        let every = Duration::ZERO;
        let endless = [
            Behaviour {
                push: Some(Push {
                    every,
                    size: ByteSize(8),
                }),
                ..Behaviour::default()
            },
            Behaviour {
                ping: Some(every),
                ..Behaviour::default()
            },
            Behaviour {
                heartbeat: Some(ServerHeartbeat {
                    interval: Duration::from_secs(1),
                    timeout: every,
                    kind: HeartbeatWord::Frames,
                    defect: None,
                }),
                ..Behaviour::default()
            },
            Behaviour {
                drop: f64::NAN,
                ..Behaviour::default()
            },
        ];
        for behaviour in endless {
            assert!(behaviour.problem().is_some(), "{behaviour:?}");
        }
        assert_eq!(Behaviour::default().problem(), None);
    }
}
