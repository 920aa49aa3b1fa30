//! Writes the findings as a scenario to start from, in the language of `scenarios/reference.toml`.

use std::time::Duration;

use super::cohorts::{DraftCohort, ENDED, between, cohorts, millis, window};
use super::findings::{Doing, Findings, Since};
use super::offers::keys;
use super::target::{Asked, target_text};
use crate::scenario::{Spoken, shown_address};
use crate::units::{format_duration, is_harmless};

/// The number of clients in each cohort.
pub(super) const CLIENTS: u32 = 10;
/// What the file says of its windows.
const WINDOWS: &str = "\
    # Its windows are those of one measurement. Put in what the server promises instead: `wsbench presets`\n\
    # lists the servers for which wsbench computes it from their settings.\n";

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
        target_text(asked) + &keys(findings),
        load(findings, &cohorts),
    ];
    parts.extend(message(findings));
    parts.extend(heartbeat(findings));
    if !cohorts.is_empty() && !ends_everybody(findings) {
        parts.push(healthy(findings));
    }
    parts.extend(cohorts.iter().map(DraftCohort::text));
    parts.push(gates(findings));
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
        target_text(&target) + &format!("dialect = {}\n", spoken.text()) + &keys(findings),
        format!("[load]\nconnections = {CLIENTS}\nduration = \"30s\"\n"),
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

fn load(findings: &Findings, cohorts: &[DraftCohort]) -> String {
    let longest = cohorts.iter().map(|cohort| cohort.between.1).max();
    let gap = findings
        .quiet
        .as_ref()
        .and_then(|quiet| quiet.max_gap_ns.or(quiet.first_ping_ns));
    let gap = Duration::from_nanos(gap.unwrap_or(0));
    // Takes twice the needed time, so that each client is decided before the end.
    let needed = longest.map_or(Duration::ZERO, |longest| 2 * (gap + longest));
    let duration = needed.max(Duration::from_secs(30)).as_secs_f64().ceil();
    let duration = format_duration(Duration::from_secs(duration as u64));
    match cohorts {
        [] => format!("[load]\nconnections = {CLIENTS}\nduration = \"{duration}\"\n"),
        _ => format!("[load]\nduration = \"{duration}\"\n"),
    }
}

/// The shortest silence after which the server ended a client that answers pings.
fn idle_limit(findings: &Findings) -> Option<Duration> {
    let idle = findings.idle.as_ref()?;
    let silent = idle.silent.as_ref();
    let silent = silent.filter(|limit| limit.since == Since::Open);
    let limit = idle.answering.as_ref().or(silent);
    limit.map(|limit| Duration::from_nanos(limit.after_ns))
}

/// Whether the server ended every client after the same time. There are no healthy clients then, and their end is all
/// that can be expected.
fn ends_everybody(findings: &Findings) -> bool {
    (findings.idle.as_ref()).is_some_and(|idle| idle.talkers_too)
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
    let mut text = format!("[[cohort]]\nname = \"healthy\"\nconnections = {CLIENTS}\n");
    if !survives(findings) {
        return text;
    }
    text += "[cohort.contract]\nclosed = 0\n";
    if let Some(quiet) = &findings.quiet
        && let (Some(least), Some(most)) = (quiet.min_gap_ns, quiet.max_gap_ns)
    {
        let (lo, _) = window(least);
        let (_, hi) = window(most);
        text += &format!("pings_between = {}\n", between(lo, hi));
    }
    text
}

