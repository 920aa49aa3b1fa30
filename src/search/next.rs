//! What to try next: doubling, bisection, another try of what only just broke, and confirmation of what held.

use std::collections::BTreeMap;

use super::found::{Bound, End, Found};
use super::outcome::Outcome;
use super::plan::{MAX_PROBES, Plan};

/// How many tries decide a value that does not clearly hold or break; the greater number wins.
const TRIES: usize = 3;
/// The greater number of them.
const MOST: usize = 2;
/// How many values may hold once and not again before the search gives up.
const FALLS: usize = 5;

/// One probe that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Its value.
    pub value: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// What a search does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It tries this value.
    Probe(u64),
    /// It has ended.
    Done(Found),
}

/// What all tries of one value say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Held,
    /// It held so often that it counts.
    Confirmed,
    Broke,
    Generator,
    Nothing,
    /// It takes another try.
    Open,
}

/// The tries of one value.
#[derive(Debug, Clone, Copy, Default)]
struct Tries {
    held: usize,
    broke: usize,
    near: usize,
    generator: usize,
    nothing: usize,
}

impl Tries {
    fn add(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Held => &mut self.held,
            Outcome::Broke => &mut self.broke,
            Outcome::Near => &mut self.near,
            Outcome::Generator => &mut self.generator,
            Outcome::Nothing => &mut self.nothing,
        } += 1;
    }

    fn status(self) -> Status {
        let against = self.broke + self.near;
        let all = self.held + against + self.generator + self.nothing;
        match self {
            _ if self.held >= MOST => Status::Confirmed,
            _ if against >= MOST => Status::Broke,
            // What clearly broke at once is not tried again.
            Self { held: 0, .. } if self.broke > 0 => Status::Broke,
            _ if self.held > 0 && self.held == all => Status::Held,
            _ if self.held + self.near > 0 && all < TRIES => Status::Open,
            _ if against > 0 => Status::Broke,
            _ if self.generator > 0 => Status::Generator,
            _ => Status::Nothing,
        }
    }

    /// Whether it held at first, and then did not.
    fn fell(self) -> bool {
        self.held > 0 && self.status() == Status::Broke
    }
}

/// What is known of all values.
struct Known {
    tries: BTreeMap<u64, Tries>,
    /// The least value that did not hold, and why.
    hi: Option<(u64, Bound)>,
    /// The largest value below that held, and whether it is confirmed.
    lo: Option<(u64, bool)>,
}

impl Known {
    fn of(probes: &[Probe]) -> Self {
        let mut tries: BTreeMap<u64, Tries> = BTreeMap::new();
        for probe in probes {
            tries.entry(probe.value).or_default().add(probe.outcome);
        }
        let hi = tries.iter().find_map(|(value, tries)| {
            let bound = match tries.status() {
                Status::Broke | Status::Nothing => Bound::Broke(*value),
                Status::Generator => Bound::Generator(*value),
                Status::Held | Status::Confirmed | Status::Open => return None,
            };
            Some((*value, bound))
        });
        let below = tries.range(..hi.map_or(u64::MAX, |(value, _)| value));
        let lo = below.rev().find_map(|(value, tries)| match tries.status() {
            Status::Held => Some((*value, false)),
            Status::Confirmed => Some((*value, true)),
            _ => None,
        });
        Self { tries, hi, lo }
    }

    fn open(&self) -> Option<u64> {
        let mut tries = self.tries.iter();
        let open = tries.find(|(_, tries)| tries.status() == Status::Open);
        open.map(|(value, _)| *value)
    }

    /// A value without a verdict, where none below it held: nothing can be said of the server then.
    fn is_untellable(&self) -> bool {
        let is_nothing = |value| self.tries[&value].status() == Status::Nothing;
        self.lo.is_none() && self.hi.is_some_and(|(value, _)| is_nothing(value))
    }

    /// A value that held above one that broke: the larger, the smaller.
    fn not_monotone(&self) -> Option<(u64, u64)> {
        let with = |wanted: &[Status]| {
            let tries = self.tries.iter();
            let tries = tries.filter(|(_, tries)| wanted.contains(&tries.status()));
            tries.map(|(value, _)| *value).collect::<Vec<_>>()
        };
        let broke = *with(&[Status::Broke]).first()?;
        let held = *with(&[Status::Held, Status::Confirmed]).last()?;
        (held > broke).then_some((held, broke))
    }

