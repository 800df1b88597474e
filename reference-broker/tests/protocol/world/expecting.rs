//! What is expected of the broker: packets, connections that stay, and closes
//! for a reason.

use squall_broker::wire::{ConnAck, Decoder, Packet, Property, ReasonCode, Sender};
use squall_broker::{CloseReason, ConnId};

use super::{World, text};

impl World {
    /// What has come since it was last asked.
    #[track_caller]
    pub(crate) fn inbox(&mut self, conn: ConnId) -> Vec<Packet> {
        let bytes = std::mem::take(&mut self.clients.get_mut(&conn).expect("opened").inbox);
        let mut input = &bytes[..];
        let mut downlink = Decoder::new(self.version(conn), Sender::Server, usize::MAX);
        let mut packets = Vec::new();
        while let Some(packet) = downlink.decode(&mut input).expect("the broker is strict") {
            packets.push(packet);
        }
        packets
    }

    /// Exactly these have come since it was last asked, and it is connected.
    #[track_caller]
    pub(crate) fn expect(&mut self, conn: ConnId, packets: &[Packet]) {
        assert_eq!(self.inbox(conn), packets);
        let reason = self.seen(|seen| seen.closed.get(&conn).cloned());
        assert_eq!(reason, None, "is still connected");
    }

    /// The stream is not to be closed yet.
    #[track_caller]
    pub(crate) fn expect_open(&self, conn: ConnId) {
        assert!(!self.clients[&conn].gone, "closed too early");
    }

    /// These have come, and then the connection was closed for this reason.
    #[track_caller]
    pub(crate) fn expect_closed(&mut self, conn: ConnId, packets: &[Packet], reason: &CloseReason) {
        assert_eq!(self.inbox(conn), packets);
        let actual = self.seen(|seen| seen.closed.get(&conn).cloned());
        assert_eq!(actual.as_ref(), Some(reason));
        assert!(self.clients[&conn].gone, "the stream is to be closed");
    }

    /// Nothing has come but a DISCONNECT with this code for this reason, and the
    /// connection was closed.
    #[track_caller]
    pub(crate) fn expect_disconnect(&mut self, conn: ConnId, code: u8) -> CloseReason {
        let code = ReasonCode::from_byte(code).expect("a reason code");
        let inbox = self.inbox(conn);
        let [Packet::Disconnect(disconnect)] = &inbox[..] else {
            panic!("expected a DISCONNECT, found {inbox:?}");
        };
        assert_eq!(disconnect.code, code);
        assert!(self.clients[&conn].gone, "the stream is to be closed");
        let reason = self.seen(|seen| seen.closed.get(&conn).cloned());
        let reason = reason.expect("closed");
        // What was wrong is said in words too.
        let words = match &reason {
            CloseReason::Wire(error) => Some(Property::ReasonString(text(&error.to_string()))),
            _ => None,
        };
        assert_eq!(disconnect.properties, words.into_iter().collect());
        reason
    }

    /// The same for a breach of this rule.
    #[track_caller]
    pub(crate) fn expect_breach_5(&mut self, conn: ConnId, code: u8, rule: &str) {
        match self.expect_disconnect(conn, code) {
            CloseReason::Wire(error) => assert_eq!(error.rule(), Some(rule)),
            other => panic!("expected a close for {rule}, found {other:?}"),
        }
    }

    /// Nothing has come but a CONNACK that refuses with this code and says which
    /// rule is broken, and the connection was closed.
    #[track_caller]
    pub(crate) fn expect_refused_breach(&mut self, conn: ConnId, code: u8, rule: &str) {
        let inbox = self.inbox(conn);
        let reason = self.seen(|seen| seen.closed.get(&conn).cloned());
        let Some(CloseReason::Wire(error)) = reason else {
            panic!("expected a close for {rule}, found {reason:?}");
        };
        assert_eq!(error.rule(), Some(rule));
        let words = Property::ReasonString(text(&error.to_string()));
        let connack = ConnAck {
            properties: [words].into_iter().collect(),
            ..ConnAck::refused(ReasonCode::from_byte(code).expect("a reason code"))
        };
        assert_eq!(inbox, [Packet::ConnAck(connack)]);
        assert!(self.clients[&conn].gone, "the stream is to be closed");
    }

    /// Nothing has come but a close for a breach of this rule.
    #[track_caller]
    pub(crate) fn expect_breach(&mut self, conn: ConnId, rule: &str) {
        assert_eq!(self.inbox(conn), []);
        match self.seen(|seen| seen.closed.get(&conn).cloned()) {
            Some(CloseReason::Wire(error)) => assert_eq!(error.rule(), Some(rule)),
            other => panic!("expected a close for {rule}, found {other:?}"),
        }
        assert!(self.clients[&conn].gone, "the stream is to be closed");
    }
}
