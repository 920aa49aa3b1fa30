//! OpenTelemetry by HTTP and JSON (OTLP 1): counts and times so far, so that a second that is lost costs resolution and no
//! counts. Times are exponential histograms.

use std::time::SystemTime;

use http::Uri;
use percent_encoding::percent_decode_str;
use serde_json::{Value as Json, json};

use super::about::About;
use super::destination::DestinationError;
use super::facts::{Fact, Totals, Value};
use super::hub::{Output, Second, SendError};
use super::post::Post;
use crate::measure::Histogram;

/// The finest scale: buckets are 0.27 % wide.
const FINEST: i32 = 8;
/// The most buckets of a histogram.
const BUCKETS: i64 = 160;
/// The sum of all seconds since the start (`AGGREGATION_TEMPORALITY_CUMULATIVE`).
const CUMULATIVE: u8 = 2;
/// The variable of the environment with headers, and so with credentials.
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// Sends to a collector.
pub struct Otlp {
    post: Post,
    about: About,
    totals: Totals,
}

impl Otlp {
    /// Prepares to send the run to this collector. `variable` looks up a variable of the environment.
    ///
    /// # Errors
    /// When the headers in the environment cannot be read.
    pub fn new(
        to: &Uri,
        about: &About,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, DestinationError> {
        let headers = headers(&variable(HEADERS).unwrap_or_default());
        let headers = headers.ok_or(DestinationError::Headers(HEADERS))?;
        Ok(Self {
            post: Post::new(metrics_url(to), "application/json", headers),
            totals: Totals::new(about.cohorts.len()),
            about: about.clone(),
        })
    }
}

/// The address for metrics of a collector's address.
fn metrics_url(to: &Uri) -> String {
    const PATH: &str = "/v1/metrics";
    let path = to.path().trim_end_matches('/');
    let path = path.strip_suffix(PATH).unwrap_or(path);
    let query = to
        .query()
        .map_or_else(String::new, |query| format!("?{query}"));
    let (scheme, authority) = (to.scheme_str().unwrap_or("http"), to.authority());
    let authority = authority.map_or("", |authority| authority.as_str());
    format!("{scheme}://{authority}{path}{PATH}{query}")
}

/// Reads `name=value,name=value`, whose values are percent-encoded; `None` if it is something else.
fn headers(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty());
    let headers = pairs.map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let name: http::HeaderName = name.trim().parse().ok()?;
        http::HeaderValue::from_str(&value).ok()?;
        Some((name.as_str().to_owned(), value.into_owned()))
    });
    headers.collect()
}

impl Output for Otlp {
    fn send(&mut self, second: &Second) -> Result<(), SendError> {
        // When it is sent again, it is counted already.
        self.totals.add(&second.interval);
        let body = self.about.metrics(&self.totals, second.at);
        let answer = self.post.send(body.to_string().as_bytes())?;
        match refused(&answer) {
            None => Ok(()),
            Some(why) => Err(SendError::lasting(why)),
        }
    }
}

/// What a collector that took only a part of it says.
fn refused(answer: &str) -> Option<String> {
    let answer: Json = serde_json::from_str(answer).ok()?;
    let partial = answer.get("partialSuccess")?;
    let points = match partial.get("rejectedDataPoints")? {
        Json::String(points) => points.parse().ok()?,
        points => points.as_u64()?,
    };
    let why = partial.get("errorMessage").and_then(Json::as_str);
    (points > 0).then(|| {
        format!(
            "it refused {points} data points: {}",
            why.unwrap_or("it does not say why")
        )
    })
}

