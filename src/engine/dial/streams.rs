//! Opens WebSockets as streams of HTTP/2, over TCP connections that those of one worker and cohort share.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Notify;

use super::destinations::Destination;
use super::{Connected, Connector, Dialer, Wanted, timed_out};
use crate::engine::shared::Shared;
use crate::metric::{Cause, Counter, HTTP2_STEP, Timer, UPGRADE_STEP};
use crate::net::{
    Answered, Carried, Carrier, Channel, Dial, Failure, NotOpened, Numbers, Place, Pool, Progress,
    Steps, Told, Way, WebSocket,
};
use crate::plan::Opening;
use crate::scenario::{HttpVersion, Sharing};
use crate::units::Nanos;

/// The longest wait for shared connections to say goodbye, when all that went over them has ended.
const GOODBYE: Nanos = Nanos::from_millis(500);

/// On how many connections a dial looks for a place: the server may allow fewer streams than it is known to, or go away.
const CARRIERS: usize = 4;

/// The shared connections of one worker.
#[derive(Default)]
pub(in crate::engine) struct Pools {
    /// By cohort.
    pools: RefCell<HashMap<usize, Rc<Pool>>>,
    live: Rc<Live>,
}

/// How many shared connections there are.
#[derive(Default)]
struct Live {
    count: Cell<usize>,
    none: Notify,
}

impl Pools {
    /// Returns those of a cohort, whose first connection has the number `first`.
    fn of(
        &self,
        cohort: usize,
        first: u32,
        streams: u32,
        (worker, workers): (usize, usize),
    ) -> Rc<Pool> {
        let new = || {
            let (worker, workers) = (worker as u32, workers as u32);
            // As clients are dealt out to workers: so no two shared connections of a run have one number.
            let own = first + (worker + workers - first % workers) % workers;
            Rc::new(Pool::new(streams, own, workers))
        };
        let pools = &mut *self.pools.borrow_mut();
        pools.entry(cohort).or_insert_with(new).clone()
    }

    /// Waits until the last shared connection has ended.
    pub(in crate::engine) async fn over(&self, shared: &Shared) {
        if self.live.count.get() > 0 {
            tokio::select! {
                () = self.live.none.notified() => {}
                _ = shared.attend(GOODBYE) => {}
            }
        }
    }
}

/// Opens WebSockets as streams.
#[derive(Clone)]
pub(in crate::engine) struct StreamDialer {
    dialer: Arc<Dialer>,
    shared: Rc<Shared>,
    pool: Rc<Pool>,
    live: Rc<Live>,
    cohort: usize,
    /// What a TCP connection would show that belongs to its client alone.
    client: Numbers,
    sharing: Sharing,
}

impl StreamDialer {
    /// Opens those of a client, if its cohort shares connections. `worker` is this worker, and how many there are.
    pub(in crate::engine) fn new(
        dialer: &Arc<Dialer>,
        shared: &Rc<Shared>,
        pools: &Pools,
        &Opening {
            cohort, connection, ..
        }: &Opening,
        worker: (usize, usize),
    ) -> Option<Self> {
        let HttpVersion::Two(sharing) = shared.plan.cohort(cohort).access.http else {
            return None;
        };
        let (_, turn) = dialer.destinations[cohort].of(connection);
        let first = shared.plan.first(cohort);
        Some(Self {
            dialer: dialer.clone(),
            shared: shared.clone(),
            pool: pools.of(cohort, first, sharing.streams, worker),
            live: pools.live.clone(),
            cohort,
            client: Numbers {
                server: turn.server,
                number: connection,
                turn: turn.before,
            },
            sharing,
        })
    }

    /// Takes a place on an open carrier, which others may have to open first, within this time.
    async fn place(&self, wanted: Wanted<'_>, within: Nanos) -> Result<Place, Failure> {
        let dialled = self.shared.clock.now();
        for before in 0..CARRIERS {
            let hears = || {
                let (shared, cohort) = (self.shared.clone(), self.cohort);
                Box::new(move |told| hear(&shared, cohort, told)) as Box<dyn Fn(Told)>
            };
            let (place, new) = self.pool.take(self.client, hears);
            if let Some(carrier) = new {
                let dial = Dial {
                    number: carrier.numbers.number,
                    turn: carrier.numbers.turn,
                    is_watched: wanted.fault_plan.watched,
                    is_shared: true,
                    ..Dial::default()
                };
                tokio::task::spawn_local(self.clone().carry(carrier, dial));
            }
            let passed = self.shared.clock.now().saturating_since(dialled);
            let opened = tokio::select! {
                biased;
                opened = self.pool.opened(place) => opened?,
                // The first one was dialled no later than this, has the same time, and tells what it waited for.
                lost = self.shared.attend(within.saturating_sub(passed)), if before > 0 => {
                    return Err(timed_out(&Progress::waiting(HTTP2_STEP), lost));
                }
            };
            if let Some(place) = opened {
                return Ok(place);
            }
        }
        let detail = format!("{CARRIERS} connections in turn took no new stream");
        Err(Failure::new(Cause::H2Refused, detail))
    }

