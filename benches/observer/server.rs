//! The loop of the observer: one thread, one epoll, one queue of what is to be done at a time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use socket2::{Domain, SockRef, Socket, Type};

use crate::books::{Books, Count};
use crate::circle::Circles;
use crate::conduct::{Conduct, Fate};
use crate::peer::{Gone, Peer, Said};
use crate::seal::{Seal, Tls};
use crate::stamped;

/// Dials that may wait to be accepted: a whole ramp at once.
const BACKLOG: i32 = 4096;
/// Far above any number of a peer.
const LISTENER: u64 = u64::MAX;
const CONTROL: u64 = u64::MAX - 1;

/// What is to be done at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    /// An answer is due.
    Answer(usize),
    End(usize),
    /// The n-th pause begins.
    Pause(usize, u64),
    Resume(usize, u64),
    /// What was held back is given.
    Release(usize),
    StandStill,
}

/// Ends when its control stream does.
pub(crate) struct Server<C> {
    epoll: OwnedFd,
    listener: TcpListener,
    control: C,
    tls: Tls,
    conduct: Conduct,
    books: Books,
    /// In the order of their dials.
    peers: Vec<Option<Peer>>,
    circles: Circles,
    /// What was read in one turn, and who hears it.
    said: Vec<Said>,
    hearers: Vec<usize>,
    tasks: BinaryHeap<Reverse<(Instant, Task)>>,
    input: Vec<u8>,
}