impl About {
    /// The whole request.
    fn metrics(&self, totals: &Totals, at: SystemTime) -> Json {
        let times = Times {
            start: nanoseconds(self.started_at),
            now: nanoseconds(at),
        };
        let mut metrics: Vec<Json> = Vec::new();
        let mut names = std::collections::BTreeMap::new();
        for fact in totals.facts() {
            let exported = fact.exported();
            let (kind, point) = self.point(&fact, &times, &exported);
            let index = *names
                .entry((exported.bare.clone(), kind))
                .or_insert_with(|| {
                    metrics.push(described(kind, &exported));
                    metrics.len() - 1
                });
            if let Some(points) = metrics[index][kind]["dataPoints"].as_array_mut() {
                points.push(point);
            }
        }
        let own = [
            ("service.name", env!("CARGO_PKG_NAME")),
            ("service.version", env!("CARGO_PKG_VERSION")),
            ("service.instance.id", &self.run),
            ("scenario", &self.scenario),
        ];
        let about: Vec<Json> = (own.into_iter().chain(self.labels.iter()))
            .map(|(key, value)| attribute(key, value))
            .collect();
        json!({ "resourceMetrics": [{
            "resource": { "attributes": about },
            "scopeMetrics": [{
                "scope": { "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") },
                "metrics": metrics,
            }],
        }]})
    }

    /// The kind of a metric as its key says it, and its point.
    fn point(
        &self,
        fact: &Fact<'_>,
        times: &Times,
        exported: &crate::metric::Exported,
    ) -> (&'static str, Json) {
        let cohort = fact.cohort.and_then(|index| self.cohorts.get(index));
        let cohort = cohort.map(|name| attribute("cohort", name));
        let labels = exported
            .labels
            .iter()
            .map(|(key, value)| attribute(key, value));
        let mut point = json!({
            "attributes": cohort.into_iter().chain(labels).collect::<Vec<_>>(),
            "startTimeUnixNano": times.start,
            "timeUnixNano": times.now,
        });
        let kind = match fact.value {
            Value::Count(count) => {
                point["asInt"] = count.min(i64::MAX.cast_unsigned()).to_string().into();
                "sum"
            }
            Value::Level(level) => {
                point["asDouble"] = (level * exported.scale).into();
                "gauge"
            }
            Value::Times(times) => {
                distribution(times, &mut point);
                "exponentialHistogram"
            }
        };
        (kind, point)
    }
}

/// The start of the run, and the time of its numbers, in the form of OTLP.
struct Times {
    start: String,
    now: String,
}

/// A metric without points.
fn described(kind: &str, exported: &crate::metric::Exported) -> Json {
    let mut data = json!({ "dataPoints": [] });
    if kind != "gauge" {
        data["aggregationTemporality"] = CUMULATIVE.into();
    }
    if kind == "sum" {
        data["isMonotonic"] = true.into();
    }
    json!({
        "name": format!("{}.{}", env!("CARGO_PKG_NAME"), exported.bare),
        "description": exported.help,
        "unit": exported.unit,
        kind: data,
    })
}

