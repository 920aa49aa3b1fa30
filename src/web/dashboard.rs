//! A page that changes while one looks at it: the browser is told of each part that became another (server-sent events), and
//! in the end of the page that stays.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use futures_util::{Stream, stream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::guard::Guard;
use super::listen::{Listening, Serving};
use super::token::Token;

/// Drawing takes at most this part of a core: after it the thread pauses for so many times as long.
const PAUSES: u32 = 9;
/// The longest of these pauses: on a machine that is too busy to draw, who looks still gets something.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long clients have to take the last page.
const PATIENCE: Duration = Duration::from_secs(2);
/// The time between two looks whether they have.
const LOOK: Duration = Duration::from_millis(10);

/// A page as it is now.
pub struct Document {
    /// All of it.
    pub text: String,
    /// The parts that may change, in their order: the id of an element, and the element.
    pub parts: Vec<(String, String)>,
    /// Its policy, for a header. Holds nothing that somebody else wrote.
    pub policy: String,
}

/// What a dashboard shows.
pub trait Content: Send {
    /// Draws the page as of now. Called once a second at most, and only while somebody looks.
    fn draw(&mut self) -> Document;

    /// The numbers as text for Prometheus, and the type of that text; `None` if they cannot be written.
    fn metrics(&self) -> (&'static str, Option<String>);

    /// Somebody pressed the button that ends it.
    fn stop(&self);
}

/// A dashboard that is served.
pub struct Dashboard {
    address: SocketAddr,
    token: Token,
    pulse: Pulse,
    shared: Arc<Shared>,
    serving: Serving,
}

/// Tells a dashboard that there is something new to draw.
#[derive(Clone)]
pub struct Pulse(watch::Sender<()>);

impl Pulse {
    /// There is something new. Never waits.
    pub fn beat(&self) {
        self.0.send_replace(());
    }
}

struct Shared {
    content: Mutex<Box<dyn Content>>,
    shown: watch::Sender<Shown>,
    watching: AtomicUsize,
}

/// What clients are shown.
#[derive(Clone, Default)]
struct Shown {
    /// Counts the drawings.
    version: u64,
    parts: Arc<Vec<Part>>,
    /// The page that stays, when it is there.
    last: Option<Arc<Last>>,
}

struct Part {
    id: String,
    text: Arc<str>,
    /// The drawing in which it became what it is.
    since: u64,
}

struct Last {
    text: String,
    policy: String,
}

impl Dashboard {
    /// Serves a dashboard on a thread of its own.
    ///
    /// # Errors
    /// When the system starts no thread, or has no randomness for a token.
    pub fn start(listening: Listening, content: Box<dyn Content>) -> io::Result<Self> {
        let token = Token::new().ok_or_else(|| io::Error::other("there is no randomness"))?;
        let address = listening.address();
        let guard = Guard::with_token(address, token.clone());
        let shared = Arc::new(Shared {
            content: Mutex::new(content),
            shown: watch::Sender::new(Shown::default()),
            watching: AtomicUsize::new(0),
        });
        let (pulse, beats) = watch::channel(());
        let of_site = shared.clone();
        let serving = listening.serve(move || {
            tokio::spawn(of_site.clone().draw_all(beats));
            guard.around(of_site.site())
        })?;
        Ok(Self {
            address,
            token,
            pulse: Pulse(pulse),
            shared,
            serving,
        })
    }

    /// The address to open, with the token.
    pub fn url(&self) -> String {
        // A browser cannot open "any address".
        let address = match self.address {
            any if any.ip().is_unspecified() => {
                let local = match any {
                    SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                    SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
                };
                SocketAddr::new(local, any.port())
            }
            one => one,
        };
        format!("http://{address}/?token={}", self.token.as_str())
    }

    /// Whether other machines reach it.
    pub fn is_public(&self) -> bool {
        !self.address.ip().is_loopback()
    }

