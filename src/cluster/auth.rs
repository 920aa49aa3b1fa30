//! The configuration of a NATS server that lets each role do its work and nothing else.

use std::fmt::Write as _;

use super::role::{Permissions, Role};

/// What is filled in. Names of files are taken as the server is started: relative to its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the server listens, as `HOST:PORT`.
    pub listen: String,
    /// Its certificate and key; without them nobody on another machine is spoken to by the way it is meant.
    pub tls: Option<(String, String)>,
    /// The public key of each role.
    pub keys: Vec<(Role, String)>,
}

/// The configuration as text. Everybody else is let in nowhere.
#[must_use]
pub fn configuration(settings: &Settings) -> String {
    let mut text = String::from(
        "# A NATS server for runs of wsbench on many machines. Start it with: nats-server -c nats.conf\n\
         # Each role may do what it has to and nothing else; who has no key is not let in.\n",
    );
    let _ = writeln!(text, "listen: {}", quoted(&settings.listen));
    if let Some((certificate, key)) = &settings.tls {
        let (certificate, key) = (quoted(certificate), quoted(key));
        let _ = writeln!(
            text,
            "tls {{\n  cert_file: {certificate}\n  key_file: {key}\n}}"
        );
    }
    text += "jetstream {\n  store_dir: \"nats-store\"\n}\n";
    // An account of its own, so that a server with other users can take it over as it stands.
    text += "accounts {\n  WSBENCH {\n    jetstream: enabled\n    users: [\n";
    for (role, key) in &settings.keys {
        let Permissions {
            publish,
            subscribe,
            replies,
        } = role.permissions();
        let _ = writeln!(text, "      {{");
        let _ = writeln!(text, "        # {}", about(*role));
        let _ = writeln!(text, "        nkey: {key}");
        let _ = writeln!(text, "        permissions {{");
        list(&mut text, "publish", &publish);
        list(&mut text, "subscribe", &subscribe);
        if replies {
            text += "          # One answer to each question, where the question says, within two minutes.\n";
            text += "          allow_responses: true\n";
        }
        text += "        }\n      }\n";
    }
    text += "    ]\n  }\n}\n";
    text
}

fn about(role: Role) -> &'static str {
    match role {
        Role::Coordinator => {
            "The coordinator: gives out the plan, reads what was measured, makes and tidies up the stream."
        }
        Role::Agent => "Agents: read what is for all of them, and say what they measured.",
    }
}

fn list(text: &mut String, name: &str, subjects: &[String]) {
    let _ = writeln!(text, "          {name} {{\n            allow: [");
    for subject in subjects {
        let _ = writeln!(text, "              {}", quoted(subject));
    }
    text.push_str("            ]\n          }\n");
}

/// A text in double quotes, in which nothing stands for a variable. Leaves out what would end it.
fn quoted(text: &str) -> String {
    let fine = text
        .chars()
        .filter(|c| !matches!(c, '"' | '\\') && !c.is_control());
    format!("\"{}\"", fine.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_names_each_subject_of_its_role() {
        let text = configuration(&Settings {
            listen: "127.0.0.1:4222".to_owned(),
            tls: None,
            keys: vec![
                (Role::Coordinator, "UC".to_owned()),
                (Role::Agent, "UA".to_owned()),
            ],
        });
        let (coordinator, agent) = text.split_once("nkey: UA").unwrap();
        for (role, part) in [(Role::Coordinator, coordinator), (Role::Agent, agent)] {
            let Permissions {
                publish, subscribe, ..
            } = role.permissions();
            let named = publish.iter().chain(&subscribe);
            assert!(
                named
                    .into_iter()
                    .all(|subject| part.contains(&quoted(subject)))
            );
            let count = publish.len() + subscribe.len();
            assert_eq!(part.matches("\n              \"").count(), count);
        }
        assert!(!text.contains("tls"));
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }

    #[test]
    fn no_name_of_a_file_breaks_the_configuration() {
        assert_eq!(quoted("a\"b\\c\n$d"), "\"abc$d\"");
    }
}