impl<C: Read + AsFd> Server<C> {
    /// Listens on a free port of the loopback address. Each line that comes from `control` asks for the counts.
    pub(crate) fn listen(
        control: C,
        tls: Tls,
        conduct: Conduct,
        keeps_log: bool,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener = TcpListener::from(socket);
        stamped::ask(&listener)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(
            &epoll,
            &listener,
            EventData::new_u64(LISTENER),
            EventFlags::IN,
        )?;
        epoll::add(
            &epoll,
            &control,
            EventData::new_u64(CONTROL),
            EventFlags::IN,
        )?;
        Ok(Self {
            epoll,
            listener,
            control,
            tls,
            books: Books::new(keeps_log),
            peers: Vec::new(),
            circles: Circles::new(conduct.circle),
            said: Vec::new(),
            hearers: Vec::new(),
            tasks: BinaryHeap::new(),
            input: vec![0; 64 * 1024],
            conduct,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What was seen.
    pub(crate) fn books(&self) -> &Books {
        &self.books
    }

    /// Serves until `control` ends.
    pub(crate) fn serve(&mut self, mut out: impl Write) -> io::Result<()> {
        if let Some(standstill) = self.conduct.standstill {
            self.at(Instant::now() + standstill.every, Task::StandStill);
        }
        let mut events: Vec<Event> = Vec::with_capacity(1024);
        loop {
            events.clear();
            let wait = self.wait()?;
            match epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                wait.as_ref(),
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
                            return Ok(());
                        }
                        for _ in self.input[..asked].iter().filter(|byte| **byte == b'\n') {
                            self.books.print(&mut out)?;
                        }
                    }
                    number => self.ready(number as usize),
                }
            }
            self.work();
        }
    }

    /// How long nothing is to be done.
    fn wait(&self) -> io::Result<Option<Timespec>> {
        let Some(Reverse((first, _))) = self.tasks.peek() else {
            return Ok(None);
        };
        let left = first.saturating_duration_since(Instant::now());
        left.try_into().map(Some).map_err(io::Error::other)
    }

    fn at(&mut self, time: Instant, task: Task) {
        self.tasks.push(Reverse((time, task)));
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
            let number = self.peers.len();
            epoll::add(
                &self.epoll,
                &stream,
                EventData::new_u64(number as u64),
                EventFlags::IN,
            )?;
            let circle = self.circles.enter(number);
            let seal = Seal::new(&self.tls)?;
            self.peers
                .push(Some(Peer::new(stream, seal, number, circle)));
        }
    }

    fn ready(&mut self, number: usize) {
        let Some(peer) = &mut self.peers[number] else {
            return;
        };
        let (was_blocked, was_unknown) = (peer.is_blocked(), peer.name.is_none());
        let read = match was_blocked || peer.paused {
            true => Ok(()),
            false => {
                let (books, said) = (&mut self.books, &mut self.said);
                peer.read(&mut self.input, &self.conduct, books, said)
            }
        };
        let circle = peer.circle;
        let cohort = peer.name.filter(|_| was_unknown).map(|name| name.cohort);
        let done = read.and_then(|()| peer.write(&mut self.books));
        if let Some(cohort) = cohort {
            self.known(number, cohort);
        }
        self.after(number, done);
        self.pass_on(circle);
    }

    /// Gives what was said to all in a circle.
    fn pass_on(&mut self, circle: usize) {
        if self.said.is_empty() {
            return;
        }
        let said = std::mem::take(&mut self.said);
        let mut hearers = std::mem::take(&mut self.hearers);
        self.circles.members(circle, &mut hearers);
        for number in &hearers {
            let Some(peer) = &mut self.peers[*number] else {
                continue;
            };
            let held = |said| peer.hear(said, &self.conduct, &mut self.books);
            let releases: Vec<Instant> = said.iter().filter_map(held).collect();
            let done = peer.write(&mut self.books);
            self.after(*number, done);
            for time in releases {
                self.at(time, Task::Release(*number));
            }
        }
        self.hearers = hearers;
    }

    /// It is clear whose connection this is, and so how it ends.
    fn known(&mut self, number: usize, cohort: u8) {
        let now = Instant::now();
        if self.conduct.fate(cohort) != Fate::Whole {
            let end = now + self.conduct.ends_after(number as u64);
            self.at(end, Task::End(number));
        }
        if let Some((before, _)) = self.conduct.pause(number as u64, 0) {
            self.at(now + before, Task::Pause(number, 0));
        }
    }

    /// Waits for what comes next on a connection, or lets it go.
    fn after(&mut self, number: usize, done: Result<(), Gone>) {
        if let Err(Gone(how)) = done {
            self.books.count(number, how);
            if let Some(peer) = self.peers[number].take() {
                self.circles.leave(peer.circle, number);
                peer.end(&mut self.books);
            }
            return;
        }
        let Some(peer) = &mut self.peers[number] else {
            return;
        };
        let wanted = match (peer.is_blocked(), peer.paused) {
            (true, _) => EventFlags::OUT,
            (false, true) => EventFlags::empty(),
            (false, false) => EventFlags::IN,
        };
        if wanted != peer.watched {
            peer.watched = wanted;
            let data = EventData::new_u64(number as u64);
            // A descriptor that was added can be changed.
            let changed = epoll::modify(&self.epoll, &peer.stream, data, wanted);
            debug_assert!(changed.is_ok());
        }
        if let Some(due) = peer.due() {
            self.at(due, Task::Answer(number));
        }
    }

    /// Does what is due.
    fn work(&mut self) {
        while let Some(Reverse((time, task))) = self.tasks.peek().copied() {
            if time > Instant::now() {
                return;
            }
            self.tasks.pop();
            self.act(time, task);
        }
    }

    fn act(&mut self, time: Instant, task: Task) {
        match task {
            Task::StandStill => {
                if let Some(standstill) = self.conduct.standstill {
                    std::thread::sleep(standstill.lasts);
                    self.at(time + standstill.every, Task::StandStill);
                }
            }
            Task::Answer(number) => {
                if let Some(peer) = &mut self.peers[number] {
                    let done = peer.write(&mut self.books);
                    self.after(number, done);
                }
            }
            Task::Release(number) => {
                if let Some(peer) = &mut self.peers[number] {
                    peer.release(&self.conduct);
                    let done = peer.write(&mut self.books);
                    self.after(number, done);
                }
            }
            Task::Pause(number, nth) => {
                let Some((peer, (_, lasts))) =
                    (self.peers[number].as_mut()).zip(self.conduct.pause(number as u64, nth))
                else {
                    return;
                };
                peer.paused = true;
                self.books.count(number, Count::Pauses);
                self.at(Instant::now() + lasts, Task::Resume(number, nth + 1));
                self.after(number, Ok(()));
            }
            Task::Resume(number, nth) => {
                let Some(peer) = &mut self.peers[number] else {
                    return;
                };
                peer.paused = false;
                if let Some((before, _)) = self.conduct.pause(number as u64, nth) {
                    self.at(Instant::now() + before, Task::Pause(number, nth));
                }
                self.after(number, Ok(()));
            }
            Task::End(number) => self.end(number),
        }
    }

    fn end(&mut self, number: usize) {
        let Some(peer) = &mut self.peers[number] else {
            return;
        };
        let fate = peer
            .name
            .map_or(Fate::Whole, |name| self.conduct.fate(name.cohort));
        let done = match fate {
            Fate::Whole => Ok(()),
            Fate::Close => peer.close(&mut self.books),
            Fate::Reset => {
                // Without it the end is a FIN, and is counted as what the client takes it for.
                let linger = SockRef::from(&peer.stream).set_linger(Some(Duration::ZERO));
                debug_assert!(linger.is_ok());
                Err(Gone(Count::Reset))
            }
        };
        self.after(number, done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame;
    use std::net::{Shutdown, TcpStream};
    use std::num::NonZeroUsize;
    use std::os::unix::net::UnixStream;
    use wsbench::plan::Stamp;
    use wsbench::units::Timestamp;

    const MANNERED: Conduct = Conduct {
        seed: 1,
        late: Duration::ZERO,
        standstill: None,
        fates: Vec::new(),
        within: Duration::ZERO,
        pause_every: None,
        circle: None,
        deflates: false,
        lots: [0.0; 3],
    };

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    /// What one client of the cohort 0 is answered, and the books after it.
    fn played(conduct: Conduct, frames: &[&[u8]]) -> (Vec<u8>, Books) {
        served(conduct, |client| {
            let all = [REQUEST, frames.concat().as_slice()].concat();
            client.write_all(&all).unwrap();
        })
    }

    /// What a client is answered from where its part is over, and the books after it.
    fn served(conduct: Conduct, part: impl FnOnce(&mut TcpStream)) -> (Vec<u8>, Books) {
        let (ours, control) = UnixStream::pair().unwrap();
        let mut server = Server::listen(control, None, conduct, true).unwrap();
        let address = server.address().unwrap();
        let serving = std::thread::spawn(move || {
            server.serve(io::sink()).unwrap();
            server.books
        });
        let mut client = TcpStream::connect(address).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        part(&mut client);
        let mut answer = Vec::new();
        // A reset ends it as well.
        let _ = client.read_to_end(&mut answer);
        ours.shutdown(Shutdown::Both).unwrap();
        (answer, serving.join().unwrap())
    }

    fn counts(books: &Books) -> serde_json::Value {
        let mut line = Vec::new();
        books.print(&mut line).unwrap();
        let all: serde_json::Value = serde_json::from_slice(&line).unwrap();
        all["cohorts"][0].clone()
    }

    fn stamp() -> [u8; 48] {
        let stamp = Stamp {
            run: 1,
            cohort: 0,
            connection: 7,
            message: 0,
            sequence: 30,
            intended: Timestamp::from_nanos(5),
        };
        stamp.encode()
    }

    /// How often a play may go without a stamp of the kernel's, which leaves one out now and then.
    const PLAYS: usize = 10;

    #[test]
    fn all_is_answered_counted_and_timed() {
        assert!((0..PLAYS).any(|_| is_answered_counted_and_timed()));
    }

    /// Says whether the kernel has stamped anything.
    fn is_answered_counted_and_timed() -> bool {
        let stamp = stamp();
        let frames = [
            frame::masked(frame::TEXT, &stamp),
            frame::masked(frame::PING, b"p"),
            frame::masked(frame::CLOSE, b"\x03\xe8"),
        ];
        let conduct = Conduct {
            late: Duration::from_millis(20),
            ..MANNERED
        };
        let (answer, books) = played(conduct, &[&frames[0], &frames[1], &frames[2]]);
        let end = [b"\x81\x30".as_slice(), &stamp, b"\x8a\x01p\x88\x02\x03\xe8"].concat();
        assert!(answer.ends_with(&end), "{answer:?}");
        let counts = counts(&books);
        for name in [
            "opened",
            "text",
            "text_echoed",
            "pings",
            "pongs_sent",
            "closed_by_client",
        ] {
            assert_eq!(counts[name], 1, "{name} in {counts}");
        }

        let mut log = Vec::new();
        books.write_log(&mut log).unwrap();
        let mut log = csv::Reader::from_reader(log.as_slice());
        let rows: Vec<csv::StringRecord> = log.records().map(Result::unwrap).collect();
        let kinds: Vec<&str> = rows.iter().map(|row| &row[3]).collect();
        assert_eq!(kinds, ["handshake", "text", "ping", "close"]);
        assert_eq!((&rows[1][2], &rows[1][5]), ("7", "30"));
        let stamped = rows.iter().filter(|row| !row[6].is_empty());
        for row in stamped.clone() {
            let time = |column: usize| row[column].parse::<u64>().unwrap();
            assert!(0 < time(6) && time(6) <= time(7), "{row:?}");
        }
        stamped.count() > 0
    }

    #[test]
    fn lots_are_met() {
        let texts = [b"a", b"b"].map(|text| frame::masked(frame::TEXT, text));
        let ping = frame::masked(frame::PING, b"p");
        let close = frame::masked(frame::CLOSE, b"\x03\xe8");
        let heard = |lots| {
            let conduct = Conduct {
                circle: NonZeroUsize::new(1),
                lots,
                ..MANNERED
            };
            // What is said together with a Close, nobody hears on that connection.
            let (answer, books) = served(conduct, |client| {
                client.write_all(REQUEST).unwrap();
                let mut response = Vec::new();
                while !response.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    client.read_exact(&mut byte).unwrap();
                    response.extend(byte);
                }
                client
                    .write_all(&[&texts[..], std::slice::from_ref(&ping)].concat().concat())
                    .unwrap();
                client.read_exact(&mut [0; 3]).unwrap();
                client.write_all(&close).unwrap();
            });
            let counts = counts(&books);
            let counts = ["delivered", "dropped", "doubled", "swapped", "text_echoed"]
                .map(|name| counts[name].as_u64().unwrap());
            (answer, counts)
        };
        let frames = |texts: &[u8]| {
            let frames = texts.iter().map(|text| [0x81, 1, *text]);
            let close = [0x88, 2, 0x03, 0xe8];
            frames.flatten().chain(close).collect::<Vec<u8>>()
        };
        assert_eq!(heard([0.0; 3]), (frames(b"ab"), [2, 0, 0, 0, 0]));
        assert_eq!(heard([1.0, 0.0, 0.0]), (frames(b""), [0, 2, 0, 0, 0]));
        assert_eq!(heard([0.0, 1.0, 0.0]), (frames(b"aabb"), [2, 0, 2, 0, 0]));
        assert_eq!(heard([0.0, 0.0, 1.0]), (frames(b"ba"), [2, 0, 0, 1, 0]));
    }

    #[test]
    fn fates_are_met() {
        let text = frame::masked(frame::TEXT, &stamp());
        let ends = |fate| Conduct {
            fates: vec![fate],
            ..MANNERED
        };
        let (_, books) = played(ends(Fate::Reset), &[&text]);
        assert_eq!(counts(&books)["reset"], 1);
    }
}
