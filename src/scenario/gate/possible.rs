//! Which metrics can have data in a run: one table for the whole catalogue. A gate on a metric that cannot is refused:
//! a count would always be zero and prove nothing, and a time would have no sample.

use super::check::GateError;
use super::grammar::Piece;
use super::names::Names;
use super::need::{Need, Wanted, Which};
use crate::metric::{self, Cause, CloseKind, Counter, Gauge, Side, Timer};
use crate::scenario::reading::hints;
use crate::scenario::{Cohort, Selector, Stat};

/// What a metric needs, in the order in which a lack is reported. Empty: it can have data in any run.
fn needs(metric: &str) -> Vec<Need> {
    if let Some(counter) = Counter::from_name(metric) {
        return of_counter(counter).to_vec();
    }
    if let Some(timer) = Timer::from_name(metric) {
        return of_timer(timer).to_vec();
    }
    if let Some(gauge) = Gauge::from_name(metric) {
        return of_gauge(gauge).0.to_vec();
    }
    if let Some(cause) = metric::cause_from_name(metric) {
        return of_cause(cause).to_vec();
    }
    if let Some((kind, side)) = metric::close_from_name(metric) {
        return Vec::from_iter(of_close(kind, side));
    }
    if metric.starts_with("gap.") || metric.starts_with("age.") {
        return vec![Need::Heard];
    }
    // What is left are `latency.<message>` and `service.<message>`.
    vec![Need::Messages(Which::Named)]
}

fn of_counter(counter: Counter) -> &'static [Need] {
    use Need::{
        Awaits, Death, Messages, Numbers, Pings, Pongs, Pushes, Receives, Reconnect, ServerPings,
        Setup, Skips, TextPings, Turns,
    };
    match counter {
        Counter::ConnectionsAttempted
        | Counter::ConnectionsOpened
        | Counter::ConnectionsFailed
        | Counter::ConnectionsClosed
        | Counter::ConnectionsLost
        | Counter::BytesSent
        | Counter::BytesReceived => &[],
        Counter::ConnectionsDead => &[Death],
        Counter::ConnectionsAbandoned => &[Need::Abandons],
        Counter::ConnectionsReconnected => &[Reconnect],
        Counter::ConnectionsRenewed => &[Need::Http],
        Counter::ReconnectsDeferred => &[Need::RetryAfter],
        Counter::HandshakeRedirects => &[Need::Redirects],
        Counter::ConnectionsFallbacks => &[Need::OtherAddress],
        Counter::ConnectionsSkipped => &[Skips],
        Counter::TlsFull | Counter::TlsRetried => &[Need::Tls],
        Counter::TlsResumed => &[Need::ResumedTls],
        Counter::ConnectionsCompressed => &[Need::Compression],
        Counter::CompressedReceived
        | Counter::CompressedReceivedPlain
        | Counter::CompressedReceivedWire => &[Need::Compression, Need::Open],
        Counter::CompressedSent | Counter::CompressedSentPlain | Counter::CompressedSentWire => {
            &[Need::PackedMessages]
        }
        Counter::Http2Carriers
        | Counter::Http2CarriersLost
        | Counter::Http2Goaways
        | Counter::Http2Unended => &[Need::Http2],
        Counter::MessagesDue | Counter::MessagesSent | Counter::MessagesHeldUp => {
            &[Messages(Which::Any)]
        }
        Counter::MessagesNotSent | Counter::MessagesNotTaken => &[Messages(Which::Scheduled)],
        Counter::MessagesOffline => &[Messages(Which::Paced), Reconnect],
        Counter::MessagesEchoed => &[Messages(Which::Echoed)],
        Counter::MessagesAnswered => &[Messages(Which::Matched)],
        Counter::MessagesMismatched
        | Counter::MessagesDuplicated
        | Counter::MessagesTimedOut
        | Counter::MessagesLate
        | Counter::MessagesLost
        | Counter::MessagesRetyped => &[Messages(Which::Answered)],
        Counter::MessagesUncertain => &[Messages(Which::Unstamped)],
        Counter::MessagesReceived => &[Receives],
        // A server can send these to a client that only listens.
        Counter::MessagesUnsolicited | Counter::PongsUnsolicited => &[Need::Upgrade, Need::Open],
        Counter::SetupBegun
        | Counter::SetupReady
        | Counter::SetupFailed
        | Counter::SetupLost
        | Counter::SetupAbandoned => &[Setup],
        Counter::AwaitsBegun
        | Counter::AwaitsMet
        | Counter::AwaitsWrong
        | Counter::AwaitsTimedOut
        | Counter::AwaitsLost
        | Counter::AwaitsAbandoned => &[Awaits],
        Counter::TurnsDue | Counter::TurnsBegun | Counter::TurnsMissed => &[Turns],
        Counter::PushesReceived | Counter::PushesWrong => &[Pushes],
        Counter::PushesNumbered
        | Counter::PushesGaps
        | Counter::PushesRepeated
        | Counter::PushesUnordered => &[Numbers],
        Counter::DeliveryPublished => &[Messages(Which::Published)],
        Counter::DeliveryStray => &[Need::Published],
        Counter::DeliveryExpected
        | Counter::DeliveryReceived
        | Counter::DeliveryLate
        | Counter::DeliveryDuplicated
        | Counter::DeliveryUnordered
        | Counter::DeliveryUnsure => &[Need::Member, Need::Published],
        Counter::PingsSent => &[Pings],
        Counter::PongsReceived | Counter::PongsLate | Counter::PingsMissed => &[Pongs],
        Counter::PongsUncertain => &[TextPings],
        Counter::ServerPings => &[ServerPings(false)],
    }
}

