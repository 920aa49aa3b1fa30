//! Decodes bytes to messages and control frames, however the bytes are cut (RFC 6455 sections 5.4 to 5.6).

use super::Frame;
use super::deflate::Inflation;
use super::header::{Broken, Header, Opcode};
use super::room::{PayloadPlace, Room};

/// A message or control frame that was found, and its place in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFrame {
    opcode: Opcode,
    place: PayloadPlace,
}

impl FoundFrame {
    /// Returns the frame, borrowed from the room in which it was found.
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

/// Decodes the frames of one connection.
#[derive(Debug)]
pub struct Reader {
    max_message: usize,
    /// Number of bytes that are still to come of the current data frame.
    left: u64,
    /// Whether that frame is the last of its message.
    is_last: bool,
    /// The kind of the current message: text or binary.
    message: Option<Opcode>,
    /// Whether it is compressed.
    is_packed: bool,
    /// The bytes of the current message so far, and how many of them are checked as UTF-8.
    parts: Vec<u8>,
    checked: usize,
    is_closed: bool,
    after_close: u32,
}

impl Reader {
    /// Accepts messages of up to `max_message` bytes.
    pub fn new(max_message: usize) -> Self {
        Self {
            max_message,
            left: 0,
            is_last: false,
            message: None,
            is_packed: false,
            parts: Vec::new(),
            checked: 0,
            is_closed: false,
            after_close: 0,
        }
    }

    /// Returns the number of frames after a Close frame, where none is allowed (section 5.5.1). They are not checked
    /// further.
    pub fn after_close(&self) -> u32 {
        self.after_close
    }

    /// Returns whether a part of a message was taken out of the room, and the rest is awaited.
    #[inline]
    pub fn is_amid(&self) -> bool {
        self.left > 0 || self.message.is_some()
    }

    /// Takes the next message or control frame out of the room; `None` until more is read. With `inflation`, messages may
    /// be compressed.
    ///
    /// # Errors
    /// The rule that the server broke. Bytes after that cannot be decoded.
    #[inline]
    pub fn next(
        &mut self,
        room: &mut Room,
        inflation: Option<&mut Inflation>,
    ) -> Result<Option<FoundFrame>, Broken> {
        // Nearly all messages are one frame that is there at once. They need nothing of what the others do.
        if self.left == 0 && self.message.is_none() && !self.is_closed {
            let Some(header) = Header::read(room.unread(), inflation.is_some())? else {
                return Ok(None);
            };
            if self.is_whole_message(&header, room) {
                room.take(header.length);
                let place = PayloadPlace::Bytes(room.take(header.payload as usize));
                return whole(header.opcode, place, room).map(Some);
            }
        }
        self.next_in_parts(room, inflation)
    }

    /// Whether this header, which the room begins with, is that of a message in one frame that is there and may be taken.
    fn is_whole_message(&self, header: &Header, room: &Room) -> bool {
        let there = (room.unread().len() - header.length) as u64;
        header.fin
            && !header.is_packed
            && matches!(header.opcode, Opcode::Text | Opcode::Binary)
            && header.payload <= there
            && header.payload <= self.max_message as u64
    }

