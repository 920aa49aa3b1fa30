//! StatsD by UDP, plain or with the tags of Datadog. Counts are those of the second; percentiles are gauges, in seconds,
//! which cannot be averaged.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use super::about::About;
use super::destination::HostPort;
use super::facts::{Fact, Value, facts};
use super::hub::{Output, Second, SendError};
use super::quantile::QUANTILES;

/// The longest datagram, in bytes: it passes every Ethernet in one piece.
const LONGEST: usize = 1_432;
/// How long a send may wait for room in the kernel.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sends to a StatsD server.
pub struct Statsd {
    to: HostPort,
    lines: Lines,
    socket: Option<UdpSocket>,
}

/// Makes the lines.
struct Lines {
    about: About,
    /// Whether what varies is a tag, and not a part of the name.
    tagged: bool,
}

impl Statsd {
    /// Prepares to send the run to this server; `tagged` if it takes the tags of Datadog.
    pub fn new(to: HostPort, tagged: bool, about: &About) -> Self {
        let about = about.clone();
        Self {
            to,
            lines: Lines { about, tagged },
            socket: None,
        }
    }

    /// The socket to the server, whose name is looked up when it is first needed and after an error.
    fn socket(&mut self) -> io::Result<&UdpSocket> {
        if self.socket.is_none() {
            let HostPort { host, port } = &self.to;
            let mut last = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
            for address in (host.as_str(), *port).to_socket_addrs()? {
                match connect(address) {
                    Ok(socket) => {
                        self.socket = Some(socket);
                        break;
                    }
                    Err(error) => last = error,
                }
            }
            if self.socket.is_none() {
                return Err(last);
            }
        }
        Ok(self.socket.as_ref().expect("it was just made"))
    }
}

