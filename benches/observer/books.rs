//! What the observer has seen: counts for each connection, and the times of single things where a log is kept.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::stamped::Time;

/// Rows that a log holds; what comes after is not written down, and counted.
const MAX_ROWS: usize = 4_000_000;

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Count {
    /// Upgrades answered with 101.
    Opened,
    /// Text frames received.
    Text,
    /// Text frames whose echo was handed to the kernel.
    TextEchoed,
    /// Binary frames received.
    Binary,
    /// Binary frames whose echo was handed to the kernel.
    BinaryEchoed,
    /// Pings received.
    Pings,
    /// Pings whose pong was handed to the kernel.
    PongsSent,
    /// Connections ended by a whole close handshake that the client began.
    ClosedByClient,
    /// The same, and we began.
    ClosedByServer,
    /// Connections reset by us.
    Reset,
    /// Connections ended in any other way.
    Broken,
    /// Times at which a connection was not read for a while.
    Pauses,
    /// Messages of others handed to the kernel for this connection, each once.
    Delivered,
    /// Messages of others that this connection was not given.
    Dropped,
    /// Messages of others that it was given once more.
    Doubled,
    /// Messages of others that it was given behind the next one of the same connection.
    Swapped,
    /// Compressed messages received.
    Inflated,
    /// Their bytes on the wire, without the headers of frames.
    InflatedWire,
    /// Their bytes when restored.
    InflatedPlain,
    /// Messages answered compressed.
    Deflated,
    /// Their bytes on the wire, without the headers of frames.
    DeflatedWire,
    /// Their bytes before that.
    DeflatedPlain,
}

/// In the order of [`Count`].
const NAMES: [&str; 22] = [
    "opened",
    "text",
    "text_echoed",
    "binary",
    "binary_echoed",
    "pings",
    "pongs_sent",
    "closed_by_client",
    "closed_by_server",
    "reset",
    "broken",
    "pauses",
    "delivered",
    "dropped",
    "doubled",
    "swapped",
    "inflated",
    "inflated_wire",
    "inflated_plain",
    "deflated",
    "deflated_wire",
    "deflated_plain",
];

/// What was seen of one connection, or of several.
#[derive(Debug, Clone, Copy, Default)]
struct Counts([u64; NAMES.len()]);

/// What was received and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Handshake,
    /// A text frame.
    Text,
    /// A binary frame.
    Binary,
    Ping,
    Close,
    /// What one connection has said, given to another or to itself.
    Delivery,
    /// The same once more.
    Again,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Ping => "ping",
            Self::Close => "close",
            Self::Delivery => "delivery",
            Self::Again => "again",
        }
    }
}

/// Who a connection is for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) cohort: u8,
    pub(crate) connection: u32,
}

/// One thing that was received and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    /// The index of a message, and its number: only of what has a stamp.
    pub(crate) message: Option<(u8, u64)>,
    /// Who has said it, where it is given to others.
    pub(crate) speaker: Option<Name>,
    /// By the kernel's stamp.
    pub(crate) received: Option<Time>,
}

struct Row {
    peer: usize,
    entry: Entry,
    answered: Time,
}

/// All of it. Peers are numbered in the order of their dials.
pub(crate) struct Books {
    keeps_log: bool,
    rows: Vec<Row>,
    left_out: u64,
    peers: Vec<(Option<Name>, Counts)>,
}

impl Books {
    pub(crate) fn new(keeps_log: bool) -> Self {
        Self {
            keeps_log,
            rows: Vec::new(),
            left_out: 0,
            peers: Vec::new(),
        }
    }

    /// One more of what is counted.
    pub(crate) fn count(&mut self, peer: usize, what: Count) {
        self.add(peer, what, 1);
    }

    /// So many more of it.
    pub(crate) fn add(&mut self, peer: usize, what: Count, by: u64) {
        self.entry(peer).1.0[what as usize] += by;
    }

    /// The first stamp tells who a peer is.
    pub(crate) fn name(&mut self, peer: usize, name: Name) {
        self.entry(peer).0 = Some(name);
    }

