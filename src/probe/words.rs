//! Writes findings in words: a few lines for each, with its name in front.

use std::time::Duration;

use super::breach::code_breach;
use super::endings::{close_frame, ended, fin, idle};
use super::findings::{
    Answer, CloseHandshake, Doing, Echo, Finding, FirstWord, Pings, Question, Quiet, Trial, Within,
};
use super::run::Probe;
use crate::scenario::{Sign, Spoken};
use crate::units::{counted, format_duration, human_count, human_ns};

/// Says what a probe is about to do.
pub fn plan(url: &str, all: Duration) -> String {
    format!(
        "probing {url}: at most {}, one after the other or side by side; it ends after {}\n\n",
        counted(Probe::CONNECTIONS as u64, "connection"),
        format_duration(all),
    )
}

/// One finding as text; each line ends with a line break.
pub fn words(finding: &Finding) -> String {
    match finding {
        Finding::Handshake(found) => block("handshake", found.words()),
        Finding::Tls(found) => block("tls", found.words()),
        Finding::Offers(found) => block("offers", found.words()),
        Finding::Echo(found) => block("echo", echo(found)),
        Finding::Dialect(found) => block("speaks", vec![spoken(found)]),
        Finding::Pings(found) => block(PINGS, pings(found)),
        Finding::Quiet(found) => block(QUIET, quiet(found)),
        Finding::Activity(trials) => block("alive", activity(trials)),
        Finding::Idle(found) => block(IDLE, idle(found)),
        Finding::Close(found) => block(CLOSE, close(found)),
        Finding::FirstWord(found) => block("first word", first_word(found)),
        Finding::Unknown(unknown) => block(
            match unknown.question {
                Question::Pings => PINGS,
                Question::Quiet => QUIET,
                Question::Idle => IDLE,
                Question::Close => CLOSE,
            },
            vec![format!("not known, no connection: {}", unknown.failed)],
        ),
        Finding::RetryAfter(seconds) => {
            let asked = format_duration(Duration::from_secs(*seconds));
            block(
                "asks",
                vec![format!("to be left alone for {asked} (Retry-After)")],
            )
        }
        Finding::HeldUp(ns) => {
            let how_long = human_ns(*ns);
            let told = format!(
                "this program for {how_long} at once, so times may be shorter by that: windows are wider"
            );
            block("held up", vec![told])
        }
        Finding::Connections(made) => block("in all", vec![counted((*made).into(), "connection")]),
    }
}

const PINGS: &str = "pings";
const QUIET: &str = "by itself";
const IDLE: &str = "silent";
const CLOSE: &str = "close";

/// Puts an excerpt in quotes, except one in hex.
fn said(excerpt: &str) -> String {
    if excerpt.contains(" bytes 0x") || excerpt.starts_with("1 byte 0x") {
        excerpt.to_owned()
    } else {
        format!("\"{excerpt}\"")
    }
}

/// Puts the name in front of the first line, and indents the others.
fn block(name: &str, lines: Vec<String>) -> String {
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let name = if number == 0 { name } else { "" };
        text += &format!("{name:<11}{line}\n");
    }
    text
}

/// The most texts of a list that are shown.
const SHOWN: usize = 5;

/// How many there are, and the first of them.
pub(super) fn listed(texts: &[String], noun: &str) -> String {
    let shown = texts[..texts.len().min(SHOWN)].join(", ");
    let more = match texts.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {} more", human_count(more as u64)),
    };
    format!("{}: {shown}{more}", counted(texts.len() as u64, noun))
}

fn echo(found: &Echo) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(greeting) = &found.greeting {
        lines.push(format!("greets with {}", said(greeting)));
    }
    let answer = |sent: &str, answer: &Answer| match answer {
        Answer::Same => format!("{sent} comes back the same"),
        Answer::Retyped => format!("{sent} comes back as the other kind of frame"),
        Answer::Other(other) => format!("{sent} is answered with {}", said(other)),
        Answer::Nothing => format!("nothing comes back to {sent}"),
        Answer::Ended => format!("{sent} ends the connection"),
    };
    match (&found.text, &found.binary) {
        (Answer::Same, Answer::Same) => lines.push("text and binary come back the same".to_owned()),
        (Answer::Nothing, Answer::Nothing) => {
            lines.push("nothing comes back to text or binary".to_owned())
        }
        (Answer::Ended, _) => lines.push(answer("a text", &found.text)),
        (text, binary) => {
            lines.push(answer("a text", text));
            lines.push(answer("a binary message", binary));
        }
    }
    if let (Some(p50), Some(max)) = (found.p50_ns, found.max_ns) {
        let samples = found.samples;
        lines.push(format!(
            "p50 {}, max {}, of {samples}",
            human_ns(p50),
            human_ns(max)
        ));
    }
    lines.extend(found.ending.as_ref().map(ended));
    lines
}

