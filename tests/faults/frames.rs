//! Frames that RFC 6455 forbids, and messages longer than anyone asked for.

use std::time::Duration;

use miniz_oxide::deflate::compress_to_vec;

use super::common::frame::{CONTINUATION, Frame, TEXT};
use super::common::{Act, Handshake, Script, When, raw};
use super::{Outcome, echoes, run, scenario};

/// In the middle of the run, between echoes.
const MIDDLE: When = When::After(Duration::from_millis(310));

/// Every connection is failed by us for this cause, with an example that holds this text.
#[track_caller]
fn breaks(bytes: Vec<u8>, cause: &str, example: &str) -> Outcome {
    let script = Script::act(MIDDLE, Act::Send(bytes));
    breaks_by(&scenario(), script, cause, example)
}

/// The same, where both sides have agreed on compression and this is the payload of a compressed message.
#[track_caller]
fn breaks_compressed(payload: Vec<u8>, cause: &str, example: &str) {
    const RSV1: u8 = 0x40;
    let mut frame = Frame::new(TEXT, payload).encode();
    frame[0] |= RSV1;
    let script = Script {
        handshake: Handshake::Extension("permessage-deflate"),
        ..Script::act(MIDDLE, Act::Send(frame))
    };
    let compression = "[target.compression]\nsend = \"plain\"\nrequired = true\n";
    breaks_by(&(scenario() + compression), script, cause, example);
}

#[track_caller]
fn breaks_by(scenario: &str, script: Script, cause: &str, example: &str) -> Outcome {
    let outcome = run(scenario, script);
    outcome.assert_all_end(cause, "fin.local");
    outcome.assert_rows(&[("state", "open"), ("close_code", "")]);
    let examples = outcome.report.examples(cause);
    assert!(examples.contains(example), "{examples}");
    assert!(outcome.count("messages.echoed") > 0, "it was well before");
    outcome.assert_fails(&["connections.lost"]);
    outcome
}

#[test]
fn text_that_is_not_utf8() {
    breaks(raw::bad_utf8(), "bad_utf8", "UTF-8");
}

#[test]
fn a_reserved_opcode() {
    breaks(raw::reserved_opcode(), "protocol_error", "opcode 0x3");
}

#[test]
fn a_reserved_bit() {
    breaks(raw::rsv_bit(), "protocol_error", "reserved bits");
}

#[test]
fn a_frame_masked_by_the_server() {
    breaks(raw::masked(), "protocol_error", "masked");
}

#[test]
fn a_ping_longer_than_125_bytes() {
    breaks(raw::long_ping(), "protocol_error", "more than 125");
}

#[test]
fn a_continuation_of_nothing() {
    breaks(
        raw::stray_continuation(),
        "protocol_error",
        "continuation of no message",
    );
}

#[test]
fn a_length_of_one_tebibyte() {
    breaks(
        raw::one_tebibyte(),
        "message_too_big",
        "at least 1099511627776 bytes, where 1048576 may be",
    );
}

#[test]
fn fragments_that_add_up_to_more_than_max_message() {
    let fragment = |opcode| Frame {
        fin: false,
        ..Frame::new(opcode, vec![b'x'; 600 << 10])
    };
    let fragments = [TEXT, CONTINUATION].map(|opcode| fragment(opcode).encode());
    breaks(
        fragments.concat(),
        "message_too_big",
        "at least 1228800 bytes, where 1048576 may be",
    );
}

#[test]
fn a_hundred_mebibytes_for_real_take_no_memory() {
    let flood = Act::Flood(100 << 20);
    let outcome = run(&scenario(), Script::act(MIDDLE, flood));
    outcome.assert_all_end("message_too_big", "fin.local");
    let examples = outcome.report.examples("message_too_big");
    assert!(
        examples.contains("104857600 bytes, where 1048576 may be"),
        "{examples}"
    );
    outcome.assert_memory_below(64 << 20);
    outcome.assert_fails(&["connections.lost"]);
}

#[test]
fn a_message_as_long_as_max_message_allows_is_taken() {
    let scenario = scenario().replace("[load]", "max_message = \"2MiB\"\n[load]");
    let outcome = run(&scenario, Script::act(MIDDLE, Act::Flood(2 << 20)));
    outcome.assert_all_complete();
    assert_eq!(outcome.count("messages.unsolicited"), super::CONNECTIONS);
    outcome.assert_passes();
}

#[test]
fn without_gates_a_run_that_lost_its_connections_proves_nothing() {
    let outcome = run(&echoes(), Script::act(MIDDLE, Act::Send(raw::bad_utf8())));
    outcome.assert_all_end("bad_utf8", "fin.local");
    outcome.assert_untrusted("connections_lost");
}

#[test]
fn a_compressed_message_that_is_none() {
    // A block of the kind that there is not.
    breaks_compressed(vec![0xff; 20], "bad_deflate", "");
}

#[test]
fn a_compressed_message_of_four_mebibytes() {
    let bomb = compress_to_vec(&vec![0; 4 << 20], 9);
    assert!(bomb.len() < 8 << 10);
    breaks_compressed(bomb, "message_too_big", "where 1048576 may be");
}
