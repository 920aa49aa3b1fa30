//! The names of metrics in systems that store numbers over time, as Prometheus wants them: in base units, with the parts
//! that vary as labels.

use super::{Counter, Gauge, Kind, Timed, Timer, Unit, unit_of};

/// A metric as other systems store it.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// The name, without `wsbench_`: letters, digits and `_`.
    pub name: String,
    /// The same without its unit, as in the catalogue: `messages.sent`, `latency`.
    pub bare: String,
    /// The unit by the Unified Code for Units of Measure: `s`, `By`, or `1` for counts and ratios.
    pub unit: &'static str,
    /// The labels that tell it from others of this name. Their values may be any text.
    pub labels: Vec<(&'static str, String)>,
    /// What it is, in one line.
    pub help: String,
    /// What values are multiplied by: seconds, bytes, ratios and counts are stored.
    pub scale: f64,
}

/// The name of a metric of this kind elsewhere: `latency.echo` is `latency_seconds{message="echo"}`.
pub fn exported(name: &str, kind: Kind) -> Exported {
    let (group, rest) = name.split_once('.').unwrap_or((name, ""));
    let (own, labels, help) = match kind {
        Kind::Counter if group == "errors" => (
            group,
            vec![("kind", rest)],
            "Failed dials and ends of connections, by their cause.",
        ),
        Kind::Counter if group == "closes" => {
            let (code, by) = rest.split_once('.').unwrap_or((rest, ""));
            let help = "How open connections ended: the code of the Close, or fin, rst or timeout; and by whom.";
            (group, vec![("code", code), ("by", by)], help)
        }
        Kind::Histogram if group == "handshake" => (
            group,
            vec![("phase", rest)],
            "The phases of a dial, and total: from the dial to the checked 101.",
        ),
        Kind::Histogram if Timed::GROUPS.contains(&group) => {
            (group, vec![("message", rest)], of_message(group))
        }
        Kind::Gauge if is_state(name) => {
            (group, vec![("state", rest)], "Connections by their state.")
        }
        _ => (name, Vec::new(), meaning(name)),
    };
    let unit = unit_of(name);
    let suffix = match (kind, unit) {
        (Kind::Counter, _) => "_total",
        (Kind::Histogram, _) => "_seconds",
        (Kind::Gauge, Unit::Percent) => "_ratio",
        (Kind::Gauge, Unit::Bytes) if !own.contains("bytes") => "_bytes",
        (Kind::Gauge, _) => "",
    };
    let is_of_name = |c: char| c.is_ascii_alphanumeric();
    let plain: String = (own.chars())
        .map(|c| if is_of_name(c) { c } else { '_' })
        .collect();
    Exported {
        name: plain + suffix,
        bare: own.to_owned(),
        unit: match (kind, unit) {
            (Kind::Histogram, _) => "s",
            (_, Unit::Bytes) => "By",
            _ => "1",
        },
        labels: (labels.into_iter())
            .map(|(key, value)| (key, value.to_owned()))
            .collect(),
        // A ratio is stored.
        help: help.replace(", in percent of one core", ", as a part of one core"),
        scale: match (kind, unit) {
            (Kind::Histogram, _) => 1e-9,
            (_, Unit::Percent) => 0.01,
            _ => 1.0,
        },
    }
}

fn is_state(name: &str) -> bool {
    let gauge = Gauge::from_name(name);
    let states = [Gauge::Connecting, Gauge::Open, Gauge::Ready, Gauge::Closing];
    gauge.is_some_and(|gauge| states.contains(&gauge))
}

fn of_message(group: &str) -> &'static str {
    match group {
        "latency" => "From the time a message was due to its answer.",
        "service" => "From the send of a message to its answer.",
        "gap" => "Between two messages of an on.",
        _ => "The age of the messages of an on.",
    }
}

fn meaning(name: &str) -> &'static str {
    let counter = Counter::from_name(name).map(Counter::meaning);
    let timer = Timer::from_name(name).map(Timer::meaning);
    let gauge = Gauge::from_name(name).map(Gauge::meaning);
    counter
        .or(timer)
        .or(gauge)
        .unwrap_or("A metric of wsbench.")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;
    use crate::metric::{kind_of, names};

    fn of(name: &str) -> Exported {
        exported(name, kind_of(name, &["echo"]).unwrap())
    }

    #[test]
    fn what_varies_is_a_label() {
        let shown = |name: &str| {
            let Exported { name, labels, .. } = of(name);
            let labels: Vec<String> = (labels.iter())
                .map(|(key, value)| format!("{key}=\"{value}\""))
                .collect();
            format!("{name}{{{}}}", labels.join(","))
        };
        for (name, wanted) in [
            ("connections.attempted", "connections_attempted_total{}"),
            ("latency.echo", "latency_seconds{message=\"echo\"}"),
            ("handshake.tcp", "handshake_seconds{phase=\"tcp\"}"),
            ("handshake.redirects", "handshake_redirects_total{}"),
            ("errors.reset", "errors_total{kind=\"reset\"}"),
            (
                "closes.1011.peer",
                "closes_total{code=\"1011\",by=\"peer\"}",
            ),
            ("connections.open", "connections{state=\"open\"}"),
            ("generator.cpu", "generator_cpu_ratio{}"),
            ("generator.rss", "generator_rss_bytes{}"),
            ("heartbeat.rtt", "heartbeat_rtt_seconds{}"),
        ] {
            assert_eq!(shown(name), wanted);
        }
        assert_eq!(of("generator.cpu").scale, 0.01);
        assert_eq!(of("latency.echo").scale, 1e-9);
    }

    #[test]
    fn no_two_metrics_are_stored_as_one_and_a_name_has_one_kind() {
        let mut seen = HashSet::new();
        let mut kinds = BTreeMap::new();
        for name in names(&["echo", "say"]) {
            let kind = kind_of(&name, &["echo", "say"]).unwrap();
            let Exported {
                name: own, labels, ..
            } = exported(&name, kind);
            assert!(own.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
            assert_eq!(*kinds.entry(own.clone()).or_insert(kind), kind, "{name}");
            assert!(seen.insert((own, labels)), "{name}");
        }
    }
}
