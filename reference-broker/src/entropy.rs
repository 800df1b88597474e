//! What must not be guessed: nonces and the client identifiers that the broker
//! assigns. Like time it is an input, so that the broker is the same twice where
//! that is wanted, and unpredictable where it must be.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The secret from which a broker draws what must not be guessed.
///
/// Whoever knows it can foretell every draw. By default it is all zeros, which
/// everybody knows: good for a simulation. A broker that serves real clients is
/// given 32 bytes of the system's randomness, at each start afresh.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub struct Entropy([u8; 32]);

impl Entropy {
    /// The entropy in these bytes.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// Draw number `index`: 32 bytes that tell nothing of another draw.
    pub(crate) fn draw(&self, index: u64) -> [u8; 32] {
        hmac(&self.0, &[b"draw", &index.to_be_bytes()])
    }

    /// What always belongs to a name, and tells nothing of it.
    pub(crate) fn of(&self, name: &str) -> [u8; 32] {
        hmac(&self.0, &[b"name", name.as_bytes()])
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(..)")
    }
}

/// HMAC-SHA-256 over the parts, one after the other.
pub(crate) fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // To HMAC, a key shorter than a block of the hash is one with zeros behind.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_differ_by_secret_and_index() {
        let (one, other) = (Entropy::default(), Entropy::new([1; 32]));
        assert_eq!(one.draw(1), Entropy::new([0; 32]).draw(1));
        assert_ne!(one.draw(1), one.draw(2));
        assert_ne!(one.draw(1), other.draw(1));
        assert_ne!(one.of("a"), one.of("b"));
        assert_eq!(format!("{one:?}"), "Entropy(..)");
    }
}
