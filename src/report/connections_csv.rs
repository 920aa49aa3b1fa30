//! `connections.csv`: one row for each connection that did not end as planned.
//! The column `close_reason` holds text from the server, which can be anything.

use std::io::Write;
use std::net::IpAddr;

use serde::Serialize;

use super::numbers::{cell, seconds, text_cell};
use super::run::{CohortRecord, Run, ServerRecord};
use crate::measure::Ending;
use crate::plan::Rounds;
use crate::units::Timestamp;

/// The columns, in order. Times are seconds since the first dial; the last column is a duration.
#[derive(Serialize)]
struct Line<'a> {
    connection: u32,
    cohort: &'a str,
    server: &'a str,
    opened_s: String,
    ended_s: String,
    state: &'a str,
    close_code: Option<u16>,
    close_reason: String,
    closed_by: Option<&'a str>,
    cause: &'a str,
    last_received_s: String,
    last_ping_s: String,
    last_pong_s: String,
    pings_missed: u32,
    tcp_unacked: Option<u32>,
    tcp_retransmits: Option<u32>,
    tcp_last_ack_s: String,
    http: &'a str,
    extension: String,
    claimed: Option<IpAddr>,
    tls: &'a str,
}

const COLUMNS: [&str; 21] = [
    "connection",
    "cohort",
    "server",
    "opened_s",
    "ended_s",
    "state",
    "close_code",
    "close_reason",
    "closed_by",
    "cause",
    "last_received_s",
    "last_ping_s",
    "last_pong_s",
    "pings_missed",
    "tcp_unacked",
    "tcp_retransmits",
    "tcp_last_ack_s",
    "http",
    "extension",
    "claimed",
    "tls",
];

/// Writes `connections.csv`. The header is always written.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(run: &Run, out: impl Write) -> Result<(), csv::Error> {
    let mut csv = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(out);
    csv.write_record(COLUMNS)?;
    let cohorts: Vec<Servers<'_>> = run.scenario.cohorts.iter().map(Servers::of).collect();
    for ending in &run.summary.endings.rows {
        let servers = cohorts.get(ending.cohort);
        let server = servers.map_or(&*run.scenario.target, |servers| {
            servers.of_connection(ending.connection, &run.scenario.target)
        });
        let http = servers.map_or("", |servers| servers.http);
        csv.serialize(line(ending, &run.summary.cohorts, server, http))?;
    }
    csv.flush()?;
    Ok(())
}

/// The servers of a cohort, and how they are spoken to.
struct Servers<'a> {
    all: &'a [ServerRecord],
    http: &'a str,
    rounds: Option<Rounds>,
}

impl<'a> Servers<'a> {
    fn of(cohort: &'a CohortRecord) -> Self {
        let weights = cohort.servers.iter().map(|server| server.weight);
        Self {
            all: &cohort.servers,
            http: cohort.http.name(),
            rounds: (!cohort.servers.is_empty()).then(|| Rounds::new(weights)),
        }
    }

    /// The address of the server of a connection; `target` where the cohort names none.
    fn of_connection(&self, connection: u32, target: &'a str) -> &'a str {
        let turn = self.rounds.as_ref().map(|rounds| rounds.of(connection));
        turn.map_or(target, |turn| &self.all[turn.server].address)
    }
}

fn line<'a>(ending: &'a Ending, cohorts: &'a [String], server: &'a str, http: &'a str) -> Line<'a> {
    Line {
        connection: ending.connection,
        cohort: cohorts.get(ending.cohort).map_or("", String::as_str),
        server,
        opened_s: time(ending.opened_ns),
        ended_s: time(ending.ended_ns),
        state: ending.state.name(),
        close_code: ending.close_code,
        close_reason: text_cell(&ending.close_reason),
        closed_by: ending.closed_by.map(|side| side.name()),
        cause: ending.cause.name(),
        last_received_s: time(ending.last_received_ns),
        last_ping_s: time(ending.last_ping_ns),
        last_pong_s: time(ending.last_pong_ns),
        pings_missed: ending.pings_missed,
        tcp_unacked: ending.tcp.map(|tcp| tcp.unacked),
        tcp_retransmits: ending.tcp.map(|tcp| tcp.retransmits),
        tcp_last_ack_s: cell(ending.tcp.map(|tcp| seconds(tcp.last_ack_ns))),
        http,
        extension: ending.extension.clone().unwrap_or_default(),
        claimed: ending.claimed,
        tls: ending.tls.as_deref().unwrap_or_default(),
    }
}

fn time(time: Option<Timestamp>) -> String {
    cell(time.map(|time| seconds(time.as_nanos())))
}
