//! What it takes to send messages compressed, and whether it is worth it.

use super::connections::at_once;
use super::open;
use crate::plan::often::Often;
use crate::scenario::{Cohort, Compression, Payload, Scenario, SendsPacked, Verb};

/// The time to compress a message at level 1, in seconds: at least, and for each byte. Higher levels take twice as long
/// and more.
const LEAST: f64 = 5e-6;
const EACH_BYTE: f64 = 3e-9;

/// What compression does to the messages of a cohort.
#[derive(Debug, Clone, PartialEq)]
pub struct Compressing {
    /// The index of the cohort.
    pub cohort: usize,
    /// Processor time, in cores, as far as the schedule tells.
    pub cores: f64,
    /// Whether nothing that is sent reaches the threshold, or has a part that can be prepared.
    pub is_idle: bool,
    /// Whether messages are filled by the same characters again and again, so that next to nothing is left of them.
    pub is_filler: bool,
}

impl Compressing {
    /// Those of the cohorts that offer compression.
    pub(super) fn of(scenario: &Scenario) -> Vec<Self> {
        let cohorts = scenario.cohorts.iter().enumerate();
        let offering = cohorts.filter_map(|(index, cohort)| Some((index, cohort, cohort.packs()?)));
        let each = offering.map(|(index, cohort, compression)| Self {
            cohort: index,
            cores: cores(scenario, cohort, compression),
            is_idle: compression.send != SendsPacked::Plain && !cohort.packs_messages(),
            is_filler: cohort
                .payloads()
                .any(|(_, payload)| is_filler(payload, compression)),
        });
        each.collect()
    }
}

fn cores(scenario: &Scenario, cohort: &Cohort, compression: &Compression) -> f64 {
    if matches!(compression.send, SendsPacked::Plain | SendsPacked::Prepared) {
        return 0.0;
    }
    let one = |payload: &Payload| {
        let least = match compression.send {
            SendsPacked::Keep => 0.0,
            _ => LEAST,
        };
        let harder = if compression.level > 3 { 2.0 } else { 1.0 };
        harder * (least + EACH_BYTE * payload.longest() as f64)
    };
    let open = open(scenario, cohort);
    let messages = (cohort.messages.iter())
        .map(|message| (Often::of_message(message, open).hertz, &message.payload));
    let steps = Often::of_steps(&cohort.steps, open).into_iter();
    let steps = steps.filter_map(|(step, often)| match &step.verb {
        Verb::Send(send) => Some((often.hertz, &send.payload)),
        _ => None,
    });
    let packed = messages.chain(steps).filter(|(hertz, payload)| {
        hertz.is_finite() && payload.longest() >= compression.threshold.0
    });
    let one_client: f64 = packed.map(|(hertz, payload)| hertz * one(payload)).sum();
    one_client * at_once(scenario, cohort)
}

fn is_filler(payload: &Payload, compression: &Compression) -> bool {
    matches!(payload, Payload::Size(_)) && payload.longest() >= 256.max(compression.threshold.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Outside, Overrides, Source, parse};

    fn compressing(compression: &str, payload: &str) -> Compressing {
        let text = format!(
            "name = \"x\"\nload.connections = 100\nload.duration = \"10s\"\n\
             [target]\nurl = \"ws://h/\"\ncompression = {compression}\n\
             [[message]]\nname = \"m\"\nrate = \"100/s\"\npayload = {payload}\n"
        );
        let source = Source {
            name: "x.toml".to_owned(),
            text,
        };
        let outside = Outside {
            env: &|_| None,
            read: &|_| Err(std::io::ErrorKind::NotFound.into()),
            list: &Outside::no_folder,
        };
        let parsed = parse(&source, &Overrides::default(), &outside);
        Compressing::of(&parsed.unwrap())[0].clone()
    }

    #[test]
    fn compressing_anew_costs_by_rate_and_length_and_preparing_nothing() {
        let each = compressing(
            "{ send = \"each\" }",
            "{ size = \"1KiB\", like = \"json\" }",
        );
        assert!((0.05..0.15).contains(&each.cores), "{}", each.cores);
        assert!(!each.is_idle && !each.is_filler);
        let prepared = compressing("true", "{ size = \"1KiB\", like = \"json\" }");
        assert_eq!(prepared.cores, 0.0);
    }

    #[test]
    fn what_is_not_compressed_and_what_compresses_to_nothing_is_told() {
        assert!(compressing("true", "\"hello\"").is_idle);
        assert!(!compressing("{ send = \"plain\" }", "\"hello\"").is_idle);
        assert!(compressing("true", "{ size = \"1KiB\" }").is_filler);
    }
}
