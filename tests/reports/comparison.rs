//! The page of a comparison, of sessions made by hand, with text that would like to be more than text.

use wsbench::compare::{Evidence, Machine, Session, Setting, Table, judge};
use wsbench::scenario::BaselineGate;
use wsbench::verdict::Exit;

use super::{golden, written};

const HOSTILE: &str = "chat <script>alert(1)</script> \"quoted\" \u{1b}[31m \u{202e}";
const GATES: [&str; 5] = [
    "p50(latency.echo) < 110% of baseline",
    "p99(latency.echo) < 110% of baseline",
    "rate(messages.echoed) > 95% of baseline",
    "count(connections.lost) <= 100% of baseline + 5",
    "p50(heartbeat.rtt) < 110% of baseline",
];

/// A session of two runs, of which one number is a little off, as the number of the session says.
fn session(number: usize, factor: f64) -> Session {
    let off = |part: f64| 1.0 + part * [0.0, 0.5, -0.5, 1.0, -1.0, 0.2][number % 6];
    let values = [
        ("p50(latency.echo)", 212.0 * factor * off(0.02)),
        ("p99(latency.echo)", 1310.0 * factor * off(0.4)),
        ("rate(messages.echoed)", 1000.0 * off(0.001)),
        ("rate(messages.sent)", 1000.0 * off(0.001)),
        ("count(connections.lost)", 0.0),
        ("p50(handshake.total)", 900.0 * off(0.05)),
    ];
    let values = values.map(|(name, value)| (name.to_owned(), vec![Some(value); 2]));
    Session {
        started_at: format!("2026-11-{:02}T20:15:00Z", number + 1),
        wsbench: "0.1.0".to_owned(),
        machine: Machine {
            os: "linux".to_owned(),
            cpus: Some(2),
            cpu_model: Some("Fast <b>Chip</b> 9".to_owned()),
        },
        setting: Setting::new(HOSTILE, "name = \"chat\"\n", "ws://127.0.0.1:1/", &[], 2),
        labels: Default::default(),
        runs: 2,
        values: values.into(),
        times: Default::default(),
    }
}

fn page(evidence: Evidence, gates: &[&str], exit: Exit) -> String {
    let gates: Vec<BaselineGate> = (gates.iter())
        .map(|gate| BaselineGate::stored(gate).unwrap().unwrap())
        .collect();
    let judged = gates.iter().map(|gate| judge(gate, &evidence)).collect();
    let mut table = Table::new(evidence, &gates, judged);
    table.remark(format!("not comparable, and compared by force: {HOSTILE}"));
    let page = written(|out| table.html(exit, out));
    assert!(
        !page.contains("<script") && !page.contains('\u{202e}'),
        "{page}"
    );
    let (before, style) = page.split_once("<style>").unwrap();
    let (_, after) = style.split_once("</style>").unwrap();
    let page = format!("{before}<style></style>{after}");
    page.replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

fn history(sessions: usize, factor: f64) -> Evidence {
    Evidence::History {
        base: (0..sessions).map(|number| session(number, 1.0)).collect(),
        elsewhere: 1,
        new: vec![session(12, factor)],
    }
}

#[test]
fn the_page_of_a_comparison_is_as_documented() {
    let page = page(history(6, 1.5), &GATES, Exit::Failed);
    golden("compare.html", &page);
    for (verdict, times) in [
        ("worse", 1),
        ("undecided", 1),
        ("held", 2),
        ("not compared", 1),
    ] {
        let marks = page.matches(&format!("\">{verdict}</b>")).count();
        assert_eq!(marks, times, "{verdict}");
    }
}

#[test]
fn what_decides_nothing_is_never_green() {
    let held = page(history(6, 1.0), &GATES[2..3], Exit::Passed);
    assert!(held.contains("<header id=\"head\" class=\"good\">") && held.contains("HELD"));
    let few = page(history(2, 1.0), &GATES[2..3], Exit::Passed);
    assert!(few.contains("<header id=\"head\" class=\"doubt\">") && few.contains("NOT COMPARED"));
    assert!(few.contains("there are 2 of 5 sessions"), "{few}");
    let no_gate = page(history(6, 1.0), &[], Exit::Passed);
    assert!(
        no_gate.contains("<header id=\"head\" class=\"doubt\">"),
        "{no_gate}"
    );
    let nothing = page(history(0, 1.0), &GATES, Exit::Untrusted);
    assert!(nothing.contains("NO VERDICT") && nothing.contains("another machine"));
}
