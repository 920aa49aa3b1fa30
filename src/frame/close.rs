//! The codes of Close frames (RFC 6455 section 7.4).

/// The other side broke the protocol.
pub const BROKEN: u16 = 1002;

/// Returns whether a Close frame may have this code: one that the protocol or its registry gives a meaning (1012 to 1014
/// were registered later), or one for applications. 1004, 1005, 1006 and 1015 are never sent.
pub fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Returns the code that a Close frame is answered with: its own, unless that one must not be sent (section 5.5.1).
pub fn answer_to(code: Option<u16>) -> Option<u16> {
    code.map(|code| if may_be_sent(code) { code } else { BROKEN })
}
