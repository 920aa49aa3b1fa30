//! The frame of every chart over time: backgrounds of phases, bands of incidents, grid, axes and names. What a chart
//! shows is drawn between [`Chart::begin`] and [`Chart::finish`], in groups that the page's script zooms.

use super::axis;
use super::colour::Colour;
use super::labels::{self, Label};
use super::number::Unit;
use super::path::Path;
use super::scale::Scale;
use super::svg::{Anchor, Svg, Writer};
use super::text::{cut, width};
use super::time::Time;

/// The width of a chart; the page scales it.
pub(super) const WIDTH: f64 = 1120.0;
/// Where the data begin.
pub(super) const LEFT: f64 = 62.0;
/// Where the data end.
pub(super) const RIGHT: f64 = 982.0;
/// Where names at the right begin, and how wide they may be.
pub(super) const NAMES: (f64, f64) = (RIGHT + 8.0, WIDTH - RIGHT - 8.0);
/// The room below the data.
const BELOW: f64 = 22.0;
/// The room above the names of phases.
const ABOVE: f64 = 32.0;
/// The most incidents that are drawn.
const INCIDENTS: usize = 100;
/// The most pixels that the name of a phase or of an incident gets.
const LONGEST_NAME: f64 = 160.0;

/// What a chart says of itself.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Tells the charts of a page apart: the crosshair finds its values by it.
    pub id: &'a str,
    /// Its title.
    pub title: &'a str,
    /// What it shows, as a sentence. Both are its accessible name.
    pub sentence: &'a str,
}

impl About<'_> {
    /// What a screen reader says instead of the picture.
    pub(super) fn name(&self) -> String {
        match self.sentence {
            "" => self.title.to_owned(),
            sentence => format!("{}. {sentence}", self.title),
        }
    }
}

/// A chart over time that is being drawn.
#[derive(Debug)]
pub(super) struct Chart<'a> {
    pub(super) writer: Writer,
    pub(super) time: &'a Time<'a>,
    /// From seconds to pixels.
    pub(super) x: Scale,
    /// The height where the data end.
    pub(super) top: f64,
    /// The height of the axis.
    pub(super) bottom: f64,
    has_phases: bool,
}

impl<'a> Chart<'a> {
    /// Begins a chart of this height; one with the names of the phases has less room for data.
    pub(super) fn begin(
        about: &About<'_>,
        time: &'a Time<'a>,
        height: f64,
        has_phases: bool,
    ) -> Self {
        let (top, bottom) = (if has_phases { ABOVE } else { 12.0 }, height - BELOW);
        let (from, to) = time.span();
        let place = format!("{from},{to},{LEFT},{RIGHT},{top},{bottom}");
        let more = [("data-x", place.as_str()), ("data-chart", about.id)];
        let mut chart = Self {
            writer: Writer::large((WIDTH, height), &about.name(), &more),
            time,
            x: Scale::linear((from, to), (LEFT, RIGHT)),
            top,
            bottom,
            has_phases,
        };
        chart.begin_marks();
        chart.backgrounds();
        chart.end_marks();
        chart
    }

    /// Begins a group that the script zooms, by its view. Nothing in it shows outside of the axes.
    pub(super) fn begin_marks(&mut self) {
        let (width, height) = (RIGHT - LEFT, self.bottom);
        let view = format!("{LEFT} 0 {width} {height}");
        let tag = self.writer.tag("svg").set("class", "marks").at(LEFT, 0.0);
        let tag = tag
            .num("width", width)
            .num("height", height)
            .set("viewBox", &view);
        tag.set("preserveAspectRatio", "none").open();
    }

    /// Ends such a group.
    pub(super) fn end_marks(&mut self) {
        self.writer.close("svg");
    }

    /// Where the value of an interval is drawn.
    pub(super) fn x_of(&self, index: usize) -> f64 {
        self.x.at(self.time.middle_of(index))
    }

    /// Draws the lines and numbers at the left.
    pub(super) fn grid(&mut self, y: &Scale, ticks: &[f64], unit: Unit) {
        axis::rows(&mut self.writer, (LEFT, RIGHT), y, ticks, unit);
    }

    /// Says that there is nothing to draw.
    pub(super) fn no_data(&mut self) {
        labels::no_data(
            &mut self.writer,
            ((LEFT + RIGHT) / 2.0, (self.top + self.bottom) / 2.0 + 4.0),
        );
    }

