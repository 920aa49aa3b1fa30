//! A tunnel by CONNECT (RFC 9110 section 9.3.6): the request, and what its answer means.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Asked, Refused};

/// The most bytes of an answer's head.
const MAX_HEAD: usize = 16 << 10;
/// The most headers of an answer.
const MAX_HEADERS: usize = 100;

/// Returns the request for a tunnel to `authority`, a host and a port.
pub(super) fn request(
    authority: &str,
    credentials: Option<(&str, &str)>,
    headers: &[(String, String)],
) -> Vec<u8> {
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some((user, password)) = credentials {
        // Without waiting to be asked (RFC 7617 section 2.2): that would be a round trip more, which is not the target's.
        let told = STANDARD.encode(format!("{user}:{password}"));
        request += &format!("Proxy-Authorization: Basic {told}\r\n");
    }
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += "\r\n";
    request.into_bytes()
}

/// Looks at what a proxy has answered so far. What follows the head belongs to the tunnel.
///
/// # Errors
/// Why there is no tunnel.
pub(super) fn answer(bytes: &[u8]) -> Result<Asked, Refused> {
    let mut room = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut room);
    match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => judged(&head).map(|()| Asked::Done(length)),
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => Ok(Asked::More),
        Ok(httparse::Status::Partial) => Err(Refused::NoProxy("its answer is too long".into())),
        Err(_) => Err(Refused::NoProxy(shown(bytes))),
    }
}

/// Any status of the class 2xx opens the tunnel, of HTTP/1.0 too.
fn judged(head: &httparse::Response<'_, '_>) -> Result<(), Refused> {
    let status = head.code.unwrap_or_default();
    let version = head.version.unwrap_or_default();
    let reason = head.reason.unwrap_or_default();
    let mut said = format!("HTTP/1.{version} {status} {reason}")
        .trim_end()
        .to_owned();
    let header = |wanted: &str| {
        let mut headers = head.headers.iter();
        let found = headers.find(|header| header.name.eq_ignore_ascii_case(wanted))?;
        Some(String::from_utf8_lossy(found.value).into_owned())
    };
    // What squid knows of the reason.
    let wanted = match status {
        200..=299 => return Ok(()),
        // Some proxies answer 401 where they mean 407.
        401 | 407 => ["Proxy-Authenticate", "WWW-Authenticate"],
        _ => ["X-Squid-Error", "Proxy-Status"],
    };
    for value in wanted.iter().filter_map(|name| header(name)) {
        said += &format!(", {value}");
    }
    Err(match status {
        401 | 407 => Refused::Credentials(said),
        _ => Refused::Target(said),
    })
}

/// The beginning of what is no answer.
fn shown(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next();
    let line = &line.unwrap_or_default()[..line.unwrap_or_default().len().min(60)];
    format!("it answered \"{}\"", line.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_the_target_twice_and_says_who_asks() {
        let headers = [("X-Team".to_owned(), "load".to_owned())];
        let request = request("chat.example:443", Some(("me", "se:cret")), &headers);
        assert_eq!(
            String::from_utf8(request).unwrap(),
            "CONNECT chat.example:443 HTTP/1.1\r\nHost: chat.example:443\r\n\
             Proxy-Authorization: Basic bWU6c2U6Y3JldA==\r\nX-Team: load\r\n\r\n"
        );
    }

    #[test]
    fn a_head_opens_the_tunnel_when_it_is_whole_and_what_follows_is_the_tunnels() {
        for head in [
            "HTTP/1.1 200 Connection established\r\n\r\n",
            "HTTP/1.0 200 OK\r\nProxy-Agent: tinyproxy\r\n\r\n",
            "HTTP/1.1 204\r\n\r\n",
        ] {
            for length in 0..head.len() {
                assert_eq!(
                    answer(&head.as_bytes()[..length]),
                    Ok(Asked::More),
                    "{length}"
                );
            }
            let with_more = format!("{head}\u{16}\u{3}");
            assert_eq!(answer(with_more.as_bytes()), Ok(Asked::Done(head.len())));
        }
    }

    #[test]
    fn each_refusal_is_told_with_what_the_proxy_says_of_it() {
        for (head, expected) in [
            (
                "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n",
                Refused::Credentials(
                    "HTTP/1.1 407 Proxy Authentication Required, Basic realm=\"x\"".into(),
                ),
            ),
            (
                "HTTP/1.0 401 Unauthorized\r\n\r\n",
                Refused::Credentials("HTTP/1.0 401 Unauthorized".into()),
            ),
            (
                "HTTP/1.1 503 Service Unavailable\r\nX-Squid-Error: ERR_CONNECT_FAIL 111\r\n\r\n",
                Refused::Target("HTTP/1.1 503 Service Unavailable, ERR_CONNECT_FAIL 111".into()),
            ),
            (
                "HTTP/1.1 403 Forbidden\r\n\r\n",
                Refused::Target("HTTP/1.1 403 Forbidden".into()),
            ),
            (
                "SSH-2.0-OpenSSH_9.2\r\n",
                Refused::NoProxy("it answered \"SSH-2.0-OpenSSH_9.2\"".into()),
            ),
        ] {
            assert_eq!(answer(head.as_bytes()), Err(expected), "{head}");
        }
        let endless = "HTTP/1.1 200 OK\r\nA: ".to_owned() + &"x".repeat(MAX_HEAD);
        assert!(matches!(
            answer(endless.as_bytes()),
            Err(Refused::NoProxy(_))
        ));
    }
}
