//! The topics of a plan: who hears what. Their names are written once for each connection, so that a connection's topic is
//! an index; the same on any worker.

mod deliveries;

use std::collections::{BTreeSet, HashMap};
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

pub use self::deliveries::{Deliveries, Lonely};
use super::{ClientPlan, Plan};
use crate::measure::TopicIndex;
use crate::scenario::{Cohort, Expect, MAX_TOPICS, Segment, Topic};
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
    /// Each topic once.
    columns: Vec<Column>,
    /// What is published, in the order of slots; at most 256.
    publications: Vec<Publication>,
    /// The topics of a connection that is ready, by their columns.
    joins: Vec<u16>,
    /// What steps change, in the order of slots.
    moves: Vec<Moves>,
}

/// A message or a step that is published.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Its slot.
    pub slot: usize,
    /// Whether the server sends it back to its speaker, if that is a member.
    pub comes_back: bool,
    /// Whether its speaker waits until it comes back.
    pub is_expected_back: bool,
    /// How long after its intended time it should be heard.
    pub timeout: Nanos,
    column: u16,
}

/// The topics that a connection leaves and joins by the step with this slot; by their columns.
#[derive(Debug, Clone)]
struct Moves {
    slot: usize,
    leaves: Vec<u16>,
    joins: Vec<u16>,
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
        cohorts.all(|cohort| cohort.publications.is_empty())
    }

    /// Returns the names, in the order of their indices and of their bytes.
    pub fn names(&self) -> &Arc<[String]> {
        &self.names
    }

    /// Returns the longest timeout of all that is published.
    pub fn patience(&self) -> Nanos {
        self.patience
    }

    /// Returns the numbers in stamps of what these slots publish; `None` if they publish nothing.
    pub fn numbers(&self, cohort: usize, slots: Range<usize>) -> Option<RangeInclusive<u8>> {
        let publications = (0..=u8::MAX).zip(&self.cohorts.get(cohort)?.publications);
        let mut inside = publications.filter(|(_, one)| slots.contains(&one.slot));
        let (first, _) = inside.next()?;
        Some(first..=inside.next_back().map_or(first, |(last, _)| last))
    }

    /// Returns the number in stamps of what a slot publishes; `None` if it publishes nothing.
    pub fn number(&self, cohort: usize, slot: usize) -> Option<u8> {
        let publications = &self.cohorts.get(cohort)?.publications;
        let place = publications.binary_search_by_key(&slot, |one| one.slot);
        place.ok().map(|place| place as u8)
    }

    /// Returns what is published with this number, and to which topic a connection does so, by its place in its cohort.
    pub fn publication(
        &self,
        cohort: usize,
        number: u8,
        place: u32,
    ) -> Option<(&Publication, TopicIndex)> {
        let cohort = self.cohorts.get(cohort)?;
        let publication = cohort.publications.get(usize::from(number))?;
        Some((publication, cohort.at(publication.column, place)))
    }

    /// Returns the topics that a connection is in when it is ready, by its place in its cohort; some may be the same.
    pub fn joins(&self, cohort: usize, place: u32) -> impl Iterator<Item = TopicIndex> {
        self.at(cohort, place, |cohort| &cohort.joins)
    }

    /// Returns the topics that a connection joins by the step with this slot.
    pub fn joined_by(
        &self,
        cohort: usize,
        slot: usize,
        place: u32,
    ) -> impl Iterator<Item = TopicIndex> {
        self.moved_by(cohort, slot, place, |moves| &moves.joins)
    }

    /// Returns the topics that a connection leaves by the step with this slot.
    pub fn left_by(
        &self,
        cohort: usize,
        slot: usize,
        place: u32,
    ) -> impl Iterator<Item = TopicIndex> {
        self.moved_by(cohort, slot, place, |moves| &moves.leaves)
    }

    fn moved_by(
        &self,
        cohort: usize,
        slot: usize,
        place: u32,
        columns: impl Fn(&Moves) -> &[u16],
    ) -> impl Iterator<Item = TopicIndex> {
        self.at(cohort, place, move |cohort| {
            let moves = cohort.moves.iter().find(|moves| moves.slot == slot);
            moves.map_or(&[], &columns)
        })
    }

    /// The topics of a connection in some columns.
    fn at(
        &self,
        cohort: usize,
        place: u32,
        columns: impl Fn(&OfCohort) -> &[u16],
    ) -> impl Iterator<Item = TopicIndex> {
        let cohort = self.cohorts.get(cohort).into_iter();
        let columns = cohort.map(move |cohort| (cohort, columns(cohort)));
        columns.flat_map(move |(cohort, all)| all.iter().map(move |one| cohort.at(*one, place)))
    }

    /// All topics that a connection is ever in.
    fn ever_joined(&self, cohort: usize, place: u32) -> BTreeSet<TopicIndex> {
        let moves = self.cohorts[cohort].moves.iter();
        let by_steps = moves.flat_map(|moves| self.joined_by(cohort, moves.slot, place));
        self.joins(cohort, place).chain(by_steps).collect()
    }
}

