//! Answers are matched to their messages by a stamp, or by their bytes where there is no room for one.
//! Messages whose answers could not be told apart are refused.

use super::cohort::Cohort;
use super::heartbeat::HeartbeatKind;
use super::message::MessageTable;
use super::payload::Payload;
use crate::scenario::reading::{At, Check};

/// Notes each message of a cohort that could not be told apart from an earlier one, or from the heartbeat.
/// `written` are the tables its messages came from, in the same order.
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
            check.problem_with_hint(&format!("{key}.payload"), &table.place, what, hint);
        }
    }
}

/// Whether the bytes are, or may be, the same: what fills a payload without a stamp is nobody's promise.
fn alike(one: &Payload, other: &Payload) -> bool {
    match (one, other) {
        (Payload::Fixed(one), Payload::Fixed(other)) => one == other,
        _ => one.len() == other.len(),
    }
}
