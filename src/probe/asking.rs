//! The questions that take little time: messages, pings, and the close handshake.

use std::time::Duration;

use super::findings::{Answer, CloseHandshake, Echo, How, Pings, Tcp, Within};
use super::frame::{Frame, Opcode};
use super::talk::{CLOSING, Event, Talk, closed};
use super::unasked::{OWN, holds, is_own, shortened};
use crate::measure::TcpEnding;
use crate::units::{Nanos, Timestamp};

/// How long answers are waited for. A later answer counts as none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    /// For a greeting after the open.
    greeting: Nanos,
    /// For the answer to a message or a ping.
    answer: Nanos,
}

impl Waits {
    /// For a probe that takes `all` in all: two seconds for an answer, but less of a short time.
    pub(super) fn of(all: Duration) -> Self {
        let share = |most: Duration, part: u32| Nanos::from(most.min(all / part));
        Self {
            greeting: share(Duration::from_millis(200), 10),
            answer: share(Duration::from_secs(2), 7),
        }
    }

    /// The longest time that one question may take. A part that would not fit into the rest of it is not asked.
    fn question(self) -> Nanos {
        self.answer.saturating_mul(3)
    }
}

/// The number of timed echoes, and of pings that are sent one by one.
const SAMPLES: u32 = 20;
/// The number of pings after which the probe gives up, if none of them was answered.
const HOPELESS: u32 = 2;
/// The number of pings that are sent all at once.
const BURST: u32 = 10;

/// Sends a text message and a binary message; if the server echoes, sends more messages to time the echoes.
pub(super) async fn echo(talk: &mut Talk, greeting: Option<String>, waits: Waits) -> Echo {
    let end = talk.now() + waits.question();
    let mut times = Vec::new();
    let mut number = 0;
    let mut ask = async |talk: &mut Talk, opcode: Opcode, times: &mut Vec<u64>| {
        number += 1;
        let payload = format!("{OWN} {number}").into_bytes();
        answer(talk, (opcode, &payload), times, waits).await
    };
    let text = ask(talk, Opcode::Text, &mut times).await;
    let binary = ask(talk, Opcode::Binary, &mut times).await;
    let again = match (text.is_echo(), binary.is_echo()) {
        (true, _) => Some(Opcode::Text),
        (false, true) => Some(Opcode::Binary),
        (false, false) => None,
    };
    if let Some(opcode) = again {
        for _ in times.len()..SAMPLES as usize {
            if !has_time(talk, waits.answer, end) || !ask(talk, opcode, &mut times).await.is_echo()
            {
                break;
            }
        }
    }
    talk.finish().await;
    times.sort_unstable();
    Echo {
        greeting,
        text,
        binary,
        samples: times.len() as u32,
        p50_ns: median(&times),
        max_ns: times.last().copied(),
        ending: talk.ending(),
    }
}

/// What the server says before it hears anything, shortened.
pub(super) async fn greeting(talk: &mut Talk, waits: Waits) -> Option<String> {
    let deadline = talk.now() + waits.greeting;
    let mut greeting = None;
    while let Some((_, event)) = talk.next(deadline).await {
        if let Event::Message { payload, .. } = event {
            greeting.get_or_insert_with(|| shortened(&payload));
        }
    }
    greeting
}

/// Sends one message and returns the server's answer. Adds the time of an echo to `times`.
async fn answer(
    talk: &mut Talk,
    (opcode, payload): (Opcode, &[u8]),
    times: &mut Vec<u64>,
    waits: Waits,
) -> Answer {
    let sent = talk.now();
    talk.send(&[Frame::new(opcode, payload)]).await;
    let mut other = None;
    while let Some((at, event)) = talk.next(sent + waits.answer).await {
        match event {
            Event::Message {
                text,
                payload: came,
            } if came == payload => {
                times.push(at.saturating_since(sent).0);
                return if text == (opcode == Opcode::Text) {
                    Answer::Same
                } else {
                    Answer::Retyped
                };
            }
            // What another connection of the probe has said is no answer.
            Event::Message { payload: came, .. } if is_own(&came) && !holds(&came, payload) => {}
            Event::Message { payload, .. } => {
                other.get_or_insert_with(|| shortened(&payload));
            }
            Event::End(_) | Event::Ping(_) | Event::Pong(_) => {}
        }
    }
    match other {
        Some(other) => Answer::Other(other),
        None if talk.ending().is_some() => Answer::Ended,
        None => Answer::Nothing,
    }
}

