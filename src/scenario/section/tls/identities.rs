//! The certificates that clients show, and their keys: one for all, or one for each.

use std::path::PathBuf;

use super::TlsTable;
use super::pem::{Pem, read_pem};
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
                if !pem.has_key {
                    let hint = "it begins with -----BEGIN PRIVATE KEY-----";
                    section.wrong_at("key", &key.place, "holds no private key", hint);
                }
                path
            }
            None if pem.has_key => path.clone(),
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
        let files: Vec<PathBuf> = (files.into_iter())
            .filter(|path| path.extension().is_some_and(|end| end == "pem"))
            .collect();
        if files.is_empty() {
            let what = "holds no file whose name ends in `.pem`";
            let hint = "put a file with a certificate and its key there for each client";
            section.wrong_at(KEY, &folder.place, what, hint);
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
            let pem = Pem::of(&bytes);
            let lacks = match (pem.has_certificate, pem.has_key) {
                (true, true) => continue,
                (false, _) => "no certificate",
                (true, false) => "no private key",
            };
            let what = format_args!("holds {}, which has {lacks}", file.display());
            let hint = "each file holds a certificate and its key, not encrypted, as PEM";
            section.wrong_at(KEY, &folder.place, what, hint);
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
        let each = ["clients/a.pem", "clients/b.pem"].map(PathBuf::from);
        assert_eq!(
            of("identities = \"clients\""),
            Identities::Each(each.into())
        );
    }
}
