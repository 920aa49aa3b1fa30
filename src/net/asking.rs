//! One request of HTTP over a connection of its own.

use std::future::poll_fn;
use std::task::{Poll, ready};

use super::exchange::{Exchange, NoAnswer};
use super::failure::Failure;
use super::link::Link;
use super::tcp_dialer::{Dial, Progress};
use super::transport::Lost;
use super::way::{Linked, Way};
use crate::http::{Address, Answer, AnswerError};
use crate::metric::{ANSWER_STEP, Cause};
use crate::scenario::WebOrigin;
use crate::time::Clock;

/// How much is read at a time, in bytes.
const PIECE: usize = 4096;

/// An answer, or why there is none; and the bytes that were sent and received.
pub(crate) struct Asked {
    pub(crate) answer: Result<Answer, Failure>,
    pub(crate) bytes: (u64, u64),
}

/// What cookies go by: a server and a path there.
pub(crate) fn address<'a>(origin: &'a WebOrigin, path: &'a str) -> Address<'a> {
    Address {
        host: &origin.host,
        path,
        secure: origin.secure,
    }
}

impl Way {
    /// Opens a connection, sends this request, and waits for its answer. Has no time limit of its own.
    pub(crate) async fn ask(
        &self,
        request: &[u8],
        dial: Dial,
        clock: &dyn Clock,
        progress: &mut Progress,
    ) -> Asked {
        let mut link = match self.link(dial, clock, progress).await {
            Ok(Linked { link, .. }) => link,
            Err(failure) => {
                return Asked {
                    answer: Err(failure),
                    bytes: (0, 0),
                };
            }
        };
        progress.reached = ANSWER_STEP;
        let answer = exchange(&mut link, request).await;
        Asked {
            answer: answer.map_err(|none| self.explained(failure(none))),
            bytes: link.wire_mut().take_bytes(),
        }
    }
}

/// Sends a request and reads its answer, which may come before the server has taken all of the request.
async fn exchange(link: &mut Link, request: &[u8]) -> Result<Answer, NoAnswer> {
    let mut exchange = Exchange::default();
    exchange.begin(request);
    let mut piece = vec![0; PIECE];
    let answer = poll_fn(|cx| -> Poll<Result<Answer, NoAnswer>> {
        loop {
            // The answer says more than that the request was not taken.
            let _ = exchange.poll_send(link, cx);
            if let Some(answer) = ready!(exchange.poll_read(link, cx, &mut piece))? {
                return Poll::Ready(Ok(answer));
            }
        }
    });
    answer.await
}

fn failure(none: NoAnswer) -> Failure {
    match none {
        NoAnswer::Wrong(error) => Failure::new(Cause::HandshakeGarbage, error.to_string()),
        NoAnswer::Lost(Lost::Tcp(end), at) => {
            let when = at.map_or_else(
                || "within the answer".to_owned(),
                |at| AnswerError::Ended(at).to_string(),
            );
            Failure::new(end.before_open(), when)
        }
        NoAnswer::Lost(Lost::Failed(cause, detail) | Lost::Broken(cause, detail), _) => {
            Failure::new(cause, detail)
        }
        NoAnswer::Lost(Lost::Closed, _) => Failure::new(Cause::HandshakeEof, "we ended it"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::net::way_tests::way_to;
    use crate::time::Monotonic;

    async fn asked(server: SocketAddr, request: &[u8]) -> Result<Answer, Failure> {
        let (way, _) = way_to("url = \"ws://h/\"", &[server]);
        let (clock, mut progress) = (Monotonic::start(), Progress::default());
        let asking = way.ask(request, Dial::default(), &clock, &mut progress);
        let asked = tokio::time::timeout(Duration::from_secs(20), asking).await;
        asked.expect("in time").answer
    }

    /// As servers do that are asked to take more than they take.
    #[tokio::test]
    async fn an_answer_counts_that_comes_before_the_server_has_taken_the_request() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let (heard, is_heard) = mpsc::channel::<()>();
        let served = thread::spawn(move || {
            let (mut tcp, _) = listener.accept().unwrap();
            tcp.read_exact(&mut [0; 16]).unwrap();
            tcp.write_all(b"HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\n\r\n")
                .unwrap();
            // Takes no more of it.
            let _ = is_heard.recv();
        });
        let mut request =
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 67108864\r\n\r\n".to_vec();
        request.resize(request.len() + (64 << 20), b'x');
        assert_eq!(asked(server, &request).await.unwrap().status, 413);
        drop(heard);
        served.join().unwrap();
    }

    #[tokio::test]
    async fn an_end_before_the_answer_is_told_with_how_far_it_came() {
        for (sent, detail) in [
            ("", "the connection ended before any answer"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na",
                "the connection ended after 1 of 3 bytes of the body",
            ),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let server = listener.local_addr().unwrap();
            let request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
            let served = thread::spawn(move || {
                let (mut tcp, _) = listener.accept().unwrap();
                tcp.read_exact(&mut [0; 27]).unwrap();
                tcp.write_all(sent.as_bytes()).unwrap();
            });
            let failure = asked(server, request).await.unwrap_err();
            assert_eq!(failure.cause, Cause::HandshakeEof);
            assert_eq!(failure.detail, detail);
            served.join().unwrap();
        }
    }
}
