//! What the placeholders of one message stand for: a function of the plan and of the message's sequence number, except
//! for the wall clock. So a message can be written again, to compare an echo with it.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::spread::{Seed, mix};
use crate::frame::Packer;
use crate::scenario::is_unreserved;
use crate::scenario::{Column, Data, Form, Number, Per, Pick, Segment, Variable, WallTime};

/// The bytes that `{{text(…)}}` and payloads of a size repeat. They are printable and differ from each other, so that a
/// server that mixes bytes up is noticed.
pub(super) const FILLER: &[u8] =
    b"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.-";

/// What the placeholders of one message stand for.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// The name of the cohort.
    pub cohort: &'a str,
    /// The number in the stamps of the run.
    pub run: u32,
    /// The number of the connection in the run.
    pub connection: u32,
    /// The number of the connection in its cohort.
    pub place: u32,
    /// The sequence number of the message, from 0 for each connection and message.
    pub n: u64,
    /// A number that no other message of the connection has, from 1.
    pub id: u64,
    /// The turn of the innermost repeat, from 0.
    pub turn: u64,
    /// What was kept of messages, by the index of its name. Empty: nothing yet.
    pub saved: &'a [Vec<u8>],
    /// The last ids of messages and steps, by their slot; see [`crate::scenario::Cohort::each_step`].
    pub ids: &'a [u64],
    /// The number of connections of the cohort.
    pub connections: u32,
    /// Where random numbers come from.
    pub seed: Seed,
    /// The slot of the message: two draw different numbers.
    pub slot: usize,
    /// The tables that columns belong to.
    pub data: &'a [Data],
}

/// Takes the bytes of a message in their order.
pub(super) trait Bytes {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);

    /// Takes the next bytes, which are the same in each message: the part of its template at this index.
    fn fixed(&mut self, _index: usize, bytes: &[u8]) {
        self.put(bytes);
    }

    /// Takes the wall clock, in this form.
    fn now(&mut self, form: WallTime);

    /// Returns whether more bytes could change anything.
    fn is_open(&self) -> bool {
        true
    }
}

/// Writes the bytes.
impl Bytes for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn now(&mut self, form: WallTime) {
        self.extend_from_slice(wall_clock(form).as_bytes());
    }
}

/// Writes them compressed.
impl Bytes for Packer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.stored(bytes);
    }

    fn fixed(&mut self, index: usize, bytes: &[u8]) {
        self.piece(index, bytes);
    }

    fn now(&mut self, form: WallTime) {
        self.stored(wall_clock(form).as_bytes());
    }
}

/// The wall clock in this form.
fn wall_clock(form: WallTime) -> String {
    let now = SystemTime::now();
    let since = now.duration_since(SystemTime::UNIX_EPOCH);
    written(form, since.unwrap_or_default())
}

/// Compares the bytes with others, except for the wall clock, which nobody knows again.
pub(super) struct Comparison<'a> {
    rest: &'a [u8],
    is_same: bool,
}

impl<'a> Comparison<'a> {
    pub(super) fn with(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            is_same: true,
        }
    }

    /// Returns whether all bytes were the same, and there were no others.
    pub(super) fn is_same(&self) -> bool {
        self.is_same && self.rest.is_empty()
    }

    /// Returns whether all bytes were the same, whatever follows them.
    pub(super) fn is_beginning(&self) -> bool {
        self.is_same
    }

    /// Notes a difference.
    pub(super) fn fail(&mut self) {
        self.is_same = false;
    }
}

impl Bytes for Comparison<'_> {
    fn put(&mut self, bytes: &[u8]) {
        match self.rest.strip_prefix(bytes) {
            Some(rest) => self.rest = rest,
            None => self.is_same = false,
        }
    }

    fn now(&mut self, form: WallTime) {
        match self.rest.split_at_checked(form.length()) {
            Some((_, rest)) => self.rest = rest,
            None => self.is_same = false,
        }
    }

    fn is_open(&self) -> bool {
        self.is_same
    }
}

