//! Moves through the text of a JSON document, value by value, without a stack and without a look back.
//!
//! A place in a text is the rest of it from there on. All functions return `None` where the text ends too early, or is
//! no JSON.

use memchr::memchr2;

use super::pointer::Step;
use super::text::Text;

// What a byte can mean outside of strings, each a bit.
const QUOTE: u8 = 1;
const OPENS: u8 = 2;
const CLOSES: u8 = 4;
const BLANK: u8 = 8;
const SEPARATES: u8 = 16;
const PLAIN: u8 = 0;

static MEANING: [u8; 256] = {
    let mut meaning = [0; 256];
    meaning[b'"' as usize] = QUOTE;
    meaning[b'{' as usize] = OPENS;
    meaning[b'[' as usize] = OPENS;
    meaning[b'}' as usize] = CLOSES;
    meaning[b']' as usize] = CLOSES;
    meaning[b' ' as usize] = BLANK;
    meaning[b'\t' as usize] = BLANK;
    meaning[b'\n' as usize] = BLANK;
    meaning[b'\r' as usize] = BLANK;
    meaning[b',' as usize] = SEPARATES;
    meaning[b':' as usize] = SEPARATES;
    meaning
};

#[inline]
fn means(byte: u8, meaning: u8) -> bool {
    MEANING[usize::from(byte)] & meaning != 0
}

/// Returns the text from its first object or array on.
#[inline]
pub(super) fn document(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'{' | b'[', ..] => Some(text),
        _ => text.get(memchr2(b'{', b'[', text)?..),
    }
}

/// Moves from a container to the value inside of it that the step names.
#[inline]
pub(super) fn enter<'a>(text: &'a [u8], step: &Step) -> Option<&'a [u8]> {
    match take(text)? {
        (b'{', members) => member(members, step),
        (b'[', elements) => element(elements, step.index?),
        _ => None,
    }
}

#[inline]
fn member<'a>(mut text: &'a [u8], step: &Step) -> Option<&'a [u8]> {
    loop {
        text = expect(text, b'"')?;
        let quoted = step.quoted.as_deref();
        if let Some(rest) = quoted.and_then(|quoted| without(text, quoted)) {
            return expect(rest, b':');
        }
        let (has_escape, rest) = skip_string(text)?;
        let is_it = has_escape && is_spelled(text, rest, &step.key);
        text = expect(rest, b':')?;
        if is_it {
            return Some(text);
        }
        text = expect(skip(text)?, b',')?;
    }
}

/// Tells whether the key that stands before the rest of this text, with escapes, is this one.
#[cold]
fn is_spelled(text: &[u8], rest: &[u8], key: &[u8]) -> bool {
    Text::new(&text[..text.len() - rest.len() - 1]).is(key)
}

/// Moves behind these bytes, if the text begins with them. Compares byte by byte, because a call costs more than
/// a short key does.
#[inline]
fn without<'a>(mut text: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    for byte in start {
        text = text.split_first().filter(|(first, _)| *first == byte)?.1;
    }
    Some(text)
}

fn element(mut text: &[u8], index: usize) -> Option<&[u8]> {
    for _ in 0..index {
        text = expect(skip(text)?, b',')?;
    }
    Some(text)
}

/// Returns the value that stands here, without what follows.
#[inline]
pub(super) fn value(text: &[u8]) -> Option<&[u8]> {
    let text = without_blanks(text);
    text.get(..text.len() - skip(text)?.len())
}

/// Moves behind the value that stands here.
#[inline]
fn skip(text: &[u8]) -> Option<&[u8]> {
    let (first, rest) = take(text)?;
    match MEANING[usize::from(first)] {
        QUOTE => Some(skip_string(rest)?.1),
        OPENS => skip_container(rest),
        PLAIN => skip_word(rest),
        _ => None,
    }
}

/// Moves from behind an opening bracket to behind the one that closes it. Counts how deep it is, and does not ask
/// whether brackets of the two kinds match.
#[inline(never)]
fn skip_container(mut text: &[u8]) -> Option<&[u8]> {
    let mut depth = 1_usize;
    loop {
        let (byte, rest) = text.split_first()?;
        text = rest;
        if !means(*byte, QUOTE | OPENS | CLOSES) {
            continue;
        }
        if means(*byte, QUOTE) {
            text = skip_string(text)?.1;
        } else if means(*byte, OPENS) {
            depth += 1;
        } else {
            depth -= 1;
            if depth == 0 {
                return Some(text);
            }
        }
    }
}

/// Moves from inside of a number, `true`, `false` or `null` to behind it. Another byte has to follow, because a
/// number that ends with the text may have been cut.
#[inline]
fn skip_word(mut text: &[u8]) -> Option<&[u8]> {
    while !means(*text.first()?, CLOSES | BLANK | SEPARATES) {
        text = &text[1..];
    }
    Some(text)
}

/// Moves from behind the quotation mark that opens a string to behind the one that closes it, and tells whether there
/// are escapes between them.
#[inline]
fn skip_string(text: &[u8]) -> Option<(bool, &[u8])> {
    match quote_or_backslash(text)? {
        (b'"', rest) => Some((false, rest)),
        (_, rest) => Some((true, skip_escaped(rest)?)),
    }
}

/// Moves from behind the first backslash of a string to behind its end.
#[cold]
fn skip_escaped(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        let (byte, rest) = quote_or_backslash(text.get(1..)?)?;
        if byte == b'"' {
            return Some(rest);
        }
        text = rest;
    }
}

/// Returns the first byte that is one of these, and what follows it. Looks at eight bytes at once.
#[inline]
fn quote_or_backslash(mut text: &[u8]) -> Option<(u8, &[u8])> {
    while let Some((eight, rest)) = text.split_first_chunk() {
        let eight = u64::from_le_bytes(*eight);
        let found = first(eight, b'"') | first(eight, b'\\');
        if found != 0 {
            let at = found.trailing_zeros() & !7;
            return Some(((eight >> at) as u8, &text[at as usize / 8 + 1..]));
        }
        text = rest;
    }
    loop {
        let (byte, rest) = text.split_first()?;
        if matches!(byte, b'"' | b'\\') {
            return Some((*byte, rest));
        }
        text = rest;
    }
}

/// Sets the highest bit of the first of eight bytes that is this one, and perhaps of bytes behind it.
#[inline]
fn first(eight: u64, byte: u8) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let zero = eight ^ (ONES * u64::from(byte));
    zero.wrapping_sub(ONES) & !zero & (ONES << 7)
}

/// Moves behind the next byte that is not blank, which has to be this one.
#[inline]
fn expect(text: &[u8], byte: u8) -> Option<&[u8]> {
    let (next, rest) = take(text)?;
    (next == byte).then_some(rest)
}

/// Returns the next byte that is not blank, and what follows it.
#[inline]
fn take(text: &[u8]) -> Option<(u8, &[u8])> {
    let (byte, rest) = without_blanks(text).split_first()?;
    Some((*byte, rest))
}

#[inline]
fn without_blanks(text: &[u8]) -> &[u8] {
    match text {
        [..=b' ', ..] => without_many_blanks(text),
        _ => text,
    }
}

#[inline(never)]
fn without_many_blanks(mut text: &[u8]) -> &[u8] {
    while let [byte, rest @ ..] = text
        && means(*byte, BLANK)
    {
        text = rest;
    }
    text
}
