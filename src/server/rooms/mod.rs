//! Rooms of the built-in server: members join and leave, what one says all hear, and a clock ticks in each room.
//! Texts in JSON beside the echo, and `POST /login` for a token; [`request`] lists the texts.

mod guilt;
mod http;
mod login;
mod mailbox;
mod member;
mod request;
mod room;

pub(super) use login::Login;
pub(super) use mailbox::Kind;
pub(super) use member::Member;
pub(super) use room::Rooms;
