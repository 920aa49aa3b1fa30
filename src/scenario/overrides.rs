//! The changes that the command line makes to a scenario. They are applied to what the user wrote, before anything is
//! resolved, so that a wrong option is found and reported like a wrong key.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::reading::{At, List, Problem, Problems, Text, Time, Whole, words};
use super::root::File;
use super::section::{LoadTable, MessageTable};
use crate::units::Rate;

/// The changes that the command line makes to a scenario.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// `--url`: replaces `target.url`. Removes keys that only the built-in server has (`push`, `heartbeat`), or, if it
    /// is "embedded", keys that only another server has (`command`, `pid`).
    pub url: Option<String>,
    /// `--header`: names and values. Each replaces the header of the same name in `target.headers`, or is added;
    /// `Origin` replaces `target.origin`. `${NAME}` in a value comes from the environment, and a value may be secret.
    pub headers: Vec<(String, String)>,
    /// `--subprotocol`: replaces `target.subprotocols` unless it is empty.
    pub subprotocols: Vec<String>,
    /// `--ca`: replaces `target.ca` and `target.insecure`.
    pub ca: Option<PathBuf>,
    /// `--insecure`: replaces `target.ca`.
    pub insecure: bool,
    /// `--pid`: replaces `target.pid` and `target.command`.
    pub pid: Option<u32>,
    /// `--connections`: replaces `load.connections`, or `max_open` of `load.arrivals`; or is the peak to which
    /// `load.stages` are scaled.
    pub connections: Option<u32>,
    /// `--duration`: replaces `load.duration`, or is the length to which `load.stages` are scaled.
    pub duration: Option<String>,
    /// `--rate`: `RATE` for the only message (or the arrivals, where there is none), or `NAME=RATE`.
    pub rates: Vec<String>,
    /// `--gate`: replaces the gates in `gates.pass` with the same statistic and metric; added if there is none.
    pub gates: Vec<String>,
}

impl Overrides {
    /// Applies all changes except the gates, which are compared after they have been read.
    pub(super) fn apply(&self, file: &mut File, problems: &mut Problems) {
        if let Some(url) = &self.url {
            self::url(file, url);
        }
        self.access(file);
        if let Some(number) = self.pid {
            pid(file, number, problems);
        }
        if let Some(count) = self.connections {
            connections(file, count, problems);
        }
        if let Some(text) = &self.duration
            && let Some(Time(wanted)) = read("--duration", text, problems)
        {
            duration(load(file), wanted);
        }
        for text in &self.rates {
            rate(file, text, problems);
        }
    }

    /// Applies the options that give the server what it asks of a client, such as credentials.
    fn access(&self, file: &mut File) {
        const HEADER: &str = "--header";
        const SUBPROTOCOL: &str = "--subprotocol";
        let nothing = self.headers.is_empty() && self.subprotocols.is_empty();
        if nothing && self.ca.is_none() && !self.insecure {
            return;
        }
        let target = &mut file.target.get_or_insert_default().value;
        for (name, value) in &self.headers {
            let value = At::option(HEADER, value.clone());
            if name.eq_ignore_ascii_case("origin") {
                target.origin = Some(value);
                continue;
            }
            let headers = target
                .headers
                .get_or_insert_with(|| At::option(HEADER, BTreeMap::new()));
            headers
                .value
                .retain(|other, _| !other.eq_ignore_ascii_case(name));
            headers.value.insert(name.clone(), value);
        }
        if !self.subprotocols.is_empty() {
            let names = self.subprotocols.iter();
            let names = names.map(|name| At::option(SUBPROTOCOL, name.clone()));
            target.subprotocols = Some(At::option(SUBPROTOCOL, List(names.collect())));
        }
        if let Some(ca) = &self.ca {
            let ca = ca.to_string_lossy().into_owned();
            target.ca = Some(At::option("--ca", ca));
            target.insecure = None;
        }
        if self.insecure {
            target.ca = None;
            target.insecure = Some(At::option("--insecure", true));
        }
    }
}

fn url(file: &mut File, url: &str) {
    let target = &mut file.target.get_or_insert_default().value;
    target.url = Some(At::option("--url", url.to_owned()));
    if url == "embedded" {
        target.command = None;
        target.pid = None;
    } else {
        target.push = None;
        target.heartbeat = None;
    }
}

fn pid(file: &mut File, number: u32, problems: &mut Problems) {
    const OPTION: &str = "--pid";
    if !(1..=i32::MAX as u32).contains(&number) {
        problems.push(option(OPTION, "is no number of a process"));
        return;
    }
    let target = &mut file.target.get_or_insert_default().value;
    target.pid = Some(At::option(OPTION, Whole(number)));
    target.command = None;
}

