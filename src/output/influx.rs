//! InfluxDB, version 1 or 2, by its line protocol: what each second held, and percentiles in seconds.

use std::fmt::Write as _;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;

use super::about::About;
use super::facts::{Fact, Value, facts};
use super::hub::{Output, Second, SendError};
use super::post::Post;
use super::quantile::QUANTILES;

/// Sends to an InfluxDB.
pub struct Influx {
    post: Post,
    about: About,
}

impl Influx {
    /// Prepares to send the run to this server. `variable` looks up a variable of the environment, where credentials are.
    pub fn new(to: &Uri, about: &About, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let post = Post::new(
            write_url(to),
            "text/plain; charset=utf-8",
            credentials(variable).into_iter().collect(),
        );
        Self {
            post,
            about: about.clone(),
        }
    }
}

impl Output for Influx {
    fn send(&mut self, second: &Second) -> Result<(), SendError> {
        self.post
            .send(self.about.points(second).as_bytes())
            .map(drop)
    }
}

/// Where version 1 or 2 takes points.
fn write_url(to: &Uri) -> String {
    let query = to.query().unwrap_or_default();
    let is_first = query.split('&').any(|pair| pair.starts_with("db="));
    let write = if is_first { "/write" } else { "/api/v2/write" };
    let path = to.path().trim_end_matches('/');
    let path = path.strip_suffix(write).unwrap_or(path);
    let (scheme, authority) = (to.scheme_str().unwrap_or("http"), to.authority());
    let authority = authority.map_or("", |authority| authority.as_str());
    format!("{scheme}://{authority}{path}{write}?{query}&precision=ns")
}

/// The header with what the environment says.
fn credentials(variable: &dyn Fn(&str) -> Option<String>) -> Option<(String, String)> {
    let value = match (variable("INFLUX_TOKEN"), variable("INFLUX_USERNAME")) {
        (Some(token), _) => format!("Token {token}"),
        (None, Some(user)) => {
            let password = variable("INFLUX_PASSWORD").unwrap_or_default();
            format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
        }
        (None, None) => return None,
    };
    Some(("authorization".to_owned(), value))
}

impl About {
    /// The lines of one second.
    fn points(&self, second: &Second) -> String {
        let since = second.at.duration_since(SystemTime::UNIX_EPOCH);
        let at = since.unwrap_or_default().as_nanos();
        let mut lines = String::new();
        for fact in facts(&second.interval) {
            let fields = fields(&fact);
            let _ = writeln!(lines, "{} {fields} {at}", self.series(&fact));
        }
        lines
    }

    /// `wsbench_latency_seconds,scenario=…,run=…,cohort=…,message=echo`.
    fn series(&self, fact: &Fact<'_>) -> String {
        let exported = fact.exported();
        // What is sent is the count of a second, and no total.
        let own = exported
            .name
            .strip_suffix("_total")
            .unwrap_or(&exported.name);
        let mut series = format!("{}_{own}", env!("CARGO_PKG_NAME"));
        let cohort = fact.cohort.and_then(|index| self.cohorts.get(index));
        let own = [("scenario", &self.scenario), ("run", &self.run)];
        let own = own
            .into_iter()
            .chain(cohort.map(|cohort| ("cohort", cohort)));
        let own = own.map(|(key, value)| (key, value.as_str()));
        let labels = exported
            .labels
            .iter()
            .map(|(key, value)| (*key, value.as_str()));
        for (key, value) in own.chain(labels).chain(self.labels.iter()) {
            if !value.is_empty() {
                let _ = write!(series, ",{key}={}", tag(value));
            }
        }
        series
    }
}

/// The values of a number.
fn fields(fact: &Fact<'_>) -> String {
    match fact.value {
        Value::Count(count) => format!("count={}i", count.min(i64::MAX.cast_unsigned())),
        Value::Level(level) => format!("value={}", level * fact.exported().scale),
        Value::Times(times) => {
            let seconds = |ns: f64| ns / 1e9;
            let mut fields = format!(
                "count={}i,sum={}",
                times.count(),
                seconds(times.sum() as f64)
            );
            let at = QUANTILES.iter().map(|one| (one.name, one.of(times)));
            for (name, ns) in [("min", times.min()), ("max", times.max())]
                .into_iter()
                .chain(at)
            {
                if let Some(ns) = ns {
                    let _ = write!(fields, ",{name}={}", seconds(ns as f64));
                }
            }
            fields
        }
    }
}

/// The value of a tag. A backslash at its end would escape what comes behind.
fn tag(text: &str) -> String {
    let mut tag = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ',' | '=' | ' ' => tag.extend(['\\', c]),
            '\\' => tag.push('/'),
            c if c.is_control() => tag.push('_'),
            c => tag.push(c),
        }
    }
    tag
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::facts::tests::second;
    use super::*;
    use crate::report::Labels;

    #[test]
    fn both_versions_are_written_to_where_they_take_points() {
        for (to, wanted) in [
            (
                "http://a:8086/?db=ws",
                "http://a:8086/write?db=ws&precision=ns",
            ),
            (
                "http://a/?db=ws&rp=week",
                "http://a/write?db=ws&rp=week&precision=ns",
            ),
            ("http://a/write?db=ws", "http://a/write?db=ws&precision=ns"),
            (
                "https://a/x/?org=o&bucket=b",
                "https://a/x/api/v2/write?org=o&bucket=b&precision=ns",
            ),
        ] {
            assert_eq!(write_url(&to.parse().unwrap()), wanted);
        }
    }

    #[test]
    fn credentials_are_those_of_the_environment() {
        let of = |set: &'static [(&str, &str)]| {
            let variable = move |name: &str| {
                let mut set = set.iter();
                let found = set.find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            credentials(&variable).map(|(_, value)| value)
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("INFLUX_TOKEN", "t")]).as_deref(), Some("Token t"));
        let both = of(&[("INFLUX_USERNAME", "me"), ("INFLUX_PASSWORD", "p:w")]);
        assert_eq!(both.as_deref(), Some("Basic bWU6cDp3"));
    }

    #[test]
    fn a_second_is_one_line_for_each_number() {
        let about = About {
            scenario: "my, scenario".to_owned(),
            cohorts: vec!["a b".to_owned(), "idle".to_owned()],
            labels: Labels::of(["commit=a\\".parse().unwrap()]).unwrap(),
            run: "0123abcd".to_owned(),
            started_at: SystemTime::UNIX_EPOCH,
        };
        let lines = about.points(&Second {
            at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_500),
            interval: Arc::new(second(0)),
        });
        let tags = "scenario=my\\,\\ scenario,run=0123abcd,cohort=a\\ b";
        for wanted in [
            format!("wsbench_messages_sent,{tags},commit=a/ count=100i 1500000000"),
            format!("wsbench_errors,{tags},kind=reset,commit=a/ count=1i 1500000000"),
            format!("wsbench_connections,{tags},state=open,commit=a/ value=10 1500000000"),
            "wsbench_generator_cpu_ratio,scenario=my\\,\\ scenario,run=0123abcd,commit=a/ value=0.25 1500000000".to_owned(),
        ] {
            assert!(lines.lines().any(|line| line == wanted), "{wanted}: {lines}");
        }
        let latency = lines
            .lines()
            .find(|line| line.starts_with("wsbench_latency_seconds"));
        let latency = latency.unwrap();
        assert!(latency.contains("message=echo\\,\\ 2"), "{latency}");
        assert!(
            latency.contains(" count=100i,sum=5.05,min=0.001,max=0.1,p50=0.05"),
            "{latency}"
        );
    }
}
