//! What a client does in its turn, as a list of operations that all clients of a cohort share.

use crate::scenario::{Await, Cohort, Expect, Http, OnFail, Pause, Send, Step, TurnPace, Verb};
use crate::units::Nanos;

/// The steps of a cohort in the order in which they are played: set-up, [`What::Ready`], the others.
#[derive(Debug, Default, PartialEq)]
pub struct Program {
    ops: Box<[Operation]>,
}

/// One operation.
#[derive(Debug, PartialEq)]
pub struct Operation {
    /// The slot of its step: after the messages of the cohort, each step before those inside of it, set-up first.
    pub slot: usize,
    /// What is done.
    pub what: What,
    /// The probability with which it is done.
    pub chance: f64,
    /// What follows if it fails.
    pub on_fail: OnFail,
    /// Where to go on if the rest of its turn is left out.
    pub skip_to: usize,
    /// Whether it belongs to the set-up.
    pub is_setup: bool,
    /// Whether its step has a name, and so metrics.
    pub is_named: bool,
}

impl Operation {
    /// The message that it sends; `None` if it sends none.
    pub fn send(&self) -> Option<&Send> {
        match &self.what {
            What::Send(send) => Some(send),
            _ => None,
        }
    }

    /// Whether an answer is waited for to what it sends.
    pub fn is_answered(&self) -> bool {
        match &self.what {
            What::Http(_) => true,
            What::Send(send) => send.expects_answer(),
            _ => false,
        }
    }

    /// The request of HTTP that it makes; `None` if it makes none.
    pub fn http(&self) -> Option<&Http> {
        match &self.what {
            What::Http(http) => Some(http),
            _ => None,
        }
    }
}

/// What an operation does.
#[derive(Debug, PartialEq)]
pub enum What {
    /// Asks by HTTP; the template is that of the slot.
    Http(Http),
    /// Sends a message; the template is that of the slot.
    Send(Send),
    /// Waits for messages.
    Await(Await),
    /// Does nothing for so long.
    Pause(Pause),
    /// Begins a turn, or goes on behind the repeat if there are no more.
    Turn(Turns),
    /// Ends a turn: goes back to its [`What::Turn`].
    Again {
        /// The index of the operation that begins the next turn.
        start: usize,
    },
    /// Waits until measuring starts.
    WaitForMeasuring,
    /// The client is ready.
    Ready,
    /// Sends a Close frame.
    Close {
        /// The code.
        code: u16,
        /// The reason.
        reason: String,
    },
    /// Closes the connection, and dials again after this time.
    Reconnect {
        /// The time.
        after: Nanos,
    },
}

/// A repeat.
#[derive(Debug, PartialEq)]
pub struct Turns {
    /// How deep it is nested, from 0.
    pub depth: usize,
    /// How many turns.
    pub count: Option<u32>,
    /// No turn begins after so long.
    pub lasts: Option<Nanos>,
    /// When turns are due; `None`: each begins when the one before it has ended.
    pub pace: Option<TurnPace>,
    /// The index of the operation behind the repeat.
    pub end: usize,
}

impl Program {
    /// Whether a stamp that comes back is the answer to a step.
    pub fn is_answered_by_stamps(&self) -> bool {
        let mut sends = self.ops.iter().filter_map(Operation::send);
        sends.any(|send| matches!(send.expect, Expect::Echo | Expect::Stamp))
    }

    /// How deep repeats may be nested.
    pub const DEEPEST: usize = 3;

    /// Makes the program of a cohort.
    pub fn new(cohort: &Cohort) -> Self {
        Self::of(cohort.messages.len(), &cohort.setup, &cohort.steps)
    }

