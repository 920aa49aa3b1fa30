//! The faults of one connection, each with its own schedule. No schedule drifts, and what was due while the worker
//! stood still is skipped.

use std::collections::VecDeque;

use super::raw;
use crate::frame::Frame;
use crate::plan::FaultPlan;
use crate::scenario::{Activity, FaultKind, Illegal};
use crate::units::{Nanos, Timestamp};

/// The most pongs that wait for their time. A ping beyond that is not answered.
const WAITING: usize = 64;

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) enum FaultAction {
    /// Send these bytes, between two frames.
    Put(Vec<u8>),
    /// Send no more messages of the schedule; pings and the close handshake go on.
    StopMessages,
    /// Send no more messages and pings of the schedule.
    StopSending,
    /// Send nothing else, not even a Close frame: a frame has begun that never ends.
    Seal,
    /// Read no more.
    StopReading,
    /// Begin the close handshake.
    Close(Option<u16>),
    /// End our half of TCP.
    HalfClose,
    /// End TCP by a RST.
    Reset,
    /// Take and send no packets.
    Vanish,
    /// Take and send packets again.
    Return,
    /// Send these bytes to see whether the server is still there.
    Probe(Vec<u8>),
}

/// The faults of one connection.
#[derive(Debug)]
pub(in crate::engine) struct Faults {
    scheduled: Vec<ScheduledFault>,
    /// Whether it answers pings, apart from its faults.
    answers: bool,
    pongs: VecDeque<(Timestamp, Vec<u8>)>,
    /// Nothing more may be sent.
    is_silent: bool,
    /// The time from when reading stops to the probe.
    probe: Option<Nanos>,
    /// When the first fault began, and when a temporary one ended.
    began: Option<Timestamp>,
    ended: Option<Timestamp>,
}

#[derive(Debug)]
struct ScheduledFault {
    start: Timestamp,
    kind: FaultKind,
    has_begun: bool,
    /// Number of steps taken, or of pings answered.
    step: u32,
    /// Number of bytes sent of a frame that never ends.
    bytes: u64,
    /// When the next step is due.
    at: Timestamp,
    /// The next step sends something, so it waits while nothing can be sent.
    sends: bool,
}

impl Faults {
    /// For a connection that was opened `now`; `None` if it has no fault.
    pub(in crate::engine) fn new(fault_plan: &FaultPlan, now: Timestamp) -> Option<Self> {
        let scheduled: Vec<ScheduledFault> = (fault_plan.faults.iter())
            .map(|fault| {
                let start = now.saturating_add(Nanos::from(fault.after));
                ScheduledFault {
                    start,
                    kind: fault.kind.clone(),
                    has_begun: false,
                    step: 0,
                    bytes: 0,
                    at: start,
                    sends: false,
                }
            })
            .collect();
        (!scheduled.is_empty()).then_some(Self {
            scheduled,
            answers: !fault_plan.mute,
            pongs: VecDeque::new(),
            is_silent: false,
            probe: fault_plan.probe,
            began: None,
            ended: None,
        })
    }

    /// Returns when the first fault began.
    pub(in crate::engine) fn began(&self) -> Option<Timestamp> {
        self.began
    }

    /// Returns when the temporary fault ended.
    pub(in crate::engine) fn ended(&self) -> Option<Timestamp> {
        self.ended
    }

    /// Returns whether a Close of the server at this time is not answered.
    pub(in crate::engine) fn ignores_close(&self, now: Timestamp) -> bool {
        self.has_begun(&FaultKind::NeverClose, now)
    }

    /// Returns whether the connection is kept after the close handshake.
    pub(in crate::engine) fn holds(&self, now: Timestamp) -> bool {
        self.has_begun(&FaultKind::Hold, now)
    }

    fn has_begun(&self, kind: &FaultKind, now: Timestamp) -> bool {
        let mut scheduled = self.scheduled.iter();
        scheduled.any(|fault| fault.kind == *kind && fault.start <= now)
    }

