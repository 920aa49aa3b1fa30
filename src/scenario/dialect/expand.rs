//! Expands a scenario that is written in a dialect, as TOML, before its keys are read.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::arguments::Arguments;
use super::chosen::{Noted, Said, chosen};
use super::words::{Kind, Words};
use super::{Dialect, text};
use crate::scenario::reading::{Problems, Removed, hints, join};
use crate::units::counted;

/// The keys that say what is sent.
const PAYLOADS: [&str; 4] = ["send", "payload", "reply", "pong"];
/// Those of them beside which stands what answers.
const ANSWERED: [&str; 2] = ["send", "payload"];
/// The keys that say what a message is like.
const MATCHES: [&str; 5] = ["expect", "check", "await", "match", "ping"];
/// The lists of what clients say and hear.
const LISTS: [&str; 4] = ["setup", "step", "message", "on"];
/// The keys of a match that are lists and no matchers.
const OWN_LISTS: [&str; 4] = ["has", "lacks", "null", "status"];

/// What became of the words of a dialect in a document.
#[derive(Debug, Default)]
pub(in crate::scenario) struct Expansion {
    /// The dialect of the document; `None` if it has none, or one that there is not.
    pub(in crate::scenario) dialect: Option<Dialect>,
    /// What was wrong, and is no longer in the document.
    pub(in crate::scenario) removed: Vec<Removed>,
    used: Vec<Used>,
}

/// A word that a document uses.
#[derive(Debug)]
struct Used {
    /// Its name.
    name: String,
    /// The table in which it stands, which is the place of all that it stands for.
    place: Range<usize>,
    /// The keys that it stands for.
    keys: Vec<String>,
}

impl Expansion {
    /// Lets problems with what a word stands for name the word, as the text does not have the keys.
    pub(in crate::scenario) fn name_words(&self, problems: &mut Problems) {
        for Used { name, place, keys } in &self.used {
            problems.rename(place, keys, name);
        }
    }
}

/// Replaces the words of the dialect by what they stand for, and puts the dialect's own lists and keys in. Afterwards
/// `target.dialect` is a name.
pub(in crate::scenario) fn expand(root: &mut DeTable<'_>, problems: &mut Problems) -> Expansion {
    let mut noted = Noted::new(problems);
    let said = chosen(root, &mut noted);
    let used = Vec::new();
    let mut expander = Expander { said, noted, used };
    expander.client(root, "");
    for item in tables(root.get_mut("cohort")) {
        if let DeValue::Table(cohort) = item.get_mut() {
            expander.client(cohort, "cohort");
        }
    }
    expander.begin(root);
    Expansion {
        dialect: match &expander.said {
            Said::Words(words) => Some(words.dialect),
            Said::Nothing | Said::Wrong => None,
        },
        removed: expander.noted.removed,
        used: expander.used,
    }
}

struct Expander<'p, 'i> {
    said: Said<'i>,
    noted: Noted<'p>,
    used: Vec<Used>,
}

