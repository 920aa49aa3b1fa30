//! Limits checked before the first connection: file descriptors, local ports, memory, and the permission to vanish.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use crate::net::check_device;
use crate::plan::Budget;
use crate::scenario::{Cohort, Fault, FaultKind, Scenario};
use crate::units::{ByteSize, counted};

/// The plan needs more resources than this machine has. Fits after "failed to".
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Too few file descriptors.
    #[error(
        "open {} at once: that takes {needed} file descriptors, and the hard limit is {limit}\nhint: raise it (`ulimit -Hn {needed}`, or LimitNOFILE= of the service){}",
        counted(*connections, "connection"),
        match possible {
            0 => String::new(),
            possible => format!(", or ask for at most {}", counted(*possible, "connection")),
        }
    )]
    Descriptors {
        /// Connections open at once.
        connections: u64,
        /// Descriptors that they need.
        needed: u64,
        /// The hard limit of this process.
        limit: u64,
        /// How many connections the limit allows.
        possible: u64,
    },
    /// Too few local ports.
    #[error(
        "open {} at once: that takes {needed} local ports{} on each source address, and net.ipv4.ip_local_port_range gives {limit}\nhint: widen that range, or use more addresses: `target.source_addresses = [\"127.0.0.1-127.0.0.{sources}\"]`",
        counted(*connections, "connection"),
        proxy.iter().map(|proxy| format!(" to the proxy {proxy}, however many servers there are,")).collect::<String>()
    )]
    Ports {
        /// Connections open at once.
        connections: u64,
        /// Ports that they need on each source address.
        needed: u64,
        /// Ports available on each source address.
        limit: u64,
        /// How many source addresses are enough.
        sources: u64,
        /// The proxy that all of these connections go to.
        proxy: Option<String>,
    },
    /// Too little memory.
    #[error(
        "open {} at once: the run would take about {needed} of memory, and this process may have {limit}\nhint: ask for fewer connections or cohorts, or for shorter payloads",
        counted(*connections, "connection")
    )]
    Memory {
        /// Connections open at once.
        connections: u64,
        /// Estimated memory of the run.
        needed: ByteSize,
        /// Memory that the machine, its control group or `ulimit -v` allows.
        limit: ByteSize,
    },
    /// Too many workers.
    #[error(
        "start {}: at most {limit} are of use on {}\nhint: leave out `--workers`: each core then has one",
        counted(*asked as u64, "worker"),
        counted(*cores as u64, "core")
    )]
    Workers {
        /// The number asked for.
        asked: usize,
        /// The most for this many cores.
        limit: usize,
        /// The cores that this process may use.
        cores: usize,
    },
    /// Too many workers for the stamps of published messages.
    #[error(
        "publish to topics from {}: stamps tell {limit} apart\nhint: use fewer: `--workers {limit}`",
        counted(*workers as u64, "worker")
    )]
    Lanes {
        /// The number of workers.
        workers: usize,
        /// The most.
        limit: usize,
    },
    /// The target and the source addresses are of different families.
    #[error(
        "dial {target} from the addresses in `target.source_addresses`: one is IPv4 and the other IPv6"
    )]
    Family {
        /// An address of the target.
        target: IpAddr,
    },
    /// A source address does not belong to this machine.
    #[error(
        "dial from {address} of `target.source_addresses`: it is no address of this machine\nhint: `ip address` lists those there are; 127.0.0.1 to 127.255.255.254 are there on Linux"
    )]
    Source {
        /// The address.
        address: IpAddr,
    },
    /// A network device cannot be dialled over.
    #[error("dial over `{device}` (`device`): {why}\nhint: `ip link` lists the devices there are")]
    Device {
        /// The name of the device.
        device: String,
        /// The system's error.
        why: String,
    },
    /// Clients shall vanish, and this process has no permission for that.
    #[error(
        "make clients of cohort `{cohort}` vanish (`fault = {{ kind = \"vanish\" }}`): that takes the right to filter and to abandon TCP connections (CAP_NET_ADMIN)\nhint: run wsbench as root; or let it start the target (`target.command`): both are then in a network of their own, where that right is there"
    )]
    Vanish {
        /// The name of the cohort.
        cohort: String,
    },
}

/// The most workers for each core. Each wakes up 500 times a second even if nothing is due, so with hundreds of them on
/// a core the load would wait for idle workers.
const WORKERS_PER_CORE: usize = 16;

/// The cores that this process may use, which is the default number of workers.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Returns the number of workers: `asked`, or one for each core.
///
/// # Errors
/// When it is more than this many cores can run beside each other.
pub fn workers(asked: Option<usize>, cores: usize) -> Result<usize, LimitError> {
    let limit = cores.saturating_mul(WORKERS_PER_CORE);
    match asked {
        None => Ok(cores),
        Some(asked) if asked <= limit => Ok(asked),
        Some(asked) => Err(LimitError::Workers {
            asked,
            limit,
            cores,
        }),
    }
}

