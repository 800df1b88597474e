//! Passwords, as they are kept: hashed with Argon2, in PHC's string format, or as
//! the keys of SCRAM, which also lets their users in who say no password.

use std::fmt;
use std::str::FromStr;

use argon2::Argon2;
use argon2::password_hash::phc;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use squall_broker::ScramKeys;

/// A password as it is kept: `$argon2id$v=19$m=19456,t=2,p=1$…` or
/// `SCRAM-SHA-256$4096:…`.
///
/// ```
/// use squall::serve::PasswordHash;
///
/// let hash = PasswordHash::new(b"open sesame").expect("hashed");
/// let kept: PasswordHash = hash.to_string().parse().expect("a hash");
/// assert!(kept.verifies(b"open sesame"));
/// assert!(!kept.verifies(b"open barley"));
/// ```
#[derive(Clone, Debug)]
pub struct PasswordHash(Kept);

#[derive(Clone, Debug)]
enum Kept {
    Argon2(phc::PasswordHash),
    Scram(ScramKeys),
}

impl PasswordHash {
    /// Hashes a password with Argon2id, a salt from the system, 19 MiB of memory
    /// and two passes, OWASP's recommendation.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn new(password: &[u8]) -> Result<Self, String> {
        let hash = Argon2::default().hash_password(password);
        let hash = hash.map_err(|error| error.to_string())?;
        Ok(Self(Kept::Argon2(hash)))
    }

    /// Derives the keys of SCRAM-SHA-256 from a password, with a salt from the
    /// system and as many iterations as sensors can bear.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn scram(password: &[u8]) -> Result<Self, String> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| error.to_string())?;
        let keys = ScramKeys::derive(password, &salt, ScramKeys::ITERATIONS);
        Ok(Self(Kept::Scram(keys)))
    }

    /// The keys for who comes with SCRAM, if it has them.
    #[must_use]
    pub fn scram_keys(&self) -> Option<&ScramKeys> {
        match &self.0 {
            Kept::Argon2(_) => None,
            Kept::Scram(keys) => Some(keys),
        }
    }

    /// Whether it is the hash of this password. Takes some thousandths of a
    /// second, or hundredths with Argon2, as it must.
    #[must_use]
    pub fn verifies(&self, password: &[u8]) -> bool {
        match &self.0 {
            Kept::Argon2(hash) => Argon2::default().verify_password(password, hash).is_ok(),
            Kept::Scram(keys) => keys.verifies(password),
        }
    }
}

impl FromStr for PasswordHash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("SCRAM") {
            let keys = text.parse::<ScramKeys>();
            return match keys {
                Ok(keys) => Ok(Self(Kept::Scram(keys))),
                Err(error) => Err(error.to_string()),
            };
        }
        if !text.starts_with("$argon2") {
            return Err("not a hash of Argon2".to_owned());
        }
        phc::PasswordHash::new(text)
            .map(|hash| Self(Kept::Argon2(hash)))
            .map_err(|error| error.to_string())
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kept::Argon2(hash) => hash.fmt(f),
            Kept::Scram(keys) => keys.fmt(f),
        }
    }
}
