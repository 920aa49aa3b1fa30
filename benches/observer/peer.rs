//! One connection as the observer has it: what came whole, what is still to be answered, what could not be written.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::epoll::EventFlags;
use wsbench::plan::{Stamp, TopicStamp};
use wsbench::units::Timestamp;

use crate::books::{Books, Count, Entry, Kind, Name};
use crate::conduct::{Conduct, Lot};
use crate::deflate::Deflate;
use crate::frame::{self, Frame};
use crate::seal::Seal;
use crate::stamped::{self, Time};
use crate::upgrade;

/// How long a message waits for the next one of its speaker, to come behind it.
const SWAPPED_WITHIN: Duration = Duration::from_millis(500);
/// "Going away".
const CLOSE_1001: &[u8] = &[0x88, 2, 0x03, 0xe9];
/// A whole message in one frame, and a compressed one.
const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;

/// How far a connection has come.
#[derive(Debug, Clone, Copy)]
enum State {
    Upgrading,
    Open,
    /// We have sent a Close frame. What comes is counted and not answered.
    Closing,
    /// The client's Close frame is there: nothing more is read, and the end comes when all is written.
    Ended(Count),
}

/// What a connection has said, for those that hear it.
#[derive(Clone)]
pub(crate) struct Said {
    bytes: Vec<u8>,
    entry: Entry,
}

/// An answer that waits for its time.
struct Answer {
    due: Instant,
    bytes: Vec<u8>,
    entry: Entry,
}

/// Why a connection is gone: how it is counted.
pub(crate) struct Gone(pub(crate) Count);

const BROKEN: Gone = Gone(Count::Broken);

/// One connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    seal: Seal,
    /// Where compression was agreed on.
    deflate: Option<Deflate>,
    /// In the order of the dials.
    number: usize,
    state: State,
    pub(crate) name: Option<Name>,
    /// Answers so far: what chance goes by.
    answers: u64,
    /// Part of a frame or of a request.
    rest: Vec<u8>,
    waiting: VecDeque<Answer>,
    /// For when its next answer was asked to be woken.
    told: Option<Instant>,
    /// Its Close frame, once that is answered: it was kept until TCP ended.
    closed: Option<Entry>,
    /// What others have said to it so far: what chance goes by.
    heard: u64,
    /// What it hears behind the next message of the same speaker, and since when.
    held: Option<(Said, Instant)>,
    /// Whom it hears.
    pub(crate) circle: usize,
    /// What the socket would not take yet.
    unsent: Vec<u8>,
    /// It is not read for a while.
    pub(crate) paused: bool,
    /// What epoll is asked for.
    pub(crate) watched: EventFlags,
}

impl Peer {
    pub(crate) fn new(stream: TcpStream, seal: Seal, number: usize, circle: usize) -> Self {
        Self {
            stream,
            seal,
            deflate: None,
            number,
            state: State::Upgrading,
            name: None,
            answers: 0,
            rest: Vec::new(),
            waiting: VecDeque::new(),
            told: None,
            closed: None,
            heard: 0,
            held: None,
            circle,
            unsent: Vec::new(),
            paused: false,
            watched: EventFlags::IN,
        }
    }

    /// Reads once and works out the answers, and what others hear.
    pub(crate) fn read(
        &mut self,
        input: &mut [u8],
        conduct: &Conduct,
        books: &mut Books,
        said: &mut Vec<Said>,
    ) -> Result<(), Gone> {
        let (read, stamp) = match stamped::read(&self.stream, input) {
            Ok((0, _)) => return Err(BROKEN),
            Ok(done) => done,
            Err(error) if is_passing(&error) => return Ok(()),
            Err(_) => return Err(BROKEN),
        };
        let mut bytes = std::mem::take(&mut self.rest);
        let opened = self.seal.open(&input[..read], &mut bytes, &mut self.unsent);
        opened.map_err(|_| BROKEN)?;
        let used = self.take(&bytes, stamp, conduct, books, said)?;
        bytes.drain(..used);
        self.rest = bytes;
        Ok(())
    }

