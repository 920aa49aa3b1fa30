//! The place of a client in the program of its cohort: what it does next, and what it waits for. Pure: told the time and
//! what came, says what to send and when to wake it.

mod opening;
mod state;

use self::state::{Setup, State};
use super::armed::{Armed, Outcome};
use super::dice::Dice;
use super::turns::{Next, Running};
use crate::engine::play::fact::{Facts, Move};
use crate::metric::{Cause, Counter, Timer};
use crate::plan::{ClientPlan, Operation, Program, What};
use crate::scenario::OnFail;
use crate::units::{Nanos, Timestamp};

/// The most operations in one go: a program that never waits gives others their turn.
const AT_ONCE: usize = 256;

/// The place of a client in its program, and what it waits for there.
#[derive(Debug)]
pub(in crate::engine::play) struct Script {
    /// The index of the operation.
    at: usize,
    state: State,
    /// When what stands before was done: what follows is due then.
    since: Timestamp,
    /// The repeats it is in, the innermost last.
    repeats: Vec<Running>,
    armed: Vec<Armed>,
    dice: Dice,
    /// Whether there is a connection.
    is_open: bool,
    /// When the set-up began.
    begun: Timestamp,
    setup: Setup,
    ask: Option<Ask>,
}

/// What a client asks of its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) enum Ask {
    /// It is ready: its messages begin.
    Ready,
    /// To close it: a planned end.
    Close { code: u16, reason: String },
    /// To close it, and to dial again after this time.
    Reconnect { after: Nanos },
    /// To close it, because a step failed; `redials`: to dial again as after a loss.
    Fail {
        cause: Cause,
        detail: String,
        redials: bool,
    },
}

/// What a script looks at.
#[derive(Clone, Copy)]
pub(in crate::engine::play) struct Scene<'a> {
    pub(in crate::engine::play) client: ClientPlan<'a>,
    pub(in crate::engine::play) program: &'a Program,
    pub(in crate::engine::play) now: Timestamp,
    /// When measuring starts, if that is known.
    pub(in crate::engine::play) measure_from: Option<Timestamp>,
}

impl<'a> Scene<'a> {
    fn operation(&self, at: usize) -> Option<&'a Operation> {
        self.program.get(at)
    }
}

impl Script {
    pub(super) fn new(dice: Dice) -> Self {
        Self {
            at: 0,
            state: State::Over,
            since: Timestamp::ORIGIN,
            repeats: Vec::new(),
            armed: Vec::new(),
            dice,
            is_open: false,
            begun: Timestamp::ORIGIN,
            setup: Setup::Over,
            ask: None,
        }
    }

    /// Does what can be done now.
    pub(in crate::engine::play) fn run(&mut self, scene: Scene<'_>, facts: &mut Facts) {
        for _ in 0..AT_ONCE {
            if !self.step(scene, facts) {
                return;
            }
        }
    }

    /// Does one thing; returns whether there may be more to do now.
    fn step(&mut self, scene: Scene<'_>, facts: &mut Facts) -> bool {
        if self.state == State::Over || self.ask.is_some() {
            return false;
        }
        let Some(operation) = scene.operation(self.at) else {
            self.state = State::Over;
            return false;
        };
        match self.state {
            State::Over | State::Due | State::Dialling | State::Answering => false,
            State::Begin => self.begin(operation, scene, facts),
            State::Awaiting(until) => self.look(operation, until, scene, facts),
            State::Until(time) if scene.now >= time => self.done(time),
            State::TurnAt(due) if scene.now >= due => self.turn(operation, due, scene, facts),
            State::Until(_) | State::TurnAt(_) => false,
            State::Measuring => match scene.measure_from {
                Some(from) if scene.now >= from => self.done(self.since.max(from)),
                _ => false,
            },
        }
    }

    /// What had its turn is done since then: the next one has it.
    fn done(&mut self, since: Timestamp) -> bool {
        self.since = since;
        self.at += 1;
        self.state = State::Begin;
        true
    }

