//! Stands between a client and a server, passes on what they say, and keeps it.

use std::io;
use std::net::SocketAddr;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::recording::{Did, Side, Step};
use crate::wire::{more, take_frame, take_head};

/// Passes on one connection, and returns what was said after its handshake. What the server sends to a client that has
/// ended TCP is left out.
///
/// # Errors
/// When it cannot be passed on, or the client breaks the protocol.
pub(crate) async fn pass_on(listener: &TcpListener, server: SocketAddr) -> io::Result<Vec<Step>> {
    let (mut client, _) = listener.accept().await?;
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut steps = Vec::new();
    let (mut asks, mut answers) = (true, true);
    let (mut asked, mut answered) = (Vec::new(), Vec::new());
    let (mut of_client, mut of_server) = (Vec::new(), Vec::new());
    let (mut client_is_there, mut server_is_there) = (true, true);
    while client_is_there {
        tokio::select! {
            biased;
            more = more(&mut client, &mut of_client) => {
                client_is_there = more.unwrap_or(false);
                // A server that has ended may take nothing more.
                let _ = server.write_all(&of_client).await;
                asked.append(&mut of_client);
                if asks && take_head(&mut asked).is_some() {
                    asks = false;
                }
                while !asks && let Some(frame) = take_frame(&mut asked).map_err(io::Error::other)? {
                    steps.push(Step { by: Side::Client, did: Did::Send(frame) });
                }
            }
            more = more(&mut server, &mut of_server), if server_is_there => {
                server_is_there = more.unwrap_or(false);
                let _ = client.write_all(&of_server).await;
                answered.append(&mut of_server);
                if answers && take_head(&mut answered).is_some() {
                    answers = false;
                }
                if !answers && !answered.is_empty() {
                    steps.push(Step { by: Side::Server, did: Did::Send(std::mem::take(&mut answered)) });
                }
                if !server_is_there {
                    steps.push(Step { by: Side::Server, did: Did::End });
                    client.shutdown().await.or_else(is_gone)?;
                }
            }
        }
    }
    steps.push(Step {
        by: Side::Client,
        did: Did::End,
    });
    server.shutdown().await.or_else(is_gone)?;
    // The suite decides when its part of the connection has ended.
    while more(&mut server, &mut of_server).await.unwrap_or(false) {
        of_server.clear();
    }
    Ok(steps)
}

/// The other side may have ended TCP first.
fn is_gone(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::NotConnected | io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    }
}
