//! `wsbench cluster manifest`: prints what starts agents elsewhere.

use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;
use strum::VariantNames as _;

use crate::cli::error::CliError;
use crate::cli::term;
use crate::cluster::{Address, Agents, Launcher};
use crate::verdict::Exit;

/// Print what starts agents elsewhere, to be looked at and changed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What starts them
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(Launcher::VARIANTS).map(|kind| kind.parse::<Launcher>().expect("one of them")))]
    kind: Launcher,
    /// The NATS server, as the agents reach it
    #[arg(long, value_name = "URL", default_value = "nats://127.0.0.1:4222")]
    nats: String,
    /// The file with the key of the agents, as `cluster auth` writes it
    #[arg(long, value_name = "FILE")]
    nkey: Option<String>,
    /// The file with the certificates to trust, not those of the system
    #[arg(long, value_name = "FILE")]
    nats_ca: Option<String>,
    /// Speak without TLS to a server on another machine
    #[arg(long)]
    insecure_nats: bool,
    /// As many agents
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    agents: u32,
    /// As many cores for each
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1024))]
    cores: u32,
    /// A target that agents may aim at; without any, only those on their own machine
    #[arg(long, value_name = "PATTERN")]
    allow_target: Vec<String>,
    /// The program, where it is started as it is
    #[arg(long, value_name = "FILE", default_value = "/usr/local/bin/wsbench")]
    program: String,
    /// The image, where it is started in a container, as `scripts/container` makes it: it begins with wsbench itself
    #[arg(long, value_name = "NAME", default_value = "localhost/wsbench")]
    image: String,
}

/// Executes the whole command.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let address: Address = args.nats.parse()?;
    if args.nats.contains('@') {
        return Err(CliError::LoginInManifest);
    }
    if !address.is_loopback() && !address.is_tls() && !args.insecure_nats {
        return Err(CliError::Broker(crate::cluster::Error::Plain(
            address.to_string(),
        )));
    }
    // systemd takes a relative path for the name of something else.
    let whole = |file: &Option<String>| match (file, args.kind) {
        (Some(file), Launcher::Systemd) => {
            let whole = std::path::absolute(file).map_err(|source| CliError::System {
                doing: "find the folder of a file",
                source,
            })?;
            Ok(Some(whole.display().to_string()))
        }
        (file, _) => Ok::<_, CliError>(file.clone()),
    };
    let agents = Agents {
        count: args.agents,
        nats: address.to_string(),
        insecure: args.insecure_nats,
        key: whole(&args.nkey)?,
        ca: whole(&args.nats_ca)?,
        targets: args.allow_target.clone(),
        program: args.program.clone(),
        image: args.image.clone(),
        cores: args.cores,
    };
    term::print(agents.manifest(args.kind).as_bytes())?;
    Ok(Exit::Passed)
}
