//! All subjects on which the processes of a run speak. A run and an agent are one token each, so that permissions can
//! name them by `*`: wildcards of NATS match whole tokens.
//!
//! ```text
//! wsb.<run>.all.plan          what the coordinator says to all agents; the stream keeps it
//! wsb.<run>.shard.3           what one agent says; the stream keeps it
//! wsb-said.<run>.alive.3      a sign of life, which nothing keeps
//! wsb-said.agent.<id>.offer   a question to one agent
//! ```
//!
//! Servers before 2.10 want what somebody reads to be within one pattern of the stream, so what is kept has a first token
//! of its own. What is for all agents has a third one of its own: an agent may make a reader of `wsb.*.all.*`, and
//! whatever wildcards it asks for in the last place, it gets nothing of what others measured.

use std::fmt;
use std::str::FromStr;

use strum::{Display, EnumIter, IntoEnumIterator};

/// The stream that keeps what was said in all runs.
pub(super) const STREAM: &str = "WSBENCH";
/// The name under which agents are discovered (`$SRV.PING.wsbench-agent`).
pub const SERVICE: &str = "wsbench-agent";

/// The first token of what the stream keeps.
const KEPT: &str = "wsb";
/// The first token of what nothing keeps: signs of life, questions to agents.
const SAID: &str = "wsb-said";

/// The third token of what is for all agents.
const ALL: &str = "all";

/// The second token of the subjects by which single agents are called; no run has this name.
const AGENT: &str = "agent";

/// Why a text is no name of a run or an agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no name of {1}\nhint: it has 1 to {max} letters, digits, `-` and `_`",
    max = MAX_TOKEN
)]
pub struct TokenError(String, &'static str);

/// The most characters of the name of a run or an agent.
const MAX_TOKEN: usize = 64;

fn is_token(text: &str) -> bool {
    let is_fine = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    (1..=MAX_TOKEN).contains(&text.len()) && text.bytes().all(is_fine)
}

/// The name of a run: one token of a subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

/// The name of an agent, which its service got from its client library: one token of a subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(String);

impl FromStr for RunId {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        match is_token(text) && text != AGENT {
            true => Ok(Self(text.to_owned())),
            false => Err(TokenError(crate::units::visible(text), "a run")),
        }
    }
}

impl FromStr for AgentId {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        // An agent of such a name would be called by what the stream keeps.
        let is_kind = Kind::iter().any(|kind| kind.to_string() == text);
        match is_token(text) && !is_kind {
            true => Ok(Self(text.to_owned())),
            false => Err(TokenError(crate::units::visible(text), "an agent")),
        }
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is said within a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// The coordinator's plan.
    Plan,
    /// When the run begins.
    Start,
    /// When measuring begins and ends.
    Windows,
    /// The run ends early, and why.
    Stop,
    /// The coordinator's sign of life, which nothing keeps.
    Here,
    /// An agent has all it needs.
    Ready,
    /// An agent's planned connections are open.
    Settled,
    /// What an agent's connections did in one interval.
    Shard,
    /// An agent has ended, with its totals.
    Done,
    /// A sign of life, which nothing keeps.
    Alive,
}

impl Kind {
    /// Whether agents say it; what they do not say, the coordinator does.
    #[must_use]
    pub fn is_of_agents(self) -> bool {
        !matches!(
            self,
            Self::Plan | Self::Start | Self::Windows | Self::Stop | Self::Here
        )
    }

    /// The first token of its subjects.
    fn begin(self) -> &'static str {
        match self.is_stored() {
            true => KEPT,
            false => SAID,
        }
    }

    /// Whether the stream keeps it.
    #[must_use]
    pub fn is_stored(self) -> bool {
        !matches!(self, Self::Alive | Self::Here)
    }

    /// The subjects of it in all runs, by all agents.
    pub(super) fn everywhere(self) -> String {
        match self.is_of_agents() {
            true => format!("{}.*.{self}.*", self.begin()),
            false => format!("{}.*.{ALL}.{self}", self.begin()),
        }
    }
}

