//! `wsbench cluster`, with real servers: what `auth` prints lets each role do its work and nothing else, and
//! the rest tells and tidies up what is there.

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use wsbench::cluster::{
    Call, Card, Credentials, Error, Kind, Limits, Link, Made, Options, Role, RunId, Subject,
};

use crate::common::nats::{Nats, Version, options};
use crate::common::{Ended, Running};

const LIMIT: Duration = Duration::from_secs(20);

/// Calls the program, and expects an exit code.
#[track_caller]
pub(super) fn wsbench(arguments: &[&str], code: i32) -> Ended {
    let ended = Running::call(tempfile::tempdir().unwrap(), arguments, &[]).end();
    assert_eq!(
        ended.code, code,
        "{arguments:?}\n{}{}",
        ended.stdout, ended.stderr
    );
    ended
}

/// A server as `wsbench cluster auth` prints it, and the folder of its keys.
fn guarded(version: Version) -> (Nats, TempDir) {
    let keys = tempfile::tempdir().unwrap();
    let folder = keys.path().display().to_string();
    let nats = Nats::configured(version, |address| {
        let listen = address.to_string();
        let auth = ["cluster", "auth", "--keys", &folder, "--listen", &listen];
        let printed = wsbench(&auth, 0).stdout;
        assert_eq!(wsbench(&auth, 0).stdout, printed, "the keys are made anew");
        printed
    });
    (nats, keys)
}

fn link(nats: &Nats, keys: &TempDir, role: Role) -> Link {
    Link::connect(&Options {
        credentials: Credentials::Key(keys.path().join(format!("{role}.nk"))),
        ..options(&nats.url(), role)
    })
    .unwrap()
}

fn run() -> RunId {
    "run-1".parse().unwrap()
}

fn card() -> Card {
    Card {
        name: "one".to_owned(),
        wsbench: env!("CARGO_PKG_VERSION").to_owned(),
        host: "here".to_owned(),
        workers: 2,
        descriptors: 20_000,
        run: None,
    }
}

fn now() -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    since.as_nanos() as u64
}