    /// Handles a ping of the server, which `pong` answers. Returns whether it is answered correctly: at once, and by that.
    pub(in crate::engine) fn ping(&mut self, pong: &Frame<'_>, at: Timestamp) -> bool {
        let mut answers = self.answers;
        let (mut delay, mut wrong) = (Nanos::ZERO, false);
        for fault in self.scheduled.iter_mut().filter(|fault| fault.start <= at) {
            match &fault.kind {
                FaultKind::NoPong | FaultKind::Trickle { .. } | FaultKind::HalfClose => {
                    answers = false
                }
                FaultKind::IllegalFrame(Illegal::BadCloseCode) => answers = false,
                FaultKind::Only { frame, .. } if *frame != Activity::Pong => answers = false,
                FaultKind::PongStopsAfter { pings } if fault.step >= *pings => answers = false,
                FaultKind::PongStopsAfter { .. } => fault.step += 1,
                FaultKind::LatePong { delay: by } => delay = Nanos::from(by.at(0)),
                FaultKind::WrongPong => wrong = true,
                _ => {}
            }
        }
        if !answers || self.is_silent || self.pongs.len() == WAITING {
            return false;
        }
        let pong = raw::pong(pong, wrong);
        self.pongs.push_back((at.saturating_add(delay), pong));
        delay == Nanos::ZERO && !wrong
    }

    /// A Close frame was sent or received: cancels all steps, because nothing of ours may follow. Only a client that
    /// vanished may still come back.
    pub(in crate::engine) fn close(&mut self) {
        self.pongs.clear();
        self.is_silent = true;
        for fault in &mut self.scheduled {
            let stays = matches!(fault.kind, FaultKind::Vanish { .. });
            fault.at = if stays { fault.at } else { Timestamp::NEVER };
        }
    }

    /// Our half of TCP has ended: cancels the steps that send, keeps the others.
    fn half_close(&mut self) {
        self.pongs.clear();
        self.is_silent = true;
        for fault in &mut self.scheduled {
            let sends = matches!(
                fault.kind,
                FaultKind::Only { .. }
                    | FaultKind::Trickle { .. }
                    | FaultKind::Fragments { .. }
                    | FaultKind::IllegalFrame(_)
                    | FaultKind::Close { .. }
            );
            fault.at = if sends || fault.sends {
                Timestamp::NEVER
            } else {
                fault.at
            };
        }
    }

    /// Returns when there is something to do. Steps that send wait for `room`.
    pub(in crate::engine) fn next(&self, room: bool) -> Timestamp {
        let pong = (self.pongs.front()).map_or(Timestamp::NEVER, |(at, _)| *at);
        let scheduled = self.scheduled.iter().filter(|fault| room || !fault.sends);
        let first = scheduled
            .map(|fault| fault.at)
            .min()
            .unwrap_or(Timestamp::NEVER);
        if room { first.min(pong) } else { first }
    }

    /// Returns what to do now; call it until it returns `None`.
    pub(in crate::engine) fn due(&mut self, now: Timestamp, room: bool) -> Option<FaultAction> {
        let is_due = (self.pongs.front()).is_some_and(|(at, _)| *at <= now);
        if room && is_due {
            return self
                .pongs
                .pop_front()
                .map(|(_, pong)| FaultAction::Put(pong));
        }
        loop {
            let mut scheduled = self.scheduled.iter_mut();
            let fault = scheduled.find(|fault| fault.at <= now && (room || !fault.sends))?;
            let begins = !fault.has_begun;
            fault.has_begun = true;
            let start = fault.start;
            let step = fault.take(now, self.probe);
            if begins {
                // A fault that only changes answers is in force from its start on, even if that was noticed later.
                let began = if step.is_some() { now } else { start };
                self.began.get_or_insert(began);
            }
            match step {
                Some(FaultAction::Return) => self.ended = Some(now),
                Some(FaultAction::HalfClose) => self.half_close(),
                _ => {}
            }
            if step.is_some() {
                return step;
            }
        }
    }
}

