//! What a device still owes: readings on their way to the broker, and the QoS 2
//! flows it has to answer.
//!
//! The outbox outlives connections and sleep. A reading moves from *waiting*
//! (not given to the MQTT client, because there is no connection or too much is
//! in flight) to *handed* (in the client's queue) to *in flight* (sent, and
//! awaiting its acknowledgement) and is gone.

use crate::fleet::Qos;
use bytes::Bytes;
use std::collections::VecDeque;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) sequence: u32,
    pub(crate) qos: Qos,
    pub(crate) payload: Bytes,
}

#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) packet_id: u16,
    pub(crate) reading: Reading,
    /// PUBREC has arrived: PUBREL is sent, and PUBCOMP awaited.
    pub(crate) released: bool,
    /// The current connection still has to carry its PUBLISH again.
    resend: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Those handed over first, then those waiting.
    queue: VecDeque<Reading>,
    handed: usize,
    in_flight: VecDeque<Flight>,
    /// Packet identifiers of QoS 2 flows from the broker whose PUBREL is to come.
    received: Vec<u16>,
    last_packet_id: u16,
}

impl Outbox {
    /// No reading is owed.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.in_flight.is_empty()
    }

    /// Adds a reading. If that makes more than `max` waiting, the oldest is given up.
    pub(crate) fn push(&mut self, reading: Reading, max: usize) -> Option<Reading> {
        self.queue.push_back(reading);
        if self.queue.len() - self.handed > max {
            self.queue.remove(self.handed)
        } else {
            None
        }
    }

    /// The next reading to give to a connected client, of which `window` may be
    /// on their way. What was in flight on an earlier connection goes first
    /// [MQTT311-4.6.0-1].
    pub(crate) fn hand_over(&mut self, window: usize) -> Option<&Reading> {
        let busy = self.in_flight.len() + self.handed >= window;
        if busy || self.in_flight.iter().any(|flight| flight.resend) {
            return None;
        }
        let reading = self.queue.get(self.handed)?;
        self.handed += 1;
        Some(reading)
    }

    /// The next of those in flight that this connection has to carry again.
    pub(crate) fn to_resend(&self) -> Option<&Flight> {
        self.in_flight.iter().find(|flight| flight.resend)
    }

    /// A packet identifier that nothing in flight has.
    pub(crate) fn free_packet_id(&self) -> u16 {
        let mut packet_id = self.last_packet_id;
        loop {
            packet_id = packet_id.checked_add(1).unwrap_or(1);
            if self.in_flight().all(|flight| flight.packet_id != packet_id) {
                return packet_id;
            }
        }
    }

    /// The client wrote a PUBLISH with `packet_id`, 0 at QoS 0. Returns the
    /// reading's sequence number, and whether it has been sent before.
    pub(crate) fn sent(&mut self, packet_id: u16) -> Option<(u32, bool)> {
        let mut flights = self.in_flight.iter_mut();
        if let Some(flight) = flights.find(|flight| flight.packet_id == packet_id) {
            flight.resend = false;
            return Some((flight.reading.sequence, true));
        }
        self.handed = self.handed.checked_sub(1)?;
        let reading = self.queue.pop_front()?;
        let sequence = reading.sequence;
        if packet_id != 0 {
            self.last_packet_id = packet_id;
            self.in_flight.push_back(Flight {
                packet_id,
                reading,
                released: false,
                resend: false,
            });
        }
        Some((sequence, false))
    }

    /// PUBREC arrived: the payload need not be kept.
    pub(crate) fn released(&mut self, packet_id: u16) {
        let mut flights = self.in_flight.iter_mut();
        if let Some(flight) = flights.find(|flight| flight.packet_id == packet_id) {
            flight.released = true;
            flight.resend = false;
            flight.reading.payload = Bytes::new();
        }
    }

    /// PUBACK or PUBCOMP arrived. Returns the reading's sequence number.
    pub(crate) fn acknowledged(&mut self, packet_id: u16) -> Option<u32> {
        let mut flights = self.in_flight.iter();
        let place = flights.position(|flight| flight.packet_id == packet_id)?;
        let flight = self.in_flight.remove(place)?;
        Some(flight.reading.sequence)
    }

    /// The server has everything up to this reading. Returns the sequence numbers
    /// of those that were in flight.
    pub(crate) fn acknowledged_up_to(&mut self, sequence: u64) -> Vec<u32> {
        let mut acknowledged = Vec::new();
        self.in_flight.retain(|flight| {
            let open = u64::from(flight.reading.sequence) > sequence;
            if !open {
                acknowledged.push(flight.reading.sequence);
            }
            open
        });
        acknowledged
    }

    /// The broker opened a QoS 2 flow towards the device.
    pub(crate) fn flow_received(&mut self, packet_id: u16) {
        self.received.push(packet_id);
    }

    /// The broker's PUBREL ended such a flow.
    pub(crate) fn flow_completed(&mut self, packet_id: u16) {
        self.received.retain(|&received| received != packet_id);
    }

    /// The connection ended. What the client had queued but not sent waits again,
    /// in its order; what is in flight is to be sent again.
    pub(crate) fn connection_ended(&mut self) {
        self.handed = 0;
        for flight in &mut self.in_flight {
            flight.resend = !flight.released;
        }
    }

    /// The broker has no session any more. At QoS 1 the unacknowledged readings
    /// are published anew, which keeps *at least once*; at QoS 2 that could
    /// deliver them twice, so they are given up. Returns the latters' sequence numbers.
    pub(crate) fn session_lost(&mut self) -> Vec<u32> {
        self.received.clear();
        self.last_packet_id = 0;
        let mut given_up = Vec::new();
        while let Some(flight) = self.in_flight.pop_back() {
            if flight.reading.qos == Qos::ExactlyOnce {
                given_up.push(flight.reading.sequence);
            } else {
                self.queue.push_front(flight.reading);
            }
        }
        given_up.reverse();
        given_up
    }

    /// It was kept in RAM, and the power is gone. Returns the sequence numbers of
    /// the readings that are lost.
    pub(crate) fn forget(&mut self) -> Vec<u32> {
        let lost = std::mem::take(self);
        let in_flight = lost.in_flight.iter().map(|flight| &flight.reading);
        let readings = in_flight.chain(&lost.queue);
        readings.map(|reading| reading.sequence).collect()
    }

    /// Keeps no more memory than needed.
    pub(crate) fn shrink(&mut self) {
        self.queue.shrink_to_fit();
        self.in_flight.shrink_to_fit();
        self.received.shrink_to_fit();
    }

    pub(crate) fn in_flight(&self) -> impl Iterator<Item = &Flight> {
        self.in_flight.iter()
    }

    pub(crate) fn received(&self) -> &[u16] {
        &self.received
    }

    pub(crate) fn last_packet_id(&self) -> u16 {
        self.last_packet_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waiting readings with these QoS, and sequence numbers from 1.
    fn outbox(qos: &[Qos]) -> Outbox {
        let mut outbox = Outbox::default();
        for (sequence, &qos) in (1..).zip(qos) {
            let payload = Bytes::from_static(b"x");
            let reading = Reading {
                sequence,
                qos,
                payload,
            };
            assert_eq!(outbox.push(reading, 10), None);
        }
        outbox
    }

    /// Hands over what `window` allows; returns the sequence numbers.
    fn hand_over(outbox: &mut Outbox, window: usize) -> Vec<u32> {
        let next = || Some(outbox.hand_over(window)?.sequence);
        std::iter::from_fn(next).collect()
    }

    const ONCE: Qos = Qos::AtLeastOnce;

    #[test]
    fn what_was_queued_and_not_sent_waits_again_in_its_order() {
        let mut outbox = outbox(&[ONCE, Qos::AtMostOnce, ONCE, ONCE]);
        assert_eq!(hand_over(&mut outbox, 3), [1, 2, 3]);
        assert_eq!(outbox.sent(1), Some((1, false)));
        outbox.connection_ended();
        assert_eq!(outbox.acknowledged(1), Some(1));
        assert_eq!(hand_over(&mut outbox, 9), [2, 3, 4]);
        assert_eq!(outbox.sent(0), Some((2, false)));
        assert_eq!(outbox.sent(2), Some((3, false)));
        assert_eq!(outbox.last_packet_id(), 2);
    }

    #[test]
    fn nothing_new_overtakes_what_is_to_be_sent_again() {
        let mut outbox = outbox(&[ONCE, ONCE, ONCE]);
        assert_eq!(hand_over(&mut outbox, 2), [1, 2]);
        assert_eq!(
            (outbox.sent(1), outbox.sent(2)),
            (Some((1, false)), Some((2, false)))
        );
        outbox.connection_ended();
        assert!(hand_over(&mut outbox, 9).is_empty());
        assert_eq!(outbox.sent(1), Some((1, true)));
        assert!(hand_over(&mut outbox, 9).is_empty());
        assert_eq!(outbox.sent(2), Some((2, true)));
        assert_eq!(hand_over(&mut outbox, 9), [3]);
    }

    #[test]
    fn a_released_flow_need_not_be_sent_again() {
        let mut outbox = outbox(&[Qos::ExactlyOnce, Qos::ExactlyOnce]);
        assert_eq!(hand_over(&mut outbox, 1), [1]);
        assert_eq!(outbox.sent(1), Some((1, false)));
        outbox.released(1);
        outbox.connection_ended();
        assert!(
            outbox
                .in_flight()
                .all(|flight| flight.released && flight.reading.payload.is_empty())
        );
        assert_eq!(hand_over(&mut outbox, 2), [2]);
        assert_eq!(outbox.acknowledged(1), Some(1));
    }

    #[test]
    fn without_a_session_qos_1_starts_over_and_qos_2_is_given_up() {
        let mut outbox = outbox(&[ONCE, Qos::ExactlyOnce, ONCE, Qos::ExactlyOnce, ONCE]);
        assert_eq!(hand_over(&mut outbox, 4), [1, 2, 3, 4]);
        for packet_id in 1..=4 {
            outbox.sent(packet_id);
        }
        outbox.flow_received(9);
        outbox.connection_ended();
        assert_eq!(outbox.session_lost(), [2, 4]);
        assert!(outbox.received().is_empty());
        assert_eq!(hand_over(&mut outbox, 9), [1, 3, 5]);
        assert_eq!(outbox.sent(1), Some((1, false)));
    }

    #[test]
    fn what_is_forgotten_is_all_of_it_the_oldest_first() {
        let mut outbox = outbox(&[ONCE, ONCE, ONCE]);
        assert_eq!(hand_over(&mut outbox, 2), [1, 2]);
        assert_eq!(outbox.sent(7), Some((1, false)));
        outbox.flow_received(9);
        assert_eq!(outbox.forget(), [1, 2, 3]);
        assert!(outbox.is_empty() && outbox.received().is_empty());
        assert_eq!(outbox.last_packet_id(), 0);
    }

    #[test]
    fn what_is_acknowledged_up_to_a_reading_is_not_sent_again() {
        let mut outbox = outbox(&[ONCE, ONCE, ONCE]);
        assert_eq!(hand_over(&mut outbox, 9), [1, 2, 3]);
        for _ in 0..3 {
            let packet_id = outbox.free_packet_id();
            outbox.sent(packet_id);
        }
        outbox.connection_ended();
        assert_eq!(outbox.acknowledged_up_to(2), [1, 2]);
        let resent = outbox.to_resend().map(|flight| flight.packet_id);
        assert_eq!(resent, Some(3));
        assert_eq!(outbox.sent(3), Some((3, true)));
        assert!(outbox.to_resend().is_none());
        assert_eq!(outbox.free_packet_id(), 4);
        assert_eq!(outbox.acknowledged_up_to(9), [3]);
        assert!(outbox.is_empty());
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut outbox = outbox(&[ONCE, ONCE]);
        let third = Reading {
            sequence: 3,
            qos: ONCE,
            payload: Bytes::new(),
        };
        assert_eq!(outbox.push(third, 2).map(|oldest| oldest.sequence), Some(1));
        assert_eq!(hand_over(&mut outbox, 9), [2, 3]);
        assert!(!outbox.is_empty());
    }
}
