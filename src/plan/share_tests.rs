//! The shares of a plan together are the plan: nothing is done twice, and nothing is left out.

use proptest::prelude::*;

use super::*;
use crate::plan::budget::tests::with_files;
use crate::plan::{Opening, Plan};

/// What the rows of a feeder are: more than there are connections.
fn rows() -> String {
    let rows = (0..100).map(|row| format!("user-{row},{row}\n"));
    format!("name,age\n{}", rows.collect::<String>())
}

const STEADY: &str = r#"
load = { ramp_up = "3s", duration = "2s" }
cohort = [
  { name = "some", connections = 17, heartbeat = { interval = "500ms", timeout = "400ms" } },
  { name = "more", connections = 30 },
]
"#;
const STAGES: &str = r#"
load.stages = [{ duration = "1s", connections = 23 }, { duration = "1s", connections = 2 }, { duration = "1s", connections = 19 }]
"#;
const ARRIVALS: &str = r#"
load = { arrivals = { rate = "20/s", lifetime = "1s", max_open = 13 }, duration = "2s" }
"#;
const REST: &str = r#"
target.url = "ws://127.0.0.1:9/"
data.user = { file = "u.csv", pick = "PICK", per = "connection" }
[[message]]
name = "say"
rate = "7/s"
gaps = "poisson"
expect = "none"
to = "room-{{place % 5}}"
payload.json = '{"say": "{{user.name}}", "id": {{id}}, "die": {{random(1, 6)}}, "at": "{{stamp}}"}'
[[message]]
name = "often"
rate = "3/s"
payload.text = "{{uuid}} {{n}} {{user.age}} {{stamp}}"
"#;

fn plan(load: &str, pick: &str, seed: u64) -> Plan {
    let text = format!("{load}\n{}", REST.replace("PICK", pick));
    Plan::new(with_files(&text, rows().as_bytes()), seed, 7)
}

/// All that a client does by plan, as text: when it opens and closes, its pings, the times and bytes of what it sends,
/// and the topics that it is in.
fn done(plan: &Plan, opening: Opening) -> String {
    let Opening {
        cohort, connection, ..
    } = opening;
    let client = plan.client(cohort, connection);
    let mut sends = Vec::new();
    for message in 0..plan.cohort(cohort).messages.len() {
        let mut pacer = plan.pacer(cohort, message, connection, opening.at);
        for n in 0..3 {
            let at = pacer.as_mut().map(|pacer| {
                let at = pacer.next();
                pacer.advance();
                at
            });
            let mut bytes = Vec::new();
            let values = || client.values(message, n);
            client.templates()[message].write(|| [b's'; _], values, &mut bytes);
            sends.push((at, String::from_utf8(bytes)));
        }
    }
    let ping = plan.pings(cohort, connection).map(|pings| pings.next());
    let place = plan.place(cohort, connection);
    let said = plan.topics.publication(cohort, 0, place);
    let said = said.map(|(_, topic)| topic);
    let rest = plan.ramp_down(cohort, connection);
    format!("{opening:?} {sends:?} {ping:?} {said:?} {rest:?}")
}

/// What a process with this share does, in any order.
fn done_by(plan: &Plan, share: Share) -> Vec<String> {
    let numbers = (0..share.workers()).map(|worker| share.number(worker));
    let openings = numbers.flat_map(|number| plan.openings(number, share.all()));
    let mut done: Vec<String> = openings.map(|opening| done(plan, opening)).collect();
    done.sort();
    done
}

/// A split of the plan over parts, each with as many workers as it likes, or over processes that know of each other.
fn splits() -> impl Strategy<Value = Vec<Share>> {
    let workers = || prop::collection::vec(1usize..6, 1..8);
    let parts = workers().prop_map(|workers| {
        let parts = workers.len() as u32;
        let each = (0..parts).zip(workers);
        each.map(|(part, workers)| Share::part(part, parts, workers))
            .collect()
    });
    let ranges = workers().prop_map(|workers| {
        let all = workers.iter().sum();
        let mut first = 0;
        let range = |workers: &usize| {
            first += workers;
            Share::range(first - workers, *workers, all)
        };
        workers.iter().map(range).collect()
    });
    prop_oneof![parts, ranges]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_shares_together_are_the_plan(
        load in prop::sample::select(vec![STEADY, STAGES, ARRIVALS]),
        pick in prop::sample::select(vec!["unique", "circular", "random"]),
        seed in 0u64..4,
        split in splits(),
    ) {
        let plan = plan(load, pick, seed);
        let whole = done_by(&plan, Share::whole(1));
        prop_assert!(whole.len() >= 23, "{}", whole.len());
        let each = split.iter().map(|share| done_by(&plan, *share));
        let mut together: Vec<String> = each.flatten().collect();
        together.sort();
        prop_assert_eq!(together, whole);
    }

    /// Each number belongs to one process, whose count of them is exact. How many arrivals may be open at once is
    /// divided in the same way.
    #[test]
    fn each_number_belongs_to_one(split in splits(), all in 0u64..5_000) {
        let counts: Vec<u64> = split.iter().map(|share| share.count(all)).collect();
        prop_assert_eq!(counts.iter().sum::<u64>(), all);
        for (share, count) in split.iter().zip(counts) {
            let numbers: Vec<u64> = (0..share.workers()).map(|worker| share.number(worker) as u64).collect();
            let own = (0..all).filter(|number| numbers.contains(&(number % share.all() as u64)));
            prop_assert_eq!(own.count() as u64, count);
            prop_assert!(share.most(all) >= count);
        }
    }

    /// The stamps of published messages tell workers apart by their numbers.
    #[test]
    fn no_two_workers_have_a_number_that_any_connection_could_share(split in splits()) {
        let mut seen = std::collections::BTreeSet::new();
        for share in split {
            for worker in 0..share.workers() {
                prop_assert!(share.number(worker) < share.all());
                prop_assert!(seen.insert(share.number(worker)));
            }
        }
    }
}

#[test]
fn a_part_may_have_fewer_workers_and_a_range_may_not() {
    assert_eq!(Share::whole(8).at_most(3), Share::whole(3));
    assert_eq!(Share::part(2, 4, 8).at_most(3), Share::part(2, 4, 3));
    assert_eq!(Share::range(2, 4, 8).at_most(3), Share::range(2, 4, 8));
    assert!(Share::whole(2).is_whole() && !Share::part(0, 2, 2).is_whole());
}
