//! The naive client: tokio-tungstenite on a runtime of many threads with every default, a timer and a histogram
//! for each connection, as most people write it. `scripts/bench` measures wsbench against it.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::{Duration, Instant};

use clap::Parser;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use hdrhistogram::Histogram;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// As long as in the scenarios of the benchmark.
const PAYLOAD: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
/// As in the scenarios of the benchmark.
const RAMP_UP: Duration = Duration::from_secs(2);

type Socket = WebSocketStream<TcpStream>;

/// A client as most people write it: what wsbench is compared with.
#[derive(Debug, Clone, Parser)]
#[command(name = "naive")]
struct Work {
    /// Where the server listens, on the loopback address.
    #[arg(long)]
    port: u16,
    /// In all.
    #[arg(long)]
    connections: NonZeroU32,
    /// In seconds.
    #[arg(long)]
    duration: NonZeroU16,
    /// Messages a second for each connection. Without it, one follows the answer to another.
    #[arg(long)]
    rate: Option<NonZeroU16>,
    /// Unanswered messages for each connection, where there is no rate.
    #[arg(long, default_value = "1")]
    in_flight: NonZeroU16,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let work = Work::parse();
    let mut clients = JoinSet::new();
    for _ in 0..work.connections.get() {
        clients.spawn(client(work.clone()));
        sleep(RAMP_UP / work.connections.get()).await;
    }
    let mut all = Histogram::<u64>::new(3)?;
    while let Some(seen) = clients.join_next().await {
        all.add(seen??)?;
    }
    let seen = serde_json::json!({ "echoed": all.len(), "p50_us": all.value_at_quantile(0.5) });
    writeln!(std::io::stdout(), "{seen}")?;
    Ok(())
}

/// One connection, from its dial to its Close. Returns its times in microseconds.
async fn client(work: Work) -> Result<Histogram<u64>, Error> {
    let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, work.port)).await?;
    let (socket, _) = client_async(format!("ws://127.0.0.1:{}/", work.port), tcp).await?;
    let (sender, receiver) = socket.split();
    let (sent, times) = mpsc::unbounded_channel();
    let (answered, answers) = mpsc::unbounded_channel();
    let receiving = tokio::spawn(receive(receiver, times, answered));
    send(&work, sender, sent, answers).await?;
    Ok(receiving.await.expect("the receiving task does not panic"))
}

async fn send(
    work: &Work,
    mut sender: SplitSink<Socket, Message>,
    sent: mpsc::UnboundedSender<Instant>,
    mut answers: mpsc::UnboundedReceiver<()>,
) -> Result<(), Error> {
    let until = Instant::now() + Duration::from_secs(work.duration.get().into()) + RAMP_UP;
    let mut ticks =
        (work.rate).map(|rate| interval(Duration::from_secs(1) / u32::from(rate.get())));
    let mut unanswered = 0;
    while Instant::now() < until {
        match &mut ticks {
            Some(ticks) => drop(ticks.tick().await),
            None if unanswered == work.in_flight.get() => {
                if answers.recv().await.is_none() {
                    break;
                }
                unanswered -= 1;
            }
            None => {}
        }
        unanswered += u16::from(ticks.is_none());
        let _ = sent.send(Instant::now());
        sender.send(Message::text(PAYLOAD)).await?;
    }
    sender.send(Message::Close(None)).await
}

async fn receive(
    mut receiver: SplitStream<Socket>,
    mut times: mpsc::UnboundedReceiver<Instant>,
    answered: mpsc::UnboundedSender<()>,
) -> Histogram<u64> {
    let mut seen = Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are in order");
    while let Some(Ok(message)) = receiver.next().await {
        if message.is_text()
            && let Some(sent) = times.recv().await
        {
            seen.saturating_record(sent.elapsed().as_micros() as u64);
            let _ = answered.send(());
        }
    }
    seen
}