fn connections(file: &mut File, count: u32, problems: &mut Problems) {
    const OPTION: &str = "--connections";
    if !(1..=10_000_000).contains(&count) {
        problems.push(option(OPTION, "is not from 1 to 10000000"));
        return;
    }
    if file
        .cohort
        .as_ref()
        .is_some_and(|list| !list.value.0.is_empty())
    {
        let mut problem = option(OPTION, "cannot be used with `[[cohort]]`");
        problem.hint = Some("change `connections` of each cohort in the file".into());
        problems.push(problem);
        return;
    }
    let load = load(file);
    if let Some(arrivals) = &mut load.arrivals {
        arrivals.value.max_open = Some(At::option(OPTION, Whole(count)));
    } else if let Some(stages) = &mut load.stages {
        let counts = || {
            stages
                .value
                .0
                .iter()
                .filter_map(|s| s.value.connections.as_ref())
        };
        let peak = counts().map(|count| count.value.0).max().unwrap_or(0);
        for stage in &mut stages.value.0 {
            if let Some(at) = &mut stage.value.connections {
                at.value = Whole(scale(at.value.0, peak, count));
            }
        }
    } else {
        load.connections = Some(At::option(OPTION, Whole(count)));
    }
}

/// Scales `part` by the change from `whole` to `wanted`; a part above zero stays above zero.
fn scale(part: u32, whole: u32, wanted: u32) -> u32 {
    if part == 0 || whole == 0 {
        return part;
    }
    let scaled = (u64::from(part) * u64::from(wanted) + u64::from(whole) / 2) / u64::from(whole);
    u32::try_from(scaled.max(1)).unwrap_or(u32::MAX)
}

fn duration(load: &mut LoadTable, wanted: Duration) {
    let Some(stages) = &mut load.stages else {
        load.duration = Some(At::option("--duration", Time(wanted)));
        return;
    };
    let durations = || {
        stages
            .value
            .0
            .iter()
            .filter_map(|s| s.value.duration.as_ref())
    };
    let total: Duration = durations().map(|duration| duration.value.0).sum();
    // Rounds the ends instead of the lengths, so that the rounded lengths add up to the total.
    let scaled = |end: Duration| {
        let scaled = end.as_nanos() * wanted.as_nanos() / total.as_nanos().max(1);
        Duration::from_nanos(u64::try_from(scaled).unwrap_or(u64::MAX))
    };
    let mut start = Duration::ZERO;
    for stage in &mut stages.value.0 {
        if let Some(at) = &mut stage.value.duration {
            let end = start + at.value.0;
            let length = scaled(end) - scaled(start);
            at.value = Time(length.max(Duration::from_millis(1)));
            start = end;
        }
    }
}

fn rate(file: &mut File, text: &str, problems: &mut Problems) {
    const OPTION: &str = "--rate";
    let (name, text) = match text.split_once('=') {
        Some((name, text)) => (Some(name.trim()), text.trim()),
        None => (None, text),
    };
    let Some(rate) = read::<Rate>(OPTION, text, problems) else {
        return;
    };
    let rate = At::option(OPTION, rate);
    let names: Vec<String> = messages(file)
        .filter_map(|m| Some(m.name.as_ref()?.value.clone()))
        .collect();
    let count = messages(file).count();
    match name {
        Some(name) if !names.iter().any(|known| known == name) => {
            let mut problem = option(OPTION, format_args!("names no message: `{name}`"));
            problem.hint = match words::nearest(name, names.iter().map(String::as_str)) {
                Some(nearest) => Some(format!("did you mean `{nearest}`?")),
                None if names.is_empty() => None,
                None => Some(format!(
                    "there is {}",
                    words::one_of(names.iter().map(String::as_str))
                )),
            };
            problems.push(problem);
        }
        Some(name) => {
            for message in messages(file) {
                if message
                    .name
                    .as_ref()
                    .is_some_and(|known| known.value == name)
                {
                    message.rate = Some(rate.clone());
                }
            }
        }
        None if count == 1 => messages(file).for_each(|message| message.rate = Some(rate.clone())),
        None if count == 0 => {
            if let Some(arrivals) = &mut load(file).arrivals {
                arrivals.value.rate = Some(rate);
            } else {
                let mut problem = option(OPTION, "has no message to apply to");
                problem.hint = Some("add a `[[message]]` to the file".into());
                problems.push(problem);
            }
        }
        None => {
            let mut problem = option(OPTION, "does not say which message it is for");
            let names = words::one_of(names.iter().map(String::as_str));
            problem.hint = Some(format!("write `--rate NAME={text}`; there is {names}"));
            problems.push(problem);
        }
    }
}

