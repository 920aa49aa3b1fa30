//! Checks that answers can be matched: by a stamp, or by their bytes if the payload has no room for a stamp.
//! Refuses messages whose answers could not be told apart.

use super::cohort::Cohort;
use super::heartbeat::HeartbeatKind;
use super::message::MessageTable;
use super::payload::Payload;
use crate::scenario::reading::{At, Check};

/// Notes each message of a cohort that cannot be told apart from an earlier one, or from the heartbeat. `written` holds
/// the tables of its messages, in the same order.
pub(super) fn check(
    check: &mut Check<'_>,
    key: &str,
    written: &[At<MessageTable>],
    cohort: &Cohort,
) {
    let messages = cohort.messages.iter().zip(written);
    let unstamped: Vec<_> = messages.filter(|(m, _)| m.is_matched_by_order()).collect();
    let heartbeat = cohort.heartbeat.as_ref().and_then(|h| match &h.kind {
        HeartbeatKind::Text { expect, .. } => Some(Payload::Fixed(expect.as_bytes().into())),
        HeartbeatKind::Frames => None,
    });
    for (index, (one, table)) in unstamped.iter().enumerate() {
        let earlier = unstamped[..index].iter().map(|(earlier, _)| earlier);
        let twin = earlier.filter(|earlier| alike(&earlier.payload, &one.payload));
        let mut rivals: Vec<String> = twin
            .map(|twin| format!("those to `{}`", twin.name))
            .collect();
        if heartbeat
            .as_ref()
            .is_some_and(|text| alike(text, &one.payload))
        {
            rivals.push("those to the heartbeat".into());
        }
        for rival in rivals {
            let what = format_args!("has answers that cannot be told from {rival}");
            let hint = "send different bytes, or put `{{stamp}}` into the text";
            check.problem(&format!("{key}.payload"), &table.place, what, hint);
        }
    }
}

/// Whether two payloads may have the same bytes: the filling of a payload without a stamp is not specified.
fn alike(one: &Payload, other: &Payload) -> bool {
    match (one, other) {
        (Payload::Fixed(one), Payload::Fixed(other)) => one == other,
        _ => one.longest() == other.longest(),
    }
}
