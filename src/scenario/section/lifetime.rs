//! `load.arrivals.lifetime`: how long an arrival stays.

use std::time::Duration;

use super::cohort::Cohort;
use super::step::{OnFail, Step, Verb, longest};
use crate::scenario::reading::{Text, Time};
use crate::units::MIN_DURATION;

/// How long the client of an arrival stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// From the 101 to wsbench's own Close. Above zero.
    Fixed(Duration),
    /// Until all its steps are played; there is at least one, and they come to an end.
    Steps,
}

impl Lifetime {
    /// The longest time from the 101 to wsbench's own Close if nothing fails: with `Steps`, answers come at their last
    /// moment and pauses are the longest. `warm_up` is the time before the start of measuring. Above zero.
    pub fn longest(self, cohort: &Cohort, warm_up: Duration) -> Duration {
        let steps = match self {
            Self::Fixed(time) => return time,
            Self::Steps => longest(&cohort.steps),
        };
        let mut each = cohort.each_step();
        let waits = match each.any(|step| step.verb == Verb::WaitForMeasuring) {
            true => warm_up,
            false => Duration::ZERO,
        };
        let whole = cohort.longest_setup().saturating_add(steps);
        whole.saturating_add(waits).max(MIN_DURATION)
    }

    /// Why the arrivals of this cohort cannot stay so long, and what to do about it; `None` if they can.
    pub(super) fn refused(self, cohort: &Cohort) -> Option<(String, &'static str)> {
        if self == Self::Steps && cohort.steps.is_empty() {
            let what = "cannot be \"steps\" without `[[step]]`";
            return Some((what.into(), "add steps, or write `lifetime = \"5s\"`"));
        }
        let mut steps = cohort.steps.iter().filter(|_| self == Self::Steps);
        let again = || (cohort.each_step()).find_map(|step| Some((step, dials_again(step)?)));
        let (step, (what, hint)) = steps.find_map(never_ends).or_else(again)?;
        let name = match &step.name {
            Some(name) => format!("the step `{name}`"),
            None => "a step".into(),
        };
        let own = self.written();
        Some((format!("cannot be \"{own}\": {name} {what}"), hint))
    }
}

/// Finds what keeps a step, or one inside of it, from coming to an end, with the reason and what to do about it.
fn never_ends(step: &Step) -> Option<(&Step, (&'static str, &'static str))> {
    let why = match &step.verb {
        Verb::Repeat(repeat) if repeat.count.is_none() && repeat.lasts.is_none() => (
            "repeats without end",
            "give it `count` or `for`, or write `lifetime = \"5s\"`",
        ),
        _ => match dials_again(step) {
            Some(why) => why,
            None => return step.inside().iter().find_map(never_ends),
        },
    };
    Some((step, why))
}

/// Why a step would begin the time of an arrival again: nobody who has arrived is dialled again.
fn dials_again(step: &Step) -> Option<(&'static str, &'static str)> {
    const AGAIN: &str = "leave it out: a client that has closed is not dialled again";
    match &step.verb {
        Verb::Reconnect { .. } => Some(("dials again, which begins all steps again", AGAIN)),
        _ if step.on_fail == OnFail::Reconnect => Some((
            "dials again when it fails, which begins all steps again",
            "write `on_fail = \"close\"`",
        )),
        _ => None,
    }
}

impl Text for Lifetime {
    const NAME: &'static str = "Lifetime";
    const EXPECTING: &'static str = "a duration such as \"5s\", or \"steps\"";
    const PATTERN: &'static str =
        r"^\s*(steps|[0-9]+(\.[0-9]+)?\s*[a-zA-Z]+(\s*[0-9]+(\.[0-9]+)?\s*[a-zA-Z]+)*)\s*$";

    fn read(text: &str) -> Result<Self, String> {
        match text.trim() {
            "steps" => Ok(Self::Steps),
            word if word.chars().all(char::is_alphabetic) => Err(format!(
                "`{word}` is neither a duration nor \"steps\"; write \"5s\" or \"steps\""
            )),
            _ => Time::read(text).map(|time| Self::Fixed(time.0)),
        }
    }

