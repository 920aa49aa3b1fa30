//! Estimates how much of what was seen the generator may have caused: when it stood still or was late, times become
//! too long, rates too low, and deadlines and connections may be lost although the server kept its part.

use std::borrow::Cow;
use std::time::Duration;

use super::facts::{Facts, is_bare_schedule, is_open_model};
use super::lag::{CUT_NS, Lag, PART_OF_LIMIT, UNSEEN_NS};
use super::observe::{Measure, Observed, value_of};
use super::range::Range;
use super::view::{View, looked_at};
use crate::measure::{GaugeStats, Histogram, Summary, Value};
use crate::metric::{self, Counter, Gauge, Kind, Timer, Unit};
use crate::scenario::{Cohort, Gate, Pacing, Scenario, Selector, Shape, Stat, Subject, Verb};

/// From this part of all its cores on, the generator may limit the run.
pub(super) const BUSY_MEAN: f64 = 0.80;
/// If its CPU limit was used up in this part of the periods or more, the kernel may limit the run.
const THROTTLED: f64 = 0.1;

/// The generator's own problem that may have made a gate fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GeneratorProblem {
    /// Sends were late: counted from the actual send, the gate has the wanted result.
    LateSends,
    /// Its workers stood still.
    Lag,
    /// The kernel gave it less processor time than it needed.
    Throttled,
    /// It used all processor time that was available.
    Busy,
}

/// The generator's state, used to decide whether it may have caused what was seen.
pub(super) struct Generator<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) view: &'a View<'a>,
    /// What tells of the generator itself: the same numbers, or those of one process.
    own: &'a View<'a>,
    pub(super) facts: &'a Facts,
    pub(super) measured: Lag,
    pub(super) whole: Lag,
    pub(super) is_throttled: bool,
    pub(super) is_busy: bool,
}

impl<'a> Generator<'a> {
    pub(super) fn new(scenario: &'a Scenario, view: &'a View<'a>, facts: &'a Facts) -> Self {
        Self::of_one(scenario, view, view, facts)
    }

    /// One process of several, by its `own` numbers and facts; `view` is of all. What it may have caused is estimated as
    /// if it had played all of the load: its lags are not averaged away among the others.
    pub(super) fn of_one(
        scenario: &'a Scenario,
        view: &'a View<'a>,
        own: &'a View<'a>,
        facts: &'a Facts,
    ) -> Self {
        Self {
            scenario,
            view,
            own,
            facts,
            measured: Lag::measured(own, facts),
            whole: Lag::whole(own, facts),
            is_throttled: facts.throttling.is_some_and(|it| it.share() >= THROTTLED),
            is_busy: !is_open_model(scenario)
                && cpu(own).is_some_and(|cpu| cpu.mean >= BUSY_MEAN * facts.cpu_limit()),
        }
    }

    /// The average that wsbench used, in percent of one core.
    pub(super) fn cpu_mean(&self) -> Option<f64> {
        cpu(self.own).map(|cpu| cpu.mean)
    }

