//! Tests the relay when descriptors run out. A separate program, because the limit applies to the whole process.
#![cfg(unix)]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use rlimit::Resource;
use wsbench::net::{Resolver, TcpDialer};
use wsbench::relay::Relay;
use wsbench::scenario::{Path, PathFault, PathFaultKind};

/// The timeout of waits: longer than anything takes that works.
const MAX_WAIT: Duration = Duration::from_secs(10);

#[test]
fn a_client_for_whom_there_is_no_descriptor_is_reset_and_counted() {
    let target = listen();
    let never = PathFault {
        kind: PathFaultKind::Freeze,
        after: Some(Duration::from_secs(1_000)),
        lasts: None,
        cohorts: Vec::new(),
    };
    let path = Path {
        faults: vec![never],
    };
    let address = target.local_addr().unwrap();
    let target_dialer = TcpDialer::new(Resolver::of(&[address]), &[]);
    let relay = Relay::start(
        &path,
        &["main".to_owned()],
        |_| target_dialer.clone(),
        MAX_WAIT,
        1,
    )
    .unwrap();
    let route = relay.routes()[0].as_ref().unwrap().address;
    let mut client = dial(route);
    let mut server = target.accept().unwrap().0;
    pass(&mut client, &mut server);

    let (soft, hard) = Resource::NOFILE.get().unwrap();
    // Besides the client's own descriptor, leaves one to accept the client but none to dial the target; then not even
    // that.
    for room in [2, 1] {
        Resource::NOFILE.set(limit_for(room), hard).unwrap();
        let refused = dial(route).read(&mut [0]);
        Resource::NOFILE.set(soft, hard).unwrap();
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
    pass(&mut client, &mut server);
    let log = relay.stop().unwrap();
    assert_eq!((log.connections, log.refused), (3, 2));
}

fn listen() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

fn dial(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(MAX_WAIT)).unwrap();
    client
}

/// Sends a byte through the relay.
fn pass(client: &mut TcpStream, server: &mut TcpStream) {
    client.write_all(b".").unwrap();
    server.read_exact(&mut [0]).unwrap();
}

/// The limit under which this many more descriptors can be opened. The lowest free number is always used first.
fn limit_for(more: usize) -> u64 {
    let opened: Vec<TcpListener> = (0..more).map(|_| listen()).collect();
    let numbers = opened.iter().map(|listener| listener.as_raw_fd() + 1);
    u64::try_from(numbers.max().unwrap()).unwrap()
}
