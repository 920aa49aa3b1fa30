//! Opens the connections of a run, each within `connect_timeout`.

mod asking;
mod http;
mod upgrade;

use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use crate::http::Cookies;
use crate::measure::{By, Fitting};
use crate::metric::Side;
use crate::net::{
    Dial, Failure, Linked, NotOpened, Opened, Progress, Request, Resolver, Route, Steps, TlsError,
    Transport, Way, WebSocket,
};
use crate::plan::FaultPlan;
use crate::scenario::{Access, Cohort, Target, Upgrade, WebOrigin, WsUrl};
use crate::units::{Nanos, human_ns};

pub(super) use http::HttpDialer;

/// The receive buffer of a client that is going to stop reading, in bytes. Small, so that its TCP window fills soon.
const SMALL: usize = 4096;

/// Everything that a dial needs; made once for a run and shared by all workers.
#[derive(Debug)]
pub(super) struct Dialer {
    /// The ways to all servers, each with its server and the place of its access in the list of all.
    ways: Vec<(WebOrigin, usize, Way)>,
    /// By cohort: the place of its access.
    access: Vec<usize>,
    target: WsUrl,
    /// By cohort: its server, if that is not the target.
    own: Vec<Option<WsUrl>>,
    /// The value of `Origin` in upgrade requests.
    origin: Option<String>,
    /// What upgrade requests say beside that, unless they have placeholders.
    headers: Vec<(String, String)>,
    subprotocols: Vec<String>,
    /// By cohort: the route to the target; `None` connects to it directly.
    routes: Vec<Option<Route>>,
    request: Request,
    timeout: Duration,
    /// The longest message that is accepted from the server, in bytes.
    max_message: usize,
}

impl Dialer {
    /// `resolver` resolves the target's name; those of other servers that clients of `cohorts` ask by HTTP are looked
    /// up here. `routes` are, by cohort, the routes to the target; a cohort without one connects to it directly.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn new(
        url: &WsUrl,
        target: &Target,
        cohorts: &[Cohort],
        resolver: Arc<Resolver>,
        routes: Vec<Option<Route>>,
    ) -> Result<Self, TlsError> {
        let own = cohorts.iter().map(|cohort| cohort.server.clone());
        let own: Vec<Option<WsUrl>> = own.collect();
        let mut all: Vec<&Access> = vec![&target.access];
        let mut access = Vec::new();
        let mut resolvers = vec![(url.origin(), resolver)];
        let mut ways: Vec<(WebOrigin, usize, Way)> = Vec::new();
        for (cohort, server) in cohorts.iter().zip(&own) {
            let known = all.iter().position(|known| **known == cohort.access);
            let place = known.unwrap_or_else(|| {
                all.push(&cohort.access);
                all.len() - 1
            });
            access.push(place);
            let server = server.as_ref().unwrap_or(url).origin();
            for origin in cohort.other_servers().chain([server]) {
                if ways.iter().any(|way| (&way.0, way.1) == (&origin, place)) {
                    continue;
                }
                let known = resolvers.iter().find(|(known, _)| *known == origin);
                let resolver = match known {
                    Some((_, resolver)) => resolver.clone(),
                    None => {
                        let within = target.connect_timeout;
                        let new = Resolver::new(&origin.host, origin.port, within);
                        resolvers.push((origin.clone(), new.clone()));
                        new
                    }
                };
                // Cohorts that share a way share its store of sessions, and one of them may dial again.
                let share = |one: &&Cohort| one.access == cohort.access;
                let resumes = cohorts.iter().filter(share).any(Cohort::dials_again);
                let way = Way::new(
                    &origin,
                    &cohort.access,
                    &target.source_addresses,
                    resolver,
                    target.connect_timeout,
                    resumes,
                )?;
                ways.push((origin, place, way));
            }
        }
        Ok(Self {
            ways,
            access,
            target: url.clone(),
            own,
            origin: target.origin.clone(),
            headers: target.headers.clone(),
            subprotocols: target.subprotocols.clone(),
            routes,
            request: Request::new(url, target),
            timeout: target.connect_timeout,
            max_message: target.max_message.as_usize(),
        })
    }

    /// Opens a WebSocket within `connect_timeout`.
    async fn open(&self, wanted: Wanted<'_>, shared: &Shared) -> Result<Opened, Failure> {
        let own = self.own_request(wanted)?;
        let request = own.as_ref().unwrap_or(&self.request);
        let clock = &*shared.clock;
        let open = async |way: &Way, dial: Dial, progress: &mut Progress| {
            way.open(request, dial, clock, progress).await
        };
        let dial = Dial {
            number: wanted.connection,
            receives: wanted.fault_plan.stops_reading().then_some(SMALL),
            is_watched: wanted.fault_plan.watched,
            ..Dial::default()
        };
        self.dial(wanted.cohort, dial, shared, open).await
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
        let dial = Dial {
            number: connection,
            ..Dial::default()
        };
        self.dial(cohort, dial, shared, open).await
    }

    /// Dials the server of a cohort within `connect_timeout`, over its route if it has one, and tells what was learned
    /// on the way.
    async fn dial<O>(
        &self,
        cohort: usize,
        dial: Dial,
        shared: &Shared,
        open: impl AsyncFnOnce(&Way, Dial, &mut Progress) -> Result<O, NotOpened>,
    ) -> Result<O, Failure> {
        // The routes lead to the target.
        let route = self.routes.get(cohort).and_then(Option::as_ref);
        let route = route.filter(|_| self.own_server(cohort).is_none());
        let dial = Dial {
            route: route.map(|route| route.address),
            ..dial
        };
        let (way, _) = self.to(cohort, None);
        let mut progress = Progress::default();
        let opened = tokio::select! {
            biased;
            opened = open(way, dial, &mut progress) => Ok(opened),
            lost = shared.attend(Nanos::from(self.timeout)) => Err(lost),
        };
        shared.looked_up(&way.tcp.resolver.take_times());
        let mut passed = route.map(Route::take_passed).unwrap_or_default();
        passed.add(&progress.passed);
        shared.passed(cohort, &passed);
        shared.counted(cohort, &progress.counts);
        match opened {
            Err(lost) => Err(timed_out(&progress, lost)),
            Ok(Err(failed)) => Err(failed.failure),
            Ok(Ok(opened)) => Ok(opened),
        }
    }

    /// The server of a cohort, if that is not the target.
    fn own_server(&self, cohort: usize) -> Option<&WsUrl> {
        self.own.get(cohort)?.as_ref()
    }

    /// The server that the connections of a cohort are opened to.
    pub(super) fn origin(&self, cohort: usize) -> WebOrigin {
        self.to(cohort, None).1
    }

    /// The way of a cohort to a server, and what that is called; `None` is the server of the cohort.
    fn to(&self, cohort: usize, origin: Option<&WebOrigin>) -> (&Way, WebOrigin) {
        let own = self.own_server(cohort).unwrap_or(&self.target);
        let origin = origin.cloned().unwrap_or_else(|| own.origin());
        let access = self.access[cohort];
        let way = (self.ways.iter()).find(|way| (&way.0, way.1) == (&origin, access));
        let (_, _, way) = way.expect("a way was made to each server of each cohort");
        (way, origin)
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
            ..
        } = self.open(wanted, shared).await?;
        Ok(Connected {
            transport: WebSocket::new(link, early, self.max_message),
            steps,
            head,
        })
    }
}

#[cfg(test)]
mod tests;
