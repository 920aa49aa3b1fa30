//! Resolves the whole file, section by section. Checks every section, whatever is wrong in the others.

use super::{gates, path, target};
use crate::scenario::contract::{Around, contracts, faults_in_time};
use crate::scenario::file::{File, Key};
use crate::scenario::gate::{Group, Names};
use crate::scenario::model::{Cohort, Expect, Load, Message, Reconnect, Scenario, Shape};
use crate::scenario::reading::{At, Check, Document, Outside, Place, Problems, Source};
use crate::scenario::secrets::Secrets;
use crate::scenario::section::{cohort, load};

/// Resolves a file and the gates of the command line; returns `None` only if a problem was noted.
pub(in crate::scenario) fn resolve(
    document: &Document,
    source: &Source,
    gates: &[String],
    outside: &Outside<'_>,
    problems: &mut Problems,
) -> Option<Scenario> {
    let check = &mut Check {
        source,
        outside,
        holes: &document.holes,
        problems,
        secrets: Secrets::default(),
    };
    let file = &document.file;
    match &file.name {
        Some(name) => check.name("name", name),
        None => {
            let hint =
                "write `name = \"echo\"` in the first line; the report folder is named after it";
            check.missing(&Place::Nowhere, "name", hint);
        }
    }
    if let Some(text) = &file.description
        && text.value.chars().any(char::is_control)
    {
        check.problem_with_hint(
            "description",
            &text.place,
            "is not one line of plain text",
            "use comments for more",
        );
    }
    let load_table = section(&file.load);
    let load = load::resolve(check, &load_table);
    let mut cohorts = cohort::resolve(check, file, &load_table, load.as_ref());
    let known = cohorts.as_deref().unwrap_or_default();
    let target = target::target(check, &section(&file.target), known);
    let groups = names(file, load.as_ref(), cohorts.as_deref()).cohorts;
    let groups: Vec<&str> = groups.iter().map(|group| group.name).collect();
    let path = path::path(check, &file.path, &groups);
    if let Some(load) = &load {
        let done = target.as_ref().map(|target| target.faults.as_slice());
        faults_in_time(check, file, load, done.unwrap_or_default());
    }
    let around = match (&target, &load) {
        (Some(target), Some(load)) => Some(Around {
            target,
            path: path.as_ref(),
            load,
        }),
        _ => None,
    };
    contracts(
        check,
        file,
        cohorts.as_deref_mut().unwrap_or_default(),
        around.as_ref(),
    );
    // Resolves the gates after the contracts, which decide at which cohorts a gate looks.
    let names = names(file, load.as_ref(), cohorts.as_deref());
    let gates = gates::gates(check, &section(&file.gates), gates, &names);
    Some(Scenario {
        name: file.name.as_ref()?.value.clone(),
        description: file
            .description
            .as_ref()
            .map_or_else(String::new, |text| text.value.clone()),
        target: target?,
        path,
        load: load?,
        cohorts: cohorts?,
        gates,
        secrets: std::mem::take(&mut check.secrets),
    })
}

/// A section, or an empty one if it was left out.
fn section<T: Clone + Default>(key: &Key<T>) -> At<T> {
    key.clone().unwrap_or_default()
}

/// The names that gates may refer to; if the cohorts could not be resolved, all names in the file.
fn names<'a>(file: &'a File, load: Option<&Load>, cohorts: Option<&'a [Cohort]>) -> Names<'a> {
    let stages = match load.map(|load| &load.shape) {
        Some(Shape::Stages(stages)) => stages.len() as u32,
        _ => 0,
    };
    let are_resolved = cohorts.is_some();
    let cohorts = match cohorts {
        Some(cohorts) => cohorts
            .iter()
            .map(|cohort| {
                let name = |message: &'a Message| message.name.as_str();
                let answered = (cohort.messages.iter()).filter(|m| m.expect == Expect::Echo);
                Group {
                    name: &cohort.name,
                    messages: cohort.messages.iter().map(name).collect(),
                    answered: answered.map(name).collect(),
                    has_heartbeat: cohort.heartbeat.is_some(),
                    reconnects: cohort.reconnect != Reconnect::None,
                    does_right: cohort.does_right(),
                    expects_end: cohort.expects_end(),
                }
            })
            .collect(),
        None => written(file),
    };
    Names {
        cohorts,
        are_resolved,
        stages,
    }
}

fn written(file: &File) -> Vec<Group<'_>> {
    let given = || file.cohort.iter().flat_map(|list| &list.value.0);
    let own = given().filter_map(|cohort| cohort.value.message.as_ref());
    let lists = file.message.iter().chain(own);
    let messages: Vec<&str> = lists
        .flat_map(|list| &list.value.0)
        .filter_map(|message| Some(message.value.name.as_ref()?.value.as_str()))
        .collect();
    let names = given().filter_map(|cohort| Some(cohort.value.name.as_ref()?.value.as_str()));
    names
        .chain(file.cohort.is_none().then_some("main"))
        .map(|name| Group {
            name,
            messages: messages.clone(),
            answered: messages.clone(),
            has_heartbeat: false,
            reconnects: false,
            does_right: true,
            expects_end: false,
        })
        .collect()
}
