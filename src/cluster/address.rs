//! Where the broker is, and who asks: an address with what is secret in it apart, and files with keys.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use crate::scenario::percent_decoded;
use crate::units::visible;

use super::error::Error;

/// The port of NATS.
const PORT: u16 = 4222;

/// The address of a NATS server. Shown without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
    tls: bool,
    login: Option<(String, String)>,
}

impl Address {
    /// Whether it is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        match host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => host == "localhost" || host.ends_with(".localhost"),
        }
    }

    /// Whether it says that TLS is spoken.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The user and the password, which the client library would ignore in the address.
    pub(super) fn login(&self) -> Option<(String, String)> {
        self.login.clone()
    }

    /// For the client library.
    pub(super) fn server(&self) -> Result<async_nats::ServerAddr, Error> {
        let server = self.to_string().parse();
        server.map_err(|error: std::io::Error| Error::Address(error.to_string()))
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::Address(why.to_owned());
        let (scheme, rest) = text.split_once("://").unwrap_or(("nats", text));
        let tls = match scheme {
            "nats" => false,
            "tls" => true,
            other => {
                let why = format!("its scheme is `{}`, not nats or tls", visible(other));
                return Err(Error::Address(why));
            }
        };
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) => (Some(login), rest),
            None => (None, rest),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let login = match login.map(|login| login.split_once(':')) {
            None => None,
            Some(None) => return Err(wrong("there is a user and no password before its `@`")),
            Some(Some((user, password))) => {
                let decoded = percent_decoded(user).zip(percent_decoded(password));
                Some(decoded.ok_or_else(|| wrong("user and password are not UTF-8"))?)
            }
        };
        let (host, port) = match rest.rsplit_once(':') {
            // A colon within brackets is one of an address of IPv6.
            Some((host, port)) if !port.ends_with(']') => {
                let port = port.parse().ok().filter(|port| *port > 0);
                (
                    host,
                    port.ok_or_else(|| wrong("its port is no number from 1 to 65535"))?,
                )
            }
            _ => (rest, PORT),
        };
        let is_fine = |c: char| c.is_ascii_alphanumeric() || ".-_[]:".contains(c);
        let has_brackets = host.starts_with('[') && host.ends_with(']');
        match () {
            () if host.is_empty() => Err(wrong("it has no host")),
            () if !host.chars().all(is_fine) => {
                Err(wrong("its host has other characters than a host's"))
            }
            () if host.contains(':') && !has_brackets => Err(wrong(
                "an address of IPv6 stands in brackets: nats://[::1]:4222",
            )),
            () => Ok(Self {
                host: host.to_owned(),
                port,
                tls,
                login,
            }),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "tls" } else { "nats" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// How a process shows who it is, besides user and password in the address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// By nothing.
    #[default]
    None,
    /// By a file with a token and a key, as `nsc` writes it.
    File(PathBuf),
    /// By a file with the seed of a key, as `wsbench cluster auth` writes it.
    Key(PathBuf),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_secret_is_taken_apart() {
        let address: Address = "nats://a%40b:p%3Aq@nats.example.com:4223".parse().unwrap();
        assert_eq!(address.login(), Some(("a@b".into(), "p:q".into())));
        assert_eq!(address.to_string(), "nats://nats.example.com:4223");
        assert_eq!(
            format!("{address:?}"),
            "Address(nats://nats.example.com:4223)"
        );
        assert!(!address.is_loopback() && !address.is_tls());
    }

    #[test]
    fn what_is_left_out_is_the_usual() {
        for (text, shown) in [
            ("localhost", "nats://localhost:4222"),
            ("127.0.0.1:4300", "nats://127.0.0.1:4300"),
            ("tls://[::1]", "tls://[::1]:4222"),
            ("nats://[::1]:4300/", "nats://[::1]:4300"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert!(address.is_loopback(), "{text}");
        }
        assert!(
            !"nats://127.example.com"
                .parse::<Address>()
                .unwrap()
                .is_loopback()
        );
    }

    #[test]
    fn what_is_none_is_refused_without_quoting_a_secret() {
        for text in [
            "http://localhost",
            "nats://",
            "nats://token@localhost",
            "nats://localhost:0",
            "nats://localhost:70000",
            "nats://::1",
            "nats://a:secret@b c",
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(
                error.contains("hint: ") && !error.contains("secret"),
                "{text}: {error}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_shown_is_read_again(text in ".{0,60}") {
            if let Ok(address) = text.parse::<Address>() {
                let again: Address = address.to_string().parse().unwrap();
                prop_assert_eq!(again.to_string(), address.to_string());
            }
        }
    }
}
