//! What holds for any data: pictures are well-formed, bounded, and draw inside of themselves.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::picture::scale::{
    Rounding, Scale, linear_ticks, log_ends, log_ticks, span_ticks, time_ticks,
};
use super::picture::{
    About, Allowed, Bars, Bound, Cause, Colour, Curve, Difference, Ends, Heat, Incident, Json,
    Judged, Level, Limit, Line, Load, LoadLine, Percentiles, Phase, Probe, Quantiles, Rates,
    Readings, Spectrum, State, States, Strip, Stroke, Survival, Svg, Sweep, Time, Unit, Window,
    difference_axis, ends, gate_bar, sparkline,
};
use super::places::places;
use super::samples::{HOSTILE, Run, gates, searches};
use super::xml::walk;

/// The most bytes of one picture.
const MOST: usize = 60_000;

/// Checks what every picture must be, and says why it is not.
fn check(svg: &Svg) -> Result<(), String> {
    let mut size = (0.0, 0.0);
    let mut wrong = None;
    walk(svg.as_str(), |name, attributes| {
        let of = |key: &str| {
            attributes
                .iter()
                .find(|(name, _)| *name == key)
                .map(|(_, value)| *value)
        };
        if size == (0.0, 0.0) {
            let view = of("viewBox")
                .unwrap_or_default()
                .rsplit(' ')
                .map(str::parse);
            let numbers: Vec<f64> = view.take(2).map_while(Result::ok).collect();
            size = (numbers[1], numbers[0]);
        }
        for (key, value) in attributes {
            let is_number = matches!(
                *key,
                "x" | "y" | "width" | "height" | "cx" | "cy" | "r" | "stroke-width"
            );
            if is_number && !value.parse::<f64>().is_ok_and(f64::is_finite) {
                wrong = Some(format!("{name} has {key}={value}"));
            }
        }
        // Cells of a heatmap have coordinates of their own.
        let is_cell = of("class") == Some("s-heat");
        match places(of("d").unwrap_or_default()) {
            Err(why) => wrong = Some(why),
            Ok(places) => {
                let is_outside = |(x, y): &&(f64, f64)| {
                    *x < -4.0 || *y < -4.0 || *x > size.0 + 4.0 || *y > size.1 + 4.0
                };
                if let Some(place) = places.iter().find(is_outside).filter(|_| !is_cell) {
                    wrong = Some(format!("a path goes to {place:?} outside of {size:?}"));
                }
            }
        }
    })?;
    match wrong {
        Some(why) => Err(why),
        None if svg.as_str().len() >= MOST => Err(format!("{} bytes", svg.as_str().len())),
        None => Ok(()),
    }
}

/// Any number, among them none and what is none.
fn number() -> impl Strategy<Value = Option<f64>> {
    of(prop_oneof![
        any::<f64>(),
        0.0..1e4,
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(0.0)
    ])
}

/// Lengths of time, mostly of a size that happens.
fn nanoseconds() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), 1_000u64..10_000_000_000, Just(0)]
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z.]{0,12}", Just(HOSTILE.to_owned())]
}

prop_compose! {
    fn quantiles()(all in vec(of(nanoseconds()), 5)) -> Quantiles {
        Quantiles { p50: all[0], p90: all[1], p99: all[2], p999: all[3], max: all[4] }
    }
}

prop_compose! {
    fn state()(all in prop_oneof![vec(any::<u64>(), 4), vec(0u64..2_000, 4)]) -> State {
        State { connecting: all[0], open: all[1], closing: all[2], dead: all[3] }
    }
}

prop_compose! {
    fn judged()(connection in any::<u64>(), ns in nanoseconds(), held in any::<bool>()) -> Judged {
        Judged { connection, ns, held }
    }
}

