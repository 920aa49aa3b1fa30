//! Makes texts of packets, however these lie in frames.

use std::io::Write as _;

use super::error::Malformed;
use super::ids::Ids;
use super::kind::Kind;

/// Reads the packets of one connection. A packet may lie in several frames, and a frame may hold several (section 6).
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// The beginning of a packet whose end has not come yet; empty if there is none.
    begun: Vec<u8>,
}

/// A packet that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// The identifier that its receiver has to acknowledge by a PUBACK (section 4.3.2).
    pub to_acknowledge: Option<u16>,
}

impl Packet {
    /// The PUBACK, if there is one to be sent.
    pub fn acknowledgement(self) -> Option<[u8; 4]> {
        let [high, low] = self.to_acknowledge?.to_be_bytes();
        Some([Kind::Puback.first(), 2, high, low])
    }
}

impl Reader {
    /// See [`super::Packets::next`].
    pub(super) fn next(
        &mut self,
        frame: &mut &[u8],
        most: usize,
        ids: &Ids,
        text: &mut Vec<u8>,
    ) -> Result<Option<Packet>, Malformed> {
        if self.begun.is_empty() {
            let Some((head, size)) =
                measured(frame, most)?.filter(|(_, size)| *size <= frame.len())
            else {
                self.begun.extend_from_slice(frame);
                *frame = &[];
                return Ok(None);
            };
            let (packet, rest) = frame.split_at(size);
            *frame = rest;
            return read(packet[0], &packet[head..], ids, text).map(Some);
        }
        loop {
            let (head, size) = match measured(&self.begun, most)? {
                Some(known) => known,
                None => (0, self.begun.len() + 1),
            };
            if head > 0 && size <= self.begun.len() {
                let packet = std::mem::take(&mut self.begun);
                return read(packet[0], &packet[head..], ids, text).map(Some);
            }
            if frame.is_empty() {
                return Ok(None);
            }
            let missing = (size - self.begun.len()).min(frame.len());
            let (more, rest) = frame.split_at(missing);
            self.begun.extend_from_slice(more);
            *frame = rest;
        }
    }
}

/// The bytes of the fixed header of a packet that begins here, and of all of it; `None` if its length has not come yet.
fn measured(bytes: &[u8], most: usize) -> Result<Option<(usize, usize)>, Malformed> {
    let Some((first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    if Kind::of(*first).is_none() {
        return Err(Malformed::First(*first));
    }
    let mut length = 0;
    for place in 0..4 {
        let Some(byte) = rest.get(place) else {
            return Ok(None);
        };
        length |= usize::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            let size = place + 2 + length;
            return match size > most {
                true => Err(Malformed::TooBig { size, most }),
                false => Ok(Some((place + 2, size))),
            };
        }
    }
    Err(Malformed::Length)
}

/// What is left of the variable header and payload of a packet.
struct Rest<'a> {
    kind: Kind,
    bytes: &'a [u8],
}

impl<'a> Rest<'a> {
    fn wrong(&self, what: &'static str) -> Malformed {
        let packet = self.kind.name();
        Malformed::Field { packet, what }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let short = self.wrong("ends before its fields do");
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(short)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    fn two(&mut self) -> Result<u16, Malformed> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn identifier(&mut self) -> Result<u16, Malformed> {
        match self.two()? {
            // Section 2.3.1.
            0 => Err(self.wrong("has the packet identifier 0")),
            identifier => Ok(identifier),
        }
    }

    /// A text with its length. Section 1.5.3 allows to refuse control characters; a line end would end the field.
    fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = self.two()?;
        let bytes = self.take(length.into())?;
        let text =
            std::str::from_utf8(bytes).map_err(|_| self.wrong("has a text that is no UTF-8"))?;
        match text.chars().any(char::is_control) {
            true => Err(self.wrong("has a text with control characters")),
            false => Ok(text),
        }
    }