    /// The lags in the measured time that a selector looks at.
    fn during(&self, selector: &Selector) -> Cow<'_, Lag> {
        match selector.stage {
            Some(stage) => Cow::Owned(Lag::of_stage(self.scenario, self.own, self.facts, stage)),
            None => Cow::Borrowed(&self.measured),
        }
    }

    /// By how much a time of this length may be too long because of lags.
    pub(super) fn reach(&self, lag: &Lag, seen: f64) -> f64 {
        (lag.longest_ns() + UNSEEN_NS) as f64 + lag.share() * seen
    }

    /// Why the generator alone may have caused the bad result of a gate. `wanted` is whether the gate should hold.
    pub(super) fn own(
        &self,
        gate: &Gate,
        seen: Observed,
        wanted: bool,
    ) -> Option<GeneratorProblem> {
        let holds = |range: Range| range.any(gate, wanted);
        if let Subject::Stat(stat, selector) = &gate.subject
            && let Some(value) = self.if_sent_on_time(*stat, selector)
            && holds(Range::only(value))
        {
            return Some(GeneratorProblem::LateSends);
        }
        let reasons = [
            (GeneratorProblem::Lag, true),
            (GeneratorProblem::Throttled, self.is_throttled),
            (GeneratorProblem::Busy, self.is_busy),
        ];
        let mut reasons = reasons.into_iter().filter(|(_, is_so)| *is_so);
        let found = reasons.find(|(own, _)| holds(self.range(gate, seen, *own)));
        found.map(|(own, _)| own)
    }

    fn range(&self, gate: &Gate, seen: Observed, own: GeneratorProblem) -> Range {
        match &gate.subject {
            Subject::Ratio(above, below) => {
                let (count, of) = (self.count(above), self.count(below));
                let in_time = [
                    Counter::MessagesEchoed,
                    Counter::MessagesAnswered,
                    Counter::AwaitsMet,
                    Counter::TurnsBegun,
                    Counter::DeliveryReceived,
                ];
                let range = match in_time.iter().any(|one| one.name() == above.metric) {
                    true => Range {
                        lo: count,
                        hi: count + self.missed_deadlines(above, own),
                    },
                    false if is_flow(&above.metric) => Range::only(count),
                    false => self.counter(above, count, own),
                };
                range.scaled(1.0 / of.max(1.0))
            }
            Subject::Stat(stat, selector) => {
                let kind = match Gauge::from_name(&selector.metric) {
                    Some(_) => Kind::Gauge,
                    None if seen.measure == Measure::Plain(Unit::Time) => Kind::Histogram,
                    None => Kind::Counter,
                };
                match kind {
                    Kind::Gauge => self.gauge(selector, seen.value, own),
                    Kind::Histogram => self.time(*stat, selector, seen.value, gate.value, own),
                    Kind::Counter => {
                        let count = self.count(selector);
                        let range = self.counter(selector, count, own);
                        range.scaled(if count > 0.0 { seen.value / count } else { 1.0 })
                    }
                }
            }
        }
    }

    /// The times from the actual send, for a message that follows only a schedule. The difference to its latency is
    /// only the generator's lateness.
    fn since_actual_send(&self, selector: &Selector) -> Option<Histogram> {
        let message = selector.metric.strip_prefix("latency.")?;
        let mut cohorts = looked_at(self.scenario, selector);
        if !cohorts.all(|cohort| is_bare_schedule(cohort, message)) {
            return None;
        }
        let service = Selector {
            metric: metric::service(message),
            ..selector.clone()
        };
        Summary::merged(self.view.of(&service))
    }

    /// What a time would be at most if the generator had sent every message on time; `None` if that is not known.
    /// Sends that the server held up could all have had times above it.
    fn if_sent_on_time(&self, stat: Stat, selector: &Selector) -> Option<f64> {
        let times = self.since_actual_send(selector)?;
        let held_up = self.held_up(selector);
        match stat {
            _ if held_up == 0.0 => value_of(stat, &times),
            Stat::Percentile(percent) => {
                let percent = percent + 100.0 * held_up / times.count() as f64;
                let value = (percent <= 100.0).then(|| times.percentile(percent));
                value.flatten().map(|ns| ns as f64)
            }
            _ => None,
        }
    }

    /// How many messages were sent late because the server took no bytes.
    fn held_up(&self, selector: &Selector) -> f64 {
        self.counted(Counter::MessagesHeldUp, selector)
    }

    /// The range in which a time may lie without the generator's lag: at most the longest lag, and the lag's share of
    /// the time, is subtracted; a percentile is lowered only as far as lags can have touched that many samples.
    fn time(
        &self,
        stat: Stat,
        selector: &Selector,
        seen: f64,
        limit: f64,
        own: GeneratorProblem,
    ) -> Range {
        let times = self.since_actual_send(selector);
        let times = (times.filter(|_| self.held_up(selector) == 0.0))
            .or_else(|| Summary::merged(self.view.of(selector)));
        let (Some(times), true) = (times, own <= GeneratorProblem::Throttled) else {
            return Range::only(seen);
        };
        if own == GeneratorProblem::Throttled {
            return Range { lo: 0.0, hi: seen };
        }
        // Handshakes and ends come in bursts, so one lag may touch all of them.
        let (lag, is_spread) = match is_of_connections(&selector.metric) {
            true => (&self.whole, false),
            false => (&*self.during(selector), true),
        };
        let longest = lag.longest_ns();
        if longest == 0 {
            return Range::only(seen);
        }
        let each = times.percentile(50.0).unwrap_or(0) as f64;
        let touched = match is_spread {
            true => lag.touched(limit * PART_OF_LIMIT, each),
            false => 1.0,
        };
        let own_seen = value_of(stat, &times).unwrap_or(seen);
        let reach = self.reach(lag, own_seen);
        let lowest = match stat {
            Stat::Percentile(percent) => {
                let rest = percent - 100.0 * touched;
                let rest = (rest > 0.0).then(|| times.percentile(rest)).flatten();
                rest.unwrap_or(0) as f64
            }
            Stat::Max => 0.0,
            Stat::Mean => own_seen - reach * touched,
            _ if touched >= 1.0 => 0.0,
            _ => own_seen,
        };
        let lo = lowest.max(own_seen - reach).max(0.0);
        // A gap between two events is too short if the first event was seen late.
        let is_gap = [Timer::ReceiveGap, Timer::ServerPingInterval];
        let is_gap = is_gap.iter().any(|timer| timer.name() == selector.metric);
        let hi = if is_gap { seen + longest as f64 } else { seen };
        Range {
            lo: lo.min(seen),
            hi,
        }
    }

    fn counter(&self, selector: &Selector, count: f64, own: GeneratorProblem) -> Range {
        let name = selector.metric.as_str();
        let at_least = |fewer: f64| Range {
            lo: (count - fewer).max(0.0),
            hi: count,
        };
        let arrivals = self.arrivals_in_lags(selector, own);
        if name == Counter::ConnectionsSkipped.name() {
            return at_least(arrivals);
        }
        let begun = [Counter::ConnectionsAttempted, Counter::ConnectionsOpened];
        if arrivals > 0.0 && begun.iter().any(|counter| counter.name() == name) {
            let hi = count + arrivals;
            return Range { lo: count, hi };
        }
        if let (GeneratorProblem::Lag, Some(lost)) = (own, self.lost_of_schedule(selector)) {
            let hi = count + lost;
            return Range { lo: count, hi };
        }
        if is_flow(name) || metric::unit_of(name) == Unit::Time {
            let hi = match own {
                GeneratorProblem::Throttled | GeneratorProblem::Busy
                    if !is_open_model(self.scenario) =>
                {
                    f64::INFINITY
                }
                _ => count / (1.0 - self.during(selector).share()),
            };
            return Range { lo: count, hi };
        }
        let is_deadline = [
            Counter::MessagesTimedOut,
            Counter::MessagesLate,
            Counter::DeliveryLate,
            Counter::PingsMissed,
            Counter::PongsLate,
            Counter::AwaitsTimedOut,
            Counter::TurnsMissed,
        ];
        if is_deadline.iter().any(|counter| counter.name() == name) {
            return at_least(self.missed_deadlines(selector, own));
        }
        if name == Counter::MessagesNotSent.name() && is_open_model(self.scenario) {
            return at_least(count - self.counted(Counter::MessagesNotTaken, selector));
        }
        if metric::tells_of_ends(name) {
            return at_least(self.ends(selector, own));
        }
        Range::only(count)
    }

    /// How many arrivals may have been due during lags: they began late, and may have found no room.
    fn arrivals_in_lags(&self, selector: &Selector, own: GeneratorProblem) -> f64 {
        let Shape::Arrivals { .. } = self.scenario.load.shape else {
            return 0.0;
        };
        let all = [Counter::ConnectionsAttempted, Counter::ConnectionsSkipped];
        let all = all.map(|counter| self.counted(counter, selector));
        let part = match own {
            GeneratorProblem::Lag => self.whole.touched(0.0, 0.0),
            GeneratorProblem::Throttled => 1.0,
            GeneratorProblem::LateSends | GeneratorProblem::Busy => 0.0,
        };
        part * all.iter().sum::<f64>()
    }

    /// How many messages of this kind a lag may have cost where all follow a schedule: it makes them late, and each is
    /// sent or counted as not sent. `None` where it may have changed what was due.
    fn lost_of_schedule(&self, selector: &Selector) -> Option<f64> {
        let not_sent = || {
            self.counted(Counter::MessagesNotSent, selector)
                - self.counted(Counter::MessagesNotTaken, selector)
        };
        let lost = match Counter::from_name(&selector.metric)? {
            Counter::MessagesDue => 0.0,
            Counter::MessagesSent => not_sent(),
            Counter::MessagesEchoed => {
                let timed_out = self.counted(Counter::MessagesTimedOut, selector);
                not_sent() + timed_out.min(self.missed_deadlines(selector, GeneratorProblem::Lag))
            }
            _ => return None,
        };
        // A step is due when what stands before it is done, so a lag delays those behind it.
        let is_scheduled = |cohort: &Cohort| {
            let mut messages = cohort.messages.iter();
            cohort.steps.is_empty()
                && messages.all(|message| matches!(message.pacing, Pacing::Open { .. }))
        };
        let lost_with_it = [Counter::ConnectionsLost, Counter::ConnectionsFailed];
        let were_all_there = !matches!(self.scenario.load.shape, Shape::Arrivals { .. })
            && looked_at(self.scenario, selector).all(is_scheduled)
            && lost_with_it.iter().all(|counter| {
                let of_cohort = Selector {
                    metric: counter.name().to_owned(),
                    cohort: selector.cohort.clone(),
                    stage: None,
                };
                self.ends(&of_cohort, GeneratorProblem::Lag) == 0.0
            });
        were_all_there.then_some(lost)
    }

    /// How many messages, pings, awaits or turns may have missed a deadline, or an answer in time, because of a lag.
    fn missed_deadlines(&self, selector: &Selector, own: GeneratorProblem) -> f64 {
        let (begun, deadlines) = self.deadlines(selector);
        let Some(shortest) = deadlines.into_iter().min() else {
            return 0.0;
        };
        let shortest = shortest.as_nanos() as f64;
        let touched = match own {
            GeneratorProblem::Lag => {
                let lag = self.during(selector);
                lag.touched(shortest * PART_OF_LIMIT, shortest)
            }
            GeneratorProblem::Throttled => 1.0,
            GeneratorProblem::LateSends | GeneratorProblem::Busy => 0.0,
        };
        self.counted(begun, selector) * touched
    }

    /// What a counter of missed deadlines is part of, and all the deadlines.
    fn deadlines(&self, selector: &Selector) -> (Counter, Vec<Duration>) {
        let cohorts = || looked_at(self.scenario, selector);
        match selector.metric.split('.').next().unwrap_or_default() {
            "heartbeat" => {
                let watches = cohorts().filter_map(Cohort::watched);
                let timeouts = watches.map(|(_, watch)| watch.timeout);
                (Counter::PingsSent, timeouts.collect())
            }
            "delivery" => {
                // Those who speak may be of other cohorts than those who hear.
                let published = self.scenario.cohorts.iter().flat_map(Cohort::published);
                let timeouts = published.map(|one| one.timeout);
                (Counter::DeliveryExpected, timeouts.collect())
            }
            "awaits" => {
                let steps = cohorts().flat_map(Cohort::each_step);
                let timeouts = steps.filter_map(|step| match &step.verb {
                    Verb::Await(wait) => Some(wait.timeout),
                    _ => None,
                });
                (Counter::AwaitsBegun, timeouts.collect())
            }
            // A turn has none: any lag may have cost it its place.
            "turns" => (Counter::TurnsDue, vec![Duration::ZERO]),
            _ => {
                let messages = cohorts().flat_map(|cohort| &cohort.messages);
                let steps = cohorts().flat_map(Cohort::each_step);
                let timeouts = steps.filter_map(|step| match &step.verb {
                    Verb::Send(send) => Some(send.timeout),
                    Verb::Http(http) => Some(http.timeout),
                    _ => None,
                });
                let timeouts = timeouts.chain(messages.map(|message| message.timeout));
                (Counter::MessagesSent, timeouts.collect())
            }
        }
    }

    /// The range of a gauge: if lags may have lost connections, the state may be different without them.
    fn gauge(&self, selector: &Selector, seen: f64, own: GeneratorProblem) -> Range {
        let is_state = metric::tells_of_ends(&selector.metric);
        let is_so = match own {
            GeneratorProblem::Lag => self.whole.longest_ns() >= CUT_NS,
            GeneratorProblem::Throttled => true,
            GeneratorProblem::LateSends | GeneratorProblem::Busy => false,
        };
        match is_state && is_so {
            true => Range {
                lo: 0.0,
                hi: f64::INFINITY,
            },
            false => Range::only(seen),
        }
    }

    /// Another counter of the cohorts and the stage of a selector.
    fn counted(&self, counter: Counter, selector: &Selector) -> f64 {
        self.count(&Selector {
            metric: counter.name().to_owned(),
            ..selector.clone()
        })
    }

    pub(super) fn count(&self, selector: &Selector) -> f64 {
        let rows: Vec<_> = self.view.of(selector).collect();
        let times = Summary::merged(rows.iter().copied()).map_or(0, |times| times.count());
        (Summary::sum(rows.into_iter()) + times) as f64
    }
}

