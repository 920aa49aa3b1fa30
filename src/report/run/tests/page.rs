//! A page is read like the run that it shows; what is no page, or is cut, changed or too large, says why.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// What tells a page of wsbench from others.
const MARK: &str = "<meta name=\"generator\" content=\"wsbench ";
const COPY: &str = " id=\"run-json\">";

fn page(run: &Run) -> String {
    let mut bytes = Vec::new();
    report::html(run, &mut bytes).unwrap();
    String::from_utf8(bytes).expect("text")
}

fn read_page(page: impl AsRef<[u8]>) -> Result<Run, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.html");
    fs::write(&path, page).unwrap();
    Run::read(&path)
}

fn refused(page: impl AsRef<[u8]>) -> ReadError {
    read_page(page).expect_err("it was read")
}

/// A page that holds this copy.
fn with_copy(copy: &str) -> String {
    let page = page(&small());
    let (before, after) = page.split_once(COPY).unwrap();
    let (_, after) = after.split_once("</script>").unwrap();
    format!("{before}{COPY}{copy}</script>{after}")
}

fn zipped(bytes: &[u8]) -> String {
    let mut zipped = GzEncoder::new(Vec::new(), Compression::best());
    zipped.write_all(bytes).unwrap();
    BASE64.encode(zipped.finish().unwrap())
}

/// A run whose copy fits into its page.
fn small() -> Run {
    let runs = (0..).map(made_up);
    let mut runs = runs.filter(|run| page(run).contains(COPY));
    runs.next().expect("most are small")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_page_is_read_like_its_run(seed: u64) {
        let run = made_up(seed);
        let page = page(&run);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        fs::write(&path, &page).unwrap();
        fs::write(folder.path().join("intervals.jsonl"), intervals(&run)).unwrap();
        fs::write(folder.path().join("judged.csv"), judged(&run)).unwrap();
        match Run::read(&path) {
            Ok(again) => prop_assert_eq!(&again, &run),
            Err(ReadError::WithoutCopy { .. }) => prop_assert!(!page.contains(COPY)),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    /// Cut anywhere, or with any byte changed, it is refused or is the same run; it never ends the program.
    #[test]
    fn a_page_that_is_cut_or_changed_says_so(seed in 0..8_u64, part in 0.0..1.0, byte: u8) {
        let run = made_up(seed);
        let page = page(&run);
        let named = page.find(MARK).expect("it names its generator") + MARK.len();
        let mut page = page.into_bytes();
        let at = (page.len() as f64 * part) as usize;
        let cut = read_page(&page[..at]);
        let is_told = match &cut {
            Err(ReadError::Copy { .. }) => true,
            Err(ReadError::Foreign { .. }) => at < named,
            Err(ReadError::WithoutCopy { .. }) | Ok(_) => page[at..].trim_ascii().len() < 12_000,
            Err(_) => false,
        };
        prop_assert!(is_told, "{cut:?} of {at} bytes");
        page[at] = byte;
        if let Ok(again) = read_page(&page) {
            prop_assert_eq!(again.summary.metrics, run.summary.metrics);
        }
    }
}

#[test]
fn a_page_by_itself_has_all_but_what_lies_beside_it() {
    let mut run = small();
    let again = read_page(page(&run)).unwrap();
    run.summary.intervals.clear();
    for contract in &mut run.verdict.contracts {
        contract.evidence.rows.clear();
    }
    assert_eq!(again, run);
}

#[test]
fn pages_that_cannot_be_read_say_why() {
    let run = small();
    let foreign = refused("<!DOCTYPE html>\n<html><p>hello</p></html>");
    assert!(matches!(foreign, ReadError::Foreign { .. }), "{foreign}");

    let page = page(&run);
    let (before, after) = page.split_once("<script type=\"text/plain\"").unwrap();
    let (_, after) = after.split_once("</script>").unwrap();
    let error = refused(format!("{before}{after}"));
    assert!(matches!(error, ReadError::WithoutCopy { .. }), "{error}");
    assert!(error.to_string().contains("\nhint: "), "{error}");

    let newer = String::from_utf8(stored(&run)).unwrap();
    let newer = newer.replace("\"schema_version\": 1", "\"schema_version\": 2");
    let error = refused(with_copy(&zipped(newer.as_bytes())));
    assert!(
        matches!(error, ReadError::Version { found: 2, .. }),
        "{error}"
    );

    let zip = zipped(&stored(&run));
    let half = &zip[..zip.len() / 8 * 4];
    for (copy, why) in [
        ("no base64!", "Invalid symbol"),
        (&BASE64.encode("no gzip, but long enough"), "gzip"),
        (half, "copy of the run"),
        (&"A".repeat((120 << 10) + 4), "more than 120 KiB"),
    ] {
        let error = refused(with_copy(copy));
        assert!(matches!(error, ReadError::Copy { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    let error = refused(with_copy(&zipped(b"{}")));
    assert!(matches!(error, ReadError::Foreign { .. }), "{error}");
}

/// What a page can unpack to is bounded by the length of its copy, and that is bounded itself.
#[test]
fn too_large_pages_are_not_unpacked() {
    let large = format!("{}{}", page(&small()), " ".repeat(4 << 20));
    let error = refused(large);
    assert!(
        matches!(error, ReadError::TooLong { most, .. } if most == 4 << 20),
        "{error}"
    );
    let bomb = zipped(&vec![b' '; 32 << 20]);
    let error = refused(with_copy(&bomb));
    assert!(matches!(error, ReadError::Foreign { .. }), "{error}");
}
