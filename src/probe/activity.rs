//! The activity matrix (HB-09): watches a client with one kind of activity until the server ends it or time is up.

use std::time::Duration;

use super::findings::{Doing, Quiet, Trial};
use super::frame::{Frame, Opcode};
use super::quiet::UnaskedTraffic;
use super::talk::{Event, Talk};
use super::unasked::OWN;
use crate::units::Timestamp;

/// One trial, and what the server sent without being asked during it.
pub(super) struct Tried {
    pub(super) trial: Trial,
    pub(super) quiet: Quiet,
}

/// The time between two frames of a trial: short compared to the limits that a trial of this length can find.
pub(super) fn gap(watch: Duration) -> Duration {
    (watch / 10).clamp(Duration::from_millis(50), Duration::from_secs(5))
}

/// Plays one kind of activity until the server ends the connection, or the probe is over.
pub(super) async fn try_out(mut talk: Talk, doing: Doing) -> Tried {
    let end = talk.over();
    let watch = end.saturating_since(Timestamp::ORIGIN);
    let gap = gap(Duration::from_nanos(watch.0));
    let mut due = frame(doing, 0).map(|_| Timestamp::ORIGIN + gap.into());
    let mut heard = UnaskedTraffic::default();
    let mut trial = Trial {
        doing,
        watched_ns: watch.0,
        sent: 0,
        pings: 0,
        unanswered_ns: None,
        ending: None,
        failed: None,
    };
    loop {
        let deadline = due.map_or(end, |due| due.min(end));
        match talk.next(deadline).await {
            Some((at, Event::Ping(payload))) => {
                let at_ns = at.as_nanos();
                trial.pings += 1;
                if doing != Doing::AnswerPings {
                    trial.unanswered_ns.get_or_insert(at_ns);
                }
                heard.ping(&payload, at_ns);
            }
            Some((at, Event::Message { payload, .. })) => {
                // Does not count the echo of a text that this client sent.
                if doing != Doing::Texts {
                    heard.message(&payload, at.as_nanos());
                }
            }
            Some((_, Event::Pong(_) | Event::End(_))) => {}
            None if talk.ending().is_some() || talk.now() >= end => break,
            None => {
                if let (Some(at), Some(frame)) = (due, frame(doing, trial.sent + 1)) {
                    talk.send(&[frame]).await;
                    trial.sent += 1;
                    due = Some(at + gap.into());
                }
            }
        }
    }
    let watched = talk.now().as_nanos();
    talk.finish().await;
    trial.ending = talk.ending();
    talk.leave().await;
    let quiet = heard.into_quiet(watched);
    Tried { trial, quiet }
}

/// The frame that a client of this kind sends without being asked.
fn frame(doing: Doing, number: u32) -> Option<Frame> {
    match doing {
        Doing::AnswerPings | Doing::Nothing => None,
        Doing::UnsolicitedPongs => Some(Frame::new(Opcode::Pong, "wsbench")),
        Doing::Pings => Some(Frame::new(Opcode::Ping, "wsbench")),
        Doing::Texts => Some(Frame::new(Opcode::Text, format!("{OWN} alive {number}"))),
    }
}
