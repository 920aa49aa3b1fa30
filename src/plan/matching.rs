//! Whether a received message is like a match, whose answer it is, and what is kept of it. Allocates nothing, except for
//! the words of [`Match::wrong`], the groups of a regular expression, and JSON strings with escapes.

use super::values::{Comparison, Values, decimal};
use crate::http::Answer;
use crate::scenario::{Condition, Kept, MAX_SAVED, Match, Segment};

impl Match {
    /// Returns the id that stands in a message where the match has `{{id}}`, whatever else holds.
    pub fn id(&self, message: &[u8]) -> Option<u64> {
        self.conditions.iter().find_map(|one| one.id(message))
    }

    /// Returns whether a message is like this. What is compared with a value that is not known yet does not hold.
    pub fn holds(&self, message: &[u8], values: &Values<'_>) -> bool {
        self.conditions.iter().all(|one| one.holds(message, values))
    }

    /// Returns whether a message is like this in which `found` has found the id of these values: does not look for the
    /// same number in the same place again.
    pub fn holds_too(&self, found: &Self, message: &[u8], values: &Values<'_>) -> bool {
        match (&self.conditions[..], &found.conditions[..]) {
            ([Condition::Says(at, own)], [Condition::Says(there, id)])
                if matches!((&own[..], &id[..]), ([own], [id]) if own.is_id() && id.is_id())
                    && at.as_str() == there.as_str() =>
            {
                true
            }
            _ => self.holds(message, values),
        }
    }

    /// Returns the first condition that does not hold, in words that follow the name of a step: `/status` is not "ok".
    pub fn wrong(&self, message: &[u8], values: &Values<'_>) -> Option<String> {
        let mut conditions = self.conditions.iter();
        let wrong = conditions.find(|one| !one.holds(message, values))?;
        Some(wrong.in_words(message))
    }

    /// The same of an answer of HTTP with this body, whatever the body of `head` is.
    pub fn wrong_of(&self, head: &Answer, body: &[u8], values: &Values<'_>) -> Option<String> {
        let mut conditions = self.conditions.iter();
        let wrong = conditions.find(|one| !one.holds_of(head, body, values))?;
        Some(match wrong {
            Condition::Status(_) => format!("its status is {}", head.status),
            Condition::Header(name, _) if head.header(name).is_none() => {
                format!("it has no header `{name}`")
            }
            Condition::Header(name, segments) => {
                format!("its header `{name}` is not {}", shown(segments))
            }
            other => other.in_words(body),
        })
    }
}

impl Condition {
    fn id(&self, message: &[u8]) -> Option<u64> {
        let segments = self.segments();
        let at = segments.iter().position(Segment::is_id)?;
        let (before, after) = (literal(&segments[..at]), literal(&segments[at + 1..]));
        match self {
            Self::Says(pointer, _) if before.is_empty() && after.is_empty() => {
                pointer.find(message)?.as_u64()
            }
            Self::Says(pointer, _) => {
                let text = pointer.find(message)?.text();
                let (id, rest) = number_after(before, &text)?;
                (rest == after).then_some(id)
            }
            Self::Prefix(_) => {
                let (id, rest) = number_after(before, message)?;
                rest.starts_with(after).then_some(id)
            }
            _ => {
                let (id, rest) = number_after(before, message)?;
                (rest == after).then_some(id)
            }
        }
    }

    fn holds(&self, message: &[u8], values: &Values<'_>) -> bool {
        match self {
            Self::Whole(segments) => compared(segments, message, values).is_same(),
            Self::Prefix(segments) => compared(segments, message, values).is_beginning(),
            Self::Bytes(at, bytes) => {
                let found = message.get(*at as usize..);
                found.is_some_and(|found| found.starts_with(bytes))
            }
            Self::Regex(regex) => regex.0.is_match(message),
            Self::Value(pointer, literal) => {
                let found = pointer.find(message);
                found.is_some_and(|found| found.is(literal))
            }
            Self::Says(pointer, segments) => match (pointer.find(message), &segments[..]) {
                (None, _) => false,
                // A number by its value, as it is found by `id`.
                (Some(found), [only]) if only.is_id() => found.as_u64() == Some(values.id),
                (Some(found), _) => compared(segments, &found.text(), values).is_same(),
            },
            Self::Has(pointer) => pointer.find(message).is_some(),
            Self::Lacks(pointer) => pointer.is_absent(message),
            Self::Known(variable) => values.knows(*variable),
            // Only an answer of HTTP has them.
            Self::Status(_) | Self::Header(..) => false,
        }
    }

    /// Whether it holds of an answer of HTTP.
    fn holds_of(&self, head: &Answer, body: &[u8], values: &Values<'_>) -> bool {
        match self {
            Self::Status(ranges) => {
                let mut ranges = ranges.iter();
                ranges.any(|(low, high)| (*low..=*high).contains(&head.status))
            }
            Self::Header(name, segments) => {
                let mut all = head.headers(name);
                all.any(|value| compared(segments, value, values).is_same())
            }
            other => other.holds(body, values),
        }
    }

