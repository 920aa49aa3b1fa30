//! How far a gate is from its limit, as a bar.

use super::colour::Colour;
use super::path::Path;
use super::svg::{Svg, Writer};

const WIDTH: f64 = 200.0;
const HEIGHT: f64 = 14.0;
/// Where the limit is on a bar that holds it.
const LIMIT: f64 = 160.0;
/// The most that a bar shows, as a multiple of the limit.
const MOST: f64 = 3.0;

/// Draws a bar filled to `seen / limit`, with a tick at the limit, or `None` where a bar says nothing: without a value, or
/// with a limit of zero. The bar ends at three times the limit; [`times_the_limit`] says how far it really is.
pub fn gate_bar(seen: f64, limit: f64, held: bool) -> Option<Svg> {
    let share = share(seen, limit)?;
    let unit = if share > 1.0 {
        WIDTH * 0.925 / MOST
    } else {
        LIMIT
    };
    let name = format!("{} % of the limit", (share * 100.0).min(1e9).round());
    let mut writer = Writer::small((WIDTH, HEIGHT), &name);
    let bar = |writer: &mut Writer, width: f64, colour: Colour| {
        let tag = writer
            .tag("rect")
            .num("y", 4.0)
            .num("width", width)
            .num("height", 6.0)
            .num("rx", 3.0);
        tag.fill(colour).end();
    };
    bar(&mut writer, WIDTH, Colour::Grid);
    let colour = if held { Colour::Good } else { Colour::Bad };
    bar(&mut writer, (share.min(MOST) * unit).max(2.0), colour);
    let mut tick = Path::new();
    tick.move_to(unit, 0.0);
    tick.line_to(unit, HEIGHT);
    writer.line(tick, Colour::Ink, "2", &[]);
    Some(writer.finish())
}

/// How many times the limit was seen, in words: `15.7 × the limit`. `None` where it is not above the limit, or where that
/// says nothing.
pub fn times_the_limit(seen: f64, limit: f64) -> Option<String> {
    let share = share(seen, limit).filter(|share| *share > 1.0)?;
    Some(match share {
        // Rounding would say that the limit was met.
        ..1.05 => format!("{:.1} % above the limit", (share - 1.0) * 100.0),
        ..19.95 => format!("{share:.1} × the limit"),
        ..1e6 => format!("{share:.0} × the limit"),
        _ => "more than a million times the limit".to_owned(),
    })
}

fn share(seen: f64, limit: f64) -> Option<f64> {
    let share = seen / limit;
    (limit > 0.0 && share.is_finite() && share >= 0.0).then_some(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_far_the_limit_is() {
        let told = [
            (786.0, 50.0),
            (2.3, 0.1),
            (1.004, 1.0),
            (1.0, 1.0),
            (1.0, 0.0),
        ]
        .map(|(a, b)| times_the_limit(a, b));
        let wanted = [
            Some("15.7 × the limit"),
            Some("23 × the limit"),
            Some("0.4 % above the limit"),
            None,
            None,
        ];
        assert_eq!(told.each_ref().map(Option::as_deref), wanted);
    }

    #[test]
    fn what_says_nothing_has_no_bar() {
        for (seen, limit) in [
            (0.0, 0.0),
            (f64::NAN, 1.0),
            (1.0, f64::INFINITY * 0.0),
            (-1.0, 1.0),
        ] {
            assert_eq!(gate_bar(seen, limit, true), None, "{seen} {limit}");
        }
    }
}
