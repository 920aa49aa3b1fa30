//! Versions of a server are compared: by sessions that a file keeps, by runs that are named, and by runs in turn.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::common::sessions::{
    GATE, baseline, call, decided, expect, folder, quiet, scenario, server,
};

const SOON: Duration = Duration::from_millis(5);
const LATE: Duration = Duration::from_millis(15);

fn json(path: impl AsRef<Path>) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn repeated_runs_are_a_session_that_a_baseline_keeps() {
    let (folder, server) = (folder(), server(SOON));
    let (path, url) = (folder.path(), server.url());
    for out in ["one", "two"] {
        quiet(path, url, out, &["--repeat", "2"]);
        let session = json(path.join(out).join("session.json"));
        assert_eq!(session["kind"], "wsbench session");
        assert_eq!(session["exit_code"], 0);
        assert_eq!(session["runs"], serde_json::json!(["1", "2"]));
        assert_eq!(session["session"]["runs"], 2);
        for run in ["1", "2"] {
            let run = json(path.join(out).join(run).join("run.json"));
            assert_eq!(run["verdict"]["exit_code"], 0);
        }
    }
    let added = expect(path, 0, &["baseline", "add", "base.json", "one"]);
    let says = "base.json: 1 session added, 1 session of this machine; it decides with 4 more\n";
    assert_eq!(added.out, says);
    let again = expect(path, 2, &["baseline", "add", "base.json", "one"]);
    assert!(again.err.contains("already"), "{}", again.err);
    expect(path, 0, &["baseline", "add", "base.json", "two"]);
    let kept = json(path.join("base.json"));
    let sessions = kept["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    let p50 = sessions[0]["values"]["p50(latency.echo)"]
        .as_array()
        .unwrap();
    let p50: Vec<f64> = p50.iter().map(|us| us.as_f64().unwrap()).collect();
    assert!(
        p50.len() == 2 && p50.iter().all(|us| (5e3..5e4).contains(us)),
        "{p50:?}"
    );
    let shown = expect(path, 0, &["baseline", "show", "base.json"]).out;
    assert!(
        shown.contains("2 runs, wsbench ") && shown.contains("latency.echo p50: "),
        "{shown}"
    );
    assert!(
        shown.contains("decides nothing: 3 of 5 sessions are missing"),
        "{shown}"
    );

    // Two sessions are compared, and decide nothing.
    let compare = ["compare", "--baseline", "base.json", "two", "--gate", GATE];
    let compared = expect(path, 0, &compare);
    for line in [
        "latency.echo p50",
        "? NOT COMPARED",
        "there are 2 of 5 sessions, 3 more are needed",
    ] {
        assert!(compared.out.contains(line), "{line}: {}", compared.out);
    }
    expect(path, 4, &[&compare[..], &["--strict"]].concat());
    let compared = expect(path, 0, &["compare", "--md", "c.md", "one", "--", "two"]);
    assert!(
        compared.out.contains("Nothing is decided"),
        "{}",
        compared.out
    );
    let markdown = fs::read_to_string(path.join("c.md")).unwrap();
    assert!(markdown.contains("| latency.echo p50 | "), "{markdown}");
    assert!(
        sessions[0].get("times").is_none(),
        "no gate is about them, so no distribution is kept"
    );
}

#[test]
#[ignore = "compares times, so nothing runs beside it; run by scripts/test"]
fn the_page_shows_what_the_baseline_had() {
    let (folder, server) = (folder(), server(SOON));
    let path = folder.path();
    expect(path, 0, &["baseline", "add", "base.json"]);
    let run = |out: &str, more: &[&str]| {
        let run = ["run", "gated.toml", "--baseline", "base.json", "--quiet"];
        let run = [&run[..], &["--url", server.url(), "--out", out], more].concat();
        let called = decided(|| call(path, &run));
        assert_eq!(called.code, 0, "{}\n{}", called.out, called.err);
    };
    run("one", &["--label", "commit=abc123"]);
    let page = fs::read_to_string(path.join("one/report.html")).unwrap();
    assert!(!page.contains("Grey: the baseline"), "it has nothing yet");
    expect(path, 0, &["baseline", "add", "base.json", "one"]);
    run("two", &["--repeat", "2"]);
    expect(path, 0, &["baseline", "add", "base.json", "two"]);
    let shown = expect(path, 0, &["baseline", "show", "base.json"]).out;
    assert!(shown.contains(", commit=abc123\n"), "{shown}");

    let kept = json(path.join("base.json"));
    let count = |session: usize| {
        let times = &kept["sessions"][session]["times"]["latency.echo"];
        assert!(times["hdr"].as_str().unwrap().len() < 8_000, "{times}");
        times["count"].as_u64().unwrap()
    };
    // A second of 20 clients is 400 answers; a run is half of that, and a session of two runs is both.
    assert!((150..=220).contains(&count(0)), "{}", count(0));
    assert!((300..=440).contains(&count(1)), "{}", count(1));

    run("three", &[]);
    let run_json = json(path.join("three/run.json"));
    let past = &run_json["baseline"];
    assert_eq!(past["sessions"], 2);
    assert_eq!(past["times"][0]["metric"], "latency.echo");
    assert_eq!(past["times"][0]["times"]["count"], count(0) + count(1));
    let page = fs::read_to_string(path.join("three/report.html")).unwrap();
    let line = "<path d=\"M";
    assert!(page.contains(line) && page.contains("Grey: the baseline, 2 sessions together."));
    assert!(page.contains(">baseline</tspan>"), "a direct label");
    assert!(page.len() < 400 << 10);
    expect(path, 0, &["report", "three", "--html", "again.html"]);
    assert_eq!(fs::read_to_string(path.join("again.html")).unwrap(), page);
}

#[test]
#[ignore = "compares times, so nothing runs beside it; run by scripts/test"]
fn a_stored_run_is_held_against_a_baseline() {
    let (folder, alike, slower) = (folder(), server(SOON), server(LATE));
    let path = folder.path();
    baseline(path, alike.url(), 5);
    expect(path, 0, &["baseline", "add", "empty.json"]);
    let run = |url: &str, out: &str, more: &[&str]| {
        let run = ["run", "gated.toml", "--baseline", "empty.json", "--quiet"];
        let run = [&run[..], &["--url", url, "--out", out], more].concat();
        call(path, &run)
    };
    assert_eq!(decided(|| run(slower.url(), "slower", &[])).code, 0);
    let files = ["--html", "p.html", "--junit", "j.xml", "--md", "m.md"];
    let report = ["report", "slower", "--baseline", "base.json"];
    let called = expect(path, 3, &[&report[..], &files, &["--github"]].concat());
    let says = "of the baseline, at least";
    assert!(called.out.contains("✗ FAIL"), "{}", called.out);
    assert!(called.out.contains("::error"), "{}", called.out);
    assert_eq!(called.out.matches(says).count(), 2, "{}", called.out);
    for file in ["p.html", "j.xml", "m.md"] {
        let text = fs::read_to_string(path.join(file)).unwrap();
        assert!(text.contains(says), "{file}: {text}");
        assert!(!text.contains("not decided"), "{file}: {text}");
    }
    // What is stored stays.
    let shown = expect(path, 0, &["report", "slower"]).out;
    assert!(shown.contains("0 of 5 sessions"), "{shown}");

    // A run that had no verdict only because nothing was decided has one now.
    let strict = || run(slower.url(), "strict", &["--strict"]);
    assert_eq!(strict().code, 4);
    let judged = expect(path, 3, &["report", "strict", "--baseline", "base.json"]);
    assert!(judged.out.contains(says), "{}", judged.out);
    let strict = ["report", "slower", "--strict", "--baseline", "empty.json"];
    let judged = expect(path, 4, &strict);
    assert!(judged.out.contains("not decided"), "{}", judged.out);

    let refuses = |arguments: &[&str], says: &str| {
        let called = expect(path, 2, arguments);
        assert!(called.err.contains(says), "{arguments:?}: {}", called.err);
    };
    let with = |file: &'static str, more: &[&'static str]| {
        [&["report", "slower", "--baseline", file][..], more].concat()
    };
    refuses(
        &with("none.json", &[]),
        "`wsbench baseline add none.json RUN…` makes one",
    );
    refuses(&with("base-0", &[]), "a baseline is a file");
    refuses(
        &with("base.json", &["--md", "base.json"]),
        "it is the baseline",
    );
    refuses(
        &["report", "base-0", "--baseline", "base.json", "--strict"],
        "no gate of this run is about a baseline",
    );
    let told = expect(path, 0, &["report", "base-0", "--baseline", "base.json"]);
    assert!(told.err.contains("it decides nothing"), "{}", told.err);
    quiet(path, alike.url(), "longer", &["--duration", "700ms"]);
    refuses(
        &["report", "longer", "--baseline", "base.json"],
        "the command line differs",
    );
    quiet(path, alike.url(), "twice", &["--repeat", "2"]);
    refuses(&["report", "twice"], "it is a session of several runs");
    let page = ["compare", "--baseline", "base.json", "slower", "--html"];
    expect(path, 3, &[&page[..], &["c.html"]].concat());
    let html = fs::read_to_string(path.join("c.html")).unwrap();
    assert!(html.contains("✗</span> WORSE</p>"), "{html}");
    assert!(html.contains(says) && !html.contains("<script"), "{html}");
    refuses(&[&page[..], &["base.json"]].concat(), "it is the baseline");
    refuses(
        &[&page[..], &["none/c.html"]].concat(),
        "its folder does not exist",
    );
}

