//! Opens the connections of a run, each within `connect_timeout`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use crate::net::{
    Dial, Failure, Opened, Progress, Request, Resolver, Steps, TlsError, Transport, Way, WebSocket,
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
    /// By cohort: the address to connect to instead of the target.
    routes: Vec<Option<SocketAddr>>,
    request: Request,
    timeout: Duration,
    /// The longest message that is accepted from the server, in bytes.
    max_message: usize,
}

impl Dialer {
    /// `resolver` resolves the target's name. `routes` are, by cohort, the addresses to connect to instead; a cohort
    /// without an entry connects to the target.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn new(
        url: &WsUrl,
        target: &Target,
        resolver: Arc<Resolver>,
        routes: Vec<Option<SocketAddr>>,
    ) -> Result<Self, TlsError> {
        Ok(Self {
            way: Way::new(url, target, resolver)?,
            routes,
            request: Request::new(url, target),
            timeout: target.connect_timeout,
            max_message: target.max_message.as_usize(),
        })
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
        let dial = Dial {
            number: connection,
            route: self.routes.get(cohort).copied().flatten(),
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
        shared.looked_up(&self.way.resolver.take_times());
        shared.passed(cohort, &progress.passed);
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
            Ok(Ok(Opened {
                link, steps, early, ..
            })) => Ok((WebSocket::new(link, early, self.max_message), steps)),
        }
    }
}
