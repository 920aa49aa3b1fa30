//! What `wsbench watch` shows: a line when something happens, and a table of the connections as they are.

mod client;
mod rolling;
mod table;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use self::client::{Client, State};
use self::rolling::{Rolling, Seen};
use self::words::{evidence, long, why};
use crate::measure::{Event, Events, Happened, Opened, Progress};
use crate::units::{Nanos, Timestamp, counted, human_ns};

/// A certificate that expires in so many days is told of.
const SOON_DAYS: i64 = 30;
const DAY: i64 = 24 * 60 * 60;
/// The most lines of one kind in one second; more are told of together.
const AT_ONCE: usize = 10;

/// A service that is watched, by what happened to its connections.
#[derive(Debug)]
pub struct Watched {
    /// What is watched, for people.
    name: String,
    /// How many clients there are.
    planned: u64,
    /// The clients of which something is known, by number.
    clients: BTreeMap<u32, Client>,
    rolling: Rolling,
    /// The second that is not over.
    second: Seen,
    /// When the run was as old as this, the wall clock showed that.
    clock: (Duration, SystemTime),
    /// The end of the certificate's validity, and for how many days left a line was written.
    expires: Option<i64>,
    told_days: Option<i64>,
    is_greeted: bool,
}

impl Watched {
    /// The most clients that are watched.
    pub const MAX_CLIENTS: u64 = 1_000;

    /// Nothing is known yet.
    pub fn new(name: String, clients: u64) -> Self {
        Self {
            name,
            planned: clients,
            clients: BTreeMap::new(),
            rolling: Rolling::default(),
            second: Seen::default(),
            clock: (Duration::ZERO, SystemTime::now()),
            expires: None,
            told_days: None,
            is_greeted: false,
        }
    }

    /// Takes what happened in a second, and returns a line for each thing that people should know. `now` is when, by the
    /// wall clock and by that of the run.
    pub fn take(&mut self, events: &Events, now: (Duration, SystemTime)) -> Vec<String> {
        self.clock = now;
        let mut sorted: Vec<&Event> = events.rows.iter().collect();
        sorted.sort_by_key(|event| event.at);
        let mut lines = Vec::new();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for event in sorted {
            for (kind, text) in self.happened(event) {
                let count = counts.entry(kind).or_default();
                *count += 1;
                if *count <= AT_ONCE {
                    let time = self.wall(event.at);
                    let number = event.connection;
                    lines.push(format!("{time}  {kind:<11} #{number}  {text}"));
                }
            }
        }
        for (kind, count) in counts.into_iter().filter(|(_, count)| *count > AT_ONCE) {
            let time = humantime::format_rfc3339_millis(now.1);
            let more = counted((count - AT_ONCE) as u64, "connection");
            lines.push(format!("{time}  {kind:<11} {more} more in this second"));
        }
        if events.more > 0 {
            let more = counted(events.more, "event");
            lines.push(format!(
                "note: {more} had no room, and the table lacks them"
            ));
        }
        lines
    }

    /// A second is over. Returns what is to be told of without any event.
    pub fn second(&mut self, now: &Progress) -> Vec<String> {
        let mut second = std::mem::take(&mut self.second);
        second.seconds = 1;
        second.open = now.open.open;
        second.clients = self.planned;
        self.rolling.push(&second);
        self.clock = (now.elapsed, SystemTime::now());
        let time = humantime::format_rfc3339_millis(self.clock.1);
        let told = self.certificate();
        told.into_iter()
            .map(|text| format!("{time}  certificate {text}"))
            .collect()
    }

