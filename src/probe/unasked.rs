//! Messages that a server sends without being asked: groups them by shape, and recognises those of known protocols.

use super::findings::Unasked;
use crate::units::{counted, is_harmless};

/// The most shapes that are kept; messages of further shapes are only counted.
const MAX_LOOKS: usize = 6;
/// The longest excerpt of a message, in characters.
const SHOWN: usize = 60;

/// What stands in every message of a probe, so that it is known where a server passes it on to others.
pub(super) const OWN: &str = "wsbench probe";

/// Whether a client of this probe has said it.
pub(super) fn is_own(payload: &[u8]) -> bool {
    holds(payload, OWN.as_bytes())
}

/// Whether these bytes are somewhere in the payload.
pub(super) fn holds(payload: &[u8], bytes: &[u8]) -> bool {
    memchr::memmem::find(payload, bytes).is_some()
}

/// Collects the unasked messages of a server.
#[derive(Debug, Default)]
pub(super) struct Collected {
    looks: Vec<MessageShape>,
    /// The number of messages that other clients of the probe had sent.
    pub(super) own: u32,
    /// The number of messages of shapes for which there was no room.
    pub(super) more: u32,
}

#[derive(Debug)]
struct MessageShape {
    /// The message with its numbers replaced, so that a time in it does not make a new shape.
    shape: String,
    last_ns: u64,
    unasked: Unasked,
}

impl Collected {
    /// Adds a message that came this long after the open.
    pub(super) fn add(&mut self, payload: &[u8], at_ns: u64) {
        if is_own(payload) {
            self.own += 1;
            return;
        }
        let sample = shortened(payload);
        let shape = shape(&sample);
        if let Some(look) = self.looks.iter_mut().find(|look| look.shape == shape) {
            look.unasked.count += 1;
            look.last_ns = at_ns;
        } else if self.looks.len() < MAX_LOOKS {
            let guess = guess(payload);
            self.looks.push(MessageShape {
                shape,
                last_ns: at_ns,
                unasked: Unasked {
                    sample,
                    count: 1,
                    first_ns: at_ns,
                    mean_gap_ns: None,
                    guess,
                },
            });
        } else {
            self.more += 1;
        }
    }

    /// One entry for each shape, in order of first arrival.
    pub(super) fn into_messages(self) -> Vec<Unasked> {
        let messages = self.looks.into_iter().map(|look| {
            let gaps = u64::from(look.unasked.count - 1);
            let span = look.last_ns - look.unasked.first_ns;
            Unasked {
                mean_gap_ns: span.checked_div(gaps),
                ..look.unasked
            }
        });
        messages.collect()
    }
}

/// What a server of NATS says first.
pub(super) const NATS: &str = "the greeting of NATS";

/// What the message is in a protocol whose servers send messages without being asked.
fn guess(payload: &[u8]) -> Option<&'static str> {
    let text = std::str::from_utf8(payload).ok()?;
    let packed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    Some(match packed.as_str() {
        "2" => "an engine.io ping, which wants a \"3\" back",
        "{}" => "a Centrifugo ping, which wants a {} back",
        "PING" => "a NATS ping, which wants a PONG back",
        "h" => "a SockJS heartbeat",
        "ping" => "a ping in text",
        "" if text.contains('\n') => "a STOMP heartbeat",
        _ if packed == "{\"type\":6}\u{1e}" => "a SignalR ping",
        _ if packed.starts_with("0{\"sid\":") => "the greeting of engine.io",
        _ if packed.starts_with("INFO{") => NATS,
        _ if packed.contains("\"type\":\"ping\"") => "a ping in JSON",
        _ if packed.contains("\"type\":\"ka\"") => "a keep-alive of subscriptions-transport-ws",
        _ if packed.contains("\"op\":10") && packed.contains("heartbeat_interval") => {
            "the greeting of a Discord gateway"
        }
        _ => return None,
    })
}

/// The text with each run of digits replaced by one `#`.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_digit() { '#' } else { c };
        if c != '#' || !shape.ends_with('#') {
            shape.push(c);
        }
    }
    // Keeps a message of digits only as it is: the packets of engine.io are such numbers.
    if shape == "#" { text.to_owned() } else { shape }
}

/// The beginning of a payload, safe to show; bytes that are not UTF-8 as hex.
pub(super) fn shortened(payload: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(payload) else {
        let hex: String = payload
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let more = if payload.len() > 8 { "…" } else { "" };
        return format!("{} 0x{hex}{more}", counted(payload.len() as u64, "byte"));
    };
    let mut shown: String = (text.chars().take(SHOWN))
        .map(|c| match c {
            '\n' => '⏎',
            c if !is_harmless(c) => '·',
            c => c,
        })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_with_a_time_in_it_is_one_look() {
        let mut collected = Collected::default();
        collected.add(b"{\"type\":\"welcome\"}", 5);
        for number in 0..4u64 {
            let text = format!(
                "{{\"type\":\"ping\",\"message\":{}}}",
                1_700_000_000 + number
            );
            collected.add(text.as_bytes(), 10 + 3_000 * number);
        }
        let messages = collected.into_messages();
        assert_eq!(messages.len(), 2);
        assert_eq!((messages[0].count, messages[0].mean_gap_ns), (1, None));
        assert_eq!(
            (messages[1].count, messages[1].mean_gap_ns),
            (4, Some(3_000))
        );
        assert_eq!(messages[1].guess, Some("a ping in JSON"));
    }

    #[test]
    fn what_another_client_of_the_probe_said_is_not_the_servers() {
        let mut collected = Collected::default();
        collected.add(b"somebody says: wsbench probe 1", 5);
        collected.add(b"news", 6);
        assert_eq!(collected.own, 1);
        assert_eq!(collected.into_messages().len(), 1);
    }

    #[test]
    fn looks_are_limited_and_what_is_left_out_is_counted() {
        let mut collected = Collected::default();
        for letter in 'a'..='j' {
            collected.add(letter.to_string().as_bytes(), 0);
        }
        assert_eq!(collected.more, 10 - MAX_LOOKS as u32);
        assert_eq!(collected.into_messages().len(), MAX_LOOKS);
    }

    #[test]
    fn well_known_messages_are_recognised() {
        for (text, word) in [
            ("2", "engine.io ping"),
            ("0{\"sid\":\"x\"}", "greeting of engine.io"),
            ("{}", "Centrifugo"),
            ("PING\r\n", "NATS"),
            ("\n", "STOMP"),
            ("{\"type\": 6}\u{1e}", "SignalR"),
        ] {
            assert!(guess(text.as_bytes()).unwrap().contains(word), "{text}");
        }
        for text in ["", "3", "hello", "{\"price\": 2}"] {
            assert_eq!(guess(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_short_and_safe() {
        assert_eq!(shortened(b"a\nb\x1b[31m"), "a⏎b·[31m");
        assert_eq!(shortened(&[0xff; 9]), "9 bytes 0xffffffffffffffff…");
        assert_eq!(
            shortened("é".repeat(100).as_bytes()).chars().count(),
            SHOWN + 1
        );
    }
}
