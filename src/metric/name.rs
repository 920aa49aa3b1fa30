//! The names of all metrics, and what a name says: its kind, its unit, what it counts.

use super::{Cause, CloseKind, Counter, Gauge, Kind, Side, Timer, Unit};

/// The unit of the metric with this name.
pub fn unit_of(name: &str) -> Unit {
    if name.starts_with("bytes.") {
        return Unit::Bytes;
    }
    match Gauge::from_name(name) {
        Some(Gauge::GeneratorCpu | Gauge::TargetCpu) => return Unit::Percent,
        Some(Gauge::GeneratorRss | Gauge::BytesPerConnection | Gauge::TargetRss) => {
            return Unit::Bytes;
        }
        Some(
            Gauge::Connecting
            | Gauge::Open
            | Gauge::Ready
            | Gauge::Closing
            | Gauge::TargetDescriptors,
        ) => return Unit::Count,
        None => {}
    }
    let group = name.split_once('.').map(|(group, _)| group);
    let is_of_slot = group.is_some_and(|group| Timed::GROUPS.contains(&group));
    if is_of_slot || Timer::from_name(name).is_some() {
        Unit::Time
    } else {
        Unit::Count
    }
}

/// What has two times under a name of its own: a message, a step, or an `[[on]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed {
    /// The name; empty where nothing is timed.
    pub name: String,
    /// The groups of the two times.
    groups: [&'static str; 2],
}

impl Timed {
    /// All groups.
    pub const GROUPS: [&'static str; 4] = ["latency", "service", "gap", "age"];

    /// A message or a step: from the time it was due, and from its send, to its answer.
    pub fn sent(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            groups: ["latency", "service"],
        }
    }

    /// An `[[on]]`: the time between two of its messages, and how old they are.
    pub fn heard(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            groups: ["gap", "age"],
        }
    }

    /// The names of the two times.
    pub fn metrics(&self) -> [String; 2] {
        self.groups.map(|group| format!("{group}.{}", self.name))
    }

    /// Which of the two times has this name; `None` if neither has.
    pub fn place(&self, metric: &str) -> Option<usize> {
        let (group, name) = metric.split_once('.')?;
        let place = self.groups.iter().position(|own| *own == group);
        place.filter(|_| self.name == name)
    }
}

/// The name of a message's latency, which counts from its intended send time.
pub fn latency(message: &str) -> String {
    format!("latency.{message}")
}

/// The name of a message's service time, which counts from its actual send.
pub fn service(message: &str) -> String {
    format!("service.{message}")
}

/// The name of the counter of a cause.
pub fn error(cause: Cause) -> String {
    format!("errors.{cause}")
}

/// The name of the counter of a kind of close.
pub fn close(kind: CloseKind, side: Side) -> String {
    format!("closes.{kind}.{}", side.name())
}

/// Whether the metric with this name counts ends of connections, or messages lost by such an end. A contract that
/// expects an end excuses only these.
pub fn tells_of_ends(name: &str) -> bool {
    let group = name.split('.').next().unwrap_or_default();
    let lost_with_it = [Counter::MessagesLost, Counter::MessagesOffline];
    matches!(group, "connections" | "closes" | "errors")
        || lost_with_it.iter().any(|counter| counter.name() == name)
}

/// Whether the metric with this name is of the run as a whole, and of no cohort.
pub fn is_of_run(name: &str) -> bool {
    name.starts_with("generator.")
        || name.starts_with("target.")
        || name == Timer::HandshakeDns.name()
}

/// Whether the metric with this name is kept only for the whole run, and not for each stage.
pub fn covers_whole_run(name: &str) -> bool {
    if matches!(
        Gauge::from_name(name),
        Some(Gauge::Connecting | Gauge::Open | Gauge::Ready | Gauge::Closing)
    ) {
        return false;
    }
    // Waits of open connections are of their time.
    if name == Timer::Http2Blocked.name() {
        return false;
    }
    let group = name.split('.').next().unwrap_or_default();
    let groups = [
        "connections",
        "compressed",
        "tls",
        "http2",
        "handshake",
        "setup",
        "reconnect",
        "reconnects",
        "close",
        "closes",
        "errors",
        "bytes",
        "generator",
        "target",
    ];
    groups.contains(&group) || name == Timer::HeartbeatDetection.name()
}

/// The cause that the counter with this name counts.
pub fn cause_from_name(name: &str) -> Option<Cause> {
    let cause = Cause::from_name(name.strip_prefix("errors.")?)?;
    (cause != Cause::Completed).then_some(cause)
}

