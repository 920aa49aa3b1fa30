//! Requests of HTTP that are sent once for a run, before the first dial. What is kept of their answers is that of all
//! clients, so it goes into the plan.

use tokio::runtime::Builder;

use super::dial::Dialer;
use super::error::EngineError;
use super::saved::quoted;
use crate::http::{Answer, cookie_values};
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
            let server = |cohort| &plan.cohort(cohort).servers;
            let known = answers.iter();
            let mut known =
                known.filter(|(of, other, _)| other == http && server(*of) == server(cohort));
            let mut rendered = Vec::new();
            let no_stamp = || [b'0'; STAMP_LEN];
            client.templates()[slot].write(no_stamp, values, &mut rendered);
            let named = |why| format!("{}: {why}", http.named(&rendered));
            let answer = match known.next() {
                Some((_, _, answer)) => answer.clone(),
                None => {
                    let begun = clock.now();
                    let asked = dialer.ask_once(cohort, http, &rendered, &mut once.cookies, &clock);
                    let answer = runtime.block_on(asked);
                    let answer = answer.map_err(|why| failed(named(why)))?;
                    let took = clock.now().saturating_since(begun);
                    once.took.push((slot, took));
                    answers.push((cohort, http.clone(), answer.clone()));
                    answer
                }
            };
            let names = &client.cohort().saved;
            // Hides what was to be kept of the answer, too.
            let told = |saved: &[Vec<u8>], why| {
                let mut kept = saved.to_vec();
                for save in &http.save {
                    let kept = &mut kept[usize::from(save.name)];
                    save.what.find_of(&answer, &answer.body, kept);
                }
                let cookies = cookie_values(&answer).map(<[u8]>::to_vec);
                let kept: Vec<Vec<u8>> = kept.into_iter().chain(cookies).collect();
                failed(named(why) + &quoted(names, &kept, &answer.body))
            };
            if let Some(wrong) = http.check.wrong_of(&answer, &answer.body, &values()) {
                return Err(told(&once.saved, wrong));
            }
            for save in &http.save {
                let mut kept = Vec::new();
                if !save.what.find_of(&answer, &answer.body, &mut kept) {
                    let name = &names[usize::from(save.name)];
                    return Err(told(&once.saved, format!("`save.{name}` found nothing")));
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
        for (_, _, answer) in &answers {
            for value in cookie_values(answer) {
                if let Ok(value) = std::str::from_utf8(value) {
                    plan.scenario.secrets.saved("cookie", value);
                }
            }
        }
        plan.once.push(once);
    }
    Ok(())
}
