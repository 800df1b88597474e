//! The packet that sets a fault off.

use super::super::super::Fleet;
use super::super::super::diagnostic::ScenarioError;
use super::super::super::document::fault::{PacketName, SenderName, TriggerTable};
use super::super::super::document::value::At;
use super::super::super::fault::{FaultKind, PacketType, Sender, Trigger};
use super::super::super::text::Complaint;
use super::super::Resolver;

impl Resolver<'_> {
    pub(super) fn trigger(
        &self,
        on: &At<TriggerTable>,
        kind: &FaultKind,
        fleets: &[Fleet],
    ) -> Result<Trigger, ScenarioError> {
        let table = &on.value;
        let packet = packet_type(table.packet.value);
        let fleet = match &table.fleet {
            None => None,
            Some(fleet) => Some(self.fleet_index(fleet, fleets)?),
        };
        self.speaks_mqtt(table, packet, fleets)?;
        if let Some(qos) = &table.qos
            && packet != PacketType::Publish
        {
            return Err(self.error(
                &qos.span,
                Complaint::new(
                    format!("{} has no QoS", packet.name()),
                    "only of PUBLISH",
                    "leave it out: PUBACK is of QoS 1, PUBREC, PUBREL and PUBCOMP of QoS 2",
                ),
            ));
        }
        let from = self.sender(table, packet, kind)?;
        if let Some(device) = &table.device {
            let count = fleet.map(|fleet| fleets[fleet].count);
            if count.is_none_or(|count| device.value.0 > count) {
                let (what, label, help) = match count {
                    None => ("a device of no fleet", "of which fleet?", "add `fleet`"),
                    Some(_) => (
                        "a device that the fleet does not have",
                        "no such device",
                        "devices count from 1",
                    ),
                };
                return Err(self.error(&device.span, Complaint::new(what, label, help)));
            }
        }
        if let (Some(lost), FaultKind::Drop { .. }) = (&table.lost, kind) {
            return Err(self.error(
                &lost.span,
                Complaint::new(
                    "a packet that is dropped is lost",
                    "nothing to choose",
                    "leave it out; to lose the answer, let `nat-rebinding` strike with `lost = false`",
                ),
            ));
        }
        Ok(Trigger {
            packet,
            from,
            nth: table.nth.map_or(1, |nth| nth.0),
            qos: table.qos.as_ref().map(|qos| qos.value.0),
            fleet,
            device: table.device.as_ref().map(|device| device.value.0),
            lost: table.lost.as_ref().is_none_or(|lost| lost.value),
        })
    }

    /// Refuses to wait for a packet where no MQTT is spoken; what carries it, a
    /// WebSocket or TLS, is looked into.
    fn speaks_mqtt(
        &self,
        table: &TriggerTable,
        packet: PacketType,
        fleets: &[Fleet],
    ) -> Result<(), ScenarioError> {
        let help = "set it off at a fleet with `protocol = \"mqtt\"` or \"mqtt-ws\", or use a fault \
                    that strikes `at` a time";
        let name = packet.name();
        let foreign = |fleet: &Fleet| fleet.protocol.server().protocol();
        let (span, what) = match &table.fleet {
            Some(given) => {
                let fleet = &fleets[self.fleet_index(given, fleets)?];
                let Some(protocol) = foreign(fleet) else {
                    return Ok(());
                };
                let what = format!("`{}` speaks {protocol}, which has no {name}", fleet.name);
                (&given.span, what)
            }
            None if fleets.iter().any(|fleet| foreign(fleet).is_none()) => return Ok(()),
            None => {
                let what = format!("{name} of MQTT, which no fleet speaks");
                (&table.packet.span, what)
            }
        };
        Err(self.error(span, Complaint::new(what, "never sent", help)))
    }

    fn sender(
        &self,
        table: &TriggerTable,
        packet: PacketType,
        kind: &FaultKind,
    ) -> Result<Option<Sender>, ScenarioError> {
        let given = table.from.as_ref().map(|from| match from.value {
            SenderName::Client => Sender::Client,
            SenderName::Server => Sender::Server,
        });
        let from = given.or(packet.sender());
        let span = table
            .from
            .as_ref()
            .map_or(&table.packet.span, |from| &from.span);
        if packet.sender().is_some_and(|only| Some(only) != from) {
            let only = match packet.sender() {
                Some(Sender::Server) => "the server",
                _ => "clients",
            };
            return Err(self.error(
                span,
                Complaint::new(
                    format!("only {only} sends {}", packet.name()),
                    "never",
                    "leave `from` out",
                ),
            ));
        }
        if matches!(kind, FaultKind::ServerCrash) && from != Some(Sender::Server) {
            return Err(self.error(
                span,
                Complaint::new(
                    "a server crashes when it sends a packet, not when a client does",
                    "whose packet?",
                    "write `from = \"server\"` and a packet that it sends, such as \"PUBACK\"",
                ),
            ));
        }
        Ok(from)
    }
}

fn packet_type(name: PacketName) -> PacketType {
    match name {
        PacketName::Connect => PacketType::Connect,
        PacketName::Connack => PacketType::Connack,
        PacketName::Publish => PacketType::Publish,
        PacketName::Puback => PacketType::Puback,
        PacketName::Pubrec => PacketType::Pubrec,
        PacketName::Pubrel => PacketType::Pubrel,
        PacketName::Pubcomp => PacketType::Pubcomp,
        PacketName::Subscribe => PacketType::Subscribe,
        PacketName::Suback => PacketType::Suback,
        PacketName::Unsubscribe => PacketType::Unsubscribe,
        PacketName::Unsuback => PacketType::Unsuback,
        PacketName::Pingreq => PacketType::Pingreq,
        PacketName::Pingresp => PacketType::Pingresp,
        PacketName::Disconnect => PacketType::Disconnect,
    }
}
