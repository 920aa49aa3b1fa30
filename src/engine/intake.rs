//! Takes in the shards of a run, from threads or from elsewhere: merges them, adds them up, and reports each second.

use tracing::info;

use super::merging::Merging;
use super::observer::{Observer, Second};
use super::phases::Phases;
use super::worker::INTERVAL;
use crate::measure::{Collector, Phase, Progress, Sample, Shard, Summary, Troubles};
use crate::metric::Gauge;
use crate::plan::{Plan, Share};
use crate::scenario::{Secrets, Shape};
use crate::units::Timestamp;

/// What a run has told so far.
pub(super) struct Intake {
    pub(super) merging: Merging,
    collector: Collector,
    /// The phase of the last second.
    phase: Option<Phase>,
    /// What went wrong so far.
    troubles: Troubles,
    /// What is masked in texts of servers before the observer is shown shards; `None`: it is shown none.
    hidden: Option<Secrets>,
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
        let length = plan.length().into();
        Self {
            merging: Merging::new(&layout, sources),
            collector: Collector::new(layout)
                .planned(length, looked_at)
                .of_workers(sources),
            phase: None,
            troubles: Troubles::default(),
            hidden: None,
            together: match plan.scenario.load.shape {
                Shape::Arrivals { .. } => None,
                Shape::Steady { .. } | Shape::Stages(_) => Some(share.count(plan.connections())),
            },
        }
    }

    /// Shows shards to the observer, without these secrets.
    pub(super) fn showing_shards(self, secrets: &Secrets) -> Self {
        Self {
            hidden: Some(secrets.clone()),
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
        if self.phase.replace(phase) != Some(phase) {
            info!(%phase, at_s = time.min(now).as_secs_f64());
        }
        if let Some(secrets) = &self.hidden {
            shard.each_text(|text| secrets.mask_in(text));
            observer.shard(&shard, &sample, phases.measure_from());
        }
        self.collector.count_deliveries(&mut shard);
        let interval = (self.collector).interval(phase, &shard, sample);
        self.troubles.add(&interval);
        let mut progress = Progress::of(&interval, self.troubles, self.together);
        (progress.planned, progress.left) = phases.span(time).unzip();
        observer.echoes(std::mem::take(&mut shard.echoes));
        observer.traces(std::mem::take(&mut shard.traces));
        self.merging.give_back(shard);
        let second = Second {
            interval,
            progress,
            is_over: phases.is_over(time),
            seconds: time.as_secs_f64(),
            windows: phases.measured(time),
            collector: &self.collector,
        };
        observer.second(&second).is_break()
    }

    /// The numbers of a run that ended at this time.
    pub(super) fn summary(&self, phases: &Phases, ended: Timestamp) -> Summary {
        let windows = phases.measured_in_all(ended);
        Summary {
            measured_from: phases.measure_from(),
            ..self.collector.summary(ended.as_secs_f64(), &windows)
        }
    }
}
