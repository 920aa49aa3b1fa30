//! `wsbench cluster manifest`: prints what starts agents elsewhere.

use std::str::FromStr;

use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;
use strum::VariantNames as _;

use crate::cli::error::CliError;
use crate::cli::term;
use crate::cluster::{Address, Agents, Launcher};
use crate::fleet::Pattern;
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
    /// As many agents; a unit of systemd is one [default: 4]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    agents: Option<u32>,
    /// As many cores for each, on Kubernetes and Slurm [default: 4]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1024))]
    cores: Option<u32>,
    /// A target that agents may aim at, like chat.example.org, *.example.org:443 or *; without any, only those on their own
    /// machine
    #[arg(long, value_name = "HOST", value_parser = parse_pattern)]
    allow_target: Vec<String>,
    /// The program, where it is started as it is: by Slurm and systemd [default: /usr/local/bin/wsbench]
    #[arg(long, value_name = "FILE")]
    program: Option<String>,
    /// The image, where it is started in a container: by Kubernetes and Compose. It begins with wsbench itself, as
    /// `scripts/container` makes it [default: localhost/wsbench]
    #[arg(long, value_name = "NAME")]
    image: Option<String>,
}

/// A pattern as an agent reads it, in the words in which it was given.
fn parse_pattern(text: &str) -> Result<String, <Pattern as FromStr>::Err> {
    text.parse::<Pattern>().map(|_| text.to_owned())
}

/// Executes the whole command.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let kind = args.kind;
    for (option, is_given, is_used) in [
        ("--agents", args.agents.is_some(), kind.counts()),
        ("--cores", args.cores.is_some(), kind.gives_cores()),
        ("--image", args.image.is_some(), kind.is_of_containers()),
        (
            "--program",
            args.program.is_some(),
            !kind.is_of_containers(),
        ),
    ] {
        if is_given && !is_used {
            return Err(CliError::NotOfLauncher { option, kind });
        }
    }
    let address: Address = args.nats.parse()?;
    if args.nats.contains('@') {
        return Err(CliError::LoginInManifest);
    }
    if !address.is_loopback() && !address.is_tls() && !args.insecure_nats {
        return Err(CliError::Broker(crate::cluster::Error::Plain(
            address.to_string(),
        )));
    }
    if address.is_loopback() && kind == Launcher::Kubernetes {
        return Err(CliError::LoopbackOfPods(address.to_string()));
    }
    // systemd takes a relative path for the name of something else.
    let whole = |file: &Option<String>| match (file, kind) {
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
        count: args.agents.unwrap_or(4),
        nats: address.to_string(),
        insecure: args.insecure_nats,
        key: whole(&args.nkey)?,
        ca: whole(&args.nats_ca)?,
        targets: args.allow_target.clone(),
        program: (args.program.clone()).unwrap_or_else(|| "/usr/local/bin/wsbench".to_owned()),
        image: (args.image.clone()).unwrap_or_else(|| "localhost/wsbench".to_owned()),
        cores: args.cores.unwrap_or(4),
    };
    term::print(agents.manifest(kind).as_bytes())?;
    Ok(Exit::Passed)
}
