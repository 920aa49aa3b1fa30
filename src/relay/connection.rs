//! One connection through the relay: its two legs, the two directions between them, and what faults do to them.

use std::cell::Cell;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;

use super::middle::middle;
use super::pipe::{End, Pipe};
use super::schedule::{Conditions, Origins, Schedule, Strike, Struck};
use crate::scenario::Direction;

/// A client, the target, and what is on its way between them.
#[derive(Debug)]
pub(super) struct Connection {
    /// When the client came, in nanoseconds since the relay's start.
    opened: u64,
    client: Leg,
    server: Leg,
    to_server: Pipe,
    to_client: Pipe,
    struck: Struck,
    /// What goes to the client next is cut.
    cut: bool,
    backed_up: bool,
}

/// What a connection needs to know.
pub(super) struct Environment<'a> {
    pub(super) schedule: &'a Schedule,
    pub(super) origins: Origins,
    /// Nanoseconds since the relay's start.
    pub(super) now: u64,
    pub(super) tally: &'a Tally,
}

/// What all connections count together.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) bytes_to_server: Cell<u64>,
    pub(super) bytes_to_client: Cell<u64>,
    pub(super) bytes_lost: Cell<u64>,
    pub(super) backed_up: Cell<u64>,
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// It goes on: at this time, or when a socket is ready.
    Wait(u64),
    /// Both legs are to be ended, in order.
    Ended,
    /// Both are to be reset.
    Reset,
    /// Both are to be forgotten.
    Forgotten,
}

/// One TCP connection of the two.
#[derive(Debug)]
struct Leg {
    tcp: TcpStream,
    /// Nothing more comes from it.
    is_silent: bool,
    /// We have ended our half of it.
    is_shut: bool,
    /// It takes nothing more: it was reset.
    is_gone: bool,
}

/// A direction, put together from the parts of a connection.
struct Way<'a> {
    direction: Direction,
    from: &'a mut Leg,
    to: &'a mut Leg,
    pipe: &'a mut Pipe,
}

impl Connection {
    /// Nothing is on its way yet. `opened` in nanoseconds since the relay's start.
    pub(super) fn new(client: TcpStream, server: TcpStream, opened: u64, seeds: [u64; 2]) -> Self {
        Self {
            opened,
            client: Leg::new(client),
            server: Leg::new(server),
            to_server: Pipe::new(seeds[0]),
            to_client: Pipe::new(seeds[1]),
            struck: Struck::default(),
            cut: false,
            backed_up: false,
        }
    }

    /// The two legs, client first. Where the other side has ended its half already, nothing is to be waited for.
    pub(super) fn into_legs(self) -> [(TcpStream, bool); 2] {
        [self.client, self.server].map(|leg| (leg.tcp, leg.is_silent))
    }

    /// Does what can be done now: lets faults strike, and moves bytes both ways. `scratch` is where bytes are read to.
    pub(super) fn step(
        &mut self,
        around: &Environment<'_>,
        scratch: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Progress {
        if let Some(end) = self.be_struck(around) {
            return end;
        }
        let (conditions, mut until) = around.schedule.conditions(around.origins, around.now);
        if conditions.frozen {
            return Progress::Wait(until);
        }
        let mut moving = true;
        while moving {
            moving = false;
            for direction in [Direction::ToServer, Direction::ToClient] {
                moving |= self.way(direction).read(&conditions, around, scratch, cx);
                if self.cut && direction == Direction::ToClient {
                    match self.way(direction).cut(&conditions, around, cx) {
                        Poll::Ready(()) => return Progress::Ended,
                        Poll::Pending => continue,
                    }
                }
                moving |= self.way(direction).write(&conditions, around, cx);
                match self.way(direction).end(&conditions, around.now) {
                    Some(End::Rst) => return Progress::Reset,
                    Some(End::Fin) => moving = true,
                    None => {}
                }
            }
        }
        if self.client.is_shut && self.server.is_shut {
            return Progress::Ended;
        }
        for pipe in [&self.to_server, &self.to_client] {
            until = until.min(pipe.next_due(&conditions, around.now));
        }
        self.count_backed_up(around.tally);
        Progress::Wait(until)
    }

    /// Lets faults strike that are due; says how it ends, if it does.
    fn be_struck(&mut self, around: &Environment<'_>) -> Option<Progress> {
        let Environment { origins, now, .. } = *around;
        while let Some(strike) =
            (around.schedule).strike(origins, self.opened, now, &mut self.struck)
        {
            match strike {
                Strike::Reset => return Some(Progress::Reset),
                Strike::Forget => return Some(Progress::Forgotten),
                Strike::Cut => self.cut = true,
                // What is on its way arrives; the FIN follows it.
                Strike::HalfClose(direction) => {
                    let way = self.way(direction);
                    way.pipe.take_end(End::Fin, &Conditions::default(), now);
                }
            }
        }
        None
    }

    fn way(&mut self, direction: Direction) -> Way<'_> {
        let (from, to, pipe) = match direction {
            Direction::ToServer => (&mut self.client, &mut self.server, &mut self.to_server),
            Direction::ToClient => (&mut self.server, &mut self.client, &mut self.to_client),
        };
        Way {
            direction,
            from,
            to,
            pipe,
        }
    }

