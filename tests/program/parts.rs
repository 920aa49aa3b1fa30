//! A run in parts: several processes play one plan from the same time on, and `merge` judges what they recorded.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

use super::common::{Ended, Running, Script, Server};

/// What is counted follows from the plan: each connection sends and pings so often in any three seconds.
fn scenario(url: &str) -> String {
    format!(
        r#"
        name = "parts"
        target.url = "{url}"
        load = {{ ramp_up = "500ms", warm_up = "1500ms", ramp_down = "100ms", duration = "3s" }}
        cohort = [
          {{ name = "calm", connections = 7 }},
          {{ name = "busy", connections = 12, heartbeat = {{ interval = "500ms", timeout = "5s" }} }},
        ]
        message = [{{ name = "echo", rate = "10/s" }}]
        gates.pass = ["count(connections.failed) == 0", "count(messages.echoed) == 570"]
        "#
    )
}

/// A whole second, so soon that all parts are ready by then.
fn soon() -> String {
    let at = SystemTime::now() + Duration::from_secs(5);
    humantime::format_rfc3339_seconds(at).to_string()
}

/// Starts a part in a folder of its own.
fn part(scenario: &str, part: &str, at: &str, more: &[&str]) -> Running {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("test.toml"), scenario).unwrap();
    let run = [
        "run",
        "test.toml",
        "--part",
        part,
        "--start-at",
        at,
        "--record",
        "part.wsbr",
    ];
    let longest = Duration::from_secs(25);
    Running::call(folder, &[&run, more].concat(), &[]).within(longest)
}

/// Plays so many parts, with different numbers of workers.
fn played(scenario: &str, parts: usize) -> Vec<Ended> {
    let at = soon();
    let running: Vec<Running> = (1..=parts)
        .map(|number| {
            let workers = (1 + number % 2).to_string();
            part(
                scenario,
                &format!("{number}/{parts}"),
                &at,
                &["--workers", &workers],
            )
        })
        .collect();
    let ended = running.into_iter().map(Running::end);
    ended
        .inspect(|ended| assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr))
        .collect()
}

/// The recorded parts, together in one folder.
fn gathered(ended: &[Ended]) -> (TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let copied = ended.iter().zip(1..).map(|(ended, number)| {
        let name = format!("part{number}.wsbr");
        fs::copy(ended.folder().join("part.wsbr"), folder.path().join(&name)).unwrap();
        name
    });
    let names = copied.collect();
    (folder, names)
}

fn merge(folder: TempDir, names: &[String]) -> Ended {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let arguments = [&["merge", "--out", "report"], &names[..]].concat();
    Running::call(folder, &arguments, &[]).end()
}

#[test]
fn parts_are_one_run() {
    let server = Server::start(Script::default());
    let scenario = scenario(&server.url());
    let whole = Ended::run(&scenario);
    assert_eq!(whole.code, 0, "{}", whole.stdout);
    let whole = whole.report().fixed_by_the_plan();
    assert!(
        whole
            .iter()
            .any(|((name, _), count)| *name == "messages.due" && *count == 360)
    );
    for parts in [2, 4] {
        let ended = played(&scenario, parts);
        assert!(
            ended[1].stdout.contains("wsbench merge"),
            "{}",
            ended[1].stdout
        );
        let (folder, mut names) = gathered(&ended);
        names.reverse();
        let merged = merge(folder, &names);
        assert_eq!(merged.code, 0, "{}{}", merged.stdout, merged.stderr);
        let report = merged.report();
        assert_eq!(report.fixed_by_the_plan(), whole, "{parts} parts");
        let table = report.json["parts"].as_array().unwrap();
        let numbers: Vec<&Value> = table.iter().map(|part| &part["part"]).collect();
        assert_eq!(numbers, (1..=parts).collect::<Vec<_>>());
        let opened: u64 = table
            .iter()
            .map(|part| part["opened"].as_u64().unwrap())
            .sum();
        assert_eq!(opened, 19);
        assert!(merged.stdout.contains("held up"), "{}", merged.stdout);
        assert_eq!(report.json["options"]["workers"], 3 * parts / 2);
        if parts == 2 {
            refuses_what_is_wrong(merged.folder(), &ended);
        }
    }
}

