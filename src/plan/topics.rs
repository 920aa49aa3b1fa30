//! The topics of a plan: who hears what. Their names are written once for each connection, so that a connection's topic is
//! an index; the same on any worker.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::{ClientPlan, Plan};
use crate::measure::TopicIndex;
use crate::scenario::{Cohort, MAX_TOPICS, Pacing, Segment, Shape, Topic};
use crate::units::Nanos;

/// The topics of a plan.
#[derive(Debug, Clone, Default)]
pub struct Topics {
    /// In the order of their bytes; at most 65,536.
    names: Arc<[String]>,
    cohorts: Vec<OfCohort>,
    patience: Nanos,
}

/// The topics of one cohort.
#[derive(Debug, Clone)]
struct OfCohort {
    /// By the index of the message.
    to: Vec<Option<Column>>,
    joins: Vec<Column>,
}

/// A topic as each connection of a cohort has it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    /// All the same.
    Same(TopicIndex),
    /// By the place of the connection.
    Each(Box<[TopicIndex]>),
}

/// Names and the order in which they were first written.
#[derive(Default)]
struct Names {
    known: HashMap<Vec<u8>, TopicIndex>,
}

impl Topics {
    /// Writes the topics of a plan.
    pub(super) fn of(plan: &Plan) -> Self {
        let mut names = Names::default();
        let cohorts = plan.scenario.cohorts.iter().enumerate();
        let mut cohorts: Vec<OfCohort> = cohorts
            .map(|(index, cohort)| names.of_cohort(plan, index, cohort))
            .collect();
        let mut sorted: Vec<(Vec<u8>, TopicIndex)> = names.known.into_iter().collect();
        sorted.sort_unstable();
        let mut places = vec![0; sorted.len()];
        for (place, (_, first)) in sorted.iter().enumerate() {
            places[usize::from(*first)] = place as TopicIndex;
        }
        cohorts
            .iter_mut()
            .for_each(|cohort| cohort.renumber(&places));
        Self {
            names: (sorted.into_iter())
                .map(|(name, _)| String::from_utf8_lossy(&name).into_owned())
                .collect(),
            cohorts,
            patience: plan.scenario.patience().map_or(Nanos::ZERO, Nanos::from),
        }
    }

    /// Returns whether nothing is published: then nothing has to be looked for in what comes.
    pub fn is_silent(&self) -> bool {
        let mut cohorts = self.cohorts.iter();
        !cohorts.any(|cohort| cohort.to.iter().any(Option::is_some))
    }

    /// Returns the names, in the order of their indices and of their bytes.
    pub fn names(&self) -> &Arc<[String]> {
        &self.names
    }

    /// Returns the longest timeout of all messages that are published.
    pub fn patience(&self) -> Nanos {
        self.patience
    }

    /// Returns the topic to which a connection, by its place in its cohort, publishes a message.
    pub fn to(&self, cohort: usize, message: usize, place: u32) -> Option<TopicIndex> {
        let column = self.cohorts.get(cohort)?.to.get(message)?.as_ref()?;
        Some(column.at(place))
    }

    /// Returns the topics that a connection is in, by its place in its cohort; some may be the same.
    pub fn joins(&self, cohort: usize, place: u32) -> impl Iterator<Item = TopicIndex> {
        let columns = self
            .cohorts
            .get(cohort)
            .map_or(&[][..], |cohort| &cohort.joins);
        columns.iter().map(move |column| column.at(place))
    }
}

