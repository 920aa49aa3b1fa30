//! What a run leaves behind: every file, whole and of one mind, wherever it was told to put them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use serde_json::Value;
use wsbench::report::{self, Run, Style};

use super::common::{Ended, FILES, Report, Running, Script, Server, table};

/// Two cohorts that echo, ping and idle for two seconds.
fn scenario(url: &str) -> String {
    format!(
        r#"
        name = "two-kinds"
        description = "Some talk, some listen."
        [target]
        url = "{url}"
        [load]
        ramp_up = "200ms"
        ramp_down = "100ms"
        duration = "1500ms"
        [[message]]
        name = "echo"
        rate = "30/s"
        [heartbeat]
        interval = "400ms"
        timeout = "2s"
        [[cohort]]
        name = "talking"
        connections = 6
        [[cohort]]
        name = "idle"
        connections = 3
        message = []
        [gates]
        pass = ["count(messages.echoed) > 0", "count(connections.lost) == 0"]
        "#
    )
}

fn listed(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn reports_go_to_a_folder_of_their_own_and_latest_leads_there() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("two.toml"), scenario("embedded")).unwrap();
    let ended = Running::call(folder, &["run", "two.toml"], &[]).end();
    let reports = ended.folder().join("reports/two-kinds");
    let [time, latest] = &listed(&reports)[..] else {
        panic!("{:?}", listed(&reports));
    };
    assert_eq!(latest, "latest");
    assert_eq!(
        fs::read_link(reports.join(latest)).unwrap(),
        Path::new(time)
    );
    assert_eq!(listed(&reports.join(time)), FILES);

    // What a person reads says the same, without colours where there is no terminal.
    let (stdout, stderr) = (&ended.stdout, &ended.stderr);
    assert!(
        !stdout.contains('\x1b') && !stderr.contains('\x1b'),
        "{stdout}{stderr}"
    );
    let report = Report::read(&reports.join(latest));
    let passed = report.json["verdict"]["passed"] == true;
    assert!(
        stdout.starts_with("two-kinds against the built-in server\n"),
        "{stdout}"
    );
    assert!(
        stdout.contains("✓ PASS  count(messages.echoed) > 0"),
        "{stdout}"
    );
    assert_eq!(stdout.contains("\nPASS"), passed, "{stdout}");
    assert!(
        stdout.ends_with(&format!("report in reports/two-kinds/{time}\n")),
        "{stdout}"
    );
    assert_eq!(ended.code == 0, passed);
}

#[test]
fn json_is_printed_as_it_is_written() {
    let server = Server::start(Script::default());
    let ended = Running::start(&scenario(&server.url()), &["--quiet", "--json"]).end();
    assert_eq!(listed(&ended.file("")), FILES);
    assert_eq!(
        ended.stdout,
        fs::read_to_string(ended.file("run.json")).unwrap()
    );
    assert_eq!(ended.stderr, "");
}

#[test]
fn every_file_tells_the_same_numbers() {
    let server = Server::start(Script::default());
    let ended = Ended::run(&scenario(&server.url()));
    let report = ended.report();
    assert!(report.count("messages.echoed") > 100);
    summary_is_of_one_mind(&ended, &report);
    histograms_are_of_one_mind(&ended, &report);
    timeline_adds_up(&ended, &report);
    assert_eq!(
        report.count("messages.sent"),
        server.log().messages() as u64
    );
    assert_eq!(
        report.count("heartbeat.pings_sent"),
        server.log().pings() as u64
    );
    assert_eq!(
        fs::read_to_string(ended.file("connections.csv"))
            .unwrap()
            .lines()
            .count(),
        1,
        "all ended as planned"
    );
}