/// Each wrong file is named, and nothing is reported.
fn refuses_what_is_wrong(good: &Path, ended: &[Ended]) {
    let refused = |change: &dyn Fn(&Path) -> Vec<&'static str>, says: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        for name in ["part1.wsbr", "part2.wsbr"] {
            fs::copy(good.join(name), folder.path().join(name)).unwrap();
        }
        let files = change(folder.path()).into_iter().map(str::to_owned);
        let merged = merge(folder, &files.collect::<Vec<_>>());
        assert_eq!(merged.code, 2, "{}{}", merged.stdout, merged.stderr);
        for part in says {
            assert!(merged.stderr.contains(part), "{}", merged.stderr);
        }
        assert!(merged.stderr.contains("\nhint: "), "{}", merged.stderr);
        assert!(!merged.file("run.json").exists());
    };
    let both = || vec!["part1.wsbr", "part2.wsbr"];
    let rewrite = |folder: &Path, change: &dyn Fn(&mut Vec<u8>)| {
        let path = folder.join("part2.wsbr");
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
        both()
    };
    refused(&|_| vec!["part1.wsbr"], &["one is missing: 2"]);
    refused(
        &|_| vec!["part1.wsbr", "part2.wsbr", "part1.wsbr"],
        &["part1.wsbr", "part 1 once more", "leave one of them out"],
    );
    refused(
        &|folder| rewrite(folder, &|bytes| bytes.truncate(bytes.len() * 2 / 3)),
        &["part2.wsbr", "cut off", "whole seconds"],
    );
    refused(
        &|folder| rewrite(folder, &|bytes| bytes[4_000] ^= 1),
        &["part2.wsbr", "does not match its check", "copy it again"],
    );
    refused(
        &|folder| rewrite(folder, &|bytes| *bytes = b"not a part".to_vec()),
        &["part2.wsbr", "no recorded part", "--part --record"],
    );
    refused(
        &|folder| rewrite(folder, &|bytes| bytes[4] = 9),
        &["part2.wsbr", "version 9"],
    );
    refused(
        &|_| vec!["part1.wsbr", "gone.wsbr"],
        &["gone.wsbr: it is not there"],
    );
    refused(
        &|folder| {
            fs::create_dir(folder.join("folder")).unwrap();
            vec!["part1.wsbr", "folder"]
        },
        &["folder: it is not a file"],
    );
    // What was recorded is not written over.
    let folder = tempfile::tempdir().unwrap();
    let (recorded, test) = (
        ended[0].folder().join("part.wsbr"),
        ended[0].folder().join("test.toml"),
    );
    let mine = folder.path().join("part.wsbr");
    fs::copy(&recorded, &mine).unwrap();
    let (test, at) = (test.display().to_string(), soon());
    let again = [
        "run",
        &test,
        "--part",
        "1/2",
        "--start-at",
        &at,
        "--record",
        "part.wsbr",
    ];
    let again = Running::call(folder, &again, &[]).end();
    assert_eq!(again.code, 2, "{}", again.stdout);
    let says = "write part.wsbr: it is a recorded part already\nhint: name another file";
    assert!(again.stderr.contains(says), "{}", again.stderr);
    assert!(fs::read(mine).unwrap() == fs::read(recorded).unwrap());
}

