//! A comparison as a page, in the style of `report.html`: for each number a bar over its interval, beside the line of no
//! change and the limit of its gate.

use std::io::{self, Write};

use askama::Template;

use super::judge::{Compared, Evidence, growth, percent};
use super::session::Session;
use super::table::{self, OF_INTERVAL, Table};
use crate::report::picture::{Bound, Colour, Difference, Svg, difference_axis};
use crate::report::{Frame, Piece, pieces};
use crate::scenario::{BaselineGate, Subject};
use crate::units::{counted, cut, visible};
use crate::verdict::{Exit, GateResult, Observed, Standing};

/// The most gates that are shown.
const MOST_GATES: usize = 100;
/// The longest text of a cell, in characters.
const LONGEST: usize = 300;
/// The widest scale of ratios: a tenth to ten times.
const WIDEST: f64 = 10.0;
/// The narrowest one.
const NARROWEST: f64 = 1.1;
/// The marks of its axis, in percent, those first that are wanted most.
const MARKS: [f64; 15] = [
    100.0, 50.0, 200.0, 20.0, 500.0, 10.0, 1000.0, 80.0, 125.0, 150.0, 65.0, 90.0, 110.0, 95.0,
    105.0,
];

/// The page.
#[derive(Template)]
#[template(path = "compare.html", config = "src/report/html/askama.toml")]
struct Page {
    frame: Frame,
    scenario: String,
    /// What was compared with what, in a line.
    compared: String,
    sentence: String,
    notes: Vec<String>,
    axis: Svg,
    groups: Vec<Group>,
    /// What both sides are: what it is, of the base, of the new.
    facts: Vec<(&'static str, String, String)>,
}

/// A table of numbers.
struct Group {
    id: &'static str,
    title: &'static str,
    lead: String,
    rows: Vec<Row>,
    more: usize,
}

/// One number of both, and perhaps a gate on it.
#[derive(Default)]
struct Row {
    /// Empty without a gate, as are the symbol and the verdict.
    class: &'static str,
    symbol: &'static str,
    verdict: &'static str,
    gate: String,
    why: Vec<Piece>,
    name: String,
    base: String,
    new: String,
    ratio: String,
    bar: Option<Svg>,
    interval: String,
    could_see: String,
}

impl Table {
    /// Writes it as a page. `exit` is how the comparison ends.
    ///
    /// # Errors
    /// When writing to `out` fails.
    pub fn html(&self, exit: Exit, out: &mut dyn Write) -> io::Result<()> {
        let [base, new] = self.evidence.sides();
        let setting = new.last().map(|session| &session.setting);
        let scenario = setting.map_or_else(String::new, |setting| visible(&setting.scenario));
        let ends = self.ends();
        let page = Page {
            frame: self.frame(exit, format!("comparison of {scenario}")),
            compared: format!("base: {} · new: {}", side(&base), side(&new)),
            scenario,
            sentence: self.sentence(exit),
            notes: self.cautions().iter().map(|note| visible(note)).collect(),
            axis: axis(ends),
            groups: self.groups(ends),
            facts: facts(&base, &new),
        };
        let text = page.render().map_err(io::Error::other)?;
        out.write_all(text.as_bytes())
    }

    fn count(&self, standing: Standing) -> usize {
        let judged = self.judged();
        judged
            .filter(|gate| table::standing(gate) == standing)
            .count()
    }

    /// What is not decided has the colour of a doubt, also where it passes.
    fn frame(&self, exit: Exit, title: String) -> Frame {
        let frame = Frame::of(exit, env!("CARGO_PKG_VERSION"), title, &[]);
        let standing = match exit {
            _ if self.count(Standing::Worse) > 0 => Standing::Worse,
            Exit::Passed if self.count(Standing::Undecided) > 0 => Standing::Undecided,
            Exit::Passed if self.judged().all(GateResult::is_open) => Standing::NotCompared,
            Exit::Passed if self.judged().any(GateResult::is_open) => Standing::Undecided,
            Exit::Passed => Standing::Held,
            _ => return frame,
        };
        let (class, word) = match standing {
            Standing::Held => ("good", "HELD"),
            Standing::Worse => ("bad", "WORSE"),
            Standing::Undecided => ("doubt", "UNDECIDED"),
            Standing::NotCompared => ("doubt", "NOT COMPARED"),
        };
        Frame {
            class,
            symbol: table::symbol(standing),
            word,
            ..frame
        }
    }

