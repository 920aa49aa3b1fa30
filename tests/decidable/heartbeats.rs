//! What heartbeats of a possible run may come to.

use std::ops::Range;

use wsbench::measure::{CohortShard, Window};
use wsbench::metric::{Cause, CloseKind, Counter, Side, Timer};
use wsbench::plan::Opening;
use wsbench::scenario::OnDead;
use wsbench::units::{Nanos, Timestamp};

use super::possible::{MOST, Run};

impl Run<'_> {
    /// What the pings of a client may come to, and its silence.
    pub(super) fn heartbeat(
        &self,
        opening: &Opening,
        life: &Range<Timestamp>,
        cells: &mut CohortShard,
    ) {
        let cohort = self.plan.cohort(opening.cohort);
        let mut pings = 0;
        if let Some(sent) = cohort.pings() {
            for at in self.pings(opening, life) {
                pings += 1;
                // A contract looks at the whole run.
                let window = self.window(at).unwrap_or(Window::OUTSIDE);
                let cells = cells.window(window);
                cells.count(Counter::PingsSent);
                cells.time(Timer::ScheduleLateness, Nanos(1));
                if sent.watch.is_none() {
                    continue;
                }
                for counter in [
                    Counter::PongsReceived,
                    Counter::PongsLate,
                    Counter::PingsMissed,
                ] {
                    cells.count(counter);
                }
                if !sent.kind.is_named() {
                    cells.count(Counter::PongsUncertain);
                }
                for timer in [Timer::HeartbeatRtt, Timer::HeartbeatDelay] {
                    cells.time(timer, Nanos(1));
                }
            }
        }
        let misses = cohort
            .watched()
            .is_some_and(|(_, watch)| pings >= watch.max_missed);
        let is_silent = cohort
            .silence()
            .is_some_and(|silence| opening.at + Nanos::from(silence) < life.end);
        if misses || is_silent {
            cells.whole.count(Counter::ConnectionsDead);
            cells.whole.time(Timer::HeartbeatDetection, Nanos(1));
            cells.whole.cause(Cause::PathDead);
            if misses {
                cells.whole.cause(Cause::PeerFrozen);
                cells.whole.cause(Cause::MissedPong);
            }
            if is_silent {
                cells.whole.cause(Cause::Silent);
            }
            if (cohort.heartbeat.iter()).any(|one| one.on_dead == OnDead::Close) {
                cells.whole.close(CloseKind::Code(1011), Side::Local);
            }
        }
    }

    fn pings(&self, opening: &Opening, life: &Range<Timestamp>) -> Vec<Timestamp> {
        let pacer = self.plan.pings(opening.cohort, opening.connection);
        let mut pacer = pacer.expect("a cohort that pings has a schedule of pings");
        pacer.skip_to(life.start);
        let due = std::iter::from_fn(|| {
            let next = pacer.next();
            pacer.advance();
            Some(next)
        });
        due.take_while(|at| *at < life.end).take(MOST).collect()
    }
}
