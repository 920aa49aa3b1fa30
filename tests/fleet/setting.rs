//! What the tests have in common: a scenario whose counts follow from the plan, agents, and a coordinator.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::nats::{Nats, Version};
use crate::common::{Ended, Running, Script, Server};

/// The longest that any process of these tests may take.
pub(super) const LONGEST: Duration = Duration::from_secs(60);

/// What is counted follows from the plan: each connection sends and pings so often in so many seconds.
pub(super) fn scenario(url: &str, seconds: u32) -> String {
    format!(
        r#"
        name = "fleet"
        target.url = "{url}"
        load = {{ ramp_up = "300ms", warm_up = "600ms", ramp_down = "100ms", duration = "{seconds}s" }}
        cohort = [
          {{ name = "calm", connections = 7 }},
          {{ name = "busy", connections = 12, heartbeat = {{ interval = "1s", timeout = "5s" }} }},
        ]
        message = [{{ name = "echo", rate = "10/s" }}]
        gates.pass = ["count(connections.failed) == 0"]
        "#
    )
}

/// Counts that follow from the plan, by metric and cohort.
type Counts = BTreeMap<(&'static str, String), u64>;

/// One process that plays the plan of [`scenario`] meanwhile, against a server of its own.
pub(super) struct Alone {
    plays: Mutex<Option<JoinHandle<Counts>>>,
    counts: OnceLock<Counts>,
}

impl Alone {
    pub(super) fn begin(seconds: u32) -> Self {
        let plays = thread::spawn(move || {
            let server = Server::start(Script::default());
            let ended = Ended::run(&scenario(&server.url(), seconds));
            assert_code(&ended, 0);
            ended.report().fixed_by_the_plan()
        });
        Self {
            plays: Mutex::new(Some(plays)),
            counts: OnceLock::new(),
        }
    }

    /// What it came to. Waits for its end.
    pub(super) fn counts(&self) -> &Counts {
        self.counts.get_or_init(|| {
            let plays = self.plays.lock().unwrap().take();
            plays.expect("it is waited for once").join().unwrap()
        })
    }
}

/// An agent that ends after one run.
pub(super) fn agent(nats: &Nats, name: &str, workers: &str) -> Running {
    let folder = tempfile::tempdir().unwrap();
    agent_with(nats, name, &["--workers", workers, "--once"], folder)
}

/// An agent with these options.
pub(super) fn agent_with(
    nats: &Nats,
    name: &str,
    options: &[&str],
    folder: tempfile::TempDir,
) -> Running {
    agent_by(&[], nats, name, options, folder)
}

/// The same through another program that then executes it.
pub(super) fn agent_by(
    by: &[&str],
    nats: &Nats,
    name: &str,
    options: &[&str],
    folder: tempfile::TempDir,
) -> Running {
    let url = nats.url();
    let agent = ["agent", "--nats", &url, "--name", name, "--keep", "."];
    Running::call_by(by, folder, &[&agent, options].concat(), &[]).within(LONGEST)
}

/// A coordinator of so many agents.
pub(super) fn coordinator(nats: &Nats, scenario: &str, agents: usize, options: &[&str]) -> Running {
    coordinator_by(&[], nats, scenario, agents, options)
}

/// The same through another program that then executes it.
pub(super) fn coordinator_by(
    by: &[&str],
    nats: &Nats,
    scenario: &str,
    agents: usize,
    options: &[&str],
) -> Running {
    coordinator_in(
        tempfile::tempdir().unwrap(),
        by,
        nats,
        scenario,
        agents,
        options,
    )
}

/// The same in a folder, which may hold what the scenario needs.
pub(super) fn coordinator_in(
    folder: tempfile::TempDir,
    by: &[&str],
    nats: &Nats,
    scenario: &str,
    agents: usize,
    options: &[&str],
) -> Running {
    fs::write(folder.path().join("test.toml"), scenario).unwrap();
    let (url, agents) = (nats.url(), agents.to_string());
    let run = [
        "run",
        "test.toml",
        "--out",
        "report",
        "--nats",
        &url,
        "--agents",
        &agents,
    ];
    Running::call_by(by, folder, &[&run, options].concat(), &[]).within(LONGEST)
}

/// A run of two agents in which messages are exchanged.
pub(super) struct UnderWay {
    pub(super) nats: Nats,
    pub(super) led: Running,
    agents: [Running; 2],
    _server: Server,
}

impl UnderWay {
    /// Begins the run that [`Alone::begin`] plays with this many seconds.
    pub(super) fn begin(version: Version, seconds: u32) -> Self {
        let server = Server::start(Script::default());
        let nats = Nats::start(version);
        let agents = [agent(&nats, "one", "1"), agent(&nats, "two", "1")];
        let led = coordinator(&nats, &scenario(&server.url(), seconds), 2, &[]);
        wait_for_messages(&server, 300);
        Self {
            nats,
            led,
            agents,
            _server: server,
        }
    }

    /// Asserts that its agents end well.
    #[track_caller]
    pub(super) fn assert_agents_end(agents: [Running; 2]) {
        for agent in agents {
            assert_code(&agent.end(), 0);
        }
    }

    /// Asserts that the report of another coordinator is that of the run alone. Returns the NATS server, the first coordinator, and
    /// the name of the run.
    #[track_caller]
    pub(super) fn assert_followed(self, alone: &Alone) -> (Nats, Running, String) {
        let run = run_of(&self.led);
        assert_is_alone(attach(&self.nats, &run, &[]), alone);
        Self::assert_agents_end(self.agents);
        (self.nats, self.led, run)
    }

    /// Asserts that its own report is that of the run alone.
    #[track_caller]
    pub(super) fn assert_ends(self, alone: &Alone) {
        assert_is_alone(self.led, alone);
        Self::assert_agents_end(self.agents);
    }
}

/// Asserts that what this coordinator reports is what the run alone had.
#[track_caller]
pub(super) fn assert_is_alone(led: Running, alone: &Alone) {
    let led = led.end();
    assert_code(&led, 0);
    assert_eq!(led.report().fixed_by_the_plan(), *alone.counts());
}

/// Takes a run over, or makes its report.
pub(super) fn attach(nats: &Nats, run: &str, options: &[&str]) -> Running {
    let url = nats.url();
    let attach = ["attach", run, "--nats", &url, "--out", "report"];
    let folder = tempfile::tempdir().unwrap();
    Running::call(folder, &[&attach, options].concat(), &[]).within(LONGEST)
}

/// Waits until so many messages came to the target.
#[track_caller]
pub(super) fn wait_for_messages(server: &Server, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while server.log().messages() < count {
        assert!(Instant::now() < deadline, "no messages come");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The report as it is: the books of an agent that was lost are not balanced, and so are not those of all.
pub(super) fn unbalanced(led: &Ended) -> Value {
    serde_json::from_slice(&fs::read(led.file("run.json")).unwrap()).unwrap()
}

/// When each agent was lost.
pub(super) fn lost_of(report: &Value) -> Vec<Option<f64>> {
    let parts = report["parts"].as_array().unwrap();
    parts
        .iter()
        .map(|part| part["lost_seconds"].as_f64())
        .collect()
}

/// Waits until a process has written this to standard error.
#[track_caller]
pub(super) fn wait_for(running: &Running, text: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let said = running.stderr();
        if said.contains(text) {
            return said;
        }
        assert!(Instant::now() < deadline, "it never says {text:?}: {said}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The name of the run that a coordinator leads.
pub(super) fn run_of(coordinator: &Running) -> String {
    let said = wait_for(coordinator, "looking for");
    let name = said
        .split_once("run ")
        .and_then(|(_, rest)| rest.split_once(':'));
    name.expect("it names its run").0.to_owned()
}

/// Asserts an exit code, and shows what was said where it is another.
#[track_caller]
pub(super) fn assert_code(ended: &Ended, code: i32) {
    assert_eq!(ended.code, code, "{}{}", ended.stdout, ended.stderr);
}
