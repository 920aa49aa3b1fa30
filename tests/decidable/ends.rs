//! What connections of a possible run may come to: how they open and end, and why.

use wsbench::measure::Shard;
use wsbench::metric::{Cause, CloseKind, Counter, Side, Timer};
use wsbench::scenario::{Cohort, FaultKind, Protocol, Reconnect, Servers, Shape, Trust, Verb};
use wsbench::units::Nanos;

use super::possible::Run;

impl Run<'_> {
    /// What connections of a cohort may come to.
    pub(super) fn ends(&self, index: usize, cohort: &Cohort, shard: &mut Shard) {
        let scenario = &self.plan.scenario;
        let cells = &mut shard.cohorts[index].whole;
        for counter in [
            Counter::ConnectionsAttempted,
            Counter::ConnectionsOpened,
            Counter::ConnectionsFailed,
            Counter::ConnectionsClosed,
            Counter::ConnectionsLost,
            Counter::BytesSent,
            Counter::BytesReceived,
        ] {
            cells.count(counter);
        }
        for timer in [Timer::HandshakeTcp, Timer::HandshakeTotal] {
            cells.time(timer, Nanos(1));
        }
        if !cohort.setup.is_empty() {
            for counter in [
                Counter::SetupBegun,
                Counter::SetupReady,
                Counter::SetupFailed,
                Counter::SetupLost,
                Counter::SetupAbandoned,
            ] {
                cells.count(counter);
            }
            cells.time(Timer::SetupDuration, Nanos(1));
        }
        for (index, step) in cohort.setup.iter().enumerate() {
            if step.name.is_some() {
                let service = step.expects_answer().then_some(Nanos(1));
                cells.timed(cohort.messages.len() + index, [Some(Nanos(1)), service]);
            }
        }
        if cohort.protocol == Protocol::Http {
            cells.count(Counter::ConnectionsRenewed);
        } else {
            cells.time(Timer::HandshakeUpgrade, Nanos(1));
        }
        let comes_back = cohort.reconnect != Reconnect::None;
        let is_steady = matches!(scenario.load.shape, Shape::Steady { .. });
        let first = cohort.setup.first().map(|step| &step.verb);
        let abandons = comes_back || !is_steady && matches!(first, Some(Verb::Http(_)));
        if abandons {
            cells.count(Counter::ConnectionsAbandoned);
        }
        if comes_back {
            cells.count(Counter::ConnectionsReconnected);
            cells.time(Timer::ReconnectDuration, Nanos(1));
        }
        let is_reset = cohort
            .faults
            .iter()
            .any(|fault| fault.kind == FaultKind::Reset);
        let is_asking = cohort.protocol == Protocol::Http;
        if is_reset {
            cells.close(CloseKind::Rst, Side::Local);
        } else if !is_asking {
            cells.time(Timer::CloseDuration, Nanos(1));
        }
        cells.close(CloseKind::Rst, Side::Peer);
        cells.close(CloseKind::Code(1000), Side::Local);
        let closes = |kind: &FaultKind| matches!(kind, FaultKind::Close { .. });
        if cohort.faults.iter().any(|fault| closes(&fault.kind)) {
            cells.close(CloseKind::Code(4000), Side::Local);
        }
        if let Shape::Arrivals { max_open, .. } = scenario.load.shape
            && max_open < cohort.connections
        {
            cells.count(Counter::ConnectionsSkipped);
        }
        let servers = cohort.dialled(&scenario.target.url);
        let (is_secure, is_name) = match servers.map(Servers::first) {
            None => (false, false),
            Some(url) => (url.secure, url.is_name()),
        };
        let is_relayed = (scenario.path.as_ref()).is_some_and(|path| path.leads(&cohort.name));
        if is_secure {
            cells.time(Timer::HandshakeTls, Nanos(1));
            cells.time(Timer::HandshakeTlsFull, Nanos(1));
            cells.count(Counter::TlsFull);
            cells.count(Counter::TlsRetried);
            if cohort.reconnect != Reconnect::None {
                cells.time(Timer::HandshakeTlsResumed, Nanos(1));
                cells.count(Counter::TlsResumed);
            }
        }
        if is_name && !is_relayed {
            cells.count(Counter::ConnectionsFallbacks);
        }
        let is_checked = scenario.target.access.tls.trust != Trust::Anyone;
        for cause in Cause::ALL.iter().copied() {
            let is_possible = match cause {
                Cause::Completed
                | Cause::PeerFrozen
                | Cause::PathDead
                | Cause::MissedPong
                | Cause::Silent => false,
                Cause::SetupFailed => !cohort.setup.is_empty(),
                Cause::StepFailed => !cohort.steps.is_empty(),
                Cause::Fault => !cohort.faults.is_empty(),
                Cause::Dns => is_name && !is_relayed,
                Cause::TlsUntrusted | Cause::TlsExpired | Cause::TlsName => is_secure && is_checked,
                Cause::TlsPin
                | Cause::BadDeflate
                | Cause::NoExtension
                | Cause::ProxyUnreachable
                | Cause::ProxyAuth
                | Cause::ProxyRefused
                | Cause::ProxyGarbage
                | Cause::H2NoWebsocket
                | Cause::H2Refused
                | Cause::H2Error => false,
                Cause::Abandoned => abandons,
                other => other.tls_hint().is_none() || is_secure,
            };
            if is_possible {
                cells.cause(cause);
            }
        }
    }
}
