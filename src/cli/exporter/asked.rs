//! What a request asks for: whom to probe, how, and for how long at most.

use std::time::Duration;

use axum::http::{HeaderMap, Uri};
use percent_encoding::percent_decode_str;

use crate::scenario::WsUrl;

/// The header by which Prometheus says how long it waits, in seconds.
const SCRAPE_TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";
/// What is left of that for the answer to get there; of a short time a quarter is.
const RESERVE: Duration = Duration::from_millis(500);
/// How long a probe takes at most where nobody says it.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long it takes at most, whatever is said.
const MOST: Duration = Duration::from_secs(60);

/// A request for a probe.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The address to probe; `None` where the scenario has one.
    pub(super) target: Option<WsUrl>,
    /// The name of a scenario.
    pub(super) scenario: Option<String>,
    /// The longest time for all of it.
    pub(super) limit: Duration,
}

impl Asked {
    /// Reads a request.
    ///
    /// # Errors
    /// What is wrong with it, in words, with what to do.
    pub(super) fn read(uri: &Uri, headers: &HeaderMap) -> Result<Self, String> {
        let (mut target, mut scenario) = (None, None);
        let pairs = uri.query().unwrap_or_default().split('&');
        for pair in pairs.filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let [key, value] = [key, value].map(decoded);
            let place = match key.as_str() {
                "target" => &mut target,
                "scenario" => &mut scenario,
                _ => {
                    return Err(format!(
                        "`{key}` is no parameter: `target` and `scenario` are"
                    ));
                }
            };
            if place.replace(value).is_some() {
                return Err(format!("`{key}` is given twice"));
            }
        }
        let target = target.map(|text| WsUrl::read(&text).ok_or(()));
        Ok(Self {
            target: target.transpose().map_err(|()| {
                "`target` is no address: it is one like ws://127.0.0.1:8080/feed".to_owned()
            })?,
            scenario: scenario.filter(|name| !name.is_empty()),
            limit: limit(headers)?,
        })
    }
}

/// A part of a query as it was meant.
fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    let text = percent_decode_str(&spaced).decode_utf8_lossy();
    text.into_owned()
}

/// How long a probe may take, by what Prometheus says.
fn limit(headers: &HeaderMap) -> Result<Duration, String> {
    let Some(said) = headers.get(SCRAPE_TIMEOUT) else {
        return Ok(TIMEOUT);
    };
    let seconds = said.to_str().ok().and_then(|text| text.parse().ok());
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let time = time.filter(|time| !time.is_zero());
    let time = time.ok_or_else(|| format!("`{SCRAPE_TIMEOUT}` is no time in seconds, like 9.5"))?;
    Ok((time - RESERVE.min(time / 4)).min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Asked, String> {
        Asked::read(
            &format!("/probe?{query}").parse().unwrap(),
            &HeaderMap::new(),
        )
    }

    #[test]
    fn a_request_is_read_as_prometheus_writes_it() {
        let asked = read("scenario=a+b&target=wss%3A%2F%2Fexample.com%2Ffeed%3Fa%3Db%26c").unwrap();
        assert_eq!(asked.scenario.as_deref(), Some("a b"));
        assert_eq!(asked.target.unwrap().resource, "/feed?a=b&c");
        assert_eq!(read("").unwrap().target, None);
        assert_eq!(read("scenario=&").unwrap().scenario, None);
        for (wrong, said) in [
            ("target=", "no address"),
            ("target=example.com", "no address"),
            ("target=http://a/", "no address"),
            ("target=ws://user:word@a/", "no address"),
            ("target=ws://a/%0d%0aX:y", "no address"),
            ("target=ws://a/&target=ws://b/", "twice"),
            ("module=http_2xx", "`module` is no parameter"),
        ] {
            let refused = read(wrong);
            assert!(
                refused.as_ref().is_err_and(|why| why.contains(said)),
                "{wrong}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_probe_ends_before_the_scrape_does() {
        let limit = |said: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(SCRAPE_TIMEOUT, said.parse().unwrap());
            limit(&headers).map(|limit| limit.as_millis())
        };
        assert_eq!(limit("10"), Ok(9_500));
        assert_eq!(limit("0.2"), Ok(150));
        assert_eq!(limit("1e9"), Ok(60_000));
        assert_eq!(super::limit(&HeaderMap::new()), Ok(TIMEOUT));
        for wrong in ["", "soon", "-3", "0", "NaN", "inf", "1e400"] {
            assert!(limit(wrong).is_err(), "{wrong}");
        }
    }
}
