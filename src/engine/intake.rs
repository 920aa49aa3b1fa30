//! Takes in the shards of a run, from threads or from elsewhere: merges them, adds them up, and reports each second.

use std::time::Duration;

use tracing::info;

use super::merging::Merging;
use super::observer::{Closed, Observer, Second};
use super::phases::Phases;
use super::worker::INTERVAL;
use crate::measure::{Collector, InPhases, Phase, Progress, Sample, Shard, Summary, Troubles};
use crate::metric::Gauge;
use crate::plan::{Plan, Share};
use crate::scenario::{Cohort, Secrets, Shape};
use crate::units::Timestamp;

/// What a run has told so far.
pub(super) struct Intake {
    pub(super) merging: Merging,
    collector: Collector,
    /// The phase of the last second.
    phase: Option<Phase>,
    /// What went wrong so far.
    troubles: Troubles,
    /// What is masked in texts of servers before the observer is shown any.
    secrets: Secrets,
    /// Whether the observer is shown shards.
    shows_shards: bool,
    /// All closed reports together; `None` before the first.
    whole: Option<Collector>,
    /// Whether the observer is told what happens to single clients.
    tells: bool,
    /// How many reports are closed.
    closed: u64,
    /// How many tell.
    sources: usize,
    /// How many connections are planned to be open at once, if that is known.
    together: Option<u64>,
}

impl Intake {
    /// Prepares for shards from so many sources, which play this share of the plan.
    pub(super) fn new(plan: &Plan, sources: usize, share: Share) -> Self {
        let layout = plan.layout();
        let cohorts = plan.scenario.cohorts.iter();
        let states = Gauge::Open.name();
        let looked_at = cohorts.map(|cohort| cohort.is_looked_at(states)).collect();
        // Without end the steps over time begin narrow, and grow.
        let (is_endless, length) = match plan.windows().are_endless() {
            true => (true, Duration::ZERO),
            false => (false, plan.length().into()),
        };
        let collector = Collector::new(layout.clone())
            .planned(length, looked_at)
            .asking(
                plan.scenario
                    .cohorts
                    .iter()
                    .map(Cohort::awaits_all)
                    .collect(),
            )
            .of_workers(sources);
        Self {
            merging: Merging::new(&layout, sources),
            collector: match is_endless {
                true => collector.endless(),
                false => collector,
            },
            phase: None,
            troubles: Troubles::default(),
            secrets: plan.scenario.secrets.clone(),
            shows_shards: false,
            whole: None,
            tells: plan.tells,
            closed: 0,
            sources,
            together: match plan.scenario.load.shape {
                Shape::Arrivals { .. } => None,
                Shape::Steady { .. } | Shape::Stages(_) => Some(share.count(plan.connections())),
            },
        }
    }

    /// Shows shards to the observer, without secrets.
    pub(super) fn showing_shards(self) -> Self {
        Self {
            shows_shards: true,
            ..self
        }
    }

    /// The same where the sources are processes that have so many workers in all.
    pub(super) fn of_workers(self, workers: usize) -> Self {
        Self {
            collector: self.collector.of_workers(workers),
            ..self
        }
    }

    /// A source tells nothing more, and did not tell all.
    pub(super) fn lost(&mut self, source: usize) {
        self.merging.done(source);
        self.collector.expects_nothing_more();
    }

    /// Takes in one second of all sources, at `now`. Returns whether the observer ends the run.
    pub(super) fn second(
        &mut self,
        mut shard: Shard,
        now: Timestamp,
        sample: Sample,
        phases: &Phases,
        observer: &mut dyn Observer,
    ) -> bool {
        let time = Timestamp::ORIGIN + (shard.interval + 1) * INTERVAL;
        let phase = phases.at(time);
        // The last connection opens just before a full second: what that second counts is no part of the measured time.
        let middle = time.saturating_sub(INTERVAL / 2);
        let in_phases = InPhases {
            mostly: phases.at(middle),
            at_end: phase,
        };
        if self.phase.replace(phase) != Some(phase) {
            info!(%phase, at_s = time.min(now).as_secs_f64());
        }
        if self.shows_shards {
            shard.each_text(|text| self.secrets.mask_in(text));
            observer.shard(&shard, &sample, phases.measure_from());
        }
        self.collector.count_deliveries(&mut shard);
        let interval = (self.collector).interval(in_phases, &shard, sample);
        self.troubles.add(&interval);
        let mut progress = Progress::of(&interval, self.troubles, self.together);
        progress.phase = phase;
        (progress.planned, progress.left) = phases.span(time).unzip();
        observer.echoes(std::mem::take(&mut shard.echoes));
        observer.traces(std::mem::take(&mut shard.traces));
        if self.tells {
            let mut events = std::mem::take(&mut shard.events);
            for event in &mut events.rows {
                event.each_text(|text| self.secrets.mask_in(text));
            }
            observer.events(events, time);
        }
        self.merging.give_back(shard);
        let began = self.collector.began();
        let second = Second {
            interval,
            progress,
            is_over: phases.is_over(time),
            ends_soon: phases.is_over(time + INTERVAL),
            is_measured: phases.measure_from().is_some_and(|from| from < time),
            seconds: time.saturating_since(began).as_secs_f64(),
            windows: phases.measured_since(began, time),
            collector: &self.collector,
        };
        let ends_it = observer.second(&second).is_break();
        if !ends_it && second.may_close() && observer.closes_report(&second) {
            let closed = self.close(time, phases);
            observer.report(closed);
        }
        ends_it
    }

    /// Closes the report at this time, which is the end of a second, and begins the next.
    fn close(&mut self, time: Timestamp, phases: &Phases) -> Closed {
        let windows = phases.measured_since(self.collector.began(), time);
        let report = self.collector.close();
        let closed = self.closed(&report, time, &windows, phases);
        match &mut self.whole {
            Some(whole) => whole.absorb(&report),
            None => self.whole = Some(report),
        }
        self.closed += 1;
        closed
    }

    /// The report that is not closed yet, of a run that ended at this time.
    pub(super) fn last(&self, phases: &Phases, ended: Timestamp) -> Closed {
        let began = self.collector.began();
        let windows = phases.measured_since(began, phases.end().min(ended));
        self.closed(&self.collector, ended, &windows, phases)
    }

    /// All reports together; `None` if there is only one.
    pub(super) fn whole(&self, phases: &Phases, ended: Timestamp) -> Option<Summary> {
        let mut whole = self.whole.clone()?;
        whole.absorb(&self.collector);
        let mut summary = whole.summary(ended.as_secs_f64(), &phases.measured_in_all(ended));
        summary.each_text(|text| self.secrets.mask_in(text));
        Some(summary)
    }

    fn closed(
        &self,
        report: &Collector,
        ended: Timestamp,
        windows: &[f64],
        phases: &Phases,
    ) -> Closed {
        let began = report.began();
        let seconds = ended.saturating_since(began).as_secs_f64();
        let measured_from = phases
            .measure_from()
            .map(|from| Timestamp::ORIGIN + from.saturating_since(began));
        let mut summary = Summary {
            measured_from,
            ..report.summary(seconds, windows)
        };
        summary.each_text(|text| self.secrets.mask_in(text));
        Closed {
            number: self.closed + 1,
            began,
            ended,
            summary,
            workers: self.sources,
        }
    }
}
