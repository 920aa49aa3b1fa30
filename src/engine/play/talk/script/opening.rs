//! The begin and the end of a set-up, before and after its connection is open.

use super::{Scene, Script, Setup, State};
use crate::engine::play::fact::Facts;
use crate::metric::Counter;
use crate::plan::{Operation, Program};
use crate::units::Timestamp;

impl Script {
    /// A connection is open: begins with the set-up, or goes on with it. `begun` is when it was dialled.
    pub(in crate::engine::play) fn open(
        &mut self,
        scene: Scene<'_>,
        begun: Timestamp,
        facts: &mut Facts,
    ) {
        if self.state == State::Dialling {
            (self.state, self.since) = (State::Begin, scene.now);
        } else {
            self.reset(scene, begun, facts);
        }
        self.is_open = true;
        self.arm(scene, facts);
        self.run(scene, facts);
    }

    /// Begins with the set-up before there is a connection.
    pub(in crate::engine::play) fn begin_setup(&mut self, scene: Scene<'_>, facts: &mut Facts) {
        self.reset(scene, scene.now, facts);
        self.is_open = false;
        self.run(scene, facts);
    }

    fn reset(&mut self, scene: Scene<'_>, begun: Timestamp, facts: &mut Facts) {
        (self.at, self.state, self.since) = (0, State::Begin, scene.now);
        (self.begun, self.setup, self.ask) = (begun, Setup::Under, None);
        self.repeats.clear();
        if scene.program.has_setup() {
            facts.count_whole(Counter::SetupBegun);
        }
    }

    /// The load has ended before the set-up was done.
    pub(in crate::engine::play) fn abandon_setup(&mut self, program: &Program, facts: &mut Facts) {
        self.end_setup(Counter::SetupAbandoned, program, facts);
    }

    /// Returns the step at which the set-up was abandoned or failed, if it was.
    pub(in crate::engine::play) fn broken_off<'a>(
        &self,
        program: &'a Program,
    ) -> Option<&'a Operation> {
        let is_over = self.is_open && self.state == State::Over && self.setup == Setup::Over;
        program.get(self.at).filter(|one| is_over && one.is_setup)
    }

    /// The set-up will not be done, if it is not yet.
    pub(super) fn end_setup(&mut self, why: Counter, program: &Program, facts: &mut Facts) {
        if self.setup == Setup::Under {
            self.setup = Setup::Over;
            if program.has_setup() {
                facts.count_whole(why);
            }
        }
    }
}
