//! `[target.compression]`: permessage-deflate (RFC 7692), what is offered and how messages are sent.

mod offer;

pub use self::offer::{Bits, Offer, Parameters};
use super::{Cohort, Payload, Protocol, Verb};
use crate::scenario::reading::{At, Key, Merge as _, Section, Shorthand, Whole, keys, words};
use crate::units::ByteSize;

/// How messages are compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compression {
    /// What is offered.
    pub offer: Offer,
    /// How messages are sent.
    pub send: SendsPacked,
    /// The level of [`SendsPacked::Each`] and [`SendsPacked::Keep`], 1 to 9.
    pub level: u8,
    /// Shorter messages are sent as they are.
    pub threshold: ByteSize,
    /// Whether a server that agrees to no compression fails the handshake.
    pub required: bool,
}

impl Default for Compression {
    fn default() -> Self {
        let keys = CompressionTable::default();
        Self {
            offer: Offer::default(),
            send: keys.send(),
            level: keys.level().0 as u8,
            threshold: keys.threshold(),
            required: keys.required(),
        }
    }
}

impl Compression {
    /// The shortest part of a payload that is worth being prepared, in bytes.
    pub const SHORTEST_PREPARED: usize = 64;

    /// Whether messages with this payload are sent compressed; `is_reply` if they answer what the server says.
    fn packs(&self, payload: &Payload, is_reply: bool) -> bool {
        let threshold = self.threshold.0;
        match self.send {
            SendsPacked::Plain => false,
            SendsPacked::Each | SendsPacked::Keep => payload.longest() >= threshold,
            SendsPacked::Prepared => {
                !is_reply
                    && payload.fixed() >= threshold
                    && payload.longest_fixed() >= Self::SHORTEST_PREPARED as u64
            }
        }
    }
}

impl Cohort {
    /// How its messages are compressed; `None` if that is not offered.
    pub fn packs(&self) -> Option<&Compression> {
        let packs = self.access.compression.as_ref();
        packs.filter(|_| self.protocol == Protocol::WebSocket)
    }

    /// Whether some of its messages are sent compressed, where that is agreed on.
    pub fn packs_messages(&self) -> bool {
        let Some(compression) = self.packs() else {
            return false;
        };
        let messages = self.messages.iter().map(|message| &message.payload);
        let steps = self.each_step().filter_map(|step| match &step.verb {
            Verb::Send(send) => Some(&send.payload),
            _ => None,
        });
        let mut own = messages.chain(steps);
        own.any(|payload| compression.packs(payload, false))
            || self
                .frames()
                .any(|(_, payload, _)| compression.packs(payload, true))
    }
}

words! {
    /// How messages are sent where compression was agreed on.
    pub enum SendsPacked {
        /// What is the same in each message is compressed once; what differs is stored between.
        Prepared,
        /// Each message is compressed by itself.
        Each,
        /// Each message is compressed with what was sent before, which takes 320 KiB a connection.
        Keep,
        /// As they are.
        Plain,
    }
}

keys! {
    /// Compression of messages by permessage-deflate (RFC 7692).
    #[serde(expecting = "`true`, or a table such as { send = \"each\" }")]
    CompressionTable = "Compression" {
        /// What is offered: permessage-deflate with its parameters.
        offer: String = Offer::default().to_string(),
        /// "prepared": what is the same in each message is compressed once, before; "each": every message anew; "keep":
        /// the same, with what was sent before, for 320 KiB a connection; "plain": nothing is.
        send: SendsPacked = SendsPacked::Prepared,
        /// How hard "each" and "keep" try, from 1 to 9. What is prepared takes its time.
        level: Whole<1, 9> = Whole(1),
        /// Shorter messages go out as they are.
        threshold: ByteSize = ByteSize(64),
        /// A server that agrees to no compression fails the handshake.
        required: bool = false,
    }
}

/// The table; or in short `true`, and `false` for none.
pub(super) type CompressionGiven = Shorthand<bool, CompressionTable>;

