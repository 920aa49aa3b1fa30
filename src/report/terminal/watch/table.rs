//! The table of the connections as they are, drawn in place.

use super::Watched;
use super::client::{Client, State};
use super::rolling::Seen;
use super::words::long;
use crate::report::sparkline::sparkline;
use crate::report::terminal::style::Style;
use crate::units::{Nanos, Timestamp, cut, human_count, human_ns};

/// The columns before the course of round trips.
const FIXED: usize = 72;
/// The lines besides those of clients: headers, spans of time, empty ones.
const OTHERS: usize = 9;
/// The least that is drawn.
const LEAST: (usize, usize) = (74, 12);

impl Watched {
    /// The table for a terminal with so many columns and lines; empty where it has no room.
    pub fn table(&self, (columns, lines): (usize, usize)) -> Vec<String> {
        if columns < LEAST.0 || lines < LEAST.1 {
            return vec![cut(&self.title(), columns.max(1).saturating_sub(1))];
        }
        let now = Timestamp::from_nanos(u64::try_from(self.clock.0.as_nanos()).unwrap_or(u64::MAX));
        let mut table = vec![cut(&self.title(), columns - 1), header(columns)];
        let room = lines - OTHERS;
        // Who is not open is shown first where there is no room for all.
        let mut clients: Vec<(&u32, &Client)> = self.clients.iter().collect();
        if clients.len() > room {
            clients.sort_by_key(|(number, client)| (client.state == State::Open, **number));
        }
        let shown = clients.len().min(room);
        for (number, client) in &clients[..shown] {
            table.push(row(**number, client, now, columns));
        }
        if clients.len() > shown {
            table.push(format!(
                "and {} more",
                human_count((clients.len() - shown) as u64)
            ));
        }
        table.push(spans_header());
        table.extend(self.rolling.all().map(|(name, seen)| span(name, &seen)));
        table
    }

    fn title(&self) -> String {
        let open = self.clients.values();
        let open = open.filter(|client| client.state == State::Open).count();
        let lasted = long(Nanos::from(self.clock.0));
        format!("{open} of {} open · {lasted} · {}", self.planned, self.name)
    }
}

fn header(columns: usize) -> String {
    let course = match course(columns) {
        0 => "",
        _ => " newest right",
    };
    let head = format!(
        "{:>4}  {:<8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6} {:>4}",
        "#", "state", "for", "last", "best", "mean", "worst", "missed", "lost"
    );
    Style::COLOUR.dim(&cut(&format!("{head}{course}"), columns - 1))
}

fn row(number: u32, client: &Client, now: Timestamp, columns: usize) -> String {
    let time = |ns: Option<u64>| ns.map_or_else(|| "–".to_owned(), short);
    let row = format!(
        "{number:>4}  {:<8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6} {:>4}",
        client.state.name(),
        short_length(now.saturating_since(client.since)),
        time(client.last_ns),
        time(client.best_ns),
        time(client.mean_ns()),
        time(client.worst_ns),
        human_count(client.missed),
        human_count(client.losses),
    );
    let cells = course(columns);
    let past: Vec<Option<u64>> = client.past.iter().copied().collect();
    let newest = &past[past.len().saturating_sub(cells)..];
    let line = format!("{row} {}", sparkline(newest));
    match client.state {
        State::Open => line,
        State::New | State::Away => Style::COLOUR.bad(&line),
    }
}

/// How many round trips have room.
fn course(columns: usize) -> usize {
    columns.saturating_sub(FIXED + 1).min(super::client::PAST)
}

fn spans_header() -> String {
    let head = format!(
        "{:>6} {:>8} {:>9} {:>8} {:>8} {:>8} {:>6} {:>6} {:>4}",
        "last", "open", "answered", "best", "mean", "worst", "missed", "late", "lost"
    );
    Style::COLOUR.dim(&head)
}

fn span(name: &str, seen: &Seen) -> String {
    let open = match seen.clients {
        0 => "–".to_owned(),
        clients => format!("{:.2} %", 100.0 * seen.open as f64 / clients as f64),
    };
    let any = |ns: u64| match seen.answered {
        0 => "–".to_owned(),
        _ => short(ns),
    };
    format!(
        "{name:>6} {open:>8} {:>9} {:>8} {:>8} {:>8} {:>6} {:>6} {:>4}",
        human_count(seen.answered),
        any(seen.best_ns),
        seen.mean_ns().map_or_else(|| "–".to_owned(), short),
        any(seen.worst_ns),
        human_count(seen.missed),
        human_count(seen.late),
        human_count(seen.losses),
    )
}

/// A time of at most eight columns.
fn short(ns: u64) -> String {
    human_ns(ns)
}

/// A length of at most eight columns: `12 s`, `4m 10s`, `3h 7m`, `12d 4h`.
fn short_length(length: Nanos) -> String {
    let seconds = length.as_secs_f64() as u64;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}
