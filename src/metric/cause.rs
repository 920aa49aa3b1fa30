//! Why a connection ended, and what to do about it.

use super::catalogue::catalogue;

catalogue! {
    /// Why a connection, or an attempt to open one, ended. Except for `completed`, the name of each cause is also that
    /// of a counter, `errors.<cause>`.
    Cause {
        Completed => "completed", "Closed by us as planned, and the close handshake was completed.";
        ClosedByPeer => "closed_by_peer", "The server sent a Close frame that nobody asked for.";
        PeerFrozen => "peer_frozen", "Pongs missed, and nothing else came, while the server's kernel still acknowledged: the process hangs, or leaves this connection alone.";
        PathDead => "path_dead", "Pongs missed while nothing was acknowledged: host or network gone.";
        MissedPong => "missed_pong", "Pongs missed, though the server sent other data (`detail` says what), or the system cannot tell more.";
        Silent => "silent", "Nothing came for as long as `silence` of the heartbeat says, and nothing tells why.";
        Reset => "reset", "TCP reset by the peer.";
        Eof => "eof", "TCP closed by the peer without a Close frame (close code 1006).";
        ProtocolError => "protocol_error", "A frame that RFC 6455 forbids, or a packet that its protocol does (`detail` says what).";
        BadUtf8 => "bad_utf8", "A text message that is not UTF-8 (RFC 6455 section 8.1).";
        BadCloseCode => "bad_close_code", "A close code that must not be on the wire (RFC 6455 section 7.4).";
        BadDeflate => "bad_deflate", "A compressed message that is no DEFLATE data (RFC 7692 section 7.2.2).";
        MessageTooBig => "message_too_big", "A message longer than `max_message`.";
        CloseTimeout => "close_timeout", "No end of TCP within `close_timeout` after our Close.";
        Fault => "fault", "Ended by the client itself, in the fault that it plays.";
        SetupFailed => "setup_failed", "A step of `setup` failed (`detail` says which, and why), so we closed the connection, or did not dial it.";
        StepFailed => "step_failed", "A step failed whose `on_fail` closes the connection (`detail` says which, and why), or values made what is sent no packet.";
        WriteTimeout => "write_timeout", "The peer took no bytes at all until the end of the run.";
        Dns => "dns", "The host name could not be resolved.";
        Refused => "refused", "Nothing listens on that port.";
        Unreachable => "unreachable", "No route to the host.";
        ConnectTimeout => "connect_timeout", "No valid 101 within `connect_timeout` after the dial.";
        Tls => "tls", "The TLS session failed.";
        TlsUntrusted => "tls_untrusted", "The server's certificate is not trusted.";
        TlsExpired => "tls_expired", "The server's certificate has expired, or is not valid yet.";
        TlsName => "tls_name", "The server's certificate is for another name.";
        TlsPin => "tls_pin", "The server's public key is not one of those that are pinned.";
        TlsClientCert => "tls_client_cert", "The server requires a client certificate.";
        TlsVersion => "tls_version", "No version or cipher of TLS in common.";
        TlsAlpn => "tls_alpn", "The server does not offer HTTP/1.1, or HTTP/2 where that is asked for, under TLS (ALPN).";
        TlsNotSpoken => "tls_not_spoken", "The server does not speak TLS on that port.";
        TlsAlert => "tls_alert", "The server ended TLS with an alert.";
        ProxyUnreachable => "proxy_unreachable", "The proxy could not be reached (`detail` has the cause that it would have been without one).";
        ProxyAuth => "proxy_auth", "The proxy wants to know who asks, or does not take the user and the password.";
        ProxyRefused => "proxy_refused", "The proxy made no tunnel to the server: it, or its rules.";
        ProxyGarbage => "proxy_garbage", "What was asked for a tunnel is no proxy, or ended the connection.";
        HttpStatus => "http_status", "An HTTP status other than 101.";
        BadUpgrade => "bad_upgrade", "A 101 without `Upgrade: websocket` and `Connection: Upgrade`.";
        BadAccept => "bad_accept", "A 101 whose `Sec-WebSocket-Accept` is missing or wrong.";
        BadSubprotocol => "bad_subprotocol", "A 101 with a subprotocol nobody asked for.";
        BadExtension => "bad_extension", "A 101 with an extension nobody asked for, or with parameters that do not fit what was offered.";
        NoExtension => "no_extension", "A 101 without compression, where `compression.required` demands it.";
        H2NoWebsocket => "h2_no_websocket", "The server speaks HTTP/2 without WebSockets (no SETTINGS_ENABLE_CONNECT_PROTOCOL, RFC 8441 section 3).";
        H2Refused => "h2_refused", "The server wants no more streams on this TCP connection (REFUSED_STREAM or GOAWAY); another dial may succeed.";
        H2Error => "h2_error", "HTTP/2 failed: its code by name and number, or what came in its place, stands in `detail`.";
        HandshakeEof => "handshake_eof", "TCP closed before the end of the response.";
        HandshakeReset => "handshake_reset", "TCP reset before the end of the response.";
        HandshakeGarbage => "handshake_garbage", "A response that is not HTTP, or is too long.";
        NoLocalPort => "no_local_port", "No free local port for another connection to this target.";
        NoDescriptor => "no_descriptor", "No free file descriptor.";
        Abandoned => "abandoned", "A reconnect, or a dial whose set-up began with `http`, that was under way when the load ended; or any dial when a signal came.";
        Io => "io", "Any other error of the operating system.";
    }
}

