//! What is wrong before the first connection is told before it: exit code 2, nobody called, nothing left behind.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use super::common::process;
use super::common::real::wsbench;

/// A server that must not be called.
struct Untouched(TcpListener);

impl Untouched {
    fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn url(&self) -> String {
        format!("ws://{}/", self.0.local_addr().unwrap())
    }
}

impl Drop for Untouched {
    fn drop(&mut self) {
        let called = self.0.accept().is_ok();
        assert!(!called || std::thread::panicking(), "it was called");
    }
}

/// Every path under a folder.
fn paths(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.display().to_string());
        if path.is_dir() {
            found.extend(paths(&path));
        }
    }
    found.sort();
    found
}

fn call(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = process::command(wsbench());
    command.args(arguments).current_dir(folder.path());
    command.output().unwrap()
}

/// Refuses these arguments, `URL` being a server that listens, and says this.
#[track_caller]
fn refuses(folder: &TempDir, arguments: &[&str], says: &[&str]) {
    let server = Untouched::listen();
    let url = server.url();
    let arguments: Vec<&str> = arguments
        .iter()
        .map(|argument| if *argument == "URL" { &url } else { *argument })
        .collect();
    let before = paths(folder.path());
    let output = call(folder, &arguments);
    assert_refused(&output, says);
    assert_eq!(paths(folder.path()), before, "nothing is left behind");
}

