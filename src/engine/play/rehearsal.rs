//! The messages and steps of one client without a connection: for benchmarks of what a step costs.

use super::{Answer, Fact, Facts, Fit, Meaning, Play, Received, Task};
use crate::measure::{Shard, Window};
use crate::plan::{ClientPlan, Plan};
use crate::units::{Nanos, Timestamp};

/// How far the clock goes on with each message.
const GAP: Nanos = Nanos(1000);

/// Plays the first client of a plan: nothing is written and no clock is read, but all is booked as in a run.
#[derive(Debug)]
pub struct Rehearsal<'a> {
    client: ClientPlan<'a>,
    play: Play,
    facts: Facts,
    shard: Shard,
    now: Timestamp,
}

impl<'a> Rehearsal<'a> {
    /// Opens its connection; `None` if the plan opens none.
    pub fn new(plan: &'a Plan) -> Option<Self> {
        let opening = plan.openings(0, 1).next()?;
        let mut all = Self {
            client: plan.client(opening.cohort, opening.connection),
            play: Play::new(plan, &opening),
            facts: Facts::default(),
            shard: Shard::new(&plan.layout()),
            now: opening.at,
        };
        let now = all.now;
        all.play.open(all.client, now, now, &mut all.facts);
        all.play.ask();
        all.play.start(now);
        Some(all)
    }

    /// Sends the message that is due next; returns whether there was one.
    pub fn send(&mut self) -> bool {
        self.now = self.now + GAP;
        let now = self.now;
        self.play.run(self.client, now, Some(now), &mut self.facts);
        let end = Timestamp::NEVER;
        let task = (self.play).due(self.client, &mut 0, now, end, &mut self.facts);
        let Some(Task::Send(due)) = task else {
            return false;
        };
        self.play.sent(self.client, &due, now, &mut self.facts);
        self.book();
        true
    }

    /// Receives a message; returns whether something waited for it, and it is as it should be.
    pub fn receive(&mut self, bytes: &[u8]) -> bool {
        let now = self.now;
        let meaning = (self.play).receive(self.client, bytes, None, now, &mut self.facts);
        self.book();
        match meaning {
            Meaning::Answer(Received { answer, fit, .. }) => {
                matches!(answer, Answer::InTime { .. }) && fit != Fit::Wrong
            }
            Meaning::Taken { is_wrong, .. } => !is_wrong,
            Meaning::Nothing => false,
        }
    }

    fn book(&mut self) {
        let cells = &mut self.shard.cohorts[self.client.cohort];
        for Fact { at, what } in self.facts.drain() {
            match at {
                Some(_) => what.book(cells.window(Window::measured(0))),
                None => what.book(&mut cells.whole),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::session::tests::plan;

    #[test]
    fn a_step_is_sent_and_answered_in_its_turn() {
        let plan = plan(
            r#"
            load = { connections = 1, duration = "1s" }
            [[step]]
            name = "ask"
            send = "a"
            expect = "b"
            [[step]]
            name = "push"
            await = "c"
            [[step]]
            name = "end"
            send = "d"
            expect = "none"
            "#,
        );
        let mut rehearsal = Rehearsal::new(&plan).unwrap();
        assert!(rehearsal.send());
        assert!(!rehearsal.send());
        assert!(!rehearsal.receive(b"x"));
        assert!(rehearsal.receive(b"c") && rehearsal.receive(b"b"));
        assert!(rehearsal.send());
        assert!(!rehearsal.send());
    }
}
