//! What stands around the shards: which part of which run it is, and how it ended.

use serde::{Deserialize, Serialize};

use crate::units::Timestamp;

/// No time of a run is as late: two of them can be added.
pub(super) const LATEST: Timestamp = Timestamp::from_nanos(1 << 62);

/// The first record: which part of which run this is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The part.
    pub part: PartOf,
    /// The time of the first dial of all parts, in nanoseconds since 1970.
    pub start_ns: u64,
    /// What the plan is made of; the same in all parts.
    pub recipe: Recipe,
    /// The machine.
    pub machine: Machine,
    /// What people call the process, besides its number; `None` if it has no name.
    pub name: Option<String>,
}

/// What makes a plan: any machine can make it again. Holds no secret but those that the scenario's text spells out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The version of the program that wrote it.
    pub wsbench: String,
    /// The seed.
    pub seed: u64,
    /// The scenario, as the command line named it.
    pub scenario: String,
    /// Whether it was read from a file of that name.
    pub is_file: bool,
    /// Its text, as the user wrote it: `${NAME}` is not replaced.
    pub text: String,
    /// What the command line changed, as it was typed.
    pub changes: Vec<String>,
    /// The files that it was read from, by name, with the SHA-256 of each in hexadecimal.
    pub files: Vec<(String, String)>,
    /// The SHA-256 of all of this and of what became of it, in hexadecimal.
    pub plan: String,
}

impl Head {
    /// What cannot be true of it.
    pub(super) fn contradiction(&self) -> Option<&'static str> {
        let PartOf { number, parts } = self.part;
        let cores = self.machine.cores;
        if number == 0 || number > parts {
            Some("there is no such part")
        } else if !(1..=1 << 16).contains(&self.machine.workers) {
            Some("no process has so many workers")
        } else if cores.is_some_and(|cores| !(0.0..=1e6).contains(&cores)) {
            Some("no machine has so many cores")
        } else {
            None
        }
    }
}

/// Which part of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PartOf {
    /// From 1.
    pub number: u32,
    /// How many there are.
    pub parts: u32,
}

/// What the system gives this process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Worker threads.
    pub workers: u32,
    /// Whether a timer with nanosecond resolution keeps the deadlines.
    pub precise_timer: bool,
    /// Whether the kernel reports acknowledgements.
    pub kernel_view: bool,
    /// How many cores this process may use; `None` if the system does not say.
    pub cores: Option<f64>,
    /// `linux`, `macos`, …
    pub os: String,
    /// `x86_64`, `aarch64`, …
    pub arch: String,
    /// The kernel's release, if it can be read.
    pub kernel: Option<String>,
    /// The number of cores that this process may use, if known.
    pub cpus: Option<usize>,
    /// The name of the processor, if it can be read.
    pub cpu_model: Option<String>,
    /// The name of TCP's congestion control, such as `cubic` or `bbr`, if it can be read.
    pub congestion_control: Option<String>,
}

/// The last record: how the part ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// How many seconds it has told of.
    pub seconds: u64,
    /// How many connections opened in all of them.
    pub opened: u64,
    /// Whether a signal ended its load.
    pub interrupted: bool,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// When each of its planned connections was open or had failed; `None` if that never was, or is not asked.
    pub settled_ns: Option<Timestamp>,
    /// When its load ended.
    pub load_ended_ns: Timestamp,
    /// When its last connection had ended.
    pub ended_ns: Timestamp,
    /// How long after the named time it began, in nanoseconds.
    pub late_ns: u64,
    /// How long after its begin this process heard of the measured time, in nanoseconds, if it did not hear of it before.
    pub told_late_ns: Option<u64>,
    /// Periods of the limit of CPU in which something ran, and those in which the limit was used up.
    pub throttling: Option<(u64, u64)>,
    /// How many look-ups of a name failed, and the error of the last.
    pub look_ups_failed: Option<(u64, String)>,
}

impl End {
    /// Whether its numbers can be computed with.
    pub(super) fn is_possible(&self) -> bool {
        const MOST: u64 = 1 << 53;
        let times = [
            Some(self.load_ended_ns),
            Some(self.ended_ns),
            self.settled_ns,
        ];
        let (periods, throttled) = self.throttling.unwrap_or_default();
        let failed = self.look_ups_failed.as_ref().map(|(count, _)| *count);
        let late = [Some(self.late_ns), self.told_late_ns, failed];
        let counts = [periods, throttled]
            .into_iter()
            .chain(late.into_iter().flatten());
        times.into_iter().flatten().all(|time| time < LATEST)
            && counts.into_iter().all(|count| count < MOST)
    }
}