    fn sentence(&self, exit: Exit) -> String {
        let all = self.gates.len();
        let of_all = |count: usize, words: &str| {
            let is = if count == 1 { "is" } else { "are" };
            let gates = counted(all as u64, "gate");
            format!("{count} of {gates} on the baseline {is} {words}")
        };
        let worse = self.count(Standing::Worse);
        let held = self.count(Standing::Held);
        let result = match all {
            0 => "no gate is about the baseline".to_owned(),
            _ if worse > 0 => of_all(worse, "worse"),
            _ if held == all => "all gates on the baseline held".to_owned(),
            _ => of_all(all - held, "not decided"),
        };
        match exit {
            Exit::Passed => result,
            _ => format!("{result} (exit code {})", exit.code()),
        }
    }

    /// The ends of the scale of all ratios, as logarithms: wide enough for each interval and limit, but for those of a
    /// tenth or ten times.
    fn ends(&self) -> (f64, f64) {
        let compared = self.rows.iter().map(|(_, compared)| compared);
        let ratios = compared.filter(|compared| compared.are_ratios);
        let ends = ratios.flat_map(|compared| {
            let by = compared.ratio().map(f64::ln);
            let difference = compared.difference;
            let (lo, hi) = (difference.map(|d| d.lo()), difference.map(|d| d.hi()));
            [by, lo, hi].into_iter().flatten()
        });
        let limits = self.gates.iter().filter_map(|(gate, _)| {
            let (_, compared) = self
                .rows
                .iter()
                .find(|(subject, _)| *subject == gate.subject)?;
            compared.are_ratios.then(|| compared.limit(gate))
        });
        let known = ends.chain(limits).filter(|end| end.is_finite());
        let narrow = (-NARROWEST.ln(), NARROWEST.ln());
        let (lo, hi) = known.fold(narrow, |(lo, hi), end| (lo.min(end), hi.max(end)));
        let room = (hi - lo) / 20.0;
        let widest = WIDEST.ln();
        ((lo - room).max(-widest), (hi + room).min(widest))
    }

    fn groups(&self, ends: (f64, f64)) -> Vec<Group> {
        let is_gated =
            |subject: &Subject| self.gates.iter().any(|(gate, _)| gate.subject == *subject);
        let gates = self.gates.iter().take(MOST_GATES);
        let gates: Vec<Row> = gates.map(|gate| self.gated(gate, ends)).collect();
        let others = self.rows.iter().filter(|(subject, _)| !is_gated(subject));
        let others: Vec<Row> = others
            .map(|(subject, compared)| Row {
                name: table::name(subject),
                ..number(compared, None, Colour::P90, ends)
            })
            .collect();
        let all = [
            Group {
                id: "gates",
                title: "Gates on the baseline",
                lead: format!(
                    "A bar is an interval. Worse is what lies wholly in the red, held what lies wholly outside of it. {OF_INTERVAL}"
                ),
                more: self.gates.len() - gates.len(),
                rows: gates,
            },
            Group {
                id: "numbers",
                title: "Other numbers",
                lead: "They decide nothing: of forty, one would be beyond its limit by chance in every third comparison."
                    .to_owned(),
                more: self.more,
                rows: others,
            },
        ];
        let shown = all.into_iter().filter(|group| !group.rows.is_empty());
        shown.collect()
    }

