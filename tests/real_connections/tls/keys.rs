//! The key log, beside that of OpenSSL, which writes the secrets of the same sessions.

use std::fs;

use super::{Own, Running};

#[test]
#[ignore = "needs openssl; run by scripts/test"]
fn the_key_log_is_that_of_openssl() {
    for (version, lines) in [("1.3", 5), ("1.2", 1)] {
        let own = Own::new();
        let server = own.s_server("-www -keylogfile theirs.txt").start();
        let scenario = format!(
            r#"
            name = "keys"
            [target]
            url = "wss://{}/"
            ca = "ca.pem"
            tls = {{ server_name = "localhost", versions = ["{version}"] }}
            [load]
            connections = 3
            ramp_up = "0s"
            duration = "1s"
            "#,
            server.address()
        );
        let arguments = ["--quiet", "--key-log", "ours.txt"];
        let ended = Running::start_in(own.folder(), &scenario, &arguments, &[]).end();
        let report = ended.report();
        assert_eq!(report.errors()["http_status"], 3, "it serves pages");
        assert!(report.warnings().contains(&"key_log"));
        let sorted = |text: String| {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            let mut lines: Vec<_> = lines.map(str::to_owned).collect();
            lines.sort_unstable();
            lines
        };
        let ours = sorted(fs::read_to_string(ended.folder().join("ours.txt")).unwrap());
        let theirs = sorted(fs::read_to_string(server.folder().join("theirs.txt")).unwrap());
        assert_eq!(ours, theirs);
        assert_eq!(ours.len(), 3 * lines);
    }
}