    fn found(&self, end: End) -> Found {
        Found {
            most: self.lo.map(|(value, _)| value),
            is_confirmed: self.lo.is_some_and(|(_, confirmed)| confirmed),
            bound: self.hi.map_or(Bound::None, |(_, bound)| bound),
            not_monotone: self.not_monotone(),
            end,
        }
    }
}

/// What a search with this plan does after these probes, which come in the order in which they ended.
pub fn next(plan: &Plan, probes: &[Probe]) -> Step {
    let known = Known::of(probes);
    let done = |end| Step::Done(known.found(end));
    if known.is_untellable() {
        return done(End::NoVerdict);
    }
    if probes.len() >= MAX_PROBES {
        return done(End::TooMany);
    }
    if let Some(value) = known.open() {
        return Step::Probe(value);
    }
    let to_try = match (known.lo, known.hi) {
        (None, None) => Some(plan.from()),
        (None, Some((1, _))) => return done(End::Found),
        (None, Some((hi, _))) => Some((hi / 2).max(1)),
        (Some((lo, _)), None) if lo >= plan.to() => None,
        (Some((lo, _)), None) => Some(plan.doubled(lo)),
        (Some((lo, _)), Some((hi, _))) => plan.between(lo, hi),
    };
    if let Some(value) = to_try {
        return Step::Probe(value);
    }
    let falls = known.tries.values().filter(|tries| tries.fell()).count();
    match known.lo {
        Some((lo, false)) if falls < FALLS => Step::Probe(lo),
        Some((_, false)) => done(End::Unsteady),
        _ => done(End::Found),
    }
}

