//! Answers however they are cut, requests read back, and cookies by example.

use proptest::collection::vec;
use proptest::prelude::*;

use super::peer::{assert_same, read};
use super::*;

/// Reads the answer to a `GET`, in one piece.
fn get(bytes: &str) -> Result<Answer, AnswerError> {
    let mut reader = Reader::new("GET");
    match reader.take(bytes.as_bytes())? {
        Some(answer) => Ok(answer),
        None => reader.end(),
    }
}

#[track_caller]
fn refused(bytes: &str, what: &str) {
    assert_eq!(get(bytes).unwrap_err().to_string(), what);
}

#[test]
fn an_answer_has_a_status_headers_and_a_body() {
    let head = "HTTP/1.1 201 Created\r\nX-Ticket:  a \r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n";
    let answer = get(&format!("{head}Content-Length: 3\r\n\r\nabc")).unwrap();
    assert_eq!((answer.status, answer.reason.as_str()), (201, "Created"));
    assert_eq!(answer.header("x-ticket"), Some(&b"a"[..]));
    assert_eq!(answer.header("x-other"), None);
    assert_eq!(
        answer.headers("SET-COOKIE").collect::<Vec<_>>(),
        [b"a=1", b"b=2"]
    );
    assert_eq!(answer.body, b"abc");
    assert!(answer.keep_alive);
}

/// See RFC 9112 sections 6.3 and 7.1.
#[test]
fn a_body_ends_where_its_head_says() {
    let body = |bytes: &str| get(bytes).map(|answer| String::from_utf8(answer.body).unwrap());
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n0A \r\n0123456789\r\n0\r\nX: y\r\n\r\n";
    assert_eq!(body(chunks).as_deref(), Ok("abc0123456789"));
    assert_eq!(
        body("HTTP/1.1 200 OK\r\n\r\nto the end").as_deref(),
        Ok("to the end")
    );
    for head in [
        "204 No Content\r\nContent-Length: 5",
        "304 Not Modified\r\nTransfer-Encoding: chunked",
    ] {
        assert_eq!(
            body(&format!("HTTP/1.1 {head}\r\n\r\n")).as_deref(),
            Ok(""),
            "{head}"
        );
    }
    assert_eq!(
        body("HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\nContent-Length: 3\r\n\r\nabc").as_deref(),
        Ok("abc")
    );
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
    assert_eq!(
        get(both).map(|answer| (answer.body, answer.keep_alive)),
        Ok((b"a".to_vec(), false))
    );
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    assert_eq!(
        Reader::new("HEAD")
            .take(head.as_bytes())
            .unwrap()
            .unwrap()
            .body,
        b""
    );
}

