//! The options that say how to get to a server. Each stands for a key of `[target]`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::scenario::reading::{At, List, OneOrMany, Shorthand, Whole};
use crate::scenario::root::File;
use crate::scenario::secrets::shown_address;
use crate::scenario::section::{HttpWord, TargetTable, TlsTable};

/// What the command line says of the way to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessOption {
    /// A name and a value: replaces the header of the same name, or is added; `Origin` replaces `target.origin`. `${NAME}`
    /// in the value comes from the environment, and the value may be secret.
    Header(String, String),
    /// Replaces `target.subprotocols`. Not empty.
    Subprotocols(Vec<String>),
    /// With the next two the only answer to whom to trust.
    Ca(PathBuf),
    /// Trust any certificate.
    Insecure,
    /// Not empty.
    Pins(Vec<String>),
    /// With the next one the only answer to who the clients are.
    Certificate(PathBuf),
    /// The key of the certificate.
    Key(PathBuf),
    /// An address, which may hold a user and a password; or "environment".
    Proxy(String),
    /// Offers compression, as `target.compression = true`.
    Compression,
    /// Names and addresses: replaces those of each of these names in `target.resolve`, or is added. Not empty.
    Resolve(Vec<(String, String)>),
    /// HTTP/2, with so many streams on a TCP connection.
    Http2(u32),
}

/// The value of an option.
pub enum OptionValue<'a> {
    /// The name and the value of a header. The value may be secret.
    Header(&'a str, &'a str),
    /// Several texts.
    List(&'a [String]),
    /// A file.
    Path(&'a Path),
    /// An address, parts of which may be secret.
    Address(&'a str),
    /// Names, each with an address.
    Names(&'a [(String, String)]),
    /// A number.
    Number(u32),
    /// Yes.
    True,
}

impl AccessOption {
    /// Its name, the key of `[target]` that it stands for, and its value.
    pub fn parts(&self) -> (&'static str, &'static str, OptionValue<'_>) {
        use OptionValue::{Address, Header, List, Names, Number, Path, True};
        match self {
            Self::Header(name, value) => ("--header", "headers", Header(name, value)),
            Self::Subprotocols(names) => ("--subprotocol", "subprotocols", List(names)),
            Self::Ca(path) => ("--ca", "ca", Path(path)),
            Self::Insecure => ("--insecure", "insecure", True),
            Self::Pins(pins) => ("--pin", "tls.pin", List(pins)),
            Self::Certificate(path) => ("--certificate", "tls.certificate", Path(path)),
            Self::Key(path) => ("--key", "tls.key", Path(path)),
            Self::Proxy(url) => ("--proxy", "proxy", Address(url)),
            Self::Compression => ("--compression", "compression", True),
            Self::Resolve(names) => ("--resolve", "resolve", Names(names)),
            Self::Http2(streams) => ("--http2", "streams_per_connection", Number(*streams)),
        }
    }

    /// As it was typed, for the report; one text for each value. Without what may be secret.
    pub fn shown(&self) -> Vec<String> {
        let (option, _, value) = self.parts();
        match value {
            OptionValue::Header(name, _) => vec![format!("{option} \"{name}: …\"")],
            OptionValue::List(texts) => {
                let texts = texts.iter();
                texts.map(|text| format!("{option} {text}")).collect()
            }
            OptionValue::Path(path) => vec![format!("{option} {}", path.display())],
            OptionValue::Address(url) => vec![format!("{option} {}", shown_address(url))],
            OptionValue::Names(names) => {
                let names = names.iter();
                names
                    .map(|(name, address)| format!("{option} {name}={address}"))
                    .collect()
            }
            OptionValue::Number(number) => vec![format!("{option} {number}")],
            OptionValue::True => vec![option.to_owned()],
        }
    }

    fn set(&self, target: &mut TargetTable, tls: &mut TlsTable) {
        let (option, ..) = self.parts();
        let text = |text: &str| Some(At::option(option, text.to_owned()));
        let path = |path: &Path| text(&path.to_string_lossy());
        let list = |texts: &[String]| {
            let texts = texts.iter().cloned();
            let items = texts.map(|text| At::option(option, text)).collect();
            Some(At::option(option, List(items)))
        };
        match self {
            Self::Header(name, value) => header(target, name, At::option(option, value.clone())),
            Self::Subprotocols(names) => target.subprotocols = list(names),
            Self::Ca(file) => target.ca = path(file),
            Self::Insecure => target.insecure = Some(At::option(option, true)),
            Self::Pins(pins) => tls.pin = list(pins),
            Self::Certificate(file) => tls.certificate = path(file),
            Self::Key(file) => tls.key = path(file),
            Self::Compression => {
                let given = target.compression.as_ref().map(|at| &at.value);
                // A table says more.
                if !matches!(given, Some(Shorthand::Table(_))) {
                    target.compression = Some(At::option(option, Shorthand::Value(true)));
                }
            }
            Self::Proxy(url) => {
                target.proxy = Some(At::option(option, Shorthand::Value(url.clone())));
            }
            Self::Resolve(names) => resolve(target, option, names),
            Self::Http2(streams) => {
                target.http = Some(At::option(option, HttpWord::Two));
                target.streams_per_connection = Some(At::option(option, Whole(*streams)));
            }
        }
    }

    fn is_trust(&self) -> bool {
        matches!(self, Self::Ca(_) | Self::Insecure | Self::Pins(_))
    }

    fn is_identity(&self) -> bool {
        matches!(self, Self::Certificate(_) | Self::Key(_))
    }
}

/// Applies all of them.
pub(super) fn apply(options: &[AccessOption], file: &mut File) {
    if options.is_empty() {
        return;
    }
    let target = &mut file.target.get_or_insert_default().value;
    let given = target.tls.take();
    let mut tls = given.clone().unwrap_or_default();
    if options.iter().any(AccessOption::is_trust) {
        (target.ca, target.insecure) = (None, None);
        tls.value.forget_trust();
    }
    if options.iter().any(AccessOption::is_identity) {
        tls.value.forget_identity();
    }
    for option in options {
        option.set(target, &mut tls.value);
    }
    let of_tls = |option: &&AccessOption| option.parts().1.starts_with("tls.");
    if given.is_some() {
        target.tls = Some(tls);
    } else if let Some(option) = options.iter().find(of_tls) {
        target.tls = Some(At::option(option.parts().0, tls.value));
    }
}

/// Gives each of these names its addresses, in place of others.
fn resolve(target: &mut TargetTable, option: &'static str, names: &[(String, String)]) {
    let all = target
        .resolve
        .get_or_insert_with(|| At::option(option, BTreeMap::new()));
    for (name, _) in names {
        let own = names.iter().filter(|(other, _)| other == name);
        let addresses = own.map(|(_, address)| At::option(option, address.clone()));
        let addresses = OneOrMany::Many(addresses.collect());
        all.value
            .retain(|other, _| !other.eq_ignore_ascii_case(name));
        all.value
            .insert(name.clone(), At::option(option, addresses));
    }
}

fn header(target: &mut TargetTable, name: &str, value: At<String>) {
    if name.eq_ignore_ascii_case("origin") {
        target.origin = Some(value);
        return;
    }
    let headers = (target.headers).get_or_insert_with(|| At {
        value: BTreeMap::new(),
        place: value.place.clone(),
    });
    headers
        .value
        .retain(|other, _| !other.eq_ignore_ascii_case(name));
    headers.value.insert(name.to_owned(), value);
}
