//! What is booked when a connection of a client ends, or was not opened.

use std::net::IpAddr;

use tracing::debug;

use super::Client;
use crate::engine::saved;
use crate::engine::session::{Session, Verdict};
use crate::measure::{Ending, Happened, Shard, State};
use crate::metric::{Cause, Counter};
use crate::net::{Failure, Transport};
use crate::scenario::{HttpVersion, OnDead};
use crate::units::Timestamp;

impl Client {
    /// A connection has ended, as its session says.
    pub(super) fn closed<T: Transport>(&mut self, session: &mut Session<T>) {
        let now = self.shared.clock.now();
        let cohort = self.opening.cohort;
        session.count_bytes(&self.shared, now);
        session.leave(&self.shared, now);
        session.forget_pings(&self.shared);
        // Drops messages that waited to be sent: they belong to the connection that ended.
        let until = session.due_until(&self.shared, now);
        let was_ready = self.play.is_ready();
        while let Some(lapsed) = self.play.give_up(until) {
            if !lapsed.is_setup {
                session.not_sent(&self.shared, lapsed.intended, now);
            }
        }
        if !was_ready {
            self.give_up_offline(until);
        }
        let client = self.shared.plan.client(cohort, self.opening.connection);
        {
            let facts = &mut self.shared.facts.borrow_mut();
            for lapsed in self.play.lose(client, facts) {
                if !lapsed.is_setup {
                    let at = lapsed.intended;
                    (self.shared).record(cohort, at, |cells| cells.count(Counter::MessagesLost));
                }
            }
        }
        self.shared.book(cohort);
        let verdict = session.verdict();
        session.trace_end(&verdict);
        let is_dead = session.is_dead();
        // A connection that we closed as planned is not lost, even if the peer did not complete the close.
        let ours = session.is_ended_by_us();
        // A kept connection has been reported as dead already. That our Close got no answer adds no information.
        let gave_up = matches!(verdict.cause, Cause::CloseTimeout | Cause::WriteTimeout);
        let is_told = gave_up && session.is_silent();
        self.shared.whole(cohort, |cells| {
            cells.count(Counter::ConnectionsClosed);
            if is_dead || !ours {
                cells.count(Counter::ConnectionsLost);
            }
            cells.close(verdict.kind, verdict.side);
            if !is_told {
                cells.cause(verdict.cause);
            }
        });
        {
            let mut shard = self.shared.shard.borrow_mut();
            let open = &mut shard.cohorts[cohort].open;
            if session.is_closing() {
                open.closing -= 1;
            } else {
                open.open -= 1;
                open.ready -= u64::from(session.is_ready());
            }
            if let Some(record) = session.record(&verdict, now) {
                shard.record(record, Shard::MAX_RECORDS);
            }
        }
        // Dials again after a death only if the heartbeat asks for it.
        let heartbeat = self.shared.plan.cohort(cohort).heartbeat.as_ref();
        let redials = heartbeat.is_some_and(|heartbeat| heartbeat.on_dead == OnDead::Reconnect);
        let dials_again = if is_dead {
            redials
        } else {
            !ours || session.is_ended_by_fault() || session.dials_again().is_some()
        };
        if session.has_failed() {
            self.tries += 1;
        }
        if dials_again {
            self.lost_at = Some(now);
        }
        if matches!(verdict.cause, Cause::Completed | Cause::Fault) || is_told {
            return;
        }
        self.push_ended(session, &verdict, Some(now));
    }

    /// No connection was opened.
    pub(super) fn failed(&mut self, failure: Failure) {
        self.tries += 1;
        self.shared.whole(self.opening.cohort, |cells| {
            cells.count(match failure.cause {
                Cause::Abandoned => Counter::ConnectionsAbandoned,
                _ => Counter::ConnectionsFailed,
            });
            cells.cause(failure.cause);
        });
        self.push(Ending {
            connection: self.opening.connection,
            cohort: self.opening.cohort,
            opened_ns: None,
            ended_ns: Some(self.shared.clock.now()),
            state: State::Connecting,
            close_code: None,
            close_reason: String::new(),
            closed_by: None,
            cause: failure.cause,
            detail: failure.detail,
            last_received_ns: None,
            last_ping_ns: None,
            last_pong_ns: None,
            pings_missed: 0,
            tcp: None,
            extension: None,
            claimed: self.claimed(None),
            tls: None,
        });
    }

    /// The address that its server is told; `carrier` is the number of the TCP connection that it shares.
    fn claimed(&self, carrier: Option<u32>) -> Option<IpAddr> {
        let access = &self.shared.plan.cohort(self.opening.cohort).access;
        let own = match access.http {
            HttpVersion::One => Some(self.opening.connection),
            HttpVersion::Two(_) => None,
        };
        (access.announce.as_ref()?).claim(carrier.or(own)?)
    }

    /// Keeps the end of an open connection among those that are listed; `ended` is `None` if it is kept open.
    pub(super) fn push_ended<T: Transport>(
        &self,
        session: &Session<T>,
        verdict: &Verdict,
        ended: Option<Timestamp>,
    ) {
        self.push(Ending {
            claimed: self.claimed(session.carrier()),
            ..session.ending(verdict, ended)
        });
    }

    /// Keeps an end among those that are listed, and logs it.
    fn push(&self, mut ending: Ending) {
        let names = &self.shared.plan.cohort(self.opening.cohort).saved;
        for text in [&mut ending.detail, &mut ending.close_reason] {
            saved::hide(names, self.play.saved(), text);
        }
        // Quotes the server's texts, so that each stays on its line.
        debug!(
            cohort = self.cohort_name(),
            connection = self.opening.connection,
            cause = ending.cause.name(),
            state = ending.state.name(),
            detail = ?ending.detail,
            code = ending.close_code,
            reason = ?ending.close_reason,
            missed = ending.pings_missed,
            "ended"
        );
        let opening = (self.opening.cohort, self.opening.connection);
        let now = self.shared.clock.now();
        let told = || Happened::Ended(Box::new(ending.clone()));
        self.shared.tell(opening, now, told);
        self.shared
            .shard
            .borrow_mut()
            .ending(ending, Shard::MAX_ENDINGS);
    }
}