/// Checks whether the clients can play their faults.
pub(super) fn check_faults(
    cohorts: &[Cohort],
    can_vanish: impl FnOnce() -> bool,
) -> Result<(), LimitError> {
    let vanishes = |fault: &Fault| matches!(fault.kind, FaultKind::Vanish { .. });
    let mut cohorts = cohorts.iter();
    match cohorts.find(|cohort| cohort.faults.iter().any(vanishes)) {
        Some(cohort) if !can_vanish() => Err(LimitError::Vanish {
            cohort: cohort.name.clone(),
        }),
        _ => Ok(()),
    }
}

/// The limits of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The hard limit of file descriptors.
    pub descriptors: u64,
    /// Local ports for connections to one address and port; `None` if the system does not report it.
    pub ports: Option<u64>,
    /// Memory in bytes that this process may have; `None` if the system does not report it.
    pub memory: Option<u64>,
}

impl Limits {
    /// Reads the limits, and raises the soft limit of file descriptors to the hard one: for this process, and for the
    /// processes that it starts from then on.
    pub fn of_this_machine() -> Self {
        // Uses the present limit if it cannot be raised.
        let descriptors = rlimit::increase_nofile_limit(u64::MAX)
            .unwrap_or_else(|_| rlimit::Resource::NOFILE.get_soft().unwrap_or(u64::MAX));
        Self {
            descriptors,
            ports: local_ports(),
            memory: memory(),
        }
    }

    /// Checks whether this process has the descriptors and the memory that a plan needs.
    ///
    /// # Errors
    /// When it has not.
    pub fn check_process(&self, budget: &Budget) -> Result<(), LimitError> {
        if budget.descriptors > self.descriptors {
            return Err(LimitError::Descriptors {
                connections: budget.open_at_once,
                needed: budget.descriptors,
                limit: self.descriptors,
                possible: budget.connections_within(self.descriptors),
            });
        }
        if let Some(limit) = self.memory.filter(|limit| budget.memory > *limit) {
            let mebibytes = |bytes: u64| ByteSize(bytes >> 20 << 20);
            return Err(LimitError::Memory {
                connections: budget.open_at_once,
                needed: mebibytes(budget.memory),
                limit: mebibytes(limit),
            });
        }
        Ok(())
    }

    /// Checks whether a plan fits, for a target with `targets` addresses.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn check(&self, budget: &Budget, targets: usize) -> Result<(), LimitError> {
        self.check_process(budget)?;
        let Some(ports) = self.ports else {
            return Ok(());
        };
        // Those addresses are the target's, and not the proxy's.
        let targets = budget.ports_to.as_ref().map_or(targets, |_| 1);
        let needed = budget.ports.div_ceil(targets.max(1) as u64);
        if needed > ports {
            return Err(LimitError::Ports {
                connections: budget.open_at_once,
                needed,
                limit: ports,
                sources: budget.tcp_at_once.div_ceil(ports.max(1)),
                proxy: budget.ports_to.clone(),
            });
        }
        Ok(())
    }
}

/// Checks that each connection can be dialled from its source address: for each one, the target has an address of the
/// same family.
pub(super) fn check_families(targets: &[SocketAddr], sources: &[IpAddr]) -> Result<(), LimitError> {
    let fits =
        |target: &SocketAddr| (sources.iter()).all(|source| source.is_ipv4() == target.is_ipv4());
    match targets.first() {
        Some(target) if !targets.iter().any(fits) => Err(LimitError::Family {
            target: target.ip(),
        }),
        _ => Ok(()),
    }
}

/// Checks that each source address belongs to this machine, by binding a socket to it.
///
/// # Errors
/// When one does not.
pub fn check_sources(sources: &[IpAddr]) -> Result<(), LimitError> {
    for source in sources {
        let bound = UdpSocket::bind((*source, 0));
        if matches!(bound, Err(error) if error.kind() == ErrorKind::AddrNotAvailable) {
            return Err(LimitError::Source { address: *source });
        }
    }
    Ok(())
}

/// Checks that clients can dial over each network device that a scenario names.
///
/// # Errors
/// When they cannot over one.
pub fn check_devices(scenario: &Scenario) -> Result<(), LimitError> {
    for cohort in &scenario.cohorts {
        if let Some(device) = &cohort.access.addresses.device {
            check_device(device).map_err(|error| LimitError::Device {
                device: device.clone(),
                why: error.to_string(),
            })?;
        }
    }
    Ok(())
}

fn local_ports() -> Option<u64> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ends = range.split_ascii_whitespace().map(str::parse::<u64>);
    let (low, high) = (ends.next()?.ok()?, ends.next()?.ok()?);
    Some((high + 1).saturating_sub(low))
}