#[track_caller]
fn assert_refused(output: &Output, says: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    for part in says {
        assert!(stderr.contains(part), "no {part:?} in:\n{stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_wrong_scenario_is_refused_whatever_else_is_right() {
    let folder = folder();
    fs::write(
        folder.path().join("wrong.toml"),
        "name = \"x\"\ncolour = 1\n",
    )
    .unwrap();
    refuses(
        &folder,
        &["run", "wrong.toml", "--url", "URL"],
        &["`colour` is not a known key", "wrong.toml:2:1"],
    );
    refuses(
        &folder,
        &[
            "run",
            "echo",
            "--url",
            "URL",
            "--gate",
            "p99(latency.x) < 1s",
        ],
        &["`latency.x` is not a metric"],
    );
    refuses(
        &folder,
        &["run", "echo", "--url", "URL", "--rate", "0/s"],
        &["`--rate`"],
    );
}

#[test]
fn a_report_that_cannot_be_written_is_refused() {
    let folder = folder();
    fs::write(folder.path().join("file"), "in the way").unwrap();
    fs::create_dir_all(folder.path().join("taken/run.json")).unwrap();
    for out in ["file", "file/report", "taken"] {
        let arguments = ["run", "echo", "--url", "URL", "--out", out];
        refuses(
            &folder,
            &arguments,
            &["failed to", out, "hint: choose another folder"],
        );
    }
    // Where reports go by themselves.
    fs::write(folder.path().join("reports"), "in the way").unwrap();
    refuses(
        &folder,
        &["run", "echo", "--url", "URL"],
        &["reports", "`--out`"],
    );
}

#[test]
fn an_output_that_is_wrong_is_refused() {
    let folder = folder();
    fs::create_dir(folder.path().join("place")).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let of_prometheus = format!("prometheus={taken}");
    for (output, says) in [
        ("kafka=127.0.0.1:9092", "there is no kind `kafka`"),
        ("statsd=localhost", "needs a host and a port"),
        ("otlp=localhost:4318", "no http:// or https:// address"),
        ("influx=http://127.0.0.1:8086/", "into which database"),
        ("influx=http://me:hush@h/?db=a", "credentials"),
        ("jsonl=place", "it is a folder"),
        ("jsonl=no/where", "its folder does not exist"),
        (&*of_prometheus, "for `--output prometheus`"),
    ] {
        let arguments = ["run", "echo", "--url", "URL", "--output", output];
        refuses(&folder, &arguments, &[says, "hint: "]);
    }
    for (address, says) in [
        (&*taken, "for `--dashboard`"),
        ("echo", "write a host and a port"),
    ] {
        let arguments = ["run", "echo", "--url", "URL", "--dashboard", address];
        refuses(&folder, &arguments, &[says]);
    }
    let written = [
        "run",
        "echo",
        "--url",
        "URL",
        "--out",
        "x",
        "--output",
        "jsonl=x/run.json",
    ];
    refuses(&folder, &written, &["it is a part of the report"]);
}

#[test]
fn messages_are_not_written_over_the_scenario_or_the_report() {
    let folder = folder();
    let file = folder.path().join("own.toml");
    let own = "name = \"own\"\n[load]\nconnections = 1\nduration = \"1s\"\n";
    fs::write(&file, own).unwrap();
    let run = |messages: &str| {
        let to = ["--out", "report", "--messages", messages];
        let arguments = [&["run", "own.toml", "--url", "URL"][..], &to].concat();
        refuses(&folder, &arguments, &[messages, "hint: name another file"]);
    };
    run("own.toml");
    run("./own.toml");
    assert_eq!(fs::read_to_string(&file).unwrap(), own);
    for name in ["run.json", "summary.csv"] {
        run(&format!("report/{name}"));
    }
}

#[test]
fn a_probe_that_could_not_be_written_down_is_not_begun() {
    let folder = folder();
    refuses(
        &folder,
        &["probe", "URL", "--out", "no/such.toml"],
        &["failed to write no/such.toml"],
    );
}

#[test]
fn an_address_without_its_scheme_is_recognised() {
    let folder = folder();
    for (text, address) in [
        ("localhost:3000", "ws://localhost:3000"),
        ("127.0.0.1:3000/chat", "ws://127.0.0.1:3000/chat"),
        ("wss:/localhost", "wss://localhost"),
    ] {
        let hint = format!("hint: for a server write {address}\n");
        refuses(&folder, &["run", text], &[&hint]);
    }
}

#[test]
fn numbers_that_are_none_say_what_is_one() {
    let folder = folder();
    for (option, value, says) in [
        ("--connections", "-5", "write a whole number"),
        ("--connections", "1,000", "write a whole number"),
        ("--duration", "-3s", "`--duration`"),
        ("--rate", "-1/s", "`--rate`"),
        ("--workers", "-1", "1..=1024"),
    ] {
        refuses(&folder, &["run", "echo", option, value], &[option, says]);
    }
}

#[test]
fn a_header_that_only_one_of_two_would_be_sent_of_is_refused() {
    let folder = folder();
    let twice = ["--header", "Cookie: a=s3cret", "--header", "COOKIE: b=2"];
    for command in ["run", "check", "probe"] {
        let arguments = [&[command, "URL"], &twice[..]].concat();
        refuses(
            &folder,
            &arguments,
            &["`COOKIE` is given twice", "hint: leave out one"],
        );
    }
}

#[test]
fn a_folder_is_no_scenario_and_hides_none() {
    let folder = folder();
    fs::create_dir(folder.path().join("storm")).unwrap();
    assert!(call(&folder, &["check", "storm"]).status.success());
}

#[test]
fn certificates_that_are_none_are_refused() {
    let folder = folder();
    let scenario = "name = \"tls\"\n[target]\nurl = \"wss://127.0.0.1:9/\"\nca = \"ca.pem\"\n[load]\nconnections = 1\nduration = \"1s\"\n";
    fs::write(folder.path().join("tls.toml"), scenario).unwrap();
    refuses(&folder, &["run", "tls.toml"], &["`target.ca`", "ca.pem"]);
    fs::write(folder.path().join("ca.pem"), "no certificate").unwrap();
    refuses(
        &folder,
        &["run", "tls.toml"],
        &["`target.ca`", "holds no certificate"],
    );
}

/// 192.0.2.0/24 is for documentation (RFC 5737): no machine has such an address.
#[test]
fn a_key_log_is_refused_where_nobody_speaks_tls() {
    for command in ["check", "run"] {
        let arguments = [command, "echo", "--url", "URL", "--key-log", "keys.txt"];
        refuses(
            &folder(),
            &arguments,
            &["TLS is spoken with nobody", "hint: leave out `--key-log`"],
        );
    }
    let arguments = ["probe", "URL", "--key-log", "keys.txt"];
    refuses(&folder(), &arguments, &["TLS is spoken with nobody"]);
}

#[test]
fn a_source_address_of_another_machine_is_told_by_check_and_run() {
    let folder = folder();
    let scenario = "name = \"far\"\n[target]\nurl = \"ws://127.0.0.1:9/\"\nsource_addresses = [\"192.0.2.7\"]\n[load]\nconnections = 1\nduration = \"1s\"\n";
    fs::write(folder.path().join("far.toml"), scenario).unwrap();
    for command in ["check", "run"] {
        let says = ["192.0.2.7", "no address of this machine", "hint: "];
        refuses(&folder, &[command, "far.toml"], &says);
    }
}

/// Calls the program under limits of file descriptors, a soft and a hard one.
fn limited(soft: u32, hard: u32, folder: &TempDir, arguments: &str) -> Output {
    let program = wsbench();
    let program = program.display();
    let script = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec {program} {arguments}");
    let mut command = process::command("sh");
    command.args(["-c", &script]).current_dir(folder.path());
    command.output().unwrap()
}

#[test]
fn too_few_file_descriptors_say_how_many_which_limit_and_what_to_do() {
    let folder = folder();
    let server = Untouched::listen();
    let run = format!("run echo --connections 2000 --url {}", server.url());
    // Each worker has some of its own, and there is one for each core.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let other = (24 + 5 * cores).max(64);
    let (needed, possible) = (2000 + other, 512usize.saturating_sub(other));
    let says = [
        "open 2,000 connections at once",
        &format!("takes {needed} file descriptors"),
        "the hard limit is 512",
        &format!("hint: raise it (`ulimit -Hn {needed}`"),
        &format!("ask for at most {possible} connections"),
    ];
    assert_refused(&limited(512, 512, &folder, &run), &says);
    assert_eq!(paths(folder.path()), [""; 0]);

    let checked = limited(512, 512, &folder, "check echo --connections 2000");
    assert_refused(&checked, &says);
    let explained = String::from_utf8(checked.stdout).unwrap();
    assert!(
        explained.contains(" of 512 file descriptors"),
        "{explained}"
    );
}

#[test]
fn the_soft_limit_is_raised_to_the_hard_one() {
    let checked = limited(64, 512, &folder(), "check echo --connections 200 --json");
    assert!(checked.status.success());
    let plan: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(plan["descriptors_limit"], 512);
}

#[test]
fn init_never_writes_over_a_file() {
    let folder = folder();
    let first = call(&folder, &["init"]);
    assert!(first.status.success());
    let file = folder.path().join("scenario.toml");
    let written = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{written}# mine\n")).unwrap();
    refuses(
        &folder,
        &["init"],
        &[
            "scenario.toml: it is there already",
            "hint: name another file",
        ],
    );
    assert!(fs::read_to_string(&file).unwrap().ends_with("# mine\n"));
    assert!(call(&folder, &["check", "scenario.toml"]).status.success());
    assert!(call(&folder, &["init", "other.toml"]).status.success());
    assert_eq!(
        fs::read_to_string(folder.path().join("other.toml")).unwrap(),
        written
    );
    refuses(&folder, &["init", "no/folder.toml"], &["failed to write"]);
}

#[test]
fn init_writes_what_ships_and_prints_it() {
    let folder = folder();
    let own = wsbench::scenario::shipped::named("echo").unwrap();
    assert!(
        call(&folder, &["init", "--from", "echo", "own.toml"])
            .status
            .success()
    );
    assert_eq!(
        fs::read_to_string(folder.path().join("own.toml")).unwrap(),
        own
    );
    assert!(call(&folder, &["init", "--from", "echo"]).status.success());
    assert_eq!(
        fs::read_to_string(folder.path().join("echo.toml")).unwrap(),
        own
    );
    let printed = call(&folder, &["init", "--from", "echo", "-"]);
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), own);
    assert!(!folder.path().join("-").exists());
    refuses(
        &folder,
        &["init", "--from", "ehco", "x.toml"],
        &["ehco", "echo"],
    );
}

