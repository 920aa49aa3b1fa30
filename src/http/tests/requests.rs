//! Requests, and how they are read back.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::http::Request;

fn request<'a>(
    method: &'a str,
    target: &'a str,
    headers: &'a [(&'a str, &'a [u8])],
) -> Request<'a> {
    Request {
        method,
        target,
        host: "example.org:8080",
        headers,
        body: None,
        keep_alive: true,
    }
}

#[test]
fn a_request_is_written_in_the_order_of_its_lines() {
    let mut out = b"before ".to_vec();
    let post = Request {
        body: Some(b"{}"),
        keep_alive: false,
        ..request("POST", "/a?b=c", &[("X-Y", b"z")])
    };
    post.write(&mut out).unwrap();
    let expected = "before POST /a?b=c HTTP/1.1\r\nHost: example.org:8080\r\nX-Y: z\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    assert_eq!(str::from_utf8(&out), Ok(expected));
    let mut out = Vec::new();
    request("DELETE", "/", &[("host", b"other")])
        .write(&mut out)
        .unwrap();
    assert_eq!(
        str::from_utf8(&out),
        Ok("DELETE / HTTP/1.1\r\nhost: other\r\n\r\n")
    );
    let mut out = Vec::new();
    request("PUT", "/", &[]).write(&mut out).unwrap();
    assert!(
        str::from_utf8(&out)
            .unwrap()
            .ends_with("Content-Length: 0\r\n\r\n")
    );
}

#[test]
fn no_part_of_a_request_can_pass_for_another() {
    let wrong = |request: Request<'_>| {
        let mut out = b"as it was".to_vec();
        let error = request.write(&mut out).unwrap_err();
        assert_eq!(out, b"as it was");
        error.to_string()
    };
    assert_eq!(
        wrong(request("GET /", "/", &[])),
        "the method \"GET /\" is none that can be sent"
    );
    assert_eq!(
        wrong(request("CONNECT", "/", &[])),
        "the method \"CONNECT\" is none that can be sent"
    );
    for target in ["", "a", "/a b", "/a\r\nX: y", "/é"] {
        let error = wrong(request("GET", target, &[]));
        assert!(
            error.ends_with("cannot stand in a request"),
            "{target}: {error}"
        );
    }
    assert_eq!(
        wrong(request("GET", "/", &[("X Y", b"z")])),
        "\"X Y\" is no name of a header"
    );
    assert_eq!(
        wrong(request("GET", "/", &[("content-length", b"1")])),
        "the header `content-length` is set by wsbench"
    );
    for value in [&b"a\r\nX: y"[..], b"a\nb", b"\0"] {
        let error = wrong(request("GET", "/", &[("X-Y", value)]));
        assert_eq!(
            error,
            "the value of the header `X-Y` has a line break or another control character"
        );
    }
    let host = Request {
        host: "a\r\nb",
        ..request("GET", "/", &[])
    };
    assert!(wrong(host).contains("`Host`"));
}

proptest! {
    #[test]
    fn a_request_is_read_back_as_it_was_meant(
        method in "[A-Z]{1,8}", target in "/[!-~]{0,20}", headers in vec(("X-[a-zA-Z0-9-]{1,10}", vec(any::<u8>(), 0..12)), 0..6),
        body in prop::option::of(vec(any::<u8>(), 0..40))
    ) {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), &value[..])).collect();
        let request = Request { body: body.as_deref(), ..request(&method, &target, &headers) };
        let mut out = Vec::new();
        let is_harmful = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
        if request.write(&mut out).is_err() {
            prop_assert!(method == "CONNECT" || headers.iter().any(|(_, value)| value.iter().any(is_harmful)));
            return Ok(());
        }
        let mut room = [httparse::EMPTY_HEADER; 10];
        let mut read = httparse::Request::new(&mut room);
        let length = read.parse(&out).unwrap().unwrap();
        prop_assert_eq!((read.method, read.path), (Some(&*method), Some(&*target)));
        let lines: Vec<_> = read.headers.iter().map(|header| (header.name, header.value.trim_ascii())).collect();
        let meant: Vec<_> = headers.iter().map(|(name, value)| (*name, value.trim_ascii())).collect();
        prop_assert_eq!(&lines[1..=meant.len()], &meant[..]);
        prop_assert_eq!(&out[length..], body.as_deref().unwrap_or_default());
        let said = lines.iter().find(|line| line.0 == "Content-Length").map(|line| line.1.to_vec());
        let counts = body.is_some() || matches!(&*method, "POST" | "PUT" | "PATCH");
        prop_assert_eq!(said, counts.then(|| (out.len() - length).to_string().into_bytes()));
    }
}