impl<'i> Expander<'_, 'i> {
    /// Expands what the clients of the whole file or of a cohort say and hear.
    fn client(&mut self, table: &mut DeTable<'i>, path: &str) {
        for key in LISTS {
            self.list(table, key, path);
        }
        self.one(table, "heartbeat", path);
    }

    /// Expands the table of this key, if there is one.
    fn one(&mut self, table: &mut DeTable<'i>, key: &str, path: &str) {
        if let Some(item) = table.get_mut(key) {
            self.item(item, &join(path, key));
        }
    }

    fn list(&mut self, table: &mut DeTable<'i>, key: &str, path: &str) {
        for item in tables(table.get_mut(key)) {
            self.item(item, &join(path, key));
        }
    }

    /// Expands one thing that is said or heard.
    fn item(&mut self, item: &mut Spanned<DeValue<'i>>, path: &str) {
        let whole = item.span();
        let DeValue::Table(item) = item.get_mut() else {
            return;
        };
        for key in PAYLOADS {
            let Some(given) = item.get_mut(key) else {
                continue;
            };
            let place = given.span();
            let DeValue::Table(payload) = given.get_mut() else {
                continue;
            };
            let before = self.noted.removed.len();
            let answer = self.payload(payload, &place, &join(path, key));
            if self.noted.removed.len() > before {
                self.noted.removed(&whole, &join(path, "expect"));
            }
            if ANSWERED.contains(&key) {
                answered(item, answer);
            }
        }
        for key in MATCHES {
            let Some(given) = item.get_mut(key) else {
                continue;
            };
            let path = join(path, key);
            for one in one_or_many(given) {
                let place = one.span();
                if let DeValue::Table(conditions) = one.get_mut() {
                    self.matching(conditions, &place, &path);
                }
            }
        }
        self.list(item, "step", path);
        self.one(item, "server", path);
    }

    /// Replaces the verb in a payload; yields what it says of the answer, which is empty without a verb.
    fn payload(
        &mut self,
        payload: &mut DeTable<'i>,
        place: &Range<usize>,
        path: &str,
    ) -> DeTable<'i> {
        let Some(key) = self.word_in(payload, Kind::Verb, &[]) else {
            return DeTable::new();
        };
        let name = key.get_ref().to_string();
        let given = payload.remove(name.as_str());
        let said = given.and_then(|given| self.said(Kind::Verb, &key, &given, place, path));
        let Some(mut said) = said else {
            self.noted.removed(place, &join(path, "size"));
            return DeTable::new();
        };
        if let Some(send) = said.remove("send")
            && let DeValue::Table(send) = send.into_inner()
        {
            self.add(payload, send, &name, place, path);
        }
        said
    }

    /// Replaces the matchers among the conditions of a match.
    fn matching(&mut self, conditions: &mut DeTable<'i>, place: &Range<usize>, path: &str) {
        while let Some(key) = self.word_in(conditions, Kind::Matcher, &OWN_LISTS) {
            let name = key.get_ref().to_string();
            let Some(given) = conditions.remove(name.as_str()) else {
                return;
            };
            match self.said(Kind::Matcher, &key, &given, place, path) {
                Some(said) => self.add(conditions, said, &name, place, path),
                None => self.noted.removed(place, &join(path, &name)),
            }
        }
    }

    /// Adds the keys that a word stands for to those beside it.
    fn add(
        &mut self,
        table: &mut DeTable<'i>,
        said: DeTable<'i>,
        name: &str,
        place: &Range<usize>,
        path: &str,
    ) {
        let mut keys = Vec::new();
        for (key, value) in said {
            let own = key.get_ref().to_string();
            if let Some((given, _)) = table.get_key_value(own.as_str()) {
                let what = format_args!("is given twice: `{name}` says it, too");
                (self.noted).problem(&join(path, &own), &given.span(), what, "leave it out");
            } else {
                table.insert(key, value);
            }
            keys.push(own);
        }
        let (name, place) = (name.to_owned(), place.clone());
        self.used.push(Used { name, place, keys });
    }

    /// The key of a word: one whose value is a list, as no other has it, or that the dialect knows.
    fn word_in(
        &self,
        table: &DeTable<'i>,
        kind: Kind,
        others: &[&str],
    ) -> Option<Spanned<Cow<'i, str>>> {
        let is_known = |name: &str| match &self.said {
            Said::Words(words) => words.named(kind, name).is_some(),
            Said::Nothing | Said::Wrong => false,
        };
        let mut entries = table.iter();
        let (key, _) = entries.find(|(key, value)| {
            let name = key.get_ref().as_ref();
            let is_list = matches!(value.get_ref(), DeValue::Array(_)) && !name.starts_with('/');
            (is_list && !others.contains(&name)) || is_known(name)
        })?;
        Some(key.clone())
    }

    /// What a word stands for; `None` if it is wrong, which is noted.
    fn said(
        &mut self,
        kind: Kind,
        key: &Spanned<Cow<'_, str>>,
        given: &Spanned<DeValue<'_>>,
        place: &Range<usize>,
        path: &str,
    ) -> Option<DeTable<'i>> {
        let name = key.get_ref().as_ref();
        let full = join(path, name);
        let words = match &self.said {
            Said::Words(words) => words,
            Said::Nothing => {
                self.no_dialect(kind, name, &full, &key.span());
                return None;
            }
            Said::Wrong => return None,
        };
        let of = words.dialect.name;
        let Some(word) = words.named(kind, name) else {
            let what = format!("is no {} of `{of}`", kind.names().0);
            let hint = match &words.names(kind)[..] {
                [] => format!("it has none: use the keys of `{path}`"),
                known => hints::meant(name, known),
            };
            self.noted.problem(&full, &key.span(), what, hint);
            return None;
        };
        let example = || {
            let names: Vec<String> = word
                .takes
                .iter()
                .map(|name| format!("\"{name}\""))
                .collect();
            format!("write {{ {name} = [{}] }}", names.join(", "))
        };
        let arguments = match given.get_ref() {
            DeValue::Array(items) => items.iter().map(text).collect::<Option<Vec<String>>>(),
            _ => None,
        };
        let Some(arguments) = arguments else {
            let hint = example();
            self.noted
                .problem(&full, &given.span(), "must be a list of texts", hint);
            return None;
        };
        let (most, least) = (word.takes.len(), word.takes.len() - word.defaults.len());
        if !(least..=most).contains(&arguments.len()) {
            let number = match least == most {
                true => counted(most as u64, "text"),
                false => format!("{least} to {}", counted(most as u64, "text")),
            };
            let what = format!("takes {number}, not {}", arguments.len());
            let hint = example();
            self.noted.problem(&full, &given.span(), what, hint);
            return None;
        }
        let mut named: Vec<_> = word.takes.iter().cloned().zip(arguments).collect();
        let left_out = word.takes[named.len()..].iter();
        named.extend(left_out.filter_map(|name| {
            let mut defaults = word.defaults.iter();
            defaults.find(|(known, _)| known == name).cloned()
        }));
        Some(word.said(Arguments(named), place))
    }

    /// Notes a word in a document without a dialect.
    fn no_dialect(&mut self, kind: Kind, name: &str, full: &str, place: &Range<usize>) {
        let with_it = Dialect::ALL.into_iter().filter(|dialect| {
            let words = Words::new(*dialect, &[], &(0..0));
            words.named(kind, name).is_some()
        });
        let names: Vec<String> = with_it
            .map(|dialect| format!("`dialect = \"{}\"`", dialect.name))
            .collect();
        let what = format_args!("is a word of a dialect, and `target` names none");
        let hint = match &names[..] {
            [] => format!(
                "no dialect has it; they are {}",
                hints::one_of(Dialect::ALL.iter().map(|dialect| dialect.name))
            ),
            names => format!("write {} into `[target]`", names.join(" or ")),
        };
        self.noted.problem(full, place, what, hint);
    }

    /// Puts the dialect's own lists before those of the document, and its tables under them.
    fn begin(&mut self, root: &mut DeTable<'i>) {
        let Said::Words(words) = &self.said else {
            return;
        };
        for key in ["target", "heartbeat"] {
            let Some(own) = words.part(key) else {
                continue;
            };
            match (root.get_mut(key).map(Spanned::get_mut), own.get_ref()) {
                (Some(DeValue::Table(given)), DeValue::Table(own)) => {
                    for (key, value) in own {
                        if !given.contains_key(key.get_ref().as_ref()) {
                            given.insert(key.clone(), value.clone());
                        }
                    }
                }
                (Some(_), _) => {}
                (None, _) => insert(root, key, own.clone()),
            }
        }
        for key in LISTS {
            let Some(own) = words.part(key) else {
                continue;
            };
            match root.get_mut(key) {
                Some(given) => put_before(given, own),
                None => insert(root, key, own.clone()),
            }
            for cohort in tables(root.get_mut("cohort")) {
                if let DeValue::Table(cohort) = cohort.get_mut()
                    && !asks_by_http(cohort)
                    && let Some(given) = cohort.get_mut(key)
                {
                    put_before(given, own);
                }
            }
        }
    }
}

