//! A server of HTTP that answers everything alike, and hands on what it was sent.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// A collector; lives as long as the test.
pub struct Collector {
    /// Where it is: `http://127.0.0.1:12345`.
    pub url: String,
    /// The head of each request, in small letters, and its body, as it was before it was compressed.
    pub requests: Receiver<(String, Vec<u8>)>,
}

impl Collector {
    /// Starts one that answers with this status and these words.
    pub fn start(status: &'static str, words: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (hands, requests) = channel();
        thread::spawn(move || {
            for client in listener.incoming() {
                let (hands, mut client) = (hands.clone(), client.unwrap());
                thread::spawn(move || {
                    let mut reader = BufReader::new(client.try_clone().unwrap());
                    while let Some(request) = request(&mut reader) {
                        let length = words.len();
                        let answer =
                            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{words}");
                        let _ = hands.send(request);
                        if client.write_all(answer.as_bytes()).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { url, requests }
    }
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_lowercase();
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length?.trim().parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    if head.contains("content-encoding: gzip") {
        let mut plain = Vec::new();
        let mut zipped = flate2::read::GzDecoder::new(&*body);
        zipped.read_to_end(&mut plain).ok()?;
        body = plain;
    }
    Some((head, body))
}
