//! What must hold for any bytes of a server, for the tests and the fuzzer.

use super::{Address, Answer, AnswerError, Cookies, MAX_BODY, Reader, Request};

/// Asserts that an answer is the same however it is cut, is not waited for without end, and can be used.
pub(crate) fn assert_same(bytes: &[u8], cut: usize) {
    for method in ["GET", "HEAD"] {
        let whole = read(method, [bytes]);
        assert_eq!(
            whole,
            read(method, bytes.chunks(cut)),
            "{method} cut by {cut}"
        );
        match whole {
            Ok(answer) => assert_usable(&answer),
            Err(error) => assert!(!error.to_string().is_empty(), "refused without a word"),
        }
    }
}

/// Reads an answer from pieces and the end of the connection. What it says of the connection depends on the pieces:
/// only bytes that came with its end are seen to be too many.
pub(super) fn read<'a>(
    method: &str,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Answer, AnswerError> {
    let mut reader = Reader::new(method);
    for piece in pieces {
        if let Some(mut answer) = reader.take(piece)? {
            answer.keep_alive = false;
            return Ok(answer);
        }
    }
    reader.end()
}

fn assert_usable(answer: &Answer) {
    assert!((200..1000).contains(&answer.status) && answer.body.len() <= MAX_BODY);
    let address = Address {
        host: "example.org",
        path: "/a/b",
        secure: true,
    };
    let mut cookies = Cookies::default();
    cookies.take(address, answer, 0);
    let all = answer.headers("Set-Cookie").count();
    assert!(cookies.refused() <= all as u64);
    if let Some(value) = cookies.header(address, 0) {
        let headers = [("Cookie", &*value)];
        let request = Request {
            method: "GET",
            target: "/",
            host: "example.org",
            headers: &headers,
            body: None,
            keep_alive: true,
        };
        assert_eq!(request.write(&mut Vec::new()), Ok(()));
    }
}
