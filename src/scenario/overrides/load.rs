//! The options that change the load: `--connections`, `--arrivals`, `--duration` and `--rate`.

use std::time::Duration;

use super::{option, read};
use crate::scenario::reading::{At, Items as _, Problems, Time, Whole, hints};
use crate::scenario::root::File;
use crate::scenario::section::{CohortTable, Lasts, LoadTable, MessageTable};
use crate::units::Rate;

const CONNECTIONS: &str = "--connections";

pub(super) fn connections(file: &mut File, count: u32, problems: &mut Problems) {
    if !is_possible(count, problems) {
        return;
    }
    if !file.cohort.items().is_empty() {
        in_proportion(file, count);
        return;
    }
    let load = load(file);
    if let Some(arrivals) = &mut load.arrivals {
        arrivals.value.max_open = Some(At::option(CONNECTIONS, Whole(count)));
    } else if let Some(stages) = &mut load.stages {
        let counts = || {
            stages
                .value
                .0
                .iter()
                .filter_map(|s| s.value.connections.as_ref())
        };
        let peak = counts().map(|count| count.value.0).max().unwrap_or(0);
        for stage in &mut stages.value.0 {
            if let Some(at) = &mut stage.value.connections {
                at.value = Whole(scale(at.value.0, peak, count));
            }
        }
    } else {
        load.connections = Some(At::option(CONNECTIONS, Whole(count)));
    }
}

pub(super) fn connections_of(file: &mut File, name: &str, count: u32, problems: &mut Problems) {
    if !is_possible(count, problems) {
        return;
    }
    let mut names = Vec::new();
    for cohort in cohorts(file) {
        let known = cohort.name.as_ref().map_or("", |name| name.value.as_str());
        if known == name {
            cohort.connections = Some(At::option(CONNECTIONS, Whole(count)));
            return;
        }
        names.push(known.to_owned());
    }
    let mut problem = option(CONNECTIONS, format_args!("names no cohort: `{name}`"));
    problem.hint = hints::nearest(name, names.iter().map(String::as_str))
        .map(|nearest| format!("did you mean `{nearest}`?"));
    problems.push(problem);
}

fn is_possible(count: u32, problems: &mut Problems) -> bool {
    let is_possible = (1..=10_000_000).contains(&count);
    if !is_possible {
        let mut problem = option(CONNECTIONS, format_args!("cannot be {count}"));
        problem.hint = Some("write a whole number from 1 to 10000000".into());
        problems.push(problem);
    }
    is_possible
}

/// Gives all cohorts together so many connections, in the proportion of the file; each keeps at least one.
fn in_proportion(file: &mut File, wanted: u32) {
    let total: u64 = (file.cohort.items().iter())
        .filter_map(|cohort| cohort.value.connections.as_ref())
        .map(|count| u64::from(count.value.0))
        .sum();
    // Rounds the sums so far, so that the rounded numbers add up to what is wanted.
    let (mut before, mut given) = (0, 0);
    for count in cohorts(file).filter_map(|cohort| cohort.connections.as_mut()) {
        before += u64::from(count.value.0);
        let sum = (before * u64::from(wanted) + total / 2) / total.max(1);
        count.value = Whole(u32::try_from((sum - given).max(1)).unwrap_or(u32::MAX));
        given = sum;
    }
}

pub(super) fn arrivals(file: &mut File, text: &str, problems: &mut Problems) {
    const OPTION: &str = "--arrivals";
    let Some(rate) = read::<Rate>(OPTION, text, problems) else {
        return;
    };
    match &mut load(file).arrivals {
        Some(arrivals) => arrivals.value.rate = Some(At::option(OPTION, rate)),
        None => {
            let mut problem = option(OPTION, "has no arrivals to apply to");
            problem.hint = Some("write `load.arrivals` in the file".into());
            problems.push(problem);
        }
    }
}

/// Scales `part` by the change from `whole` to `wanted`; a part above zero stays above zero.
fn scale(part: u32, whole: u32, wanted: u32) -> u32 {
    if part == 0 || whole == 0 {
        return part;
    }
    let scaled = (u64::from(part) * u64::from(wanted) + u64::from(whole) / 2) / u64::from(whole);
    u32::try_from(scaled.max(1)).unwrap_or(u32::MAX)
}

