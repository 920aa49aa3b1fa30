//! Messages that are not one frame each: packets of a protocol, or texts with an end.

use super::Session;
use super::inbox::one_of_many;
use crate::engine::play::Play;
use crate::engine::shared::Shared;
use crate::frame::Frame;
use crate::metric::Cause;
use crate::mqtt::Malformed;
use crate::net::{Lost, Transport};
use crate::plan::Split;
use crate::scenario::FrameKind;
use crate::units::Timestamp;

impl<T: Transport> Session<T> {
    /// Returns what is sent as a frame: with the end that messages have, or as the packet that it stands for. A text whose
    /// values make it no packet ends the connection.
    #[inline(always)]
    pub(super) fn as_frame<'a>(
        &mut self,
        kind: FrameKind,
        shared: &Shared,
        message: &'a mut Vec<u8>,
    ) -> Frame<'a> {
        match &shared.plan.split {
            None => {}
            Some(Split::Text(separator)) => separator.end(message),
            Some(Split::Mqtt) => {
                self.write_packet(message);
                return Frame::Binary(message);
            }
        }
        match kind {
            FrameKind::Text => Frame::Text(message),
            FrameKind::Binary => Frame::Binary(message),
        }
    }

    #[inline(never)]
    fn write_packet(&mut self, message: &mut Vec<u8>) {
        self.transport.says(message);
        let Some(packets) = &mut self.packets else {
            return;
        };
        if let Err(error) = packets.write(message) {
            let why = format!("what is sent {}", error.rule());
            self.outbox.lose(Lost::Failed(Cause::StepFailed, why));
        }
    }

    /// Handles the packets of a frame, as texts, and acknowledges those that have to be.
    pub(super) fn packets(
        &mut self,
        play: &mut Play,
        shared: &Shared,
        (mut frame, kind): (&[u8], FrameKind),
        at: Timestamp,
        now: Timestamp,
    ) {
        if kind == FrameKind::Text {
            return self.malformed(&Malformed::Text);
        }
        let most = shared.plan.scenario.target.max_message.as_usize();
        let mut text = shared.packet.take();
        while !self.outbox.has_lost()
            && let Some(packets) = &mut self.packets
        {
            match packets.next(&mut frame, most, &mut text) {
                Ok(None) => break,
                Err(why) => self.malformed(&why),
                Ok(Some(packet)) => {
                    one_of_many(self, play, shared, (&text, FrameKind::Text), at, now);
                    if let Some(acknowledgement) = packet.acknowledgement() {
                        self.acknowledge(&acknowledgement);
                    }
                }
            }
        }
        shared.packet.replace(text);
    }

    fn acknowledge(&mut self, packet: &[u8]) {
        self.transport.says(b"PUBACK");
        let frame = Frame::Binary(packet);
        if !self.outbox.feed_acknowledgement(&mut self.transport, frame) {
            let why = "more PUBLISH of MQTT than there are packet identifiers, and no PUBACK taken";
            let why = why.to_owned();
            self.outbox.lose(Lost::Broken(Cause::ProtocolError, why));
        }
    }

    #[cold]
    fn malformed(&mut self, why: &Malformed) {
        let cause = match why {
            Malformed::TooBig { .. } => Cause::MessageTooBig,
            _ => Cause::ProtocolError,
        };
        self.outbox.lose(Lost::Broken(cause, why.to_string()));
    }
}