#[test]
#[ignore = "compares times, so nothing runs beside it; run by scripts/test"]
fn a_gate_on_the_baseline_decides_by_five_sessions() {
    let (folder, alike, slower) = (folder(), server(SOON), server(LATE));
    let path = folder.path();
    baseline(path, alike.url(), 5);
    let gated = |url: &str, out: &str, more: &[&str]| {
        let run = [
            "run",
            "gated.toml",
            "--baseline",
            "base.json",
            "--url",
            url,
            "--out",
            out,
        ];
        call(path, &[&run, more].concat())
    };
    let standing = |out: &str| {
        let run = json(path.join(out).join("run.json"));
        let gates = run["verdict"]["gates"].as_array().unwrap().clone();
        let gate = gates.into_iter().find(|gate| gate["gate"] == GATE).unwrap();
        (
            gate["baseline"]["standing"].as_str().unwrap().to_owned(),
            gate,
        )
    };
    let called = decided(|| gated(alike.url(), "alike", &[]));
    let (stands, gate) = standing("alike");
    assert_ne!(stands, "worse", "{gate}");
    assert_eq!(called.code, 0, "{}", called.out);

    let files = ["--junit", "j.xml", "--md", "m.md"];
    let called = decided(|| gated(slower.url(), "slower", &files));
    let (stands, gate) = standing("slower");
    assert_eq!(
        (called.code, stands.as_str()),
        (3, "worse"),
        "{gate}\n{}",
        called.out
    );
    let (base, limit) = (&gate["baseline"]["base"], &gate["limit"]);
    let (base, limit) = (base.as_f64().unwrap(), limit.as_f64().unwrap());
    assert!((limit - 1.5 * base).abs() < 1.0, "{gate}");
    let why = gate["why"].as_str().unwrap();
    assert!(why.contains("of the baseline, at least "), "{why}");
    let xml = fs::read_to_string(path.join("j.xml")).unwrap();
    assert!(
        xml.contains("<failure") && xml.contains("of the baseline"),
        "{xml}"
    );
    for text in [
        called.out,
        fs::read_to_string(path.join("m.md")).unwrap(),
        fs::read_to_string(path.join("slower/report.html")).unwrap(),
    ] {
        assert!(text.contains("of the baseline, at least"), "{text}");
    }
    // A session is judged once.
    let run = [
        "run",
        "gated.toml",
        "--baseline",
        "base.json",
        "--url",
        slower.url(),
    ];
    let run = [&run[..], &["--out", "session", "--repeat", "2", "--quiet"]].concat();
    let called = decided(|| call(path, &run));
    assert_eq!(called.code, 3, "{}", called.out);
    assert!(
        called.out.contains("of the baseline, at least"),
        "{}",
        called.out
    );
    let session = json(path.join("session/session.json"));
    assert_eq!(session["gates"][0]["baseline"]["standing"], "worse");
    assert_eq!(session["exit_code"], 3);
    let (stands, gate) = standing("session/1");
    assert_eq!(stands, "not_compared");
    assert!(
        gate["why"].as_str().unwrap().contains("session.json"),
        "{gate}"
    );
    // So is a comparison of what is stored.
    let compared = expect(path, 3, &["compare", "--baseline", "base.json", "session"]);
    assert!(compared.out.contains("✗ WORSE"), "{}", compared.out);
    let compared = expect(path, 3, &["compare", "base-0", "--", "slower"]);
    assert!(compared.out.contains("? NOT COMPARED"), "{}", compared.out);
}

