//! The even spread of connections: where in a gap each starts, and when each is open while stages raise and lower
//! their number.

use std::time::Duration;

use super::load::Stage;

/// Returns where in its gap the connection at this place of its cohort starts, from 0 to below 1.
///
/// Uses the Weyl sequence of the golden ratio: the first n places are spread evenly for any n, while those of
/// `place / count` are even only when all connections are open. So a ramp is as even as the plateau after it.
pub fn fraction(place: u32) -> f64 {
    const GOLDEN: u32 = 0x9E37_79B9;
    f64::from(place.wrapping_mul(GOLDEN)) / 4_294_967_296.0
}

/// A time in which a connection is open, from the start of the first stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenTime {
    /// When it is opened.
    pub from: Duration,
    /// When it is closed; `None` is the end of the last stage.
    pub to: Option<Duration>,
}

impl Stage {
    /// The times in which the connection at this place is open: those in which the planned number of connections,
    /// which changes linearly from stage to stage, is above its place.
    pub fn open_times(stages: &[Self], place: u32) -> Vec<OpenTime> {
        let level = f64::from(place);
        let mut open_times = Vec::new();
        let mut opened = None;
        let (mut time, mut from) = (0.0, 0.0);
        for stage in stages {
            let length = stage.duration.as_nanos() as f64;
            let to = f64::from(stage.connections);
            let crossing =
                || Duration::from_nanos((time + length * (level - from) / (to - from)) as u64);
            match opened {
                None if to > level => opened = Some(crossing()),
                Some(from) if to <= level => {
                    let to = Some(crossing());
                    open_times.push(OpenTime { from, to });
                    opened = None;
                }
                _ => {}
            }
            time += length;
            from = to;
        }
        open_times.extend(opened.map(|from| OpenTime { from, to: None }));
        open_times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_first_places_are_spread_evenly() {
        for count in [2u32, 10, 100, 1000, 9800] {
            let mut starts: Vec<f64> = (0..count).map(fraction).collect();
            starts.sort_by(f64::total_cmp);
            let widest = (starts.windows(2).map(|pair| pair[1] - pair[0])).fold(0.0, f64::max);
            assert!(widest < 2.7 / f64::from(count), "{count}: {widest}");
        }
    }
}
