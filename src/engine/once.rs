//! Requests of HTTP that are sent once for a run, before the first dial. What is kept of their answers is that of all
//! clients, so it goes into the plan.

use tokio::runtime::Builder;

use super::dial::Dialer;
use super::error::EngineError;
use crate::http::Answer;
use crate::plan::{Once, Plan, STAMP_LEN, Values, What};
use crate::scenario::Http;
use crate::time::{Clock as _, Monotonic};

/// Sends the requests of all cohorts, one after the other; what several cohorts have in common is sent once.
///
/// # Errors
/// When one is not answered as it should be: then no client could begin.
pub(super) fn ask(plan: &mut Plan, dialer: &Dialer) -> Result<(), EngineError> {
    if !plan.asks_once() {
        return Ok(());
    }
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| EngineError::System {
        doing: "ask by HTTP",
        source,
    })?;
    let clock = Monotonic::start();
    let mut answers: Vec<(usize, Http, Answer)> = Vec::new();
    for cohort in 0..plan.scenario.cohorts.len() {
        let mut once = Once {
            saved: vec![Vec::new(); plan.cohort(cohort).saved.len()],
            ..Once::default()
        };
        let client = plan.client(cohort, plan.first(cohort));
        for operation in client.program().once() {
            let What::Http(http) = &operation.what else {
                continue;
            };
            let slot = operation.slot;
            let failed = |why| EngineError::Once {
                name: client.slot_name(slot).to_owned(),
                why,
            };
            let values = || Values {
                saved: &once.saved,
                ..client.values(slot, 0)
            };
            let server = |cohort| &plan.cohort(cohort).server;
            let known = answers.iter();
            let mut known =
                known.filter(|(of, other, _)| other == http && server(*of) == server(cohort));
            let answer = match known.next() {
                Some((_, _, answer)) => answer.clone(),
                None => {
                    let mut rendered = Vec::new();
                    let no_stamp = || [b'0'; STAMP_LEN];
                    client.templates()[slot].write(no_stamp, values, &mut rendered);
                    let begun = clock.now();
                    let asked = dialer.ask_once(cohort, http, &rendered, &mut once.cookies, &clock);
                    let answer = runtime.block_on(asked).map_err(failed)?;
                    let took = clock.now().saturating_since(begun);
                    once.took.push((slot, took));
                    answers.push((cohort, http.clone(), answer.clone()));
                    answer
                }
            };
            if let Some(wrong) = http.check.wrong_of(&answer, &answer.body, &values()) {
                return Err(failed(wrong));
            }
            for save in &http.save {
                let mut kept = Vec::new();
                if !save.what.find_of(&answer, &answer.body, &mut kept) {
                    let name = &client.cohort().saved[usize::from(save.name)];
                    return Err(failed(format!("`save.{name}` found nothing")));
                }
                once.saved[usize::from(save.name)] = kept;
            }
        }
        let names = &plan.scenario.cohorts[cohort].saved;
        for (name, value) in names.iter().zip(&once.saved) {
            if let Ok(value) = std::str::from_utf8(value) {
                plan.scenario.secrets.saved(name, value);
            }
        }
        plan.once.push(once);
    }
    Ok(())
}