#[test]
fn a_part_of_another_plan_is_refused_and_an_interrupted_one_told() {
    let server = Server::start(Script::default());
    let scenario = scenario(&server.url());
    let at = soon();
    let one = part(&scenario, "1/2", &at, &["--workers", "1"]);
    let two = part(&scenario, "2/2", &at, &["--workers", "1"]);
    let other = part(&scenario, "2/2", &at, &["--workers", "1", "--seed", "7"]);
    server.wait_until(|log| log.messages() > 100);
    two.signal("INT");
    let (one, two, other) = (one.end(), two.end(), other.end());
    assert_eq!(
        (one.code, two.code, other.code),
        (0, 130, 0),
        "{}",
        two.stderr
    );

    let (folder, names) = gathered(&[one, other]);
    let refused = merge(folder, &names);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    for part in ["part2.wsbr", "its seed is 7", "of part 1 is 1"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    let folder = refused.into_folder();
    let interrupted: PathBuf = two.folder().join("part.wsbr");
    fs::copy(interrupted, folder.path().join("part2.wsbr")).unwrap();
    let merged = merge(folder, &names);
    assert_eq!(merged.code, 130, "{}{}", merged.stdout, merged.stderr);
    let report = merged.report();
    assert_eq!(report.json["outcome"], "interrupted");
    let outcomes: Vec<&Value> = (report.json["parts"].as_array().unwrap().iter())
        .map(|part| &part["outcome"])
        .collect();
    assert_eq!(outcomes, ["completed", "interrupted"]);
}

/// One of two processes stands still in the measured time: what that may have broken is put in doubt with its number.
#[test]
fn a_part_that_stood_still_is_doubted_by_name() {
    let server = Server::start(Script::default());
    let scenario = scenario(&server.url());
    let echoed = "count(messages.echoed) == 570";
    assert!(scenario.contains(echoed));
    let scenario = scenario.replace(echoed, "max(receive.gap) < 500ms");
    let at = soon();
    let [one, two] = ["1/2", "2/2"].map(|number| part(&scenario, number, &at, &[]));
    // About 330 have come when measuring begins, and 900 at its end.
    server.wait_until(|log| log.messages() > 450);
    two.signal("STOP");
    std::thread::sleep(Duration::from_secs(1));
    two.signal("CONT");
    let (folder, names) = gathered(&[one.end(), two.end()]);
    let merged = merge(folder, &names);
    assert_eq!(merged.code, 4, "{}{}", merged.stdout, merged.stderr);
    let report = merged.report();
    let doubts = report.json["verdict"]["distrust"].as_array().unwrap();
    let said = |doubt: &Value| {
        let text = doubt["text"].as_str().unwrap();
        doubt["kind"] == "workers_late" && text.starts_with("part 2: wsbench itself was held up")
    };
    assert!(doubts.iter().any(said), "{doubts:?}");
    let of_part = |part: usize| report.json["parts"][part]["doubts"].as_array().unwrap();
    assert!(of_part(0).is_empty(), "{:?}", of_part(0));
    assert!(
        of_part(1).contains(&"workers_late".into()),
        "{:?}",
        of_part(1)
    );
    assert!(merged.stdout.contains("in doubt"), "{}", merged.stdout);
    let page = fs::read_to_string(merged.file("report.html")).unwrap();
    let (_, section) = page.split_once("<section id=\"processes\">").unwrap();
    let (section, _) = section.split_once("</section>").unwrap();
    assert!(section.contains("<td>workers_late</td>"), "{section}");
}

/// A part that was killed leaves all its whole seconds, and is told as cut.
#[test]
fn a_killed_part_is_told_as_cut() {
    let server = Server::start(Script::default());
    let killed = part(&scenario(&server.url()), "1/1", &soon(), &[]);
    server.wait_until(|log| log.messages() > 200);
    killed.signal("KILL");
    let killed = killed.end();
    assert_eq!(killed.code, -9);
    let (folder, names) = gathered(&[killed]);
    let merged = merge(folder, &names);
    assert_eq!(merged.code, 2, "{}", merged.stderr);
    assert!(merged.stderr.contains("cut off"), "{}", merged.stderr);
}

#[test]
fn what_cannot_be_played_in_parts_is_refused_with_the_reason() {
    let refused = |scenario: &str, arguments: &[&str], says: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("test.toml"), scenario).unwrap();
        let run = ["run", "test.toml", "--record", "part.wsbr"];
        let ended = Running::call(folder, &[&run, arguments].concat(), &[]).end();
        assert_eq!(ended.code, 2, "{}{}", ended.stdout, ended.stderr);
        for part in says {
            assert!(ended.stderr.contains(part), "{part} in {}", ended.stderr);
        }
        assert!(ended.stderr.contains("hint: "), "{}", ended.stderr);
        assert!(!ended.folder().join("part.wsbr").exists());
    };
    let good = scenario("ws://127.0.0.1:9/");
    let day = Duration::from_secs(24 * 3600);
    let at = |time: SystemTime| humantime::format_rfc3339_seconds(time).to_string();
    let past = at(SystemTime::now() - day);
    refused(
        &good,
        &["--part", "1/2", "--start-at", &past],
        &["that was 1day", " ago; by this machine's clock it is "],
    );
    let far = at(SystemTime::now() + day + day);
    refused(
        &good,
        &["--part", "1/2", "--start-at", &far],
        &["more than a day"],
    );

    let soon = soon();
    let part = ["--part", "20/20", "--start-at", &soon];
    let closing = Running::call(
        tempfile::tempdir().unwrap(),
        &[
            &["run", "echo", "--record", "part.wsbr", "--every", "1h"],
            &part[..],
        ]
        .concat(),
        &[],
    );
    let closing = closing.end();
    assert_eq!(closing.code, 2, "{}", closing.stdout);
    let conflict = "'--every <TIME>' cannot be used with '--part <PART/PARTS>'";
    assert!(closing.stderr.contains(conflict), "{}", closing.stderr);
    let mine = format!("{good}\ntarget.pid = {}", std::process::id());
    let with = |more: &str| format!("{good}\n{more}");
    for (scenario, says) in [
        (good.clone(), "it would have none"),
        (scenario("embedded").replace("ws://", ""), "wsbench serve"),
        (
            with("target.command = [\"sleep\", \"9\"]"),
            "`target.command`",
        ),
        (mine, "`target.pid`"),
        (with("path.delay = \"5ms\""), "`[path]`"),
        (
            with("gates.abort = [\"count(connections.failed) > 3\"]"),
            "abort gate `count(connections.failed) > 3`",
        ),
        (
            good.replace(
                "name = \"echo\",",
                "name = \"echo\", to = \"room\", payload.text = \"{{stamp}}\",",
            ),
            "`to`",
        ),
        (
            good.replace(
                "\"500ms\", warm_up = \"1500ms\"",
                "\"0s\", warm_up = \"0s\"",
            ),
            "`ramp_up`",
        ),
    ] {
        refused(&scenario, &part, &[says]);
    }
}