/// Resolves it; `shared` is that of `[target]`, with which a table is merged key by key.
pub(super) fn resolve(
    section: &mut Section<'_, '_>,
    given: &Key<CompressionGiven>,
    shared: &Key<CompressionGiven>,
) -> Option<Compression> {
    let table = |given: &Key<CompressionGiven>| match &given.as_ref()?.value {
        Shorthand::Value(is_on) => is_on.then(CompressionTable::default),
        Shorthand::Table(table) => Some(table.clone()),
    };
    let (At { value, place }, keys) = match given {
        Some(own) => (own, table(given)?.over(table(shared).unwrap_or_default())),
        None => (shared.as_ref()?, table(shared)?),
    };
    let path = match value {
        Shorthand::Value(_) => section.path.to_owned(),
        Shorthand::Table(_) => section.key("compression"),
    };
    let section = &mut Section {
        check: &mut *section.check,
        path: &path,
        place,
    };
    let offer = match keys.offer().parse() {
        Ok(offer) => offer,
        Err(why) => {
            let what = format_args!("is no offer: {why}");
            let hint = format!("write it like \"{}\"", Offer::default());
            section.wrong("offer", &keys.offer, what, hint);
            return None;
        }
    };
    Some(Compression {
        offer,
        send: keys.send(),
        level: keys.level().0 as u8,
        threshold: keys.threshold(),
        required: keys.required(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Overrides;
    use crate::scenario::parse::parse_alone;

    fn cohorts(target: &str, rest: &str) -> Result<Vec<Option<Compression>>, Vec<String>> {
        let text = format!(
            "name = \"x\"\nload.duration = \"1m\"\n[target]\n{target}\n\
             [[message]]\nname = \"m\"\nrate = \"1/s\"\npayload = {{ size = \"1KiB\" }}\n{rest}"
        );
        match parse_alone(&text, &Overrides::default()) {
            Ok(scenario) => Ok(scenario
                .cohorts
                .iter()
                .map(|one| one.packs().cloned())
                .collect()),
            Err(problems) => Err(problems.iter().map(|one| one.message.clone()).collect()),
        }
    }

    const ONE: &str = "[[cohort]]\nname = \"a\"\nconnections = 1\n";
    const URL: &str = "url = \"ws://h/\"\n";

    #[test]
    fn a_cohort_changes_what_the_target_says_key_by_key() {
        let is_on = |target: &str, own: &str| {
            let own = format!("{ONE}{own}");
            cohorts(&format!("{URL}{target}"), &own).unwrap()[0].clone()
        };
        assert_eq!(is_on("", ""), None);
        assert_eq!(
            is_on("compression = true", ""),
            Some(Compression::default())
        );
        assert_eq!(is_on("compression = false", ""), None);
        assert_eq!(
            is_on("compression = true", "target.compression = false"),
            None
        );
        assert_eq!(
            is_on("", "target.compression = true"),
            Some(Compression::default())
        );
        let both = is_on(
            "compression = { send = \"each\", level = 6, required = true }",
            "target.compression = { level = 9, threshold = \"1KiB\" }",
        );
        let expected = Compression {
            send: SendsPacked::Each,
            level: 9,
            threshold: ByteSize(1024),
            required: true,
            ..Compression::default()
        };
        assert_eq!(both, Some(expected));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let wrong = |target: &str, rest: &str| cohorts(target, rest).unwrap_err().join("; ");
        let offer = "compression.offer = \"permessage-deflate; bogus\"";
        assert_eq!(
            wrong(&format!("{URL}{offer}"), ONE),
            "`target.compression.offer` is no offer: the parameter `bogus` is not known"
        );
        assert_eq!(
            wrong("url = \"embedded\"\ncompression = true", ONE),
            "`target.compression` is not spoken by the built-in server"
        );
        let bomb = format!(
            "{ONE}message = []\nfault = {{ kind = \"illegal_frame\", frame = \"deflate_bomb\", after = \"1s\" }}"
        );
        assert_eq!(
            wrong(URL, &bomb),
            "`cohort.fault` cannot be `illegal_frame` in a cohort that offers no compression"
        );
        let packets = format!("{URL}compression = true\nsplit = {{ packets = \"mqtt\" }}");
        assert!(wrong(&packets, ONE).contains("makes packets as they are sent"));
    }

    #[test]
    fn what_is_prepared_has_a_long_part_that_stays_the_same() {
        let packs = |payload: Payload, send| {
            let compression = Compression {
                send,
                threshold: ByteSize(100),
                ..Compression::default()
            };
            (
                compression.packs(&payload, false),
                compression.packs(&payload, true),
            )
        };
        let size = |bytes| Payload::Size(ByteSize(bytes));
        assert_eq!(packs(size(99), SendsPacked::Prepared), (false, false));
        assert_eq!(packs(size(111), SendsPacked::Prepared), (false, false));
        assert_eq!(packs(size(112), SendsPacked::Prepared), (true, false));
        assert_eq!(packs(size(100), SendsPacked::Each), (true, true));
        assert_eq!(packs(size(100), SendsPacked::Plain), (false, false));
        let text = Payload::Template(
            [crate::scenario::Segment::Variable(
                "text(500)".parse().unwrap(),
            )]
            .into(),
        );
        assert_eq!(packs(text.clone(), SendsPacked::Prepared), (false, false));
        assert_eq!(packs(text, SendsPacked::Keep), (true, true));
    }
}