    fn in_words(&self, message: &[u8]) -> String {
        match self {
            Self::Whole(segments) => format!("it is not {}", shown(segments)),
            Self::Prefix(segments) => format!("it does not begin with {}", shown(segments)),
            Self::Bytes(at, bytes) => {
                format!("it has other bytes at {at} than {}", hexadecimal(bytes))
            }
            Self::Regex(regex) => format!("it does not match '{}'", cut(regex.0.as_str())),
            Self::Lacks(pointer) => format!("it has `{pointer}`"),
            Self::Known(_) => "something that it needs is not known yet".to_owned(),
            Self::Status(_) | Self::Header(..) => "it is no answer of HTTP".to_owned(),
            Self::Value(pointer, _) | Self::Says(pointer, _) | Self::Has(pointer)
                if pointer.find(message).is_none() =>
            {
                format!("it has no `{pointer}`")
            }
            Self::Value(pointer, literal) => {
                format!("`{pointer}` is not {}", cut(&literal.to_string()))
            }
            Self::Says(pointer, segments) => format!("`{pointer}` is not {}", shown(segments)),
            Self::Has(pointer) => format!("it has no `{pointer}`"),
        }
    }
}

/// Compares a message with segments.
fn compared<'a>(segments: &[Segment], message: &'a [u8], values: &Values<'_>) -> Comparison<'a> {
    let mut comparison = Comparison::with(message);
    if segments.iter().all(|segment| is_known(segment, values)) {
        values.put_all(segments, 0, &mut comparison);
    } else {
        comparison.fail();
    }
    comparison
}

/// Whether it is known what to compare with.
fn is_known(segment: &Segment, values: &Values<'_>) -> bool {
    match segment {
        Segment::Literal(_) => true,
        // Nobody compares with one: `expect = "stamp"` finds it.
        Segment::Stamp => false,
        Segment::Variable(variable) => values.knows(*variable),
        Segment::Base64(parts, _) => parts.iter().all(|part| is_known(part, values)),
    }
}

/// The literal beside an id.
fn literal(segments: &[Segment]) -> &[u8] {
    match segments {
        [Segment::Literal(bytes)] => bytes,
        _ => &[],
    }
}

/// The number behind these bytes, as digits without a leading zero, and what follows it.
fn number_after<'a>(before: &[u8], message: &'a [u8]) -> Option<(u64, &'a [u8])> {
    let digits = message.strip_prefix(before)?;
    let is_other = |byte: &u8| !byte.is_ascii_digit();
    let end = digits.iter().position(is_other).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if digits.is_empty() || (digits.len() > 1 && digits[0] == b'0') {
        return None;
    }
    let add =
        |number: u64, digit: &u8| number.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    Some((digits.iter().try_fold(0, add)?, rest))
}

/// Segments in quotation marks, without the values, which may be secret.
fn shown(segments: &[Segment]) -> String {
    let mut text = String::new();
    for segment in segments {
        match segment {
            Segment::Literal(bytes) => match std::str::from_utf8(bytes) {
                Ok(literal) => text.push_str(literal),
                Err(_) => return cut(&hexadecimal(bytes)),
            },
            Segment::Stamp | Segment::Variable(_) | Segment::Base64(..) => text.push_str("{{…}}"),
        }
    }
    cut(&format!("{text:?}"))
}

/// The beginning of a long text.
fn cut(text: &str) -> String {
    /// The most characters that are shown.
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    cut(&digits.join(" "))
}

impl Kept {
    /// Replaces `out` by this part of a message; returns whether there is one of at most [`MAX_SAVED`] bytes.
    pub fn find(&self, message: &[u8], out: &mut Vec<u8>) -> bool {
        let found = self.part(message, out);
        if !found {
            out.clear();
        }
        found
    }

    /// The same of an answer of HTTP with this body, whatever the body of `head` is.
    pub fn find_of(&self, head: &Answer, body: &[u8], out: &mut Vec<u8>) -> bool {
        match self {
            Self::Header(name) => {
                out.clear();
                put(head.header(name), out)
            }
            other => other.find(body, out),
        }
    }

    fn part(&self, message: &[u8], out: &mut Vec<u8>) -> bool {
        out.clear();
        match self {
            Self::Whole => put(Some(message), out),
            Self::Value(pointer) => {
                let text = pointer.find(message).map(|found| found.text());
                put(text.as_deref(), out)
            }
            Self::Regex(regex) => {
                let captures = regex.0.captures(message);
                let first = captures.as_ref().and_then(|all| all.get(1));
                put(first.map(|group| group.as_bytes()), out)
            }
            // Only an answer of HTTP has them.
            Self::Header(_) => false,
            Self::Number { at, form } => match message
                .get(*at as usize..)
                .and_then(|bytes| form.read(bytes))
            {
                Some(number) => {
                    decimal(number, out);
                    true
                }
                None => false,
            },
        }
    }
}

fn put(found: Option<&[u8]>, out: &mut Vec<u8>) -> bool {
    match found {
        // An empty value could not be told from one that is not known yet.
        Some(found) if (1..=MAX_SAVED).contains(&found.len()) => {
            out.extend_from_slice(found);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
#[path = "matching_tests.rs"]
mod tests;
