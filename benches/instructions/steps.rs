//! Steps of a session: what they say, whose answers come, and what comes next.

use std::hint::black_box;

use wsbench::engine::Rehearsal;
use wsbench::plan::{Plan, Values};
use wsbench::scenario::{self, Expect, Outside, Overrides, Source};

const MESSAGE: &str = r#"
[data.user]
rows = [{ name = "ann" }, { name = "bob" }]
pick = "circular"

[[setup]]
name = "login"
send = "login"
expect = { has = ["/token"] }
save = { token = "/token" }

[[message]]
name = "ask"
payload = { json = '{"n":{{n}},"of":"{{user.name}}","id":{{id}},"as":"{{token}}","x":"xxxxxx"}' }
in_flight = 1
expect = { "/id" = "{{id}}" }
"#;
const TOKEN: &[u8] = b"01234567";

/// Steps of one turn, as in the scenario of the benchmark.
const STEPS: usize = 10;

/// See [`crate::PATHS`].
pub(crate) fn render(count: u64) {
    let plan = plan(MESSAGE);
    let client = plan.client(0, 0);
    let saved = [TOKEN.to_vec()];
    let mut out = Vec::new();
    for n in 0..count {
        let values = || Values {
            saved: black_box(&saved),
            ..client.values(0, black_box(480_000 + n))
        };
        let stamp = || unreachable!("it has no stamp");
        black_box(&client.templates()[0]).write(stamp, values, &mut out);
        assert_eq!(black_box(&out).len(), 64);
    }
}

/// See [`crate::PATHS`].
pub(crate) fn answer(count: u64) {
    const ANSWER: &str = r#"{"jsonrpc":"2.0","result":{"sum":123456,"of":"all"},"id":480123}"#;
    const _: () = assert!(ANSWER.len() == 64);
    let plan = plan(MESSAGE);
    let client = plan.client(0, 0);
    let finder = &client.finders()[0];
    let mut seen = 0;
    for _ in 0..count {
        let message = black_box(ANSWER).as_bytes();
        let id = black_box(finder).id(message).expect("the id is there");
        let values = Values {
            id,
            ..client.values(0, 0)
        };
        let expected = black_box(&client.cohort().messages[0].expect);
        let Expect::Match(any) = expected else {
            unreachable!("it is a match");
        };
        let holds = any[0].holds_too(finder, message, black_box(&values));
        seen += u64::from(holds);
    }
    assert_eq!(seen, count);
}

/// See [`crate::PATHS`].
pub(crate) fn step(count: u64) {
    play(count, &steps("none"), None);
}

/// See [`crate::PATHS`].
pub(crate) fn answered(count: u64) {
    play(count, &steps("answer"), Some(b"answer"));
}

/// See [`crate::PATHS`].
pub(crate) fn wait(count: u64) {
    let steps = "[[step.step]]\nsend = \"ask\"\nexpect = \"none\"\n\
        [[step.step]]\nname = \"push\"\nawait = \"push\"\n";
    play(count, steps, Some(b"push"));
}

/// Sends so often, and receives what has to come after each.
fn play(count: u64, steps: &str, comes: Option<&[u8]>) {
    let plan = plan(&format!("[[step]]\nrepeat = {{}}\n{steps}"));
    let mut rehearsal = Rehearsal::new(&plan).expect("a connection");
    for _ in 0..count {
        assert!(black_box(&mut rehearsal).send());
        if let Some(bytes) = comes {
            assert!(black_box(&mut rehearsal).receive(black_box(bytes)));
        }
    }
}

/// Steps that send, all of which expect the same.
fn steps(expect: &str) -> String {
    let step = |number| {
        format!("[[step.step]]\nname = \"s{number}\"\nsend = \"ask\"\nexpect = \"{expect}\"\n")
    };
    (0..STEPS).map(step).collect()
}

/// The plan of one client.
pub(crate) fn plan(text: &str) -> Plan {
    plan_of_all(&format!("load.connections = 1\n{text}"))
}

/// The plan of a scenario without its name and target.
pub(crate) fn plan_of_all(text: &str) -> Plan {
    let source = Source {
        name: "steps".to_owned(),
        text: format!("name = \"steps\"\ntarget.url = \"ws://127.0.0.1:1/\"\n{text}"),
    };
    let outside = Outside {
        env: &|_| None,
        read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        list: &Outside::no_folder,
    };
    let scenario = scenario::parse(&source, &Overrides::default(), &outside);
    Plan::new(scenario.expect("a scenario"), 1, 1)
}