impl Values<'_> {
    /// Returns whether a variable stands for something: what is kept of messages comes later.
    pub(super) fn knows(&self, variable: Variable) -> bool {
        match variable {
            Variable::Saved { name, .. } => {
                let value = self.saved.get(usize::from(name));
                value.is_some_and(|value| !value.is_empty())
            }
            Variable::IdOf(slot) => self.ids.get(usize::from(slot)).is_some_and(|id| *id > 0),
            _ => true,
        }
    }

    /// Writes what a variable stands for; `index` is its place in the template, so that two draw different numbers.
    #[inline(always)]
    pub(super) fn put(&self, variable: &Variable, index: usize, out: &mut impl Bytes) {
        match variable {
            Variable::Number(number, change) => {
                let number = match number {
                    Number::Connection => self.connection.into(),
                    Number::Place => self.place.into(),
                    Number::N => self.n,
                    Number::Id => self.id,
                    Number::Turn => self.turn,
                };
                decimal(change.map_or(number, |change| change.of(number)), out);
            }
            Variable::Column(column) => self.cell(column, out),
            Variable::Saved { name, form } => {
                let value = self.saved.get(usize::from(*name)).map(Vec::as_slice);
                formed(value.unwrap_or_default(), *form, out);
            }
            other => self.put_other(*other, index, out),
        }
    }

    /// The same of what fewer messages hold.
    #[inline(never)]
    fn put_other(&self, variable: Variable, index: usize, out: &mut impl Bytes) {
        match variable {
            Variable::Number(..) | Variable::Column(_) | Variable::Saved { .. } => {}
            Variable::Cohort => out.put(self.cohort.as_bytes()),
            Variable::Run => hexadecimal(u64::from(self.run) << 32, 8, out),
            Variable::Random(low, high) => {
                // Multiplies and takes the upper half (Lemire, "Fast Random Integer Generation in an Interval", 2019),
                // without his second draw: the bias is below 2^-32 for intervals below 2^32.
                let span = u128::from(high - low) + 1;
                let part = (u128::from(self.draw(index, 0)) * span) >> 64;
                decimal(low + part as u64, out);
            }
            Variable::Hex(length) => {
                let mut left = length as usize;
                let mut turn = 0;
                while left > 0 {
                    let now = left.min(16);
                    hexadecimal(self.draw(index, turn), now, out);
                    (left, turn) = (left - now, turn + 1);
                }
            }
            Variable::Text(length) => {
                let mut left = length as usize;
                while left > 0 {
                    let now = left.min(FILLER.len());
                    out.put(&FILLER[..now]);
                    left -= now;
                }
            }
            Variable::Uuid => self.uuid(index, out),
            Variable::Now(form) => out.now(form),
            Variable::IdOf(slot) => {
                let id = self.ids.get(usize::from(slot)).copied();
                decimal(id.unwrap_or_default(), out);
            }
        }
    }

    /// Writes segments, none of which is a stamp; `first` is the place in the template of the first.
    pub(super) fn put_all(&self, segments: &[Segment], first: usize, out: &mut impl Bytes) {
        for (index, segment) in (first..).zip(segments) {
            match segment {
                Segment::Literal(bytes) => out.put(bytes),
                Segment::Variable(variable) => self.put(variable, index, out),
                Segment::Base64(parts, form) => self.base64(parts, *form, index, out),
                Segment::Stamp => {}
            }
        }
    }

    /// Writes literals and variables in base64; `index` as in [`Self::put`].
    #[cold]
    pub(super) fn base64(&self, parts: &[Segment], form: Form, index: usize, out: &mut impl Bytes) {
        let mut plain = Vec::new();
        self.put_all(parts, (index + 1) << 16, &mut plain);
        formed(BASE64.encode(plain).as_bytes(), form, out);
    }

    fn cell(&self, column: &Column, out: &mut impl Bytes) {
        let Column {
            data: table,
            column,
            form,
            ..
        } = *column;
        let data = &self.data[table as usize];
        let cell = data.cell(self.row(data, table), column as usize);
        formed(cell.as_bytes(), form, out);
    }

    /// Returns which row a message takes: a function of numbers of the plan alone, so that any split of the connections
    /// over workers gives the same rows.
    fn row(&self, data: &Data, table: u8) -> u64 {
        let place = u64::from(self.place);
        let turn = match data.per {
            Per::Connection => 0,
            Per::Send => self.n,
        };
        match data.pick {
            Pick::Unique => place,
            Pick::Circular if turn == 0 => place % data.rows(),
            Pick::Circular => {
                let before = u128::from(turn) * u128::from(self.connections);
                ((u128::from(place) + before) % u128::from(data.rows())) as u64
            }
            Pick::Random => {
                let own = self.seed.of_rows(self.connection);
                let random = mix(mix(own ^ u64::from(table)) ^ turn);
                ((u128::from(random) * u128::from(data.rows())) >> 64) as u64
            }
        }
    }

    fn draw(&self, index: usize, turn: u64) -> u64 {
        let place = (index as u64) << 32 | turn;
        let own = self.seed.of_message(self.connection, self.slot);
        mix(mix(own ^ mix(self.n)) ^ place)
    }

    /// RFC 9562 section 5.4: the version stands in the 13th digit, the variant in the 17th.
    fn uuid(&self, index: usize, out: &mut impl Bytes) {
        let high = self.draw(index, 0) & !0xF000 | 0x4000;
        let low = self.draw(index, 1) >> 2 | 1 << 63;
        for (word, from, digits) in [
            (high, 0, 8),
            (high, 8, 4),
            (high, 12, 4),
            (low, 0, 4),
            (low, 4, 12),
        ] {
            if (from, digits) != (0, 8) {
                out.put(b"-");
            }
            hexadecimal(word << (4 * from), digits, out);
        }
    }
}

