//! What holds for every packet and every sequence of bytes, in both versions.

#[path = "../../fuzz/src/decoder.rs"]
mod decoder;
mod differential;
mod others;
mod packets;

use packets::{Conversation, connection, conversation};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use squall_broker::wire::{Decoder, Packet, Sender, Version, WireError};

/// Everything that comes out of the pieces, up to the first error.
fn decode<'a>(
    version: Version,
    sender: Sender,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Packet>, Option<WireError>) {
    decode_with(Decoder::new(version, sender, 8192), pieces)
}

fn decode_with<'a>(
    mut decoder: Decoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Packet>, Option<WireError>) {
    let mut packets = Vec::new();
    for mut piece in pieces {
        loop {
            match decoder.decode(&mut piece) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(error) => return (packets, Some(error)),
            }
        }
        assert!(piece.is_empty(), "all of the input is taken");
    }
    (packets, None)
}

/// Cuts bytes at the given places, whichever of them there are.
fn split<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for to in at.into_iter().chain([bytes.len()]) {
        pieces.push(&bytes[from..to]);
        from = to;
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn packets_come_back_from_any_split_of_their_bytes(
        talk in conversation(8),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let bytes = talk.encode();
        let Conversation { version, sender, packets } = talk;
        prop_assert_eq!(decode(version, sender, split(&bytes, &cuts)), (packets.clone(), None));
        prop_assert_eq!(decode(version, sender, bytes.chunks(1)), (packets, None));
    }

    /// Damaged packets give the same answer however they are cut, what is found
    /// in them is a packet, and there is never a panic.
    #[test]
    fn damaged_packets_are_no_harm(
        talk in conversation(8),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<u8>(),
    ) {
        let mut bytes = talk.encode();
        for (at, byte) in damage {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        let server = u8::from(talk.sender == Sender::Server);
        let who = server | if talk.version == Version::V5 { 2 } else { 0 };
        for who in [who, 4] {
            decoder::check(&[&[who, cut], &bytes[..]].concat());
        }
    }

    #[test]
    fn random_bytes_are_no_harm(script in vec(any::<u8>(), 0..600)) {
        decoder::check(&script);
    }

    /// A decoder that lets the CONNECT choose decodes what follows as one that
    /// knew the version from the start.
    #[test]
    fn a_connect_chooses_the_version(
        talk in connection(8),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let bytes = talk.encode();
        let decoded = decode_with(Decoder::negotiating(8192), split(&bytes, &cuts));
        prop_assert_eq!(decoded, (talk.packets, None));
    }
}
