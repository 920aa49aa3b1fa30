//! The sentence below a chart: what it found, not what its axes are. It is also what a screen reader says.

use crate::report::picture::{Quantiles, State, Time, clock};
use crate::units::{counted, human_count, human_ns};

/// Which of the percentiles.
type Which = fn(&Quantiles) -> Option<u64>;

/// `p99 of each second: median 264 µs, at most 986 ms (at 13 s).`
pub(super) fn percentiles(time: &Time<'_>, step: f64, rows: &[Quantiles]) -> String {
    let of = |which: Which| -> Vec<Option<f64>> {
        rows.iter()
            .map(|row| which(row).map(|ns| ns as f64))
            .collect()
    };
    let named: [(&str, Which); 3] = [
        ("p99", |row| row.p99),
        ("p50", |row| row.p50),
        ("Slowest", |row| row.max),
    ];
    let found = named.into_iter().find_map(|(name, which)| {
        let values = of(which);
        let middle = time.middle(&values)?;
        let (index, worst) = worst(&values)?;
        Some((name, middle, index, worst))
    });
    match found {
        None => String::new(),
        Some((name, middle, index, worst)) => format!(
            "{name} of each {}: median {}, at most {} (at {}).",
            span(step),
            human_ns(middle as u64),
            human_ns(worst as u64),
            clock(index as f64 * step)
        ),
    }
}

/// `Median: 4,000/s sent and 3,998/s received; 12 timed out in all.`
pub(super) fn rates(
    time: &Time<'_>,
    names: [&str; 2],
    values: &[Vec<Option<f64>>; 2],
    wrong: &[(&str, u64)],
) -> String {
    let middle = names.iter().zip(values).filter_map(|(name, values)| {
        let middle = time.middle(values)?;
        Some(format!("{}/s {name}", human_count(middle.round() as u64)))
    });
    let middle: Vec<String> = middle.collect();
    let middle = format!("Median: {}", middle.join(" and "));
    let wrong = wrong.iter().filter(|(_, count)| *count > 0);
    let wrong: Vec<String> = wrong
        .map(|(name, count)| format!("{} {name}", human_count(*count)))
        .collect();
    match wrong.is_empty() {
        true => format!("{middle}; none went wrong."),
        false => format!("{middle}; {} in all.", wrong.join(", ")),
    }
}

/// `At most 1,000 open at once (at 12 s); 3 were declared dead.`
pub(super) fn states(rows: &[Option<State>], step: f64) -> String {
    let open: Vec<Option<f64>> = rows
        .iter()
        .map(|row| row.map(|row| row.open as f64))
        .collect();
    let dead = rows.iter().flatten().map(|row| row.dead).max().unwrap_or(0);
    let (index, most) = worst(&open).unwrap_or_default();
    let open = match (most as u64, step) {
        (0, 1.0) => "No connection was open at the end of a second".to_owned(),
        (0, _) => "No connection was open at the end of a step".to_owned(),
        (most, _) => format!(
            "At most {} open, first at {}",
            counted(most, "connection"),
            clock((index + 1) as f64 * step)
        ),
    };
    match dead {
        0 if most == 0.0 => format!("{open}."),
        0 => format!("{open}; none was declared dead."),
        _ => format!("{open}; {} declared dead.", human_count(dead)),
    }
}

/// The largest value and where it is first.
fn worst(values: &[Option<f64>]) -> Option<(usize, f64)> {
    let known = values.iter().enumerate();
    let known = known.filter_map(|(index, value)| Some((index, (*value)?)));
    known.reduce(|worst, next| if next.1 > worst.1 { next } else { worst })
}

/// The length of a step, for people.
fn span(step: f64) -> String {
    match step {
        1.0 => "second".to_owned(),
        seconds if seconds < 120.0 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", (seconds / 60.0).round()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(open: u64, dead: u64) -> Option<State> {
        Some(State {
            open,
            dead,
            ..State::default()
        })
    }

    #[test]
    fn connections_are_told_as_they_are_at_the_ends_of_steps() {
        assert_eq!(
            states(&[open(3, 0), open(5, 0), open(5, 0)], 1.0),
            "At most 5 connections open, first at 2 s; none was declared dead."
        );
        assert_eq!(
            states(&[open(1, 0), open(0, 2)], 1.0),
            "At most 1 connection open, first at 1 s; 2 declared dead."
        );
        let none = "No connection was open at the end of a second.";
        assert_eq!(states(&[open(0, 0), None], 1.0), none);
    }

    #[test]
    fn times_and_rates_are_told_by_their_median_and_their_worst() {
        let time = Time {
            to: 3.0,
            step: 1.0,
            ..Time::default()
        };
        let row = |max| Quantiles {
            max,
            ..Quantiles::default()
        };
        assert_eq!(
            percentiles(&time, 1.0, &[row(Some(4_900_000)), row(Some(3_380_000))]),
            "Slowest of each second: median 3.38 ms, at most 4.90 ms (at 0 s)."
        );
        let values = [vec![Some(15.0), Some(15.0)], vec![Some(15.0), None]];
        assert_eq!(
            rates(&time, ["sent", "received"], &values, &[("lost", 0)]),
            "Median: 15/s sent and 15/s received; none went wrong."
        );
        assert_eq!(
            rates(&time, ["sent", "received"], &values, &[("lost", 2)]),
            "Median: 15/s sent and 15/s received; 2 lost in all."
        );
    }
}
