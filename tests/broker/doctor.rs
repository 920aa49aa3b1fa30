//! `wsbench cluster doctor`, with real servers: it names what is missing or wrong, each with the way out.

use std::time::Duration;

use tempfile::TempDir;
use wsbench::cluster::{Limits, Role};

use super::commands::wsbench;
use crate::common::nats::{Nats, Version};
use crate::common::{Ended, Running};

/// What `wsbench cluster auth` prints, changed, as the configuration of a server, and the folder of its keys.
fn changed(version: Version, change: impl FnOnce(&str) -> String) -> (Nats, TempDir) {
    let keys = tempfile::tempdir().unwrap();
    let folder = keys.path().display().to_string();
    let nats = Nats::configured(version, |address| {
        let listen = address.to_string();
        let auth = ["cluster", "auth", "--keys", &folder, "--listen", &listen];
        change(&wsbench(&auth, 0).stdout)
    });
    (nats, keys)
}

fn key(keys: &TempDir, role: &str) -> String {
    keys.path().join(format!("{role}.nk")).display().to_string()
}

/// The subject of a line that permits one.
fn subject(line: &str) -> Option<&str> {
    line.trim().strip_prefix('"')?.strip_suffix('"')
}

/// A user of the configuration, as text, and the subjects that it may publish and subscribe to.
struct User<'a> {
    role: &'static str,
    text: &'a str,
    publish: Vec<&'a str>,
    subscribe: Vec<&'a str>,
}

impl<'a> User<'a> {
    /// Those of the configuration, from the line of the key to the end of the permissions.
    fn all(printed: &'a str) -> Vec<Self> {
        let users = printed.split("        nkey: ").skip(1);
        let users = users.zip(["coordinator", "agent"]).map(|(text, role)| {
            let (text, _) = text.split_once("\n      }").unwrap();
            let (_, permissions) = text.split_once('\n').unwrap();
            let (publish, subscribe) = permissions.split_once("subscribe {").unwrap();
            let named = |text: &'a str| text.lines().filter_map(subject).collect();
            Self {
                role,
                text: permissions,
                publish: named(publish),
                subscribe: named(subscribe),
            }
        });
        users.collect()
    }

    /// What may be missing: the words of the doctor for it, and the permissions without it.
    fn without_each(&self) -> Vec<(String, String)> {
        let (publish, subscribe) = self.text.split_once("subscribe {").unwrap();
        let less = |text: &str, gone: &str| {
            let lines = text.lines().filter(|line| subject(line) != Some(gone));
            lines.collect::<Vec<_>>().join("\n")
        };
        let said = self.publish.iter().map(|gone| {
            let text = format!("{}\nsubscribe {{{subscribe}", less(publish, gone));
            (format!("publish to `{gone}`"), text)
        });
        let heard = self.subscribe.iter().map(|gone| {
            let text = format!("{publish}subscribe {{{}", less(subscribe, gone));
            (format!("subscribe to `{gone}`"), text)
        });
        said.chain(heard).collect()
    }
}

/// One server has a user for each line of what `auth` prints, who has all but that.
#[test]
#[ignore = "needs nats-server; run by scripts/test"]
fn the_doctor_names_each_permission_that_is_missing() {
    Version::each(|version| {
        let mut cases = Vec::new();
        let (nats, _keys) = changed(version, |printed| {
            let mut users = String::new();
            for user in User::all(printed) {
                assert!(
                    user.publish.len() > 5 && user.subscribe.len() > 1,
                    "{printed}"
                );
                for (says, permissions) in user.without_each() {
                    let name = format!("u{}", cases.len());
                    users += &format!("{{\nuser: {name}\npassword: p\n{permissions}\n}}\n");
                    cases.push((name, user.role, says));
                }
            }
            let (begin, _) = printed.split_once("users: [").unwrap();
            format!("{begin}users: [\n{users}]\n}}\n}}\n")
        });
        for (name, role, says) in &cases {
            let url = nats.url_of(&format!("{name}:p"));
            let said = wsbench(&["cluster", "doctor", "--role", role, "--nats", &url], 2).stdout;
            let lines = said.lines().map(str::trim);
            let named: Vec<&str> = lines
                .filter(|line| line.starts_with("publish to") || line.starts_with("subscribe to"))
                .collect();
            assert_eq!(named, [says], "{said}");
            assert!(
                said.contains("WRONG  permissions  1 of ")
                    && said.contains(&format!(" of the {role} is missing:"))
                    && said.contains("hint: "),
                "{said}"
            );
        }
        assert!(cases.len() > 40, "{}", cases.len());
    });
}

