//! The sessions of TLS that clients may resume: each has its own. The library's own store is shared by all connections,
//! so a client would resume the session of a stranger, and no handshake of a ramp would be a full one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

use super::client::Client;

/// What each client has kept. It has an entry for each client that keeps something: as many as there are clients, at
/// most.
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
    fn all(&self) -> MutexGuard<'_, HashMap<u32, Kept>> {
        self.by_client
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps something for the client for which the library works.
    fn keep(&self, change: impl FnOnce(&mut Kept)) {
        change(self.all().entry(Client::now()).or_default());
    }

    /// Looks at what that client has kept, if it has kept anything.
    fn look<T>(&self, look: impl FnOnce(&mut Kept) -> Option<T>) -> Option<T> {
        self.all().get_mut(&Client::now()).and_then(look)
    }
}

// A store belongs to one server, so its name says nothing new.
impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.keep(|kept| kept.group = Some(group));
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.look(|kept| kept.group)
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.keep(|kept| kept.session = Some(value));
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.look(|kept| kept.session.clone())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.look(|kept| kept.session.take());
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.keep(|kept| kept.ticket = Some(value));
    }

    // A ticket is used once (RFC 8446 appendix C.4), so that connections cannot be linked by it.
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.look(|kept| kept.ticket.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_finds_what_it_has_kept_and_a_look_keeps_nothing() {
        let tickets = Tickets::default();
        let name = ServerName::try_from("h").unwrap();
        Client(3).enter();
        assert!(tickets.kx_hint(&name).is_none());
        assert!(tickets.tls12_session(&name).is_none());
        assert!(tickets.take_tls13_ticket(&name).is_none());
        tickets.remove_tls12_session(&name);
        assert!(tickets.all().is_empty());
        tickets.set_kx_hint(name.clone(), NamedGroup::X25519);
        assert_eq!(tickets.kx_hint(&name), Some(NamedGroup::X25519));
        Client(4).enter();
        assert!(tickets.kx_hint(&name).is_none());
        assert_eq!(tickets.all().len(), 1);
    }
}
