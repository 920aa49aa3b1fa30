//! `report.html`: one page that shows a run to people. It loads nothing, is whole without its script and without its
//! style, and escapes all text of scenarios and servers.

mod captions;
mod course;
mod figures;
mod frame;
mod judged;
mod live;
mod piece;
mod room;
mod spectrum;
mod tables;

use std::io::{self, Write};

use askama::Template;

use self::course::Course;
use self::figures::{Figure, OverTime, Spark};
pub(crate) use self::frame::Frame;
use self::judged::{GateRow, Promised};
pub use self::live::{LivePage, live};
use self::piece::shown;
pub(crate) use self::piece::{Piece, pieces};
use self::room::Room;
use self::tables::{Ending, EndsRow, Shared, TimesRow};
use super::headline::{Headline, Pings};
use super::picture::{Json, SAVE, SCRIPT, Svg};
use super::run::{Run, copy};
use super::tables::most;
use super::times::covered;
use super::words::{began, measured, sentence, span};
use crate::units::{counted, human_count, human_ns, visible};

/// What stands around the copy of the run, in bytes: its script, and its button.
const COPY_AROUND: usize = 400;

impl askama::filters::HtmlSafe for Svg {}
impl askama::filters::HtmlSafe for Json {}

/// The page.
#[derive(Template)]
#[template(path = "page.html", config = "src/report/html/askama.toml")]
struct Page<'a> {
    frame: Frame,
    run: &'a Run,
    script: &'static str,
    save: &'static str,
    sentence: String,
    name: String,
    description: String,
    target: String,
    began: String,
    scenario: String,
    ran: String,
    measured: String,
    tiles: Vec<Tile>,
    notes: Vec<Note>,
    more_notes: usize,
    gates: Vec<GateRow>,
    more_gates: usize,
    promised: Vec<Promised>,
    more_promised: usize,
    /// About the connections with promises.
    judged: Vec<Shared>,
    over_time: &'a [Figure],
    sparks: &'a [Spark],
    spectrum: Option<&'a Figure>,
    times: Vec<TimesRow>,
    more_times: usize,
    /// About the stages and cohorts.
    parts: Vec<Shared>,
    /// The processes of a run in parts.
    processes: Option<Shared>,
    ends: Vec<EndsRow>,
    more_ends: usize,
    end_bars: Option<Svg>,
    endings: Vec<Ending>,
    more_endings: u64,
    generator: &'a [Figure],
    /// What the load cost the target, where its process is known.
    server: &'a [Figure],
    environment: Vec<(&'static str, String)>,
    readings: Option<&'a Json>,
    /// The element with the copy of `run.json`.
    copy: Option<String>,
    /// The script that keeps it new while the run goes on.
    live: Option<&'static str>,
}

/// One of the numbers at the top.
struct Tile {
    name: String,
    value: String,
    more: String,
}

/// A doubt or a warning.
struct Note {
    kind: &'static str,
    text: Vec<Piece>,
    hint: Vec<Piece>,
}

/// The policy of the page that [`write()`] writes, for who serves it.
pub fn policy() -> String {
    super::picture::policy(&[SAVE, SCRIPT])
}

/// Writes `report.html`, at most 400 KiB.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(run: &Run, mut out: impl Write) -> io::Result<()> {
    let charts = Charts::of(run);
    let mut rooms = Room::ALL.iter();
    let (mut page, text) = loop {
        let room = rooms.next().expect("the last one is taken");
        let page = Page::of(run, &charts, room);
        let text = page.render().map_err(io::Error::other)?;
        if text.len() <= Room::PAGE || rooms.len() == 0 {
            break (page, text);
        }
    };
    // The copy of the run comes last: without it the page shows the same.
    let left = Room::PAGE.saturating_sub(text.len() + page.save.len() + COPY_AROUND);
    page.copy = copy::element(run)?.filter(|copy| copy.len() <= left);
    let text = match page.copy {
        Some(_) => page.render().map_err(io::Error::other)?,
        None => text,
    };
    out.write_all(text.as_bytes())
}

/// The charts over time, and of all times together.
#[derive(Default)]
struct Charts {
    over_time: Vec<Figure>,
    generator: Vec<Figure>,
    server: Vec<Figure>,
    sparks: Vec<Spark>,
    spectrum: Option<Figure>,
    readings: Option<Json>,
}

impl Charts {
    fn of(run: &Run) -> Self {
        let mut drawn = Self::default();
        let course = Course::of(run);
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
                drawn.readings = Some(charts.readings().finish());
                drawn.generator = charts.figures.split_off(of_both);
                drawn.server = charts.figures.split_off(of_load);
                drawn.over_time = charts.figures;
            });
            drawn.sparks = figures::sparks(run, course);
        }
        let messages = course.map(|course| course.messages).unwrap_or_default();
        drawn.spectrum = spectrum::spectrum(run, &run.view(), &messages);
        drawn
    }
}

