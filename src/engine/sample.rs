//! The resources that wsbench itself uses: CPU and memory of this process. Known on Linux only.

use crate::measure::Sample;
use crate::metric::ENOUGH_FOR_MEMORY;
use crate::units::Timestamp;

/// Samples the process once for each interval.
#[derive(Debug)]
pub(super) struct Sampler {
    /// Memory before the first dial, in bytes.
    rss_before: Option<f64>,
    last_cpu: Option<f64>,
    last_at: Timestamp,
}

impl Sampler {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            rss_before: system::rss(),
            last_cpu: system::cpu_seconds(),
            last_at: now,
        }
    }

    /// Samples the time since the last call; `open` is the number of connections open now.
    pub(super) fn sample(&mut self, now: Timestamp, open: u64) -> Sample {
        let cpu_seconds = system::cpu_seconds();
        let passed = now.saturating_since(self.last_at).as_secs_f64();
        let cpu = cpu_seconds
            .zip(self.last_cpu)
            .filter(|_| passed > 0.1)
            .map(|(now, last)| 100.0 * (now - last) / passed);
        self.last_cpu = cpu_seconds;
        self.last_at = now;
        let rss = system::rss();
        let grown = rss
            .zip(self.rss_before)
            .map(|(now, before)| (now - before).max(0.0));
        Sample {
            cpu,
            rss,
            bytes_per_connection: grown
                .filter(|_| open >= ENOUGH_FOR_MEMORY)
                .map(|grown| grown / open as f64),
        }
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;

    use rustix::time::{ClockId, clock_gettime};

    /// User and system time of this process, in seconds.
    pub(super) fn cpu_seconds() -> Option<f64> {
        let spent = clock_gettime(ClockId::ProcessCPUTime);
        Some(spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9)
    }

    /// Resident memory in bytes.
    pub(super) fn rss() -> Option<f64> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024.0)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn cpu_seconds() -> Option<f64> {
        None
    }

    pub(super) fn rss() -> Option<f64> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_used_some_cpu() {
        let mut sampler = Sampler::new(Timestamp::ORIGIN);
        let sample = sampler.sample(Timestamp::from_nanos(1_000_000_000), ENOUGH_FOR_MEMORY);
        assert!(sample.rss.unwrap() > 1e5);
        assert!(sample.cpu.unwrap() >= 0.0);
        assert!(sample.bytes_per_connection.unwrap() >= 0.0);
    }
}