    /// Takes the next message or control frame out of the room, of any form.
    #[inline(never)]
    fn next_in_parts(
        &mut self,
        room: &mut Room,
        mut inflation: Option<&mut Inflation>,
    ) -> Result<Option<FoundFrame>, Broken> {
        loop {
            if self.left > 0 {
                if !self.go_on(room, inflation.as_deref_mut())? {
                    self.check_text()?;
                    return Ok(None);
                }
                if let Some(found) = self.frame_is_there(room, inflation.as_deref_mut())? {
                    return Ok(Some(found));
                }
                continue;
            }
            if self.is_closed {
                if !self.skip(room, inflation.is_some()) {
                    return Ok(None);
                }
                continue;
            }
            let Some(header) = Header::read(room.unread(), inflation.is_some())? else {
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
            if header.is_packed {
                self.begin_packed(is_whole && header.fin, room, inflation.as_deref_mut());
            }
            self.message.get_or_insert(header.opcode);
            self.is_last = header.fin;
            self.left = header.payload;
            if self.left == 0
                && let Some(found) = self.frame_is_there(room, inflation.as_deref_mut())?
            {
                return Ok(Some(found));
            }
        }
    }

    /// Counts a frame after the Close. Returns whether there was one.
    fn skip(&mut self, room: &mut Room, may_pack: bool) -> bool {
        match Header::read(room.unread(), may_pack) {
            Ok(Some(header)) => {
                room.take(header.length);
                self.left = header.payload;
            }
            Ok(None) => return false,
            // The end of an invalid frame is unknown, so it is the last one that is counted.
            Err(_) => {
                room.take(room.unread().len());
                self.left = u64::MAX;
            }
        }
        self.after_close = self.after_close.saturating_add(1);
        true
    }

    /// Checks that a data frame is allowed now (section 5.4) and is not too big.
    fn check(&self, header: &Header) -> Result<(), Broken> {
        match (header.opcode, self.message) {
            (Opcode::Continuation, None) => return Err(Broken::NothingToContinue),
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(Broken::Interleaved),
            _ => {}
        }
        if header.is_packed || self.is_packed {
            // What it says is shorter or longer; that is looked at as it comes.
            return Ok(());
        }
        let (bytes, max) = (self.parts.len() as u64, self.max_message);
        let bytes = bytes.saturating_add(header.payload);
        if bytes > max as u64 {
            return Err(Broken::TooBig { bytes, max });
        }
        Ok(())
    }

    /// Begins a compressed message. `is_there` says whether the room holds all of it.
    #[cold]
    fn begin_packed(&mut self, is_there: bool, room: &mut Room, inflation: Option<&mut Inflation>) {
        self.is_packed = true;
        if is_there {
            self.parts = room.spare();
        }
        if let Some(inflation) = inflation {
            inflation.begin(room);
        }
    }

    /// Takes more of the current frame. Returns whether it is complete.
    fn go_on(
        &mut self,
        room: &mut Room,
        inflation: Option<&mut Inflation>,
    ) -> Result<bool, Broken> {
        let there = room.unread().len();
        let part = usize::try_from(self.left).map_or(there, |left| left.min(there));
        if !self.is_closed {
            let bytes = &room.unread()[..part];
            match inflation.filter(|_| self.is_packed) {
                None => self.parts.extend_from_slice(bytes),
                Some(inflation) => inflation.add(bytes, &mut self.parts, self.max_message)?,
            }
        }
        room.take(part);
        self.left -= part as u64;
        Ok(self.left == 0)
    }

    /// Handles a complete frame. Returns the message, if the frame was its last.
    fn frame_is_there(
        &mut self,
        room: &mut Room,
        inflation: Option<&mut Inflation>,
    ) -> Result<Option<FoundFrame>, Broken> {
        if self.is_closed {
            return Ok(None);
        }
        if self.is_packed
            && self.is_last
            && let Some(inflation) = inflation
        {
            inflation.finish(&mut self.parts, self.max_message, room)?;
            self.is_packed = false;
        }
        self.check_text()?;
        if !self.is_last {
            return Ok(None);
        }
        self.checked = 0;
        room.put(std::mem::take(&mut self.parts));
        Ok(self.message.take().map(|opcode| FoundFrame {
            opcode,
            place: PayloadPlace::Message,
        }))
    }

    /// Checks that the text so far is valid UTF-8: a character may be cut where more is to come.
    fn check_text(&mut self) -> Result<(), Broken> {
        if self.message != Some(Opcode::Text) || self.is_closed {
            return Ok(());
        }
        let is_whole = self.is_last && self.left == 0;
        self.checked += match str::from_utf8(&self.parts[self.checked..]) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() && !is_whole => error.valid_up_to(),
            Err(_) => return Err(Broken::BadUtf8),
        };
        Ok(())
    }

    fn control(&mut self, header: Header, room: &mut Room) -> Result<FoundFrame, Broken> {
        room.take(header.length);
        let place = PayloadPlace::Bytes(room.take(header.payload as usize));
        if header.opcode == Opcode::Close {
            let payload = room.at(&place);
            if payload.len() == 1 {
                return Err(Broken::HalfCloseCode);
            }
            if str::from_utf8(payload.get(2..).unwrap_or_default()).is_err() {
                return Err(Broken::BadReason);
            }
            self.is_closed = true;
            // The current message will not be completed.
            self.parts = Vec::new();
        }
        Ok(FoundFrame {
            opcode: header.opcode,
            place,
        })
    }
}

/// Returns a message that came in one piece. Text must be UTF-8 (section 8.1).
#[inline]
fn whole(opcode: Opcode, place: PayloadPlace, room: &Room) -> Result<FoundFrame, Broken> {
    let payload = room.at(&place);
    // Most text is ASCII, which is much faster to check.
    if opcode == Opcode::Text && !payload.is_ascii() && str::from_utf8(payload).is_err() {
        return Err(Broken::BadUtf8);
    }
    Ok(FoundFrame { opcode, place })
}
