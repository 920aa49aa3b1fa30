//! How long a server asks to be left alone: `Retry-After` (RFC 9110 section 10.2.3).

use std::time::Duration;

use super::date;

/// What `Retry-After` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// Not before this time has passed.
    In(Duration),
    /// Not before this date, in seconds since 1970.
    At(i64),
}

impl RetryAfter {
    /// Reads the value of the header; `None` if it is neither a number nor a date.
    pub fn read(value: &[u8]) -> Option<Self> {
        let value = value.trim_ascii();
        if value.iter().all(u8::is_ascii_digit) && !value.is_empty() {
            let seconds = str::from_utf8(value).ok()?.parse();
            return Some(Self::In(Duration::from_secs(seconds.unwrap_or(u64::MAX))));
        }
        date::read(value).map(Self::At)
    }

    /// How long that is from `now`, in seconds since 1970.
    pub fn from(self, now: i64) -> Duration {
        match self {
            Self::In(time) => time,
            Self::At(date) => Duration::from_secs(u64::try_from(date - now).unwrap_or(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn seconds_and_dates_are_read() {
        let seconds = Duration::from_secs;
        for (value, wait) in [
            ("120", Some(seconds(120))),
            (" 0 ", Some(seconds(0))),
            ("Thu, 01 Jan 1970 00:01:40 GMT", Some(seconds(90))),
            ("Thu, 01 Jan 1970 00:00:01 GMT", Some(seconds(0))),
            ("99999999999999999999999", Some(seconds(u64::MAX))),
            ("soon", None),
            ("", None),
            ("-1", None),
        ] {
            let read = RetryAfter::read(value.as_bytes());
            assert_eq!(read.map(|read| read.from(10)), wait, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_value_panics(value in prop::collection::vec(any::<u8>(), 0..40), now in any::<i32>()) {
            let read = RetryAfter::read(&value);
            let _ = read.map(|read| read.from(now.into()));
        }
    }
}
