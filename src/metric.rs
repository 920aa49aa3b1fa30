//! The catalogue of names: all counters, histograms, gauges and causes of an end that wsbench can report.
//! A leaf module and a public interface: gates, reports and documents take their names from here.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Declares an enum whose variants each have a stable name and a one-line meaning.
macro_rules! catalogue {
    ($(#[$doc:meta])* $enum:ident { $($variant:ident => $name:literal, $meaning:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $enum {
            $(#[doc = $meaning] $variant,)+
        }

        impl $enum {
            /// All variants, in the order of reports.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            /// The number of variants.
            pub const COUNT: usize = Self::ALL.len();

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The meaning, in one line.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// The variant with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $enum {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl Serialize for $enum {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> Deserialize<'de> for $enum {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = String::deserialize(deserializer)?;
                let known = Self::from_name(&name);
                known.ok_or_else(|| Error::custom(format!("`{name}` is not a name of the catalogue")))
            }
        }
    };
}

catalogue! {
    /// The counters, apart from `errors.<cause>` and `closes.<code>.<side>`.
    Counter {
        ConnectionsAttempted => "connections.attempted", "Dials begun: first connections and reconnects.";
        ConnectionsOpened => "connections.opened", "Handshakes that ended in a valid 101.";
        ConnectionsFailed => "connections.failed", "Dials that did not end in a valid 101.";
        ConnectionsClosed => "connections.closed", "Open connections that have ended, however they ended.";
        ConnectionsDead => "connections.dead", "Connections declared dead by their heartbeat.";
        ConnectionsLost => "connections.lost", "Open connections that ended before their time: dead, or closed or broken by the server.";
        ConnectionsReconnected => "connections.reconnected", "Handshakes that succeeded after an earlier connection of the same client was lost.";
        ConnectionsFallbacks => "connections.fallbacks", "Addresses of the target that took no connection, so that a dial went on to the next one.";
        ConnectionsSkipped => "connections.skipped", "Arrivals not dialled because their worker had its share of `max_open` connections already.";
        MessagesDue => "messages.due", "Messages the schedule asked for.";
        MessagesSent => "messages.sent", "Messages handed to the connection.";
        MessagesNotSent => "messages.not_sent", "Messages that were due on an open connection but could not be sent in time.";
        MessagesOffline => "messages.offline", "Messages that became due while their connection was lost.";
        MessagesReceived => "messages.received", "Text and binary messages received, expected or not.";
        MessagesEchoed => "messages.echoed", "Sent messages answered in time by the same bytes.";
        MessagesMismatched => "messages.mismatched", "Sent messages answered in time by other bytes.";
        MessagesDuplicated => "messages.duplicated", "Answers to a message that had been answered before.";
        MessagesUnsolicited => "messages.unsolicited", "Messages received that answer nothing this connection sent.";
        MessagesTimedOut => "messages.timed_out", "Sent messages with no answer within `timeout`.";
        MessagesLate => "messages.late", "Answers that came after the message had timed out.";
        MessagesLost => "messages.lost", "Sent messages whose connection ended before the answer.";
        MessagesRetyped => "messages.retyped", "Echoes that came back as binary where text was sent, or the reverse.";
        MessagesUncertain => "messages.uncertain", "Echoes that may answer another message, because one before them timed out: not timed.";
        PingsSent => "heartbeat.pings_sent", "Pings handed to the connection.";
        PongsReceived => "heartbeat.pongs_received", "Pongs that answered a ping in time.";
        PongsLate => "heartbeat.late", "Pongs that came after their ping had been counted as missed.";
        PingsMissed => "heartbeat.missed", "Pings with no pong within `timeout`.";
        PongsUnsolicited => "heartbeat.unsolicited", "Pongs that answer no ping of ours (legal, RFC 6455 section 5.5.3).";
        PongsUncertain => "heartbeat.uncertain", "Answers to text heartbeats that may be those of another ping, because one timed out: not timed.";
        ServerPings => "server_ping.received", "Pings received from the server.";
        BytesSent => "bytes.sent", "Bytes written to TCP on connections that opened: handshakes, frame headers and TLS included.";
        BytesReceived => "bytes.received", "Bytes read from TCP on connections that opened: handshakes, frame headers and TLS included.";
    }
}

