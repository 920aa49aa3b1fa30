//! What each placeholder is written as, and which rows connections take.

use super::*;
use crate::plan::Plan;
use crate::scenario::{Outside, Overrides, Source, parse};
use proptest::prelude::*;
use std::collections::HashSet;

const VALUES: Values<'static> = Values {
    cohort: "main",
    run: 0xab,
    connection: 120,
    place: 59,
    n: 7,
    id: 15,
    turn: 3,
    saved: &[],
    ids: &[4, 9],
    connections: 60,
    seed: Seed::new(1),
    slot: 0,
    data: &[],
};

fn text(values: Values<'_>, variable: &str) -> String {
    let mut out = Vec::new();
    values.put(&variable.parse().unwrap(), 0, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn each_variable_is_written_as_it_is_named() {
    for (variable, expected) in [
        ("connection", "120"),
        ("place / 20", "2"),
        ("place % 8", "3"),
        ("n + 1", "8"),
        ("n", "7"),
        ("id", "15"),
        ("id % 4", "3"),
        ("cohort", "main"),
        ("run", "000000ab"),
        ("text(3)", "abc"),
    ] {
        assert_eq!(text(VALUES, variable), expected, "{variable}");
    }
    assert_eq!(text(Values { n: 0, ..VALUES }, "n"), "0");
    assert_eq!(
        text(
            Values {
                n: u64::MAX,
                ..VALUES
            },
            "n"
        ),
        u64::MAX.to_string()
    );
    assert_eq!(text(VALUES, "text(100)").len(), 100);
}

#[test]
fn what_was_kept_is_written_in_its_form() {
    let saved = ["a\"b", "", "", "é\r\n a-._~"].map(|text| text.as_bytes().to_vec());
    let values = Values {
        saved: &saved,
        ..VALUES
    };
    let written = |variable| {
        let mut out = Vec::new();
        values.put(&variable, 0, &mut out);
        String::from_utf8(out).unwrap()
    };
    let of = |name, form| written(Variable::Saved { name, form });
    assert_eq!(of(0, Form::Raw), "a\"b");
    assert_eq!(of(0, Form::Json), "a\\\"b");
    assert_eq!(of(0, Form::JsonInJson), r#"a\\\"b"#);
    assert_eq!(of(0, Form::Url), "a%22b");
    assert_eq!(of(3, Form::Url), "%C3%A9%0D%0A%20a-._~");
    assert_eq!(of(3, Form::Header), "é a-._~");
    // Nothing yet, and no such place.
    assert_eq!((of(1, Form::Raw), of(4, Form::Raw)), Default::default());
    assert_eq!(written(Variable::IdOf(1)), "9");
    assert_eq!(written(Variable::Number(Number::Turn, None)), "3");
}

#[test]
fn base64_is_of_all_parts_together() {
    let saved = [b"Aladdin".to_vec(), b"open sesame??>".to_vec()];
    let values = Values {
        saved: &saved,
        ..VALUES
    };
    let of = |name| {
        let form = Form::Raw;
        Segment::Variable(Variable::Saved { name, form })
    };
    let parts = [of(0), Segment::Literal(b":".as_slice().into()), of(1)];
    let written = |form| {
        let mut out = Vec::new();
        values.base64(&parts, form, 0, &mut out);
        String::from_utf8(out).unwrap()
    };
    let plain = "QWxhZGRpbjpvcGVuIHNlc2FtZT8/Pg==";
    assert_eq!(written(Form::Header), plain);
    assert_eq!(
        written(Form::Url),
        plain.replace('/', "%2F").replace('=', "%3D")
    );
    // Each random part has its own number.
    let hex = Segment::Variable(Variable::Hex(16));
    let mut out = Vec::new();
    values.base64(&[hex.clone(), hex], Form::Raw, 0, &mut out);
    let plain = BASE64.decode(&out).unwrap();
    assert_ne!(plain[..16], plain[16..]);
}

#[test]
fn chance_is_the_same_for_the_same_message_alone() {
    for variable in ["random(0, 999999999999)", "hex(33)", "uuid"] {
        let of = |values| text(values, variable);
        assert_eq!(of(VALUES), of(VALUES), "{variable}");
        assert_ne!(of(VALUES), of(Values { n: 8, ..VALUES }), "{variable}");
        assert_ne!(
            of(VALUES),
            of(Values {
                seed: Seed::new(2),
                ..VALUES
            }),
            "{variable}"
        );
        assert_ne!(of(VALUES), of(Values { slot: 1, ..VALUES }), "{variable}");
    }
    let mut second = Vec::new();
    VALUES.put(&Variable::Hex(33), 1, &mut second);
    assert_ne!(text(VALUES, "hex(33)").into_bytes(), second);
}

#[test]
fn chance_reaches_both_ends_of_its_interval_and_nothing_else() {
    let draws = (0..1000).map(|n| text(Values { n, ..VALUES }, "random(1, 6)"));
    let seen: HashSet<String> = draws.collect();
    let faces = ["1", "2", "3", "4", "5", "6"].map(str::to_owned);
    assert_eq!(seen, HashSet::from(faces));
    assert_eq!(text(VALUES, "random(5, 5)"), "5");
    text(VALUES, &format!("random(0, {})", u64::MAX));
}

#[test]
fn a_uuid_says_that_it_is_random() {
    for n in 0..100 {
        let uuid = text(Values { n, ..VALUES }, "uuid");
        let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{uuid}");
        assert_eq!(&uuid[14..15], "4", "{uuid}");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
    }
}

/// A plan whose connections say a name of `rows` users.
fn plan(rows: u32, connections: u32, how: &str) -> Plan {
    let users: String = (0..rows)
        .map(|row| format!("{{ name = 'u{row}' }}, "))
        .collect();
    let text = format!(
        r#"
        name = "x"
        target.url = "embedded"
        load.connections = {connections}
        data.user = {{ rows = [{users}], {how} }}
        [[message]]
        name = "m"
        payload = {{ text = "{{{{user.name}}}}" }}
        expect = "none"
        rate = "1/s"
        "#
    );
    let source = Source {
        name: "x".into(),
        text,
    };
    let outside = Outside {
        env: &|_| None,
        read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        list: &Outside::no_folder,
    };
    let scenario = parse(&source, &Overrides::default(), &outside);
    Plan::new(
        scenario.unwrap_or_else(|problems| panic!("{problems}")),
        1,
        7,
    )
}

fn said(plan: &Plan, connection: u32, n: u64) -> String {
    let client = plan.client(0, connection);
    let mut out = Vec::new();
    client.templates()[0].write(
        || unreachable!("it has no stamp"),
        || client.values(0, n),
        &mut out,
    );
    String::from_utf8(out).unwrap()
}

#[test]
fn each_connection_has_a_row_of_its_own() {
    let plan = plan(20, 10, r#"pick = "unique""#);
    for connection in 0..10 {
        for n in [0, 1, 1000] {
            assert_eq!(said(&plan, connection, n), format!("u{connection}"));
        }
    }
}

#[test]
fn rows_come_in_turns() {
    let kept = plan(3, 10, r#"pick = "circular""#);
    assert_eq!(said(&kept, 7, 0), "u1");
    assert_eq!(said(&kept, 7, 5), "u1");
    // All rows in turn, whatever the number of connections.
    let each = plan(3, 4, r#"pick = "circular", per = "send""#);
    let all: Vec<String> = (0..3)
        .flat_map(|n| (0..4).map(move |c| (c, n)))
        .map(|(c, n)| said(&each, c, n))
        .collect();
    let expected: Vec<String> = (0..12).map(|turn| format!("u{}", turn % 3)).collect();
    assert_eq!(all, expected);
}

#[test]
fn chance_takes_every_row() {
    for (how, differs) in [("per = \"connection\"", false), ("per = \"send\"", true)] {
        let plan = plan(5, 200, &format!("pick = \"random\", {how}"));
        let seen: HashSet<String> = (0..200).map(|c| said(&plan, c, 0)).collect();
        assert_eq!(seen.len(), 5, "{how}");
        let of_one: HashSet<String> = (0..100).map(|n| said(&plan, 3, n)).collect();
        assert_eq!(of_one.len() > 1, differs, "{how}");
    }
}

/// What all connections say that any of so many workers opens, in the order of the rows; each says this many messages.
fn said_by_all(plan: &Plan, workers: usize, sends: u64) -> Vec<u64> {
    let openings = (0..workers).flat_map(|worker| plan.openings(worker, workers));
    let all = openings.flat_map(|opening| (0..sends).map(move |n| (opening.connection, n)));
    let row = |said: String| said.trim_start_matches('u').parse().unwrap();
    let mut rows: Vec<u64> = all
        .map(|(connection, n)| row(said(plan, connection, n)))
        .collect();
    rows.sort_unstable();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_split_of_the_connections_gives_each_row_once(
        connections in 1u32..30, more in 0u32..5, workers in 1usize..7,
    ) {
        let unique = plan(connections + more, connections, r#"pick = "unique""#);
        let once: Vec<u64> = (0..u64::from(connections)).collect();
        prop_assert_eq!(said_by_all(&unique, workers, 1), once);
    }

    #[test]
    fn every_split_of_the_connections_gives_the_same_rows(
        rows in 1u32..9, connections in 1u32..30, workers in 1usize..7, sends in 1u64..4,
        how in prop::sample::select(vec![r#"pick = "random""#, r#"pick = "random", per = "send""#, r#"pick = "circular", per = "send""#]),
    ) {
        let plan = plan(rows, connections, how);
        let split = said_by_all(&plan, workers, sends);
        prop_assert_eq!(&split, &said_by_all(&plan, 1, sends));
        if how.contains("circular") {
            // No row comes more than once more often than another one.
            let times = |row: u32| split.iter().filter(|said| **said == u64::from(row)).count();
            let all: Vec<usize> = (0..rows).map(times).collect();
            prop_assert!(all.iter().max().unwrap() - all.iter().min().unwrap() <= 1, "{all:?}");
        }
    }
}

proptest! {
    #[test]
    fn what_is_escaped_is_read_as_it_was(text in any::<String>()) {
        let mut out = vec![b'"'];
        in_json(text.as_bytes(), &mut out);
        out.push(b'"');
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }

    #[test]
    fn numbers_are_written_as_everywhere(number in any::<u64>(), digits in 0u32..20) {
        for number in [number, number % 10u64.pow(digits), 10u64.pow(digits), 10u64.pow(digits) - 1] {
            let mut out = Vec::new();
            decimal(number, &mut out);
            prop_assert_eq!(out, number.to_string().into_bytes());
        }
    }
}

#[test]
fn every_time_has_the_length_of_its_form() {
    let time = Duration::new(1_795_869_000, 125_000_000);
    for (form, expected) in [
        (WallTime::Millis, "1795869000125"),
        (WallTime::Nanos, "1795869000125000000"),
        (WallTime::Iso, "2026-11-28T12:30:00.125Z"),
    ] {
        assert_eq!(written(form, time), expected);
        assert_eq!(written(form, time).len(), form.length());
        assert_eq!(written(form, Duration::ZERO).len(), form.length());
    }
}
