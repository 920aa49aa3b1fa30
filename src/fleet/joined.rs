//! An agent in a run: what the coordinator says of it, in whatever order it is heard, and signs of life both ways.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::agent::{Agent, CALL};
use super::error::FleetError;
use super::handing::{self, Handed};
use super::liveness::SIGN;
use super::message::{Alive, Assigned, Ordered, Origin, Ready, Settled, Start, decode, encode};
use crate::cluster::{AgentId, Broker, Error, Kind, RunId, Subject};
use crate::engine::{Command, Orders};
use crate::units::{Timestamp, visible};

/// The time between two tries of what the broker did not take.
pub(super) const PAUSE: Duration = Duration::from_millis(250);
/// How long an agent reads the stream before it looks whether there is anything else to do.
const LOOK: Duration = Duration::from_secs(1);
/// The latest time of an order: two of them can be added.
const LATEST: Timestamp = Timestamp::from_nanos(1 << 62);

/// What is known of a run.
#[derive(Debug, Clone, Default)]
struct View {
    plan: Option<Arc<Assigned>>,
    start: Option<Arc<Start>>,
    given_up: Option<String>,
}

/// What an agent waits for did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waited {
    /// The coordinator gave the run up before its start.
    GivenUp(String),
    /// It was not there in time.
    TooLate,
    /// A signal came, or the agent was told to leave.
    Left,
}

