//! Answers are matched to their messages by a stamp, or by their bytes where there is no room for one.
//! Messages whose answers could not be told apart are refused.

use super::check::Check;
use crate::scenario::model::{Cohort, Expect, HeartbeatKind, Message, Payload};
use crate::scenario::place::Place;

/// A shorter payload holds no stamp.
const STAMP: u64 = 48;

/// Notes each pair in a cohort that could not be told apart.
pub(super) fn check(check: &mut Check<'_>, key: &str, place: &Place, cohort: &Cohort) {
    let unstamped: Vec<&Message> = cohort
        .messages
        .iter()
        .filter(|m| is_matched_by_bytes(m))
        .collect();
    for (index, one) in unstamped.iter().enumerate() {
        for other in &unstamped[index + 1..] {
            if alike(&one.payload, &other.payload) {
                let what = format_args!(
                    "has two messages whose answers cannot be told apart: `{}` and `{}`",
                    one.name, other.name
                );
                let hint = "send different bytes, or use `payload = { size = … }` with 48B or more";
                check.problem_with_hint(key, place, what, hint);
            }
        }
        if let Some(HeartbeatKind::Text { expect, .. }) = cohort.heartbeat.as_ref().map(|h| &h.kind)
            && alike(&one.payload, &Payload::Fixed(expect.clone().into_bytes()))
        {
            let what = format_args!(
                "has a message whose answer cannot be told from the heartbeat's: `{}`",
                one.name
            );
            check.problem_with_hint(key, place, what, "send different bytes");
        }
    }
}

fn is_matched_by_bytes(message: &Message) -> bool {
    let unstamped = match &message.payload {
        Payload::Size(size) => size.0 < STAMP,
        Payload::Fixed(_) => true,
    };
    unstamped && message.expect == Expect::Echo
}

/// Whether the bytes are, or may be, the same: what fills a payload without a stamp is nobody's promise.
fn alike(one: &Payload, other: &Payload) -> bool {
    match (one, other) {
        (Payload::Fixed(one), Payload::Fixed(other)) => one == other,
        _ => one.len() == other.len(),
    }
}