fn spoken(found: &Spoken) -> String {
    let by = match found.by {
        Sign::Subprotocol => "by its subprotocol",
        Sign::Greeting => "by its greeting",
    };
    format!(
        "{}, {by}: write `dialect = {}`",
        found.dialect.name,
        found.text()
    )
}

fn pings(found: &Pings) -> Vec<String> {
    let mut lines = Vec::new();
    if let (Some(p50), Some(max)) = (found.p50_ns, found.max_ns) {
        lines.push(format!(
            "{} of {} answered with the same payload: p50 {}, max {}",
            found.answered,
            found.sent,
            human_ns(p50),
            human_ns(max)
        ));
    } else {
        lines.push(format!("none of {} answered", found.sent));
    }
    if found.wrong > 0 {
        lines.push(format!(
            "{} with a payload that no ping had",
            counted(found.wrong as u64, "pong")
        ));
    }
    if found.answered > 0 && !found.unanswered_lengths.is_empty() {
        let lengths: Vec<String> = found
            .unanswered_lengths
            .iter()
            .map(usize::to_string)
            .collect();
        lines.push(format!("not always with {} bytes", lengths.join(" or ")));
    }
    if found.burst_sent > 0 {
        let last = match found.burst_last_answered {
            true => "the last one too",
            false => "but not the last one, which RFC 6455 section 5.5.3 requires",
        };
        lines.push(format!(
            "{} of {} sent at once answered, {last}",
            found.burst_answered, found.burst_sent
        ));
    }
    lines.extend(match found.within_message {
        Within::NotTried => None,
        Within::Answered(ns) => Some(format!(
            "between two fragments of a message: answered after {}",
            human_ns(ns)
        )),
        Within::AnsweredAfterwards => {
            Some("between two fragments of a message: answered only when it was whole".to_owned())
        }
        Within::Nothing => Some("between two fragments of a message: not answered".to_owned()),
    });
    lines.extend(found.ending.as_ref().map(ended));
    lines
}

fn quiet(found: &Quiet) -> Vec<String> {
    let watched = human_ns(found.watched_ns);
    let mut lines = Vec::new();
    match (found.first_ping_ns, found.mean_gap_ns) {
        (Some(first), gap) => {
            let often = match gap {
                Some(gap) => format!("pings every {}", gaps(found, gap)),
                None => format!("one ping in {watched}"),
            };
            let payload = match found.payload.as_deref() {
                None | Some("") => "no payload".to_owned(),
                Some(payload) => format!("payload {}", said(payload)),
            };
            let first = human_ns(first);
            lines.push(format!("{often}, the first after {first}, {payload}"));
        }
        (None, _) => lines.push(format!("no ping in {watched}")),
    }
    for message in &found.messages {
        let often = match message.mean_gap_ns {
            Some(gap) => format!(
                "{}, every {}",
                counted(message.count as u64, "time"),
                human_ns(gap)
            ),
            None => format!("once, after {}", human_ns(message.first_ns)),
        };
        let guess = message
            .guess
            .map_or_else(String::new, |guess| format!(" ({guess})"));
        lines.push(format!("message {}: {often}{guess}", said(&message.sample)));
    }
    if found.more_messages > 0 {
        lines.push(format!(
            "and {}",
            counted(found.more_messages as u64, "other message")
        ));
    }
    if found.own_messages > 0 {
        lines.push(format!(
            "passes on what other clients say: {} of this probe came here",
            counted(found.own_messages.into(), "message")
        ));
    }
    lines
}