#[test]
#[ignore = "needs nats-server; run by scripts/test"]
fn with_what_auth_prints_each_role_does_its_work() {
    Version::each(|version| {
        let (nats, keys) = guarded(version);
        let coordinator = link(&nats, &keys, Role::Coordinator);
        let agent = link(&nats, &keys, Role::Agent);
        let made = coordinator.call(|broker| async move {
            let limits = Limits {
                bytes: 64 << 20,
                replicas: 1,
            };
            broker.init(limits, LIMIT).await
        });
        assert_eq!(made, Ok(Made::New));

        // The agent is found, asked and answers.
        let served = agent.call(|broker| async move { broker.serve(card, now, LIMIT).await });
        let mut served = served.unwrap();
        let id = served.id.clone();
        agent.handle().spawn(async move {
            while let Some(question) = served.next(LIMIT).await {
                assert_eq!(question.call, Call::Offer);
                question.answer(Bytes::from_static(b"yes")).await.unwrap();
            }
        });
        let seen = coordinator.call(|broker| async move { broker.agents(LIMIT, 1).await });
        let seen = seen.unwrap();
        assert_eq!((&seen[0].id, &seen[0].card), (&id, &card()));
        let asked = id.clone();
        let offset =
            coordinator.call(|broker| async move { broker.offset(&asked, now, 16, LIMIT).await });
        let offset = offset.unwrap();
        assert!(offset.ns.unsigned_abs() <= offset.bound_ns, "{offset:?}");
        let answer = coordinator.call(|broker| async move {
            let offer = Subject::call(&id, Call::Offer);
            broker.ask(&offer, Bytes::new(), LIMIT).await
        });
        assert_eq!(answer.unwrap().payload, "yes");

        // The plan goes one way, shards and signs of life the other.
        let said = coordinator.call(|broker| async move {
            broker
                .publish(
                    &Subject::to_all(&run(), Kind::Plan),
                    "plan",
                    Bytes::from_static(b"plan"),
                    LIMIT,
                )
                .await
        });
        assert!(said.is_ok(), "{said:?}");
        let heard = agent.call(|broker| async move {
            let mut orders = broker.follow(&Subject::orders(&run()), LIMIT).await?;
            let plan = orders.next(LIMIT).await?.map(|entry| entry.payload);
            for kind in [Kind::Ready, Kind::Settled, Kind::Shard, Kind::Done] {
                let subject = Subject::of(&run(), kind, 1);
                broker
                    .publish(&subject, &kind.to_string(), Bytes::from_static(b"x"), LIMIT)
                    .await?;
            }
            Ok(plan)
        });
        assert_eq!(heard, Ok(Some(Bytes::from_static(b"plan"))));
        let signs = coordinator.call(|broker| async move {
            broker
                .hear(&Subject::of_all(&run(), Kind::Alive), LIMIT)
                .await
        });
        let said = agent.call(|broker| async move {
            broker
                .say(
                    &Subject::of(&run(), Kind::Alive, 1),
                    Bytes::from_static(b"up"),
                    LIMIT,
                )
                .await
        });
        assert_eq!(said, Ok(()));
        let mut signs = signs.unwrap();
        let sign = coordinator.call(|_| async move { Ok(signs.next(LIMIT).await) });
        assert_eq!(sign.unwrap().unwrap().subject, "wsb-said.run-1.alive.1");
        let read = coordinator.call(|broker| async move {
            let mut all = broker.follow(&Subject::everything(&run()), LIMIT).await?;
            let mut subjects = Vec::new();
            while subjects.len() < 5 {
                subjects.extend(all.next(LIMIT).await?.map(|entry| entry.subject));
            }
            Ok(subjects)
        });
        assert_eq!(read.unwrap()[4], "wsb.run-1.done.1");

        // The doctor has nothing to say, in either role.
        for role in ["coordinator", "agent"] {
            let key = keys.path().join(format!("{role}.nk")).display().to_string();
            let examined = [
                "cluster",
                "doctor",
                "--nats",
                &nats.url(),
                "--nkey",
                &key,
                "--role",
                role,
            ];
            let said = wsbench(&examined, 0).stdout;
            assert!(
                !said.contains("WRONG")
                    && !said.contains("apart")
                    && said.contains("OK     permissions  all "),
                "{said}"
            );
            assert_eq!(
                said.contains("one: its clock is "),
                role == "coordinator",
                "{said}"
            );
        }
    });
}

