//! Answers, however they are cut.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::http::peer::{assert_same, read};
use crate::http::{Answer, AnswerError, MAX_BODY, Reader};

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
        "the head of the answer has more than 65,536 bytes: \"HTTP/1.1 200 OK\"",
    );
    refused(
        &with(&"A: b\r\n".repeat(101)),
        "the answer has more than 100 headers: \"HTTP/1.1 200 OK\"",
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
}
