//! Socket.IO by socketioxide, with nothing to say.

use std::net::Ipv4Addr;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
pub async fn serve(port: u16, interval: Duration, timeout: Duration) {
    let builder = SocketIo::builder();
    let (service, io) = builder
        .ping_interval(interval)
        .ping_timeout(timeout)
        .build_svc();
    io.ns("/", async |_: SocketRef| {});
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = listener.expect("a free port");
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
        tokio::spawn(connection.with_upgrades());
    }
}
