//! Sums up what a server sends without being asked, from its pings and messages; and what ended a silent client.

use std::mem::discriminant;

use super::findings::{Doing, Ending, Idle, Limit, Question, Quiet, Since, Trial, Unknown};
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
            own_messages: self.messages.own,
            messages: self.messages.into_messages(),
        }
    }
}

/// What ended the silent clients of these trials, which were watched for this long. `again`: those that were opened later.
///
/// # Errors
/// The client that sends nothing did not open, so nobody knows: why it did not.
pub(super) fn idle(trials: &[Trial], again: &[Trial], watched_ns: u64) -> Result<Idle, Unknown> {
    let of = |doing: Doing| trials.iter().find(|trial| trial.doing == doing);
    if let Some(failed) = of(Doing::Nothing).and_then(|trial| trial.failed.clone()) {
        let question = Question::Idle;
        return Err(Unknown { question, failed });
    }
    let talkers_too = ends_talkers(trials);
    let limit = |doing: Doing| {
        let trial = of(doing)?;
        let ending = trial.ending.clone()?;
        let since_ns = trial.unanswered_ns.filter(|_| !talkers_too);
        let since = since_ns.map_or(Since::Open, |_| Since::Ping);
        let after_ns = ending.at_ns - since_ns.unwrap_or(0);
        let again = again.iter().filter(|again| again.doing == doing);
        let again = again.filter_map(|again| after(again, since, &ending));
        let all: Vec<u64> = [after_ns].into_iter().chain(again).collect();
        Some(Limit {
            since,
            after_ns,
            seen: all.len() as u32,
            least_ns: all.iter().copied().min().unwrap_or(after_ns),
            most_ns: all.iter().copied().max().unwrap_or(after_ns),
            ending,
        })
    };
    Ok(Idle {
        watched_ns,
        silent: limit(Doing::Nothing),
        answering: limit(Doing::AnswerPings),
        talkers_too,
    })
}

/// The time after which the server ended this client, if it did so in the same way.
fn after(trial: &Trial, since: Since, like: &Ending) -> Option<u64> {
    let ending = trial.ending.as_ref();
    let ending = ending.filter(|ending| discriminant(&ending.how) == discriminant(&like.how))?;
    Some(match since {
        Since::Open => ending.at_ns,
        Since::Ping => ending.at_ns - trial.unanswered_ns?,
    })
}

/// Whether the server ended every client of these trials, those that sent something too, and all at about the same time
/// after their open.
fn ends_talkers(trials: &[Trial]) -> bool {
    const TOLERANCE_NS: u64 = 50_000_000;
    let opened = || trials.iter().filter(|trial| trial.failed.is_none());
    let by_server = |trial: &Trial| {
        let ending = trial.ending.as_ref();
        let ending = ending.filter(|ending| ending.how.is_servers());
        ending.map(|ending| ending.at_ns)
    };
    let ends = opened().map(by_server);
    let Some(ends) = ends.collect::<Option<Vec<u64>>>() else {
        return false;
    };
    let has = |doing| opened().any(|trial| trial.doing == doing);
    // One that answers no ping may have been ended for that.
    let has_talker = has(Doing::AnswerPings) && (has(Doing::Pings) || has(Doing::Texts));
    let (first, last) = (ends.iter().min(), ends.iter().max());
    let alike = |first: u64, last: u64| last - first <= TOLERANCE_NS.max(first / 10);
    has_talker && first.zip(last).is_some_and(|(a, b)| alike(*a, *b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::findings::How;

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

    /// A trial whose connection ended this long after its open, in milliseconds.
    fn ended(doing: Doing, after_ms: Option<u64>) -> Trial {
        let ending = |ms: u64| Ending {
            at_ns: ms * 1_000_000,
            how: How::Fin,
            tcp: None,
        };
        Trial {
            doing,
            watched_ns: 9_000_000_000,
            sent: 0,
            pings: 1,
            unanswered_ns: Some(1_000),
            ending: after_ms.map(ending),
            failed: None,
        }
    }

    #[test]
    fn an_end_of_all_at_one_time_is_not_one_of_silence() {
        let trials = |texts| {
            let silent = [Doing::AnswerPings, Doing::Nothing, Doing::Pings];
            let silent = silent.map(|doing| ended(doing, Some(1_500)));
            [Vec::from(silent), vec![ended(Doing::Texts, texts)]].concat()
        };
        let found = |texts| idle(&trials(texts), &[], 9).unwrap();
        let all = found(Some(1_520));
        let silent = all.silent.unwrap();
        assert!(all.talkers_too);
        assert_eq!(
            (silent.since, silent.after_ns),
            (Since::Open, 1_500_000_000)
        );
        for texts in [None, Some(900), Some(2_500)] {
            assert!(!found(texts).talkers_too, "{texts:?}");
        }
    }

    #[test]
    fn a_watcher_that_did_not_open_has_seen_nothing() {
        let mut trials = [ended(Doing::AnswerPings, None), ended(Doing::Nothing, None)];
        assert_eq!(idle(&trials, &[], 9).unwrap().silent, None);
        trials[1].failed = Some("nothing listens".to_owned());
        let unknown = idle(&trials, &[], 9).unwrap_err();
        assert_eq!(unknown.question, Question::Idle);
        assert_eq!(unknown.failed, "nothing listens");
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
        let idle = idle(&trials, &[], 9_000).unwrap();
        let (silent, answering) = (idle.silent.unwrap(), idle.answering.unwrap());
        assert_eq!((silent.since, silent.after_ns), (Since::Ping, 2_000));
        assert_eq!((answering.since, answering.after_ns), (Since::Open, 3_000));
    }

    #[test]
    fn a_client_that_comes_later_tells_whether_one_timer_serves_all() {
        let first = [
            ended(Doing::AnswerPings, None),
            ended(Doing::Nothing, Some(2_000)),
        ];
        let look = |ms| Trial {
            unanswered_ns: None,
            ..ended(Doing::Nothing, ms)
        };
        let mut first = first;
        first[1].unanswered_ns = None;
        for (again, exact, most) in [
            (vec![], false, 2_000),
            (vec![look(Some(2_010)), look(Some(1_990))], true, 2_010),
            (
                vec![look(Some(2_900)), look(Some(3_900)), look(None)],
                false,
                3_900,
            ),
        ] {
            let limit = idle(&first, &again, 9).unwrap().silent.unwrap();
            assert_eq!(limit.is_exact(), exact);
            assert_eq!(limit.most_ns, most * 1_000_000);
        }
    }
}