/// Every statistic of `run.json` stands in `summary.csv`, and the reverse.
fn summary_is_of_one_mind(ended: &Ended, report: &Report) {
    let mut left: BTreeMap<[String; 4], f64> = BTreeMap::new();
    for row in table(&ended.file("summary.csv")) {
        let key = ["metric", "cohort", "stage", "stat"].map(|column| row[column].clone());
        left.insert(key, row["value"].parse().unwrap());
    }
    let mut compared = 0;
    for metric in report.json["metrics"].as_array().unwrap() {
        let text = |key: &str| metric[key].as_str().unwrap_or_default().to_owned();
        let is_gauge = metric["kind"] == "gauge";
        let stats = [
            (if is_gauge { "" } else { "count" }, "count"),
            ("min", "min"),
            ("mean", "mean"),
            ("p50", "p50"),
            ("p90", "p90"),
            ("p99", "p99"),
            ("p99.9", "p99_9"),
            ("p99.99", "p99_99"),
            (if is_gauge { "peak" } else { "max" }, "max"),
            ("last", "last"),
        ];
        for (stat, key) in stats {
            let Some(value) = metric[key].as_f64().filter(|_| !stat.is_empty()) else {
                continue;
            };
            // The CSV has three decimals of what is sampled, `run.json` has all of them.
            let value = (value * 1e3).round() / 1e3;
            let key = [text("name"), text("cohort"), String::new(), stat.to_owned()];
            assert_eq!(left.remove(&key), Some(value), "{key:?}");
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
    left.retain(|[.., stat], _| stat != "rate");
    assert!(left.is_empty(), "only in summary.csv: {left:?}");
}

/// What `hdr` holds, read by a library that is not wsbench.
fn decoded(metric: &Value) -> Histogram<u64> {
    let bytes = BASE64.decode(metric["hdr"].as_str().unwrap()).unwrap();
    Deserializer::new().deserialize(&mut &bytes[..]).unwrap()
}

fn histograms_are_of_one_mind(ended: &Ended, report: &Report) {
    let mut last = BTreeMap::new();
    for row in table(&ended.file("histogram.csv")) {
        let key = (row["metric"].clone(), row["cohort"].clone());
        last.insert(key, row);
    }
    let metrics = report.json["metrics"].as_array().unwrap().iter();
    for metric in metrics.filter(|metric| metric["kind"] == "histogram") {
        let count = metric["count"].as_u64().unwrap();
        let histogram = decoded(metric);
        assert_eq!(histogram.len(), count, "{}", metric["name"]);
        // `max` is exact, and `hdr` rounds it to its bucket: three digits, or 64 ns below 131 µs.
        let max = (metric["max"].as_f64().unwrap() * 1e3).round() as u64;
        let bucket = histogram.lowest_equivalent(histogram.max())..=histogram.max();
        assert!(bucket.contains(&max), "{}: {max} ns", metric["name"]);
        let text = |key: &str| metric[key].as_str().unwrap_or_default().to_owned();
        let row = &last[&(text("name"), text("cohort"))];
        assert_eq!(row["cumulative_count"], count.to_string());
        assert_eq!(row["total_count"], count.to_string());
        assert_eq!(row["quantile"].parse::<f64>().unwrap(), 1.0);
    }
    assert!(last.len() >= 8, "{:?}", last.keys());
}

fn timeline_adds_up(ended: &Ended, report: &Report) {
    let rows = table(&ended.file("timeline.csv"));
    let sum = |column: &str| -> u64 {
        let cells = rows.iter().map(|row| row[column].parse::<u64>());
        cells.map(Result::unwrap).sum()
    };
    for (column, metric) in [
        ("sent", "messages.sent"),
        ("received", "messages.received"),
        ("timed_out", "messages.timed_out"),
        ("pings_sent", "heartbeat.pings_sent"),
        ("pongs_received", "heartbeat.pongs_received"),
        ("missed", "heartbeat.missed"),
    ] {
        assert_eq!(sum(column), report.count(metric), "{column}");
    }
    let seconds: Vec<&str> = rows.iter().map(|row| row["second"].as_str()).collect();
    let expected: Vec<String> = (0..rows.len() / 2)
        .flat_map(|second| [second.to_string(), second.to_string()])
        .collect();
    assert_eq!(seconds, expected, "each second once for each cohort");
    let last = rows.last().unwrap();
    for state in ["connecting", "open", "closing"] {
        assert_eq!(last[state], "0", "{state} at the end");
    }
}

const EVENTFUL: &str = include_str!("../common/eventful.toml");

/// `run.json` holds all of a run: read back, it gives what was printed and each of the other files.
#[test]
fn run_json_of_a_run_shows_it_again() {
    let server = Server::start(Script::default());
    for scenario in [&scenario(&server.url()), EVENTFUL] {
        let ended = Running::start(scenario, &[]).end();
        let path = ended.file("run.json");
        let run = Run::read(&path).unwrap();
        let text = |name: &str| fs::read_to_string(ended.file(name)).unwrap();
        let written = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = Vec::new();
            write(&mut bytes);
            String::from_utf8(bytes).unwrap()
        };
        let folder = Path::new("report");
        let summary = written(&|out| {
            report::text(&run, run.verdict.exit, Style::PLAIN, Some(folder), out).unwrap()
        });
        assert_eq!(summary, ended.stdout);
        let json = written(&|out| report::run_json(&run, out).unwrap());
        for (again, first) in json.lines().zip(text("run.json").lines()) {
            assert_eq!(again, first);
        }
        assert_eq!(json.len(), text("run.json").len());
        let csv = |name: &str, write: &dyn Fn(&mut Vec<u8>)| {
            let is_of_contracts = ["contracts.csv", "judged.csv"].contains(&name);
            if !is_of_contracts || ended.file(name).exists() {
                assert_eq!(written(write), text(name));
            }
        };
        csv("summary.csv", &|out| {
            report::summary_csv(&run, out).unwrap()
        });
        csv("histogram.csv", &|out| {
            report::histogram_csv(&run, out).unwrap()
        });
        csv("timeline.csv", &|out| {
            report::timeline_csv(&run, out).unwrap()
        });
        csv("connections.csv", &|out| {
            report::connections_csv(&run, out).unwrap()
        });
        csv("contracts.csv", &|out| {
            report::contracts_csv(&run, out).unwrap()
        });
        csv("judged.csv", &|out| report::judged_csv(&run, out).unwrap());
        let judged = run.verdict.contracts.iter();
        let judged: usize = judged.map(|one| one.evidence.rows.len()).sum();
        assert_eq!(judged > 0, scenario == EVENTFUL);
        csv("intervals.jsonl", &|out| {
            report::intervals_jsonl(&run, out).unwrap()
        });
        csv("report.html", &|out| report::html(&run, out).unwrap());
        assert!(!run.summary.intervals.is_empty());
        assert!(!run.summary.timeline.is_empty());
        let has_contract = scenario == EVENTFUL;
        assert_eq!(!run.summary.records.rows.is_empty(), has_contract);
        assert_eq!(!run.summary.endings.rows.is_empty(), has_contract);
        assert_eq!(!run.facts.surroundings.incidents.is_empty(), has_contract);
    }
}

#[test]
fn answers_of_steps_are_written_down_with_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = r#"
        name = "steps"
        target.url = "embedded"
        load = { connections = 2, duration = "400ms" }
        [[message]]
        name = "echo"
        rate = "10/s"
        [[step]]
        name = "turn"
        repeat = { count = 2 }
        [[step.step]]
        name = "ask"
        send = "hello {{turn}}"
        expect = "hello {{turn}}"
    "#;
    fs::write(folder.path().join("steps.toml"), scenario).unwrap();
    let run = ["run", "steps.toml", "--messages", "all.csv"];
    let ended = Running::call(folder, &run, &[]).end();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let rows = table(&ended.folder().join("all.csv"));
    let named = |name: &str| rows.iter().filter(|row| row["message"] == name).count();
    assert_eq!(named("ask"), 4);
    assert_eq!(named("ask") + named("echo"), rows.len());
}

