//! A certificate for a broker with TLS, made for one instance and trusted by its
//! clients alone.

use std::fs;
use std::io;
use std::path::Path;

/// Writes a certificate for this machine, and its private key.
///
/// # Errors
/// When a file cannot be written.
pub(super) fn write(certificate: &Path, key: &Path) -> io::Result<()> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
    fs::write(certificate, made.cert.pem())?;
    fs::write(key, made.signing_key.serialize_pem())
}
