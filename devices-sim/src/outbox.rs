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
    waiting: VecDeque<Reading>,
    handed: VecDeque<Reading>,
    in_flight: VecDeque<Flight>,
    /// Packet identifiers of QoS 2 flows from the broker whose PUBREL is to come.
    received: Vec<u16>,
    last_packet_id: u16,
}

impl Outbox {
    /// No reading is owed.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.handed.is_empty() && self.in_flight.is_empty()
    }

    /// Adds a reading. If that makes more than `max` waiting, the oldest is given up.
    pub(crate) fn push(&mut self, reading: Reading, max: usize) -> Option<Reading> {
        self.waiting.push_back(reading);
        if self.waiting.len() > max {
            self.waiting.pop_front()
        } else {
            None
        }
    }

    /// The next reading to give to a connected client, of which `window` may be
    /// on their way. What was in flight on an earlier connection goes first
    /// [MQTT311-4.6.0-1].
    pub(crate) fn hand_over(&mut self, window: usize) -> Option<&Reading> {
        let busy = self.in_flight.len() + self.handed.len() >= window;
        if busy || self.in_flight.iter().any(|flight| flight.resend) {
            return None;
        }
        let reading = self.waiting.pop_front()?;
        self.handed.push_back(reading);
        self.handed.back()
    }

    /// The client wrote a PUBLISH with `packet_id`, 0 at QoS 0. Returns the
    /// reading's sequence number, and whether it has been sent before.
    pub(crate) fn sent(&mut self, packet_id: u16) -> Option<(u32, bool)> {
        let mut flights = self.in_flight.iter_mut();
        if let Some(flight) = flights.find(|flight| flight.packet_id == packet_id) {
            flight.resend = false;
            return Some((flight.reading.sequence, true));
        }
        let reading = self.handed.pop_front()?;
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
        while let Some(reading) = self.handed.pop_back() {
            self.waiting.push_front(reading);
        }
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
                self.waiting.push_front(flight.reading);
            }
        }
        given_up.reverse();
        given_up
    }

    /// Keeps no more memory than needed.
    pub(crate) fn shrink(&mut self) {
        self.waiting.shrink_to_fit();
        self.handed.shrink_to_fit();
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