/// Writes a value in its form.
#[inline]
fn formed(value: &[u8], form: Form, out: &mut impl Bytes) {
    match form {
        Form::Raw => out.put(value),
        Form::Json => in_json(value, out),
        Form::JsonInJson | Form::Url | Form::Header => formed_otherwise(value, form, out),
    }
}

/// The same of what fewer values are written in.
#[inline(never)]
fn formed_otherwise(value: &[u8], form: Form, out: &mut impl Bytes) {
    match form {
        Form::Raw | Form::Json => {}
        Form::JsonInJson => {
            let mut once = Vec::new();
            in_json(value, &mut once);
            in_json(&once, out);
        }
        Form::Url => in_url(value, out),
        Form::Header => {
            let parts = value.split(u8::is_ascii_control);
            parts.for_each(|part| out.put(part));
        }
    }
}

/// Writes a part of an address, percent-encoded (RFC 3986 section 2.1).
fn in_url(mut rest: &[u8], out: &mut impl Bytes) {
    while let Some(at) = rest.iter().position(|byte| !is_unreserved(*byte)) {
        out.put(&rest[..at]);
        let digits = |digit: u8| b"0123456789ABCDEF"[usize::from(digit)];
        out.put(&[b'%', digits(rest[at] >> 4), digits(rest[at] & 0xF)]);
        rest = &rest[at + 1..];
    }
    out.put(rest);
}

/// The bytes that must be escaped in a JSON string.
const ESCAPED: [bool; 256] = {
    let mut escaped = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        escaped[byte] = true;
        byte += 1;
    }
    escaped[b'"' as usize] = true;
    escaped[b'\\' as usize] = true;
    escaped
};

/// Writes the inside of a JSON string (RFC 8259 section 7).
#[inline]
fn in_json(value: &[u8], out: &mut impl Bytes) {
    // Looks at all bytes, because asking after each whether to stop costs more.
    let is_escaped = |any, byte: &u8| any | ESCAPED[usize::from(*byte)];
    match value.iter().fold(false, is_escaped) {
        false => out.put(value),
        true => escaped_in_json(value, out),
    }
}

#[cold]
fn escaped_in_json(mut rest: &[u8], out: &mut impl Bytes) {
    while let Some(at) = (rest.iter()).position(|byte| ESCAPED[usize::from(*byte)]) {
        out.put(&rest[..at]);
        match rest[at] {
            byte @ (b'"' | b'\\') => out.put(&[b'\\', byte]),
            byte => {
                out.put(b"\\u");
                hexadecimal(u64::from(byte) << 48, 4, out);
            }
        }
        rest = &rest[at + 1..];
    }
    out.put(rest);
}

/// The numbers below 100 in two digits each.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < pairs.len() {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// Writes a number without leading zeros.
pub(super) fn decimal(mut number: u64, out: &mut impl Bytes) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    while number >= 10 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[(number % 100) as usize]);
        number /= 100;
    }
    if number > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b'0' + number as u8;
    }
    out.put(&digits[at..]);
}

/// Writes the first `count` hexadecimal digits of a word, at most 16.
fn hexadecimal(word: u64, count: usize, out: &mut impl Bytes) {
    let mut digits = [0; 16];
    for (place, digit) in digits.iter_mut().enumerate() {
        let nibble = word >> (60 - 4 * place) & 0xF;
        *digit = b"0123456789abcdef"[nibble as usize];
    }
    out.put(&digits[..count]);
}

/// The time since 1970 in this form.
fn written(form: WallTime, since: Duration) -> String {
    match form {
        WallTime::Millis => format!("{:013}", since.as_millis()),
        WallTime::Nanos => format!("{:019}", since.as_nanos()),
        WallTime::Iso => {
            humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + since).to_string()
        }
    }
}

impl Seed {
    /// Above the numbers of the streams that messages use for their gaps.
    const VALUES: u32 = 1 << 16;

    /// The random numbers of the values of one connection and message.
    pub(super) fn of_message(self, connection: u32, message: usize) -> u64 {
        self.stream(connection, Self::VALUES + 1 + message as u32)
    }

    /// The random numbers of the rows that one connection takes.
    pub(super) fn of_rows(self, connection: u32) -> u64 {
        self.stream(connection, Self::VALUES)
    }
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
