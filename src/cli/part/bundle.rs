//! What makes the plan of a run, as each part carries it: the text of the scenario, what the command line changed, and
//! the hashes of the files that it needs. So any machine can make the plan again, without a secret of the parts.

use std::time::{Duration, SystemTime};

use clap::Parser;
use sha2::{Digest, Sha256};

use super::needed::{self, digests, hex};
use crate::cli::error::CliError;
use crate::cli::input::{Input, Loaded};
use crate::record::{Head, Recipe};
use crate::report::utc;
use crate::scenario::{Scenario, shown_address};
use crate::units::visible;

/// A scenario as it was asked for.
pub(in crate::cli) struct Bundle<'a> {
    pub(in crate::cli) scenario: &'a str,
    pub(in crate::cli) loaded: &'a Loaded,
    pub(in crate::cli) seed: u64,
}

impl Bundle<'_> {
    /// What makes the plan.
    ///
    /// # Errors
    /// When a file that the scenario was read from cannot be read again.
    pub(in crate::cli) fn recipe(&self) -> Result<Recipe, CliError> {
        let Self { loaded, seed, .. } = *self;
        let mut recipe = Recipe {
            wsbench: env!("CARGO_PKG_VERSION").to_owned(),
            seed,
            scenario: shown_address(self.scenario),
            is_file: loaded.file.is_some(),
            text: loaded.text.clone(),
            changes: loaded.overrides.clone(),
            files: digests(&loaded.files)?,
            plan: String::new(),
        };
        recipe.plan = hash(&recipe, &loaded.scenario);
        Ok(recipe)
    }
}

/// The SHA-256 of what makes the plan, in hexadecimal, and of what became of it: that depends on variables of the
/// environment, which are told nobody. The names of files may differ from machine to machine.
fn hash(recipe: &Recipe, scenario: &Scenario) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    add(&recipe.wsbench);
    add(&recipe.text);
    recipe.changes.iter().for_each(|change| add(change));
    recipe.files.iter().for_each(|(_, digest)| add(digest));
    add(&format!("{} {:?}", recipe.seed, scenario.load));
    for cohort in &scenario.cohorts {
        add(&format!("{} {}", cohort.name, cohort.connections));
    }
    scenario.gates.pass.iter().for_each(|gate| add(&gate.text));
    hex(&hash.finalize())
}

/// The number that the stamps of all processes of a run have; `which` tells it from other runs of the same plan.
pub(in crate::cli) fn run_number(recipe: &Recipe, which: &str) -> u32 {
    let mut hash = Sha256::new();
    hash.update(&recipe.plan);
    hash.update(which);
    let digest = hash.finalize();
    u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]])
}

/// What a part does not have in common with another one, in words; `None` if both are of one run.
pub(in crate::cli) fn differs(one: &Head, other: &Head) -> Option<String> {
    let number = other.part.number;
    let differs = |what: &str, here: String, there: String| {
        (here != there)
            .then(|| format!("its {what} is {here}, and that of part {number} is {there}"))
    };
    let (parts, start) = (
        |head: &Head| head.part.parts.to_string(),
        |head: &Head| utc(start_of(head)),
    );
    let differs = differs("number of parts", parts(one), parts(other))
        .or_else(|| differs("start", start(one), start(other)))
        .or_else(|| unlike(&one.recipe, &other.recipe, &format!("part {number}")));
    differs.map(|differs| visible(&differs))
}

/// What one recipe does not have in common with that of somebody else, in words; `None` if they are the same.
fn unlike(one: &Recipe, other: &Recipe, whose: &str) -> Option<String> {
    let differs = |what: &str, here: &str, there: &str| {
        (here != there).then(|| format!("its {what} is {here}, and that of {whose} is {there}"))
    };
    let seed = |recipe: &Recipe| recipe.seed.to_string();
    let changes = |recipe: &Recipe| format!("`{}`", recipe.changes.join(" "));
    differs("version of wsbench", &one.wsbench, &other.wsbench)
        .or_else(|| differs("seed", &seed(one), &seed(other)))
        .or_else(|| differs("command line", &changes(one), &changes(other)))
        .or_else(|| {
            let is_other = one.text != other.text;
            is_other.then(|| format!("its scenario has another text than that of {whose}"))
        })
        .or_else(|| {
            let mut pairs = one.files.iter().zip(&other.files);
            let ((name, _), _) = pairs.find(|((_, here), (_, there))| here != there)?;
            Some(format!("{name} is another file for it than for {whose}"))
        })
        .or_else(|| {
            let is_other = one.plan != other.plan;
            is_other.then(|| format!("its plan is another than that of {whose}"))
        })
}

/// When all parts began.
pub(in crate::cli) fn start_of(head: &Head) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(head.start_ns)
}

/// The command line that a recipe tells of.
#[derive(Parser)]
#[command(no_binary_name = true)]
struct Again {
    #[command(flatten)]
    input: Input,
}

/// What stands in for variables of the environment that are not set, where the plan is only judged: that needs no secret.
pub(in crate::cli) fn or_its_name(name: &str) -> Option<String> {
    let stand_in = || format!("value-of-{name}");
    Some(std::env::var(name).unwrap_or_else(|_| stand_in()))
}