/// The key of another role hears no answer at all, and is not waited for.
#[test]
#[ignore = "needs nats-server; run by scripts/test"]
fn the_key_of_the_other_role_is_told_as_such() {
    Version::each(|version| {
        let (nats, keys) = changed(version, str::to_owned);
        let url = nats.url();
        let [coordinator, agent] = ["coordinator", "agent"].map(|role| key(&keys, role));
        let [coordinator, agent] = [coordinator.as_str(), agent.as_str()];
        let init = ["cluster", "init", "--nats", &url, "--nkey", coordinator];
        wsbench(&init, 0);
        let doctor = ["cluster", "doctor", "--nats", &url, "--nkey"];
        let said = wsbench(&[&doctor[..], &[agent]].concat(), 2).stdout;
        assert!(
            said.contains("subscribe to `_INBOX_wsb_coordinator.>`")
                && said.contains("is this the key of the other role? `--role agent` tries that"),
            "{said}"
        );
        wsbench(&[&doctor[..], &[agent, "--role", "agent"]].concat(), 0);
        let said = wsbench(
            &[&doctor[..], &[coordinator, "--role", "agent"]].concat(),
            2,
        )
        .stdout;
        assert!(said.contains("subscribe to `_INBOX_wsb_agent.>`"), "{said}");
        let whose = |words: &[&str], inbox: &str| {
            let said = wsbench(&[words, &["--nats", &url]].concat(), 2).stderr;
            assert!(
                said.contains(&format!("hear answers at `{inbox}.>`"))
                    && said.contains("is this the key of the other role?"),
                "{said}"
            );
        };
        for command in ["ls", "init", "clean"] {
            whose(
                &["cluster", command, "--nkey", agent],
                "_INBOX_wsb_coordinator",
            );
        }
        whose(
            &["stop", "some-run", "--nkey", agent],
            "_INBOX_wsb_coordinator",
        );
        whose(&["agent", "--nkey", coordinator], "_INBOX_wsb_agent");
    });
}

/// An agent that is heard of by nobody would wait for ever.
#[test]
#[ignore = "needs nats-server; run by scripts/test"]
fn an_agent_that_may_not_answer_is_told_and_ends() {
    Version::each(|version| {
        let (nats, keys) = changed(version, |printed| {
            let left = printed.replace("allow_responses: true", "");
            assert!(left.len() < printed.len(), "{printed}");
            left
        });
        let (url, agent) = (nats.url(), key(&keys, "agent"));
        let waits = ["agent", "--nats", &url, "--nkey", &agent, "--name", "mute"];
        let waits = Running::call(tempfile::tempdir().unwrap(), &waits, &[]);
        let begun = std::time::Instant::now();
        while !waits.stderr().contains("waits for a run") {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{}",
                waits.stderr()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        let coordinator = key(&keys, "coordinator");
        wsbench(
            &["cluster", "init", "--nats", &url, "--nkey", &coordinator],
            0,
        );
        let doctor = ["cluster", "doctor", "--nats", &url, "--nkey", &coordinator];
        let said = wsbench(&doctor, 2).stdout;
        assert!(
            said.contains("WRONG  agents       somebody hears")
                && said.contains("`allow_responses: true`"),
            "{said}"
        );
        let Ended { code, stderr, .. } = &waits.end();
        assert_eq!(*code, 2, "{stderr}");
        assert!(
            stderr.contains("answer questions: the NATS server does not permit it")
                && stderr.contains("`allow_responses: true`"),
            "{stderr}"
        );
    });
}

#[test]
#[ignore = "needs nats-server; run by scripts/test"]
fn what_is_wrong_with_a_server_is_said_in_words() {
    Version::each(|version| {
        let nats = Nats::without_jetstream(version);
        let said = wsbench(&["cluster", "doctor", "--nats", &nats.url()], 2).stdout;
        assert!(
            said.contains("JetStream is off") && said.contains("nats-server -js"),
            "{said}"
        );

        let nats = Nats::start(version);
        let said = wsbench(&["cluster", "doctor", "--nats", &nats.url()], 2).stdout;
        assert!(said.contains(&version.number()), "{said}");
        assert!(
            said.contains("the stream WSBENCH is not there")
                && said.contains("wsbench cluster init"),
            "{said}"
        );
        let init = wsbench(&["cluster", "init", "--nats", &nats.url()], 0).stdout;
        assert!(
            init.contains("stream WSBENCH: made, at most 4GiB, kept for 7 days on 1 server\n"),
            "{init}"
        );
        let again = wsbench(
            &[
                "cluster",
                "init",
                "--nats",
                &nats.url(),
                "--max-bytes",
                "1GiB",
            ],
            0,
        )
        .stdout;
        assert!(
            again.contains("stream WSBENCH: changed, at most 1GiB"),
            "{again}"
        );
        let said = wsbench(&["cluster", "doctor", "--nats", &nats.url()], 0).stdout;
        assert!(
            said.contains("OK     round trip") && said.contains("none is there"),
            "{said}"
        );
        assert!(said.contains("of 1024 MiB"), "{said}");
        assert!(said.contains("does not tell the roles apart"), "{said}");

        // Some servers would take more copies than there are servers, and keep one.
        let three = ["cluster", "init", "--nats", &nats.url(), "--replicas", "3"];
        let refused = wsbench(&three, 2).stderr;
        assert!(
            refused.contains("on 3 servers: this NATS server is in no cluster")
                && refused.contains("`--replicas`"),
            "{refused}"
        );
        // One that somebody else gave a limit.
        let link = nats.link(Role::Coordinator);
        let tight = Limits {
            bytes: 1 << 20,
            replicas: 1,
        };
        let limit = Duration::from_secs(20);
        link.call(|broker| async move { broker.init(tight, limit).await })
            .unwrap();
        let said = wsbench(&["cluster", "doctor", "--nats", &nats.url()], 2).stdout;
        assert!(
            said.contains("WRONG  stream       it keeps 1MiB, and a run needs 64MiB"),
            "{said}"
        );

        let small = Nats::configured(version, |_| {
            "jetstream { store_dir: nats-store }\nmax_payload: 64KB\n".to_owned()
        });
        let said = wsbench(&["cluster", "doctor", "--nats", &small.url()], 2).stdout;
        assert!(
            said.contains("WRONG  messages") && said.contains("max_payload"),
            "{said}"
        );
    });
}
