//! What is wrong with packets and with their texts.

use super::kind::Kind;

/// Why bytes are no packets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Of QoS 2, or of a type or with flags that there are not (sections 2.2.1 and 2.2.2).
    #[error("a packet of MQTT begins with the byte {0:02x}, which wsbench does not know")]
    First(u8),
    /// Over four bytes (section 2.2.3).
    #[error("the length of a packet of MQTT has more than 4 bytes")]
    Length,
    /// Longer than a message may be.
    #[error("a packet of MQTT has {size} bytes, and {most} are allowed")]
    TooBig {
        /// Its bytes.
        size: usize,
        /// As many as are allowed.
        most: usize,
    },
    /// A field is missing, too long or wrong.
    #[error("a {packet} of MQTT {what}")]
    Field {
        /// Its name.
        packet: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// Not in a binary frame (section 6).
    #[error("a packet of MQTT in a frame of text")]
    Text,
}

/// Why a text is no packet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// Its first line names no packet.
    #[error("begins with `{0}`, which is no packet of MQTT")]
    Name(String),
    /// A field is missing.
    #[error("is a {0} without `{1}`")]
    Missing(&'static str, &'static str),
    /// A line is none of its fields.
    #[error("is a {packet} with the line `{line}`, which is no field of it")]
    Line {
        /// The name of the packet.
        packet: &'static str,
        /// The line.
        line: String,
    },
    /// A field has a value that it cannot have.
    #[error("is a {packet} whose `{field}` is `{value}`")]
    Value {
        /// The name of the packet.
        packet: &'static str,
        /// The name of the field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it can be.
        allowed: &'static str,
    },
    /// Something follows its fields.
    #[error("is a {0} with something behind its fields")]
    Behind(&'static str),
    /// Over 256 MiB (section 2.2.3).
    #[error("is longer than a packet of MQTT can be")]
    TooBig,
}

impl Unwritable {
    /// What is wrong, without any value: those of a running connection may be secret.
    pub fn rule(&self) -> String {
        match self {
            Self::Name(_) => "begins with no packet of MQTT".to_owned(),
            Self::Line { packet, .. } => {
                format!("is a {packet} with a line that is no field of it")
            }
            Self::Value {
                packet,
                field,
                allowed,
                ..
            } => format!("is a {packet} whose `{field}` is not {allowed}"),
            Self::Missing(..) | Self::Behind(_) | Self::TooBig => self.to_string(),
        }
    }

    /// What to write instead.
    pub fn hint(&self) -> String {
        match self {
            Self::Name(_) => {
                "write the name of a packet into its first line, such as PUBLISH".to_owned()
            }
            Self::Missing(_, field) => format!("add the line `{field}:…`"),
            Self::Line { packet, .. } => {
                let kind = Kind::named(packet.as_bytes());
                let fields: Vec<String> = (kind.map_or(&[][..], Kind::fields).iter())
                    .map(|field| format!("`{field}`"))
                    .collect();
                match &fields[..] {
                    [] => "it has no fields: leave it out".to_owned(),
                    fields => format!(
                        "its fields are {}, each once, in a line such as `{}:…`",
                        fields.join(", "),
                        fields[0].trim_matches('`')
                    ),
                }
            }
            Self::Value { allowed, .. } => format!("it is {allowed}"),
            Self::Behind(_) => "only a PUBLISH says something: leave it out".to_owned(),
            Self::TooBig => "say less: 256 MiB are the most".to_owned(),
        }
    }
}
