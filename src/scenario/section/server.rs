//! `[target.heartbeat]` and `target.rooms`: how the built-in server watches its clients, the rooms that it has, and what
//! it does wrong on purpose.

use std::time::Duration;

use super::heartbeat::HeartbeatWord;
use crate::scenario::reading::{At, Given as _, Key, Section, Shorthand, Time, keys, words};
use crate::units::Rate;

/// The heartbeat of the built-in server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerHeartbeat {
    /// The time between two pings to one client. Above zero.
    pub interval: Duration,
    /// The time from a ping to its pong. Above zero.
    pub timeout: Duration,
    /// What pings and pongs are: frames, or the messages [`Self::PING`] and [`Self::PONG`].
    pub kind: HeartbeatWord,
    /// The deliberate defect.
    pub defect: Option<Defect>,
}

impl ServerHeartbeat {
    /// The text of a ping that is a message.
    pub const PING: &'static str = "ping";
    /// The text that answers it.
    pub const PONG: &'static str = "pong";
}

/// The rooms of the built-in server: what one member says all of its room hear.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ServerRooms {
    /// How often each room ticks, if it does. At most [`Self::MAX_TICK`].
    pub tick: Option<Rate>,
    /// Whether an upgrade needs a token of `POST /login`.
    pub login: bool,
    /// The deliberate defect.
    pub defect: Option<RoomDefect>,
}

impl ServerRooms {
    /// The most ticks per second: the server's timer counts milliseconds.
    pub const MAX_TICK: f64 = 1000.0;
}

words! {
    /// What the built-in server does wrong on purpose, so that a contract can be seen to fail.
    pub enum Defect {
        /// One timer pings all clients at the same time, and reaps at the next tick.
        GlobalTick,
        /// Closes silent clients with the code 1000.
        NormalClose,
        /// Ends TCP without a Close frame.
        NoCloseFrame,
        /// Waits for room in the send buffer before the timer of a pong starts: a client that does not read lives forever.
        BlockedPing,
        /// Answers pings in turn with messages, behind a slow handler.
        SlowPong,
        /// Pings, and never looks whether an answer came.
        NeverReaps,
        /// Judges overdue pongs before it reads what has come: a stall of the server costs healthy clients.
        KillsAfterStall,
    }
}

words! {
    /// What the rooms of the built-in server do wrong on purpose, so that a gate can be seen to fail.
    pub enum RoomDefect {
        /// One member in 1,000 that should hear something does not.
        DropsDelivery,
        /// One member in 1,000 that should hear something hears it twice.
        DoublesDelivery,
        /// One member in 1,000 hears something behind what was said next.
        SwapsDelivery,
        /// One message in 100 is also heard by somebody who is not in its room.
        LeaksRoom,
        /// A member that does not read makes its whole room wait.
        SlowMemberBlocksRoom,
        /// One join in 20 is answered, but not done: that member hears nothing.
        ForgetsMember,
        /// One answer in 100 to who said something carries another id.
        AnswersWrongId,
    }
}

keys! {
    /// How the built-in server watches its clients.
    #[serde(expecting = "a table such as { interval = \"1s\", timeout = \"1s\" }")]
    ServerHeartbeatTable = "ServerHeartbeat" {
        /// Between two pings to one client.
        interval: Time = Time::seconds(10),
        /// From a ping to its pong.
        timeout: Time = Time::seconds(5),
        /// Ping and pong frames of RFC 6455, or the messages `ping` and `pong`.
        kind: HeartbeatWord = HeartbeatWord::Frames,
        /// What it does wrong on purpose, so that a contract can be seen to fail. Default: nothing.
        defect: Defect,
    }
}

keys! {
    /// The rooms of the built-in server.
    #[serde(expecting = "`true`, or a table such as { tick = \"20/s\" }")]
    ServerRoomsTable = "ServerRooms" {
        /// How often each room sends its members a tick. Default: never.
        tick: Rate,
        /// An upgrade needs a token, which `POST /login` gives.
        login: bool = false,
        /// What they do wrong on purpose, so that a gate can be seen to fail. Default: nothing.
        defect: RoomDefect,
    }
}

/// The rooms, or `true` for rooms without more.
pub(super) type RoomsOrNot = Shorthand<bool, ServerRoomsTable>;

/// Resolves `target.rooms`.
pub(super) fn rooms(
    section: &mut Section<'_, '_>,
    given: &Key<RoomsOrNot>,
    heartbeat: &Key<ServerHeartbeatTable>,
) -> Option<ServerRooms> {
    let At { value, .. } = given.as_ref()?;
    let keys = match value {
        Shorthand::Value(has_rooms) => return has_rooms.then(ServerRooms::default),
        Shorthand::Table(keys) => keys,
    };
    let tick: Option<Rate> = keys.tick.value();
    if tick.is_some_and(|tick| tick.hertz() > ServerRooms::MAX_TICK) {
        let what = format_args!("is more than {}/s", ServerRooms::MAX_TICK);
        section.wrong(
            "rooms.tick",
            &keys.tick,
            what,
            "write a lower rate, like \"20/s\"",
        );
    }
    let other = heartbeat.as_ref().and_then(|at| at.value.defect.as_ref());
    if keys.defect.is_some() && other.is_some() {
        let what = "cannot stand beside `target.heartbeat.defect`";
        let hint = "leave out one of them: a server that does two things wrong shows neither";
        section.wrong("rooms.defect", &keys.defect, what, hint);
    }
    Some(ServerRooms {
        tick,
        login: keys.login(),
        defect: keys.defect.value(),
    })
}

/// Resolves `[target.heartbeat]`.
pub(super) fn resolve(keys: &ServerHeartbeatTable) -> ServerHeartbeat {
    ServerHeartbeat {
        interval: keys.interval().0,
        timeout: keys.timeout().0,
        kind: keys.kind(),
        defect: keys.defect.value(),
    }
}
