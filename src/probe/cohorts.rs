//! Cohorts of clients that the server ended during the probe, each with a window for the time of that end.

use std::time::Duration;

use super::endings::manner;
use super::findings::{Ending, Findings, How, Limit, Since};
use super::scenario::CLIENTS;
use crate::units::{format_duration, human_ns};

/// The least distance from the measured time to each end of its window.
const MARGIN: Duration = Duration::from_millis(250);

/// The name of the only cohort for a server that ends every client after the same time.
pub(super) const ENDED: &str = "ended";

/// A cohort of clients that the server ends.
pub(super) struct DraftCohort {
    name: &'static str,
    fault: bool,
    since: Since,
    /// The window in which the end is expected.
    pub(super) between: (Duration, Duration),
    after_ns: u64,
    ending: Ending,
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
        .filter_map(|(name, limit)| DraftCohort::new(name, limit?))
        .collect()
}

impl DraftCohort {
    /// `None` if the server did not decide to end the connection.
    fn new(name: &'static str, limit: &Limit) -> Option<Self> {
        if !limit.ending.how.is_servers() {
            return None;
        }
        Some(Self {
            name,
            fault: limit.since == Since::Ping,
            since: limit.since,
            between: window(limit.after_ns),
            after_ns: limit.after_ns,
            ending: limit.ending.clone(),
        })
    }

    /// The cohort as a table of a scenario.
    pub(super) fn text(&self) -> String {
        let since = match self.since {
            Since::Open => "open",
            Since::Ping => "ping",
        };
        let mut text = format!(
            "# Seen after {}: {}.\n[[cohort]]\nname = \"{}\"\nconnections = {CLIENTS}\nmessage = []\nheartbeat = \"off\"\n",
            human_ns(self.after_ns),
            manner(&self.ending),
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
        match &self.ending.how {
            How::Close { code, .. } => {
                let code = code.unwrap_or(1005);
                text += &format!("code = {code}\nends_with = \"close_frame\"\n");
            }
            How::Fin => text += "ends_with = \"fin\"\n",
            How::Rst => text += "ends_with = \"rst\"\n",
            How::Broken(_) | How::Stuck => {}
        }
        if let Some(tcp) = self.ending.tcp {
            let seconds = (2.0 * tcp.after_ns as f64 / 1e9).ceil().max(1.0);
            text += &format!("tcp_end_within = \"{seconds}s\"\n");
        }
        text
    }
}

/// A window around one measured time: at least a fifth of it each way, in round numbers.
pub(super) fn window(ns: u64) -> (Duration, Duration) {
    const STEP: u64 = 50;
    let seen = Duration::from_nanos(ns);
    let margin = MARGIN.max(seen / 5);
    let lo = millis(seen.saturating_sub(margin)) / STEP * STEP;
    let hi = millis(seen + margin).next_multiple_of(STEP);
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