fn connect(to: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match to {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.connect(to)?;
    Ok(socket)
}

impl Output for Statsd {
    fn send(&mut self, second: &Second) -> Result<(), SendError> {
        let lines = self.lines.of(second);
        let sent = self.socket().and_then(|socket| {
            let mut packets = packets(&lines);
            packets.try_for_each(|packet| socket.send(packet.as_bytes()).map(drop))
        });
        // A part may have arrived, so the second is not sent again. Nobody says that a datagram arrived; only that nobody
        // listens, when the next one is sent.
        sent.map_err(|error| {
            self.socket = None;
            SendError::lasting(error)
        })
    }
}

impl Lines {
    /// One line for each number of a second.
    fn of(&self, second: &Second) -> Vec<String> {
        let mut lines = Vec::new();
        for fact in facts(&second.interval) {
            match fact.value {
                Value::Count(count) => lines.push(self.line(&fact, "", &count.to_string(), "c")),
                Value::Level(level) => {
                    let level = level * fact.exported().scale;
                    lines.push(self.line(&fact, "", &level.to_string(), "g"));
                }
                Value::Times(times) => {
                    let seconds = |ns: u64| (ns as f64 / 1e9).to_string();
                    let count = times.count().to_string();
                    lines.push(self.line(&fact, "count", &count, "c"));
                    let at = QUANTILES.iter();
                    let at = at.map(|quantile| (quantile.name, quantile.of(times)));
                    for (name, ns) in at.chain([("max", times.max())]) {
                        let line = ns.map(|ns| self.line(&fact, name, &seconds(ns), "g"));
                        lines.extend(line);
                    }
                }
            }
        }
        lines
    }

    /// `wsbench.SCENARIO.COHORT.latency_seconds.echo.p99:0.012|g`, or with tags
    /// `wsbench.latency_seconds.p99:0.012|g|#scenario:…,cohort:…,message:echo`.
    fn line(&self, fact: &Fact<'_>, part: &str, value: &str, kind: &str) -> String {
        let exported = fact.exported();
        // What is sent is the count of a second, and no total.
        let own = exported
            .name
            .strip_suffix("_total")
            .unwrap_or(&exported.name);
        let cohort = fact.cohort.and_then(|index| self.about.cohorts.get(index));
        let mut line = String::from(env!("CARGO_PKG_NAME"));
        let mut add = |name: &str| {
            if !name.is_empty() {
                line.push('.');
                line.push_str(name);
            }
        };
        if !self.tagged {
            add(&plain(&self.about.scenario));
            add(&cohort.map_or_else(String::new, |cohort| plain(cohort)));
        }
        add(own);
        if !self.tagged {
            exported
                .labels
                .iter()
                .for_each(|(_, value)| add(&plain(value)));
        }
        add(part);
        let _ = write!(line, ":{value}|{kind}");
        if self.tagged {
            let own = [("scenario", &self.about.scenario), ("run", &self.about.run)];
            let own = own.into_iter().chain(cohort.map(|name| ("cohort", name)));
            let own = own.map(|(key, value)| (key, value.as_str()));
            let labels = exported.labels.iter();
            let labels = labels.map(|(key, value)| (*key, value.as_str()));
            for (index, (key, value)) in own
                .chain(labels)
                .chain(self.about.labels.iter())
                .enumerate()
            {
                let before = if index == 0 { "|#" } else { "," };
                let _ = write!(line, "{before}{key}:{}", tag(value));
            }
        }
        line
    }
}

/// A part of a name: a dot would begin the next part.
fn plain(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    text.chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect()
}

/// The value of a tag, which ends at a comma.
fn tag(text: &str) -> String {
    let ends = |c: char| c.is_control() || matches!(c, ',' | '|' | '#' | ':');
    text.chars()
        .map(|c| if ends(c) { '_' } else { c })
        .collect()
}

/// Puts whole lines into datagrams. A line that is longer than one, which a scenario's names hardly make, has one of its
/// own.
fn packets(lines: &[String]) -> impl Iterator<Item = String> {
    let mut lines = lines.iter().peekable();
    std::iter::from_fn(move || {
        let mut packet = lines.next()?.clone();
        while let Some(line) = lines.next_if(|line| packet.len() + 1 + line.len() <= LONGEST) {
            packet.push('\n');
            packet.push_str(line);
        }
        Some(packet)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::time::SystemTime;

    use super::super::facts::tests::second;
    use super::*;
    use crate::report::Labels;

    fn about() -> About {
        About {
            scenario: "my scenario".to_owned(),
            cohorts: vec!["a.b".to_owned(), "idle".to_owned()],
            labels: Labels::of(["commit=a,b|c".parse().unwrap()]).unwrap(),
            run: "0123abcd".to_owned(),
            started_at: SystemTime::UNIX_EPOCH,
        }
    }

    fn lines(tagged: bool) -> Vec<String> {
        let lines = Lines {
            about: about(),
            tagged,
        };
        lines.of(&Second {
            at: SystemTime::UNIX_EPOCH,
            interval: Arc::new(second(0)),
        })
    }

    fn assert_has(lines: &[String], wanted: &str) {
        assert!(
            lines.iter().any(|line| line == wanted),
            "{wanted}: {lines:#?}"
        );
    }

    #[test]
    fn plain_names_have_their_parts_in_order() {
        let lines = lines(false);
        for wanted in [
            "wsbench.my_scenario.a_b.messages_sent:100|c",
            "wsbench.my_scenario.a_b.errors.reset:1|c",
            "wsbench.my_scenario.a_b.closes.1011.peer:2|c",
            "wsbench.my_scenario.a_b.connections.open:10|g",
            "wsbench.my_scenario.idle.connections.open:0|g",
            "wsbench.my_scenario.a_b.latency_seconds.echo__2.count:100|c",
            "wsbench.my_scenario.a_b.latency_seconds.echo__2.max:0.1|g",
            "wsbench.my_scenario.generator_cpu_ratio:0.25|g",
        ] {
            assert_has(&lines, wanted);
        }
        let names: HashSet<&str> = lines
            .iter()
            .map(|line| line.split(':').next().unwrap())
            .collect();
        assert_eq!(names.len(), lines.len(), "no two lines have one name");
    }

    #[test]
    fn tags_hold_what_varies_and_end_where_they_should() {
        let lines = lines(true);
        let own = "scenario:my scenario,run:0123abcd";
        let of_user = "commit:a_b_c";
        assert_has(
            &lines,
            &format!("wsbench.messages_sent:100|c|#{own},cohort:a.b,{of_user}"),
        );
        assert_has(
            &lines,
            &format!("wsbench.errors:1|c|#{own},cohort:a.b,kind:reset,{of_user}"),
        );
        assert_has(
            &lines,
            &format!(
                "wsbench.latency_seconds.max:0.1|g|#{own},cohort:a.b,message:echo_ 2,{of_user}"
            ),
        );
        assert_has(
            &lines,
            &format!("wsbench.generator_cpu_ratio:0.25|g|#{own},{of_user}"),
        );
    }

    #[test]
    fn datagrams_hold_whole_lines_and_are_short() {
        let lines: Vec<String> = (0..500)
            .map(|number| format!("wsbench.x:{number}|c"))
            .collect();
        let packets: Vec<String> = packets(&lines).collect();
        assert!(packets.len() > 1 && packets.iter().all(|packet| packet.len() <= LONGEST));
        let again: Vec<&str> = packets.iter().flat_map(|packet| packet.lines()).collect();
        assert_eq!(again, lines);
    }
}
