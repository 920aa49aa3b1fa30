//! The resources that wsbench itself uses: CPU and memory of this process; and those that the target used since the last
//! time. Known on Linux only.

use crate::measure::{Interval, Sample, Usage};
use crate::metric::ENOUGH_FOR_MEMORY;
use crate::units::{Nanos, Timestamp};

/// The shortest time over which processor time is compared with it.
const SHORTEST: f64 = 0.1;

/// Samples the process once for each interval.
#[derive(Debug)]
pub(super) struct Sampler {
    /// Memory before the first dial, in bytes.
    rss_before: Option<f64>,
    last_cpu: Option<f64>,
    /// The processor time of the target up to the last call.
    target_cpu: Option<Nanos>,
    last_at: Timestamp,
}

impl Sampler {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            rss_before: system::rss(),
            last_cpu: system::cpu_seconds(),
            target_cpu: None,
            last_at: now,
        }
    }

    /// Takes what the target has used before the run.
    pub(super) fn begin(&mut self, target: Option<Usage>) {
        self.target_cpu = target.and_then(|used| used.cpu);
    }

    /// Samples the time since the last call; `open` is the number of connections open now, and `target` what the target
    /// has used up to now.
    pub(super) fn sample(&mut self, now: Timestamp, open: u64, target: Option<Usage>) -> Sample {
        let cpu_seconds = system::cpu_seconds();
        let passed = now.saturating_since(self.last_at).as_secs_f64();
        let cpu = cpu_seconds
            .zip(self.last_cpu)
            .filter(|_| passed > SHORTEST)
            .map(|(now, last)| 100.0 * (now - last) / passed);
        self.last_cpu = cpu_seconds;
        let target = target.map(|used| {
            let last = std::mem::replace(&mut self.target_cpu, used.cpu);
            // A process that has ended, and that nobody waited for, takes its time with it.
            let both = used.cpu.zip(last).filter(|_| passed > SHORTEST);
            let in_time = both.map(|(now, last)| now.saturating_sub(last).as_secs_f64() / passed);
            Usage {
                cpu: in_time.map(|share| Interval::SECOND.mul_f64(share)),
                ..used
            }
        });
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
            target,
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
        let sample = sampler.sample(
            Timestamp::from_nanos(1_000_000_000),
            ENOUGH_FOR_MEMORY,
            None,
        );
        assert!(sample.rss.unwrap() > 1e5);
        assert!(sample.cpu.unwrap() >= 0.0);
        assert!(sample.bytes_per_connection.unwrap() >= 0.0);
        assert_eq!(sample.target, None);
    }

    #[test]
    fn processor_time_of_the_target_is_that_of_a_second() {
        let used = |millis| Usage {
            rss: 5,
            descriptors: 7,
            cpu: Some(Nanos::from_millis(millis)),
        };
        let mut sampler = Sampler::new(Timestamp::ORIGIN);
        sampler.begin(Some(used(9_000)));
        let mut at = |millis, spent| {
            let now = Timestamp::ORIGIN + Nanos::from_millis(millis);
            sampler.sample(now, 0, Some(used(spent))).target.unwrap()
        };
        assert_eq!(at(2_000, 9_500), used(250));
        assert_eq!(at(3_000, 9_600), used(100));
        assert_eq!(at(3_050, 9_550).cpu, None, "the time is too short");
        assert_eq!(at(4_050, 9_100).cpu, Some(Nanos(0)), "a process has ended");
    }
}