impl Plan {
    /// Computes how much is published and delivered at full load, with all connections open; `None` if nothing is.
    pub fn deliveries(&self) -> Option<Deliveries> {
        if self.topics.is_silent() {
            return None;
        }
        let mut members = vec![0u64; self.topics.names.len()];
        let each_place = || {
            let cohorts = self.scenario.cohorts.iter().enumerate();
            cohorts.flat_map(|(index, cohort)| (0..cohort.connections).map(move |at| (index, at)))
        };
        for (cohort, place) in each_place() {
            let joined: BTreeSet<TopicIndex> = self.topics.joins(cohort, place).collect();
            (joined.iter()).for_each(|topic| members[usize::from(*topic)] += 1);
        }
        let (mut published, mut delivered) = (0.0, 0.0);
        for (cohort, place) in each_place() {
            for (index, message) in self.cohort(cohort).messages.iter().enumerate() {
                let (Some(topic), Some(to)) = (self.topics.to(cohort, index, place), &message.to)
                else {
                    continue;
                };
                let is_member = self.topics.joins(cohort, place).any(|one| one == topic);
                let itself = u64::from(is_member && !to.comes_back);
                let rate = match message.pacing {
                    Pacing::Open { rate, .. } => rate.hertz(),
                    Pacing::Closed { .. } => f64::INFINITY,
                };
                published += rate;
                delivered += rate * (members[usize::from(topic)] - itself) as f64;
            }
        }
        // Nobody knows how many arrivals are open at a time.
        let is_known = !matches!(self.scenario.load.shape, Shape::Arrivals { .. });
        // Many rates added up are not exact.
        let rounded = |rate: f64| (rate * 1e6).round() / 1e6;
        let known = |rate: f64| Some(rounded(rate)).filter(|rate| is_known && rate.is_finite());
        Some(Deliveries {
            topics: members.len() as u64,
            published_per_second: known(published),
            deliveries_per_second: known(delivered),
        })
    }
}

/// What is published and delivered at full load.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Deliveries {
    /// The number of topics.
    pub topics: u64,
    /// Messages; `None` if a closed model leaves the rate to the server, or connections come and go.
    pub published_per_second: Option<f64>,
    /// Those who should hear them, added up.
    pub deliveries_per_second: Option<f64>,
}

impl Names {
    fn of_cohort(&mut self, plan: &Plan, index: usize, cohort: &Cohort) -> OfCohort {
        let first = plan.firsts[index];
        let mut written: HashMap<&Topic, Column> = HashMap::new();
        let mut column = |topic| {
            let made = written.entry(topic);
            let made = made.or_insert_with(|| self.column(plan, index, first, cohort, topic));
            made.clone()
        };
        let to = cohort.messages.iter().map(|message| message.to.as_ref());
        OfCohort {
            to: to.map(|to| to.map(|to| column(&to.topic))).collect(),
            joins: cohort.joins.iter().map(&mut column).collect(),
        }
    }

    fn column(
        &mut self,
        plan: &Plan,
        index: usize,
        first: u32,
        cohort: &Cohort,
        topic: &Topic,
    ) -> Column {
        if let [Segment::Literal(name)] = topic.segments() {
            return Column::Same(self.index(name));
        }
        let mut name = Vec::new();
        let connections = first..first + cohort.connections;
        let each = connections.map(|connection| {
            name.clear();
            write(topic, plan.client(index, connection), &mut name);
            self.index(&name)
        });
        Column::Each(each.collect())
    }

    /// The index of a name; the scenario has no more than [`MAX_TOPICS`].
    fn index(&mut self, name: &[u8]) -> TopicIndex {
        if let Some(index) = self.known.get(name) {
            return *index;
        }
        let index = self.known.len().min(MAX_TOPICS - 1) as TopicIndex;
        self.known.insert(name.to_vec(), index);
        index
    }
}

fn write(topic: &Topic, client: ClientPlan<'_>, out: &mut Vec<u8>) {
    client.values(0, 0).put_all(topic.segments(), 0, out);
}

impl OfCohort {
    fn renumber(&mut self, places: &[TopicIndex]) {
        for column in self.to.iter_mut().flatten().chain(&mut self.joins) {
            match column {
                Column::Same(index) => *index = places[usize::from(*index)],
                Column::Each(all) => {
                    (all.iter_mut()).for_each(|index| *index = places[usize::from(*index)]);
                }
            }
        }
    }
}

