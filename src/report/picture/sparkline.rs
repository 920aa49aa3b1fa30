//! A small line without axes, on a scale of its own.

use super::chart::Trace;
use super::colour::Colour;
use super::path::Path;
use super::rates::fill_below;
use super::scale::Scale;
use super::svg::{Svg, Writer};

const WIDTH: f64 = 160.0;
const HEIGHT: f64 = 38.0;

/// Draws values from zero to their peak, with equal distances. `None` and what is not finite is a gap.
/// `name` is its accessible name.
pub fn sparkline(name: &str, colour: Colour, values: &[Option<f64>]) -> Svg {
    let mut writer = Writer::small((WIDTH, HEIGHT), name);
    let values = values
        .iter()
        .map(|value| value.filter(|value| value.is_finite()));
    let values: Vec<Option<f64>> = values.collect();
    let peak = values.iter().flatten().copied().fold(0.0, f64::max);
    let x = Scale::linear(
        (0.0, values.len().saturating_sub(1).max(1) as f64),
        (2.0, WIDTH - 2.0),
    );
    let y = Scale::linear(
        (0.0, if peak > 0.0 { peak } else { 1.0 }),
        (HEIGHT - 4.0, 4.0),
    );
    let places = values.iter().enumerate();
    let points = || {
        places
            .clone()
            .map(|(i, value)| value.map(|value| (x.at(i as f64), y.at(value))))
    };
    let mut area = Path::new();
    let all: Vec<Option<(f64, f64)>> = points().collect();
    for stretch in all
        .split(Option::is_none)
        .filter(|stretch| stretch.len() > 1)
    {
        fill_below(&mut area, stretch.iter().flatten().copied(), HEIGHT - 4.0);
    }
    writer.area(area, colour, ".2");
    Trace::of(points()).draw(&mut writer, colour, "1.5", None);
    writer.finish()
}
