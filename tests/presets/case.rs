//! One preset, and the run that proves it on a server.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use wsbench::scenario::{Origin, PresetInWords, presets};

use super::common::pressure::{QUIET, pressure};
use super::common::run::{Run, run, trusted, undisturbed};
use super::common::table;
use super::package::Package;

/// What is to be proven of one preset. Texts are TOML.
pub(super) struct Case {
    pub(super) preset: &'static str,
    /// The value of `server`; empty where the preset has one server.
    pub(super) server: &'static str,
    /// The settings that the server runs with.
    pub(super) settings: &'static str,
    /// Others, whose window is over before the server's begins.
    pub(super) mistaken: &'static str,
    /// The package of the server.
    pub(super) package: Package,
    /// What tells several servers of one preset apart.
    pub(super) variant: &'static str,
    /// The path of the address, without its slash.
    pub(super) resource: &'static str,
    /// More keys of `[target]`.
    pub(super) target: &'static str,
    /// The `[[setup]]` of all clients.
    pub(super) setup: &'static str,
    /// What makes a client silent, where that is not told by the preset: one whose window begins with a ping answers none,
    /// others just send nothing.
    pub(super) silent: &'static str,
    /// What a healthy client does; by default it sends a text twice a second.
    pub(super) healthy: &'static str,
    /// What some clients send, and nothing else: kinds of frames of the fault `only`.
    pub(super) frames: &'static [&'static str],
    /// How long TCP may stay after the Close that a client has answered.
    pub(super) lets_go: &'static str,
    /// Whether clients that answer no Close are tried too, for as long as the preset says.
    pub(super) deaf: bool,
    /// The length of the run in seconds.
    pub(super) seconds: u32,
}

impl Case {
    /// What most cases have in common.
    pub(super) const ECHO: Self = Self {
        preset: "",
        server: "",
        settings: "",
        mistaken: "",
        package: Package::Debian(""),
        variant: "",
        resource: "",
        target: "",
        setup: "",
        silent: "",
        healthy: "message = [{ name = \"echo\", payload = { size = \"64B\" }, rate = \"2/s\" }]",
        frames: &["ping", "text", "byte"],
        lets_go: "250ms",
        deaf: false,
        seconds: 5,
    };

    /// Starts a server and proves the preset on it. `start` returns what has to be kept, and its address.
    #[track_caller]
    pub(super) fn prove<T>(&self, start: impl Fn() -> (T, String)) {
        let words = self.words();
        let scenario = self.scenario(&words);
        let attempt = || {
            let (server, address) = start();
            let url = format!("ws://{address}/{}", self.resource);
            (run(&scenario, &["--url", &url]), server)
        };
        let table = env::var_os("WSBENCH_TABLE");
        let mut tries = 0;
        let run = loop {
            let ((run, _), pressure) = pressure(|| match table {
                // What stands in the documentation is not measured while the machine does other things.
                Some(_) => undisturbed(attempt),
                None => trusted(attempt),
            });
            tries += 1;
            // A server that is held up, too, can begin its time long before its answer is on the way, and looks early.
            if tries == TRIES || pressure <= QUIET || unkept(&run).is_empty() {
                break run;
            }
        };
        assert_eq!(run.ended.code, 3, "{}\n{scenario}", run.ended.stderr);
        let rows = table_of(&run);
        let mistaken = find(&rows, MISTAKEN, "closed_between");
        assert_eq!(mistaken["passed"], "false", "other settings are not told");
        let broken = unkept(&run);
        assert!(broken.is_empty(), "{broken:#?}\n{scenario}");
        let silent = find(&rows, "mute", "closed_between");
        assert_eq!(silent["observed_n"], SILENT.to_string(), "{silent:#?}");
        if let Some(folder) = table {
            let names = [self.preset, self.server, self.variant];
            let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
            let file = PathBuf::from(folder).join(format!("preset-{}.md", names.join("-")));
            fs::write(file, self.row(&words, &rows)).unwrap();
        }
    }

    /// What the program says of the preset.
    fn words(&self) -> PresetInWords {
        let mut all = presets();
        let found = all.find(|words| (words.name, words.server) == (self.preset, self.server));
        found.unwrap_or_else(|| panic!("no preset {} {}", self.preset, self.server))
    }

    /// The keys of a contract of this preset.
    fn contract(&self, settings: &str) -> String {
        let mut keys = format!("preset = \"{}\"", self.preset);
        if !self.server.is_empty() {
            let _ = write!(keys, ", server = \"{}\"", self.server);
        }
        let _ = write!(keys, ", {settings}");
        keys
    }