/// What one agent is asked by request and reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum Call {
    /// Whether it takes a share of a run.
    Offer,
    /// What its clock says.
    Clock,
    /// To leave its run.
    Stop,
}

/// A subject, or a pattern of subjects, as NATS writes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(String);

impl Subject {
    /// What the coordinator says to all agents: `wsb.<run>.all.plan` and the like.
    ///
    /// # Panics
    /// When only agents say this.
    #[must_use]
    pub fn to_all(run: &RunId, kind: Kind) -> Self {
        assert!(!kind.is_of_agents(), "only agents say `{kind}`");
        Self(format!("{}.{run}.{ALL}.{kind}", kind.begin()))
    }

    /// What agent `number` of a run says: `wsb.<run>.shard.<n>` and the like.
    ///
    /// # Panics
    /// When only the coordinator says this.
    #[must_use]
    pub fn of(run: &RunId, kind: Kind, number: u32) -> Self {
        assert!(kind.is_of_agents(), "only the coordinator says `{kind}`");
        Self(format!("{}.{run}.{kind}.{number}", kind.begin()))
    }

    /// What all agents of a run say of one kind.
    ///
    /// # Panics
    /// When only the coordinator says this.
    #[must_use]
    pub fn of_all(run: &RunId, kind: Kind) -> Self {
        assert!(kind.is_of_agents(), "only the coordinator says `{kind}`");
        Self(format!("{}.{run}.{kind}.*", kind.begin()))
    }

    /// All that an agent has to know of a run: plan, start, windows and stop, in their order.
    #[must_use]
    pub fn orders(run: &RunId) -> Self {
        Self(format!("{KEPT}.{run}.{ALL}.*"))
    }

    /// All that is stored of a run, in its order.
    #[must_use]
    pub fn everything(run: &RunId) -> Self {
        Self(format!("{KEPT}.{run}.>"))
    }

    /// One kind of what is stored of all runs.
    #[must_use]
    pub fn of_every_run(kind: Kind) -> Self {
        Self(kind.everywhere())
    }

    /// The call of one agent: `wsb-said.agent.<id>.offer` and the like.
    #[must_use]
    pub fn call(agent: &AgentId, call: Call) -> Self {
        Self(format!("{SAID}.{AGENT}.{agent}.{call}"))
    }

    /// The question to which all agents answer what they are and do.
    #[must_use]
    pub fn discovery() -> Self {
        Self(format!("$SRV.STATS.{SERVICE}"))
    }