impl ScheduledFault {
    /// Takes the step that is due, and sets the time of the next one.
    fn take(&mut self, now: Timestamp, probe: Option<Nanos>) -> Option<FaultAction> {
        let step = self.step;
        match &self.kind {
            FaultKind::NoPong
            | FaultKind::NeverClose
            | FaultKind::LatePong { .. }
            | FaultKind::PongStopsAfter { .. }
            | FaultKind::WrongPong
            | FaultKind::Hold => {
                self.at = Timestamp::NEVER;
                None
            }
            FaultKind::Only { frame, every } => {
                let (frame, every) = (*frame, Nanos::from(every.at(0)));
                self.again(every, now);
                if step > 0 {
                    return self.activity(frame);
                }
                self.at = match frame {
                    Activity::Nothing | Activity::Pong => Timestamp::NEVER,
                    _ => self.at,
                };
                let is_endless = frame == Activity::Byte;
                Some(if is_endless {
                    FaultAction::Seal
                } else {
                    FaultAction::StopSending
                })
            }
            FaultKind::Trickle { .. } if step == 0 => {
                self.then(self.start, true);
                Some(FaultAction::Seal)
            }
            FaultKind::Trickle { every } => {
                self.again(Nanos::from(*every), now);
                let count = if step == 1 { raw::LONG_BEGINS } else { 1 };
                Some(self.bytes(count))
            }
            FaultKind::Fragments { pause } => {
                let pause = Nanos::from(*pause);
                if step == 0 {
                    self.then(self.start, true);
                    return Some(FaultAction::StopMessages);
                }
                self.again(pause, now);
                Some(FaultAction::Put(raw::fragment(step.is_multiple_of(2))))
            }
            // Nothing may follow a Close frame, not even a wrong one.
            FaultKind::IllegalFrame(Illegal::BadCloseCode) if step == 0 => {
                self.then(self.start, true);
                Some(FaultAction::Seal)
            }
            FaultKind::IllegalFrame(illegal) => {
                let illegal = *illegal;
                self.then(Timestamp::NEVER, true);
                Some(FaultAction::Put(raw::illegal(illegal)))
            }
            FaultKind::StopReading => match step {
                0 => {
                    let at =
                        probe.map_or(Timestamp::NEVER, |after| self.start.saturating_add(after));
                    self.then(at, true);
                    Some(FaultAction::StopReading)
                }
                _ => {
                    self.then(Timestamp::NEVER, false);
                    Some(FaultAction::Probe(raw::frame(raw::PONG, b"")))
                }
            },
            FaultKind::Vanish { lasts } => match step {
                0 => {
                    let at = lasts.map_or(Timestamp::NEVER, |lasts| {
                        self.start.saturating_add(Nanos::from(lasts))
                    });
                    self.then(at, false);
                    Some(FaultAction::Vanish)
                }
                _ => {
                    self.then(Timestamp::NEVER, false);
                    Some(FaultAction::Return)
                }
            },
            FaultKind::HalfClose => self.once(FaultAction::HalfClose),
            FaultKind::Reset => self.once(FaultAction::Reset),
            FaultKind::Close { codes } => {
                let code = codes.first().copied().flatten();
                self.once(FaultAction::Close(code))
            }
        }
    }

    fn once(&mut self, step: FaultAction) -> Option<FaultAction> {
        self.then(Timestamp::NEVER, false);
        Some(step)
    }

    fn then(&mut self, at: Timestamp, sends: bool) {
        self.step = self.step.saturating_add(1);
        self.at = at;
        self.sends = sends;
    }

    /// Schedules the next sending step at the next whole number of gaps after the start.
    fn again(&mut self, gap: Nanos, now: Timestamp) {
        let gap = gap.max(Nanos(1));
        let gaps = now.saturating_since(self.start) / gap + 1;
        self.then(self.start.saturating_add(gap.saturating_mul(gaps)), true);
    }

    fn activity(&mut self, frame: Activity) -> Option<FaultAction> {
        let bytes = match frame {
            Activity::Nothing | Activity::Pong => return None,
            Activity::UnsolicitedPong => raw::frame(raw::PONG, b""),
            Activity::Ping => raw::frame(raw::PING, b""),
            Activity::Text => raw::text("wsbench"),
            Activity::EmptyText => raw::text(""),
            Activity::Byte => return Some(self.bytes(1)),
        };
        Some(FaultAction::Put(bytes))
    }

    /// Returns the next bytes of a frame that never ends.
    fn bytes(&mut self, count: usize) -> FaultAction {
        let bytes = raw::long_message(self.bytes, count);
        self.bytes += count as u64;
        FaultAction::Put(bytes)
    }
}
