//! Tests that, whatever a peer does, every message has one outcome, every connection ends in time, and no task is
//! polled in a busy loop.

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::play::Simulation;
use super::script::{
    Heard, Lines, MS, S, Say, Script, close, fin, healthy, nothing, ping, pong, reset, text,
};
use super::seen::Seen;
use crate::metric::{Cause, Counter};
use crate::net::Lost;
use crate::units::{Nanos, Timestamp, after};

const LOAD: Nanos = Nanos::from_secs(10);
const TIMEOUT: Nanos = Nanos::from_millis(800);
const CLOSE_TIMEOUT: Nanos = S;

/// Generates a scenario of a few connections.
fn scenario() -> impl Strategy<Value = String> {
    let message = prop_oneof![
        (1u32..40, prop_oneof!["constant", "poisson"])
            .prop_map(|(rate, gaps)| format!(r#"rate = "{rate}/s", gaps = "{gaps}""#)),
        (1u32..40, 1u32..4)
            .prop_map(|(rate, most)| format!(r#"rate = "{rate}/s", in_flight = {most}"#)),
        (1u32..4, 1u32..200)
            .prop_map(|(most, think)| format!(r#"in_flight = {most}, think = "{think}ms""#)),
    ];
    let payload = prop_oneof![
        Just(r#"size = "64B""#),
        Just(r#"size = "40000B""#),
        Just(r#"text = "a""#),
        Just(r#"text = "[1, {{stamp}}]""#),
    ];
    let count = prop_oneof![4 => Just(String::new()), 1 => (1u32..20).prop_map(|n| format!(", count = {n}"))];
    let heartbeat = prop_oneof![
        Just(String::new()),
        (100u32..3000, 50u32..3000, 1u32..4, any::<bool>(), prop_oneof!["close", "keep", "reconnect"]).prop_map(
            |(interval, timeout, missed, any, on_dead)| {
                let alive_on = if any { "any" } else { "pong" };
                format!(
                    r#"heartbeat = {{ interval = "{interval}ms", timeout = "{timeout}ms", max_missed = {missed}, alive_on = "{alive_on}", on_dead = "{on_dead}" }}"#
                )
            }
        ),
    ];
    let ramp_down = prop_oneof![Just(0u32), 0u32..2000];
    (message, payload, count, heartbeat, any::<bool>(), ramp_down).prop_map(
        |(message, payload, count, heartbeat, reconnects, ramp_down)| {
            let reconnects = reconnects || heartbeat.contains("reconnect");
            let reconnect = match reconnects {
                true => r#", reconnect = { initial = "50ms", max = "1s" }"#,
                false => "",
            };
            format!(
                r#"
                target.close_timeout = "1s"
                load = {{ connections = 3, ramp_up = "1s", warm_up = "1s", duration = "8s", ramp_down = "{ramp_down}ms"{reconnect} }}
                message = [{{ name = "m", payload = {{ {payload} }}, timeout = "800ms", {message}{count} }}]
                {heartbeat}
                "#
            )
        },
    )
}

/// How often a peer misbehaves, in parts per thousand.
#[derive(Debug, Clone)]
struct Manners {
    seed: u64,
    loses: u64,
    changes: u64,
    repeats: u64,
    slowest: Nanos,
    says: u64,
    blocks: u64,
    ends: bool,
    ends_tcp: bool,
}

fn manners() -> impl Strategy<Value = Manners> {
    let chances = (
        0u64..400,
        0u64..100,
        0u64..100,
        1u64..1500,
        0u64..30,
        0u64..3,
    );
    (any::<u64>(), chances, any::<bool>(), any::<bool>()).prop_map(
        |(seed, chances, ends, ends_tcp)| {
            let (loses, changes, repeats, slowest, says, blocks) = chances;
            Manners {
                seed,
                loses,
                changes,
                repeats,
                slowest: slowest * MS,
                says,
                blocks,
                ends,
                ends_tcp,
            }
        },
    )
}

/// Returns a random part of a time.
fn part(dice: &mut Xoshiro256PlusPlus, whole: Nanos) -> Nanos {
    Nanos(dice.next_u64() % whole.0)
}

impl Manners {
    fn script(&self, dial: usize) -> Script {
        let mut dice = Xoshiro256PlusPlus::seed_from_u64(self.seed.wrapping_add(dial as u64));
        let mut script = self.answers(Xoshiro256PlusPlus::seed_from_u64(!self.seed));
        for _ in 0..self.says {
            let say = match dice.next_u64() % 3 {
                0 => ping(),
                1 => pong("?"),
                _ => text("well"),
            };
            script = script.says(after(part(&mut dice, LOAD)), say);
        }
        for _ in 0..self.blocks {
            let from = after(part(&mut dice, LOAD));
            script = script.blocked(from..from + Nanos(1) + part(&mut dice, 4 * S));
        }
        if self.ends {
            let at = after(part(&mut dice, 2 * LOAD));
            let broken = Lost::Broken(Cause::BadUtf8, String::new());
            script = match dice.next_u64() % 4 {
                0 => script.says(at, fin()),
                1 => script.says(at, reset()),
                2 => script.says(at, Say::End(broken)),
                _ => script.says(at, close(Some(1012))),
            };
        }
        script
    }

    fn answers(&self, mut dice: Xoshiro256PlusPlus) -> Script {
        let manners = self.clone();
        Script::new(move |at, heard| {
            let mut roll = |chance| dice.next_u64() % 1000 < chance;
            if matches!(heard, Heard::Close(_) | Heard::CloseReply(_)) {
                return if manners.ends_tcp {
                    healthy(at, heard)
                } else {
                    nothing()
                };
            }
            if roll(manners.loses) {
                return nothing();
            }
            let mut lines: Lines = healthy(at, heard);
            if let Heard::Text(bytes) = heard {
                if roll(manners.changes) {
                    let mut bytes = bytes.to_vec();
                    bytes[0] ^= 1;
                    lines = vec![(at, text(bytes))];
                }
                if roll(manners.repeats) {
                    lines.extend(lines.clone());
                }
            }
            let delay = part(&mut dice, manners.slowest);
            lines.iter_mut().for_each(|line| line.0 = at + delay);
            lines
        })
    }
}

/// Returns the number of events that needed work, for all connections.
fn work(seen: &Seen) -> usize {
    let peers: usize = (seen.peers.iter())
        .map(|peer| peer.turns() + peer.heard().len())
        .sum();
    let counted = [
        Counter::ConnectionsAttempted,
        Counter::MessagesDue,
        Counter::MessagesTimedOut,
        Counter::PingsSent,
        Counter::PingsMissed,
    ];
    peers + seen.counts(counted).iter().sum::<u64>() as usize
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Every play checks the sums itself.
    #[test]
    fn the_books_balance_whatever_the_peer_does(
        scenario in scenario(), manners in manners(), interrupted in prop::option::of(1..LOAD.0), stall in (0..LOAD.0, 0..2 * S.0),
    ) {
        let mut play = Simulation::new(&scenario).stalled(Timestamp::from_nanos(stall.0)..Timestamp::from_nanos(stall.0 + stall.1));
        if let Some(time) = interrupted {
            play = play.interrupted_at(Timestamp::from_nanos(time));
        }
        let seen = play.run(move |dial| manners.script(dial));
        // The plan, the stall, the answers to the last message and ping, the spread of the closes, and a Close.
        let longest = LOAD + 2 * S + (3 * S).max(TIMEOUT) + 2 * S + CLOSE_TIMEOUT;
        // A signal leaves two seconds. The stall may hide it, or the end of those.
        let longest = interrupted.map_or(longest, |time| longest.min(Nanos(time) + 2 * S + 2 * S));
        prop_assert!(seen.ended <= after(longest), "{:?}", seen.ended);
        prop_assert!(seen.polls <= 20 + 4 * work(&seen), "{} polls for {}", seen.polls, work(&seen));
    }
}
