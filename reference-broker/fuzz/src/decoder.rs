//! What holds for any bytes that a decoder is given. The fuzz target and a
//! bounded test of the broker's share it.

use squall_broker::wire::{Decoder, Packet, Sender, Version, WireError};

/// The first byte of a script says who sends in which version, the second how
/// the rest, which is what is sent, is cut.
///
/// # Panics
/// If the decoder does, if what it says depends on the cut, or if a packet that
/// it found is not found again in what the encoder makes of it.
pub(crate) fn check(script: &[u8]) {
    let [who, cut, bytes @ ..] = script else {
        return;
    };
    let whole = decode(*who, [bytes]);
    let pieces = bytes.chunks(usize::from(*cut).max(1));
    assert_eq!(whole, decode(*who, pieces), "the cut matters");
    let mut version = version(*who);
    for packet in whole.packets {
        if let Packet::Connect(connect) = &packet {
            version = connect.version;
        }
        let mut again = Vec::new();
        packet.encode(version, &mut again);
        let decoded = Decoder::new(version, sender(*who), usize::MAX).decode(&mut &again[..]);
        assert_eq!(decoded, Ok(Some(packet)), "{again:02x?}");
    }
}

#[derive(Debug, PartialEq)]
struct Decoded {
    packets: Vec<Packet>,
    error: Option<WireError>,
}

fn sender(who: u8) -> Sender {
    if who & 1 == 0 {
        Sender::Client
    } else {
        Sender::Server
    }
}

fn version(who: u8) -> Version {
    if who & 2 == 0 {
        Version::V3_1_1
    } else {
        Version::V5
    }
}

fn decoder(who: u8) -> Decoder {
    const PACKET_BYTES_MAX: usize = 1 << 16;
    match who & 7 {
        4 => Decoder::negotiating(PACKET_BYTES_MAX),
        _ => Decoder::new(version(who), sender(who), PACKET_BYTES_MAX),
    }
}

/// What comes out of the pieces, up to the first error.
fn decode<'a>(who: u8, pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = decoder(who);
    let mut packets = Vec::new();
    for mut piece in pieces {
        loop {
            match decoder.decode(&mut piece) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(error) => {
                    let error = Some(error);
                    return Decoded { packets, error };
                }
            }
        }
        assert!(piece.is_empty(), "all of a piece is taken");
    }
    let error = None;
    Decoded { packets, error }
}
