//! Compares the reports of fixed runs with golden files, and checks the files of a report on disk.
//! `WSBENCH_BLESS=1 cargo test --test reports` rewrites the golden files; check the difference.

#[path = "reports/comparison.rs"]
mod comparison;
#[path = "reports/fixture.rs"]
mod fixture;
#[path = "reports/openmetrics.rs"]
mod openmetrics;
#[path = "reports/parts.rs"]
mod parts;
#[path = "reports/promises.rs"]
mod promises;
#[path = "reports/search.rs"]
mod search;
#[path = "reports/sessions.rs"]
mod sessions;
#[path = "reports/stored.rs"]
mod stored;
#[path = "reports/worst.rs"]
mod worst;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fixture::{Case, doubtful, healthy, troubled};
use promises::promises;
use serde_json::Value;
use wsbench::measure::{Histogram, Value as Measured};
use wsbench::report::{self, OutputSet, Run, Style};

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("WSBENCH_BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    assert!(
        text == expected,
        "{name} has changed; it is now:\n{text}\nif that is right: WSBENCH_BLESS=1"
    );
}

fn written<E: std::fmt::Debug>(write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn json(case: &Case) -> String {
    written(|out| report::run_json(&case.run, out))
}

fn text(case: &Case, style: Style) -> String {
    let folder = Path::new("reports/demo/20261123T201500Z");
    written(|out| report::text(&case.run, case.run.verdict.exit, style, Some(folder), out))
}

#[test]
fn csv_files_are_as_documented() {
    let case = troubled();
    let report = case.run;
    golden(
        "summary.csv",
        &written(|out| report::summary_csv(&report, out)),
    );
    golden(
        "histogram.csv",
        &written(|out| report::histogram_csv(&report, out)),
    );
    golden(
        "timeline.csv",
        &written(|out| report::timeline_csv(&report, out)),
    );
    golden(
        "connections.csv",
        &written(|out| report::connections_csv(&report, out)),
    );
}

#[test]
fn run_json_is_as_documented() {
    // Replaces what changes with a release or a compressor, and means nothing to a reader.
    golden("run.json", &without_chance(&json(&troubled())));
}

fn without_chance(text: &str) -> String {
    let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let mut parts = text.split("\"hdr\":\"");
    let mut shown = parts.next().unwrap().to_owned();
    for part in parts {
        let (_, after) = part.split_once('"').unwrap();
        shown += &format!("\"hdr\":\"HDR\"{after}");
    }
    shown
}

#[test]
fn other_formats_are_as_documented() {
    let run = troubled().run;
    let shown = |text: String| without_chance(&text);
    golden(
        "intervals.jsonl",
        &shown(written(|out| report::intervals_jsonl(&run, out))),
    );
    golden("junit.xml", &shown(written(|out| report::junit(&run, out))));
    golden(
        "summary.md",
        &shown(written(|out| report::markdown(&run, out))),
    );
    golden(
        "github.txt",
        &written(|out| report::github(&run, Some("load/demo.toml"), out)),
    );
    golden("bench.json", &written(|out| report::bench_json(&run, out)));
    let doubtful = doubtful().run;
    golden(
        "doubtful.xml",
        &shown(written(|out| report::junit(&doubtful, out))),
    );
}

/// The page without its style, its scripts and the copy of `run.json`.
#[test]
fn the_page_is_as_documented() {
    for (name, case) in [("report.html", troubled()), ("promises.html", promises())] {
        let mut page = without_chance(&written(|out| report::html(&case.run, out)));
        for (from, to) in [
            ("<style>", "</style>"),
            ("<script>", "</script>"),
            ("id=\"run-json\">", "</script>"),
        ] {
            let mut rest = page.as_str();
            let mut kept = String::new();
            while let Some((before, after)) = rest.split_once(from) {
                kept += before;
                kept += from;
                rest = &after[after.find(to).unwrap()..];
            }
            page = kept + rest;
        }
        golden(name, &page);
    }
}

/// What a server says, and what a user writes, cannot leave its place in any format.
#[test]
fn hostile_text_is_only_text() {
    let mut case = promises();
    let evil = "<script>alert(1)</script>\"'=cmd\u{1b}[31m\n::error::x|`${X}\u{fffe}]]>-->\u{202e}";
    let run = &mut case.run;
    run.scenario.description = evil.to_owned();
    run.scenario.name = evil.to_owned();
    run.scenario.text = evil.to_owned();
    run.verdict.contracts[0].why = evil.to_owned();
    run.verdict.contracts[0].passed = false;
    for written in everything(run) {
        assert!(!written.contains('\u{202e}'), "{written}");
        // The page is never printed, so a job that runs wsbench does not read it for commands.
        let is_printed = !written.starts_with("<!doctype html>");
        let is_command = |line: &str| is_printed && line.starts_with("::error::x");
        assert!(!written.lines().any(is_command), "{written}");
    }
    let page = written(|out| report::html(run, out));
    assert!(page.len() < 400 << 10);
    let markdown = written(|out| report::markdown(run, out));
    let junit = written(|out| report::junit(run, out));
    assert!(!junit.contains('\u{fffe}'), "XML has no such character");
    for marked_up in [page, markdown, junit] {
        assert!(!marked_up.contains("<script>alert"), "{marked_up}");
        let escaped = ["&#60;script&#62;alert", "&lt;script&gt;alert"];
        let is_there = escaped.iter().any(|text| marked_up.contains(text));
        assert!(is_there, "it is shown as text: {marked_up}");
    }
}

#[test]
fn the_text_is_read_in_ten_seconds() {
    golden("troubled.txt", &text(&troubled(), Style::PLAIN));
    golden("healthy.txt", &text(&healthy(), Style::PLAIN));
    golden("doubtful.txt", &text(&doubtful(), Style::PLAIN));
    golden("promises.txt", &text(&promises(), Style::PLAIN));
}

/// A run can be stored, and shown again unchanged.
#[test]
fn a_run_that_is_read_back_shows_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for case in [troubled(), healthy(), doubtful(), promises()] {
        fs::write(folder.path().join("run.json"), json(&case)).unwrap();
        let intervals = written(|out| report::intervals_jsonl(&case.run, out));
        fs::write(folder.path().join("intervals.jsonl"), intervals).unwrap();
        let judged = written(|out| report::judged_csv(&case.run, out));
        fs::write(folder.path().join("judged.csv"), judged).unwrap();
        let read = Run::read(folder.path()).unwrap();
        assert!(read == case.run, "{}", case.scenario.name);
        assert_eq!(everything(&read), everything(&case.run));
    }
}

