//! One open connection of the scripted server, from its 101 to the end of TCP.
//! One thread with one loop: sends what is due, waits for bytes until the next task is due, handles the frames.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::frame::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, Reader, TEXT};
use super::handshake::{drain, finish};
use super::log::{Event, Log};
use super::script::{Act, Echo, OnClose, Pong, Script, When};
use super::server::{Stop, reset_at_end};

/// Follows a script to its end; `early` are the bytes that came after the upgrade request.
pub(super) fn run(
    socket: &TcpStream,
    script: &Script,
    early: &[u8],
    (connection, log): (u64, &Log),
    stop: &Stop,
) -> io::Result<()> {
    let opened = Instant::now();
    let mut session = Session {
        socket,
        script,
        connection,
        log,
        stop,
        reader: Reader::default(),
        partial: None,
        messages: 0,
        pongs: 0,
        sent_close: false,
        heard: opened,
        plan: Plan::new(script, opened),
        act: script.act.clone(),
    };
    if let Some((When::After(time) | When::Quiet(time), _)) = &session.act {
        session.plan.add(opened + *time, Task::Act);
    }
    session.reader.feed(early);
    match session.play() {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            // A broken pipe means that a reset came between two writes.
            Err(io::ErrorKind::ConnectionReset.into())
        }
        other => other.map(drop),
    }
}

/// Whether the connection goes on or ends.
enum Flow {
    On,
    End,
}

/// A task that is due at some time.
enum Task {
    Act,
    Send(Frame),
    /// Sends the n-th frame of a series, and plans the next.
    Tick(u8, Duration, u64),
}

/// The tasks by the time at which they are due; tasks of the same time in the order in which they were planned.
struct Plan {
    tasks: BTreeMap<(Instant, u64), Task>,
    planned: u64,
    start: Instant,
}

impl Plan {
    fn new(script: &Script, start: Instant) -> Self {
        let mut plan = Self {
            tasks: BTreeMap::new(),
            planned: 0,
            start,
        };
        let series = [
            (PING, script.ping_every),
            (PONG, script.pong_every),
            (TEXT, script.text_every),
        ];
        for (opcode, every) in series {
            if let Some(every) = every {
                assert!(!every.is_zero(), "a series needs time between its frames");
                plan.tick(opcode, every, 1);
            }
        }
        plan
    }

    fn add(&mut self, at: Instant, task: Task) {
        self.planned += 1;
        self.tasks.insert((at, self.planned), task);
    }

    fn tick(&mut self, opcode: u8, every: Duration, number: u64) {
        let at = self.start + every * u32::try_from(number).unwrap();
        self.add(at, Task::Tick(opcode, every, number));
    }

    fn take_due(&mut self) -> Option<Task> {
        let first = self.tasks.first_entry()?;
        (first.key().0 <= Instant::now()).then(|| first.remove())
    }

    /// The time until the next task; `None` if there is none.
    fn wait(&self) -> Option<Duration> {
        let ((at, _), _) = self.tasks.first_key_value()?;
        Some(at.saturating_duration_since(Instant::now()))
    }
}

struct Session<'a> {
    socket: &'a TcpStream,
    script: &'a Script,
    connection: u64,
    log: &'a Log,
    stop: &'a Stop,
    reader: Reader,
    /// The opcode and the bytes so far of a fragmented message.
    partial: Option<(u8, Vec<u8>)>,
    messages: u64,
    pongs: u64,
    sent_close: bool,
    /// When the last bytes came.
    heard: Instant,
    plan: Plan,
    /// The script's action, until it is done.
    act: Option<(When, Act)>,
}

