//! What a crew is told, and all of it together as a state: whoever misses some of it, or hears it twice, knows as much in
//! the end as whoever heard each command once.

use serde::{Deserialize, Serialize};

use crate::units::Timestamp;

/// A command to all workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Measuring starts and the load ends at these times, unless it was cut short before.
    Schedule {
        /// When measuring starts.
        from: Timestamp,
        /// When the load ends.
        to: Timestamp,
    },
    /// The load ends at this time, if not sooner.
    CutShort {
        /// That time.
        at: Timestamp,
    },
    /// The same after a signal: who is connected then has to be gone by the second time.
    Interrupt {
        /// When the load ends.
        at: Timestamp,
        /// When the last connection is given up.
        drained_by: Timestamp,
    },
}

/// All commands so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// When measuring starts, and when the load ends.
    pub windows: Option<(Timestamp, Timestamp)>,
    /// When the load ends sooner.
    pub cut_short: Option<Timestamp>,
    /// When the last connection is given up.
    pub drained_by: Option<Timestamp>,
}

impl Orders {
    /// Adds a command.
    pub fn add(&mut self, command: Command) {
        let sooner = |known: Option<Timestamp>, at| Some(known.map_or(at, |known| known.min(at)));
        match command {
            Command::Schedule { from, to } => {
                self.windows.get_or_insert((from, to));
            }
            Command::CutShort { at } => self.cut_short = sooner(self.cut_short, at),
            Command::Interrupt { at, drained_by } => {
                self.cut_short = sooner(self.cut_short, at);
                self.drained_by = sooner(self.drained_by, drained_by);
            }
        }
    }

    /// Adds what other orders say.
    pub fn merge(&mut self, other: &Self) {
        other.commands().for_each(|command| self.add(command));
    }

    /// The commands that make these of none.
    pub fn commands(&self) -> impl Iterator<Item = Command> + use<> {
        let schedule = (self.windows).map(|(from, to)| Command::Schedule { from, to });
        let end = self.cut_short.map(|at| match self.drained_by {
            Some(drained_by) => Command::Interrupt { at, drained_by },
            None => Command::CutShort { at },
        });
        schedule.into_iter().chain(end)
    }

    /// The commands that make these of others.
    pub fn since(&self, known: &Self) -> impl Iterator<Item = Command> + use<> {
        let known = *known;
        self.commands().filter(move |command| {
            let mut more = known;
            more.add(*command);
            more != known
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Nanos;
    use proptest::prelude::*;

    fn time() -> impl Strategy<Value = Timestamp> {
        (1u64..9).prop_map(|seconds| Timestamp::ORIGIN + Nanos::from_secs(seconds))
    }

    fn command() -> impl Strategy<Value = Command> {
        prop_oneof![
            time().prop_map(|at| Command::CutShort { at }),
            (time(), time()).prop_map(|(at, drained_by)| Command::Interrupt { at, drained_by }),
        ]
    }

    proptest! {
        #[test]
        fn orders_are_known_whatever_was_missed_or_heard_twice(
            commands in prop::collection::vec((command(), 0usize..3), 0..6), windows in prop::option::of((time(), time())),
        ) {
            let mut all = Orders { windows, ..Orders::default() };
            // Hears the state now and then.
            let mut heard = Orders::default();
            for (command, times) in commands {
                all.add(command);
                for _ in 0..times {
                    let more: Vec<Command> = all.since(&heard).collect();
                    more.into_iter().for_each(|command| heard.add(command));
                    prop_assert_eq!(heard, all);
                    prop_assert_eq!(all.since(&heard).count(), 0);
                }
            }
            heard.merge(&all);
            prop_assert_eq!(heard, all);
        }
    }
}