/// All that is made from a run: the terminal summary in both forms, and each file.
fn everything(run: &Run) -> [String; 17] {
    [
        written(|out| report::text(run, run.verdict.exit, Style::COLOUR, None, out)),
        written(|out| report::failures(run, run.verdict.exit, Style::PLAIN, None, out)),
        written(|out| report::run_json(run, out)),
        written(|out| report::summary_csv(run, out)),
        written(|out| report::histogram_csv(run, out)),
        written(|out| report::timeline_csv(run, out)),
        written(|out| report::connections_csv(run, out)),
        written(|out| report::contracts_csv(run, out)),
        written(|out| report::judged_csv(run, out)),
        written(|out| report::intervals_jsonl(run, out)),
        written(|out| report::html(run, out)),
        written(|out| report::junit(run, out)),
        written(|out| report::markdown(run, out)),
        written(|out| report::github(run, run.scenario.file.as_deref(), out)),
        written(|out| report::hlog(run, out)),
        written(|out| report::bench_json(run, out)),
        written(|out| report::openmetrics(run, out)),
    ]
}

/// A number with the name of a metric is that of the gate on it: who never opened was not lost.
#[test]
fn what_was_lost_is_what_a_gate_sees_as_lost() {
    for (case, failed, lost) in [(troubled(), 2, 2), (doubtful(), 3, 0), (promises(), 0, 0)] {
        let view = case.run.view();
        assert_eq!(view.count("connections.failed"), failed);
        assert_eq!(view.count("connections.lost"), lost);
        let some = |count: u64, words: &str| match count {
            0 => String::new(),
            count => format!("{count} {words}"),
        };
        let (failed, lost) = (some(failed, "failed"), some(lost, "lost"));
        let markdown = written(|out| report::markdown(&case.run, out));
        let line = markdown
            .lines()
            .find(|line| line.starts_with("connections: "));
        let line = line.unwrap();
        let told = if lost.is_empty() { "0 lost" } else { &lost };
        assert!(line.contains(&failed) && line.contains(told), "{line}");
        let page = written(|out| report::html(&case.run, out));
        let (_, tile) = page.split_once("<span>connections</span>").unwrap();
        let (tile, _) = tile.split_once("</div>").unwrap();
        assert!(tile.contains(&failed) && tile.contains(&lost), "{tile}");
        assert_eq!(tile.contains("lost"), !lost.is_empty(), "{tile}");
        let text = text(&case, Style::PLAIN);
        let line = text.lines().find(|line| line.starts_with("connections"));
        let line = line.unwrap();
        assert!(line.contains(&lost), "{line}");
        assert_eq!(line.contains("lost"), !lost.is_empty(), "{line}");
    }
}