/// What is known after these probes, where the search ends for another reason.
pub fn so_far(probes: &[Probe], end: End) -> Found {
    Known::of(probes).found(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OUTCOMES: [Outcome; 5] = [
        Outcome::Held,
        Outcome::Broke,
        Outcome::Near,
        Outcome::Generator,
        Outcome::Nothing,
    ];

    /// Searches with an oracle, which is given a value and how many probes there were.
    fn search(plan: &Plan, mut oracle: impl FnMut(u64, usize) -> Outcome) -> (Vec<Probe>, Found) {
        let mut probes = Vec::new();
        loop {
            match next(plan, &probes) {
                Step::Done(found) => return (probes, found),
                Step::Probe(value) => {
                    let outcome = oracle(value, probes.len());
                    probes.push(Probe { value, outcome });
                }
            }
            assert!(probes.len() <= MAX_PROBES, "{probes:?}");
        }
    }

    fn values(probes: &[Probe]) -> Vec<u64> {
        probes.iter().map(|probe| probe.value).collect()
    }

    fn plan(from: u64, to: u64) -> Plan {
        Plan::new(from, to, 0.05, None).unwrap()
    }

    #[test]
    fn doubles_bisects_and_confirms() {
        let admits = |most| {
            move |value, _| {
                if value <= most {
                    Outcome::Held
                } else {
                    Outcome::Broke
                }
            }
        };
        let (probes, found) = search(&plan(100, 20_000), admits(700));
        let expected = [100, 200, 400, 800, 570, 680, 740, 710, 680];
        assert_eq!(values(&probes), expected);
        assert_eq!((found.most, found.is_confirmed), (Some(680), true));
        assert_eq!(found.bound, Bound::Broke(710));

        let (probes, found) = search(&plan(100, 300), admits(700));
        assert_eq!(values(&probes), [100, 200, 300, 300]);
        assert_eq!((found.most, found.bound), (Some(300), Bound::None));

        let (probes, found) = search(&plan(100, 300), admits(0));
        assert_eq!(values(&probes), [100, 50, 25, 12, 6, 3, 1]);
        assert_eq!((found.most, found.end), (None, End::Found));
    }

    #[test]
    fn only_what_nearly_held_is_tried_again() {
        let mut tries = 0;
        let (probes, found) = search(&plan(100, 200), |value, _| match value {
            200 => {
                tries += 1;
                [Outcome::Near, Outcome::Held, Outcome::Held][tries - 1]
            }
            _ => Outcome::Held,
        });
        assert_eq!(values(&probes), [100, 200, 200, 200]);
        assert_eq!((found.most, found.is_confirmed), (Some(200), true));
    }

    #[test]
    fn what_held_once_and_not_again_is_not_the_result() {
        let mut seen = BTreeMap::new();
        let (_, found) = search(&plan(100, 400), |value, _| {
            let tries = seen.entry(value).or_insert(0);
            *tries += 1;
            match value {
                400 if *tries > 1 => Outcome::Broke,
                201..=399 => Outcome::Broke,
                _ => Outcome::Held,
            }
        });
        assert_eq!((found.most, found.is_confirmed), (Some(200), true));
        assert!(matches!(found.bound, Bound::Broke(201..=210)), "{found:?}");
    }

    #[test]
    fn the_generator_bounds_the_search_and_says_nothing_of_the_server() {
        let (_, found) = search(&plan(100, 20_000), |value, _| match value {
            0..=6_400 => Outcome::Held,
            _ => Outcome::Generator,
        });
        assert_eq!(found.most, Some(6_400));
        assert!(
            matches!(found.bound, Bound::Generator(6_401..=6_720)),
            "{found:?}"
        );
    }

    #[test]
    fn nothing_above_what_held_is_a_break_and_below_it_the_end() {
        let (_, found) = search(&plan(100, 20_000), |value, _| match value {
            0..=200 => Outcome::Held,
            _ => Outcome::Nothing,
        });
        assert_eq!((found.most, found.end), (Some(200), End::Found));
        let (probes, found) = search(&plan(100, 20_000), |_, _| Outcome::Nothing);
        assert_eq!((probes.len(), found.end), (1, End::NoVerdict));
    }

    #[test]
    fn what_held_above_what_broke_is_told_and_not_the_result() {
        let probes = [
            (100, true),
            (400, false),
            (800, true),
            (800, true),
            (400, false),
        ];
        let probes = probes.map(|(value, held)| Probe {
            value,
            outcome: if held { Outcome::Held } else { Outcome::Broke },
        });
        let found = so_far(&probes, End::Budget);
        assert_eq!((found.most, found.is_confirmed), (Some(100), false));
        assert_eq!(found.not_monotone, Some((800, 400)));
    }

    proptest! {
        #[test]
        fn any_oracle_comes_to_an_end(
            from in 1u64..5_000, span in 0u64..20_000_000, precision in 0.0f64..2.0,
            answers in prop::collection::vec(prop::sample::select(OUTCOMES.to_vec()), MAX_PROBES),
        ) {
            let plan = Plan::new(from, from + span, precision, None).unwrap();
            let (probes, _) = search(&plan, |_, turn| answers[turn]);
            prop_assert!(probes.len() <= MAX_PROBES);
            let within = |probe: &Probe| (1..=plan.to()).contains(&probe.value);
            prop_assert!(probes.iter().all(within), "{:?}", probes);
        }

        #[test]
        fn the_step_of_a_monotone_oracle_is_found(
            from in 1u64..5_000, to in 5_000u64..10_000_000, at in 0.0f64..1.2, is_ours: bool,
        ) {
            let plan = plan(from, to);
            let step = (to as f64).powf(at) as u64;
            let above = if is_ours { Outcome::Generator } else { Outcome::Broke };
            let (_, found) = search(&plan, |value, _| if value < step { Outcome::Held } else { above });
            prop_assert_eq!(found.end, End::Found);
            prop_assert_eq!(found.not_monotone, None);
            if step <= 1 {
                prop_assert_eq!(found.most, None);
                return Ok(());
            }
            let most = found.most.unwrap();
            prop_assert!(found.is_confirmed && most < step);
            match found.bound {
                Bound::None => prop_assert!(most == to && step > to),
                Bound::Broke(hi) | Bound::Generator(hi) => {
                    prop_assert!(hi >= step);
                    prop_assert!(hi == most + 1 || hi as f64 / most as f64 <= 1.05);
                }
            }
        }
    }
}
