//! The server under test: an existing one, or the built-in one, started for this run.

use super::error::CliError;
use super::signals::Signals;
use crate::host::{HostError, TargetProcess};
use crate::scenario::{Scenario, Servers, TargetUrl, WsUrl};
use crate::server::{Behaviour, EmbeddedServer, Push};
use crate::units::ByteSize;

/// The length of the messages that the built-in server pushes.
const PUSHED: ByteSize = ByteSize(64);

/// The server under test. Dropping it stops the built-in one.
pub(super) struct RunningTarget {
    pub(super) servers: Servers,
    /// Its process, if known and needed.
    pub(super) process: Option<TargetProcess>,
    /// Dropping it stops the server.
    embedded: Option<EmbeddedServer>,
}

impl RunningTarget {
    /// The process id, if known.
    pub(super) fn pid(&self) -> Option<u32> {
        let process = self.process.as_ref().map(TargetProcess::pid);
        process.or_else(|| Some(self.embedded.as_ref()?.id()))
    }

    /// Servers for which another process cares.
    #[cfg(feature = "cluster")]
    pub(super) fn elsewhere(servers: Servers) -> Self {
        Self {
            servers,
            process: None,
            embedded: None,
        }
    }

    /// Starts the built-in server, or the target's command, if the scenario needs it. Gives up when a signal comes.
    pub(super) fn start(scenario: &Scenario, signals: &Signals) -> Result<Self, CliError> {
        match &scenario.target.url {
            TargetUrl::Servers(servers) => Ok(Self {
                servers: servers.clone(),
                process: TargetProcess::of(&scenario.target.process, servers, &|| signals.heard())
                    .map_err(|error| match error {
                        HostError::GivenUp => CliError::Interrupted,
                        other => other.into(),
                    })?,
                embedded: None,
            }),
            TargetUrl::Embedded => {
                let program = std::env::current_exe().map_err(|source| CliError::System {
                    doing: "find the program itself, to start its echo server",
                    source,
                })?;
                let behaviour = Behaviour {
                    push: scenario.target.embedded_push.map(|every| Push {
                        every,
                        size: PUSHED,
                    }),
                    heartbeat: scenario.target.embedded_heartbeat,
                    rooms: scenario.target.embedded_rooms,
                    ..Behaviour::default()
                };
                let server = EmbeddedServer::spawn(&program, &behaviour)?;
                Ok(Self {
                    servers: local(server.url()).into(),
                    process: watched(scenario, server.id())?,
                    embedded: Some(server),
                })
            }
        }
    }
}

/// The built-in server's process, if faults or promises need it. Fails on systems other than Linux, where the process
/// cannot be accessed.
fn watched(scenario: &Scenario, pid: u32) -> Result<Option<TargetProcess>, CliError> {
    let promises = scenario
        .cohorts
        .iter()
        .filter_map(|cohort| cohort.contract.as_ref());
    let is_asked = promises
        .flat_map(|contract| &contract.promises)
        .any(|promise| promise.kind.needs_same_host());
    let is_wanted = is_asked || !scenario.target.faults.is_empty();
    Ok(is_wanted.then(|| TargetProcess::attach(pid)).transpose()?)
}

/// Parses the address that the built-in server prints, `ws://127.0.0.1:PORT`.
fn local(url: &str) -> WsUrl {
    let port = url.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    WsUrl {
        secure: false,
        host: "127.0.0.1".to_owned(),
        port: port.unwrap_or(0),
        resource: "/".to_owned(),
        unix: None,
        shown: url.to_owned(),
    }
}
