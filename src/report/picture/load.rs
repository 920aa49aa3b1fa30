//! What a server does under more and more load: values of the probes of a search over the load of each, with the range that
//! held, the range that broke, and where the generator itself was the limit.

use super::axis;
use super::chart::{LEFT, NAMES, RIGHT, WIDTH};
use super::colour::Colour;
use super::labels::{self, Label, Sample};
use super::number::Unit;
use super::path::Path;
use super::rates::Limit;
use super::scale::{Rounding, Scale, linear_ticks, log_ends, log_ticks, log_ticks_at_most};
use super::svg::{Anchor, Svg, Writer};

const HEIGHT: f64 = 300.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 260.0;

/// Values over load.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// What the load is: `connections`, `messages a second`.
    pub what: &'a str,
    /// What the values are. Times have a logarithmic axis, others one from zero.
    pub unit: Unit,
    /// The lines.
    pub lines: &'a [LoadLine<'a>],
    /// The value that a gate allows.
    pub limit: Option<Limit<'a>>,
    /// The most load that held.
    pub held: Option<f64>,
    /// The least load that broke.
    pub broke: Option<f64>,
    /// The load from which on the generator was too slow: nothing is known of the server there.
    pub generator: Option<f64>,
}

/// One line.
#[derive(Debug, Clone, Copy)]
pub struct LoadLine<'a> {
    /// Its name, like `p99`.
    pub name: &'a str,
    /// Its colour.
    pub colour: Colour,
    /// The probes, in any order. Those without a finite load above zero are left out.
    pub probes: &'a [Probe],
}

/// One probe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probe {
    /// The load.
    pub load: f64,
    /// The value.
    pub value: f64,
    /// Whether its gates and promises held; a cross says that they did not.
    pub held: bool,
}

impl Load<'_> {
    /// Draws it. `name` is its accessible name.
    pub fn draw(&self, name: &str) -> Svg {
        let mut writer = Writer::large((WIDTH, HEIGHT), name, &[]);
        let lines: Vec<(&LoadLine<'_>, Vec<Probe>)> = self
            .lines
            .iter()
            .map(|line| (line, sorted(line.probes)))
            .collect();
        let probes = || lines.iter().flat_map(|(_, probes)| probes);
        if probes().next().is_none() {
            axis::line(&mut writer, (LEFT, RIGHT), BOTTOM);
            labels::no_data(&mut writer, ((LEFT + RIGHT) / 2.0, (TOP + BOTTOM) / 2.0));
            return writer.finish();
        }
        // Where the generator was the limit there may be no value.
        let ends = [self.held, self.broke, self.generator];
        let loads = probes().map(|probe| probe.load);
        let loads = log_ends(loads.chain(ends.into_iter().flatten()));
        let x = Scale::log(loads, (LEFT, RIGHT));
        let (y, ticks) = self.scale(probes().map(|probe| probe.value));
        self.ranges(&mut writer, &x);
        axis::rows(&mut writer, (LEFT, RIGHT), &y, &ticks, self.unit);
        axis::line(&mut writer, (LEFT, RIGHT), BOTTOM);
        let marks: Vec<(f64, String)> = log_ticks_at_most(12, loads)
            .into_iter()
            .map(|load| (x.at(load), Unit::Count.tick(load)))
            .collect();
        axis::marks(&mut writer, &marks, BOTTOM);
        writer.text(
            ((LEFT + RIGHT) / 2.0, BOTTOM + 35.0),
            Anchor::Middle,
            Colour::Mute,
            self.what,
        );
        let mut names = Vec::new();
        for (line, probes) in &lines {
            names.extend(draw_line(&mut writer, line, probes, (&x, &y), self.unit));
        }
        self.draw_limit(&mut writer, &y);
        labels::write(
            &mut writer,
            names,
            NAMES.0,
            NAMES.1,
            (TOP + 4.0, BOTTOM - 2.0),
        );
        writer.finish()
    }

    fn scale(&self, values: impl Iterator<Item = f64>) -> (Scale, Vec<f64>) {
        let limit = self.limit.map(|limit| limit.at).filter(|at| at.is_finite());
        let values = values.chain(limit);
        if self.unit == Unit::Nanoseconds {
            let ends = log_ends(values);
            return (Scale::log(ends, (BOTTOM, TOP)), log_ticks(ends));
        }
        let rounding = if self.unit == Unit::Bytes {
            Rounding::Binary
        } else {
            Rounding::Decimal
        };
        let ticks = linear_ticks(values.fold(0.0, f64::max), rounding);
        (
            Scale::linear((0.0, ticks[ticks.len() - 1]), (BOTTOM, TOP)),
            ticks,
        )
    }

    /// Green up to what held, red from what broke, grey where the generator was the limit.
    fn ranges(&self, writer: &mut Writer, x: &Scale) {
        let of = |load: Option<f64>| {
            load.filter(|load| load.is_finite() && *load > 0.0)
                .map(|load| x.at(load))
        };
        let (held, broke, generator) = (of(self.held), of(self.broke), of(self.generator));
        let ranges = [
            (Some(LEFT), held, Colour::Good, ".10"),
            (broke, Some(generator.unwrap_or(RIGHT)), Colour::Bad, ".08"),
            (generator, Some(RIGHT), Colour::Mute, ".16"),
        ];
        for (from, to, colour, opacity) in ranges {
            let mut path = Path::new();
            if let (Some(from), Some(to)) = (from, to)
                && from < to
            {
                path.rect((from, TOP), (to, BOTTOM));
            }
            writer.area(path, colour, opacity);
        }
    }

    fn draw_limit(&self, writer: &mut Writer, y: &Scale) {
        let Some(limit) = self.limit.filter(|limit| limit.at.is_finite()) else {
            return;
        };
        let at = y.at(limit.at);
        let mut path = Path::new();
        path.move_to(LEFT, at);
        path.line_to(RIGHT, at);
        writer.line(path, Colour::Bad, "1.2", &[("stroke-dasharray", "6 4")]);
        writer.note(
            (LEFT + 6.0, at - 5.0),
            Anchor::Start,
            Colour::Bad,
            limit.name,
        );
    }
}