    /// Something was answered at this time.
    pub(crate) fn answered(&mut self, peer: usize, entry: Entry, answered: Time) {
        match entry.kind {
            Kind::Handshake => self.count(peer, Count::Opened),
            Kind::Text => self.count(peer, Count::TextEchoed),
            Kind::Binary => self.count(peer, Count::BinaryEchoed),
            Kind::Ping => self.count(peer, Count::PongsSent),
            // Its connection ends with it, and is counted then.
            Kind::Close => {}
            Kind::Delivery => self.count(peer, Count::Delivered),
            Kind::Again => self.count(peer, Count::Doubled),
        }
        if self.keeps_log {
            if self.rows.len() < MAX_ROWS {
                self.rows.push(Row {
                    peer,
                    entry,
                    answered,
                });
            } else {
                self.left_out += 1;
            }
        }
    }

    /// One line of JSON: the counts by cohort, `null` for connections that sent no stamp.
    pub(crate) fn print(&self, mut out: impl Write) -> io::Result<()> {
        let mut cohorts: BTreeMap<Option<u8>, Counts> = BTreeMap::new();
        for (name, counts) in &self.peers {
            let all = cohorts.entry(name.map(|name| name.cohort)).or_default();
            for (all, count) in all.0.iter_mut().zip(counts.0) {
                *all += count;
            }
        }
        let line = |(cohort, counts): (Option<u8>, Counts)| {
            let mut line: serde_json::Map<_, _> = (NAMES.into_iter().zip(counts.0))
                .map(|(name, count)| (name.to_owned(), count.into()))
                .collect();
            line.insert("cohort".to_owned(), cohort.into());
            line
        };
        let cohorts: Vec<_> = cohorts.into_iter().map(line).collect();
        let all = serde_json::json!({ "cohorts": cohorts, "left_out": self.left_out });
        writeln!(out, "{all}")?;
        out.flush()
    }

    /// The log as CSV; of a delivery, cohort and connection are those of its speaker. Times are nanoseconds since 1970.
    pub(crate) fn write_log(&self, out: impl Write) -> io::Result<()> {
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record([
            "peer",
            "cohort",
            "connection",
            "kind",
            "message",
            "sequence",
            "received_ns",
            "answered_ns",
        ])?;
        for Row {
            peer,
            entry,
            answered,
        } in &self.rows
        {
            let name = entry.speaker.or(self.peers[*peer].0);
            csv.serialize((
                peer,
                name.map(|name| name.cohort),
                name.map(|name| name.connection),
                entry.kind.name(),
                entry.message.map(|(message, _)| message),
                entry.message.map(|(_, sequence)| sequence),
                entry.received,
                answered,
            ))?;
        }
        csv.flush()
    }

    fn entry(&mut self, peer: usize) -> &mut (Option<Name>, Counts) {
        if self.peers.len() <= peer {
            self.peers.resize_with(peer + 1, Default::default);
        }
        &mut self.peers[peer]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Name = Name {
        cohort: 2,
        connection: 7,
    };

    #[test]
    fn counts_are_summed_by_cohort() {
        let mut books = Books::new(false);
        for peer in 0..3 {
            (0..5).for_each(|_| books.count(peer, Count::Text));
        }
        books.name(1, NAME);
        books.name(2, NAME);
        let mut line = Vec::new();
        books.print(&mut line).unwrap();
        let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(line["cohorts"][0]["cohort"], serde_json::Value::Null);
        assert_eq!(line["cohorts"][0]["text"], 5);
        assert_eq!(line["cohorts"][1]["cohort"], 2);
        assert_eq!(line["cohorts"][1]["text"], 10);
    }

    #[test]
    fn a_row_has_the_name_that_was_learnt_later() {
        let mut books = Books::new(true);
        let shake = Entry {
            kind: Kind::Handshake,
            message: None,
            speaker: None,
            received: Some(10),
        };
        let text = Entry {
            kind: Kind::Text,
            message: Some((1, 30)),
            speaker: None,
            received: None,
        };
        let delivery = Entry {
            kind: Kind::Delivery,
            speaker: Some(Name {
                connection: 9,
                ..NAME
            }),
            ..text
        };
        books.answered(0, shake, 12);
        books.name(0, NAME);
        books.answered(0, text, 40);
        books.answered(0, delivery, 50);
        let mut log = Vec::new();
        books.write_log(&mut log).unwrap();
        let log = String::from_utf8(log).unwrap();
        let rows: Vec<&str> = log.lines().skip(1).collect();
        let expected = [
            "0,2,7,handshake,,,10,12",
            "0,2,7,text,1,30,,40",
            "0,2,9,delivery,1,30,,50",
        ];
        assert_eq!(rows, expected);
    }
}
