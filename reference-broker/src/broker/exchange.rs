//! Acknowledgements, of what the broker sent and of what it received (sections
//! 3.4 to 3.7 and 4.3).

use super::Broker;
use crate::quirks::Quirk;
use crate::topics::SessionKey;
use crate::wire::{Ack, Packet, PacketId, Violation};

impl Broker {
    pub(super) fn puback(
        &mut self,
        slot: usize,
        session: SessionKey,
        id: PacketId,
    ) -> Result<(), Violation> {
        let journal = &mut self.effects.journal;
        let of = &mut self.sessions[session];
        if let Some(mut delivered) = of.inflight.puback(id)? {
            journal.settled(&of.client_id, &mut delivered);
        }
        self.pump(slot, session);
        Ok(())
    }

    /// PUBREC is answered with PUBREL, even to an identifier that is not known:
    /// the client holds state for it, and only so can it be rid of it
    /// [MQTT311-4.3.3-1].
    pub(super) fn pubrec(
        &mut self,
        slot: usize,
        session: SessionKey,
        packet_id: PacketId,
    ) -> Result<(), Violation> {
        let journal = &mut self.effects.journal;
        let of = &mut self.sessions[session];
        if let Some(mut delivered) = of.inflight.pubrec(packet_id)? {
            journal.settled(&of.client_id, &mut delivered);
            let order = match of.clean {
                false => journal.pubrel_due(&of.client_id, packet_id),
                true => 0,
            };
            let republished = self.config.quirks.has(Quirk::RepublishesAfterPubrec);
            let kept = republished.then_some(delivered);
            of.inflight.release(packet_id, order, kept);
        }
        if !self.sessions[session].inflight.pubrel_is_queued(packet_id) {
            // [MQTT311-3.6.1-1] is the encoder's.
            self.reply(slot, &Packet::PubRel(Ack::new(packet_id)));
        }
        self.pump(slot, session);
        Ok(())
    }

    /// PUBREL ends the identifier's use, and PUBCOMP answers it whether it was
    /// in use or not: the client may be repeating itself [MQTT311-4.3.3-2].
    pub(super) fn pubrel(&mut self, slot: usize, session: SessionKey, packet_id: PacketId) {
        let of = &mut self.sessions[session];
        if of.received.remove(&packet_id) && !of.clean {
            let journal = &mut self.effects.journal;
            journal.received_released(&of.client_id, packet_id);
        }
        // [MQTT311-2.3.1-6]
        self.reply(slot, &Packet::PubComp(Ack::new(packet_id)));
    }

    pub(super) fn pubcomp(
        &mut self,
        slot: usize,
        session: SessionKey,
        id: PacketId,
    ) -> Result<(), Violation> {
        let of = &mut self.sessions[session];
        if let Some(order) = of.inflight.pubcomp(id)?
            && !of.clean
        {
            self.effects.journal.pubrel_done(&of.client_id, order);
        }
        self.pump(slot, session);
        Ok(())
    }
}
