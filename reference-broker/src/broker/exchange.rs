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
        self.sessions[session].inflight.puback(id)?;
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
        let kept = self.config.quirks.has(Quirk::RepublishesAfterPubrec);
        self.sessions[session].inflight.pubrec(packet_id, kept)?;
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
        self.sessions[session].received.remove(&packet_id);
        // [MQTT311-2.3.1-6]
        self.reply(slot, &Packet::PubComp(Ack::new(packet_id)));
    }

    pub(super) fn pubcomp(
        &mut self,
        slot: usize,
        session: SessionKey,
        id: PacketId,
    ) -> Result<(), Violation> {
        self.sessions[session].inflight.pubcomp(id)?;
        self.pump(slot, session);
        Ok(())
    }
}
