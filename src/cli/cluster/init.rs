//! `wsbench cluster init`: makes the stream and the bucket.

use super::{NatsArgs, PATIENCE};
use crate::cli::error::CliError;
use crate::cli::term;
use crate::cluster::{Limits, Made, Role};
use crate::units::ByteSize;
use crate::verdict::Exit;

/// Make the stream and the bucket WSBENCH, or give them other limits.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The most that the stream keeps; the oldest messages go first
    #[arg(long, value_name = "SIZE", default_value = "4GiB")]
    max_bytes: ByteSize,
    /// The most that the bucket keeps of what runs need
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    max_bucket: ByteSize,
    /// On how many servers of a cluster of NATS servers each is kept
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    replicas: u8,
    #[command(flatten)]
    nats: NatsArgs,
}

/// Executes the whole command.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let bytes = |size: ByteSize| i64::try_from(size.0).unwrap_or(i64::MAX);
    let limits = Limits {
        stream_bytes: bytes(args.max_bytes),
        bucket_bytes: bytes(args.max_bucket),
        replicas: args.replicas.into(),
    };
    let link = args.nats.connect(Role::Coordinator, PATIENCE)?;
    let (stream, bucket) =
        link.call(move |broker| async move { broker.init(limits, PATIENCE).await })?;
    let shown = |made: Made| match made {
        Made::New => "made",
        Made::Changed => "changed",
        Made::AsItWas => "as it was",
    };
    let text = format!(
        "stream WSBENCH: {}, at most {}, kept for 7 days\nbucket WSBENCH: {}, at most {}, kept for 7 days\n",
        shown(stream),
        args.max_bytes,
        shown(bucket),
        args.max_bucket
    );
    term::print(text.as_bytes())?;
    Ok(Exit::Passed)
}
