//! Finds values in JSON by pointer (RFC 6901) without reading more of the text than it needs. Pure: uses bytes only,
//! and allocates nothing but what it returns.
//!
//! ```text
//! "/result/id" ─► Pointer ─ find in bytes ─► Found, a part of those bytes ─ compared with a Literal, or read
//! ```
//!
//! [`Pointer::find`] begins at the first `{` or `[`, stops at the value that it was asked for, and proves nothing about
//! the rest: a text that is no JSON can still have a value at a pointer. A value that is found is itself complete.

mod found;
mod literal;
#[cfg(any(test, fuzzing))]
pub(crate) mod peer;
mod pointer;
mod scanner;
#[cfg(test)]
mod tests;
mod text;

pub use found::{Found, Kind};
pub use literal::Literal;
pub use pointer::{Pointer, PointerError};