/// Reads the scenario of a recipe again, with these variables of the environment.
///
/// # Errors
/// When it is none any more, or its files are not there, or not the ones of the recipe.
pub(in crate::cli) fn again(
    recipe: &Recipe,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, CliError> {
    let again = Again::try_parse_from(arguments(recipe));
    let again = again.map_err(|error| {
        let error = error.to_string();
        let line = error.lines().next().unwrap_or_default();
        CliError::Changed(format!(
            "its command line cannot be read again: {}",
            visible(line)
        ))
    })?;
    let text = recipe.text.clone();
    let loaded = (again.input).load_text(text, recipe.is_file, env);
    // What cannot be read may be so because its files are others; and none may have changed while they were read.
    needed::check(&recipe.files)?;
    let loaded = loaded?;
    needed::check_names(&loaded.files, &recipe.files)?;
    match recipe.plan == hash(recipe, &loaded.scenario) {
        true => Ok(loaded),
        false => Err(CliError::Changed(
            "it comes out another way here\nhint: set the variables of the environment that its scenario needs"
                .to_owned(),
        )),
    }
}

/// The scenario and what was changed of it, as arguments. Leaves out what may be secret, or is of no use without a
/// connection.
fn arguments(recipe: &Recipe) -> Vec<String> {
    let mut arguments = Vec::new();
    for change in &recipe.changes {
        let (option, value) = match change.split_once(' ') {
            Some((option, value)) => (option, Some(value)),
            None => (change.as_str(), None),
        };
        if matches!(option, "--header" | "--key-log") {
            continue;
        }
        let quoted = value.and_then(|value| value.strip_prefix('"')?.strip_suffix('"'));
        match quoted.or(value) {
            Some(value) => arguments.push(format!("{option}={value}")),
            None => arguments.push(option.to_owned()),
        }
    }
    arguments.push("--".to_owned());
    arguments.push(recipe.scenario.clone());
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Machine, PartOf};

    fn loaded(arguments: &[&str]) -> Loaded {
        let again = Again::try_parse_from(arguments).expect("they are right");
        again.input.load().expect("it is a scenario")
    }

    fn recipe(scenario: &str, loaded: &Loaded) -> Recipe {
        let bundle = Bundle {
            scenario,
            loaded,
            seed: 5,
        };
        bundle.recipe().expect("its files are there")
    }

    fn head(recipe: Recipe) -> Head {
        Head {
            part: PartOf {
                number: 1,
                parts: 2,
            },
            start_ns: 7,
            recipe,
            machine: Machine {
                workers: 2,
                precise_timer: true,
                kernel_view: true,
                cores: None,
                os: String::new(),
                arch: String::new(),
                kernel: None,
                cpus: None,
                cpu_model: None,
                congestion_control: None,
            },
            name: None,
        }
    }

    #[test]
    fn a_plan_is_made_again_of_what_a_part_carries() {
        let arguments = [
            "echo",
            "--url=wss://127.0.0.1:9/?token=t0ken",
            "--connections=12",
            "--rate=3/s",
            "--duration=7s",
            "--gate=p99(latency.echo) < 9ms",
            "--header=Authorization: Bearer xyz",
            "--insecure",
        ];
        let loaded = loaded(&arguments);
        let recipe = recipe("echo", &loaded);
        let carried = format!("{recipe:?}");
        for secret in ["t0ken", "xyz"] {
            assert!(!carried.contains(secret), "{carried}");
        }
        let again = again(&recipe, &or_its_name).unwrap_or_else(|error| panic!("{error}"));
        let (mut here, mut there) = (loaded.scenario, again.scenario);
        assert_eq!(here.cohorts.len(), there.cohorts.len());
        assert_eq!(here.gates, there.gates);
        assert_eq!(here.load, there.load);
        let (here, there) = (here.cohorts.remove(0), there.cohorts.remove(0));
        assert_eq!(here.connections, there.connections);
        assert_eq!(here.messages, there.messages);
        assert_eq!(again.file, None);
    }

    #[test]
    fn what_differs_is_named() {
        let loaded = loaded(&["echo", "--url=ws://127.0.0.1:9/"]);
        let one = head(recipe("echo", &loaded));
        assert_eq!(differs(&one, &one), None);
        let says = |change: &dyn Fn(&mut Head)| {
            let mut other = one.clone();
            change(&mut other);
            differs(&other, &one).expect("it differs")
        };
        let seed = says(&|head| head.recipe.seed = 6);
        assert_eq!(seed, "its seed is 6, and that of part 1 is 5");
        assert!(says(&|head| head.start_ns = 8_000_000_000).contains("start is 1970"));
        assert!(says(&|head| head.recipe.text.push('#')).contains("another text"));
        assert!(says(&|head| head.part.parts = 3).contains("number of parts is 3"));
        assert!(says(&|head| head.recipe.plan.push('0')).contains("another than"));
    }

    #[test]
    fn a_plan_that_was_changed_is_refused() {
        let loaded = loaded(&["echo", "--url=ws://127.0.0.1:9/"]);
        let mut recipe = recipe("echo", &loaded);
        recipe.changes.push("--connections 5".to_owned());
        let again = again(&recipe, &or_its_name);
        assert!(again.is_err_and(|error| error.to_string().contains("another way")));
    }
}
