//! Opens the connections of a run, each within `connect_timeout`.

mod asking;
mod destinations;
mod http;
mod redirect;
mod streams;
mod upgrade;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use self::destinations::{Destination, Destinations};
use super::shared::Shared;
use crate::http::Cookies;
use crate::measure::{By, Fitting};
use crate::metric::Side;
use crate::net::{
    Dial, Failure, Linked, NotOpened, Opened, Progress, Resolvers, Route, Steps, TlsError,
    Transport, Way, WebSocket,
};
use crate::plan::FaultPlan;
use crate::scenario::{
    Access, Ask, Cohort, Compression, Servers, Target, Upgrade, WebOrigin, WsUrl,
};
use crate::units::{Nanos, human_ns};

pub(super) use http::HttpDialer;
pub(super) use streams::{Pools, StreamDialer};

/// The receive buffer of a client that is going to stop reading, in bytes. Small, so that its TCP window fills soon.
const SMALL: usize = 4096;

/// Everything that a dial needs; made once for a run and shared by all workers.
#[derive(Debug)]
pub(super) struct Dialer {
    /// The ways to all servers, each with its server and the place of its access in the list of all.
    ways: Vec<(WebOrigin, usize, Arc<Way>)>,
    /// The ways to servers that redirects have led to.
    found: Mutex<Vec<(WebOrigin, usize, Arc<Way>)>>,
    /// The list of all.
    accesses: Vec<Access>,
    /// By access: whether one of its clients may dial again.
    resumes: Vec<bool>,
    /// By cohort: the place of its access.
    access: Vec<usize>,
    /// By cohort: its servers.
    destinations: Vec<Destinations>,
    /// By cohort: the compression that is offered.
    compression: Vec<Option<Compression>>,
    /// By cohort: what upgrade requests say, unless they have placeholders.
    asks: Vec<Ask>,
    /// By cohort: the route to the target; `None` connects to it directly.
    routes: Vec<Option<Route>>,
    /// By cohort: how many redirects are followed.
    redirects: Vec<u32>,
    names: Arc<Resolvers>,
    timeout: Duration,
    /// The longest message that is accepted from the server, in bytes.
    max_message: usize,
}

