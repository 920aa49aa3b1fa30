//! Writes the findings as a scenario to start from, in the language of `scenarios/reference.toml`.

use std::time::Duration;

use super::cohorts::{DraftCohort, between, cohorts, margin, millis, window};
use super::findings::{Doing, Findings, Since};
use super::offers;
use super::target::{Asked, quoted, target_text};
use super::tls::TlsOffer;
use crate::scenario::{Spoken, shown_address};
use crate::units::{format_duration, is_harmless};

/// The number of clients in each cohort.
pub(super) const CLIENTS: u32 = 10;
/// What the file says of its windows.
const WINDOWS: &str = "\
    # Its windows are those of a few clients. Put in what the server promises instead: `wsbench presets` lists\n\
    # the servers for which wsbench computes it from their settings.\n";

/// A scenario for the server with these findings.
pub fn scenario(asked: &Asked, findings: &Findings) -> String {
    if let Some(spoken) = &findings.dialect {
        return in_dialect(asked, spoken, findings);
    }
    let cohorts = cohorts(findings);
    let mut parts = vec![
        head(
            asked,
            WINDOWS,
            "clients of each kind that the server was seen to end or to keep.",
        ),
        target_text(asked) + &offered(asked, findings),
        load(findings, &cohorts) + &redials(findings),
    ];
    parts.extend(asked.first.as_deref().map(first));
    parts.extend(message(findings));
    parts.extend(heartbeat(findings));
    let duration = duration(findings, &cohorts);
    let idle = idle(findings, duration);
    if (!cohorts.is_empty() || idle.is_some()) && !ends_everybody(findings) {
        parts.push(healthy(findings));
    }
    parts.extend(idle);
    parts.extend(cohorts.iter().map(DraftCohort::text));
    parts.push(gates(findings, &cohorts));
    parts.join("\n")
}

/// A scenario for a server that speaks a dialect: clients that begin as the dialect says. How long the server keeps clients
/// that do not speak it says nothing of them, so it is left out.
fn in_dialect(asked: &Asked, spoken: &Spoken, findings: &Findings) -> String {
    let dialect = spoken.dialect;
    let url = spoken.address(&asked.url).to_owned();
    let target = Asked {
        url,
        ..asked.clone()
    };
    let mut gates = vec!["count(connections.failed) == 0"];
    if dialect.sets_up() {
        gates.push("count(setup.failed) == 0");
    }
    let about = format!(
        "# Add what clients say, in the words of {}: docs/dialects.md. `wsbench check --expand` shows what they mean.\n",
        dialect.name
    );
    let parts = [
        head(asked, &about, "clients that begin as their protocol says."),
        target_text(&target)
            + &format!("dialect = {}\n", spoken.text())
            + &offered(asked, findings),
        format!("[load]\nconnections = {CLIENTS}\nduration = \"30s\"\n") + &redials(findings),
        must_hold(&gates),
    ];
    parts.join("\n")
}

/// The beginning of the file: comments and names. `clients` describes the clients.
fn head(asked: &Asked, about: &str, clients: &str) -> String {
    let url = shown_address(&asked.url);
    let url: String = url.chars().filter(|c| is_harmless(*c)).collect();
    format!(
        "# Written by `wsbench probe` from what a few clients saw at {url}\n{about}\n\
         name = \"{}\"\n\
         description = \"{CLIENTS} {clients}\"\n",
        name(&asked.url)
    )
}

/// What the server offers, behind what the user asked for.
fn offered(asked: &Asked, findings: &Findings) -> String {
    let keys: Vec<&str> = (asked.options.iter())
        .map(|option| option.parts().1)
        .collect();
    offers::keys(findings, asked.url.starts_with("wss"), &keys)
}

/// What clients that dial again find, as a key of `[load]` to take or leave.
fn redials(findings: &Findings) -> String {
    let tls = findings.tls.as_ref().is_some_and(TlsOffer::resumes);
    let (more, why) = match (findings.retry_after_s, tls) {
        (Some(_), _) => (
            ", retry_after = true",
            "the server asks for time by Retry-After",
        ),
        (None, true) => ("", "clients that dial again resume their TLS sessions here"),
        (None, false) => return String::new(),
    };
    format!("# reconnect = {{ initial = \"500ms\", max = \"30s\"{more} }}   # {why}\n")
}

