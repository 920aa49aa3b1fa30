//! The files of a search, with text of a server that would like to be more than text.

use wsbench::report::{
    ProbeRecord, ReadError, Run, Search, Varied, search_csv, search_html, search_json,
};
use wsbench::search::{Bound, End, Found, Outcome};
use wsbench::verdict::Exit;

use super::{golden, written};

const HOSTILE: &str = "=cmd|' <script>alert(1)</script> \"quoted\" \u{1b}[31m ${X}";

fn probe(number: usize, value: u64, outcome: Outcome, p99_us: f64) -> ProbeRecord {
    let why = match outcome {
        Outcome::Held => String::new(),
        _ => format!("p99(latency.echo) < 50ms: {HOSTILE}"),
    };
    let open = value as f64;
    ProbeRecord {
        attempted: Some(value),
        connections: Some(value),
        open: Some(value),
        offered_per_s: Some(10.0 * open),
        achieved_per_s: Some(if outcome == Outcome::Held { 10.0 } else { 8.0 } * open),
        times: Some("latency.echo".to_owned()),
        p50_us: Some(p99_us / 4.0),
        p90_us: Some(p99_us / 2.0),
        p99_us: Some(p99_us),
        p99_limit_us: Some(50_000.0),
        failed: Some(0),
        timed_out: Some(0),
        lateness_p99_us: Some(112.5),
        generator_cpu: Some(12.5),
        target_rss: Some(4_194_304.0 + 2_048.0 * open),
        target_cpu: Some(0.5 + 0.04 * open),
        folder: format!("{number:02}-{value}"),
        ..ProbeRecord::not_run(number, value, 1, outcome, why)
    }
}

/// A search whose end is the server's, and one whose end is wsbench's.
fn search(bound: Bound) -> Search {
    let full = "open 1600 connections: that takes more ports than there are".to_owned();
    Search {
        version: "0.1.0".to_owned(),
        scenario: "a <b>bold</b> scenario".to_owned(),
        target: "ws://127.0.0.1:3000/?token=${TOKEN}".to_owned(),
        started_at: "2026-11-23T20:15:00.000Z".to_owned(),
        vary: "connections".to_owned(),
        what: Varied::new("connection", ""),
        range: (100, 20_000),
        at_least: Some(500),
        probes: vec![
            probe(1, 100, Outcome::Held, 1_000.0),
            probe(2, 200, Outcome::Held, 1_200.0),
            probe(3, 400, Outcome::Held, 2_500.0),
            probe(4, 800, Outcome::Near, 62_000.0),
            probe(5, 400, Outcome::Held, 2_600.0),
            ProbeRecord::not_run(6, 1_600, 1, Outcome::Generator, full),
        ],
        found: Found {
            most: Some(400),
            is_confirmed: true,
            bound,
            not_monotone: Some((1_200, 800)),
            end: End::Found,
        },
    }
}

#[test]
fn the_files_of_a_search_are_as_documented() {
    let search = search(Bound::Broke(800));
    assert_eq!(search.exit(), Exit::Failed, "500 were asked for");
    golden("search.json", &written(|out| search_json(&search, out)));
    golden("search.csv", &written(|out| search_csv(&search, out)));
    golden("search.html", &written(|out| search_html(&search, out)));
}