catalogue! {
    /// The measured times: nanoseconds internally, microseconds in reports.
    Timer {
        HandshakeDns => "handshake.dns", "Look-ups of the target's name: one for each run, and one each time all its addresses failed; empty for an address.";
        HandshakeTcp => "handshake.tcp", "From the dial to the TCP connection.";
        HandshakeTls => "handshake.tls", "From the TCP connection to the TLS session.";
        HandshakeUpgrade => "handshake.upgrade", "From the upgrade request to the checked 101.";
        HandshakeTotal => "handshake.total", "From the dial to the checked 101.";
        ReceiveGap => "receive.gap", "Between two messages received on one connection.";
        HeartbeatRtt => "heartbeat.rtt", "From a ping sent to its pong, late ones included.";
        HeartbeatDelay => "heartbeat.delay", "From the time a ping was due to its pong, late ones included; what `pong_within` looks at.";
        HeartbeatDetection => "heartbeat.detection", "From the last sign of life to the declaration of death.";
        ServerPingInterval => "server_ping.interval", "Between two pings of the server on one connection.";
        ReconnectDuration => "reconnect.duration", "From the loss of a connection to the 101 of the next.";
        CloseDuration => "close.duration", "From our Close frame to the end of TCP.";
        ScheduleLateness => "schedule.lateness", "From the intended to the actual send, messages and pings.";
        GeneratorLoopLag => "generator.loop_lag", "From the time a worker asked to be woken, every 2 ms at least, to the time it was; from the start of measuring on.";
    }
}

catalogue! {
    /// The values that are sampled once a second.
    Gauge {
        Connecting => "connections.connecting", "Connections in the handshake (readyState 0).";
        Open => "connections.open", "Open connections (readyState 1).";
        Closing => "connections.closing", "Connections in the close handshake (readyState 2).";
        GeneratorCpu => "generator.cpu", "CPU used by wsbench, in percent of one core.";
        GeneratorRss => "generator.rss", "Memory used by wsbench, in bytes.";
        BytesPerConnection => "generator.bytes_per_connection", "Growth of wsbench's memory for each open connection, in bytes; from 5,000 connections on.";
    }
}

catalogue! {
    /// Why a connection, or an attempt to open one, ended. Except for `completed`, the name of each cause is also that
    /// of a counter, `errors.<cause>`.
    Cause {
        Completed => "completed", "Closed by us as planned, and the close handshake was completed.";
        ClosedByPeer => "closed_by_peer", "The server sent a Close frame that nobody asked for.";
        PeerFrozen => "peer_frozen", "Pongs missed, and nothing else came, while the server's kernel still acknowledged: the process hangs.";
        PathDead => "path_dead", "Pongs missed while nothing was acknowledged: host or network gone.";
        MissedPong => "missed_pong", "Pongs missed, though the server sent other data (`detail` says what), or the system cannot tell more.";
        Reset => "reset", "TCP reset by the peer.";
        Eof => "eof", "TCP closed by the peer without a Close frame (close code 1006).";
        ProtocolError => "protocol_error", "A frame that RFC 6455 forbids.";
        BadUtf8 => "bad_utf8", "A text message that is not UTF-8 (RFC 6455 section 8.1).";
        BadCloseCode => "bad_close_code", "A close code that must not be on the wire (RFC 6455 section 7.4).";
        MessageTooBig => "message_too_big", "A message longer than `max_message`.";
        CloseTimeout => "close_timeout", "No end of TCP within `close_timeout` after our Close.";
        Fault => "fault", "Ended by the client itself, in the fault that it plays.";
        WriteTimeout => "write_timeout", "The peer took no bytes at all until the end of the run.";
        Dns => "dns", "The host name could not be resolved.";
        Refused => "refused", "Nothing listens on that port.";
        Unreachable => "unreachable", "No route to the host.";
        ConnectTimeout => "connect_timeout", "No valid 101 within `connect_timeout` after the dial.";
        Tls => "tls", "The TLS session failed.";
        TlsUntrusted => "tls_untrusted", "The server's certificate is not trusted.";
        TlsExpired => "tls_expired", "The server's certificate has expired, or is not valid yet.";
        TlsName => "tls_name", "The server's certificate is for another name.";
        TlsClientCert => "tls_client_cert", "The server requires a client certificate.";
        TlsVersion => "tls_version", "No version or cipher of TLS in common.";
        TlsAlpn => "tls_alpn", "The server does not offer HTTP/1.1 under TLS (ALPN).";
        TlsNotSpoken => "tls_not_spoken", "The server does not speak TLS on that port.";
        TlsAlert => "tls_alert", "The server ended TLS with an alert.";
        HttpStatus => "http_status", "An HTTP status other than 101.";
        BadUpgrade => "bad_upgrade", "A 101 without `Upgrade: websocket` and `Connection: Upgrade`.";
        BadAccept => "bad_accept", "A 101 whose `Sec-WebSocket-Accept` is missing or wrong.";
        BadSubprotocol => "bad_subprotocol", "A 101 with a subprotocol nobody asked for.";
        BadExtension => "bad_extension", "A 101 with an extension nobody asked for.";
        HandshakeEof => "handshake_eof", "TCP closed before the end of the response.";
        HandshakeReset => "handshake_reset", "TCP reset before the end of the response.";
        HandshakeGarbage => "handshake_garbage", "A response that is not HTTP, or is too long.";
        NoLocalPort => "no_local_port", "No free local port for another connection to this target.";
        NoDescriptor => "no_descriptor", "No free file descriptor.";
        Abandoned => "abandoned", "A reconnect that was under way when the run ended.";
        Io => "io", "Any other error of the operating system.";
    }
}