    /// What tells it that there is something new.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Gives all who look the page that stays, with its policy, and ends: within a few seconds, whether they take it or not.
    pub fn finish(self, text: String, policy: String) {
        let last = Arc::new(Last { text, policy });
        (self.shared.shown).send_modify(|shown| shown.last = Some(last));
        let deadline = std::time::Instant::now() + PATIENCE;
        while self.shared.watching.load(Ordering::Acquire) > 0
            && std::time::Instant::now() < deadline
        {
            std::thread::sleep(LOOK);
        }
        self.serving.finish();
    }
}

impl Shared {
    fn site(self: Arc<Self>) -> Router {
        let [page, live, numbers, ending] = [0; 4].map(|_| self.clone());
        Router::new()
            .route("/", get(move || async move { page.page() }))
            .route("/live", get(move || async move { live.live() }))
            .route(
                "/metrics",
                get(move || async move {
                    let (content_type, text) = numbers.content().metrics();
                    super::answer(content_type, text)
                }),
            )
            .route(
                "/stop",
                post(move || async move {
                    ending.content().stop();
                    StatusCode::ACCEPTED
                }),
            )
    }

    fn content(&self) -> std::sync::MutexGuard<'_, Box<dyn Content>> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws whenever there is something new and somebody looks.
    async fn draw_all(self: Arc<Self>, mut beats: watch::Receiver<()>) {
        while beats.changed().await.is_ok() {
            if self.watching.load(Ordering::Acquire) > 0 {
                let began = Instant::now();
                self.draw();
                sleep((began.elapsed() * PAUSES).min(LONGEST_PAUSE)).await;
            }
        }
    }

    /// Draws the page, and shows what changed.
    fn draw(&self) -> Document {
        let document = self.content().draw();
        self.shown.send_modify(|shown| {
            shown.version += 1;
            let before = |id: &str| shown.parts.iter().find(|part| part.id == id);
            let parts = document.parts.iter().map(|(id, text)| match before(id) {
                Some(part) if *part.text == **text => Part {
                    id: id.clone(),
                    text: part.text.clone(),
                    since: part.since,
                },
                _ => Part {
                    id: id.clone(),
                    text: text.as_str().into(),
                    since: shown.version,
                },
            });
            shown.parts = Arc::new(parts.collect());
        });
        document
    }

    fn page(&self) -> Response {
        let last = self.shown.borrow().last.clone();
        let (text, policy) = match last {
            Some(last) => (last.text.clone(), last.policy.clone()),
            None => {
                let Document { text, policy, .. } = self.draw();
                (text, policy)
            }
        };
        let mut answer = Html(text).into_response();
        let policy = format!("{policy}; frame-ancestors 'none'");
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        }
        answer
    }

    fn live(self: Arc<Self>) -> Response {
        let client = Client::new(self);
        let mut answer = Sse::new(client.events())
            .keep_alive(KeepAlive::default())
            .into_response();
        let kind = HeaderValue::from_static("text/event-stream; charset=utf-8");
        answer.headers_mut().insert(CONTENT_TYPE, kind);
        answer
    }
}

/// Somebody who looks. A slow one gets the newest parts when it has taken the ones before; nothing waits for it.
struct Client {
    shared: Arc<Shared>,
    shown: watch::Receiver<Shown>,
    /// The drawing that it has.
    has: u64,
    is_over: bool,
}

impl Client {
    fn new(shared: Arc<Shared>) -> Self {
        shared.watching.fetch_add(1, Ordering::AcqRel);
        let mut shown = shared.shown.subscribe();
        shown.mark_changed();
        Self {
            shared,
            shown,
            has: 0,
            is_over: false,
        }
    }

    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut client| async move {
            let event = client.next().await?;
            Some((Ok(event), client))
        })
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.is_over {
                return None;
            }
            self.shown.changed().await.ok()?;
            let shown = self.shown.borrow_and_update().clone();
            if let Some(last) = shown.last {
                self.is_over = true;
                let page = serde_json::Value::from(last.text.as_str());
                return Some(Event::default().event("end").data(page.to_string()));
            }
            let order: Vec<&str> = shown.parts.iter().map(|part| part.id.as_str()).collect();
            let changed: serde_json::Map<String, serde_json::Value> = (shown.parts.iter())
                .filter(|part| part.since > self.has)
                .map(|part| (part.id.clone(), (*part.text).into()))
                .collect();
            self.has = shown.version;
            if !changed.is_empty() {
                let told = serde_json::json!({ "order": order, "changed": changed });
                return Some(Event::default().event("parts").data(told.to_string()));
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared.watching.fetch_sub(1, Ordering::AcqRel);
    }
}
