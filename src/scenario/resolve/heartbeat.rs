//! A `[heartbeat]`: how a connection watches the server, merged from the file's and the cohort's.

use std::time::Duration;

use super::load::time_or;
use crate::scenario::file::{HeartbeatTable, HeartbeatWord, Key};
use crate::scenario::model::{AliveOn, Heartbeat, HeartbeatKind, OnDead, Phase, Reconnect};
use crate::scenario::reading::{At, Check, Place, Switch};

/// The cohort's keys over those for all; "off" removes both.
pub(super) fn merge(
    base: &Key<Switch<HeartbeatTable>>,
    own: &Key<Switch<HeartbeatTable>>,
) -> Option<At<HeartbeatTable>> {
    let on = |key: &Key<Switch<HeartbeatTable>>| match key {
        Some(At {
            value: Switch::On(table),
            place,
        }) => Some(At {
            value: table.clone(),
            place: place.clone(),
        }),
        _ => None,
    };
    match (own, on(own), on(base)) {
        (None, _, base) => base,
        (Some(_), None, _) => None,
        (Some(_), own, None) => own,
        (Some(_), Some(own), Some(base)) => Some(At {
            value: over(own.value, base.value),
            place: own.place,
        }),
    }
}

fn over(own: HeartbeatTable, mut base: HeartbeatTable) -> HeartbeatTable {
    if own
        .kind
        .as_ref()
        .is_some_and(|kind| kind.value == HeartbeatWord::Frames)
    {
        // What only a text heartbeat has goes with the kind that the cohort replaces.
        base.send = None;
        base.expect = None;
    }
    HeartbeatTable {
        interval: own.interval.or(base.interval),
        timeout: own.timeout.or(base.timeout),
        max_missed: own.max_missed.or(base.max_missed),
        phase: own.phase.or(base.phase),
        alive_on: own.alive_on.or(base.alive_on),
        on_dead: own.on_dead.or(base.on_dead),
        auto_pong: own.auto_pong.or(base.auto_pong),
        kind: own.kind.or(base.kind),
        send: own.send.or(base.send),
        expect: own.expect.or(base.expect),
    }
}

/// Resolves a heartbeat.
pub(super) fn heartbeat(
    check: &mut Check<'_>,
    path: &str,
    table: &At<HeartbeatTable>,
    reconnect: Reconnect,
) -> Option<Heartbeat> {
    let keys = &table.value;
    let on_dead = keys
        .on_dead
        .as_ref()
        .map_or(OnDead::Close, |word| word.value);
    if on_dead == OnDead::Reconnect && reconnect == Reconnect::None {
        let place = keys
            .on_dead
            .as_ref()
            .map_or(&Place::Nowhere, |word| &word.place);
        check.problem_with_hint(
            &format!("{path}.on_dead"),
            place,
            "cannot be `reconnect` while nothing says how",
            "write `reconnect = { initial = \"500ms\", max = \"30s\" }` in `[load]` or in the cohort",
        );
    }
    Some(Heartbeat {
        kind: kind(check, path, table)?,
        interval: time_or(keys.interval.as_ref(), Duration::from_secs(10)),
        timeout: time_or(keys.timeout.as_ref(), Duration::from_secs(5)),
        max_missed: keys.max_missed.as_ref().map_or(1, |count| count.value.0),
        phase: keys.phase.as_ref().map_or(Phase::Spread, |word| word.value),
        alive_on: keys
            .alive_on
            .as_ref()
            .map_or(AliveOn::Pong, |word| word.value),
        on_dead,
        auto_pong: keys.auto_pong.as_ref().is_none_or(|yes| yes.value),
    })
}

fn kind(check: &mut Check<'_>, path: &str, table: &At<HeartbeatTable>) -> Option<HeartbeatKind> {
    let HeartbeatTable {
        kind, send, expect, ..
    } = &table.value;
    let (send_key, expect_key) = (format!("{path}.send"), format!("{path}.expect"));
    if kind
        .as_ref()
        .is_none_or(|kind| kind.value == HeartbeatWord::Frames)
    {
        check.excluded(
            &[
                (&send_key, send.as_ref().map(|text| &text.place)),
                (&expect_key, expect.as_ref().map(|text| &text.place)),
            ],
            "is only for a heartbeat of text messages",
            "add `kind = \"text\"`",
        );
        return Some(HeartbeatKind::Frames);
    }
    if send.is_none() {
        check.missing(&table.place, &send_key, "write `send = \"ping\"`");
    }
    if expect.is_none() {
        check.missing(&table.place, &expect_key, "write `expect = \"pong\"`");
    }
    Some(HeartbeatKind::Text {
        send: send.as_ref()?.value.clone(),
        expect: expect.as_ref()?.value.clone(),
    })
}
