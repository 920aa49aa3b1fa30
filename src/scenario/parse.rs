//! Turns text into a [`Scenario`]: reads it, applies the command line, and resolves it.
//! Collects the problems of all three steps, so that one run shows all of them.

use super::overrides::Overrides;
use super::reading::{self, Outside, Problems, Source};
use super::root::Scenario;
use super::root::resolve;

/// Reads a scenario with the changes of the command line.
///
/// # Errors
/// All problems of the scenario.
pub fn parse(
    source: &Source,
    overrides: &Overrides,
    outside: &Outside<'_>,
) -> Result<Scenario, Problems> {
    let mut problems = Problems::new(source);
    let scenario = reading::read(&source.text, &mut problems).and_then(|mut document| {
        overrides.apply(&mut document.file, &mut problems);
        document.complete_address();
        let scenario = resolve(&document, source, overrides, outside, &mut problems);
        document.expansion.name_words(&mut problems);
        scenario
    });
    match scenario {
        Some(scenario) if problems.is_empty() => Ok(scenario),
        _ => {
            problems.sort();
            Err(problems)
        }
    }
}

/// Reads a scenario that has neither files nor variables.
#[cfg(test)]
pub(crate) fn parse_alone(text: &str, overrides: &Overrides) -> Result<Scenario, Problems> {
    let outside = Outside {
        env: &|_| None,
        read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        list: &Outside::no_folder,
    };
    let (name, text) = ("x.toml".into(), text.into());
    parse(&Source { name, text }, overrides, &outside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::shipped;
    use proptest::prelude::*;

    /// A shipped scenario with a part of it replaced.
    fn damaged() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            ".{0,20}",
            "[-0-9.eE]{1,12}",
            "\"[0-9]{1,25}(ns|ms|s|h|y|B|KiB|EiB|/s|/h)\"",
            Just("[]".to_owned()),
            Just("{}".to_owned()),
        ];
        let texts: Vec<&str> = shipped::ALL.iter().map(|(_, text)| *text).collect();
        let text = prop::sample::select(texts);
        (text, any::<prop::sample::Index>(), 0usize..20, part).prop_map(
            |(text, at, length, part)| {
                let chars: Vec<char> = text.chars().collect();
                let from = at.index(chars.len());
                let to = (from + length).min(chars.len());
                let text = |part: &[char]| part.iter().collect::<String>();
                format!("{}{part}{}", text(&chars[..from]), text(&chars[to..]))
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Every problem has a place inside the text.
        #[test]
        fn no_text_panics(text in prop_oneof![damaged(), ".{0,80}"]) {
            if let Err(problems) = parse_alone(&text, &Overrides::default()) {
                prop_assert!(!problems.is_empty());
                prop_assert!(!problems.to_string().is_empty());
            }
        }

        #[test]
        fn no_gate_panics(gate in "([a-z0-9.]{1,5}\\([a-z.{}=,/ ]{0,20}\\) ?[<>=!]{0,2} ?.{0,8}|.{0,40})") {
            let text = "name = \"x\"\ntarget.url = \"embedded\"\nload.connections = 1";
            let overrides = Overrides { gates: vec![gate], ..Overrides::default() };
            if let Err(problems) = parse_alone(text, &overrides) {
                prop_assert!(!problems.to_string().is_empty());
            }
        }
    }
}
