//! When the steps of a cohort may be due: each as soon as it can be and as late, whatever the server does in between. A
//! step with a `chance` counts as played and as left out, with all times in between.

use super::due::{Base, Moment, Schedule};
use crate::scenario::{
    Await, Cohort, Expect, Gaps, OnFail, Pause, Reconnect, Repeat, Send, Step, TurnPace, Verb,
};

/// The most turns of a repeat, and the most times in all, that are looked at one by one. Those behind may be due at any
/// time.
const MOST_TURNS: u32 = 200;
const MOST_TIMES: usize = 1000;

const NOT_LATE: (f64, f64) = (0.0, 0.0);

/// A step and when it is due.
pub(super) struct Played<'a> {
    pub(super) step: &'a Step,
    pub(super) due: Schedule,
    /// The shortest time from then until it is done, in nanoseconds; infinite if it never is.
    pub(super) takes: f64,
}

/// When the steps behind the set-up are due, up to this time from when a client is ready, in nanoseconds.
pub(super) fn played(cohort: &Cohort, horizon: f64) -> Vec<Played<'_>> {
    let mut walk = Walk {
        all: Vec::new(),
        horizon,
    };
    let ready = Time {
        base: Base::Once(Moment::READY, Moment::READY),
        shift: (0.0, 0.0),
    };
    walk.steps(&cohort.steps, ready, NOT_LATE);
    let again = |step: &Step| {
        matches!(step.verb, Verb::Reconnect { .. }) || step.on_fail == OnFail::Reconnect
    };
    if cohort.reconnect != Reconnect::None || cohort.each_step().any(again) {
        for one in &mut walk.all {
            one.due = one.due.at_any_time_later();
        }
    }
    walk.all
}

/// The shortest and the longest time of these steps, one after the other, in nanoseconds; `None`: nothing comes behind
/// them.
pub(super) fn length(steps: &[Step]) -> Option<(f64, f64)> {
    Some(Length::of(steps))
        .map(|length| (length.whole, length.longest))
        .filter(|(shortest, _)| shortest.is_finite())
}

/// How long steps take, in nanoseconds.
#[derive(Clone, Copy)]
struct Length {
    /// At least, if none fails; infinite if nothing comes behind them.
    whole: f64,
    /// At least, if one may fail and leave out those behind it.
    shortest: f64,
    /// At most.
    longest: f64,
}

impl Length {
    fn of(steps: &[Step]) -> Self {
        let (mut whole, mut shortest, mut longest) = (0.0, f64::INFINITY, 0.0);
        for step in steps {
            if step.on_fail == OnFail::Skip
                && let Some(fails) = fails_after(&step.verb)
            {
                shortest = f64::min(shortest, whole + fails);
            }
            let (least, most) = match &step.verb {
                Verb::Repeat(repeat) => repeat_length(repeat),
                verb => own_length(verb),
            };
            whole += if step.chance < 1.0 { 0.0 } else { least };
            longest += most;
        }
        Self {
            whole,
            shortest: shortest.min(whole),
            longest,
        }
    }
}

/// The shortest time in which it can fail; `None` if it cannot.
fn fails_after(verb: &Verb) -> Option<f64> {
    let after = |is_looked_at: bool, timeout: std::time::Duration| match is_looked_at {
        true => 0.0,
        false => timeout.as_nanos() as f64,
    };
    match verb {
        Verb::Send(Send {
            expect,
            check,
            save,
            timeout,
            ..
        }) => {
            let looks = check.is_some() || !save.is_empty() || *expect == Expect::Echo;
            Some(after(looks, *timeout))
        }
        Verb::Await(Await {
            check,
            save,
            timeout,
            ..
        }) => Some(after(check.is_some() || !save.is_empty(), *timeout)),
        Verb::Http(_) => Some(0.0),
        _ => None,
    }
}

/// The shortest and the longest time of a step that is no repeat.
fn own_length(verb: &Verb) -> (f64, f64) {
    let ns = |time: std::time::Duration| time.as_nanos() as f64;
    match verb {
        Verb::Send(send) if send.expects_answer() => (0.0, ns(send.timeout)),
        Verb::Http(http) => (0.0, ns(http.timeout)),
        Verb::Await(wait) => (0.0, ns(wait.timeout)),
        Verb::Pause(Pause::Constant(time)) => (ns(*time), ns(*time)),
        Verb::Pause(Pause::Even(least, most)) => (ns(*least), ns(*most)),
        Verb::Pause(Pause::Exponential(mean)) => (0.0, ns(*mean) * f64::from(Pause::LONGEST)),
        Verb::Close { .. } | Verb::Reconnect { .. } => (f64::INFINITY, f64::INFINITY),
        Verb::Send(_) | Verb::WaitForMeasuring | Verb::Repeat(_) => (0.0, 0.0),
    }
}