/// The kind of close that the counter with this name counts.
pub fn close_from_name(name: &str) -> Option<(CloseKind, Side)> {
    let (how, side) = name.strip_prefix("closes.")?.split_once('.')?;
    let kind = match how {
        "fin" => CloseKind::Fin,
        "rst" => CloseKind::Rst,
        "timeout" => CloseKind::Timeout,
        code => CloseKind::Code(
            code.parse()
                .ok()
                .filter(|code| (1000..5000).contains(code))?,
        ),
    };
    let sides = [Side::Peer, Side::Local];
    let side = sides.into_iter().find(|one| one.name() == side)?;
    Some((kind, side))
}

/// The kind of the metric with this name, where `messages` are the names of the scenario's messages; `None` if there is
/// no such metric.
pub fn kind_of(name: &str, messages: &[&str]) -> Option<Kind> {
    if Counter::from_name(name).is_some() {
        return Some(Kind::Counter);
    }
    if Timer::from_name(name).is_some() {
        return Some(Kind::Histogram);
    }
    if Gauge::from_name(name).is_some() {
        return Some(Kind::Gauge);
    }
    let (group, rest) = name.split_once('.')?;
    match group {
        _ if Timed::GROUPS.contains(&group) => messages.contains(&rest).then_some(Kind::Histogram),
        "errors" => cause_from_name(name).map(|_| Kind::Counter),
        "closes" => close_from_name(name).map(|_| Kind::Counter),
        _ => None,
    }
}

/// All names that a gate may use in a scenario with these messages, except the open family `closes.*`. For hints.
pub fn names(messages: &[&str]) -> Vec<String> {
    let fixed = Counter::ALL
        .iter()
        .map(|c| c.name().to_owned())
        .chain(Timer::ALL.iter().map(|t| t.name().to_owned()))
        .chain(Gauge::ALL.iter().map(|g| g.name().to_owned()));
    let causes = Cause::ALL
        .iter()
        .filter(|cause| **cause != Cause::Completed)
        .map(|cause| error(*cause));
    let timed = messages.iter().flat_map(|m| [latency(m), service(m)]);
    fixed.chain(causes).chain(timed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_found_again() {
        let all = names(&["echo"]);
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        for name in &all {
            assert!(kind_of(name, &["echo"]).is_some(), "{name}");
        }
    }

    #[test]
    fn every_histogram_is_measured_in_time() {
        for name in names(&["echo"]) {
            let is_histogram = kind_of(&name, &["echo"]) == Some(Kind::Histogram);
            assert_eq!(unit_of(&name) == Unit::Time, is_histogram, "{name}");
        }
        assert_eq!(unit_of("bytes.sent"), Unit::Bytes);
        assert_eq!(unit_of("generator.cpu"), Unit::Percent);
        assert_eq!(unit_of("target.cpu"), Unit::Percent);
        assert_eq!(unit_of("target.rss"), Unit::Bytes);
        assert_eq!(unit_of("target.descriptors"), Unit::Count);
    }

    #[test]
    fn an_end_is_no_message_and_no_heartbeat() {
        for name in [
            "connections.lost",
            "connections.open",
            "closes.1001.peer",
            "errors.eof",
            "messages.lost",
            "messages.offline",
        ] {
            assert!(tells_of_ends(name), "{name}");
        }
        for name in [
            "messages.timed_out",
            "messages.not_sent",
            "heartbeat.missed",
            "latency.echo",
            "close.duration",
            "reconnect.duration",
        ] {
            assert!(!tells_of_ends(name), "{name}");
        }
    }

    /// Whoever records them does so for the whole run, so a gate on a window of them would see nothing.
    #[test]
    fn what_dials_and_what_they_open_count_is_of_the_whole_run() {
        for counter in [
            Counter::ConnectionsOpened,
            Counter::HandshakeRedirects,
            Counter::ReconnectsDeferred,
            Counter::TlsResumed,
            Counter::CompressedSent,
            Counter::Http2Carriers,
            Counter::Http2CarriersLost,
            Counter::Http2Goaways,
            Counter::Http2Unended,
        ] {
            assert!(covers_whole_run(counter.name()), "{counter}");
        }
        assert!(covers_whole_run(Timer::Http2Queued.name()));
        for name in [Timer::Http2Blocked.name(), Timer::HeartbeatRtt.name()] {
            assert!(!covers_whole_run(name), "{name}");
        }
    }

    #[test]
    fn open_families_are_checked() {
        assert_eq!(kind_of("closes.1011.peer", &[]), Some(Kind::Counter));
        assert_eq!(kind_of("closes.fin.local", &[]), Some(Kind::Counter));
        assert_eq!(kind_of("closes.99.peer", &[]), None);
        assert_eq!(kind_of("closes.1000.nobody", &[]), None);
        assert_eq!(kind_of("latency.chat", &["echo"]), None);
        assert_eq!(kind_of("errors.completed", &[]), None);
    }
}
