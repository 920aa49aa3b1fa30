//! The style and the scripts of a page with pictures, to be put inside of it. None of them holds text of a run, so that
//! their hashes can stand in a policy.

/// The style of the whole report: light, dark, print, and small screens.
pub const STYLE: &str = include_str!("page/style.css");

/// Crosshair and zoom. Expects the text of [`super::Readings`] in `<script type="application/json" id="readings">`.
pub const SCRIPT: &str = include_str!("page/script.js");

/// What a button with `data-save="run.json"` does: saves the file that is in `#run-json` as gzip in base64.
pub const SAVE: &str = include_str!("page/save.js");
