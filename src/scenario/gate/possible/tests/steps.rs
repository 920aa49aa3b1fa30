//! Steps, and what stands before them.

use super::{ECHO, ELSEWHERE, refused, taken};

#[test]
fn a_step_is_due_when_what_stands_before_it_can_be_done() {
    let load = "load = { connections = 1, ramp_up = \"0s\", duration = \"10s\" }\n";
    let pause = |time: &str| format!("[[step]]\npause = {time}\n");
    let ask = "[[step]]\nname = \"ask\"\nsend = \"a\"\nexpect = \"b\"\ntimeout = \"2s\"\n";
    let tell = "[[step]]\nsend = \"a\"\nexpect = \"none\"\n";
    let wait = "[[step]]\nname = \"wait\"\nawait = \"c\"\ntimeout = \"1m\"\n";
    let asked = "p99(latency.ask) < 1s";
    let turns = |keys: &str, inside: &str| {
        let inside = inside.replace("[[step]]", "[[step.step]]");
        format!("[[step]]\nname = \"turn\"\nrepeat = {{ {keys} }}\n{inside}")
    };
    let timed = "p99(latency.turn) < 1s";
    for (steps, gate, is_taken) in [
        (pause("\"1s\"") + ask, asked, true),
        (pause("\"20s\"") + ask, asked, false),
        (pause("[\"1s\", \"20s\"]") + ask, asked, true),
        // The first step is due before measuring begins, and its answer comes in two seconds.
        (ask.to_owned(), asked, false),
        (format!("{tell}{ask}"), asked, false),
        (
            "[[step]]\nwait_for = \"measuring\"\n".to_owned() + ask,
            asked,
            true,
        ),
        (pause("\"20s\"") + ask, "count(messages.sent) > 0", false),
        (
            pause("\"20s\"") + tell,
            "max(schedule.lateness) < 1s",
            false,
        ),
        // An await listens from the send before it on.
        (
            pause("\"1s\"") + tell + &pause("\"20s\"") + wait,
            "count(awaits.met) > 0",
            true,
        ),
        (
            pause("\"20s\"") + tell + wait,
            "count(awaits.met) > 0",
            false,
        ),
        (turns("rate = \"3/m\"", ask), "count(turns.due) > 0", false),
        (turns("rate = \"1/s\"", ask), "count(turns.due) > 0", true),
        (turns("rate = \"1/s\"", ask), timed, true),
        (turns("rate = \"1/s\", count = 1", ask), timed, false),
        (
            pause("\"20s\"") + &turns("rate = \"1/s\"", ask),
            timed,
            false,
        ),
        // No turn comes to its end.
        (
            turns("rate = \"1/s\"", &(pause("\"20s\"") + ask)),
            timed,
            false,
        ),
        (
            turns("rate = \"1/s\"", &(pause("\"3s\"") + ask)),
            timed,
            true,
        ),
        (turns("count = 3", &(pause("\"2s\"") + ask)), asked, true),
        (
            turns("count = 3", &(pause("\"1ms\"") + tell)),
            "count(messages.sent) > 0",
            false,
        ),
        (
            turns("for = \"1ms\"", &(pause("\"1ms\"") + tell)) + ask,
            asked,
            false,
        ),
        (turns("", ask), asked, true),
        (
            "[[step]]\nclose = { code = 4000 }\n".to_owned(),
            "count(closes.4000.local) > 0",
            true,
        ),
        (
            pause("\"20s\"") + "[[step]]\nclose = { code = 4000 }\n",
            "count(closes.4000.local) > 0",
            false,
        ),
    ] {
        let scenario = format!("{ELSEWHERE}{load}{steps}");
        match is_taken {
            true => taken(&scenario, gate),
            false => refused(&scenario, gate, "due in the measured time"),
        }
    }
    // A turn that has begun is played to its end.
    let turn = turns("for = \"1s\"", &(pause("\"20s\"") + tell)) + ask;
    refused(&format!("{ELSEWHERE}{load}{turn}"), asked, "is due");
    // Who comes back begins again.
    let back = format!(
        "{ELSEWHERE}{}{ask}",
        load.replace(" }", ", reconnect = {} }")
    );
    taken(&back, asked);
}

#[test]
fn what_follows_no_schedule_is_never_offline() {
    let back = "load = { connections = 2, duration = \"10s\", reconnect = {} }\n\
        [[step]]\nrepeat = {}\n[[step.step]]\nsend = \"a\"\nexpect = \"none\"\n[[step.step]]\npause = \"1s\"\n";
    let steps = format!("{ELSEWHERE}{back}");
    taken(&steps, "count(messages.not_sent) == 0");
    refused(&steps, "count(messages.offline) == 0", "a schedule");
    taken(&format!("{steps}{ECHO}"), "count(messages.offline) == 0");
}

/// The last of the turns begins at two seconds of the run, whenever the repeat begins between one and the next.
#[test]
fn what_follows_turns_comes_behind_the_last_one_of_its_connection() {
    let behind = |pause: &str, duration: &str| {
        format!(
            "{ELSEWHERE}load = {{ connections = 1, ramp_up = \"0s\", duration = \"{duration}\" }}\n\
             [[step]]\npause = \"{pause}\"\n\
             [[step]]\nrepeat = {{ rate = \"1/s\", for = \"2500ms\" }}\n\
             [[step.step]]\nsend = \"a\"\nexpect = \"none\"\n\
             [[step]]\nname = \"ask\"\nsend = \"a\"\nexpect = \"b\"\n"
        )
    };
    let asked = "p99(latency.ask) < 1s";
    for pause in ["100ms", "400ms"] {
        taken(&behind(pause, "2100ms"), asked);
        refused(&behind(pause, "1900ms"), asked, "due in the measured time");
    }
}
