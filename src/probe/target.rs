//! Writes what the user asked for as the `[target]` table of a scenario.

use std::path::PathBuf;

use crate::scenario::secret_parts;

/// What the user asked for on the command line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// The address as the user wrote it; `${NAME}` in it comes from the environment.
    pub url: String,
    /// The names and values of headers. The values may be secret.
    pub headers: Vec<(String, String)>,
    /// The subprotocols to offer, in this order.
    pub subprotocols: Vec<String>,
    /// The path of a PEM file.
    pub ca: Option<PathBuf>,
    /// Whether to accept any certificate.
    pub insecure: bool,
}

/// The `[target]` table. With `secrets` it holds the values of headers, and is meant to be parsed at once. Without, it
/// takes each value from the environment, so it is safe to show.
pub fn target_text(asked: &Asked, secrets: bool) -> String {
    let url = match secrets {
        true => asked.url.clone(),
        false => address(&asked.url),
    };
    let mut text = format!("[target]\nurl = {}\n", quoted(&url));
    let mut headers = Vec::new();
    for (name, value) in &asked.headers {
        let shown = match secrets || is_from_environment(value) {
            true => quoted(value),
            false => format!("\"${{{}}}\"", variable(name)),
        };
        if name.eq_ignore_ascii_case("origin") {
            text += &format!("origin = {shown}\n");
        } else {
            headers.push(format!("{} = {shown}", quoted(name)));
        }
    }
    if !headers.is_empty() {
        let note = if secrets {
            ""
        } else {
            "   # from the environment"
        };
        text += &format!("headers = {{ {} }}{note}\n", headers.join(", "));
    }
    if !asked.subprotocols.is_empty() {
        let names: Vec<String> = asked.subprotocols.iter().map(|name| quoted(name)).collect();
        text += &format!("subprotocols = [{}]\n", names.join(", "));
    }
    if let Some(ca) = &asked.ca {
        text += &format!("ca = {}\n", quoted(&ca.to_string_lossy()));
    }
    if asked.insecure {
        text += "insecure = true\n";
    }
    text
}

/// Whether the value consists of environment variables only, apart from the scheme of a credential.
fn is_from_environment(value: &str) -> bool {
    let value = value.rsplit_once(' ').map_or(value, |(_, last)| last);
    value.starts_with("${") && value.find('}') == Some(value.len() - 1)
}

/// The address with each value of its query taken from the environment, as it may be secret.
fn address(url: &str) -> String {
    let mut address = String::new();
    let mut from = 0;
    for part in secret_parts(url) {
        let key = url[..part.start].trim_end_matches('=').rsplit(['?', '&']);
        let key = key.into_iter().next().unwrap_or_default();
        address += &url[from..part.start];
        address += &format!("${{{}}}", variable(key));
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
fn quoted(text: &str) -> String {
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
    use crate::scenario::{Outside, Overrides, Source, Target, TargetUrl, Trust, parse};

    fn asked() -> Asked {
        let owned = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        Asked {
            url: "wss://example.org/a?b=c".to_owned(),
            headers: vec![
                owned("Authorization", "Bearer \"s3cret\""),
                owned("X-Room", "${ROOM}"),
                owned("Origin", "https://example.org"),
            ],
            subprotocols: vec!["chat".to_owned(), "mqtt".to_owned()],
            ca: None,
            insecure: true,
        }
    }

    fn read(text: &str) -> Target {
        let source = Source {
            name: "test".to_owned(),
            text: format!("name = \"test\"\n{text}\n[load]\nconnections = 1\n"),
        };
        let outside = Outside {
            env: &|name| Some(format!("the-{name}")),
            read: &|_| unreachable!("no file is named"),
            list: &Outside::no_folder,
        };
        let parsed = parse(&source, &Overrides::default(), &outside);
        parsed
            .unwrap_or_else(|problems| panic!("{problems}\n{text}"))
            .target
    }

    #[test]
    fn it_is_read_as_it_was_asked_for() {
        let target = read(&target_text(&asked(), true));
        let headers: Vec<(&str, &str)> = (target.headers.iter())
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let room = ("X-Room", "the-ROOM");
        assert_eq!(headers, [("Authorization", "Bearer \"s3cret\""), room]);
        assert_eq!(target.origin.as_deref(), Some("https://example.org"));
        assert_eq!(target.subprotocols, ["chat", "mqtt"]);
        assert_eq!(target.access.tls.trust, Trust::Anyone);
        assert!(matches!(target.url, TargetUrl::Url(url) if url.resource == "/a?b=c"));
    }

    #[test]
    fn what_is_shown_holds_no_value_of_a_header() {
        let text = target_text(&asked(), false);
        assert!(!text.contains("s3cret"), "{text}");
        assert!(
            text.contains("url = \"wss://example.org/a?b=${B}\""),
            "{text}"
        );
        assert!(text.contains("origin = \"${ORIGIN}\""), "{text}");
        assert_eq!(read(&text).headers[0].1, "the-AUTHORIZATION");
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
