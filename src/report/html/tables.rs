//! The tables of the page.

use super::room::Room;
use crate::measure::Histogram;
use crate::metric::{self, Cause};
use crate::report::picture::{self, Colour, Svg};
use crate::report::processes::{self, Detail};
use crate::report::run::Run;
use crate::report::tables::{self, Table, most};
use crate::report::times::{covered, names};
use crate::units::{cut, human_count, human_ns, visible};
use crate::verdict::View;

/// The most examples of one cause.
const EXAMPLES: usize = 2;
/// The longest example, in characters.
const LONGEST: usize = 200;
/// The most causes of one cohort that are drawn; the others are one.
const CAUSES: usize = 8;
/// The most close codes of a cohort.
pub(super) const CODES: usize = 8;
/// The most single ends.
const ENDINGS: usize = 50;

/// A table that the summary has too.
pub(super) struct Shared {
    /// What it is about.
    pub(super) name: &'static str,
    pub(super) head: Vec<Cell>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// How many rows there was no room for.
    pub(super) more: usize,
}

/// A cell of a [`Shared`] table.
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) is_number: bool,
}

impl Shared {
    pub(super) fn of(name: &'static str, table: Table, room: &Room) -> Self {
        let words = table.words;
        let cells = |row: Vec<String>| -> Vec<Cell> {
            let numbered = row.into_iter().enumerate();
            let cells = numbered.map(|(column, text)| Cell {
                text,
                is_number: column >= words,
            });
            cells.collect()
        };
        let mut rows = table.rows.into_iter().map(cells);
        let head = rows.next().unwrap_or_default();
        let (rows, more) = most(rows.collect(), room.rows, |_| true);
        Self {
            name,
            head,
            rows,
            more,
        }
    }

    /// The processes of a run in parts; nothing if one process played it.
    pub(super) fn processes(run: &Run, room: &Room) -> Option<Self> {
        let (table, more) = processes::table(&run.parts, Detail::Full, room.rows);
        let shown = Self {
            more,
            ..Self::of("Parts", table, room)
        };
        (!run.parts.is_empty()).then_some(shown)
    }
}

/// The parts of a run: its stages and its cohorts, and how old news was in each of them.
pub(super) fn parts(run: &Run, view: &View<'_>, room: &Room) -> Vec<Shared> {
    let stages = tables::stages(run, view).map(|table| ("By stage", table));
    let cohorts = tables::cohorts(run, view).map(|table| ("By cohort", table));
    let news = tables::news(run, view).map(|table| ("How old news was", table));
    let parts = stages.into_iter().chain(cohorts).chain(news);
    parts
        .map(|(name, table)| Shared::of(name, table, room))
        .collect()
}

/// How the connections with promises ended, and which frames kept them open; nothing without promises.
pub(super) fn judged(run: &Run, room: &Room) -> Vec<Shared> {
    let verdict = &run.verdict;
    let ends = (!verdict.ends.is_empty()).then(|| tables::ends(&verdict.ends, CODES));
    let ends = ends.map(|table| ("How these connections ended", table));
    let matrix = &verdict.activity;
    let activity = (matrix.len() > 1).then(|| tables::activity(matrix));
    let activity = activity.map(|table| ("What keeps a connection open", table));
    let all = ends.into_iter().chain(activity);
    all.map(|(name, table)| Shared::of(name, table, room))
        .collect()
}

/// One distribution.
pub(super) struct TimesRow {
    pub(super) name: String,
    /// Samples, min, mean, percentiles and max; empty where there are too few samples.
    pub(super) cells: [String; 9],
}

/// The percentiles of [`TimesRow`].
const PERCENTS: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 99.99];

/// All times of healthy cohorts and of the generator.
pub(super) fn times(view: &View<'_>, room: &Room) -> (Vec<TimesRow>, usize) {
    let (names, more) = most(names(view), room.rows, |_| true);
    let row = |name: &&str| {
        let times = view.histogram(name)?;
        Some(TimesRow {
            name: (*name).to_owned(),
            cells: cells(&times),
        })
    };
    (names.iter().filter_map(row).collect(), more)
}

fn cells(times: &Histogram) -> [String; 9] {
    let ns = |ns: Option<u64>| ns.map(human_ns).unwrap_or_default();
    let [p50, p90, p99, p999, p9999] = PERCENTS.map(|percent| ns(covered(times, percent)));
    let mean = times.mean().map(|mean| mean.round() as u64);
    [
        human_count(times.count()),
        ns(times.min()),
        ns(mean),
        p50,
        p90,
        p99,
        p999,
        p9999,
        ns(times.max()),
    ]
}