impl Dialer {
    /// `servers` are those of the target, and `names` has looked up the names of all. `routes` are, by cohort, the routes to
    /// the target; a cohort without one connects to it directly.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn new(
        servers: &Servers,
        target: &Target,
        cohorts: &[Cohort],
        names: &Arc<Resolvers>,
        routes: Vec<Option<Route>>,
    ) -> Result<Self, TlsError> {
        let mut all: Vec<&Access> = vec![&target.access];
        let mut access = Vec::new();
        let mut ways: Vec<(WebOrigin, usize, Arc<Way>)> = Vec::new();
        let mut destinations = Vec::new();
        for cohort in cohorts {
            let known = all.iter().position(|known| **known == cohort.access);
            let place = known.unwrap_or_else(|| {
                all.push(&cohort.access);
                all.len() - 1
            });
            access.push(place);
            let own = cohort.servers.as_ref().unwrap_or(servers);
            destinations.push(Destinations::new(
                own,
                &cohort.access.ask,
                cohort.servers.is_none(),
            ));
            let dialled = own.urls().map(WsUrl::origin);
            for origin in cohort.other_servers().chain(dialled) {
                if ways.iter().any(|way| (&way.0, way.1) == (&origin, place)) {
                    continue;
                }
                let resumes = dial_again(cohorts, &cohort.access);
                let way = Way::new(&origin, &cohort.access, names, resumes)?;
                ways.push((origin, place, Arc::new(way)));
            }
        }
        Ok(Self {
            ways,
            found: Mutex::default(),
            resumes: all.iter().map(|one| dial_again(cohorts, one)).collect(),
            accesses: all.into_iter().cloned().collect(),
            access,
            destinations,
            compression: cohorts.iter().map(|one| one.packs().cloned()).collect(),
            asks: cohorts.iter().map(|one| one.access.ask.clone()).collect(),
            routes,
            redirects: cohorts
                .iter()
                .map(|cohort| cohort.access.redirects)
                .collect(),
            names: names.clone(),
            timeout: target.connect_timeout,
            max_message: target.max_message.as_usize(),
        })
    }

    /// Opens a WebSocket within `connect_timeout`.
    async fn open(&self, wanted: Wanted<'_>, shared: &Shared) -> Result<Opened, Failure> {
        let own = self.own_request(wanted)?;
        let (to, turn) = self.destinations[wanted.cohort].of(wanted.connection);
        let request = own.as_ref().unwrap_or(&to.request);
        let compression = self.compression[wanted.cohort].as_ref();
        let clock = &*shared.clock;
        let open = async |way: &Way, dial: Dial, progress: &mut Progress| {
            let begun = clock.now();
            match way.open(request, compression, dial, clock, progress).await {
                Err(failed) if self.redirects[wanted.cohort] > 0 => {
                    let at = (clock, begun);
                    self.follow(failed, wanted, dial, at, progress).await
                }
                opened => opened,
            }
        };
        let dial = Dial {
            number: wanted.connection,
            turn: turn.before,
            receives: wanted.fault_plan.stops_reading().then_some(SMALL),
            is_watched: wanted.fault_plan.watched,
            is_lazy: shared.plan.is_lazy(wanted.cohort),
            ..Dial::default()
        };
        let opened = self.dial(wanted.cohort, to, dial, shared, open).await;
        if self.redirects[wanted.cohort] > 0 {
            shared.looked_up(&self.take_found_look_ups());
        }
        opened
    }

    /// Opens a connection of a cohort within `connect_timeout`, and asks for nothing.
    pub(super) async fn link(
        &self,
        cohort: usize,
        connection: u32,
        shared: &Shared,
    ) -> Result<Linked, Failure> {
        let clock = &*shared.clock;
        let open = async |way: &Way, dial: Dial, progress: &mut Progress| {
            let linked = way.link(dial, clock, progress).await;
            linked.map_err(NotOpened::from)
        };
        let (to, turn) = self.destinations[cohort].of(connection);
        let dial = Dial {
            number: connection,
            turn: turn.before,
            ..Dial::default()
        };
        self.dial(cohort, to, dial, shared, open).await
    }

    /// Dials a server of a cohort within `connect_timeout`, over the cohort's route if it has one, and tells what was
    /// learned on the way.
    async fn dial<O>(
        &self,
        cohort: usize,
        to: &Destination,
        dial: Dial,
        shared: &Shared,
        open: impl AsyncFnOnce(&Way, Dial, &mut Progress) -> Result<O, NotOpened>,
    ) -> Result<O, Failure> {
        let route = self.routes.get(cohort).and_then(Option::as_ref);
        let route = route.filter(|_| self.destinations[cohort].are_target);
        let dial = Dial {
            route: route.map(|route| route.address),
            ..dial
        };
        let way = self.way(cohort, &to.origin);
        let mut progress = Progress::default();
        let opened = tokio::select! {
            biased;
            opened = open(way, dial, &mut progress) => Ok(opened),
            lost = shared.attend(Nanos::from(self.timeout)) => Err(lost),
        };
        shared.looked_up(&way.take_look_ups());
        let mut passed = route.map(Route::take_passed).unwrap_or_default();
        passed.add(&progress.passed);
        shared.passed(cohort, &passed);
        shared.counted(cohort, &progress.counts);
        shared.agreed(&progress.agreed);
        match opened {
            Err(lost) => Err(timed_out(&progress, lost)),
            Ok(Err(failed)) => Err(failed.failure),
            Ok(Ok(opened)) => Ok(opened),
        }
    }

    /// The server that a connection is opened to.
    pub(super) fn origin(&self, cohort: usize, connection: u32) -> WebOrigin {
        let (to, _) = self.destinations[cohort].of(connection);
        to.origin.clone()
    }

    /// Returns how long look-ups of the names of all servers took since the last call.
    pub(super) fn take_look_ups(&self) -> Vec<Duration> {
        let mut all = self.take_found_look_ups();
        all.extend(self.ways.iter().flat_map(|(_, _, way)| way.take_look_ups()));
        all
    }

    /// The same of those that redirects have led to.
    fn take_found_look_ups(&self) -> Vec<Duration> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found
            .iter()
            .flat_map(|(_, _, way)| way.take_look_ups())
            .collect()
    }

    /// The way of a cohort to a server.
    fn way(&self, cohort: usize, origin: &WebOrigin) -> &Way {
        let access = self.access[cohort];
        let way = (self.ways.iter()).find(|way| (&way.0, way.1) == (origin, access));
        let (_, _, way) = way.expect("a way was made to each server of each cohort");
        way
    }
}

