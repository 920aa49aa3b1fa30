//! What is written is read back the same, and nothing else is believed.

use proptest::prelude::*;

use super::head::{End, Head};
use super::sample::head;
use super::{PIECE, Reader, RecordError, Writer};
use crate::measure::{Ending, Layout, Sample, Shard, State, Window};
use crate::metric::{Cause, Counter, Timed};
use crate::units::{Nanos, Timestamp};

fn layout() -> Layout {
    Layout {
        cohorts: vec![
            ("calm".to_owned(), vec![Timed::sent("echo")]),
            ("busy".to_owned(), Vec::new()),
        ],
        stages: 2,
        topics: Default::default(),
    }
}

fn end() -> End {
    End {
        seconds: 0,
        opened: 0,
        interrupted: false,
        failure: Some("run worker 0: it panicked".to_owned()),
        settled_ns: Some(Timestamp::from_nanos(5)),
        load_ended_ns: Timestamp::from_nanos(6),
        ended_ns: Timestamp::from_nanos(7),
        late_ns: 8,
        throttling: Some((9, 1)),
        told_late_ns: None,
        look_ups_failed: Some((2, "no such host".to_owned())),
    }
}

/// A second in which these connections opened, and ended at once if `ends`.
fn shard(interval: u64, opened: &[u32], ends: bool) -> Shard {
    let mut shard = Shard::new(&layout());
    shard.interval = interval;
    for connection in opened {
        let cohort = &mut shard.cohorts[(connection % 2) as usize];
        cohort.whole.count(Counter::ConnectionsOpened);
        cohort.open.open += 1;
        let window = cohort.window(Window::measured((connection % 2) as usize));
        window.add(Counter::BytesSent, u64::from(*connection));
        if connection % 2 == 0 {
            window.answer(0, Nanos(u64::from(*connection)), Nanos(3));
        }
        shard.loop_lag.record(u64::from(*connection));
        if ends {
            shard.ending(ending(*connection), usize::MAX);
        }
    }
    shard
}

fn ending(connection: u32) -> Ending {
    Ending {
        connection,
        cohort: (connection % 2) as usize,
        opened_ns: Some(Timestamp::from_nanos(connection.into())),
        ended_ns: None,
        state: State::Open,
        close_code: None,
        close_reason: "\u{1b}[31m".to_owned(),
        closed_by: None,
        cause: Cause::Reset,
        detail: format!("{connection:0>100}"),
        last_received_ns: None,
        last_ping_ns: None,
        last_pong_ns: None,
        pings_missed: 0,
        tcp: None,
        extension: None,
        claimed: Some([127, 0, 0, 9].into()),
        tls: None,
    }
}

fn sample(interval: u64) -> Sample {
    Sample {
        cpu: Some(interval as f64 * 1.5),
        rss: None,
        bytes_per_connection: Some(2_048.0),
        target: None,
    }
}

/// When measuring began.
const FROM: Option<Timestamp> = Some(Timestamp::from_nanos(1_500_000_000));

fn written(shards: &[Shard]) -> Vec<u8> {
    let mut writer = Writer::begin(Vec::new(), &head(), layout()).unwrap();
    for shard in shards {
        writer.second(shard, &sample(shard.interval), FROM).unwrap();
    }
    writer.end(end()).unwrap()
}

type All = (Vec<(Vec<u8>, Sample)>, End);

/// Reads all of it; shards as their encoded form, which is the same for equal ones.
fn read(bytes: &[u8]) -> Result<All, RecordError> {
    let mut reader = Reader::begin(bytes)?;
    assert_eq!(reader.head().machine, head().machine);
    let mut seconds = Vec::new();
    while let Some(second) = reader.second(&layout())? {
        assert_eq!(second.measured_from, FROM);
        seconds.push((second.shard.encode(&layout()), second.sample));
    }
    let end = reader.end().cloned().expect("it is over");
    Ok((seconds, end))
}

fn error(bytes: &[u8]) -> String {
    match read(bytes) {
        Ok(_) => panic!("it was read"),
        Err(error) => error.to_string(),
    }
}

