//! Where dissectors put what they have counted.

use squall_reports::{Layer, LayerBytes};

/// Where an MQTT packet begins or ends in the payload of a TCP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamMark {
    /// Bytes of the payload before it.
    pub(crate) at: usize,
    /// The first byte of the MQTT packet, where one begins.
    pub(crate) first_byte: u8,
    /// It ends here, and does not begin.
    pub(crate) ends: bool,
}

/// The bytes of one TCP packet, as they are counted: in the order of the stream,
/// none twice.
pub(super) struct Tally<'a> {
    layers: &'a mut LayerBytes,
    /// Whether they count at all: those in a packet that repeats others count
    /// as repeated, all of them.
    counts: bool,
    /// Bytes of the payload before the next.
    at: usize,
    mark: &'a mut dyn FnMut(StreamMark),
    /// Whether a packet has ended, while that is held back.
    ended: Option<bool>,
}

impl<'a> Tally<'a> {
    /// A tally of what follows the first `at` bytes of a payload.
    pub(super) fn new(
        layers: &'a mut LayerBytes,
        counts: bool,
        at: usize,
        mark: &'a mut dyn FnMut(StreamMark),
    ) -> Tally<'a> {
        Tally {
            layers,
            counts,
            at,
            mark,
            ended: None,
        }
    }

    /// Counts the next bytes; says how many of them entered the layer.
    pub(super) fn add(&mut self, layer: Layer, bytes: usize) -> u64 {
        self.at += bytes;
        let counted = if self.counts { bytes as u64 } else { 0 };
        self.layers[layer] += counted;
        counted
    }

    /// Has bytes that entered one layer, as [`add`](Self::add) said, be of
    /// another: what they are shows only later.
    pub(super) fn transfer(&mut self, bytes: u64, from: Layer, to: Layer) {
        self.layers[from] -= bytes;
        self.layers[to] += bytes;
    }

    /// An MQTT packet begins with the next byte, which is this one.
    pub(super) fn begins(&mut self, first_byte: u8) {
        (self.mark)(StreamMark {
            at: self.at,
            first_byte,
            ends: false,
        });
    }

    /// An MQTT packet has ended with the last byte counted.
    pub(super) fn ends(&mut self) {
        match &mut self.ended {
            Some(ended) => *ended = true,
            None => (self.mark)(StreamMark {
                at: self.at,
                first_byte: 0,
                ends: true,
            }),
        }
    }

    /// Counts, and says whether an MQTT packet has ended, instead of marking it:
    /// it has arrived only once all that it is wrapped in has.
    pub(super) fn hold_ends(&mut self, count: impl FnOnce(&mut Self)) -> bool {
        let outer = self.ended.replace(false);
        count(self);
        std::mem::replace(&mut self.ended, outer) == Some(true)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The layers with these bytes.
    pub(in crate::net::account) fn layers(counts: &[(Layer, u64)]) -> LayerBytes {
        let mut layers = LayerBytes::default();
        for (layer, bytes) in counts {
            layers[*layer] += bytes;
        }
        layers
    }

    /// Counts a stream that is sent in pieces. Marks have their place in the
    /// whole of it.
    pub(in crate::net::account) fn counted<'b>(
        pieces: impl IntoIterator<Item = &'b [u8]>,
        mut count: impl FnMut(&[u8], &mut Tally<'_>),
    ) -> (LayerBytes, Vec<StreamMark>) {
        let mut layers = LayerBytes::default();
        let (mut marks, mut before) = (Vec::new(), 0);
        for piece in pieces {
            let mut mark = |mark: StreamMark| {
                let at = before + mark.at;
                marks.push(StreamMark { at, ..mark });
            };
            count(piece, &mut Tally::new(&mut layers, true, 0, &mut mark));
            before += piece.len();
        }
        (layers, marks)
    }
}