/// The shortest and the longest time of all turns of a repeat.
fn repeat_length(repeat: &Repeat) -> (f64, f64) {
    let turn = Length::of(&repeat.steps);
    let count = repeat.count.map(f64::from);
    let lasts = repeat.lasts.map(|lasts| lasts.as_nanos() as f64);
    let gap = repeat.pace.map_or(0.0, |pace| pace.rate.gap_ns());
    if turn.whole.is_infinite() {
        return (f64::INFINITY, f64::INFINITY);
    }
    // A turn that takes longer than the gap delays those behind it.
    let each = turn.longest.max(gap);
    let by_count = count.map(|count| {
        let gaps = match repeat.pace {
            Some(TurnPace {
                gaps: Gaps::Constant,
                ..
            }) => (count - 1.0) * gap,
            _ => 0.0,
        };
        let shortest = (count * turn.shortest).max(gaps + turn.shortest);
        (shortest, count * each + gap)
    });
    let by_time = lasts.map(|lasts| {
        let late = if each > gap && gap > 0.0 {
            f64::INFINITY
        } else {
            turn.longest
        };
        let shortest = match repeat.pace {
            // The last turn is due within a gap of the end, if one is due at all.
            Some(TurnPace {
                gaps: Gaps::Constant,
                ..
            }) if lasts >= gap => lasts - gap + turn.shortest,
            Some(_) => 0.0,
            // There is one turn at least, which ends.
            None => lasts.max(turn.shortest),
        };
        (shortest, lasts + late)
    });
    let never = (f64::INFINITY, f64::INFINITY);
    let (a, b) = (by_count.unwrap_or(never), by_time.unwrap_or(never));
    (a.0.min(b.0), a.1.min(b.1))
}

/// A time that is not known exactly: between two moments, or behind each turn of a schedule.
#[derive(Clone, Copy)]
struct Time {
    base: Base,
    /// At least and at most so much later.
    shift: (f64, f64),
}

impl Time {
    fn plus(self, (least, most): (f64, f64)) -> Self {
        Self {
            shift: (self.shift.0 + least, self.shift.1 + most),
            ..self
        }
    }

    fn due(self) -> Schedule {
        Schedule::Step {
            base: self.base,
            shift: self.shift,
            takes: 0.0,
        }
    }

    /// The first and the last moment.
    fn between(self) -> (Moment, Moment) {
        let (least, most) = self.shift;
        match self.base {
            Base::Once(from, to) => (from.plus(least), to.plus(most)),
            Base::Turns { begin, .. } => (begin.0.plus(least), begin.1.plus(f64::INFINITY)),
            Base::LastTurn {
                gap, begin, lasts, ..
            } => (
                begin.0.plus(lasts - gap + least),
                begin.1.plus(lasts + most),
            ),
        }
    }

    /// Not before measuring begins.
    fn measuring(self) -> Self {
        let (from, to) = self.between();
        Self {
            base: Base::Once(from.measuring(), to.measuring()),
            shift: (0.0, 0.0),
        }
    }
}

struct Walk<'a> {
    all: Vec<Played<'a>>,
    horizon: f64,
}

impl<'a> Walk<'a> {
    fn push(&mut self, step: &'a Step, time: Time, takes: f64) {
        self.all.push(Played {
            step,
            due: time.due(),
            takes,
        });
    }

    /// Plays steps that begin at `begin`; whatever is behind the first of them is later by `late`, at least and at most.
    fn steps(&mut self, steps: &'a [Step], begin: Time, late: (f64, f64)) -> Option<Time> {
        let mut time = begin;
        // An await listens from the send before it on.
        let mut armed = begin.plus(late);
        for (index, step) in steps.iter().enumerate() {
            let from = time;
            time = match &step.verb {
                Verb::Send(_) | Verb::Http(_) => {
                    self.push(step, time, 0.0);
                    armed = match index {
                        0 => time.plus(late),
                        _ => time,
                    };
                    time.plus(own_length(&step.verb))
                }
                Verb::Await(_) => {
                    self.push(step, armed, 0.0);
                    time.plus(own_length(&step.verb))
                }
                Verb::Pause(_) => time.plus(own_length(&step.verb)),
                Verb::WaitForMeasuring => time.measuring(),
                Verb::Close { .. } | Verb::Reconnect { .. } => {
                    self.push(step, time, 0.0);
                    match step.chance < 1.0 {
                        true => time,
                        false => return None,
                    }
                }
                Verb::Repeat(repeat) => {
                    let behind = self.repeat(step, repeat, time);
                    armed = behind.unwrap_or(time);
                    match behind {
                        None if step.chance < 1.0 => time,
                        None => return None,
                        Some(behind) => behind,
                    }
                }
            };
            if step.chance < 1.0 {
                // It may be left out.
                let has_base_of_its_own = match &step.verb {
                    Verb::Repeat(repeat) => repeat.pace.is_some(),
                    verb => matches!(verb, Verb::WaitForMeasuring),
                };
                time = match has_base_of_its_own {
                    true => Time {
                        base: Base::Once(from.between().0, time.between().1),
                        shift: (0.0, 0.0),
                    },
                    false => Time {
                        shift: (from.shift.0, time.shift.1),
                        ..from
                    },
                };
            }
            if index == 0 {
                time = time.plus(late);
            }
        }
        Some(time)
    }