/// Returns the smallest of the machine's memory, the limit of its control group (version 2 or 1), and RLIMIT_AS.
fn memory() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| {
        let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let kibibytes: u64 = total?.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes << 10)
    });
    let groups = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let groups = groups.map(|path| read(path)?.trim().parse().ok());
    let own = rlimit::Resource::AS.get_soft().ok();
    let own = own.filter(|limit| *limit != rlimit::INFINITY);
    groups.into_iter().chain([machine, own]).flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn budget(open_at_once: u64, ports: u64) -> Budget {
        Budget {
            open_at_once,
            tcp_at_once: open_at_once,
            dials: open_at_once,
            sends_per_second: None,
            sends_in_all: 0,
            pings_per_second: 0.0,
            planned: Some(Duration::ZERO),
            overtime: Duration::ZERO,
            descriptors: open_at_once + 64,
            other_descriptors: 64,
            ports,
            ports_to: None,
            memory: 0,
            compressing: Vec::new(),
        }
    }

    const LIMITS: Limits = Limits {
        descriptors: 20_000,
        ports: Some(28_232),
        memory: Some(4 << 30),
    };

    #[test]
    fn a_plan_that_fits_passes() {
        assert_eq!(LIMITS.check(&budget(19_936, 19_936), 1), Ok(()));
    }

    #[test]
    fn too_few_descriptors_say_how_many_and_what_to_do() {
        let error = LIMITS.check(&budget(30_000, 1), 1).unwrap_err().to_string();
        for part in ["30,000 connections", "30064", "20000", "19,936", "ulimit"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn too_little_memory_says_how_much_is_there() {
        let budget = Budget {
            memory: 5 << 40,
            ..budget(10, 10)
        };
        let error = LIMITS.check(&budget, 1).unwrap_err().to_string();
        for part in ["5120GiB", "4GiB", "hint: ask for fewer"] {
            assert!(error.contains(part), "{error}");
        }
    }

    /// Reads MemTotal of proc_meminfo(5).
    #[cfg(target_os = "linux")]
    #[test]
    fn the_memory_of_this_machine_is_known() {
        assert!(memory().is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn idle_workers_must_not_take_the_cores_of_the_load() {
        assert_eq!(workers(None, 2), Ok(2));
        assert_eq!(workers(Some(32), 2), Ok(32));
        let error = workers(Some(1024), 2).unwrap_err().to_string();
        for part in ["1,024 workers", "at most 32", "2 cores", "hint:"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn clients_vanish_only_where_they_may() {
        let mut cohort =
            crate::engine::session::tests::plan("load = { connections = 1, duration = \"1s\" }")
                .scenario
                .cohorts
                .remove(0);
        let never_asked = || unreachable!("nobody vanishes");
        assert_eq!(
            check_faults(std::slice::from_ref(&cohort), never_asked),
            Ok(())
        );
        cohort.faults.push(Fault {
            kind: FaultKind::Vanish { lasts: None },
            after: Duration::ZERO,
        });
        assert_eq!(check_faults(std::slice::from_ref(&cohort), || true), Ok(()));
        let error = check_faults(&[cohort], || false).unwrap_err().to_string();
        for part in ["`main`", "CAP_NET_ADMIN", "hint:", "target.command"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn too_few_ports_say_how_many_addresses_would_do() {
        let limits = Limits {
            descriptors: u64::MAX,
            ..LIMITS
        };
        let error = limits
            .check(&budget(60_000, 60_000), 1)
            .unwrap_err()
            .to_string();
        assert!(error.contains("127.0.0.1-127.0.0.3"), "{error}");
        let by_proxy = Budget {
            ports_to: Some("http://proxy:3128".to_owned()),
            ..budget(60_000, 60_000)
        };
        let error = limits.check(&by_proxy, 9).unwrap_err().to_string();
        let said = "60000 local ports to the proxy http://proxy:3128, however many servers";
        assert!(error.contains(said), "{error}");
        assert_eq!(limits.check(&budget(60_000, 20_000), 1), Ok(()));
    }

    #[test]
    fn a_source_has_to_be_of_this_machine() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let own = [address("127.0.0.1"), address("127.0.0.9")];
        assert_eq!(check_sources(&own), Ok(()));
        let foreign = address("192.0.2.7");
        let refused = Err(LimitError::Source { address: foreign });
        assert_eq!(check_sources(&[own[0], foreign]), refused);
    }

    #[test]
    fn a_name_of_both_families_can_be_dialled_from_either() {
        let both: Vec<SocketAddr> = ["[::1]:1", "127.0.0.1:1"]
            .map(|a| a.parse().unwrap())
            .into();
        let v4 = ["127.0.0.2".parse().unwrap()];
        assert_eq!(check_families(&both, &v4), Ok(()));
        assert!(check_families(&both[..1], &v4).is_err());
    }
}