    /// Takes all that has come whole, and returns how many bytes that was.
    fn take(
        &mut self,
        bytes: &[u8],
        received: Option<Time>,
        conduct: &Conduct,
        books: &mut Books,
        said: &mut Vec<Said>,
    ) -> Result<usize, Gone> {
        let now = Instant::now();
        let mut used = 0;
        if let State::Upgrading = self.state {
            let request = upgrade::read(bytes, conduct.deflates).map_err(|_| BROKEN)?;
            let Some(request) = request else {
                return Ok(0);
            };
            used = request.len;
            self.state = State::Open;
            self.deflate = request.deflates.then(Deflate::new);
            let entry = Entry {
                kind: Kind::Handshake,
                message: None,
                speaker: None,
                received,
            };
            self.answer(request.answer, entry, now, conduct);
        }
        while !matches!(self.state, State::Ended(_)) {
            let Some(frame) = Frame::read(&bytes[used..]).map_err(|_| BROKEN)? else {
                break;
            };
            used += frame.len;
            let heard = self.frame(&frame, received, now, conduct, books)?;
            said.extend(heard);
        }
        Ok(used)
    }

    /// Answers a frame, or returns what others hear.
    fn frame(
        &mut self,
        frame: &Frame<'_>,
        received: Option<Time>,
        now: Instant,
        conduct: &Conduct,
        books: &mut Books,
    ) -> Result<Option<Said>, Gone> {
        let (kind, opcode, count) = match frame.opcode() {
            frame::PONG => return Ok(None),
            frame::CLOSE => (Kind::Close, frame::CLOSE, None),
            frame::PING => (Kind::Ping, frame::PONG, Some(Count::Pings)),
            frame::TEXT => (Kind::Text, frame::TEXT, Some(Count::Text)),
            other => (Kind::Binary, other, Some(Count::Binary)),
        };
        if let Some(count) = count {
            books.count(self.number, count);
        }
        match (self.state, kind) {
            (State::Closing, Kind::Close) => {
                self.state = State::Ended(Count::ClosedByServer);
                return Ok(None);
            }
            (State::Closing, _) => return Ok(None),
            (_, Kind::Close) => self.state = State::Ended(Count::ClosedByClient),
            _ => {}
        }
        let mut bytes = Vec::with_capacity(frame.len);
        frame.answer(opcode, &mut bytes);
        let stamped = match bytes[0] & RSV1 {
            0 => payload(&bytes).and_then(stamped),
            _ => {
                let plain = self.repack(&mut bytes, books).ok_or(BROKEN)?;
                stamped(&plain)
            }
        };
        if let (Some((name, _)), None) = (stamped, self.name) {
            self.name = Some(name);
            books.name(self.number, name);
        }
        let mut entry = Entry {
            kind,
            message: stamped.map(|(_, message)| message),
            speaker: None,
            received,
        };
        if conduct.circle.is_some() && matches!(kind, Kind::Text | Kind::Binary) {
            (entry.kind, entry.speaker) = (Kind::Delivery, self.name);
            return Ok(Some(Said { bytes, entry }));
        }
        self.answer(bytes, entry, now, conduct);
        Ok(None)
    }

    /// Puts in place of a compressed message the same as we compress it, and returns what it is. `None` where it is none.
    fn repack(&mut self, bytes: &mut Vec<u8>, books: &mut Books) -> Option<Vec<u8>> {
        let (first, packed) = (bytes[0], payload(bytes)?);
        let deflate = self.deflate.as_mut().filter(|_| first & FIN != 0)?;
        let plain = deflate.open(packed).ok()?;
        let repacked = deflate.close(&plain).ok()?;
        for (count, by) in [
            (Count::Inflated, 1),
            (Count::InflatedWire, packed.len()),
            (Count::InflatedPlain, plain.len()),
            (Count::Deflated, 1),
            (Count::DeflatedWire, repacked.len()),
            (Count::DeflatedPlain, plain.len()),
        ] {
            books.add(self.number, count, by as u64);
        }
        bytes.clear();
        frame::header(first, repacked.len(), bytes);
        bytes.extend(repacked);
        Some(plain)
    }

    fn answer(&mut self, bytes: Vec<u8>, entry: Entry, now: Instant, conduct: &Conduct) {
        let kept = match conduct.late {
            Duration::ZERO => Duration::ZERO,
            _ => conduct.kept(self.number as u64, self.answers),
        };
        self.answers += 1;
        let after = self.waiting.back().map_or(now, |last| last.due);
        self.waiting.push_back(Answer {
            due: after.max(now + kept),
            bytes,
            entry,
        });
    }

