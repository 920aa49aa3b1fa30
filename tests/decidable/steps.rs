//! When the steps of a possible run are due. Each client is played three times, with a server that answers at once, at
//! the last moment, and never; between the soonest and the latest of these a step may be due at any time.

use std::collections::BTreeMap;
use std::ops::Range;

use wsbench::plan::{ClientPlan, Opening};
use wsbench::scenario::{Cohort, OnFail, Pause, Reconnect, Repeat, Step, Verb};
use wsbench::units::{Nanos, Timestamp};

use super::possible::Run;

/// The most turns of a repeat.
const MOST_TURNS: usize = 2000;

/// A step that may be due.
pub(super) struct Due<'a> {
    pub(super) slot: usize,
    pub(super) step: &'a Step,
    /// When it may be due: from the first of these to the last.
    pub(super) span: Range<Timestamp>,
    /// Whether it can be done before the load ends, when it is due at the soonest.
    pub(super) ends: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Server {
    Quick,
    Slow,
    Mute,
}

/// Nothing comes behind it.
struct Over;

struct Player<'a> {
    client: ClientPlan<'a>,
    server: Server,
    now: Timestamp,
    /// When the awaits that follow begin to listen.
    armed: Timestamp,
    measuring: Timestamp,
    /// When to stop playing, and the end of the load.
    end: Timestamp,
    load_end: Timestamp,
    /// By slot.
    all: BTreeMap<usize, Vec<Once>>,
    /// When the turn was due that is being played, and the gap of such turns, if they follow a schedule.
    turn: Option<(Timestamp, Nanos)>,
}

/// A step that was due.
#[derive(Clone, Copy)]
struct Once {
    due: Timestamp,
    /// Whether it was done before the load ends.
    is_done: bool,
    turn: Option<(Timestamp, Nanos)>,
}

/// How long a client of the cohort takes to be ready.
pub(super) fn setup(client: ClientPlan<'_>) -> Nanos {
    let cohort = client.plan.cohort(client.cohort);
    let mut player = Player::new(client, Server::Quick, Timestamp::ORIGIN);
    let _ = player.play(&cohort.setup, cohort.messages.len());
    player.now.saturating_since(Timestamp::ORIGIN)
}

fn size(steps: &[Step]) -> usize {
    steps.iter().map(|step| 1 + size(step.inside())).sum()
}

impl<'a> Player<'a> {
    fn new(client: ClientPlan<'a>, server: Server, ready: Timestamp) -> Self {
        Self {
            client,
            server,
            now: ready,
            armed: ready,
            measuring: Timestamp::ORIGIN,
            end: Timestamp::NEVER,
            load_end: Timestamp::NEVER,
            all: BTreeMap::new(),
            turn: None,
        }
    }

    fn push(&mut self, slot: usize, due: Timestamp) {
        if due < self.end {
            self.all.entry(slot).or_default().push(Once {
                due,
                is_done: false,
                turn: self.turn,
            });
        }
    }

    fn play(&mut self, steps: &[Step], mut slot: usize) -> Result<(), Over> {
        for step in steps {
            if self.now >= self.end {
                // An await listens since the send before it, even if its turn never comes.
                match &step.verb {
                    Verb::Await(_) => self.push(slot, self.armed),
                    Verb::Pause(_) | Verb::WaitForMeasuring => {}
                    _ => return Err(Over),
                }
                slot += 1;
                continue;
            }
            let before = self.now;
            let played = self.step(step, slot);
            if step.chance < 1.0 {
                if self.server == Server::Quick || played.is_err() {
                    self.now = before;
                }
            } else {
                played?;
            }
            slot += 1 + size(step.inside());
        }
        Ok(())
    }

    fn step(&mut self, step: &Step, slot: usize) -> Result<(), Over> {
        match &step.verb {
            Verb::Send(send) if !send.expects_answer() => {
                self.push(slot, self.now);
                self.armed = self.now;
            }
            Verb::Send(_) | Verb::Http(_) | Verb::Await(_) => {
                let due = match step.verb {
                    Verb::Await(_) => self.armed,
                    _ => self.now,
                };
                self.push(slot, due);
                if !matches!(step.verb, Verb::Await(_)) {
                    self.armed = due;
                }
                if self.server != Server::Quick {
                    self.now = self.now + Nanos::from(step.longest());
                }
                if self.server == Server::Mute && step.on_fail != OnFail::GoOn {
                    return Err(Over);
                }
            }
            Verb::Pause(pause) => {
                let (least, most) = match *pause {
                    Pause::Constant(time) => (time, time),
                    Pause::Even(least, most) => (least, most),
                    Pause::Exponential(mean) => (std::time::Duration::ZERO, mean * Pause::LONGEST),
                };
                self.now = self.now
                    + Nanos::from(match self.server {
                        Server::Quick => least,
                        _ => most,
                    });
            }
            Verb::WaitForMeasuring => self.now = self.now.max(self.measuring),
            Verb::Close { .. } | Verb::Reconnect { .. } => {
                self.push(slot, self.now);
                return Err(Over);
            }
            Verb::Repeat(repeat) => return self.repeat(repeat, slot),
        }
        Ok(())
    }