/// A page about several runs is told apart from that of a run which was too long for a copy.
#[test]
fn a_page_about_several_runs_holds_none() {
    let search = search(Bound::Broke(800));
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("search.html");
    std::fs::write(&page, written(|out| search_html(&search, out))).unwrap();
    let error = Run::read(&page).unwrap_err();
    assert!(matches!(error, ReadError::OfSeveral { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("hint: name the folder of one run"),
        "{error}"
    );
}

#[test]
fn what_a_server_says_stays_text() {
    let search = search(Bound::Broke(800));
    let page = written(|out| search_html(&search, out));
    assert!(!page.contains("<script"), "the page has no script");
    assert!(!page.contains("<b>bold"));
    let rows = written(|out| search_csv(&search, out));
    for text in [page, rows, written(|out| search_json(&search, out))] {
        assert!(!text.contains('\u{1b}'));
    }
}

#[test]
fn the_cost_of_a_connection_is_what_each_adds() {
    let (each, without) = search(Bound::None).memory().unwrap();
    assert!((each - 2_048.0).abs() < 1e-6 && (without - 4_194_304.0).abs() < 1e-3);
    let processor = search(Bound::None).processor().unwrap().unwrap();
    assert!((processor - 0.04).abs() < 1e-9);
    // Of 100 to 400 connections, ticks of the clock could be as much.
    let mut restless = search(Bound::None);
    (restless.probes.iter_mut())
        .for_each(|probe| probe.target_cpu = probe.target_cpu.map(|cpu| cpu / 10.0));
    let least = restless.processor().unwrap().unwrap_err();
    assert!((least - 5.0 / 300.0).abs() < 1e-9);
    let rates = Search {
        vary: "rate".to_owned(),
        ..search(Bound::None)
    };
    assert_eq!(rates.memory(), None, "connections were not varied");
    assert_eq!(rates.processor(), None);
    let knee = search(Bound::None).knee();
    assert_eq!(knee, Some(400.0), "800 are far slower");
}

/// What 1,000 connections cost is not said where it may be more than a core.
#[test]
fn a_bound_that_says_nothing_is_not_said() {
    let of = |share: f64| {
        let mut search = search(Bound::None);
        let cpu = search.probes.iter_mut().map(|probe| &mut probe.target_cpu);
        cpu.for_each(|cpu| *cpu = cpu.map(|cpu| cpu * share));
        search.probes.retain(|probe| probe.value < 400);
        let mut notes = search.notes().into_iter();
        notes.find(|note| note.starts_with("processor"))
    };
    let said = "processor of the server: less than 50 % of a core for 1,000 connections";
    assert_eq!(of(0.1).as_deref(), Some(said), "5 % over 100 connections");
    let mut narrow = search(Bound::None);
    narrow.probes.truncate(2);
    for (probe, open) in narrow.probes.iter_mut().zip([10, 30]) {
        (probe.open, probe.target_cpu) = (Some(open), Some(1.0));
    }
    assert!(narrow.processor().is_some_and(|each| each.is_err()));
    assert!(
        !narrow
            .notes()
            .iter()
            .any(|note| note.starts_with("processor"))
    );
}

/// The connections of a ramp-up are offered at no rate, but how many of them opened is known.
#[test]
fn a_search_without_messages_shows_what_opened() {
    let mut search = search(Bound::Broke(800));
    for probe in &mut search.probes {
        (probe.offered_per_s, probe.achieved_per_s) = (None, None);
    }
    let page = written(|out| search_html(&search, out));
    assert!(page.contains("<b>Opened of the connections that were tried</b>"));
    assert!(!page.contains("/s</td>"), "{page}");
    assert_eq!(
        page.matches(&format!("; {}.</span>", search.result()))
            .count(),
        1
    );
}

#[test]
fn the_limit_of_wsbench_is_not_told_as_that_of_the_server() {
    let ours = search(Bound::Generator(800));
    assert_eq!(ours.exit(), Exit::Untrusted);
    assert_eq!(
        ours.result(),
        "at least 400 connections hold; at 800 wsbench itself was the limit"
    );
    let page = written(|out| search_html(&ours, out));
    assert!(page.contains(&ours.result()));
    let nothing = Search {
        probes: Vec::new(),
        found: Found {
            most: None,
            is_confirmed: false,
            bound: Bound::None,
            not_monotone: None,
            end: End::Interrupted,
        },
        ..ours
    };
    let page = written(|out| search_html(&nothing, out));
    assert!(page.contains("no number of connections is known to hold (it was interrupted)"));
}
