//! One connection through the relay: its two legs (TCP connections), the two directions, and the effects of faults.

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
use crate::units::Timestamp;

/// A client, the target, and the bytes on their way between them.
#[derive(Debug)]
pub(super) struct Connection {
    /// When the client connected.
    opened: Timestamp,
    client: Leg,
    server: Leg,
    to_server: Pipe,
    to_client: Pipe,
    struck: Struck,
    /// Whether the next bytes to the client are to be cut.
    cut: bool,
    backed_up: bool,
}

/// What a connection needs to know of its surroundings.
pub(super) struct Environment<'a> {
    pub(super) schedule: &'a Schedule,
    pub(super) origins: Origins,
    pub(super) now: Timestamp,
    pub(super) traffic: &'a Traffic,
}

/// What passed the relay, of all connections together.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) bytes_to_server: Cell<u64>,
    pub(super) bytes_to_client: Cell<u64>,
    pub(super) bytes_lost: Cell<u64>,
    pub(super) backed_up: Cell<u64>,
}

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The connection goes on: call again at this time, or when a socket is ready.
    Wait(Timestamp),
    /// Both legs are to be closed in order.
    Ended,
    /// Both legs are to be reset.
    Reset,
    /// Both legs are to be forgotten.
    Forgotten,
}

/// One of the two TCP connections.
#[derive(Debug)]
struct Leg {
    tcp: TcpStream,
    /// Whether no more bytes come from it.
    is_silent: bool,
    /// Whether the relay has ended its own half of it.
    is_shut: bool,
    /// Whether it was reset, and accepts no more bytes.
    is_gone: bool,
}

/// One direction, with borrowed parts of a connection.
struct Way<'a> {
    direction: Direction,
    from: &'a mut Leg,
    to: &'a mut Leg,
    pipe: &'a mut Pipe,
}

impl Connection {
    /// A connection with no bytes on their way yet.
    pub(super) fn new(
        client: TcpStream,
        server: TcpStream,
        opened: Timestamp,
        seeds: [u64; 2],
    ) -> Self {
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

    /// The two legs, client first, each with whether the other side has ended its half, so that nothing more comes.
    pub(super) fn into_legs(self) -> [(TcpStream, bool); 2] {
        [self.client, self.server].map(|leg| (leg.tcp, leg.is_silent))
    }

    /// Does what can be done now: applies the faults that strike, and moves bytes both ways. Reads into `scratch`.
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
        self.count_backed_up(around.traffic);
        Progress::Wait(until)
    }

    /// Applies the strikes that are due; returns how the connection ends, if it does.
    fn be_struck(&mut self, around: &Environment<'_>) -> Option<Progress> {
        let Environment { origins, now, .. } = *around;
        while let Some(strike) =
            (around.schedule).strike(origins, self.opened, now, &mut self.struck)
        {
            match strike {
                Strike::Reset => return Some(Progress::Reset),
                Strike::Forget => return Some(Progress::Forgotten),
                Strike::Cut => self.cut = true,
                // Puts the FIN behind the bytes on their way, which still arrive.
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

    fn count_backed_up(&mut self, traffic: &Traffic) {
        if !self.backed_up && (self.to_server.was_full() || self.to_client.was_full()) {
            self.backed_up = true;
            add(&traffic.backed_up, 1);
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
    /// Reads once; returns whether anything came.
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
                    true => add(&around.traffic.bytes_lost, buffer.filled().len()),
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

    /// Passes on the bytes that are due; returns whether there were any.
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
                self.count(around.traffic, count);
                true
            }
            Poll::Ready(Err(_)) => {
                self.to.is_gone = true;
                true
            }
        }
    }

    /// Passes on the end of TCP when it is due, and returns it. Holds it back while this direction is dropped: TCP
    /// repeats a FIN until it arrives.
    fn end(&mut self, conditions: &Conditions, now: Timestamp) -> Option<End> {
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

    /// Passes on only the first part of the bytes that are due next. Ready when that is done.
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
                Poll::Ready(written) => self.count(around.traffic, written.unwrap_or(0)),
            }
        }
        Poll::Ready(())
    }

    fn count(&self, traffic: &Traffic, count: usize) {
        let bytes = match self.direction {
            Direction::ToServer => &traffic.bytes_to_server,
            Direction::ToClient => &traffic.bytes_to_client,
        };
        add(bytes, count);
    }
}

/// Ends the relay's own half of a connection with a FIN.
pub(super) fn shut(tcp: &TcpStream) {
    // Fails only if the other side has reset the connection, and then there is nothing to end.
    let _ = SockRef::from(tcp).shutdown(Shutdown::Write);
}

pub(super) fn add(count: &Cell<u64>, more: usize) {
    count.set(count.get() + more as u64);
}
