//! Opens the first connection on a way: to the server itself or to a proxy, over TCP or over a Unix socket.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpStream;

use super::connect;
use super::failure::{Failure, of_connect};
use super::tcp_dialer::{Dial, Progress, TcpDialer};
use crate::metric::{Cause, UNIX_STEP};

/// The first and the longest wait for a Unix socket whose queue is full. It never says when there is room again.
const WAITS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// How the first connection is opened.
#[derive(Debug)]
pub(crate) enum FirstHop {
    Tcp(TcpDialer),
    Unix(PathBuf),
}

/// What the first connection leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Peer {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Peer {
    /// The address. A Unix socket has none: it stands for this machine.
    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Self::Tcp(address) => *address,
            Self::Unix(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        }
    }
}

impl FirstHop {
    /// Connects. Has no time limit of its own.
    ///
    /// # Errors
    /// The failure of the first address, or of the socket.
    pub(crate) async fn open(
        &self,
        dial: Dial,
        progress: &mut Progress,
    ) -> Result<(TcpStream, Peer), Failure> {
        match self {
            Self::Tcp(dialer) => {
                let (tcp, address) = dialer.open(dial, progress).await?;
                Ok((tcp, Peer::Tcp(address)))
            }
            Self::Unix(path) => {
                progress.reached = UNIX_STEP;
                let (mut wait, longest) = WAITS;
                loop {
                    match connect::unix(path) {
                        Ok(socket) => return Ok((socket, Peer::Unix(path.clone()))),
                        Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {}
                        Err(error) => {
                            let Failure { cause, detail, .. } = of_connect(&error);
                            let is_gone = error.raw_os_error() == Some(libc::ENOENT);
                            let cause = if is_gone { Cause::Unreachable } else { cause };
                            let detail = format!("{}: {detail}", path.display());
                            return Err(Failure::new(cause, detail));
                        }
                    }
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(longest);
                }
            }
        }
    }
}
