//! `report.html`: one page that shows a run to people. It loads nothing, is whole without its script and without its
//! style, and escapes all text of scenarios and servers.

mod captions;
mod course;
mod figures;
mod judged;
mod tables;

use std::io::{self, Write};

use askama::Template;

use self::course::Course;
use self::figures::{Figure, OverTime, Spark};
use self::judged::{GateRow, Promised};
use self::tables::{Ending, EndsRow, TimesRow};
use super::headline::Headline;
use super::picture::{Json, Readings, SAVE, SCRIPT, STYLE, Svg};
use super::run::{Run, copy};
use super::words::{began, sentence, span, symbol, word};
use crate::units::{counted, human_count, human_ns, visible};
use crate::verdict::Exit;

/// The most doubts and warnings.
const NOTES: usize = 100;

impl askama::filters::HtmlSafe for Svg {}
impl askama::filters::HtmlSafe for Json {}

/// The page.
#[derive(Template)]
#[template(path = "page.html", config = "src/report/html/askama.toml")]
struct Page<'a> {
    run: &'a Run,
    style: &'static str,
    script: &'static str,
    save: &'static str,
    /// The class of the verdict's colour.
    class: &'static str,
    symbol: &'static str,
    word: &'static str,
    sentence: String,
    name: String,
    description: String,
    target: String,
    began: String,
    scenario: String,
    ran: String,
    measured: String,
    tiles: Vec<Tile>,
    notes: Vec<Note<'a>>,
    gates: Vec<GateRow>,
    promised: Vec<Promised>,
    over_time: Vec<Figure>,
    sparks: Vec<Spark>,
    spectrum: Option<Figure>,
    times: Vec<TimesRow>,
    ends: Vec<EndsRow>,
    end_bars: Option<Svg>,
    endings: Vec<Ending>,
    more_endings: u64,
    generator: Vec<Figure>,
    /// What the load cost the target, where its process is known.
    server: Vec<Figure>,
    environment: Vec<(&'static str, String)>,
    readings: Option<Json>,
    /// The element with the copy of `run.json`.
    copy: Option<String>,
}

/// One of the numbers at the top.
struct Tile {
    name: String,
    value: String,
    more: String,
}

/// A doubt or a warning.
struct Note<'a> {
    kind: &'static str,
    text: String,
    hint: Option<&'a str>,
}

/// Writes `report.html`.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(run: &Run, mut out: impl Write) -> io::Result<()> {
    let page = Page::of(run)?;
    let text = page.render().map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

impl<'a> Page<'a> {
    fn of(run: &'a Run) -> io::Result<Self> {
        let view = run.view();
        let exit = run.verdict.exit;
        let course = Course::of(run);
        let (mut over_time, mut server, mut generator) = (Vec::new(), Vec::new(), Vec::new());
        let mut sparks = Vec::new();
        let mut readings: Option<Readings> = None;
        if let Some(course) = &course {
            course.with_time(|time| {
                let mut charts = OverTime::new(course, time);
                charts.latency();
                charts.states();
                charts.messages();
                charts.pings();
                let of_load = charts.figures.len();
                charts.target();
                let of_both = charts.figures.len();
                charts.generator(run);
                readings = Some(charts.readings());
                generator = charts.figures.split_off(of_both);
                server = charts.figures.split_off(of_load);
                over_time = charts.figures;
            });
            sparks = figures::sparks(run, course);
        }
        let messages = course.map(|course| course.messages).unwrap_or_default();
        let (ends, end_bars) = tables::ends(run);
        let (endings, more_endings) = tables::endings(run);
        Ok(Self {
            run,
            style: STYLE,
            script: SCRIPT,
            save: SAVE,
            class: match exit {
                Exit::Passed => "good",
                Exit::Untrusted | Exit::Interrupted => "doubt",
                Exit::Unexpected | Exit::Failed | Exit::Invalid => "bad",
            },
            symbol: symbol(exit),
            word: word(exit),
            sentence: visible(&sentence(run, exit)),
            name: visible(&run.scenario.name),
            description: visible(&run.scenario.description),
            target: visible(&run.scenario.target),
            began: began(run),
            scenario: lines(&run.scenario.text),
            ran: span(run.summary.seconds),
            measured: span(run.summary.measured_seconds),
            tiles: tiles(run),
            notes: notes(run),
            gates: judged::gates(run),
            promised: judged::promised(run),
            over_time,
            sparks,
            spectrum: figures::spectrum(run, &view, &messages),
            times: tables::times(&view),
            ends,
            end_bars,
            endings,
            more_endings,
            generator,
            server,
            environment: environment(run),
            readings: readings.map(Readings::finish),
            copy: copy::element(run)?,
        })
    }