    fn begin(&mut self, operation: &Operation, scene: Scene<'_>, facts: &mut Facts) -> bool {
        if !self.is_open && !matches!(operation.what, What::Http(_)) {
            self.state = State::Dialling;
            return false;
        }
        let is_chance = operation.chance < 1.0 && !matches!(operation.what, What::Await(_));
        let is_repeat = matches!(operation.what, What::Again { .. } | What::Turn(_));
        if is_chance && !is_repeat && !self.dice.falls(operation.slot, operation.chance) {
            return self.done(self.since);
        }
        match &operation.what {
            // Was sent before the first dial.
            What::Http(http) if http.once => self.done(self.since),
            What::Http(_) | What::Send(_) => {
                self.state = State::Due;
                false
            }
            What::Await(wait) => {
                let timeout = Nanos::from(wait.timeout);
                self.state = State::Awaiting(scene.now.saturating_add(timeout));
                true
            }
            What::Pause(pause) => {
                let length = self.dice.pause(operation.slot, *pause);
                self.state = State::Until(self.since.saturating_add(length));
                true
            }
            What::Turn(turns) => {
                let depth = turns.depth;
                if self.repeats.len() == depth {
                    if is_chance && !self.dice.falls(operation.slot, operation.chance) {
                        return self.leave(turns.end, scene, facts);
                    }
                    let running = Running::new(turns, operation.slot, scene.client, self.since);
                    self.repeats.push(running);
                }
                match self.repeats[depth].next(self.since) {
                    Next::Over => {
                        self.repeats.truncate(depth);
                        return self.leave(turns.end, scene, facts);
                    }
                    Next::Now => return self.turn(operation, self.since, scene, facts),
                    Next::At(due) => self.state = State::TurnAt(due),
                }
                true
            }
            What::Again { start } => {
                if let Some(running) = self.repeats.last()
                    && operation.is_named
                    && !running.has_failed
                {
                    let took = self.since.max(scene.now).saturating_since(running.due);
                    let at = (!operation.is_setup).then_some(running.due);
                    facts.lasted(operation.slot, took, at);
                }
                self.at = *start;
                true
            }
            What::WaitForMeasuring => {
                self.state = State::Measuring;
                true
            }
            What::Ready => {
                self.setup = Setup::Done;
                self.ask = Some(Ask::Ready);
                if scene.program.has_setup() {
                    facts.count_whole(Counter::SetupReady);
                    facts.took(Timer::SetupDuration, scene.now.saturating_since(self.begun));
                }
                self.done(scene.now);
                false
            }
            What::Close { code, reason } => {
                self.ask = Some(Ask::Close {
                    code: *code,
                    reason: reason.clone(),
                });
                self.abandon(scene, facts);
                false
            }
            What::Reconnect { after } => {
                self.ask = Some(Ask::Reconnect { after: *after });
                self.abandon(scene, facts);
                false
            }
        }
    }

    /// Goes on behind a repeat.
    fn leave(&mut self, end: usize, scene: Scene<'_>, facts: &mut Facts) -> bool {
        self.at = end;
        self.state = State::Begin;
        self.arm(scene, facts);
        true
    }

    /// Begins a turn that is due since `due`.
    fn turn(
        &mut self,
        operation: &Operation,
        due: Timestamp,
        scene: Scene<'_>,
        facts: &mut Facts,
    ) -> bool {
        if let Some(running) = self.repeats.last_mut() {
            running.begin(due);
            if running.is_paced() && !operation.is_setup {
                facts.count(Counter::TurnsDue, due);
                facts.count(Counter::TurnsBegun, due);
            }
        }
        self.done(due);
        self.arm(scene, facts);
        true
    }

    /// Arms the awaits from here to the next send, or to the end of the turn.
    fn arm(&mut self, scene: Scene<'_>, facts: &mut Facts) {
        for (at, operation) in scene.program.until_send(self.at) {
            let What::Await(wait) = &operation.what else {
                continue;
            };
            if self.armed.iter().any(|armed| armed.at == at) {
                continue;
            }
            let falls = self.dice.falls(operation.slot, operation.chance);
            if falls && !operation.is_setup {
                facts.count(Counter::AwaitsBegun, scene.now);
            }
            if falls && !wait.joins.is_empty() {
                facts.moves.push(Move::Armed(operation.slot));
            }
            self.armed.push(Armed {
                at,
                since: scene.now,
                left: wait.times,
                outcome: if falls {
                    Outcome::Waiting
                } else {
                    Outcome::Skipped
                },
            });
        }
    }

    /// Looks at what became of the await that has its turn.
    fn look(
        &mut self,
        operation: &Operation,
        until: Timestamp,
        scene: Scene<'_>,
        facts: &mut Facts,
    ) -> bool {
        let Some(place) = self.armed.iter().position(|armed| armed.at == self.at) else {
            return self.done(self.since);
        };
        match self.armed[place].outcome {
            Outcome::Waiting if scene.now < until => false,
            Outcome::Waiting => {
                let armed = self.armed.remove(place);
                if !operation.is_setup {
                    facts.count(Counter::AwaitsTimedOut, armed.since);
                }
                let name = scene.client.slot_name(operation.slot);
                self.fail(
                    operation,
                    format!("`{name}`: nothing came in time"),
                    scene,
                    facts,
                )
            }
            Outcome::Skipped => {
                self.armed.remove(place);
                self.done(self.since)
            }
            Outcome::Met(at) => {
                self.armed.remove(place);
                self.done(self.since.max(at))
            }
            Outcome::Wrong(_) => {
                let armed = self.armed.remove(place);
                let Outcome::Wrong(detail) = armed.outcome else {
                    return true;
                };
                self.fail(operation, detail, scene, facts)
            }
        }
    }

