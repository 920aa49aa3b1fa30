//! Opens the connections of a run, each within `connect_timeout`.

use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use crate::net::{
    Dial, Failure, Opened, Progress, Request, Resolver, Route, Steps, TlsError, Transport, Way,
    WebSocket,
};
use crate::plan::FaultPlan;
use crate::scenario::{Target, WsUrl};
use crate::units::{Nanos, human_ns};

/// The receive buffer of a client that is going to stop reading, in bytes. Small, so that its TCP window fills soon.
const SMALL: usize = 4096;

/// Everything that a dial needs; made once for a run and shared by all workers.
#[derive(Debug)]
pub(super) struct Dialer {
    way: Way,
    /// By cohort: the route to the target; `None` connects to it directly.
    routes: Vec<Option<Route>>,
    request: Request,
    timeout: Duration,
    /// The longest message that is accepted from the server, in bytes.
    max_message: usize,
}

impl Dialer {
    /// `resolver` resolves the target's name. `routes` are, by cohort, the routes to it; a cohort without one
    /// connects to the target directly.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn new(
        url: &WsUrl,
        target: &Target,
        resolver: Arc<Resolver>,
        routes: Vec<Option<Route>>,
    ) -> Result<Self, TlsError> {
        Ok(Self {
            way: Way::new(url, target, resolver)?,
            routes,
            request: Request::new(url, target),
            timeout: target.connect_timeout,
            max_message: target.max_message.as_usize(),
        })
    }

    /// Opens one connection of a cohort within `connect_timeout`, set up for the faults in `fault_plan`.
    pub(super) async fn open(
        &self,
        cohort: usize,
        connection: u32,
        fault_plan: FaultPlan,
        shared: &Shared,
    ) -> Result<Opened, Failure> {
        let route = self.routes.get(cohort).and_then(Option::as_ref);
        let dial = Dial {
            number: connection,
            route: route.map(|route| route.address),
            receives: fault_plan.stops_reading().then_some(SMALL),
            is_watched: fault_plan.watched,
        };
        let clock = &*shared.clock;
        let mut progress = Progress::default();
        let opened = tokio::select! {
            biased;
            opened = self.way.open(&self.request, dial, clock, &mut progress) => Ok(opened),
            lost = shared.attend(Nanos::from(self.timeout)) => Err(lost),
        };
        shared.looked_up(&self.way.tcp.resolver.take_times());
        let mut passed = route.map(Route::take_passed).unwrap_or_default();
        passed.add(&progress.passed);
        shared.passed(cohort, &passed);
        match opened {
            Err(lost) => {
                let mut failure = progress.timed_out();
                if lost > Nanos::ZERO {
                    let lost = human_ns(lost.0);
                    failure.detail +=
                        &format!("; wsbench itself was not there for {lost}, which does not count");
                }
                Err(failure)
            }
            Ok(Err(failed)) => Err(failed.failure),
            Ok(Ok(opened)) => Ok(opened),
        }
    }

    /// Makes a WebSocket of an open connection. Returns how long its steps took, too.
    pub(super) fn web_socket(&self, opened: Opened) -> (WebSocket, Steps) {
        let Opened {
            link, steps, early, ..
        } = opened;
        (WebSocket::new(link, early, self.max_message), steps)
    }
}

/// Opens connections. Cheap to clone: every client has its own copy.
pub(crate) trait Connector: Clone {
    /// The type of the connections that it opens.
    type Transport: Transport;

    /// Opens one connection of a cohort within `connect_timeout`, set up for the faults in `fault_plan`.
    async fn connect(
        &self,
        cohort: usize,
        connection: u32,
        fault_plan: FaultPlan,
        shared: &Shared,
    ) -> Result<(Self::Transport, Steps), Failure>;
}

impl Connector for Arc<Dialer> {
    type Transport = WebSocket;

    async fn connect(
        &self,
        cohort: usize,
        connection: u32,
        fault_plan: FaultPlan,
        shared: &Shared,
    ) -> Result<(WebSocket, Steps), Failure> {
        let opened = self.open(cohort, connection, fault_plan, shared).await?;
        Ok(self.web_socket(opened))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::engine::session::tests::plan;
    use crate::engine::shared::RunState;
    use crate::metric::{Cause, Counter};
    use crate::scenario::TargetUrl;
    use crate::time::Monotonic;

    #[tokio::test]
    async fn a_dial_of_the_relay_that_passed_two_addresses_by_counts_once_with_its_cohort() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let route = Route::over(listener.local_addr().unwrap());
        drop(listener);
        let passed = ["[::1]:1", "[::2]:1"].map(|at| (at.parse().unwrap(), Cause::Refused));
        route.add_passed(&passed);

        let plan = Arc::new(plan("load.connections = 1"));
        let target = &plan.scenario.target;
        let TargetUrl::Url(url) = &target.url else {
            panic!("it has an address");
        };
        let resolver = Resolver::of(&[]);
        let dialer = Arc::new(Dialer::new(url, target, resolver, vec![Some(route)]).unwrap());
        let clock = Box::new(Monotonic::start());
        let shared = Shared::new(clock, plan.clone(), Arc::new(RunState::new(1)));
        for connection in 0..2 {
            let dialled = dialer.connect(0, connection, FaultPlan::default(), &shared);
            let failure = dialled.await.expect_err("nobody listens");
            assert_eq!(failure.cause, Cause::Refused);
        }
        let shard = shared.shard.borrow();
        let counted = (shard.cohorts[0].whole).counter(Counter::ConnectionsFallbacks);
        assert_eq!(counted, 1);
        let told = shard.fallbacks.iter();
        let told = told.map(|(address, told)| (address, told.count, told.why.as_str()));
        assert_eq!(
            Vec::from_iter(told),
            [("[::1]:1", 1, "refused"), ("[::2]:1", 1, "refused")]
        );
    }
}
