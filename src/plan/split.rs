//! Frames that are not one message each, as `target.split` says.

use memchr::memmem::Finder;

use crate::scenario;

/// How frames hold messages that are not one each.
#[derive(Debug)]
pub enum Split {
    /// Each is ended or parted by a text.
    Text(Box<Separator>),
    /// They are packets of MQTT 3.1.1, and a packet may lie in several frames.
    Mqtt,
}

impl From<&scenario::Split> for Split {
    fn from(split: &scenario::Split) -> Self {
        match split {
            scenario::Split::Text(text) => Self::Text(Box::new(Separator::new(text))),
            scenario::Split::Mqtt => Self::Mqtt,
        }
    }
}

impl Split {
    /// Returns what each message that is sent ends with.
    pub fn end(&self) -> &[u8] {
        match self {
            Self::Text(separator) => separator.0.needle(),
            Self::Mqtt => b"",
        }
    }
}

/// Parts received frames into messages, and ends those that are sent.
#[derive(Debug)]
pub struct Separator(Finder<'static>);

impl Separator {
    /// Makes it of the text that parts messages: at least one byte.
    pub fn new(text: &str) -> Self {
        Self(Finder::new(text).into_owned())
    }

    /// Returns the messages of a frame, in their order. Line ends before a message do not belong to it, and what is
    /// empty is none.
    pub fn messages<'a>(&'a self, frame: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = Some(frame);
        let pieces = std::iter::from_fn(move || {
            let left = rest?;
            let at = self.0.find(left);
            rest = at.map(|at| &left[at + self.0.needle().len()..]);
            Some(&left[..at.unwrap_or(left.len())])
        });
        pieces.map(without_line_ends).filter(|one| !one.is_empty())
    }

    /// Ends a message that is sent. Line ends alone are no message.
    pub fn end(&self, message: &mut Vec<u8>) {
        if !without_line_ends(message).is_empty() {
            message.extend_from_slice(self.0.needle());
        }
    }
}

fn without_line_ends(bytes: &[u8]) -> &[u8] {
    let first = bytes.iter().position(|byte| !b"\r\n".contains(byte));
    &bytes[first.unwrap_or(bytes.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn messages(split: &str, frame: &str) -> Vec<String> {
        let split = Separator::new(split);
        let texts = split.messages(frame.as_bytes());
        texts
            .map(|text| String::from_utf8(text.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn messages_are_ended_or_parted_and_line_ends_before_them_belong_to_none() {
        for (split, frame, expected) in [
            ("\u{1e}", "a\u{1e}b\u{1e}", vec!["a", "b"]),
            ("\u{1e}", "a\u{1e}b", vec!["a", "b"]),
            ("\u{1e}", "\u{1e}\u{1e}", vec![]),
            ("\n", "{}\n{\"a\":1}\n\n", vec!["{}", "{\"a\":1}"]),
            ("\0", "\n", vec![]),
            ("\0", "\r\n\r\n", vec![]),
            ("\0", "", vec![]),
            (
                "\0",
                "MESSAGE\na:1\n\nx\n\0\nRECEIPT\n\n\0\n",
                vec!["MESSAGE\na:1\n\nx\n", "RECEIPT\n\n"],
            ),
            ("--", "a---b--", vec!["a", "-b"]),
        ] {
            assert_eq!(messages(split, frame), expected, "{frame:?}");
        }
    }

    #[test]
    fn what_is_sent_is_ended_unless_it_is_no_message() {
        let split = Separator::new("\0");
        for (message, expected) in [
            ("SEND\n\nx", "SEND\n\nx\0"),
            ("\n", "\n"),
            ("\r\n", "\r\n"),
            ("", ""),
        ] {
            let mut bytes = message.as_bytes().to_vec();
            split.end(&mut bytes);
            assert_eq!(bytes, expected.as_bytes(), "{message:?}");
        }
    }

    proptest! {
        /// However messages are put into frames, ended or parted, with line ends between them or without: they are the
        /// same messages.
        #[test]
        fn messages_are_the_same_in_whatever_frames_they_come(
            split in prop_oneof![Just("\u{1e}"), Just("\0"), Just("\r\n"), Just("<>")],
            parts in prop::collection::vec(("[a-c]([ -;=?-~]{0,6}|a\n\nb)", any::<bool>(), 0usize..3), 0..20),
        ) {
            let mut frames = vec![String::new()];
            for (text, ends_frame, line_ends) in &parts {
                let frame = frames.last_mut().unwrap();
                frame.push_str(&"\n".repeat(*line_ends));
                frame.push_str(text);
                if *ends_frame {
                    // The last message of a frame need not be ended.
                    frames.push(String::new());
                } else {
                    frame.push_str(split);
                }
            }
            let seen: Vec<String> = frames.iter().flat_map(|frame| messages(split, frame)).collect();
            let sent: Vec<&str> = parts.iter().map(|(text, ..)| text.as_str()).collect();
            prop_assert_eq!(seen, sent);
        }

        /// Any bytes: no panic, each message lies in the frame, none is empty, none holds the text that parts them.
        #[test]
        fn any_frame_is_parted(
            split in "[a\n\0]{1,3}",
            frame in prop::collection::vec(prop_oneof![Just(b'a'), Just(b'\n'), Just(0), any::<u8>()], 0..60),
        ) {
            let parter = Separator::new(&split);
            let mut length = 0;
            for message in parter.messages(&frame) {
                prop_assert!(!message.is_empty() && !b"\r\n".contains(&message[0]));
                prop_assert_eq!(parter.0.find(message), None);
                prop_assert!(frame.as_ptr_range().contains(&message.as_ptr()));
                length += message.len();
            }
            prop_assert!(length <= frame.len());
        }
    }
}