/// A connection that a client wants: whose it is, and what is special about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) cohort: usize,
    pub(crate) connection: u32,
    /// The faults that it is set up for.
    pub(crate) fault_plan: &'a FaultPlan,
    /// The upgrade request and what it was rendered to, if it has placeholders.
    pub(crate) upgrade: Option<(&'a Upgrade, &'a [u8])>,
    pub(crate) cookies: &'a Cookies,
}

/// Whether a client with this access may dial again. Cohorts with the same one share its sessions of TLS.
fn dial_again(cohorts: &[Cohort], access: &Access) -> bool {
    let share = |one: &&Cohort| one.access == *access;
    cohorts.iter().filter(share).any(Cohort::dials_again)
}

/// The failure of a dial that ran out of time, `lost` of which did not count.
fn timed_out(progress: &Progress, lost: Nanos) -> Failure {
    let mut failure = progress.timed_out();
    if lost > Nanos::ZERO {
        let lost = human_ns(lost.0);
        failure.detail +=
            &format!("; wsbench itself was not there for {lost}, which does not count");
    }
    failure
}

/// A connection that was opened.
pub(crate) struct Connected<T> {
    pub(crate) transport: T,
    /// How long each step of its opening took.
    pub(crate) steps: Steps,
    /// The head of the server's answer to the upgrade; empty without one.
    pub(crate) head: Vec<u8>,
}

/// Opens connections. Cheap to clone: every client has its own copy.
pub(crate) trait Connector: Clone {
    /// The type of the connections that it opens.
    type Transport: Transport;

    /// Returns what asks by HTTP before a connection is opened.
    fn dialer(&self) -> &Dialer;

    /// Opens one connection within `connect_timeout`.
    async fn connect(
        &self,
        wanted: Wanted<'_>,
        shared: &Shared,
    ) -> Result<Connected<Self::Transport>, Failure>;

    /// Shows why no connection was opened. Only connections that are traced keep it.
    fn failed(&self, _failure: &Failure) {}

    /// Shows a request or its answer. `saved` is what the client keeps by now, which must not be shown. Only
    /// connections that are traced keep it.
    fn show(&self, _shown: &Shown<'_>) {}
}

/// A request of HTTP, or its answer.
pub(crate) struct Shown<'a> {
    pub(crate) from: Side,
    pub(crate) by: By,
    pub(crate) fit: Fitting,
    pub(crate) text: &'a [u8],
    pub(crate) saved: &'a [Vec<u8>],
}

impl Connector for Arc<Dialer> {
    type Transport = WebSocket;

    fn dialer(&self) -> &Dialer {
        self
    }

    async fn connect(
        &self,
        wanted: Wanted<'_>,
        shared: &Shared,
    ) -> Result<Connected<WebSocket>, Failure> {
        let Opened {
            link,
            steps,
            head,
            early,
            compressed,
            ..
        } = self.open(wanted, shared).await?;
        Ok(Connected {
            transport: WebSocket::new(link.into(), early, self.max_message, compressed),
            steps,
            head,
        })
    }
}

#[cfg(test)]
mod streams_tests;
#[cfg(test)]
mod tests;
