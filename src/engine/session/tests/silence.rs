//! Tests what the cause of a death says about data that came instead of the pong.

use super::play::play;
use super::script::{Heard, Lines, MS, S, Script, healthy, nothing, ping, pong, text};
use super::seen::Seen;
use crate::measure::State;
use crate::metric::Cause;
use crate::units::{Timestamp, after};

/// Returns a scenario with a heartbeat of 10 s and a timeout of 5 s, this number of missed pings, and a message every
/// second.
fn scenario(max_missed: u32) -> String {
    format!(
        r#"
        load = {{ connections = 1, ramp_up = "0s", duration = "60s", ramp_down = "0s" }}
        message = [{{ name = "m", rate = "1/s", timeout = "1s" }}]
        heartbeat = {{ interval = "10s", timeout = "5s", phase = "aligned", max_missed = {max_missed} }}
        "#
    )
}

/// Plays a peer whose kernel acknowledges everything, and that answers as `part` says.
fn seen(max_missed: u32, part: impl Fn(Timestamp, &Heard) -> Lines + Clone + 'static) -> Seen {
    play(&scenario(max_missed), move |_| {
        Script::new(part.clone()).seen_as(0, 0)
    })
}

#[track_caller]
fn expect(seen: &Seen, cause: Cause, detail: &str) {
    let [ending] = &seen.endings[..] else {
        panic!("{:?}", seen.endings);
    };
    assert_eq!((ending.cause, ending.detail.as_str()), (cause, detail));
    assert_eq!(ending.state, State::Dead);
}

#[test]
fn a_server_that_answers_messages_does_not_hang() {
    let seen = seen(2, |at, heard| match heard {
        Heard::Ping(_) => nothing(),
        _ => healthy(at, heard),
    });
    expect(&seen, Cause::MissedPong, "it answers messages");
    assert_eq!(seen.endings[0].pings_missed, 2);
}

#[test]
fn a_server_that_pongs_with_another_payload_does_not_hang() {
    let seen = seen(1, |at, heard| match heard {
        Heard::Ping(_) => vec![(at + MS, pong(""))],
        Heard::Text(_) => nothing(),
        _ => healthy(at, heard),
    });
    expect(&seen, Cause::MissedPong, "pongs carry another payload");
}

#[test]
fn a_server_whose_pongs_are_late_does_not_hang() {
    // Each pong comes twelve seconds after its ping: that of the first ping comes after the second was sent.
    let seen = seen(2, |at, heard| match heard {
        Heard::Ping(_) if at == Timestamp::ORIGIN => vec![(at + 12 * S, pong_of(heard))],
        Heard::Ping(_) | Heard::Text(_) => nothing(),
        _ => healthy(at, heard),
    });
    expect(&seen, Cause::MissedPong, "pongs are late");
}

fn pong_of(heard: &Heard) -> super::script::Say {
    match heard {
        Heard::Ping(bytes) => pong(bytes.clone()),
        _ => unreachable!("{heard:?}"),
    }
}

#[test]
fn a_server_that_sends_messages_or_pings_does_not_hang() {
    for (say, detail) in [
        (text("tick"), "it sends messages"),
        (ping(), "it sends pings"),
    ] {
        let seen = play(&scenario(1), move |_| {
            let script = Script::silent_from(after(5 * S)).seen_as(0, 0);
            script.says(after(12 * S), say.clone())
        });
        expect(&seen, Cause::MissedPong, detail);
    }
}

#[test]
fn what_came_before_the_missed_ping_does_not_count() {
    let seen = play(&scenario(1), |_| {
        Script::silent_from(after(9_900 * MS)).seen_as(0, 0)
    });
    expect(&seen, Cause::PeerFrozen, "");
}

#[test]
fn a_pong_after_death_is_late_and_takes_nothing_from_what_was_missed() {
    let seen = seen(2, |at, heard| match heard {
        Heard::Ping(_) if at == Timestamp::ORIGIN => vec![(after(15_500 * MS), pong_of(heard))],
        Heard::Text(_) | Heard::Ping(_) => nothing(),
        Heard::Close(_) => healthy(at + S, heard),
        _ => healthy(at, heard),
    });
    expect(&seen, Cause::MissedPong, "pongs are late");
    assert_eq!(seen.endings[0].pings_missed, 2);
}

/// A connection that is kept is told of once it is known whether the pong was only late.
#[test]
fn a_late_pong_on_a_kept_connection_is_late() {
    let kept = scenario(1).replace("max_missed", "on_dead = \"keep\", max_missed");
    let late = |is_answered: bool| {
        play(&kept, move |_| {
            let script = Script::new(move |at, heard| match heard {
                Heard::Ping(_) if is_answered => vec![(at + 7 * S, pong_of(heard))],
                Heard::Ping(_) | Heard::Text(_) => nothing(),
                _ => healthy(at, heard),
            });
            script.seen_as(0, 0)
        })
    };
    let seen = late(true);
    expect(&seen, Cause::MissedPong, "pongs are late");
    assert_eq!(seen.endings[0].pings_missed, 1);
    let seen = late(false);
    expect(&seen, Cause::PeerFrozen, "");
    assert_eq!(seen.endings[0].pings_missed, 1);
}

#[test]
fn a_path_that_held_data_back_is_named() {
    let frozen = |after: &str| {
        let path = format!("path = {{ freeze = {{ after = \"{after}\", for = \"8s\" }} }}\n");
        let seen = play(&(path + &scenario(1)), |_| {
            Script::silent_from(crate::units::after(9_900 * MS)).seen_as(0, 0)
        });
        seen.endings[0].detail.clone()
    };
    assert_eq!(frozen("9s"), "`freeze` of `[path]` held data back");
    assert_eq!(frozen("1s"), "", "it was over before the ping");
}