/// The mean gap, and how far the gaps differ from it if the difference is visible.
fn gaps(found: &Quiet, mean_ns: u64) -> String {
    let [mean, least, most] = [Some(mean_ns), found.min_gap_ns, found.max_gap_ns]
        .map(|gap| human_ns(gap.unwrap_or(mean_ns)));
    match least == most {
        true => mean,
        false => format!("{mean} ({least} to {most})"),
    }
}

fn activity(trials: &[Trial]) -> Vec<String> {
    trials
        .iter()
        .map(|trial| {
            let name = doing(trial.doing);
            let fate = match (&trial.failed, &trial.ending) {
                (Some(why), _) => format!("not opened: {why}"),
                (None, Some(ending)) => ended(ending),
                (None, None) => format!("alive after {}", human_ns(trial.watched_ns)),
            };
            format!("{name:<35}{fate}")
        })
        .collect()
}

/// The activity of a client in a trial, in words.
const fn doing(doing: Doing) -> &'static str {
    match doing {
        Doing::AnswerPings => "answers pings, sends nothing else",
        Doing::Nothing => "reads, and sends nothing",
        Doing::UnsolicitedPongs => "sends pongs nobody asked for",
        Doing::Pings => "sends pings, answers none",
        Doing::Texts => "sends texts, answers no ping",
    }
}

fn close(found: &CloseHandshake) -> Vec<String> {
    let waited = human_ns(found.waited_ns);
    let answer = match found.answered_ns {
        Some(ns) => format!(
            "our Close 1000 is answered by {} after {}",
            close_frame(found.code, &found.reason),
            human_ns(ns)
        ),
        None => format!("our Close 1000 is not answered within {waited}"),
    };
    let tcp = match &found.tcp {
        Some(tcp) => format!("{} after {}", fin(tcp), human_ns(tcp.after_ns)),
        None => format!("TCP still open after {waited}"),
    };
    let mut lines = vec![format!("{answer}; {tcp}")];
    if found.frames_after > 0 {
        lines.push(format!(
            "{} after its Close, which RFC 6455 section 5.5.1 forbids",
            counted(found.frames_after as u64, "frame")
        ));
    }
    lines.extend(code_breach(found.code));
    lines.extend(found.broken.map(|breach| breach.words().to_owned()));
    lines
}

fn first_word(found: &FirstWord) -> Vec<String> {
    vec![match found {
        FirstWord::Said(word) => format!("clients say one; this probe said {}", said(word)),
        FirstWord::OfDialect(dialect) => format!(
            "clients of {dialect} say one, and this probe did not: what is told here is of clients that never began"
        ),
        FirstWord::OfProtocol(protocol) => {
            format!("clients of {protocol} say one: `--first TEXT` says it")
        }
        FirstWord::NobodyKept => {
            "it kept no client, whatever that did: it may wait for a first word, which \
             `--first TEXT` says"
                .to_owned()
        }
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::findings::Idle;

    #[test]
    fn silence_is_said_as_such() {
        let nothing = Idle {
            watched_ns: 15_000_000_000,
            silent: None,
            answering: None,
            talkers_too: false,
        };
        assert!(words(&Finding::Idle(nothing)).contains("within 15.0 s"));
        let quiet = Quiet {
            watched_ns: 15_000_000_000,
            ..Quiet::default()
        };
        assert!(words(&Finding::Quiet(quiet)).contains("no ping in 15.0 s"));
    }

    /// RFC 6455 section 5.5.3 allows a server to skip all but the last of several pings.
    #[test]
    fn a_last_ping_without_an_answer_breaks_the_rule() {
        let pings = Pings {
            burst_sent: 10,
            burst_answered: 1,
            ..Pings::default()
        };
        let text = words(&Finding::Pings(pings));
        let wrong = "1 of 10 sent at once answered, but not the last one, which RFC 6455 section 5.5.3 requires";
        assert!(text.contains(wrong), "{text}");
    }

    #[test]
    fn what_comes_back_is_told_for_each_kind() {
        let echo = Echo {
            greeting: Some("hi".to_owned()),
            text: Answer::Other("9 bytes 0xff".to_owned()),
            binary: Answer::Nothing,
            samples: 0,
            p50_ns: None,
            max_ns: None,
            ending: None,
        };
        let text = words(&Finding::Echo(echo));
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "echo       greets with \"hi\"",
                "a text is answered with 9 bytes 0xff",
                "nothing comes back to a binary message",
            ]
        );
    }
}
