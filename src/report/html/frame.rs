//! What all pages share: the head, and the verdict at the top. `base.html` is drawn from it, and each page fills its blocks.

use crate::report::picture::{STYLE, policy};
use crate::report::words::{symbol, word};
use crate::verdict::Exit;

/// The head of a page, and the verdict at its top.
pub(crate) struct Frame {
    /// The version of wsbench whose numbers it shows.
    pub(crate) version: String,
    /// What the page is about, for the title of its tab: without what is not safe to show.
    pub(crate) title: String,
    pub(crate) style: &'static str,
    /// The page's own security policy. Holds no text of a run, so it needs no escapes.
    pub(crate) policy: String,
    /// The class of the verdict's colour: `good`, `bad` or `doubt`.
    pub(crate) class: &'static str,
    /// The verdict in one character.
    pub(crate) symbol: &'static str,
    /// The verdict in words, beside its symbol.
    pub(crate) word: &'static str,
}

impl Frame {
    /// The frame of a page about what ended like this, and that holds these scripts.
    pub(crate) fn of(exit: Exit, version: &str, title: String, scripts: &[&str]) -> Self {
        Self {
            version: version.to_owned(),
            title,
            style: STYLE,
            policy: policy(scripts),
            class: match exit {
                Exit::Passed => "good",
                Exit::Untrusted | Exit::Interrupted => "doubt",
                Exit::Unexpected | Exit::Failed | Exit::Invalid => "bad",
            },
            symbol: symbol(exit),
            word: word(exit),
        }
    }
}
