//! Finds agents that take a share of a run.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::error::FleetError;
use super::message::{Answer, Offer, decode, encode};
use crate::cluster::{AgentId, Broker, Call, Seen, Subject};
use crate::record::Machine;
use crate::units::visible;

/// How long agents may take to answer that they are there.
pub(super) const THERE: Duration = Duration::from_millis(300);
/// How long one may take to answer an offer, where others are waited for as long: it reads the scenario and its files.
const ANSWER: Duration = Duration::from_secs(30);
/// How many agents are looked at, at most.
pub(super) const MOST: usize = 4_096;
/// How long others are waited for when one that is there takes no share: those that start together come together.
const OTHERS: Duration = Duration::from_secs(3);

/// An agent that takes a share.
#[derive(Debug, Clone)]
pub(super) struct Taker {
    pub(super) id: AgentId,
    pub(super) name: String,
    pub(super) machine: Machine,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) takers: Vec<Taker>,
    /// Those that take none, with the reason; they are not asked again unless they were busy.
    refused: BTreeMap<AgentId, Refusal>,
}

#[derive(Debug)]
struct Refusal {
    name: String,
    why: String,
    is_busy: bool,
}

impl Found {
    fn is_asked(&self, seen: &Seen) -> bool {
        let takes = self.takers.iter().any(|taker| taker.id == seen.id);
        let refused = self
            .refused
            .get(&seen.id)
            .is_some_and(|refusal| !refusal.is_busy);
        takes || refused
    }

    fn is_busy(&mut self, seen: Seen) {
        let run = seen.card.run.unwrap_or_default();
        let refusal = Refusal {
            name: visible(&seen.card.name),
            why: plays(&run),
            is_busy: true,
        };
        self.refused.insert(seen.id, refusal);
    }

    pub(super) fn refusals(&self) -> Vec<(String, String)> {
        let all = self.refused.values();
        all.map(|refusal| (refusal.name.clone(), refusal.why.clone()))
            .collect()
    }
}

/// Looks for so many agents until then.
///
/// # Errors
/// When they are not there in time, when some that are there take no share and no others come, and when `left` says so.
pub(super) async fn gather(
    broker: &Broker,
    offer: &Offer,
    wanted: usize,
    until: Instant,
    found: &mut Found,
) -> Result<bool, FleetError> {
    let offer: bytes::Bytes = encode(offer).into();
    // What it says is kept as well, in the plan.
    if offer.len() > broker.max_message() {
        return Err(FleetError::TooLong(offer.len(), broker.max_message()));
    }
    let mut first_refusal = None;
    loop {
        let seen = broker.agents(THERE, MOST).await?;
        let lacking = wanted - found.takers.len();
        let (free, busy): (Vec<Seen>, Vec<Seen>) =
            seen.into_iter().partition(|seen| seen.card.run.is_none());
        for seen in busy {
            if !found.is_asked(&seen) {
                found.is_busy(seen);
            }
        }
        let (mut asked, others): (Vec<Seen>, Vec<Seen>) = (free.into_iter())
            .filter(|seen| !found.is_asked(seen))
            .partition(|seen| !found.refused.contains_key(&seen.id));
        // Those that had no time before come last.
        asked.extend(others);
        let mut answers = JoinSet::new();
        for seen in asked.into_iter().take(lacking) {
            let left = until.saturating_duration_since(Instant::now());
            let limit = ANSWER.min(left.max(THERE));
            answers.spawn(ask(broker.clone(), seen, offer.clone(), limit));
        }
        while let Some(answered) = answers.join_next().await {
            let Ok((seen, answer)) = answered else {
                continue;
            };
            let (why, is_busy) = match answer {
                Ok(Answer::Accepted(machine)) => {
                    found.refused.remove(&seen.id);
                    found.takers.push(Taker {
                        id: seen.id,
                        name: visible(&seen.card.name),
                        machine: *machine,
                    });
                    continue;
                }
                Ok(Answer::Busy(run)) => (plays(&run), true),
                Ok(Answer::Refused(why)) => (why, false),
                // It may have ended since, or be asked by somebody else.
                Err(error) => (format!("failed to {error}"), true),
            };
            if !is_busy {
                first_refusal.get_or_insert_with(Instant::now);
            }
            let name = visible(&seen.card.name);
            found
                .refused
                .insert(seen.id, Refusal { name, why, is_busy });
        }
        if found.takers.len() == wanted {
            found
                .takers
                .sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
            return Ok(true);
        }
        let is_over = first_refusal.is_some_and(|since: Instant| since.elapsed() >= OTHERS);
        if is_over || Instant::now() >= until {
            return Ok(false);
        }
    }
}

fn plays(run: &str) -> String {
    format!("it plays run {} at the moment", visible(run))
}

async fn ask(
    broker: Broker,
    seen: Seen,
    offer: bytes::Bytes,
    limit: Duration,
) -> (Seen, Result<Answer, FleetError>) {
    let subject = Subject::call(&seen.id, Call::Offer);
    let answer = match broker.ask(&subject, offer, limit).await {
        Ok(reply) => decode::<Answer>(&reply.payload).map_err(FleetError::from),
        Err(error) => Err(error.into()),
    };
    (seen, answer)
}
