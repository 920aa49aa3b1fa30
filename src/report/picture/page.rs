//! The style and the scripts of a page with pictures, to be put inside of it, and the policy that allows nothing else. None
//! of them holds text of a run, so that their hashes can stand in that policy.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The style of the whole report: light, dark, print, and small screens.
pub const STYLE: &str = include_str!("page/style.css");

/// Crosshair and zoom. Expects the text of [`super::Readings`] in `<script type="application/json" id="readings">`.
pub const SCRIPT: &str = include_str!("page/script.js");

/// What a button with `data-save="run.json"` does: saves the file that is in `#run-json` as gzip in base64.
pub const SAVE: &str = include_str!("page/save.js");

/// Keeps a page new that is served while a run goes on: puts in the parts that a server sends.
pub const LIVE: &str = include_str!("page/live.js");

/// The content security policy of a page that holds [`STYLE`] and these scripts: nothing else is styled or run, and nothing
/// is loaded, whatever text of a server is in it.
pub fn policy(scripts: &[&str]) -> String {
    let hash = |text: &str| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let scripts: String = match scripts {
        [] => " 'none'".to_owned(),
        scripts => scripts.iter().map(|script| hash(script)).collect(),
    };
    format!(
        "default-src 'none'; style-src{}; script-src{scripts}; base-uri 'none'; form-action 'none'",
        hash(STYLE)
    )
}
