//! The sentence below a chart: what it found, not what its axes are. It is also what a screen reader says.

use crate::report::picture::{Quantiles, State, Time, clock};
use crate::units::{counted, human_count, human_ns};

/// Which of the percentiles.
type Which = fn(&Quantiles) -> Option<u64>;

/// `The p99 of one second is 264 µs in the middle and 986 ms at worst (at 13 s).`
pub(super) fn percentiles(time: &Time<'_>, step: f64, rows: &[Quantiles]) -> String {
    let of = |which: Which| -> Vec<Option<f64>> {
        rows.iter()
            .map(|row| which(row).map(|ns| ns as f64))
            .collect()
    };
    let named: [(&str, Which); 3] = [
        ("p99", |row| row.p99),
        ("p50", |row| row.p50),
        ("slowest", |row| row.max),
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
            "The {name} of {} is {} in the middle and {} at worst (at {}).",
            span(step),
            human_ns(middle as u64),
            human_ns(worst as u64),
            clock(index as f64 * step)
        ),
    }
}

/// `4,000/s sent, 3,998/s received in the middle; 12 timed out.`
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
    let middle = format!("In the middle {}", middle.join(" and "));
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
    let most = format!(
        "At most {} open, first at {}",
        counted(most as u64, "connection"),
        clock((index + 1) as f64 * step)
    );
    match dead {
        0 => format!("{most}; none was declared dead."),
        _ => format!("{most}; {} declared dead.", human_count(dead)),
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
        1.0 => "one second".to_owned(),
        seconds if seconds < 120.0 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", (seconds / 60.0).round()),
    }
}
