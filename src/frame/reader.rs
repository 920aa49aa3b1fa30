//! From bytes to messages and control frames, however the bytes were cut (RFC 6455 sections 5.4 to 5.6).

use super::Frame;
use super::header::{Broken, Header, Opcode};
use super::room::{Place, Room};

/// Something that was found, and where it lies in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    opcode: Opcode,
    place: Place,
}

impl Found {
    /// What it is, lent out of the room in which it was found.
    pub fn lend<'room>(&self, room: &'room Room) -> Frame<'room> {
        let payload = room.at(&self.place);
        match self.opcode {
            Opcode::Text => Frame::Text(payload),
            Opcode::Binary | Opcode::Continuation => Frame::Binary(payload),
            Opcode::Ping => Frame::Ping(payload),
            Opcode::Pong => Frame::Pong(payload),
            Opcode::Close => {
                let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                let reason = payload
                    .get(2..)
                    .and_then(|reason| str::from_utf8(reason).ok());
                Frame::Close {
                    code,
                    reason: reason.unwrap_or_default(),
                }
            }
        }
    }
}

/// Follows the frames of one connection.
#[derive(Debug)]
pub struct Reader {
    max_message: usize,
    /// Bytes of the data frame under way that are still to come.
    left: u64,
    /// That frame is the last of its message.
    is_last: bool,
    /// The message under way: text or binary.
    message: Option<Opcode>,
    /// What is there of it, and how much of that is known to be UTF-8.
    parts: Vec<u8>,
    checked: usize,
    is_closed: bool,
    after_close: u32,
}

impl Reader {
    /// Takes messages of up to so many bytes.
    pub fn new(max_message: usize) -> Self {
        Self {
            max_message,
            left: 0,
            is_last: false,
            message: None,
            parts: Vec::new(),
            checked: 0,
            is_closed: false,
            after_close: 0,
        }
    }

    /// Frames that came after a Close frame, which none may (section 5.5.1). They are not looked at more closely.
    pub fn after_close(&self) -> u32 {
        self.after_close
    }

    /// Takes the next thing out of the room; `None` until more is read.
    ///
    /// # Errors
    /// The rule that the server broke. Nothing that follows can be trusted.
    #[inline]
    pub fn next(&mut self, room: &mut Room) -> Result<Option<Found>, Broken> {
        loop {
            if self.left > 0 {
                if !self.go_on(room) {
                    return Ok(None);
                }
                if let Some(found) = self.frame_is_there(room)? {
                    return Ok(Some(found));
                }
                continue;
            }
            if self.is_closed {
                if !self.skip(room) {
                    return Ok(None);
                }
                continue;
            }
            let Some(header) = Header::read(room.unread())? else {
                return Ok(None);
            };
            let is_whole = (room.unread().len() - header.length) as u64 >= header.payload;
            if header.opcode.is_control() {
                return if is_whole {
                    self.control(header, room).map(Some)
                } else {
                    Ok(None)
                };
            }
            self.check(&header)?;
            room.take(header.length);
            if is_whole && header.fin && self.message.is_none() {
                let place = Place::Bytes(room.take(header.payload as usize));
                return whole(header.opcode, place, room).map(Some);
            }
            self.message.get_or_insert(header.opcode);
            self.is_last = header.fin;
            self.left = header.payload;
            if self.left == 0
                && let Some(found) = self.frame_is_there(room)?
            {
                return Ok(Some(found));
            }
        }
    }

    /// Counts a frame after the Close. Says whether there was one.
    fn skip(&mut self, room: &mut Room) -> bool {
        match Header::read(room.unread()) {
            Ok(Some(header)) => {
                room.take(header.length);
                self.left = header.payload;
            }
            Ok(None) => return false,
            // Where an unlawful frame ends nobody knows: it is the last that is counted.
            Err(_) => {
                room.take(room.unread().len());
                self.left = u64::MAX;
            }
        }
        self.after_close = self.after_close.saturating_add(1);
        true
    }

    /// Whether a data frame may come now (section 5.4), and is not too big.
    fn check(&self, header: &Header) -> Result<(), Broken> {
        match (header.opcode, self.message) {
            (Opcode::Continuation, None) => return Err(Broken::NothingToContinue),
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(Broken::Interleaved),
            _ => {}
        }
        let (bytes, max) = (self.parts.len() as u64, self.max_message);
        let bytes = bytes.saturating_add(header.payload);
        if bytes > max as u64 {
            return Err(Broken::TooBig { bytes, max });
        }
        Ok(())
    }

    /// Takes more of the frame under way. Says whether that was the rest.
    fn go_on(&mut self, room: &mut Room) -> bool {
        let there = room.unread().len();
        let part = usize::try_from(self.left).map_or(there, |left| left.min(there));
        if !self.is_closed {
            self.parts.extend_from_slice(&room.unread()[..part]);
        }
        room.take(part);
        self.left -= part as u64;
        self.left == 0
    }

    /// The frame under way is complete. Its message, where it was the last of one.
    fn frame_is_there(&mut self, room: &mut Room) -> Result<Option<Found>, Broken> {
        if self.is_closed {
            return Ok(None);
        }
        if self.message == Some(Opcode::Text) {
            self.check_text()?;
        }
        if !self.is_last {
            return Ok(None);
        }
        self.checked = 0;
        room.put(std::mem::take(&mut self.parts));
        Ok(self.message.take().map(|opcode| Found {
            opcode,
            place: Place::Message,
        }))
    }

    /// Whether what is there can become UTF-8: a character may be cut at the end of a frame, not at that of a message.
    fn check_text(&mut self) -> Result<(), Broken> {
        self.checked += match str::from_utf8(&self.parts[self.checked..]) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() && !self.is_last => error.valid_up_to(),
            Err(_) => return Err(Broken::BadUtf8),
        };
        Ok(())
    }

    fn control(&mut self, header: Header, room: &mut Room) -> Result<Found, Broken> {
        room.take(header.length);
        let place = Place::Bytes(room.take(header.payload as usize));
        if header.opcode == Opcode::Close {
            let payload = room.at(&place);
            if payload.len() == 1 {
                return Err(Broken::HalfCloseCode);
            }
            if str::from_utf8(payload.get(2..).unwrap_or_default()).is_err() {
                return Err(Broken::BadReason);
            }
            self.is_closed = true;
            // What was under way will not be completed.
            self.parts = Vec::new();
        }
        Ok(Found {
            opcode: header.opcode,
            place,
        })
    }
}

/// A message in one piece. Text must be UTF-8 (section 8.1).
fn whole(opcode: Opcode, place: Place, room: &Room) -> Result<Found, Broken> {
    let payload = room.at(&place);
    // Most text is ASCII, which is seen much quicker.
    if opcode == Opcode::Text && !payload.is_ascii() && str::from_utf8(payload).is_err() {
        return Err(Broken::BadUtf8);
    }
    Ok(Found { opcode, place })
}