fn sorted(probes: &[Probe]) -> Vec<Probe> {
    let is_drawn =
        |probe: &&Probe| probe.load > 0.0 && probe.load.is_finite() && probe.value.is_finite();
    let mut probes: Vec<Probe> = probes.iter().filter(is_drawn).copied().collect();
    probes.sort_by(|a, b| a.load.total_cmp(&b.load));
    probes
}

/// Draws a line with a dot at each probe that held and a cross at each that did not; names it after its last value.
fn draw_line(
    writer: &mut Writer,
    line: &LoadLine<'_>,
    probes: &[Probe],
    (x, y): (&Scale, &Scale),
    unit: Unit,
) -> Option<Label> {
    let (mut path, mut dots, mut crosses) = (Path::new(), Path::new(), Path::new());
    for (turn, probe) in probes.iter().enumerate() {
        let (x, y) = (x.at(probe.load), y.at(probe.value));
        match turn {
            0 => path.move_to(x, y),
            _ => path.line_to(x, y),
        }
        if probe.held {
            dots.dot(x, y);
        } else {
            crosses.move_to(x - 4.0, y - 4.0);
            crosses.line_to(x + 4.0, y + 4.0);
            crosses.move_to(x + 4.0, y - 4.0);
            crosses.line_to(x - 4.0, y + 4.0);
        }
    }
    writer.line(path, line.colour, "1.6", &[("stroke-linejoin", "round")]);
    writer.line(dots, line.colour, "7", &[("stroke-linecap", "round")]);
    writer.line(crosses, Colour::Bad, "2", &[]);
    let last = probes.last()?;
    Some(Label {
        name: line.name.to_owned(),
        value: unit.value(last.value),
        y: y.at(last.value),
        colour: line.colour,
        sample: Sample::Line,
    })
}