#[test]
#[ignore = "needs nats-server; run by scripts/test"]
fn with_what_auth_prints_an_agent_does_nothing_else() {
    Version::each(|version| {
        let (nats, keys) = guarded(version);
        let coordinator = link(&nats, &keys, Role::Coordinator);
        coordinator
            .call(|broker| async move { broker.init(Limits::default(), LIMIT).await })
            .unwrap();
        let agent = link(&nats, &keys, Role::Agent);
        let refused = |result: Result<(), Error>, subject: &str| match result {
            Err(Error::NotPermitted(refusal)) => {
                assert!(refusal.subject().starts_with(subject), "{refusal}")
            }
            other => panic!("{subject}: {other:?}"),
        };
        for kind in [Kind::Plan, Kind::Start, Kind::Windows, Kind::Stop] {
            let subject = Subject::to_all(&run(), kind);
            let name = subject.to_string();
            let said = agent.call(|broker| async move {
                broker
                    .publish(&subject, "1", Bytes::new(), LIMIT)
                    .await
                    .map(drop)
            });
            refused(said, &name);
        }
        let followed = |subject: Subject| {
            agent.call(|broker| async move { broker.follow(&subject, LIMIT).await.map(drop) })
        };
        let making = "$JS.API.CONSUMER.CREATE.WSBENCH.";
        refused(followed(Subject::everything(&run())), making);
        refused(followed(Subject::of_all(&run(), Kind::Shard)), making);
        refused(
            agent.call(|broker| async move { broker.purge(&run(), LIMIT).await.map(drop) }),
            "$JS.API.STREAM.PURGE.WSBENCH",
        );
        refused(
            agent.call(|broker| async move {
                let other = Limits {
                    bytes: 128 << 20,
                    ..Limits::default()
                };
                broker.init(other, LIMIT).await.map(drop)
            }),
            "$JS.API.STREAM.UPDATE.WSBENCH",
        );
        refused(
            agent.call(|broker| async move { broker.agents(LIMIT, 1).await.map(drop) }),
            "$SRV.STATS.wsbench-agent",
        );
        let other = "someone".parse().unwrap();
        refused(
            agent.call(move |broker| async move {
                broker
                    .ask(&Subject::call(&other, Call::Stop), Bytes::new(), LIMIT)
                    .await
                    .map(drop)
            }),
            "wsb-said.agent.someone.stop",
        );
        refused(
            agent.call(|broker| async move {
                broker
                    .hear(&Subject::of_all(&run(), Kind::Alive), LIMIT)
                    .await
                    .map(drop)
            }),
            "wsb-said.run-1.alive.*",
        );
        // A wildcard in the place of a run opens nothing either.
        let seed = fs::read_to_string(keys.path().join("agent.nk")).unwrap();
        let url = nats.url();
        let made = agent.call(|_| async move {
            let options = async_nats::ConnectOptions::with_nkey(seed.trim().to_owned());
            let options = options.custom_inbox_prefix(Role::Agent.inbox());
            let client = options.connect(url).await.unwrap();
            let jetstream = async_nats::jetstream::new(client);
            let stream = jetstream.get_stream("WSBENCH");
            let filter = async_nats::jetstream::consumer::pull::OrderedConfig {
                name: Some("sly".to_owned()),
                filter_subject: "wsb.>.all.*".to_owned(),
                ..Default::default()
            };
            Ok(stream.await.unwrap().create_consumer(filter).await.is_ok())
        });
        assert_eq!(made, Ok(false));
        // Nor may the coordinator say what an agent measured.
        let said = coordinator.call(|broker| async move {
            broker
                .publish(
                    &Subject::of(&run(), Kind::Shard, 1),
                    "1",
                    Bytes::new(),
                    LIMIT,
                )
                .await
                .map(drop)
        });
        refused(said, "wsb.run-1.shard.1");
        // Who has no key is not let in.
        let none = wsbench(&["cluster", "ls", "--nats", &nats.url()], 2).stderr;
        assert!(
            none.contains("failed to log in") && none.contains("--nkey FILE"),
            "{none}"
        );
    });
}

