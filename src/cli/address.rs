//! Where a page of this program is served: a host and a port of this machine.

use std::fmt;
use std::str::FromStr;

use super::error::CliError;
use crate::web::Listening;

/// A host name or an address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// An IPv6 address has no brackets here.
    host: String,
    /// 0: any that is free.
    port: u16,
}

impl Address {
    /// Listens there. `what` is listened for, in words.
    ///
    /// # Errors
    /// When the host is none of this machine, or the port is taken.
    pub(super) fn listen(&self, what: &'static str) -> Result<Listening, CliError> {
        Listening::at(&self.host, self.port).map_err(|source| self.failed(what, source))
    }

    /// Why nothing could be served there.
    pub(super) fn failed(&self, what: &'static str, source: std::io::Error) -> CliError {
        CliError::Listen {
            what,
            address: self.to_string(),
            source,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        match host.contains(':') {
            true => write!(f, "[{host}]:{port}"),
            false => write!(f, "{host}:{port}"),
        }
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "write a host and a port, like 127.0.0.1:9770; port 0 takes a free one";
        let (host, port) = text.rsplit_once(':').ok_or(wrong)?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let is_open = bare.is_none() && host.contains(':');
        let is_name = !host.is_empty() && !host.contains(['/', '@', ' ']);
        match port.parse() {
            Ok(port) if is_name && !is_open => Ok(Self {
                host: bare.unwrap_or(host).to_owned(),
                port,
            }),
            _ => Err(wrong),
        }
    }
}
