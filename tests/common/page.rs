//! The examples of `docs/connections.md`, run as they are written but for the addresses of their servers.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::program::Running;

/// The examples of the page.
pub fn examples() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/connections.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks = page.split("\n```toml\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("\n```\n").next().unwrap().to_owned());
    blocks.collect()
}

/// The one example of the page that says this.
#[track_caller]
pub fn example(says: &str) -> String {
    let mut found = examples().into_iter().filter(|text| text.contains(says));
    let one = found.next().unwrap_or_else(|| panic!("none says {says}"));
    assert_eq!(found.next(), None, "another one says {says}");
    one
}

/// Runs an example for a moment with these texts replaced, each of which occurs in it. All its connections open.
#[track_caller]
pub fn opens(folder: TempDir, example: &str, changes: &[(&str, &str)]) {
    let mut text = example.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "no `{from}` in {example}");
        text = text.replace(from, to);
    }
    let table: toml::Table = toml::from_str(&text).unwrap();
    let has = |key: &str| table.contains_key(key);
    if !has("load") {
        let connections = if has("cohort") {
            ""
        } else {
            "connections = 4\n"
        };
        text = format!("{text}\n[load]\nduration = \"1s\"\n{connections}");
    }
    if !has("name") {
        text = format!("name = \"example\"\n{text}");
    }
    let options = ["--quiet", "--duration", "300ms"];
    let ended = Running::start_in(
        folder,
        &text,
        &options,
        &[("PASSWORD", "s3cret"), ("TOKEN", "s3cret")],
    )
    .end();
    assert_ne!(ended.code, 2, "{}\n{text}", ended.stderr);
    let report = ended.report();
    assert!(report.count("connections.opened") > 0, "{}", ended.stdout);
    assert_eq!(report.errors(), [].into(), "{text}");
}
