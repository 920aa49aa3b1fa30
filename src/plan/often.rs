//! How often a connection says what: its messages on a schedule, and its steps.

use std::time::Duration;

use crate::scenario::{Cohort, Message, Pacing, Repeat, Step, Verb};

/// How often something is done by a connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Often {
    /// Times a second, while it goes on: 0 if it is done once, infinite if the server has a say in it.
    pub(super) hertz: f64,
    /// How many times in all, on average, if that does not grow with the time.
    pub(super) in_all: Option<f64>,
}

impl Often {
    const ONCE: Self = Self {
        hertz: 0.0,
        in_all: Some(1.0),
    };

    /// Of a message on a schedule, on a connection that is open for so long.
    pub(super) fn of_message(message: &Message, open: Duration) -> Self {
        let hertz = match message.pacing {
            Pacing::Open { rate, .. } => rate.hertz(),
            Pacing::Closed { .. } => f64::INFINITY,
        };
        let count = message.count.map(|count| count as f64);
        Self {
            hertz,
            in_all: count.filter(|count| *count < hertz * open.as_secs_f64()),
        }
    }

    /// Of steps that are played once, on a connection that is open for so long: each before those inside of it.
    pub(super) fn of_steps(steps: &[Step], open: Duration) -> Vec<(&Step, Self)> {
        let mut all = Vec::new();
        add(&mut all, steps, Self::ONCE, open);
        all
    }

    /// Of each slot of a cohort, on a connection that is open for so long.
    pub(super) fn of_slots(cohort: &Cohort, open: Duration) -> Vec<Self> {
        let messages = cohort.messages.iter();
        let messages = messages.map(|message| Self::of_message(message, open));
        let steps = [&cohort.setup, &cohort.steps];
        let steps = steps
            .into_iter()
            .flat_map(|steps| Self::of_steps(steps, open));
        messages.chain(steps.map(|(_, often)| often)).collect()
    }

    fn times(self, factor: f64) -> Self {
        Self {
            hertz: self.hertz * factor,
            in_all: self.in_all.map(|times| times * factor),
        }
    }

    /// Of the turns of a repeat that is itself played so often.
    fn turns(self, repeat: &Repeat, open: Duration) -> Self {
        let count = repeat.count.map(f64::from);
        let is_once = self.hertz == 0.0;
        match (repeat.pace, self.in_all) {
            (Some(pace), Some(times)) if is_once => {
                let hertz = pace.rate.hertz();
                let lasts = repeat.lasts.filter(|lasts| *lasts < open);
                let most = hertz * lasts.unwrap_or(open).as_secs_f64();
                let turns = match count {
                    Some(count) if count < most => Some(count),
                    _ => lasts.map(|_| most),
                };
                Self {
                    hertz: times * hertz,
                    in_all: turns.map(|turns| times * turns),
                }
            }
            _ => match count {
                Some(count) if is_once => Self {
                    hertz: f64::INFINITY,
                    in_all: self.in_all.map(|times| times * count),
                },
                Some(count) => self.times(count),
                None => Self {
                    hertz: f64::INFINITY,
                    in_all: None,
                },
            },
        }
    }
}

fn add<'a>(all: &mut Vec<(&'a Step, Often)>, steps: &'a [Step], often: Often, open: Duration) {
    for step in steps {
        let own = often.times(step.chance);
        all.push((step, own));
        if let Verb::Repeat(repeat) = &step.verb {
            add(all, &repeat.steps, own.turns(repeat, open), open);
        }
    }
}

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

impl Said {
    /// By a message on a schedule, on a connection that is open for so long.
    pub(super) fn by_message(message: &Message, open: Duration) -> Self {
        let mut said = Self::default();
        said.add(Often::of_message(message, open));
        said
    }

    /// By steps that are played once, on a connection that is open for so long.
    pub(super) fn by_steps(steps: &[Step], open: Duration) -> Self {
        let mut said = Self::default();
        for (step, often) in Often::of_steps(steps, open) {
            if matches!(step.verb, Verb::Send(_) | Verb::Http(_)) {
                said.add(often);
            }
        }
        said
    }

    /// The most messages in one second, if all that has no time of its own falls into it.
    pub(super) fn most_a_second(self) -> f64 {
        match self.as_answered {
            true => f64::INFINITY,
            false => self.per_second + self.in_all,
        }
    }

    fn add(&mut self, often: Often) {
        match often.in_all {
            Some(times) => self.in_all += times,
            None if often.hertz.is_finite() => self.per_second += often.hertz,
            None => self.as_answered = true,
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
            list: &Outside::no_folder,
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
