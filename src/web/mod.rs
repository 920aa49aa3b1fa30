//! Pages of a program that runs, for a browser or a scraper: who may ask, how many at once, and a page that changes. Knows
//! nothing of what is shown.

mod dashboard;
mod guard;
mod listen;
mod token;

pub use dashboard::{Content, Dashboard, Document, Pulse};
pub use guard::Guard;
pub use listen::{Listening, Serving};
pub use token::Token;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

/// A site with one text, at `/metrics`: `text` makes it anew each time it is asked for.
pub fn metrics(
    guard: Guard,
    content_type: &'static str,
    text: impl Fn() -> Option<String> + Clone + Send + Sync + 'static,
) -> Router {
    let route = get(move || async move { answer(content_type, text()) });
    guard.around(Router::new().route("/metrics", route))
}

/// A text, or the server's failure to make it.
fn answer(content_type: &'static str, text: Option<String>) -> Response {
    match text {
        Some(text) => ([(CONTENT_TYPE, content_type)], text).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
