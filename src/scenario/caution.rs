//! What a reader of the numbers should know before a run: settings that go together, and do not do all that they seem to.
//! `check` shows them, and the report warns of them.

use std::fmt;

use super::fault::FaultKind;
use super::root::Scenario;
use super::section::{Access, Cohort, Identities, Servers};
use crate::units::{counted, human_count};

/// Something to know of the settings of a cohort.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caution {
    /// What clients do to TCP reaches a proxy, and perhaps not the server.
    FaultByProxy {
        /// The name of the cohort.
        cohort: String,
        /// The kind of fault.
        fault: &'static str,
        /// What the proxy makes of it.
        why: &'static str,
    },
    /// Servers are told an address of theirs that is the relay's.
    AnnouncedOnPath {
        /// The name of the cohort.
        cohort: String,
    },
    /// Several connections of a cohort are the same client to the server.
    SmallPool {
        /// The name of the cohort.
        cohort: String,
        /// The key below `target` that they take turns with.
        key: &'static str,
        /// How many there are.
        pool: usize,
        /// The connections that take them in turn.
        connections: u32,
    },
    /// Promises are judged by the times of reads: over a Unix socket the kernel tells no others.
    TimesOfReads {
        /// The name of the cohort.
        cohort: String,
    },
}

impl Caution {
    /// The stable name, as in `run.json`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::FaultByProxy { .. } => "fault_by_proxy",
            Self::AnnouncedOnPath { .. } => "announced_on_path",
            Self::SmallPool { .. } => "small_pool",
            Self::TimesOfReads { .. } => "times_of_reads",
        }
    }

    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::FaultByProxy { .. } => {
                "what the proxy does with it is part of the result; leave out `proxy` for this cohort to see the server's"
            }
            Self::AnnouncedOnPath { .. } => {
                "leave out `path` for this cohort where the server looks at that address"
            }
            Self::SmallPool { .. } => {
                "as many as there are connections make each a client of its own; fewer are right where the server may not care"
            }
            Self::TimesOfReads { .. } => {
                "dial the address of a port where a millisecond decides; over TCP the kernel stamps what comes"
            }
        }
    }
}

impl fmt::Display for Caution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FaultByProxy { cohort, fault, why } => {
                write!(f, "`{fault}` of `{cohort}` goes through a proxy: {why}")
            }
            Self::AnnouncedOnPath { cohort } => write!(
                f,
                "`proxy_protocol` of `{cohort}` names the relay of `[path]` as the address that was dialled"
            ),
            Self::SmallPool {
                cohort,
                key,
                pool,
                connections,
            } => write!(
                f,
                "`target.{key}` has {} for {} of `{cohort}`: several are the same client to the server",
                human_count(*pool as u64),
                counted((*connections).into(), "connection")
            ),
            Self::TimesOfReads { cohort } => write!(
                f,
                "the promises of `{cohort}` are judged by the times of reads: over a Unix socket the kernel tells no others"
            ),
        }
    }
}

impl Scenario {
    /// What there is to know of its settings.
    pub fn cautions(&self) -> Vec<Caution> {
        let cohorts = self.cohorts.iter();
        let of_one = |cohort| {
            let others = self
                .announced(cohort)
                .into_iter()
                .chain(self.unstamped(cohort));
            by_proxy(cohort).chain(others).chain(small_pools(cohort))
        };
        cohorts.flat_map(of_one).collect()
    }

    fn unstamped(&self, cohort: &Cohort) -> Option<Caution> {
        let servers = cohort.dialled(&self.target.url);
        let is_unix = servers.is_some_and(Servers::has_unix);
        (is_unix && cohort.contract.is_some()).then(|| Caution::TimesOfReads {
            cohort: cohort.name.clone(),
        })
    }

    fn announced(&self, cohort: &Cohort) -> Option<Caution> {
        let is_led = (self.path.as_ref()).is_some_and(|path| path.leads(&cohort.name));
        (is_led && cohort.access.announce.is_some()).then(|| Caution::AnnouncedOnPath {
            cohort: cohort.name.clone(),
        })
    }
}

/// What belongs to TCP connections is not what streams that share them have in turn.
fn small_pools(cohort: &Cohort) -> impl Iterator<Item = Caution> {
    let Access {
        tls,
        announce,
        http,
        ..
    } = &cohort.access;
    let identities = match &tls.identities {
        Identities::Each(all) => all.len(),
        Identities::None | Identities::One { .. } => 0,
    };
    let claimed = announce
        .as_ref()
        .map_or(0, |announce| announce.claimed.len());
    let is_shared = http.is_shared();
    let pools = [
        ("tls.identities", identities),
        ("proxy_protocol.source", claimed),
    ];
    pools.into_iter().filter_map(move |(key, pool)| {
        let is_small = pool > 0 && pool < cohort.connections as usize && !is_shared;
        is_small.then(|| Caution::SmallPool {
            cohort: cohort.name.clone(),
            key,
            pool,
            connections: cohort.connections,
        })
    })
}

