//! What a placeholder `{{…}}` stands for: a number of the plan, chance from the seed, or the wall clock.

use std::fmt;
use std::str::FromStr;

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::save::MAX_SAVED;
use super::scope::Scope;

/// The most bytes of `hex(…)` and `text(…)`.
const MAX_LENGTH: u32 = 65_536;
/// The longest name of a cohort.
const MAX_NAME: usize = 64;

/// A part of a payload that differs from message to message, or from connection to connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variable {
    /// A number, changed by at most one operation.
    Number(Number, Option<Change>),
    /// The name of the cohort.
    Cohort,
    /// The number of the run: 8 hexadecimal digits.
    Run,
    /// A whole number between these two, from the seed.
    Random(u64, u64),
    /// So many hexadecimal digits, from the seed.
    Hex(u32),
    /// So many bytes of printable text, the same each time.
    Text(u32),
    /// A UUID of version 4 (RFC 9562 section 5.4), from the seed.
    Uuid,
    /// The wall clock at the send.
    Now(WallTime),
    /// A value of a row of data.
    Column(Column),
    /// What was kept of a message: the index of the name in [`super::Cohort::saved`], and how it is written.
    Saved {
        /// The index.
        name: u8,
        /// How it is written.
        form: Form,
    },
    /// The last id of a message or step: its slot, see [`super::Cohort::each_step`].
    IdOf(u16),
}

/// How a value of a row, or one that was kept, is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// As it is.
    Raw,
    /// As the inside of a JSON string (RFC 8259 section 7).
    Json,
    /// As the inside of a JSON string in a JSON text that is itself the inside of one.
    JsonInJson,
    /// As a part of an address: percent-encoded but for letters, digits, `-`, `.`, `_` and `~` (RFC 3986 section 2).
    Url,
    /// As a part of a header: without control characters, which would end it (RFC 9110 section 5.5).
    Header,
}

impl Form {
    /// The form of `raw(x)` at a place with this one: the head of a request cannot have just anything.
    fn raw(self) -> Self {
        match self {
            Self::Header | Self::Url => Self::Header,
            Self::Raw | Self::Json | Self::JsonInJson => Self::Raw,
        }
    }

    /// The form of `json(x)` at a place with this one; `None` where there is none.
    fn json(self) -> Option<Self> {
        match self {
            Self::Raw | Self::Header => Some(Self::Json),
            Self::Json => Some(Self::JsonInJson),
            Self::JsonInJson | Self::Url => None,
        }
    }

    /// The most bytes that a byte takes.
    pub(super) fn widest(self) -> usize {
        match self {
            Self::Raw | Self::Header => 1,
            Self::Url => 3,
            // A control character: `\u001f`.
            Self::Json => 6,
            Self::JsonInJson => 7,
        }
    }
}

/// A column of a table of data, and how its values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Column {
    /// The index of the table in the scenario.
    pub data: u8,
    /// The index of the column in the table.
    pub column: u16,
    /// How values are written.
    pub form: Form,
    /// Whether all values are JSON without quotes, such as numbers.
    pub(super) is_json: bool,
    /// The bytes of the longest value, before it is written in its form.
    pub(super) longest: u32,
}

/// A number that a placeholder can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum Number {
    /// The number of the connection in the run, from 0.
    Connection,
    /// The number of the connection in its cohort, from 0.
    Place,
    /// How often the connection sent this message before.
    N,
    /// A number that no other message of the connection has, from 1.
    Id,
    /// The turn of the innermost repeat, from 0.
    Turn,
}

/// An operation with a number, and its second operand. What overflows starts at zero again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// `+ k`
    Plus(u64),
    /// `/ k`: without the rest. Above zero.
    Over(u64),
    /// `% k`: the rest. Above zero.
    Rest(u64),
}

/// How the wall clock is written. Each form has the same length at any time until the year 2286.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantNames)]
pub enum WallTime {
    /// Milliseconds since 1970.
    #[strum(serialize = "now_ms")]
    Millis,
    /// Nanoseconds since 1970.
    #[strum(serialize = "now_ns")]
    Nanos,
    /// As in RFC 3339: `2026-11-28T12:30:00.125Z`.
    #[strum(serialize = "now_iso")]
    Iso,
}

