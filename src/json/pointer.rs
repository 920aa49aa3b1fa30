//! Where a value stands in a document (RFC 6901): as text, and as the steps that lead to it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::str::FromStr;

use memchr::{memchr, memmem};

use super::found::Found;
use super::scanner;

/// A place in a JSON document, such as `/result/0/id` (RFC 6901). The empty one is the whole document.
#[derive(Debug, Clone)]
pub struct Pointer {
    written: Box<str>,
    steps: Box<[Step]>,
    /// Finds the last key in texts without escapes; `None` where it has some itself, or may be the place of an element.
    last_key: Option<Box<memmem::Finder<'static>>>,
}

/// What is written alike is the same place.
impl PartialEq for Pointer {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Pointer {}

impl Hash for Pointer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.written.hash(state);
    }
}

/// One token of a pointer: the key of a member, or the place of an element.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Step {
    pub(super) key: Box<[u8]>,
    /// The key as it stands in a document behind its first quotation mark, where it needs no escapes.
    pub(super) quoted: Option<Box<[u8]>>,
    /// From 0; `None` where the token is no index, so that no array has an element there.
    pub(super) index: Option<usize>,
}

/// Why a text is no pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// Only the empty pointer and those that begin with `/` are allowed (RFC 6901 section 3).
    #[error("does not begin with `/`")]
    NoSlash {
        /// The same text with a slash in front.
        better: String,
    },
    /// `~` only begins the escapes `~0` and `~1` (RFC 6901 section 3).
    #[error("has a `~` that is neither `~0` nor `~1`")]
    Tilde {
        /// Its place in the text, in bytes.
        at: usize,
    },
}

impl PointerError {
    /// Returns the bytes of the text that are wrong.
    pub fn span(&self) -> Range<usize> {
        match *self {
            Self::NoSlash { ref better } => 0..better.len() - 1,
            Self::Tilde { at } => at..at + 1,
        }
    }

    /// Returns what to write instead.
    pub fn hint(&self) -> String {
        match self {
            Self::NoSlash { better } => format!("write \"{better}\" (RFC 6901)"),
            Self::Tilde { .. } => {
                "write `~0` for a tilde and `~1` for a slash in a key (RFC 6901)".to_owned()
            }
        }
    }
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(written: &str) -> Result<Self, PointerError> {
        let mut tokens = written.split('/');
        // What stands before the first slash; the whole text where there is none.
        if tokens.next().is_some_and(|first| !first.is_empty()) {
            let better = format!("/{written}");
            return Err(PointerError::NoSlash { better });
        }
        let escapes = written.match_indices('~');
        for (at, _) in escapes {
            if !written[at..].starts_with("~0") && !written[at..].starts_with("~1") {
                return Err(PointerError::Tilde { at });
            }
        }
        let steps: Box<[Step]> = tokens.map(Step::new).collect();
        let last = steps.last().filter(|last| last.index.is_none());
        let last_key = last.and_then(|last| last.quoted.as_deref());
        let finder = |key: &[u8]| Box::new(memmem::Finder::new(key).into_owned());
        Ok(Self {
            written: written.into(),
            last_key: last_key.map(finder),
            steps,
        })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl Pointer {
    /// Returns it as it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Returns the value at this place of the document that begins at the first `{` or `[`, so that
    /// `430[{"ok":true}]` has `/0/ok`. The first of equal keys counts. Returns `None` where the text ends before the
    /// value does, or is no JSON on the way to it.
    ///
    /// Takes time linear in the text, whatever its depth, and no memory.
    pub fn find<'a>(&self, bytes: &'a [u8]) -> Option<Found<'a>> {
        let mut text = scanner::document(bytes)?;
        for step in &self.steps {
            text = scanner::enter(text, step)?;
        }
        Found::new(scanner::value(text)?)
    }

    /// Tells whether [`Pointer::find`] finds nothing, sooner where that is so: most texts that lack a value have its key
    /// nowhere.
    pub fn is_absent(&self, bytes: &[u8]) -> bool {
        let has_no_key =
            |key: &memmem::Finder<'_>| key.find(bytes).is_none() && memchr(b'\\', bytes).is_none();
        self.last_key.as_deref().is_some_and(has_no_key) || self.find(bytes).is_none()
    }
}

impl Step {
    /// Takes a token whose escapes are right. `~1` is replaced first, so that `~01` is `~1` (RFC 6901 section 4).
    fn new(token: &str) -> Self {
        let is_index = token.bytes().all(|byte| byte.is_ascii_digit())
            && (token == "0" || !token.starts_with('0'));
        let key = token.replace("~1", "/").replace("~0", "~");
        Self {
            quoted: (!key.contains(['"', '\\'])).then(|| format!("{key}\"").into_bytes().into()),
            key: key.into_bytes().into(),
            index: token.parse().ok().filter(|_| is_index),
        }
    }
}
