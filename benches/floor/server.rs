//! The common peer: upgrades, echoes, answers pings and closes, and counts, with one read and one write
//! for each time a connection has something to say. Where connections hear each other, one write for each that hears.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustls::ServerConfig;
use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::circle::Circles;
use crate::frame::{self, Frame};
use crate::stream::Stream;

/// Dials that may wait to be accepted: a whole ramp at once.
const BACKLOG: i32 = 4096;
/// The longest upgrade request.
const MAX_REQUEST: usize = 8192;
const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
/// What is echoed refers to nothing before it, if the client's messages do not.
const COMPRESSED: &[u8] =
    b"\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover";
/// Far above any file descriptor, which is what marks a connection.
const LISTENER: u64 = u64::MAX;
const CONTROL: u64 = u64::MAX - 1;

/// All that has happened since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Upgrades answered with 101.
    pub(crate) opened: u64,
    /// Of these, ended by a close handshake.
    pub(crate) closed: u64,
    /// Of these, ended in any other way.
    pub(crate) broken: u64,
    /// Connections that ended before the upgrade.
    pub(crate) refused: u64,
    /// Data frames echoed.
    pub(crate) echoes: u64,
    /// Data frames given to connections that hear each other, once for each of them.
    pub(crate) delivered: u64,
    /// Pings answered.
    pub(crate) pings: u64,
}

struct Peer {
    stream: Stream,
    open: bool,
    closing: bool,
    /// Nothing is read until `unsent` has gone.
    blocked: bool,
    /// What the socket would not take yet.
    unsent: Vec<u8>,
    /// Part of a frame or of a request.
    rest: Vec<u8>,
    /// Its circle.
    circle: usize,
}

/// Why a peer is gone.
struct Gone;

/// The echo server. Ends when its control stream does.
pub(crate) struct Server<C> {
    epoll: OwnedFd,
    listener: TcpListener,
    control: C,
    /// By file descriptor.
    peers: Vec<Option<Peer>>,
    circles: Circles,
    /// How TLS is spoken.
    tls: Option<Arc<ServerConfig>>,
    /// Those to whom something is given.
    members: Vec<usize>,
    counts: Counts,
    input: Vec<u8>,
    output: Output,
}

/// What is to be written because of what was read.
#[derive(Default)]
struct Output {
    /// To the connection itself.
    own: Vec<u8>,
    /// To each that hears it: whole frames, and how many.
    heard: Vec<u8>,
    frames: u64,
}