#[test]
fn single_messages_are_written_down_where_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("two.toml"), scenario("embedded")).unwrap();
    let arguments = [
        "run",
        "two.toml",
        "--out",
        "report",
        "--messages",
        "all.csv",
    ];
    let ended = Running::call(folder, &arguments, &[]).end();
    let report = Report::read(&ended.folder().join("report"));
    let rows = table(&ended.folder().join("all.csv"));
    let totals = report.json["totals"].as_array().unwrap();
    let latency = (totals.iter()).find(|row| row["name"] == "latency.echo");
    let latency = latency.unwrap();
    assert_eq!(rows.len() as u64, latency["count"].as_u64().unwrap());

    let mut waited = 0;
    let mut sent = BTreeMap::new();
    for row in &rows {
        let time = |column: &str| row[column].parse::<u64>().unwrap();
        assert_eq!((&*row["cohort"], &*row["message"]), ("talking", "echo"));
        assert!(time("intended_ns") <= time("sent_ns") && time("sent_ns") <= time("received_ns"));
        // Nothing depends on an answer, so its time is the kernel's stamp, where the system has stamps.
        match cfg!(target_os = "linux") {
            true => assert!(time("sent_ns") <= time("arrived_ns")),
            false => assert_eq!(row["arrived_ns"], ""),
        }
        assert!(row["arrived_ns"].is_empty() || time("arrived_ns") <= time("received_ns"));
        waited += time("received_ns") - time("intended_ns");
        let numbers: &mut Vec<u64> = sent.entry(time("connection")).or_default();
        numbers.push(time("sequence"));
    }
    assert_eq!(sent.len(), 6);
    for numbers in sent.values() {
        assert!(numbers.iter().copied().eq(0..numbers.len() as u64));
    }
    let sum = latency["sum"].as_f64().unwrap();
    assert!(
        (waited as f64 / 1000.0 - sum).abs() < 1.0,
        "{waited} ns, {sum} us"
    );
}

