//! What a certificate (RFC 5280) says of itself: for whom it is, and until when. Checks nothing.

use std::net::IpAddr;

use crate::http::days_since_1970;

// Tags of DER (X.690 section 8.1.2).
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OBJECT: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;
const EXTENSIONS: u8 = 0xA3;
const DNS_NAME: u8 = 0x82;
const ADDRESS: u8 = 0x87;

/// subjectAltName, 2.5.29.17.
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1D, 0x11];

/// What is told of a certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// The names and addresses that it is for, in its order.
    pub(crate) names: Vec<String>,
    /// The end of its validity, in seconds since 1970.
    pub(crate) expires: i64,
}

impl Certificate {
    /// Reads a certificate in DER; `None` where it is none.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let (whole, _) = take(der, SEQUENCE)?;
        let (mut rest, _) = take(whole, SEQUENCE)?;
        if let Some((_, after)) = take(rest, VERSION) {
            rest = after;
        }
        // The serial number, the signature's algorithm, and the issuer.
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            (_, rest) = take(rest, tag)?;
        }
        let (validity, mut rest) = take(rest, SEQUENCE)?;
        let (_, _, until) = element(validity)?;
        let (tag, until, _) = element(until)?;
        let mut names = Vec::new();
        while let Some((tag, content, after)) = element(rest) {
            if tag == EXTENSIONS {
                names = alternative_names(content)?;
            }
            rest = after;
        }
        Some(Self {
            names,
            expires: time(tag, until)?,
        })
    }
}

/// Takes the first element: its tag, its content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match length {
        short @ ..0x80 => (usize::from(short), rest),
        long => {
            let digits = usize::from(long & 0x7F);
            // Four bytes of length are more than any certificate has.
            let (length, rest) = (digits <= 4).then(|| rest.split_at_checked(digits))??;
            let add = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
            (length.iter().fold(0, add), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// Takes the first element if it has this tag: its content, and what follows it.
fn take(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

/// The names among the extensions; empty where that extension is not there.
fn alternative_names(extensions: &[u8]) -> Option<Vec<String>> {
    let (mut extensions, _) = take(extensions, SEQUENCE)?;
    while let Some((extension, after)) = take(extensions, SEQUENCE) {
        extensions = after;
        let (id, mut rest) = take(extension, OBJECT)?;
        if id != ALTERNATIVE_NAMES {
            continue;
        }
        // It may say first that it is critical.
        while let Some((tag, content, after)) = element(rest) {
            if tag == OCTETS {
                return Some(names(take(content, SEQUENCE)?.0));
            }
            rest = after;
        }
    }
    Some(Vec::new())
}

/// Names and addresses; those of other kinds, such as those of people, are left out.
fn names(mut all: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    while let Some((tag, content, after)) = element(all) {
        names.extend(match tag {
            DNS_NAME => Some(String::from_utf8_lossy(content).into_owned()),
            ADDRESS => address(content).map(|address| address.to_string()),
            _ => None,
        });
        all = after;
    }
    names
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// Seconds since 1970 (RFC 5280 section 4.1.2.5).
fn time(tag: u8, text: &[u8]) -> Option<i64> {
    let digits = text.strip_suffix(b"Z")?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            // Years from 50 on are of the last century.
            let year = number(year)?;
            (year + if year < 50 { 2000 } else { 1900 }, rest)
        }
        TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    let parts: Vec<i64> = rest.chunks(2).map(number).collect::<Option<_>>()?;
    let &[month @ 1..=12, day @ 1..=31, hour, minute, second] = parts.as_slice() else {
        return None;
    };
    (year > 1600)
        .then(|| days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn number(digits: &[u8]) -> Option<i64> {
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn der(names: &[&str], until: i32) -> Vec<u8> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_after = date_time_ymd(until, 2, 28);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    /// Years before 2050 are written with two digits, later ones with four.
    #[test]
    fn names_and_the_end_are_read() {
        let names = ["localhost", "*.example.org", "127.0.0.1", "::1"];
        for (until, expires) in [(2027, 1_803_772_800), (2061, 2_876_774_400)] {
            let read = Certificate::read(&der(&names, until)).unwrap();
            assert_eq!(read.names, names);
            assert_eq!(read.expires, expires);
        }
        assert!(Certificate::read(&der(&[], 2027)).unwrap().names.is_empty());
    }

    proptest! {
        #[test]
        fn what_is_damaged_is_read_without_panic(at in 0usize..400, to: u8, length in 0usize..600) {
            let mut der = der(&["localhost"], 2027);
            let at = at % der.len();
            der[at] = to;
            der.truncate(length.max(1));
            let _ = Certificate::read(&der);
        }
    }
}
