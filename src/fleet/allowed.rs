//! Which targets an agent takes: its own machine, and what its command line names. So a stolen key of a coordinator cannot
//! aim a fleet.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::scenario::{Cohort, Scenario, TargetUrl, WebOrigin, WsUrl};
use crate::units::visible;

/// Hosts that an agent may dial: `chat.example.org`, `*.example.org`, `10.0.0.7:8080`, `unix:/run/chat.sock`, or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    host: String,
    /// `None`: any.
    port: Option<u16>,
}

impl FromStr for Pattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const HINT: &str = "write a host, with a port or without, like chat.example.org, *.example.org:443 or 10.0.0.7; * is any";
        let text = text.trim();
        let bare = |host: &str| {
            host.trim_start_matches('[')
                .trim_end_matches(']')
                .to_ascii_lowercase()
        };
        if text.starts_with("unix:/") {
            let host = text.to_owned();
            return Ok(Self { host, port: None });
        }
        let is_v6 = text
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_ipv6());
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !is_v6 && !port.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| HINT)?))
            }
            _ => (text, None),
        };
        let host = bare(host);
        let stars = host.matches('*').count();
        let is_fine = stars == 0 || host == "*" || (stars == 1 && host.starts_with("*."));
        let is_host = |c: char| c.is_ascii_alphanumeric() || ".-_:*".contains(c);
        match !host.is_empty() && is_fine && host.chars().all(is_host) {
            true => Ok(Self { host, port }),
            false => Err(HINT),
        }
    }
}

impl Pattern {
    fn is_any(&self) -> bool {
        self.host == "*" && self.port.is_none()
    }

    fn allows(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let is_host = match self.host.strip_prefix('*') {
            // A socket may be any service of the machine itself: it has to be named.
            Some("") => !host.starts_with("unix:"),
            Some(end) => host.ends_with(end),
            None => self.host == host,
        };
        is_host && self.port.is_none_or(|own| own == port)
    }
}

/// A target that an agent does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAllowed(String);

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks everything that a scenario would dial against these patterns.
///
/// # Errors
/// The first that is neither this machine nor allowed.
pub fn check(scenario: &Scenario, allowed: &[Pattern]) -> Result<(), NotAllowed> {
    let any = allowed.iter().any(Pattern::is_any);
    for cohort in &scenario.cohorts {
        for (host, port) in dialled(cohort, &scenario.target.url) {
            if !is_own(&host) && !allowed.iter().any(|one| one.allows(&host, port)) {
                let place = match host.starts_with("unix:") {
                    true => visible(&host),
                    false => format!("{}:{port}", visible(&host)),
                };
                return Err(NotAllowed(format!(
                    "it takes no target at {place}; start it with `--allow-target {place}` if it should"
                )));
            }
        }
        if cohort.access.redirects > 0 && !any {
            return Err(NotAllowed(
                "redirects may lead anywhere; start it with `--allow-target '*'` if they may, or leave out `redirects`"
                    .to_owned(),
            ));
        }
    }
    Ok(())
}

/// All hosts and ports that connections of a cohort may go to; of a name with addresses in the scenario those, too.
fn dialled(cohort: &Cohort, target: &TargetUrl) -> Vec<(String, u16)> {
    let own = cohort.dialled(target);
    let own = own.iter().flat_map(|servers| servers.urls());
    let origins: Vec<WebOrigin> = own
        .map(WsUrl::origin)
        .chain(cohort.other_servers())
        .collect();
    let mut all = Vec::new();
    for origin in &origins {
        if let Some(path) = &origin.unix {
            all.push((format!("unix:{}", path.display()), 0));
            continue;
        }
        let proxy = cohort.access.proxy.as_ref();
        let proxy = proxy.map(|proxy| (&*proxy.host, proxy.port));
        for (host, port) in proxy.into_iter().chain([(&*origin.host, origin.port)]) {
            all.push((host.to_owned(), port));
            let pinned = cohort.access.addresses.pinned(host).unwrap_or_default();
            all.extend(pinned.iter().map(|address| (address.to_string(), port)));
        }
    }
    all
}