fn by_proxy(cohort: &Cohort) -> impl Iterator<Item = Caution> {
    let faults = cohort.faults.iter();
    let faults = faults.filter(|_| cohort.access.proxy.is_some());
    faults.filter_map(|fault| {
        let why = match fault.kind {
            FaultKind::StopReading => "its buffers fill before the server notices",
            FaultKind::HalfClose => "it passes the FIN on, or does not",
            FaultKind::Reset => "it ends its connection to the server in its own way",
            FaultKind::NoPong
            | FaultKind::NeverClose
            | FaultKind::LatePong { .. }
            | FaultKind::PongStopsAfter { .. }
            | FaultKind::WrongPong
            | FaultKind::Only { .. }
            | FaultKind::Trickle { .. }
            | FaultKind::Fragments { .. }
            | FaultKind::Vanish { .. }
            | FaultKind::IllegalFrame(_)
            | FaultKind::Close { .. }
            | FaultKind::Hold => return None,
        };
        Some(Caution::FaultByProxy {
            cohort: cohort.name.clone(),
            fault: fault.kind.name(),
            why,
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::scenario::Overrides;
    use crate::scenario::parse::parse_alone;

    /// A scenario with these lines in `[target]`, and others: what there is to know, or what is wrong.
    fn read(target: &str, rest: &str) -> Result<Vec<String>, String> {
        let connections = match rest.contains("cohort") {
            true => "",
            false => "load.connections = 16",
        };
        let text = format!(
            r#"
            name = "x"
            load.duration = "9s"
            {connections}
            {rest}
            [target]
            url = "ws://127.0.0.1:9/"
            {target}
            "#
        );
        let scenario = parse_alone(&text, &Overrides::default());
        let scenario = scenario.map_err(|problems| problems.to_string())?;
        let cautions = scenario.cautions();
        Ok(cautions.iter().map(ToString::to_string).collect())
    }

    fn faulty(target: &str, fault: &str) -> Result<Vec<String>, String> {
        let cohort =
            format!("cohort = [{{ name = \"bad\", connections = 16, fault = {{ {fault} }} }}]");
        read(target, &cohort)
    }

    /// What wsbench does with TCP reaches the proxy; what it does with frames reaches the server.
    #[test]
    fn each_fault_is_taken_warned_of_or_refused_behind_a_proxy() {
        const PROXY: &str = "proxy = \"http://127.0.0.1:3128\"";
        for fault in [
            "kind = \"no_pong\"",
            "kind = \"never_close\"",
            "kind = \"late_pong\", delay = \"1s\"",
            "kind = \"pong_stops_after\", pings = 1",
            "kind = \"wrong_pong\"",
            "kind = \"only\", frame = \"pong\"",
            "kind = \"trickle\"",
            "kind = \"fragments\"",
            "kind = \"illegal_frame\", frame = \"long_ping\"",
            "kind = \"close\"",
            "kind = \"hold\"",
        ] {
            assert_eq!(faulty(PROXY, fault), Ok(vec![]), "{fault}");
        }
        for (fault, said) in [
            (
                "stop_reading",
                "`stop_reading` of `bad` goes through a proxy: its buffers fill",
            ),
            (
                "half_close",
                "`half_close` of `bad` goes through a proxy: it passes the FIN on",
            ),
            (
                "reset",
                "`reset` of `bad` goes through a proxy: it ends its connection",
            ),
        ] {
            let fault = format!("kind = \"{fault}\"");
            assert_eq!(faulty("", &fault), Ok(vec![]), "{fault}");
            let cautions = faulty(PROXY, &fault).unwrap();
            assert!(
                cautions.len() == 1 && cautions[0].starts_with(said),
                "{cautions:?}"
            );
        }
        let refused = faulty(PROXY, "kind = \"vanish\"").unwrap_err();
        let said = "`cohort.fault` cannot be `vanish` in a cohort behind a proxy";
        assert!(refused.contains(said), "{refused}");
    }

    #[test]
    fn promises_about_the_sockets_of_a_server_are_refused_behind_a_proxy() {
        for promise in [
            "released_within = \"1s\"",
            "reaped_between = [\"1s\", \"2s\"]",
        ] {
            let contract = format!("contract = {{ {promise} }}");
            assert_eq!(read("", &contract), Ok(vec![]), "{promise}");
            let refused = read("proxy = \"socks5://127.0.0.1:1080\"", &contract).unwrap_err();
            assert!(refused.contains("a proxy dials from its own"), "{refused}");
        }
    }

    #[test]
    fn a_relay_before_a_server_that_is_told_of_clients_is_warned_of() {
        let announced = "proxy_protocol = { source = \"203.0.113.0/24\" }";
        assert_eq!(read(announced, ""), Ok(vec![]));
        let cautions = read(announced, "path.delay = \"1ms\"").unwrap();
        let said = "`proxy_protocol` of `main` names the relay of `[path]`";
        assert!(
            cautions.len() == 1 && cautions[0].starts_with(said),
            "{cautions:?}"
        );
    }

    #[test]
    fn a_pool_that_is_smaller_than_the_cohort_is_told() {
        let claims =
            |source: &str| read(&format!("proxy_protocol = {{ source = \"{source}\" }}"), "");
        let told = claims("203.0.113.1-203.0.113.9").unwrap();
        let said = "`target.proxy_protocol.source` has 9 for 16 connections of `main`";
        assert!(told.len() == 1 && told[0].starts_with(said), "{told:?}");
        assert_eq!(claims("203.0.113.0/28").unwrap(), [""; 0]);
        assert_eq!(claims("real").unwrap(), [""; 0]);
    }

    #[test]
    fn promises_over_a_unix_socket_are_judged_by_reads() {
        let contract = "contract.closed = 0";
        let told = read("unix = \"/run/a.sock\"", contract).unwrap();
        let said = "the promises of `main` are judged by the times of reads";
        assert!(told.len() == 1 && told[0].starts_with(said), "{told:?}");
        assert_eq!(read("", contract).unwrap(), [""; 0]);
    }
}