    fn topic(&mut self) -> Result<&'a str, Malformed> {
        match self.text()? {
            "" => Err(self.wrong("has an empty topic")),
            topic if self.kind == Kind::Publish && topic.contains(['#', '+']) => {
                Err(self.wrong("has a wildcard in its topic"))
            }
            topic => Ok(topic),
        }
    }
}

/// Puts the text of a packet into `text`.
fn read(first: u8, bytes: &[u8], ids: &Ids, text: &mut Vec<u8>) -> Result<Packet, Malformed> {
    let kind = Kind::of(first).ok_or(Malformed::First(first))?;
    let mut rest = Rest { kind, bytes };
    text.clear();
    text.extend_from_slice(kind.name().as_bytes());
    let mut to_acknowledge = None;
    // Writing to a vector does not fail.
    match kind {
        Kind::Connect => connect(&mut rest, text)?,
        Kind::Connack => {
            let flags = rest.byte()?;
            if flags > 1 {
                return Err(rest.wrong("has a wrong flag"));
            }
            let _ = write!(
                text,
                "\ncode:{}\nsession-present:{}",
                rest.byte()?,
                flags == 1
            );
        }
        Kind::Publish => {
            let qos = first >> 1 & 3;
            if qos > 1 {
                return Err(Malformed::First(first));
            }
            let _ = write!(text, "\ntopic:{}\nqos:{qos}", rest.topic()?);
            if qos == 1 {
                let identifier = rest.identifier()?;
                to_acknowledge = Some(identifier);
                let _ = write!(text, "\nid:{identifier}");
            }
            if first & 1 == 1 {
                text.extend_from_slice(b"\nretain:true");
            }
            if first & 8 == 8 {
                text.extend_from_slice(b"\ndup:true");
            }
            text.extend_from_slice(b"\n\n");
            text.extend_from_slice(rest.bytes);
            return Ok(Packet { to_acknowledge });
        }
        Kind::Puback | Kind::Unsuback | Kind::Suback => {
            let _ = write!(text, "\nid:{}", ids.answered(rest.identifier()?));
            if kind == Kind::Suback {
                let code = rest.byte()?;
                let _ = match code {
                    0..=2 => write!(text, "\ngranted:{code}"),
                    0x80 => write!(text, "\nrefused:{code}"),
                    _ => return Err(rest.wrong("has a code that there is not")),
                };
            }
        }
        Kind::Subscribe | Kind::Unsubscribe => {
            let _ = write!(text, "\nid:{}\ntopic:{}", rest.identifier()?, rest.topic()?);
            if kind == Kind::Subscribe {
                let qos = rest.byte()?;
                if qos > 1 {
                    return Err(rest.wrong("has a QoS above 1"));
                }
                let _ = write!(text, "\nqos:{qos}");
            }
        }
        Kind::Pingreq | Kind::Pingresp | Kind::Disconnect => {}
    }
    text.push(b'\n');
    match rest.bytes {
        [] => Ok(Packet { to_acknowledge }),
        _ => Err(rest.wrong("goes on behind its fields")),
    }
}

/// Section 3.1, without a will.
fn connect(rest: &mut Rest<'_>, text: &mut Vec<u8>) -> Result<(), Malformed> {
    if rest.take(7)? != b"\0\x04MQTT\x04" {
        return Err(rest.wrong("is not of version 3.1.1"));
    }
    let flags = rest.byte()?;
    if flags & 0b11_1101 != 0 || flags & 0xC0 == 0x40 {
        return Err(rest.wrong("has wrong flags, or a will"));
    }
    let keep_alive = rest.two()?;
    let client = rest.text()?;
    let _ = write!(
        text,
        "\nclient-id:{client}\nkeep-alive:{keep_alive}\nclean-session:{}",
        flags & 2 == 2
    );
    for (flag, field) in [(0x80, "username"), (0x40, "password")] {
        if flags & flag != 0 {
            let _ = write!(text, "\n{field}:{}", rest.text()?);
        }
    }
    Ok(())
}
