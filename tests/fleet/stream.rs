//! What the stream tells twice, late or in another order counts once, and in its place.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use wsbench::cluster::{Entry, Link, Role, RunId, Subject};

use super::common::nats::{Nats, Version};
use super::common::{Script, Server};
use super::setting::{Alone, agent, assert_code, attach, coordinator, run_of, scenario};

const LIMIT: Duration = Duration::from_secs(20);

/// Says what was said once more, as another message. Returns its number in the stream.
fn say_again(link: &Link, entry: &Entry, id: String) -> u64 {
    let (run, kind, number) = Subject::parse(&entry.subject).unwrap();
    let subject = match number {
        Some(number) => Subject::of(&run, kind, number),
        None => Subject::to_all(&run, kind),
    };
    let payload = entry.payload.clone();
    let said =
        link.call(|broker| async move { broker.publish(&subject, &id, payload, LIMIT).await });
    let said = said.unwrap();
    assert!(!said.duplicate, "the broker drops it");
    said.sequence
}

/// All that the stream keeps of a run.
pub(super) fn all(link: &Link, run: &RunId) -> Vec<Entry> {
    let everything = Subject::everything(run);
    let all = link.call(|broker| async move {
        let mut feed = broker.follow(&everything, LIMIT).await?;
        let mut all = Vec::new();
        while (all.len() as u64) < feed.pending {
            all.push(feed.next(LIMIT).await?.expect("one more message"));
        }
        Ok(all)
    });
    all.unwrap()
}

#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn what_is_told_twice_while_a_run_goes_on_counts_once() {
    let alone = Alone::begin(5);
    Version::each(|version| {
        let server = Server::start(Script::default());
        let scenario = scenario(&server.url(), 5);
        let nats = Nats::start(version);
        let agents = [agent(&nats, "one", "1"), agent(&nats, "two", "1")];
        let led = coordinator(&nats, &scenario, 2, &[]);
        let run: RunId = run_of(&led).parse().unwrap();
        let (link, is_over) = (nats.link(Role::Coordinator), AtomicBool::new(false));
        let led = std::thread::scope(|scope| {
            let parrot = scope.spawn(|| {
                let (mut heard, mut own) = (0, BTreeSet::new());
                while !is_over.load(Relaxed) {
                    for entry in all(&link, &run).into_iter().skip(heard) {
                        heard += 1;
                        let (_, kind, _) = Subject::parse(&entry.subject).unwrap();
                        if kind.is_of_agents() && !own.contains(&entry.sequence) {
                            let id = format!("parrot-{}", entry.sequence);
                            own.insert(say_again(&link, &entry, id));
                        }
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
                own.len()
            });
            let led = led.end();
            is_over.store(true, Relaxed);
            let said = parrot.join().unwrap();
            assert!(said >= 10, "{said}");
            led
        });
        assert_code(&led, 0);
        assert_eq!(led.report().fixed_by_the_plan(), *alone.counts());
        for agent in agents {
            assert_code(&agent.end(), 0);
        }
    });
}

#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn what_is_told_in_another_order_is_the_same_run() {
    Version::each(|version| {
        let server = Server::start(Script::default());
        let scenario = scenario(&server.url(), 4);
        let nats = Nats::start(version);
        let agents = [agent(&nats, "one", "1"), agent(&nats, "two", "1")];
        let led = coordinator(&nats, &scenario, 2, &[]);
        let run: RunId = run_of(&led).parse().unwrap();
        let led = led.end();
        assert_code(&led, 0);
        for agent in agents {
            assert_code(&agent.end(), 0);
        }
        let link = nats.link(Role::Coordinator);
        let mut told = all(&link, &run);
        let shards = told
            .iter()
            .filter(|entry| entry.subject.contains(".shard."));
        assert!(shards.count() >= 8, "{}", told.len());
        let name = run.clone();
        let purged = link.call(|broker| async move { broker.purge(&name, LIMIT).await });
        assert_eq!(purged, Ok(told.len() as u64));
        // From the last to the first, all of it twice.
        told.reverse();
        for (at, entry) in told.iter().chain(&told).enumerate() {
            say_again(&link, entry, format!("again-{at}"));
        }
        let again = attach(&nats, &run.to_string(), &[]).end();
        assert_code(&again, 0);
        let (led, again) = (led.report(), again.report());
        assert_eq!(again.fixed_by_the_plan(), led.fixed_by_the_plan());
        let metrics = |report: &super::common::Report| report.json["metrics"].clone();
        assert_eq!(metrics(&again), metrics(&led), "{version:?}");
    });
}