    /// Draws the axes and names, and ends the chart.
    pub(super) fn finish(mut self, labels: Vec<Label>) -> Svg {
        axis::seconds(&mut self.writer, &self.x, self.time.span(), self.bottom);
        if self.has_phases {
            self.names_of_phases();
        }
        self.names_of_incidents();
        let heights = (self.top + 4.0, self.bottom - 2.0);
        labels::write(&mut self.writer, labels, NAMES.0, NAMES.1, heights);
        self.writer
            .tag("path")
            .set("class", "cross")
            .set("d", "")
            .end();
        self.writer.finish()
    }

    /// Grey behind what was not measured, amber behind incidents.
    fn backgrounds(&mut self) {
        let (top, bottom) = (self.top, self.bottom);
        let (mut grey, mut amber) = (Path::new(), Path::new());
        let mut span: Option<(f64, f64)> = None;
        for phase in self.time.phases.iter().filter(|phase| !phase.measured) {
            let (from, to) = (self.x.at(phase.from), self.x.at(phase.to));
            match &mut span {
                // Two grey phases in a row have no seam.
                Some((_, end)) if from - *end < 0.1 => *end = end.max(to),
                _ => {
                    if let Some((from, to)) = span.replace((from, to)) {
                        grey.rect((from, top), (to, bottom));
                    }
                }
            }
        }
        if let Some((from, to)) = span {
            grey.rect((from, top), (to, bottom));
        }
        for incident in self.time.incidents.iter().take(INCIDENTS) {
            let (from, to) = (self.x.at(incident.from), self.x.at(incident.to));
            amber.rect((from, top), (to.max(from + 1.5), bottom));
        }
        self.writer.area(grey, Colour::Grid, ".5");
        self.writer.area(amber, Colour::Doubt, ".16");
    }

    fn names_of_phases(&mut self) {
        let spans = self
            .time
            .phases
            .iter()
            .map(|phase| (phase.name, phase.from, phase.to));
        let y = self.top - 7.0;
        self.names(spans.collect(), y, Colour::Mute, "400");
    }

    fn names_of_incidents(&mut self) {
        let incidents = self.time.incidents.iter().take(INCIDENTS);
        let spans = incidents.map(|incident| (incident.name, incident.from, incident.to));
        let y = self.top + 13.0;
        self.names(spans.collect(), y, Colour::Doubt, "600");
    }

    /// Writes names over the middles of their spans, each where it covers neither another one nor an edge. One that is
    /// left out is found by pointing at the chart.
    fn names(&mut self, spans: Vec<(&str, f64, f64)>, y: f64, colour: Colour, weight: &str) {
        if spans.is_empty() {
            return;
        }
        let mut free = LEFT;
        self.writer.tag("g").set("class", "names").open();
        for (name, from, to) in spans {
            let name = cut(name, 11.0, LONGEST_NAME);
            let half = width(&name, 11.0) / 2.0;
            let middle = (self.x.at(from) + self.x.at(to)) / 2.0;
            let x = middle.max(LEFT + half).min(RIGHT - half);
            let is_near = (x - middle).abs() <= half;
            if !is_near || x - half < free || name.is_empty() {
                continue;
            }
            free = x + half + 4.0;
            let tag = self
                .writer
                .tag("text")
                .at(x, y)
                .anchor(Anchor::Middle)
                .fill(colour);
            tag.set("font-size", "11")
                .set("font-weight", weight)
                .content(&name);
        }
        self.writer.close("g");
    }
}

/// A series as a line with gaps, and a dot for each value that stands alone between two of them.
#[derive(Debug, Default)]
pub(super) struct Trace {
    line: Path,
    dots: Path,
}

impl Trace {
    pub(super) fn of(points: impl Iterator<Item = Option<(f64, f64)>>) -> Self {
        let mut trace = Self::default();
        let mut points = points.peekable();
        let mut is_drawing = false;
        while let Some(point) = points.next() {
            let Some((x, y)) = point else {
                is_drawing = false;
                continue;
            };
            match (is_drawing, points.peek()) {
                (true, _) => trace.line.line_to(x, y),
                (false, Some(Some(_))) => trace.line.move_to(x, y),
                (false, _) => trace.dots.dot(x, y),
            }
            is_drawing = true;
        }
        trace
    }

    /// Draws the line with these dashes, if any, and the dots.
    pub(super) fn draw(
        self,
        writer: &mut Writer,
        colour: Colour,
        width: &'static str,
        dashes: Option<&str>,
    ) {
        let join = ("stroke-linejoin", "round");
        match dashes {
            None => writer.line(self.line, colour, width, &[join]),
            Some(dashes) => writer.line(
                self.line,
                colour,
                width,
                &[join, ("stroke-dasharray", dashes)],
            ),
        }
        writer.line(self.dots, colour, "4", &[("stroke-linecap", "round")]);
    }
}