#[test]
#[ignore = "needs nats-server; run by scripts/test"]
fn runs_and_agents_are_listed_and_old_runs_removed() {
    Version::each(|version| {
        let nats = Nats::start(version);
        let url = nats.url();
        let url = url.as_str();
        let empty = wsbench(&["cluster", "ls", "--nats", url], 0).stdout;
        assert_eq!(empty, "no agent answers\nno run is known\n");
        wsbench(&["cluster", "init", "--nats", url], 0);
        let coordinator = nats.link(Role::Coordinator);
        let agent = nats.link(Role::Agent);
        let served = agent.call(|broker| async move { broker.serve(card, now, LIMIT).await });
        for name in ["first", "second"] {
            let run: RunId = name.parse().unwrap();
            let plan = Subject::to_all(&run, Kind::Plan);
            let ready = Subject::of(&run, Kind::Ready, 1);
            let said = coordinator.call(|broker| async move {
                broker
                    .publish(&plan, &plan.to_string(), Bytes::new(), LIMIT)
                    .await
            });
            assert!(said.is_ok(), "{said:?}");
            let said = agent.call(|broker| async move {
                broker
                    .publish(&ready, &ready.to_string(), Bytes::new(), LIMIT)
                    .await
            });
            assert!(said.is_ok(), "{said:?}");
        }
        // One that was given up before anybody planned it.
        let given_up = Subject::to_all(&"third".parse().unwrap(), Kind::Stop);
        let said = coordinator.call(|broker| async move {
            broker
                .publish(&given_up, "third", Bytes::new(), LIMIT)
                .await
        });
        assert!(said.is_ok(), "{said:?}");
        let listed = wsbench(&["cluster", "ls", "--nats", url], 0).stdout;
        assert!(
            listed.starts_with("1 agent\n  one  here  2 workers  20,000 descriptors"),
            "{listed}"
        );
        assert!(
            listed.contains("3 runs\n  first ") && listed.contains("1 agent ready, 0 ended"),
            "{listed}"
        );
        let given_up = listed.lines().find(|line| line.starts_with("  third "));
        let given_up = given_up.unwrap_or_else(|| panic!("{listed}"));
        assert!(given_up.ends_with("given up before its start"), "{listed}");
        let cleaned = wsbench(&["cluster", "clean", "--nats", url], 0).stdout;
        assert_eq!(cleaned, "0 runs removed, with 0 messages; 3 left\n");
        let wrong = ["cluster", "clean", "--nats", url, "--older-than", "1x"];
        let refused = wsbench(&wrong, 2).stderr;
        assert!(refused.contains("`1x` is not a duration"), "{refused}");
        let unknown = ["cluster", "clean", "--nats", url, "first", "thrid"];
        let refused = wsbench(&unknown, 2).stderr;
        assert!(
            refused.contains("remove thrid: the NATS server knows nothing of it"),
            "{refused}"
        );
        let twice = ["cluster", "clean", "--nats", url, "first", "first"];
        let cleaned = wsbench(&twice, 0).stdout;
        assert_eq!(cleaned, "1 run removed, with 2 messages; 2 left\n");
        let cleaned = wsbench(
            &["cluster", "clean", "--nats", url, "--older-than", "0s"],
            0,
        )
        .stdout;
        assert_eq!(cleaned, "2 runs removed, with 3 messages; 0 left\n");
        drop(served);
    });
}

#[test]
fn no_stream_is_made_into_which_no_run_fits() {
    const NOWHERE: &str = "nats://127.0.0.1:9";
    for (size, says) in [
        ("10B", "must be at least 64MiB"),
        ("65535KiB", "must be at least 64MiB"),
        ("10", "`B`, `KiB`, `MiB` or `GiB`"),
    ] {
        let init = ["cluster", "init", "--nats", NOWHERE, "--max-bytes", size];
        let refused = wsbench(&init, 2).stderr;
        assert!(refused.contains(says), "{refused}");
    }
}

#[test]
fn nothing_is_said_in_plain_text_to_another_machine() {
    let refused = wsbench(&["cluster", "ls", "--nats", "nats://nats.example.com"], 2).stderr;
    assert!(
        refused.contains("without TLS") && refused.contains("--insecure-nats"),
        "{refused}"
    );
    let refused = wsbench(&["cluster", "auth", "--listen", "0.0.0.0:4222"], 2).stderr;
    assert!(refused.contains("--tls-cert FILE"), "{refused}");
    let none = wsbench(&["cluster", "ls"], 2).stderr;
    assert!(
        none.contains("none is named") && none.contains("NATS_URL"),
        "{none}"
    );
    let secret = [
        "cluster",
        "manifest",
        "--kind",
        "slurm",
        "--nats",
        "tls://u:hidden@nats.example.com",
    ];
    let refused = wsbench(&secret, 2).stderr;
    assert!(
        refused.contains("password") && !refused.contains("hidden"),
        "{refused}"
    );
}

#[test]
fn a_key_that_is_there_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("agent.nk"), "not a key\n").unwrap();
    let auth = Running::call(folder, &["cluster", "auth"], &[]).end();
    assert_eq!(auth.code, 2, "{}", auth.stderr);
    assert!(
        auth.stderr.contains("agent.nk") && auth.stdout.is_empty(),
        "{}",
        auth.stderr
    );
    assert_eq!(
        fs::read_to_string(auth.folder().join("agent.nk")).unwrap(),
        "not a key\n"
    );
}
