//! `http` and what belongs to it: the version of HTTP under WebSockets, and how many share a TCP connection.

use super::access::AccessTable;
use super::servers::Address;
use super::url::Protocol;
use crate::scenario::reading::{At, Key, Section, Whole, given, words};
use crate::units::ByteSize;

/// The most streams on one TCP connection.
const MAX_STREAMS: u32 = 100_000;
/// The least and the largest window: what each connection begins with, and what its field holds (RFC 9113 section 6.9).
const WINDOWS: (ByteSize, ByteSize) = (ByteSize(65_535), ByteSize((1 << 31) - 1));
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 16 << 20;
const HINT: &str = "1 for a connection each, as browsers; 100 for a gateway that shares one";

/// The version of HTTP that WebSockets go over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.1: each WebSocket has a TCP connection of its own.
    #[default]
    One,
    /// HTTP/2 (RFC 8441): each WebSocket is a stream of a TCP connection that they share.
    Two(Sharing),
}

impl HttpVersion {
    /// Whether several WebSockets may be on one TCP connection.
    pub fn is_shared(self) -> bool {
        matches!(self, Self::Two(sharing) if sharing.streams > 1)
    }

    /// The version alone.
    pub fn word(self) -> HttpWord {
        match self {
            Self::One => HttpWord::One,
            Self::Two(_) => HttpWord::Two,
        }
    }
}

impl Sharing {
    /// So many on each TCP connection, with the windows by default. Above zero.
    pub fn of(streams: u32) -> Self {
        Self {
            streams,
            stream_window: STREAM_WINDOW,
            connection_window: CONNECTION_WINDOW,
        }
    }

    /// How many TCP connections that many WebSockets of a cohort take at most, on so many workers.
    pub fn carriers(self, connections: u64, workers: u64) -> u64 {
        let each = connections.div_ceil(workers.max(1));
        let carriers = workers.max(1) * each.div_ceil(u64::from(self.streams));
        carriers.min(connections)
    }
}

/// How WebSockets share TCP connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    /// The most on each. Above zero.
    pub streams: u32,
    /// The most bytes that a server may send on a stream before they are read.
    pub stream_window: u32,
    /// The same for all streams of a TCP connection together.
    pub connection_window: u32,
}

words! {
    /// A version of HTTP.
    pub enum HttpWord {
        /// RFC 9112.
        #[serde(rename = "1.1")]
        #[strum(serialize = "1.1")]
        One,
        /// RFC 9113.
        #[serde(rename = "2")]
        #[strum(serialize = "2")]
        Two,
    }
}

/// How many streams a TCP connection has.
pub(super) type Streams = Whole<1, MAX_STREAMS>;

impl AccessTable {
    /// Returns whether it says anything of the version of HTTP.
    pub(super) fn says_version(&self) -> bool {
        given!(self; http, streams_per_connection, stream_window, connection_window)
            .iter()
            .any(|(_, place)| place.is_some())
    }

    /// Resolves what it says of the version of HTTP; `own` are the keys that stand here, and `address` is that of the
    /// server.
    pub(super) fn version(
        &self,
        section: &mut Section<'_, '_>,
        own: &Self,
        address: Option<&Address>,
    ) -> HttpVersion {
        let is_two = self
            .http
            .as_ref()
            .is_some_and(|http| http.value == HttpWord::Two);
        if !is_two {
            let given = given!(own; streams_per_connection, stream_window, connection_window);
            let hint = "write that too, or leave this out";
            section.excluded(&given, "is only for `http = \"2\"`", hint);
            return HttpVersion::One;
        }
        if address.is_some_and(|address| address.protocol == Protocol::Http) {
            if own.http.is_some() {
                let what = "is only for WebSockets: requests of HTTP are sent over HTTP/1.1";
                section.wrong(
                    "http",
                    &self.http,
                    what,
                    "leave it out, or use a ws:// address",
                );
            }
            return HttpVersion::One;
        }
        if address.is_some_and(|address| address.url.servers().is_none()) {
            let what = "is \"2\", and the built-in server speaks HTTP/1.1 only";
            section.wrong(
                "http",
                &self.http,
                what,
                "leave it out, or write the address of a server",
            );
        }
        let Some(At { value: streams, .. }) = self.streams_per_connection else {
            let missing = section.key("streams_per_connection");
            let what = format_args!("is \"2\" without `{missing}`");
            // What is wrong with `[target]` is told there.
            let is_told = (section.check).explains_lack(section.place, &[&*missing]);
            if own.http.is_some() && !is_told {
                section.wrong("http", &self.http, what, HINT);
            }
            return HttpVersion::One;
        };
        let mut window = |key: &str, given: &Key<ByteSize>, default: u32| {
            let size = given
                .as_ref()
                .map_or_else(|| ByteSize(default.into()), |at| at.value);
            let (least, most) = WINDOWS;
            if size < least || size > most {
                let what = format_args!("is {size}: not from {} to {} bytes", least.0, most.0);
                let hint =
                    "\"64KiB\" for a stream; for all of a connection more, such as \"16MiB\"";
                section.wrong(key, given, what, hint);
            }
            u32::try_from(size.0).unwrap_or(default)
        };
        HttpVersion::Two(Sharing {
            streams: streams.0,
            stream_window: window("stream_window", &self.stream_window, STREAM_WINDOW),
            connection_window: window(
                "connection_window",
                &self.connection_window,
                CONNECTION_WINDOW,
            ),
        })
    }
}
