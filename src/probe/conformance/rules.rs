//! The rules as one table: each with its section, how it is tried, and how what was seen is judged.

use serde::{Serialize, Serializer};

use super::closing::{self, OPEN};
use super::framing::{self, ILLEGAL};
use super::handshake::{self, REQUESTS};
use super::judged::{Found, Judged};
use super::log::Seen;
use super::pings;
use super::trial::Trial;

/// How much RFC 6455 asks for a rule (RFC 2119).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// It has to be kept.
    Must,
    /// It must not be done.
    MustNot,
    /// There may be a reason to break it.
    Should,
    /// What is allowed, or what a word means.
    May,
}

impl Level {
    /// The words of RFC 2119.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::MustNot => "MUST NOT",
            Self::Should => "SHOULD",
            Self::May => "MAY",
        }
    }

    /// Whether a server that breaks the rule is wrong.
    pub const fn is_must(self) -> bool {
        matches!(self, Self::Must | Self::MustNot)
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.words())
    }
}

/// A rule of RFC 6455 about servers.
#[derive(Debug, Serialize)]
pub struct Rule {
    /// Its name in reports: R1 to R14 as in the research that led to them, H of the handshake, F of frames, C of closing.
    pub id: &'static str,
    /// Where RFC 6455 says it.
    pub section: &'static str,
    /// How much it is asked for.
    pub level: Level,
    /// What a server does that keeps it.
    #[serde(rename = "rule")]
    pub text: &'static str,
    /// The connections that tell.
    pub tried: &'static [Trial],
    /// Judges what they saw.
    #[serde(skip)]
    judge: fn(&Self, &Seen) -> Found,
}

/// Two rules are the same if they have the same name.
impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

const CLOSES: &[Trial] = &[
    Trial::Close1000,
    Trial::Close1001,
    Trial::Close3000,
    Trial::Close4999,
    Trial::CloseEmpty,
];

macro_rules! rules {
    ($($id:literal $section:literal $level:ident $judge:path, $tried:expr, $text:literal;)*) => {
        &[$(Rule {
            id: $id,
            section: $section,
            level: Level::$level,
            text: $text,
            tried: $tried,
            judge: $judge,
        },)*]
    };
}

