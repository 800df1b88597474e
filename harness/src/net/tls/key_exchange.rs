//! How keys are agreed upon, with keys from a seeded stream: X25519 (RFC 7748),
//! and its hybrid with ML-KEM-768 (draft-ietf-tls-ecdhe-mlkem), which is the two
//! side by side, the post-quantum one first.

use super::random;
use ml_kem::{Decapsulate as _, Key};
use ml_kem::{DecapsulationKey, EncapsulationKey, KeyExport as _, MlKem768, Seed};
use tokio_rustls::rustls::crypto::{
    ActiveKeyExchange, CompletedKeyExchange, SharedSecret, SupportedKxGroup,
};
use tokio_rustls::rustls::ffdhe_groups::FfdheGroup;
use tokio_rustls::rustls::{Error, NamedGroup, PeerMisbehaved, ProtocolVersion};
use x25519_dalek::{PublicKey, StaticSecret};

/// Bytes of an ML-KEM-768 key that is sent by the client (FIPS 203, table 3).
const ENCAPSULATION_KEY_BYTES: usize = 1184;

/// Bytes of what the server answers with.
const CIPHERTEXT_BYTES: usize = 1088;

/// X25519 alone.
#[derive(Debug)]
pub(super) struct X25519;

impl SupportedKxGroup for X25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        Ok(Box::new(Curve::start()?))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// An exchange by X25519 that waits for the other's share.
struct Curve {
    secret: StaticSecret,
    public: PublicKey,
}

impl Curve {
    fn start() -> Result<Curve, Error> {
        let secret = StaticSecret::from(random::bytes()?);
        let public = PublicKey::from(&secret);
        Ok(Curve { secret, public })
    }

    fn agree(&self, share: &[u8]) -> Result<[u8; 32], Error> {
        let share: [u8; 32] = share.try_into().map_err(|_| invalid())?;
        let shared = self.secret.diffie_hellman(&PublicKey::from(share));
        // A share of small order agrees upon nothing (RFC 8446, section 7.4.2).
        shared
            .was_contributory()
            .then(|| shared.to_bytes())
            .ok_or_else(invalid)
    }
}

impl ActiveKeyExchange for Curve {
    fn complete(self: Box<Self>, share: &[u8]) -> Result<SharedSecret, Error> {
        Ok(SharedSecret::from(&self.agree(share)?[..]))
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// The hybrid.
#[derive(Debug)]
pub(super) struct X25519MlKem768;

impl SupportedKxGroup for X25519MlKem768 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let lattice = DecapsulationKey::<MlKem768>::from_seed(Seed::from(random::bytes()?));
        let curve = Curve::start()?;
        let encapsulation = lattice.encapsulation_key().to_bytes();
        let share = [encapsulation.as_slice(), curve.pub_key()].concat();
        Ok(Box::new(Hybrid {
            lattice,
            curve,
            share,
        }))
    }

    /// At the server, whose share depends on the client's.
    fn start_and_complete(&self, share: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let (encapsulation, curve_share) = split(share, ENCAPSULATION_KEY_BYTES)?;
        let encapsulation = Key::<EncapsulationKey<MlKem768>>::try_from(encapsulation);
        let encapsulation = encapsulation.map_err(|_| invalid())?;
        let encapsulation = EncapsulationKey::<MlKem768>::new(&encapsulation);
        let encapsulation = encapsulation.map_err(|_| invalid())?;
        let drawn = random::bytes::<32>()?.into();
        let (ciphertext, shared) = encapsulation.encapsulate_deterministic(&drawn);
        let curve = Curve::start()?;
        let agreed = curve.agree(curve_share)?;
        Ok(CompletedKeyExchange {
            group: self.name(),
            pub_key: [ciphertext.as_slice(), curve.pub_key()].concat(),
            secret: [shared.as_slice(), &agreed].concat().into(),
        })
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_3
    }
}

/// The client's exchange by the hybrid.
struct Hybrid {
    lattice: DecapsulationKey<MlKem768>,
    curve: Curve,
    share: Vec<u8>,
}

impl ActiveKeyExchange for Hybrid {
    fn complete(self: Box<Self>, share: &[u8]) -> Result<SharedSecret, Error> {
        let (ciphertext, curve_share) = split(share, CIPHERTEXT_BYTES)?;
        let ciphertext = ciphertext.try_into().map_err(|_| invalid())?;
        let shared = self.lattice.decapsulate(&ciphertext);
        let agreed = self.curve.agree(curve_share)?;
        Ok([shared.as_slice(), &agreed].concat().into())
    }

    /// The server may choose X25519 by the same share.
    fn hybrid_component(&self) -> Option<(NamedGroup, &[u8])> {
        Some((NamedGroup::X25519, self.curve.pub_key()))
    }

    fn complete_hybrid_component(self: Box<Self>, share: &[u8]) -> Result<SharedSecret, Error> {
        Box::new(self.curve).complete(share)
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

/// The post-quantum part of a share, and the other.
fn split(share: &[u8], lattice_bytes: usize) -> Result<(&[u8], &[u8]), Error> {
    share.split_at_checked(lattice_bytes).ok_or_else(invalid)
}

fn invalid() -> Error {
    PeerMisbehaved::InvalidKeyShare.into()
}

#[cfg(test)]
mod tests {
    use super::super::random::Drawing;
    use super::*;
    use crate::random::stream;
    use rstest::rstest;
    use std::future::{Future as _, poll_fn};
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    /// What `exchange` makes of keys from a stream.
    fn drawing<T>(mut exchange: impl FnMut() -> T) -> T {
        let future = poll_fn(|_| Poll::Ready(exchange()));
        let mut drawing = Drawing::from(stream(1, "tls test", 0), future);
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(&mut drawing).poll(&mut context) {
            Poll::Ready(exchanged) => exchanged,
            Poll::Pending => unreachable!("it never waits"),
        }
    }

    #[rstest]
    #[case::curve(&X25519, 32, 32)]
    #[case::hybrid(&X25519MlKem768, 32 + 1184, 32 + 1088)]
    fn both_ends_agree(
        #[case] group: &dyn SupportedKxGroup,
        #[case] client_bytes: usize,
        #[case] server_bytes: usize,
    ) {
        drawing(|| {
            let client = group.start().expect("a share");
            assert_eq!(client.pub_key().len(), client_bytes);
            let server = group.start_and_complete(client.pub_key()).expect("a share");
            assert_eq!(server.pub_key.len(), server_bytes);
            let agreed = client.complete(&server.pub_key).expect("a secret");
            assert_eq!(agreed.secret_bytes(), server.secret.secret_bytes());
        });
    }

    #[rstest]
    #[case::too_short(&X25519, vec![7; 31])]
    #[case::of_small_order(&X25519, vec![0; 32])]
    #[case::half_of_it(&X25519MlKem768, vec![7; 1184])]
    #[case::no_key(&X25519MlKem768, vec![0xFF; 1184 + 32])]
    fn a_share_that_is_none_is_refused(
        #[case] group: &dyn SupportedKxGroup,
        #[case] share: Vec<u8>,
    ) {
        drawing(|| {
            let refused = group.start_and_complete(&share).err();
            assert_eq!(refused, Some(invalid()));
        });
    }
}
