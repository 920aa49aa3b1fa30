//! Watches the server's sockets: a thread that reads the system's table of sockets repeatedly.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::diag::{SocketRow, SocketTable};
use super::ledger::SocketLedger;
use crate::host::error::HostError;
use crate::measure::Sockets;

/// The least time from the start of one reading to the start of the next.
const LOOK: Duration = Duration::from_millis(20);
/// Limits the processor time that readings take from the load: at most one part in this many of one core.
const SHARE: u32 = 5;

/// A watch over the server's sockets. Ends when dropped.
#[derive(Debug)]
pub struct Watch {
    /// Dropping it ends the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<SocketLedger>>,
}

impl Watch {
    /// Watches all sockets with this local port whose other end is on this machine too: every 20 ms, and less often if
    /// a reading takes more than 4 ms. A socket that the server has closed is gone when the client's system has
    /// acknowledged that, which can take 40 ms (a delayed ACK).
    ///
    /// # Errors
    /// The system has no table of sockets (`sock_diag`), or cannot start a thread.
    pub fn start(port: u16) -> Result<Self, HostError> {
        let mut looker = Looker::open(port).map_err(HostError::Sockets)?;
        // Takes the first reading here, so that a table that cannot be read is found before the run.
        looker.look().map_err(HostError::Sockets)?;
        let (end, told) = channel();
        let thread = thread::Builder::new()
            .name("sockets".to_owned())
            .spawn(move || looker.watch(&told))
            .map_err(HostError::Thread)?;
        Ok(Self {
            end: Some(end),
            thread: Some(thread),
        })
    }

    /// Takes two last readings, and returns what happened to the sockets, in the time of the run, which starts at
    /// `origin`. `None` if the thread panicked.
    pub fn stop(mut self, origin: Instant) -> Option<Sockets> {
        let ledger = self.finish()?;
        Some(ledger.close(Instant::now(), origin))
    }

    fn finish(&mut self) -> Option<SocketLedger> {
        drop(self.end.take());
        self.thread.take()?.join().ok()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.finish();
    }
}

struct Looker {
    port: u16,
    table: SocketTable,
    ledger: SocketLedger,
    /// The rows of the last reading; kept to reuse the memory.
    rows: Vec<SocketRow>,
}

impl Looker {
    fn open(port: u16) -> io::Result<Self> {
        Ok(Self {
            port,
            table: SocketTable::open()?,
            ledger: SocketLedger::default(),
            rows: Vec::new(),
        })
    }

    fn watch(mut self, told: &Receiver<()>) -> SocketLedger {
        loop {
            let began = Instant::now();
            // Ignores the error: a failed reading widens the gap to the next one, and the resolution shows that.
            let _ = self.look();
            let rest = rest(began.elapsed());
            if told.recv_timeout(rest) != Err(RecvTimeoutError::Timeout) {
                // Reads twice, because a socket counts as gone only after two readings without it.
                for _ in 0..2 {
                    let _ = self.look();
                }
                return self.ledger;
            }
        }
    }

    fn look(&mut self) -> io::Result<()> {
        self.rows.clear();
        let began = Instant::now();
        self.table.read(self.port, &mut self.rows)?;
        self.ledger.look(began, Instant::now(), &self.rows);
        Ok(())
    }
}

/// The pause after a reading that took this long.
fn rest(took: Duration) -> Duration {
    (LOOK.saturating_sub(took)).max(took * (SHARE - 1))
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Write as _};
    use std::net::{TcpListener, TcpStream};

    use socket2::SockRef;

    use super::*;
    use crate::units::Timestamp;

    /// Makes a connection; returns the client's end and the server's.
    fn connect(listener: &TcpListener) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        (client, server)
    }

    /// The entry of a client's connection.
    fn seen(sockets: &Sockets, client: u16) -> crate::measure::SocketEnd {
        let ends = &sockets.ends;
        *ends.iter().find(|end| end.client_port == client).unwrap()
    }

    #[test]
    fn a_server_that_closes_is_told_from_one_that_does_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = Instant::now();
        let mut looker = Looker::open(listener.local_addr().unwrap().port()).unwrap();
        let (kept_client, kept) = connect(&listener);
        let (closed_client, closed) = connect(&listener);
        let (slow_client, mut slow) = connect(&listener);
        // Writes until the buffers are full.
        slow.set_nonblocking(true).unwrap();
        while slow.write(&[0; 65_536]).is_ok() {}
        assert_eq!(slow.write(&[0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        looker.look().unwrap();

        drop((closed, slow));
        let port = |client: &TcpStream| client.local_addr().unwrap().port();
        // The client's system may take 40 ms to acknowledge a FIN; only then is the server's socket gone.
        let deadline = origin + Duration::from_secs(10);
        let sockets = loop {
            looker.look().unwrap();
            let sockets = looker.ledger.close(Instant::now(), origin);
            if seen(&sockets, port(&closed_client)).gone_ns.is_some() || Instant::now() > deadline {
                break sockets;
            }
        };

        let still_open = seen(&sockets, port(&kept_client));
        assert_eq!((still_open.left_ns, still_open.gone_ns), (None, None));
        let released = seen(&sockets, port(&closed_client));
        assert!(released.left_ns.is_some() && released.gone_ns.is_some());
        // The system holds the bytes that the client does not read, although the server has closed.
        let orphan = seen(&sockets, port(&slow_client));
        assert!(orphan.left_ns.is_some());
        assert_eq!(orphan.gone_ns, None);
        assert!(orphan.send_queue > 0);
        assert_eq!(sockets.ends.len(), 3);
        drop(kept);
    }

    #[test]
    fn a_watch_sees_clients_of_both_families() {
        // If the machine has IPv6, the server listens on both; its IPv4 clients are then in the IPv6 table.
        let (listener, hosts) = match TcpListener::bind("[::]:0") {
            Ok(both) => (both, vec!["127.0.0.1", "::1"]),
            Err(_) => (TcpListener::bind("127.0.0.1:0").unwrap(), vec!["127.0.0.1"]),
        };
        let port = listener.local_addr().unwrap().port();
        let origin = Instant::now();
        let watch = Watch::start(port).unwrap();
        let clients = hosts.iter().map(|host| {
            let client = TcpStream::connect((*host, port)).unwrap();
            (client, listener.accept().unwrap())
        });
        let clients: Vec<_> = clients.collect();
        let sockets = watch.stop(origin).unwrap();
        assert_eq!(sockets.ends.len(), hosts.len());
        for (client, _) in &clients {
            let socket = seen(&sockets, client.local_addr().unwrap().port());
            assert!(socket.seen_ns > Timestamp::ORIGIN);
            assert_eq!(socket.left_ns, None);
        }
        assert!(Duration::from(sockets.resolution_ns) < origin.elapsed());
    }

    #[test]
    fn a_client_that_resets_leaves_nothing_behind() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (client, _server) = connect(&listener);
        let port = client.local_addr().unwrap().port();
        let origin = Instant::now();
        let watch = Watch::start(listener.local_addr().unwrap().port()).unwrap();
        SockRef::from(&client)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(client);
        let sockets = watch.stop(origin).unwrap();
        assert!(seen(&sockets, port).gone_ns.is_some());
    }

    #[test]
    fn a_long_look_is_followed_by_a_longer_rest() {
        let ms = Duration::from_millis;
        assert_eq!(rest(ms(1)), ms(19));
        assert_eq!(rest(ms(4)), ms(16));
        assert_eq!(rest(ms(10)), ms(40));
    }
}
