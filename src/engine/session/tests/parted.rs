//! Tests frames that hold several messages, parted by `target.split`.

use super::play::play;
use super::script::{Heard, RTT, S, Script, healthy, nothing, text};
use crate::metric::Counter::{
    MessagesAnswered, MessagesEchoed, MessagesReceived, MessagesSent, MessagesUnsolicited,
    PongsReceived, PushesReceived,
};
use crate::metric::Timer;
use crate::units::after;

#[test]
fn each_message_of_a_frame_is_taken_by_whom_it_is_for() {
    let scenario = r#"
        load = { connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }
        target.split = "\u001e"
        message = [{ name = "ask", rate = "1/s", phase = "aligned", payload = "ask {{id}}.", expect = { prefix = "answer {{id}}." } }]
        on = [{ name = "news", match = { prefix = "news" } }]
    "#;
    let seen = play(scenario, |_| {
        let mut waiting = Vec::new();
        Script::new(move |at, heard| match heard {
            Heard::Text(bytes) => {
                let asked = std::str::from_utf8(bytes).unwrap();
                let id = asked
                    .strip_prefix("ask ")
                    .and_then(|rest| rest.strip_suffix(".\u{1e}"));
                waiting.push(id.unwrap().to_owned());
                if waiting.len() < 2 {
                    return nothing();
                }
                // Two answers in the wrong order, what somebody has to say, and a last one that is not ended.
                let (second, first) = (waiting.pop().unwrap(), waiting.pop().unwrap());
                let frame = format!("answer {second}.\u{1e}\nnews\u{1e}\u{1e}answer {first}.");
                vec![(at + RTT, text(frame))]
            }
            _ => healthy(at, heard),
        })
        .says(after(S / 2), text("\r\n"))
        .says(after(3 * S / 2), text("who?\u{1e}\n"))
    });
    let counters = [
        MessagesSent,
        MessagesAnswered,
        PushesReceived,
        MessagesUnsolicited,
    ];
    assert_eq!(seen.counts(counters), [10, 10, 5, 1]);
    assert_eq!(seen.count(MessagesReceived), 16);
    // What is no message has no gap before it.
    assert_eq!(seen.timed(Timer::ReceiveGap), 15);
}

#[test]
fn echoes_and_text_pongs_come_back_as_they_were_sent() {
    let scenario = r#"
        load = { connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }
        target.split = "\u0000"
        heartbeat = { kind = "text", send = "ping", expect = "ping", interval = "1s", phase = "aligned" }
        message = [{ name = "m", rate = "2/s", phase = "aligned", payload = { size = "100B" } }]
    "#;
    let seen = play(scenario, |_| {
        Script::new(|at, heard| {
            if let Heard::Text(bytes) = heard {
                assert!(bytes.ends_with(b"\0"), "{bytes:?}");
            }
            healthy(at, heard)
        })
    });
    assert_eq!(seen.counts([MessagesEchoed, PongsReceived]), [20, 10]);
}
