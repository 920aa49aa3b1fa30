//! Draws the steps of clients as text: what they say to be ready, and then.

use proptest::prelude::*;
use proptest::sample::select;

/// The keys of a step, and of the steps inside of it.
#[derive(Debug, Clone)]
pub(super) struct Played {
    pub(super) keys: String,
    pub(super) inside: Vec<String>,
}

/// Leaves out what is never played, and what leaves a topic that nothing joins.
pub(super) fn fitting(mut steps: Vec<Played>, is_member: bool) -> Vec<Played> {
    let is_last = |step: &Played| step.keys.contains("close") || step.is_endless();
    if let Some(last) = steps.iter().position(is_last) {
        steps.truncate(last + 1);
    }
    let joins = steps.iter().any(|step| step.keys.contains("joins"));
    steps.retain(|step| is_member || joins || !step.keys.contains("leaves"));
    steps
}

pub(super) fn setup() -> impl Strategy<Value = Vec<Played>> {
    select(vec![
        vec![],
        vec![],
        vec!["pause = \"70ms\""],
        vec!["name = \"login\"\nsend = \"l\"\nexpect = { prefix = \"NUMBER\" }\ntimeout = \"1ms\""],
        vec![
            "name = \"login\"\nawait = \"NUMBER\"\ntimeout = \"1ms\"",
            "pause = \"730ms\"",
        ],
    ])
    .prop_map(|all| all.into_iter().map(Played::alone).collect())
}

impl Played {
    /// Whether it repeats until the load ends.
    pub(super) fn is_endless(&self) -> bool {
        let keys = &self.keys;
        keys.contains("repeat") && !keys.contains("count") && !keys.contains("for =")
    }

    pub(super) fn alone(keys: &str) -> Self {
        Self {
            keys: keys.to_owned(),
            inside: Vec::new(),
        }
    }
}

/// Steps that a client without a WebSocket can have.
pub(super) fn asking() -> Vec<Played> {
    let ask = "name = \"aNUMBER\"\nhttp = { url = \"/poll\" }\ntimeout = \"700ms\"";
    vec![
        Played::alone("pause = [\"200ms\", \"600ms\"]"),
        Played {
            keys: "repeat = { rate = \"0.7/s\" }".to_owned(),
            inside: vec![ask.to_owned()],
        },
    ]
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Played>> {
    const SEND: &str =
        "name = \"aNUMBER\"\nsend = \"x\"\nexpect = { prefix = \"NUMBER\" }\ntimeout = \"900ms\"";
    const TELL: &str = "send = \"x\"\nexpect = \"none\"";
    const SHOUT: &str = "send = \"{{stamp}}\"\nexpect = \"none\"\nto = \"r\"";
    const JOIN: &str = "name = \"aNUMBER\"\nsend = \"x\"\nexpect = { prefix = \"NUMBER\" }\ntimeout = \"90ms\"\njoins = \"r\"";
    const LEAVE: &str = "send = \"x\"\nexpect = \"none\"\nleaves = \"r\"";
    const WAIT: &str = "name = \"aNUMBER\"\nawait = \"NUMBER\"\ntimeout = \"3s\"";
    let plain = select(vec![
        SEND,
        SEND,
        TELL,
        SHOUT,
        JOIN,
        LEAVE,
        WAIT,
        "pause = \"300ms\"",
        "pause = \"7s\"",
        "pause = [\"100ms\", \"1500ms\"]",
        "pause = { mean = \"400ms\" }",
        "wait_for = \"measuring\"",
        "close = { code = 4000 }",
    ]);
    let chance = select(vec!["", "", "", "\nchance = \"50%\""]);
    let plain =
        (plain, chance).prop_map(|(keys, chance)| Played::alone(&format!("{keys}{chance}")));
    let repeat = select(vec![
        "repeat = { rate = \"0.9/s\" }",
        "repeat = { rate = \"0.23/s\", phase = \"aligned\" }",
        "repeat = { rate = \"3.7/s\", count = 2 }",
        "repeat = { rate = \"1.1/s\", for = \"2s\" }",
        "repeat = { count = 3 }",
        "repeat = { for = \"900ms\" }",
        "repeat = {}",
    ]);
    let inside = select(vec![
        vec![SEND],
        vec![SEND, "pause = \"800ms\""],
        vec![TELL, "pause = \"2s\"", WAIT],
        vec!["pause = \"900ms\"", SHOUT],
        vec!["pause = \"30s\"", SEND],
    ]);
    let repeat = (repeat, inside).prop_map(|(keys, inside)| Played {
        keys: format!("name = \"aNUMBER\"\n{keys}"),
        inside: inside.into_iter().map(str::to_owned).collect(),
    });
    let one = prop_oneof![2 => plain, 1 => repeat];
    prop_oneof![1 => Just(Vec::new()), 2 => prop::collection::vec(one, 1..5)]
}