/// The step of a dial between TCP and the upgrade request, as details name it.
pub const TLS_STEP: &str = "the TLS handshake";

impl Cause {
    /// A hint where a wrong scheme may be why no connection opened; `detail` is that of the failure.
    pub fn scheme_hint(self, detail: &str, is_secure: bool) -> Option<&'static str> {
        use Cause::{ConnectTimeout, HandshakeEof, HandshakeGarbage, HandshakeReset};
        Some(match self {
            ConnectTimeout | HandshakeEof | HandshakeReset if detail.contains(TLS_STEP) => {
                "does this port speak TLS? if not, use ws://, or the port that does"
            }
            HandshakeEof | HandshakeReset | HandshakeGarbage if !is_secure => {
                "does this port speak TLS? then use wss://; if not: is a WebSocket service there, and has it, or a proxy before it, a limit of connections?"
            }
            _ => return None,
        })
    }

    /// Whether it is a TLS failure.
    pub const fn is_tls(self) -> bool {
        self.tls_hint().is_some()
    }

    /// A hint against a TLS failure; `None` for other causes.
    pub const fn tls_hint(self) -> Option<&'static str> {
        Some(match self {
            Self::Tls => "look into the log of the server, or of the proxy in front of it",
            Self::TlsUntrusted => {
                "name its certificate, or that of its authority, in `ca` (`--ca FILE`)"
            }
            Self::TlsExpired => "renew the certificate, or set the clock of this machine right",
            Self::TlsName => "use a name that the certificate is for in the address",
            Self::TlsClientCert => {
                "wsbench has no client certificate to show: use a port of the server that wants none"
            }
            Self::TlsVersion => {
                "wsbench speaks TLS 1.2 and 1.3: check what the server speaks, and whether it wants a client certificate"
            }
            Self::TlsAlpn => "allow `http/1.1` on this port of the server",
            Self::TlsNotSpoken => "use ws:// for this port, or the port that speaks TLS",
            Self::TlsAlert => {
                "look for this alert in the log of the server, or of the proxy in front of it"
            }
            _ => return None,
        })
    }
}

/// The side that ended a connection, as far as the wire shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The other side.
    Peer,
    /// wsbench.
    Local,
}

impl Side {
    /// The stable name, as in `closes.1000.local`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Local => "local",
        }
    }
}

/// How a connection ended: by a Close frame with a code, or without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseKind {
    /// A Close frame with this code; 1005 for an empty one (RFC 6455 section 7.1.5).
    Code(u16),
    /// A FIN without a Close frame.
    Fin,
    /// A RST.
    Rst,
    /// Neither a Close frame nor an end of TCP before the timeout.
    Timeout,
}

impl fmt::Display for CloseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "{code}"),
            Self::Fin => f.write_str("fin"),
            Self::Rst => f.write_str("rst"),
            Self::Timeout => f.write_str("timeout"),
        }
    }
}

/// The kind of a metric; decides which statistics it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A number that only grows. Has `count` and `rate`.
    Counter,
    /// A distribution of times. Has percentiles, `min`, `max`, `mean`, `count` and `rate`.
    Histogram,
    /// A value that is sampled once a second. Has `min`, `max`, `mean`, `peak` and `last`.
    Gauge,
}

impl Kind {
    /// The stable name, as in `run.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Histogram => "histogram",
            Self::Gauge => "gauge",
        }
    }
}

/// The unit of a metric's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Times: nanoseconds internally, microseconds in reports.
    Time,
    /// A count.
    Count,
    /// A number of bytes.
    Bytes,
    /// Percent of one core.
    Percent,
}

impl Unit {
    /// The stable name, as reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "us",
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::Percent => "percent",
        }
    }

    /// The stable name of the unit per second.
    pub const fn name_per_second(self) -> &'static str {
        match self {
            Self::Bytes => "bytes/s",
            Self::Time | Self::Count | Self::Percent => "1/s",
        }
    }
}

/// The unit of the metric with this name.
pub fn unit_of(name: &str) -> Unit {
    if name.starts_with("bytes.") {
        return Unit::Bytes;
    }
    match Gauge::from_name(name) {
        Some(Gauge::GeneratorCpu) => return Unit::Percent,
        Some(Gauge::GeneratorRss | Gauge::BytesPerConnection) => return Unit::Bytes,
        Some(Gauge::Connecting | Gauge::Open | Gauge::Closing) => return Unit::Count,
        None => {}
    }
    let by_message = name.starts_with("latency.") || name.starts_with("service.");
    if by_message || Timer::from_name(name).is_some() {
        Unit::Time
    } else {
        Unit::Count
    }
}

/// From so many open connections on, `generator.bytes_per_connection` is sampled: the memory of fewer cannot be told
/// from that of the histograms.
pub const ENOUGH_FOR_MEMORY: u64 = 5000;

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
    name.starts_with("generator.") || name == Timer::HandshakeDns.name()
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
        "latency" | "service" => messages.contains(&rest).then_some(Kind::Histogram),
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
