//! What a probe found, as metrics. Names that `blackbox_exporter` has mean the same here, so its rules and pictures fit.

use std::fmt;

use prometheus_client::metrics::MetricType;
use strum::{EnumIter, IntoStaticStr};

use crate::probe::Glance;
use crate::report::{Families, Point};
use crate::units::Nanos;

/// The metrics of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "probe_")]
enum Metric {
    Success,
    DurationSeconds,
    HttpStatusCode,
    SslEarliestCertExpiry,
    IpProtocol,
    WebsocketHandshakeSeconds,
    WebsocketPingSeconds,
    WebsocketFailed,
}

impl Metric {
    const fn help(self) -> &'static str {
        match self {
            Self::Success => "Whether the connection opened and its ping was answered in time.",
            Self::DurationSeconds => "How long the probe took.",
            Self::HttpStatusCode => {
                "The status of the answer to the upgrade: 101 where it opened, 0 without an answer."
            }
            Self::SslEarliestCertExpiry => {
                "The end of the validity of the certificate of the server, in seconds since 1970. Missing without TLS, and where nothing opened."
            }
            Self::IpProtocol => "The version of IP that was dialled. Missing where nothing opened.",
            Self::WebsocketHandshakeSeconds => {
                "The phases of the dial, and total: from the dial to the checked 101. Missing where nothing opened."
            }
            Self::WebsocketPingSeconds => {
                "From the ping to its pong. Missing where none came in time."
            }
            Self::WebsocketFailed => {
                "1 for the cause why nothing opened or no pong came. Missing where all was well."
            }
        }
    }
}

/// What becomes a text.
#[derive(Default)]
struct Told(Families);

impl Told {
    fn put(&mut self, metric: Metric, label: Option<(&'static str, &str)>, value: f64) {
        let label = label.map(|(key, value)| (key, value.to_owned()));
        let name: &str = metric.into();
        let point = Point::Value(value);
        (self.0).put(name, metric.help(), MetricType::Gauge, label, point);
    }
}

/// The text of a probe that took so long.
///
/// # Errors
/// Never, as far as is known: the library that writes the text can fail by its types.
pub(super) fn write(found: &Glance, took: Nanos) -> Result<String, fmt::Error> {
    use Metric as Is;
    let mut told = Told::default();
    let is_well = found.failed.is_none();
    told.put(Is::Success, None, f64::from(u8::from(is_well)));
    told.put(Is::DurationSeconds, None, took.as_secs_f64());
    let status = found.status.unwrap_or(0);
    told.put(Is::HttpStatusCode, None, status.into());
    if let Some(until) = found.expires {
        told.put(Is::SslEarliestCertExpiry, None, until as f64);
    }
    if let Some(address) = found.address {
        let version = if address.is_ipv4() { 4.0 } else { 6.0 };
        told.put(Is::IpProtocol, None, version);
    }
    for (step, took) in &found.steps {
        let name = step.name();
        let phase = name.strip_prefix("handshake.").unwrap_or(name);
        let label = Some(("phase", phase));
        told.put(Is::WebsocketHandshakeSeconds, label, took.as_secs_f64());
    }
    if let Some(rtt) = found.rtt {
        told.put(Is::WebsocketPingSeconds, None, rtt.as_secs_f64());
    }
    if let Some((cause, _)) = &found.failed {
        told.put(Is::WebsocketFailed, Some(("cause", cause.name())), 1.0);
    }
    told.0.text_by_own_names()
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator as _;

    use super::*;
    use crate::metric::{Cause, Timer};

    fn text_of(found: &Glance) -> String {
        write(found, Nanos::from_millis(7)).unwrap()
    }

    #[test]
    fn a_probe_is_told_in_full_and_what_is_unknown_is_missing() {
        let well = Glance {
            failed: None,
            steps: vec![
                (Timer::HandshakeTcp, Nanos::from_millis(2)),
                (Timer::HandshakeTotal, Nanos::from_millis(5)),
            ],
            status: Some(101),
            rtt: Some(Nanos::from_millis(1)),
            address: Some("127.0.0.1:80".parse().unwrap()),
            expires: Some(1_900_000_000),
        };
        let text = text_of(&well);
        for line in [
            "probe_success 1.0",
            "probe_duration_seconds 0.007",
            "probe_http_status_code 101.0",
            "probe_ssl_earliest_cert_expiry 1900000000.0",
            "probe_ip_protocol 4.0",
            "probe_websocket_handshake_seconds{phase=\"tcp\"} 0.002",
            "probe_websocket_handshake_seconds{phase=\"total\"} 0.005",
            "probe_websocket_ping_seconds 0.001",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let refused = Glance {
            failed: Some((Cause::Refused, "secret words".to_owned())),
            ..Glance::default()
        };
        let failed = text_of(&refused);
        assert!(failed.contains("probe_websocket_failed{cause=\"refused\"} 1.0"));
        assert!(failed.lines().any(|line| line == "probe_success 0.0"));
        for missing in ["secret", "ping_seconds", "handshake", "expiry", "protocol"] {
            assert!(!failed.contains(missing), "{missing}\n{failed}");
        }
        // Each metric is told of one of both, with what it means.
        for metric in Metric::iter() {
            let name: &str = metric.into();
            let told = format!("# HELP {name} {}", metric.help());
            assert!(
                [&text, &failed].iter().any(|text| text.contains(&told)),
                "{told}"
            );
        }
    }
}
