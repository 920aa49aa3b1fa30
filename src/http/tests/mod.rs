//! Tests of what is read and written.

mod answers;
mod cookies;
mod requests;
