//! Makes up what was measured.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::super::super::*;
use super::{COHORTS, Dice};
use crate::measure::{
    Agreed, Border, ConnectionRecord, ConnectionRecords, Encoded, EndedBy, Ending, Endings,
    Fallbacks, GaugeStats, Histogram, Interval, Metric, Open, Own, Part, Phase, Row, State, States,
    TcpEnding, TcpView, Value,
};
use crate::metric::{Cause, Counter, Gauge, Side, Timer, latency};
use crate::units::Timestamp;

impl Dice {
    pub(super) fn summary(&mut self) -> Summary {
        Summary {
            cohorts: COHORTS.map(str::to_owned).into(),
            seconds: self.number(),
            measured_seconds: self.number(),
            metrics: self.some(8, Self::metric),
            totals: self.some(8, Self::metric),
            states: self.some(5, |dice| States {
                cohort: dice.maybe(Self::cohort),
                phase: dice.phase(),
                connecting: dice.gauge(),
                open: dice.gauge(),
                ready: dice.gauge(),
                closing: dice.gauge(),
            }),
            timeline: self.some(5, Self::step),
            intervals: self.intervals(),
            endings: Endings {
                rows: self.some(5, Self::ending),
                more: self.count(),
                examples: self.examples(),
                unexpected: self.texts(),
            },
            records: ConnectionRecords {
                rows: self.some(5, Self::record),
                more: self.count(),
            },
            fallbacks: self.fallbacks(),
            agreed: self.agreed(),
            stops: Default::default(),
            measured_from: None,
            carried: Vec::new(),
            border: self.maybe(|dice| Border {
                open: dice.count(),
                taken: dice.count(),
                left: dice.count(),
            }),
        }
    }

    /// Steps that follow one another, each with all cohorts.
    fn intervals(&mut self) -> Vec<Interval<Encoded>> {
        let mut from = 0;
        let widths = self.some(3, |dice| dice.of(&[1, 2, 300]));
        let step = |width: u64| {
            let first = from;
            from += width;
            let generators = self.some(2, |dice| {
                (dice.of(&["generator", "agent-2"]).into(), dice.own())
            });
            Interval {
                index: first,
                from: Timestamp::ORIGIN + first * Interval::SECOND,
                to: Timestamp::ORIGIN + from * Interval::SECOND,
                phase: self.phase(),
                cohorts: COHORTS.map(|_| self.part()).into(),
                sources: generators.into_iter().collect(),
                target: self.maybe(Self::usage),
            }
        };
        widths.into_iter().map(step).collect()
    }

    fn part(&mut self) -> Part<Encoded> {
        let count = |dice: &mut Self| (dice.of(Counter::ALL).name().into(), dice.count());
        let times = |dice: &mut Self| (dice.of(Timer::ALL).name().into(), dice.encoded());
        Part {
            gauges: self.open(),
            counts: self.some(3, count).into_iter().collect(),
            times: self.some(2, times).into_iter().collect(),
        }
    }

    fn own(&mut self) -> Own<Encoded> {
        Own {
            cpu: self.maybe(Self::length),
            rss: self.maybe(Self::count),
            loop_lag: self.maybe(Self::encoded),
            look_ups: self.maybe(Self::encoded),
        }
    }

    fn encoded(&mut self) -> Encoded {
        Encoded::from(&self.times())
    }

    fn phase(&mut self) -> Phase {
        let stage = Phase::Stage(self.count() as u32);
        let plain = [Phase::RampUp, Phase::WarmUp, Phase::Measure, Phase::Drain];
        match self.yes() {
            true => stage,
            false => self.of(&plain),
        }
    }

    fn gauge(&mut self) -> GaugeStats {
        GaugeStats {
            samples: u64::from(self.count() as u32),
            min: self.number(),
            max: self.number(),
            mean: self.number(),
            last: self.number(),
        }
    }

    /// Counters are small, since they are added up.
    fn metric(&mut self) -> Metric {
        let (name, value) = match self.of(&[0, 1, 2]) {
            0 => {
                let counter = self.of(Counter::ALL).name().to_owned();
                let error = crate::metric::error(self.of(Cause::ALL));
                let name = if self.yes() { counter } else { error };
                (name, Value::Counter(self.count() >> 8))
            }
            1 => {
                let name = self.of(Gauge::ALL).name().to_owned();
                (name, Value::Gauge(self.gauge()))
            }
            _ => {
                let timer = self.of(Timer::ALL).name().to_owned();
                let name = if self.yes() { timer } else { latency("echo") };
                (name, Value::Histogram(Box::new(self.times())))
            }
        };
        Metric {
            name,
            cohort: self.maybe(Self::name),
            stage: self.maybe(|dice| dice.of(&[1, 2])),
            seconds: self.number(),
            value,
        }
    }

    fn open(&mut self) -> Open {
        Open {
            ready: self.count(),
            connecting: self.count(),
            open: self.count(),
            closing: self.count(),
            dead: self.count(),
            pinged: self.count(),
        }
    }

