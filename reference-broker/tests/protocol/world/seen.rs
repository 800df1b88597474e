//! What the broker tells its observer, written down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall_broker::wire::Packet;
use squall_broker::{CloseReason, ConnId, DropCause, Message, Observer, SessionEvent};

/// What the broker's observer was told.
#[derive(Default)]
pub(crate) struct Seen {
    pub(super) closed: BTreeMap<ConnId, CloseReason>,
    pub(crate) sessions: Vec<String>,
    pub(crate) dropped: Vec<(String, String, DropCause)>,
    pub(crate) packets: Vec<String>,
}

pub(super) struct Recorder(pub(super) Arc<Mutex<Seen>>);

impl Recorder {
    fn write(&self, record: impl FnOnce(&mut Seen)) {
        record(&mut self.0.lock().expect("no panic"));
    }
}

impl Observer for Recorder {
    fn opened(&mut self, _: Duration, conn: ConnId) {
        self.write(|seen| seen.packets.push(format!("{conn} opened")));
    }
    fn received(&mut self, _: Duration, conn: ConnId, packet: &Packet) {
        self.write(|seen| seen.packets.push(format!("{conn} > {}", packet.name())));
    }
    fn sent(&mut self, _: Duration, conn: ConnId, packet: &Packet) {
        self.write(|seen| seen.packets.push(format!("{conn} < {}", packet.name())));
    }
    fn closed(&mut self, _: Duration, conn: ConnId, reason: &CloseReason) {
        self.write(|seen| {
            seen.packets.push(format!("{conn} closed"));
            let before = seen.closed.insert(conn, reason.clone());
            assert_eq!(before, None, "closed twice");
        });
    }
    fn session(&mut self, _: Duration, client_id: &str, event: SessionEvent) {
        let event = match event {
            SessionEvent::Created { .. } => "created".to_owned(),
            SessionEvent::Resumed { .. } => "resumed".to_owned(),
            SessionEvent::Discarded { undelivered } => format!("discarded {undelivered}"),
        };
        self.write(|seen| seen.sessions.push(format!("{client_id} {event}")));
    }
    fn dropped(&mut self, _: Duration, client_id: &str, message: &Message, cause: DropCause) {
        let payload = String::from_utf8_lossy(&message.payload).into_owned();
        self.write(|seen| seen.dropped.push((client_id.to_owned(), payload, cause)));
    }
}