impl<C: Read + AsFd> Server<C> {
    /// Listens on a free port of an address. Each line that comes from `control` asks for the counts. Without
    /// `circle` each connection is echoed; with it, so many in the order of their dials hear what one of them says.
    pub(crate) fn listen(
        control: C,
        address: Ipv4Addr,
        circle: Option<NonZeroUsize>,
        tls: Option<Arc<ServerConfig>>,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((address, 0)).into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let listener = TcpListener::from(socket);
        watch(&epoll, &listener, LISTENER)?;
        watch(&epoll, &control, CONTROL)?;
        Ok(Self {
            epoll,
            listener,
            control,
            peers: Vec::new(),
            circles: Circles::new(circle),
            tls,
            members: Vec::new(),
            counts: Counts::default(),
            input: vec![0; 64 * 1024],
            output: Output::default(),
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `control` ends. Each answer to it is one line of JSON in `out`.
    pub(crate) fn serve(&mut self, mut out: impl Write) -> io::Result<Counts> {
        let mut events: Vec<Event> = Vec::with_capacity(1024);
        loop {
            events.clear();
            match epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                None,
            ) {
                Err(rustix::io::Errno::INTR) => continue,
                done => done?,
            };
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    CONTROL => {
                        let asked = self.control.read(&mut self.input)?;
                        if asked == 0 {
                            return Ok(self.counts);
                        }
                        for _ in self.input[..asked].iter().filter(|byte| **byte == b'\n') {
                            serde_json::to_writer(&mut out, &self.counts)?;
                            writeln!(out)?;
                        }
                        out.flush()?;
                    }
                    peer => self.ready(peer as usize),
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let place = stream.as_raw_fd() as usize;
            watch(&self.epoll, &stream, place as u64)?;
            if self.peers.len() <= place {
                self.peers.resize_with(place + 1, || None);
            }
            self.peers[place] = Some(Peer {
                stream: Stream::accept(stream, self.tls.as_ref())?,
                open: false,
                closing: false,
                blocked: false,
                unsent: Vec::new(),
                rest: Vec::new(),
                circle: self.circles.enter(place),
            });
        }
    }

    fn ready(&mut self, place: usize) {
        let Some(peer) = self.peers[place].as_mut() else {
            return;
        };
        let circle = peer.circle;
        self.output.own.clear();
        self.output.heard.clear();
        self.output.frames = 0;
        let work = if peer.blocked {
            self.output.own.append(&mut peer.unsent);
            Ok(())
        } else {
            let echoes = !self.circles.are_there();
            let (input, output) = (&mut self.input, &mut self.output);
            peer.read(input, output, echoes, &mut self.counts)
        };
        let work = work.and_then(|()| peer.write(&self.epoll, place, &self.output.own));
        self.after(place, work);
        if self.output.frames > 0 {
            self.deliver(circle);
        }
    }

    /// Gives what one has said to all in its circle.
    fn deliver(&mut self, circle: usize) {
        let mut members = std::mem::take(&mut self.members);
        self.circles.members(circle, &mut members);
        for place in &members {
            let Some(peer) = self.peers[*place].as_mut().filter(|peer| peer.hears()) else {
                continue;
            };
            self.counts.delivered += self.output.frames;
            let work = if peer.blocked {
                peer.unsent.extend(&self.output.heard);
                Ok(())
            } else {
                peer.write(&self.epoll, *place, &self.output.heard)
            };
            self.after(*place, work);
        }
        self.members = members;
    }

    /// Lets a connection go that has ended.
    fn after(&mut self, place: usize, work: Result<(), Gone>) {
        if work.is_err()
            && let Some(peer) = self.peers[place].take()
        {
            match (peer.open, peer.closing) {
                (false, _) => self.counts.refused += 1,
                (true, true) => self.counts.closed += 1,
                (true, false) => self.counts.broken += 1,
            }
            self.circles.leave(peer.circle, place);
        }
    }
}

impl Peer {
    /// Whether it hears what others say.
    fn hears(&self) -> bool {
        self.open && !self.closing
    }

    /// Reads once and works out the answer.
    fn read(
        &mut self,
        input: &mut [u8],
        output: &mut Output,
        echoes: bool,
        counts: &mut Counts,
    ) -> Result<(), Gone> {
        let read = match self.stream.read(input) {
            Ok(0) => return Err(Gone),
            Ok(read) => read,
            Err(error) if is_passing(&error) => return Ok(()),
            Err(_) => return Err(Gone),
        };
        if self.rest.is_empty() {
            let used = self.answer(&input[..read], output, echoes, counts)?;
            self.rest.extend(&input[used..read]);
        } else {
            let mut bytes = std::mem::take(&mut self.rest);
            bytes.extend(&input[..read]);
            let used = self.answer(&bytes, output, echoes, counts)?;
            bytes.drain(..used);
            self.rest = bytes;
        }
        Ok(())
    }

    /// Answers all that has come whole, and returns how many bytes that was.
    fn answer(
        &mut self,
        bytes: &[u8],
        output: &mut Output,
        echoes: bool,
        counts: &mut Counts,
    ) -> Result<usize, Gone> {
        let mut used = 0;
        if !self.open {
            used = upgrade(bytes, &mut output.own)?;
            self.open = used > 0;
            counts.opened += u64::from(self.open);
        }
        while self.open && !self.closing {
            let Some(frame) = Frame::read(&bytes[used..]).map_err(|_| Gone)? else {
                break;
            };
            match frame.opcode() {
                frame::CLOSE => {
                    frame.answer(frame::CLOSE, &mut output.own);
                    self.closing = true;
                }
                frame::PING => {
                    frame.answer(frame::PONG, &mut output.own);
                    counts.pings += 1;
                }
                frame::PONG => {}
                data if echoes => {
                    frame.answer(data, &mut output.own);
                    counts.echoes += 1;
                }
                data => {
                    frame.answer(data, &mut output.heard);
                    output.frames += 1;
                }
            }
            used += frame.len;
        }
        Ok(used)
    }

    /// Writes once and keeps what is left. After the answer to a Close the server ends TCP, as RFC 6455
    /// section 7.1.1 has it.
    fn write(&mut self, epoll: &OwnedFd, place: usize, output: &[u8]) -> Result<(), Gone> {
        let written = match output {
            [] => 0,
            _ => match self.stream.write(output) {
                Ok(written) => written,
                Err(error) if is_passing(&error) => 0,
                Err(_) => return Err(Gone),
            },
        };
        let unsent = &output[written..];
        if unsent.is_empty() && self.closing {
            return Err(Gone);
        }
        self.unsent.extend(unsent);
        let blocked = !unsent.is_empty();
        if blocked != self.blocked {
            self.blocked = blocked;
            let wanted = if blocked {
                EventFlags::OUT
            } else {
                EventFlags::IN
            };
            let data = EventData::new_u64(place as u64);
            epoll::modify(epoll, &self.stream, data, wanted).map_err(|_| Gone)?;
        }
        Ok(())
    }
}

/// Answers a whole upgrade request, and returns its length; 0 where some of it is missing.
fn upgrade(bytes: &[u8], output: &mut Vec<u8>) -> Result<usize, Gone> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let used = match request.parse(bytes) {
        Ok(httparse::Status::Complete(used)) => used,
        Ok(httparse::Status::Partial) if bytes.len() <= MAX_REQUEST => return Ok(0),
        _ => return Err(Gone),
    };
    let key = (request.headers.iter())
        .find(|header| header.name.eq_ignore_ascii_case("sec-websocket-key"))
        .ok_or(Gone)?;
    output.extend(ACCEPTED);
    output.extend(derive_accept_key(key.value).as_bytes());
    let offers = |name: &str| name.eq_ignore_ascii_case("sec-websocket-extensions");
    if request.headers.iter().any(|header| offers(header.name)) {
        output.extend(COMPRESSED);
    }
    output.extend(b"\r\n\r\n");
    Ok(used)
}

fn watch(epoll: &OwnedFd, source: impl AsFd, name: u64) -> io::Result<()> {
    Ok(epoll::add(
        epoll,
        source,
        EventData::new_u64(name),
        EventFlags::IN,
    )?)
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
