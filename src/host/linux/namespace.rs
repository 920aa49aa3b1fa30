//! A network namespace of wsbench's own (user_namespaces(7), network_namespaces(7)). It gives this process the rights
//! that `vanish` needs, but only programs that it starts from then on can be reached.

use std::{fs, io};

use rustix::thread::{CapabilitySet, UnshareFlags, capabilities};

use super::netlink::Netlink;
use crate::host::error::NamespaceError;

const RTM_NEWLINK: u16 = 16;
const IFF_UP: u32 = 1;
/// The index of the loopback, which is the first interface in every network (`LOOPBACK_IFINDEX`).
const LOOPBACK: i32 = 1;

/// Whether this process may administer its network (CAP_NET_ADMIN).
pub fn administers_network() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::NET_ADMIN))
}

/// Moves this process into a new user namespace, as its root, and into a new network that has only a loopback. Access
/// to files stays the same. Must be called before any thread is started.
///
/// # Errors
/// The system forbids it, or threads run already.
pub fn enter() -> Result<(), NamespaceError> {
    let threads = fs::read_dir("/proc/self/task").map(Iterator::count);
    let threads = threads.map_err(|error| failed("count the threads", error))?;
    if threads > 1 {
        return Err(NamespaceError::Threads(threads));
    }
    // Reads the ids first: until the mapping is written, every user id inside is the overflow id.
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    unshare().map_err(|error| failed("unshare", error))?;
    let write = |file: &'static str, text: String| {
        fs::write(file, text).map_err(|error| failed(file, error))
    };
    // A process without CAP_SETGID may map a group only after it has denied setgroups(2) (user_namespaces(7)).
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("0 {} 1", user.as_raw()))?;
    write("/proc/self/gid_map", format!("0 {} 1", group.as_raw()))?;
    loopback_up().map_err(|error| failed("bring up the loopback", error))
}

#[expect(
    deprecated,
    reason = "deprecated because it is unsound with FILES, which is not asked for"
)]
fn unshare() -> io::Result<()> {
    Ok(rustix::thread::unshare(
        UnshareFlags::NEWUSER | UnshareFlags::NEWNET,
    )?)
}

/// Sets the loopback up, by a `struct ifinfomsg` that changes one flag.
fn loopback_up() -> io::Result<()> {
    let mut body = vec![0; 4];
    body.extend(LOOPBACK.to_ne_bytes());
    body.extend(IFF_UP.to_ne_bytes());
    // The mask of the flags that change.
    body.extend(IFF_UP.to_ne_bytes());
    Netlink::open(None)?.order(RTM_NEWLINK, &body)
}

/// Tells by the error code whether the system forbids namespaces, or something else failed.
fn failed(doing: &'static str, source: io::Error) -> NamespaceError {
    use rustix::io::Errno;

    let forbids = [
        // A rule of the system (seccomp, AppArmor, or a setting against namespaces).
        Errno::PERM,
        Errno::ACCESS,
        // The limit `user.max_user_namespaces` or `user.max_net_namespaces`.
        Errno::NOSPC,
        Errno::USERS,
        // A kernel without such namespaces.
        Errno::INVAL,
        Errno::NOSYS,
    ];
    match Errno::from_io_error(&source) {
        Some(errno) if forbids.contains(&errno) => NamespaceError::Forbidden {
            why: format!("{doing}: {source}"),
        },
        _ => NamespaceError::System { doing, source },
    }
}