/// No format names a percentile of which too few samples tell.
#[test]
fn a_few_samples_have_no_percentile() {
    let mut case = healthy();
    let mut few = Histogram::new();
    (1..=20).for_each(|ms| few.record(ms * 1_000_000));
    for metric in &mut case.run.summary.metrics {
        if let Measured::Histogram(times) = &mut metric.value {
            **times = few.clone();
        }
    }
    let page = written(|out| report::html(&case.run, out));
    let (_, tile) = page.split_once("<span>heartbeat.rtt ").unwrap();
    let (tile, _) = tile.split_once("</div>").unwrap();
    assert!(tile.starts_with("max</span> <b>20.0 ms</b>"), "{tile}");
    assert!(tile.ends_with(", 40 samples</small>"), "{tile}");
}

#[test]
fn times_that_lost_answers_made_longer_have_a_footnote() {
    let footnote = "Answers without a stamp were lost";
    let mut case = troubled();
    assert!(!text(&case, Style::PLAIN).contains(footnote));
    let metrics = &mut case.run.summary.metrics;
    let lost = metrics.iter().find(|row| row.name == "messages.timed_out");
    let mut uncertain = lost.unwrap().clone();
    uncertain.name = "messages.uncertain".to_owned();
    metrics.push(uncertain);
    assert!(text(&case, Style::PLAIN).contains(footnote));
}

#[test]
fn text_fits_a_terminal_and_colour_adds_nothing_to_read() {
    for case in [troubled(), healthy(), doubtful()] {
        let plain = text(&case, Style::PLAIN);
        let too_long = plain.lines().find(|line| line.chars().count() > 80);
        assert_eq!(too_long, None);
        assert!(!plain.contains('\x1b'));
        let colour = text(&case, Style::COLOUR);
        assert_eq!(without_colour(&colour), plain);
        assert_ne!(colour, plain);
    }
}

#[test]
fn contracts_are_read_at_a_hundred_columns() {
    let plain = text(&promises(), Style::PLAIN);
    let too_long = plain.lines().find(|line| line.chars().count() > 100);
    assert_eq!(too_long, None);
    assert!(
        !plain.contains("closed_by_peer"),
        "what is expected is no news"
    );
    assert_eq!(without_colour(&text(&promises(), Style::COLOUR)), plain);
}

