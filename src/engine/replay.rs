//! Puts the recorded parts of a run together: the shards of several processes take the same way as those of the workers
//! of one.

use super::intake::Intake;
use super::merging::Merging;
use super::observer::Observer;
use super::parts::Used;
use super::phases::Phases;
use super::worker::Handover;
use crate::measure::{Health, Sample, Shard, Summary};
use crate::plan::{Plan, Share};
use crate::units::Timestamp;

/// The shards of one process, in the order of their intervals.
pub trait Recorded {
    /// Why one cannot be read.
    type Error;

    /// Reads the next; `None` after the last.
    ///
    /// # Errors
    /// When it cannot be read.
    fn next(&mut self) -> Result<Option<(Shard, Sample)>, Self::Error>;

    /// How many workers it has.
    fn workers(&self) -> usize;

    /// When measuring began or will, as far as the last shard that was read tells.
    fn measured_from(&self) -> Option<Timestamp>;

    /// When its load ended, and when its last connection had ended. Asked after the last shard.
    fn ended(&self) -> (Timestamp, Timestamp);
}

/// The numbers of a run in parts.
#[derive(Debug)]
pub struct Replayed {
    /// Of all parts together.
    pub summary: Summary,
    /// Of each part, what tells how it fared as a generator.
    pub health: Vec<Summary>,
}

/// Takes in all parts, second by second. Holds of each part the seconds that others have not reached, which is one as
/// long as no part fell behind while it ran.
///
/// # Errors
/// When one cannot be read.
pub fn replay<R: Recorded>(
    plan: &Plan,
    parts: &mut [R],
    observer: &mut dyn Observer,
) -> Result<Replayed, R::Error> {
    let mut phases = Phases::led(plan);
    let workers = parts.iter().map(R::workers).sum();
    let mut intake = Intake::new(plan, parts.len(), Share::whole(1)).of_workers(workers);
    let layout = plan.layout();
    let mut health = vec![Health::new(&layout); parts.len()];
    let mut used = Used::default();
    while let Some(part) = behind(&intake.merging, parts.len()) {
        match parts[part].next()? {
            None => intake.merging.done(part),
            Some((shard, sample)) => {
                health[part].add(&shard, &sample);
                used.add(&shard, &sample);
                if let (None, Some(from)) = (phases.measure_from(), parts[part].measured_from()) {
                    phases.schedule(from);
                }
                // The empty shard that comes back is of no use: the next one is read.
                intake.merging.add(Handover {
                    worker: part,
                    shard,
                    last: false,
                });
            }
        }
        while let Some(shard) = intake.merging.next() {
            let sample = used.take(shard.interval);
            intake.second(shard, Timestamp::NEVER, sample, &phases, observer);
        }
    }
    let ends: Vec<(Timestamp, Timestamp)> = parts.iter().map(R::ended).collect();
    let load_ended = ends.iter().map(|(load, _)| *load).max();
    let mut of_all = phases.clone();
    of_all.ending(load_ended.unwrap_or(Timestamp::ORIGIN));
    let ended = ends.iter().map(|(_, ended)| *ended).max();
    let of_part = |(health, (load, ended)): (&Health, &(Timestamp, Timestamp))| {
        let mut phases = phases.clone();
        phases.ending(*load);
        health.summary(
            *ended,
            &phases.measured_in_all(*ended),
            phases.measure_from(),
        )
    };
    Ok(Replayed {
        summary: intake
            .last(&of_all, ended.unwrap_or(Timestamp::ORIGIN))
            .summary,
        health: health.iter().zip(&ends).map(of_part).collect(),
    })
}

/// The part that is to be read next: the one that is furthest behind; `None` when all are done.
fn behind(merging: &Merging, parts: usize) -> Option<usize> {
    let going_on = (0..parts).filter(|part| !merging.is_done(*part));
    going_on.min_by_key(|part| merging.reached(*part))
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
