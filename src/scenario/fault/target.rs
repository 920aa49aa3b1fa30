//! The faults of the target: `[[target.fault]]`.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use super::{Measured, shown_after, shown_for};
use crate::scenario::reading::{
    Given as _, OneOrMany, Section, Time, TimeOrZero, Whole, given, keys, words,
};
use crate::scenario::section::{TargetTable, TargetUrl};
use crate::units::{counted, format_duration};

const MAX_FAULTS: usize = 100;

/// A fault of the target's process.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetFault {
    /// The signal that is sent.
    pub kind: Signal,
    /// The time from the start of measuring.
    pub after: Duration,
    /// The length of a freeze. Above zero; not used for [`Signal::Terminate`].
    pub lasts: Duration,
    /// The number of repetitions. Above zero.
    pub repeat: u32,
    /// The time from one start to the next. Longer than `lasts`.
    pub every: Duration,
    /// The range over which the starts are spread, so that each meets another phase of the server's own timers. May be
    /// zero.
    pub phase: Duration,
}

words! {
    /// A signal to the target's process.
    pub enum Signal {
        /// `SIGSTOP`, and `SIGCONT` afterwards: the process stands still.
        #[serde(rename = "sigstop")]
        #[strum(serialize = "sigstop")]
        Stop,
        /// `SIGTERM`: it shall end in an orderly way.
        #[serde(rename = "sigterm")]
        #[strum(serialize = "sigterm")]
        Terminate,
    }
}

keys! {
    /// One thing that is done to the target.
    #[serde(expecting = "a fault such as { kind = \"sigstop\", for = \"3s\" }")]
    TargetFaultTable = "TargetFault" {
        /// "sigstop": it stands still for a time; "sigterm": it shall end in an orderly way. Required.
        kind: Signal,
        /// From the start of measuring.
        after: TimeOrZero = TimeOrZero::ZERO,
        /// How long it stands still. Required with "sigstop", only there.
        r#for: Time,
        /// How often it is done. Only with "sigstop".
        repeat: Whole<1, 10_000> = Whole(1),
        /// From one start to the next. Only with `repeat`. Default: twice `for`, and a second more than it at least.
        every: Time,
        /// The starts are spread over this time, against the server's own timers. Only with `repeat`.
        phase: TimeOrZero = TimeOrZero::ZERO,
    }
}

/// Resolves `target.fault`. `url` is `None` if the address is invalid, `measured` if the load is.
pub(in crate::scenario) fn resolve(
    section: &mut Section<'_, '_>,
    target: &TargetTable,
    url: Option<&TargetUrl>,
    measured: Option<Measured>,
) -> Vec<TargetFault> {
    const KEY: &str = "fault";
    let given = target.fault.iter().flat_map(OneOrMany::each);
    let given: Vec<_> = given.collect();
    if given.len() > MAX_FAULTS {
        let what = format_args!("are more than {MAX_FAULTS}");
        section.wrong(KEY, &target.fault, what, None);
        return Vec::new();
    }
    let is_known = target.command.is_some() || target.pid.is_some();
    if let (Some((place, _)), Some(TargetUrl::Servers(_)), false) = (given.first(), url, is_known) {
        let what = "needs a target whose process is known";
        let hint = "write `command = [\"node\", \"server.js\"]` or `pid = 4711` in `[target]`, or use `--pid 4711`";
        section.wrong_at(KEY, place, what, hint);
    }
    let mut faults = Vec::new();
    for (place, keys) in given {
        let (path, check) = (&section.key(KEY), &mut *section.check);
        let mut section = Section { check, path, place };
        if let Some(fault) = keys.resolve(&mut section) {
            if let Some(measured) = measured {
                measured.must_hold(section.check, path, place, fault.end());
            }
            faults.push(fault);
        }
    }
    faults
}

impl TargetFaultTable {
    fn resolve(&self, section: &mut Section<'_, '_>) -> Option<TargetFault> {
        let kind = section.required("kind", &self.kind, "write `kind = \"sigstop\"`")?;
        let mut fault = TargetFault {
            kind,
            after: self.after().0,
            lasts: Duration::ZERO,
            repeat: self.repeat().0,
            every: Duration::ZERO,
            phase: self.phase().0,
        };
        if kind == Signal::Terminate {
            let given = given!(self; r#for, repeat, every, phase);
            section.excluded(&given, "is only for \"sigstop\"", "leave it out");
            return Some(fault);
        }
        fault.lasts = section
            .required("for", &self.r#for, "write `for = \"3s\"`")?
            .0;
        if fault.repeat == 1 {
            let because = "is only for a fault that is repeated";
            let hint = "add `repeat = 20`, or leave it out";
            section.excluded(&given!(self; every, phase), because, hint);
        }
        let gap = (2 * fault.lasts).max(fault.lasts + Duration::from_secs(1));
        fault.every = self.every.value_or(gap);
        if fault.every <= fault.lasts {
            let what = "is not longer than `target.fault.for`: the target would never run";
            section.wrong("every", &self.every, what, None);
            return None;
        }
        Some(fault)
    }
}

impl TargetFault {
    /// The time from the start of measuring to the end of the last repetition.
    fn end(&self) -> Duration {
        self.after + self.every * (self.repeat - 1) + self.phase + self.lasts
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
            write!(
                f,
                ", {}, one every {every}",
                counted(u64::from(self.repeat), "time")
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_to_the_target_says_when() {
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