    /// As NATS writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The run, kind and number of the agent that a subject tells of; `None` of other subjects.
    #[must_use]
    pub fn parse(subject: &str) -> Option<(RunId, Kind, Option<u32>)> {
        let mut tokens = subject.split('.');
        let (begin, run) = (tokens.next()?, tokens.next()?);
        let (third, fourth) = (tokens.next()?, tokens.next()?);
        let (kind, number) = match third {
            ALL => (fourth, None),
            kind => (kind, Some(fourth.parse().ok()?)),
        };
        let mut kinds = Kind::iter().filter(|known| known.begin() == begin);
        let kind = kinds.find(|known| known.to_string() == kind)?;
        let is_whole = tokens.next().is_none() && kind.is_of_agents() == number.is_some();
        is_whole.then_some((run.parse().ok()?, kind, number))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The subjects that the stream keeps.
#[must_use]
pub fn stored() -> Vec<String> {
    // One pattern that holds whatever somebody reads: servers before 2.10 want a reader's to be within a stream's.
    vec![format!("{KEPT}.>")]
}

/// Whether a subject is one of what is said in a run, kept or not.
pub(super) fn is_of_run(subject: &str, run: &RunId) -> bool {
    let rest = [KEPT, SAID].iter().find_map(|begin| {
        let rest = subject.strip_prefix(begin)?.strip_prefix('.')?;
        rest.strip_prefix(run.0.as_str())
    });
    rest.is_some_and(|rest| rest.starts_with('.'))
}

/// Whether a subject is one of those of a pattern, by the rules of NATS: `*` is one token, `>` at the end one or more.
pub(super) fn matches(pattern: &str, subject: &str) -> bool {
    let mut subject = subject.split('.');
    let mut pattern = pattern.split('.').peekable();
    while let Some(wanted) = pattern.next() {
        if wanted == ">" && pattern.peek().is_none() {
            return subject.next().is_some();
        }
        match subject.next() {
            Some(token) if wanted == "*" || wanted == token => {}
            _ => return false,
        }
    }
    subject.next().is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run() -> impl Strategy<Value = RunId> {
        "[A-Za-z0-9_-]{1,64}".prop_filter_map("a run", |text| text.parse().ok())
    }

    fn agent() -> impl Strategy<Value = AgentId> {
        "[A-Za-z0-9_-]{1,64}".prop_filter_map("an agent", |text| text.parse().ok())
    }

    proptest! {
        #[test]
        fn subjects_say_whose_they_are(run in run(), number: u32) {
            for kind in Kind::iter() {
                let (subject, number) = match kind.is_of_agents() {
                    true => (Subject::of(&run, kind, number), Some(number)),
                    false => (Subject::to_all(&run, kind), None),
                };
                prop_assert_eq!(
                    Subject::parse(subject.as_str()),
                    Some((run.clone(), kind, number))
                );
            }
        }

        #[test]
        fn the_stream_keeps_what_is_said_in_runs_and_nothing_else(
            run in run(), agent in agent(), number: u32
        ) {
            let is_kept = |subject: &Subject| {
                stored().iter().any(|pattern| matches(pattern, subject.as_str()))
            };
            for kind in Kind::iter() {
                let subject = match kind.is_of_agents() {
                    true => Subject::of(&run, kind, number),
                    false => Subject::to_all(&run, kind),
                };
                prop_assert_eq!(is_kept(&subject), kind.is_stored());
            }
            for call in Call::iter() {
                prop_assert!(!is_kept(&Subject::call(&agent, call)));
            }
        }

        #[test]
        fn an_agent_is_told_what_is_for_all_and_nothing_of_others(run in run(), number: u32) {
            for kind in Kind::iter() {
                let subject = match kind.is_of_agents() {
                    true => Subject::of(&run, kind, number),
                    false => Subject::to_all(&run, kind),
                };
                prop_assert!(is_of_run(subject.as_str(), &run));
                let other: RunId = format!("{run}x").parse().unwrap_or_else(|_| "x".parse().unwrap());
                prop_assert!(!is_of_run(subject.as_str(), &other));
                let is_told = matches(Subject::orders(&run).as_str(), subject.as_str());
                prop_assert_eq!(is_told, kind.is_stored() && !kind.is_of_agents());
                let is_kept = matches(Subject::everything(&run).as_str(), subject.as_str());
                prop_assert_eq!(is_kept, kind.is_stored());
            }
        }

        #[test]
        fn no_text_is_a_token_that_splits_a_subject(text in ".{0,80}") {
            if let Ok(run) = text.parse::<RunId>() {
                prop_assert_eq!(Subject::orders(&run).as_str().split('.').count(), 4);
                prop_assert!(!text.contains(['*', '>', ' ']));
            }
        }
    }

    #[test]
    fn patterns_match_whole_tokens() {
        assert!(matches("wsb.*.plan", "wsb.a.plan"));
        assert!(matches("wsb.>", "wsb.a.plan") && !matches("wsb.>", "wsb"));
        assert!(!matches("wsb.a*.plan", "wsb.ab.plan"));
        assert!(!matches("wsb.*", "wsb.a.plan") && !matches("wsb.*.plan", "wsb.a"));
        assert!("agent".parse::<RunId>().is_err() && "shard".parse::<AgentId>().is_err());
    }
}
