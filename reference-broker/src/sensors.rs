//! What the hub and the REST server have in common: how groups, sensors and
//! listeners are named in URLs, and how readings are numbered.

use std::sync::Arc;

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// The name of a group, a sensor or a listener.
pub(crate) type Name = Arc<str>;

/// The name that this is, if it has 1 to 64 letters, digits, `-`, `_` and `.`.
pub(crate) fn name(text: &str) -> Option<Name> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let right = (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed);
    right.then(|| text.into())
}

/// A number without a sign, and nothing else.
pub(crate) fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
