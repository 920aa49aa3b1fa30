//! `wsbench cluster doctor`: looks at the NATS server, and says in words what is wrong.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;
use strum::VariantNames as _;

use super::{NatsArgs, PATIENCE, ls};
use crate::cli::error::CliError;
use crate::cli::term;
use crate::cluster::{Finding, Role};
use crate::verdict::Exit;

/// Look at the NATS server and at what this role may do there, and say what is wrong.
///
/// It changes nothing: what it has kept to try the stream it removes. Exit code 0 if all is well, 2 if not.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Whose permissions to try, with the key of that role
    #[arg(long, value_name = "ROLE", default_value = "coordinator", value_parser = PossibleValuesParser::new(Role::VARIANTS).map(|role| role.parse::<Role>().expect("one of them")))]
    role: Role,
    #[command(flatten)]
    nats: NatsArgs,
}

/// Executes the whole command.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let link = args.nats.connect(args.role, PATIENCE)?;
    let findings =
        link.call(|broker| async move { Ok(broker.examine(now, ls::ANSWERS, PATIENCE).await) })?;
    let mut text = String::new();
    for Finding { about, state } in &findings {
        let (mark, said) = match state {
            Ok(said) => ("OK   ", said),
            Err(said) => ("WRONG", said),
        };
        // Further lines stand below the first.
        let said = said.replace('\n', &format!("\n{:20}", ""));
        let _ = writeln!(text, "{mark}  {about:<11}  {said}");
    }
    term::print(text.as_bytes())?;
    match findings.iter().all(|finding| finding.state.is_ok()) {
        true => Ok(Exit::Passed),
        false => Ok(Exit::Invalid),
    }
}

/// Nanoseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_nanos() as u64
}
