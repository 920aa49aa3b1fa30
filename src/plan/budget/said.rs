//! How much a connection says: its messages on a schedule, and its steps.

use std::time::Duration;

use crate::scenario::{Message, Pacing, Repeat, Step, Verb};

/// What one connection sends while it is open.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Said {
    /// Messages a second.
    pub(super) per_second: f64,
    /// Messages in all beside that, whose number does not grow with the time.
    pub(super) in_all: f64,
    /// Whether more of them are sent as fast as the server answers.
    pub(super) as_answered: bool,
}

/// How often something is done by a connection.
#[derive(Debug, Clone, Copy)]
enum Often {
    /// So many times, on average.
    Times(f64),
    /// So many times a second.
    Rate(f64),
    /// As often as the server answers.
    AsAnswered,
}

impl Said {
    /// By a message on a schedule, on a connection that is open for so long.
    pub(super) fn by_message(message: &Message, open: Duration) -> Self {
        let (often, most) = match message.pacing {
            Pacing::Open { rate, .. } => {
                let most = rate.hertz() * open.as_secs_f64();
                (Often::Rate(rate.hertz()), most)
            }
            Pacing::Closed { .. } => (Often::AsAnswered, f64::INFINITY),
        };
        let mut said = Self::default();
        match message.count {
            Some(count) if (count as f64) < most => said.add(Often::Times(count as f64)),
            _ => said.add(often),
        }
        said
    }

    /// By steps that are played once, on a connection that is open for so long.
    pub(super) fn by_steps(steps: &[Step], open: Duration) -> Self {
        let mut said = Self::default();
        said.add_steps(steps, Often::Times(1.0), open);
        said
    }

    /// The most messages in one second, if all that has no time of its own falls into it.
    pub(super) fn most_a_second(self) -> f64 {
        match self.as_answered {
            true => f64::INFINITY,
            false => self.per_second + self.in_all,
        }
    }

    fn add_steps(&mut self, steps: &[Step], often: Often, open: Duration) {
        for step in steps {
            let often = often.times(step.chance);
            match &step.verb {
                Verb::Send(_) => self.add(often),
                Verb::Repeat(repeat) => {
                    self.add_steps(&repeat.steps, often.turns(repeat, open), open)
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, often: Often) {
        match often {
            Often::Times(times) => self.in_all += times,
            Often::Rate(rate) => self.per_second += rate,
            Often::AsAnswered => self.as_answered = true,
        }
    }
}

impl Often {
    fn times(self, factor: f64) -> Self {
        match self {
            Self::Times(times) => Self::Times(times * factor),
            Self::Rate(rate) => Self::Rate(rate * factor),
            Self::AsAnswered => Self::AsAnswered,
        }
    }

    /// How often the turns of a repeat are played that is itself played so often.
    fn turns(self, repeat: &Repeat, open: Duration) -> Self {
        let count = repeat.count.map(f64::from);
        let lasts = repeat.lasts.unwrap_or(open).min(open).as_secs_f64();
        let scheduled = repeat
            .pace
            .map(|pace| (pace.rate.hertz(), pace.rate.hertz() * lasts));
        match (self, count, scheduled) {
            (Self::Times(times), Some(count), Some((_, most))) if count < most => {
                Self::Times(times * count)
            }
            (Self::Times(times), _, Some((_, most)))
                if repeat.lasts.is_some_and(|own| own < open) =>
            {
                Self::Times(times * most)
            }
            (Self::Times(times), _, Some((rate, _))) => Self::Rate(times * rate),
            (often, Some(count), _) => often.times(count),
            _ => Self::AsAnswered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Outside, Overrides, Source, parse};

    fn steps(steps: &str) -> (f64, f64, bool) {
        let source = Source {
            name: "x".into(),
            text: format!(
                "name = \"x\"\ntarget.url = \"embedded\"\nload = {{ connections = 1, duration = \"1m\" }}\n{steps}"
            ),
        };
        let outside = Outside {
            env: &|_| None,
            read: &|_| Ok(Vec::new()),
        };
        let scenario = parse(&source, &Overrides::default(), &outside);
        let scenario = scenario.unwrap_or_else(|problems| panic!("{problems}"));
        let said = Said::by_steps(&scenario.cohorts[0].steps, Duration::from_secs(60));
        (said.per_second, said.in_all, said.as_answered)
    }

    /// A step inside of `depth` repeats.
    fn send(depth: usize, keys: &str) -> String {
        let path = ["step"].repeat(depth + 1).join(".");
        format!("[[{path}]]\nsend = \"x\"\nexpect = \"none\"\n{keys}\n")
    }

    fn repeat(depth: usize, keys: &str) -> String {
        let path = ["step"].repeat(depth + 1).join(".");
        format!("[[{path}]]\nname = \"r{depth}\"\nrepeat = {{ {keys} }}\n")
    }

    #[test]
    fn steps_are_counted_once_or_by_their_turns() {
        assert_eq!(steps(&send(0, "")), (0.0, 1.0, false));
        assert_eq!(steps(&send(0, "chance = \"50%\"")), (0.0, 0.5, false));
        let turns =
            |keys: &str| steps(&(repeat(0, keys) + &send(1, "") + &send(1, "chance = \"50%\"")));
        assert_eq!(turns("count = 4"), (0.0, 6.0, false));
        assert_eq!(turns("rate = \"2/s\""), (3.0, 0.0, false));
        assert_eq!(turns("rate = \"2/s\", count = 10"), (0.0, 15.0, false));
        // The run ends before.
        assert_eq!(turns("rate = \"2/s\", count = 1000"), (3.0, 0.0, false));
        assert_eq!(turns("rate = \"2/s\", for = \"10s\""), (0.0, 30.0, false));
        assert_eq!(turns(""), (0.0, 0.0, true));
    }

    #[test]
    fn a_repeat_inside_of_a_repeat_multiplies() {
        let nested = |outer: &str, inner: &str| {
            steps(&(repeat(0, outer) + &repeat(1, inner) + &send(2, "")))
        };
        assert_eq!(nested("count = 3", "count = 4"), (0.0, 12.0, false));
        assert_eq!(nested("rate = \"1/s\"", "count = 4"), (4.0, 0.0, false));
        assert_eq!(nested("rate = \"1/s\"", ""), (0.0, 0.0, true));
        assert_eq!(nested("", "count = 2"), (0.0, 0.0, true));
    }
}
