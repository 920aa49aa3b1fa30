//! Makes up what was judged.

use std::collections::BTreeMap;

use super::super::super::*;
use super::Dice;
use crate::metric::Unit;
use crate::scenario::{Activity, End, Origin, PromiseKind};
use crate::verdict::{
    Against, Bounds, Evidence, Judged, Measure, Observed, Occurred, Standing, Times,
};

impl Dice {
    pub(super) fn verdict(&mut self) -> Judgement {
        Judgement {
            exit: self.of(Exit::ALL),
            gates: self.some(4, Self::gate),
            contracts: self.some(6, Self::contract),
            ends: self.some(3, |dice| CohortEnds {
                cohort: dice.name(),
                connections: u64::MAX,
                ends: BTreeMap::from([(End::CloseFrame, dice.count() >> 8), (End::Fin, 1)]),
                by_client: dice.count() >> 8,
                codes: BTreeMap::from([(1011, dice.count()), (1000, dice.count())]),
                tcp_end: dice.maybe(Self::stats),
            }),
            activity: self.some(3, |dice| ActivityResult {
                cohort: dice.name(),
                frame: dice.of(&[Activity::Ping, Activity::EmptyText]),
                every_ns: dice.maybe(Self::length),
                connections: dice.count(),
                survived: dice.count(),
                closed: dice.maybe(Self::stats),
            }),
            distrust: self.some(3, |dice| DoubtNote {
                kind: dice.text(),
                text: dice.text(),
                hint: dice.maybe(Self::text),
                concerns: dice.texts(),
                whole_run: dice.yes(),
            }),
            warnings: self.some(3, |dice| Note {
                kind: dice.text(),
                text: dice.text(),
                hint: dice.maybe(Self::text),
            }),
        }
    }

    fn gate(&mut self) -> GateResult {
        let measures = [
            Measure::Plain(Unit::Time),
            Measure::Plain(Unit::Count),
            Measure::Plain(Unit::Bytes),
            Measure::Plain(Unit::Percent),
            Measure::PerSecond(Unit::Count),
            Measure::PerSecond(Unit::Bytes),
            Measure::Ratio,
        ];
        let observed = self.maybe(|dice| dice.of(&measures));
        let observed = observed.map(|measure| Observed {
            value: self.value(measure),
            measure,
        });
        GateResult {
            gate: self.text(),
            observed,
            limit: observed.and_then(|seen| self.maybe(|dice| dice.value(seen.measure))),
            passed: self.yes(),
            doubted: self.yes(),
            why: self.text(),
            ended_the_run: self.yes(),
            against: self.maybe(|dice| Against {
                standing: dice.of(&[
                    Standing::Held,
                    Standing::Worse,
                    Standing::Undecided,
                    Standing::NotCompared,
                ]),
                base: dice.maybe(Self::number),
                ratio: dice.maybe(Self::number),
                ratio_lo: dice.maybe(Self::number),
                ratio_hi: dice.maybe(Self::number),
                could_see: dice.maybe(Self::number),
            }),
        }
    }

    fn value(&mut self, measure: Measure) -> f64 {
        match measure {
            Measure::Plain(Unit::Time) => self.ns() as f64,
            _ => self.number(),
        }
    }

    fn contract(&mut self) -> ContractResult {
        ContractResult {
            contract: self.of(&[PromiseKind::BackWithin, PromiseKind::ClosedBetween]),
            cohort: self.name(),
            from: self.maybe(|dice| dice.of(&[Origin::Ping, Origin::LastByte])),
            bounds: self.maybe(|dice| Bounds {
                lo_ns: dice.length(),
                hi_ns: dice.maybe(Self::length),
            }),
            expected: self.text(),
            n: self.count(),
            times: self.maybe(Self::stats),
            passed: self.yes(),
            doubted: self.yes(),
            why: self.text(),
            evidence: Evidence {
                rows: self.some(4, Self::judged),
                more: self.count(),
            },
        }
    }

    fn judged(&mut self) -> Judged {
        let time = self.length();
        Judged {
            connection: self.count() as u32,
            level_ns: self.maybe(Self::length),
            seen: self.of(&[
                Occurred::After(time),
                Occurred::Before,
                Occurred::NotIn(time),
                Occurred::NoOrigin,
                Occurred::CutShort,
            ]),
            held: self.yes(),
        }
    }

    fn stats(&mut self) -> Times {
        Times {
            n: self.count(),
            min_ns: self.length(),
            p50_ns: self.length(),
            p99_ns: self.length(),
            max_ns: self.length(),
        }
    }
}