fn of_timer(timer: Timer) -> &'static [Need] {
    use Need::{Death, Gap, OwnClose, Pongs, Reconnect, ServerPings, Tls};
    match timer {
        Timer::HandshakeDns => &[Need::LookUp],
        Timer::HandshakeTcp | Timer::HandshakeTotal | Timer::GeneratorLoopLag => &[],
        Timer::HandshakeUpgrade => &[Need::Upgrade],
        Timer::HandshakeProxy => &[Need::Proxy],
        Timer::HandshakeTls | Timer::HandshakeTlsFull => &[Tls],
        Timer::HandshakeTlsResumed => &[Need::ResumedTls],
        Timer::Http2Ready | Timer::Http2Queued | Timer::Http2Blocked => &[Need::Http2],
        Timer::SetupDuration => &[Need::Setup],
        Timer::ReceiveGap => &[Gap],
        Timer::DeliveryLatency => &[Need::Member, Need::Published],
        Timer::HeartbeatRtt | Timer::HeartbeatDelay => &[Pongs],
        Timer::HeartbeatDetection => &[Death],
        Timer::ServerPingInterval => &[ServerPings(true)],
        Timer::ReconnectDuration => &[Reconnect],
        Timer::CloseDuration => &[OwnClose],
        // Both messages and pings; `is_met` takes either.
        Timer::ScheduleLateness => &[Need::Messages(Which::Any)],
    }
}

/// What a gauge needs, the statistics of it that say something, and why the others do not.
fn of_gauge(gauge: Gauge) -> (&'static [Need], &'static [Stat], &'static str) {
    use Stat::{Last, Max, Mean, Min, Peak};
    const PASSING: &str =
        "a connection is in this state for a moment, and a single sample is chance";
    const WHOLE_RUN: &str =
        "it covers ramp-up and drain too, so this value is that of a program without load";
    match gauge {
        Gauge::Open | Gauge::Ready => (&[Need::Second], &[Peak, Last, Min, Max, Mean], ""),
        Gauge::Connecting | Gauge::Closing => (&[Need::Second], &[Peak, Max, Mean], PASSING),
        Gauge::GeneratorCpu => (&[], &[Peak, Max, Mean], WHOLE_RUN),
        Gauge::GeneratorRss => (&[], &[Peak, Max, Last], WHOLE_RUN),
        // Sampled only while many connections are open.
        Gauge::BytesPerConnection => (&[Need::Many], &[Peak, Last, Min, Max, Mean], ""),
        // Sampled only while measuring.
        Gauge::TargetCpu | Gauge::TargetRss | Gauge::TargetDescriptors => (
            &[Need::Process, Need::Second],
            &[Peak, Last, Min, Max, Mean],
            "",
        ),
    }
}

fn of_cause(cause: Cause) -> &'static [Need] {
    match cause {
        Cause::PeerFrozen | Cause::MissedPong => &[Need::Misses],
        Cause::PathDead => &[Need::Death],
        Cause::Silent => &[Need::Silence],
        Cause::Fault => &[Need::Fault],
        Cause::SetupFailed => &[Need::Setup],
        Cause::StepFailed => &[Need::Steps],
        Cause::Dns => &[Need::LookUp],
        Cause::Tls
        | Cause::TlsClientCert
        | Cause::TlsVersion
        | Cause::TlsAlpn
        | Cause::TlsNotSpoken
        | Cause::TlsAlert => &[Need::Tls],
        Cause::TlsUntrusted | Cause::TlsExpired | Cause::TlsName => &[Need::CheckedTls],
        Cause::ProxyUnreachable | Cause::ProxyAuth | Cause::ProxyRefused | Cause::ProxyGarbage => {
            &[Need::Proxy]
        }
        Cause::BadDeflate => &[Need::Compression],
        Cause::NoExtension => &[Need::RequiredCompression],
        Cause::H2NoWebsocket | Cause::H2Refused | Cause::H2Error => &[Need::Http2],
        Cause::TlsPin => &[Need::PinnedTls],
        Cause::Abandoned => &[Need::Abandons],
        Cause::Completed
        | Cause::ClosedByPeer
        | Cause::Reset
        | Cause::Eof
        | Cause::ProtocolError
        | Cause::BadUtf8
        | Cause::BadCloseCode
        | Cause::MessageTooBig
        | Cause::CloseTimeout
        | Cause::WriteTimeout
        | Cause::Refused
        | Cause::Unreachable
        | Cause::ConnectTimeout
        | Cause::HttpStatus
        | Cause::BadUpgrade
        | Cause::BadAccept
        | Cause::BadSubprotocol
        | Cause::BadExtension
        | Cause::HandshakeEof
        | Cause::HandshakeReset
        | Cause::HandshakeGarbage
        | Cause::NoLocalPort
        | Cause::NoDescriptor
        | Cause::Io => &[],
    }
}

