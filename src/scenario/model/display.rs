//! Faults and promises in words, close to how a scenario file writes them. For `check` and for reports.

use std::fmt::{self, Display, Formatter};

use super::{Back, Between, Direction, PathFault, PathFaultKind, Promise, Signal, TargetFault};
use crate::scenario::fault::{alternatives, shown_after, shown_for};
use crate::units::format_duration;

/// A word of a closed list, as in scenarios.
macro_rules! words {
    ($type:ty: $($variant:ident => $word:literal),+ $(,)?) => {
        impl Display for $type {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word),+
                })
            }
        }
    };
}

words!(Direction: ToServer => "to_server", ToClient => "to_client");
words!(Signal: Stop => "sigstop", Terminate => "sigterm");

impl Display for PathFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.key())?;
        match self.kind {
            PathFaultKind::Delay { by, jitter } => {
                write!(f, " by {}", format_duration(by))?;
                if !jitter.is_zero() {
                    write!(f, " and up to {} more", format_duration(jitter))?;
                }
            }
            PathFaultKind::Drop(direction) | PathFaultKind::HalfClose(direction) => {
                write!(f, " {direction}")?;
            }
            PathFaultKind::Throttle(rate) => write!(f, " to {rate} a second")?,
            PathFaultKind::Freeze
            | PathFaultKind::Reset
            | PathFaultKind::Forget
            | PathFaultKind::Cut => {}
        }
        shown_for(f, self.lasts)?;
        shown_after(f, self.after)
    }
}

impl Display for TargetFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        if self.kind == Signal::Stop {
            shown_for(f, Some(self.lasts))?;
        }
        shown_after(f, Some(self.after))?;
        if self.repeat > 1 {
            let every = format_duration(self.every);
            write!(f, ", {} times, one every {every}", self.repeat)?;
        }
        Ok(())
    }
}

impl Display for Promise {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())?;
        match self {
            Self::Closed(most) | Self::ClosedPerStall(most) | Self::MaxDescriptorGrowth(most) => {
                write!(f, " {most}")
            }
            Self::AliveFor(time)
            | Self::ReleasedWithin(time)
            | Self::PongWithin(time)
            | Self::CloseAnsweredWithin(time)
            | Self::RecoversWithin(time) => write!(f, " {}", format_duration(*time)),
            Self::ClosedBetween(window)
            | Self::TcpEndBetween(window)
            | Self::ReapedBetween(window)
            | Self::EffectiveTimeout(window)
            | Self::PingsBetween(window)
            | Self::DetectedBetween(window) => write!(f, " {window}"),
            Self::Code(codes) => {
                write!(f, " {}", alternatives(codes.iter().map(u16::to_string)))
            }
            Self::EndsWith(ends) => {
                let names = ends.iter().map(|end| end.name().to_owned());
                write!(f, " {}", alternatives(names))
            }
            Self::MaxPingSync(most) => write!(f, " {most}"),
            Self::BackWithin(back) => write!(f, " {back}"),
            Self::MaxRssGrowth(most) => write!(f, " {most}"),
            Self::CloseCodeEchoed | Self::SilentAfterClose => Ok(()),
        }
    }
}

impl Display for Between {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (lo, hi) = (format_duration(self.lo), format_duration(self.hi));
        match self.lo.is_zero() {
            true => write!(f, "within {hi}"),
            false => write!(f, "{lo} to {hi}"),
        }
    }
}

impl Display for Back {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let parts = [
            ("p50", self.p50),
            ("p90", self.p90),
            ("p99", self.p99),
            ("all", self.all),
        ];
        let given = parts
            .into_iter()
            .filter_map(|(name, time)| Some(format!("{name} {}", format_duration(time?))));
        f.write_str(&given.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn promises_read_as_they_are_written() {
        let (lo, hi) = (Duration::from_millis(1500), Duration::from_secs(2));
        let window = Promise::ClosedBetween(Between { lo, hi });
        assert_eq!(window.to_string(), "closed_between 1.5s to 2s");
        let back = Back {
            p50: Some(lo),
            all: Some(hi),
            ..Back::default()
        };
        let back = Promise::BackWithin(back).to_string();
        assert_eq!(back, "back_within p50 1.5s, all 2s");
        assert_eq!(
            Promise::Code(vec![1011, 1001]).to_string(),
            "code 1011 or 1001"
        );
    }

    #[test]
    fn what_happens_to_path_and_target_says_when() {
        let freeze = PathFault {
            kind: PathFaultKind::Freeze,
            after: Some(Duration::from_secs(5)),
            lasts: Some(Duration::from_secs(3)),
            cohorts: Vec::new(),
        };
        assert_eq!(freeze.to_string(), "freeze for 3s after 5s");
        let stop = TargetFault {
            kind: Signal::Stop,
            after: Duration::ZERO,
            lasts: Duration::from_secs(3),
            repeat: 20,
            every: Duration::from_secs(8),
            phase: Duration::ZERO,
        };
        assert_eq!(stop.to_string(), "sigstop for 3s, 20 times, one every 8s");
    }
}
