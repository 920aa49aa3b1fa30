//! A server that sends each text to everybody who is connected, its speaker too, as often as a rule says.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio_tungstenite::tungstenite::{self, Message};

/// How often the delivery with this number, from 0 over all texts and listeners, is sent.
type Copies = dyn Fn(u64) -> u32 + Send + Sync;

/// A running server on a free port of 127.0.0.1, with a thread for each connection.
pub struct Broadcast {
    address: SocketAddr,
    hall: Arc<Hall>,
    accepting: Option<JoinHandle<()>>,
}

struct Hall {
    listeners: Mutex<Vec<(u64, TcpStream)>>,
    copies: Box<Copies>,
    /// The number of the next delivery.
    next: AtomicU64,
    /// How many were sent.
    sent: AtomicU64,
    is_over: AtomicBool,
}

impl Broadcast {
    /// Starts a server with this rule.
    pub fn start(copies: impl Fn(u64) -> u32 + Send + Sync + 'static) -> Self {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let hall = Arc::new(Hall {
            listeners: Mutex::default(),
            copies: Box::new(copies),
            next: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        });
        let shared = Arc::clone(&hall);
        let accept = move || {
            for (number, stream) in (0..).zip(socket.incoming()) {
                if shared.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (hall, stream) = (Arc::clone(&shared), stream.unwrap());
                thread::spawn(move || hall.serve(number, stream));
            }
        };
        Self {
            address,
            hall,
            accepting: Some(thread::spawn(accept)),
        }
    }

    /// The address: `ws://127.0.0.1:PORT/`.
    pub fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// How many deliveries were sent so far.
    pub fn sent(&self) -> u64 {
        self.hall.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Broadcast {
    fn drop(&mut self) {
        self.hall.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl Hall {
    /// Serves one connection to its end.
    fn serve(&self, number: u64, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let (Ok(writer), Ok(mut socket)) = (stream.try_clone(), tungstenite::accept(stream)) else {
            return;
        };
        self.with_listeners(|all| all.push((number, writer)));
        loop {
            match socket.read() {
                Ok(Message::Text(text)) => self.say(text.as_bytes()),
                Ok(Message::Close(_)) => {
                    self.with_listeners(|all| all.retain(|(one, _)| *one != number));
                    let _ = socket.flush();
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        self.with_listeners(|all| all.retain(|(one, _)| *one != number));
    }

    fn say(&self, text: &[u8]) {
        let frame = frame(text);
        self.with_listeners(|all| {
            for (_, stream) in all {
                for _ in 0..(self.copies)(self.next.fetch_add(1, Ordering::SeqCst)) {
                    if stream.write_all(&frame).is_ok() {
                        self.sent.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
        });
    }

    fn with_listeners(&self, act: impl FnOnce(&mut Vec<(u64, TcpStream)>)) {
        act(&mut self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner));
    }
}

/// A text of up to 65,535 bytes as a server sends it (RFC 6455 section 5.2).
fn frame(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    let mut frame = vec![0x81];
    match length {
        0..126 => frame.push(length as u8),
        _ => {
            frame.push(126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
    }
    frame.extend_from_slice(text);
    frame
}
