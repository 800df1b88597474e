//! What one device lived through.

use super::Names;
use crate::net::Nanos;
use crate::scenario::Server;
use crate::trace::{ClientEvent, TextId, Texts};
use squall_devices::DeviceId;
use squall_reports::story::{Connection, Device};

/// Times of one kind that are drawn for one device.
const TIMES_MAX: usize = 400;

/// How the words begin for a connection that is open.
pub(super) const CONNECTED: &str = "connected";

/// How a device's connections went, and when it published and received.
pub(super) struct DeviceLog {
    /// The server that it speaks with.
    pub(super) server: Server,
    turns: Vec<(Nanos, Turn)>,
    pub(super) published: Vec<Nanos>,
    pub(super) delivered: Vec<Nanos>,
}

/// A turn in the life of a connection.
#[derive(Clone, Copy)]
enum Turn {
    Connecting,
    Connected { session_present: bool },
    Failed(TextId),
    Closed,
    Vanished,
    Reset,
    Lost(TextId),
    Forgot,
}

impl Turn {
    fn of(event: &ClientEvent) -> Option<Turn> {
        Some(match *event {
            ClientEvent::Connecting { .. } => Turn::Connecting,
            ClientEvent::Connected { session_present } => Turn::Connected { session_present },
            ClientEvent::ConnectFailed { reason } => Turn::Failed(reason),
            ClientEvent::DisconnectedClean => Turn::Closed,
            ClientEvent::DisconnectedVanished => Turn::Vanished,
            ClientEvent::DisconnectedReset => Turn::Reset,
            ClientEvent::DisconnectedLost { reason } => Turn::Lost(reason),
            ClientEvent::Forgot => Turn::Forgot,
            _ => return None,
        })
    }

    fn words(self, server: Server, texts: &Texts) -> String {
        let reason = |what: &str, reason| format!("{what}: {}", texts.text(reason));
        match self {
            Turn::Connecting => "connecting".to_owned(),
            // Sessions are MQTT's.
            Turn::Connected { .. } if server != Server::Broker => CONNECTED.to_owned(),
            Turn::Connected {
                session_present: true,
            } => format!("{CONNECTED}, session present"),
            Turn::Connected { .. } => format!("{CONNECTED}, no session present"),
            Turn::Failed(why) => reason("could not connect", why),
            Turn::Closed => "disconnected".to_owned(),
            Turn::Vanished => "vanished".to_owned(),
            Turn::Reset => "reset".to_owned(),
            Turn::Lost(why) => reason("connection lost", why),
            Turn::Forgot => "lost its power, and what it kept in RAM".to_owned(),
        }
    }
}

impl DeviceLog {
    pub(super) fn new(server: Server) -> DeviceLog {
        DeviceLog {
            server,
            turns: Vec::new(),
            published: Vec::new(),
            delivered: Vec::new(),
        }
    }

    /// Takes the device's next event. Returns whether a connection broke, or an
    /// attempt to connect failed.
    pub(super) fn see(&mut self, at: Nanos, event: &ClientEvent) -> bool {
        let Some(turn) = Turn::of(event) else {
            return false;
        };
        self.turns.push((at, turn));
        matches!(turn, Turn::Failed(_) | Turn::Lost(_))
    }

    /// Whether the device has a connection, as far as it knows.
    pub(super) fn is_connected(&self) -> bool {
        let turns = self.turns.iter().rev();
        let mut turns = turns.filter(|(_, turn)| !matches!(turn, Turn::Forgot));
        matches!(turns.next(), Some((_, Turn::Connected { .. })))
    }

    /// When the device last tried to connect.
    pub(super) fn last_attempt(&self) -> Option<Nanos> {
        let mut turns = self.turns.iter().rev();
        turns.find_map(|(at, turn)| matches!(turn, Turn::Connecting).then_some(*at))
    }

    /// What befell the device from `from` to `to`, in words.
    pub(super) fn between(
        &self,
        from: Nanos,
        to: Nanos,
        texts: &Texts,
    ) -> impl Iterator<Item = (Nanos, String)> {
        let first = self.turns.partition_point(|(at, _)| *at < from);
        let turns = self.turns[first..].iter();
        let turns = turns.take_while(move |(at, _)| *at <= to);
        // That it connects goes without saying.
        let turns = turns.filter(|(_, turn)| !matches!(turn, Turn::Connecting));
        turns.map(|(at, turn)| (*at, turn.words(self.server, texts)))
    }

    /// All of it, as the story has it, of a run that ended at `until`.
    pub(super) fn tell(&self, device: DeviceId, names: &Names<'_>, until: Nanos) -> Device {
        let mut connections: Vec<Connection> = Vec::new();
        let mut failed_ns = Vec::new();
        let mut open = None;
        for &(at, turn) in &self.turns {
            match turn {
                Turn::Connected { .. } => open = Some(at),
                Turn::Failed(_) => failed_ns.push(at),
                Turn::Closed | Turn::Vanished | Turn::Reset | Turn::Lost(_) => {
                    connections.extend(open.take().map(|from_ns| Connection {
                        from_ns,
                        to_ns: at,
                        ended: turn.words(self.server, names.texts),
                        broke: matches!(turn, Turn::Lost(_)),
                    }));
                }
                Turn::Connecting | Turn::Forgot => {}
            }
        }
        connections.extend(open.map(|from_ns| Connection {
            from_ns,
            to_ns: until,
            ended: String::new(),
            broke: false,
        }));
        Device {
            name: names.device(device),
            fleet: names.fleet(device),
            connections,
            failed_ns,
            published: self.published.len() as u64,
            published_ns: thinned(&self.published),
            delivered: self.delivered.len() as u64,
            delivered_ns: thinned(&self.delivered),
        }
    }
}

/// As many of the times as are drawn, spread evenly over all of them.
fn thinned(times: &[Nanos]) -> Vec<Nanos> {
    let drawn = times.len().min(TIMES_MAX);
    (0..drawn)
        .map(|index| times[index * times.len() / drawn])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_times_are_thinned_evenly() {
        let times: Vec<Nanos> = (0..1_000).collect();
        let drawn = thinned(&times);
        assert_eq!(drawn.len(), TIMES_MAX);
        assert_eq!(drawn[..3], [0, 2, 5]);
        assert_eq!(thinned(&times[..3]), [0, 1, 2]);
        assert_eq!(thinned(&[]), [0; 0]);
    }
}
