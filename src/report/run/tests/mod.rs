//! Any run, stored and read back, gives the same bytes in every form; what cannot be read says why.

mod dice;
mod size;

use std::fs;

use proptest::prelude::*;

use self::dice::Dice;
use super::*;
use crate::measure::{Histogram, Metric, Row, Value};
use crate::report::{self, Style};

/// All that is made from a run.
fn everything(run: &Run) -> Vec<String> {
    let written = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        write(&mut bytes);
        String::from_utf8(bytes).expect("text")
    };
    vec![
        written(&|out| report::text(run, run.verdict.exit, Style::COLOUR, None, out).unwrap()),
        written(&|out| report::failures(run, run.verdict.exit, Style::PLAIN, None, out).unwrap()),
        written(&|out| report::run_json(run, out).unwrap()),
        written(&|out| report::summary_csv(run, out).unwrap()),
        written(&|out| report::histogram_csv(run, out).unwrap()),
        written(&|out| report::timeline_csv(run, out).unwrap()),
        written(&|out| report::connections_csv(run, out).unwrap()),
        written(&|out| report::contracts_csv(run, out).unwrap()),
    ]
}

fn stored(run: &Run) -> Vec<u8> {
    let mut bytes = Vec::new();
    report::run_json(run, &mut bytes).unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Result<Run, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    fs::write(&path, bytes).unwrap();
    Run::read(&path)
}

fn made_up(seed: u64) -> Run {
    Dice::new(seed).run()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_read_back_shows_the_same(seed: u64) {
        let run = made_up(seed);
        let again = read(&stored(&run)).unwrap();
        prop_assert_eq!(&again, &run);
        prop_assert_eq!(everything(&again), everything(&run));
    }

    #[test]
    fn what_is_cut_short_is_broken(seed: u64, part in 0.0..1.0) {
        let bytes = stored(&made_up(seed));
        let length = (bytes.len() as f64 * part) as usize;
        let cut = read(&bytes[..length]).unwrap_err();
        let is_told = match cut {
            ReadError::Broken { .. } => true,
            ReadError::Foreign { .. } => length < 64,
            _ => false,
        };
        prop_assert!(is_told, "{cut} of {length} bytes");
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let text = String::from_utf8(stored(&made_up(1))).unwrap();
    let refused = |bytes: &[u8]| read(bytes).unwrap_err();
    for foreign in [
        &b"\x89PNG"[..],
        b"",
        b"{}",
        b"[1, 2]",
        b"{\"tool\": \"other\"}",
    ] {
        assert!(matches!(refused(foreign), ReadError::Foreign { .. }));
    }
    let other = text.replace("\"name\": \"wsbench\"", "\"name\": \"other\"");
    assert!(matches!(
        refused(other.as_bytes()),
        ReadError::Foreign { .. }
    ));

    let newer = text.replace("\"schema_version\": 1", "\"schema_version\": 7");
    let error = refused(newer.as_bytes());
    assert!(matches!(error, ReadError::Version { found: 7, .. }));
    assert!(error.to_string().contains("\nhint: "), "{error}");

    let broken = text.replace("\"outcome\": ", "\"outcom\": ");
    let error = refused(broken.as_bytes());
    assert!(matches!(error, ReadError::Broken { .. }));
    assert!(
        error.to_string().contains("missing field `outcome`"),
        "{error}"
    );

    let missing = Run::read("no/such/run.json".as_ref()).unwrap_err();
    assert!(matches!(missing, ReadError::System { .. }));
}

#[test]
fn what_contradicts_itself_is_broken() {
    let mut run = made_up(1);
    let step = Dice::new(1).step();
    run.summary.timeline = vec![Row { cohort: 0, ..step }];
    let mut times = Histogram::new();
    times.record(5_000);
    run.summary.metrics = vec![Metric {
        name: "heartbeat.rtt".to_owned(),
        cohort: None,
        stage: None,
        seconds: 1.0,
        value: Value::Histogram(Box::new(times)),
    }];
    let text = String::from_utf8(stored(&run)).unwrap();
    for (right, wrong, why) in [
        (
            "\"count\":1,\"sum\"",
            "\"count\":2,\"sum\"",
            "contradict its `hdr`",
        ),
        (
            "\"kind\":\"histogram\"",
            "\"kind\":\"pie\"",
            "no kind `pie`",
        ),
        ("\"name\":\"main\",", "\"name\":\"other\",", "cohort `main`"),
        ("\"phase\":\"", "\"phase\":\"no", "is no phase of a run"),
    ] {
        assert!(text.contains(right), "{text}");
        let error = read(text.replace(right, wrong).as_bytes()).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}
