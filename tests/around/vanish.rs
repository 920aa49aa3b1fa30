//! Clients that vanish: at once where the right is there, else in a network of their own, and nowhere in silence.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::common::real::wsbench;
use super::common::run::{Run, run, trusted};
use super::common::{Ended, Running, Script, Server};

/// The server pings every 400 ms, waits as long, says Close, and waits a second more for an answer.
const REAPED: &str = r#"
    name = "vanish"
    target.url = "embedded"
    target.heartbeat = { interval = "400ms", timeout = "400ms" }
    load.duration = "3500ms"
    [[cohort]]
    name = "healthy"
    connections = 20
    heartbeat = { interval = "500ms" }
    contract = { closed = 0 }
    [[cohort]]
    name = "gone"
    connections = 10
    fault = { kind = "vanish", after = "500ms" }
    [cohort.contract]
    from = "fault"
    reaped_between = ["1400ms", "2300ms"]
    "#;

const VANISHES: &str = r#"
    name = "vanish"
    target.url = "URL"
    load.duration = "1s"
    [[cohort]]
    name = "gone"
    connections = 4
    fault = { kind = "vanish", after = "200ms" }
    "#;

/// Nobody.
const ORDINARY_USER: [&str; 4] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
];

/// `wsbench run` as a user without rights: the one of this test, or else nobody, who may use neither our program nor our
/// folder.
fn run_as_ordinary_user(scenario: &str) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("test.toml"), scenario).unwrap();
    fs::copy(wsbench(), folder.path().join("wsbench")).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let copy = ["sh", "-c", "exec ./wsbench \"$@\""];
    let by = match is_root() {
        true => [&ORDINARY_USER[..], &copy].concat(),
        false => copy.to_vec(),
    };
    let run = ["run", "test.toml", "--quiet", "--out", "report"];
    Running::call_by(&by, folder, &run, &[]).end()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether this machine forbids an own network; what is said then is checked here.
#[track_caller]
fn is_forbidden(ended: &Ended) -> bool {
    if ended.code != 2 {
        return false;
    }
    let said = [
        "error: failed to enter a network of its own: this system forbids user namespaces (",
        "hint: `vanish` needs the right CAP_NET_ADMIN",
    ];
    for said in said {
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    assert!(!ended.file("run.json").exists());
    true
}

#[test]
fn a_server_gives_up_on_clients_that_are_gone() {
    let (run, ()) = trusted(|| (run(REAPED, &[]), ()));
    run.assert_passed();
    let (_, row) = run.report.promise("gone", "reaped_between");
    assert_eq!(row["observed_n"], 10, "{row}");
}

#[test]
fn a_server_that_never_gives_up_is_convicted() {
    let never = REAPED.replace(
        "timeout = \"400ms\" }",
        "timeout = \"400ms\", defect = \"never_reaps\" }",
    );
    let (run, ()) = trusted(|| (run(&never, &[]), ()));
    assert_eq!(run.ended.code, 3, "{}", run.ended.stderr);
    let (kept, row) = run.report.promise("gone", "reaped_between");
    assert!(!kept, "{row}");
    assert!(run.report.promise("healthy", "closed").0);
}

#[test]
fn who_was_gone_for_a_moment_recovers() {
    const HEALS: &str = r#"
        name = "vanish"
        target.url = "embedded"
        load.duration = "3s"
        [[cohort]]
        name = "away"
        connections = 10
        fault = { kind = "vanish", after = "500ms", for = "500ms" }
        heartbeat = { interval = "100ms", timeout = "200ms", on_dead = "keep" }
        [cohort.contract]
        from = "fault"
        closed = 0
        detected_between = ["100ms", "500ms"]
        recovers_within = "1500ms"
        "#;
    let (run, ()) = trusted(|| (run(HEALS, &[]), ()));
    run.assert_passed();
}

#[test]
fn an_ordinary_user_has_a_network_of_his_own() {
    let attempt = || {
        let ended = run_as_ordinary_user(REAPED);
        let report = (!is_forbidden(&ended)).then(|| ended.report());
        (ended, report)
    };
    let mut tries = 0;
    loop {
        tries += 1;
        let (ended, report) = attempt();
        let Some(report) = report else {
            return;
        };
        let run = Run { ended, report };
        if tries == 5 || run.ended.code != 4 {
            return run.assert_passed();
        }
    }
}

#[test]
fn a_server_that_others_started_cannot_follow_there() {
    let server = Server::start(Script::default());
    let scenario = VANISHES.replace("URL", &server.url());
    let ended = run_as_ordinary_user(&scenario);
    assert_eq!(ended.code, 2);
    for said in [
        "error: failed to make clients of cohort `gone` vanish",
        "takes the right to filter and to abandon TCP connections (CAP_NET_ADMIN)",
        "hint: run wsbench as root; or let it start the target (`target.command`)",
    ] {
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    assert_eq!(server.log().entries().len(), 0, "nobody called");
    assert!(!ended.file("run.json").exists());
}