/// Whether the clients of a cohort make no upgrade, so that no dialect over WebSocket is theirs.
fn asks_by_http(cohort: &DeTable<'_>) -> bool {
    let DeValue::Table(target) = cohort
        .get("target")
        .map_or(&DeValue::Boolean(false), |at| at.get_ref())
    else {
        return false;
    };
    let url = target.get("url").and_then(first_address);
    url.is_some_and(|url| url.starts_with("http") || url == "embedded-http")
}

/// The address of a server, or the first one of a list.
fn first_address(url: &Spanned<DeValue<'_>>) -> Option<String> {
    match url.get_ref() {
        DeValue::Array(list) => first_address(list.first()?),
        DeValue::Table(one) => one.get("url").and_then(text),
        _ => text(url),
    }
}

/// Adds what a verb says of the answer, where nothing else is said. What makes an answer right belongs to the answer that
/// the verb waits for.
fn answered<'i>(item: &mut DeTable<'i>, answer: DeTable<'i>) {
    let has_own = item.contains_key("expect");
    for (key, value) in answer {
        let is_of_another = key.get_ref() == "check" && has_own;
        if !item.contains_key(key.get_ref().as_ref()) && !is_of_another {
            item.insert(key, value);
        }
    }
}

fn insert<'i>(table: &mut DeTable<'i>, key: &'static str, value: Spanned<DeValue<'i>>) {
    table.insert(Spanned::new(value.span(), key.into()), value);
}

/// Puts the items of a list before those of another one, unless that is empty, which removes both.
fn put_before<'i>(given: &mut Spanned<DeValue<'i>>, own: &Spanned<DeValue<'i>>) {
    if let (DeValue::Array(given), DeValue::Array(own)) = (given.get_mut(), own.get_ref())
        && !given.is_empty()
    {
        let later = std::mem::replace(given, DeArray::new());
        *given = own.iter().cloned().chain(later).collect();
    }
}

/// The items of a list; none if it is no list.
fn tables<'t, 'i>(
    list: Option<&'t mut Spanned<DeValue<'i>>>,
) -> impl Iterator<Item = &'t mut Spanned<DeValue<'i>>> {
    let items = match list.map(Spanned::get_mut) {
        Some(DeValue::Array(items)) => Some(items.iter_mut()),
        _ => None,
    };
    items.into_iter().flatten()
}

/// The items of a list, or the value itself if it is no list.
fn one_or_many<'t, 'i>(value: &'t mut Spanned<DeValue<'i>>) -> Vec<&'t mut Spanned<DeValue<'i>>> {
    match value.get_ref() {
        DeValue::Array(_) => tables(Some(value)).collect(),
        _ => vec![value],
    }
}
