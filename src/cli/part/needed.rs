//! The files that a scenario needs besides its own text: their hashes, and whether they are the same somewhere else. They
//! stay where they are; only their names and hashes travel.

use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::cli::error::CliError;
use crate::cli::files::{self, Needed};
use crate::scenario::Outside;
use crate::units::visible;

/// The most of them that are named.
const SHOWN: usize = 10;

/// The files that a scenario was read from besides its own, each with its SHA-256 in hexadecimal.
///
/// # Errors
/// When one cannot be read again.
pub(super) fn digests(files: &[Needed]) -> Result<Vec<(String, String)>, CliError> {
    let files = files.iter().skip(1);
    let digests = files.map(|(path, _)| {
        let digest = digest(path).map_err(|source| CliError::Scenario {
            path: path.clone(),
            hint: "it is needed once more, to tell that all parts have the same".to_owned(),
            source,
        })?;
        Ok((name(path), digest))
    });
    digests.collect()
}

/// Checks that these files are here, and the same.
///
/// # Errors
/// When some are not. Names all of them, each with the hash that it has to have; what is here in its place is told nobody.
pub(super) fn check(known: &[(String, String)]) -> Result<(), CliError> {
    let lacking: Vec<String> = known.iter().filter_map(lack).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let mut lines: Vec<&str> = lacking.iter().take(SHOWN).map(String::as_str).collect();
    let more = format!("and {} more", lacking.len() - lines.len());
    if lines.len() < lacking.len() {
        lines.push(&more);
    }
    let (lacks, needed) = (lacking.len(), known.len());
    let folder = std::env::current_dir();
    let folder = folder.map_or_else(
        |_| String::new(),
        |path| format!(", seen from {}", visible(&name(&path))),
    );
    Err(CliError::Changed(format!(
        "{lacks} of the {needed} files that its scenario needs are not the same here{folder}\n  {}\nhint: put them there, with the \
         same paths; `sha256sum FILE` tells what one has",
        lines.join("\n  ")
    )))
}

/// Checks that nothing else was read than these files.
///
/// # Errors
/// When something was, or something was not read.
pub(super) fn check_names(read: &[Needed], known: &[(String, String)]) -> Result<(), CliError> {
    let read: Vec<String> = read.iter().skip(1).map(|(path, _)| name(path)).collect();
    let is_known = |name: &String| known.iter().any(|(known, _)| known == name);
    let why = match read.iter().find(|name| !is_known(name)) {
        Some(other) => format!("it needs {} here as well", visible(other)),
        None if read.len() != known.len() => {
            "its scenario needs other files than it was made with".to_owned()
        }
        None => return Ok(()),
    };
    Err(CliError::Changed(why))
}

/// What is wrong with a file, if anything is.
fn lack((file, known): &(String, String)) -> Option<String> {
    let why = match digest(Path::new(file)) {
        Ok(digest) if digest == *known => return None,
        Ok(_) => "is another file".to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => "is not there".to_owned(),
        Err(error) => format!("cannot be read: {error}"),
    };
    Some(visible(&format!("{file} {why}; it has SHA-256 {known}")))
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

/// The SHA-256 of a file, in hexadecimal. Waits for nobody: a pipe is no file.
fn digest(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let file = files::open_file(path)?;
    file.take(Outside::MAX_DATA + 1).read_to_end(&mut bytes)?;
    Ok(hex(&Sha256::digest(&bytes)))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn says(files: &[(String, String)]) -> String {
        match check(files) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn all_files_that_are_not_the_same_are_named_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let needed: Vec<Needed> = ["scenario", "same", "other", "gone", "folder"]
            .map(|name| (path(name), "needed"))
            .into();
        for (path, _) in &needed {
            fs::write(path, path.display().to_string()).unwrap();
        }
        let known = digests(&needed).unwrap();
        assert_eq!(known.len(), 4, "the scenario is none of them");
        assert_eq!(says(&known), "");
        fs::write(path("other"), "of another day").unwrap();
        fs::remove_file(path("gone")).unwrap();
        fs::remove_file(path("folder")).unwrap();
        fs::create_dir(path("folder")).unwrap();
        let said = says(&known);
        for (name, why) in [
            ("other", "is another file"),
            ("gone", "is not there"),
            ("folder", "cannot be read"),
        ] {
            let line = said
                .lines()
                .find(|line| line.contains(&format!("/{name} ")));
            let line = line.unwrap_or_else(|| panic!("{name}: {said}"));
            let (_, digest) = known.iter().find(|(file, _)| file.ends_with(name)).unwrap();
            assert!(line.contains(why) && line.ends_with(digest), "{line}");
        }
        assert!(
            said.starts_with("make the plan again: 3 of the 4 files"),
            "{said}"
        );
        // What is here in its place is nobody's business.
        assert!(!said.contains(&digest(&path("other")).unwrap()), "{said}");
        assert_eq!(said.matches("SHA-256").count(), 3);
    }

    #[test]
    fn a_file_that_is_read_here_only_is_named() {
        let read = |names: &[&str]| -> Vec<Needed> {
            names.iter().map(|name| (name.into(), "needed")).collect()
        };
        let known = [("a".to_owned(), String::new())];
        assert!(check_names(&read(&["scenario", "a"]), &known).is_ok());
        let more = check_names(&read(&["scenario", "a", "b"]), &known).unwrap_err();
        assert!(
            more.to_string().contains("it needs b here as well"),
            "{more}"
        );
        assert!(check_names(&read(&["scenario"]), &known).is_err());
    }

    #[test]
    fn not_every_file_of_very_many_is_shown() {
        let known: Vec<(String, String)> = (0..1_000)
            .map(|number| (format!("/nowhere/{number}"), "0".repeat(64)))
            .collect();
        let said = says(&known);
        assert!(
            said.contains("1000 of the 1000") && said.contains("and 990 more"),
            "{said}"
        );
        assert!(said.lines().count() < SHOWN + 5, "{said}");
    }
}