/// All rules, in the order in which they are told.
pub(super) const RULES: &[Rule] = rules! {
    "H1" "4.2.2" Must handshake::switches, &[],
        "an upgrade request is answered by a 101 with Upgrade, Connection and the Sec-WebSocket-Accept of its key";
    "H2" "4.2.2" MustNot handshake::grants, &[],
        "a subprotocol or an extension is granted that was not offered";
    "H3" "4.2.2" Must handshake::version, &[Trial::OtherVersion],
        "another version is answered by an error with Sec-WebSocket-Version";
    "H4" "4.2.1" Must handshake::no_101, &[Trial::NoKey],
        "a request without Sec-WebSocket-Key is not answered by a 101";
    "H5" "4.2.1" Must handshake::no_101, &[Trial::Post],
        "a request that is no GET is not answered by a 101";
    "H6" "4.2.1" Must handshake::other_case, &[Trial::OtherCase],
        "Upgrade and Connection are read whatever their capitals, and in a list";
    "H7" "9.1" MustNot handshake::extension, &[Trial::Extension],
        "an extension is agreed to that nobody knows";
    "R1" "5.5.2" Must pings::answered, &[Trial::Pings],
        "a ping is answered by a pong";
    "R2" "5.5.3" Must pings::same_payload, &[Trial::Pings],
        "a pong has the bytes of its ping, whatever they are";
    "R3" "5.5.3" Must pings::last_of_many, &[Trial::Burst],
        "of pings that come together the last one is answered, the others may be";
    "R4" "5.5.3" Must pings::unasked_pong, &[Trial::UnaskedPong],
        "a pong nobody asked for is legal, and is not answered by one";
    "R5" "5.5" Must framing::fails, &[Trial::LongPing, Trial::FragmentedPing],
        "a control frame over 125 bytes or in fragments ends the connection";
    "R5b" "7.1.7" Must pings::bystander, &[Trial::Bystander],
        "what one client does that is illegal ends no other connection";
    "R6" "5.4" Must pings::within, &[Trial::Within],
        "a ping between two fragments is answered before the last one comes";
    "R7" "5.5.1" MustNot closing::nothing_follows, OPEN,
        "data or a second Close follows the server's Close";
    "R8" "5.5.1" Must closing::answered, CLOSES,
        "a Close is answered by a Close";
    "R8b" "5.5.1" Should closing::echoed, CLOSES,
        "the answer to a Close has its code";
    "R9" "7.1.1" Must closing::tcp_ends, OPEN,
        "after both Close frames the server ends TCP at once";
    "R9b" "7.1.1" Should closing::ends_alone, &[Trial::Deaf],
        "after a Close of its own that is not answered the server ends TCP at some time";
    "R10" "7.4" MustNot closing::codes, OPEN,
        "a Close has a code that must not be sent, such as 1005, 1006 and 1015";
    "R11" "7.1.5" May closing::not_the_servers, &[],
        "an end without a Close is 1006 for a client, an empty Close 1005";
    "R12" "7.1.7" Should closing::says_so, ILLEGAL,
        "who fails a connection sends a Close first";
    "R12b" "7.1.7" Should closing::says_so, &[Trial::Quiet],
        "who gives up a silent client sends a Close first";
    "R13" "5.1" MustNot framing::unmasked, OPEN,
        "a server masks a frame";
    "R13b" "5.1" Must framing::fails, &[Trial::Unmasked],
        "a frame without a mask ends the connection";
    "R13c" "5.2" Must framing::fails, &[Trial::ReservedBit],
        "a reserved bit without a meaning ends the connection";
    "R13d" "5.2" Must framing::fails, &[Trial::ReservedOpcode, Trial::ReservedControl],
        "a reserved opcode ends the connection";
    "R13e" "8.1" Must framing::fails, &[Trial::BadUtf8],
        "a text that is not UTF-8 ends the connection";
    "R14" "7.2.3" Should closing::not_the_servers, &[],
        "clients that come back wait for a random time first";
    "F1" "5.2" Must framing::headers, OPEN,
        "frames have no reserved bit or opcode, and the shortest form of their length";
    "F2" "5.4" MustNot framing::fragments, OPEN,
        "the fragments of two messages are mixed";
    "F3" "5.5" Must framing::control, OPEN,
        "control frames have at most 125 bytes, and are whole";
    "F4" "8.1" Must framing::utf8, OPEN,
        "texts and close reasons are UTF-8";
    "F5" "5.2" Must framing::lengths, &[Trial::Lengths],
        "messages are read in each of the three forms of a length";
    "F6" "5.4" Must framing::assembled, &[Trial::Fragments],
        "fragments are one message, and a character may be split";
    "F7" "5.4" Should framing::fails, &[Trial::Orphan, Trial::Interleaved],
        "a continuation of nothing, or a message within another, ends the connection";
    "C1" "5.5.1" Should closing::illegal_close, &[Trial::HalfCode, Trial::BadCode, Trial::BadReason],
        "a Close with half a code, a code that must not be sent or a reason that is not UTF-8 is answered by 1002 or 1007";
};

/// The trials that some rule needs.
pub(super) fn needed() -> impl Iterator<Item = Trial> {
    let is_needed = |trial: &Trial| RULES.iter().any(|rule| rule.tried.contains(trial));
    Trial::ALL.iter().copied().filter(is_needed)
}

/// Judges all rules.
pub(super) fn judged(seen: &Seen) -> Vec<Judged> {
    let judged = RULES.iter().map(|rule| {
        let (outcome, words) = match (&seen.refused, rule.tried.is_empty()) {
            (Some(_), false) => super::judged::untold("no connection opens"),
            _ => (rule.judge)(rule, seen),
        };
        Judged {
            rule,
            outcome,
            seen: words,
        }
    });
    judged.collect()
}

/// All rules as a table of Markdown, for the manual.
pub fn table() -> String {
    let mut text = "| id | section | | rule | tried by |\n|---|---|---|---|---|\n".to_owned();
    for rule in RULES {
        let tried: Vec<&str> = rule.tried.iter().map(|trial| trial.words()).collect();
        let tried = match (rule.id, tried.len()) {
            ("H1" | "H2", _) => "the first upgrade request".to_owned(),
            (_, 0) => "–".to_owned(),
            (_, len) if len == OPEN.len() => "all connections that open".to_owned(),
            _ => tried.join("; "),
        };
        text += &format!(
            "| {} | {} | {} | {} | {tried} |\n",
            rule.id,
            rule.section,
            rule.level.words(),
            rule.text
        );
    }
    text
}

/// The most trials that are made of requests alone; they are not made over HTTP/2.
pub(super) fn is_request(trial: Trial) -> bool {
    REQUESTS.contains(&trial)
}
