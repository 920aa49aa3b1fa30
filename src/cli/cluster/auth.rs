//! `wsbench cluster auth`: prints the configuration of a NATS server, and makes the keys of the two roles.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use strum::IntoEnumIterator as _;

use crate::cli::error::CliError;
use crate::cli::term;
use crate::cluster::{Address, Role, Settings, configuration};
use crate::verdict::Exit;

/// Print the configuration of a NATS server in which each role may do what it has to and nothing else.
///
/// The key of each role is in a file of its own, which is made if it is not there. So the same command prints the same
/// configuration again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder for the keys, `coordinator.nk` and `agent.nk`; it is made if it is not there
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    keys: PathBuf,
    /// Where the server shall listen
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:4222")]
    listen: String,
    /// The certificate of the server, as PEM; with its key it speaks TLS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<String>,
    /// The key of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<String>,
    /// Let it listen to other machines without TLS
    #[arg(long)]
    insecure_nats: bool,
}

/// Executes the whole command.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let listens: Address = args.listen.parse()?;
    let tls = args.tls_cert.clone().zip(args.tls_key.clone());
    if tls.is_none() && !listens.is_loopback() && !args.insecure_nats {
        return Err(CliError::OpenBroker(args.listen.clone()));
    }
    let made = fs::create_dir_all(&args.keys);
    made.map_err(|source| CliError::write(&args.keys, source))?;
    let keys = Role::iter().map(|role| Ok((role, key(&args.keys, role)?)));
    let keys = keys.collect::<Result<Vec<_>, CliError>>()?;
    let listen = args.listen.clone();
    let text = configuration(&Settings { listen, tls, keys });
    term::print(text.as_bytes())?;
    Ok(Exit::Passed)
}

/// The public key of a role, whose secret one is in its file; makes both if there is no file.
fn key(folder: &Path, role: Role) -> Result<String, CliError> {
    let path = folder.join(format!("{role}.nk"));
    match fs::read_to_string(&path) {
        Ok(text) => {
            let seed = text.lines().map(str::trim).find(|line| !line.is_empty());
            let pair = nkeys::KeyPair::from_seed(seed.unwrap_or_default());
            let is_user = |pair: &nkeys::KeyPair| pair.public_key().starts_with('U');
            let pair = pair.ok().filter(is_user);
            let pair = pair.ok_or_else(|| CliError::NoKey(path.clone()))?;
            term::note(format_args!("{}: the key that was there", path.display()));
            Ok(pair.public_key())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let pair = nkeys::KeyPair::new_user();
            let seed = pair.seed().map_err(|_| CliError::NoKey(path.clone()))?;
            write(&path, &seed).map_err(|source| CliError::write(&path, source))?;
            term::note(format_args!(
                "{}: a new key; keep it secret",
                path.display()
            ));
            Ok(pair.public_key())
        }
        Err(source) => Err(CliError::Write { path, source }),
    }
}

/// Writes a secret that only this user may read.
fn write(path: &Path, seed: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{seed}")?;
    file.sync_all()
}
