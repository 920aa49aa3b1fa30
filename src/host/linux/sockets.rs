//! Watches the server's own sockets: a thread that looks at the system's table of them again and again.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::diag::{Row, Table};
use super::ledger::Ledger;
use crate::host::error::HostError;
use crate::measure::Sockets;

/// From the beginning of one look to that of the next, at least.
const LOOK: Duration = Duration::from_millis(20);
/// A look costs the load some time of a core: not more than one part in so many.
const SHARE: u32 = 5;

/// A watch over the server's sockets. Dropped, it ends.
#[derive(Debug)]
pub struct Watch {
    /// Breaks when it shall end.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<Ledger>>,
}

impl Watch {
    /// Watches all sockets with this local port whose other end is on this machine too: every 20 ms, and less often
    /// where a look takes more than 4 ms. A socket that the server has closed is gone when the client's system has
    /// acknowledged that, which can take 40 ms (a delayed ACK).
    ///
    /// # Errors
    /// The system has no table of sockets (`sock_diag`), or gives no thread.
    pub fn start(port: u16) -> Result<Self, HostError> {
        let mut looker = Looker::open(port).map_err(HostError::Sockets)?;
        // The first look is taken here, so that a table which cannot be read is known before the run.
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

    /// Takes two last looks, and tells what became of the sockets, on the clock of the run, which began at `origin`.
    /// `None` if the watch broke.
    pub fn stop(mut self, origin: Instant) -> Option<Sockets> {
        let ledger = self.finish()?;
        Some(ledger.close(Instant::now(), origin))
    }

    fn finish(&mut self) -> Option<Ledger> {
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
    table: Table,
    ledger: Ledger,
    /// Of the last look; kept for its room.
    rows: Vec<Row>,
}

impl Looker {
    fn open(port: u16) -> io::Result<Self> {
        Ok(Self {
            port,
            table: Table::open()?,
            ledger: Ledger::default(),
            rows: Vec::new(),
        })
    }

    fn watch(mut self, told: &Receiver<()>) -> Ledger {
        loop {
            let began = Instant::now();
            // A look that failed widens the gap to the next, which is told.
            let _ = self.look();
            let rest = rest(began.elapsed());
            if told.recv_timeout(rest) != Err(RecvTimeoutError::Timeout) {
                // It takes two to see that a socket is gone.
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

/// How long to wait after a look that took so long.
fn rest(took: Duration) -> Duration {
    (LOOK.saturating_sub(took)).max(took * (SHARE - 1))
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Write as _};
    use std::net::{TcpListener, TcpStream};

    use socket2::SockRef;

    use super::*;

    /// A connection: the client's end and the server's.
    fn connect(listener: &TcpListener) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        (client, server)
    }

    /// What was seen of a client's connection.
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
        // Until nothing more fits.
        slow.set_nonblocking(true).unwrap();
        while slow.write(&[0; 65_536]).is_ok() {}
        assert_eq!(slow.write(&[0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        looker.look().unwrap();

        drop((closed, slow));
        let port = |client: &TcpStream| client.local_addr().unwrap().port();
        // A client's system may take 40 ms to acknowledge a FIN; only then is the server's socket gone.
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
        // The system holds what the client does not read, though the server has closed.
        let orphan = seen(&sockets, port(&slow_client));
        assert!(orphan.left_ns.is_some());
        assert_eq!(orphan.gone_ns, None);
        assert!(orphan.send_queue > 0);
        assert_eq!(sockets.ends.len(), 3);
        drop(kept);
    }

    #[test]
    fn a_watch_sees_clients_of_both_families() {
        // Where the machine has IPv6, a server of both; its clients of IPv4 are then in the table of IPv6.
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
            assert!(socket.seen_ns > 0);
            assert_eq!(socket.left_ns, None);
        }
        assert!(u128::from(sockets.resolution_ns) < origin.elapsed().as_nanos());
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