#[test]
fn schema_prints_a_schema_that_takes_what_init_writes() {
    let folder = folder();
    let printed = call(&folder, &["schema"]);
    assert!(printed.status.success());
    let schema: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    call(&folder, &["init"]);
    let text = fs::read_to_string(folder.path().join("scenario.toml")).unwrap();
    let scenario: Value = toml::from_str(&text).unwrap();
    assert!(validator.is_valid(&scenario));
    let wrong: Value = toml::from_str(&text.replace("connections", "conections")).unwrap();
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn an_option_among_the_new_runs_is_told_as_one() {
    let arguments = ["compare", "a", "--", "b", "--html", "c.html"];
    let says = [
        "error: failed to compare: --html stands behind `--`",
        "hint: write options before the runs: wsbench compare --html",
    ];
    refuses(&folder(), &arguments, &says);
}

#[test]
fn a_run_that_is_not_there_is_refused_with_a_way_out() {
    for arguments in [
        &["report", "reports/chat"][..],
        &["compare", "reports/chat", "--", "reports/chat"],
        &["baseline", "add", "base.json", "reports/chat"],
    ] {
        let says = [
            "read reports/chat",
            "No such file or directory",
            "hint: name the folder of a report, like reports/chat/latest",
        ];
        refuses(&folder(), arguments, &says);
    }
}

/// Whoever wrote a file with the name of a shipped scenario is told that the shipped one is taken.
#[test]
fn a_shipped_scenario_is_told_apart_from_a_file_of_its_name() {
    let folder = folder();
    let told = || {
        let output = call(&folder, &["check", "echo"]);
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(told(), "");
    fs::write(folder.path().join("echo.toml"), "name = \"mine\"\n").unwrap();
    assert_eq!(
        told(),
        "note: this is the scenario echo that ships with wsbench; for the file write echo.toml\n"
    );
}
