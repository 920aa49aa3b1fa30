//! Sums up what a server sends without being asked, from its pings and messages; and what ended a silent client.

use super::findings::{Doing, Idle, Limit, Quiet, Since, Trial};
use super::unasked::{Collected, shortened};

/// Collects the unasked pings and messages of a server.
#[derive(Debug, Default)]
pub(super) struct UnaskedTraffic {
    pings: u32,
    first_ns: u64,
    last_ns: u64,
    min_gap_ns: Option<u64>,
    max_gap_ns: Option<u64>,
    payload: Option<String>,
    messages: Collected,
}

impl UnaskedTraffic {
    /// Adds a ping that came this long after the open.
    pub(super) fn ping(&mut self, payload: &[u8], at_ns: u64) {
        if self.pings == 0 {
            self.first_ns = at_ns;
            self.payload = Some(shortened(payload));
        } else {
            let gap = at_ns - self.last_ns;
            self.min_gap_ns = Some(self.min_gap_ns.map_or(gap, |least| least.min(gap)));
            self.max_gap_ns = Some(self.max_gap_ns.map_or(gap, |most| most.max(gap)));
        }
        self.pings += 1;
        self.last_ns = at_ns;
    }

    /// Adds a message that came this long after the open.
    pub(super) fn message(&mut self, payload: &[u8], at_ns: u64) {
        self.messages.add(payload, at_ns);
    }

    /// Sums up what came in this time.
    pub(super) fn into_quiet(self, watched_ns: u64) -> Quiet {
        let gaps = u64::from(self.pings.saturating_sub(1));
        Quiet {
            watched_ns,
            pings: self.pings,
            first_ping_ns: (self.pings > 0).then_some(self.first_ns),
            mean_gap_ns: (self.last_ns - self.first_ns).checked_div(gaps),
            min_gap_ns: self.min_gap_ns,
            max_gap_ns: self.max_gap_ns,
            payload: self.payload,
            more_messages: self.messages.more,
            messages: self.messages.into_messages(),
        }
    }
}

/// What ended the silent clients of these trials, which were watched for this long.
pub(super) fn idle(trials: &[Trial], watched_ns: u64) -> Idle {
    let limit = |doing: Doing| {
        let trial = trials.iter().find(|trial| trial.doing == doing)?;
        let ending = trial.ending.clone()?;
        let since_ns = trial.unanswered_ns;
        Some(Limit {
            since: since_ns.map_or(Since::Open, |_| Since::Ping),
            after_ns: ending.at_ns - since_ns.unwrap_or(0),
            ending,
        })
    };
    Idle {
        watched_ns,
        silent: limit(Doing::Nothing),
        answering: limit(Doing::AnswerPings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::findings::{Ending, How};

    #[test]
    fn gaps_are_between_pings_and_not_before_the_first() {
        let mut heard = UnaskedTraffic::default();
        for at in [500, 1_500, 2_400, 3_500] {
            heard.ping(b"p", at);
        }
        let quiet = heard.into_quiet(4_000);
        assert_eq!(quiet.first_ping_ns, Some(500));
        assert_eq!(quiet.mean_gap_ns, Some(1_000));
        assert_eq!(
            (quiet.min_gap_ns, quiet.max_gap_ns),
            (Some(900), Some(1_100))
        );
    }

    #[test]
    fn one_ping_has_no_gap_and_none_has_no_payload() {
        let mut heard = UnaskedTraffic::default();
        assert_eq!(UnaskedTraffic::default().into_quiet(9).first_ping_ns, None);
        heard.ping(b"", 5);
        let quiet = heard.into_quiet(9);
        assert_eq!((quiet.pings, quiet.mean_gap_ns), (1, None));
        assert_eq!(quiet.payload.as_deref(), Some(""));
    }

    #[test]
    fn a_limit_counts_from_the_unanswered_ping_where_there_was_one() {
        let trial = |doing, unanswered_ns| Trial {
            doing,
            watched_ns: 9_000,
            sent: 0,
            pings: 1,
            unanswered_ns,
            ending: Some(Ending {
                at_ns: 3_000,
                how: How::Fin,
                tcp: None,
            }),
            failed: None,
        };
        let trials = [
            trial(Doing::AnswerPings, None),
            trial(Doing::Nothing, Some(1_000)),
        ];
        let idle = idle(&trials, 9_000);
        let (silent, answering) = (idle.silent.unwrap(), idle.answering.unwrap());
        assert_eq!((silent.since, silent.after_ns), (Since::Ping, 2_000));
        assert_eq!((answering.since, answering.after_ns), (Since::Open, 3_000));
    }
}
