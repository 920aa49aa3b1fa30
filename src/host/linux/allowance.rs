//! The processor time that this process may use: its CPU affinity, and the limits of its control groups (cgroup v1 and
//! v2).

use std::fs;
use std::path::{Path, PathBuf};

use rustix::thread::sched_getaffinity;

use crate::host::Throttled;

/// Where the control group hierarchies are mounted.
const ROOT: &str = "/sys/fs/cgroup";

/// The number of cores that this process may use at once, such as `0.2` for a fifth of one; `None` where the system
/// does not say.
pub fn allowed_cores() -> Option<f64> {
    let affinity = sched_getaffinity(None)
        .ok()
        .map(|set| f64::from(set.count()));
    let quotas = groups()
        .iter()
        .filter_map(|group| quota(group))
        .collect::<Vec<_>>();
    quotas.into_iter().chain(affinity).min_by(f64::total_cmp)
}

/// What the control group of this process with the tightest limit has counted since it exists; `None` where no group
/// has a limit.
pub fn throttled() -> Option<Throttled> {
    let groups = groups();
    let limited = groups
        .iter()
        .filter_map(|group| Some((quota(group)?, group)));
    let (_, tightest) = limited.min_by(|(a, _), (b, _)| a.total_cmp(b))?;
    stat(&fs::read_to_string(tightest.join("cpu.stat")).ok()?)
}

/// The folders of the control groups that can limit the processor time of this process, including parent groups.
fn groups() -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut found = Vec::new();
    for (mounts, path) in hierarchies(&text) {
        for mount in mounts {
            // A container may not see the groups above its own; its own group is then the root.
            let inside = Path::new(path.trim_start_matches('/'));
            found.extend(
                inside
                    .ancestors()
                    .map(|part| Path::new(ROOT).join(&mount).join(part)),
            );
        }
    }
    found
}

/// From `/proc/self/cgroup`: the possible mount points of the hierarchies with processor limits, and the group in each.
fn hierarchies(text: &str) -> Vec<(Vec<String>, &str)> {
    let lines = text.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        match controllers {
            "" => Some((vec![String::new(), "unified".to_owned()], path)),
            _ if controllers.split(',').any(|one| one == "cpu") => {
                Some((vec![controllers.to_owned(), "cpu".to_owned()], path))
            }
            _ => None,
        }
    });
    lines.collect()
}

/// The limit of one group, in cores.
fn quota(group: &Path) -> Option<f64> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    match read("cpu.max") {
        Some(text) => of_v2(&text),
        None => of_v1(&read("cpu.cfs_quota_us")?, &read("cpu.cfs_period_us")?),
    }
}

/// Reads `20000 100000`; `None` for `max 100000`, which means no limit.
fn of_v2(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    of_v1(quota, period)
}

/// Reads the quota and the period of v1; the quota is -1 if there is no limit.
fn of_v1(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (f64, f64) = (quota.trim().parse().ok()?, period.trim().parse().ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

/// Reads `cpu.stat`, which has more lines in v2.
fn stat(text: &str) -> Option<Throttled> {
    let value = |key: &str| -> Option<u64> {
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(name, _)| *name == key)?.1.trim().parse().ok()
    };
    Some(Throttled {
        periods: value("nr_periods")?,
        throttled: value("nr_throttled")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_both_versions_are_found() {
        let v2 = hierarchies("0::/user.slice/session-1.scope\n");
        assert_eq!(v2[0].1, "/user.slice/session-1.scope");
        assert_eq!(v2[0].0, ["", "unified"]);
        let v1 = hierarchies("5:cpuset:/\n4:cpu,cpuacct:/docker/ab\n1:name=systemd:/\n");
        assert_eq!(v1.len(), 1, "cpuset limits no time");
        assert_eq!(
            (v1[0].0[0].as_str(), v1[0].1),
            ("cpu,cpuacct", "/docker/ab")
        );
        assert_eq!(hierarchies("no such line"), []);
    }

    #[test]
    fn limits_are_read_in_cores() {
        assert_eq!(of_v2("20000 100000\n"), Some(0.2));
        assert_eq!(of_v2("max 100000\n"), None);
        assert_eq!(of_v1("150000\n", "100000\n"), Some(1.5));
        assert_eq!(of_v1("-1\n", "100000\n"), None);
    }

    #[test]
    fn throttling_is_read_of_both_versions() {
        let v1 = "nr_periods 40\nnr_throttled 12\nthrottled_time 813000000\n";
        let v2 =
            "usage_usec 5\nuser_usec 3\nnr_periods 40\nnr_throttled 12\nthrottled_usec 813000\n";
        for text in [v1, v2] {
            let read = stat(text).unwrap();
            assert_eq!((read.periods, read.throttled), (40, 12));
        }
        assert!(stat("usage_usec 5\n").is_none());
    }

    #[test]
    fn this_process_may_use_some_processor() {
        assert!(allowed_cores().unwrap() > 0.0);
    }
}