    /// A step failed: what follows is what its `on_fail` says. Returns true.
    fn fail(
        &mut self,
        operation: &Operation,
        detail: String,
        scene: Scene<'_>,
        facts: &mut Facts,
    ) -> bool {
        self.since = self.since.max(scene.now);
        let redials = match operation.on_fail {
            OnFail::GoOn => return self.done(self.since),
            OnFail::Skip => {
                if let Some(running) = self.repeats.last_mut() {
                    running.has_failed = true;
                }
                self.drop_armed(Counter::AwaitsAbandoned, scene.program, facts);
                self.at = operation.skip_to;
                self.state = State::Begin;
                return true;
            }
            OnFail::Close => false,
            OnFail::Reconnect => true,
        };
        let cause = match operation.is_setup {
            true => Cause::SetupFailed,
            false => Cause::StepFailed,
        };
        self.end_setup(Counter::SetupFailed, scene.program, facts);
        self.ask = Some(Ask::Fail {
            cause,
            detail,
            redials,
        });
        self.abandon(scene, facts);
        true
    }

    /// The message that is due was sent.
    pub(in crate::engine::play) fn sent(&mut self, scene: Scene<'_>, facts: &mut Facts) {
        let Some(operation) = scene.operation(self.at) else {
            return;
        };
        let is_answered = operation.is_answered();
        if let Some(send) = operation.send()
            && !(send.joins.is_empty() && send.leaves.is_empty())
        {
            facts.moves.push(Move::Sent {
                slot: operation.slot,
                is_answered,
            });
        }
        if self.is_open {
            let at = self.at;
            self.at += 1;
            self.arm(scene, facts);
            self.at = at;
        }
        if is_answered {
            self.state = State::Answering;
        } else {
            self.done(self.since.max(scene.now));
            self.run(scene, facts);
        }
    }

    /// The answer to the message that was sent came: `wrong` says what is wrong with it.
    pub(in crate::engine::play) fn answered(
        &mut self,
        wrong: Option<String>,
        scene: Scene<'_>,
        facts: &mut Facts,
    ) {
        let Some(operation) = scene.operation(self.at).filter(|_| self.is_answering()) else {
            return;
        };
        match wrong {
            None => {
                if operation.send().is_some_and(|send| !send.joins.is_empty()) {
                    facts.moves.push(Move::Done(operation.slot));
                }
                self.done(scene.now)
            }
            Some(detail) => self.fail(operation, detail, scene, facts),
        };
        self.run(scene, facts);
    }

    /// The message that is due could not be sent in time.
    pub(in crate::engine::play) fn unsent(&mut self, scene: Scene<'_>, facts: &mut Facts) {
        if let Some((operation, _)) = self.due(scene.program) {
            let name = scene.client.slot_name(operation.slot);
            let detail = format!("`{name}`: it could not be sent in time");
            self.fail(operation, detail, scene, facts);
            self.run(scene, facts);
        }
    }

    /// The answer to the message that was sent did not come in time.
    pub(in crate::engine::play) fn unanswered(
        &mut self,
        what: &str,
        scene: Scene<'_>,
        facts: &mut Facts,
    ) {
        let name = self
            .answering(scene.program)
            .map(|one| scene.client.slot_name(one.slot));
        if let Some(name) = name {
            self.answered(Some(format!("`{name}`: {what}")), scene, facts);
        }
    }

    /// Nothing new is due any more: the end of the load has come.
    pub(in crate::engine::play) fn stop(
        &mut self,
        stop: Timestamp,
        scene: Scene<'_>,
        facts: &mut Facts,
    ) {
        self.end_setup(Counter::SetupAbandoned, scene.program, facts);
        for running in &mut self.repeats {
            running.miss(stop, facts);
        }
        // The answer to a step is waited for. That of a set-up would begin nothing.
        if self.state != State::Answering || !self.is_ready() {
            self.state = State::Over;
        }
        self.drop_armed(Counter::AwaitsAbandoned, scene.program, facts);
    }

    /// The connection is gone.
    pub(in crate::engine::play) fn lose(&mut self, program: &Program, facts: &mut Facts) {
        self.end_setup(Counter::SetupLost, program, facts);
        self.state = State::Over;
        self.is_open = false;
        self.repeats.clear();
        self.drop_armed(Counter::AwaitsLost, program, facts);
    }

    fn abandon(&mut self, scene: Scene<'_>, facts: &mut Facts) {
        self.state = State::Over;
        self.drop_armed(Counter::AwaitsAbandoned, scene.program, facts);
    }

    /// Forgets what it waits for, and counts it.
    fn drop_armed(&mut self, why: Counter, program: &Program, facts: &mut Facts) {
        for armed in self.armed.drain(..) {
            let is_setup = program.get(armed.at).is_none_or(|one| one.is_setup);
            if armed.outcome == Outcome::Waiting && !is_setup {
                facts.count(why, armed.since);
            }
        }
    }
}
