//! The scripted server: a listener on a free port, and a thread for each connection.
//! Dropping it closes every socket and joins every thread.

use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::log::{Event, Log};
use super::script::{Handshake, Script};
use super::{handshake, session};

/// A running scripted server on a free port.
pub struct Server {
    address: SocketAddr,
    log: Log,
    stop: Stop,
    accepting: Option<JoinHandle<()>>,
    /// Bound but not listening, so that the port stays closed: for [`Handshake::Refuse`].
    _reserved: Option<Socket>,
}

impl Server {
    /// Starts a server that follows this script on every connection.
    pub fn start(script: Script) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST, script)
    }

    /// The same at another address of this machine.
    pub fn start_at(own: Ipv4Addr, script: Script) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any = SocketAddr::from((own, 0));
        socket.bind(&any.into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut server = Self {
            address,
            log: Log::default(),
            stop: Stop::default(),
            accepting: None,
            _reserved: None,
        };
        if matches!(script.handshake, Handshake::Refuse) {
            server._reserved = Some(socket);
        } else {
            socket.listen(4096).unwrap();
            let (log, stop) = (server.log.clone(), server.stop.clone());
            let accept = move || accept(&socket.into(), &script, &log, &stop);
            server.accepting = Some(thread::spawn(accept));
        }
        server
    }

    /// The address: `ws://127.0.0.1:PORT/`, or with its own address.
    pub fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// The address as a socket address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The log of the server, which goes on growing.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Waits until the log satisfies a condition; panics with the log after ten seconds.
    pub fn wait_until(&self, condition: impl Fn(&Log) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !condition(&self.log) {
            let waited = Instant::now() < deadline;
            assert!(waited, "ten seconds are over: {:#?}", self.log.entries());
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.all();
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let ended = accepting.join();
            // A second panic while the first unwinds would abort the whole test run.
            if !thread::panicking() {
                ended.expect("no thread of the scripted server panicked");
            }
        }
    }
}

fn accept(listener: &TcpListener, script: &Script, log: &Log, stop: &Stop) {
    let mut connections = Vec::new();
    for connection in 0.. {
        let Ok((socket, _)) = listener.accept() else {
            break;
        };
        let socket = Arc::new(socket);
        if !stop.watch(&socket) {
            break;
        }
        log.add(connection, Event::Accepted);
        let (script, log, stop) = (script.clone(), log.clone(), stop.clone());
        connections.push(thread::spawn(move || {
            let served = serve(&socket, &script, connection, &log, &stop);
            // Ignores other errors: they mean that the test has ended, and the connection with it.
            if served.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset) {
                log.add(connection, Event::Reset);
            }
        }));
    }
    for connection in connections {
        connection
            .join()
            .expect("the thread of a connection did not panic");
    }
}

fn serve(
    mut socket: &TcpStream,
    script: &Script,
    connection: u64,
    log: &Log,
    stop: &Stop,
) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let Some(switch) = handshake::answer(socket, &script.handshake, stop)? else {
        return Ok(());
    };
    // Logs the event before the client can receive the 101, so that a connected test finds it in the log.
    log.add(connection, Event::Opened);
    socket.write_all(switch.response.as_bytes())?;
    session::run(socket, script, &switch.early, (connection, log), stop)
}

/// Makes sure that the end of the connection's thread closes the socket with a RST.
pub(super) fn reset_at_end(socket: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO))
}

/// Tells the threads that the server ends: each thread that waits does so on this value, or on one of its sockets.
#[derive(Clone, Default)]
pub(super) struct Stop(Arc<(Mutex<Watched>, Condvar)>);

#[derive(Default)]
struct Watched {
    stopped: bool,
    /// Weak references, because the thread of a connection must be the one that closes its socket.
    sockets: Vec<Weak<TcpStream>>,
}

impl Stop {
    /// Waits this long; returns false at once when the server ends.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let (watched, changed) = &*self.0;
        let watched = watched.lock().unwrap();
        let waited = changed.wait_timeout_while(watched, time, |w| !w.stopped);
        !waited.unwrap().0.stopped
    }

    /// Waits until the server ends.
    pub(super) fn wait(&self) {
        let (watched, changed) = &*self.0;
        let watched = watched.lock().unwrap();
        drop(changed.wait_while(watched, |w| !w.stopped).unwrap());
    }

    /// Registers a socket to be shut down when the server ends; returns false if it has ended already.
    fn watch(&self, socket: &Arc<TcpStream>) -> bool {
        let mut watched = self.0.0.lock().unwrap();
        watched.sockets.push(Arc::downgrade(socket));
        !watched.stopped
    }

    fn all(&self) {
        let (watched, changed) = &*self.0;
        let mut watched = watched.lock().unwrap();
        watched.stopped = true;
        for socket in watched.sockets.drain(..).filter_map(|s| s.upgrade()) {
            // Fails only if the connection has ended already.
            let _ = socket.shutdown(Shutdown::Both);
        }
        changed.notify_all();
    }
}