#[test]
fn contracts_csv_and_run_json_tell_the_same() {
    let mut case = promises();
    golden(
        "contracts.csv",
        &written(|out| report::contracts_csv(&case.run, out)),
    );
    let judged = written(|out| report::judged_csv(&case.run, out));
    let rows = judged.lines().step_by(97).collect::<Vec<_>>().join("\n");
    golden("judged.csv", &(rows + "\n"));
    case.run.verdict.contracts[0].doubted = true;
    let csv = written(|out| report::contracts_csv(&case.run, out));
    let document: Value = serde_json::from_str(&json(&case)).unwrap();
    let told = document["verdict"]["contracts"].as_array().unwrap();
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), told.len());
    for (row, told) in rows.iter().zip(told) {
        assert_eq!(&row[0], told["contract"].as_str().unwrap());
        assert_eq!(&row[12], told["why"].as_str().unwrap());
        assert_eq!(&row[11], told["passed"].to_string());
        assert_eq!(&row[13], told["doubted"].to_string());
        for (column, field) in [
            (3, "expected_lo"),
            (4, "expected_hi"),
            (7, "min"),
            (10, "max"),
        ] {
            let seconds: Option<f64> = row[column].parse().ok();
            let us = told[field].as_f64();
            assert_eq!(
                seconds.map(|s| (s * 1e6).round()),
                us.map(f64::round),
                "{told}"
            );
        }
    }
    let incident = &document["surroundings"]["incidents"][0];
    assert_eq!(incident["kind"], "sigstop");
    assert_eq!(incident["ended_s"], 7.0);
    assert_eq!(
        document["surroundings"]["usage"]["after"]["descriptors"],
        720
    );
    assert_eq!(document["surroundings"]["sockets"], Value::Null);
}

#[test]
fn contracts_csv_is_there_where_there_is_a_contract() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("contracts.csv");
    let (with, without) = (promises(), troubled());
    let set = OutputSet::create(place.path(), &with.scenario).unwrap();
    set.commit(&with.run).unwrap();
    assert_eq!(names(place.path()).len(), FILES.len() + 2);
    assert!(file.exists());
    let set = OutputSet::create(place.path(), &without.scenario).unwrap();
    assert!(
        file.exists(),
        "an older report stays until there is a newer one"
    );
    set.commit(&without.run).unwrap();
    assert_eq!(
        names(place.path()),
        FILES,
        "that of another run would be no part of it"
    );
}

fn without_colour(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.split_once('m').unwrap().1);
    }
    out
}

#[test]
fn hdr_decodes_to_the_percentiles_beside_it() {
    let document: Value = serde_json::from_str(&json(&troubled())).unwrap();
    let mut decoded = 0;
    for metric in document["metrics"].as_array().unwrap() {
        let Some(hdr) = metric["hdr"].as_str() else {
            continue;
        };
        let times = Histogram::from_base64(hdr).unwrap();
        assert_eq!(times.count(), metric["count"].as_u64().unwrap());
        for (field, percent) in [
            ("p50", 50.0),
            ("p90", 90.0),
            ("p99", 99.0),
            ("p99_99", 99.99),
        ] {
            let shown = metric[field].as_f64().unwrap() * 1e3;
            let found = times.percentile(percent).unwrap() as f64;
            assert!(
                (shown - found).abs() <= (found * 0.001).max(64.0),
                "{metric} {field}: {found}"
            );
        }
        decoded += 1;
    }
    assert!(decoded >= 5, "{decoded}");
}

#[test]
fn unknown_is_an_empty_cell() {
    let case = troubled();
    let timeline = written(|out| report::timeline_csv(&case.run, out));
    let drain = timeline
        .lines()
        .find(|line| line.contains("drain"))
        .unwrap();
    assert!(drain.ends_with(",0,0,0,0,0,0,,,,,,1,0,0"), "{drain}");
    let connections = written(|out| report::connections_csv(&case.run, out));
    assert!(connections.contains(
        "3,echo,ws://127.0.0.1:3000/?token=${TOKEN},,0.0015,connecting,,,,refused,,,,0,,,,1.1,,,\n"
    ));
}

