//! All errors of the commands, with their exit codes.

use std::borrow::Cow;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::serve::ServeError;
use crate::engine::{EngineError, LimitError};
#[cfg(feature = "cluster")]
use crate::fleet::FleetError;
use crate::host::{HostError, NamespaceError};
use crate::net::ResolveError;
use crate::output::DestinationError;
use crate::relay::RelayError;
use crate::report::{LabelsError, OutputError, ReadError};
use crate::scenario::{Problems, Secrets};
use crate::search::PlanError;
use crate::server::SpawnError;
use crate::verdict::Exit;

/// Why a command failed. All except [`CliError::Problems`] fit after "failed to".
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The scenario is wrong. The message is complete, and quotes the lines that are wrong.
    #[error("{0}")]
    Problems(Problems),
    /// The scenario cannot be read.
    #[error("read the scenario {}: {source}\nhint: {hint}", path.display())]
    Scenario {
        path: PathBuf,
        source: io::Error,
        hint: String,
    },
    /// `init` or `probe` would overwrite this file.
    #[error("write {}: it is there already\nhint: name another file", .0.display())]
    Exists(PathBuf),
    /// The file to write is also an input of the run.
    #[error("write {}: it is {what}\nhint: name another file", path.display())]
    WriteOver { path: PathBuf, what: &'static str },
    /// The folder of a file to write does not exist.
    #[error("write {}: its folder does not exist\nhint: make the folder first", .0.display())]
    NoFolder(PathBuf),
    /// A file cannot be written.
    #[error("write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A file cannot be written to its end after the run.
    #[error("write {}: {source}", path.display())]
    LateWrite { path: PathBuf, source: io::Error },
    /// A header of the command line has no colon. The message never quotes it, because it may hold a secret.
    #[error(
        "read `--header`: one has no colon\nhint: write a name, a colon and a value, like \"Authorization: Bearer …\""
    )]
    Header,
    /// A header of the command line is given twice; only one would be sent.
    #[error(
        "read `--header`: `{0}` is given twice\nhint: leave out one of them; several cookies go into one, with `; ` between them"
    )]
    HeaderTwice(String),
    /// There would be nothing in a key log.
    #[error(
        "make a key log: TLS is spoken with nobody here\nhint: leave out `--key-log`, or use a wss:// address"
    )]
    NoKeys,
    /// An error whose message contained a secret, with the masked message.
    #[error("{text}")]
    Masked { text: String, exit: Exit },
    /// The address names the built-in server, which there is no need to probe.
    #[error(
        "probe the built-in server: it is known\nhint: name a server: wsbench probe ws://127.0.0.1:8080/"
    )]
    NothingToProbe,
    /// The server to probe could not be reached; explained in words.
    #[error("{0}")]
    NoConnection(String),
    /// An `--output` is not what it has to be.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// A page cannot be served where it is asked for.
    #[error(
        "listen at {address} for {what}: {source}\nhint: name another address of this machine; port 0 takes a free one"
    )]
    Listen {
        what: &'static str,
        address: String,
        source: io::Error,
    },
    /// The labels of the command line do not go together.
    #[error(transparent)]
    Labels(#[from] LabelsError),
    /// A gate is about a baseline, and there is none.
    #[error(
        "judge `{gate}`: there is no baseline\nhint: name one with `--baseline FILE`; `wsbench baseline add FILE` makes one"
    )]
    NoBaseline { gate: String },
    /// `--strict` has nothing to be strict about.
    #[error(
        "be strict: no gate is about the baseline\nhint: add one: --gate \"p50(latency.echo) < 110% of baseline\""
    )]
    NothingStrict,
    /// The same, of a stored run.
    #[error(
        "be strict: no gate of this run is about a baseline\nhint: `wsbench compare --strict --gate \"p50(latency.echo) < 110% of baseline\" --baseline FILE RUN` judges it by another"
    )]
    NothingStored,
    /// A folder of several runs, where one is to be shown.
    #[error(
        "read {}: it is a session of several runs\nhint: name one of them, like {}; `wsbench compare --baseline FILE {}` judges them all",
        .0.display(), .0.join("1").display(), .0.display()
    )]
    Several(PathBuf),
    /// A baseline cannot be read or used.
    #[error("use the baseline {}: {what}", path.display())]
    Baseline { path: PathBuf, what: String },
    /// Runs that cannot be compared.
    #[error("use {}: {what}", path.display())]
    NotASession { path: PathBuf, what: String },
    /// Runs of different settings.
    #[error("compare: {0}\nhint: run the same again; `--force` compares nevertheless")]
    NotComparable(String),
    /// There is nothing to compare with.
    #[error(
        "compare: there is no new run\nhint: wsbench compare BASE… -- NEW…, or wsbench compare --baseline FILE NEW…"
    )]
    NothingNew,
    /// An option stands where the folders of the new runs are named.
    #[error(
        "compare: {0} stands behind `--`, where only the new runs do\nhint: write options before the runs: wsbench compare {0} … BASE… -- NEW…"
    )]
    BehindDashes(String),
    /// A gate of `compare` is none on a baseline.
    #[error("judge `{gate}`: {what}")]
    Gate { gate: String, what: String },
    /// Reports cannot be closed while this scenario runs.
    #[error("close reports {what}\nhint: leave out {hint}")]
    Closing {
        what: &'static str,
        hint: &'static str,
    },
    /// This has no end.
    #[error("{doing}: `load.duration` is \"endless\"\nhint: give it a length: --duration 30s")]
    Endless { doing: &'static str },
    /// Servers cannot be probed for Prometheus.
    #[error("probe {what}\nhint: {hint}")]
    Exporter { what: String, hint: &'static str },
    /// Something cannot be watched.
    #[error("{0}")]
    Watch(&'static str),
    /// Something cannot be played in parts.
    #[error("play in parts {what}\nhint: {hint}")]
    InParts { what: String, hint: &'static str },
    /// Something cannot be played by agents.
    #[cfg(feature = "cluster")]
    #[error("play by agents: {what}\nhint: {hint}")]
    ByAgents { what: String, hint: &'static str },
    /// Runs that the NATS server does not know.
    #[cfg(feature = "cluster")]
    #[error(
        "remove {0}: the NATS server knows nothing of it, so nothing was removed\nhint: `wsbench cluster ls` lists the runs that it knows"
    )]
    NoSuchRuns(String),
    /// A run that is played at the moment cannot be removed.
    #[cfg(feature = "cluster")]
    #[error(
        "remove {0}: it is going on, so nothing was removed\nhint: end it with `wsbench stop {0}`"
    )]
    RunGoesOn(crate::cluster::RunId),
    /// A run on many machines cannot be led, or a share of it not be played.
    #[cfg(feature = "cluster")]
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// No run came.
    #[cfg(feature = "cluster")]
    #[error(
        "find a run within {}: no coordinator made an offer\nhint: `wsbench run SCENARIO --agents N` does; `--wait` says how long one is waited for",
        crate::units::format_duration(*.0)
    )]
    NoRun(std::time::Duration),
    /// An agent can keep nothing in its folder.
    #[cfg(feature = "cluster")]
    #[error(
        "keep what an agent sees in {}: {source}\nhint: name a folder that it may write into with `--keep`", folder.display()
    )]
    Keep { folder: PathBuf, source: io::Error },
    /// What an agent recorded is not handed in.
    #[cfg(feature = "cluster")]
    #[error(
        "hand in what was recorded: {why}\nhint: it stays in {}; when the files of all agents are together, `wsbench merge` judges them", path.display()
    )]
    NotHandedIn { path: PathBuf, why: String },
    /// Parts cannot begin at the named time.
    #[error(
        "start at {at}: {why}\nhint: name the same time for all parts, soon enough for all of them to be ready"
    )]
    StartAt { at: String, why: String },
    /// A recorded part cannot be used.
    #[error("use {}: {what}", path.display())]
    Part { path: PathBuf, what: String },
    /// Parts of a run are missing.
    #[error("put the parts together: {0}")]
    Parts(String),
    /// The plan of a part cannot be made again.
    #[error("make the plan again: {0}")]
    Changed(String),
    /// No NATS server is named.
    #[cfg(feature = "cluster")]
    #[error(
        "connect to a NATS server: none is named\nhint: `--nats nats://127.0.0.1:4222`, or the variable NATS_URL; `nats-server -js` starts one"
    )]
    NoBroker,
    /// The NATS server is not there, does not permit something, or does not answer.
    #[cfg(feature = "cluster")]
    #[error(transparent)]
    Broker(#[from] crate::cluster::Error),
    /// A NATS server would be open to other machines without TLS.
    #[cfg(feature = "cluster")]
    #[error(
        "let a NATS server listen at {0} without TLS\nhint: `--tls-cert FILE --tls-key FILE`, or accept with `--insecure-nats` that everybody on the way reads and changes what is said"
    )]
    OpenBroker(String),
    /// A file with a key holds none.
    #[cfg(feature = "cluster")]
    #[error(
        "use the key {}: it is none of a user\nhint: name another folder with `--keys`, where it can be made anew", .0.display()
    )]
    NoKey(PathBuf),
    /// A password would stand in a manifest.
    #[cfg(feature = "cluster")]
    #[error(
        "print a manifest with a password in it\nhint: leave USER:PASSWORD@ out of the address, and name a file with the key: `--nkey FILE`"
    )]
    LoginInManifest,
    /// A launcher has no use for an option.
    #[cfg(feature = "cluster")]
    #[error(
        "print a manifest for {kind} with `{option}`: it says nothing there\nhint: leave it out"
    )]
    NotOfLauncher {
        option: &'static str,
        kind: crate::cluster::Launcher,
    },
    /// Each pod has a loopback of its own.
    #[cfg(feature = "cluster")]
    #[error(
        "print a manifest for kubernetes with {0}: each agent would look for the NATS server in its own pod\nhint: name it as agents reach it: `--nats tls://nats.example.com:4222`"
    )]
    LoopbackOfPods(String),
    /// A signal came between two runs, or ended one.
    #[error("compare: interrupted")]
    Stopped,
    /// A search that could find nothing, in words.
    #[error("{0}")]
    Search(&'static str),
    /// The range of a search is empty.
    #[error(transparent)]
    Range(#[from] PlanError),
    /// The folder of a search has files already.
    #[error("write into {}: it is not empty\nhint: name a new folder", .0.display())]
    NotEmpty(PathBuf),
    /// A stored run cannot be read.
    #[error(transparent)]
    Stored(#[from] ReadError),
    /// A report cannot be created before the run.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A report cannot be written after the run.
    #[error(transparent)]
    LateOutput(OutputError),
    /// The built-in server did not start.
    #[error(transparent)]
    Embedded(#[from] SpawnError),
    /// The target's process, its sockets or its resources cannot be reached.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The run's own network namespace could not be created.
    #[error(transparent)]
    Network(#[from] NamespaceError),
    /// The relay of the path does not know where the target is.
    #[error("{0}\nhint: check the host name in `url`")]
    Lookup(#[from] ResolveError),
    /// The relay of the path could not be started.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// The run could not start.
    #[error(transparent)]
    Prepare(EngineError),
    /// A signal came before the first connection.
    #[error("start the run: interrupted")]
    Interrupted,
    /// The run was broken off.
    #[error(transparent)]
    Engine(EngineError),
    /// The built-in server of `wsbench serve` failed.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The system refused a minor operation.
    #[error("{doing}: {source}")]
    System {
        doing: &'static str,
        source: io::Error,
    },
}

impl From<Problems> for CliError {
    fn from(problems: Problems) -> Self {
        Self::Problems(problems)
    }
}

impl From<LimitError> for CliError {
    fn from(error: LimitError) -> Self {
        Self::Prepare(error.into())
    }
}

impl CliError {
    /// Masks these secrets in the message.
    pub(super) fn masked(self, secrets: &Secrets) -> Self {
        let text = self.to_string();
        match secrets.mask(&text) {
            Cow::Borrowed(_) => self,
            Cow::Owned(text) => Self::Masked {
                text,
                exit: self.exit(),
            },
        }
    }

    /// A file that cannot be opened for writing.
    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::AlreadyExists => Self::Exists(path),
            // It would have been created.
            ErrorKind::NotFound => Self::NoFolder(path),
            ErrorKind::IsADirectory => Self::Write {
                path,
                source: io::Error::new(source.kind(), "it is a folder\nhint: name a file in it"),
            },
            _ => Self::Write { path, source },
        }
    }

    /// The exit code for this error.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Masked { exit, .. } => *exit,
            #[cfg(feature = "cluster")]
            Self::NoBroker
            | Self::Broker(_)
            | Self::OpenBroker(_)
            | Self::NoKey(_)
            | Self::LoginInManifest
            | Self::NotOfLauncher { .. }
            | Self::LoopbackOfPods(_) => Exit::Invalid,
            #[cfg(feature = "cluster")]
            Self::Fleet(FleetError::Interrupted | FleetError::Stopped) => Exit::Interrupted,
            #[cfg(feature = "cluster")]
            Self::Fleet(_)
            | Self::NoRun(_)
            | Self::NoSuchRuns(_)
            | Self::RunGoesOn(_)
            | Self::Keep { .. }
            | Self::ByAgents { .. } => Exit::Invalid,
            #[cfg(feature = "cluster")]
            Self::NotHandedIn { .. } => Exit::Unexpected,
            Self::Problems(_)
            | Self::Scenario { .. }
            | Self::Exists(_)
            | Self::WriteOver { .. }
            | Self::Header
            | Self::HeaderTwice(_)
            | Self::NoKeys
            | Self::NothingToProbe
            | Self::Search(_)
            | Self::Closing { .. }
            | Self::Exporter { .. }
            | Self::Watch(_)
            | Self::Endless { .. }
            | Self::Range(_)
            | Self::NotEmpty(_)
            | Self::NoFolder(_)
            | Self::Write { .. }
            | Self::Labels(_)
            | Self::Destination(_)
            | Self::Listen { .. }
            | Self::Stored(_)
            | Self::NoBaseline { .. }
            | Self::NothingStrict
            | Self::NothingStored
            | Self::Several(_)
            | Self::Baseline { .. }
            | Self::NotASession { .. }
            | Self::NotComparable(_)
            | Self::NothingNew
            | Self::BehindDashes(_)
            | Self::InParts { .. }
            | Self::StartAt { .. }
            | Self::Part { .. }
            | Self::Parts(_)
            | Self::Changed(_)
            | Self::Gate { .. }
            | Self::Output(_)
            | Self::Embedded(_)
            | Self::Host(_)
            | Self::Network(_)
            | Self::Relay(RelayError::Listen { .. })
            | Self::Prepare(_)
            | Self::Serve(ServeError::Listen { .. }) => Exit::Invalid,
            Self::NoConnection(_) | Self::Lookup(_) => Exit::Untrusted,
            Self::Interrupted | Self::Stopped | Self::Engine(EngineError::Killed) => {
                Exit::Interrupted
            }
            Self::LateOutput(_)
            | Self::LateWrite { .. }
            | Self::Relay(_)
            | Self::Engine(_)
            | Self::Serve(_)
            | Self::System { .. } => Exit::Unexpected,
        }
    }
}
