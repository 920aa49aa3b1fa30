//! How much is published and delivered at full load, for `check`.

use crate::plan::Plan;
use crate::plan::budget::open;
use crate::plan::often::Often;
use crate::scenario::Shape;

impl Plan {
    /// Computes how much is published and delivered at full load, with all connections open and in all their topics;
    /// `None` if nothing is.
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
            for topic in self.topics.ever_joined(cohort, place) {
                members[usize::from(topic)] += 1;
            }
        }
        let cohorts = self.scenario.cohorts.iter();
        let often = cohorts.map(|cohort| Often::of_slots(cohort, open(&self.scenario, cohort)));
        let often: Vec<Vec<Often>> = often.collect();
        let (mut published, mut delivered) = (0.0, 0.0);
        let mut is_published = vec![false; members.len()];
        for (cohort, place) in each_place() {
            let own = self.topics.ever_joined(cohort, place);
            for publication in &self.topics.cohorts[cohort].publications {
                let topic = self.topics.cohorts[cohort].at(publication.column, place);
                is_published[usize::from(topic)] = true;
                let itself = u64::from(own.contains(&topic) && !publication.comes_back);
                let rate = often[cohort][publication.slot].hertz;
                published += rate;
                delivered += rate * (members[usize::from(topic)] - itself) as f64;
            }
        }
        // Nobody knows how many arrivals are open at a time.
        let is_known = !matches!(self.scenario.load.shape, Shape::Arrivals { .. });
        // Many rates added up are not exact.
        let rounded = |rate: f64| (rate * 1e6).round() / 1e6;
        let known = |rate: f64| Some(rounded(rate)).filter(|rate| is_known && rate.is_finite());
        let topics = || (self.topics.names.iter()).zip(members.iter().zip(&is_published));
        let lonely = |wanted: fn(u64, bool) -> bool| {
            let mut found = topics().filter(|(_, (members, heard))| wanted(**members, **heard));
            let (first, _) = found.next()?;
            Some(Lonely {
                topics: 1 + found.count() as u64,
                first: first.clone(),
            })
        };
        Some(Deliveries {
            topics: members.len() as u64,
            joined_by_nobody: lonely(|members, is_published| members == 0 && is_published),
            published_by_nobody: lonely(|members, is_published| members > 0 && !is_published),
            published_per_second: known(published),
            deliveries_per_second: known(delivered),
        })
    }
}

/// What is published and delivered at full load.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Deliveries {
    /// The number of topics.
    pub topics: u64,
    /// Those to which something is published, and that nobody joins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joined_by_nobody: Option<Lonely>,
    /// Those that are joined, and to which nothing is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_by_nobody: Option<Lonely>,
    /// Messages; `None` if the server has a say in the rate, as in a closed model, or connections come and go.
    pub published_per_second: Option<f64>,
    /// Those who should hear them, added up.
    pub deliveries_per_second: Option<f64>,
}

/// Topics with only one of the two sides.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Lonely {
    /// How many there are. Above zero.
    pub topics: u64,
    /// One of them.
    pub first: String,
}
