//! What a user asks for: `KIND=WHERE`, as text and checked.

use std::path::PathBuf;
use std::str::FromStr;

use http::Uri;
use http::uri::{Authority, Scheme};
use strum::EnumDiscriminants;

/// Where the numbers of a run go.
#[derive(Debug, Clone, PartialEq, Eq, EnumDiscriminants)]
#[strum_discriminants(
    name(Kind),
    derive(strum::EnumIter, strum::IntoStaticStr, strum::EnumString)
)]
#[strum_discriminants(strum(serialize_all = "lowercase"))]
pub enum Destination {
    /// A page for Prometheus to read, at this address of this machine.
    Prometheus(HostPort),
    /// A collector of OpenTelemetry, by HTTP and JSON.
    Otlp(Uri),
    /// An InfluxDB, version 1 or 2.
    Influx(Uri),
    /// A StatsD server, by UDP.
    Statsd(HostPort),
    /// A StatsD server that takes the tags of Datadog.
    Dogstatsd(HostPort),
    /// A file, a pipe, or `-` for standard output.
    Jsonl(PathBuf),
}

/// A host name or an address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// The host; an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Why a text is no destination. Fits after "failed to". Never quotes a part that may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// There is no `=`.
    #[error("read `--output`: one is not KIND=WHERE\nhint: {KINDS}")]
    Shape,
    /// No such kind.
    #[error("read `--output`: there is no kind `{0}`\nhint: {KINDS}")]
    Kind(String),
    /// Nothing stands behind the `=`.
    #[error("read `--output {0}=`: it does not say where\nhint: like {0}={1}")]
    Nothing(&'static str, &'static str),
    /// Not a host and a port.
    #[error(
        "read `--output {0}=…`: it needs a host and a port\nhint: like {0}={1}; an IPv6 address stands in brackets"
    )]
    Port(&'static str, &'static str),
    /// Not an address of HTTP.
    #[error("read `--output {0}=…`: it is no http:// or https:// address\nhint: like {0}={1}")]
    Url(&'static str, &'static str),
    /// Credentials, which would be seen by all who see the command line.
    #[error(
        "read `--output {0}=…`: it has credentials in it, which others on this machine can read\nhint: leave them out, and {1}"
    )]
    Credentials(&'static str, &'static str),
    /// A variable of the environment cannot be read. Never quotes it.
    #[error(
        "read {0} of the environment: it is not NAME=VALUE,NAME=VALUE\nhint: like \"authorization=Bearer%20TOKEN\""
    )]
    Headers(&'static str),
    /// The part behind `?` is not what is needed.
    #[error("read `--output {0}=…`: {1}\nhint: like {0}={2}")]
    Query(&'static str, &'static str, &'static str),
}

const KINDS: &str = "write one of prometheus=HOST:PORT, otlp=URL, influx=URL, statsd=HOST:PORT, dogstatsd=HOST:PORT, jsonl=FILE";

/// What an InfluxDB is asked for besides its address.
const INFLUX_KEYS: [&str; 4] = ["db", "rp", "org", "bucket"];

impl Kind {
    fn name(self) -> &'static str {
        self.into()
    }

    /// How it is written.
    const fn example(self) -> &'static str {
        match self {
            Self::Prometheus => "127.0.0.1:9464",
            Self::Otlp => "http://127.0.0.1:4318",
            Self::Influx => "http://127.0.0.1:8086/?db=wsbench",
            Self::Statsd | Self::Dogstatsd => "127.0.0.1:8125",
            Self::Jsonl => "live.jsonl",
        }
    }

    /// Where credentials belong.
    const fn credentials(self) -> &'static str {
        match self {
            Self::Otlp => {
                "set OTEL_EXPORTER_OTLP_HEADERS, like \"authorization=Bearer%20TOKEN\", in the environment"
            }
            Self::Influx => {
                "set INFLUX_TOKEN, or INFLUX_USERNAME and INFLUX_PASSWORD, in the environment"
            }
            Self::Prometheus | Self::Statsd | Self::Dogstatsd | Self::Jsonl => {
                "there is nothing that would need them"
            }
        }
    }

    fn host_port(self, place: &str) -> Result<HostPort, DestinationError> {
        let authority = self.authority(place)?;
        let port = authority
            .port_u16()
            .filter(|_| !authority.host().is_empty());
        let port = port.ok_or_else(|| DestinationError::Port(self.name(), self.example()))?;
        let host = authority.host();
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        Ok(HostPort {
            host: bare.unwrap_or(host).to_owned(),
            port,
        })
    }

    fn authority(self, place: &str) -> Result<Authority, DestinationError> {
        if place.contains('@') {
            return Err(DestinationError::Credentials(
                self.name(),
                self.credentials(),
            ));
        }
        let authority = place.parse();
        authority.map_err(|_| DestinationError::Port(self.name(), self.example()))
    }

    fn url(self, place: &str) -> Result<Uri, DestinationError> {
        let wrong = || DestinationError::Url(self.name(), self.example());
        let before_path = place.split(['/', '?', '#']).take(3);
        if before_path.clone().any(|part| part.contains('@')) {
            return Err(DestinationError::Credentials(
                self.name(),
                self.credentials(),
            ));
        }
        if place.contains('#') {
            return Err(wrong());
        }
        let url: Uri = place.parse().map_err(|_| wrong())?;
        let schemes = [Scheme::HTTP, Scheme::HTTPS];
        let is_http = url.scheme().is_some_and(|scheme| schemes.contains(scheme));
        let has_host = url.host().is_some_and(|host| !host.is_empty());
        let is_right = is_http && has_host && url.port_u16() != Some(0);
        is_right.then_some(url).ok_or_else(wrong)
    }

    /// Checks what stands behind `?`, where credentials may hide.
    fn influx(self, place: &str) -> Result<Uri, DestinationError> {
        let url = self.url(place)?;
        let keys: Vec<&str> = url.query().map_or_else(Vec::new, |query| {
            query
                .split('&')
                .map(|pair| pair.split('=').next().unwrap_or_default())
                .collect()
        });
        if keys.iter().any(|key| ["u", "p", "token"].contains(key)) {
            return Err(DestinationError::Credentials(
                self.name(),
                self.credentials(),
            ));
        }
        let query = |what| DestinationError::Query(self.name(), what, self.example());
        if keys.iter().any(|key| !INFLUX_KEYS.contains(key)) {
            return Err(query(
                "behind `?` may stand `db` and `rp` (version 1), or `org` and `bucket` (version 2)",
            ));
        }
        match keys.contains(&"db") != keys.contains(&"bucket") {
            true => Ok(url),
            false => Err(query(
                "it does not say into which database: `?db=` (version 1), or `?org=…&bucket=` (version 2)",
            )),
        }
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let (kind, place) = text.split_once('=').ok_or(DestinationError::Shape)?;
        let known: Result<Kind, _> = kind.parse();
        let kind = known.map_err(|_| {
            let shown = crate::units::visible(kind);
            DestinationError::Kind(crate::units::cut(&shown, 40))
        })?;
        if place.is_empty() {
            return Err(DestinationError::Nothing(kind.name(), kind.example()));
        }
        Ok(match kind {
            Kind::Prometheus => Self::Prometheus(kind.host_port(place)?),
            Kind::Otlp => Self::Otlp(kind.url(place)?),
            Kind::Influx => Self::Influx(kind.influx(place)?),
            Kind::Statsd => Self::Statsd(kind.host_port(place)?),
            Kind::Dogstatsd => Self::Dogstatsd(kind.host_port(place)?),
            Kind::Jsonl => Self::Jsonl(place.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator as _;

    use super::*;

    fn wrong(text: &str) -> String {
        let read: Result<Destination, _> = text.parse();
        read.expect_err(text).to_string()
    }

    #[test]
    fn each_kind_is_written_as_its_example() {
        for kind in Kind::iter() {
            let text = format!("{}={}", kind.name(), kind.example());
            let read: Destination = text.parse().unwrap();
            assert_eq!(Kind::from(&read), kind, "{text}");
            assert!(KINDS.contains(kind.name()), "{text}");
        }
    }

    #[test]
    fn addresses_are_read_in_all_their_forms() {
        for (text, host, port) in [
            ("localhost:8125", "localhost", 8125),
            ("[::1]:1", "::1", 1),
            ("0.0.0.0:65535", "0.0.0.0", 65535),
        ] {
            let read: Destination = format!("statsd={text}").parse().unwrap();
            let wanted = HostPort {
                host: host.to_owned(),
                port,
            };
            assert_eq!(read, Destination::Statsd(wanted));
        }
        let read: Destination = "influx=https://db.example/x?org=o&bucket=b"
            .parse()
            .unwrap();
        assert!(matches!(read, Destination::Influx(_)));
        let read: Destination = "jsonl=a=b/c.jsonl".parse().unwrap();
        assert_eq!(read, Destination::Jsonl("a=b/c.jsonl".into()));
    }

    #[test]
    fn what_is_wrong_is_told_with_the_way_out() {
        for (text, part) in [
            ("jsonl", "KIND=WHERE"),
            ("", "KIND=WHERE"),
            ("kafka=127.0.0.1:9092", "no kind `kafka`"),
            ("Jsonl=x", "no kind `Jsonl`"),
            ("jsonl=", "does not say where"),
            ("statsd=localhost", "host and a port"),
            ("statsd=localhost:", "host and a port"),
            ("statsd=:8125", "host and a port"),
            ("statsd=localhost:99999", "host and a port"),
            ("prometheus=::1:9464", "host and a port"),
            ("prometheus=9464", "host and a port"),
            ("otlp=127.0.0.1:4318", "http://"),
            ("otlp=ftp://127.0.0.1/", "http://"),
            ("otlp=http://", "http://"),
            ("otlp=http://a/#b", "http://"),
            ("influx=http://127.0.0.1:8086/", "into which database"),
            (
                "influx=http://127.0.0.1:8086/?db=a&bucket=b",
                "into which database",
            ),
            (
                "influx=http://127.0.0.1:8086/?db=a&precision=s",
                "may stand",
            ),
        ] {
            let told = wrong(text);
            assert!(told.contains(part), "{text}: {told}");
            assert!(told.contains("\nhint: "), "{text}: {told}");
        }
    }

    #[test]
    fn credentials_are_refused_and_never_shown() {
        for text in [
            "otlp=http://me:hush@127.0.0.1:4318",
            "otlp=http://hush@127.0.0.1:4318/?x",
            "influx=http://me:hush@127.0.0.1:8086/?db=a",
            "influx=http://127.0.0.1:8086/?db=a&u=me&p=hush",
            "influx=http://127.0.0.1:8086/?bucket=b&token=hush",
            "statsd=me:hush@localhost:8125",
        ] {
            let told = wrong(text);
            assert!(
                told.contains("credentials") && told.contains("\nhint: "),
                "{told}"
            );
            assert!(!told.contains("hush"), "{told}");
        }
    }
}
