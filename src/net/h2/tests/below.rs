//! What a stream shows of the TCP connection below it: when bytes came, and what the kernel knows of the peer.

use super::*;
use crate::time::Clock as _;

/// How long nobody reads what has come.
const HELD: Duration = Duration::from_millis(200);

async fn ended(is_watched: bool) -> (WebSocket, Monotonic) {
    let peer = Peer::open().await;
    let mut client = Client::of(peer.address, 1);
    client.is_watched = is_watched;
    let clock = Monotonic::start();
    let mut socket = client.open(0).await.unwrap();
    peer.then.send(Then::EndAndHold(HELD)).unwrap();
    assert_eq!(lost(&mut socket).await, Lost::Tcp(TcpEnd::Fin));
    (socket, clock)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_came_has_the_time_of_the_kernel_and_not_that_of_the_read() {
    alone(async {
        let (socket, clock) = ended(true).await;
        let came = socket.received_at(&clock).expect("it is watched");
        let held = clock.now().saturating_since(came);
        assert!(Duration::from(held) >= HELD / 2, "{held:?}");
    })
    .await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_kernel_tells_of_the_connection_that_a_stream_is_on() {
    alone(async {
        let (socket, clock) = ended(false).await;
        assert_eq!(socket.received_at(&clock), None, "it is not watched");
        let view = socket.tcp_view().expect("a connection of TCP");
        assert_eq!((view.unacked, view.retransmits), (0, 0));
        assert!(socket.local_port().is_some());
    })
    .await;
}