#[test]
fn informational_answers_come_before_the_final_one() {
    let continued = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    assert_eq!(
        get(&format!(
            "{continued}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        ))
        .unwrap()
        .status,
        200
    );
    refused(
        &"HTTP/1.1 100 Continue\r\n\r\n".repeat(17),
        "17 informational answers and no final one",
    );
    refused(
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "the server switches to a protocol that nobody asked for",
    );
}

/// See RFC 9112 section 9.3.
#[test]
fn a_connection_is_kept_unless_the_server_says_otherwise() {
    let is_kept = |version: &str, header: &str, behind: &str| {
        get(&format!(
            "HTTP/1.{version} 200 OK\r\n{header}Content-Length: 0\r\n\r\n{behind}"
        ))
        .unwrap()
        .keep_alive
    };
    assert!(is_kept("1", "", ""));
    assert!(is_kept("0", "Connection: x, Keep-Alive\r\n", ""));
    assert!(!is_kept("0", "", ""));
    assert!(!is_kept("1", "Connection: Close\r\n", ""));
    assert!(!is_kept("1", "", "HTTP/1.1 200 OK\r\n\r\n"));
    assert!(!get("HTTP/1.1 200 OK\r\n\r\n").unwrap().keep_alive);
}

#[test]
fn an_answer_that_ends_too_early_says_where() {
    refused("", "the connection ended before any answer");
    refused(
        "HTTP/1.1 200 OK\r\nA: b\r\n",
        "the connection ended inside of the head of the answer",
    );
    refused(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        "the connection ended after 2 of 5 bytes of the body",
    );
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    refused(
        &format!("{chunks}2\r\nab\r\n"),
        "the connection ended before the last chunk, after 2 bytes of the body",
    );
    refused(
        &format!("{chunks}0\r\n"),
        "the connection ended before the last chunk, after 0 bytes of the body",
    );
}

#[test]
fn what_is_no_answer_is_refused_in_words() {
    refused(
        "HTTP/1.1 066 Small\r\n\r\n",
        "the answer has the status 066, which is none",
    );
    refused(
        "SSH-2.0-x\r\n",
        "the answer is no HTTP: invalid HTTP version: \"SSH-2.0-x\"",
    );
    let with = |lines: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n{body}");
    refused(
        &with("Content-Length: 3, 4", ""),
        "the answer has a wrong `Content-Length`: \"3, 4\"",
    );
    refused(
        &with("Content-Length: +3", ""),
        "the answer has a wrong `Content-Length`: \"+3\"",
    );
    let gzip = "the answer has a `Transfer-Encoding` that wsbench does not know: \"gzip, chunked\"";
    refused(&with("Transfer-Encoding: gzip, chunked", ""), gzip);
    refused(
        &with("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", ""),
        gzip,
    );
    let chunk = |body: &str| with("Transfer-Encoding: chunked", body);
    for wrong in [
        "\r\n",
        "x\r\n",
        "-1\r\n",
        "1\n",
        "3 3\r\n",
        "11111111111111111\r\n",
    ] {
        let error = get(&chunk(wrong)).unwrap_err();
        assert!(matches!(error, AnswerError::Chunk(_)), "{wrong:?}: {error}");
    }
    refused(
        &chunk("1\r\nab\r\n"),
        "the body of the answer has a wrong chunk: \"longer than its size\"",
    );
}

#[test]
fn nothing_of_an_answer_is_without_limit() {
    let with = |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
    refused(
        &with(&format!("A: {}", "b".repeat(70_000))),
        "the head of the answer has more than 65,536 bytes",
    );
    refused(
        &with(&"A: b\r\n".repeat(101)),
        "the answer has more than 100 headers",
    );
    let big = "the body of the answer has more than 1,048,576 bytes";
    refused(&with("Content-Length: 1048577\r\n"), big);
    refused(&with("Content-Length: 99999999999999999999\r\n"), big);
    refused(&(with("") + &"x".repeat(MAX_BODY + 1)), big);
    let chunked = with("Transfer-Encoding: chunked\r\n");
    refused(
        &format!("{chunked}100000\r\n{}\r\n1\r\n", "x".repeat(MAX_BODY)),
        big,
    );
    refused(
        &format!("{chunked}1;{}", "x".repeat(2000)),
        &format!(
            "the body of the answer has a wrong chunk: \"1;{}…\"",
            "x".repeat(77)
        ),
    );
    refused(
        &format!("{chunked}0\r\n{}", "A: b\r\n".repeat(11_000)),
        "the fields behind the body have more than 65,536 bytes",
    );
    assert_eq!(
        get(&(with("") + &"x".repeat(MAX_BODY))).unwrap().body.len(),
        MAX_BODY
    );
}

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

/// Makes an answer as a server sends it, and its body.
fn sent_answer() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let header = ("[A-Z][a-z]{1,8}", "[!-~]{0,12}")
        .prop_map(|(name, value)| format!("X-{name}: {value}\r\n"));
    let interim =
        prop_oneof![3 => Just(""), 1 => Just("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n")];
    let chunks = vec(vec(any::<u8>(), 1..40), 0..6);
    (interim, vec(header, 0..4), chunks, 0_u8..3).prop_map(|(interim, headers, chunks, framing)| {
        let body = chunks.concat();
        let mut bytes = format!("{interim}HTTP/1.1 200 OK\r\n{}", headers.concat()).into_bytes();
        match framing {
            0 => {
                bytes.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
                bytes.extend(&body);
            }
            1 => {
                bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
                for chunk in &chunks {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
                    bytes.extend(chunk);
                    bytes.extend(b"\r\n");
                }
                bytes.extend(b"0\r\nX-Sum: 1\r\n\r\n");
            }
            _ => {
                bytes.extend(b"\r\n");
                bytes.extend(&body);
            }
        }
        (bytes, body)
    })
}

/// Makes bytes that get further than random ones do.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 100 \r\n\r\n",
        "HTTP/1.0 404\r\n",
        "\r\n",
        "\n",
        "\r",
        "Content-Length: ",
        "3",
        "A\r\n",
        "Transfer-Encoding: chunked\r\n\r\n",
        "3\r\nabc\r\n",
        "0\r\n",
        "Set-Cookie: a=b; Path=/a\r\n",
        ":",
        " ",
        ";",
        "\u{e9}",
        "\0",
    ];
    vec(prop::sample::select(pieces.to_vec()), 0..20)
        .prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn an_answer_is_the_same_however_it_is_cut((bytes, body) in sent_answer(), cuts in vec(1_usize..20, 1..10)) {
        let mut rest = &bytes[..];
        let mut sizes = cuts.iter().cycle();
        let parts = std::iter::from_fn(|| {
            let (part, behind) = rest.split_at(rest.len().min(*sizes.next()?));
            rest = behind;
            (!part.is_empty()).then_some(part)
        });
        let answer = read("GET", parts);
        prop_assert_eq!(answer.as_ref().map(|answer| &answer.body), Ok(&body));
        prop_assert_eq!(answer, read("GET", [&bytes[..]]));
    }

    #[test]
    fn any_bytes_are_an_answer_or_refused(bytes in prop_oneof![vec(any::<u8>(), 0..300), pieces()], cut in 1_usize..20) {
        assert_same(&bytes, cut);
    }

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
