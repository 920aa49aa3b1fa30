//! The percentile spectrum of a run: its messages and pings, what gates allow of them, and what a baseline had.

use super::figures::Figure;
use crate::measure::Histogram;
use crate::metric::{self, Timer};
use crate::report::picture::{Allowed, Colour, Curve, Spectrum};
use crate::report::run::{BaselineTimes, Run};
use crate::units::{counted, human_ns};
use crate::verdict::View;

/// The most gates that are drawn.
const ALLOWED: usize = 8;
/// The colours of several distributions.
const COLOURS: [Colour; 3] = [Colour::P99, Colour::P90, Colour::P50];

/// The percentile spectrum of messages and pings; `None` if nothing was timed.
pub(super) fn spectrum(run: &Run, view: &View<'_>, messages: &[String]) -> Option<Figure> {
    let mut named: Vec<(String, Colour, bool, Histogram)> = Vec::new();
    for (message, colour) in messages.iter().zip(COLOURS) {
        for (name, is_dashed) in [
            (metric::latency(message), false),
            (metric::service(message), true),
        ] {
            named.extend(
                view.histogram(&name)
                    .map(|times| (name, colour, is_dashed, times)),
            );
        }
    }
    let rtt = Timer::HeartbeatRtt.name();
    named.extend(
        view.histogram(rtt)
            .map(|times| (rtt.to_owned(), Colour::P999, false, times)),
    );
    let points: Vec<Vec<(f64, u64)>> = named.iter().map(|(.., times)| points(times)).collect();
    let curves = named.iter().zip(&points);
    let curves: Vec<Curve<'_>> = curves
        .map(|((name, colour, is_dashed, times), points)| Curve {
            name,
            colour: *colour,
            is_dashed: *is_dashed,
            points,
            samples: times.count(),
        })
        .collect();
    let samples: u64 = curves.iter().map(|curve| curve.samples).max()?;
    let past = Past::of(run, |metric| named.iter().any(|(name, ..)| name == metric));
    let limits = limits(run);
    let gates = limits.iter().map(|(share, ns, limit)| Allowed {
        share: *share,
        ns: *ns,
        limit,
    });
    let gates: Vec<Allowed<'_>> = gates.collect();
    let allowed = match gates.is_empty() {
        true => "",
        false => " Red: what a gate allows.",
    };
    let sentence = format!(
        "Up to {}, each line ends at its slowest.{allowed}{}",
        counted(samples, "sample"),
        past.sentence()
    );
    let chart = Spectrum {
        curves: &curves,
        past: &past.curves(),
        gates: &gates,
    };
    Some(Figure {
        id: "spectrum".to_owned(),
        svg: chart.draw(&format!("Percentile spectrum. {sentence}")),
        title: "Percentile spectrum".to_owned(),
        sentence,
    })
}

/// The recorded values of a distribution: the share of samples that took at most so many nanoseconds.
fn points(times: &Histogram) -> Vec<(f64, u64)> {
    let quantiles = times.quantiles().into_iter();
    quantiles.map(|(quantile, ns, _)| (quantile, ns)).collect()
}

/// What the baseline of a run had of the times that are drawn.
struct Past<'a> {
    all: Vec<Before<'a>>,
}

/// One distribution of the baseline.
struct Before<'a> {
    /// Its name in the picture.
    name: String,
    baseline: &'a BaselineTimes,
    points: Vec<(f64, u64)>,
}

impl<'a> Past<'a> {
    fn of(run: &'a Run, is_drawn: impl Fn(&str) -> bool) -> Self {
        let all = run.baseline.iter().flat_map(|baseline| &baseline.times);
        let drawn = all.filter(|past| is_drawn(&past.metric) && !past.times.is_empty());
        let mut all: Vec<_> = drawn
            .map(|baseline| Before {
                name: "baseline".to_owned(),
                baseline,
                points: points(&baseline.times),
            })
            .collect();
        if all.len() > 1 {
            for before in &mut all {
                before.name = format!("baseline {}", before.baseline.metric);
            }
        }
        Self { all }
    }

    fn curves(&self) -> Vec<Curve<'_>> {
        let curves = self.all.iter().map(|before| Curve {
            name: &before.name,
            colour: Colour::Mute,
            is_dashed: true,
            points: &before.points,
            samples: before.baseline.times.count(),
        });
        curves.collect()
    }

    fn sentence(&self) -> String {
        let sessions = self.all.iter().map(|before| before.baseline.sessions).max();
        sessions.map_or_else(String::new, |sessions| {
            let sessions = counted(sessions as u64, "session");
            format!(" Grey: the baseline, {sessions} together.")
        })
    }
}

/// What gates allow of percentiles: the share, the limit in nanoseconds and in words.
fn limits(run: &Run) -> Vec<(f64, u64, String)> {
    let gates = run.verdict.gates.iter();
    let limits = gates.filter_map(|gate| {
        let limit = gate.limit()?;
        let (stat, rest) = gate.gate.trim_start().split_once('(')?;
        let percent: f64 = stat.trim_end().strip_prefix('p')?.parse().ok()?;
        let is_shown = ["latency.", "service.", "heartbeat.rtt"].iter();
        let mut is_shown = is_shown.filter(|name| rest.trim_start().starts_with(**name));
        is_shown.next()?;
        Some((
            percent / 100.0,
            limit.value as u64,
            human_ns(limit.value as u64),
        ))
    });
    limits.take(ALLOWED).collect()
}
