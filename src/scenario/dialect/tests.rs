//! A scenario in a dialect says what the same says in full.

use super::*;
use crate::scenario::parse::parse_alone;
use crate::scenario::{Overrides, Scenario, shipped};

const CHAT: &str = r#"
name = "chat"
target = { url = "ws://127.0.0.1:3000/", dialect = { name = "socket.io", auth = '{"token":"a"}', namespace = "/chat" } }
load = { connections = 100, duration = "1m" }
[[setup]]
name = "join"
send = { call = ["join", '{ "room": "r{{place / 20}}" }'] }
check = { "/0/ok" = true }
[[message]]
name = "say"
payload = { emit = ["say \"it\"", '{"text":"{{stamp}}","by":"{{cohort}}"}'] }
rate = "6/m"
[[on]]
name = "said"
match = { event = ["said"], has = "/1/text" }
[[step]]
repeat = { count = 3 }
[[step.step]]
name = "again"
send = { call = ["again", "1"] }
expect = { prefix = "43/chat,{{id}}[" }
"#;

const CHAT_IN_FULL: &str = r#"
name = "chat"
target = { url = "ws://127.0.0.1:3000/socket.io/?EIO=4&transport=websocket" }
load = { connections = 100, duration = "1m" }
[[setup]]
name = "engine"
await = { prefix = "0{" }
[[setup]]
name = "connect"
send = { text = '40/chat,{"token":"a"}' }
expect = [{ prefix = "40/chat," }, { prefix = "44/chat," }]
check = { has = "/sid" }
[[setup]]
name = "join"
send = { prefix = "42/chat,{{id}}", json = '["join",{"room":"r{{place / 20}}"}]' }
expect = { prefix = '43/chat,{{id}}[' }
check = { "/0/ok" = true }
[[message]]
name = "say"
payload = { prefix = "42/chat,", json = '["say \"it\"",{"text":"{{stamp}}","by":"{{cohort}}"}]' }
rate = "6/m"
expect = "none"
[heartbeat]
kind = "text"
server = { ping = "2", pong = "3" }
silence = "45s"
[[on]]
name = "said"
match = { prefix = '42/chat,["said"', has = "/1/text" }
[[step]]
repeat = { count = 3 }
[[step.step]]
name = "again"
send = { prefix = "42/chat,{{id}}", json = '["again",1]' }
expect = { prefix = "43/chat,{{id}}[" }
"#;

/// A scenario, but for the name of its dialect.
#[track_caller]
fn resolved(text: &str) -> Scenario {
    let parsed = parse_alone(text, &Overrides::default());
    let mut scenario = parsed.unwrap_or_else(|problems| panic!("{problems}"));
    scenario.target.dialect = None;
    scenario
}

fn source(text: &str) -> Source {
    let (name, text) = ("x.toml".into(), text.to_owned());
    Source { name, text }
}

