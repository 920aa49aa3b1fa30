//! What a suite of cases did with a client, and what the client answered, as a text that is kept:
//!
//! ```text
//! case 1.1.2 OK
//! > 817d 2a*125     the server sends these bytes in one piece
//! < 81 2a*125       the client has sent this frame: its first byte, and its payload without the mask
//! < 8803e8
//! > end             the server has ended TCP
//! ```
//!
//! `2a*125` is 125 times these bytes. What the client does stands where the server had seen it: nothing behind it is
//! sent before that.

use std::fmt::{self, Write as _};

/// The most bytes that are looked at for being repeated.
const LONGEST_PERIOD: usize = 16;
/// How many bytes repetitions are worth to be written as such.
const WORTH: usize = 16;

/// All cases, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Recording {
    pub(crate) cases: Vec<Case>,
}

/// One case: one connection after its handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// What the suite said of the client.
    pub(crate) verdict: String,
    pub(crate) steps: Vec<Step>,
}

/// What one side did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) by: Side,
    pub(crate) did: Did,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Server,
    Client,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Did {
    /// Sent bytes: of the server as they are; of the client the first byte of a frame, and its unmasked payload.
    Send(Vec<u8>),
    /// Ended TCP.
    End,
}

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for case in &self.cases {
            writeln!(f, "case {} {}", case.name, case.verdict)?;
            for step in &case.steps {
                writeln!(f, "{step}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            Side::Server => '>',
            Side::Client => '<',
        };
        match &self.did {
            Did::Send(bytes) => write!(f, "{by} {}", packed(bytes)),
            Did::End => write!(f, "{by} end"),
        }
    }
}

#[cfg(test)]
impl Recording {
    /// Reads a text; lines that begin with `#` are comments.
    ///
    /// # Errors
    /// The first line that is none of a recording.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut cases: Vec<Case> = Vec::new();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        for line in lines {
            let wrong = || format!("no line of a recording: {line:.60}");
            let (kind, rest) = line.split_once(' ').ok_or_else(wrong)?;
            let by = match kind {
                "case" => {
                    let (name, verdict) = rest.split_once(' ').ok_or_else(wrong)?;
                    cases.push(Case {
                        name: name.to_owned(),
                        verdict: verdict.to_owned(),
                        steps: Vec::new(),
                    });
                    continue;
                }
                ">" => Side::Server,
                "<" => Side::Client,
                _ => return Err(wrong()),
            };
            let did = match rest {
                "end" => Did::End,
                packed => Did::Send(unpacked(packed).ok_or_else(wrong)?),
            };
            let case = cases.last_mut().ok_or_else(wrong)?;
            case.steps.push(Step { by, did });
        }
        Ok(Self { cases })
    }
}

/// The bytes as hex, with what is repeated written once.
fn packed(bytes: &[u8]) -> String {
    let (mut text, mut at, mut is_open) = (String::new(), 0, false);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let repeated = (1..=LONGEST_PERIOD)
            .map(|period| (period, repeats(rest, period)))
            .filter(|(period, times)| period * (times - 1) >= WORTH)
            .max_by_key(|(period, times)| (period * times, LONGEST_PERIOD - period));
        let (length, times) = repeated.unwrap_or((1, 1));
        if !text.is_empty() && (times > 1 || !is_open) {
            text.push(' ');
        }
        for byte in &rest[..length] {
            let _ = write!(text, "{byte:02x}");
        }
        if times > 1 {
            let _ = write!(text, "*{times}");
        }
        is_open = times == 1;
        at += length * times;
    }
    text
}

/// How often the first `period` bytes stand there, one behind the other; at least once.
fn repeats(bytes: &[u8], period: usize) -> usize {
    let Some(first) = bytes.get(..period) else {
        return 1;
    };
    bytes
        .chunks(period)
        .take_while(|piece| piece == &first)
        .count()
}

/// The bytes of a packed text; `None` if it is none.
#[cfg(test)]
fn unpacked(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for piece in text.split(' ') {
        let (hex, times) = match piece.split_once('*') {
            Some((hex, times)) => (hex, times.parse().ok()?),
            None => (piece, 1),
        };
        if hex.is_empty() || hex.len() % 2 == 1 || !hex.is_ascii() {
            return None;
        }
        let pairs = (0..hex.len()).step_by(2);
        let once = pairs.map(|at| u8::from_str_radix(&hex[at..at + 2], 16));
        let once: Vec<u8> = once.collect::<Result<_, _>>().ok()?;
        bytes.extend(once.repeat(times));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_from_their_text() {
        for (bytes, text) in [
            (b"abc".repeat(100), "616263*100"),
            (vec![0x81, 2, 0x41, 0x41], "81024141"),
            (
                [vec![1, 2], vec![0; 40], vec![3, 4]].concat(),
                "0102 00*40 0304",
            ),
            ([vec![7; 30], vec![8; 30]].concat(), "07*30 08*30"),
        ] {
            assert_eq!(packed(&bytes), text);
            assert_eq!(unpacked(text), Some(bytes));
        }
    }

    #[test]
    fn a_recording_comes_back_from_its_text() {
        let text = "case 1.1.1 OK\n> 8100\n< 81\n< end\ncase 1.1.2 NON-STRICT\n> end\n";
        let recording = Recording::read(&format!("# of ours\n{text}")).unwrap();
        assert_eq!(recording.to_string(), text);
        assert_eq!(recording.cases[1].verdict, "NON-STRICT");
    }

    #[test]
    fn what_is_no_recording_is_told() {
        for text in [
            "> 81",
            "case 1",
            "case 1 OK\n> 8",
            "case 1 OK\n> x",
            "case 1 OK\n? 81",
        ] {
            assert!(
                Recording::read(text).unwrap_err().starts_with("no line of"),
                "{text}"
            );
        }
    }
}
