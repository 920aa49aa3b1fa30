//! The versions of the servers.

use std::fs;
use std::path::Path;

use super::common::process;

/// A server's version is told by the package that it is in.
#[derive(Clone, Copy)]
pub(super) enum Package {
    /// Of Debian.
    Debian(&'static str),
    /// Of PyPI, pinned in `tests/targets/python/requirements.txt`.
    Python(&'static str),
    /// Of npm, pinned in `tests/targets/node/package.json`.
    Node(&'static str),
    /// Of PyPI too, but so large that only `scripts/test --all` installs it, pinned there.
    Large(&'static str),
    /// Of crates.io, pinned in `tests/targets/rust/Cargo.lock`.
    Crate(&'static str),
}

impl Package {
    /// The name and the version.
    pub(super) fn shown(self) -> String {
        match self {
            Self::Debian(name) => format!("{name} {}", installed(name)),
            Self::Python(name) => {
                let begins = format!("{name}==");
                format!(
                    "{name} {}",
                    pinned("targets/python/requirements.txt", &begins)
                )
            }
            Self::Node(name) => {
                let begins = format!("\"{name}\": \"");
                format!("{name} {}", pinned("targets/node/package.json", &begins))
            }
            Self::Large(name) => {
                format!("{name} {}", pinned("../scripts/test", &format!("{name}==")))
            }
            Self::Crate(name) => {
                let begins = format!("name = \"{name}\"\nversion = \"");
                format!("{name} {}", pinned("targets/rust/Cargo.lock", &begins))
            }
        }
    }
}

/// The version behind these words in a file of the tests.
fn pinned(file: &str, begins: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(file);
    let text = fs::read_to_string(path).unwrap();
    let (before, rest) = text
        .split_once(begins)
        .unwrap_or_else(|| panic!("no `{begins}` in {file}"));
    let is_name = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    assert!(
        !before.ends_with(is_name),
        "`{begins}` ends another name in {file}"
    );
    let is_version = |c: char| c.is_ascii_alphanumeric() || c == '.';
    rest[..rest.find(|c| !is_version(c)).unwrap_or(rest.len())].to_owned()
}

/// The version of the project itself, without what Debian adds.
fn installed(name: &str) -> String {
    let query = process::command("dpkg-query")
        .args(["-W", "-f", "${Version}", name])
        .output();
    let version = String::from_utf8(query.unwrap().stdout).unwrap();
    let upstream = version.split_once(':').map_or(&*version, |(_, rest)| rest);
    let upstream = upstream
        .rsplit_once('-')
        .map_or(upstream, |(upstream, _)| upstream);
    let upstream = upstream.split('+').next().unwrap_or_default();
    assert!(
        !upstream.is_empty(),
        "{name} is not installed\nhint: run `scripts/test`"
    );
    upstream.to_owned()
}
