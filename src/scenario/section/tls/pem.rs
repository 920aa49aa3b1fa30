//! What a PEM file holds, and what a file is that is none. Reads no key and no certificate: a run does that.

use std::path::{Path, PathBuf};

use crate::scenario::reading::{At, Outside, Section};

/// What a file is, as far as it can be told without reading keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pem {
    pub(super) has_certificate: bool,
    pub(super) has_key: bool,
    is_encrypted: bool,
    /// Whether it is binary: DER, as PKCS#12 is.
    is_binary: bool,
}

impl Pem {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let has = |text: &[u8]| memchr::memmem::find(bytes, text).is_some();
        let is_encrypted = has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED");
        Self {
            has_certificate: has(b"-----BEGIN CERTIFICATE-----"),
            has_key: has(b"PRIVATE KEY-----") && !is_encrypted,
            is_encrypted,
            // The tag of a sequence, and a length of two bytes (X.690 sections 8.1.2 and 8.1.3).
            is_binary: bytes.starts_with(&[0x30, 0x82]) || bytes.starts_with(&[0x30, 0x80]),
        }
    }
}

/// Reads a PEM file; notes what is none, or is encrypted.
pub(super) fn read_pem(
    section: &mut Section<'_, '_>,
    key: &str,
    path: &At<String>,
) -> Option<(PathBuf, Pem)> {
    let (found, bytes) = (section.check).file(&section.key(key), path, Outside::MAX_FILE)?;
    let pem = Pem::of(&bytes);
    let name = &path.value;
    if pem.is_binary {
        let pem = Path::new(name).with_extension("pem");
        let pem = pem.display();
        let is_p12 = [".p12", ".pfx"].iter().any(|end| name.ends_with(end));
        let (what, hint) = match is_p12 {
            true => (
                "is PKCS#12, not PEM",
                format!("openssl pkcs12 -in {name} -nodes -out {pem}"),
            ),
            false => (
                "is DER, not PEM",
                format!("openssl x509 -inform der -in {name} -out {pem}"),
            ),
        };
        section.wrong_at(key, &path.place, what, hint.as_str());
        return None;
    }
    if pem.is_encrypted {
        let hint = format!("openssl pkey -in {name} -out plain.key");
        section.wrong_at(key, &path.place, "is encrypted", hint.as_str());
        return None;
    }
    Some((found, pem))
}