/// Whether a host is this machine.
fn is_own(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Overrides, parse_alone};

    fn checked(scenario: &str, allowed: &[&str]) -> Result<(), String> {
        let scenario = parse_alone(scenario, &Overrides::default()).unwrap();
        let allowed: Vec<Pattern> = allowed.iter().map(|text| text.parse().unwrap()).collect();
        check(&scenario, &allowed).map_err(|error| error.to_string())
    }

    fn at(url: &str, more: &str) -> String {
        let load = "load = { connections = 1, duration = \"1s\" }";
        format!(
            "name = \"x\"\n{load}\ntarget = {{ url = \"{url}\"{more} }}\nmessage = [{{ name = \"echo\", rate = \"1/s\" }}]"
        )
    }

    #[test]
    fn an_agent_takes_its_own_machine_and_what_it_was_told() {
        for url in ["ws://127.0.0.1:9/", "ws://localhost/", "ws://[::1]:9/"] {
            assert_eq!(checked(&at(url, ""), &[]), Ok(()), "{url}");
        }
        let chat = at("wss://chat.example.org/", "");
        let refused = checked(&chat, &[]).unwrap_err();
        assert!(
            refused.contains("--allow-target chat.example.org:443"),
            "{refused}"
        );
        for fine in [
            "*",
            "chat.example.org",
            "*.example.org",
            "CHAT.example.org:443",
            "*:443",
        ] {
            assert_eq!(checked(&chat, &[fine]), Ok(()), "{fine}");
        }
        for other in [
            "chat.example.org:80",
            "example.org",
            "*.example.com",
            "chat.example",
        ] {
            assert!(checked(&chat, &["10.0.0.7", other]).is_err(), "{other}");
        }
    }

    #[test]
    fn no_way_leads_around_it() {
        let pinned = at(
            "ws://localhost:9/",
            ", resolve = { localhost = \"10.0.0.7\" }",
        );
        assert!(checked(&pinned, &[]).unwrap_err().contains("10.0.0.7:9"));
        let proxy = at(
            "ws://127.0.0.1:9/",
            ", proxy = \"http://proxy.example.org:3128\"",
        );
        assert!(
            checked(&proxy, &[])
                .unwrap_err()
                .contains("proxy.example.org:3128")
        );
        let behind = at(
            "ws://chat.example.org:9/",
            ", proxy = \"http://127.0.0.1:3128\"",
        );
        assert!(
            checked(&behind, &[])
                .unwrap_err()
                .contains("chat.example.org:9")
        );
        let redirects = at("ws://127.0.0.1:9/", ", redirects = 1");
        assert!(
            checked(&redirects, &["*:9"])
                .unwrap_err()
                .contains("redirects")
        );
        assert_eq!(checked(&redirects, &["*"]), Ok(()));
        let socket = at("ws+unix:/run/docker.sock:/", "");
        assert!(
            checked(&socket, &["*.example.org"])
                .unwrap_err()
                .contains("unix:/run/docker.sock")
        );
        assert_eq!(checked(&socket, &["unix:/run/docker.sock"]), Ok(()));
    }

    #[test]
    fn a_pattern_is_a_host_or_none() {
        for wrong in ["", "a*b", "*x", "*.a.*", "host:port", "http://a", "a b"] {
            assert!(wrong.parse::<Pattern>().is_err(), "{wrong}");
        }
        let v6: Pattern = "[fd00::7]:9".parse().unwrap();
        assert!(v6.allows("fd00::7", 9) && !v6.allows("fd00::7", 8));
        let v6: Pattern = "fd00::7".parse().unwrap();
        assert!(v6.allows("fd00::7", 8));
    }
}
