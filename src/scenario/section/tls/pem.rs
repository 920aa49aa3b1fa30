//! What a PEM file holds, and what a file is that is none. Reads no key and no certificate: a run does that.

use std::path::{Path, PathBuf};

use memchr::memmem;

use crate::scenario::reading::{At, Outside, Section};

// Tags of DER (X.690 section 8.1.2).
const INTEGER: u8 = 0x02;
const OBJECT: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// What a file is, as far as it can be told without reading keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pem {
    pub(super) has_certificate: bool,
    /// Whether it has a key that is not encrypted.
    pub(super) has_key: bool,
    /// Whether it has a key that is encrypted.
    pub(super) is_encrypted: bool,
    /// What it is instead, if it is no PEM.
    binary: Option<Binary>,
}

/// What is kept as bytes.
#[derive(Debug, Clone, Copy)]
enum Binary {
    /// Certificates with their keys, under a password (RFC 7292).
    Pkcs12,
    /// A key, as DER.
    Key,
    /// A certificate, as DER.
    Certificate,
}

impl Pem {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let has = |text: &[u8]| memmem::find(bytes, text).is_some();
        let is_encrypted = has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED");
        Self {
            has_certificate: has(b"-----BEGIN CERTIFICATE-----"),
            has_key: has(b"PRIVATE KEY-----") && !is_encrypted,
            is_encrypted,
            binary: if has(b"-----BEGIN ") {
                None
            } else {
                Binary::of(bytes)
            },
        }
    }

    /// What it is if it is no PEM, and the command that makes a PEM file of it; `path` is the file.
    pub(super) fn binary(&self, path: &str) -> Option<(&'static str, String)> {
        let pem = Path::new(path).with_extension("pem");
        // The file must not be written over.
        let pem = match pem == Path::new(path) {
            true => "plain.pem".into(),
            false => pem.display().to_string(),
        };
        Some(match self.binary? {
            Binary::Pkcs12 => (
                "is PKCS#12, not PEM",
                format!("openssl pkcs12 -in {path} -nodes -out {pem}"),
            ),
            Binary::Key => (
                "is DER, not PEM",
                format!("openssl pkey -inform der -in {path} -out {pem}"),
            ),
            Binary::Certificate => (
                "is DER, not PEM",
                format!("openssl x509 -inform der -in {path} -out {pem}"),
            ),
        })
    }
}

impl Binary {
    /// Tells it from how the first element inside begins; `None` for what is no DER, nor the BER of some PKCS#12 files.
    fn of(bytes: &[u8]) -> Option<Self> {
        let content = inside(bytes)?;
        match *content {
            // The version: 3 of PKCS#12, 0 or 1 of a key (RFC 5958, 8017 and 5915).
            [INTEGER, 1, 3, ..] => Some(Self::Pkcs12),
            [INTEGER, 1, ..] => Some(Self::Key),
            // How a key is encrypted is said by an id.
            [SEQUENCE, ..] if inside(content)?.first() == Some(&OBJECT) => Some(Self::Key),
            [SEQUENCE, ..] => Some(Self::Certificate),
            _ => None,
        }
    }
}

/// What follows the tag and the length of a sequence (X.690 section 8.1.3).
fn inside(bytes: &[u8]) -> Option<&[u8]> {
    match *bytes {
        [SEQUENCE, length, ..] => {
            let more = if length < 0x80 { 0 } else { length & 0x7F };
            bytes.get(2 + usize::from(more)..)
        }
        _ => None,
    }
}

/// Reads a PEM file; notes what is none.
pub(super) fn read_pem(
    section: &mut Section<'_, '_>,
    key: &str,
    path: &At<String>,
) -> Option<(PathBuf, Pem)> {
    let (found, bytes) = (section.check).file(&section.key(key), path, Outside::MAX_FILE)?;
    let pem = Pem::of(&bytes);
    if let Some((what, hint)) = pem.binary(&path.value) {
        section.wrong_at(key, &path.place, what, hint.as_str());
        return None;
    }
    Some((found, pem))
}

/// The command that takes the password off a key.
pub(super) fn decrypts(path: &str) -> String {
    format!("openssl pkey -in {path} -out plain.key")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As openssl begins what it writes: a certificate, keys by PKCS#8, PKCS#1 and SEC1, one that is encrypted, and PKCS#12, of
    /// which other programs write the lengths at the ends.
    #[test]
    fn what_is_binary_is_told_by_its_first_bytes() {
        let command = |bytes: &[u8]| Pem::of(bytes).binary("a.bin").map(|(_, command)| command);
        for (bytes, command_begins) in [
            (
                &[0x30, 0x82, 3, 9, 0x30, 0x82, 1, 0xF1, 0xA0, 3][..],
                "x509",
            ),
            (&[0x30, 0x82, 4, 0xBE, 2, 1, 0, 0x30, 13, 6], "pkey"),
            (&[0x30, 0x81, 0x87, 2, 1, 0, 0x30, 19, 6], "pkey"),
            (&[0x30, 0x82, 4, 0xA4, 2, 1, 0, 2, 0x82, 1], "pkey"),
            (&[0x30, 0x77, 2, 1, 1, 4, 32], "pkey"),
            (&[0x30, 0x81, 0xEC, 0x30, 0x57, 6, 9, 42], "pkey"),
            (&[0x30, 0x82, 9, 0x6F, 2, 1, 3, 0x30, 0x82, 9], "pkcs12"),
            (&[0x30, 0x80, 2, 1, 3, 0x30, 0x80, 6, 9], "pkcs12"),
        ] {
            let command = command(bytes).expect(command_begins);
            assert!(
                command.starts_with(&format!("openssl {command_begins} ")),
                "{command}"
            );
        }
        for text in [
            "",
            "0",
            "0.5 is no DER",
            "-----BEGIN CERTIFICATE-----",
            "\u{0}",
        ] {
            assert_eq!(command(text.as_bytes()), None, "{text}");
        }
    }
}