    /// Makes the program of these steps, whose slots begin with `slot`.
    fn of(mut slot: usize, setup: &[Step], steps: &[Step]) -> Self {
        let mut ops = Vec::new();
        add(&mut ops, &mut slot, setup, true, 0);
        if !setup.is_empty() || !steps.is_empty() {
            // Outside of a repeat, nothing follows in the set-up when its rest is left out.
            let ready = ops.len();
            let outside = ops.iter_mut().filter(|op| op.skip_to == 0);
            outside.for_each(|op| op.skip_to = ready);
            ops.push(Operation {
                slot,
                what: What::Ready,
                chance: 1.0,
                on_fail: OnFail::Close,
                skip_to: 0,
                is_setup: false,
                is_named: false,
            });
        }
        add(&mut ops, &mut slot, steps, false, 0);
        let end = ops.len();
        // Outside of a repeat, the steps are over when the rest is left out.
        let outside = ops.iter_mut().filter(|op| op.skip_to == 0);
        outside.for_each(|op| op.skip_to = end);
        Self { ops: ops.into() }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Whether there is anything to do before a client is ready.
    pub fn has_setup(&self) -> bool {
        self.ops.first().is_some_and(|op| op.is_setup)
    }

    /// The operation at this index; `None` behind the last one.
    pub fn get(&self, at: usize) -> Option<&Operation> {
        self.ops.get(at)
    }

    /// The requests that are sent once for all clients.
    pub(crate) fn once(&self) -> impl Iterator<Item = &Operation> {
        let is_once = |op: &&Operation| matches!(&op.what, What::Http(http) if http.once);
        self.ops.iter().filter(is_once)
    }

    /// Whether a client asks by HTTP before its connection is dialled.
    pub fn begins_with_http(&self) -> bool {
        let first = self.ops.first();
        first.is_some_and(|op| op.is_setup && matches!(op.what, What::Http(_)))
    }

    /// The request of HTTP that the step with this slot makes; `None` if it makes none.
    pub fn http(&self, slot: usize) -> Option<&Http> {
        let mut own = self.ops.iter().filter(|op| op.slot == slot);
        own.find_map(Operation::http)
    }

    /// Whether some client waits until measuring starts.
    pub fn waits_for_measuring(&self) -> bool {
        (self.ops.iter()).any(|op| matches!(op.what, What::WaitForMeasuring))
    }

    /// The operations with their indices that are armed together: from this one to the next send, or to the end of the
    /// turn.
    pub fn until_send(&self, from: usize) -> impl Iterator<Item = (usize, &Operation)> {
        let all = self.ops.iter().enumerate().skip(from);
        all.take_while(|(_, op)| {
            matches!(
                op.what,
                What::Await(_) | What::Pause(_) | What::WaitForMeasuring | What::Ready
            )
        })
    }
}

/// Adds steps. The index 0 in `skip_to` stands for the end of the program.
fn add(ops: &mut Vec<Operation>, slot: &mut usize, steps: &[Step], is_setup: bool, depth: usize) {
    for step in steps {
        let at = ops.len();
        let own = *slot;
        *slot += 1;
        let operation = |what| Operation {
            slot: own,
            what,
            chance: step.chance,
            on_fail: step.on_fail,
            skip_to: 0,
            is_setup,
            is_named: step.name.is_some(),
        };
        let what = match &step.verb {
            Verb::Http(http) => What::Http(http.clone()),
            Verb::Send(send) => What::Send(send.clone()),
            Verb::Await(wait) => What::Await(wait.clone()),
            Verb::Pause(pause) => What::Pause(*pause),
            Verb::WaitForMeasuring => What::WaitForMeasuring,
            Verb::Close { code, reason } => What::Close {
                code: *code,
                reason: reason.clone(),
            },
            Verb::Reconnect { after } => What::Reconnect {
                after: Nanos::from(*after),
            },
            Verb::Repeat(repeat) => {
                ops.push(operation(What::Again { start: 0 }));
                add(ops, slot, &repeat.steps, is_setup, depth + 1);
                let again = ops.len();
                let inside = ops[at + 1..].iter_mut().filter(|op| op.skip_to == 0);
                inside.for_each(|op| op.skip_to = again);
                ops.push(operation(What::Again { start: at }));
                What::Turn(Turns {
                    depth,
                    count: repeat.count,
                    lasts: repeat.lasts.map(Nanos::from),
                    pace: repeat.pace,
                    end: again + 1,
                })
            }
        };
        match ops.get_mut(at) {
            Some(turn) => turn.what = what,
            None => ops.push(operation(what)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Repeat;
    use std::time::Duration;

    fn step(verb: Verb) -> Step {
        Step {
            name: None,
            verb,
            chance: 1.0,
            on_fail: OnFail::Skip,
        }
    }

    fn pause() -> Step {
        step(Verb::Pause(Pause::Constant(Duration::from_secs(1))))
    }

    fn repeat(steps: Vec<Step>) -> Step {
        step(Verb::Repeat(Repeat {
            steps,
            count: Some(2),
            lasts: None,
            pace: None,
        }))
    }

    fn program(setup: &[Step], steps: &[Step]) -> Program {
        Program::of(3, setup, steps)
    }

    #[test]
    fn without_steps_there_is_nothing_to_do() {
        assert!(program(&[], &[]).is_empty());
        assert!(!program(&[], &[pause()]).has_setup());
    }

    #[test]
    fn a_failure_leaves_out_the_rest_of_its_turn_of_the_set_up_or_of_the_steps() {
        let program = program(
            &[pause()],
            &[pause(), repeat(vec![pause(), repeat(vec![pause()])])],
        );
        let words = program.ops.iter().map(|op| {
            let what = match op.what {
                What::Pause(_) => "pause",
                What::Turn(_) => "turn",
                What::Again { .. } => "again",
                What::Ready => "ready",
                _ => "other",
            };
            (what, op.slot, op.skip_to)
        });
        assert_eq!(
            words.collect::<Vec<_>>(),
            [
                ("pause", 3, 1),
                ("ready", 4, 9),
                ("pause", 4, 9),
                ("turn", 5, 9),
                ("pause", 6, 8),
                ("turn", 7, 8),
                ("pause", 8, 7),
                ("again", 7, 8),
                ("again", 5, 9),
            ]
        );
        assert!(program.has_setup());
        let What::Turn(turns) = &program.ops[5].what else {
            panic!("it is a repeat");
        };
        assert_eq!((turns.depth, turns.end), (1, 8));
        assert_eq!(program.ops[7].what, What::Again { start: 5 });
    }
}
