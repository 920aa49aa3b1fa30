//! A value that a scenario names, to be compared with what a server sent: by type, and numbers by value.

/// A JSON value that is neither an object nor an array.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as JSON spells it, such as `-7` or `0.5`. What is no number equals none.
    Number(Box<str>),
    /// What a string says, without escapes.
    String(Box<str>),
}

impl From<bool> for Literal {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Literal {
    fn from(value: i64) -> Self {
        Self::Number(value.to_string().into())
    }
}

/// Takes the shortest decimal number that is read as this value. What is not finite equals no number.
impl From<f64> for Literal {
    fn from(value: f64) -> Self {
        Self::Number(value.to_string().into())
    }
}

impl From<&str> for Literal {
    fn from(value: &str) -> Self {
        Self::String(value.into())
    }
}

/// Tells whether two numbers have the same value, exactly: `7`, `7.0` and `70e-1` have, however many digits there are.
pub(super) fn is_same_number(one: &[u8], other: &[u8]) -> bool {
    match (Decimal::read(one), Decimal::read(other)) {
        (Some(one), Some(other)) => one.is(&other),
        _ => false,
    }
}

/// The exponent that larger ones count as: no number that anybody sends comes near it, and nothing added to it overflows.
const FARTHEST: i64 = 1 << 62;

/// A number as JSON spells it (RFC 8259 section 6), without zeros that mean nothing: `whole` and `fraction` are one row
/// of digits, to be multiplied with ten to the power of `exponent`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal<'a> {
    is_negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Decimal<'a> {
    /// Returns `None` where this is no number. An exponent beyond [`FARTHEST`] counts as that.
    pub(super) fn read(spelled: &'a [u8]) -> Option<Self> {
        let (is_negative, rest) = match spelled.strip_prefix(b"-") {
            Some(rest) => (true, rest),
            None => (false, spelled),
        };
        let (mut whole, rest) = digits(rest)?;
        if whole.len() > 1 && whole[0] == b'0' {
            return None;
        }
        let (mut fraction, rest) = match rest.strip_prefix(b".") {
            Some(rest) => digits(rest)?,
            None => (&rest[..0], rest),
        };
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', exponent @ ..] => power(exponent)?,
            _ => return None,
        };
        fraction = trimmed_end(fraction);
        let mut moved = -i64::try_from(fraction.len()).ok()?;
        if fraction.is_empty() {
            let all = whole.len();
            whole = trimmed_end(whole);
            moved = i64::try_from(all - whole.len()).ok()?;
        }
        if whole == b"0" {
            whole = b"";
        }
        if whole.is_empty() {
            fraction = trimmed_start(fraction);
        }
        let is_zero = whole.is_empty() && fraction.is_empty();
        Some(Self {
            is_negative: is_negative && !is_zero,
            whole,
            fraction,
            exponent: if is_zero {
                0
            } else {
                exponent.checked_add(moved)?
            },
        })
    }

    fn is(&self, other: &Self) -> bool {
        self.is_negative == other.is_negative
            && self.exponent == other.exponent
            && self.digits().eq(other.digits())
    }

    /// Returns the value if it is a whole number of that range.
    pub(super) fn as_u64(&self) -> Option<u64> {
        let power = 10_u64.checked_pow(u32::try_from(self.exponent).ok()?);
        let mut digits = self.digits();
        let value = digits.try_fold(0_u64, |value, digit| {
            value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })?;
        if self.is_negative {
            return None;
        }
        value.checked_mul(power?)
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.iter().chain(self.fraction).copied()
    }
}

/// Reads an exponent: digits, with a sign before them or none.
fn power(bytes: &[u8]) -> Option<i64> {
    let (is_negative, rest) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    let (digits, []) = digits(rest)? else {
        return None;
    };
    let power = digits.iter().fold(0_i64, |power, digit| {
        let more = power
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'));
        more.min(FARTHEST)
    });
    Some(if is_negative { -power } else { power })
}

/// Returns the digits that the bytes begin with, at least one, and what follows them.
fn digits(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_other = |byte: &u8| !byte.is_ascii_digit();
    let length = bytes.iter().position(is_other).unwrap_or(bytes.len());
    (length > 0).then(|| bytes.split_at(length))
}

fn trimmed_start(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    &digits[zeros..]
}

fn trimmed_end(digits: &[u8]) -> &[u8] {
    let zeros = digits
        .iter()
        .rev()
        .take_while(|digit| **digit == b'0')
        .count();
    &digits[..digits.len() - zeros]
}

/// As JSON spells it.
impl std::fmt::Display for Literal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => f.write_str(number),
            Self::String(text) => write!(f, "{text:?}"),
        }
    }
}