impl Variable {
    /// The names that mean something everywhere. Nothing else can be kept under one of them.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        const OTHERS: [&str; 11] = [
            "stamp", "cohort", "run", "uuid", "random", "hex", "text", "raw", "url", "json",
            "base64",
        ];
        let numbers = Number::VARIANTS.iter().chain(WallTime::VARIANTS);
        numbers.chain(&OTHERS).copied()
    }

    /// Whether it is a number, which JSON has without quotes.
    pub fn is_number(self) -> bool {
        match self {
            Self::Number(..) | Self::Random(..) | Self::IdOf(_) => true,
            Self::Now(clock) => clock != WallTime::Iso,
            Self::Cohort
            | Self::Run
            | Self::Hex(_)
            | Self::Text(_)
            | Self::Uuid
            | Self::Column(_)
            | Self::Saved { .. } => false,
        }
    }

    /// How its value is written; `None` if all forms are alike.
    pub(super) fn form(self) -> Option<Form> {
        match self {
            Self::Column(Column { form, .. }) | Self::Saved { form, .. } => Some(form),
            _ => None,
        }
    }

    /// The most bytes that it takes.
    pub fn longest(self) -> usize {
        match self {
            Self::Number(_, Some(Change::Rest(k))) => digits(k.saturating_sub(1)),
            Self::Number(..) | Self::IdOf(_) => digits(u64::MAX),
            Self::Cohort => MAX_NAME,
            Self::Run => 8,
            Self::Random(_, high) => digits(high),
            Self::Hex(length) | Self::Text(length) => length as usize,
            Self::Uuid => 36,
            Self::Now(clock) => clock.length(),
            Self::Column(Column { longest, form, .. }) => longest as usize * form.widest(),
            Self::Saved { form, .. } => MAX_SAVED * form.widest(),
        }
    }
}

impl Change {
    /// Applies it.
    pub fn of(self, number: u64) -> u64 {
        match self {
            Self::Plus(k) => number.wrapping_add(k),
            Self::Over(k) => number / k,
            Self::Rest(k) => number % k,
        }
    }
}

impl WallTime {
    /// The number of bytes that it takes.
    pub fn length(self) -> usize {
        match self {
            Self::Millis => 13,
            Self::Nanos => 19,
            Self::Iso => 24,
        }
    }
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

/// Why the text between `{{` and `}}` is no placeholder. Its text follows the placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// Nothing has this name.
    Unknown(String),
    /// It needs other arguments; this is how it is written.
    Arguments(&'static str),
    /// The operation, or its operand, is wrong.
    Change,
    /// It is kept only later, by this step.
    Later(String),
    /// It is kept only perhaps, by this step.
    Perhaps(String),
    /// A row of this column has control characters, which no header can have.
    Controls,
    /// It comes from this step, message or `[[on]]`, beside which the place is played.
    Beside(String),
    /// It is the id of a message or step that was not surely sent before.
    Unsent(String),
    /// There is no repeat whose turns are counted.
    NoTurns,
    /// It is known only at a send.
    AtSend,
    /// It differs between clients, and the place is in a request that is sent once for all of them.
    Differs,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(_) => f.write_str(", which nothing sets"),
            Self::Arguments(_) => f.write_str(", whose arguments are wrong"),
            Self::Change => {
                f.write_str(", which takes one `+ k`, `/ k` or `% k` with a whole number")
            }
            Self::Later(_) => f.write_str(" before it is saved"),
            Self::Perhaps(_) => f.write_str(", which is not saved in any case"),
            Self::Controls => f.write_str(", which has control characters in a row"),
            Self::Beside(_) => f.write_str(", which the set-up does not set in any case"),
            Self::Unsent(_) => f.write_str(", which is not sent before in any case"),
            Self::NoTurns => f.write_str(" outside of a `repeat`"),
            Self::AtSend => f.write_str(", which is known only at a send"),
            Self::Differs => f.write_str(", which differs from client to client"),
        }
    }
}

impl Variable {
    /// Reads what stands between the braces. `form` is how values are written at this place.
    pub(super) fn read(text: &str, scope: &Scope<'_>, form: Form) -> Result<Self, Wrong> {
        scope.allow(Self::any(text.trim(), scope, form)?)
    }

    fn any(text: &str, scope: &Scope<'_>, form: Form) -> Result<Self, Wrong> {
        if let Some((name, arguments)) = text.split_once('(') {
            return match (name.trim(), arguments.strip_suffix(')')) {
                ("raw", Some(what)) => Self::any(what.trim(), scope, form.raw()),
                ("url", Some(what)) => Self::any(what.trim(), scope, Form::Url),
                ("json", Some(what)) => {
                    let form = form.json().ok_or(Wrong::Arguments(NO_JSON))?;
                    Self::any(what.trim(), scope, form)
                }
                (name, arguments) => called(name, arguments.unwrap_or("-")),
            };
        }
        if let Some((of, member)) = text.split_once('.') {
            let found = scope.member(of, member, form);
            return found.unwrap_or_else(|| Err(Wrong::Unknown(text.to_owned())));
        }
        match text {
            "cohort" => return Ok(Self::Cohort),
            "run" => return Ok(Self::Run),
            "uuid" => return Ok(Self::Uuid),
            "random" | "hex" | "text" | "raw" | "url" | "json" => return called(text, "-"),
            _ => {}
        }
        if let Ok(clock) = text.parse() {
            return Ok(Self::Now(clock));
        }
        scope
            .saved(text, form)
            .unwrap_or_else(|| Self::number(text))
    }

    fn number(text: &str) -> Result<Self, Wrong> {
        let name_length = text.find(['+', '-', '*', '/', '%']).unwrap_or(text.len());
        let (name, operation) = text.split_at(name_length);
        let name = name.trim();
        let number = name.parse().map_err(|_| Wrong::Unknown(name.to_owned()))?;
        if operation.is_empty() {
            return Ok(Self::Number(number, None));
        }
        let (operation, operand) = operation.split_at(1);
        let operand: u64 = operand.trim().parse().map_err(|_| Wrong::Change)?;
        let change = match (operation, operand) {
            ("+", _) => Change::Plus(operand),
            (_, 0) => return Err(Wrong::Change),
            ("/", _) => Change::Over(operand),
            ("%", _) => Change::Rest(operand),
            _ => return Err(Wrong::Change),
        };
        Ok(Self::Number(number, Some(change)))
    }
}

