//! The data of the sample runs.

use super::super::picture::{Judged, Level, State};
use super::HOSTILE;

/// A run as far as pictures show it.
pub(crate) struct Run {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    pub(super) seconds: f64,
    pub(super) step: f64,
    pub(super) phases: Vec<(&'static str, f64, f64, bool)>,
    pub(super) incidents: Vec<(&'static str, f64, f64)>,
    /// For each interval its samples: nanoseconds and how many.
    pub(super) samples: Vec<Vec<(u64, u64)>>,
    pub(super) states: Vec<Option<State>>,
    pub(super) sent: Vec<Option<f64>>,
    pub(super) received: Vec<Option<f64>>,
    pub(super) failed: Vec<u64>,
    pub(super) late: Vec<u64>,
    pub(super) cpu: Vec<Option<f64>>,
    pub(super) judged: Vec<Judged>,
    pub(super) not_seen: u64,
    pub(super) levels: Vec<Level>,
    pub(super) cohorts: usize,
}

/// Mixes two numbers to one between 0 and 1.
fn noise(a: usize, b: usize) -> f64 {
    let mut hash = (a as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ (b as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    hash = (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((hash ^ (hash >> 32)) >> 11) as f64 / (1u64 << 53) as f64
}

impl Run {
    /// Every sample run, in the order of the demo.
    pub(crate) fn all() -> Vec<Self> {
        vec![
            Self::troubled(),
            Self::healthy(),
            Self::long(),
            Self::empty(),
            Self::one_interval(),
            Self::one_sample(),
            Self::all_equal(),
            Self::many_cohorts(),
            Self::hostile(),
        ]
    }

    /// A steady minute.
    pub(crate) fn healthy() -> Self {
        let mut run = Self::steady("healthy", 60, 1.0);
        run.phases = vec![
            ("ramp", 0.0, 5.0, false),
            ("measured", 5.0, 55.0, true),
            ("drain", 55.0, 60.0, false),
        ];
        run.judged = (0..400)
            .map(|i| judged(i, 1.0 + 0.2 * noise(i, 7), true))
            .collect();
        run
    }

    /// A server that stands still once, with clients that are not answered.
    pub(crate) fn troubled() -> Self {
        let mut run = Self::steady("troubled", 26, 1.0);
        run.text = "The server stands still once; a few bad clients beside it.";
        run.seconds = 25.6;
        run.phases = vec![
            ("ramp", 0.0, 1.0, false),
            ("settle", 1.0, 2.0, false),
            ("measured", 2.0, 24.0, true),
            ("drain", 24.0, 25.6, false),
        ];
        run.incidents = vec![("sigstop", 12.0, 13.5), ("freeze", 19.0, 19.0)];
        run.samples[12].clear();
        run.samples[13] = (0..60)
            .map(|i| (1_000_000 + i * 16_600_000, 20 + i))
            .collect();
        (run.received[12], run.received[13]) = (Some(0.0), Some(8_019.0));
        (run.failed[12], run.failed[13]) = (160, 2_006);
        (run.late[13], run.cpu[17]) = (363, None);
        run.states[12] = Some(State {
            connecting: 60,
            open: 520,
            closing: 22,
            dead: 40,
        });
        run.states[13] = Some(State {
            connecting: 90,
            open: 480,
            closing: 40,
            dead: 75,
        });
        run.judged = (0..1_044)
            .map(|i| judged(i, 1.0 + 0.004 * noise(i, 1), true))
            .collect();
        run.judged
            .extend((0..42).map(|i| judged(2_000 + i, 1.5 + 0.95 * noise(i, 2), false)));
        run.not_seen = 30;
        run
    }

    /// Half a day in 720 intervals, restless throughout.
    pub(crate) fn long() -> Self {
        let mut run = Self::steady("long", 720, 60.0);
        run.text = "Half a day of a restless server: the most points that a chart gets.";
        run.phases = vec![
            ("ramp", 0.0, 600.0, false),
            ("measured", 600.0, 43_200.0, true),
        ];
        run.judged = (0..12_000)
            .map(|i| judged(i, 1.0 + 0.1 * noise(i, 3) + 0.1 * noise(i, 4), true))
            .collect();
        run.judged
            .extend((0..900).map(|i| judged(20_000 + i, 1.25 + 0.4 * noise(i, 5).powi(3), false)));
        for i in 0..720 {
            run.failed[i] = (noise(i, 8) * 2_000.0) as u64;
            run.late[i] = (noise(i, 9) * 900.0) as u64;
            run.sent[i] = Some(4_000.0 * noise(i, 10));
            run.received[i] = Some(4_000.0 * noise(i, 11));
            let wide = (0..60).map(|row| {
                (
                    20_000 + (noise(i, row) * 9.0).exp() as u64 * 8_000,
                    1 + row as u64 * 7,
                )
            });
            run.samples[i] = wide.collect();
            let [connecting, open, closing, dead] =
                [30.0, 700.0, 30.0, 90.0].map(|most| (noise(i, most as usize) * most) as u64);
            run.states[i] = Some(State {
                connecting,
                open,
                closing,
                dead,
            });
        }
        run
    }

    /// Nothing happened at all.
    pub(crate) fn empty() -> Self {
        let mut run = Self::steady("empty", 0, 0.0);
        run.text = "Nothing was measured; every picture says so.";
        (run.levels, run.cohorts) = (Vec::new(), 0);
        run
    }

    /// A run of one second.
    pub(crate) fn one_interval() -> Self {
        let mut run = Self::steady("one-interval", 1, 1.0);
        run.text = "A run of one second.";
        run.judged = vec![judged(1, 1.1, true)];
        run
    }

    /// One message was answered.
    pub(crate) fn one_sample() -> Self {
        let mut run = Self::steady("one-sample", 10, 1.0);
        run.text = "One message in ten seconds.";
        run.samples = vec![Vec::new(); 10];
        run.samples[4] = vec![(1_500_000, 1)];
        run.sent = vec![None; 10];
        run.received = vec![None; 10];
        (run.sent[4], run.received[4]) = (Some(1.0), Some(1.0));
        run.states = vec![None; 10];
        run.states[4] = Some(State {
            open: 1,
            ..State::default()
        });
        run.judged = vec![judged(1, 2.0, false)];
        run.levels.truncate(1);
        run.cohorts = 1;
        run
    }

    /// Every value is the same.
    pub(crate) fn all_equal() -> Self {
        let mut run = Self::steady("all-equal", 20, 1.0);
        run.text = "Every sample is the same, to the nanosecond.";
        run.samples = vec![vec![(1_000_000, 500)]; 20];
        run.sent = vec![Some(500.0); 20];
        run.received = vec![Some(500.0); 20];
        run.states = vec![
            Some(State {
                open: 100,
                ..State::default()
            });
            20
        ];
        run.judged = (0..100).map(|i| judged(i, 1.0, true)).collect();
        run
    }

    /// As many cohorts as a report shows.
    pub(crate) fn many_cohorts() -> Self {
        let mut run = Self::steady("24-cohorts", 40, 1.0);
        run.text = "Twenty-four cohorts, and three more that have no room.";
        run.cohorts = 27;
        run.incidents = (0..12)
            .map(|i| ("freeze", 3.0 * f64::from(i), 3.0 * f64::from(i) + 0.5))
            .collect();
        run
    }

    /// Names that a hostile server chose.
    pub(crate) fn hostile() -> Self {
        let mut run = Self::steady("hostile", 12, 1.0);
        run.text = "Names that try to leave their place.";
        run.phases = vec![(HOSTILE, 0.0, 12.0, true)];
        run.incidents = vec![(HOSTILE, 4.0, 5.0)];
        run.cohorts = 3;
        run
    }

    fn steady(name: &'static str, intervals: usize, step: f64) -> Self {
        let rate = |i: usize| {
            4_000.0
                * if intervals > 10 {
                    (0.25 + i as f64 / 4.0).min(1.0)
                } else {
                    1.0
                }
        };
        let open = |i: usize| (rate(i) / 6.6) as u64 - (noise(i, 0) * 9.0) as u64;
        let samples = |i| {
            (0..40).map(move |k| {
                (
                    30_000 + (f64::from(k) / 7.0 + noise(i, 1)).exp() as u64 * 2_000,
                    bell(k),
                )
            })
        };
        let level = |i: u64| {
            let survived = if i < 8 { 56 } else { 56 - (i - 7).min(5) * 10 };
            Level {
                ns: 200_000_000 + i * 106_600_000,
                survived,
                cut_off: 56 - survived,
            }
        };
        Self {
            name,
            text: "All is well.",
            seconds: intervals as f64 * step,
            step,
            phases: Vec::new(),
            incidents: Vec::new(),
            samples: (0..intervals)
                .map(|i| samples(i).filter(|(_, count)| *count > 0).collect())
                .collect(),
            states: (0..intervals)
                .map(|i| {
                    Some(State {
                        open: open(i),
                        ..State::default()
                    })
                })
                .collect(),
            sent: (0..intervals).map(|i| Some(rate(i))).collect(),
            received: (0..intervals)
                .map(|i| Some(rate(i) - noise(i, 2)))
                .collect(),
            failed: vec![0; intervals],
            late: vec![0; intervals],
            cpu: (0..intervals)
                .map(|i| Some(11.0 + 6.0 * noise(i, 3)))
                .collect(),
            judged: Vec::new(),
            not_seen: 0,
            levels: (0..16).map(level).collect(),
            cohorts: 3,
        }
    }
}

fn judged(connection: usize, seconds: f64, held: bool) -> Judged {
    Judged {
        connection: connection as u64,
        ns: (seconds * 1e9) as u64,
        held,
    }
}

fn bell(k: i32) -> u64 {
    (2_000.0 * (-f64::from(k - 6).powi(2) / 40.0).exp()) as u64 + u64::from(k % 7 == 0)
}