impl Column {
    fn at(&self, place: u32) -> TopicIndex {
        match self {
            Self::Same(index) => *index,
            Self::Each(all) => all[place as usize],
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::Plan;
    use crate::scenario::{Outside, Overrides, Source, parse};
    use crate::units::Nanos;

    fn read(text: &str) -> Result<Plan, String> {
        let source = Source {
            name: "x".into(),
            text: format!("name = \"x\"\ntarget.url = \"embedded\"\n{text}"),
        };
        let outside = Outside {
            env: &|name| (name == "REGION").then(|| "eu".to_owned()),
            read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        };
        let scenario = parse(&source, &Overrides::default(), &outside);
        let scenario = scenario.map_err(|problems| problems.to_string());
        scenario.map(|scenario| Plan::new(scenario, 1, 7))
    }

    const ROOMS: &str = r#"
        [[cohort]]
        name = "teachers"
        connections = 2
        joins = "staff"
        [[cohort.message]]
        name = "say"
        payload = { text = "{{stamp}}" }
        expect = "none"
        rate = "1/s"
        timeout = "2s"
        to = "room-{{place}}"
        [[cohort]]
        name = "pupils"
        connections = 5
        joins = ["room-{{place / 3}}", "{{user.team}} of ${REGION}", "all"]
        message = []
        [data.user]
        rows = [{ team = "b" }, { team = "a" }]
        pick = "circular"
    "#;

    #[test]
    fn each_connection_has_the_topics_that_are_written_for_it() {
        let topics = read(ROOMS).unwrap().topics;
        let names = topics.names();
        assert_eq!(
            names[..],
            ["a of eu", "all", "b of eu", "room-0", "room-1", "staff"]
        );
        let name = |index| names[usize::from(index)].as_str();
        let to = |cohort, place| topics.to(cohort, 0, place).map(name);
        assert_eq!(
            [to(0, 0), to(0, 1), to(1, 0)],
            [Some("room-0"), Some("room-1"), None]
        );
        let joins = |cohort, place| topics.joins(cohort, place).map(name).collect::<Vec<_>>();
        assert_eq!(joins(0, 1), ["staff"]);
        assert_eq!(joins(1, 2), ["room-0", "b of eu", "all"]);
        assert_eq!(joins(1, 3), ["room-1", "a of eu", "all"]);
        assert!(!topics.is_silent());
        let deliveries = read(ROOMS).unwrap().deliveries().unwrap();
        assert_eq!(deliveries.topics, 6);
        assert_eq!(deliveries.published_per_second, Some(2.0));
        // Three pupils hear the first teacher, and two the other one.
        assert_eq!(deliveries.deliveries_per_second, Some(5.0));
        assert_eq!(topics.patience(), Nanos::from_secs(2));
    }

    #[test]
    fn a_plan_without_topics_is_silent() {
        let topics = read("load.connections = 1\n[[message]]\nname = \"m\"\nin_flight = 1")
            .unwrap()
            .topics;
        assert!(topics.is_silent());
        assert_eq!(topics.names().len(), 0);
        assert_eq!(topics.to(0, 0, 0), None);
    }

    #[test]
    fn there_are_as_many_as_an_index_can_tell_apart() {
        let many = |connections: u32, joins: &str| {
            read(&format!(
                "[[cohort]]\nname = \"a\"\nconnections = {connections}\njoins = {joins}"
            ))
        };
        let topics = many(65_536, "[\"u{{place}}\", \"u{{place}}\"]")
            .unwrap()
            .topics;
        assert_eq!(topics.names().len(), 65_536);
        assert_ne!(
            topics.joins(0, 65_534).next(),
            topics.joins(0, 65_535).next()
        );
        let refused = many(65_537, "\"u{{place}}\"").unwrap_err();
        assert!(
            refused.contains("may come to 65,537 topics in all"),
            "{refused}"
        );
        assert!(many(100_000, "[\"u{{place / 2}}\", \"{{place % 9}}\"]").is_ok());
    }
}
