//! Makes packets of their texts.

use memchr::memmem;

use super::error::Unwritable;
use super::ids::Ids;
use super::kind::Kind;

/// The most bytes behind the length of a packet (section 2.2.3).
const MAX_LENGTH: usize = 268_435_455;
/// The most bytes of a fixed header: the first byte, and four of the length.
const FIXED: usize = 5;

/// See [`super::Packets::write`].
pub(super) fn write(ids: &mut Ids, message: &mut Vec<u8>) -> Result<(), Unwritable> {
    let end = memmem::find(message, b"\n\n");
    let (head, payload_at) = match end {
        Some(at) => (&message[..at], at + 2),
        None => (&message[..], message.len()),
    };
    let text = Text::new(head)?;
    let mut bytes = vec![0; FIXED];
    let flags = text.put(ids, &mut bytes)?;
    let payload = message.len() - payload_at;
    if payload > 0 && text.kind != Kind::Publish {
        return Err(Unwritable::Behind(text.kind.name()));
    }
    let mut length = bytes.len() - FIXED + payload;
    if length > MAX_LENGTH {
        return Err(Unwritable::TooBig);
    }
    let mut fixed = [text.kind.first() | flags, 0, 0, 0, 0];
    let mut used = 1;
    loop {
        fixed[used] = (length % 128) as u8;
        length /= 128;
        used += 1;
        if length == 0 {
            break;
        }
        fixed[used - 1] |= 0x80;
    }
    let start = FIXED - used;
    bytes[start..FIXED].copy_from_slice(&fixed[..used]);
    message.splice(..payload_at, bytes.drain(start..));
    Ok(())
}

/// The text of a packet, without what is published.
struct Text<'a> {
    kind: Kind,
    /// Its lines behind the first.
    lines: &'a str,
}

impl<'a> Text<'a> {
    fn new(head: &'a [u8]) -> Result<Self, Unwritable> {
        let name = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let shown = || Unwritable::Name(String::from_utf8_lossy(name).chars().take(40).collect());
        let kind = Kind::named(name).ok_or_else(shown)?;
        let lines = &head[head.len().min(name.len() + 1)..];
        let line = |line: &str| Unwritable::Line {
            packet: kind.name(),
            line: line.to_owned(),
        };
        let lines = std::str::from_utf8(lines).map_err(|_| line("(no UTF-8)"))?;
        let text = Self { kind, lines };
        for (index, one) in lines.lines().enumerate() {
            let field = one.split_once(':').map_or(one, |(field, _)| field);
            let is_known = one.contains(':') && kind.fields().contains(&field);
            let mut before = lines.lines().take(index);
            if !is_known || before.any(|other| other.split(':').next() == Some(field)) {
                return Err(line(one));
            }
        }
        Ok(text)
    }

