//! What goes on beside the taking in: reading the stream, signs of life both ways, clocks, and who was started again.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::agent::CALL;
use super::gather::{MOST, THERE};
use super::joined::PAUSE;
use super::liveness::SIGN;
use super::message::{Alive, Leave, Seat, decode, encode};
use super::steady::Steady;
use crate::cluster::{AgentId, Broker, Call, Entry, Error, Kind, Offset, RunId, Subject};

/// How many questions make one estimate of a clock.
pub(super) const QUESTIONS: usize = 24;
/// The time between two estimates.
const EVERY: Duration = Duration::from_secs(10);
/// The time between two looks for agents that were started again.
const LOOK: Duration = Duration::from_secs(2);

/// What is heard of a run.
#[derive(Debug)]
pub(super) enum Heard {
    /// A message of the stream.
    Entry(Entry),
    /// A sign of life of the agent with this number and this name.
    Alive(u32, String),
    /// What is known of the clock of the agent with this index.
    Clock(usize, Offset),
    /// The stream was read again; of these agents nothing was heard before. `None`: it could not be read.
    ReadAgain(Option<Vec<usize>>),
    /// The agent with this index was started again.
    Restarted(usize),
}

/// Reads all that the stream keeps, and begins again after an error or a new connection.
pub(super) async fn read(broker: Broker, subjects: Subject, tell: mpsc::Sender<Heard>) {
    loop {
        if let Ok(mut feed) = broker.follow(&subjects, CALL).await {
            let connects = broker.connects();
            while broker.connects() == connects
                && let Ok(entry) = feed.next(SIGN).await
            {
                if let Some(entry) = entry
                    && tell.send(Heard::Entry(entry)).await.is_err()
                {
                    return;
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Reads once all that the stream keeps by now, however far the other reader is; tells that it is done, and of whom it was
/// wondered about.
pub(super) async fn read_again(
    broker: Broker,
    subjects: Subject,
    silent: Vec<usize>,
    tell: mpsc::Sender<Heard>,
) {
    let all = async {
        let mut feed = broker.follow(&subjects, CALL).await.ok()?;
        let mut pending = feed.pending;
        while pending > 0 {
            let entry = feed.next(CALL).await.ok()??;
            pending = entry.pending;
            tell.send(Heard::Entry(entry)).await.ok()?;
        }
        Some(())
    };
    let silent = all.await.map(|()| silent);
    let _ = tell.send(Heard::ReadAgain(silent)).await;
}

/// Hears signs of life of agents.
pub(super) async fn lives(broker: Broker, run: RunId, tell: mpsc::Sender<Heard>) {
    let subject = Subject::of_all(&run, Kind::Alive);
    loop {
        if let Ok(mut signs) = broker.hear(&subject, CALL).await {
            loop {
                let Some(sign) = signs.next(SIGN).await else {
                    continue;
                };
                let number = Subject::parse(&sign.subject).and_then(|(_, _, number)| number);
                let alive = decode::<Alive>(&sign.payload).ok();
                if let Some((number, Alive { agent })) = number.zip(alive)
                    && tell.send(Heard::Alive(number, agent)).await.is_err()
                {
                    return;
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Gives signs of life to agents.
pub(super) async fn here(broker: Broker, run: RunId) {
    let subject = Subject::to_all(&run, Kind::Here);
    loop {
        // One that is not heard is followed by another.
        let _ = broker.say(&subject, Vec::new().into(), SIGN).await;
        tokio::time::sleep(SIGN).await;
    }
}

/// Compares the clocks again and again.
pub(super) async fn clocks(
    broker: Broker,
    seats: Vec<Seat>,
    steady: Steady,
    tell: mpsc::Sender<Heard>,
) {
    let ids: Vec<Option<AgentId>> = seats.iter().map(|seat| seat.agent.parse().ok()).collect();
    loop {
        tokio::time::sleep(EVERY).await;
        for (index, offset) in offsets(&broker, &ids, steady).await.into_iter().enumerate() {
            if let Ok(offset) = offset
                && tell.send(Heard::Clock(index, offset)).await.is_err()
            {
                return;
            }
        }
    }
}

/// How far the clocks of these agents are ahead of this one.
pub(super) async fn offsets(
    broker: &Broker,
    ids: &[Option<AgentId>],
    steady: Steady,
) -> Vec<Result<Offset, Error>> {
    let mut asking = JoinSet::new();
    for (index, id) in ids.iter().enumerate() {
        let Some(id) = id.clone() else { continue };
        let broker = broker.clone();
        asking.spawn(async move {
            let offset = broker.offset(&id, move || steady.now_ns(), QUESTIONS, CALL);
            (index, offset.await)
        });
    }
    let nobody = || Err(Error::Nobody("compare the clock of an agent"));
    let mut all: Vec<_> = std::iter::repeat_with(nobody).take(ids.len()).collect();
    while let Some(asked) = asking.join_next().await {
        if let Ok((index, offset)) = asked {
            all[index] = offset;
        }
    }
    all
}

/// Finds agents of this run that were started again: they have the name of one that plays, and are another process. They
/// are sent away, since who joins late changes the load.
pub(super) async fn restarts(
    broker: Broker,
    run: RunId,
    seats: Vec<Seat>,
    tell: mpsc::Sender<Heard>,
) {
    let leave = encode(&Leave {
        why: format!(
            "its share of run {run} was lost when it was started again, and who joins late would change the load"
        ),
    });
    loop {
        tokio::time::sleep(LOOK).await;
        let Ok(seen) = broker.agents(THERE, MOST).await else {
            continue;
        };
        for seen in seen {
            let is_named = |seat: &&Seat| seat.name == seen.card.name;
            let (mut named, id) = (seats.iter().filter(is_named), seen.id.to_string());
            let Some(seat) = named.next().filter(|_| seen.card.run.is_none()) else {
                continue;
            };
            // Where two have one name, nobody knows whose the third is.
            if named.next().is_some() || seats.iter().any(|seat| seat.agent == id) {
                continue;
            }
            let index = seats.iter().position(|other| other.agent == seat.agent);
            let subject = Subject::call(&seen.id, Call::Stop);
            let _ = broker.ask(&subject, leave.clone().into(), CALL).await;
            if let Some(index) = index
                && tell.send(Heard::Restarted(index)).await.is_err()
            {
                return;
            }
        }
    }
}
