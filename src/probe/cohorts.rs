//! Cohorts of clients that the server ended during the probe, each with a window for the time of that end.

use std::time::Duration;

use super::endings::manner;
use super::findings::{Findings, How, Limit, Since};
use super::scenario::CLIENTS;
use crate::frame::may_be_sent;
use crate::units::{counted, format_duration, human_ns};

/// What every window allows for a machine that does other things too.
const MARGIN: Duration = Duration::from_millis(250);

/// The name of the only cohort for a server that ends every client after the same time.
const ENDED: &str = "ended";

/// A cohort of clients that the server ends.
pub(super) struct DraftCohort {
    pub(super) name: &'static str,
    fault: bool,
    /// The window in which the end is expected.
    pub(super) between: (Duration, Duration),
    limit: Limit,
}

/// The cohorts that the server ended during the probe.
pub(super) fn cohorts(findings: &Findings) -> Vec<DraftCohort> {
    let Some(idle) = &findings.idle else {
        return Vec::new();
    };
    let answering = idle.answering.as_ref();
    // If answering pings makes no difference, the unanswered ping is not what ends a silent client.
    let mute = idle.silent.as_ref().filter(|silent| {
        let pong_helps = |limit: &Limit| limit.ending.at_ns > silent.ending.at_ns / 10 * 11;
        silent.since == Since::Ping && answering.is_none_or(pong_helps)
    });
    let silent = answering.or(idle.silent.as_ref());
    let silent = silent.filter(|limit| limit.since == Since::Open);
    let name = if idle.talkers_too { ENDED } else { "silent" };
    [("mute", mute), (name, silent)]
        .into_iter()
        .filter_map(|(name, limit)| DraftCohort::new(name, limit?, margin(findings)))
        .collect()
}

impl DraftCohort {
    /// `None` if the server did not decide to end the connection.
    fn new(name: &'static str, limit: &Limit, margin: Duration) -> Option<Self> {
        if !limit.ending.how.is_servers() {
            return None;
        }
        Some(Self {
            name,
            fault: limit.since == Since::Ping,
            between: may_end(limit, margin),
            limit: limit.clone(),
        })
    }

    /// The cohort as a table of a scenario.
    pub(super) fn text(&self) -> String {
        let Limit { since, ending, .. } = &self.limit;
        let since = match since {
            Since::Open => "open",
            Since::Ping => "ping",
        };
        let mut text = format!(
            "# {}: {}.\n[[cohort]]\nname = \"{}\"\nconnections = {CLIENTS}\nmessage = []\nheartbeat = \"off\"\n",
            seen(&self.limit),
            manner(ending),
            self.name,
        );
        if self.fault {
            text += "fault = { kind = \"no_pong\" }\n";
        }
        let (lo, hi) = self.between;
        text += &format!(
            "[cohort.contract]\nfrom = \"{since}\"\nclosed_between = {}\n",
            between(lo, hi)
        );
        match &ending.how {
            How::Close { code, .. } => {
                let code = code.unwrap_or(1005);
                // Nothing can be promised of a code that must not be sent.
                match code == 1005 || may_be_sent(code) {
                    true => text += &format!("code = {code}\n"),
                    false => text += &format!("# It sent {code}, which RFC 6455 forbids.\n"),
                }
                text += "ends_with = \"close_frame\"\n";
            }
            How::Fin => text += "ends_with = \"fin\"\n",
            How::Rst => text += "ends_with = \"rst\"\n",
            How::Broken(_) | How::Stuck => {}
        }
        if let Some(tcp) = ending.tcp {
            let seconds = (2.0 * tcp.after_ns as f64 / 1e9).ceil().max(1.0);
            text += &format!("tcp_end_within = \"{seconds}s\"\n");
        }
        text
    }
}

/// How often the limit was seen, and how long it was.
fn seen(limit: &Limit) -> String {
    let [first, least, most] = [limit.after_ns, limit.least_ns, limit.most_ns].map(human_ns);
    let range = match least == most {
        true => least,
        false => format!("{least} to {most}"),
    };
    let times = counted(limit.seen.into(), "time");
    match (limit.seen, limit.is_exact(), limit.phases) {
        (1, ..) => format!(
            "Seen once, after {first}; the window allows for a timer that serves all clients"
        ),
        (_, true, _) if limit.ping_gap_ns.is_some() => format!(
            "Seen {times}, after {range}, when a ping was due; the window allows for one ping more or less"
        ),
        (_, true, _) => format!("Seen {times}, after {range}"),
        (_, false, 1) => format!(
            "Seen {times}, after {range} from pings that all clients get at once, so at one phase; the window allows for \
             others"
        ),
        (_, false, _) => {
            format!("Seen {times}, after {range}, as by a timer that serves all clients")
        }
    }
}

/// When a client may be ended by the rule that shows in this limit.
///
/// A rule of each client's own ends all of them after the same time. A timer that serves all looks at every tick P whether
/// a client has been silent for T, and so ends it after T to T + P. With P at most T, T is more than half of the longest
/// time that was seen, and T + P at most twice the shortest; and many timers tick at whole seconds, however short T is. Who
/// is ended when a ping is due may be ended one ping sooner or later, by whichever timer comes first.
fn may_end(limit: &Limit, margin: Duration) -> (Duration, Duration) {
    const SECOND: u64 = 1_000_000_000;
    let (least, most) = (limit.least_ns, limit.most_ns);
    let gap = limit.ping_gap_ns.unwrap_or(0);
    let (sooner, later) = (least.saturating_sub(gap), most.saturating_add(gap));
    if limit.is_exact() {
        return window([sooner, later], margin);
    }
    let (lo, hi) = match most > least.saturating_mul(2) {
        // A tick that is longer than the limit.
        true => (0, most.saturating_mul(2)),
        false => (most / 2, least.saturating_mul(2)),
    };
    let lo = lo.min(sooner).min(most.saturating_sub(SECOND));
    let hi = hi.max(later).max(least.saturating_add(SECOND));
    around(Duration::from_nanos(lo), Duration::from_nanos(hi), margin)
}

/// The least distance from a measured time to each end of its window: a quarter of a second, or as long as the probe itself
/// was held up.
pub(super) fn margin(findings: &Findings) -> Duration {
    let held_up = findings.held_up_ns.map(Duration::from_nanos);
    held_up.unwrap_or_default().max(MARGIN)
}

/// A window around measured times, the least and the most: a fifth more each way, and at least this margin, in round numbers.
pub(super) fn window(times_ns: [u64; 2], margin: Duration) -> (Duration, Duration) {
    let [least, most] = times_ns.map(Duration::from_nanos);
    let (lo, _) = around(least, least, margin.max(least / 5));
    let (_, hi) = around(most, most, margin.max(most / 5));
    (lo, hi)
}

fn around(least: Duration, most: Duration, margin: Duration) -> (Duration, Duration) {
    const STEP: u64 = 50;
    let lo = millis(least.saturating_sub(margin)) / STEP * STEP;
    let hi = millis(most + margin).next_multiple_of(STEP);
    (Duration::from_millis(lo), Duration::from_millis(hi))
}

/// A window in the notation of a contract.
pub(super) fn between(lo: Duration, hi: Duration) -> String {
    format!("[\"{}\", \"{}\"]", format_duration(lo), format_duration(hi))
}

/// The time in whole milliseconds.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