/// An agent in a run, until it is dropped.
#[derive(Debug)]
pub struct Joined {
    broker: Broker,
    handle: tokio::runtime::Handle,
    run: RunId,
    id: AgentId,
    view: watch::Receiver<View>,
    orders: watch::Sender<Orders>,
    /// When the coordinator was last heard of.
    heard: Arc<Mutex<Instant>>,
    /// What the broker does not permit of what the run needs.
    refused: watch::Receiver<Option<Error>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Joined {
    /// Joins a run.
    pub fn join(agent: &Agent, run: RunId) -> Self {
        let (show, view) = watch::channel(View::default());
        let orders = watch::Sender::new(Orders::default());
        let heard = Arc::new(Mutex::new(Instant::now()));
        let broker = agent.link.broker().clone();
        let handle = agent.link.handle().clone();
        let (tell, refused) = watch::channel(None);
        let refusal = broker.refused_in(&run);
        let looking = async move {
            let _ = tell.send(Some(refusal.await));
        };
        let listening = listen(broker.clone(), run.clone(), show, orders.clone());
        let hearing = hear(broker.clone(), run.clone(), heard.clone());
        let tasks = vec![
            handle.spawn(looking),
            handle.spawn(listening),
            handle.spawn(hearing),
        ];
        Self {
            broker,
            handle,
            run,
            id: agent.id.clone(),
            view,
            orders,
            heard,
            refused,
            tasks,
        }
    }

    /// Waits for the plan. `leaves` is asked meanwhile whether to give up.
    pub fn plan(&self, until: Instant, leaves: &dyn Fn() -> bool) -> Result<Arc<Assigned>, Waited> {
        self.wait(until, leaves, |view| view.plan.clone())
    }

    /// Waits for the start.
    pub fn start(&self, until: Instant, leaves: &dyn Fn() -> bool) -> Result<Arc<Start>, Waited> {
        self.wait(until, leaves, |view| view.start.clone())
    }

    fn wait<T>(
        &self,
        until: Instant,
        leaves: &dyn Fn() -> bool,
        look: impl Fn(&View) -> Option<T>,
    ) -> Result<T, Waited> {
        loop {
            {
                let view = self.view.borrow();
                if let Some(found) = look(&view) {
                    return Ok(found);
                }
                if let Some(why) = &view.given_up {
                    return Err(Waited::GivenUp(why.clone()));
                }
            }
            if let Some(error) = self.refused() {
                return Err(Waited::GivenUp(format!("failed to {error}")));
            }
            match () {
                () if leaves() => return Err(Waited::Left),
                () if Instant::now() >= until => return Err(Waited::TooLate),
                () => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// What the broker does not permit of what the run needs, if there is anything.
    pub fn refused(&self) -> Option<Error> {
        self.refused.borrow().clone()
    }

    /// Gives signs of life from now on, and tells if the broker does not permit what the run needs.
    pub fn lives(&mut self, number: u32) {
        let (broker, run) = (self.broker.clone(), self.run.clone());
        let alive = encode(&Alive {
            agent: self.id.to_string(),
        });
        let subject = Subject::of(&run, Kind::Alive, number);
        self.tasks.push(self.handle.spawn(async move {
            loop {
                // One that is not heard is followed by another.
                let _ = broker.say(&subject, alive.clone().into(), SIGN).await;
                tokio::time::sleep(SIGN).await;
            }
        }));
        let (broker, run, id) = (self.broker.clone(), self.run.clone(), self.id.to_string());
        let mut refused = self.refused.clone();
        self.tasks.push(self.handle.spawn(async move {
            let Ok(error) = refused
                .wait_for(Option::is_some)
                .await
                .map(|one| one.clone())
            else {
                return;
            };
            let refused = error.map(|error| format!("it failed to {error}"));
            let subject = Subject::of(&run, Kind::Ready, number);
            let said = format!("{run}.{id}.not-permitted");
            let bytes = encode(&Ready { agent: id, refused });
            while !is_kept(
                broker
                    .publish(&subject, &said, bytes.clone().into(), CALL)
                    .await,
            ) {
                tokio::time::sleep(PAUSE).await;
            }
        }));
    }

    /// Tells what became of the preparations. Tries until the broker has it, or until then.
    ///
    /// # Errors
    /// When the broker did not take it.
    pub fn ready(
        &self,
        number: u32,
        refused: Option<String>,
        until: Instant,
    ) -> Result<(), FleetError> {
        let which = if refused.is_some() {
            "refused"
        } else {
            "ready"
        };
        let ready = Ready {
            agent: self.id.to_string(),
            refused,
        };
        let subject = Subject::of(&self.run, Kind::Ready, number);
        self.publish(subject, which, encode(&ready), until)
    }

    /// Tells that its planned connections are open or have failed. Does not wait.
    pub fn settled(&self, number: u32, at: Timestamp) {
        let settled = Settled {
            agent: self.id.to_string(),
            at,
        };
        let subject = Subject::of(&self.run, Kind::Settled, number);
        let id = format!("{}.{}.settled", self.run, self.id);
        let (broker, bytes) = (self.broker.clone(), encode(&settled));
        self.handle.spawn(async move {
            while !is_kept(
                broker
                    .publish(&subject, &id, bytes.clone().into(), CALL)
                    .await,
            ) {
                tokio::time::sleep(PAUSE).await;
            }
        });
    }

    fn publish(
        &self,
        subject: Subject,
        which: &str,
        bytes: Vec<u8>,
        until: Instant,
    ) -> Result<(), FleetError> {
        let id = format!("{}.{}.{which}", self.run, self.id);
        let broker = self.broker.clone();
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        self.handle.spawn(async move {
            loop {
                let kept = broker
                    .publish(&subject, &id, bytes.clone().into(), CALL)
                    .await;
                match kept {
                    Err(ref error) if !is_final(error) && Instant::now() + PAUSE < until => {
                        tokio::time::sleep(PAUSE).await;
                    }
                    kept => {
                        let _ = tell.send(kept);
                        return;
                    }
                }
            }
        });
        let gone = |_| Error::Thread("it has ended".to_owned());
        told.recv().map_err(gone)??;
        Ok(())
    }

    /// What is ordered, for the engine.
    pub fn orders(&self) -> watch::Receiver<Orders> {
        self.orders.subscribe()
    }

    /// Ends the load when nothing was heard of the coordinator for so long, or the broker does not permit what the run needs.
    /// `origin` is the first dial.
    pub fn ends_alone(&mut self, grace: Duration, origin: Instant) {
        let (heard, orders) = (self.heard.clone(), self.orders.clone());
        let refused = self.refused.clone();
        *heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.tasks.push(self.handle.spawn(async move {
            loop {
                tokio::time::sleep(PAUSE).await;
                let heard = *heard.lock().unwrap_or_else(PoisonError::into_inner);
                if heard.elapsed() > grace || refused.borrow().is_some() {
                    let at = Timestamp::of(Instant::now(), origin);
                    orders.send_modify(|orders| orders.add(Command::CutShort { at }));
                    return;
                }
            }
        }));
    }

    /// Since when nothing was heard of the coordinator.
    pub fn silence(&self) -> Duration {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.elapsed()
    }

    /// Begins to hand in what is recorded in this file.
    pub fn hand_in(&self, number: u32, file: PathBuf) -> Handing {
        let (written, flushed) = watch::channel(handing::Written::default());
        let (tell, handed) = watch::channel(Handed::Going);
        let task = handing::Task {
            broker: self.broker.clone(),
            run: self.run.clone(),
            agent: self.id.to_string(),
            number,
            file,
        };
        self.handle.spawn(task.run(flushed, tell));
        Handing { written, handed }
    }
}

/// What is handed in while it is recorded.
#[derive(Debug)]
pub struct Handing {
    written: watch::Sender<handing::Written>,
    handed: watch::Receiver<Handed>,
}

impl Handing {
    /// So many bytes of the file are whole records by now.
    pub fn wrote(&self, bytes: u64) {
        self.written.send_modify(|written| written.bytes = bytes);
    }

    /// All is written. Waits until all is handed in, or until then. Returns why not all could be.
    ///
    /// # Errors
    /// When some is not handed in.
    pub fn finish(
        self,
        bytes: u64,
        until: Instant,
        leaves: &dyn Fn() -> bool,
    ) -> Result<(), String> {
        (self.written).send_replace(handing::Written {
            bytes,
            is_all: true,
        });
        loop {
            let last = match &*self.handed.borrow() {
                Handed::All => return Ok(()),
                Handed::Failed(why) => return Err(why.clone()),
                Handed::Going => "the NATS server did not take it".to_owned(),
                Handed::Trying(why) => why.clone(),
            };
            if leaves() || Instant::now() >= until || self.handed.has_changed().is_err() {
                return Err(last);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Whether the broker keeps it, or never will.
pub(super) fn is_kept<T>(published: Result<T, Error>) -> bool {
    published.err().as_ref().is_none_or(is_final)
}

/// Whether it is of no use to try again.
pub(super) fn is_final(error: &Error) -> bool {
    matches!(
        error,
        Error::NotPermitted(_) | Error::NoAnswers(_) | Error::TooLong { .. }
    )
}

/// Reads what the coordinator says, for as long as it takes.
async fn listen(
    broker: Broker,
    run: RunId,
    show: watch::Sender<View>,
    orders: watch::Sender<Orders>,
) {
    let subjects = Subject::orders(&run);
    loop {
        if let Ok(mut feed) = broker.follow(&subjects, CALL).await {
            let connects = broker.connects();
            // Reads all again after an error, or a new connection: what was known makes no difference.
            while broker.connects() == connects
                && let Ok(entry) = feed.next(LOOK).await
            {
                let Some(entry) = entry else { continue };
                let Some((_, kind, _)) = Subject::parse(&entry.subject) else {
                    continue;
                };
                take(kind, &entry.payload, &show, &orders);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn take(kind: Kind, payload: &[u8], show: &watch::Sender<View>, orders: &watch::Sender<Orders>) {
    match kind {
        Kind::Plan => {
            if let Ok(plan) = decode(payload) {
                show.send_modify(|view| view.plan = Some(Arc::new(plan)));
            }
        }
        Kind::Start => {
            if let Ok(start) = decode(payload) {
                show.send_modify(|view| view.start = Some(Arc::new(start)));
            }
        }
        Kind::Windows | Kind::Stop => {
            let Ok(Ordered {
                orders: all,
                given_up,
            }) = decode(payload)
            else {
                return;
            };
            if let Some(why) = given_up {
                show.send_modify(|view| view.given_up = Some(visible(&why)));
            }
            if are_possible(&all) {
                orders.send_if_modified(|orders| {
                    let known = *orders;
                    orders.merge(&all);
                    *orders != known
                });
            }
        }
        _ => {}
    }
}

/// Whether it can be computed with the times of orders.
pub(super) fn are_possible(orders: &Orders) -> bool {
    let (from, to) = orders.windows.unzip();
    let times = [from, to, orders.cut_short, orders.drained_by];
    times.into_iter().flatten().all(|time| time < LATEST)
}

/// Notes each sign of life of the coordinator.
async fn hear(broker: Broker, run: RunId, heard: Arc<Mutex<Instant>>) {
    let subject = Subject::to_all(&run, Kind::Here);
    loop {
        if let Ok(mut signs) = broker.hear(&subject, CALL).await {
            loop {
                if signs.next(LOOK).await.is_some() {
                    *heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The first dial by the clock of this process, if there is one for this number.
pub fn origin_of(start: &Start, number: u32) -> Option<Origin> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    start.origins.get(index).copied()
}
