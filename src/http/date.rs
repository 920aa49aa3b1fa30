//! The date in a cookie (RFC 6265 section 5.1.1), which servers write in many ways.

/// Returns the date in seconds since 1970, UTC; `None` where it is no date.
pub(super) fn read(text: &[u8]) -> Option<i64> {
    let is_delimiter =
        |byte: &u8| matches!(byte, b'\t' | b' '..=b'/' | b';'..=b'@' | b'['..=b'`' | b'{'..=b'~');
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for word in text.split(is_delimiter).filter(|word| !word.is_empty()) {
        if time.is_none()
            && let Some(found) = time_of(word)
        {
            time = Some(found);
        } else if day.is_none()
            && let Some(found) = number(word, 1..=2)
        {
            day = Some(found);
        } else if month.is_none()
            && let Some(found) = month_of(word)
        {
            month = Some(found);
        } else if year.is_none()
            && let Some(found) = number(word, 2..=4)
        {
            year = Some(found);
        }
    }
    let year = match year? {
        short @ 70..=99 => short + 1900,
        short @ 0..=69 => short + 2000,
        long => long,
    };
    let ((hour, minute, second), day, month) = (time?, day?, month?);
    let is_date = year >= 1601 && (1..=days_of(month, year)).contains(&day);
    (is_date && hour < 24 && minute < 60 && second < 60)
        .then(|| days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Returns the number that a word begins with, which has so many digits.
fn number(word: &[u8], digits: std::ops::RangeInclusive<usize>) -> Option<i64> {
    let length = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = str::from_utf8(&word[..length]).ok()?;
    digits.contains(&length).then(|| text.parse().ok())?
}

/// Returns hour, minute and second.
fn time_of(word: &[u8]) -> Option<(i64, i64, i64)> {
    let mut parts = word.splitn(3, |byte| *byte == b':');
    let mut whole = || {
        parts
            .next()
            .filter(|part| part.iter().all(u8::is_ascii_digit))
            .and_then(|part| number(part, 1..=2))
    };
    let (hour, minute) = (whole()?, whole()?);
    Some((hour, minute, number(parts.next()?, 1..=2)?))
}

/// Counts months from 1.
fn month_of(word: &[u8]) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let first = word.get(..3)?;
    (1..)
        .zip(MONTHS)
        .find(|(_, month)| month.as_bytes().eq_ignore_ascii_case(first))
        .map(|(number, _)| number)
}

fn days_of(month: i64, year: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Counts in years that begin with March, so that the leap day is the last one. Years are after 1600.
pub(crate) fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let before_year = 365 * year + year / 4 - year / 100 + year / 400;
    let before_month = (153 * month + 2) / 5;
    before_year + before_month + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use proptest::prelude::*;

    use super::read;

    #[test]
    fn dates_are_read_in_all_their_forms() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "6 nov 1994 8:49:37x",
            "1994 08:49:37 06 november",
        ] {
            assert_eq!(read(text.as_bytes()), Some(784_111_777), "{text}");
        }
        assert_eq!(read(b"Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(read(b"Thu, 01-Jan-69 00:00:00 GMT"), Some(3_124_224_000));
        for text in [
            "",
            "0",
            "Sun, 06 Nov 1994",
            "06 Nov 1994 24:00:00",
            "29 Feb 2023 00:00:00",
            "1 Jan 1600 00:00:00",
            "Sun, 06 Nov 1994 8:49",
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_date_is_what_was_written(seconds in 0_u64..253_402_300_800) {
            const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let text = humantime::format_rfc3339_seconds(time).to_string();
            let month: usize = text[5..7].parse().unwrap();
            let text = format!("{} {} {} {}", &text[8..10], MONTHS[month - 1], &text[..4], &text[11..19]);
            prop_assert_eq!(read(text.as_bytes()), Some(seconds as i64));
        }

        #[test]
        fn any_bytes_are_a_date_or_none(
            bytes in prop_oneof!["[0-9:a-v ,-]{0,40}".prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..60)]
        ) {
            read(&bytes);
        }
    }
}
