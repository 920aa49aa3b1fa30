//! How the processes of a run in parts are shown.

use wsbench::report::{self, PartRecord, Run, Style};
use wsbench::verdict::ClockOffset;

use super::fixture::troubled;
use super::{golden, written};

/// Four agents: one is late, one was lost.
pub(crate) fn in_parts() -> Run {
    let part = |number: u32, name: &str| PartRecord {
        part: number,
        name: Some(name.to_owned()),
        machine: "Xeon, linux x86_64, 6.1.0".to_owned(),
        workers: 2,
        cores: Some(2.0),
        outcome: "completed".to_owned(),
        lost_seconds: None,
        opened: 25,
        failed: 0,
        settled_seconds: Some(0.75),
        cpu_percent: Some(37.5),
        rss_bytes: Some(20e6),
        longest_lag_ns: Some(1_250_000),
        lag_p99_ns: Some(100_000),
        clock: Some(ClockOffset {
            offset_ns: 1_250_000,
            error_ns: 40_000,
        }),
        doubts: Vec::new(),
    };
    let mut parts = vec![
        part(1, "north"),
        part(2, "east"),
        part(3, "a-name-that-is-very-long"),
        part(4, "<b>west</b>"),
    ];
    parts[1].doubts = vec!["workers_late".to_owned(), "not_settled".to_owned()];
    parts[1].longest_lag_ns = Some(340_000_000);
    parts[2].failed = 2;
    parts[2].clock = None;
    parts[2].machine = "EPYC, linux x86_64, 6.1.0".to_owned();
    parts[3].outcome = "lost".to_owned();
    parts[3].lost_seconds = Some(7.5);
    parts[3].settled_seconds = None;
    let mut run = troubled().run;
    run.parts = parts;
    run
}

fn section(page: &str) -> &str {
    let (_, section) = page.split_once("<section id=\"processes\">").unwrap();
    section.split_once("</section>").unwrap().0
}

#[test]
fn how_each_part_fared_is_shown_everywhere() {
    let run = in_parts();
    let exit = run.verdict.exit;
    let text = written(|out| report::text(&run, exit, Style::PLAIN, None, out));
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    golden("parts.txt", &text);
    let page = written(|out| report::html(&run, out));
    golden("parts.html", section(&page));
    let markdown = written(|out| report::markdown(&run, out));
    let table: Vec<&str> = markdown
        .lines()
        .skip_while(|line| !line.starts_with("| part"))
        .collect();
    let table = table.split(|line| line.is_empty()).next().unwrap();
    golden("parts.md", &(table.join("\n") + "\n"));
    for shown in [section(&page), &table.join("\n")] {
        assert!(!shown.contains("<b>west"), "{shown}");
    }
}

/// Of a thousand parts those are shown that something is wrong with, and every format keeps to its size.
#[test]
fn of_many_parts_those_in_trouble_are_shown() {
    let mut run = in_parts();
    let late = run.parts[1].clone();
    let fine = run.parts[0].clone();
    run.parts = (1..=1_000)
        .map(|part| PartRecord {
            part,
            ..if part == 777 {
                late.clone()
            } else {
                fine.clone()
            }
        })
        .collect();
    let exit = run.verdict.exit;
    let text = written(|out| report::text(&run, exit, Style::PLAIN, None, out));
    let markdown = written(|out| report::markdown(&run, out));
    let page = written(|out| report::html(&run, out));
    for (shown, more) in [
        (&text, "984 more parts"),
        (&markdown, "984 more"),
        (&page, "900 more"),
    ] {
        assert!(shown.contains("777 east"), "{shown}");
        assert!(shown.contains(more), "{more}: {shown}");
    }
    assert!(page.len() < 400 << 10 && markdown.len() < 60_000);
}
