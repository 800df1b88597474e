//! Acknowledgements, of what the broker sent and of what it received (sections
//! 3.4 to 3.7 and 4.3).

use super::Broker;
use crate::quirks::Quirk;
use crate::topics::SessionKey;
use crate::wire::{Ack, Packet, PacketId, ReasonCode, Rule, Version};

impl Broker {
    /// Whatever its reason code is, the message is not sent again
    /// [MQTT5-4.4.0-2].
    pub(super) fn puback(
        &mut self,
        slot: usize,
        session: SessionKey,
        ack: &Ack,
    ) -> Result<(), Rule> {
        let journal = &mut self.effects.journal;
        let of = &mut self.sessions[session];
        let quirks = self.config.quirks;
        if ack.code.is_failure() && quirks.has(Quirk::ResendsRefused) {
            return Ok(());
        }
        if let Some(mut delivered) = of.inflight.puback(ack.packet_id)? {
            journal.settled(&of.client_id, &mut delivered);
            if let Some(share) = delivered.share
                && ack.code.is_failure()
                && quirks.has(Quirk::PassesOnRefusedShare)
            {
                self.share(share.group, &delivered.message);
            }
        }
        self.pump(slot, session);
        Ok(())
    }

    /// PUBREC is answered with PUBREL, even to an identifier that is not known:
    /// the client holds state for it, and only so can it be rid of it
    /// [MQTT311-4.3.3-1] [MQTT5-4.3.3-4]. A failure ends the exchange.
    pub(super) fn pubrec(
        &mut self,
        slot: usize,
        session: SessionKey,
        ack: &Ack,
    ) -> Result<(), Rule> {
        let packet_id = ack.packet_id;
        let journal = &mut self.effects.journal;
        let of = &mut self.sessions[session];
        let delivered = of.inflight.pubrec(packet_id)?;
        let known = delivered.is_some() || of.inflight.is_released(packet_id);
        if let Some(mut delivered) = delivered {
            journal.settled(&of.client_id, &mut delivered);
            if !ack.code.is_failure() {
                let order = match of.clean {
                    false => journal.pubrel_due(&of.client_id, packet_id),
                    true => 0,
                };
                let republished = self.config.quirks.has(Quirk::RepublishesAfterPubrec);
                let kept = republished.then_some(delivered);
                of.inflight.release(packet_id, order, kept);
                if self.config.quirks.has(Quirk::OmitsSecondPubrel) {
                    of.inflight.skip_second_pubrel();
                }
            }
        }
        let queued = self.sessions[session].inflight.pubrel_is_queued(packet_id);
        let omitted = self.config.quirks.has(Quirk::OmitsSecondPubrel);
        if !queued && !ack.code.is_failure() && !omitted {
            // [MQTT311-3.6.1-1] is the encoder's.
            let answer = self.answer(slot, packet_id, known);
            self.reply(slot, &Packet::PubRel(answer));
        }
        self.pump(slot, session);
        Ok(())
    }

    /// PUBREL ends the identifier's use, and PUBCOMP answers it whether it was
    /// in use or not: the client may be repeating itself [MQTT311-4.3.3-2]
    /// [MQTT5-4.3.3-11].
    pub(super) fn pubrel(&mut self, slot: usize, session: SessionKey, ack: &Ack) {
        let packet_id = ack.packet_id;
        let known = self.forget_received(session, packet_id);
        if !known && self.config.quirks.has(Quirk::OmitsPubcompOfUnknown) {
            return;
        }
        // [MQTT311-2.3.1-6]
        let answer = self.answer(slot, packet_id, known);
        self.reply(slot, &Packet::PubComp(answer));
    }

    /// Frees the identifier of a QoS 2 message that was received.
    pub(super) fn forget_received(&mut self, session: SessionKey, packet_id: PacketId) -> bool {
        let of = &mut self.sessions[session];
        let known = of.received.remove(&packet_id);
        if known && !of.clean {
            let journal = &mut self.effects.journal;
            journal.received_released(&of.client_id, packet_id);
        }
        known
    }

    pub(super) fn pubcomp(
        &mut self,
        slot: usize,
        session: SessionKey,
        ack: &Ack,
    ) -> Result<(), Rule> {
        let of = &mut self.sessions[session];
        if let Some(order) = of.inflight.pubcomp(ack.packet_id)?
            && !of.clean
        {
            self.effects.journal.pubrel_done(&of.client_id, order);
        }
        self.pump(slot, session);
        Ok(())
    }

    /// A PUBREL or PUBCOMP for an identifier that was in use, or was not.
    fn answer(&self, slot: usize, packet_id: PacketId, known: bool) -> Ack {
        let code = match self.connections[slot].version {
            Version::V5 if !known && self.config.quirks.has(Quirk::MisstatesUnknownIdentifier) => {
                ReasonCode::UnspecifiedError
            }
            Version::V5 if !known => ReasonCode::PacketIdentifierNotFound,
            Version::V5 | Version::V3_1_1 => ReasonCode::Success,
        };
        Ack {
            code,
            ..Ack::new(packet_id)
        }
    }
}