#[test]
fn what_a_server_says_stays_text() {
    let case = troubled();
    let connections = written(|out| report::connections_csv(&case.run, out));
    let mut rows = csv::Reader::from_reader(connections.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(&rows[2][7], "'=cmd|'/c calc'!A1,\"quoted\",\\nsecond line");
    assert_eq!(&rows[2][9], "closed_by_peer");
    assert!(text(&case, Style::PLAIN).contains("\\x1b[31mred"));
}

#[test]
fn secrets_stay_out() {
    let case = troubled();
    for shown in [json(&case), text(&case, Style::PLAIN)] {
        assert!(!shown.contains("a secret"));
        assert!(shown.contains("${TOKEN}"));
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

const FILES: [&str; 7] = [
    "connections.csv",
    "histogram.csv",
    "intervals.jsonl",
    "report.html",
    "run.json",
    "summary.csv",
    "timeline.csv",
];

#[test]
fn files_land_whole_and_over_older_ones() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("a/b");
    let case = troubled();
    for _ in 0..2 {
        let set = OutputSet::create(&folder, &case.scenario).unwrap();
        assert!(!names(&folder).contains(&"run.json.part".to_owned()));
        assert_eq!(set.commit(&case.run).unwrap(), folder);
        assert_eq!(names(&folder), FILES);
    }
    assert_eq!(
        fs::read_to_string(folder.join("run.json")).unwrap(),
        json(&case)
    );
}

#[test]
fn a_run_that_never_reports_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("a/b");
    let scenario = troubled().scenario;
    let set = OutputSet::create(&folder, &scenario).unwrap();
    assert_eq!(names(&folder).len(), FILES.len());
    drop(set);
    assert_eq!(names(place.path()), [""; 0]);

    fs::create_dir(place.path().join("mine")).unwrap();
    drop(OutputSet::create(&place.path().join("mine"), &scenario).unwrap());
    assert_eq!(names(place.path()), ["mine"], "what was there before stays");
}

#[test]
fn a_path_that_cannot_be_written_fails_at_once() {
    let scenario = troubled().scenario;
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "mine").unwrap();
    let error = OutputSet::create(&file.join("x"), &scenario).unwrap_err();
    assert!(
        error.to_string().starts_with("create the folder "),
        "{error}"
    );
    assert!(error.to_string().contains("\nhint: "), "{error}");
    assert_eq!(error.path(), file.join("x"));

    fs::create_dir(place.path().join("run.json")).unwrap();
    let error = OutputSet::create(place.path(), &scenario).unwrap_err();
    assert_eq!(error.path(), place.path().join("run.json"));
    assert_eq!(names(place.path()), ["file", "run.json"]);
}

#[test]
fn a_dated_report_has_a_folder_of_its_own() {
    let place = tempfile::tempdir().unwrap();
    let root: PathBuf = place.path().join("reports");
    let case = healthy();
    let started = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_464_900);
    let dated = || OutputSet::create_dated(&root, &case.scenario, started).unwrap();
    let (first, second) = (dated(), dated());
    assert_eq!(first.folder(), root.join("ramp/20261123T201500Z"));
    assert_eq!(second.folder(), root.join("ramp/20261123T201500Z-2"));
    let latest = root.join("ramp/latest");
    assert!(!latest.exists(), "nothing is there to lead to yet");

    for set in [first, second] {
        let folder = set.commit(&case.run).unwrap();
        assert_eq!(names(&folder), FILES);
        #[cfg(unix)]
        assert_eq!(
            latest.canonicalize().unwrap(),
            folder.canonicalize().unwrap()
        );
    }
    drop(dated());
    assert_eq!(
        names(&root.join("ramp")).len(),
        if cfg!(unix) { 3 } else { 2 },
        "a report that was dropped leaves no folder"
    );
}

/// Shows only what failed, in lines that fit a terminal of 100 columns.
#[test]
fn a_quiet_run_says_what_failed_alone() {
    let case = promises();
    let text =
        written(|out| report::failures(&case.run, case.run.verdict.exit, Style::PLAIN, None, out));
    assert!(text.contains("3 of 200 sooner than 2 s"), "{text}");
    assert!(
        text.contains("\nFAIL  3 of 10 promises were broken"),
        "{text}"
    );
    assert!(!text.contains("PASS"), "{text}");
    let whole =
        written(|out| report::text(&case.run, case.run.verdict.exit, Style::PLAIN, None, out));
    for line in text.lines().chain(whole.lines()) {
        assert!(line.chars().count() <= 100, "{line}");
    }
    let passed = healthy();
    let silent = written(|out| {
        report::failures(
            &passed.run,
            passed.run.verdict.exit,
            Style::PLAIN,
            None,
            out,
        )
    });
    assert_eq!(silent, "");
}
