//! Each picture of each sample run, compared with the file that was looked at last. `WSBENCH_BLESS=1` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

#[path = "../src/report/picture/tests/samples/mod.rs"]
mod samples;

use wsbench::report::picture::{self, Svg};

use samples::{Run, gates, searches};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pictures")
}

/// Every golden by its name. The long run has none: it is noise, and only its size matters.
fn pictures() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for run in Run::all().into_iter().filter(|run| run.name != "long") {
        for picture in run
            .charts()
            .into_iter()
            .chain(run.others())
            .chain(run.promises())
        {
            all.push((
                format!("{}.{}.svg", run.name, picture.id),
                picture.svg.to_string(),
            ));
        }
        all.push((
            format!("{}.readings.json", run.name),
            run.readings().to_string(),
        ));
    }
    let named = |kind: &str, all: Vec<(&str, Svg)>| {
        let name = |(name, svg): (&str, Svg)| (format!("{kind}.{name}.svg"), svg.to_string());
        all.into_iter().map(name).collect::<Vec<_>>()
    };
    all.extend(named("gate", gates()));
    all.extend(named("search", searches()));
    all
}

/// One element a line, so that a difference can be read.
fn in_lines(text: &str) -> String {
    text.replace("><", ">\n<") + "\n"
}

#[test]
fn pictures_are_as_they_were() {
    let blesses = std::env::var_os("WSBENCH_BLESS").is_some();
    let folder = folder();
    if blesses {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
    }
    let all = pictures();
    for (name, text) in &all {
        let (path, seen) = (folder.join(name), in_lines(text));
        if blesses {
            fs::write(&path, &seen).unwrap();
        }
        let wanted =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(
            wanted == seen,
            "{name} differs; WSBENCH_BLESS=1 writes it anew\n{seen}"
        );
    }
    let files = fs::read_dir(&folder).unwrap().count();
    assert_eq!(
        files,
        all.len(),
        "a file in {} has no picture",
        folder.display()
    );
}