    fn written(&self) -> String {
        match self {
            Self::Fixed(time) => Time(*time).written(),
            Self::Steps => "steps".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse::parse_alone;
    use crate::scenario::{Overrides, Scenario};

    fn read(arrivals: &str, steps: &str) -> Result<Scenario, String> {
        let text = format!(
            "name = \"x\"\ntarget.url = \"embedded\"\nload = {{ warm_up = \"1m\", reconnect = {{}}, arrivals = {{ rate = \"5/s\", {arrivals} }} }}\n{steps}"
        );
        parse_alone(&text, &Overrides::default()).map_err(|problems| problems.to_string())
    }

    const STEPS: &str = "lifetime = \"steps\", max_open = 50";

    fn longest(steps: &str) -> u128 {
        let scenario = read(STEPS, steps).unwrap();
        let longest = Lifetime::Steps.longest(&scenario.cohorts[0], Duration::from_secs(60));
        longest.as_millis()
    }

    const LOGIN: &str =
        "[[setup]]\nname = \"l\"\nsend = \"l\"\nexpect = \"ok\"\ntimeout = \"3s\"\n";
    const PAUSE: &str = "[[step]]\npause = [\"1s\", \"4s\"]\n";

    #[test]
    fn it_is_the_longest_that_set_up_and_steps_take() {
        assert_eq!(longest(&format!("{LOGIN}{PAUSE}")), 7_000);
        let wait = "[[step]]\nwait_for = \"measuring\"\n";
        assert_eq!(longest(&format!("{PAUSE}{wait}")), 64_000);
        let turns = "[[step]]\nrepeat = { count = 3 }\n[[step.step]]\npause = \"2s\"\n";
        assert_eq!(longest(turns), 6_000);
        let told = "[[step]]\nsend = \"bye\"\nexpect = \"none\"\n";
        assert_eq!(longest(told), 1);
    }

    #[test]
    fn steps_have_to_be_there_and_to_end() {
        let told = |steps: &str| read(STEPS, steps).unwrap_err();
        for (steps, what) in [
            ("", "cannot be \"steps\" without `[[step]]`"),
            (LOGIN, "cannot be \"steps\" without `[[step]]`"),
            (
                "[[step]]\nname = \"r\"\nchance = \"10%\"\nrepeat = { rate = \"1/s\" }\n[[step.step]]\npause = \"1s\"\n",
                "the step `r` repeats without end",
            ),
            (
                "[[step]]\nrepeat = { count = 2 }\n[[step.step]]\nrepeat = {}\n[[step.step.step]]\npause = \"1s\"\n",
                "a step repeats without end",
            ),
            (
                "[[step]]\nreconnect = { after = \"1s\" }\n",
                "a step dials again, which",
            ),
            (
                "[[step]]\nname = \"a\"\nawait = \"a\"\non_fail = \"reconnect\"\n",
                "the step `a` dials again when it fails",
            ),
        ] {
            let told = told(steps);
            assert!(told.contains(what), "{steps}: {told}");
            assert!(told.contains("hint: "), "{told}");
        }
        let login = LOGIN.replace("timeout", "on_fail = \"reconnect\"\ntimeout");
        for (steps, what) in [
            (
                "[[step]]\nreconnect = { after = \"1s\" }\n",
                "cannot be \"5s\": a step dials again",
            ),
            (
                &login,
                "cannot be \"5s\": the step `l` dials again when it fails",
            ),
        ] {
            let told = read("lifetime = \"5s\"", steps).unwrap_err();
            assert!(told.contains(what), "{steps}: {told}");
        }
        let told = read("lifetime = \"steps\"", PAUSE).unwrap_err();
        assert!(
            told.contains("`load.arrivals.max_open` is missing"),
            "{told}"
        );
        let told = read("lifetime = \"step\"", PAUSE).unwrap_err();
        assert!(
            told.contains("`step` is neither a duration nor \"steps\""),
            "{told}"
        );
    }
}
