//! HTTP/1.1 of a client (RFC 9112) as bytes and back, and its cookies (RFC 6265). Pure: uses no socket and no clock.
//!
//! ```text
//! Request ─► bytes to be written
//! bytes read ─► Reader ─► Answer ─► Cookies ─► the next request
//! ```

mod answer;
mod cookies;
mod date;
mod head;
mod location;
#[cfg(any(test, fuzzing))]
pub(crate) mod peer;
mod reader;
mod request;
mod retry;
#[cfg(test)]
mod tests;

pub use answer::{Answer, AnswerError, EndedAt};
pub(crate) use cookies::take_cookies;
pub use cookies::{Address, Cookies, cookie_values};
pub(crate) use date::days_since_1970;
#[cfg(any(test, fuzzing))]
pub(crate) use head::MAX_HEAD_ALONE;
pub use head::{HeadReader, first_line, quoted, read_head, status_line, values};
pub use location::{Place, resolve};
pub use reader::{MAX_BODY, Reader};
pub use request::{Request, RequestError};
pub use retry::RetryAfter;
