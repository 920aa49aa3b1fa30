//! The certificates that clients show, and their keys: one for all, or one for each.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::TlsTable;
use super::pem::{Pem, decrypts, read_pem};
use crate::scenario::reading::{At, Section, given};

/// The most identities.
const MAX_IDENTITIES: usize = 100_000;

/// The certificates that clients show, if they are asked for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identities {
    /// They have none.
    None,
    /// All have the same: PEM files with the chain and with the key, which may be one.
    One {
        /// The chain, that of the client first.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// PEM files with a chain and a key each: connection i has the i-th, in turn. Not empty.
    Each(Vec<PathBuf>),
}

impl TlsTable {
    pub(super) fn identities(&self, section: &mut Section<'_, '_>) -> Identities {
        if let Some(folder) = &self.identities {
            let because =
                "cannot be used with `identities`, a folder with the certificates and keys";
            let hint = "leave out one of them";
            section.excluded(&given!(self; certificate, key), because, hint);
            return self.of_folder(section, folder);
        }
        let Some(certificate) = &self.certificate else {
            let because = "is only for `certificate`, and there is none";
            let hint = "write `certificate = \"client.pem\"` too";
            section.excluded(&given!(self; key), because, hint);
            return Identities::None;
        };
        let Some((path, pem)) = read_pem(section, "certificate", certificate) else {
            return Identities::None;
        };
        if !pem.has_certificate {
            let what = "holds no certificate";
            let hint = "write the certificate first, and those that lead to its authority below it";
            section.wrong_at("certificate", &certificate.place, what, hint);
        }
        let key = match &self.key {
            Some(key) => {
                let Some((path, pem)) = read_pem(section, "key", key) else {
                    return Identities::None;
                };
                if pem.is_encrypted {
                    let hint = decrypts(&key.value);
                    section.wrong_at("key", &key.place, "is encrypted", hint.as_str());
                } else if !pem.has_key {
                    let hint = "it begins with -----BEGIN PRIVATE KEY-----";
                    section.wrong_at("key", &key.place, "holds no private key", hint);
                }
                path
            }
            None if pem.has_key => path.clone(),
            None if pem.is_encrypted => {
                let hint = format!(
                    "{}, and `key = \"plain.key\"`",
                    decrypts(&certificate.value)
                );
                let what = "has a key that is encrypted";
                section.wrong_at("certificate", &certificate.place, what, hint.as_str());
                return Identities::None;
            }
            None => {
                let what = "is missing, and `certificate` holds no private key";
                let hint = "write `key = \"client.key\"`";
                section.wrong_at("key", &certificate.place, what, hint);
                return Identities::None;
            }
        };
        Identities::One {
            certificate: path,
            key,
        }
    }

    fn of_folder(&self, section: &mut Section<'_, '_>, folder: &At<String>) -> Identities {
        const KEY: &str = "identities";
        let Some(files) = section.check.folder(&section.key(KEY), folder) else {
            return Identities::None;
        };
        let ends = |path: &PathBuf, ends: &[&str]| {
            let extension = path.extension().and_then(OsStr::to_str);
            extension.is_some_and(|extension| ends.contains(&extension))
        };
        let (files, others): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|path| ends(path, &["pem"]));
        if files.is_empty() {
            let what = "holds no file whose name ends in `.pem`";
            let bags = others.iter().find(|path| ends(path, &["p12", "pfx"]));
            let hint = match bags {
                Some(path) => {
                    let pem = path.with_extension("pem");
                    let (path, pem) = (path.display(), pem.display());
                    format!("openssl pkcs12 -in {path} -nodes -out {pem}")
                }
                None => "put a file with a certificate and its key there for each client".into(),
            };
            section.wrong_at(KEY, &folder.place, what, hint.as_str());
        }
        if files.len() > MAX_IDENTITIES {
            let what = format_args!("holds more than {MAX_IDENTITIES} files");
            section.wrong_at(KEY, &folder.place, what, None);
        }
        for file in &files {
            let Ok(bytes) = (section.check.outside.read)(file) else {
                let what = format_args!("holds {}, which cannot be read", file.display());
                section.wrong_at(KEY, &folder.place, what, None);
                continue;
            };
            let (pem, name) = (Pem::of(&bytes), file.display().to_string());
            const EACH: &str = "each file holds a certificate and its key, not encrypted, as PEM";
            let (which, hint) = match pem.binary(&name) {
                Some(binary) => binary,
                None if !pem.has_certificate => ("has no certificate", EACH.to_owned()),
                None if pem.is_encrypted => ("has a key that is encrypted", decrypts(&name)),
                None if !pem.has_key => ("has no private key", EACH.to_owned()),
                None => continue,
            };
            let what = format_args!("holds {name}, which {which}");
            section.wrong_at(KEY, &folder.place, what, hint.as_str());
        }
        Identities::Each(files)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;

