//! The options that name the NATS server and who asks; all commands that use one have the same.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::error::CliError;
use crate::cluster::{Credentials, Link, Options, Role};

/// How long commands that people wait for try to connect.
pub(in crate::cli) const PATIENCE: Duration = Duration::from_secs(10);

/// The NATS server, and who asks.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "NATS server")]
pub(in crate::cli) struct NatsArgs {
    /// The NATS server, like nats://127.0.0.1:4222 or tls://USER:PASSWORD@HOST. $NATS_URL if it is not given
    #[arg(long, value_name = "URL")]
    nats: Option<String>,
    /// Log in with this file of a token and a key, as `nsc` writes it. $NATS_CREDS if it is not given
    #[arg(long, value_name = "FILE", conflicts_with = "nkey")]
    creds: Option<PathBuf>,
    /// Log in with the key in this file, as `cluster auth` writes it. $NATS_NKEY if it is not given
    #[arg(long, value_name = "FILE")]
    nkey: Option<PathBuf>,
    /// Trust the certificates in this file, not those of the system. $NATS_CA if it is not given
    #[arg(long, value_name = "FILE")]
    nats_ca: Option<PathBuf>,
    /// Speak without TLS to another machine: everybody on the way reads and changes what is said
    #[arg(long)]
    insecure_nats: bool,
}

impl NatsArgs {
    /// Connects as this role, under a name that the server shows.
    ///
    /// # Errors
    /// When no server is named, it cannot be reached within the limit, or it does not let this process in.
    pub(in crate::cli) fn connect(&self, role: Role, limit: Duration) -> Result<Link, CliError> {
        Ok(Link::connect(&self.options(role, limit)?)?)
    }

    /// Whom to connect to, and as what.
    pub(in crate::cli) fn options(&self, role: Role, limit: Duration) -> Result<Options, CliError> {
        let of_environment = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let file = |given: &Option<PathBuf>, name: &str| {
            let otherwise = || of_environment(name).map(PathBuf::from);
            given.clone().or_else(otherwise)
        };
        let address = self.nats.clone().or_else(|| of_environment("NATS_URL"));
        let address = address.ok_or(CliError::NoBroker)?;
        // What the command line says goes before what the environment says.
        let credentials = match (&self.creds, &self.nkey) {
            (Some(creds), _) => Credentials::File(creds.clone()),
            (None, Some(key)) => Credentials::Key(key.clone()),
            (None, None) => match (file(&None, "NATS_CREDS"), file(&None, "NATS_NKEY")) {
                (Some(creds), _) => Credentials::File(creds),
                (None, Some(key)) => Credentials::Key(key),
                (None, None) => Credentials::None,
            },
        };
        Ok(Options {
            address: address.parse().map_err(CliError::Broker)?,
            credentials,
            roots: file(&self.nats_ca, "NATS_CA"),
            insecure: self.insecure_nats,
            role,
            name: format!("wsbench {role}"),
            limit,
        })
    }
}
