//! What is served: `/probe`, and the exporter's own `/metrics`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use prometheus_client::metrics::MetricType;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::allowed::Allowed;
use super::asked::Asked;
use super::metrics;
use crate::output::Exposition;
use crate::probe::{Glance, glance};
use crate::report::{Families, Point};
use crate::scenario::{Secrets, Target, WsUrl};
use crate::units::{Nanos, one_line};
use crate::web::Guard;

const HOME: &str = "wsbench exporter\n\n/probe?target=wss://…&scenario=NAME\n/metrics\n";
/// The most characters of why a probe failed.
const MOST_WORDS: usize = 300;

/// How a group of servers is asked.
#[derive(Debug, Clone)]
pub(super) struct Way {
    /// Whom this way may lead to.
    pub(super) allowed: Vec<Allowed>,
    /// Headers, TLS and so on. Its address is not looked at.
    pub(super) target: Target,
    pub(super) secrets: Secrets,
}

/// What probes need.
pub(super) struct Site {
    /// How the servers of `--allow` are asked; `None` where there are none.
    pub(super) plain: Option<Way>,
    /// How those of a scenario are asked, by its name here.
    pub(super) scenarios: BTreeMap<String, Way>,
    pub(super) at_once: Arc<Semaphore>,
    pub(super) counts: Counts,
}

/// How many requests ended how.
#[derive(Debug, Default)]
pub(super) struct Counts([AtomicU64; Outcome::ALL.len()]);

/// How a request for a probe ended.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Succeeded,
    Failed,
    Wrong,
    NotAllowed,
    Busy,
}

impl Outcome {
    const ALL: [Self; 5] = [
        Self::Succeeded,
        Self::Failed,
        Self::Wrong,
        Self::NotAllowed,
        Self::Busy,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Wrong => "wrong_request",
            Self::NotAllowed => "not_allowed",
            Self::Busy => "busy",
        }
    }
}

/// Why a request is not answered by a probe.
type Refused = (Outcome, StatusCode, String);

/// The pages, behind what guards them.
pub(super) fn router(guard: Guard, site: Arc<Site>) -> Router {
    let routes = Router::new()
        .route("/", get(async || HOME))
        .route("/probe", get(probe))
        .route("/metrics", get(own))
        .with_state(site);
    guard.around(routes)
}

async fn probe(State(site): State<Arc<Site>>, uri: Uri, headers: HeaderMap) -> Response {
    let (outcome, answer) = match site.probe(&uri, &headers).await {
        Ok((outcome, text)) => (outcome, as_text(text)),
        Err((outcome, status, why)) => (outcome, (status, format!("{why}\n")).into_response()),
    };
    site.counts.0[outcome as usize].fetch_add(1, Ordering::Relaxed);
    answer
}

/// The exporter's own numbers.
async fn own(State(site): State<Arc<Site>>) -> Response {
    let mut families = Families::default();
    for outcome in Outcome::ALL {
        let count = site.counts.0[outcome as usize].load(Ordering::Relaxed);
        families.put(
            "exporter_requests_total",
            "Requests for a probe, by how they ended.",
            MetricType::Counter,
            [("outcome", outcome.name().to_owned())],
            Point::Count(count),
        );
    }
    match families.text([]) {
        Ok(text) => as_text(text),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn as_text(text: String) -> Response {
    ([(header::CONTENT_TYPE, Exposition::TYPE)], text).into_response()
}

impl Site {
    async fn probe(&self, uri: &Uri, headers: &HeaderMap) -> Result<(Outcome, String), Refused> {
        let began = Instant::now();
        let wrong = |why| (Outcome::Wrong, StatusCode::BAD_REQUEST, why);
        let asked = Asked::read(uri, headers).map_err(wrong)?;
        let (way, url) = self.way(&asked)?;
        let busy = |_| {
            let why = "as many probes as `--at-once` allows went on for all of this time";
            (
                Outcome::Busy,
                StatusCode::SERVICE_UNAVAILABLE,
                why.to_owned(),
            )
        };
        let permit = timeout(asked.limit, self.at_once.clone().acquire_owned());
        let permit = permit.await.map_err(busy)?;
        // Waiting for others is no part of what is measured, but of the time that there is.
        let left = asked.limit.saturating_sub(began.elapsed());
        let (began, target, of_probe) = (Instant::now(), way.target.clone(), url.clone());
        // Looking a name up blocks, so each probe has a thread. It keeps its place to its end, also where nobody waits for
        // it any more.
        let found = tokio::task::spawn_blocking(move || {
            let found = look(&of_probe, &target, left);
            drop(permit);
            found
        });
        let failed = |why: String| (Outcome::Failed, StatusCode::INTERNAL_SERVER_ERROR, why);
        let found = found.await.map_err(|error| failed(error.to_string()))?;
        let took = Nanos::from(began.elapsed());
        let found = found.map_err(|why| failed(way.secrets.mask(&why).into_owned()))?;
        let text = metrics::write(&found, took).map_err(|error| failed(error.to_string()))?;
        Ok(match &found.failed {
            None => (Outcome::Succeeded, text),
            // A comment, which Prometheus passes over and a reader looks for.
            Some((cause, words)) => {
                let why = one_line(&way.secrets.mask(words), MOST_WORDS);
                let text = format!("# {}: {why}\n{text}", cause.name());
                (Outcome::Failed, text)
            }
        })
    }

    /// How to ask whom.
    fn way<'a>(&'a self, asked: &'a Asked) -> Result<(&'a Way, &'a WsUrl), Refused> {
        let wrong = |why: String| (Outcome::Wrong, StatusCode::BAD_REQUEST, why);
        let way = match &asked.scenario {
            None => self.plain.as_ref(),
            Some(name) => {
                let known = self.scenarios.get(name);
                Some(known.ok_or_else(|| {
                    let names: Vec<&str> = self.scenarios.keys().map(String::as_str).collect();
                    let names = names.join(", ");
                    wrong(format!(
                        "there is no such scenario; `--scenario` names: {names}"
                    ))
                })?)
            }
        };
        let known = way.map_or(&[][..], |way| &way.allowed);
        let url = match (&asked.target, known, &asked.scenario) {
            (Some(url), ..) => url,
            (None, [only], Some(_)) => only.url(),
            (None, ..) => {
                return Err(wrong(
                    "`target` is missing: the address to probe".to_owned(),
                ));
            }
        };
        match way.filter(|_| known.iter().any(|one| one.allows(url))) {
            Some(way) => Ok((way, url)),
            None => {
                let why = match &asked.scenario {
                    None => "this target is not allowed: it has no `--allow`",
                    Some(_) => {
                        "this target is not allowed: it is no server of the `target.url` of that scenario"
                    }
                };
                Err((Outcome::NotAllowed, StatusCode::FORBIDDEN, why.to_owned()))
            }
        }
    }
}

/// Probes a server.
///
/// # Errors
/// What could not be set up here.
fn look(url: &WsUrl, target: &Target, limit: Duration) -> Result<Glance, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let found = runtime.block_on(glance(url, target, limit));
    // Does not wait for a look-up that is still asked for.
    runtime.shutdown_background();
    found.map_err(|error| error.to_string())
}
