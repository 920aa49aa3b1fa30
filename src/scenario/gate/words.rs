//! What a gate is told that looks at a metric without data: what is needed, why it is not there, and how to get it.

use super::need::{GIVES_UP, Need, Which};

impl Need {
    /// What is needed, and how to get it.
    pub(super) fn in_words(self) -> (&'static str, &'static str) {
        match self {
            Self::Messages(Which::Any) => (
                "a message",
                "add a `[[message]]`, or look at `messages.received`",
            ),
            Self::Messages(Which::Scheduled | Which::Paced) => (
                "a message that follows a schedule",
                "give a `[[message]]` a `rate`",
            ),
            Self::Messages(Which::Answered) => (
                "a message that is answered",
                "add a `[[message]]` without `expect = \"none\"`, or look at `messages.received`",
            ),
            Self::Messages(Which::Echoed) => (
                "a message that is expected back",
                "leave `expect` out where the server echoes, or look at `messages.answered`",
            ),
            Self::Messages(Which::Matched) => (
                "a message whose answer is no echo",
                "write what answers it into `expect`, or look at `messages.echoed`",
            ),
            Self::Upgrade => (
                "clients that ask for an upgrade",
                "leave it out, or look at a cohort with a ws:// address",
            ),
            Self::Http => (
                "clients that ask by HTTP",
                "give a cohort an http:// address: `target = { url = \"http://…\" }`",
            ),
            Self::Setup => ("a set-up", "add a `[[setup]]`"),
            Self::Steps => ("steps", "add a `[[step]]`"),
            Self::Awaits => ("a step that waits", "add a `[[step]]` with `await`"),
            Self::Turns => (
                "turns with a schedule",
                "write `repeat = { rate = \"1/s\" }` in a `[[step]]`",
            ),
            Self::Pushes => ("an `on`", "add an `[[on]]`"),
            Self::Heard => (
                "an `on` or an `http` of that name that tells it",
                "add an `[[on]]`; for `age`, with `time = { at = \"/at\", unit = \"ms\" }`",
            ),
            Self::Numbers => (
                "an `on` with numbers",
                "write `seq = \"/seq\"` in an `[[on]]`",
            ),
            Self::Messages(Which::Unstamped) => (
                "a message without a stamp that is answered",
                "leave it out: with stamps each answer names its message",
            ),
            Self::Messages(Which::Named) => (
                "a message that is answered",
                "leave `expect = \"none\"` out where the server answers",
            ),
            Self::Messages(Which::Published) | Self::Published => (
                "a message that is published",
                "write `to = \"room\"` in a `[[message]]` or a `[[step]]`",
            ),
            Self::Member => (
                "members of a topic",
                "write `joins = \"room\"` in a `[[cohort]]` or a step",
            ),
            Self::Open => (
                "an open connection",
                "use connections that stay open for longer",
            ),
            Self::Receives => (
                "messages of the built-in server",
                "add a `[[message]]`, or `push = \"1s\"` in `[target]`",
            ),
            Self::Gap => (
                "two messages of the built-in server",
                "add a `[[message]]`, or `push = \"1s\"` in `[target]`",
            ),
            Self::Pings => (
                "a heartbeat",
                "add a `[heartbeat]`, with `interval = \"30s\"`, or with `silence = \"45s\"` where the server pings",
            ),
            Self::Pongs | Self::Misses => (
                "a heartbeat that is answered",
                "add a `[heartbeat]`, with `interval = \"30s\"`",
            ),
            Self::TextPings => (
                "a heartbeat of text messages",
                "leave it out: a pong names its ping",
            ),
            Self::Death => (
                "a heartbeat that can find the server dead",
                "add a `[heartbeat]`, with `interval = \"30s\"`",
            ),
            Self::Silence => (
                "a heartbeat with `silence`",
                "write `silence = \"45s\"` in `[heartbeat]`",
            ),
            Self::ServerPings(_) => (
                "pings of the built-in server",
                "write `heartbeat = { interval = \"1s\", timeout = \"1s\" }` in `[target]`",
            ),
            Self::Reconnect => (
                "clients that come back",
                "write `reconnect = { initial = \"500ms\", max = \"30s\" }` in `[load]`",
            ),
            Self::Abandons => (
                "dials that are under way when the load ends",
                "write `reconnect = { initial = \"500ms\", max = \"30s\" }` in `[load]`",
            ),
            Self::Fault => ("a client with a fault", "name a cohort that has a `fault`"),
            Self::OwnClose => (
                "a client that closes its connection",
                "name a cohort whose fault does not end TCP",
            ),
            Self::OwnCode(_) => (
                "a client that closes with this code",
                "wsbench closes with 1000, or with 1011 where its heartbeat gives up; the server's are `closes.<code>.peer`",
            ),
            Self::Redirects => (
                "redirects that are followed",
                "write `redirects = 3` in `[target]`",
            ),
            Self::RetryAfter => (
                "clients that wait as a server asks",
                "write `reconnect = { retry_after = true }`",
            ),
            Self::OwnReset => (
                "a client that resets TCP",
                "name a cohort with the fault `reset`; the server's are `closes.rst.peer`",
            ),
            Self::LookUp => (
                "a name that wsbench looks up",
                "leave it out: neither addresses are looked up, nor names in `resolve`, nor those that a proxy looks up",
            ),
            Self::OtherAddress => (
                "a name to dial",
                "leave it out: an address has no other to fall back to",
            ),
            Self::Tls => ("TLS", "use a `wss://` address, or leave it out"),
            Self::CheckedTls => (
                "a certificate that is checked",
                "leave out `insecure = true`, and name the certificate in `ca`",
            ),
            Self::Proxy => ("a proxy", "write `target.proxy`, or leave it out"),
            Self::Compression => ("compression", "write `target.compression`, or leave it out"),
            Self::RequiredCompression => (
                "compression that is required",
                "write `required = true` into `target.compression`",
            ),
            Self::PackedMessages => (
                "a message that is sent compressed",
                "write `target.compression`, and a payload that reaches its `threshold`",
            ),
            Self::Http2 => (
                "WebSockets over HTTP/2",
                "write `http = \"2\"` and `streams_per_connection`, or leave it out",
            ),
            Self::PinnedTls => ("a key that is pinned", "write `target.tls.pin`"),
            Self::ResumedTls => (
                "a client that dials a server with TLS again, and may resume its session",
                "write `reconnect` for it, and not `resumption = \"off\"`",
            ),
            Self::Skips => (
                "arrivals that may find `max_open` connections open",
                "use `load.arrivals` with a lower `max_open`, or leave it out",
            ),
            Self::Many => (
                "5,000 open connections at least",
                "use more connections, or look at `generator.rss`",
            ),
            Self::Process => (
                "a target whose process is known",
                "write the `command` that starts it, or its `pid`, in `[target]`: both need a server on this machine",
            ),
            Self::Second => (
                "a sample",
                "write `duration = \"1s\"` in `[load]`, or longer",
            ),
        }
    }

