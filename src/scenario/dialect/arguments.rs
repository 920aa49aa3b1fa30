//! Puts arguments into the texts of a dialect, each written as its place wants it.

use std::borrow::Cow;

use toml::de::DeValue;

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// The arguments of a verb or of a matcher, or the options of a dialect: names and texts.
#[derive(Debug, Default)]
pub(super) struct Arguments(pub(super) Vec<(String, String)>);

/// How an argument is written.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    /// As it is: the place where it stands decides how values of its placeholders are written.
    Raw,
    /// As the inside of a JSON string (RFC 8259 section 7). Values in quotes of its own are for a string in this string.
    Json,
    /// As it is, where the inside of a JSON string is compared. Values in quotes of its own are for a string in it.
    Compared,
}

impl Arguments {
    /// Puts the arguments into each text of a value. In a `json` they are written as the inside of a string, and beside a
    /// pointer as what is compared with one; elsewhere as they are. `{{raw(x)}}` and `{{json(x)}}` say it for one place.
    pub(super) fn fill(&self, value: &mut DeValue<'_>) {
        self.fill_in(value, Form::Raw);
    }

    fn fill_in(&self, value: &mut DeValue<'_>, form: Form) {
        match value {
            DeValue::String(text) => *text = Cow::Owned(self.put(text, form)),
            DeValue::Array(items) => {
                for item in items.iter_mut() {
                    self.fill_in(item.get_mut(), form);
                }
            }
            DeValue::Table(table) => {
                for (key, value) in table.iter_mut() {
                    let form = match key.get_ref().as_ref() {
                        "json" => Form::Json,
                        key if key.starts_with('/') => Form::Compared,
                        _ => form,
                    };
                    self.fill_in(value.get_mut(), form);
                }
            }
            _ => {}
        }
    }

    fn put(&self, text: &str, form: Form) -> String {
        let put = |_: &str, placeholder: &str| self.named(placeholder, form);
        replaced(text, str::to_owned, put)
    }

    /// The argument that a placeholder names; `None` if it is another placeholder.
    fn named(&self, placeholder: &str, form: Form) -> Option<String> {
        let inside = |function: &str| {
            let rest = placeholder.strip_prefix(function)?.trim_start();
            rest.strip_prefix('(')?.strip_suffix(')')
        };
        let (form, name) = match (inside("raw"), inside("json")) {
            (Some(name), _) => (Form::Raw, name.trim()),
            (_, Some(name)) => (Form::Json, name.trim()),
            _ => (form, placeholder),
        };
        let (_, text) = self.0.iter().find(|(known, _)| known == name)?;
        Some(match form {
            Form::Raw => text.clone(),
            Form::Json => replaced(text, as_json, in_quotes),
            Form::Compared => replaced(text, str::to_owned, in_quotes),
        })
    }
}

/// A placeholder in quotes, behind this text: its value is for a string in a string. `None` if it stays as it is.
fn in_quotes(before: &str, placeholder: &str) -> Option<String> {
    let mut inside = false;
    let mut escaped = false;
    for byte in before.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            _ => {}
        }
    }
    // A stamp is no value, and needs no escape; functions say how their values are written.
    let is_value = placeholder != "stamp" && !placeholder.contains('(');
    (inside && is_value).then(|| format!("{OPEN}json({placeholder}){CLOSE}"))
}

/// The inside of a JSON string.
fn as_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// A text with its literal parts changed, and its placeholders replaced, each told what stands before it; those for which
/// there is `None` stay.
fn replaced(
    text: &str,
    literal: impl Fn(&str) -> String,
    placeholder: impl Fn(&str, &str) -> Option<String>,
) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        out += &literal(before);
        if let Some(after) = after.strip_prefix(OPEN) {
            out += OPEN;
            out += OPEN;
            rest = after;
            continue;
        }
        let Some((inside, after)) = after.split_once(CLOSE) else {
            // Without its end it is told later, where placeholders are read.
            out += OPEN;
            rest = after;
            continue;
        };
        let place = text.len() - after.len() - CLOSE.len() - inside.len() - OPEN.len();
        match placeholder(&text[..place], inside.trim()) {
            Some(put) => out += &put,
            None => {
                out += OPEN;
                out += inside;
                out += CLOSE;
            }
        }
        rest = after;
    }
    out + &literal(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &str, form: Form) -> String {
        let query = r#"price(of: "{{symbol.name}}", at: {{n}}, by: "{{stamp}}") {{{{ "#.to_owned();
        let arguments = Arguments(vec![("query".into(), query), ("n1".into(), "1".into())]);
        arguments.put(text, form)
    }

    #[test]
    fn an_argument_is_written_as_its_place_wants_it() {
        let raw = r#"price(of: "{{symbol.name}}", at: {{n}}, by: "{{stamp}}") {{{{ "#;
        let compared = raw.replace("symbol.name", "json(symbol.name)");
        let json = compared.replace('"', "\\\"");
        assert_eq!(put("a {{query}} b", Form::Raw), format!("a {raw} b"));
        assert_eq!(put("{{ query }}{{n1}}", Form::Json), format!("{json}1"));
        assert_eq!(put("{{raw(query)}}", Form::Json), raw);
        assert_eq!(put("{{ json( query ) }}", Form::Raw), json);
        assert_eq!(put("{{query}}", Form::Compared), compared);
    }

    #[test]
    fn other_placeholders_stay() {
        for text in [
            "{{id}}",
            "{{{{query}}",
            "{{raw(token)}} {{ n + 1 }}",
            "a {{query",
            "}} {",
        ] {
            assert_eq!(put(text, Form::Json), text);
        }
    }
}
