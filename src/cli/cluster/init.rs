//! `wsbench cluster init`: makes the stream.

use super::{NatsArgs, PATIENCE};
use crate::cli::error::CliError;
use crate::cli::term;
use crate::cluster::{Limits, Made, Role};
use crate::units::{ByteSize, counted};
use crate::verdict::Exit;

/// Make the stream WSBENCH, or give it other limits.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The most that it keeps, 64MiB or more; the oldest messages go first
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = max_bytes)]
    max_bytes: ByteSize,
    /// On how many servers of a cluster of NATS servers it is kept
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    replicas: u8,
    #[command(flatten)]
    nats: NatsArgs,
}

/// Executes the whole command.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let limits = Limits {
        bytes: i64::try_from(args.max_bytes.0).unwrap_or(i64::MAX),
        replicas: args.replicas.into(),
    };
    let link = args.nats.connect(Role::Coordinator, PATIENCE)?;
    let made = link.call(move |broker| async move { broker.init(limits, PATIENCE).await })?;
    let made = match made {
        Made::New => "made",
        Made::Changed => "changed",
        Made::AsItWas => "as it was",
    };
    let most = args.max_bytes;
    let servers = counted(args.replicas.into(), "server");
    let text = format!("stream WSBENCH: {made}, at most {most}, kept for 7 days on {servers}\n");
    term::print(text.as_bytes())?;
    Ok(Exit::Passed)
}

fn max_bytes(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text
        .parse()
        .map_err(|error: crate::units::UnitError| error.to_string())?;
    match size.0 >= Limits::LEAST_BYTES {
        true => Ok(size),
        false => Err(format!(
            "must be at least {}: a run does not fit into less",
            ByteSize(Limits::LEAST_BYTES)
        )),
    }
}
