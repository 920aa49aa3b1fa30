//! What the gates of a scenario may refer to: its cohorts, their messages, and the features that are in use.

use super::check::GateError;
use super::grammar::Piece;
use crate::scenario::root::File;
use crate::scenario::{Cohort, Expect, Load, Message, Reconnect, Shape, section::is_looked_at};

/// The names that a gate of this scenario may refer to.
#[derive(Debug, Default)]
pub(in crate::scenario) struct Names<'a> {
    pub(in crate::scenario) cohorts: Vec<Group<'a>>,
    /// Whether the cohorts could be resolved. If not, only the names in the file are known, and other problems were
    /// noted.
    pub(in crate::scenario) are_resolved: bool,
    /// The number of stages; zero where there are none.
    pub(in crate::scenario) stages: u32,
}

/// A cohort, and the features that its connections use.
#[derive(Debug)]
pub(in crate::scenario) struct Group<'a> {
    pub(in crate::scenario) name: &'a str,
    pub(in crate::scenario) messages: Vec<&'a str>,
    /// The messages that the server answers.
    pub(in crate::scenario) answered: Vec<&'a str>,
    pub(in crate::scenario) has_heartbeat: bool,
    pub(in crate::scenario) reconnects: bool,
    /// Whether its clients have no fault.
    pub(in crate::scenario) does_right: bool,
    /// Whether its contract expects the server to end its connections.
    pub(in crate::scenario) expects_end: bool,
}

impl Group<'_> {
    fn is_looked_at(&self, metric: &str) -> bool {
        is_looked_at(metric, self.does_right, self.expects_end)
    }
}

impl<'a> Names<'a> {
    /// The names that gates may refer to; if the cohorts could not be resolved, all names in the file.
    pub(in crate::scenario) fn of(
        file: &'a File,
        load: Option<&Load>,
        cohorts: Option<&'a [Cohort]>,
    ) -> Self {
        let stages = match load.map(|load| &load.shape) {
            Some(Shape::Stages(stages)) => stages.len() as u32,
            _ => 0,
        };
        let are_resolved = cohorts.is_some();
        let cohorts = match cohorts {
            Some(cohorts) => cohorts
                .iter()
                .map(|cohort| {
                    let name = |message: &'a Message| message.name.as_str();
                    let answered = (cohort.messages.iter()).filter(|m| m.expect == Expect::Echo);
                    Group {
                        name: &cohort.name,
                        messages: cohort.messages.iter().map(name).collect(),
                        answered: answered.map(name).collect(),
                        has_heartbeat: cohort.heartbeat.is_some(),
                        reconnects: cohort.reconnect != Reconnect::None,
                        does_right: cohort.does_right(),
                        expects_end: cohort.expects_end(),
                    }
                })
                .collect(),
            None => written(file),
        };
        Self {
            cohorts,
            are_resolved,
            stages,
        }
    }

    /// The cohort of this name, or all cohorts if none is named.
    pub(super) fn groups(&self, cohort: Option<&str>) -> impl Iterator<Item = &Group<'a>> {
        let wanted = move |group: &&Group<'a>| cohort.is_none_or(|cohort| group.name == cohort);
        self.cohorts.iter().filter(wanted)
    }

    /// The messages of the cohort of this name, or of all cohorts if none is named.
    pub(super) fn messages(&self, cohort: Option<&str>) -> Vec<&'a str> {
        let groups = self.groups(cohort);
        let mut names: Vec<&str> = groups.flat_map(|group| group.messages.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The cohorts as they are written, where they could not be resolved.
fn written(file: &File) -> Vec<Group<'_>> {
    let given = || file.cohort.iter().flat_map(|list| &list.value.0);
    let own = given().filter_map(|cohort| cohort.value.message.as_ref());
    let lists = file.message.iter().chain(own);
    let messages: Vec<&str> = lists
        .flat_map(|list| &list.value.0)
        .filter_map(|message| Some(message.value.name.as_ref()?.value.as_str()))
        .collect();
    let names = given().filter_map(|cohort| Some(cohort.value.name.as_ref()?.value.as_str()));
    names
        .chain(file.cohort.is_none().then_some("main"))
        .map(|name| Group {
            name,
            messages: messages.clone(),
            answered: messages.clone(),
            has_heartbeat: false,
            reconnects: false,
            does_right: true,
            expects_end: false,
        })
        .collect()
}

/// Refuses a gate that names no cohort if there is no cohort that it would look at.
pub(super) fn is_about_someone(metric: &Piece<'_>, names: &Names<'_>) -> Result<(), GateError> {
    let is_own = metric.text.starts_with("generator.");
    if is_own
        || !names.are_resolved
        || names
            .cohorts
            .iter()
            .any(|group| group.is_looked_at(metric.text))
    {
        return Ok(());
    }
    let why = match names.cohorts.iter().any(|group| group.does_right) {
        true => "a contract expects the end of each",
        false => "each has a fault",
    };
    let what = format!(
        "`{}` names no cohort, and there is none to look at: {why}",
        metric.text
    );
    let name = names.cohorts.first().map_or("main", |group| group.name);
    let hint = format!("name the cohort, as in `{}{{cohort={name}}}`", metric.text);
    Err(GateError::new(metric, what).hint(hint))
}