#[test]
#[ignore = "compares times, so nothing runs beside it; run by scripts/test"]
fn what_is_not_decided_is_said_everywhere() {
    let (folder, server) = (folder(), server(SOON));
    let path = folder.path();
    expect(path, 0, &["baseline", "add", "base.json"]);
    let run = [
        "run",
        "gated.toml",
        "--baseline",
        "base.json",
        "--url",
        server.url(),
    ];
    let run = [
        &run[..],
        &["--out", "out", "--junit", "j.xml", "--md", "m.md"],
    ]
    .concat();
    let called = decided(|| call(path, &run));
    assert_eq!(called.code, 0, "{}", called.out);
    let says = "there are 0 of 5 sessions, 5 more are needed";
    assert!(called.out.contains("? OPEN"), "{}", called.out);
    assert!(
        called
            .out
            .contains("1 gate on the baseline not decided; 1 gate held"),
        "{}",
        called.out
    );
    let xml = fs::read_to_string(path.join("j.xml")).unwrap();
    assert!(xml.contains("<skipped") && xml.contains(says), "{xml}");
    let markdown = fs::read_to_string(path.join("m.md")).unwrap();
    assert!(markdown.contains(says), "{markdown}");
    let page = fs::read_to_string(path.join("out/report.html")).unwrap();
    assert!(
        page.contains("not decided") && page.contains(says),
        "no word in the page"
    );
    let run_json = json(path.join("out/run.json"));
    let kinds: Vec<&str> = (run_json["warnings"].as_array().unwrap().iter())
        .map(|warning| warning["kind"].as_str().unwrap())
        .collect();
    assert!(kinds.contains(&"not_decided"), "{kinds:?}");
    let shown = expect(path, 0, &["report", "out", "--quiet"]);
    assert!(shown.out.contains(says), "{}", shown.out);

    let strict = expect(path, 4, &[&run[..], &["--strict", "--quiet"]].concat());
    assert!(strict.out.contains("not decided"), "{}", strict.out);
}