/// How often connections of one cohort ended for one cause.
pub(super) struct EndsRow {
    pub(super) cohort: String,
    pub(super) cause: &'static str,
    pub(super) count: String,
    pub(super) meaning: &'static str,
    pub(super) examples: Vec<String>,
}

/// How the connections of each cohort ended, in the whole run.
pub(super) fn ends(run: &Run, room: &Room) -> (Vec<EndsRow>, usize, Option<Svg>) {
    let mut rows = Vec::new();
    let mut bars: Vec<(&str, Vec<(&'static str, u64)>)> = Vec::new();
    for cohort in &run.summary.cohorts {
        let mut causes: Vec<(Cause, u64)> = Cause::ALL
            .iter()
            .map(|cause| (*cause, ended(run, cohort, *cause)))
            .filter(|(_, count)| *count > 0)
            .collect();
        causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        rows.extend(causes.iter().map(|(cause, count)| {
            let examples = run.summary.endings.examples.get(cause);
            let examples = examples.into_iter().flatten().take(EXAMPLES);
            EndsRow {
                cohort: cohort.clone(),
                cause: cause.name(),
                count: human_count(*count),
                meaning: cause.meaning(),
                examples: examples.map(|text| cut(&visible(text), LONGEST)).collect(),
            }
        }));
        let named = causes.iter().map(|(cause, count)| (cause.name(), *count));
        let mut named: Vec<(&'static str, u64)> = named.collect();
        let others = named.split_off(named.len().min(CAUSES));
        if !others.is_empty() {
            let count = others.iter().map(|(_, count)| *count);
            named.push(("others", count.fold(0, u64::saturating_add)));
        }
        bars.push((cohort, named));
    }
    let (rows, more) = most(rows, room.rows, |_| true);
    (rows, more, bars_of(&bars))
}

fn ended(run: &Run, cohort: &str, cause: Cause) -> u64 {
    let name = metric::error(cause);
    let totals = run.summary.totals.iter();
    let of = totals.filter(|row| row.name == name && row.cohort.as_deref() == Some(cohort));
    crate::measure::Summary::sum(of)
}

fn bars_of(bars: &[(&str, Vec<(&'static str, u64)>)]) -> Option<Svg> {
    let colours = [
        Colour::P99,
        Colour::Bad,
        Colour::Doubt,
        Colour::Mute,
        Colour::Open,
    ];
    let causes: Vec<Vec<picture::Cause<'_>>> = (bars.iter())
        .map(|(_, causes)| {
            let coloured = causes
                .iter()
                .enumerate()
                .map(|(index, (name, count))| picture::Cause {
                    name,
                    count: *count,
                    colour: match *name {
                        "completed" => Colour::Good,
                        _ => colours[index % colours.len()],
                    },
                });
            coloured.collect()
        })
        .collect();
    let shown = bars
        .iter()
        .zip(&causes)
        .filter(|(_, causes)| !causes.is_empty());
    let shown: Vec<picture::Ends<'_>> = shown
        .map(|((cohort, _), causes)| picture::Ends { cohort, causes })
        .collect();
    (!shown.is_empty()).then(|| picture::ends("How the connections of each cohort ended", &shown))
}

/// One connection that did not end as planned.
pub(super) struct Ending {
    pub(super) cohort: String,
    pub(super) connection: u32,
    pub(super) ended: String,
    pub(super) cause: &'static str,
    pub(super) words: String,
}

/// The first single ends, and how many more there are.
pub(super) fn endings(run: &Run) -> (Vec<Ending>, u64) {
    let endings = &run.summary.endings;
    let mut rows: Vec<_> = endings.rows.iter().collect();
    // The rows come worker by worker; a reader wants the first end first.
    rows.sort_by_key(|ending| (ending.ended_ns.is_none(), ending.ended_ns));
    let shown = rows.into_iter().take(ENDINGS).map(|ending| {
        let ended = ending
            .ended_ns
            .map(|ended| format!("{:.3} s", ended.as_secs_f64()));
        let words = match ending.close_reason.as_str() {
            "" => &ending.detail,
            reason => reason,
        };
        Ending {
            cohort: run
                .summary
                .cohorts
                .get(ending.cohort)
                .cloned()
                .unwrap_or_default(),
            connection: ending.connection,
            ended: ended.unwrap_or_default(),
            cause: ending.cause.name(),
            words: cut(&visible(words), LONGEST),
        }
    });
    let shown: Vec<Ending> = shown.collect();
    let all = endings.rows.len() as u64 + endings.more;
    let more = all - shown.len() as u64;
    (shown, more)
}