/// Tells whether a cohort has what a metric needs.
type IsThere = Box<dyn Fn(&Group<'_>) -> bool>;

/// What a metric needs so that a cohort has values of it, a hint how to get that, and a test whether a cohort has it.
/// `None` if the metric needs nothing.
fn need(metric: &str) -> Option<(&'static str, &'static str, IsThere)> {
    let (group, name) = metric.split_once('.')?;
    let heartbeat = "add a `[heartbeat]`, with `interval = \"30s\"`";
    let echo = "leave `expect = \"none\"` out where the server answers";
    let name = name.to_owned();
    Some(match (group, name.as_str()) {
        // These count what a server can send to a client that only listens.
        ("heartbeat", "unsolicited") | ("messages", "received" | "unsolicited") => return None,
        ("heartbeat", _) | ("connections", "dead") => (
            "a heartbeat",
            heartbeat,
            Box::new(|group| group.has_heartbeat),
        ),
        ("messages", "due" | "sent" | "not_sent" | "offline") => (
            "a message",
            "add a `[[message]]`, or look at `messages.received`",
            Box::new(|group| !group.messages.is_empty()),
        ),
        ("messages", _) => (
            "a message that is answered",
            "add a `[[message]]` without `expect = \"none\"`, or look at `messages.received`",
            Box::new(|group| !group.answered.is_empty()),
        ),
        ("latency" | "service", _) => (
            "a message that is answered",
            echo,
            Box::new(move |group| group.answered.contains(&name.as_str())),
        ),
        ("reconnect", _) | ("connections", "reconnected") => (
            "clients that come back",
            "write `reconnect = { initial = \"500ms\", max = \"30s\" }` in `[load]`",
            Box::new(|group| group.reconnects),
        ),
        _ => return None,
    })
}

/// Refuses a gate on something that no client does: a count would always be zero and prove nothing, and a time would
/// have no sample.
pub(super) fn can_be_seen(
    metric: &Piece<'_>,
    cohort: Option<&str>,
    names: &Names<'_>,
) -> Result<(), GateError> {
    let Some((needs, hint, is_there)) = need(metric.text) else {
        return Ok(());
    };
    let looked_at = || {
        names
            .groups(cohort)
            .filter(|group| cohort.is_some() || group.is_looked_at(metric.text))
    };
    if !names.are_resolved || looked_at().any(&is_there) {
        return Ok(());
    }
    let who = match cohort {
        Some(cohort) => format!("cohort `{cohort}` has none"),
        None if names.cohorts.iter().any(&is_there) => {
            "no cohort without a fault has one".to_owned()
        }
        None => "this scenario has none".to_owned(),
    };
    let what = format!("`{}` needs {needs}, and {who}", metric.text);
    Err(GateError::new(metric, what).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::super::check::{read, tests::names};
    use super::*;

    /// One cohort that only listens.
    fn listeners() -> Names<'static> {
        let group = Group {
            name: "main",
            messages: Vec::new(),
            answered: Vec::new(),
            has_heartbeat: false,
            reconnects: false,
            does_right: true,
            expects_end: false,
        };
        Names {
            cohorts: vec![group],
            are_resolved: true,
            stages: 0,
        }
    }

    #[test]
    fn what_nobody_does_is_not_counted() {
        for text in [
            "count(heartbeat.missed) == 0",
            "p99(heartbeat.rtt) < 1s",
            "count(messages.timed_out) == 0",
            "ratio(messages.timed_out / messages.sent) < 1%",
        ] {
            let error = read(text, &listeners()).unwrap_err();
            assert!(
                error.what.ends_with("this scenario has none"),
                "{}",
                error.what
            );
            assert!(read(text, &names()).is_ok(), "{text}");
        }
        for text in [
            "count(connections.dead) == 0",
            "count(connections.reconnected) > 0",
        ] {
            assert!(read(text, &listeners()).is_err(), "{text}");
            assert!(read(text, &names()).is_ok(), "{text}");
        }
        let mut untold = names();
        for group in &mut untold.cohorts {
            group.answered.clear();
        }
        for text in ["p99(latency.echo) < 1s", "count(messages.timed_out) == 0"] {
            let error = read(text, &untold).unwrap_err();
            assert!(
                error.what.contains("needs a message that is answered"),
                "{}",
                error.what
            );
        }
        assert!(read("count(messages.sent) > 0", &untold).is_ok());
        let error = read("count(heartbeat.missed{cohort=slow}) == 0", &names()).unwrap_err();
        assert_eq!(
            error.what,
            "`heartbeat.missed` needs a heartbeat, and cohort `slow` has none"
        );
        let mut names = names();
        names.cohorts[0].does_right = false;
        let gate = "count(heartbeat.missed) == 0";
        let error = read(gate, &names).unwrap_err();
        assert_eq!(
            error.what,
            "`heartbeat.missed` needs a heartbeat, and no cohort without a fault has one"
        );
        assert!(read("count(heartbeat.missed{cohort=main}) == 0", &names).is_ok());
        names.are_resolved = false;
        assert!(read(gate, &names).is_ok());
        for text in [
            "count(messages.received) > 0",
            "count(messages.unsolicited) > 0",
            "count(heartbeat.unsolicited) == 0",
            "count(server_ping.received) > 0",
        ] {
            assert!(read(text, &listeners()).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_gate_is_about_someone() {
        let mut names = names();
        for group in &mut names.cohorts {
            group.expects_end = true;
        }
        for text in ["count(connections.lost) == 0", "count(errors.eof) == 0"] {
            let error = read(text, &names).unwrap_err();
            assert!(
                error.what.ends_with("a contract expects the end of each"),
                "{}",
                error.what
            );
            assert!(error.hint.unwrap().ends_with("{cohort=main}`"));
        }
        assert!(read("count(messages.timed_out) == 0", &names).is_ok());
        assert!(read("count(connections.lost{cohort=slow}) == 0", &names).is_ok());
        assert!(read("peak(generator.cpu) < 80%", &names).is_ok());
        for group in &mut names.cohorts {
            group.does_right = false;
        }
        let error = read("p99(handshake.total) < 1s", &names).unwrap_err();
        assert!(error.what.ends_with("each has a fault"), "{}", error.what);
    }
}
