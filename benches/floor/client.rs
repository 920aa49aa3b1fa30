//! The bare client: connections, one epoll, one read for each that has something to say, and no look at
//! an answer beyond its length.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::frame;
use crate::stream::{Stream, Target};

/// The sample key of RFC 6455 section 1.3.
const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// How the server's response ends: with the accept that belongs to the key.
const ACCEPTED: &[u8] = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

#[derive(Clone, Copy, PartialEq)]
enum State {
    Opening,
    Open,
    Closing,
}

struct Peer {
    stream: Stream,
    state: State,
    /// Bytes of an answer that has not come whole yet.
    partial: u32,
}

/// What a connection does by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Habit {
    /// Nothing: what it sends, it is told to.
    Told,
    /// Sends the next frame for each answer.
    Replies,
    /// Closes as soon as it is open.
    Closes,
}

/// All connections of a run.
pub(crate) struct Client {
    target: Target,
    epoll: OwnedFd,
    peers: Vec<Option<Peer>>,
    pub(crate) habit: Habit,
    /// Where replies are gathered: who owes how many, until the end of the turn.
    owed: Option<Vec<(usize, usize)>>,
    /// What is sent; as many times in a row as a connection ever sends at once.
    frames: Vec<u8>,
    frame_len: usize,
    answer_len: usize,
    close: Vec<u8>,
    input: Vec<u8>,
    events: Vec<Event>,
    pub(crate) opened: u64,
    pub(crate) closed: u64,
    pub(crate) sent: u64,
    pub(crate) answered: u64,
}

impl Client {
    /// No connection yet. `burst` is how many frames a connection sends at once, at the most.
    pub(crate) fn new(
        target: Target,
        habit: Habit,
        frame: &[u8],
        burst: usize,
    ) -> io::Result<Self> {
        Ok(Self {
            target,
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            peers: Vec::new(),
            habit,
            owed: None,
            frames: frame.repeat(burst),
            frame_len: frame.len(),
            answer_len: frame::answer_len(frame),
            close: frame::masked(frame::CLOSE, &1000u16.to_be_bytes()),
            input: vec![0; 64 * 1024],
            events: Vec::with_capacity(1024),
            opened: 0,
            closed: 0,
            sent: 0,
            answered: 0,
        })
    }

    /// Reads all that has come before it replies to any of it.
    pub(crate) fn gather(&mut self) {
        self.owed = Some(Vec::new());
    }

    /// Opens one more connection. The dial blocks, which on the loopback address takes no waiting and spares
    /// the calls that a non-blocking one needs.
    pub(crate) fn dial(&mut self) -> io::Result<()> {
        let mut stream = Stream::dial(&self.target)?;
        write(&mut stream, UPGRADE.as_bytes())?;
        stream.set_nonblocking()?;
        let name = EventData::new_u64(self.peers.len() as u64);
        epoll::add(&self.epoll, &stream, name, EventFlags::IN)?;
        self.peers.push(Some(Peer {
            stream,
            state: State::Opening,
            partial: 0,
        }));
        Ok(())
    }

    /// How many were dialled.
    pub(crate) fn dialled(&self) -> u64 {
        self.peers.len() as u64
    }

    /// Sends so many frames on one connection, in one write.
    pub(crate) fn send(&mut self, place: usize, count: usize) -> io::Result<()> {
        let frames = &self.frames[..count * self.frame_len];
        match &mut self.peers[place] {
            Some(peer) => write(&mut peer.stream, frames)?,
            None => return Err(ErrorKind::NotConnected.into()),
        }
        self.sent += count as u64;
        Ok(())
    }

    /// Begins the close handshake on one connection.
    pub(crate) fn close(&mut self, place: usize) -> io::Result<()> {
        if let Some(peer) = &mut self.peers[place] {
            peer.state = State::Closing;
            write(&mut peer.stream, &self.close)?;
        }
        Ok(())
    }

    /// Waits until `wake`, at the latest, and reads what has come.
    pub(crate) fn turn(&mut self, wake: Instant) -> io::Result<()> {
        let timeout = timespec(wake.saturating_duration_since(Instant::now()));
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        let room = rustix::buffer::spare_capacity(&mut events);
        match epoll::wait(&self.epoll, room, Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => {}
            done => drop(done?),
        }
        for event in &events {
            self.ready(event.data.u64() as usize)?;
        }
        self.events = events;
        let mut owed = self.owed.take();
        for (place, answers) in owed.iter_mut().flat_map(|owed| owed.drain(..)) {
            self.send(place, answers)?;
        }
        self.owed = owed;
        Ok(())
    }

    fn ready(&mut self, place: usize) -> io::Result<()> {
        let Some(peer) = &mut self.peers[place] else {
            return Ok(());
        };
        let read = match peer.stream.read(&mut self.input) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            read => read?,
        };
        match peer.state {
            State::Closing if read == 0 => {
                self.peers[place] = None;
                self.closed += 1;
            }
            State::Closing => {}
            State::Open | State::Opening if read == 0 => {
                return Err(io::Error::other("the server ended a connection"));
            }
            State::Opening => {
                let response = &self.input[..read];
                if !response.starts_with(b"HTTP/1.1 101 ") || !response.ends_with(ACCEPTED) {
                    return Err(io::Error::other("the server did not accept the upgrade"));
                }
                peer.state = State::Open;
                self.opened += 1;
                if self.habit == Habit::Closes {
                    self.close(place)?;
                }
            }
            State::Open => {
                let bytes = peer.partial as usize + read;
                peer.partial = (bytes % self.answer_len) as u32;
                let answers = bytes / self.answer_len;
                self.answered += answers as u64;
                if self.habit == Habit::Replies && answers > 0 {
                    match &mut self.owed {
                        Some(owed) => owed.push((place, answers)),
                        None => self.send(place, answers)?,
                    }
                }
            }
        }
        Ok(())
    }
}

/// A floor that had to keep what a socket does not take would be none.
fn write(stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
    match stream.write(bytes)? {
        written if written == bytes.len() => Ok(()),
        _ => Err(io::Error::other("the server reads too slowly")),
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: duration.as_secs() as i64,
        tv_nsec: duration.subsec_nanos().into(),
    }
}
