//! The servers that the connections of a cohort are opened to.

use crate::net::Request;
use crate::plan::{Rounds, Turn};
use crate::scenario::{Server, Servers, Target, WebOrigin, WsUrl};

/// The servers of a cohort.
#[derive(Debug)]
pub(super) struct Doors {
    /// Whether they are those of the target, to which the routes of the path lead.
    pub(super) are_target: bool,
    rounds: Rounds,
    all: Vec<Door>,
}

/// One server of a cohort.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) url: WsUrl,
    pub(super) origin: WebOrigin,
    /// The upgrade request of clients about which there is nothing special.
    pub(super) request: Request,
}

impl Doors {
    pub(super) fn new(servers: &Servers, target: &Target, are_target: bool) -> Self {
        let door = |Server { url, .. }: &Server| Door {
            url: url.clone(),
            origin: url.origin(),
            request: Request::new(url, target),
        };
        Self {
            are_target,
            rounds: Rounds::new(servers.iter().map(|server| server.weight)),
            all: servers.iter().map(door).collect(),
        }
    }

    /// The server of a connection.
    pub(super) fn of(&self, connection: u32) -> (&Door, Turn) {
        let turn = self.rounds.of(connection);
        (&self.all[turn.server], turn)
    }
}
