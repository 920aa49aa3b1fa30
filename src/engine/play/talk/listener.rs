//! What one `[[on]]` of a client has heard, or one of its requests: the gaps between messages, their numbers, and how old
//! they are.

use std::time::{Duration, SystemTime};

use crate::engine::play::fact::Facts;
use crate::metric::Counter;
use crate::scenario::{On, ServerTime, TimeUnit};
use crate::units::{Nanos, Timestamp};

/// What one `[[on]]` of a client has heard, or one of its requests.
#[derive(Debug, Default)]
pub(super) struct Listener {
    /// When the last message came.
    last: Option<Timestamp>,
    /// The highest number so far.
    highest: Option<u64>,
}

impl Listener {
    /// A message came that it takes. `is_wrong`: a check of it does not hold.
    pub(super) fn hear(
        &mut self,
        on: &On,
        slot: usize,
        bytes: &[u8],
        mut is_wrong: bool,
        now: Timestamp,
        facts: &mut Facts,
    ) {
        let gap = self
            .last
            .replace(now)
            .map(|last| now.saturating_since(last));
        let age = on.time.as_ref().map(|time| age(time, bytes));
        is_wrong |= age == Some(None);
        if let Some(seq) = &on.seq {
            match seq.find(bytes).and_then(|found| found.as_u64()) {
                Some(number) => self.follow(number, now, facts),
                None => is_wrong = true,
            }
        }
        facts.times(slot, [gap, age.flatten()], now);
        facts.count(Counter::PushesReceived, now);
        if is_wrong {
            facts.count(Counter::PushesWrong, now);
        }
    }

    /// An answer came that tells how old it is. Returns whether it does.
    pub(super) fn hear_age(
        &mut self,
        time: &ServerTime,
        slot: usize,
        bytes: &[u8],
        now: Timestamp,
        facts: &mut Facts,
    ) -> bool {
        let gap = self
            .last
            .replace(now)
            .map(|last| now.saturating_since(last));
        let age = age(time, bytes);
        facts.times(slot, [gap, age], now);
        age.is_some()
    }

    /// Compares a number with the highest one before it.
    fn follow(&mut self, number: u64, now: Timestamp, facts: &mut Facts) {
        facts.count(Counter::PushesNumbered, now);
        let Some(highest) = self.highest else {
            self.highest = Some(number);
            return;
        };
        match number.checked_sub(highest) {
            None => facts.count(Counter::PushesUnordered, now),
            Some(0) => facts.count(Counter::PushesRepeated, now),
            Some(more) => {
                if more > 1 {
                    facts.add(Counter::PushesGaps, more - 1, now);
                }
                self.highest = Some(number);
            }
        }
    }

    /// A new connection: what comes is not compared with what came on the one before.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// How old a message is by the wall clocks of the server and of this machine; zero if it comes from the future. `None`
/// if it does not say.
fn age(time: &ServerTime, bytes: &[u8]) -> Option<Nanos> {
    let found = time.at.find(bytes)?;
    let sent = since_epoch(std::str::from_utf8(&found.text()).ok()?, time.unit)?;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    Some(Nanos::from(now.saturating_sub(sent)))
}

/// The time since 1970 that a text names.
fn since_epoch(text: &str, unit: TimeUnit) -> Option<Duration> {
    let scale = match unit {
        TimeUnit::S => 1_000_000_000,
        TimeUnit::Ms => 1_000_000,
        TimeUnit::Us => 1_000,
        TimeUnit::Ns => 1,
        TimeUnit::Iso => return of_iso(text),
    };
    if let Ok(whole) = text.parse::<u64>() {
        return whole.checked_mul(scale).map(Duration::from_nanos);
    }
    let fraction: f64 = text.parse().ok()?;
    Duration::try_from_secs_f64(fraction * scale as f64 / 1e9).ok()
}

/// Reads a date and a time with `Z` or an offset (RFC 3339 section 5.6).
fn of_iso(text: &str) -> Option<Duration> {
    const OFFSET: usize = "+00:00".len();
    let since = |text: &str| {
        let time = humantime::parse_rfc3339(text).ok()?;
        time.duration_since(SystemTime::UNIX_EPOCH).ok()
    };
    if text.ends_with('Z') {
        return since(text);
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(OFFSET)?)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let hours: u64 = hours.parse().ok().filter(|hours| *hours < 24)?;
    let minutes: u64 = minutes.parse().ok().filter(|minutes| *minutes < 60)?;
    let ahead = Duration::from_secs((60 * hours + minutes) * 60);
    let local = since(&format!("{local}Z"))?;
    match offset.as_bytes()[0] {
        b'+' => local.checked_sub(ahead),
        b'-' => local.checked_add(ahead),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_each_unit() {
        let millis = Some(Duration::from_millis(1_795_000_000_125));
        for (text, unit) in [
            ("1795000000.125", TimeUnit::S),
            ("1795000000125", TimeUnit::Ms),
            ("1795000000125000", TimeUnit::Us),
            ("1795000000125000000", TimeUnit::Ns),
            ("2026-11-18T11:06:40.125Z", TimeUnit::Iso),
            ("2026-11-18T13:06:40.125+02:00", TimeUnit::Iso),
            ("2026-11-18T05:36:40.125-05:30", TimeUnit::Iso),
        ] {
            let read = since_epoch(text, unit);
            let is_close = read
                .zip(millis)
                .is_some_and(|(read, wanted)| read.abs_diff(wanted) < Duration::from_micros(1));
            assert!(is_close, "{text}: {read:?}");
        }
        for text in [
            "",
            "x",
            "-1",
            "2026-11-18",
            "2026-11-18T10:26:40+2:00",
            "+é:00",
        ] {
            assert_eq!(since_epoch(text, TimeUnit::Iso), None, "{text}");
            assert_eq!(
                since_epoch(&format!("{text}x"), TimeUnit::Ms),
                None,
                "{text}"
            );
        }
    }
}