    fn scenario(&self, words: &PresetInWords) -> String {
        let Self {
            resource,
            target,
            setup,
            healthy,
            lets_go,
            seconds,
            ..
        } = self;
        let contract = self.contract(self.settings);
        let mistaken = self.contract(self.mistaken);
        // A client that answers a Close is to be let go at once, whatever the server grants to others.
        let at_once = format!("tcp_end_within = \"{lets_go}\"");
        let mute = match words.from {
            Origin::Ping => "fault = { kind = \"no_pong\" }",
            _ => self.silent,
        };
        let mut text = format!(
            r#"
            name = "preset"
            heartbeat = "off"
            message = []
            [target]
            url = "ws://127.0.0.1:1/{resource}"
            {target}
            [load]
            ramp_up = "1s"
            duration = "{seconds}s"
            {setup}
            [[cohort]]
            name = "healthy"
            connections = 10
            {healthy}
            contract = {{ closed = 0 }}
            [[cohort]]
            name = "mute"
            connections = {SILENT}
            {mute}
            contract = {{ {contract}, {at_once} }}
            [[cohort]]
            name = "{MISTAKEN}"
            connections = 5
            {mute}
            contract = {{ {mistaken}, {at_once} }}
            "#
        );
        if self.deaf {
            let _ = write!(
                text,
                r#"
                [[cohort]]
                name = "deaf"
                connections = {SILENT}
                fault = [{{ kind = "no_pong" }}, {{ kind = "never_close" }}]
                contract = {{ {contract} }}
                "#
            );
        }
        // The last byte of who goes on is no sign of life, so its silence began with the first.
        let since = match words.from {
            Origin::LastByte => ", from = \"open\"",
            _ => "",
        };
        for frame in self.frames {
            let takes = words.life.takes(frame);
            let contract = match takes.unwrap_or_else(|| panic!("{frame} is not known")) {
                true => "closed = 0".to_owned(),
                // Within a frame it cannot answer a Close.
                false if *frame == "byte" => format!("{contract}{since}"),
                false => format!("{contract}, {at_once}{since}"),
            };
            let _ = write!(
                text,
                r#"
                [[cohort]]
                name = "only-{frame}"
                connections = 5
                fault = {{ kind = "only", frame = "{frame}", every = "400ms" }}
                contract = {{ {contract} }}
                "#
            );
        }
        text
    }

    /// The row of the page: what was seen.
    fn row(&self, words: &PresetInWords, rows: &[Row]) -> String {
        let silent = find(rows, "mute", "closed_between");
        let time = |row: &Row, cell: &str| {
            row[cell]
                .parse::<f64>()
                .map_or_else(|_| "–".to_owned(), |s| format!("{s:.3}"))
        };
        let deaf = rows
            .iter()
            .find(|row| row["cohort"] == "deaf" && row["contract"] == "tcp_end_between");
        let promised = |cohort: &str, contract: &str| {
            let row = rows
                .iter()
                .find(|row| row["cohort"] == cohort && row["contract"] == contract)?;
            Some(row["expected_code"].clone())
        };
        let end = match promised("mute", "code") {
            Some(code) => format!("Close {code}"),
            None => promised("mute", "ends_with").unwrap_or_else(|| "–".to_owned()),
        };
        let kept = self
            .frames
            .iter()
            .map(|frame| match words.life.takes(frame) {
                Some(true) => (*frame).to_owned(),
                _ => format!("not {frame}"),
            });
        let name = match self.server {
            "" => format!("`{}`", self.preset),
            server => format!("`{}`, `{server}`", self.preset),
        };
        let cells = [
            name,
            [self.package.shown(), self.variant.to_owned()]
                .join(" ")
                .trim()
                .to_owned(),
            format!("`{}`", self.settings.replace('"', "")),
            format!("`{}`", words.from.name()),
            format!(
                "{}–{}",
                time(silent, "expected_lo_s"),
                time(silent, "expected_hi_s")
            ),
            silent["observed_n"].clone(),
            time(silent, "min_s"),
            time(silent, "p50_s"),
            time(silent, "max_s"),
            end,
            deaf.map_or_else(|| "–".to_owned(), |row| time(row, "max_s")),
            kept.collect::<Vec<_>>().join(", "),
        ];
        format!("| {} |\n", cells.join(" | "))
    }
}

/// The silent clients of each case.
const SILENT: u32 = 20;

/// The cohort whose contract has other settings than the server.
const MISTAKEN: &str = "mistaken";

/// The most attempts at one run on a machine that does other things too.
const TRIES: usize = 5;

type Row = BTreeMap<String, String>;

fn table_of(run: &Run) -> Vec<Row> {
    table(&run.ended.file("contracts.csv"))
}

/// The promises that were not kept, but for those that are to be broken.
fn unkept(run: &Run) -> Vec<Row> {
    let rows = table_of(run).into_iter();
    rows.filter(|row| row["cohort"] != MISTAKEN && row["passed"] != "true")
        .collect()
}

#[track_caller]
fn find<'a>(rows: &'a [Row], cohort: &str, contract: &str) -> &'a Row {
    let found = rows
        .iter()
        .find(|row| row["cohort"] == cohort && row["contract"] == contract);
    found.unwrap_or_else(|| panic!("no {contract} of {cohort} in {rows:#?}"))
}
