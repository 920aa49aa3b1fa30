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

/// What ended the silent clients of these trials, which were watched for this long. `again`: those that were opened later;
/// `gap_ns`: the time between two pings of the server, where it sends some.
///
/// # Errors
/// The client that sends nothing did not open, so nobody knows: why it did not.
pub(super) fn idle(
    trials: &[Trial],
    again: &[Trial],
    gap_ns: Option<u64>,
    watched_ns: u64,
) -> Result<Idle, Unknown> {
    let gap_ns = gap_ns.filter(|gap| *gap > 0);
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
        let first = Look::of(trial, since, &ending)?;
        let again = again.iter().filter(|again| again.doing == doing);
        let again = again.filter_map(|again| Look::of(again, since, &ending));
        let looks: Vec<Look> = [first].into_iter().chain(again).collect();
        let times = || looks.iter().map(|look| look.lasted_ns);
        let goes_on = trial.pings > 1 && since == Since::Ping;
        let is_due = |gap: &u64| goes_on && is_multiple(first.lasted_ns, *gap);
        Some(Limit {
            since,
            after_ns: first.lasted_ns,
            seen: looks.len() as u32,
            phases: phases(&looks, gap_ns),
            ping_gap_ns: gap_ns.filter(is_due),
            least_ns: times().min().unwrap_or(first.lasted_ns),
            most_ns: times().max().unwrap_or(first.lasted_ns),
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

/// One look at a limit: how long before the end of the probe the client was opened and its limit began, and how long it
/// lasted.
#[derive(Clone, Copy)]
struct Look {
    opened_ns: u64,
    began_ns: u64,
    lasted_ns: u64,
}

impl Look {
    /// What this client tells; `None` where the server ended it in another way than this, or not at all.
    fn of(trial: &Trial, since: Since, like: &Ending) -> Option<Self> {
        let ending = trial.ending.as_ref()?;
        if discriminant(&ending.how) != discriminant(&like.how) {
            return None;
        }
        let began_at_ns = match since {
            Since::Open => 0,
            Since::Ping => trial.unanswered_ns?,
        };
        Some(Self {
            opened_ns: trial.watched_ns,
            began_ns: trial.watched_ns.saturating_sub(began_at_ns),
            lasted_ns: ending.at_ns - began_at_ns,
        })
    }

    /// Whether both limits began with ticks of one timer, though the clients were opened at different times.
    fn shares_a_timer(&self, other: &Self, gap_ns: Option<u64>) -> bool {
        const TOGETHER_NS: u64 = 30_000_000;
        let apart =
            |a: u64, b: u64| gap_ns.map_or_else(|| a.abs_diff(b), |gap| off(a.abs_diff(b), gap));
        apart(self.began_ns, other.began_ns) <= TOGETHER_NS
            && apart(self.opened_ns, other.opened_ns) > 3 * TOGETHER_NS
    }
}

/// At how many phases these looks began.
fn phases(looks: &[Look], gap_ns: Option<u64>) -> u32 {
    let is_new = |(index, look): &(usize, &Look)| {
        let mut before = looks[..*index].iter();
        !before.any(|before| before.shares_a_timer(look, gap_ns))
    };
    looks.iter().enumerate().filter(is_new).count() as u32
}

/// How far this time is from a multiple of the gap.
const fn off(time_ns: u64, gap_ns: u64) -> u64 {
    let rest = time_ns % gap_ns;
    if rest < gap_ns - rest {
        rest
    } else {
        gap_ns - rest
    }
}

/// Whether a time of at least one gap is a multiple of it, as exactly as timers are.
fn is_multiple(time_ns: u64, gap_ns: u64) -> bool {
    let tolerance = (gap_ns / 20).clamp(20_000_000, 500_000_000);
    time_ns + tolerance >= gap_ns && off(time_ns, gap_ns) <= tolerance
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
        let found = |texts| idle(&trials(texts), &[], None, 9).unwrap();
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
        assert_eq!(idle(&trials, &[], None, 9).unwrap().silent, None);
        trials[1].failed = Some("nothing listens".to_owned());
        let unknown = idle(&trials, &[], None, 9).unwrap_err();
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
        let idle = idle(&trials, &[], None, 9_000).unwrap();
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
            let limit = idle(&first, &again, None, 9).unwrap().silent.unwrap();
            assert_eq!(limit.is_exact(), exact);
            assert_eq!(limit.most_ns, most * 1_000_000);
        }
    }

    /// Four looks from pings of a server; each was opened and pinged so many milliseconds before the end of the probe, and
    /// ended 2,178 ms after its ping.
    fn pinged(looks: [(u64, u64); 4], pings: u32, gap_ms: Option<u64>) -> Limit {
        let look = |(opened, pinged): (u64, u64)| Trial {
            watched_ns: opened * 1_000_000,
            unanswered_ns: Some((opened - pinged) * 1_000_000),
            pings,
            ..ended(Doing::Nothing, Some(opened - pinged + 2_178))
        };
        let [first, again @ ..] = looks.map(look);
        let trials = [ended(Doing::AnswerPings, None), first];
        let gap_ns = gap_ms.map(|ms| ms * 1_000_000);
        idle(&trials, &again, gap_ns, 9).unwrap().silent.unwrap()
    }

    #[test]
    fn looks_from_the_ticks_of_one_timer_are_of_one_phase() {
        let opened = [7_000, 6_510, 5_810, 4_970];
        let ticks = [5_700, 5_700, 3_700, 3_698];
        let limit = |ticks: [u64; 4], gap_ms| {
            let looks = [0, 1, 2, 3].map(|index| (opened[index], ticks[index]));
            pinged(looks, 1, gap_ms)
        };
        for (gap, phases) in [(Some(2_000), 1), (None, 2)] {
            let found = limit(ticks, gap);
            assert_eq!((found.seen, found.phases), (4, phases));
            assert!(!found.is_exact());
        }
        // Each client has a timer of its own.
        let found = limit(opened.map(|opened| opened - 1_000), Some(1_000));
        assert_eq!((found.phases, found.is_exact()), (4, true));
    }

    #[test]
    fn an_end_when_a_ping_is_due_hangs_on_the_pings() {
        let looks = [7_000, 6_510, 5_810, 4_970].map(|opened| (opened, opened));
        for (pings, gap_ms, hangs) in [
            (3, 1_089, true),
            (3, 2_178, true),
            (3, 1_000, false),
            (1, 1_089, false),
            (3, 9_000, false),
        ] {
            let limit = pinged(looks, pings, Some(gap_ms));
            assert_eq!(limit.ping_gap_ns.is_some(), hangs, "{pings} {gap_ms}");
        }
    }
}
