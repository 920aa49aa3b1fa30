//! What a run leaves in its folder and in other files when it ends badly, or finds there when it starts.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::common::{Ended, FILES, OnClose, Running, Script, Server, process};
use super::interrupts;

/// A second of echoes.
pub(super) fn short(url: &str) -> String {
    format!(
        r#"
        name = "short"
        [target]
        url = "{url}"
        [load]
        connections = 4
        duration = "1s"
        [[message]]
        name = "echo"
        rate = "20/s"
        [gates]
        pass = ["count(messages.echoed) > 0"]
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

/// The same folder with another run in it.
fn again(ended: Ended, scenario: &str, arguments: &[&str]) -> Ended {
    Running::start_in(ended.into_folder(), scenario, arguments, &[]).end()
}

#[test]
fn what_a_killed_run_left_the_next_one_removes() {
    let server = Server::start(Script::default());
    let running = Running::start(&interrupts::scenario(&server.url(), "0s"), &["--quiet"]);
    server.wait_until(|log| log.messages() > 20);
    running.signal("KILL");
    let killed = running.end();
    let left = listed(&killed.file(""));
    assert_eq!(left.len(), FILES.len(), "{left:?}");
    assert!(left.iter().all(|name| name.ends_with(".part")), "{left:?}");
    fs::write(killed.file(".mine.part"), "not of wsbench").unwrap();
    let ended = again(killed, &short(&server.url()), &[]);
    let mut expected = FILES.map(str::to_owned).to_vec();
    expected.insert(0, ".mine.part".to_owned());
    assert_eq!(listed(&ended.file("")), expected);
}

#[test]
fn two_runs_do_not_share_a_folder() {
    let server = Server::start(Script::default());
    let first = Running::start(&interrupts::scenario(&server.url(), "0s"), &["--quiet"]);
    server.wait_until(|log| log.messages() > 20);
    let report = first.folder().join("report");
    let folder = tempfile::tempdir().unwrap();
    let out = ["run", "echo", "--out", report.to_str().unwrap()];
    let second = Running::call(folder, &out, &[]).end();
    assert_eq!(second.code, 2, "{}", second.stderr);
    let says = "another run is writing its report there\nhint: choose another folder with `--out`";
    assert!(second.stderr.contains(says), "{}", second.stderr);
    first.signal("INT");
    assert_eq!(listed(&first.end().file("")), FILES);
}

#[test]
fn a_run_over_an_earlier_one_says_so() {
    let server = Server::start(Script::default());
    let first = Running::start(&short(&server.url()), &[]).end();
    assert!(!first.stderr.contains("earlier"), "{}", first.stderr);
    let second = again(first, &short(&server.url()), &[]);
    let says = "note: report has the report of an earlier run, which this one replaces\n";
    assert!(second.stderr.contains(says), "{}", second.stderr);
}

/// A link with the name of a file of the report, as others who can write to the folder may put it there.
#[test]
fn no_link_is_followed() {
    let server = Server::start(Script::default());
    let folder = tempfile::tempdir().unwrap();
    let precious = folder.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    fs::create_dir(folder.path().join("report")).unwrap();
    for name in FILES {
        symlink(&precious, folder.path().join("report").join(name)).unwrap();
    }
    let ended = Running::start_in(folder, &short(&server.url()), &["--quiet"], &[]).end();
    assert_eq!(listed(&ended.file("")), FILES);
    let precious = ended.folder().join("precious");
    assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
    assert!(!ended.file("run.json").is_symlink());
}

/// As with a full disk: some of the files become whole, and the others do not.
#[test]
fn files_that_cannot_be_written_take_nothing_else_with_them() {
    let server = Server::start(Script::default());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("test.toml"), short(&server.url())).unwrap();
    fs::create_dir(folder.path().join("report")).unwrap();
    fs::write(folder.path().join("report/run.json"), "of an earlier run").unwrap();
    let run = ["run", "test.toml", "--out", "report"];
    let ended = Running::call_by(&["prlimit", "--fsize=6000"], folder, &run, &[]).end();
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended.stdout.contains("count(messages.echoed)"),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stderr.contains("failed to write report/"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("`ulimit -f`"), "{}", ended.stderr);
    // The one exit code that is told is the real one.
    let told =
        ended.stdout.matches("exit code").count() + ended.stderr.matches("exit code").count();
    let code = "(exit code 1, because not all could be written)";
    assert!(ended.stdout.contains(code), "{}", ended.stdout);
    assert_eq!(told, 1, "{} {}", ended.stdout, ended.stderr);
    let left = listed(&ended.file(""));
    assert!(left.contains(&"connections.csv".to_owned()), "{left:?}");
    assert!(!left.contains(&"run.json".to_owned()), "{left:?}");
    assert!(
        left.iter().all(|name| FILES.contains(&name.as_str())),
        "{left:?}"
    );
}

#[test]
fn too_few_descriptors_even_to_start_are_a_limit_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let run = ["run", "echo", "--out", "report"];
    let ended = Running::call_by(&["prlimit", "--nofile=10:10"], folder, &run, &[]).end();
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("file descriptors, and the hard limit is 10\n"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("at most 0"), "{}", ended.stderr);
    assert!(!ended.file("").exists());
}

