//! One connection as a member of rooms: reads its requests, answers them, and hands out what it hears.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::mailbox::{Kind, Letter, Mailbox};
use super::request::{Action, Request, answer};
use super::room::{Refusal, Rooms, Speech};

/// The most rooms that a connection may be in.
const MAX_JOINED: usize = 8;
/// The longest name of a room, in bytes.
const MAX_NAME: usize = 256;
/// The longest request that is carried out, in bytes.
const MAX_REQUEST: usize = 64 << 10;

/// A connection that may join rooms. Leaves them all when dropped.
#[derive(Debug)]
pub(in crate::server) struct Member {
    rooms: Arc<Rooms>,
    /// The number of the connection.
    connection: u64,
    mailbox: Arc<Mailbox>,
    /// The rooms it is in, at most [`MAX_JOINED`].
    joined: Vec<String>,
    blocked: bool,
}

impl Member {
    pub(in crate::server) fn new(rooms: Arc<Rooms>, connection: u64) -> Self {
        Self {
            rooms,
            connection,
            mailbox: Arc::default(),
            joined: Vec::new(),
            blocked: false,
        }
    }

    /// Carries out a request. Its answer goes into the mailbox, behind what was heard before. Returns whether the text
    /// was a request.
    pub(in crate::server) fn request(&mut self, text: &str) -> bool {
        let Some(request) = Request::read(text) else {
            return false;
        };
        if let Err(refusal) = self.carry_out(&request, text.len()) {
            let full = matches!(refusal, Refusal::Full(_));
            self.rooms.counter.refused(full);
            self.answer(request.id, Some(refusal.why()));
        }
        true
    }

    fn carry_out(&mut self, request: &Request<'_>, length: usize) -> Result<(), Refusal> {
        if length > MAX_REQUEST {
            return Err(Refusal::Full("a message to a room has at most 64 KiB"));
        }
        let Request { room, id, action } = request;
        let place = self.joined.iter().position(|joined| joined == room);
        match (action, place) {
            (Action::Join, Some(_)) => {}
            (Action::Join, None) => {
                self.join(room)?;
                self.joined.push(room.clone());
            }
            (_, None) => return Err(Refusal::NotAMember),
            (Action::Leave, Some(place)) => {
                self.rooms.leave(room, self.connection);
                self.joined.swap_remove(place);
            }
            (&Action::Say { data, to_self }, Some(_)) => {
                let but = (!to_self).then_some(self.connection);
                let speech = Speech { data, but, id: *id };
                return self.rooms.say(room, speech, &self.mailbox);
            }
        }
        self.answer(*id, None);
        Ok(())
    }

    fn answer(&self, id: Option<&str>, refusal: Option<&str>) {
        if let Some(id) = id {
            let text = answer(id, refusal);
            self.mailbox.put(Letter::new(Kind::Answer, text));
        }
    }

    fn join(&self, name: &str) -> Result<(), Refusal> {
        if self.joined.len() >= MAX_JOINED {
            Err(Refusal::Full("a connection is in at most 8 rooms"))
        } else if name.len() > MAX_NAME {
            Err(Refusal::Full("the name of a room has at most 256 bytes"))
        } else {
            self.rooms.join(name, self.connection, &self.mailbox)
        }
    }

    /// Takes the next text to send. Returns `None` once the member is cut off because its socket took nothing for too
    /// long. Called only while the socket takes something.
    pub(in crate::server) fn poll_letter(&mut self, cx: &mut Context<'_>) -> Poll<Option<Letter>> {
        if std::mem::take(&mut self.blocked) {
            self.mailbox.unblock();
            self.rooms.resume(&self.joined);
        }
        self.mailbox.poll_take(cx)
    }

    /// Notes that the socket takes nothing. Returns whether the member is cut off.
    pub(in crate::server) fn block(&mut self, cx: &mut Context<'_>) -> bool {
        self.blocked = true;
        self.mailbox.block(cx)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        for name in &self.joined {
            self.rooms.leave(name, self.connection);
        }
    }
}

impl Refusal {
    fn why(self) -> &'static str {
        match self {
            Self::NotAMember => "this connection is not in the room",
            Self::Full(why) => why,
        }
    }
}
