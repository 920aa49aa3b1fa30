//! What a search varies, as words and as an option of its probes.

use std::fmt;

use crate::report::Varied;

/// What a search varies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Vary {
    /// The connections of all cohorts in proportion, or of one.
    Connections(Option<String>),
    /// How often each connection sends its only message, or the named one.
    Rate(Option<String>),
    /// How many new clients come each second.
    Arrivals,
}

impl Vary {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (what, name) = match text.split_once('=') {
            Some((what, name)) => (what.trim(), Some(name.trim().to_owned())),
            None => (text.trim(), None),
        };
        match (what, name) {
            (_, Some(name)) if name.is_empty() => Err("write a name behind the `=`"),
            ("connections", name) => Ok(Self::Connections(name)),
            ("rate", name) => Ok(Self::Rate(name)),
            ("arrivals", None) => Ok(Self::Arrivals),
            _ => Err("write connections, connections=COHORT, rate, rate=MESSAGE or arrivals"),
        }
    }

    pub(super) fn is_connections(&self) -> bool {
        matches!(self, Self::Connections(_))
    }

    /// What the values are, for people.
    pub(super) fn what(&self) -> Varied {
        match self {
            Self::Connections(None) => Varied::new("connection", ""),
            Self::Connections(Some(cohort)) => Varied::new("connection", &format!("of {cohort}")),
            Self::Rate(None) => Varied::new("message", "a second on each connection"),
            Self::Rate(Some(name)) => {
                Varied::new("message", &format!("of {name} a second on each connection"))
            }
            Self::Arrivals => Varied::new("arrival", "a second"),
        }
    }

    /// The option that may be given only once; the value that is varied takes its place.
    pub(super) fn replaces(&self) -> Option<&'static str> {
        matches!(self, Self::Arrivals).then_some("--arrivals")
    }

    /// The option that gives a probe this value: its name and its own value.
    pub(in crate::cli) fn option(&self, value: u64) -> [String; 2] {
        let named = |name: &Option<String>, value: String| match name {
            Some(name) => format!("{name}={value}"),
            None => value,
        };
        let (option, value) = match self {
            Self::Connections(cohort) => ("--connections", named(cohort, value.to_string())),
            Self::Rate(message) => ("--rate", named(message, format!("{value}/s"))),
            Self::Arrivals => ("--arrivals", format!("{value}/s")),
        };
        [option.to_owned(), value]
    }
}

impl fmt::Display for Vary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connections(None) => f.write_str("connections"),
            Self::Connections(Some(cohort)) => write!(f, "connections={cohort}"),
            Self::Rate(None) => f.write_str("rate"),
            Self::Rate(Some(message)) => write!(f, "rate={message}"),
            Self::Arrivals => f.write_str("arrivals"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_varied_is_an_option_of_each_probe() {
        let option = |text| Vary::parse(text).unwrap().option(40).join(" ");
        assert_eq!(option("connections"), "--connections 40");
        assert_eq!(option("connections=good"), "--connections good=40");
        assert_eq!(option("rate"), "--rate 40/s");
        assert_eq!(option("rate=say"), "--rate say=40/s");
        assert_eq!(option("arrivals"), "--arrivals 40/s");
        for text in ["connections=", "arrivals=x", "messages", ""] {
            assert!(Vary::parse(text).is_err(), "{text}");
        }
        for text in [
            "connections",
            "connections=good",
            "rate",
            "rate=say",
            "arrivals",
        ] {
            assert_eq!(Vary::parse(text).unwrap().to_string(), text);
        }
    }
}