    fn repeat(&mut self, step: &'a Step, repeat: &'a Repeat, begin: Time) -> Option<Time> {
        let turn = Length::of(&repeat.steps);
        match repeat.pace {
            Some(pace) => self.paced(step, repeat, pace, begin),
            None => self.turns(step, repeat, begin),
        }
        let (shortest, longest) = repeat_length(repeat);
        if shortest.is_infinite() || turn.whole.is_infinite() {
            return None;
        }
        let Some(pace) = repeat.pace else {
            return Some(begin.plus((shortest, longest)));
        };
        let (from, to) = begin.between();
        let gap = pace.rate.gap_ns();
        let lasts = repeat.lasts.map(|lasts| lasts.as_nanos() as f64);
        Some(match (begin.base, lasts, repeat.count) {
            (Base::Once(..), Some(lasts), None)
                if pace.gaps == Gaps::Constant && lasts >= gap && turn.longest <= gap =>
            {
                Time {
                    base: Base::LastTurn {
                        gap,
                        phase: pace.phase,
                        begin: (from, to),
                        lasts,
                    },
                    shift: (turn.shortest, turn.longest),
                }
            }
            _ => Time {
                base: Base::Once(from.plus(shortest), to.plus(longest)),
                shift: (0.0, 0.0),
            },
        })
    }

    /// Turns on a schedule.
    fn paced(&mut self, step: &'a Step, repeat: &'a Repeat, pace: TurnPace, begin: Time) {
        let turn = Length::of(&repeat.steps);
        let (from, to) = begin.between();
        let gap = pace.rate.gap_ns();
        let lasts = repeat
            .lasts
            .map_or(f64::INFINITY, |lasts| lasts.as_nanos() as f64);
        let most = repeat.count.map_or(f64::INFINITY, f64::from);
        // The turns behind the first `skipped`, at most so many.
        let turns = |skipped: f64, most: f64| Time {
            base: match pace.gaps {
                Gaps::Constant => Base::Turns {
                    gap,
                    phase: pace.phase,
                    begin: (from.plus(skipped * gap), to.plus(skipped * gap)),
                    lasts: lasts - skipped * gap,
                    most,
                },
                Gaps::Poisson => Base::Once(from, to.plus(lasts)),
            },
            shift: NOT_LATE,
        };
        self.push(step, turns(0.0, most), turn.whole);
        if turn.longest <= gap {
            self.steps(&repeat.steps, turns(0.0, most), NOT_LATE);
            return;
        }
        // A turn that is due while the one before lasts begins at its end.
        self.steps(&repeat.steps, turns(0.0, 1.0), NOT_LATE);
        let late = f64::max(turn.shortest - gap, 0.0);
        self.steps(&repeat.steps, turns(1.0, most - 1.0), (late, f64::INFINITY));
    }

    /// Turns one after the other.
    fn turns(&mut self, step: &'a Step, repeat: &'a Repeat, begin: Time) {
        let turn = Length::of(&repeat.steps);
        let lasts = repeat
            .lasts
            .map_or(f64::INFINITY, |lasts| lasts.as_nanos() as f64);
        let count = repeat.count.unwrap_or(u32::MAX);
        let of_turn = |number: u32| {
            let number = f64::from(number);
            let latest = if number > 0.0 {
                number * turn.longest
            } else {
                0.0
            };
            (number * turn.shortest, latest.min(lasts))
        };
        for number in 0..count {
            let (soonest, mut latest) = of_turn(number);
            let is_over = soonest >= lasts || begin.shift.0 + soonest >= self.horizon;
            if number > 0 && is_over {
                return;
            }
            let before = of_turn(number.saturating_sub(1)).1;
            let is_any = number > 0 && soonest <= before
                || number == MOST_TURNS
                || self.all.len() > MOST_TIMES;
            if is_any {
                // From here on a turn may begin at any time.
                latest = match repeat.count {
                    Some(count) => of_turn(count - 1).1,
                    None => lasts,
                };
            }
            let time = begin.plus((soonest, latest));
            self.push(step, time, turn.whole);
            self.steps(&repeat.steps, time, NOT_LATE);
            if is_any || turn.shortest.is_infinite() {
                return;
            }
        }
    }
}
