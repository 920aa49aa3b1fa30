//! An echo server with actix-ws, and the heartbeat that actix shows in its examples: at each tick it ends who has sent
//! neither ping nor pong for a time, and pings the others.

use std::time::{Duration, Instant};

use actix_web::rt;
use actix_web::web::{self, Payload};
use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, Session};
use futures_util::StreamExt as _;
use tokio::select;
use tokio::time::interval;

pub fn serve(port: u16, every: Duration, timeout: Duration) {
    let app = move || {
        let echo =
            move |request: HttpRequest, body: Payload| upgrade(request, body, every, timeout);
        App::new().route("/", web::get().to(echo))
    };
    let server = HttpServer::new(app).workers(1).bind(("127.0.0.1", port));
    let server = server.expect("a free port").run();
    rt::System::new().block_on(server).expect("serves");
}

async fn upgrade(
    request: HttpRequest,
    body: Payload,
    every: Duration,
    timeout: Duration,
) -> Result<HttpResponse, Error> {
    let (response, session, messages) = actix_ws::handle(&request, body)?;
    let messages = messages.aggregate_continuations();
    rt::spawn(echo(session, messages, every, timeout));
    Ok(response)
}

async fn echo(
    mut session: Session,
    mut messages: AggregatedMessageStream,
    every: Duration,
    timeout: Duration,
) {
    let mut alive = Instant::now();
    let mut ticks = interval(every);
    let reason = loop {
        let sent = select! {
            message = messages.next() => match message {
                Some(Ok(AggregatedMessage::Text(text))) => session.text(text).await,
                Some(Ok(AggregatedMessage::Binary(bytes))) => session.binary(bytes).await,
                Some(Ok(AggregatedMessage::Ping(bytes))) => {
                    alive = Instant::now();
                    session.pong(&bytes).await
                }
                Some(Ok(AggregatedMessage::Pong(_))) => {
                    alive = Instant::now();
                    Ok(())
                }
                Some(Ok(AggregatedMessage::Close(reason))) => break reason,
                Some(Err(_)) | None => break None,
            },
            _ = ticks.tick() => match alive.elapsed() > timeout {
                true => break None,
                false => session.ping(b"").await,
            },
        };
        if sent.is_err() {
            return;
        }
    };
    // It fails where the client is gone.
    let _ = session.close(reason).await;
}