    /// What is missing if the `count` of the messages is used up, and what to do.
    pub(super) const USED_UP: (&'static str, &'static str) = (
        "and no such message is due in the measured time: the `count` of each connection is used up before",
        "write a larger `count` or none, or a shorter `ramp_up` and `warm_up` in `[load]`",
    );

    /// What is missing if the run has it at the wrong time, and what to do.
    pub(super) fn too_late(self) -> (&'static str, &'static str) {
        const LONGER: &str =
            "write a longer `duration` in `[load]`, or a shorter interval or higher `rate`";
        match self {
            Self::Messages(_) | Self::Published => {
                ("and no such message is due in the measured time", LONGER)
            }
            Self::Pings | Self::Pongs | Self::TextPings => {
                ("and no ping is due in the measured time", LONGER)
            }
            Self::Silence => ("and the run is shorter", LONGER),
            Self::Death | Self::Misses | Self::OwnCode(GIVES_UP) => {
                ("and the run ends before enough pings can be missed", LONGER)
            }
            Self::Second => (
                "which is taken once a second: the time is shorter",
                "write `duration = \"1s\"` in `[load]`, or longer",
            ),
            Self::Open => (
                "and none is open in the measured time",
                "write a longer `lifetime`, more arrivals, or a longer `duration` in `[load]`",
            ),
            _ => ("and none is due in the measured time", LONGER),
        }
    }
}
