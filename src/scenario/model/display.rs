//! Writes faults and promises in words close to those of a scenario file, for `check` and for reports.

use std::fmt::{self, Display, Formatter};

use super::{Direction, PathFault, PathFaultKind, Signal, TargetFault};
use crate::scenario::fault::{shown_after, shown_for};
use crate::units::format_duration;

/// Implements `Display` for a closed list of words, as scenarios write them.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

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
