//! The cookies that one client keeps and gives back (RFC 6265 section 5).

use super::{Answer, date};

/// The most cookies of a client, and the most bytes of the name and value of one (RFC 6265 section 6.1 asks for at
/// least 50 of 4,096 bytes).
const MAX_COOKIES: usize = 64;
const MAX_LENGTH: usize = 4096;
/// The longest value of an attribute, in bytes; a longer one is passed over.
const MAX_ATTRIBUTE: usize = 1024;

/// The cookies of one client.
#[derive(Debug, Clone, Default)]
pub struct Cookies {
    /// In the order in which they were first set.
    kept: Vec<Cookie>,
    refused: u64,
}

/// What a request goes to, and an answer comes from.
#[derive(Debug, Clone, Copy)]
pub struct Address<'a> {
    /// A name or an address; without a port, and IPv6 without brackets.
    pub host: &'a str,
    /// The path of the request; a query behind it makes no difference.
    pub path: &'a str,
    /// Whether the connection is TLS.
    pub secure: bool,
}

#[derive(Debug, Clone)]
struct Cookie {
    name: Vec<u8>,
    value: Vec<u8>,
    domain: String,
    /// Whether only this very host gets it, and none below it.
    is_host_only: bool,
    path: String,
    is_secure: bool,
    /// In seconds since 1970; `None` for the end of the client.
    expires: Option<i64>,
}

impl Cookies {
    /// Takes the cookies of an answer that came at this time, in seconds since 1970: see [`Self::set`].
    pub fn take(&mut self, from: Address<'_>, answer: &Answer, now: i64) {
        for cookie in answer.headers("Set-Cookie") {
            self.set(from, cookie, now);
        }
    }

    /// Takes the value of one `Set-Cookie` at this time, in seconds since 1970. A cookie for another host, of no name,
    /// with control characters, over 4,096 bytes, or over 64 cookies is not kept, and counted.
    pub fn set(&mut self, from: Address<'_>, set_cookie: &[u8], now: i64) {
        let Some(cookie) = Cookie::read(from, set_cookie, now) else {
            self.refused += 1;
            return;
        };
        let is_expired = cookie.is_expired(now);
        match self
            .kept
            .iter()
            .position(|kept| kept.is_replaced_by(&cookie))
        {
            Some(at) if is_expired => drop(self.kept.remove(at)),
            Some(at) => self.kept[at] = cookie,
            None if is_expired => {}
            None => {
                self.kept.retain(|kept| !kept.is_expired(now));
                if self.kept.len() < MAX_COOKIES {
                    self.kept.push(cookie);
                } else {
                    self.refused += 1;
                }
            }
        }
    }

    /// Returns the value of `Cookie` for a request at this time, in seconds since 1970: those with longer paths first.
    /// `None` if there are none for it.
    pub fn header(&self, to: Address<'_>, now: i64) -> Option<Vec<u8>> {
        let is_sent = |cookie: &&Cookie| !cookie.is_expired(now) && cookie.goes_to(to);
        let mut sent: Vec<&Cookie> = self.kept.iter().filter(is_sent).collect();
        sent.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<_> = sent.iter().map(|cookie| cookie.pair()).collect();
        (!pairs.is_empty()).then(|| pairs.join(&b"; "[..]))
    }

