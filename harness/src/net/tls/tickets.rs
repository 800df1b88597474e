//! Session tickets (RFC 8446, section 4.6.1): where a device keeps them, and how
//! the server seals them.

use super::random;
use parking_lot::Mutex;
use rand::Rng as _;
use rand_pcg::Pcg64Mcg;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::collections::VecDeque;
use std::fmt;
use tokio_rustls::rustls::NamedGroup;
use tokio_rustls::rustls::client::{
    ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::server::ProducesTickets;

/// Tickets that a device keeps: those of one handshake.
const KEPT_MAX: usize = 2;

/// How long a ticket is good for, in seconds: as in rustls.
const LIFETIME_SECONDS: u32 = 12 * 60 * 60;

/// The tickets of one device, each for one connection. There is one server.
#[derive(Default)]
pub(super) struct Kept(Mutex<VecDeque<Tls13ClientSessionValue>>);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({})", self.0.lock().len())
    }
}

impl ClientSessionStore for Kept {
    /// What a device offers is settled.
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        let mut kept = self.0.lock();
        if kept.len() == KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.lock().pop_back()
    }
}

/// What a server seals sessions with, so that it need not remember them: a key of
/// its own, as in rustls, whose layout this is.
pub(super) struct Sealed {
    key: LessSafeKey,
    /// Tells the tickets of this key from others.
    name: [u8; 16],
}

impl Sealed {
    /// A key of its own.
    pub(super) fn new(random: &mut Pcg64Mcg) -> Sealed {
        let (mut key, mut name) = ([0; 32], [0; 16]);
        random.fill_bytes(&mut key);
        random.fill_bytes(&mut name);
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key)
            .unwrap_or_else(|_| panic!("a key of ChaCha20 has 32 bytes"));
        Sealed {
            key: LessSafeKey::new(key),
            name,
        }
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").finish_non_exhaustive()
    }
}

impl ProducesTickets for Sealed {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME_SECONDS
    }

    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = random::bytes().ok()?;
        let mut sealed = session.to_vec();
        let tag = self.key.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(self.name),
            &mut sealed,
        );
        let tag = tag.ok()?;
        Some([&self.name, &nonce[..], &sealed, tag.as_ref()].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let sealed = ticket.strip_prefix(&self.name)?;
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut session = sealed.to_vec();
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(self.name), &mut session);
        let bytes = opened.ok()?.len();
        session.truncate(bytes);
        Some(session)
    }
}