    fn is_promised(&self) -> bool {
        !self.promised.is_empty()
    }
}

fn tiles(run: &Run) -> Vec<Tile> {
    let Headline {
        opened: (opened, attempted),
        lost,
        rate,
        times,
        missed,
    } = Headline::of(run);
    let tile = |name: &str, value: String, more: String| Tile {
        name: name.to_owned(),
        value,
        more,
    };
    let lost = match lost {
        0 => String::new(),
        lost => format!(", {} lost", human_count(lost)),
    };
    let mut tiles = vec![tile(
        "connections",
        human_count(opened),
        format!("of {} opened{lost}", human_count(attempted)),
    )];
    tiles.extend(rate.map(|rate| {
        let measured = span(run.summary.measured_seconds);
        tile(
            "messages",
            format!("{}/s", human_count(rate.round() as u64)),
            format!("sent, measured {measured}"),
        )
    }));
    tiles.extend(times.and_then(|(name, times)| {
        let [p50, p99, max] = [
            times.percentile(50.0)?,
            times.percentile(99.0)?,
            times.max()?,
        ]
        .map(human_ns);
        Some(tile(
            &format!("{name} p99"),
            p99,
            format!("p50 {p50}, max {max}"),
        ))
    }));
    tiles.extend(missed.map(|(missed, sent)| {
        tile(
            "pings missed",
            human_count(missed),
            format!("of {}", human_count(sent)),
        )
    }));
    tiles
}

fn notes(run: &Run) -> Vec<Note<'_>> {
    let verdict = &run.verdict;
    let doubts = verdict.distrust.iter().map(|doubt| {
        let concerns = match doubt.whole_run {
            true => String::new(),
            false => format!("; no verdict on {}", doubt.concerns.join(", ")),
        };
        Note {
            kind: "doubt",
            text: visible(&format!("{}{concerns}", doubt.text)),
            hint: doubt.hint.as_deref(),
        }
    });
    let warnings = verdict.warnings.iter().map(|warning| Note {
        kind: "warning",
        text: visible(&warning.text),
        hint: warning.hint.as_deref(),
    });
    doubts.chain(warnings).take(NOTES).collect()
}

/// What one needs to know to run it again.
fn environment(run: &Run) -> Vec<(&'static str, String)> {
    let host = &run.host;
    let machine = match (host.cpus, &host.cpu_model) {
        (Some(cpus), Some(model)) => format!("{cpus} × {model}"),
        (Some(cpus), None) => counted(cpus as u64, "core"),
        (None, model) => model.clone().unwrap_or_else(|| "unknown".to_owned()),
    };
    let system = [
        Some(host.os.clone()),
        host.kernel.clone(),
        Some(host.arch.clone()),
    ];
    let system: Vec<String> = system.into_iter().flatten().collect();
    let changed = match run.options.overrides.as_slice() {
        [] => "nothing".to_owned(),
        all => all.join(" "),
    };
    let all = [
        ("target", run.scenario.target.clone()),
        ("began", run.started_at.clone()),
        ("ended", run.facts.outcome.name().to_owned()),
        ("wsbench", run.tool.version.clone()),
        (
            "seed, workers",
            format!("{}, {}", run.options.seed, run.facts.workers),
        ),
        ("changed on the command line", changed),
        ("labels", run.options.labels.shown()),
        ("machine", machine),
        ("system", system.join(" ")),
        ("scenario, sha256", run.scenario.sha256.clone()),
    ];
    let known = all.into_iter().filter(|(_, value)| !value.is_empty());
    known.map(|(name, value)| (name, visible(&value))).collect()
}

/// A text of several lines.
fn lines(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| visible(&line.replace('\t', "    ")));
    lines.map(|line| line + "\n").collect()
}