    /// Gives it what a connection has said, unless its lot is another. Returns when to call [`Self::release`], if
    /// something is held back.
    pub(crate) fn hear(
        &mut self,
        said: &Said,
        conduct: &Conduct,
        books: &mut Books,
    ) -> Option<Instant> {
        let State::Open = self.state else {
            return None;
        };
        let now = Instant::now();
        let lot = conduct.lot(self.number as u64, self.heard);
        self.heard += 1;
        match lot {
            Lot::Dropped => {
                books.count(self.number, Count::Dropped);
                return None;
            }
            Lot::Swapped if self.held.is_none() => {
                let until = now + SWAPPED_WITHIN;
                self.held = Some((said.clone(), until));
                return Some(until);
            }
            Lot::Given | Lot::Doubled | Lot::Swapped => {}
        }
        self.answer(said.bytes.clone(), said.entry, now, conduct);
        if lot == Lot::Doubled {
            let again = Entry {
                kind: Kind::Again,
                ..said.entry
            };
            self.answer(said.bytes.clone(), again, now, conduct);
        }
        let is_next = |(held, _): &mut (Said, Instant)| held.entry.speaker == said.entry.speaker;
        if let Some((held, _)) = self.held.take_if(is_next) {
            books.count(self.number, Count::Swapped);
            self.answer(held.bytes, held.entry, now, conduct);
        }
        None
    }

    /// Nothing more came from the speaker of what is held back: gives it as it is.
    pub(crate) fn release(&mut self, conduct: &Conduct) {
        let now = Instant::now();
        if let Some((held, _)) = self.held.take_if(|(_, until)| *until <= now) {
            self.answer(held.bytes, held.entry, now, conduct);
        }
    }

    /// When the next answer is due, if that was not told before.
    pub(crate) fn due(&mut self) -> Option<Instant> {
        let due = self.waiting.front().map(|answer| answer.due);
        let told = std::mem::replace(&mut self.told, due);
        due.filter(|_| due != told)
    }

    /// Whether the socket takes nothing more for now.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Begins a close handshake, with all answers before it.
    pub(crate) fn close(&mut self, books: &mut Books) -> Result<(), Gone> {
        let State::Open = self.state else {
            return Ok(());
        };
        self.put(|_| true, books)?;
        self.say(CLOSE_1001)?;
        self.state = State::Closing;
        self.flush()
    }

    /// Writes what is due now, in one piece.
    pub(crate) fn write(&mut self, books: &mut Books) -> Result<(), Gone> {
        if !self.is_blocked() {
            let now = Instant::now();
            self.put(|answer| answer.due <= now, books)?;
        }
        self.flush()?;
        match self.state {
            State::Ended(how) if self.waiting.is_empty() && !self.is_blocked() => Err(Gone(how)),
            _ => Ok(()),
        }
    }

    fn put(&mut self, is_due: impl Fn(&Answer) -> bool, books: &mut Books) -> Result<(), Gone> {
        let now = stamped::now();
        while self.waiting.front().is_some_and(&is_due)
            && let Some(answer) = self.waiting.pop_front()
        {
            self.say(&answer.bytes)?;
            match answer.entry.kind {
                Kind::Close => self.closed = Some(answer.entry),
                _ => books.answered(self.number, answer.entry, now),
            }
        }
        Ok(())
    }

    /// Ends TCP.
    pub(crate) fn end(self, books: &mut Books) {
        if let Some(close) = self.closed {
            books.answered(self.number, close, stamped::now());
        }
    }

    fn say(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        let sealed = self.seal.close(bytes, &mut self.unsent);
        sealed.map_err(|_| BROKEN)
    }

    fn flush(&mut self) -> Result<(), Gone> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        match self.stream.write(&self.unsent) {
            Ok(written) => drop(self.unsent.drain(..written)),
            Err(error) if is_passing(&error) => {}
            Err(_) => return Err(BROKEN),
        }
        Ok(())
    }
}

/// Whose message it is, its index and its number. A message to others does not say its cohort: it is the first one.
fn stamped(payload: &[u8]) -> Option<(Name, (u8, u64))> {
    let own = |stamp: Stamp| {
        let Stamp {
            cohort, connection, ..
        } = stamp;
        let name = Name { cohort, connection };
        (name, (stamp.message, stamp.sequence))
    };
    let others = |stamp: TopicStamp| {
        let name = Name {
            cohort: 0,
            connection: stamp.connection,
        };
        (name, (stamp.message, stamp.sequence.into()))
    };
    let published = || TopicStamp::decode(payload, Timestamp::ORIGIN).map(others);
    Stamp::decode(payload).map(own).or_else(published)
}

/// What a frame of ours carries.
fn payload(frame: &[u8]) -> Option<&[u8]> {
    match frame.get(1)? {
        126 => frame.get(4..),
        127 => frame.get(10..),
        _ => frame.get(2..),
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