impl Names {
    fn of_cohort(&mut self, plan: &Plan, index: usize, cohort: &Cohort) -> OfCohort {
        let mut columns = Vec::new();
        let mut written: HashMap<&Topic, u16> = HashMap::new();
        let mut column = |topic| {
            *written.entry(topic).or_insert_with(|| {
                columns.push(self.column(plan, index, topic));
                (columns.len() - 1) as u16
            })
        };
        let joins = cohort.joins.iter().map(&mut column).collect();
        let published = cohort.published().into_iter();
        let publications = published.map(|one| Publication {
            slot: one.slot,
            comes_back: one.to.comes_back,
            is_expected_back: matches!(one.expect, Expect::Echo | Expect::Stamp),
            timeout: Nanos::from(one.timeout),
            column: column(&one.to.topic),
        });
        let publications = publications.collect();
        let mut moves = Vec::new();
        for (step, slot) in cohort.each_step().zip(cohort.messages.len()..) {
            let leaves: Vec<u16> = step.leaves().iter().map(&mut column).collect();
            let joins: Vec<u16> = step.joins().iter().map(&mut column).collect();
            if !leaves.is_empty() || !joins.is_empty() {
                moves.push(Moves {
                    slot,
                    leaves,
                    joins,
                });
            }
        }
        OfCohort {
            columns,
            publications,
            joins,
            moves,
        }
    }

    fn column(&mut self, plan: &Plan, index: usize, topic: &Topic) -> Column {
        if let [Segment::Literal(name)] = topic.segments() {
            return Column::Same(self.index(name));
        }
        let mut name = Vec::new();
        let first = plan.firsts[index];
        let connections = first..first + plan.cohort(index).connections;
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
        for column in &mut self.columns {
            match column {
                Column::Same(index) => *index = places[usize::from(*index)],
                Column::Each(all) => {
                    (all.iter_mut()).for_each(|index| *index = places[usize::from(*index)]);
                }
            }
        }
    }

    fn at(&self, column: u16, place: u32) -> TopicIndex {
        self.columns[usize::from(column)].at(place)
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
            list: &Outside::no_folder,
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
        let to = |cohort, place| Some(name(topics.publication(cohort, 0, place)?.1));
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
        // Nothing is said to the staff, to all, and to the two groups of one region.
        assert_eq!(deliveries.published_by_nobody.unwrap().topics, 4);
        assert_eq!(deliveries.joined_by_nobody, None);
        assert_eq!(deliveries.published_per_second, Some(2.0));
        // Three pupils hear the first teacher, and two the other one.
        assert_eq!(deliveries.deliveries_per_second, Some(5.0));
        assert_eq!(topics.patience(), Nanos::from_secs(2));
    }

    #[test]
    fn steps_publish_join_and_leave() {
        let plan = read(
            r#"
            load.connections = 4
            [[setup]]
            name = "enter"
            send = "enter {{id}}"
            expect = "ok"
            joins = ["all", "r{{place % 2}}"]
            [[message]]
            name = "shout"
            payload = { text = "{{stamp}}" }
            expect = "none"
            rate = "1/s"
            to = "all"
            [[step]]
            repeat = { rate = "2/s" }
            [[step.step]]
            repeat = { count = 3 }
            chance = "50%"
            [[step.step.step]]
            send = "say {{stamp}}"
            expect = "none"
            to = "r{{place % 2}}"
            self = false
            timeout = "7s"
            [[step.step]]
            name = "go"
            send = "go"
            expect = "ok"
            leaves = "all"
            "#,
        );
        let plan = plan.unwrap();
        let topics = &plan.topics;
        assert_eq!(topics.names()[..], ["all", "r0", "r1"]);
        // Slots: the message, the set-up, two repeats, what is said, the leave.
        let numbers = (0..6)
            .map(|slot| topics.number(0, slot))
            .collect::<Vec<_>>();
        assert_eq!(numbers, [Some(0), None, None, None, Some(1), None]);
        assert_eq!(topics.numbers(0, 0..1), Some(0..=0));
        assert_eq!(topics.numbers(0, 1..usize::MAX), Some(1..=1));
        assert_eq!(topics.numbers(0, 1..4), None);
        let (say, topic) = topics.publication(0, 1, 3).unwrap();
        assert_eq!((say.slot, say.comes_back, topic), (4, false, 2));
        assert_eq!(topics.joined_by(0, 1, 2).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(topics.left_by(0, 5, 2).collect::<Vec<_>>(), [0]);
        assert_eq!(
            topics.joins(0, 2).count() + topics.joined_by(0, 5, 2).count(),
            0
        );
        assert_eq!(topics.patience(), Nanos::from_secs(7));
        let deliveries = plan.deliveries().unwrap();
        // One shout each; and three times in every second turn.
        assert_eq!(deliveries.published_per_second, Some(4.0 * (1.0 + 3.0)));
        assert_eq!(deliveries.deliveries_per_second, Some(4.0 * (4.0 + 3.0)));
    }

    #[test]
    fn how_often_a_step_is_sent_may_be_up_to_the_server() {
        for repeat in ["{}", "{ count = 5 }", "{ for = \"9s\" }"] {
            let step = format!(
                "load.connections = 2\n[[step]]\nrepeat = {repeat}\n[[step.step]]\nsend = \"{{{{stamp}}}}\"\nexpect = \"none\"\nto = \"all\""
            );
            let deliveries = read(&step).unwrap().deliveries().unwrap();
            assert_eq!(deliveries.published_per_second, None, "{repeat}");
        }
    }

    #[test]
    fn a_plan_without_topics_is_silent() {
        let topics = read("load.connections = 1\n[[message]]\nname = \"m\"\nin_flight = 1")
            .unwrap()
            .topics;
        assert!(topics.is_silent());
        assert_eq!(topics.names().len(), 0);
        assert_eq!(topics.number(0, 0), None);
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
