//! A tunnel by SOCKS5 (RFC 1928), with a name and a password where there are (RFC 1929).

use std::net::IpAddr;

use super::{Asked, Refused};

const VERSION: u8 = 5;
const NO_CREDENTIALS: u8 = 0;
const NAME_AND_PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;

/// Where a tunnel leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// An address.
    Address(IpAddr),
    /// A name, which the proxy looks up. At most 253 bytes, as an address has it.
    Name(String),
}

/// Returns the first message: how we can say who we are.
pub(super) fn greeting(has_credentials: bool) -> Vec<u8> {
    match has_credentials {
        true => vec![VERSION, 2, NO_CREDENTIALS, NAME_AND_PASSWORD],
        false => vec![VERSION, 1, NO_CREDENTIALS],
    }
}

/// What the proxy has chosen of it: whether it wants a name and a password.
///
/// # Errors
/// When it is no proxy, or wants what we do not have.
pub(super) fn choice(bytes: &[u8], has_credentials: bool) -> Result<Option<bool>, Refused> {
    match *bytes {
        [] | [VERSION] => Ok(None),
        [VERSION, NO_CREDENTIALS, ..] => Ok(Some(false)),
        [VERSION, NAME_AND_PASSWORD, ..] if has_credentials => Ok(Some(true)),
        [VERSION, NO_METHOD, ..] => Err(Refused::Credentials(
            match has_credentials {
                true => "it takes no name and password (method ff)",
                false => "it wants to know who asks (method ff)",
            }
            .to_owned(),
        )),
        _ => Err(no_proxy(bytes)),
    }
}

/// Returns who we are. Both are 1 to 255 bytes long.
pub(super) fn credentials(user: &str, password: &str) -> Vec<u8> {
    let mut message = vec![1];
    for text in [user, password] {
        put(text, &mut message);
    }
    message
}

/// Whether the proxy takes us for that; `None` if it has not said it yet.
///
/// # Errors
/// When it does not.
pub(super) fn admitted(bytes: &[u8]) -> Result<Option<()>, Refused> {
    match *bytes {
        [] | [_] => Ok(None),
        [_, 0, ..] => Ok(Some(())),
        [_, status, ..] => Err(Refused::Credentials(format!(
            "it does not take this name and password (status {status:02x})"
        ))),
    }
}

/// Returns the request for a tunnel.
pub(super) fn request(host: &Host, port: u16) -> Vec<u8> {
    const CONNECT: u8 = 1;
    let mut request = vec![VERSION, CONNECT, 0];
    match host {
        Host::Address(IpAddr::V4(address)) => {
            request.push(1);
            request.extend(address.octets());
        }
        Host::Name(name) => {
            request.push(3);
            put(name, &mut request);
        }
        Host::Address(IpAddr::V6(address)) => {
            request.push(4);
            request.extend(address.octets());
        }
    }
    request.extend(port.to_be_bytes());
    request
}

/// Appends a text with its length before it.
fn put(text: &str, message: &mut Vec<u8>) {
    let length = u8::try_from(text.len());
    message.push(length.expect("no scenario has a longer name or password"));
    message.extend(text.as_bytes());
}

/// Looks at what the proxy has answered so far. Its length depends on the kind of address in it; some proxies answer
/// errors with a name.
///
/// # Errors
/// Why there is no tunnel.
pub(super) fn reply(bytes: &[u8]) -> Result<Asked, Refused> {
    match *bytes {
        [version, ..] if version != VERSION => return Err(no_proxy(bytes)),
        [_, code, ..] if code != 0 => return Err(Refused::Target(meaning(code))),
        _ => {}
    }
    let address = match *bytes {
        [_, _, _, 1, ..] => 4,
        [_, _, _, 3, length, ..] => 1 + usize::from(length),
        [_, _, _, 4, ..] => 16,
        [_, _, _, kind, ..] if kind != 3 => return Err(no_proxy(bytes)),
        _ => return Ok(Asked::More),
    };
    let length = 4 + address + 2;
    match bytes.len() < length {
        true => Ok(Asked::More),
        false => Ok(Asked::Done(length)),
    }
}

/// The meaning of a code of a reply (RFC 1928 section 6).
fn meaning(code: u8) -> String {
    let what = match code {
        1 => "general failure",
        2 => "its rules do not allow it",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "TTL expired",
        7 => "command not supported",
        8 => "kind of address not supported",
        _ => "unknown",
    };
    format!("reply {code:02x}, {what}")
}

fn no_proxy(bytes: &[u8]) -> Refused {
    let first = &bytes[..bytes.len().min(8)];
    Refused::NoProxy(format!("it answered \"{}\"", first.escape_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_as_the_standard_says() {
        assert_eq!(greeting(false), [5, 1, 0]);
        assert_eq!(greeting(true), [5, 2, 0, 2]);
        assert_eq!(credentials("me", "x"), [1, 2, b'm', b'e', 1, b'x']);
        let v4 = Host::Address("127.0.0.1".parse().unwrap());
        assert_eq!(request(&v4, 443), [5, 1, 0, 1, 127, 0, 0, 1, 1, 0xbb]);
        let name = Host::Name("a.b".into());
        assert_eq!(request(&name, 80), [5, 1, 0, 3, 3, b'a', b'.', b'b', 0, 80]);
        let v6 = Host::Address("::1".parse().unwrap());
        assert_eq!(request(&v6, 80).len(), 4 + 16 + 2);
    }

    #[test]
    fn a_reply_is_as_long_as_the_address_in_it() {
        for reply_bytes in [
            &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0][..],
            &[5, 0, 0, 3, 2, b'a', b'b', 0, 80],
            &[
                5, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80,
            ],
        ] {
            for length in 0..reply_bytes.len() {
                assert_eq!(reply(&reply_bytes[..length]), Ok(Asked::More), "{length}");
            }
            let with_more = [reply_bytes, b"more"].concat();
            assert_eq!(reply(&with_more), Ok(Asked::Done(reply_bytes.len())));
        }
    }

    #[test]
    fn what_is_refused_is_told_apart() {
        assert_eq!(choice(&[5], true), Ok(None));
        assert_eq!(choice(&[5, 0], false), Ok(Some(false)));
        assert_eq!(choice(&[5, 2], true), Ok(Some(true)));
        assert!(matches!(
            choice(&[5, 0xff], false),
            Err(Refused::Credentials(_))
        ));
        // A method that was not offered.
        assert!(matches!(choice(&[5, 2], false), Err(Refused::NoProxy(_))));
        assert!(matches!(
            choice(b"HTTP/1.1", false),
            Err(Refused::NoProxy(_))
        ));
        assert_eq!(admitted(&[1, 0]), Ok(Some(())));
        assert!(matches!(admitted(&[1, 2]), Err(Refused::Credentials(_))));
        let refused = "reply 05, connection refused".to_owned();
        assert_eq!(reply(&[5, 5]), Err(Refused::Target(refused)));
        let rules = "reply 02, its rules do not allow it".to_owned();
        assert_eq!(
            reply(&[5, 2, 0, 3, 1, b'x', 0, 0]),
            Err(Refused::Target(rules))
        );
        assert!(matches!(reply(b"HTTP/1.1 400"), Err(Refused::NoProxy(_))));
        assert!(matches!(reply(&[5, 0, 0, 9]), Err(Refused::NoProxy(_))));
    }
}