/// Calls with a time of any kind.
fn with_time<R>(numbers: &[Option<f64>], name: &str, call: impl FnOnce(&Time<'_>) -> R) -> R {
    let at = |index: usize| numbers[index].unwrap_or(index as f64);
    let phases = [
        Phase {
            name,
            from: at(0),
            to: at(1),
            measured: false,
        },
        Phase {
            name: "measured",
            from: at(1),
            to: at(2),
            measured: true,
        },
    ];
    let incidents = [
        Incident {
            name,
            from: at(3),
            to: at(4),
        },
        Incident {
            name,
            from: at(4),
            to: at(5),
        },
    ];
    call(&Time {
        from: at(6),
        to: at(7),
        step: at(8),
        phases: &phases,
        incidents: &incidents,
    })
}

fn windows() -> impl Strategy<Value = Window> {
    (of(nanoseconds()), of(nanoseconds())).prop_map(|(from, to)| Window { from, to })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn charts_over_time_hold_any_data(
        numbers in vec(number(), 9), name in word(), rows in vec(quantiles(), 0..60), states in vec(of(state()), 0..60),
        values in vec(number(), 0..60), counts in vec(any::<u64>(), 0..60),
        cells in vec(vec((nanoseconds(), any::<u64>()), 0..8), 0..60), at in any::<f64>(), bytes in any::<bool>(),
    ) {
        let about = About { id: &name, title: &name, sentence: &name };
        let line = |style| Line { name: &name, colour: Colour::P90, values: &values, style };
        let lines = [line(Stroke::Filled), line(Stroke::Dashed), line(Stroke::Plain)];
        let bars = [Bars { name: &name, colour: Colour::Bad, counts: &counts }; 2];
        let unit = if bytes { Unit::Bytes } else { Unit::PerSecond };
        let limit = Some(Limit { at, name: &name });
        let rates = Rates { height: 160, unit, lines: &lines, bars: &bars, limit };
        let percentiles = Percentiles { rows: &rows, with_phases: true };
        with_time(&numbers, &name, |time| {
            let drawn = [
                percentiles.draw(&about, time),
                Heat { columns: &cells }.draw(&about, time),
                States { rows: &states }.draw(&about, time),
                rates.draw(&about, time),
            ];
            for svg in &drawn {
                prop_assert_eq!(check(svg), Ok(()), "{}", svg);
            }
            let json = Readings::of(time).chart(&name, &rates.series()).chart("b", &percentiles.series()).finish();
            prop_assert_eq!(read_json(&json), Ok(()), "{}", json);
            Ok(())
        })?;
    }

    #[test]
    fn promises_hold_any_data(
        seen in vec(judged(), 0..80), window in windows(), count in any::<u64>(), name in word(), promised in nanoseconds(),
        looked in nanoseconds(), levels in vec((nanoseconds(), any::<u64>(), any::<u64>()), 0..30),
    ) {
        let mut levels: Vec<Level> = levels.into_iter().map(|(ns, survived, cut_off)| Level { ns, survived, cut_off }).collect();
        levels.sort_by_key(|level| level.ns);
        let ended: Vec<u64> = seen.iter().map(|one| one.ns).collect();
        let drawn = [
            Strip { window, seen: &seen, not_seen: count }.draw(&name),
            Sweep { window, levels: &levels }.draw(&name),
            Survival { promised, ended: &ended, open: count, looked }.draw(&name),
        ];
        for svg in &drawn {
            prop_assert_eq!(check(svg), Ok(()), "{}", svg);
        }
    }

    #[test]
    fn other_pictures_hold_any_data(
        shares in vec((any::<f64>(), nanoseconds()), 0..60), samples in any::<u64>(), name in word(), share in any::<f64>(),
        ns in nanoseconds(), values in vec(number(), 0..60), counts in vec(any::<u64>(), 3), probes in vec((any::<f64>(), any::<f64>()), 0..20), held in any::<bool>(), limit in any::<f64>(),
    ) {
        let curve = Curve { name: &name, colour: Colour::P99, is_dashed: held, points: &shares, samples };
        let gate = Allowed { share, ns, limit: &name };
        let causes = counts.iter().map(|count| Cause { name: &name, count: *count, colour: Colour::Good });
        let causes: Vec<Cause<'_>> = causes.collect();
        let probes: Vec<Probe> = probes.into_iter().map(|(load, value)| Probe { load, value, held }).collect();
        let lines = [LoadLine { name: &name, colour: Colour::P99, probes: &probes }];
        let load = |unit| Load {
            what: &name, unit, lines: &lines, limit: Some(Limit { at: limit, name: &name }), held: values.first().copied().flatten(),
            broke: Some(share), generator: values.last().copied().flatten(),
        };
        let mut drawn = vec![
            load(Unit::Nanoseconds).draw(&name),
            load(Unit::Bytes).draw(&name),
            Spectrum { curves: &[curve, curve], past: &[curve], gates: &[gate] }.draw(&name),
            sparkline(&name, Colour::Open, &values),
            ends(&name, &[Ends { cohort: &name, causes: &causes }, Ends { cohort: &name, causes: &[] }]),
        ];
        drawn.extend(gate_bar(share, limit, held));
        let difference = Difference {
            by: share, interval: values.first().copied().flatten().map(|lo| (lo, limit)), limit: Some(Bound { at: limit, is_upper: held }),
            colour: Colour::Good,
        };
        drawn.push(difference.draw((-1.0, 1.0), &name));
        drawn.push(difference_axis((-1.0, 1.0), &[(share, name.as_str()), (0.0, name.as_str())], &name));
        for svg in &drawn {
            prop_assert_eq!(check(svg), Ok(()), "{}", svg);
        }
    }

    #[test]
    fn scales_are_monotone_and_end_where_they_should(a in 1e-3..1e15f64, more in 1.01..1e6f64, values in vec(0.0..2e15f64, 2..9)) {
        for scale in [Scale::log((a, a * more), (62.0, 982.0)), Scale::linear((a, a * more), (62.0, 982.0))] {
            let mut values = values.clone();
            values.sort_by(f64::total_cmp);
            let places: Vec<f64> = values.iter().map(|value| scale.at(*value)).collect();
            prop_assert!(places.is_sorted() && places.iter().all(|x| (62.0..=982.0).contains(x)), "{places:?}");
            prop_assert!((scale.at(a) - 62.0).abs() < 1e-6 && (scale.at(a * more) - 982.0).abs() < 1e-6);
        }
    }

    #[test]
    fn marks_are_few_and_inside(values in vec(1.0..1e18f64, 1..5), most in 1e-3..1e12f64, from in 0.0..1e5f64, length in 0.5..1e6f64) {
        let (least, greatest) = (values.iter().copied().fold(f64::MAX, f64::min), values.iter().copied().fold(0.0, f64::max));
        let ends = log_ends(values.into_iter());
        prop_assert!(ends.0 <= least * 1.000_001 && ends.1 >= greatest * 0.999_999, "{ends:?}");
        let ticks = log_ticks(ends);
        prop_assert!((1..=7).contains(&ticks.len()) && ticks.is_sorted(), "{ticks:?}");
        prop_assert!(ticks.iter().all(|tick| *tick >= ends.0 * 0.999_999 && *tick <= ends.1 * 1.000_001), "{ticks:?}");
        for rounding in [Rounding::Decimal, Rounding::Whole, Rounding::Binary] {
            let ticks = linear_ticks(most, rounding);
            let last = ticks[ticks.len() - 1];
            prop_assert!(ticks[0] == 0.0 && last >= most * 0.999_999 && (2..=5).contains(&ticks.len()), "{ticks:?}");
            prop_assert!(rounding == Rounding::Decimal || ticks.iter().all(|tick| tick.fract() == 0.0), "{ticks:?}");
        }
        for ticks in [time_ticks((from, from + length)), span_ticks((from, from + length), 6.0)] {
            prop_assert!(ticks.len() <= 12, "{ticks:?}");
            prop_assert!(ticks.iter().all(|tick| *tick >= from - 1e-6 * length && *tick <= from + length * 1.000_001), "{ticks:?}");
        }
    }
}

/// Reads JSON as strictly as a browser does, and refuses what could end a script.
fn read_json(json: &Json) -> Result<(), String> {
    let text = json.as_str();
    let mut depth = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => loop {
                match chars.next() {
                    Some('"') => break,
                    Some('\\') => {
                        let code: String = chars.by_ref().take(5).collect();
                        let is_code = code.starts_with('u')
                            && code[1..].bytes().all(|byte| byte.is_ascii_hexdigit());
                        if code.len() != 5 || !is_code {
                            return Err(format!("\\{code}"));
                        }
                    }
                    Some(c) if c >= ' ' && c != '<' => {}
                    c => return Err(format!("{c:?} in a string")),
                }
            },
            '[' | '{' => depth.push(c),
            ']' | '}' => match (depth.pop(), c) {
                (Some('['), ']') | (Some('{'), '}') => {}
                open => return Err(format!("{open:?}")),
            },
            '0'..='9' | '-' | '.' | ',' | ':' | 'n' | 'u' | 'l' => {}
            c => return Err(format!("{c:?} outside of strings")),
        }
    }
    if depth.is_empty() {
        Ok(())
    } else {
        Err("no end".to_owned())
    }
}

