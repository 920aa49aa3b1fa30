//! The servers that the connections of a cohort are opened to.

use crate::net::Request;
use crate::plan::{Rounds, Turn};
use crate::scenario::{Ask, Server, Servers, WebOrigin, WsUrl};

/// The servers of a cohort.
#[derive(Debug)]
pub(super) struct Destinations {
    /// Whether they are those of the target, to which the routes of the path lead.
    pub(super) are_target: bool,
    rounds: Rounds,
    all: Vec<Destination>,
}

/// One server of a cohort.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) url: WsUrl,
    pub(super) origin: WebOrigin,
    /// The upgrade request of clients about which there is nothing special.
    pub(super) request: Request,
}

impl Destinations {
    pub(super) fn new(servers: &Servers, ask: &Ask, are_target: bool) -> Self {
        let destination = |Server { url, .. }: &Server| Destination {
            url: url.clone(),
            origin: url.origin(),
            request: Request::new(url, ask),
        };
        Self {
            are_target,
            rounds: Rounds::new(servers.iter().map(|server| server.weight)),
            all: servers.iter().map(destination).collect(),
        }
    }

    /// The server of a connection.
    pub(super) fn of(&self, connection: u32) -> (&Destination, Turn) {
        let turn = self.rounds.of(connection);
        (self.at(turn.server), turn)
    }

    /// The server at this place in the list.
    pub(super) fn at(&self, server: usize) -> &Destination {
        &self.all[server]
    }
}
