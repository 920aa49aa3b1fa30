//! The server a run is sent against: one that is there, or the built-in one, started for it.

use super::error::CliError;
use crate::scenario::{Scenario, TargetUrl, WsUrl};
use crate::target::{Behaviour, EmbeddedServer, Push};
use crate::units::ByteSize;

/// The length of what the built-in server pushes.
const PUSHED: ByteSize = ByteSize(64);

/// The server under test. Dropping it stops the built-in one.
pub(super) struct RunningTarget {
    pub(super) url: WsUrl,
    /// Held for its end.
    _embedded: Option<EmbeddedServer>,
}

impl RunningTarget {
    /// Starts the built-in server where the scenario asks for it.
    pub(super) fn start(scenario: &Scenario) -> Result<Self, CliError> {
        match &scenario.target.url {
            TargetUrl::Url(url) => Ok(Self {
                url: url.clone(),
                _embedded: None,
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
                    ..Behaviour::default()
                };
                let server = EmbeddedServer::spawn(&program, &behaviour)?;
                Ok(Self {
                    url: local(server.url()),
                    _embedded: Some(server),
                })
            }
        }
    }
}

/// The address the built-in server says, `ws://127.0.0.1:PORT`.
fn local(url: &str) -> WsUrl {
    let port = url.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    WsUrl {
        secure: false,
        host: "127.0.0.1".to_owned(),
        port: port.unwrap_or(0),
        resource: "/".to_owned(),
        shown: url.to_owned(),
    }
}
