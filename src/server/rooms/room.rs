//! All rooms of a server, and what is heard in them.
//! Knows no socket: what members hear goes into their mailboxes.

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::guilt::Guilt;
use super::login::Login;
use super::mailbox::{Kind, Letter, Mailbox};
use super::polls::Latest;
use super::request::{answer, heading, said, tick};
use crate::scenario::ServerRooms;
use crate::server::counts::Counter;
use crate::server::schedule::Schedule;

/// The most rooms at once.
const MAX_ROOMS: usize = 65_536;
/// The most that waits in a room for a member that does not read, where waiting is the defect.
const MAX_WAITING: usize = 1024;

/// The rooms of a server. A room begins with its first member and ends with its last; its numbers start at 1.
#[derive(Debug)]
pub(in crate::server) struct Rooms {
    settings: ServerRooms,
    pub(in crate::server) login: Login,
    pub(super) counter: Counter,
    /// Changes when a room begins.
    pub(super) begun: watch::Sender<()>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rooms: BTreeMap<String, Room>,
    /// The number of the last tick. All rooms have the same ticks.
    ticks: u64,
    guilt: Option<Guilt>,
}

#[derive(Debug)]
struct Room {
    /// The beginning of all that is heard in it.
    heading: String,
    /// The number of the last thing said.
    seq: u64,
    /// By the number of their connection.
    members: BTreeMap<u64, Arc<Mailbox>>,
    /// What waits for a member that does not read, where that is the defect.
    waiting: VecDeque<Talk>,
    latest: Latest,
}

/// What is to be heard in a room.
#[derive(Debug)]
struct Talk {
    letter: Letter,
    /// The member that does not hear it.
    but: Option<u64>,
    /// The answer to the speaker, behind it.
    answer: Option<(Arc<Mailbox>, Letter)>,
}

