//! The server a run is sent against: one that is there, or the built-in one, started for it.

use super::error::CliError;
use crate::scenario::{Scenario, TargetUrl, WsUrl};
use crate::target::{Behaviour, EmbeddedServer, Push};

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
                        ..Push::default()
                    }),
                    ..Behaviour::default()
                };
                let server = EmbeddedServer::spawn(&program, &behaviour)?;
                Ok(Self {
                    url: local(server.address().port(), server.url()),
                    _embedded: Some(server),
                })
            }
        }
    }
}

fn local(port: u16, shown: &str) -> WsUrl {
    WsUrl {
        secure: false,
        host: "127.0.0.1".to_owned(),
        port,
        resource: "/".to_owned(),
        shown: shown.to_owned(),
    }
}