/// Reads a variable that needs no data, nothing that was kept, and no repeat.
impl FromStr for Variable {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        Self::read(text, &Scope::of(&[]), Form::Raw)
    }
}

/// The hint where `json(x)` cannot stand.
const NO_JSON: &str =
    "leave out `json`: it is for JSON texts and for texts in them, and not for addresses";

/// Reads a placeholder with arguments.
fn called(name: &str, arguments: &str) -> Result<Variable, Wrong> {
    let numbers: Vec<Option<u64>> = arguments
        .split(',')
        .map(|argument| argument.trim().parse().ok())
        .collect();
    let length = |usage| match numbers[..] {
        [Some(length)] if (1..=u64::from(MAX_LENGTH)).contains(&length) => Ok(length as u32),
        _ => Err(Wrong::Arguments(usage)),
    };
    match name {
        "random" => match numbers[..] {
            [Some(low), Some(high)] if low <= high => Ok(Variable::Random(low, high)),
            _ => Err(Wrong::Arguments(
                "write two whole numbers, the lower first: `random(1, 6)`",
            )),
        },
        "hex" => length("write how many digits, up to 65,536: `hex(8)`").map(Variable::Hex),
        "text" => length("write how many bytes, up to 65,536: `text(64)`").map(Variable::Text),
        "raw" => Err(Wrong::Arguments("write what it is: `raw(user.name)`")),
        "url" => Err(Wrong::Arguments("write what it is: `url(user.name)`")),
        "json" => Err(Wrong::Arguments("write what it is: `json(user.name)`")),
        _ => Err(Wrong::Unknown(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_means_something() {
        for (text, variable) in [
            ("connection", Variable::Number(Number::Connection, None)),
            (" place ", Variable::Number(Number::Place, None)),
            ("n", Variable::Number(Number::N, None)),
            ("id", Variable::Number(Number::Id, None)),
            ("url( place )", Variable::Number(Number::Place, None)),
            ("raw(place)", Variable::Number(Number::Place, None)),
            ("json(place)", Variable::Number(Number::Place, None)),
            ("n + 1", Variable::Number(Number::N, Some(Change::Plus(1)))),
            (
                "place/20",
                Variable::Number(Number::Place, Some(Change::Over(20))),
            ),
            (
                "place % 8",
                Variable::Number(Number::Place, Some(Change::Rest(8))),
            ),
            ("cohort", Variable::Cohort),
            ("run", Variable::Run),
            ("uuid", Variable::Uuid),
            ("random(1, 6)", Variable::Random(1, 6)),
            ("hex(8)", Variable::Hex(8)),
            ("text(64)", Variable::Text(64)),
            ("now_ms", Variable::Now(WallTime::Millis)),
            ("now_ns", Variable::Now(WallTime::Nanos)),
            ("now_iso", Variable::Now(WallTime::Iso)),
        ] {
            assert_eq!(text.parse(), Ok(variable), "{text}");
        }
    }

    #[test]
    fn every_name_of_the_hint_can_be_written() {
        for name in Variable::names().filter(|name| !["stamp", "base64"].contains(name)) {
            let read: Result<Variable, Wrong> = name.parse();
            assert!(!matches!(read, Err(Wrong::Unknown(_))), "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let read = |text: &str| text.parse::<Variable>().unwrap_err();
        for text in ["", "tokn", "user.name", "Connection", "rand(1, 2)", "m - 1"] {
            assert!(matches!(read(text), Wrong::Unknown(_)), "{text}");
        }
        for text in [
            "random",
            "random(6, 1)",
            "random(1)",
            "hex()",
            "hex(0)",
            "text(65537)",
            "hex(8",
        ] {
            assert!(matches!(read(text), Wrong::Arguments(_)), "{text}");
        }
        for text in [
            "n +",
            "n + x",
            "n * 2",
            "n-1",
            "n / 0",
            "place % 0",
            "n + 1 + 1",
        ] {
            assert_eq!(read(text), Wrong::Change, "{text}");
        }
    }

    #[test]
    fn a_change_is_arithmetic() {
        assert_eq!(Change::Plus(1).of(6), 7);
        assert_eq!(Change::Over(20).of(59), 2);
        assert_eq!(Change::Rest(8).of(17), 1);
        assert_eq!(Change::Plus(1).of(u64::MAX), 0);
    }

    #[test]
    fn the_longest_value_is_known() {
        for (text, longest) in [
            ("place % 8", 1),
            ("place % 10", 1),
            ("place % 11", 2),
            ("random(0, 99)", 2),
            ("n", 20),
            ("run", 8),
        ] {
            let variable: Variable = text.parse().unwrap();
            assert_eq!(variable.longest(), longest, "{text}");
        }
    }
}
