//! All rooms of a server, and what is heard in them.
//! Knows no socket: what members hear goes into their mailboxes.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, sleep_until};

use super::login::Login;
use super::mailbox::{Kind, Letter, Mailbox};
use super::request::{heading, said, tick};
use crate::scenario::ServerRooms;
use crate::server::counts::Counter;
use crate::server::schedule::Schedule;

/// The most rooms at once.
const MAX_ROOMS: usize = 65_536;
/// The longest name of a room, in bytes.
pub(super) const MAX_NAME: usize = 256;

/// The rooms of a server. A room begins with its first member and ends with its last; its numbers start at 1.
#[derive(Debug)]
pub(in crate::server) struct Rooms {
    settings: ServerRooms,
    pub(in crate::server) login: Login,
    pub(super) counter: Counter,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rooms: BTreeMap<String, Room>,
    /// The number of the last tick. All rooms have the same ticks.
    ticks: u64,
}

#[derive(Debug)]
struct Room {
    /// The beginning of all that is heard in it.
    heading: String,
    /// The number of the last thing said.
    seq: u64,
    /// By the number of their connection.
    members: BTreeMap<u64, Arc<Mailbox>>,
}

/// Why a request was refused, in words for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    NotAMember,
    /// A bound was reached.
    Full(&'static str),
}

impl Rooms {
    pub(in crate::server) fn new(settings: ServerRooms, seed: u64, counter: Counter) -> Self {
        Self {
            login: Login::new(seed, settings.login),
            settings,
            counter,
            state: Mutex::default(),
        }
    }

    /// Ticks in all rooms for as long as it is polled. A tick is up to 2 ms late.
    pub(in crate::server) async fn keep_time(&self) {
        let Some(rate) = self.settings.tick else {
            return pending().await;
        };
        let every = Duration::from_nanos(rate.gap_ns() as u64);
        let mut schedule = Schedule::new(Instant::now() + every, every);
        loop {
            sleep_until(schedule.at()).await;
            // Ticks that were missed are left out, but the numbers have no gap.
            if schedule.take(Instant::now()).is_some() {
                self.tick(now_ms());
            }
        }
    }

    pub(super) fn join(
        &self,
        name: &str,
        connection: u64,
        mailbox: &Arc<Mailbox>,
    ) -> Result<(), Refusal> {
        let rooms = &mut self.state().rooms;
        if !rooms.contains_key(name) {
            if rooms.len() >= MAX_ROOMS {
                return Err(Refusal::Full("the server has no room for more rooms"));
            }
            rooms.insert(name.to_owned(), Room::new(name));
        }
        if let Some(room) = rooms.get_mut(name) {
            room.members.insert(connection, Arc::clone(mailbox));
        }
        Ok(())
    }

    pub(super) fn leave(&self, name: &str, connection: u64) {
        let rooms = &mut self.state().rooms;
        if let Some(room) = rooms.get_mut(name) {
            room.members.remove(&connection);
            if room.members.is_empty() {
                rooms.remove(name);
            }
        }
    }

    /// Lets all members of a room hear this; all but one, if one is given.
    pub(super) fn say(&self, name: &str, data: &str, but: Option<u64>) {
        let mut state = self.state();
        let Some(room) = state.rooms.get_mut(name) else {
            return;
        };
        room.seq += 1;
        let letter = Letter {
            kind: Kind::Said,
            text: said(&room.heading, room.seq, now_ms(), data).into(),
        };
        let hearers = room.members.iter().filter(|(one, _)| Some(**one) != but);
        self.deliver(hearers.map(|(_, mailbox)| &**mailbox), &letter);
        self.counter.said();
    }

    fn tick(&self, at: u64) {
        let state = &mut *self.state();
        state.ticks += 1;
        for room in state.rooms.values() {
            let letter = Letter {
                kind: Kind::Tick,
                text: tick(&room.heading, state.ticks, at).into(),
            };
            self.deliver(room.members.values().map(|mailbox| &**mailbox), &letter);
        }
    }

    fn deliver<'m>(&self, hearers: impl Iterator<Item = &'m Mailbox>, letter: &Letter) {
        let lost: usize = hearers.map(|mailbox| mailbox.put(letter.clone())).sum();
        if lost > 0 {
            self.counter.undelivered(lost as u64);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    fn new(name: &str) -> Self {
        Self {
            heading: heading(name),
            seq: 0,
            members: BTreeMap::new(),
        }
    }
}

/// The time of day, in milliseconds since 1970.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_rooms_and_no_more() {
        let rooms = Rooms::new(ServerRooms::default(), 0, Counter::default());
        let mailbox = Arc::default();
        for number in 0..MAX_ROOMS {
            assert_eq!(rooms.join(&number.to_string(), 1, &mailbox), Ok(()));
        }
        let more = rooms.join("one more", 1, &mailbox);
        assert!(matches!(more, Err(Refusal::Full(_))), "{more:?}");
        assert_eq!(rooms.join("7", 2, &mailbox), Ok(()), "it is there already");
        rooms.leave("8", 1);
        assert_eq!(rooms.join("one more", 1, &mailbox), Ok(()));
    }
}
