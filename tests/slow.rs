//! What takes minutes; run by `scripts/test --all`: servers at the heartbeat settings that they have by default, and a
//! soak.

mod common;

/// In a module, so that `scripts/test` leaves them out by name.
mod slow {
    mod rekeying;
    mod rules;
    mod versions;

    use std::sync::mpsc::{self, RecvTimeoutError};
    use std::thread;
    use std::time::Duration;
    use std::{env, fs};

    use crate::common::Running;
    use crate::common::books::assert_balanced;
    use crate::common::real::{RealServer, Target};
    use crate::common::run::{Run, run, trusted};
    use crate::common::table;
    use wsbench::scenario::shipped;

    const ECHO: &str = r#"message = [{ name = "echo", payload = { size = "64B" }, rate = "1/s" }]"#;

    const NO_PONG: &str = "fault = { kind = \"no_pong\" }";

    /// Runs silent clients, and healthy ones beside them, against a new server at its defaults, from which the preset
    /// derives its window. Every silent client must be ended inside of it, and no healthy one.
    fn keeps_its_defaults(
        target: Target,
        preset: &str,
        silent: &str,
        healthy: &str,
        resource: &str,
        seconds: u32,
    ) {
        let scenario = &format!(
            r#"
            name = "slow"
            target.url = "ws://127.0.0.1:3000{resource}"
            load = {{ ramp_up = "5s", warm_up = "1s", duration = "{seconds}s" }}

            [[cohort]]
            name = "healthy"
            connections = 50
            {healthy}
            contract = {{ closed = 0 }}

            [[cohort]]
            name = "mute"
            connections = 50
            {silent}
            contract = {{ preset = "{preset}" }}
            "#
        );
        let (run, _server) = trusted(|| {
            let server = RealServer::start(target);
            let url = format!("{}{}", server.url().trim_end_matches('/'), resource);
            (run(scenario, &["--url", &url]), server)
        });
        run.assert_passed();
        let rows = table(&run.ended.file("contracts.csv"));
        let ended = |row: &&std::collections::BTreeMap<String, String>| {
            row["cohort"] == "mute" && row["contract"] == "closed_between"
        };
        let ended = rows.iter().find(ended).expect("a row of the mute clients");
        assert_eq!(ended["observed_n"], "50", "{target:?}: {ended:#?}");
        assert!(
            rows.iter().all(|row| row["passed"] == "true"),
            "{target:?}: {rows:#?}"
        );
    }

    #[test]
    #[ignore = "takes a minute; run by scripts/test --all"]
    fn ws_at_its_readme() {
        keeps_its_defaults(Target::NodeHeartbeatSlow, "ws", NO_PONG, ECHO, "/", 62);
    }

    #[test]
    #[ignore = "takes a minute; run by scripts/test --all"]
    fn websockets_at_its_defaults() {
        keeps_its_defaults(Target::Python, "websockets", NO_PONG, ECHO, "/", 42);
    }

    #[test]
    #[ignore = "takes a minute; run by scripts/test --all"]
    fn socket_io_at_its_defaults() {
        let resource = "/socket.io/?EIO=4&transport=websocket";
        let healthy = "heartbeat = { kind = \"text\", server = { ping = \"2\", pong = \"3\" } }";
        keeps_its_defaults(
            Target::SocketIoSlow,
            "engineio",
            NO_PONG,
            healthy,
            resource,
            76,
        );
    }

    #[test]
    #[ignore = "takes a minute; run by scripts/test --all"]
    fn nginx_at_its_defaults() {
        keeps_its_defaults(Target::NginxSlow, "nginx", "message = []", ECHO, "/", 62);
    }

    /// The time between two looks at the memory of the program.
    const LOOK: Duration = Duration::from_secs(10);

    /// `WSBENCH_SOAK_MINUTES` sets the length, 10 by default and 4 at least.
    #[test]
    #[ignore = "takes ten minutes; run by scripts/test --all"]
    fn soak() {
        let minutes = env::var("WSBENCH_SOAK_MINUTES");
        let minutes: u32 = minutes.map_or(10, |minutes| minutes.parse().unwrap());
        assert!(minutes >= 4, "too short to see memory grow");
        let server = RealServer::start(Target::Node);
        let scenario = shipped::named("soak").unwrap();
        let arguments = [
            "--url",
            &server.url(),
            "--quiet",
            "--duration",
            &format!("{minutes}m"),
        ];
        let running = Running::start(scenario, &arguments);
        let process = running.id();
        let (done, is_done) = mpsc::channel::<()>();
        let looks = thread::spawn(move || {
            let mut seen = Vec::new();
            while let Err(RecvTimeoutError::Timeout) = is_done.recv_timeout(LOOK) {
                seen.extend(resident_kib(process));
            }
            seen
        });
        let ended = running.end();
        drop(done);
        let run = Run {
            report: ended.report(),
            ended,
        };
        run.assert_passed();
        assert_balanced(&run);
        let counts = server.counts_when_closed(500);
        assert_eq!(counts.number("text"), run.report.count("messages.sent"));
        assert!(run.count("messages.echoed") >= u64::from(minutes) * 60 * 450);

        // The first minute fills buffers and histograms; the last looks can fall into the writing of the report. Each second
        // adds a step for the report, until there are 720.
        const STEP_KIB: u64 = 16;
        let seen = looks.join().unwrap();
        let settled = &seen[6..seen.len() - 2];
        let (early, late) = settled.split_at(settled.len() / 2);
        let most = |looks: &[u64]| looks.iter().copied().max().unwrap();
        let steps = late.len() as u64 * LOOK.as_secs();
        let allowed = most(early) + 2048 + steps * STEP_KIB;
        assert!(most(late) <= allowed, "{allowed} allowed, in KiB: {seen:?}");
    }

    /// Returns the resident memory of a process in KiB; `None` if it has ended.
    fn resident_kib(process: u32) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse().ok()
    }
}
