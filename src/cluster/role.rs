//! Who may say and hear what: the two roles, each with the subjects of its permissions. What is not named is denied.

use strum::{Display, EnumIter, EnumString, IntoEnumIterator, VariantNames};

use super::subjects::{Call, Kind, SERVICE, STREAM, matches};

/// What a process is to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumIter, EnumString, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    /// Gives out the plan, and judges. Whoever makes the stream, lists and cleans has this role too.
    Coordinator,
    /// Plays a share of the plan.
    Agent,
}

/// The patterns of the subjects that a role may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// Those to which it may publish.
    pub publish: Vec<String>,
    /// Those to which it may subscribe.
    pub subscribe: Vec<String>,
    /// Whether it may answer whoever asks it, at the subject that the question names.
    pub replies: bool,
}

impl Permissions {
    /// Whether the role may publish to this subject.
    #[must_use]
    pub fn may_publish(&self, subject: &str) -> bool {
        self.publish.iter().any(|pattern| matches(pattern, subject))
    }

    /// Whether the role may subscribe to this subject.
    #[must_use]
    pub fn may_subscribe(&self, subject: &str) -> bool {
        (self.subscribe.iter()).any(|pattern| matches(pattern, subject))
    }
}

impl Role {
    /// What the subjects begin with at which answers arrive: each role has its own, so that none hears the other's.
    #[must_use]
    pub fn inbox(self) -> String {
        format!("_INBOX_wsb_{self}")
    }

    /// All that the role needs.
    #[must_use]
    pub fn permissions(self) -> Permissions {
        let own = |kind: &Kind| kind.is_of_agents() == (self == Self::Agent);
        let said = Kind::iter().filter(own).map(Kind::everywhere);
        let inbox = format!("{}.>", self.inbox());
        match self {
            Self::Coordinator => Permissions {
                publish: said.chain(coordinator()).collect(),
                subscribe: vec![Kind::Alive.everywhere(), inbox],
                replies: false,
            },
            Self::Agent => Permissions {
                publish: said.chain(agent()).collect(),
                subscribe: called().chain([Kind::Here.everywhere(), inbox]).collect(),
                replies: true,
            },
        }
    }
}

/// The subjects of JetStream's interface by which a consumer of a stream is made, read and removed. `filter` is what the
/// consumer may be shown.
fn consumers(stream: &str, filter: &str) -> [String; 3] {
    [
        format!("$JS.API.CONSUMER.CREATE.{stream}.*.{filter}"),
        format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.*"),
        format!("$JS.API.CONSUMER.DELETE.{stream}.*"),
    ]
}

fn agent() -> impl Iterator<Item = String> {
    let info = format!("$JS.API.STREAM.INFO.{STREAM}");
    let heard = consumers(STREAM, "wsb.*.all.*");
    [info].into_iter().chain(heard)
}

fn coordinator() -> impl Iterator<Item = String> {
    let calls = Call::iter().map(|call| format!("wsb-said.agent.*.{call}"));
    let discovery = ["PING", "INFO", "STATS"].map(|verb| format!("$SRV.{verb}.{SERVICE}"));
    let actions = ["INFO", "CREATE", "UPDATE", "PURGE"];
    let stream = actions.map(|action| format!("$JS.API.STREAM.{action}.{STREAM}"));
    let all = calls.chain(discovery).chain(stream);
    let all = all.chain(["$JS.API.INFO".to_owned()]);
    all.chain(consumers(STREAM, "wsb.>"))
}

/// What an agent has to hear to be found and asked.
fn called() -> impl Iterator<Item = String> {
    let calls = Call::iter().map(|call| format!("wsb-said.agent.*.{call}"));
    let verbs = ["PING", "INFO", "STATS"].into_iter();
    let found = verbs.flat_map(|verb| {
        [
            format!("$SRV.{verb}"),
            format!("$SRV.{verb}.{SERVICE}"),
            format!("$SRV.{verb}.{SERVICE}.*"),
        ]
    });
    calls.chain(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::subjects::{AgentId, RunId, Subject};
    use super::*;

    proptest! {
        #[test]
        fn each_role_may_say_what_it_has_to_and_nothing_of_the_others(
            run in "[a-z0-9_-]{1,64}", agent in "[A-Za-z0-9]{22}", number: u32
        ) {
            prop_assume!(run != "agent");
            let (run, agent): (RunId, AgentId) = (run.parse().unwrap(), agent.parse().unwrap());
            for role in Role::iter() {
                let permissions = role.permissions();
                let is_agent = role == Role::Agent;
                for kind in Kind::iter() {
                    let subject = match kind.is_of_agents() {
                        true => Subject::of(&run, kind, number),
                        false => Subject::to_all(&run, kind),
                    };
                    let may = permissions.may_publish(subject.as_str());
                    prop_assert_eq!(may, kind.is_of_agents() == is_agent, "{} {}", role, subject);
                }
                for call in Call::iter() {
                    let subject = Subject::call(&agent, call);
                    prop_assert_eq!(permissions.may_publish(subject.as_str()), !is_agent);
                    prop_assert_eq!(permissions.may_subscribe(subject.as_str()), is_agent);
                }
            }
        }
    }

    #[test]
    fn an_agent_cannot_ask_for_what_others_measured() {
        let permissions = Role::Agent.permissions();
        let ask = |filter: &str| format!("$JS.API.CONSUMER.CREATE.WSBENCH.name.{filter}");
        assert!(permissions.may_publish(&ask("wsb.run.all.*")));
        for filter in [
            "wsb.run.shard.1",
            "wsb.run.*.*",
            "wsb.run.>",
            "wsb.>",
            ">",
            "wsb.run.*.1",
        ] {
            assert!(!permissions.may_publish(&ask(filter)), "{filter}");
        }
        assert!(!permissions.may_publish("$JS.API.CONSUMER.CREATE.WSBENCH"));
        assert!(!permissions.may_publish("$JS.API.STREAM.PURGE.WSBENCH"));
        assert!(!permissions.may_subscribe(&format!("{}.x", Role::Coordinator.inbox())));
    }

    #[test]
    fn no_permission_is_given_twice() {
        for role in Role::iter() {
            let Permissions {
                publish, subscribe, ..
            } = role.permissions();
            for list in [publish, subscribe] {
                let mut once = list.clone();
                once.sort();
                once.dedup();
                assert_eq!(once.len(), list.len(), "{role}: {list:?}");
            }
        }
    }
}