    /// Opens a carrier, and serves it to its end.
    async fn carry(self, carrier: Rc<Carrier>, dial: Dial) {
        self.live.count.set(self.live.count.get() + 1);
        let to = self.dialer.destinations[self.cohort].at(carrier.numbers.server);
        let open = (self.dialer).carry(self.cohort, to, dial, &self.sharing, &self.shared);
        let opened = tokio::select! {
            biased;
            () = carrier.left() => None,
            opened = Box::pin(open) => Some(opened),
        };
        match opened {
            None => {}
            Some(Err(failure)) => carrier.fail(failure),
            Some(Ok(carried)) => {
                self.shared.whole(self.cohort, |cells| {
                    cells.count(Counter::Http2Carriers);
                    let steps = carried.steps.iter();
                    steps.for_each(|(step, took)| cells.time(step, took));
                });
                carrier.serve(carried).await;
            }
        }
        self.pool.forget(&carrier);
        self.live.count.set(self.live.count.get() - 1);
        if self.live.count.get() == 0 {
            self.live.none.notify_one();
        }
    }
}

/// Records what a carrier tells.
fn hear(shared: &Shared, cohort: usize, told: Told) {
    match told {
        Told::Counted(counter, number) => {
            shared.whole(cohort, |cells| cells.add(counter, number));
        }
        Told::Took(timer, took) => {
            let now = shared.clock.now();
            shared.record(cohort, now, |cells| cells.time(timer, took));
        }
    }
}

impl Dialer {
    /// Opens a connection that the streams of a cohort share, within `connect_timeout`.
    async fn carry(
        &self,
        cohort: usize,
        to: &Destination,
        dial: Dial,
        sharing: &Sharing,
        shared: &Shared,
    ) -> Result<Carried, Failure> {
        let clock = &*shared.clock;
        let open = async |way: &Way, dial: Dial, progress: &mut Progress| {
            let carried = way.carry(dial, sharing, clock, progress).await;
            carried.map_err(NotOpened::from)
        };
        self.dial(cohort, to, dial, shared, open).await
    }
}

impl Connector for StreamDialer {
    type Transport = WebSocket;

    fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    async fn connect(
        &self,
        wanted: Wanted<'_>,
        shared: &Shared,
    ) -> Result<Connected<WebSocket>, Failure> {
        let clock = &*shared.clock;
        let timeout = Nanos::from(self.dialer.timeout);
        let dialled = clock.now();
        let own = self.dialer.own_request(wanted)?;
        let to = self.dialer.destinations[wanted.cohort].at(self.client.server);
        let request = own.as_ref().unwrap_or(&to.request);
        let place = self.place(wanted, timeout).await?;
        let queued = clock.now();
        let left = timeout.saturating_sub(queued.saturating_since(dialled));
        let which = place.describe();
        let is_secure = to.origin.secure;
        let compression = self.dialer.compression[wanted.cohort].as_ref();
        let mut progress = Progress::waiting(UPGRADE_STEP);
        let asking = place.ask(request, is_secure, compression, &mut progress);
        let Answered {
            stream,
            head,
            compressed,
        } = tokio::select! {
            biased;
            asked = Box::pin(asking) => {
                asked.map_err(|failed| failed.failure)?
            }
            lost = shared.attend(left) => {
                let mut failure = timed_out(&Progress::waiting(UPGRADE_STEP), lost);
                failure.detail += &format!(", {which}");
                return Err(failure);
            }
        };
        shared.counted(wanted.cohort, &progress.counts);
        shared.agreed(&progress.agreed);
        let opened = clock.now();
        let mut steps = Steps::default();
        steps.add(Timer::Http2Queued, queued.saturating_since(dialled));
        steps.add(Timer::HandshakeUpgrade, opened.saturating_since(queued));
        steps.add(Timer::HandshakeTotal, opened.saturating_since(dialled));
        Ok(Connected {
            transport: WebSocket::new(
                Channel::from(stream),
                Vec::new(),
                self.dialer.max_message,
                compressed,
            ),
            steps,
            head,
        })
    }
}