    fn find(&self, field: &str) -> Option<&'a str> {
        let mut lines = self.lines.lines();
        lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
    }

    fn field(&self, field: &'static str) -> Result<&'a str, Unwritable> {
        let missing = || Unwritable::Missing(self.kind.name(), field);
        self.find(field).ok_or_else(missing)
    }

    fn wrong(&self, field: &'static str, value: &str, allowed: &'static str) -> Unwritable {
        Unwritable::Value {
            packet: self.kind.name(),
            field,
            value: value.chars().take(80).collect(),
            allowed,
        }
    }

    fn number(
        &self,
        field: &'static str,
        value: &str,
        most: u64,
        allowed: &'static str,
    ) -> Result<u64, Unwritable> {
        let number = value.parse().ok().filter(|number| *number <= most);
        number.ok_or_else(|| self.wrong(field, value, allowed))
    }

    /// A number up to `most`.
    fn whole(
        &self,
        field: &'static str,
        most: u64,
        allowed: &'static str,
    ) -> Result<u64, Unwritable> {
        self.number(field, self.field(field)?, most, allowed)
    }

    fn switch(&self, field: &'static str) -> Result<bool, Unwritable> {
        match self.find(field) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(value) => Err(self.wrong(field, value, "true or false")),
        }
    }

    fn qos(&self) -> Result<u8, Unwritable> {
        let qos = self.find("qos").unwrap_or("0");
        Ok(self.number("qos", qos, 1, "0 or 1")? as u8)
    }

    /// The id of what is sent, as its identifier.
    fn id(&self, ids: &mut Ids) -> Result<u16, Unwritable> {
        let allowed = "a number above 0, such as {{id}}";
        match self.whole("id", u64::MAX, allowed)? {
            0 => Err(self.wrong("id", "0", allowed)),
            id => Ok(ids.send(id)),
        }
    }

    /// The id of an answer, which is an identifier.
    fn identifier(&self) -> Result<u16, Unwritable> {
        let allowed = "a number from 1 to 65535";
        match self.whole("id", 65_535, allowed)? {
            0 => Err(self.wrong("id", "0", allowed)),
            id => Ok(id as u16),
        }
    }

    /// A text with its length (section 1.5.3).
    fn text(
        &self,
        field: &'static str,
        value: &str,
        bytes: &mut Vec<u8>,
    ) -> Result<(), Unwritable> {
        let length = u16::try_from(value.len());
        let is_plain = !value.chars().any(char::is_control);
        let Some(length) = length.ok().filter(|_| is_plain) else {
            let allowed = "at most 65535 bytes long, without control characters";
            return Err(self.wrong(field, value, allowed));
        };
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(value.as_bytes());
        Ok(())
    }

    /// A topic, which may have wildcards where it is subscribed to.
    fn topic(&self, bytes: &mut Vec<u8>) -> Result<(), Unwritable> {
        let topic = self.field("topic")?;
        let is_filter = self.kind != Kind::Publish;
        if topic.is_empty() || (!is_filter && topic.contains(['#', '+'])) {
            let allowed = match is_filter {
                true => "not empty",
                false => "one topic: not empty, without the wildcards `#` and `+`",
            };
            return Err(self.wrong("topic", topic, allowed));
        }
        self.text("topic", topic, bytes)
    }

    /// Puts its variable header and its payload without what is published behind the bytes; yields the flags of the
    /// first byte.
    fn put(&self, ids: &mut Ids, bytes: &mut Vec<u8>) -> Result<u8, Unwritable> {
        match self.kind {
            Kind::Connect => self.connect(bytes)?,
            Kind::Connack => {
                let code = self.whole("code", 5, "a number from 0 to 5")? as u8;
                bytes.extend_from_slice(&[self.switch("session-present")?.into(), code]);
            }
            Kind::Publish => {
                self.topic(bytes)?;
                let qos = self.qos()?;
                if qos > 0 {
                    let id = self.id(ids)?;
                    bytes.extend_from_slice(&id.to_be_bytes());
                } else if let Some(id) = self.find("id") {
                    return Err(self.wrong("id", id, "only for a PUBLISH with `qos:1`"));
                }
                let flags = u8::from(self.switch("dup")?) << 3 | qos << 1;
                return Ok(flags | u8::from(self.switch("retain")?));
            }
            Kind::Subscribe | Kind::Unsubscribe => {
                let id = self.id(ids)?;
                bytes.extend_from_slice(&id.to_be_bytes());
                self.topic(bytes)?;
                if self.kind == Kind::Subscribe {
                    bytes.push(self.qos()?);
                }
            }
            Kind::Puback | Kind::Unsuback | Kind::Suback => {
                bytes.extend_from_slice(&self.identifier()?.to_be_bytes());
                if self.kind == Kind::Suback {
                    bytes.push(match self.find("refused") {
                        Some("128") => 0x80,
                        Some(code) => return Err(self.wrong("refused", code, "128")),
                        None => self.whole("granted", 2, "0, 1 or 2")? as u8,
                    });
                }
            }
            Kind::Pingreq | Kind::Pingresp | Kind::Disconnect => {}
        }
        Ok(0)
    }

    /// Section 3.1, without a will.
    fn connect(&self, bytes: &mut Vec<u8>) -> Result<(), Unwritable> {
        let (username, password) = (self.find("username"), self.find("password"));
        if password.is_some() && username.is_none() {
            return Err(Unwritable::Missing(self.kind.name(), "username"));
        }
        let flags = u8::from(username.is_some()) << 7
            | u8::from(password.is_some()) << 6
            | u8::from(self.switch("clean-session")?) << 1;
        let allowed = "a number of seconds from 0 to 65535";
        let keep_alive = self.whole("keep-alive", 65_535, allowed)? as u16;
        bytes.extend_from_slice(b"\0\x04MQTT\x04");
        bytes.push(flags);
        bytes.extend_from_slice(&keep_alive.to_be_bytes());
        self.text("client-id", self.field("client-id")?, bytes)?;
        let more = [("username", username), ("password", password)];
        for (field, value) in more {
            if let Some(value) = value {
                self.text(field, value, bytes)?;
            }
        }
        Ok(())
    }
}
