//! A proxy that is played: it answers CONNECT, and passes on what comes then. Or it only answers: then it is a server.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A running proxy on a free port of 127.0.0.1. Its threads end with the test.
pub struct Proxy {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Starts one that opens each tunnel, and passes all on to this server.
    pub fn to(server: SocketAddr) -> Self {
        Self::start(OPEN, Leads::To(server))
    }

    /// Starts one that opens each tunnel to where it is asked to.
    pub fn open() -> Self {
        Self::start(OPEN, Leads::Asked)
    }

    /// The same, but one connection, counted from zero, waits longer for its tunnel than all others together.
    pub fn open_late_for(late: usize) -> Self {
        Self::begin(OPEN, Leads::Asked, Some(late))
    }

    /// Starts one that answers this to each request, and ends.
    pub fn answering(answer: &'static str) -> Self {
        Self::start(answer, Leads::Nowhere)
    }

    fn start(answer: &'static str, leads: Leads) -> Self {
        Self::begin(answer, leads, None)
    }

    fn begin(answer: &'static str, leads: Leads, late: Option<usize>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let book = asked.clone();
        thread::spawn(move || {
            for (nth, client) in listener.incoming().enumerate() {
                let book = book.clone();
                thread::spawn(move || {
                    if late == Some(nth) {
                        thread::sleep(LATE);
                    }
                    // Ends with an error where the client or the server does.
                    serve(client?, answer, leads, &book)
                });
            }
        });
        Self { address, asked }
    }

    /// The head of each request so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Where tunnels lead.
#[derive(Clone, Copy)]
enum Leads {
    Asked,
    To(SocketAddr),
    Nowhere,
}

const LATE: Duration = Duration::from_millis(500);
const OPEN: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

fn serve(
    mut client: TcpStream,
    answer: &str,
    leads: Leads,
    book: &Mutex<Vec<String>>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut head = String::new();
    // Nothing follows the head before it is answered.
    let mut lines = BufReader::new(client.try_clone()?);
    while lines.read_line(&mut head)? > 2 {}
    book.lock().unwrap().push(head.clone());
    client.write_all(answer.as_bytes())?;
    let server = match leads {
        Leads::Nowhere => return Ok(()),
        Leads::To(server) => TcpStream::connect(server)?,
        Leads::Asked => TcpStream::connect(head.split(' ').nth(1).unwrap_or_default())?,
    };
    server.set_nodelay(true)?;
    let (from, to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || pass(server, client));
    pass(from, to)
}

fn pass(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Write)
}
