//! Hints for an unknown word: the nearest known one, or wsbench's word for a word of another tool.

/// Words of k6, of Artillery, of Toxiproxy and of everyday language, one in a line, each with a hint to wsbench's own.
const FOREIGN: &str = r#"
thresholds       k6's `thresholds` are `[gates]` here
ensure           Artillery's `ensure` is `[gates]` here
vus              k6's `vus` are `load.connections` here
preAllocatedVUs  k6's `vus` are `load.connections` here
maxVUs           k6's `maxVUs` are `load.arrivals.max_open` here
maxVusers        Artillery's `maxVusers` are `load.arrivals.max_open` here
executor         k6's `executor` is the shape of `[load]` here: `connections`, `stages` or `arrivals`
timeUnit         a rate has its unit here: `rate = "20/s"`
iterations       k6's `iterations` are `count` in `[[message]]` here
gracefulStop     k6's `gracefulStop` is `target.close_timeout` here
scenarios        a file is one scenario; groups that run side by side are `[[cohort]]`
phases           Artillery's `phases` are `load.stages` or `load.arrivals` here
arrivalRate      Artillery's `arrivalRate` is `load.arrivals = { rate = "20/s", … }` here
arrivalCount     Artillery's `arrivalCount` is `load.connections` with `load.ramp_up` here
rampTo           Artillery's `rampTo` is `load.stages` here
think            `think` is a key of `[[message]]`
config           there is no `config` section; its keys are `[target]` and `[load]` here
ping             pings are sent by `[heartbeat]`
ping_interval    pings are sent by `[heartbeat]`: `interval = "10s"`
concurrency      how many at once is `load.connections` here
clients          how many at once is `load.connections` here
users            how many at once is `load.connections` here
fault            what clients do wrong is `fault` of a `[[cohort]]`; what is done to the target is `[[target.fault]]`
faults           what clients do wrong is `fault` of a `[[cohort]]`; what is done to the target is `[[target.fault]]`
contracts        what a server promises is `contract` of a `[[cohort]]`, or above for all healthy ones
expect_close     the end of a connection is promised in a `contract`: `closed_between`, `code` and `ends_with`
idle_timeout     what a server does after a time is promised in a `contract`: `closed_between` or `alive_for`
close_code       in a `contract` it is `code = 1011`
closed_within    a window has two ends: `closed_between = ["0s", "4s"]`
reaped_within    a window has two ends: `reaped_between = ["0s", "4s"]`
detected_within  a window has two ends: `detected_between = ["0s", "4s"]`
close            an end with a Close frame is `close_frame`; a client that closes is `fault = { kind = "close" }`
latency          Toxiproxy's `latency` is `delay` in `[path]` here
bandwidth        Toxiproxy's `bandwidth` is `throttle` in `[path]` here
reset_peer       Toxiproxy's `reset_peer` is `reset` in `[path]` here
toxics           Toxiproxy's `toxics` are `[path]` here: `delay`, `throttle`, `freeze`, `drop`, `reset`
proxy            a relay between the clients and the target is `[path]`
relay            a relay between the clients and the target is `[path]`
blackhole        on the path it is `drop` or `freeze` in `[path]`; of a client, `fault = { kind = "vanish" }`
sigkill          connections that are lost at once are `reset` in `[path]`
sleep            a time in which nothing is done is `pause = "2s"` in `[[step]]`
wait             a time in which nothing is done is `pause = "2s"`; for a message a step waits by `await`
loop             steps are played again by `repeat = { count = 3 }`, with `[[step.step]]` below it
cmd              the program to start is `command` in `[target]`
"#;

/// The hint for a word of another tool.
pub(in crate::scenario) fn foreign(word: &str) -> Option<&'static str> {
    let plain = |text: &str| text.replace(['_', '-'], "").to_lowercase();
    let pairs = FOREIGN.lines().filter_map(|line| line.split_once(' '));
    let mut hints = pairs.filter(|(theirs, _)| plain(theirs) == plain(word));
    hints.next().map(|(_, hint)| hint.trim_start())
}

/// The candidate that was most likely meant, if one is similar enough.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The candidate that differs by one letter, or by two that changed places: where other words are legal too.
pub(in crate::scenario) fn misspelt<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let mut candidates = candidates.into_iter();
    candidates.find(|candidate| strsim::damerau_levenshtein(word, candidate) == 1)
}

/// The hint for an unknown name: the nearest known one, or all there are.
pub(in crate::scenario) fn meant(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("there is {}", one_of(known.iter().copied())),
    }
}

/// Lists words as `a`, `a or b` or `a, b or c`, each in backticks.
pub(in crate::scenario) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_near() {
        let known = ["connections", "duration", "ramp_up"];
        assert_eq!(nearest("conections", known), Some("connections"));
        assert_eq!(nearest("rampup", known), Some("ramp_up"));
        assert_eq!(nearest("colour", known), None);
    }

    #[test]
    fn words_of_other_tools_are_found_however_they_are_spelled() {
        assert!(foreign("arrivalRate").unwrap().contains("load.arrivals"));
        assert_eq!(foreign("arrival_rate"), foreign("arrivalRate"));
        assert_eq!(foreign("connections"), None);
    }

    #[test]
    fn lists_read_as_prose() {
        assert_eq!(one_of(["a"]), "`a`");
        assert_eq!(one_of(["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