impl Session<'_> {
    fn play(&mut self) -> io::Result<Flow> {
        if matches!(self.act, Some((When::Open, _)))
            && let Flow::End = self.perform()?
        {
            return Ok(Flow::End);
        }
        let mut chunk = vec![0; 64 << 10];
        loop {
            while let Some(frame) = self.next_frame() {
                if let Flow::End = self.receive(frame)? {
                    return Ok(Flow::End);
                }
            }
            while let Some(task) = self.plan.take_due() {
                if let Flow::End = self.carry_out(task)? {
                    return Ok(Flow::End);
                }
            }
            if !self.wait_for_bytes()? {
                continue;
            }
            match self.socket.read(&mut chunk)? {
                0 => {
                    self.note(Event::Fin);
                    return Ok(Flow::End);
                }
                read => {
                    self.heard = Instant::now();
                    self.reader.feed(&chunk[..read]);
                }
            }
        }
    }

    /// Waits until bytes come or the next task is due. Returns true if bytes came.
    fn wait_for_bytes(&self) -> io::Result<bool> {
        let wait = self.plan.wait().map(|wait| Timespec {
            tv_sec: wait.as_secs() as _,
            tv_nsec: wait.subsec_nanos().into(),
        });
        let mut polled = [PollFd::new(self.socket, PollFlags::IN)];
        Ok(poll(&mut polled, wait.as_ref())? > 0)
    }

    fn next_frame(&mut self) -> Option<Frame> {
        match self.reader.next_frame() {
            Ok(frame) => frame,
            Err(rule) => {
                self.note(Event::Violation(rule));
                self.reader = Reader::default();
                None
            }
        }
    }

    fn carry_out(&mut self, task: Task) -> io::Result<Flow> {
        match task {
            Task::Act => match self.act {
                Some((When::Quiet(time), _)) if self.heard.elapsed() < time => {
                    self.plan.add(self.heard + time, Task::Act);
                }
                _ => return self.perform(),
            },
            Task::Send(frame) => self.send(frame)?,
            Task::Tick(opcode, every, number) => {
                self.send(Frame::new(opcode, number.to_string()))?;
                self.plan.tick(opcode, every, number + 1);
            }
        }
        Ok(Flow::On)
    }

    fn receive(&mut self, frame: Frame) -> io::Result<Flow> {
        self.note(Event::Received(frame.clone()));
        match frame.opcode {
            PING => self.pong(frame.payload)?,
            PONG => {}
            CLOSE => return self.closed(frame),
            _ => {
                if let Some((opcode, payload)) = self.assemble(frame) {
                    self.messages += 1;
                    let acts =
                        matches!(&self.act, Some((When::Message(n), _)) if *n == self.messages);
                    if acts {
                        return self.perform();
                    }
                    self.echo(opcode, payload)?;
                }
            }
        }
        Ok(Flow::On)
    }

    /// Puts the fragments of a message together; returns the message when it is complete.
    fn assemble(&mut self, frame: Frame) -> Option<(u8, Vec<u8>)> {
        let message = match (self.partial.take(), frame.opcode) {
            (Some((opcode, mut bytes)), CONTINUATION) => {
                bytes.extend(frame.payload);
                (opcode, bytes)
            }
            (None, TEXT | BINARY) => (frame.opcode, frame.payload),
            (_, opcode) => {
                let rule = format!("opcode {opcode} in the wrong place of a fragmented message");
                self.note(Event::Violation(rule));
                return None;
            }
        };
        if frame.fin {
            return Some(message);
        }
        self.partial = Some(message);
        None
    }

    fn echo(&mut self, opcode: u8, mut payload: Vec<u8>) -> io::Result<()> {
        match self.script.echo {
            Echo::Never => Ok(()),
            Echo::Same => self.send(Frame::new(opcode, payload)),
            Echo::Wrong => {
                if let Some(last) = payload.last_mut() {
                    // Replaces one letter by another, so that text stays valid UTF-8.
                    *last = if *last == b'!' { b'?' } else { b'!' };
                }
                self.send(Frame::new(opcode, payload))
            }
            Echo::Twice => {
                self.send(Frame::new(opcode, payload.clone()))?;
                self.send(Frame::new(opcode, payload))
            }
            Echo::Late(time) => {
                let frame = Frame::new(opcode, payload);
                self.plan.add(Instant::now() + time, Task::Send(frame));
                Ok(())
            }
            Echo::Fragments(size) => self.send_in_fragments(opcode, &payload, size),
            Echo::Retyped => {
                let other = if opcode == TEXT { BINARY } else { TEXT };
                self.send(Frame::new(other, payload))
            }
        }
    }

    fn send_in_fragments(&mut self, opcode: u8, payload: &[u8], size: usize) -> io::Result<()> {
        let last = payload.len().div_ceil(size).max(1) - 1;
        for number in 0..=last {
            let part = &payload[number * size..payload.len().min((number + 1) * size)];
            let opcode = if number == 0 { opcode } else { CONTINUATION };
            let frame = Frame::new(opcode, part);
            self.send(Frame {
                fin: number == last,
                ..frame
            })?;
        }
        Ok(())
    }

    fn pong(&mut self, payload: Vec<u8>) -> io::Result<()> {
        self.pongs += 1;
        match self.script.pong {
            Pong::Prompt => self.send(Frame::new(PONG, payload)),
            Pong::Never => Ok(()),
            Pong::Late(time) => {
                let frame = Frame::new(PONG, payload);
                self.plan.add(Instant::now() + time, Task::Send(frame));
                Ok(())
            }
            Pong::Only(count) if self.pongs > count => Ok(()),
            Pong::Only(_) => self.send(Frame::new(PONG, payload)),
            Pong::Wrong => self.send(Frame::new(PONG, "another payload")),
        }
    }

    /// Handles a Close frame of the client.
    fn closed(&mut self, frame: Frame) -> io::Result<Flow> {
        match self.script.on_close {
            OnClose::Never => return Ok(Flow::On),
            OnClose::Answer => self.send(frame)?,
            OnClose::KeepTcp => {
                self.send(frame)?;
                drain(self.socket)?;
                self.note(Event::Fin);
            }
            OnClose::AnswerAnd(bytes) => {
                self.send(frame)?;
                let mut socket = self.socket;
                socket.write_all(bytes)?;
            }
            OnClose::Reset => reset_at_end(self.socket)?,
        }
        Ok(Flow::End)
    }

    /// Does the script's action, which happens only once.
    fn perform(&mut self) -> io::Result<Flow> {
        let Some((_, act)) = self.act.take() else {
            return Ok(Flow::On);
        };
        self.note(Event::Acted { heard: self.heard });
        match act {
            Act::Freeze => {
                self.stop.wait();
                return Ok(Flow::End);
            }
            Act::Stall(time) => {
                if !self.stop.pause(time) {
                    return Ok(Flow::End);
                }
            }
            Act::Send(bytes) => self.socket.write_all(&bytes)?,
            Act::Flood(len) => self.flood(len)?,
            Act::Close(code, reason) => self.send(Frame::close(code, reason))?,
            Act::Fin => {
                finish(self.socket)?;
                return Ok(Flow::End);
            }
            Act::Reset => {
                reset_at_end(self.socket)?;
                return Ok(Flow::End);
            }
        }
        Ok(Flow::On)
    }

    /// Sends one message of this many bytes without holding it in memory.
    fn flood(&mut self, len: u64) -> io::Result<()> {
        let mut header = vec![0x80 | BINARY, 127];
        header.extend(len.to_be_bytes());
        self.socket.write_all(&header)?;
        io::copy(&mut io::repeat(b'x').take(len), &mut self.socket).map(drop)
    }

    /// Sends a frame, unless a Close frame was sent before.
    fn send(&mut self, frame: Frame) -> io::Result<()> {
        if self.sent_close {
            return Ok(());
        }
        self.sent_close = frame.opcode == CLOSE;
        let bytes = frame.encode();
        // Logs the frame before the client can receive it, so that a test that saw it finds it in the log.
        self.note(Event::Sent(frame));
        self.socket.write_all(&bytes)
    }

    fn note(&self, event: Event) {
        self.log.add(self.connection, event);
    }
}
