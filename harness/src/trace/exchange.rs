//! Which message a packet is about.
//!
//! Only a PUBLISH names its message. The packets that acknowledge it have its
//! packet identifier, by which an exchange is followed from PUBLISH to PUBACK or
//! PUBCOMP, from connection to connection of one session (section 4.3).

use std::collections::BTreeMap;

/// Which way an exchange goes, as the server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// From the publisher.
    In,
    /// To a subscriber.
    Out,
}

impl Way {
    /// The other one.
    #[must_use]
    pub fn opposite(self) -> Way {
        match self {
            Way::In => Way::Out,
            Way::Out => Way::In,
        }
    }
}

/// The exchanges under way of all clients `C`, and the message `M` of each.
#[derive(Debug)]
pub struct Exchanges<C, M> {
    open: BTreeMap<(C, Way, u16), M>,
}

impl<C: Ord, M> Default for Exchanges<C, M> {
    fn default() -> Self {
        Exchanges {
            open: BTreeMap::new(),
        }
    }
}

impl<C: Ord + Clone, M: Copy> Exchanges<C, M> {
    /// The message that a packet is about, if it is about one. `way` is the
    /// packet's own; `message` is what a PUBLISH names.
    pub fn about(
        &mut self,
        client: &C,
        way: Way,
        packet: &str,
        packet_id: Option<u16>,
        message: Option<M>,
    ) -> Option<M> {
        let key = |way, packet_id| (client.clone(), way, packet_id);
        match (packet, packet_id) {
            ("PUBLISH", None) => message,
            ("PUBLISH", Some(packet_id)) => {
                // One with the same packet identifier is over in any case.
                let key = key(way, packet_id);
                match message {
                    Some(message) => self.open.insert(key, message),
                    None => self.open.remove(&key),
                };
                message
            }
            ("PUBACK" | "PUBCOMP", Some(packet_id)) => {
                self.open.remove(&key(way.opposite(), packet_id))
            }
            // PUBREL goes the way of its PUBLISH, and all answers the other.
            ("PUBREC", Some(packet_id)) => self.open.get(&key(way.opposite(), packet_id)).copied(),
            ("PUBREL", Some(packet_id)) => self.open.get(&key(way, packet_id)).copied(),
            _ => None,
        }
    }

    /// Whether a client has an exchange under way.
    pub fn has(&self, client: &C) -> bool {
        self.open.keys().any(|(of, ..)| of == client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_about_the_message_of_their_packet_identifier() {
        let mut exchanges = Exchanges::<u8, char>::default();
        let mut about =
            |client, way, packet, id, message| exchanges.about(&client, way, packet, id, message);
        // QoS 2 from client 1, and meanwhile QoS 1 to it with the same number.
        assert_eq!(about(1, Way::In, "PUBLISH", Some(7), Some('a')), Some('a'));
        assert_eq!(about(1, Way::Out, "PUBLISH", Some(7), Some('b')), Some('b'));
        assert_eq!(about(1, Way::Out, "PUBREC", Some(7), None), Some('a'));
        assert_eq!(about(1, Way::In, "PUBREL", Some(7), None), Some('a'));
        assert_eq!(about(1, Way::In, "PUBACK", Some(7), None), Some('b'));
        assert_eq!(about(1, Way::Out, "PUBCOMP", Some(7), None), Some('a'));
        assert_eq!(about(1, Way::Out, "PUBCOMP", Some(7), None), None, "over");
        // Nobody else's, and not what was there before.
        assert_eq!(about(1, Way::In, "PUBLISH", Some(8), Some('c')), Some('c'));
        assert_eq!(about(2, Way::Out, "PUBACK", Some(8), None), None);
        assert_eq!(about(1, Way::In, "PUBLISH", Some(8), None), None);
        assert_eq!(about(1, Way::Out, "PUBACK", Some(8), None), None);
        assert_eq!(about(1, Way::In, "PUBLISH", None, Some('d')), Some('d'));
        assert_eq!(about(1, Way::In, "PINGREQ", None, None), None);
    }
}