#[track_caller]
fn in_full(text: &str) -> String {
    expanded(&source(text), None).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn a_scenario_in_a_dialect_says_what_the_same_says_in_full() {
    assert_eq!(resolved(CHAT), resolved(CHAT_IN_FULL));
}

#[test]
fn what_is_expanded_says_the_same_and_has_nothing_to_expand() {
    for text in [CHAT, CHAT_IN_FULL] {
        let full = in_full(text);
        assert!(!full.contains("dialect"), "{full}");
        assert_eq!(resolved(text), resolved(&full), "{full}");
        assert_eq!(in_full(&full), full);
    }
}

/// A server of STOMP is dead when it is silent, where an option says for how long.
#[test]
fn a_time_that_no_option_tells_is_not_there() {
    let silence = |dialect: &str| {
        let target = format!("target = {{ url = \"ws://h/\", dialect = {dialect} }}");
        let scenario = resolved(&format!("name = \"x\"\n{target}\nload.connections = 1"));
        let heartbeat = scenario.cohorts[0].heartbeat.as_ref().unwrap();
        (
            heartbeat.can_die(),
            heartbeat.silence.map(|time| time.as_secs()),
        )
    };
    assert_eq!(silence("\"stomp\""), (false, None));
    let told = silence("{ name = \"stomp\", silence = \"20s\" }");
    assert_eq!(told, (true, Some(20)));
}

/// Also where there is no dialect, only the form of the text changes.
#[test]
fn a_scenario_without_a_dialect_stays_the_same() {
    for (name, text) in shipped::ALL {
        assert_eq!(resolved(text), resolved(&in_full(text)), "{name}");
    }
}

#[test]
fn every_file_is_a_table_of_what_a_dialect_can_say() {
    const KEYS: [&str; 11] = [
        "tried",
        "greeting",
        "path",
        "query",
        "option",
        "target",
        "setup",
        "on",
        "heartbeat",
        "verb",
        "match",
    ];
    for dialect in Dialect::ALL {
        let table: toml::Table = dialect.text.parse().unwrap();
        for key in table.keys() {
            assert!(KEYS.contains(&key.as_str()), "{}: {key}", dialect.name);
        }
    }
}

#[test]
fn every_word_of_every_dialect_can_be_used() {
    let place = 0..0;
    for dialect in Dialect::ALL {
        let words = words::Words::new(dialect, &[], &place);
        let quoted = |word: words::Word<'_, '_>| {
            let argument = |name: &String| {
                let default = word.defaults.iter().find(|(own, _)| own == name);
                let text = default.map_or("{\"a\":1}", |(_, text)| text);
                format!("'{text}'")
            };
            let arguments: Vec<String> = word.takes.iter().map(argument).collect();
            arguments.join(", ")
        };
        let mut text = format!(
            "name = \"x\"\ntarget = {{ url = \"ws://h/\", dialect = \"{}\" }}\nload.connections = 1\n",
            dialect.name
        );
        for (at, name) in words.names(words::Kind::Verb).into_iter().enumerate() {
            let arguments = quoted(words.named(words::Kind::Verb, name).unwrap());
            text += &format!("[[step]]\nname = \"s{at}\"\nsend = {{ {name} = [{arguments}] }}\n");
        }
        for (at, name) in words.names(words::Kind::Matcher).into_iter().enumerate() {
            let arguments = quoted(words.named(words::Kind::Matcher, name).unwrap());
            text += &format!("[[on]]\nname = \"o{at}\"\nmatch = {{ {name} = [{arguments}] }}\n");
        }
        assert_eq!(resolved(&text), resolved(&in_full(&text)), "{text}");
        let target = resolved(&text).target;
        let own = format!("{:?}", target.url);
        assert!(!own.contains("{{"), "{own}");
    }
}

/// An option that is an address of the command line is completed as one of the file.
#[test]
fn an_address_of_the_command_line_is_completed() {
    let overrides = Overrides {
        url: Some("ws://other:1".to_owned()),
        ..Overrides::default()
    };
    let scenario = parse_alone(CHAT, &overrides).unwrap();
    let given = CHAT_IN_FULL.replace("127.0.0.1:3000", "other:1");
    assert_eq!(scenario.target.url, resolved(&given).target.url);
    assert_eq!(scenario.target.dialect, Dialect::named("socket.io"));
}

#[test]
fn lists_of_a_cohort_begin_with_those_of_the_dialect_and_empty_ones_have_none() {
    let cohorts = "
        name = \"x\"
        target = { url = \"ws://h/\", dialect = \"socket.io\" }
        [[cohort]]
        name = \"a\"
        connections = 1
        on = [{ name = \"said\", match = { event = [\"said\"] } }]
        [[cohort.setup]]
        pause = \"1s\"
        [[cohort]]
        name = \"b\"
        connections = 1
        setup = []
        on = []
        [[cohort]]
        name = \"c\"
        connections = 1";
    let scenario = resolved(cohorts);
    let numbers = scenario
        .cohorts
        .iter()
        .map(|one| (one.setup.len(), one.on.len()));
    assert_eq!(numbers.collect::<Vec<_>>(), [(3, 1), (0, 0), (2, 0)]);
    assert_eq!(scenario, resolved(&in_full(cohorts)));
}

/// What a verb says of its answer is for what waits for one.
#[test]
fn a_reply_takes_verbs() {
    let reply = |payload: &str| {
        resolved(&format!(
            "name = \"x\"\ntarget = {{ url = \"ws://h/\", dialect = \"socket.io\" }}\nload.connections = 1\n\
             [[on]]\nname = \"ask\"\nmatch = {{ event = [\"ask\"] }}\nreply = {payload}\n"
        ))
    };
    let verb = reply("{ emit = [\"told\", \"1\"] }");
    assert_eq!(verb, reply("{ prefix = \"42\", json = '[\"told\",1]' }"));
}

/// A column in the JSON text that an identifier of ActionCable is, which itself is a text in JSON.
#[test]
fn values_in_json_in_json_are_escaped_for_both() {
    let text = "
        name = \"x\"
        target = { url = \"ws://h/\", dialect = \"actioncable\" }
        load.connections = 1
        data.user.rows = [{ name = 'a\"b' }]
        [[setup]]
        name = \"s\"
        send = { subscribe = ['{\"channel\":\"C\",\"by\":\"{{user.name}}\"}'] }";
    let scenario = resolved(text);
    let setup = scenario.cohorts[0].setup.last();
    let text = format!("{setup:?}");
    let forms = ["form: JsonInJson", "form: Json,"].map(|form| text.matches(form).count());
    assert_eq!(forms, [1, 2], "{text}");
}

/// What is written in full beside a verb stands in place of what the verb says.
#[test]
fn an_answer_of_its_own_stands_in_place_of_that_of_the_verb() {
    let subscribe = |answer: &str| {
        resolved(&format!(
            "name = \"x\"\ntarget = {{ url = \"ws://h/\", dialect = \"graphql-transport-ws\" }}\nload.connections = 1\n\
             [[setup]]\nname = \"s\"\nsend = {{ subscribe = [\"{{ a }}\"] }}\n{answer}"
        ))
    };
    let own = "expect = [{ \"/type\" = \"next\", \"/id\" = \"{{id}}\" }, { \"/type\" = \"error\", \"/id\" = \"{{id}}\" }]\n";
    let check = "check = { \"/type\" = \"next\", lacks = [\"/payload/errors\"] }\n";
    assert_eq!(subscribe(""), subscribe(&format!("{own}{check}")));
    assert_eq!(subscribe(""), subscribe(check));
    assert_ne!(subscribe(""), subscribe(own));
    assert_ne!(subscribe(""), subscribe("expect = \"none\""));
}
