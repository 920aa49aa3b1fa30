//! Rooms of the built-in server: members join and leave, what one says all hear, and a clock ticks in each room.
//! Texts in JSON beside the echo; [`request`] lists them. By HTTP: `POST /login` for a token, and [`polls`].

mod guilt;
mod http;
mod login;
mod mailbox;
mod member;
mod polls;
mod request;
mod room;

pub(super) use http::Asked;
pub(super) use mailbox::Kind;
pub(super) use member::Member;
pub(super) use room::Rooms;