/// The gates of the file.
fn must_hold(gates: &[impl std::fmt::Display]) -> String {
    let lines: String = gates
        .iter()
        .map(|gate| format!("  \"{gate}\",\n"))
        .collect();
    format!("[gates]\npass = [\n{lines}]\n")
}

/// A name for the report folder, made from the host.
fn name(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let words = host.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let name: String = format!("probe-{}", words.join("-"));
    name.chars()
        .take(64)
        .collect::<String>()
        .trim_end_matches('-')
        .to_owned()
}

/// What each client says first.
fn first(text: &str) -> String {
    let send = match text.contains("{{") {
        // It is no placeholder.
        true => {
            let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            format!("{{ hex = \"{hex}\" }}\nframe = \"text\"")
        }
        false => format!("{{ text = {} }}", quoted(text)),
    };
    format!("[[setup]]\nname = \"first\"\nsend = {send}\nexpect = \"none\"\n")
}

fn load(findings: &Findings, cohorts: &[DraftCohort]) -> String {
    let duration = format_duration(duration(findings, cohorts));
    match cohorts.is_empty() && pings_between(findings).is_none() {
        true => format!("[load]\nconnections = {CLIENTS}\nduration = \"{duration}\"\n"),
        false => format!("[load]\nduration = \"{duration}\"\n"),
    }
}

/// How long the load lasts: long enough to decide each client that is to be ended, but else not longer than the server was
/// seen to keep the others.
fn duration(findings: &Findings, cohorts: &[DraftCohort]) -> Duration {
    let longest = cohorts.iter().map(|cohort| cohort.between.1).max();
    let gap = findings
        .quiet
        .as_ref()
        .and_then(|quiet| quiet.max_gap_ns.or(quiet.first_ping_ns));
    let gap = Duration::from_nanos(gap.unwrap_or(0));
    // Takes twice the needed time, so that each client is decided before the end.
    let needed = longest.map_or(Duration::ZERO, |longest| 2 * (gap + longest));
    let kept = watched(findings) * 4 / 5;
    let usual = LASTS.min(kept).max(Duration::from_secs(1));
    Duration::from_secs(needed.max(usual).as_secs_f64().ceil() as u64)
}

/// The usual length of the load.
const LASTS: Duration = Duration::from_secs(30);

/// How long quiet clients were watched.
fn watched(findings: &Findings) -> Duration {
    let idle = findings.idle.as_ref();
    idle.map_or(LASTS * 5 / 4, |idle| Duration::from_nanos(idle.watched_ns))
}

/// The shortest silence after which the server ended a client that answers pings.
fn idle_limit(findings: &Findings) -> Option<Duration> {
    let idle = findings.idle.as_ref()?;
    let silent = idle.silent.as_ref();
    let silent = silent.filter(|limit| limit.since == Since::Open);
    let limit = idle.answering.as_ref().or(silent);
    limit.map(|limit| Duration::from_nanos(limit.after_ns))
}

/// Whether the server ended every client. There are no healthy clients then, and their end is all that can be expected.
fn ends_everybody(findings: &Findings) -> bool {
    let all_alike = (findings.idle.as_ref()).is_some_and(|idle| idle.talkers_too);
    all_alike || findings.keeps_nobody()
}

fn message(findings: &Findings) -> Option<String> {
    let echo = (findings.echo.as_ref()).filter(|_| !ends_everybody(findings))?;
    let frame = match (echo.text.is_echo(), echo.binary.is_echo()) {
        (true, _) => "",
        (false, true) => "frame = \"binary\"\n",
        (false, false) => return None,
    };
    let limit = idle_limit(findings).unwrap_or(Duration::MAX).as_secs_f64();
    let rate = (3.0 / limit).clamp(1.0, 100.0).ceil();
    Some(format!(
        "[[message]]\nname = \"echo\"\npayload = {{ size = \"64B\" }}\n{frame}rate = \"{rate}/s\"\nexpect = \"echo\"\ntimeout = \"5s\"\n"
    ))
}

fn answers_pings(findings: &Findings) -> bool {
    let pings = findings.pings.as_ref();
    !ends_everybody(findings) && pings.is_some_and(|pings| pings.answered > 0)
}

fn heartbeat(findings: &Findings) -> Option<String> {
    let third = idle_limit(findings).map_or(Duration::MAX, |limit| limit / 3);
    let ms = millis(third.min(Duration::from_secs(2)));
    let step = if ms < 200 { 1 } else { 100 };
    let interval = Duration::from_millis((ms / step * step).max(1));
    answers_pings(findings).then(|| {
        format!(
            "[heartbeat]\ninterval = \"{}\"\ntimeout = \"5s\"\n",
            format_duration(interval)
        )
    })
}

