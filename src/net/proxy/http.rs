//! A tunnel by CONNECT (RFC 9110 section 9.3.6): the request, and what its answer means.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use httparse::Response;

use super::{Asked, Refused};
use crate::http::{HeadReader, status_line, values};

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
pub(super) fn answer(came: &mut Vec<u8>, head: &mut HeadReader) -> Result<Asked, Refused> {
    match head.look(came, |response, _| judged(response)) {
        Ok(Some((length, judged))) => judged.map(|()| Asked::Done(length)),
        Ok(None) => Ok(Asked::More),
        Err(error) => Err(Refused::NoProxy(error.to_string())),
    }
}

/// Any status of the class 2xx opens the tunnel, of HTTP/1.0 too.
fn judged(response: &Response<'_, '_>) -> Result<(), Refused> {
    let status = response.code.unwrap_or_default();
    // What squid knows of the reason.
    let wanted = match status {
        200..=299 => return Ok(()),
        // Some proxies answer 401 where they mean 407.
        401 | 407 => ["Proxy-Authenticate", "WWW-Authenticate"],
        _ => ["X-Squid-Error", "Proxy-Status"],
    };
    let mut said = status_line(response);
    let found = wanted
        .into_iter()
        .filter_map(|name| values(response, name).next());
    for value in found {
        said += &format!(", {}", String::from_utf8_lossy(value));
    }
    Err(match status {
        401 | 407 => Refused::Credentials(said),
        _ => Refused::Target(said),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::MAX_HEAD_ALONE;

    /// What an answer means that has come so far.
    fn answer(came: &str) -> Result<Asked, Refused> {
        super::answer(&mut came.as_bytes().to_vec(), &mut HeadReader::default())
    }

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
                assert_eq!(answer(&head[..length]), Ok(Asked::More), "{length}");
            }
            let with_more = format!("{head}\u{16}\u{3}");
            assert_eq!(answer(&with_more), Ok(Asked::Done(head.len())));
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
                Refused::NoProxy(
                    "the answer is no HTTP: invalid HTTP version: \"SSH-2.0-OpenSSH_9.2\"".into(),
                ),
            ),
        ] {
            assert_eq!(answer(head), Err(expected), "{head}");
        }
        let endless = "HTTP/1.1 200 OK\r\nA: ".to_owned() + &"x".repeat(MAX_HEAD_ALONE);
        assert!(matches!(answer(&endless), Err(Refused::NoProxy(_))));
    }

    /// See RFC 9110 section 15.2.
    #[test]
    fn informational_answers_are_waited_behind() {
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        let open = "HTTP/1.1 200 OK\r\n\r\n";
        assert_eq!(answer(hints), Ok(Asked::More));
        let all = format!("{hints}{open}");
        assert_eq!(answer(&all), Ok(Asked::Done(open.len())));
    }
}