    fn count_backed_up(&mut self, tally: &Tally) {
        if !self.backed_up && (self.to_server.was_full() || self.to_client.was_full()) {
            self.backed_up = true;
            add(&tally.backed_up, 1);
        }
    }
}

impl Leg {
    fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            is_silent: false,
            is_shut: false,
            is_gone: false,
        }
    }
}

impl Way<'_> {
    /// Takes what has come, once; whether anything had.
    fn read(
        &mut self,
        conditions: &Conditions,
        around: &Environment<'_>,
        scratch: &mut [u8],
        cx: &mut Context<'_>,
    ) -> bool {
        // Drops what comes if the other leg has been shut or reset: it cannot be passed on.
        let is_lost = self.pipe.has_end() || self.to.is_gone || conditions.drops(self.direction);
        let room = match is_lost {
            true => scratch.len(),
            false => self.pipe.room(conditions).min(scratch.len()),
        };
        if self.from.is_silent || room == 0 {
            return false;
        }
        let mut buffer = ReadBuf::new(&mut scratch[..room]);
        let end = match Pin::new(&mut self.from.tcp).poll_read(cx, &mut buffer) {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                match is_lost {
                    true => add(&around.tally.bytes_lost, buffer.filled().len()),
                    false => self.pipe.take(buffer.filled(), conditions, around.now),
                }
                return true;
            }
            // After a write has failed by a reset, a read returns 0 like a FIN.
            Poll::Ready(Ok(())) if !self.from.is_gone => End::Fin,
            Poll::Ready(_) => End::Rst,
        };
        self.from.is_silent = true;
        self.pipe.take_end(end, conditions, around.now);
        true
    }

    /// Passes on what is due; whether anything was.
    fn write(
        &mut self,
        conditions: &Conditions,
        around: &Environment<'_>,
        cx: &mut Context<'_>,
    ) -> bool {
        if self.to.is_gone {
            self.pipe.clear();
            return false;
        }
        let bytes = self.pipe.front(conditions, around.now);
        if bytes.is_empty() {
            return false;
        }
        match Pin::new(&mut self.to.tcp).poll_write(cx, bytes) {
            Poll::Pending => false,
            Poll::Ready(Ok(count)) => {
                self.pipe.passed(count, conditions, around.now);
                self.count(around.tally, count);
                true
            }
            Poll::Ready(Err(_)) => {
                self.to.is_gone = true;
                true
            }
        }
    }

    /// Passes on the end of TCP when its time has come; which one it was. It is held back where this direction is
    /// dropped: TCP sends a FIN again until it arrives.
    fn end(&mut self, conditions: &Conditions, now: u64) -> Option<End> {
        if self.from.is_gone && self.from.is_silent {
            self.pipe.take_end(End::Rst, conditions, now);
        }
        let end = self.pipe.end(now)?;
        let is_passed = end == End::Fin && self.to.is_shut;
        if is_passed || conditions.drops(self.direction) {
            return None;
        }
        if end == End::Fin {
            shut(&self.to.tcp);
            self.to.is_shut = true;
        }
        Some(end)
    }

    /// Passes on the first part of what is due next, and no more. Ready when that is done.
    fn cut(
        &mut self,
        conditions: &Conditions,
        around: &Environment<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let bytes = self.pipe.front(conditions, around.now);
        if bytes.is_empty() && !self.to.is_gone && self.pipe.end(around.now).is_none() {
            return Poll::Pending;
        }
        let part = &bytes[..middle(bytes)];
        if !part.is_empty() {
            let written = Pin::new(&mut self.to.tcp).poll_write(cx, part);
            match written {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(written) => self.count(around.tally, written.unwrap_or(0)),
            }
        }
        Poll::Ready(())
    }

    fn count(&self, tally: &Tally, count: usize) {
        let bytes = match self.direction {
            Direction::ToServer => &tally.bytes_to_server,
            Direction::ToClient => &tally.bytes_to_client,
        };
        add(bytes, count);
    }
}

/// Ends our half of a connection with a FIN.
pub(super) fn shut(tcp: &TcpStream) {
    // It fails only where the other side has reset it, and then there is nothing to end.
    let _ = SockRef::from(tcp).shutdown(Shutdown::Write);
}

pub(super) fn add(count: &Cell<u64>, more: usize) {
    count.set(count.get() + more as u64);
}