fn gates(findings: &Findings) -> String {
    let ended = if ends_everybody(findings) {
        format!("{{cohort={ENDED}}}")
    } else {
        String::new()
    };
    let mut gates = vec![format!("count(connections.failed{ended}) == 0")];
    if survives(findings) {
        gates.push("count(connections.lost) == 0".to_owned());
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
fn generous(p50_ns: u64) -> Option<String> {
    const STEPS: [u64; 5] = [100, 250, 500, 1000, 2500];
    let wanted = p50_ns.saturating_mul(10) / 1_000_000;
    let ms = STEPS.into_iter().find(|step| *step >= wanted)?;
    Some(format_duration(Duration::from_millis(ms)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::findings::{
        Answer, Echo, Ending, How, Idle, Limit, Pings, Quiet, Tcp, Trial,
    };
    use crate::scenario::{Outside, Overrides, Scenario, Source, parse};

    const SECOND: u64 = 1_000_000_000;

    fn asked() -> Asked {
        Asked {
            url: "ws://127.0.0.1:9/".to_owned(),
            ..Asked::default()
        }
    }

    fn trial(doing: Doing, ending: Option<Ending>) -> Trial {
        Trial {
            doing,
            watched_ns: 15 * SECOND,
            sent: 0,
            pings: 3,
            unanswered_ns: None,
            ending,
            failed: None,
        }
    }

    /// An echo server that answers pings and ends no client.
    fn kind() -> Findings {
        Findings {
            echo: Some(Echo {
                greeting: None,
                text: Answer::Same,
                binary: Answer::Same,
                samples: 20,
                p50_ns: Some(80_000),
                max_ns: Some(90_000),
                ending: None,
            }),
            pings: Some(Pings {
                sent: 20,
                answered: 20,
                p50_ns: Some(12_000_000),
                ..Pings::default()
            }),
            activity: Doing::ALL.map(|doing| trial(doing, None)).into(),
            idle: Some(Idle {
                watched_ns: 15 * SECOND,
                silent: None,
                answering: None,
                talkers_too: false,
            }),
            ..Findings::default()
        }
    }

    fn limit(since: Since, after_ns: u64, how: How) -> Limit {
        Limit {
            since,
            after_ns,
            ending: Ending {
                at_ns: after_ns + SECOND,
                how,
                tcp: Some(Tcp {
                    after_ns: 1_000,
                    reset: false,
                }),
            },
        }
    }

    #[track_caller]
    fn read(text: &str) -> Scenario {
        let source = Source {
            name: "test".to_owned(),
            text: text.to_owned(),
        };
        let outside = Outside {
            env: &|_| None,
            read: &|_| unreachable!("no file is named"),
            list: &Outside::no_folder,
        };
        let parsed = parse(&source, &Overrides::default(), &outside);
        parsed.unwrap_or_else(|problems| panic!("{problems}\n{text}"))
    }

    #[track_caller]
    fn has(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(text.lines().any(|found| found == *line), "{line}\n\n{text}");
        }
    }

    #[test]
    fn a_kind_server_gets_a_load_a_heartbeat_and_gates() {
        let text = scenario(&asked(), &kind());
        let scenario = read(&text);
        assert_eq!(scenario.name, "probe-127-0-0-1-9");
        assert_eq!(scenario.cohorts[0].connections, CLIENTS);
        assert_eq!(scenario.cohorts[0].messages.len(), 1);
        assert_eq!(scenario.gates.pass.len(), 5);
        has(&text, &["  \"p90(heartbeat.rtt) < 250ms\","]);
    }

    #[test]
    fn a_gate_on_a_time_is_below_the_timeout_of_an_answer() {
        assert_eq!(generous(SECOND / 50).as_deref(), Some("250ms"));
        assert_eq!(generous(SECOND / 4).as_deref(), Some("2.5s"));
        assert_eq!(generous(SECOND / 3), None);
    }

    #[test]
    fn a_server_that_speaks_a_dialect_gets_a_scenario_in_it() {
        for (subprotocol, greeting, gates) in [
            (None, Some("0{\"sid\":\"x\""), 2),
            (Some("ocpp2.0.1"), None, 1),
        ] {
            let spoken = Spoken::new(subprotocol, greeting).unwrap();
            let dialect = spoken.dialect;
            let found = Findings {
                dialect: Some(spoken),
                ..kind()
            };
            let text = scenario(&asked(), &found);
            let scenario = read(&text);
            assert_eq!(scenario.target.dialect, Some(dialect), "{text}");
            assert_eq!(scenario.gates.pass.len(), gates, "{text}");
        }
    }

    #[test]
    fn a_server_that_does_nothing_gets_connections_alone() {
        let scenario = read(&scenario(&asked(), &Findings::default()));
        let main = &scenario.cohorts[0];
        assert!(main.messages.is_empty() && main.heartbeat.is_none());
        assert_eq!(scenario.gates.pass.len(), 1);
    }

    #[test]
    fn one_that_closes_mute_clients_gets_a_window_from_the_ping() {
        let how = How::Close {
            code: Some(1011),
            reason: "keepalive ping timeout".to_owned(),
        };
        let mut found = kind();
        found.quiet = Some(Quiet {
            pings: 3,
            min_gap_ns: Some(20 * SECOND),
            max_gap_ns: Some(20 * SECOND),
            ..Quiet::default()
        });
        found.idle = Some(Idle {
            watched_ns: 60 * SECOND,
            silent: Some(limit(Since::Ping, 20 * SECOND, how)),
            answering: None,
            talkers_too: false,
        });
        let text = scenario(&asked(), &found);
        read(&text);
        has(
            &text,
            &[
                "duration = \"1m28s\"",
                "name = \"healthy\"",
                "closed = 0",
                "pings_between = [\"16s\", \"24s\"]",
                "name = \"mute\"",
                "fault = { kind = \"no_pong\" }",
                "from = \"ping\"",
                "closed_between = [\"16s\", \"24s\"]",
                "code = 1011",
                "ends_with = \"close_frame\"",
                "tcp_end_within = \"1s\"",
            ],
        );
    }

    #[test]
    fn an_idle_limit_counts_from_the_open_and_the_healthy_keep_well_below_it() {
        let mut found = kind();
        for trial in &mut found.activity[..2] {
            trial.ending = Some(limit(Since::Open, 3 * SECOND, How::Fin).ending);
        }
        found.idle = Some(Idle {
            watched_ns: 15 * SECOND,
            silent: Some(limit(Since::Open, 3 * SECOND, How::Fin)),
            answering: Some(limit(Since::Open, 3 * SECOND, How::Fin)),
            talkers_too: false,
        });
        let text = scenario(&asked(), &found);
        read(&text);
        has(
            &text,
            &[
                "interval = \"1s\"",
                "closed = 0",
                "name = \"silent\"",
                "from = \"open\"",
                "closed_between = [\"2.4s\", \"3.6s\"]",
                "ends_with = \"fin\"",
            ],
        );
        assert!(!text.contains("no_pong"), "{text}");
    }

    #[test]
    fn where_everybody_is_ended_the_end_is_expected_and_nothing_else() {
        let mut found = kind();
        let end = limit(Since::Open, 3 * SECOND, How::Fin);
        for trial in &mut found.activity {
            trial.ending = Some(end.ending.clone());
        }
        found.idle = Some(Idle {
            watched_ns: 15 * SECOND,
            silent: Some(end.clone()),
            answering: Some(end),
            talkers_too: true,
        });
        let text = scenario(&asked(), &found);
        let scenario = read(&text);
        let [cohort] = &scenario.cohorts[..] else {
            panic!("{text}");
        };
        assert_eq!(cohort.name, "ended");
        has(&text, &["closed_between = [\"2.4s\", \"3.6s\"]"]);
        for none in ["[[message]]", "[heartbeat]", "p90(", "timed_out"] {
            assert!(!text.contains(none), "{none}\n\n{text}");
        }
    }

    #[test]
    fn an_end_that_pongs_do_not_put_off_is_not_blamed_on_missing_pongs() {
        let mut found = kind();
        for trial in &mut found.activity {
            trial.ending = Some(limit(Since::Open, 3 * SECOND, How::Fin).ending);
        }
        found.idle = Some(Idle {
            watched_ns: 15 * SECOND,
            silent: Some(limit(Since::Ping, 3 * SECOND, How::Fin)),
            answering: Some(limit(Since::Open, 3 * SECOND, How::Fin)),
            talkers_too: false,
        });
        let text = scenario(&asked(), &found);
        read(&text);
        has(&text, &["name = \"silent\""]);
        for none in ["name = \"mute\"", "closed = 0", "connections.lost"] {
            assert!(!text.contains(none), "{none}\n\n{text}");
        }
    }
}