fn shards() -> impl Strategy<Value = Vec<Shard>> {
    let opened = prop::collection::vec(any::<u32>(), 0..6);
    let each = prop::collection::vec((1u64..4, opened, any::<bool>()), 0..6);
    each.prop_map(|all| {
        let mut interval = 0;
        let shards = all.into_iter().map(|(step, opened, ends)| {
            interval += step;
            shard(interval, &opened, ends)
        });
        shards.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_back_the_same(shards in shards()) {
        let (seconds, over) = read(&written(&shards)).expect("it was written here");
        let expected: Vec<_> = shards
            .iter()
            .map(|shard| (shard.encode(&layout()), sample(shard.interval)))
            .collect();
        prop_assert_eq!(seconds, expected);
        let opened = shards.iter().map(super::writer::opened_in).sum();
        let told = End { seconds: shards.len() as u64, opened, ..end() };
        prop_assert_eq!(over, told);
    }

    /// Wherever a file is cut, it is told as cut.
    #[test]
    fn a_cut_file_is_told_as_cut(shards in shards(), at in any::<prop::sample::Index>()) {
        let bytes = written(&shards);
        let at = at.index(bytes.len() - 1) + 1;
        let cut = read(&bytes[..at]);
        prop_assert!(matches!(cut, Err(RecordError::Cut(_)) | Ok(_)), "{cut:?}");
        prop_assert!(cut.is_err() || at == bytes.len());
    }

    /// One byte that is not as it was written is noticed, wherever it stands.
    #[test]
    fn a_damaged_file_is_never_read(
        shards in shards(), at in any::<prop::sample::Index>(), change in 1u8..=255,
    ) {
        let mut bytes = written(&shards);
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn whatever_comes_is_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read(&bytes).is_err());
        let begun = [b"wsbr\x02".to_vec(), bytes].concat();
        prop_assert!(read(&begun).is_err());
    }
}

#[test]
fn a_long_shard_takes_several_records() {
    let many: Vec<u32> = (0..8_000).collect();
    let long = shard(3, &many, true);
    let encoded = long.encode(&layout());
    assert!(encoded.len() > PIECE, "{}", encoded.len());
    let bytes = written(&[shard(1, &[1], false), long, shard(4, &[], false)]);
    let (seconds, over) = read(&bytes).unwrap();
    assert_eq!(seconds.len(), 3);
    assert!(seconds[1].0 == encoded);
    assert_eq!((over.seconds, over.opened), (3, 8_001));
}

#[test]
fn what_is_wrong_is_named() {
    assert!(error(b"{\"schema_version\": 1}").contains("no recorded part"));
    assert!(error(b"").contains("no recorded part"));
    assert!(error(b"wsbr\xfe").contains("version 254"));
    let bytes = written(&[shard(1, &[1], false), shard(2, &[3], false)]);
    let twice = [&bytes[..], &bytes[..]].concat();
    assert!(error(&twice).contains("goes on after its end"));
    assert!(error(&bytes[..bytes.len() - 1]).contains("2 whole seconds and no end"));

    let mut short = Writer::begin(Vec::new(), &head(), layout()).unwrap();
    short
        .second(&shard(5, &[], false), &sample(5), FROM)
        .unwrap();
    short
        .second(&shard(5, &[], false), &sample(5), FROM)
        .unwrap();
    assert!(error(&short.end(end()).unwrap()).contains("out of order"));
}

#[test]
fn a_head_that_cannot_be_is_refused() {
    let refused = |change: &dyn Fn(&mut Head)| {
        let mut head = head();
        change(&mut head);
        let bytes = Writer::begin(Vec::new(), &head, layout()).unwrap();
        error(&bytes.end(end()).unwrap())
    };
    assert!(refused(&|head| head.part.number = 5).contains("no such part"));
    assert!(refused(&|head| head.machine.workers = 0).contains("workers"));
    assert!(refused(&|head| head.machine.cores = Some(f64::NAN)).contains("cores"));
}
