//! A strict reader of the XML that pictures consist of: a picture that it refuses is a bug.

/// Walks through a document, and hands over each element with its attributes. Fails with the reason and the place.
pub(crate) fn walk(text: &str, mut seen: impl FnMut(&str, &[(&str, &str)])) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    let fail = |why: &str, rest: &str| {
        Err(format!(
            "{why} at byte {}: {:.60}",
            text.len() - rest.len(),
            rest
        ))
    };
    while let Some(start) = rest.find('<') {
        characters(&rest[..start])?;
        if open.is_empty() && rest.len() != text.len() {
            return fail("something behind the root", rest);
        }
        rest = &rest[start + 1..];
        let Some(end) = rest.find('>') else {
            return fail("an open tag", rest);
        };
        let tag = &rest[..end];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return fail("a wrong end tag", rest);
            }
        } else {
            let (tag, is_empty) = tag
                .strip_suffix('/')
                .map_or((tag, false), |tag| (tag, true));
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
                return fail("a strange element", rest);
            }
            seen(name, &attributes_of(attributes)?);
            if !is_empty {
                open.push(name);
            }
        }
        rest = &rest[end + 1..];
    }
    match (open.is_empty(), rest) {
        (true, "") => Ok(()),
        _ => fail("an element that is not closed", rest),
    }
}

fn attributes_of(mut text: &str) -> Result<Vec<(&str, &str)>, String> {
    let mut all: Vec<(&str, &str)> = Vec::new();
    while !text.is_empty() {
        let Some((name, rest)) = text.split_once("=\"") else {
            return Err(format!("an attribute without a value: {text}"));
        };
        let Some((value, rest)) = rest.split_once('"') else {
            return Err(format!("a value without an end: {text}"));
        };
        if !name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_uppercase() || byte == b'-')
        {
            return Err(format!("a strange attribute: {name}"));
        }
        if all.iter().any(|(other, _)| *other == name) {
            return Err(format!("{name} stands twice"));
        }
        characters(value)?;
        all.push((name, value));
        text = rest.strip_prefix(' ').unwrap_or(rest);
    }
    Ok(all)
}

/// Checks that text has only characters of XML 1.0, and only entities that it has.
fn characters(text: &str) -> Result<(), String> {
    let entities = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
    for (place, c) in text.char_indices() {
        let is_entity = || {
            entities
                .iter()
                .any(|entity| text[place..].starts_with(entity))
        };
        if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') || (c == '&' && !is_entity()) {
            return Err(format!("{c:?} in {text:.60}"));
        }
    }
    Ok(())
}

#[test]
fn the_reader_refuses_what_is_wrong() {
    let is_read = |text: &str| walk(text, |_, _| {}).is_ok();
    assert!(is_read("<a b=\"1\"><c/>x &amp; y</a>"));
    for wrong in [
        "<a>",
        "<a></b>",
        "<a b=1/>",
        "<a b=\"1\" b=\"2\"/>",
        "<a>&x</a>",
        "<a>\u{1b}</a>",
        "<a/><b/>",
        "<a/>x",
    ] {
        assert!(!is_read(wrong), "{wrong}");
    }
}
