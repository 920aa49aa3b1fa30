//! The texts of rooms: what a client asks, what it is answered, and what members hear.
//!
//! ```text
//! {"join":"r","id":1}                           → {"id":1,"ok":true}
//! {"leave":"r","id":2}                          → {"id":2,"ok":true}
//! {"say":"r","id":3,"data":…,"self":false}      → {"id":3,"ok":true}
//!                               or, if refused  → {"id":3,"ok":false,"error":"…"}
//! each member hears                               {"room":"r","seq":7,"at":MS,"data":…}
//! and at each tick                                {"room":"r","tick":9,"at":MS}
//! ```

use serde::Deserialize;
use serde_json::value::RawValue;

/// What a client asks of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request<'a> {
    pub(super) room: String,
    /// The JSON value that names the request in its answer, as it was spelled. Without one there is no answer.
    pub(super) id: Option<&'a str>,
    pub(super) action: Action<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action<'a> {
    Join,
    Leave,
    Say {
        /// A JSON value as it was spelled; `null` if there was none.
        data: &'a str,
        /// Whether the speaker hears it too.
        to_self: bool,
    },
}

/// The keys as they are written. Other keys are ignored.
#[derive(Deserialize)]
struct Written<'a> {
    join: Option<String>,
    leave: Option<String>,
    say: Option<String>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(rename = "self")]
    to_self: Option<bool>,
}

impl<'a> Request<'a> {
    /// Reads a text. Returns `None` if it is no request: it does not ask for exactly one thing, or is no such JSON.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        // Spares most other texts the parser.
        if !text.trim_ascii_start().starts_with('{') {
            return None;
        }
        let written: Written<'a> = serde_json::from_str(text).ok()?;
        let (room, action) = match (written.join, written.leave, written.say) {
            (Some(room), None, None) => (room, Action::Join),
            (None, Some(room), None) => (room, Action::Leave),
            (None, None, Some(room)) => {
                let data = written.data.map_or("null", RawValue::get);
                let to_self = written.to_self.unwrap_or(true);
                (room, Action::Say { data, to_self })
            }
            _ => return None,
        };
        let id = written.id.map(RawValue::get);
        Some(Self { room, id, action })
    }
}

/// The answer to the request with this id.
pub(super) fn answer(id: &str, refusal: Option<&str>) -> String {
    match refusal {
        None => format!("{{\"id\":{id},\"ok\":true}}"),
        Some(why) => format!("{{\"id\":{id},\"ok\":false,\"error\":{}}}", quoted(why)),
    }
}

/// The beginning of all that is heard in a room, up to its number.
pub(super) fn heading(room: &str) -> String {
    format!("{{\"room\":{},", quoted(room))
}

/// What members hear when one of them speaks. `at` is in milliseconds since 1970.
pub(super) fn said(heading: &str, seq: u64, at: u64, data: &str) -> String {
    format!("{heading}\"seq\":{seq},\"at\":{at},\"data\":{data}}}")
}

/// What members hear at a tick. `at` is in milliseconds since 1970.
pub(super) fn tick(heading: &str, number: u64, at: u64) -> String {
    format!("{heading}\"tick\":{number},\"at\":{at}}}")
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_and_their_values_kept_as_they_were_spelled() {
        let say = r#" {"say":"a \"b\"","id":"x7","data":{ "n": 1.50, "s":"\u00e9" },"self":false,"more":[]}"#;
        let expected = Request {
            room: "a \"b\"".to_owned(),
            id: Some("\"x7\""),
            action: Action::Say {
                data: r#"{ "n": 1.50, "s":"\u00e9" }"#,
                to_self: false,
            },
        };
        assert_eq!(Request::read(say), Some(expected));
        let join = Request::read(r#"{"join":"r","id":1}"#).unwrap();
        assert_eq!((join.action, join.id), (Action::Join, Some("1")));
        let leave = Request::read(r#"{"leave":"r"}"#).unwrap();
        assert_eq!((leave.action, leave.id), (Action::Leave, None));
        let bare = Request::read(r#"{"say":"r","data":null}"#).unwrap().action;
        let (data, to_self) = ("null", true);
        assert_eq!(bare, Action::Say { data, to_self });
    }

    #[test]
    fn what_asks_for_nothing_or_for_two_things_is_no_request() {
        for text in [
            "",
            "hello",
            "{",
            "{}",
            "[]",
            r#"{"id":1}"#,
            r#"{"join":7,"id":1}"#,
            r#"{"join":"r","leave":"r"}"#,
            r#"{"say":"r","self":"no"}"#,
            r#"{"say":"r","data":}"#,
            r#"{"join":"r"} {"join":"s"}"#,
        ] {
            assert_eq!(Request::read(text), None, "{text}");
        }
    }

    #[test]
    fn texts_are_json_whatever_the_room_is_called() {
        let heading = heading("a\"\n");
        for (text, number) in [
            (said(&heading, 7, 5, "[1]"), "seq"),
            (tick(&heading, 7, 5), "tick"),
        ] {
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!((&json["room"], &json["at"]), (&"a\"\n".into(), &5.into()));
            assert_eq!(json[number], 7);
        }
        assert_eq!(answer("3", None), r#"{"id":3,"ok":true}"#);
        let refused = r#"{"id":3,"ok":false,"error":"no \"r\""}"#;
        assert_eq!(answer("3", Some("no \"r\"")), refused);
    }
}