#[test]
fn what_cannot_be_compared_is_refused_before_the_first_connection() {
    let (folder, server) = (folder(), server(SOON));
    let (path, url) = (folder.path(), server.url());
    baseline(path, url, 1);
    let nobody = "ws://127.0.0.1:1/";
    let refuses = |arguments: &[&str], says: &str| {
        let called = expect(path, 2, arguments);
        assert!(called.err.contains(says), "{arguments:?}: {}", called.err);
    };
    refuses(
        &["run", "gated.toml", "--url", nobody],
        "hint: name one with `--baseline FILE`",
    );
    let gated = ["run", "gated.toml", "--url", nobody, "--baseline"];
    let with = |more: &[&'static str]| [&gated[..], more].concat();
    refuses(
        &with(&["none.json"]),
        "make an empty one: wsbench baseline add none.json",
    );
    refuses(&with(&["short.toml"]), "it is no baseline of wsbench");
    refuses(&with(&["base-0/run.json"]), "it is no baseline of wsbench");
    refuses(
        &with(&["base.json", "--workers", "7"]),
        "the number of workers differs",
    );
    refuses(
        &with(&["base.json", "--duration", "700ms"]),
        "the command line differs: no option there",
    );
    refuses(
        &["run", "short.toml", "--url", nobody, "--strict"],
        "--baseline",
    );
    refuses(
        &[
            "run",
            "short.toml",
            "--url",
            nobody,
            "--baseline",
            "base.json",
            "--strict",
        ],
        "be strict: no gate",
    );
    let pass = "gates.pass = [\"count(messages.mismatched) == 0\"]";
    let abort = "gates.abort = [\"p50(latency.echo) > 200% of baseline\"]";
    fs::write(path.join("abort.toml"), scenario("").replace(pass, abort)).unwrap();
    refuses(&["check", "abort.toml"], "judged when the run is over");
    refuses(&["compare", "base-0"], "there is no new run");
    refuses(
        &["compare", "base.json", "--", "base-0"],
        "hint: wsbench compare --baseline base.json NEW…",
    );
    refuses(
        &["compare", "base-0", "--", "short.toml"],
        "it is no run of wsbench",
    );
    refuses(
        &[
            "compare",
            "--gate",
            "p50(latency.echo) < 5ms",
            "base-0",
            "--",
            "base-0",
        ],
        "not about a baseline",
    );
    refuses(
        &["baseline", "add", "base.json", "base.json"],
        "it is no run of wsbench",
    );
    refuses(
        &["baseline", "add", "short.toml", "base-0"],
        "it is no baseline of wsbench",
    );
    let none = "hint: `wsbench baseline add none.json RUN…` makes one";
    refuses(&["baseline", "show", "none.json"], none);
    refuses(&["compare", "--baseline", "none.json", "base-0"], none);
    refuses(
        &["baseline", "add", "base-0", "base.json"],
        "a baseline is a file",
    );
    refuses(
        &[
            "check",
            "short.toml",
            "--gate",
            "p99(latency.echo) < 110% of baselin",
        ],
        "hint: write a percentage, such as `110% of baseline`",
    );
    let over = [
        "run",
        "gated.toml",
        "--url",
        nobody,
        "--baseline",
        "base.json",
        "--md",
    ];
    refuses(&[&over[..], &["base.json"]].concat(), "it is the baseline");
    assert_eq!(json(path.join("base.json"))["kind"], "wsbench baseline");

    quiet(path, url, "longer", &["--duration", "700ms"]);
    refuses(
        &["compare", "base-0", "--", "longer"],
        "the command line differs",
    );
    refuses(
        &["baseline", "add", "base.json", "longer"],
        "the command line differs",
    );
    let forced = expect(path, 0, &["compare", "base-0", "--force", "--", "longer"]);
    assert!(forced.err.contains("compared by force"), "{}", forced.err);

    // A run without a verdict is in no baseline.
    let text = fs::read_to_string(path.join("base-0/run.json")).unwrap();
    fs::create_dir(path.join("doubtful")).unwrap();
    for (code, says) in [
        ("4", "is in doubt (exit code 4)"),
        ("130", "was interrupted (exit code 130)"),
    ] {
        let changed = text.replace("\"exit_code\": 0", &format!("\"exit_code\": {code}"));
        fs::write(path.join("doubtful/run.json"), changed).unwrap();
        refuses(&["baseline", "add", "base.json", "doubtful"], says);
    }
    let kept = json(path.join("base.json"));
    assert_eq!(
        kept["sessions"].as_array().unwrap().len(),
        1,
        "nothing was added"
    );
    let names = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let parts = names.filter(|name| name.to_string_lossy().ends_with(".part"));
    assert_eq!(parts.count(), 0);
}

#[test]
#[ignore = "compares times, so nothing runs beside it; run by scripts/test"]
fn ab_tells_a_slower_server_from_one_that_is_alike() {
    let (folder, base, slower) = (folder(), server(SOON), server(LATE));
    let path = folder.path();
    let ab = [
        "ab",
        "gated.toml",
        "--pairs",
        "4",
        "--base",
        base.url(),
        "--out",
        "ab",
        "--new",
    ];
    let wrong = [&ab[..], &[slower.url(), "--html", "none/ab.html"]].concat();
    let refused = expect(path, 2, &wrong);
    assert!(
        refused.err.contains("its folder does not exist"),
        "{}",
        refused.err
    );
    let files = ["--md", "ab.md", "--html", "ab.html"];
    let slow = [&ab[..], &[slower.url()], &files].concat();
    let called = decided(|| call(path, &slow));
    assert_eq!(called.code, 3, "{}\n{}", called.out, called.err);
    assert!(called.out.contains("✗ WORSE"), "{}", called.out);
    assert!(called.out.contains("could see"), "{}", called.out);
    let markdown = fs::read_to_string(path.join("ab.md")).unwrap();
    assert!(markdown.contains("| ✗ WORSE | "), "{markdown}");
    let page = fs::read_to_string(path.join("ab.html")).unwrap();
    assert!(page.contains("✗</span> WORSE</p>"), "{page}");
    assert!(page.contains("base: 4 runs in 1 session"), "{page}");
    let order: Vec<&str> = (called.err.lines())
        .filter(|line| line.starts_with("pair "))
        .map(|line| if line.contains(", base: ") { "A" } else { "B" })
        .collect();
    assert_eq!(order, ["A", "B", "B", "A", "A", "B", "B", "A"]);
    for number in 1..=4 {
        for side in ["base", "new"] {
            assert!(path.join(format!("ab/{number}-{side}/run.json")).exists());
        }
    }
    let alike = [&ab[..], &[base.url(), "--quiet"]].concat();
    let called = decided(|| call(path, &alike));
    assert_eq!(called.code, 0, "{}\n{}", called.out, called.err);
    assert!(!called.out.contains("WORSE"), "{}", called.out);
    let gated = |line: &&str| line.contains(GATE);
    assert_eq!(
        called.out.lines().filter(gated).count(),
        1,
        "{}",
        called.out
    );
}
