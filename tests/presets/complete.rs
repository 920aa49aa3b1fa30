//! That no preset is without its server.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use wsbench::scenario::presets;

/// Looks for the names in the cases of this folder, so that a preset without one is refused.
#[test]
fn every_preset_has_a_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/presets");
    let files = fs::read_dir(folder).unwrap();
    let cases: String = files
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    let unproven: BTreeSet<_> = presets()
        .map(|preset| preset.name)
        .filter(|name| !cases.contains(&format!("preset: \"{name}\"")))
        .collect();
    assert_eq!(unproven, BTreeSet::new());
}