/// The command never listens: the run has not begun, and ends at once.
#[test]
fn a_signal_while_the_target_starts_ends_the_program() {
    let scenario =
        short("ws://127.0.0.1:9/").replace("[load]", "command = [\"sleep\", \"60\"]\n[load]");
    let running = Running::start(&scenario, &["--quiet"]);
    let report = running.folder().join("report");
    wait_for(|| report.is_dir());
    let signalled = Instant::now();
    running.signal("INT");
    let ended = running.end();
    assert!(signalled.elapsed() < Duration::from_secs(5));
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    assert!(!ended.file("").exists());
}

/// A server that does not answer the Close holds the drain up.
#[test]
fn a_signal_after_the_load_interrupts_nothing() {
    let server = Server::start(Script::on_close(OnClose::Never));
    let scenario = short(&server.url()).replace(
        "[load]",
        "close_timeout = \"3s\"\n[load]\nramp_down = \"100ms\"",
    );
    let running = Running::start(&scenario, &["--quiet"]);
    server.wait_until(|log| log.close_codes().len() == 4);
    running.signal("INT");
    let ended = running.end();
    assert_eq!(
        ended.report().json["outcome"],
        "completed",
        "{}",
        ended.stderr
    );
    assert_ne!(ended.code, 130, "{}", ended.stderr);
}

#[test]
fn messages_go_wherever_bytes_can_go() {
    let server = Server::start(Script::default());
    let scenario = short(&server.url());
    for to in ["/dev/null", "/dev/stdout"] {
        let ended = Running::start(&scenario, &["--quiet", "--messages", to]).end();
        assert_eq!(ended.stderr, "", "{to}");
        assert!([0, 4].contains(&ended.code), "{to}: {}", ended.stdout);
    }
}

/// Standard output is a file here, and would have two positions if it was opened again.
#[test]
fn messages_and_the_summary_have_room_in_one_file() {
    for file in ["/dev/stdout", "-"] {
        let server = Server::start(Script::default());
        let messages = ["--messages", file];
        let ended = Running::start(&short(&server.url()), &messages).end();
        let (rows, summary) = ended.stdout.split_once("\n\n").unwrap();
        assert!(rows.starts_with("cohort,connection,message,"), "{rows}");
        assert!(rows.contains("\nmain,3,echo,"), "{rows}");
        assert!(summary.contains("count(messages.echoed)"), "{summary}");
    }
}