/// What a member says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Speech<'a> {
    pub(super) data: &'a str,
    /// The member that does not hear it.
    pub(super) but: Option<u64>,
    /// The id of the request, if it is to be answered.
    pub(super) id: Option<&'a str>,
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
        let state = State {
            rooms: BTreeMap::new(),
            ticks: 0,
            guilt: settings.defect.map(|defect| Guilt::new(defect, seed)),
        };
        Self {
            login: Login::new(seed, settings.login),
            settings,
            counter,
            begun: watch::Sender::new(()),
            state: Mutex::new(state),
        }
    }

    /// Ticks in all rooms for as long as it is polled. A tick is up to 2 ms late.
    pub(in crate::server) async fn keep_time(&self) {
        let tick = self.settings.tick;
        let tick = tick.map(|rate| Duration::from_nanos(rate.gap_ns() as u64));
        let release = Guilt::releases_every(self.settings.defect);
        tokio::join!(
            repeat(tick, || self.tick(now_ms())),
            repeat(release, || self.release_old()),
        );
        pending().await
    }

    pub(super) fn join(
        &self,
        name: &str,
        connection: u64,
        mailbox: &Arc<Mailbox>,
    ) -> Result<(), Refusal> {
        let State { rooms, guilt, .. } = &mut *self.state();
        if !rooms.contains_key(name) && rooms.len() >= MAX_ROOMS {
            return Err(Refusal::Full("the server has no room for more rooms"));
        }
        if guilt.as_mut().is_some_and(Guilt::forgets) {
            return Ok(());
        }
        let room = rooms.entry(name.to_owned());
        let room = room.or_insert_with(|| Room::new(name));
        room.members.insert(connection, Arc::clone(mailbox));
        if room.members.len() == 1 {
            self.begun.send_replace(());
        }
        Ok(())
    }

    pub(super) fn leave(&self, name: &str, connection: u64) {
        let State { rooms, guilt, .. } = &mut *self.state();
        self.lose(guilt.as_mut().map_or(0, Guilt::release));
        let Some(room) = rooms.get_mut(name) else {
            return;
        };
        room.members.remove(&connection);
        self.lose(room.resume(guilt));
        if room.members.is_empty() {
            rooms.remove(name);
        }
    }

    /// Lets the members of a room hear what one of them says, and answers it.
    pub(super) fn say(
        &self,
        name: &str,
        speech: Speech<'_>,
        speaker: &Arc<Mailbox>,
    ) -> Result<(), Refusal> {
        let State { rooms, guilt, .. } = &mut *self.state();
        let answer = speech.id.map(|id| {
            let id = match guilt {
                Some(guilt) => guilt.id(id),
                None => id.into(),
            };
            (
                Arc::clone(speaker),
                Letter::new(Kind::Answer, answer(&id, None)),
            )
        });
        // A room that is not there has no members: they were forgotten.
        let Some(room) = rooms.get_mut(name) else {
            answer.map(|(mailbox, letter)| mailbox.put(letter));
            return Ok(());
        };
        let text = said(&room.heading, room.seq + 1, now_ms(), speech.data);
        let letter = Letter::new(Kind::Said, text);
        let talk = Talk {
            letter: letter.clone(),
            but: speech.but,
            answer,
        };
        self.lose(room.hear(talk, guilt)?);
        room.seq += 1;
        room.latest.hear(Kind::Said, room.seq, &letter.text);
        self.counter.said();
        if guilt.as_mut().is_some_and(Guilt::leaks)
            && let Some(stranger) = stranger(rooms, name)
        {
            self.lose(stranger.put(letter));
        }
        Ok(())
    }

    /// Looks at what was heard last in a room; there is `None` of a room that does not exist.
    pub(super) fn latest<R>(&self, name: &str, look: impl FnOnce(Option<&Latest>) -> R) -> R {
        look(self.state().rooms.get(name).map(|room| &room.latest))
    }

    /// Goes on in these rooms, which may have waited for a member that reads again.
    pub(super) fn resume(&self, names: &[String]) {
        let State { rooms, guilt, .. } = &mut *self.state();
        for name in names {
            if let Some(room) = rooms.get_mut(name) {
                self.lose(room.resume(guilt));
            }
        }
    }

    fn tick(&self, at: u64) {
        let State {
            rooms,
            ticks,
            guilt,
        } = &mut *self.state();
        *ticks += 1;
        for room in rooms.values_mut() {
            let letter = Letter::new(Kind::Tick, tick(&room.heading, *ticks, at));
            room.latest.hear(Kind::Tick, *ticks, &letter.text);
            let talk = Talk {
                letter,
                but: None,
                answer: None,
            };
            let members = room.members.len();
            self.lose(room.hear(talk, guilt).unwrap_or(members));
        }
    }

    fn release_old(&self) {
        let guilt = &mut self.state().guilt;
        self.lose(guilt.as_mut().map_or(0, Guilt::release_old));
    }

    fn lose(&self, letters: usize) {
        if letters > 0 {
            self.counter.undelivered(letters as u64);
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
            waiting: VecDeque::new(),
            latest: Latest::default(),
        }
    }

    /// Lets all members hear this. Returns the number of letters that are lost, because members do not read.
    fn hear(&mut self, talk: Talk, guilt: &mut Option<Guilt>) -> Result<usize, Refusal> {
        if guilt.as_ref().is_some_and(Guilt::waits) && self.has_to_wait() {
            if self.waiting.len() >= MAX_WAITING {
                return Err(Refusal::Full(
                    "the room waits for a member that does not read",
                ));
            }
            self.waiting.push_back(talk);
            return Ok(0);
        }
        Ok(self.deliver(talk, guilt))
    }

    /// Lets all members hear what has waited, up to where one does not read.
    fn resume(&mut self, guilt: &mut Option<Guilt>) -> usize {
        let mut lost = 0;
        while !self.waiting.is_empty() && !self.is_blocked() {
            let talk = self.waiting.pop_front();
            lost += talk.map_or(0, |talk| self.deliver(talk, guilt));
        }
        lost
    }

    fn has_to_wait(&self) -> bool {
        !self.waiting.is_empty() || self.is_blocked()
    }

    fn is_blocked(&self) -> bool {
        self.members.values().any(|mailbox| mailbox.is_blocked())
    }

    fn deliver(&self, talk: Talk, guilt: &mut Option<Guilt>) -> usize {
        let hearers = self.members.iter();
        let hearers = hearers.filter(|(connection, _)| Some(**connection) != talk.but);
        let lost = hearers.map(|(connection, mailbox)| match guilt {
            Some(guilt) if talk.letter.kind == Kind::Said => {
                guilt.hand(&self.heading, *connection, mailbox, &talk.letter)
            }
            _ => mailbox.put(talk.letter.clone()),
        });
        let lost = lost.sum();
        talk.answer.map(|(mailbox, letter)| mailbox.put(letter));
        lost
    }
}

/// A member of another room that is not in this one, if there is any.
fn stranger<'r>(rooms: &'r BTreeMap<String, Room>, name: &str) -> Option<&'r Arc<Mailbox>> {
    let inside = &rooms.get(name)?.members;
    let others = rooms.values().flat_map(|room| &room.members);
    let mut strangers = others.filter(|(connection, _)| !inside.contains_key(connection));
    strangers.next().map(|(_, mailbox)| mailbox)
}

/// Does something again and again, if a time is given; what was missed is left out.
async fn repeat(every: Option<Duration>, act: impl Fn()) {
    let Some(every) = every else {
        return;
    };
    let mut schedule = Schedule::new(Instant::now() + every, every);
    loop {
        sleep_until(schedule.at()).await;
        if schedule.take(Instant::now()).is_some() {
            act();
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
