//! Cookies by example.

use crate::http::{Address, Cookies};

const HERE: Address<'_> = Address {
    host: "chat.example.org",
    path: "/login/form?x=/y",
    secure: false,
};

fn jar(set: &[&str]) -> Cookies {
    let mut cookies = Cookies::default();
    for line in set {
        cookies.set(HERE, line.as_bytes(), 1000);
    }
    cookies
}

#[track_caller]
fn sent(cookies: &Cookies, to: Address<'_>, expected: &str) {
    let header = cookies.header(to, 1000).unwrap_or_default();
    assert_eq!(String::from_utf8(header).unwrap(), expected);
}

/// See RFC 6265 sections 5.1.3, 5.1.4 and 5.4.
#[test]
fn a_cookie_goes_back_where_it_belongs() {
    let cookies = jar(&[
        "a=1",
        "b=2; Path=/",
        "c=3; Domain=.Example.org; path=/",
        "d=4; Secure; Path=/",
        "e=\"5 =\" ; Path=/login/form",
    ]);
    sent(
        &cookies,
        Address {
            path: "/login/form",
            ..HERE
        },
        "e=\"5 =\"; a=1; b=2; c=3",
    );
    sent(
        &cookies,
        Address {
            path: "/login/",
            ..HERE
        },
        "a=1; b=2; c=3",
    );
    sent(
        &cookies,
        Address {
            path: "/loginx",
            ..HERE
        },
        "b=2; c=3",
    );
    sent(
        &cookies,
        Address {
            path: "/",
            secure: true,
            ..HERE
        },
        "b=2; c=3; d=4",
    );
    sent(
        &cookies,
        Address {
            host: "push.EXAMPLE.org",
            path: "/",
            secure: true,
        },
        "c=3",
    );
    sent(
        &cookies,
        Address {
            host: "badexample.org",
            path: "/",
            secure: true,
        },
        "",
    );
    assert_eq!(cookies.refused(), 0);
}

#[test]
fn a_cookie_is_replaced_and_deleted() {
    let mut cookies = jar(&[
        "a=1; Path=/",
        "b=2; Path=/; Max-Age=10",
        "a=3; Path=/",
        "a=4; Path=/x",
    ]);
    let root = Address { path: "/", ..HERE };
    sent(&cookies, root, "a=3; b=2");
    assert_eq!(cookies.header(root, 1010).as_deref(), Some(&b"a=3"[..]));
    cookies.set(
        HERE,
        b"a=; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT",
        1000,
    );
    sent(&cookies, root, "b=2");
    // The age counts before the date.
    cookies.set(
        HERE,
        b"b=9; path=/; max-age=5; expires=Thu, 01 Jan 1970 00:00:00 GMT",
        1000,
    );
    sent(&cookies, root, "b=9");
    cookies.set(HERE, b"b=9; path=/; max-age=-1", 1000);
    sent(&cookies, root, "");
    cookies.set(HERE, b"c=1; path=/; max-age=99999999999999999999", 1000);
    cookies.set(HERE, b"d=1; path=/; max-age=soon; expires=later", 1000);
    sent(&cookies, root, "c=1; d=1");
}

#[test]
fn a_cookie_that_is_not_kept_is_counted() {
    let long = format!("a={}", "x".repeat(4096));
    let cookies = jar(&[
        "",
        "a",
        "=1",
        "a=1; Domain=other.org",
        "a=1; domain=org",
        "a=1; domain=a.chat.example.org",
        "a\r\n=1",
        "a=\u{0}",
        &long,
    ]);
    sent(&cookies, HERE, "");
    assert_eq!(cookies.refused(), 9);
    let many: Vec<String> = (0..70).map(|number| format!("n{number}=1")).collect();
    let mut cookies = jar(&many.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(cookies.refused(), 6);
    // One that is deleted makes room.
    cookies.set(HERE, b"n0=1; max-age=0", 1000);
    cookies.set(HERE, b"new=1", 1000);
    assert_eq!(cookies.refused(), 6);
    // An address has nothing below it.
    let mut cookies = Cookies::default();
    let address = Address {
        host: "127.0.0.1",
        path: "/",
        secure: false,
    };
    cookies.set(address, b"a=1; domain=0.0.1", 0);
    assert_eq!(cookies.refused(), 1);
    cookies.set(address, b"a=1; domain=127.0.0.1", 0);
    assert_eq!(cookies.header(address, 0).as_deref(), Some(&b"a=1"[..]));
}