/// Whether the client that behaves like a healthy one stayed connected in the trials.
fn survives(findings: &Findings) -> bool {
    let lived = |doing| {
        (findings.trial(doing))
            .is_some_and(|trial| trial.ending.is_none() && trial.failed.is_none())
    };
    let echoes = message(findings).is_some();
    lived(Doing::AnswerPings)
        || (answers_pings(findings) && lived(Doing::Pings))
        || (echoes && lived(Doing::Texts))
}

fn healthy(findings: &Findings) -> String {
    let mut text = format!("[[cohort]]\nname = \"{HEALTHY}\"\nconnections = {CLIENTS}\n");
    if survives(findings) {
        text += "[cohort.contract]\nclosed = 0\n";
    }
    text
}

/// The name of the clients that do what keeps them.
const HEALTHY: &str = "healthy";

/// Clients that answer pings and do nothing else: only of those it is known when they are pinged, since many servers ping who
/// is silent.
fn idle(findings: &Findings, duration: Duration) -> Option<String> {
    let pings = pings_between(findings)?;
    let watched = watched(findings);
    let kept = match watched > duration {
        true => "closed = 0".to_owned(),
        false => format!("alive_for = \"{}s\"", watched.as_secs().max(1)),
    };
    Some(format!(
        "[[cohort]]\nname = \"idle\"\nconnections = {CLIENTS}\nmessage = []\nheartbeat = \"off\"\n\
         [cohort.contract]\n{kept}\npings_between = {pings}\n"
    ))
}

/// The window of the time between two pings to one that answers them, where it was kept.
fn pings_between(findings: &Findings) -> Option<String> {
    let quiet = findings
        .quiet
        .as_ref()
        .filter(|_| !ends_everybody(findings))?;
    let trial = findings.trial(Doing::AnswerPings)?;
    if trial.ending.is_some() {
        return None;
    }
    let (least, most) = (quiet.min_gap_ns?, quiet.max_gap_ns?);
    // Where the gaps differ, or there is but one, they may differ more.
    let margin = margin(findings);
    let is_regular = quiet.pings > 2 && most - least <= least / 20;
    let (lo, hi) = match is_regular {
        true => window([least, most], margin),
        false => window([least / 2, most.saturating_mul(2)], margin),
    };
    Some(between(lo, hi))
}

fn gates(findings: &Findings, cohorts: &[DraftCohort]) -> String {
    let ended = match cohorts {
        [first, ..] if ends_everybody(findings) => format!("{{cohort={}}}", first.name),
        _ => String::new(),
    };
    let mut gates = vec![format!("count(connections.failed{ended}) == 0")];
    if survives(findings) {
        // A cohort of its own is judged by its own promises.
        let healthy = match pings_between(findings) {
            Some(_) => format!("{{cohort={HEALTHY}}}"),
            None => String::new(),
        };
        gates.push(format!("count(connections.lost{healthy}) == 0"));
    }
    let echo = findings.echo.as_ref().and_then(|echo| echo.p50_ns);
    if let Some(p50) = echo.filter(|_| message(findings).is_some()) {
        gates.extend(generous(p50).map(|limit| format!("p90(latency.echo) < {limit}")));
        gates.push("ratio(messages.timed_out / messages.sent) < 0.1%".to_owned());
    }
    let pings = (findings.pings.as_ref()).filter(|_| answers_pings(findings));
    if let Some(p50) = pings.and_then(|pings| pings.p50_ns) {
        gates.extend(generous(p50).map(|limit| format!("p90(heartbeat.rtt) < {limit}")));
    }
    must_hold(&gates)
}

/// A round limit that a server as fast as this one keeps even when it is slow. It is for the p90, as this few clients
/// give too few samples for a higher percentile. It is at least 100 ms, because a lower gate needs a more punctual
/// generator than a busy machine is; `None` for a server that is so slow that the limit would be near the timeout of an
/// answer, which no answer in time can exceed.
pub(super) fn generous(p50_ns: u64) -> Option<String> {
    const STEPS: [u64; 5] = [100, 250, 500, 1000, 2500];
    let wanted = p50_ns.saturating_mul(10) / 1_000_000;
    let ms = STEPS.into_iter().find(|step| *step >= wanted)?;
    Some(format_duration(Duration::from_millis(ms)))
}
