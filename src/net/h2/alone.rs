//! One stream on a carrier of its own, for the probe.

use std::pin::Pin;

use super::pool::Place;
use super::stream::{Answered, Stream};
use crate::metric::{Cause, Timer, UPGRADE_STEP};
use crate::net::compressed::Compressed;
use crate::net::failure::Failure;
use crate::net::first_hop::Peer;
use crate::net::handshake::Request;
use crate::net::steps::Steps;
use crate::net::tcp_dialer::{Dial, Progress};
use crate::net::way::{NotOpened, Way};
use crate::scenario::{Compression, Sharing};
use crate::time::Clock;

/// What serves a carrier while it is polled.
pub(crate) type Serving = Pin<Box<dyn Future<Output = ()>>>;

/// A stream, and how it was opened.
pub(crate) struct Alone {
    pub(crate) stream: Stream,
    /// Has to be polled beside the stream.
    pub(crate) serving: Serving,
    pub(crate) peer: Peer,
    pub(crate) steps: Steps,
    /// The head of the server's answer, as HTTP/1.1 would spell it.
    pub(crate) head: Vec<u8>,
    /// The compression that was agreed on.
    pub(crate) compressed: Option<Box<Compressed>>,
}

impl Alone {
    /// Opens a carrier for the client with this number, and a stream on it. Has no time limit of its own.
    ///
    /// # Errors
    /// The cause, and what the server answered.
    pub(crate) async fn open(
        way: &Way,
        (request, is_secure, compression): (&Request, bool, Option<&Compression>),
        (client, sharing): (u32, &Sharing),
        clock: &dyn Clock,
        progress: &mut Progress,
    ) -> Result<Self, NotOpened> {
        let dialled = clock.now();
        let dial = Dial {
            number: client,
            is_shared: true,
            ..Dial::default()
        };
        let mut carried = way.carry(dial, sharing, clock, progress).await?;
        let (peer, mut steps) = (carried.peer.clone(), std::mem::take(&mut carried.steps));
        progress.reached = UPGRADE_STEP;
        let opened = clock.now();
        let place = Place::alone();
        let carrier = place.carrier().clone();
        let mut serving: Serving = Box::pin(async move { carrier.serve(carried).await });
        let asking = async {
            place.carrier().opened().await?;
            place.ask(request, is_secure, compression, progress).await
        };
        let answered = tokio::select! {
            biased;
            asked = asking => asked?,
            () = &mut serving => {
                let detail = "the connection ended before any answer";
                return Err(Failure::new(Cause::H2Error, detail).into());
            }
        };
        let Answered {
            stream,
            head,
            compressed,
        } = answered;
        let now = clock.now();
        steps.add(Timer::HandshakeUpgrade, now.saturating_since(opened));
        steps.add(Timer::HandshakeTotal, now.saturating_since(dialled));
        Ok(Self {
            stream,
            serving,
            peer,
            steps,
            head,
            compressed,
        })
    }
}
