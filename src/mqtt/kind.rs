//! The kinds of packets: their names, their first bytes and their fields.

/// A kind of packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Connect,
    Connack,
    Publish,
    Puback,
    Subscribe,
    Suback,
    Unsubscribe,
    Unsuback,
    Pingreq,
    Pingresp,
    Disconnect,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::Connect,
        Self::Connack,
        Self::Publish,
        Self::Puback,
        Self::Subscribe,
        Self::Suback,
        Self::Unsubscribe,
        Self::Unsuback,
        Self::Pingreq,
        Self::Pingresp,
        Self::Disconnect,
    ];

    /// Its name, its first byte, whose lower half has flags in a PUBLISH, and its fields.
    const fn row(self) -> (&'static str, u8, &'static [&'static str]) {
        match self {
            Self::Connect => (
                "CONNECT",
                0x10,
                &[
                    "client-id",
                    "keep-alive",
                    "clean-session",
                    "username",
                    "password",
                ],
            ),
            Self::Connack => ("CONNACK", 0x20, &["code", "session-present"]),
            Self::Publish => ("PUBLISH", 0x30, &["topic", "qos", "id", "retain", "dup"]),
            Self::Puback => ("PUBACK", 0x40, &["id"]),
            Self::Subscribe => ("SUBSCRIBE", 0x82, &["id", "topic", "qos"]),
            Self::Suback => ("SUBACK", 0x90, &["id", "granted", "refused"]),
            Self::Unsubscribe => ("UNSUBSCRIBE", 0xA2, &["id", "topic"]),
            Self::Unsuback => ("UNSUBACK", 0xB0, &["id"]),
            Self::Pingreq => ("PINGREQ", 0xC0, &[]),
            Self::Pingresp => ("PINGRESP", 0xD0, &[]),
            Self::Disconnect => ("DISCONNECT", 0xE0, &[]),
        }
    }

    pub(super) fn name(self) -> &'static str {
        self.row().0
    }

    pub(super) fn first(self) -> u8 {
        self.row().1
    }

    pub(super) fn fields(self) -> &'static [&'static str] {
        self.row().2
    }

    /// The kind of this name.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.name().as_bytes() == name)
    }

    /// The kind of a packet that begins with this byte.
    pub(super) fn of(first: u8) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| match kind {
            Self::Publish => first >> 4 == 3,
            kind => kind.first() == first,
        })
    }
}