    #[test]
    fn what_is_no_certificate_with_its_key_says_what_it_is_and_what_to_do() {
        for (keys, what, hint) in [
            (
                "certificate = \"chain.pem\"",
                "`target.tls.key` is missing, and",
                "write `key =",
            ),
            (
                "certificate = \"chain.pem\"\nkey = \"secret.key\"",
                "`target.tls.key` is encrypted",
                "openssl pkey -in secret.key -out plain.key",
            ),
            (
                "certificate = \"client.p12\"",
                "is PKCS#12, not PEM",
                "openssl pkcs12 -in client.p12 -nodes -out client.pem",
            ),
            (
                "certificate = \"p12.pem\"",
                "is PKCS#12, not PEM",
                "openssl pkcs12 -in p12.pem -nodes -out plain.pem",
            ),
            (
                "certificate = \"locked.pem\"",
                "`target.tls.certificate` has a key that is encrypted",
                "openssl pkey -in locked.pem -out plain.key, and `key = \"plain.key\"`",
            ),
            (
                "certificate = \"chain.pem\"\nkey = \"key.der\"",
                "`target.tls.key` is DER, not PEM",
                "openssl pkey -inform der -in key.der -out key.pem",
            ),
            (
                "identities = \"locked\"",
                "locked/a.pem, which has a key that is encrypted",
                "openssl pkey -in locked/a.pem",
            ),
            (
                "identities = \"bags\"",
                "bags/a.pem, which is PKCS#12, not PEM",
                "openssl pkcs12 -in bags/a.pem -nodes -out plain.pem",
            ),
            (
                "certificate = \"client.der\"",
                "is DER, not PEM",
                "openssl x509 -inform der",
            ),
            (
                "certificate = \"chain.pem\"\nkey = \"chain.pem\"",
                "holds no private key",
                "BEGIN PRIVATE KEY",
            ),
            (
                "certificate = \"plain.key\"",
                "holds no certificate",
                "write the certificate first",
            ),
            (
                "identities = \"lacking\"",
                "a.pem, which has no private key",
                "a certificate and its key",
            ),
            (
                "identities = \"empty\"",
                "ends in `.pem`",
                "for each client",
            ),
            (
                "identities = \"foreign\"",
                "ends in `.pem`",
                "openssl pkcs12 -in foreign/a.p12 -nodes -out foreign/a.pem",
            ),
            (
                "identities = \"nowhere\"",
                "cannot be listed",
                "it was looked for at nowhere",
            ),
        ] {
            let told = with(keys).expect_err(keys);
            assert!(told.contains(what) && told.contains(hint), "{keys}\n{told}");
        }
    }

    #[test]
    fn a_certificate_may_hold_its_key_and_a_folder_one_for_each_client() {
        let of = |keys| with(keys).unwrap().cohorts[0].access.tls.identities.clone();
        let one = Identities::One {
            certificate: "both.pem".into(),
            key: "both.pem".into(),
        };
        assert_eq!(of("certificate = \"both.pem\""), one);
        // What the hint for an encrypted key leads to.
        let decrypted = Identities::One {
            certificate: "locked.pem".into(),
            key: "plain.key".into(),
        };
        let keys = "certificate = \"locked.pem\"\nkey = \"plain.key\"";
        assert_eq!(of(keys), decrypted);
        let each = ["clients/a.pem", "clients/b.pem"].map(PathBuf::from);
        assert_eq!(
            of("identities = \"clients\""),
            Identities::Each(each.into())
        );
    }
}
