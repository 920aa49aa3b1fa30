//! Says in words how a connection was ended, and what ends a silent one.

use super::breach::code_breach;
use super::findings::{Ending, How, Idle, Limit, Since, Tcp};
use crate::units::{counted, human_ns, is_harmless};

/// What ends a silent client.
pub(super) fn idle(found: &Idle) -> Vec<String> {
    let watched = human_ns(found.watched_ns);
    let mut lines = Vec::new();
    match &found.silent {
        Some(limit) if found.talkers_too => {
            let after = human_ns(limit.after_ns);
            let by = by(&limit.ending.how);
            lines.push(format!(
                "ended {after} after the open, like clients that sent pings or texts, by {by}"
            ));
            lines.push(manner(&limit.ending));
            lines.extend(looks(limit));
        }
        Some(limit) => lines.extend(limited("", limit)),
        None => lines.push(format!(
            "a silent client was not ended within {watched}; `--for` watches longer"
        )),
    }
    if let (Some(limit), Some(Since::Ping)) =
        (&found.answering, found.silent.as_ref().map(|l| l.since))
    {
        lines.extend(limited("one that answers pings: ", limit));
    }
    lines
}

/// When and by what limit, and on a second line how.
fn limited(whom: &str, limit: &Limit) -> Vec<String> {
    let after = human_ns(limit.after_ns);
    let since = match limit.since {
        Since::Open => format!("ended after {after} of silence"),
        Since::Ping => format!("ended {after} after the first unanswered ping"),
    };
    let by = by(&limit.ending.how);
    let mut lines = vec![format!("{whom}{since}, by {by}"), manner(&limit.ending)];
    lines.extend(looks(limit));
    lines
}

/// What clients that came later saw of the limit.
fn looks(limit: &Limit) -> Option<String> {
    let [least, most] = [limit.least_ns, limit.most_ns].map(human_ns);
    let times = counted(limit.seen.into(), "time");
    match (limit.seen, limit.is_exact(), limit.phases) {
        (1, ..) => Some("seen once; `--for` with a longer time looks again".to_owned()),
        (_, true, _) => limit
            .ping_gap_ns
            .map(|_| "when a ping was due: it may come one ping sooner or later".to_owned()),
        (_, false, 1) => Some(format!(
            "seen {times}, from pings that all clients get at once: other phases may differ"
        )),
        (_, false, _) => Some(format!(
            "seen {times}, after {least} to {most}: a timer may serve all clients"
        )),
    }
}

/// Who ended a connection in this way.
const fn by(how: &How) -> &'static str {
    match how {
        How::Close { .. } => "the server",
        How::Fin | How::Rst => "a proxy, or a server that sends no Close frame",
        How::Broken(_) | How::Stuck => "us",
    }
}

/// When and how a connection was ended.
pub(super) fn ended(ending: &Ending) -> String {
    format!("ended after {}: {}", human_ns(ending.at_ns), manner(ending))
}

/// How a connection was ended.
pub(super) fn manner(ending: &Ending) -> String {
    match &ending.how {
        How::Close { code, reason } => {
            let tcp = ending.tcp.as_ref().map_or_else(
                || "TCP still open".to_owned(),
                |tcp| format!("{} {} later", fin(tcp), human_ns(tcp.after_ns)),
            );
            let breach =
                code_breach(*code).map_or_else(String::new, |breach| format!(": {breach}"));
            format!("{}{breach}, {tcp}", close_frame(*code, reason))
        }
        How::Fin => "FIN without a Close frame".to_owned(),
        How::Rst => "RST without a Close frame".to_owned(),
        How::Broken(breach) => breach.words().to_owned(),
        How::Stuck => "it took no more bytes".to_owned(),
    }
}

/// A Close frame with its code and reason, in words.
pub(super) fn close_frame(code: Option<u16>, reason: &str) -> String {
    let code = code.map_or_else(|| "without a code".to_owned(), |code| code.to_string());
    let reason: String = reason.chars().filter(|c| is_harmless(*c)).collect();
    if reason.is_empty() {
        format!("Close {code}")
    } else {
        format!("Close {code} \"{reason}\"")
    }
}

/// How TCP ended, in words.
pub(super) const fn fin(tcp: &Tcp) -> &'static str {
    if tcp.reset { "RST" } else { "FIN" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(how: How, tcp: Option<Tcp>) -> Ending {
        Ending {
            at_ns: 3_000_000_000,
            how,
            tcp,
        }
    }

    fn close(code: Option<u16>, reason: &str) -> How {
        How::Close {
            code,
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn a_close_a_fin_and_a_rst_are_told_apart() {
        let tcp = |reset| {
            Some(Tcp {
                after_ns: 1_000_000,
                reset,
            })
        };
        for (how, tcp, text) in [
            (
                close(Some(1011), "late\n"),
                tcp(false),
                "Close 1011 \"late\", FIN 1.00 ms later",
            ),
            (
                close(None, ""),
                tcp(true),
                "Close without a code, RST 1.00 ms later",
            ),
            (close(Some(1000), ""), None, "Close 1000, TCP still open"),
            (
                close(Some(1006), ""),
                None,
                "Close 1006: the code 1006 must not be sent (section 7.4), TCP still open",
            ),
            (How::Fin, None, "FIN without a Close frame"),
            (How::Rst, None, "RST without a Close frame"),
        ] {
            assert_eq!(manner(&ending(how, tcp)), text);
        }
    }

    #[test]
    fn a_limit_says_from_when_and_by_whom() {
        let limit = |since, how, talkers_too| {
            let idle = Idle {
                watched_ns: 9_000_000_000,
                silent: Some(Limit {
                    since,
                    after_ns: 2_000_000_000,
                    ending: ending(how, None),
                    seen: 1,
                    phases: 1,
                    ping_gap_ns: None,
                    least_ns: 2_000_000_000,
                    most_ns: 2_000_000_000,
                }),
                answering: None,
                talkers_too,
            };
            super::idle(&idle).join("\n")
        };
        let text = limit(Since::Ping, close(Some(1011), ""), false);
        assert!(
            text.contains("2.00 s after the first unanswered ping, by the server\nClose 1011"),
            "{text}"
        );
        let text = limit(Since::Open, close(Some(1001), ""), true);
        assert!(
            text.contains(
                "ended 2.00 s after the open, like clients that sent pings or texts, by the server"
            ),
            "{text}"
        );
        let text = limit(Since::Open, How::Fin, false);
        assert!(
            text.contains(
                "after 2.00 s of silence, by a proxy, or a server that sends no Close frame\nFIN without"
            ),
            "{text}"
        );
    }
}
