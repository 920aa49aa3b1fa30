//! The machine that ran the load: what a reader needs to know to compare two runs.
//! Contains no host name and no address.

use std::fs;

use serde::{Deserialize, Serialize};

/// The machine that ran the load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// `linux`, `macos`, …
    pub os: String,
    /// `x86_64`, `aarch64`, …
    pub arch: String,
    /// The kernel's release, if it can be read.
    pub kernel: Option<String>,
    /// The name of TCP's congestion control, such as `cubic` or `bbr`, if it can be read.
    pub congestion_control: Option<String>,
    /// The number of cores that this process may use, if known.
    pub cpus: Option<usize>,
    /// The name of the processor, if it can be read.
    pub cpu_model: Option<String>,
}

impl Host {
    /// Reads the facts about this machine.
    pub fn detect() -> Self {
        let read = |path| fs::read_to_string(path).ok();
        Self {
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()),
            congestion_control: read("/proc/sys/net/ipv4/tcp_congestion_control")
                .map(|text| text.trim().to_owned()),
            cpus: std::thread::available_parallelism().ok().map(usize::from),
            cpu_model: read("/proc/cpuinfo").as_deref().and_then(cpu_model),
        }
    }
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    let (_, name) = line.split_once(':')?;
    Some(name.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named_where_it_can_be() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Fast  Chip 9\nprocessor\t: 1\n";
        assert_eq!(cpu_model(cpuinfo).as_deref(), Some("Fast Chip 9"));
        assert_eq!(cpu_model("processor\t: 0\n"), None);
    }

    #[test]
    fn this_machine_has_a_core() {
        let host = Host::detect();
        assert_eq!(host.os, std::env::consts::OS);
        assert!(host.cpus.is_none_or(|cpus| cpus > 0));
    }
}
