//! `search.html`: what the server does under more and more load, in the style of `report.html`.

use std::io::{self, Write};

use askama::Template;

use super::{ProbeRecord, Search};
use crate::report::html::{Frame, Piece, pieces};
use crate::report::picture::{Colour, Limit, Load, LoadLine, Probe, Svg, Unit};
use crate::units::{counted, human_count, human_ns, visible};

/// The page.
#[derive(Template)]
#[template(path = "search.html", config = "src/report/html/askama.toml")]
struct Page<'a> {
    frame: Frame,
    search: &'a Search,
    scenario: String,
    target: String,
    result: String,
    asked: String,
    notes: Vec<String>,
    figures: Vec<Figure>,
    rows: Vec<Row>,
}

/// A picture with its words.
struct Figure {
    id: &'static str,
    title: String,
    sentence: String,
    svg: Svg,
}

/// A row of the table of probes.
struct Row {
    probe: usize,
    value: String,
    class: &'static str,
    outcome: &'static str,
    why: Vec<Piece>,
    cells: [String; 5],
    /// The address of its report; empty where it was not run.
    report: String,
}

/// Writes `search.html`.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(search: &Search, mut out: impl Write) -> io::Result<()> {
    let scenario = visible(&search.scenario);
    let title = format!("search of {scenario}");
    let page = Page {
        frame: Frame::of(search.exit(), &search.version, title, &[]),
        scenario,
        target: visible(&search.target),
        result: search.result(),
        asked: search.asked().unwrap_or_default(),
        notes: search.notes(),
        figures: search.figures(),
        rows: search.probes.iter().map(row).collect(),
        search,
    };
    let text = page.render().map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

impl Search {
    fn figures(&self) -> Vec<Figure> {
        let memory = self.used(
            ("memory", "Memory of the server", "memory"),
            (Unit::Bytes, Colour::P999),
            |probe| probe.target_rss,
        );
        let processor = self.used(
            ("cpu", "Processor time of the server", "CPU"),
            (Unit::Percent, Colour::P90),
            |probe| probe.target_cpu,
        );
        let all = [self.times(), self.achieved(), memory, processor];
        let mut all: Vec<Figure> = all.into_iter().flatten().collect();
        // The result stands once, not below each picture of the same probes.
        all.iter_mut()
            .skip(1)
            .for_each(|figure| figure.sentence.clear());
        all
    }

    /// The percentiles over load; `None` where nothing was timed.
    fn times(&self) -> Option<Figure> {
        let p50 = self.points(|probe| Some(probe.p50_us? * 1e3));
        let p99 = self.points(|probe| Some(probe.p99_us? * 1e3));
        let points = [("p50", Colour::P50, p50), ("p99", Colour::P99, p99)];
        let times = self.told().find_map(|probe| probe.times.clone())?;
        let limit = self
            .told()
            .find_map(|probe| probe.p99_limit_us)
            .map(|us| us * 1e3);
        let name = limit.map(|ns| format!("{} allowed of the p99", human_ns(ns as u64)));
        let limit = limit
            .zip(name.as_deref())
            .map(|(at, name)| Limit { at, name });
        let lines = points.iter().filter(|(.., points)| !points.is_empty());
        let lines: Vec<LoadLine<'_>> = lines
            .map(|(name, colour, probes)| LoadLine {
                name,
                colour: *colour,
                probes,
            })
            .collect();
        self.figure(
            ("times", format!("{times} under load")),
            Unit::Nanoseconds,
            &lines,
            limit,
        )
    }

    /// How much of what was offered was done: where there are no messages, how many of the connections opened.
    fn achieved(&self) -> Option<Figure> {
        let share = |done: f64, all: f64| (all > 0.0).then(|| 100.0 * done / all);
        let rates = self.points(|probe| share(probe.achieved_per_s?, probe.offered_per_s?));
        let (name, title, points) = match rates.is_empty() {
            false => ("achieved", "Achieved of what was offered", rates),
            true => {
                let opened =
                    |probe: &ProbeRecord| share(probe.connections? as f64, probe.attempted? as f64);
                (
                    "opened",
                    "Opened of the connections that were tried",
                    self.points(opened),
                )
            }
        };
        let line = LoadLine {
            name,
            colour: Colour::P90,
            probes: &points,
        };
        let title = title.to_owned();
        self.figure(("achieved", title), Unit::Percent, &[line], None)
    }

    /// What the target used over connections; `None` where its process is not known, or something else was varied.
    fn used(
        &self,
        (id, title, name): (&'static str, &str, &str),
        (unit, colour): (Unit, Colour),
        of: impl Fn(&ProbeRecord) -> Option<f64>,
    ) -> Option<Figure> {
        self.cost(&of)?;
        let points = self.points(of);
        let line = LoadLine {
            name,
            colour,
            probes: &points,
        };
        self.figure((id, title.to_owned()), unit, &[line], None)
    }

    fn points(&self, of: impl Fn(&ProbeRecord) -> Option<f64>) -> Vec<Probe> {
        let probes = self.told().filter_map(|probe| {
            Some(Probe {
                load: probe.value as f64,
                value: of(probe)?,
                held: probe.has_held(),
            })
        });
        probes.collect()
    }

    fn figure(
        &self,
        (id, title): (&'static str, String),
        unit: Unit,
        lines: &[LoadLine<'_>],
        limit: Option<Limit<'_>>,
    ) -> Option<Figure> {
        let points = lines
            .iter()
            .map(|line| line.probes.len())
            .max()
            .filter(|points| *points > 0)?;
        let (broke, generator) = self.bounds();
        let load = |value: Option<u64>| value.map(|value| value as f64);
        let what = self.what.to_string();
        let picture = Load {
            what: &what,
            unit,
            lines,
            limit,
            held: load(self.found.most),
            broke: load(broke),
            generator: load(generator),
        };
        let sentence = format!("{}; {}.", counted(points as u64, "probe"), self.result());
        Some(Figure {
            svg: picture.draw(&format!("{title}. {sentence}")),
            id,
            title,
            sentence,
        })
    }
}

fn row(probe: &ProbeRecord) -> Row {
    let time = |us: Option<f64>| us.map(|us| human_ns((us * 1e3) as u64)).unwrap_or_default();
    let rate =
        |rate: Option<f64>| rate.map(|rate| format!("{}/s", human_count(rate.round() as u64)));
    Row {
        probe: probe.probe,
        value: human_count(probe.value),
        class: match probe.outcome {
            "held" => "ok",
            "broke" => "no",
            _ => "maybe",
        },
        outcome: probe.outcome,
        why: pieces(&probe.why),
        cells: [
            probe.connections.map(human_count).unwrap_or_default(),
            rate(probe.offered_per_s).unwrap_or_default(),
            rate(probe.achieved_per_s).unwrap_or_default(),
            time(probe.p50_us),
            time(probe.p99_us),
        ],
        report: match probe.folder.is_empty() {
            true => String::new(),
            false => format!("{}/report.html", probe.folder),
        },
    }
}
