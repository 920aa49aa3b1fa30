//! Writes what the user asked for as the `[target]` table of a scenario.

use crate::scenario::{AccessOption, OptionValue, secret_parts};

/// What a value that was left out is told by.
const NOTE: &str = "   # from the environment";

/// What the user asked for on the command line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// The address as the user wrote it; `${NAME}` in it comes from the environment.
    pub url: String,
    /// How to get there.
    pub options: Vec<AccessOption>,
    /// What each client says first.
    pub first: Option<String>,
}

/// The `[target]` table. Takes each value that may be secret from the environment, so it is safe to show.
pub fn target_text(asked: &Asked) -> String {
    let mut text = format!("[target]\nurl = {}\n", quoted(&address(&asked.url)));
    let mut headers = Vec::new();
    let mut line = |key: &str, value: &str| text += &format!("{key} = {value}\n");
    for option in &asked.options {
        let (_, key, value) = option.parts();
        match value {
            OptionValue::Header(name, value) => {
                let shown = match is_from_environment(value) {
                    true => quoted(value),
                    false => format!("\"${{{}}}\"", variable(name)),
                };
                match name.eq_ignore_ascii_case("origin") {
                    true => line("origin", &shown),
                    false => headers.push(format!("{} = {shown}", quoted(name))),
                }
            }
            OptionValue::List(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
                line(key, &format!("[{}]", texts.join(", ")));
            }
            OptionValue::Path(path) => line(key, &quoted(&path.to_string_lossy())),
            OptionValue::Address(url) => {
                let shown = address(url);
                let note = if shown.contains("${") { NOTE } else { "" };
                line(key, &format!("{}{note}", quoted(&shown)));
            }
            OptionValue::Names(names) => {
                let mut known: Vec<&str> = Vec::new();
                let mut entries = Vec::new();
                for (name, _) in names {
                    if known.contains(&name.as_str()) {
                        continue;
                    }
                    known.push(name);
                    let own = names.iter().filter(|(other, _)| other == name);
                    let own: Vec<String> = own.map(|(_, address)| quoted(address)).collect();
                    entries.push(format!("{} = [{}]", quoted(name), own.join(", ")));
                }
                line(key, &format!("{{ {} }}", entries.join(", ")));
            }
            OptionValue::Number(number) => {
                line("http", "\"2\"");
                line(key, &number.to_string());
            }
            OptionValue::True => line(key, "true"),
        }
    }
    if !headers.is_empty() {
        line("headers", &format!("{{ {} }}{NOTE}", headers.join(", ")));
    }
    text
}

/// Whether the value consists of environment variables only, apart from the scheme of a credential.
fn is_from_environment(value: &str) -> bool {
    let value = value.rsplit_once(' ').map_or(value, |(_, last)| last);
    value.starts_with("${") && value.find('}') == Some(value.len() - 1)
}

/// The address with its user, who is one of a proxy, and each value of its query taken from the environment, as they may
/// be secret.
fn address(url: &str) -> String {
    let mut address = String::new();
    let mut from = 0;
    for part in secret_parts(url) {
        let before = &url[..part.start];
        let name = match before.rfind(['?', '&']) {
            Some(at) => variable(before[at + 1..].trim_end_matches('=')),
            None => "PROXY_USER".to_owned(),
        };
        address += &url[from..part.start];
        address += &format!("${{{name}}}");
        from = part.end;
    }
    address + &url[from..]
}

/// The name of the environment variable for a header or a key of the query.
fn variable(name: &str) -> String {
    let letters = name.chars().map(|c| match c {
        c if c.is_ascii_alphanumeric() => c.to_ascii_uppercase(),
        _ => '_',
    });
    let variable: String = letters.collect();
    if variable.is_empty() || variable.starts_with(|c: char| c.is_ascii_digit()) {
        format!("_{variable}")
    } else {
        variable
    }
}

/// The text as a TOML string.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c.is_control() => quoted += &format!("\\u{:04x}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Outside, Overrides, Source, Target, Trust, parse};

    fn asked() -> Asked {
        let header = |a: &str, b: &str| AccessOption::Header(a.to_owned(), b.to_owned());
        Asked {
            url: "wss://example.org/a?b=c".to_owned(),
            options: vec![
                header("Authorization", "Bearer \"s3cret\""),
                header("X-Room", "${ROOM}"),
                header("Origin", "https://example.org"),
                AccessOption::Subprotocols(vec!["chat".to_owned(), "mqtt".to_owned()]),
                AccessOption::Insecure,
                AccessOption::Proxy("http://me:s3cret@proxy:3128".to_owned()),
            ],
            first: None,
        }
    }

    fn read(text: &str) -> Target {
        let source = Source {
            name: "test".to_owned(),
            text: format!("name = \"test\"\n{text}\n[load]\nconnections = 1\n"),
        };
        let outside = Outside {
            env: &|name| Some(format!("the-{name}:x")),
            read: &|_| unreachable!("no file is named"),
            list: &Outside::no_folder,
        };
        let parsed = parse(&source, &Overrides::default(), &outside);
        parsed
            .unwrap_or_else(|problems| panic!("{problems}\n{text}"))
            .target
    }

    #[test]
    fn it_is_read_as_it_was_asked_for_and_holds_no_secret() {
        let text = target_text(&asked());
        assert!(!text.contains("s3cret"), "{text}");
        for line in [
            "url = \"wss://example.org/a?b=${B}\"",
            "origin = \"${ORIGIN}\"",
            "proxy = \"http://${PROXY_USER}@proxy:3128\"   # from the environment",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let target = read(&text);
        let headers: Vec<(&str, &str)> = (target.access.ask.headers.iter())
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let expected = [
            ("Authorization", "the-AUTHORIZATION:x"),
            ("X-Room", "the-ROOM:x"),
        ];
        assert_eq!(headers, expected);
        assert_eq!(target.access.ask.origin.as_deref(), Some("the-ORIGIN:x"));
        assert_eq!(target.access.ask.subprotocols, ["chat", "mqtt"]);
        assert_eq!(target.access.tls.trust, Trust::Anyone);
        let proxy = target.access.proxy.expect("it has one");
        let (user, password) = proxy.credentials.expect("they come from the environment");
        assert_eq!((&*user, &*password), ("the-PROXY_USER", "x"));
        let servers = target.url.servers().unwrap();
        assert_eq!(servers.first().resource, "/a?b=the-B:x");
    }

    #[test]
    fn any_text_is_quoted_so_that_it_stays_itself() {
        for text in ["", "a\"b\\", "\u{7f}\n\t", "é"] {
            let toml = format!("x = {}", quoted(text));
            let table: toml::Table = toml::from_str(&toml).unwrap();
            assert_eq!(table["x"].as_str(), Some(text));
        }
        assert_eq!(variable("2x-Key"), "_2X_KEY");
    }
}
