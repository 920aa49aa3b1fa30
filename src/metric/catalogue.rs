//! The lists of counters, times and gauges, and the macro that declares a list of names.

/// Declares an enum whose variants each have a stable name and a one-line meaning.
macro_rules! catalogue {
    ($(#[$doc:meta])* $enum:ident { $($variant:ident => $name:literal, $meaning:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $enum {
            $(#[doc = $meaning] $variant,)+
        }

        impl $enum {
            /// All variants, in the order of reports.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            /// The number of variants.
            pub const COUNT: usize = Self::ALL.len();

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The meaning, in one line.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// The variant with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl serde::Serialize for $enum {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $enum {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = <String as serde::Deserialize>::deserialize(deserializer)?;
                let known = Self::from_name(&name);
                known.ok_or_else(|| serde::de::Error::custom(format!("`{name}` is not a name of the catalogue")))
            }
        }
    };
}

pub(super) use catalogue;

catalogue! {
    /// The counters, apart from `errors.<cause>` and `closes.<code>.<side>`.
    Counter {
        ConnectionsAttempted => "connections.attempted", "Dials begun: first connections and reconnects.";
        ConnectionsOpened => "connections.opened", "Handshakes that ended in a valid 101.";
        ConnectionsFailed => "connections.failed", "Dials that did not end in a valid 101.";
        ConnectionsAbandoned => "connections.abandoned", "Dials that the end of the load, or a signal, cut off before they opened or failed.";
        ConnectionsClosed => "connections.closed", "Open connections that have ended, however they ended.";
        ConnectionsDead => "connections.dead", "Connections declared dead by their heartbeat.";
        ConnectionsLost => "connections.lost", "Open connections that ended before their time: dead, or closed or broken by the server.";
        ConnectionsReconnected => "connections.reconnected", "Handshakes that succeeded after an earlier connection of the same client was lost.";
        ReconnectsDeferred => "reconnects.deferred", "Dials that waited longer than `reconnect` says, because the server asked for it by `Retry-After`.";
        HandshakeRedirects => "handshake.redirects", "Answers that sent a dial to another address, which it followed.";
        ConnectionsRenewed => "connections.renewed", "Connections opened anew beneath a client that asks by HTTP, between two requests or for one that met the end of a kept connection.";
        ConnectionsFallbacks => "connections.fallbacks", "Dials that went on to another address of the target, because at least one took no connection.";
        ConnectionsSkipped => "connections.skipped", "Arrivals not dialled because their worker had its share of `max_open` connections already.";
        TlsFull => "tls.full", "Full handshakes of TLS, those of dials that failed behind them and of the requests of set-ups among them.";
        TlsResumed => "tls.resumed", "As `tls.full`, of those that resumed a session of their client.";
        TlsRetried => "tls.retried", "Some of `tls.full`: the server asked for another group, which costs a round trip (HelloRetryRequest, RFC 8446 section 4.1.4).";
        ConnectionsCompressed => "connections.compressed", "Some of `connections.opened`: those on which compression was agreed.";
        CompressedSent => "compressed.sent", "Messages sent compressed.";
        CompressedReceived => "compressed.received", "Messages received compressed.";
        CompressedSentPlain => "compressed.sent_plain", "Bytes of `compressed.sent`, before they were compressed.";
        CompressedSentWire => "compressed.sent_wire", "Bytes of `compressed.sent` on the wire, without the headers of frames.";
        CompressedReceivedPlain => "compressed.received_plain", "Bytes of `compressed.received`, once they were restored.";
        CompressedReceivedWire => "compressed.received_wire", "Bytes of `compressed.received` on the wire, without the headers of frames.";
        Http2Carriers => "http2.carriers", "TCP connections opened for streams of HTTP/2, each shared by up to `streams_per_connection` WebSockets.";
        Http2CarriersLost => "http2.carriers_lost", "Some of `http2.carriers`: they ended while WebSockets were open on them.";
        Http2Goaways => "http2.goaways", "Some of `http2.carriers`: the server asked for no more streams on them (GOAWAY, RFC 9113 section 6.8).";
        Http2Unended => "http2.unended", "WebSockets over HTTP/2 whose stream the server did not end within `close_timeout` after both Closes.";
        MessagesDue => "messages.due", "Messages the schedule asked for.";
        MessagesSent => "messages.sent", "Messages handed to the connection.";
        MessagesNotSent => "messages.not_sent", "Messages that were due on an open connection but could not be sent in time.";
        MessagesNotTaken => "messages.not_taken", "Some of `messages.not_sent`: the server took no bytes at the time.";
        MessagesOffline => "messages.offline", "Messages that became due while their connection was lost.";
        MessagesHeldUp => "messages.held_up", "Some of `messages.sent`: sent late, because the server took no bytes before.";
        MessagesReceived => "messages.received", "Text and binary messages received, expected or not.";
        MessagesEchoed => "messages.echoed", "Sent messages answered in time by the same bytes.";
        MessagesAnswered => "messages.answered", "Sent messages answered in time by a message that was expected, and is no echo; all that was asked of it holds.";
        MessagesMismatched => "messages.mismatched", "Sent messages answered in time by other bytes, or by an answer that is not as it should be.";
        MessagesDuplicated => "messages.duplicated", "Answers to a message that had been answered before; without a stamp, the bytes of a message when none waited for them.";
        MessagesUnsolicited => "messages.unsolicited", "Messages received that answer nothing this connection sent.";
        MessagesTimedOut => "messages.timed_out", "Sent messages with no answer within `timeout`.";
        MessagesLate => "messages.late", "Answers that came after the message had timed out.";
        MessagesLost => "messages.lost", "Sent messages whose connection ended before the answer.";
        MessagesRetyped => "messages.retyped", "Echoes that came back as binary where text was sent, or the reverse.";
        MessagesUncertain => "messages.uncertain", "Echoes that may answer another message, because one timed out or more answers came than were due: not timed.";
        SetupBegun => "setup.begun", "Set-ups begun: one for each connection of a client with `setup` that opened, and for each that `http` steps come before.";
        SetupReady => "setup.ready", "Set-ups whose last step was done.";
        SetupFailed => "setup.failed", "Set-ups in which a step failed.";
        SetupLost => "setup.lost", "Set-ups whose connection ended before.";
        SetupAbandoned => "setup.abandoned", "Set-ups that were under way when the load ended.";
        AwaitsBegun => "awaits.begun", "Waits of steps for messages that no send asked for.";
        AwaitsMet => "awaits.met", "Waits whose messages all came in time, and were right.";
        AwaitsWrong => "awaits.wrong", "Waits for which a message came that was not as it should be.";
        AwaitsTimedOut => "awaits.timed_out", "Waits whose messages did not come within `timeout`.";
        AwaitsLost => "awaits.lost", "Waits whose connection ended before.";
        AwaitsAbandoned => "awaits.abandoned", "Waits that were left out, because a step before failed or the load ended.";
        TurnsDue => "turns.due", "Turns that the schedule of a repeat asked for.";
        TurnsBegun => "turns.begun", "Turns of repeats with a schedule that were begun.";
        TurnsMissed => "turns.missed", "Turns of repeats with a schedule that had not begun when the load ended.";
        PushesReceived => "pushes.received", "Messages that an `on` took.";
        PushesWrong => "pushes.wrong", "Messages that an `on` took, and that were not as they should be.";
        PushesNumbered => "pushes.numbered", "Some of `pushes.received`: their number (`seq`) could be read.";
        PushesGaps => "pushes.gaps", "Messages missing between two numbers (`seq`) of an `on`.";
        PushesRepeated => "pushes.repeated", "Messages whose number (`seq`) an `on` had seen just before.";
        PushesUnordered => "pushes.unordered", "Messages whose number (`seq`) is below one that an `on` had seen.";
        PingsSent => "heartbeat.pings_sent", "Pings handed to the connection.";
        PongsReceived => "heartbeat.pongs_received", "Pongs that answered a ping in time.";
        PongsLate => "heartbeat.late", "Pongs that came after their ping had been counted as missed.";
        PingsMissed => "heartbeat.missed", "Pings with no pong within `timeout`.";
        PongsUnsolicited => "heartbeat.unsolicited", "Pongs that answer no ping of ours (legal, RFC 6455 section 5.5.3).";
        PongsUncertain => "heartbeat.uncertain", "Answers to text heartbeats that may be those of another ping, because one timed out or more came than were due: not timed.";
        ServerPings => "server_ping.received", "Pings received from the server.";
        DeliveryPublished => "delivery.published", "Messages and steps with `to` handed to the connection, in the row of their speaker.";
        DeliveryExpected => "delivery.expected", "Deliveries to connections that were members before the second of the intended send began and until `timeout` after its end.";
        DeliveryReceived => "delivery.received", "Some of `delivery.expected`: they came within `timeout` after the intended send.";
        DeliveryLate => "delivery.late", "Deliveries that came after `timeout`; they are missing in `delivery.received`.";
        DeliveryDuplicated => "delivery.duplicated", "Deliveries of a message that the member had heard before.";
        DeliveryUnordered => "delivery.unordered", "Deliveries that came after a later message of the same speaker, among the last 16 speakers that a member heard.";
        DeliveryStray => "delivery.stray", "Deliveries to connections that are not in the topic, or back to the speaker where `self = false`.";
        DeliveryUnsure => "delivery.unsure", "Deliveries to connections that were members for too short a time to be counted on either side.";
        BytesSent => "bytes.sent", "Bytes written to TCP on connections that opened: handshakes, frame headers and TLS included.";
        BytesReceived => "bytes.received", "Bytes read from TCP on connections that opened: handshakes, frame headers and TLS included.";
    }
}