pub(super) fn duration(file: &mut File, wanted: Lasts, problems: &mut Problems) {
    const OPTION: &str = "--duration";
    let load = load(file);
    let Some(stages) = &mut load.stages else {
        load.duration = Some(At::option(OPTION, wanted));
        return;
    };
    let Some(wanted) = wanted.limit() else {
        let mut problem = option(OPTION, "cannot be `endless` with `load.stages`");
        problem.hint = Some("give their length, like `--duration 10m`".into());
        problems.push(problem);
        return;
    };
    let durations = || {
        stages
            .value
            .0
            .iter()
            .filter_map(|s| s.value.duration.as_ref())
    };
    let total: Duration = durations().map(|duration| duration.value.0).sum();
    // Rounds the ends instead of the lengths, so that the rounded lengths add up to the total.
    let scaled = |end: Duration| {
        let scaled = end.as_nanos() * wanted.as_nanos() / total.as_nanos().max(1);
        Duration::from_nanos(u64::try_from(scaled).unwrap_or(u64::MAX))
    };
    let mut start = Duration::ZERO;
    for stage in &mut stages.value.0 {
        if let Some(at) = &mut stage.value.duration {
            let end = start + at.value.0;
            let length = scaled(end) - scaled(start);
            at.value = Time(length.max(Duration::from_millis(1)));
            start = end;
        }
    }
}

pub(super) fn rate(file: &mut File, text: &str, problems: &mut Problems) {
    const OPTION: &str = "--rate";
    let (name, text) = match text.split_once('=') {
        Some((name, text)) => (Some(name.trim()), text.trim()),
        None => (None, text),
    };
    let Some(rate) = read::<Rate>(OPTION, text, problems) else {
        return;
    };
    let rate = At::option(OPTION, rate);
    let names: Vec<String> = messages(file)
        .filter_map(|m| Some(m.name.as_ref()?.value.clone()))
        .collect();
    let count = messages(file).count();
    match name {
        Some(name) if !names.iter().any(|known| known == name) => {
            let mut problem = option(OPTION, format_args!("names no message: `{name}`"));
            problem.hint = match hints::nearest(name, names.iter().map(String::as_str)) {
                Some(nearest) => Some(format!("did you mean `{nearest}`?")),
                None if names.is_empty() => None,
                None => Some(format!(
                    "there is {}",
                    hints::one_of(names.iter().map(String::as_str))
                )),
            };
            problems.push(problem);
        }
        Some(name) => {
            for message in messages(file) {
                if message
                    .name
                    .as_ref()
                    .is_some_and(|known| known.value == name)
                {
                    message.rate = Some(rate.clone());
                }
            }
        }
        None if count == 1 => messages(file).for_each(|message| message.rate = Some(rate.clone())),
        None if count == 0 => {
            if let Some(arrivals) = &mut load(file).arrivals {
                arrivals.value.rate = Some(rate);
            } else {
                let mut problem = option(OPTION, "has no message to apply to");
                problem.hint = Some("add a `[[message]]` to the file".into());
                problems.push(problem);
            }
        }
        None => {
            let mut problem = option(OPTION, "does not say which message it is for");
            let names = hints::one_of(names.iter().map(String::as_str));
            problem.hint = Some(format!("write `--rate NAME={text}`; there is {names}"));
            problems.push(problem);
        }
    }
}

fn load(file: &mut File) -> &mut LoadTable {
    &mut file.load.get_or_insert_default().value
}

fn cohorts(file: &mut File) -> impl Iterator<Item = &mut CohortTable> {
    let lists = file.cohort.iter_mut().flat_map(|list| &mut list.value.0);
    lists.map(|cohort| &mut cohort.value)
}

fn messages(file: &mut File) -> impl Iterator<Item = &mut MessageTable> {
    let own = file.cohort.iter_mut().flat_map(|list| &mut list.value.0);
    let own = own.filter_map(|cohort| cohort.value.message.as_mut());
    let lists = file.message.iter_mut().chain(own);
    lists.flat_map(|list| list.value.0.iter_mut().map(|message| &mut message.value))
}