#[test]
fn every_sample_is_well_formed_and_bounded() {
    for run in Run::all() {
        for picture in run
            .charts()
            .iter()
            .chain(&run.others())
            .chain(&run.promises())
        {
            assert_eq!(
                check(&picture.svg),
                Ok(()),
                "{} of {}",
                picture.id,
                run.name
            );
        }
    }
}

#[test]
fn a_chart_is_called_by_its_title_and_its_sentence() {
    for picture in Run::troubled().charts() {
        let name = format!("aria-label=\"{}. {}\"", picture.title, picture.sentence);
        assert!(picture.svg.as_str().contains(&name), "{}", picture.svg);
        assert!(picture.svg.as_str().contains("role=\"img\""));
    }
}

/// The worst that 720 intervals can hold: no two neighbours are alike.
#[test]
fn seven_hundred_and_twenty_columns_stay_small() {
    let sizes = |run: &Run| {
        run.charts()
            .iter()
            .map(|one| (one.id.clone(), one.svg.as_str().len()))
            .collect::<Vec<_>>()
    };
    let sizes = sizes(&Run::long());
    assert_eq!(sizes.len(), 6);
    for (id, size) in sizes {
        assert!(size < MOST, "{id} has {size} bytes");
        assert!(
            size > 5_000,
            "{id} has {size} bytes, and cannot show 720 columns"
        );
    }
}

/// The worst heatmap: 180 columns, in which no cell is like the one above it.
#[test]
fn a_heatmap_of_noise_stays_small() {
    let column = |i: u64| {
        let cell = move |row: u64| {
            let ns = 1_000.0 * 10f64.powf(4.0 * (row as f64 + 0.5) / 44.0);
            (
                ns as u64,
                4u64.pow(((i * 7 + row * 5 + i * row) % 9) as u32),
            )
        };
        (0..44).map(cell).collect::<Vec<_>>()
    };
    let columns: Vec<Vec<(u64, u64)>> = (0..180).map(column).collect();
    let time = Time {
        to: 180.0,
        step: 1.0,
        ..Time::default()
    };
    let about = About {
        id: "heat",
        title: "Heat",
        sentence: "",
    };
    let svg = Heat { columns: &columns }.draw(&about, &time);
    assert_eq!(check(&svg), Ok(()));
    assert!(
        svg.as_str().len() > 45_000,
        "{} bytes are not the worst",
        svg.as_str().len()
    );
}

#[test]
fn the_sample_pictures_are_what_every_picture_must_be() {
    for (name, svg) in gates().into_iter().chain(searches()) {
        check(&svg).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
    }
}