catalogue! {
    /// The measured times: nanoseconds internally, microseconds in reports.
    Timer {
        HandshakeDns => "handshake.dns", "Look-ups of the target's name: one for each run, and one each time all its addresses failed; empty for an address.";
        HandshakeTcp => "handshake.tcp", "From the dial to the TCP connection.";
        HandshakeProxy => "handshake.proxy", "From the TCP connection to the proxy to the tunnel through it; TLS to the proxy included.";
        HandshakeTls => "handshake.tls", "From the TCP connection to the TLS session.";
        HandshakeTlsFull => "handshake.tls_full", "Some of `handshake.tls`: the full handshakes.";
        HandshakeTlsResumed => "handshake.tls_resumed", "Some of `handshake.tls`: those that resumed a session of their client.";
        HandshakeUpgrade => "handshake.upgrade", "From the upgrade request to the checked 101.";
        Http2Ready => "http2.ready", "From the TCP connection, or the TLS session over it, to the settings of the server: once for each of `http2.carriers`.";
        Http2Queued => "http2.queued", "From the dial of a WebSocket over HTTP/2 until a place for its stream was free on an open TCP connection.";
        Http2Blocked => "http2.blocked", "How long a WebSocket over HTTP/2 waited for room to send, each time that a window was full.";
        HandshakeTotal => "handshake.total", "From the dial to the checked 101.";
        SetupDuration => "setup.duration", "From the dial of a client with `setup`, or from its first `http` step, until it was ready.";
        ReceiveGap => "receive.gap", "Between two messages received on one connection.";
        DeliveryLatency => "delivery.latency", "From the intended send of a message or step with `to` to each member that heard it, the first time; late ones included.";
        HeartbeatRtt => "heartbeat.rtt", "From a ping sent to its pong, late ones included.";
        HeartbeatDelay => "heartbeat.delay", "From the time a ping was due to its pong, late ones included; what `pong_within` looks at.";
        HeartbeatDetection => "heartbeat.detection", "From the last sign of life to the declaration of death.";
        ServerPingInterval => "server_ping.interval", "Between two pings of the server on one connection.";
        ReconnectDuration => "reconnect.duration", "From the loss of a connection to the 101 of the next.";
        CloseDuration => "close.duration", "From our Close frame to the end of TCP.";
        ScheduleLateness => "schedule.lateness", "From the intended to the actual send, messages and pings.";
        GeneratorLoopLag => "generator.loop_lag", "From the time a worker asked to be woken, every 2 ms at least, to the time it was; from the start of measuring on.";
    }
}

catalogue! {
    /// The values that are sampled once a second.
    Gauge {
        Connecting => "connections.connecting", "Connections in the handshake (readyState 0).";
        Open => "connections.open", "Open connections (readyState 1).";
        Ready => "connections.ready", "Open connections whose client is ready: all of them, or those whose `setup` is done.";
        Closing => "connections.closing", "Connections in the close handshake (readyState 2).";
        GeneratorCpu => "generator.cpu", "CPU used by wsbench, in percent of one core.";
        GeneratorRss => "generator.rss", "Memory used by wsbench, in bytes.";
        BytesPerConnection => "generator.bytes_per_connection", "Growth of wsbench's memory for each open connection, in bytes; from 5,000 connections on.";
        TargetCpu => "target.cpu", "CPU used by the target's process and all that it started, in percent of one core.";
        TargetRss => "target.rss", "Memory of the target's process and all that it started, in bytes.";
        TargetDescriptors => "target.descriptors", "Descriptors that the target's process and all that it started have open.";
    }
}

/// From so many open connections on, `generator.bytes_per_connection` is sampled: the memory of fewer cannot be told
/// from that of the histograms.
pub const ENOUGH_FOR_MEMORY: u64 = 5000;