#[test]
fn a_file_of_messages_that_cannot_be_made_ends_it_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("two.toml"), scenario("embedded")).unwrap();
    let arguments = [
        "run",
        "two.toml",
        "--out",
        "report",
        "--messages",
        "no/all.csv",
    ];
    let ended = Running::call(folder, &arguments, &[]).end();
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .starts_with("error: failed to write no/all.csv: "),
        "{}",
        ended.stderr
    );
    assert!(!ended.folder().join("report").exists());
}

/// A scenario whose gate cannot hold, on lines that annotations name.
const BROKEN_GATE: &str = r#"name = "broken"
target.url = "embedded"
load = { connections = 2, duration = "300ms" }
[[message]]
name = "echo"
rate = "20/s"
[gates]
pass = [
    "count(messages.echoed) > 0",
    "count(messages.echoed) > 1000000",
]
"#;

#[test]
fn a_stored_run_is_shown_again_and_written_in_other_formats() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_owned();
    fs::write(place.join("broken.toml"), BROKEN_GATE).unwrap();
    let formats = [
        "--junit",
        "a.xml",
        "--md",
        "a.md",
        "--bench",
        "a.json",
        "--openmetrics",
        "a.txt",
        "--github",
        "--label",
        "commit=abc123",
        "--label",
        "branch=main",
    ];
    let line = [&["run", "broken.toml", "--out", "report"], &formats[..]].concat();
    let summary = place.join("steps.md");
    let github = [("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())];
    let ended = Running::call(folder, &line, &github).end();
    assert_eq!(ended.code, 3);
    let annotation = "::error file=broken.toml,line=10,title=wsbench: gate broken::count(messages.echoed) > 1000000: observed ";
    let is_there = |out: &str| out.lines().any(|line| line.starts_with(annotation));
    assert!(is_there(&ended.stdout), "{}", ended.stdout);
    let read = |path: &Path| {
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    assert_eq!(read(&place.join("a.md")), read(&summary));

    // Rendered later, all is the same.
    let stored = tempfile::tempdir().unwrap();
    let to = |name: &str| stored.path().join(name).to_str().unwrap().to_owned();
    let names = ["b.xml", "b.md", "b.json", "b.html", "b.hlog", "b.txt"];
    let [xml, md, json, html, hlog, metrics] = names.map(to);
    let report = place.join("report");
    let line = [
        "report",
        report.to_str().unwrap(),
        "--junit",
        &xml,
        "--md",
        &md,
        "--bench",
        &json,
        "--html",
        &html,
        "--hlog",
        &hlog,
        "--openmetrics",
        &metrics,
        "--github",
    ];
    let again = Running::call(tempfile::tempdir().unwrap(), &line, &[]).end();
    assert_eq!(again.code, 3, "it exits as the run did: {}", again.stderr);
    assert!(is_there(&again.stdout), "{}", again.stdout);
    for (one, other) in [
        ("a.xml", &xml),
        ("a.md", &md),
        ("a.json", &json),
        ("a.txt", &metrics),
        ("report/report.html", &html),
    ] {
        assert_eq!(read(&place.join(one)), read(other.as_ref()), "{one}");
    }
    let hlog = fs::read_to_string(hlog).unwrap();
    assert!(hlog.contains("Tag=latency.echo/main,"), "{hlog}");

    // Its labels stand everywhere.
    let labelled = "{scenario=\"broken\",branch=\"main\",commit=\"abc123\"";
    for (file, label) in [
        (metrics.as_ref(), labelled),
        (
            xml.as_ref(),
            "<property name=\"label.commit\" value=\"abc123\"/>",
        ),
        (md.as_ref(), "branch=main commit=abc123"),
        (html.as_ref(), "branch=main commit=abc123"),
        (&*report.join("run.json"), "\"commit\":\"abc123\""),
    ] {
        let text = read(file).replace("\": \"", "\":\"");
        assert!(text.contains(label), "{}: {text}", file.display());
    }

    // The page alone holds the run, wherever it was copied to.
    let place = tempfile::tempdir().unwrap();
    fs::copy(report.join("report.html"), place.path().join("kept.html")).unwrap();
    let line = ["report", "kept.html", "--junit", "c.xml"];
    let kept = Running::call(place, &line, &[]).end();
    assert_eq!(kept.code, 3, "{}", kept.stderr);
    assert_eq!(read(&kept.folder().join("c.xml")), read(xml.as_ref()));
    drop(ended);
}

#[test]
fn labels_that_cannot_be_kept_are_refused_before_the_run() {
    let labels = |labels: &[&str]| {
        let mut line = vec!["run", "echo", "--out", "report"];
        labels
            .iter()
            .for_each(|text| line.extend(["--label", text]));
        Running::call(tempfile::tempdir().unwrap(), &line, &[]).end()
    };
    let many: Vec<String> = (0..17).map(|i| format!("k{i}=v")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (given, told) in [
        (&["commit"][..], "write a key, `=` and a value"),
        (&["le=5"], "`le` is a label of exported metrics already"),
        (&["a b=5"], "letters, digits and `_`"),
        (&["commit=\u{1b}[31m"], "on one line"),
        (&["a=1", "a=2"], "`a` is given twice"),
        (&many, "more than 16 labels"),
    ] {
        let ended = labels(given);
        assert_eq!(ended.code, 2, "{}", ended.stderr);
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
        assert!(!ended.stderr.contains('\u{1b}'), "{}", ended.stderr);
        assert!(!ended.file("").exists());
    }
}

#[test]
fn what_is_no_stored_run_is_refused() {
    for (text, told) in [
        ("{}", "it is no run of wsbench"),
        (
            "{\"schema_version\": 7, \"tool\": {\"name\": \"wsbench\"}}",
            "its `schema_version` is 7",
        ),
        (
            "{\"schema_version\": 1, \"tool\": {\"name\": \"wsbench\"}}",
            "it is broken",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("run.json"), text).unwrap();
        let ended = Running::call(folder, &["report", "."], &[]).end();
        assert_eq!(ended.code, 2);
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.html"), "<!doctype html><p>hello</p>").unwrap();
    let ended = Running::call(folder, &["report", "a.html"], &[]).end();
    assert_eq!(ended.code, 2);
    let told = "failed to read a.html: it is no run of wsbench\nhint: ";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    let ended = Running::call(tempfile::tempdir().unwrap(), &["report", "nowhere"], &[]).end();
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("failed to read nowhere"),
        "{}",
        ended.stderr
    );
}
