//! The copy of `run.json` inside of a page: gzip in base64, in an element of its own. Written and found again here.

use std::io::{self, BufWriter, Read as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use memchr::memmem;

use super::{Run, document};

/// A longer copy is left out of the page, in bytes of base64. It bounds what is unpacked as well: deflate makes at most
/// 1,032 bytes of one.
const MAX_COPY: usize = 120 << 10;
/// The longest page that is read, in bytes; those that are written have at most a tenth of it.
pub(super) const MAX_PAGE: u64 = 4 << 20;
/// What stands before the copy. No text of a run can hold it: its quotes are escaped.
const BEFORE: &str = "<script type=\"text/plain\" id=\"run-json\">";
const AFTER: &str = "</script>";
/// What every page of a run holds, and no other page.
const OF_RUN: &str = "<section id=\"run\">";
/// What every page of wsbench holds.
const GENERATOR: &str = "<meta name=\"generator\" content=\"wsbench ";

/// What is wrong with the copy inside of a page.
#[derive(Debug, thiserror::Error)]
pub enum BrokenCopy {
    /// The page ends before the copy does.
    #[error("the page is cut off before its end")]
    Cut,
    /// The copy is longer than any that is written.
    #[error("it has more than {} KiB, which no copy has", MAX_COPY >> 10)]
    TooLong,
    /// It is no base64.
    #[error("{0}")]
    Base64(#[from] base64::DecodeError),
    /// It is no whole gzip file.
    #[error("{0}")]
    Gzip(#[from] io::Error),
}

/// What a file with a page holds.
pub(super) enum Page {
    /// The document of a run.
    Document(Vec<u8>),
    /// The page of a run that has no copy, since it would have been too long.
    WithoutCopy,
    /// A page of wsbench about several runs: a comparison, or a search.
    OfSeveral,
    /// A page that wsbench did not write.
    Foreign,
}

/// The element with the copy of `run.json`; `None` if it is too long for the page.
///
/// # Errors
/// When the document cannot be written.
pub(in crate::report) fn element(run: &Run) -> io::Result<Option<String>> {
    // The encoder clears 32 KiB for each write, and the document is written in small pieces.
    let zipped = GzEncoder::new(Vec::new(), Compression::best());
    let mut pieces = BufWriter::new(zipped);
    document::write(run, &mut pieces)?;
    let zipped = pieces.into_inner()?.finish()?;
    let fits = zipped.len() <= MAX_COPY / 4 * 3;
    Ok(fits.then(|| format!("{BEFORE}{}{AFTER}", BASE64.encode(zipped))))
}

/// Whether a file that begins like this is a page.
pub(super) fn is_page(start: &[u8]) -> bool {
    let doctype = b"<!doctype html";
    let start = start.trim_ascii_start();
    let start = start.get(..doctype.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(doctype))
}

/// Finds the document of the run inside of a page.
pub(super) fn unpack(page: &[u8]) -> Result<Page, BrokenCopy> {
    if memmem::find(page, GENERATOR.as_bytes()).is_none() {
        return Ok(Page::Foreign);
    }
    let Some(begin) = memmem::find(page, BEFORE.as_bytes()) else {
        let page_of = match memmem::find(page, OF_RUN.as_bytes()) {
            Some(_) => Page::WithoutCopy,
            None => Page::OfSeveral,
        };
        let is_whole = page.trim_ascii_end().ends_with(b"</html>");
        return is_whole.then_some(page_of).ok_or(BrokenCopy::Cut);
    };
    let copy = &page[begin + BEFORE.len()..];
    let end = memmem::find(copy, AFTER.as_bytes()).ok_or(BrokenCopy::Cut)?;
    if end > MAX_COPY {
        return Err(BrokenCopy::TooLong);
    }
    let mut document = Vec::new();
    let zipped = BASE64.decode(&copy[..end])?;
    GzDecoder::new(&zipped[..]).read_to_end(&mut document)?;
    Ok(Page::Document(document))
}