    fn happened(&mut self, event: &Event) -> Vec<(&'static str, String)> {
        let client = self
            .clients
            .entry(event.connection)
            .or_insert_with(Client::new);
        match &event.what {
            Happened::Opened(opened) => {
                let failed = client.failed;
                let moved = client.opened(event.at, opened);
                let address = client.address;
                let mut told = Vec::new();
                if let Some(away) = opened.away {
                    told.push(("back", back(away, failed)));
                } else if failed > 0 {
                    told.push((
                        "open",
                        format!("after {} that failed", counted(failed, "dial")),
                    ));
                } else if !self.is_greeted {
                    told.push(("open", first(opened)));
                }
                self.is_greeted = true;
                if let (Some(before), Some(now)) = (moved, address) {
                    told.push((
                        "address",
                        format!("now {}, before {}", now.ip(), before.ip()),
                    ));
                }
                if opened.expires.is_some() && opened.expires != self.expires {
                    let is_other = self.expires.is_some();
                    self.expires = opened.expires;
                    self.told_days = None;
                    if let (true, Some(until)) = (is_other, self.expires) {
                        told.push((
                            "certificate",
                            format!("is another, valid until {}", date(until)),
                        ));
                    }
                }
                told
            }
            Happened::Ended(ending) if ending.opened_ns.is_none() => {
                match client.not_opened(ending.cause) {
                    true => vec![("not opened", why(ending))],
                    false => Vec::new(),
                }
            }
            Happened::Ended(ending) => {
                if client.state != State::Away {
                    client.lost(event.at);
                    self.second.losses += 1;
                }
                vec![("lost", why(ending) + &evidence(ending, event.at))]
            }
            Happened::Answered { rtt } => {
                client.answered(rtt.0);
                self.second.answer(rtt.0);
                Vec::new()
            }
            Happened::Late { rtt } => {
                client.answered(rtt.0);
                self.second.answer(rtt.0);
                self.second.late += 1;
                vec![("late", format!("the answer came after {}", human_ns(rtt.0)))]
            }
            Happened::Missed { in_row } => {
                client.missed();
                self.second.missed += 1;
                let times = match in_row {
                    0 | 1 => String::new(),
                    more => format!(", {more} in a row"),
                };
                vec![("missed", format!("no answer to a ping in time{times}"))]
            }
        }
    }

    /// What is to be told of the certificate, once for each day that is left of the last thirty.
    fn certificate(&mut self) -> Option<String> {
        let left = self.expires? - seconds_of(self.clock.1);
        let days = left.div_euclid(DAY);
        if days > SOON_DAYS || self.told_days == Some(days) {
            return None;
        }
        self.told_days = Some(days);
        let until = date(self.expires?);
        Some(match days {
            ..0 => format!("has expired: it was valid until {until}"),
            0 => format!("expires within a day: it is valid until {until}"),
            1 => format!("expires in 1 day: it is valid until {until}"),
            days => format!("expires in {days} days: it is valid until {until}"),
        })
    }

    /// A time of the run by the wall clock.
    fn wall(&self, at: Timestamp) -> String {
        let (elapsed, now) = self.clock;
        let at = Duration::from_nanos(at.as_nanos());
        let wall = match elapsed.checked_sub(at) {
            Some(ago) => now - ago,
            None => now + (at - elapsed),
        };
        humantime::format_rfc3339_millis(wall).to_string()
    }
}

fn first(opened: &Opened) -> String {
    let mut text = format!("after {}", human_ns(opened.took.0));
    if let Some(address) = opened.address {
        text += &format!(", at {address}");
    }
    if let Some(until) = opened.expires {
        text += &format!(", certificate until {}", date(until));
    }
    text
}

fn back(away: Nanos, failed: u64) -> String {
    let dials = match failed {
        0 => String::new(),
        some => format!(", {} failed", counted(some, "dial")),
    };
    format!("after {}{dials}", long(away))
}

fn seconds_of(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(_) => 0,
    }
}

/// A day by its seconds since 1970, as in `2027-01-31`.
fn date(seconds: i64) -> String {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    // The latest that the formatter takes is the end of the year 9999.
    let latest = Duration::from_secs(253_402_300_799);
    let time = SystemTime::UNIX_EPOCH + since.min(latest);
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}
