//! What `check` tells of the compression of a cohort.

use serde::Serialize;

use crate::plan::{Budget, Compressing};
use crate::scenario::Scenario;

/// More processor time than this, in cores, is told.
const MUCH: f64 = 0.1;

/// The compression that a cohort offers.
#[derive(Serialize)]
pub(super) struct CompressionRow {
    cohort: String,
    offer: String,
    send: &'static str,
    /// Processor time, in cores, as far as the schedule tells.
    cores: f64,
    notes: Vec<&'static str>,
}

impl CompressionRow {
    pub(super) fn text(&self) -> String {
        let Self {
            cohort,
            send,
            cores,
            notes,
            ..
        } = self;
        let mut text = format!("{cohort}: {send}");
        if *cores >= MUCH {
            text += &format!(
                ", which takes about {cores:.1} cores; \"prepared\" takes next to nothing"
            );
        }
        for note in notes {
            text += &format!("; {note}");
        }
        text
    }
}

/// Of each cohort that offers compression.
pub(super) fn compression(scenario: &Scenario, budget: &Budget) -> Vec<CompressionRow> {
    let rows = budget.compressing.iter().filter_map(|one| {
        let cohort = &scenario.cohorts[one.cohort];
        let packs = cohort.packs()?;
        Some(CompressionRow {
            cohort: cohort.name.clone(),
            offer: packs.offer.to_string(),
            send: packs.send.name(),
            cores: one.cores,
            notes: notes(one),
        })
    });
    rows.collect()
}

fn notes(one: &Compressing) -> Vec<&'static str> {
    let notes = [
        (
            one.is_idle,
            "no payload reaches the threshold, or has a long part that can be prepared: all go out plain",
        ),
        (
            one.is_filler,
            "next to nothing is left of payloads of a `size`: write `like = \"json\"` beside it",
        ),
    ];
    let notes = notes.into_iter().filter(|(is_so, _)| *is_so);
    notes.map(|(_, note)| note).collect()
}
