//! The real servers in `tests/targets` echo, answer pings and count what they saw.
//! What wsbench itself makes of them is tested elsewhere; this proves that they can be trusted as witnesses.

mod common;

use common::real::{RealServer, Target};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

async fn echoes_and_counts(target: Target) {
    let server = RealServer::start(target);
    let socket = TcpStream::connect(server.address()).await.unwrap();
    let (mut client, _) = tokio_tungstenite::client_async(server.url(), socket)
        .await
        .unwrap();
    for message in [
        Message::text("höllo"),
        Message::binary(vec![0, 255]),
        Message::text(""),
    ] {
        client.send(message.clone()).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), message);
    }
    client.send(Message::Ping("1".into())).await.unwrap();
    let pong = Message::Pong("1".into());
    assert_eq!(client.next().await.unwrap().unwrap(), pong);
    let frame = CloseFrame {
        code: CloseCode::Library(4000),
        reason: "".into(),
    };
    client.close(Some(frame)).await.unwrap();
    while client.next().await.is_some() {}
    // The servers count an end when both sides have closed TCP.
    drop(client);

    // Another one vanishes without a Close frame.
    let socket = TcpStream::connect(server.address()).await.unwrap();
    let vanishing = tokio_tungstenite::client_async(server.url(), socket).await;
    drop(vanishing.unwrap());

    let counts = tokio::task::spawn_blocking(move || server.counts_when_closed(2));
    let counts = counts.await.unwrap();
    let numbers =
        ["opened", "closed", "text", "binary", "bytes", "pings"].map(|name| counts.number(name));
    assert_eq!(numbers, [2, 2, 2, 1, 8, 1]);
    let closes = counts.closes().into_iter();
    assert_eq!(
        closes.collect::<Vec<_>>(),
        [("1006".to_owned(), 1), ("4000".to_owned(), 1)]
    );
}

#[tokio::test]
#[ignore = "needs the Node target; run by scripts/test"]
async fn node_echoes_and_counts() {
    echoes_and_counts(Target::Node).await;
}

#[tokio::test]
#[ignore = "needs the Python target; run by scripts/test"]
async fn python_echoes_and_counts() {
    echoes_and_counts(Target::Python).await;
}
