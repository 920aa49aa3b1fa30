//! The sessions of TLS that clients may resume: each has its own. The library's own store is shared by all connections,
//! so a client would resume the session of a stranger, and no handshake of a ramp would be a full one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

use super::client::Client;

/// What each client has kept. It has as many entries as there are clients, at most.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    by_client: Mutex<HashMap<u32, Kept>>,
}

/// The newest of a client.
#[derive(Debug, Default)]
struct Kept {
    group: Option<NamedGroup>,
    session: Option<Tls12ClientSessionValue>,
    ticket: Option<Tls13ClientSessionValue>,
}

impl Tickets {
    /// Looks at what the client has kept for which the library works.
    fn of_client<T>(&self, look: impl FnOnce(&mut Kept) -> T) -> T {
        let all = self.by_client.lock();
        let mut all = all.unwrap_or_else(PoisonError::into_inner);
        look(all.entry(Client::now()).or_default())
    }
}

// A store belongs to one server, so its name says nothing new.
impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.of_client(|kept| kept.group = Some(group));
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.of_client(|kept| kept.group)
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.of_client(|kept| kept.session = Some(value));
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.of_client(|kept| kept.session.clone())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.of_client(|kept| kept.session = None);
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.of_client(|kept| kept.ticket = Some(value));
    }

    // A ticket is used once (RFC 8446 appendix C.4), so that connections cannot be linked by it.
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.of_client(|kept| kept.ticket.take())
    }
}
