//! The pictures of a sample run.

use super::super::picture::{
    About, Allowed, Bars, Cause, Colour, Curve, Ends, Heat, Incident, Json, Limit, Line, Load,
    LoadLine, Percentiles, Phase, Probe, Quantiles, Rates, Readings, Series, Spectrum, States,
    Strip, Stroke, Survival, Svg, Sweep, Time, Unit, Window, ends, gate_bar, sparkline,
};
use super::{HOSTILE, Picture, Run};

impl Run {
    fn text<'a>(&self, usual: &'a str) -> &'a str {
        if self.name == "hostile" {
            HOSTILE
        } else {
            usual
        }
    }

    /// Calls with the time of this run.
    fn with_time<R>(&self, call: impl FnOnce(&Time<'_>) -> R) -> R {
        let phase = |&(name, from, to, measured): &(&'static str, f64, f64, bool)| Phase {
            name,
            from,
            to,
            measured,
        };
        let phases: Vec<Phase<'_>> = self.phases.iter().map(phase).collect();
        let incidents: Vec<Incident<'_>> = self
            .incidents
            .iter()
            .map(|&(name, from, to)| Incident { name, from, to })
            .collect();
        call(&Time {
            from: 0.0,
            to: self.seconds,
            step: self.step,
            phases: &phases,
            incidents: &incidents,
        })
    }

    /// The JSON for the crosshair.
    pub(crate) fn readings(&self) -> Json {
        let pictures = self.charts();
        self.with_time(|time| {
            let with = |readings: Readings, one: &Picture| match &one.series {
                Some(series) => readings.chart(&one.id, series),
                None => readings,
            };
            pictures.iter().fold(Readings::of(time), with).finish()
        })
    }

    /// The charts over time, and the spectrum.
    pub(crate) fn charts(&self) -> Vec<Picture> {
        let rows: Vec<Quantiles> = self
            .samples
            .iter()
            .map(|samples| quantiles(samples))
            .collect();
        let latency = Percentiles {
            rows: &rows,
            with_phases: true,
        };
        let heat = Heat {
            columns: &self.samples,
        };
        let states = States { rows: &self.states };
        let line = |name, colour, values, style| Line {
            name,
            colour,
            values,
            style,
        };
        let lines = [
            line(self.text("sent"), Colour::P90, &self.sent, Stroke::Filled),
            line(
                self.text("received"),
                Colour::P50,
                &self.received,
                Stroke::Dashed,
            ),
        ];
        let unanswered = Bars {
            name: self.text("unanswered"),
            colour: Colour::Bad,
            counts: &self.failed,
        };
        let late = Bars {
            name: "late",
            colour: Colour::Doubt,
            counts: &self.late,
        };
        let rates = Rates {
            height: 160,
            unit: Unit::PerSecond,
            lines: &lines,
            bars: &[unanswered],
            limit: None,
        };
        let pings = Rates {
            height: 150,
            unit: Unit::PerSecond,
            lines: &lines,
            bars: &[unanswered, late],
            limit: None,
        };
        let cpu = [line("CPU", Colour::Mute, &self.cpu, Stroke::Filled)];
        let limit = Some(Limit {
            at: 100.0,
            name: "a whole worker",
        });
        let cpu = Rates {
            height: 120,
            unit: Unit::Percent,
            lines: &cpu,
            bars: &[],
            limit,
        };
        let worst = rows.iter().filter_map(|row| row.p99).max();
        let worst = worst.map_or_else(String::new, |ns| {
            format!(
                "The p99 of one second is {} at worst.",
                Unit::Nanoseconds.value(ns as f64)
            )
        });
        let about = |id, title| (id, title, self.text(&worst).to_owned());
        self.with_time(|time| {
            let draw = |(id, title, sentence): (&str, &str, String),
                        draw: &dyn Fn(&About<'_>) -> (Svg, Vec<Series>)| {
                let (svg, series) = draw(&About {
                    id,
                    title,
                    sentence: &sentence,
                });
                Picture {
                    id: id.to_owned(),
                    title: title.to_owned(),
                    sentence,
                    svg,
                    series: Some(series),
                }
            };
            vec![
                draw(about("latency", self.text("Latency")), &|about| {
                    (latency.draw(about, time), latency.series())
                }),
                draw(about("heat", "Latency, every answer"), &|about| {
                    (heat.draw(about, time), heat.series())
                }),
                draw(about("states", "Connections by state"), &|about| {
                    (states.draw(about, time), states.series())
                }),
                draw(about("rates", "Messages a second"), &|about| {
                    (rates.draw(about, time), rates.series())
                }),
                draw(about("pings", "Pings and pongs a second"), &|about| {
                    (pings.draw(about, time), pings.series())
                }),
                draw(about("cpu", "Processor time"), &|about| {
                    (cpu.draw(about, time), cpu.series())
                }),
            ]
        })
    }

    /// Pictures without the time of the run.
    pub(crate) fn others(&self) -> Vec<Picture> {
        let plain = |id: &str, title: &str, svg| Picture {
            id: id.to_owned(),
            title: title.to_owned(),
            sentence: self.text("What it shows, as a sentence.").to_owned(),
            svg,
            series: None,
        };
        let points = spectrum(&self.samples);
        let slower: Vec<(f64, u64)> = points.iter().map(|(share, ns)| (*share, ns * 3)).collect();
        let samples = self.samples.iter().flatten().map(|(_, count)| count).sum();
        let curve = |name, colour, points, is_dashed| Curve {
            name,
            colour,
            is_dashed,
            points,
            samples,
        };
        let curves = [
            curve(self.text("latency.echo"), Colour::P99, &slower, false),
            curve(self.text("service.echo"), Colour::P99, &points, true),
        ];
        let gates = [
            Allowed {
                share: 0.5,
                ns: 5_000_000,
                limit: "5ms",
            },
            Allowed {
                share: 0.99,
                ns: 2_000_000,
                limit: self.text("2ms"),
            },
            Allowed {
                share: 0.999,
                ns: 500_000_000_000,
                limit: "500s",
            },
        ];
        let names = cohorts(self.cohorts, self.text("mute"));
        // Of more samples, so that it goes further than there is room for.
        let earlier: Vec<(f64, u64)> = points.iter().map(|(share, ns)| (*share, ns * 2)).collect();
        let past = Curve {
            samples: samples * 50,
            ..curve(self.text("baseline"), Colour::Mute, &earlier, true)
        };
        let spectrum = Spectrum {
            curves: &curves,
            past: &[past],
            gates: &gates,
        }
        .draw(self.text("Percentile spectrum"));
        vec![
            plain("spectrum", "Percentile spectrum", spectrum),
            plain("ends", "How connections ended", self.ends(&names)),
            plain(
                "spark",
                self.text("mute"),
                sparkline(
                    self.text("open connections of mute"),
                    Colour::Open,
                    &self.received,
                ),
            ),
        ]
    }

    /// What was promised.
    pub(crate) fn promises(&self) -> Vec<Picture> {
        let plain = |id: &str, svg| Picture {
            id: id.to_owned(),
            title: self.text(id).to_owned(),
            sentence: format!("{} connections were judged.", self.judged.len()),
            svg,
            series: None,
        };
        let window = Window {
            from: Some(1_000_000_000),
            to: Some(1_250_000_000),
        };
        let strip = Strip {
            window,
            seen: &self.judged,
            not_seen: self.not_seen,
        };
        let sweep = Sweep {
            window: Window {
                from: Some(900_000_000),
                to: Some(1_100_000_000),
            },
            levels: &self.levels,
        };
        let ended: Vec<u64> = self.judged.iter().map(|one| one.ns).collect();
        let survival = Survival {
            promised: 1_200_000_000,
            ended: &ended,
            open: self.not_seen,
            looked: 2_600_000_000,
        };
        vec![
            plain("closed_between", strip.draw(self.text("closed_between"))),
            plain(
                "effective_timeout",
                sweep.draw(self.text("effective_timeout")),
            ),
            plain("alive_for", survival.draw(self.text("alive_for"))),
        ]
    }

    fn ends(&self, names: &[String]) -> Svg {
        let cause = |name, count, colour| Cause {
            name,
            count,
            colour,
        };
        let causes: Vec<[Cause<'_>; 3]> = (0..names.len() as u64)
            .map(|row| {
                [
                    cause(self.text("closed by peer"), row * 97, Colour::P99),
                    cause("completed", 400, Colour::Good),
                    cause(self.text("reset"), row % 3, Colour::Bad),
                ]
            })
            .collect();
        let rows: Vec<Ends<'_>> = names
            .iter()
            .zip(&causes)
            .map(|(cohort, causes)| Ends { cohort, causes })
            .collect();
        ends(self.text("How connections ended, by cohort"), &rows)
    }
}

/// Searches: one that found the limit, one that the generator ended, memory over connections, and one without probes.
pub(crate) fn searches() -> Vec<(&'static str, Svg)> {
    let probe = |load: f64, value: f64, held| Probe { load, value, held };
    let p99 = |load: f64| 1.2e6 * (1.0 + (load / 6_400.0).powi(6));
    let loads = [
        100.0, 200.0, 400.0, 800.0, 1_600.0, 3_200.0, 6_400.0, 12_800.0, 9_100.0, 7_600.0,
    ];
    let slow = loads.map(|load| probe(load, p99(load), load <= 7_600.0));
    let quick = loads.map(|load| probe(load, 60_000.0 * (1.0 + load / 4_000.0), true));
    let memory = loads.map(|load| probe(load, 8e6 + load * 14_000.0, true));
    let line = |name, colour, probes| LoadLine {
        name,
        colour,
        probes,
    };
    let lines = [
        line("p50", Colour::P50, &quick[..]),
        line("p99", Colour::P99, &slow[..]),
    ];
    let found = Load {
        what: "connections",
        unit: Unit::Nanoseconds,
        lines: &lines,
        limit: Some(Limit {
            at: 5e6,
            name: "p99(latency.say) < 5ms",
        }),
        held: Some(7_600.0),
        broke: Some(9_100.0),
        generator: None,
    };
    let memory = [line("memory", Colour::P90, &memory[..])];
    let idle = Load {
        unit: Unit::Bytes,
        lines: &memory,
        limit: None,
        broke: None,
        ..found
    };
    let nothing = Load {
        lines: &[],
        ..found
    };
    let generator = Load {
        broke: None,
        generator: Some(8_000.0),
        ..found
    };
    let all = [
        ("found", found),
        ("generator", generator),
        ("idle", idle),
        ("nothing", nothing),
    ];
    all.map(|(name, load)| (name, load.draw("What the server bears")))
        .into()
}

/// Bars of gates: held, broken, met exactly, nothing seen.
pub(crate) fn gates() -> Vec<(&'static str, Svg)> {
    let bars = [
        ("far", 46.0, 5_000.0, true),
        ("near", 99.0, 100.0, true),
        ("broken", 786.0, 50.0, false),
        ("zero", 0.0, 1.0, true),
    ];
    bars.into_iter()
        .filter_map(|(name, seen, limit, held)| Some((name, gate_bar(seen, limit, held)?)))
        .collect()
}

fn cohorts(count: usize, second: &str) -> Vec<String> {
    let names = (0..count).map(|i| match i {
        0 => "clients".to_owned(),
        1 => second.to_owned(),
        _ => format!("cohort-{i}"),
    });
    names.collect()
}
fn quantiles(samples: &[(u64, u64)]) -> Quantiles {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let all: u64 = sorted.iter().map(|(_, count)| count).sum();
    let at = |share: f64| {
        let wanted = ((all as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let found = sorted.iter().find(|(_, count)| {
            seen += count;
            seen >= wanted
        });
        found
            .filter(|_| all as f64 * (1.0 - share) >= 1.0)
            .map(|(ns, _)| *ns)
    };
    let max = sorted.last().map(|(ns, _)| *ns);
    Quantiles {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max,
    }
}

fn spectrum(samples: &[Vec<(u64, u64)>]) -> Vec<(f64, u64)> {
    let mut all: Vec<(u64, u64)> = samples.iter().flatten().copied().collect();
    all.sort_unstable();
    let total: u64 = all.iter().map(|(_, count)| count).sum();
    let mut seen = 0;
    let points = all.into_iter().map(|(ns, count)| {
        seen += count;
        (seen as f64 / total as f64, ns)
    });
    points.collect()
}