    fn repeat(&mut self, repeat: &Repeat, slot: usize) -> Result<(), Over> {
        let until = repeat
            .lasts
            .map_or(Timestamp::NEVER, |lasts| self.now + Nanos::from(lasts));
        let mut pacer = repeat.pace.map(|pace| {
            let mut pacer = self.client.turns(slot, pace, self.now);
            pacer.skip_to(self.now);
            pacer
        });
        let count = repeat.count.map_or(MOST_TURNS, |count| count as usize);
        let mut is_last = false;
        for _ in 0..count.min(MOST_TURNS) {
            let mut due = pacer.as_ref().map_or(self.now, |pacer| pacer.next());
            if due >= until {
                if is_last || pacer.is_some() || self.server != Server::Slow {
                    break;
                }
                // An answer that came a moment sooner left time for one more turn.
                due = until.saturating_sub(Nanos(1));
                is_last = true;
            }
            if due >= self.end {
                return Err(Over);
            }
            if let Some(pacer) = &mut pacer {
                pacer.advance();
                self.turn = repeat
                    .pace
                    .map(|pace| (due, Nanos(pace.rate.gap_ns() as u64)));
            }
            let late = self.now;
            self.now = due;
            self.armed = due.max(late);
            let place = self.all.entry(slot).or_default().len();
            self.push(slot, due);
            let played = self.play(&repeat.steps, slot + 1);
            let ends = self.now < self.load_end
                || matches!(repeat.steps.last(), Some(last) if last.expects_answer());
            if played.is_ok()
                && ends
                && self.server == Server::Quick
                && let Some(turn) = self.all.entry(slot).or_default().get_mut(place)
            {
                turn.is_done = true;
            }
            // A turn that fails ends; behind the end of the load, or a close, nothing comes.
            let has_failed = self.server == Server::Mute && self.now < self.end;
            if played.is_err() && !has_failed {
                return Err(Over);
            }
            self.now = self.now.max(late);
        }
        if pacer.is_none() && self.now < until && repeat.count.is_none() && repeat.lasts.is_some() {
            // Turns that take no time go on until then.
            self.now = until;
        }
        self.turn = None;
        self.armed = self.now;
        if repeat.count.is_none() && repeat.lasts.is_none() {
            return Err(Over);
        }
        Ok(())
    }
}

/// Whether its clients may begin their steps again.
fn begins_again(cohort: &Cohort) -> bool {
    let again = |step: &Step| {
        matches!(step.verb, Verb::Reconnect { .. }) || step.on_fail == OnFail::Reconnect
    };
    cohort.reconnect != Reconnect::None || cohort.each_step().any(again)
}

impl Run<'_> {
    /// When the client of a connection has played its steps, if answers come at their last moment.
    pub(super) fn last_step(&self, opening: &Opening) -> Timestamp {
        let client = self.plan.client(opening.cohort, opening.connection);
        let cohort = self.plan.cohort(opening.cohort);
        let mut player = Player::new(client, Server::Slow, opening.at + setup(client));
        player.measuring = self.measuring();
        let _ = player.play(&cohort.steps, cohort.messages.len() + size(&cohort.setup));
        player.now
    }

    /// The steps of a client that is ready then, and that is closed at `end`.
    pub(super) fn steps(
        &self,
        opening: &Opening,
        ready: Timestamp,
        end: Timestamp,
    ) -> Vec<Due<'_>> {
        let client = self.plan.client(opening.cohort, opening.connection);
        let cohort = self.plan.cohort(opening.cohort);
        let steps: Vec<&Step> = cohort.each_step_after_setup().collect();
        let first = cohort.messages.len() + size(&cohort.setup);
        let played = [Server::Quick, Server::Slow, Server::Mute].map(|server| {
            let mut player = Player::new(client, server, ready);
            player.measuring = self.measuring();
            player.load_end = end;
            // A turn is needed to know how much later than it its steps can be, even if it is not due any more.
            player.end = match server {
                Server::Slow => end + Nanos::from_secs(40),
                _ => end,
            };
            let _ = player.play(&cohort.steps, first);
            player.all
        });
        let [quick, others @ ..] = played;
        let again = begins_again(cohort);
        let mut all = Vec::new();
        for (slot, times) in &quick {
            for (index, once) in times.iter().enumerate() {
                let of = |times: &BTreeMap<usize, Vec<Once>>| -> Option<Once> {
                    times.get(slot)?.get(index).copied()
                };
                let slow_times = others[0].get(slot);
                let last = slow_times.and_then(|times| times.last().copied());
                let slow = of(&others[0]).or(last);
                let soonest = of(&others[1]).map_or(once.due, |mute| mute.due.min(once.due));
                let latest = slow.map_or(end, |slow| slow.due.max(once.due));
                let mut push = |span: Range<Timestamp>| {
                    all.push(Due {
                        slot: *slot,
                        step: steps[*slot - first],
                        span,
                        ends: once.is_done,
                    });
                };
                let Some((turn, gap)) = once.turn else {
                    push(soonest..if again { end } else { latest });
                    continue;
                };
                // From the turn on that is due first, and so much later as it can be behind its turn.
                let lead = soonest.max(turn).saturating_since(turn);
                let slow_turn = slow.and_then(|slow| slow.turn);
                let (last, lag) = match slow_turn {
                    Some((turn, _)) => (turn, latest.saturating_since(turn)),
                    None => (turn, latest.saturating_since(turn)),
                };
                let last = if again { end } else { last };
                let mut turn = turn;
                while turn <= last && turn < end {
                    push(turn + lead..turn + lag.max(lead));
                    turn = turn + gap;
                }
            }
        }
        all
    }
}
