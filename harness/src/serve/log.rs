//! What the broker sees, as log lines of the target `squall::serve`: at debug
//! one when a connection opens, one when its client is known and one when it has
//! ended; a warning when a client breaks the protocol, with the statement that
//! says so.

use std::time::Duration;

use squall_broker::wire::Packet;
use squall_broker::{CloseReason, ConnId, DropCause, Message, Observer, SessionEvent};

const TARGET: &str = "squall::serve";

/// Writes what happens to the log.
#[derive(Debug, Default)]
pub(super) struct Log;

impl Observer for Log {
    fn received(&mut self, _: Duration, conn: ConnId, packet: &Packet) {
        if let Packet::Connect(connect) = packet {
            let client = connect.client_id.as_str();
            let (clean, keep_alive_s) = (connect.clean_session, connect.keep_alive_s);
            tracing::debug!(target: TARGET, conn = conn.serial(), client, clean, keep_alive_s, "CONNECT");
        }
        tracing::trace!(target: TARGET, conn = conn.serial(), packet = packet.name(), "received");
    }

    fn sent(&mut self, _: Duration, conn: ConnId, packet: &Packet) {
        tracing::trace!(target: TARGET, conn = conn.serial(), packet = packet.name(), "sent");
    }

    fn closed(&mut self, _: Duration, conn: ConnId, reason: &CloseReason) {
        let conn = conn.serial();
        match reason {
            CloseReason::Wire(error) => {
                let statement = error.rule().unwrap_or("none");
                tracing::warn!(target: TARGET, conn, statement, %error, "protocol violated");
            }
            CloseReason::Refused(code) => {
                tracing::warn!(target: TARGET, conn, code = *code as u8, "{reason}");
            }
            reason => tracing::debug!(target: TARGET, conn, %reason, "ended"),
        }
    }

    fn session(&mut self, _: Duration, client: &str, event: SessionEvent) {
        tracing::debug!(target: TARGET, client, ?event, "session");
    }

    fn dropped(&mut self, _: Duration, client: &str, message: &Message, cause: DropCause) {
        let topic = message.topic.as_str();
        tracing::debug!(target: TARGET, client, topic, ?cause, "message dropped");
    }
}