    /// Returns how many cookies were not kept.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

/// Takes the cookies of a request out of its headers, and returns them with those that were kept.
pub(crate) fn take_cookies<N: AsRef<str>, V: AsRef<[u8]>>(
    headers: &mut Vec<(N, V)>,
    kept: Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let is_cookie = |(name, _): &(N, V)| name.as_ref().eq_ignore_ascii_case("cookie");
    let own = headers.iter().position(is_cookie);
    let own = own.map(|at| headers.remove(at).1.as_ref().to_vec());
    match (own, kept) {
        (Some(own), Some(kept)) => Some([own, kept].join(&b"; "[..])),
        (own, kept) => own.or(kept),
    }
}

/// The values of the cookies that an answer sets, without quotation marks, kept by a client or not.
pub fn cookie_values(answer: &Answer) -> impl Iterator<Item = &[u8]> {
    answer.headers("Set-Cookie").filter_map(|cookie| {
        let pair = cookie.split(|byte| *byte == b';').next()?;
        let (_, value) = split_at_equals(pair)?;
        let quoted = value
            .strip_prefix(b"\"")
            .and_then(|value| value.strip_suffix(b"\""));
        Some(quoted.unwrap_or(value)).filter(|value| !value.is_empty())
    })
}

impl Cookie {
    /// Reads a cookie by RFC 6265 sections 5.2 and 5.3.
    fn read(from: Address<'_>, set_cookie: &[u8], now: i64) -> Option<Self> {
        if set_cookie
            .iter()
            .any(|byte| byte.is_ascii_control() && *byte != b'\t')
        {
            return None;
        }
        let mut parts = set_cookie
            .split(|byte| *byte == b';')
            .map(<[u8]>::trim_ascii);
        let (name, value) = split_at_equals(parts.next()?)?;
        if name.is_empty() || name.len() + value.len() > MAX_LENGTH {
            return None;
        }
        let host = from.host.to_ascii_lowercase();
        let mut cookie = Self {
            name: name.to_vec(),
            value: value.to_vec(),
            domain: host.clone(),
            is_host_only: true,
            path: default_path(from.path).to_owned(),
            is_secure: false,
            expires: None,
        };
        // Each attribute counts as it is said last, and the age before the date.
        let (mut age, mut date) = (None, None);
        for part in parts {
            let (name, value) = split_at_equals(part).unwrap_or((part, b""));
            if value.len() > MAX_ATTRIBUTE {
                continue;
            }
            match &*name.to_ascii_lowercase() {
                b"secure" => cookie.is_secure = true,
                b"path" => {
                    let path = str::from_utf8(value)
                        .ok()
                        .filter(|path| path.starts_with('/'));
                    cookie.path = path.unwrap_or_else(|| default_path(from.path)).to_owned();
                }
                b"domain" => {
                    let domain = str::from_utf8(value).ok()?.to_ascii_lowercase();
                    let domain = domain.strip_prefix('.').unwrap_or(&domain);
                    if !domain.is_empty() {
                        cookie.domain = domain.to_owned();
                        cookie.is_host_only = false;
                    }
                }
                b"max-age" => age = seconds(value).or(age),
                b"expires" => date = date::read(value).or(date),
                _ => {}
            }
        }
        cookie.expires = match (age, date) {
            (Some(age), _) if age <= 0 => Some(i64::MIN),
            (Some(age), _) => Some(now.saturating_add(age)),
            (None, date) => date,
        };
        // A domain that is one word would go to every host below it.
        let is_wide = !cookie.is_host_only && cookie.domain != host && !cookie.domain.contains('.');
        (!is_wide && cookie.is_for_host(&host)).then_some(cookie)
    }

    fn is_replaced_by(&self, other: &Self) -> bool {
        self.name == other.name && self.domain == other.domain && self.path == other.path
    }

    fn is_expired(&self, now: i64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn goes_to(&self, to: Address<'_>) -> bool {
        let is_secure_enough = to.secure || !self.is_secure;
        is_secure_enough
            && self.is_for_host(&to.host.to_ascii_lowercase())
            && self.is_for_path(without_query(to.path))
    }

    /// Accepts the host itself or, where the cookie has a domain, one below it (RFC 6265 section 5.1.3).
    fn is_for_host(&self, host: &str) -> bool {
        let is_below = || {
            let below = host
                .strip_suffix(&*self.domain)
                .is_some_and(|below| below.ends_with('.'));
            below && host.parse::<std::net::IpAddr>().is_err()
        };
        host == self.domain || !self.is_host_only && is_below()
    }

    /// Accepts the path itself or one below it (RFC 6265 section 5.1.4).
    fn is_for_path(&self, path: &str) -> bool {
        let below = path.strip_prefix(&*self.path);
        below.is_some_and(|below| {
            below.is_empty() || self.path.ends_with('/') || below.starts_with('/')
        })
    }

    fn pair(&self) -> Vec<u8> {
        [&*self.name, &*self.value].join(&b'=')
    }
}

/// Returns the path up to its last slash (RFC 6265 section 5.1.4).
fn default_path(path: &str) -> &str {
    match without_query(path).rfind('/') {
        Some(last) if last > 0 && path.starts_with('/') => &path[..last],
        _ => "/",
    }
}

fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or_default()
}

fn split_at_equals(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = pair.iter().position(|byte| *byte == b'=')?;
    Some((pair[..at].trim_ascii(), pair[at + 1..].trim_ascii()))
}

/// Reads a whole number, perhaps negative; one with too many digits is the furthest there is.
fn seconds(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = str::from_utf8(digits).ok()?.parse().unwrap_or(i64::MAX);
    Some(if is_negative { -value } else { value })
}