fn attribute(key: &str, value: &str) -> Json {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn nanoseconds(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_nanos().to_string()
}

/// Writes times in seconds as an exponential histogram, in the finest scale that has few enough buckets.
fn distribution(times: &Histogram, point: &mut Json) {
    let recorded = times.recorded();
    let ends = (times.min().unwrap_or(0), times.max().unwrap_or(0));
    // Buckets tell their longest time, which may be longer than the longest that there was.
    let seconds = |ns: u64| ns.clamp(ends.0, ends.1) as f64 / 1e9;
    let zeros: u64 = (recorded.iter().filter(|(ns, _)| seconds(*ns) == 0.0))
        .map(|(_, count)| count)
        .sum();
    let positive: Vec<(f64, u64)> = (recorded.iter())
        .map(|(ns, count)| (seconds(*ns), *count))
        .filter(|(seconds, _)| *seconds > 0.0)
        .collect();
    let (scale, offset, counts) = buckets(&positive);
    let counts: Vec<String> = counts.iter().map(u64::to_string).collect();
    point["count"] = times.count().to_string().into();
    point["sum"] = (times.sum() as f64 / 1e9).into();
    point["min"] = (ends.0 as f64 / 1e9).into();
    point["max"] = (ends.1 as f64 / 1e9).into();
    point["scale"] = scale.into();
    point["zeroCount"] = zeros.to_string().into();
    point["positive"] = json!({ "offset": offset, "bucketCounts": counts });
}

/// The scale, the index of the first bucket, and the counts from there on, of ascending values above zero. Bucket `i` ends
/// at 2^((i + 1) / 2^scale), and begins behind the end of the one before.
fn buckets(values: &[(f64, u64)]) -> (i32, i64, Vec<u64>) {
    let (Some((first, _)), Some((last, _))) = (values.first(), values.last()) else {
        return (FINEST, 0, Vec::new());
    };
    let index = |value: f64, scale: i32| (value.log2() * f64::from(scale).exp2()).ceil() as i64 - 1;
    let width = |scale: i32| index(*last, scale) - index(*first, scale) + 1;
    let mut scale = FINEST;
    while width(scale) > BUCKETS {
        scale -= 1;
    }
    let offset = index(*first, scale);
    let mut counts = vec![0; width(scale) as usize];
    for (value, count) in values {
        counts[(index(*value, scale) - offset) as usize] += count;
    }
    (scale, offset, counts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::facts::tests::second;
    use super::*;
    use crate::report::Labels;

    proptest! {
        #[test]
        fn buckets_hold_each_value_once_and_where_it_belongs(
            mut ns in prop::collection::vec(1u64..4_000_000_000_000, 1..60),
        ) {
            ns.sort_unstable();
            let values: Vec<(f64, u64)> = ns.iter().map(|ns| (*ns as f64 / 1e9, 1)).collect();
            let (scale, offset, counts) = buckets(&values);
            prop_assert!(scale <= FINEST && counts.len() as i64 <= BUCKETS);
            prop_assert_eq!(counts.iter().sum::<u64>(), ns.len() as u64);
            prop_assert!(counts[0] > 0 && counts[counts.len() - 1] > 0);
            // Each value lies in the bucket that counts it, up to the rounding of logarithms.
            let end = |index: i64| ((index + 1) as f64 / f64::from(scale).exp2()).exp2();
            let mut ends = counts.iter().zip(offset..).flat_map(|(count, index)| {
                std::iter::repeat_n((end(index - 1), end(index)), *count as usize)
            });
            for (value, _) in &values {
                let (from, to) = ends.next().unwrap();
                prop_assert!(*value > from * (1.0 - 1e-9) && *value <= to * (1.0 + 1e-9));
            }
        }
    }

    #[test]
    fn headers_are_read_as_the_specification_writes_them() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(headers(""), Some(Vec::new()));
        let read = headers("Authorization=Bearer%20a%3Db, x-y = 1 ,");
        let wanted = vec![pair("authorization", "Bearer a=b"), pair("x-y", "1")];
        assert_eq!(read, Some(wanted));
        for wrong in ["Authorization", "a b=c", "a=%0a", "=b"] {
            assert_eq!(headers(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_collector_is_asked_at_its_path_for_metrics() {
        for (to, wanted) in [
            ("http://a:4318", "http://a:4318/v1/metrics"),
            ("http://a:4318/", "http://a:4318/v1/metrics"),
            ("https://a/otlp/v1/metrics", "https://a/otlp/v1/metrics"),
            ("https://a/otlp?x=1", "https://a/otlp/v1/metrics?x=1"),
        ] {
            assert_eq!(metrics_url(&to.parse().unwrap()), wanted);
        }
    }

    #[test]
    fn what_a_collector_refuses_is_told() {
        assert_eq!(refused("{}"), None);
        assert_eq!(refused(""), None);
        assert_eq!(
            refused("{\"partialSuccess\":{\"rejectedDataPoints\":\"0\"}}"),
            None
        );
        let told = refused(
            "{\"partialSuccess\":{\"rejectedDataPoints\":\"7\",\"errorMessage\":\"delta\"}}",
        );
        assert_eq!(told.as_deref(), Some("it refused 7 data points: delta"));
    }

    #[test]
    fn each_metric_stands_there_once_with_all_its_points() {
        let about = About {
            scenario: "s".to_owned(),
            cohorts: vec!["a".to_owned(), "b".to_owned()],
            labels: Labels::default(),
            run: "0123abcd".to_owned(),
            started_at: SystemTime::UNIX_EPOCH,
        };
        let mut totals = Totals::new(2);
        totals.add(&second(0));
        let body = about.metrics(&totals, SystemTime::UNIX_EPOCH);
        let metrics = body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array();
        let metrics = metrics.unwrap();
        let of = |name: &str| {
            let mut found = metrics.iter().filter(|metric| metric["name"] == name);
            let one = found.next().unwrap_or_else(|| panic!("no {name}"));
            assert!(found.next().is_none(), "{name} is there twice");
            one
        };
        let sent = of("wsbench.messages.sent");
        assert_eq!(sent["sum"]["dataPoints"][0]["asInt"], "100");
        assert_eq!(sent["sum"]["dataPoints"].as_array().unwrap().len(), 2);
        assert_eq!(
            (&sent["unit"], &sent["sum"]["isMonotonic"]),
            (&json!("1"), &json!(true))
        );
        let latency = of("wsbench.latency");
        assert_eq!(latency["unit"], "s");
        let point = &latency["exponentialHistogram"]["dataPoints"][0];
        assert_eq!(
            (&point["count"], &point["max"]),
            (&json!("100"), &json!(0.1))
        );
        assert_eq!(
            of("wsbench.generator.cpu")["gauge"]["dataPoints"][0]["asDouble"],
            0.25
        );
    }
}
