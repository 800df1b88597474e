//! Passwords, as they are kept: hashed with Argon2, in PHC's string format.

use std::fmt;
use std::str::FromStr;

use argon2::Argon2;
use argon2::password_hash::phc;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

/// A password as it is kept: `$argon2id$v=19$m=19456,t=2,p=1$…`.
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
pub struct PasswordHash(phc::PasswordHash);

impl PasswordHash {
    /// Hashes a password with Argon2id, a salt from the system, 19 MiB of memory
    /// and two passes, OWASP's recommendation.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn new(password: &[u8]) -> Result<Self, String> {
        Argon2::default()
            .hash_password(password)
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// Whether it is the hash of this password. Takes some hundredths of a
    /// second, as it must.
    #[must_use]
    pub fn verifies(&self, password: &[u8]) -> bool {
        Argon2::default().verify_password(password, &self.0).is_ok()
    }
}

impl FromStr for PasswordHash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.starts_with("$argon2") {
            return Err("not a hash of Argon2".to_owned());
        }
        phc::PasswordHash::new(text)
            .map(Self)
            .map_err(|error| error.to_string())
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