impl<'a> Page<'a> {
    fn of(run: &'a Run, charts: &'a Charts, room: &Room) -> Self {
        let view = run.view();
        let exit = run.verdict.exit;
        let (notes, more_notes) = most(notes(run), room.rows, |note| note.kind == DOUBT);
        let (gates, more_gates) = judged::gates(run, room);
        let (promised, more_promised) = judged::promised(run, room);
        let (times, more_times) = tables::times(&view, room);
        let (ends, more_ends, end_bars) = tables::ends(run, room);
        let (endings, more_endings) = tables::endings(run);
        Self {
            frame: Frame::of(
                exit,
                &run.tool.version,
                visible(&run.scenario.name),
                &[SAVE, SCRIPT],
            ),
            run,
            script: SCRIPT,
            save: SAVE,
            sentence: visible(&sentence(run, exit)),
            name: visible(&run.scenario.name),
            description: shown(&run.scenario.description),
            target: shown(&run.scenario.target),
            began: began(run),
            scenario: lines(&run.scenario.text, room.text),
            ran: span(run.summary.seconds),
            measured: measured(run),
            tiles: tiles(run),
            notes,
            more_notes,
            gates,
            more_gates,
            promised,
            more_promised,
            judged: tables::judged(run, room),
            over_time: &charts.over_time,
            sparks: &charts.sparks,
            spectrum: charts.spectrum.as_ref(),
            times,
            more_times,
            parts: tables::parts(run, &view, room),
            processes: Shared::processes(run, room),
            ends,
            more_ends,
            end_bars,
            endings,
            more_endings,
            generator: &charts.generator,
            server: &charts.server,
            environment: environment(run),
            readings: charts.readings.as_ref(),
            copy: None,
            live: None,
        }
    }

    fn is_promised(&self) -> bool {
        !self.promised.is_empty()
    }
}

fn tiles(run: &Run) -> Vec<Tile> {
    let Headline {
        opened: (opened, attempted),
        before,
        failed,
        lost,
        rate,
        times,
        pings,
    } = Headline::of(run);
    let tile = |name: &str, value: String, more: String| Tile {
        name: name.to_owned(),
        value,
        more,
    };
    let some = |count: u64, words: &str| match count {
        0 => String::new(),
        count => format!(", {} {words}", human_count(count)),
    };
    let before = some(before, "open before");
    let (failed, lost) = (some(failed, "failed"), some(lost, "lost"));
    let mut tiles = vec![tile(
        "connections",
        human_count(opened),
        format!("of {} opened{before}{failed}{lost}", human_count(attempted)),
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
        let max = human_ns(times.max()?);
        let p50 = covered(&times, 50.0).map(|p50| format!("p50 {}", human_ns(p50)));
        let (which, value, last) = match covered(&times, 99.0) {
            Some(p99) => ("p99", human_ns(p99), format!("max {max}")),
            None => ("max", max, counted(times.count(), "sample")),
        };
        let more: Vec<String> = p50.into_iter().chain([last]).collect();
        Some(tile(&format!("{name} {which}"), value, more.join(", ")))
    }));
    tiles.extend(pings.map(|pings| match pings {
        Pings::Ours { missed, sent, dead } => tile(
            "pings missed",
            human_count(missed),
            format!("of {}, {} dead", human_count(sent), human_count(dead)),
        ),
        Pings::Servers(received) => tile(
            "pings of the server",
            human_count(received),
            format!("measured {}", span(run.summary.measured_seconds)),
        ),
    }));
    tiles
}

const DOUBT: &str = "doubt";

fn notes(run: &Run) -> Vec<Note> {
    let verdict = &run.verdict;
    let hint = |hint: &Option<String>| hint.as_deref().map(pieces).unwrap_or_default();
    let doubts = verdict.distrust.iter().map(|doubt| {
        let concerns = match doubt.whole_run {
            true => String::new(),
            false => format!("; no verdict on `{}`", doubt.concerns.join("`, `")),
        };
        Note {
            kind: DOUBT,
            text: pieces(&format!("{}{concerns}", doubt.text)),
            hint: hint(&doubt.hint),
        }
    });
    let warnings = verdict.warnings.iter().map(|warning| Note {
        kind: "warning",
        text: pieces(&warning.text),
        hint: hint(&warning.hint),
    });
    doubts.chain(warnings).collect()
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
        (host.congestion_control.as_ref()).map(|name| format!("with TCP's {name}")),
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
        ("held against", held_against(run)),
        ("machine", machine),
        ("system", system.join(" ")),
        ("scenario, sha256", run.scenario.sha256.clone()),
    ];
    let known = all.into_iter().filter(|(_, value)| !value.is_empty());
    known.map(|(name, value)| (name, shown(&value))).collect()
}

/// The baseline that it was held against; empty if there is none.
fn held_against(run: &Run) -> String {
    run.baseline.as_ref().map_or_else(String::new, |baseline| {
        let sessions = counted(baseline.sessions as u64, "session");
        format!("a baseline with {sessions} of this machine")
    })
}

/// The first lines of a text of several lines: as many as there is room for, in bytes of the page.
fn lines(text: &str, room: usize) -> String {
    let bytes = |c: char| match c {
        '<' | '>' | '&' | '"' | '\'' => "&#60;".len(),
        c => c.len_utf8(),
    };
    let (mut shown, mut used) = (String::new(), 0);
    for line in text.lines() {
        let line = visible(&line.replace('\t', "    "));
        used += line.chars().map(bytes).sum::<usize>() + 1;
        if used > room {
            shown += "… and more: see run.json\n";
            break;
        }
        shown += &line;
        shown.push('\n');
    }
    shown
}