/// The processor time that wsbench used, in percent of one core.
pub(super) fn cpu(view: &View<'_>) -> Option<GaugeStats> {
    let mut rows = view.all().select(Gauge::GeneratorCpu.name(), None, None);
    rows.find_map(|row| match row.value {
        Value::Gauge(stats) => Some(stats),
        _ => None,
    })
}

/// Whether this counts events that happen as fast as the generator runs.
fn is_flow(name: &str) -> bool {
    let flows = [
        Counter::MessagesDue,
        Counter::MessagesSent,
        Counter::MessagesReceived,
        Counter::MessagesEchoed,
        Counter::MessagesAnswered,
        Counter::AwaitsBegun,
        Counter::AwaitsMet,
        Counter::TurnsDue,
        Counter::TurnsBegun,
        Counter::PushesReceived,
        Counter::PushesNumbered,
        Counter::DeliveryPublished,
        Counter::DeliveryExpected,
        Counter::DeliveryReceived,
        Counter::PingsSent,
        Counter::PongsReceived,
        Counter::ServerPings,
        Counter::BytesSent,
        Counter::BytesReceived,
    ];
    flows.iter().any(|counter| counter.name() == name)
}

/// Whether this times dials or ends, which cover the whole run.
fn is_of_connections(metric: &str) -> bool {
    let group = metric.split('.').next().unwrap_or_default();
    matches!(group, "handshake" | "reconnect" | "close")
        || metric == Timer::HeartbeatDetection.name()
}