/// Sends pings one by one, then many at once, then one within a message.
pub(super) async fn pings(talk: &mut Talk, waits: Waits) -> Pings {
    const PAYLOADS: [&[u8]; 4] = [b"", b"1", &[b'p'; 125], &[0xff, 0xfe, 0x00, 0xc3]];
    let (answer, end) = (waits.answer, talk.now() + waits.question());
    let mut found = Pings::default();
    let mut times = Vec::new();
    for number in 0..SAMPLES {
        let payload = PAYLOADS[number as usize % PAYLOADS.len()];
        // Skips a length that has failed once: asking again would only cost time.
        if found.unanswered_lengths.contains(&payload.len()) {
            continue;
        }
        found.sent += 1;
        match pong(talk, payload, answer, &mut found.wrong).await {
            Some(took) => times.push(took),
            None => {
                found.unanswered_lengths.push(payload.len());
            }
        }
        let hopeless = times.is_empty() && number + 1 == HOPELESS;
        if hopeless || talk.ending().is_some() || !has_time(talk, answer, end) {
            break;
        }
    }
    found.answered = times.len() as u32;
    times.sort_unstable();
    found.p50_ns = median(&times);
    found.max_ns = times.last().copied();
    if found.answered > 0 && has_time(talk, answer, end) {
        burst(talk, answer, &mut found).await;
    }
    // The ping within a message waits for two answers, so it needs twice the time.
    if found.answered > 0 && has_time(talk, answer.saturating_mul(2), end) {
        found.within_message = within_message(talk, answer).await;
    }
    talk.finish().await;
    found.ending = talk.ending();
    found
}

/// Whether the time until `end`, and until the probe is over, is enough to wait this long.
fn has_time(talk: &Talk, wait: Nanos, end: Timestamp) -> bool {
    talk.now() + wait <= end.min(talk.over())
}

/// Sends one ping, and returns how many nanoseconds later its pong came.
async fn pong(talk: &mut Talk, payload: &[u8], wait: Nanos, wrong: &mut u32) -> Option<u64> {
    let sent = talk.now();
    talk.send(&[Frame::new(Opcode::Ping, payload)]).await;
    while let Some((at, event)) = talk.next(sent + wait).await {
        match event {
            Event::Pong(came) if came == payload => return Some(at.saturating_since(sent).0),
            Event::Pong(_) => *wrong += 1,
            _ => {}
        }
    }
    None
}

/// Sends several pings at once. A server may answer only the latest of them (section 5.5.3), so the last pong decides.
async fn burst(talk: &mut Talk, wait: Nanos, found: &mut Pings) {
    let payload = |number: u32| format!("burst {number}").into_bytes();
    let frames: Vec<Frame> = (1..=BURST)
        .map(|number| Frame::new(Opcode::Ping, payload(number)))
        .collect();
    let sent = talk.now();
    talk.send(&frames).await;
    found.burst_sent = BURST;
    while let Some((_, event)) = talk.next(sent + wait).await {
        let Event::Pong(came) = event else { continue };
        if frames.iter().any(|frame| frame.payload == came) {
            found.burst_answered += 1;
        } else {
            found.wrong += 1;
        }
        if came == payload(BURST) {
            found.burst_last_answered = true;
            return;
        }
    }
}

/// Sends a ping between the two fragments of a text message (section 5.4).
async fn within_message(talk: &mut Talk, wait: Nanos) -> Within {
    let open = Frame::part(Opcode::Text, "wsbench ");
    let mut wrong = 0;
    talk.send(&[open]).await;
    let during = pong(talk, b"within", wait, &mut wrong).await;
    let sent = talk.now();
    talk.send(&[Frame::new(Opcode::Continuation, "probe")])
        .await;
    if let Some(took) = during {
        return Within::Answered(took);
    }
    while let Some((_, event)) = talk.next(sent + wait).await {
        if event == Event::Pong(b"within".to_vec()) {
            return Within::AnsweredAfterwards;
        }
    }
    Within::Nothing
}

/// Sends a Close with code 1000, and records how the server completes the close handshake.
pub(super) async fn close(mut talk: Talk) -> CloseHandshake {
    let wait = CLOSING.min(talk.over().saturating_since(talk.now()));
    let mut found = CloseHandshake {
        waited_ns: wait.0,
        answered_ns: None,
        code: None,
        reason: String::new(),
        frames_after: 0,
        tcp: None,
        broken: None,
    };
    let sent = talk.now();
    talk.send(&[Frame::close(Some(1000))]).await;
    while let Some((at, came)) = talk.frame(sent + wait).await {
        let since = at.saturating_since(sent).0;
        match came {
            Ok(_) if found.answered_ns.is_some() => found.frames_after += 1,
            Ok(frame) if frame.opcode == Opcode::Close => {
                found.answered_ns = Some(since);
                match closed(&frame.payload) {
                    Ok(How::Close { code, reason }) => (found.code, found.reason) = (code, reason),
                    Ok(_) => {}
                    Err(rule) => found.broken = Some(rule),
                }
            }
            // Data before the server's own Close frame is allowed.
            Ok(_) => {}
            Err(How::Rst) => {
                found.tcp = Some(Tcp::new(since, TcpEnding::Rst));
                break;
            }
            Err(How::Broken(rule)) => {
                found.broken = Some(rule);
                break;
            }
            Err(_) => {
                found.tcp = Some(Tcp::new(since, TcpEnding::Fin));
                break;
            }
        }
    }
    found
}

fn median(sorted: &[u64]) -> Option<u64> {
    sorted.get(sorted.len() / 2).copied()
}