    /// Never empty. May be so full that a float does not hold its sum, and may have held longer times before.
    pub(super) fn times(&mut self) -> Histogram {
        let mut times = Histogram::new();
        for _ in 0..self.of(&[0, 100]) {
            times.record(self.ns());
        }
        times.clear();
        times.record(self.ns());
        for _ in 0..self.of(&[0, 3, 100]) {
            times.record(self.ns());
        }
        for _ in 0..self.of(&[0, 0, 40]) {
            let same = times.clone();
            times.merge(&same);
        }
        times
    }

    pub(in super::super) fn step(&mut self) -> Row {
        Row {
            second: self.count(),
            seconds: self.count(),
            phase: self.phase(),
            cohort: self.cohort(),
            open: self.open(),
            sent: self.count(),
            received: self.count(),
            timed_out: self.count(),
            pings_sent: self.count(),
            pongs_received: self.count(),
            missed: self.count(),
            latency_p50_ns: self.maybe(Self::count),
            latency_p99_ns: self.maybe(Self::count),
            latency_max_ns: self.maybe(Self::count),
            rtt_p99_ns: self.maybe(Self::count),
            lateness_p99_ns: self.maybe(Self::count),
            delivered: self.count(),
        }
    }

    fn ending(&mut self) -> Ending {
        Ending {
            connection: self.count() as u32,
            cohort: self.cohort(),
            opened_ns: self.maybe(Self::when),
            ended_ns: self.maybe(Self::when),
            state: self.of(&[State::Connecting, State::Open, State::Closing, State::Dead]),
            close_code: self.maybe(|dice| dice.count() as u16),
            close_reason: self.text(),
            closed_by: self.maybe(|dice| dice.of(&[Side::Peer, Side::Local])),
            cause: self.of(Cause::ALL),
            detail: self.text(),
            last_received_ns: self.maybe(Self::when),
            last_ping_ns: self.maybe(Self::when),
            last_pong_ns: self.maybe(Self::when),
            pings_missed: self.count() as u32,
            tcp: self.maybe(|dice| TcpView {
                unacked: dice.count() as u32,
                retransmits: dice.count() as u32,
                last_ack_ns: dice.count(),
            }),
            extension: self.maybe(Self::text),
            claimed: self.maybe(|dice| Ipv4Addr::from_bits(dice.count() as u32).into()),
            tls: self.maybe(Self::text),
        }
    }

    fn examples(&mut self) -> BTreeMap<Cause, Vec<String>> {
        let some = self.some(3, |dice| (dice.of(&Cause::ALL[1..]), dice.texts()));
        let mut examples: BTreeMap<_, _> = some.into_iter().collect();
        examples.retain(|cause, texts| *cause != Cause::Completed && !texts.is_empty());
        examples
    }

    fn agreed(&mut self) -> Agreed {
        let mut agreed = Agreed::default();
        for _ in 0..self.of(&[0, 2]) {
            let (what, value) = (self.text(), self.text());
            agreed.add(&what, &value, self.count() >> 8);
        }
        agreed
    }

    fn fallbacks(&mut self) -> Fallbacks {
        let mut fallbacks = Fallbacks::default();
        for _ in 0..self.of(&[0, 2]) {
            let (address, why) = (self.text(), self.text());
            fallbacks.add(&address, self.count() >> 8, &why);
        }
        fallbacks
    }

    fn record(&mut self) -> ConnectionRecord {
        ConnectionRecord {
            connection: self.count() as u32,
            cohort: self.cohort(),
            local_port: self.maybe(|dice| dice.count() as u16),
            level_ns: self.maybe(Self::length),
            opened_ns: self.when(),
            ready_ns: self.maybe(Self::when),
            lost_before_ns: self.maybe(Self::when),
            fault_ns: self.maybe(Self::when),
            fault_end_ns: self.maybe(Self::when),
            unanswered_ping_ns: self.maybe(Self::when),
            last_sent_ns: self.maybe(Self::when),
            first_answer_ns: self.maybe(Self::when),
            pings_ns: self.some(3, Self::when),
            resumed_ns: self.some(3, Self::when),
            dead_ns: self.maybe(Self::when),
            dead_as: self.maybe(|dice| dice.of(Cause::ALL)),
            close_sent_ns: self.maybe(Self::when),
            close_sent_code: self.maybe(|dice| dice.count() as u16),
            close_received_ns: self.maybe(Self::when),
            close_code: self.maybe(|dice| dice.count() as u16),
            close_reason: self.text(),
            frames_after_close: self.count() as u32,
            tcp_end_ns: self.maybe(Self::when),
            tcp_end: self.maybe(|dice| dice.of(&[TcpEnding::Fin, TcpEnding::Rst])),
            probe: self.maybe(|dice| (dice.when(), dice.yes())),
            ended_by: self.of(&[EndedBy::Server, EndedBy::Fault, EndedBy::Plan]),
            cause: self.of(Cause::ALL),
            ended_ns: self.when(),
        }
    }
}