/// The first step of a dial, as details name it.
pub const LOOK_UP_STEP: &str = "the look-up of the name";
/// The step after it.
pub const TCP_STEP: &str = "the TCP connection";
/// The step in which a Unix socket is connected to. It takes time only while the queue of the socket is full.
pub const UNIX_STEP: &str = "room in the full queue of the Unix socket";
/// The step behind TCP, where there is a proxy.
pub const PROXY_STEP: &str = "the tunnel through the proxy";
/// The step between TCP, or the tunnel, and the upgrade request.
pub const TLS_STEP: &str = "the TLS handshake";
/// The name under which a server's limit of streams is kept: the most that it allows on a connection at a time.
pub const MAX_STREAMS: &str = "http2.max_streams";
/// The step behind TCP, or TLS, of a connection that streams share.
pub const HTTP2_STEP: &str = "the settings of HTTP/2";
/// The last step.
pub const UPGRADE_STEP: &str = "the answer to the upgrade request";
/// The last step of a request of HTTP.
pub const ANSWER_STEP: &str = "the answer";

/// What the detail of a failure says where a client certificate may be the reason.
pub const ASKS_FOR_CERTIFICATE: &str = "the server has asked for a client certificate";

impl Cause {
    /// A hint where the server may have refused the client for its certificate, and gave another reason or none; `detail` is
    /// that of the failure.
    pub fn certificate_hint(self, detail: &str) -> Option<&'static str> {
        let is_likely = match self {
            Self::HandshakeEof | Self::HandshakeReset => true,
            // 401 and 403 are first of all about a login.
            Self::HttpStatus => detail.contains(" 400"),
            _ => false,
        };
        match is_likely && detail.contains(ASKS_FOR_CERTIFICATE) {
            true => Self::TlsClientCert.tls_hint(),
            false => None,
        }
    }

    /// A hint where a wrong scheme may be why no connection opened; `detail` is that of the failure.
    pub fn scheme_hint(self, detail: &str, is_secure: bool) -> Option<&'static str> {
        use Cause::{ConnectTimeout, HandshakeEof, HandshakeGarbage, HandshakeReset};
        Some(match self {
            ConnectTimeout | HandshakeEof | HandshakeReset if detail.contains(TLS_STEP) => {
                "does this port speak TLS? if not, use ws://, or the port that does"
            }
            HandshakeEof | HandshakeReset | HandshakeGarbage if !is_secure => {
                "does this port speak TLS? then use wss://; if not: is a WebSocket service there, and has it, or a proxy before it, a limit of connections?"
            }
            _ => return None,
        })
    }

    /// A hint by the step that a dial waited for when `connect_timeout` was over; `detail` is that of the failure.
    /// `None` for the step of TCP, and for other causes. `some_opened`: whether other dials succeeded.
    pub fn step_hint(self, detail: &str, some_opened: bool) -> Option<&'static str> {
        if self != Self::ConnectTimeout {
            return None;
        }
        let waited_for = |step: &str| detail.contains(step);
        if waited_for(LOOK_UP_STEP) {
            return Some(
                "check the name server of this machine, or put the address itself into `url`",
            );
        }
        if waited_for(PROXY_STEP) {
            return Self::ProxyGarbage.proxy_hint();
        }
        let is_slow = some_opened && (waited_for(TLS_STEP) || waited_for(UPGRADE_STEP));
        if is_slow {
            return Some(
                "the server takes connections, and is too slow with their handshakes: a slower `ramp_up` spares it; a longer `connect_timeout` waits for it",
            );
        }
        waited_for(UPGRADE_STEP).then_some(
            "the server takes the connection, and does not answer the request for a WebSocket: check the port and the path, and look into its log, or that of the proxy in front of it",
        )
    }

    /// Whether a proxy on the way is why, and not the server.
    pub const fn is_of_proxy(self) -> bool {
        self.proxy_hint().is_some()
    }

    /// A hint against a failure on the way through a proxy; `None` for other causes.
    pub const fn proxy_hint(self) -> Option<&'static str> {
        Some(match self {
            Self::ProxyUnreachable => "check the address and the port of the proxy",
            Self::ProxyAuth => {
                "give it a user and a password that it takes: proxy = \"http://NAME:${PASSWORD}@proxy:3128\""
            }
            Self::ProxyRefused => {
                "a proxy does not say whether the server is down or its own rules forbid it: look into its log, or try the address without it"
            }
            Self::ProxyGarbage => {
                "is there a proxy, and of that kind? http:// and socks5:// are spoken on different ports"
            }
            _ => return None,
        })
    }

    /// A hint against a failure of HTTP/2; `None` for other causes.
    pub const fn http2_hint(self) -> Option<&'static str> {
        Some(match self {
            Self::H2NoWebsocket => "this server has no RFC 8441 (nginx has none): http = \"1.1\"",
            Self::H2Refused => {
                "the server wants fewer streams on a connection, or goes away: fewer `streams_per_connection`, or `reconnect`"
            }
            Self::H2Error => {
                "is HTTP/2 spoken on this port, with prior knowledge under ws://? if not: http = \"1.1\""
            }
            _ => return None,
        })
    }

    /// A hint where no connection opened, which may be for the PROXY protocol; `detail` is that of the failure, and
    /// `announces` says whether it was spoken.
    pub fn announce_hint(self, detail: &str, announces: bool) -> Option<&'static str> {
        use Cause::{
            HandshakeEof, HandshakeGarbage, HandshakeReset, HttpStatus, Tls, TlsAlert,
            TlsNotSpoken, TlsVersion,
        };
        // A server that speaks TLS with us has understood how the connection begins.
        let is_ended = matches!(self, HandshakeEof | HandshakeReset)
            && (announces || !detail.contains(ASKS_FOR_CERTIFICATE));
        let is_lost = match self {
            // A server that expects none takes the header for a request, or for TLS.
            HttpStatus => detail.contains(" 400"),
            HandshakeGarbage | Tls | TlsAlert | TlsNotSpoken | TlsVersion => true,
            _ => is_ended,
        };
        match announces {
            true => is_lost.then_some(
                "does it expect the PROXY protocol? leave out `proxy_protocol` where it does not",
            ),
            false => {
                is_ended.then_some("does it expect the PROXY protocol? then write `proxy_protocol`")
            }
        }
    }

    /// A hint against a TLS failure; `None` for other causes.
    pub const fn tls_hint(self) -> Option<&'static str> {
        Some(match self {
            Self::Tls => "look into the log of the server, or of the proxy in front of it",
            Self::TlsUntrusted => {
                "name its certificate, or that of its authority, in `ca` (`--ca FILE`)"
            }
            Self::TlsExpired => "renew the certificate, or set the clock of this machine right",
            Self::TlsName => {
                "use a name that the certificate is for in the address, or write it as `target.tls.server_name`"
            }
            Self::TlsPin => {
                "if the server has a new key, write that in `target.tls.pin`; if not, somebody stands in between"
            }
            Self::TlsClientCert => {
                "target.tls = { certificate = \"client.pem\", key = \"client.key\" }, of an authority that the server trusts"
            }
            Self::TlsVersion => {
                "wsbench speaks TLS 1.2 and 1.3: check what the server speaks, and whether it wants a client certificate"
            }
            Self::TlsAlpn => {
                "allow this protocol on this port of the server, or choose the other by `target.http`"
            }
            Self::TlsNotSpoken => "use ws:// for this port, or the port that speaks TLS",
            Self::TlsAlert => {
                "look for this alert in the log of the server, or of the proxy in front of it"
            }
            _ => return None,
        })
    }
}
