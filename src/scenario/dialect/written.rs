//! Writes a document as TOML, in the order in which it was written.

use std::fmt::Write as _;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The lists that are written as `[[name]]`, at any depth; other lists are short.
const LISTS: [&str; 5] = ["cohort", "setup", "step", "message", "on"];

/// The table of tables that are written as `[data.name]`.
const TABLES: &str = "data";

/// The keys that come first where the text says no order.
const FIRST: [&str; 7] = [
    "name", "prefix", "match", "send", "await", "expect", "check",
];

/// Writes a document: first the plain keys, then its tables and lists.
pub(super) fn written(root: &DeTable<'_>) -> String {
    let mut out = String::new();
    keys(&mut out, root, "", |value| {
        !matches!(value, DeValue::Table(_))
    });
    for (key, value) in in_order(root) {
        match value.get_ref() {
            DeValue::Table(all) if key == TABLES => {
                for (key, value) in in_order(all) {
                    section(&mut out, &format!("{TABLES}.{}", as_key(key)), value);
                }
            }
            _ => section(&mut out, &as_key(key), value),
        }
        list(&mut out, key, value, "");
    }
    out
}

/// Writes a table under its name; nothing for other values.
fn section(out: &mut String, name: &str, value: &Spanned<DeValue<'_>>) {
    if let DeValue::Table(table) = value.get_ref() {
        let _ = write!(out, "\n[{name}]\n");
        keys(out, table, name, |_| true);
    }
}

/// The keys of a table in one line each; behind them its lists, if it is not the whole document.
fn keys(
    out: &mut String,
    table: &DeTable<'_>,
    path: &str,
    is_plain: impl Fn(&DeValue<'_>) -> bool,
) {
    let is_list = |key: &str, value: &DeValue<'_>| {
        LISTS.contains(&key) && matches!(value, DeValue::Array(items) if !items.is_empty())
    };
    for (key, value) in in_order(table) {
        if is_plain(value.get_ref()) && !is_list(key, value.get_ref()) {
            let _ = writeln!(out, "{} = {}", as_key(key), as_value(value.get_ref()));
        }
    }
    if !path.is_empty() {
        for (key, value) in in_order(table) {
            list(out, key, value, path);
        }
    }
}

/// Writes a list of tables, one after the other; nothing for other values.
fn list(out: &mut String, key: &str, value: &Spanned<DeValue<'_>>, path: &str) {
    let DeValue::Array(items) = value.get_ref() else {
        return;
    };
    if !LISTS.contains(&key) {
        return;
    }
    let dot = if path.is_empty() { "" } else { "." };
    let path = format!("{path}{dot}{}", as_key(key));
    for item in items.iter() {
        if let DeValue::Table(table) = item.get_ref() {
            let _ = write!(out, "\n[[{path}]]\n");
            keys(out, table, &path, |_| true);
        }
    }
}

/// The entries in the order of the text; those of one place, as a dialect brings them, as a reader expects them.
fn in_order<'t, 'i>(table: &'t DeTable<'i>) -> Vec<(&'t str, &'t Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    let rank = |key: &str| FIRST.iter().position(|first| *first == key);
    entries.sort_by_key(|(key, _)| {
        let rank = rank(key.get_ref()).unwrap_or(FIRST.len());
        (key.span().start, rank)
    });
    let plain = |(key, value): (&'t Spanned<_>, _)| (AsRef::<str>::as_ref(key.get_ref()), value);
    entries.into_iter().map(plain).collect()
}

fn as_key(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !key.is_empty() && key.chars().all(is_bare) {
        true => key.to_owned(),
        false => as_text(key),
    }
}

fn as_value(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => as_text(text),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(|one| as_value(one.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        DeValue::Table(table) => {
            let entries = in_order(table).into_iter();
            let entries = entries
                .map(|(key, value)| format!("{} = {}", as_key(key), as_value(value.get_ref())));
            let entries: Vec<String> = entries.collect();
            match entries.is_empty() {
                true => "{}".to_owned(),
                false => format!("{{ {} }}", entries.join(", ")),
            }
        }
    }
}

/// A text in single quotes where it has neither quotes nor backslashes to escape, else in double quotes.
fn as_text(text: &str) -> String {
    let needs_escape = text.contains(['\'']) || text.chars().any(char::is_control);
    if !needs_escape && text.contains(['"', '\\']) {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            '\t' => out += "\\t",
            '\r' => out += "\\r",
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out + "\""
}
