//! The resources of a process and of all that it has started: memory, descriptors and processor time, from `/proc`.

use std::{fs, io};

use rustix::param::clock_ticks_per_second;

use super::tree;
use crate::host::error::HostError;
use crate::measure::Usage;
use crate::units::Nanos;

/// The current resources of a process and all its descendants. Memory that processes share counts once for each; the
/// processor time of one that has ended counts where its parent has waited for it.
///
/// # Errors
/// There is no such process, or its descriptors belong to another user.
pub fn usage(pid: u32) -> Result<Usage, HostError> {
    let mut sum = Usage::default();
    for member in tree::family(pid) {
        match of_one(member) {
            Ok(one) => {
                sum.rss += one.rss;
                sum.descriptors += one.descriptors;
                sum.cpu = Some(sum.cpu.unwrap_or_default() + one.cpu.unwrap_or_default());
            }
            // Skips a child that has ended meanwhile.
            Err(_) if member != pid && tree::row(member).is_none_or(|row| !row.lives) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sum)
}

fn of_one(pid: u32) -> Result<Usage, HostError> {
    let failed = |what| move |source| HostError::Usage { what, pid, source };
    let status = fs::read(format!("/proc/{pid}/status")).map_err(failed("memory"))?;
    let rss = resident(&String::from_utf8_lossy(&status)).ok_or_else(|| {
        let ended = io::Error::new(io::ErrorKind::NotFound, "it has ended");
        failed("memory")(ended)
    })?;
    let stat = fs::read(format!("/proc/{pid}/stat")).map_err(failed("processor time"))?;
    Ok(Usage {
        rss,
        descriptors: descriptors(pid).map_err(failed("descriptors"))?,
        cpu: processor_time(&String::from_utf8_lossy(&stat), clock_ticks_per_second()),
    })
}

/// The number of open descriptors.
fn descriptors(pid: u32) -> io::Result<u64> {
    let folder = format!("/proc/{pid}/fd");
    // Linux tells the number as the size of the folder since 6.2, so that not each of many has to be listed. The folder
    // of another user can be looked at, but not read.
    let open = fs::read_dir(&folder)?;
    match fs::metadata(&folder)?.len() {
        0 => Ok(open.count() as u64),
        number => Ok(number),
    }
}

/// The processor time of a process and of its children that it has waited for, from `/proc/<pid>/stat` (proc(5)): the
/// twelfth to the fifteenth value behind the name, in ticks.
fn processor_time(stat: &str, ticks_per_second: u64) -> Option<Nanos> {
    let (_, values) = stat.rsplit_once(") ")?;
    let times = values.split(' ').skip(11).take(4);
    let times: Vec<u64> = times.map_while(|ticks| ticks.parse().ok()).collect();
    let ticks: u64 = (times.len() == 4).then(|| times.iter().sum())?;
    Some(Nanos::from_secs(1).mul_f64(ticks as f64 / ticks_per_second as f64))
}

/// The resident memory in bytes; `None` for a process that has ended.
fn resident(status: &str) -> Option<u64> {
    let line = (status.lines()).find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(
            resident("Name:\tx\nVmRSS:\t    1234 kB\n"),
            Some(1234 << 10)
        );
        assert_eq!(resident("Name:\tx\nState:\tZ (zombie)\n"), None);
    }

    #[test]
    fn processor_time_is_that_of_the_process_and_of_those_it_waited_for() {
        let stat = "7 (a) S (b)) S 3 5 5 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 99";
        assert_eq!(processor_time(stat, 100), Some(Nanos::from_secs(1)));
        assert_eq!(
            processor_time("7 (a) S 3 5 5 0 -1 4194560 1 2 3 4 10", 100),
            None
        );
    }

    #[test]
    fn this_process_has_used_what_it_computed() {
        let own = || usage(std::process::id()).unwrap();
        let (before, begun) = (own(), std::time::Instant::now());
        // Computes until the tick of the clock has passed several times.
        while own().cpu < before.cpu.map(|cpu| cpu + Nanos::from_millis(50)) {
            assert!(begun.elapsed().as_secs() < 60, "{before:?} {:?}", own());
        }
    }

    #[test]
    fn a_child_counts_with_its_parent() {
        // Starts a shell that waits for its child: two processes with at least three standard descriptors each.
        let mut shell = Command::new("sh")
            .args(["-c", "sleep 60 & echo; wait"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = [0];
        io::Read::read_exact(shell.stdout.as_mut().unwrap(), &mut line).unwrap();

        let family = tree::family(shell.id());
        let both = usage(shell.id()).unwrap();
        let parent = of_one(shell.id()).unwrap();
        let listed = fs::read_dir(format!("/proc/{}/fd", shell.id())).unwrap();
        assert_eq!(parent.descriptors, listed.count() as u64);
        for pid in family.iter().rev() {
            let pid = rustix::process::Pid::from_raw(*pid as i32).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
        shell.wait().unwrap();

        assert_eq!(family.len(), 2);
        assert!(both.rss > parent.rss);
        assert!(both.descriptors >= parent.descriptors + 3);
        assert!(usage(shell.id()).is_err(), "it has ended");
    }
}
