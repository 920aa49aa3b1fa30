//! The resources of a process and of all that it has started: memory and descriptors, from `/proc`.

use std::{fs, io};

use super::tree;
use crate::host::error::HostError;
use crate::measure::Usage;

/// The current resources of a process and all its descendants. Memory that processes share counts once for each.
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
    let open = fs::read_dir(format!("/proc/{pid}/fd")).map_err(failed("descriptors"))?;
    Ok(Usage {
        rss,
        descriptors: open.count() as u64,
    })
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