#[test]
fn messages_are_not_written_over_what_the_scenario_needs_by_another_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("payload"), "hello").unwrap();
    let scenario = short("embedded").replace("rate =", "payload = { file = \"payload\" }\nrate =");
    fs::write(folder.path().join("test.toml"), &scenario).unwrap();
    fs::hard_link(folder.path().join("test.toml"), folder.path().join("one")).unwrap();
    fs::hard_link(folder.path().join("payload"), folder.path().join("two")).unwrap();
    symlink("payload", folder.path().join("three")).unwrap();
    let mut folder = folder;
    for name in ["one", "two", "three", "payload", "test.toml"] {
        let run = ["run", "test.toml", "--messages", name, "--out", "report"];
        let ended = Running::call(folder, &run, &[]).end();
        assert_eq!(ended.code, 2, "{name}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("hint: name another file"),
            "{name}: {}",
            ended.stderr
        );
        folder = ended.into_folder();
    }
    let text = |name| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(
        (text("payload"), text("test.toml")),
        ("hello".to_owned(), scenario)
    );
}

#[test]
fn a_pipe_that_nobody_reads_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    make_pipe(&folder.path().join("pipe"));
    let run = ["run", "echo", "--messages", "pipe", "--out", "report"];
    let ended = Running::call(folder, &run, &[]).end();
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    let says = "failed to write pipe: nobody reads from this pipe\nhint: start its reader first\n";
    assert!(ended.stderr.contains(says), "{}", ended.stderr);
}

#[test]
fn what_never_ends_is_no_scenario() {
    let folder = tempfile::tempdir().unwrap();
    make_pipe(&folder.path().join("pipe"));
    let mut folder = folder;
    for (name, says) in [
        ("/dev/zero", "neither a file nor a pipe"),
        ("pipe", "nothing came out of it"),
    ] {
        let ended = Running::call(folder, &["check", name], &[]).end();
        assert_eq!(ended.code, 2, "{}", ended.stderr);
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
        folder = ended.into_folder();
    }
    fs::File::create(folder.path().join("large"))
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    let ended = Running::call(folder, &["check", "large"], &[]).end();
    assert!(
        ended.stderr.contains("larger than 16MiB"),
        "{}",
        ended.stderr
    );
    assert!(ended.memory < 200 << 20, "{}", ended.memory);
}

fn make_pipe(path: &Path) {
    assert!(
        process::command("mkfifo")
            .arg(path)
            .status()
            .unwrap()
            .success()
    );
}

pub(super) fn wait_for(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "it never came");
        thread::sleep(Duration::from_millis(5));
    }
}

/// As a CI agent leaves descriptors open: the target gets none of them.
#[cfg(target_os = "linux")]
#[test]
fn what_was_inherited_goes_to_no_target() {
    let target = "command = [\"sh\", \"-c\", \"ls -l /proc/self/fd; exit 1\"]\n[load]";
    let scenario = short("ws://127.0.0.1:9/").replace("[load]", target);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("test.toml"), scenario).unwrap();
    let by = ["sh", "-c", "exec 9</dev/zero; exec \"$0\" \"$@\""];
    let ended = Running::call_by(&by, folder, &["run", "test.toml", "--out", "report"], &[]).end();
    assert!(
        ended.stderr.contains("before it listened"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("/dev/zero"), "{}", ended.stderr);
}

/// What is left to read of a run that failed.
#[test]
fn a_log_tells_of_phases_connections_and_causes() {
    let server = Server::start(Script::default());
    let run = |to: &str| Running::start(&short(&server.url()), &["--quiet", "--log", to]).end();
    let ended = run("soak.log");
    assert_eq!(ended.stderr, "");
    let log = fs::read_to_string(ended.folder().join("soak.log")).unwrap();
    for part in [
        "started",
        "looked up",
        "phase=measure",
        "opened cohort=\"main\" connection=3",
        "judged outcome=\"completed\"",
    ] {
        assert!(log.contains(part), "{part}:\n{log}");
    }
    assert!(!log.contains('\x1b'), "{log}");
    let log = run("-").stderr;
    assert!(log.contains("phase=drain"), "{log}");

    let dead = "ws://127.0.0.1:9/";
    let ended = Running::start(&short(dead), &["--quiet", "--log", "-"]).end();
    assert!(
        ended.stderr.contains("cause=\"refused\""),
        "{}",
        ended.stderr
    );
}