fn of_close(kind: CloseKind, side: Side) -> Option<Need> {
    match (kind, side) {
        (CloseKind::Code(code), Side::Local) => Some(Need::OwnCode(code)),
        (CloseKind::Rst, Side::Local) => Some(Need::OwnReset),
        // A server that does not end TCP in time is given up by wsbench.
        (CloseKind::Fin | CloseKind::Timeout, Side::Local) => None,
        (CloseKind::Timeout, Side::Peer) => Some(Need::OwnCode(0)),
        (CloseKind::Code(_) | CloseKind::Fin | CloseKind::Rst, Side::Peer) => None,
    }
}

/// Refuses a gate on something that cannot happen in this run, or not in the time that the gate looks at.
pub(super) fn can_have_data(
    metric: &Piece<'_>,
    selector: &Selector,
    names: &Names<'_>,
) -> Result<(), GateError> {
    let Some(run) = &names.run else {
        return Ok(());
    };
    let wanted = &Wanted {
        metric: &selector.metric,
        stage: selector.stage,
    };
    let is_of_run = metric::is_of_run(wanted.metric);
    let looked_at = |cohort: &&Cohort| match &selector.cohort {
        Some(name) => cohort.name == *name,
        None => is_of_run || cohort.is_looked_at(wanted.metric),
    };
    let cohorts = || run.cohorts.iter().filter(looked_at);
    let needs = needs(wanted.metric);
    // One cohort has to have all of it.
    for count in 1..=needs.len() {
        let (need, so_far) = (needs[count - 1], &needs[..count]);
        let has_all = |cohort: &Cohort| {
            let mut needs = so_far.iter();
            needs.all(|need| need.is_there(wanted, cohort, run))
        };
        let mut there = cohorts().filter(|cohort| has_all(cohort));
        let Some(first) = there.next() else {
            let (needs, hint) = need.in_words();
            let is_there = |cohort: &Cohort| need.is_there(wanted, cohort, run);
            let who = match &selector.cohort {
                Some(cohort) => format!("cohort `{cohort}` has none"),
                None if run.cohorts.iter().any(is_there) => {
                    "no cohort without a fault has one".to_owned()
                }
                None => "this scenario has none".to_owned(),
            };
            let what = format!("`{}` needs {needs}, and {who}", metric.text);
            let hint = match run.cohorts.iter().find(|cohort| has_all(cohort)) {
                Some(cohort) => format!(
                    "look at the cohort that has one: `{}{{cohort={}}}`",
                    selector.metric, cohort.name
                ),
                None => hint.to_owned(),
            };
            return Err(GateError::new(metric, what).hint(hint));
        };
        let in_time = |cohort: &Cohort| {
            let mut needs = so_far.iter();
            needs.all(|need| need.is_in_time(wanted, cohort, run))
        };
        if !in_time(first) && !there.any(in_time) {
            let (needs, _) = need.in_words();
            let (why, hint) = match need.is_used_up(wanted, first, run) {
                true => Need::USED_UP,
                false => need.too_late(),
            };
            let what = format!("`{}` needs {needs}, {why}", metric.text);
            return Err(GateError::new(metric, what).hint(hint));
        }
    }
    Ok(())
}

/// Refuses a statistic of a gauge that would say nothing about the server.
pub(super) fn says_something(word: &Piece<'_>, stat: Stat, metric: &str) -> Result<(), GateError> {
    let Some(gauge) = Gauge::from_name(metric) else {
        return Ok(());
    };
    let (_, stats, why) = of_gauge(gauge);
    if stats.contains(&stat) {
        return Ok(());
    }
    let what = format!("`{stat}({metric})` says nothing: {why}");
    let names: Vec<String> = stats.iter().map(Stat::to_string).collect();
    let names = hints::one_of(names.iter().map(String::as_str));
    Err(GateError::new(word, what).hint(format!("use {names}")))
}

#[cfg(test)]
mod tests;
