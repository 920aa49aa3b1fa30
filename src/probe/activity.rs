//! The activity matrix (HB-09): watches a client with one kind of activity until the server ends it or time is up.

use std::time::Duration;

use tokio::time::Instant;

use super::findings::{Doing, Quiet, Trial};
use super::frame::{Frame, Opcode};
use super::quiet::Heard;
use super::talk::{Event, Talk, nanos};

/// One trial, and what the server sent without being asked during it.
pub(super) struct Tried {
    pub(super) trial: Trial,
    pub(super) quiet: Quiet,
}

/// The time between two frames of a trial: short compared to the limits that a trial of this length can find.
pub(super) fn gap(watch: Duration) -> Duration {
    (watch / 10).clamp(Duration::from_millis(50), Duration::from_secs(5))
}

/// Plays one kind of activity until the server ends the connection, but not longer than `watch`.
pub(super) async fn try_out(mut talk: Talk, doing: Doing, watch: Duration) -> Tried {
    let opened = talk.opened();
    let end = opened + watch;
    let gap = gap(watch);
    let mut due = frame(doing, 0).map(|_| opened + gap);
    let mut heard = Heard::default();
    let mut trial = Trial {
        doing,
        watched_ns: nanos(watch),
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
                let at_ns = nanos(at - opened);
                trial.pings += 1;
                if doing != Doing::AnswerPings {
                    trial.unanswered_ns.get_or_insert(at_ns);
                }
                heard.ping(&payload, at_ns);
            }
            Some((at, Event::Message { payload, .. })) => {
                // Does not count the echo of a text that this client sent.
                if doing != Doing::Texts {
                    heard.message(&payload, nanos(at - opened));
                }
            }
            Some((_, Event::Pong(_) | Event::End(_))) => {}
            None if talk.ending().is_some() || Instant::now() >= end => break,
            None => {
                if let (Some(at), Some(frame)) = (due, frame(doing, trial.sent + 1)) {
                    talk.send(&[frame]).await;
                    trial.sent += 1;
                    due = Some(at + gap);
                }
            }
        }
    }
    let watched = nanos(Instant::now() - opened);
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
        Doing::Texts => Some(Frame::new(Opcode::Text, format!("wsbench probe {number}"))),
    }
}