    /// The row of a gate, also where there is nothing to compare.
    fn gated(&self, (gate, judged): &(BaselineGate, GateResult), ends: (f64, f64)) -> Row {
        let standing = table::standing(judged);
        let (class, colour) = match standing {
            Standing::Held => ("ok", Colour::Good),
            Standing::Worse => ("no", Colour::Bad),
            Standing::Undecided | Standing::NotCompared => ("maybe", Colour::Doubt),
        };
        let compared = self.evidence.compare(&gate.subject);
        let row = compared.map_or_else(
            |_| Row::default(),
            |compared| number(&compared, Some(gate), colour, ends),
        );
        Row {
            class,
            symbol: table::symbol(standing),
            verdict: standing.word(),
            gate: cut(&visible(&gate.text), LONGEST),
            why: pieces(&cut(&judged.why, LONGEST)),
            name: cut(&table::name(&gate.subject), LONGEST),
            ..row
        }
    }
}

/// The cells of a number.
fn number(
    compared: &Compared,
    gate: Option<&BaselineGate>,
    colour: Colour,
    ends: (f64, f64),
) -> Row {
    let shown = |value: f64| Observed::of_reported(value, compared.measure).to_string();
    let more = |by: f64| {
        let sign = if by < 0.0 { "−" } else { "+" };
        format!("{sign}{}", shown(by.abs()))
    };
    let by = match compared.ratio() {
        Some(ratio) => ratio.ln(),
        None => compared.new - compared.base,
    };
    let interval = compared.difference.map(|d| (d.lo(), d.hi()));
    let words = |(lo, hi): (f64, f64)| match compared.are_ratios {
        true if hi.exp().is_finite() => format!("{} – {}", percent(lo.exp()), percent(hi.exp())),
        true => String::new(),
        false => format!("{} to {}", more(lo), more(hi)),
    };
    let words = interval.map(words).unwrap_or_default();
    let limit = gate.map(|gate| Bound {
        at: compared.limit(gate),
        is_upper: gate.is_upper(),
    });
    let ratio = match compared.ratio() {
        Some(ratio) => percent(ratio),
        None => more(by),
    };
    let drawn = Difference {
        by,
        interval,
        limit,
        colour,
    };
    // Differences of counts have a scale of their own.
    let ends = match compared.are_ratios {
        true => ends,
        false => {
            let at = limit.map(|limit| limit.at);
            let all = interval.into_iter().flat_map(|(lo, hi)| [lo, hi]);
            let all = all.chain(at).chain([by]).filter(|end| end.is_finite());
            let far = all.fold(0.0, |far: f64, end| far.max(end.abs())) * 1.1;
            let far = if far > 0.0 { far } else { 1.0 };
            (-far, far)
        }
    };
    let name = match words.is_empty() {
        true => ratio.clone(),
        false => format!("{ratio}, interval {words}"),
    };
    Row {
        base: shown(compared.base),
        new: shown(compared.new),
        bar: Some(drawn.draw(ends, &name)),
        interval: words,
        could_see: compared.could_see().map(growth).unwrap_or_default(),
        ratio,
        ..Row::default()
    }
}

fn axis(ends: (f64, f64)) -> Svg {
    let marks = MARKS.map(|mark| ((mark / 100.0).ln(), format!("{mark:.0} %")));
    let marks: Vec<(f64, &str)> = marks
        .iter()
        .map(|(at, text)| (*at, text.as_str()))
        .collect();
    let (lo, hi) = (percent(ends.0.exp()), percent(ends.1.exp()));
    difference_axis(
        ends,
        &marks,
        &format!("interval, on a scale from {lo} to {hi}"),
    )
}

impl Evidence {
    /// The sessions of both sides: those of the past, and the new ones.
    fn sides(&self) -> [Vec<&Session>; 2] {
        match self {
            Self::History { base, new, .. } => [base.iter().collect(), new.iter().collect()],
            Self::Pairs { base, new } => [vec![&**base], vec![&**new]],
        }
    }
}

/// `15 runs in 5 sessions`.
fn side(sessions: &[&Session]) -> String {
    let runs: usize = sessions.iter().map(|session| session.runs).sum();
    let (runs, sessions) = (runs as u64, sessions.len() as u64);
    format!(
        "{} in {}",
        counted(runs, "run"),
        counted(sessions, "session")
    )
}

/// What both sides are.
fn facts(base: &[&Session], new: &[&Session]) -> Vec<(&'static str, String, String)> {
    let began = |sessions: &[&Session]| match sessions {
        [] => String::new(),
        [one] => one.started_at.clone(),
        [first, .., last] => format!("{} to {}", first.started_at, last.started_at),
    };
    // Of the newest session, for a setting is the same in all of them, unless it was compared by force.
    let last = |sessions: &[&Session], of: &dyn Fn(&Session) -> String| {
        sessions.last().map_or_else(String::new, |one| of(one))
    };
    let overrides = |one: &Session| match one.setting.overrides.as_slice() {
        [] => "nothing".to_owned(),
        all => all.join(" "),
    };
    let both = |of: &dyn Fn(&Session) -> String| (last(base, of), last(new, of));
    let all: [(&'static str, (String, String)); 8] = [
        ("began", (began(base), began(new))),
        ("labels", both(&|one| one.labels.shown())),
        ("machine", both(&|one| one.machine.to_string())),
        ("target", both(&|one| one.setting.target.clone())),
        ("changed on the command line", both(&overrides)),
        ("workers", both(&|one| one.setting.workers.to_string())),
        ("wsbench", both(&|one| one.wsbench.clone())),
        ("scenario, sha256", both(&|one| one.setting.sha256.clone())),
    ];
    let shown = |text: &str| cut(&visible(text), LONGEST);
    let all = all.into_iter();
    let known = all.filter(|(_, (base, new))| !base.is_empty() || !new.is_empty());
    known
        .map(|(name, (base, new))| (name, shown(&base), shown(&new)))
        .collect()
}
