//! Finds the id of an answer to JSON-RPC, as its message is found by it.

use std::hint::black_box;

use wsbench::json::{Found, Pointer};

const FIRST: &str = r#"{"id":480123,"jsonrpc":"2.0","result":{"sum":123456,"of":"all"}}"#;
const LAST: &str = r#"{"jsonrpc":"2.0","result":{"sum":123456,"of":"all"},"id":480123}"#;
const ID: u64 = 480_123;
const _: () = assert!(FIRST.len() == 64 && LAST.len() == 64);

/// See [`crate::PATHS`].
pub(crate) fn first(count: u64) {
    find(FIRST, count);
}

/// See [`crate::PATHS`].
pub(crate) fn last(count: u64) {
    find(LAST, count);
}

/// See [`crate::PATHS`].
pub(crate) fn number(count: u64) {
    let found = found(&pointer(), LAST);
    let seen = (0..count).filter(|_| black_box(found).as_u64() == Some(black_box(ID)));
    assert_eq!(seen.count() as u64, count);
}

fn find(text: &str, count: u64) {
    let pointer = pointer();
    let mut seen = 0;
    for _ in 0..count {
        seen += found(black_box(&pointer), black_box(text)).raw().len() as u64;
    }
    assert_eq!(seen, count * ID.to_string().len() as u64);
}

fn pointer() -> Pointer {
    "/id".parse().expect("a pointer")
}

fn found<'a>(pointer: &Pointer, text: &'a str) -> Found<'a> {
    pointer.find(text.as_bytes()).expect("the id is there")
}