fn load(file: &mut File) -> &mut LoadTable {
    &mut file.load.get_or_insert_default().value
}

fn messages(file: &mut File) -> impl Iterator<Item = &mut MessageTable> {
    let own = file.cohort.iter_mut().flat_map(|list| &mut list.value.0);
    let own = own.filter_map(|cohort| cohort.value.message.as_mut());
    let lists = file.message.iter_mut().chain(own);
    lists.flat_map(|list| list.value.0.iter_mut().map(|message| &mut message.value))
}

fn read<T: Text>(name: &'static str, text: &str, problems: &mut Problems) -> Option<T> {
    T::read(text)
        .map_err(|error| problems.push(option(name, format_args!("cannot be read: {error}"))))
        .ok()
}

fn option(name: &'static str, what: impl std::fmt::Display) -> Problem {
    Problem::new(name, &super::reading::Place::Option(name), what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{
        Outside, Pacing, Problems, Process, Scenario, Shape, Source, Trust, parse, shipped,
    };

    const TWO: &str = r#"
        name = "two"
        target = { url = "embedded", push = "1s" }
        load.connections = 10
        [[message]]
        name = "ask"
        rate = "1/s"
        [[message]]
        name = "tell"
        rate = "1/s"
        [gates]
        pass = ["p99(latency.ask) < 1s", "p50(latency.ask) < 1s"]
    "#;

    fn run(text: &str, overrides: &Overrides) -> Result<Scenario, Problems> {
        let source = Source {
            name: "x.toml".into(),
            text: text.into(),
        };
        let outside = Outside {
            env: &|_| None,
            read: &|_| unreachable!("no file is named"),
        };
        parse(&source, overrides, &outside)
    }

    fn rates(scenario: &Scenario) -> Vec<f64> {
        let messages = scenario.cohorts[0].messages.iter();
        messages
            .map(|message| match message.pacing {
                Pacing::Open { rate, .. } => rate.hertz(),
                Pacing::Closed { .. } => 0.0,
            })
            .collect()
    }

    #[test]
    fn a_rate_goes_to_its_message() {
        let overrides = Overrides {
            rates: vec!["tell=5/s".into()],
            ..Overrides::default()
        };
        assert_eq!(rates(&run(TWO, &overrides).unwrap()), [1.0, 5.0]);
    }

    #[test]
    fn a_rate_without_a_name_goes_to_the_only_message_or_to_the_arrivals() {
        let overrides = Overrides {
            rates: vec!["5/s".into()],
            ..Overrides::default()
        };
        assert_eq!(
            rates(&run(shipped::named("echo").unwrap(), &overrides).unwrap()),
            [5.0]
        );
        let storm = "name = \"s\"\ntarget.url = \"embedded\"\nload.arrivals = { rate = \"1/s\", lifetime = \"1s\" }";
        let Shape::Arrivals { rate, .. } = run(storm, &overrides).unwrap().load.shape else {
            panic!("no arrivals");
        };
        assert_eq!(rate.hertz(), 5.0);
    }

    #[test]
    fn a_gate_takes_the_place_of_its_like_or_is_added() {
        let overrides = Overrides {
            gates: vec![
                "p99( latency.ask ) < 2s".into(),
                "p99(latency.tell) < 2s".into(),
            ],
            ..Overrides::default()
        };
        let scenario = run(TWO, &overrides).unwrap();
        let gates: Vec<&str> = scenario
            .gates
            .pass
            .iter()
            .map(|gate| gate.text.as_str())
            .collect();
        assert_eq!(
            gates,
            [
                "p50(latency.ask) < 1s",
                "p99( latency.ask ) < 2s",
                "p99(latency.tell) < 2s"
            ]
        );
    }

    #[test]
    fn an_address_takes_what_only_the_built_in_server_has_away() {
        let text = TWO.replace(
            "push = \"1s\"",
            "push = \"1s\", heartbeat = { timeout = \"1s\" }",
        );
        let mut overrides = Overrides {
            url: Some("ws://127.0.0.1/".into()),
            ..Overrides::default()
        };
        let target = run(&text, &overrides).unwrap().target;
        assert_eq!(
            (target.embedded_push, target.embedded_heartbeat),
            (None, None)
        );
        overrides.url = Some("embedded".into());
        let target = run(&text, &overrides).unwrap().target;
        assert_eq!(target.embedded_push, Some(Duration::from_secs(1)));
        assert!(target.embedded_heartbeat.is_some());
    }

    #[test]
    fn what_lets_a_client_in_takes_the_place_of_what_is_there() {
        let own = "url = \"wss://127.0.0.1/\", headers = { authorization = \"a\", X = \"y\" }, insecure = true";
        let text = TWO.replace("url = \"embedded\", push = \"1s\"", own);
        let overrides = Overrides {
            headers: vec![
                ("Authorization".into(), "Bearer b".into()),
                ("Origin".into(), "https://example.org".into()),
            ],
            subprotocols: vec!["chat".into(), "mqtt".into()],
            ..Overrides::default()
        };
        let target = run(&text, &overrides).unwrap().target;
        let mut headers = target.headers;
        headers.sort();
        let bearer = ("Authorization".into(), "Bearer b".into());
        assert_eq!(headers, [bearer, ("X".into(), "y".into())]);
        assert_eq!(target.origin.as_deref(), Some("https://example.org"));
        assert_eq!(target.subprotocols, ["chat", "mqtt"]);
        assert_eq!(target.trust, Trust::Anyone);
    }

    #[test]
    fn the_built_in_server_takes_the_process_of_another_away() {
        let url = "url = \"ws://127.0.0.1/\", command = [\"node\", \"server.js\"]";
        let text = TWO.replace("url = \"embedded\", push = \"1s\"", url);
        let command = run(&text, &Overrides::default()).unwrap().target.process;
        assert_eq!(
            command,
            Process::Command(vec!["node".into(), "server.js".into()])
        );
        let overrides = Overrides {
            url: Some("embedded".into()),
            ..Overrides::default()
        };
        assert_eq!(
            run(&text, &overrides).unwrap().target.process,
            Process::Unknown
        );
    }

    #[test]
    fn arrivals_and_a_steady_load_take_connections_and_duration_their_way() {
        let overrides = Overrides {
            connections: Some(7),
            duration: Some("3s".into()),
            ..Overrides::default()
        };
        let three = Duration::from_secs(3);
        let scenario = run(TWO, &overrides).unwrap();
        assert_eq!(scenario.cohorts[0].connections, 7);
        assert!(matches!(scenario.load.shape, Shape::Steady { duration, .. } if duration == three));
        let scenario = run(shipped::named("storm").unwrap(), &overrides).unwrap();
        assert!(matches!(
            scenario.load.shape,
            Shape::Arrivals { max_open: 7, duration, .. } if duration == three
        ));
    }

    #[test]
    fn a_process_takes_the_place_of_the_command() {
        let text = TWO.replace(
            "\"embedded\", push = \"1s\"",
            "\"ws://[::1]/\", command = [\"node\"]",
        );
        let overrides = Overrides {
            pid: Some(4711),
            ..Overrides::default()
        };
        let process = run(&text, &overrides).unwrap().target.process;
        assert_eq!(process, Process::Pid(4711));
        let said = run(TWO, &overrides).unwrap_err().to_string();
        let line = "`target.pid` cannot be used with the built-in server, which wsbench starts itself\n--> --pid";
        assert!(said.contains(line), "{said}");
    }

    #[test]
    fn wrong_options_are_told_like_wrong_keys_all_at_once() {
        let overrides = Overrides {
            url: Some("localhost:3000".into()),
            pid: Some(0),
            connections: Some(0),
            duration: Some("soon".into()),
            rates: vec!["5/s".into(), "asks=5/s".into(), "fast".into()],
            gates: vec!["p99(latency.ask) < 50".into()],
            headers: vec![("Bad Name".into(), "x".into())],
            insecure: true,
            ..Overrides::default()
        };
        let said = run(TWO, &overrides).unwrap_err().to_string();
        for line in [
            "`target.url` has no scheme\n--> --url",
            "`target.headers.Bad Name` is not a header name\n--> --header",
            "`--pid` is no number of a process\n--> --pid",
            "`--connections` is not from 1 to 10000000\n--> --connections",
            "`--duration` cannot be read: `soon` is not a duration",
            "`--rate` does not say which message it is for",
            "hint: write `--rate NAME=5/s`; there is `ask` or `tell`",
            "`--rate` names no message: `asks`",
            "hint: did you mean `ask`?",
            "`--rate` cannot be read: `fast` is not a rate",
            "`--gate` cannot take `p99(latency.ask) < 50`: `50` is not a duration",
        ] {
            assert!(said.contains(line), "{line}\n\n{said}");
        }
    }

    #[test]
    fn connections_of_cohorts_are_not_guessed() {
        let text = TWO.replace("load.connections = 10\n", "")
            + "\n[[cohort]]\nname = \"a\"\nconnections = 1\n";
        let overrides = Overrides {
            connections: Some(5),
            ..Overrides::default()
        };
        let said = run(&text, &overrides).unwrap_err().to_string();
        assert!(
            said.contains("`--connections` cannot be used with `[[cohort]]`"),
            "{said}"
        );
    }
}
