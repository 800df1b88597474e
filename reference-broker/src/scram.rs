//! SCRAM-SHA-256 (RFC 5802 and 7677), the server's side: a client shows that it
//! knows its password without saying it, and the server that it knows the client.
//!
//! The server keeps keys that are derived from the password; deriving them, which
//! must take long, is the client's part of every exchange. There is no channel
//! binding: MQTT's methods name none.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::entropy::{Entropy, hmac};

/// What MQTT calls the method.
pub(crate) const METHOD: &str = "SCRAM-SHA-256";

/// What a broker keeps of a password: enough to recognise who knows it, and not
/// enough to pass for them.
///
/// In text it is as PostgreSQL keeps it:
/// `SCRAM-SHA-256$ITERATIONS:SALT$STORED_KEY:SERVER_KEY`, the last three in
/// base64.
///
/// ```
/// use std::num::NonZeroU32;
/// use squall_broker::ScramKeys;
///
/// let iterations = NonZeroU32::new(4096).expect("not zero");
/// let keys = ScramKeys::derive(b"pencil", b"a salt of 16 B..", iterations);
/// let kept: ScramKeys = keys.to_string().parse().expect("keys");
/// assert!(kept.verifies(b"pencil"));
/// assert!(!kept.verifies(b"pen"));
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct ScramKeys {
    iterations: NonZeroU32,
    salt: Box<[u8]>,
    stored_key: [u8; 32],
    server_key: [u8; 32],
}

impl ScramKeys {
    /// How often the hash is iterated unless somebody knows better, the least
    /// that RFC 7677 allows: it is the client that has to do it, each time it
    /// connects, and many a client is a sensor.
    pub const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).expect("not zero");

    /// The keys of a password. Takes about a microsecond for each iteration.
    #[must_use]
    pub fn derive(password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Self {
        // What is not text, or not text that SASLprep allows, is taken as it is.
        let text = std::str::from_utf8(password).ok();
        let prepared = text.and_then(|text| stringprep::saslprep(text).ok());
        let password = prepared.as_deref().map_or(password, str::as_bytes);
        let mut salted = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations.get(), &mut salted);
        Self {
            iterations,
            salt: salt.into(),
            stored_key: Sha256::digest(hmac(&salted, &[b"Client Key"])).into(),
            server_key: hmac(&salted, &[b"Server Key"]),
        }
    }

    /// Whether they are the keys of this password. Takes as long as deriving
    /// them.
    #[must_use]
    pub fn verifies(&self, password: &[u8]) -> bool {
        let derived = Self::derive(password, &self.salt, self.iterations);
        derived.stored_key.ct_eq(&self.stored_key).into()
    }

    /// Keys of nobody, always the same for one name: who asks for a user that
    /// there is not learns no more than with a wrong password.
    fn of_nobody(user_name: &str, entropy: &Entropy) -> Self {
        let secret = entropy.of(user_name);
        Self {
            iterations: Self::ITERATIONS,
            salt: secret[..16].into(),
            stored_key: secret,
            server_key: secret,
        }
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramKeys")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            iterations,
            salt,
            stored_key,
            server_key,
        } = self;
        let [salt, stored_key, server_key] =
            [&**salt, stored_key, server_key].map(|bytes| BASE64.encode(bytes));
        write!(f, "{METHOD}${iterations}:{salt}${stored_key}:{server_key}")
    }
}

/// A text that is not one of [`ScramKeys`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not SCRAM-SHA-256$ITERATIONS:SALT$STORED_KEY:SERVER_KEY")]
pub struct NotScramKeys;

impl FromStr for ScramKeys {
    type Err = NotScramKeys;

    fn from_str(text: &str) -> Result<Self, NotScramKeys> {
        let parse = || {
            let rest = text.strip_prefix(METHOD)?.strip_prefix('$')?;
            let (salted, keys) = rest.split_once('$')?;
            let (iterations, salt) = salted.split_once(':')?;
            let (stored_key, server_key) = keys.split_once(':')?;
            let bytes = |text: &str| BASE64.decode(text).ok();
            Some(Self {
                iterations: iterations.parse().ok()?,
                salt: bytes(salt).filter(|salt| !salt.is_empty())?.into(),
                stored_key: bytes(stored_key)?.try_into().ok()?,
                server_key: bytes(server_key)?.try_into().ok()?,
            })
        };
        parse().ok_or(NotScramKeys)
    }
}

/// A client that has not shown who it is: it broke the rules of SCRAM, or does not
/// know the password.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NotShown;

/// An exchange of which the client's last message is still to come.
#[derive(Debug)]
pub(crate) struct Exchange {
    user_name: String,
    keys: ScramKeys,
    /// What the last message must repeat: the first one's beginning.
    header: String,
    /// The client's and the server's, in one.
    nonce: String,
    /// What both sides sign, without the client's last message.
    signed: String,
}

impl Exchange {
    /// Takes the client's first message. `draw` is a draw of `entropy`; `keys`
    /// are those of a user, if there is one of that name with keys. Returns what
    /// to answer.
    pub(crate) fn begin(
        first: &[u8],
        draw: &[u8; 32],
        entropy: &Entropy,
        keys: impl FnOnce(&str) -> Option<ScramKeys>,
    ) -> Result<(Self, String), NotShown> {
        let text = std::str::from_utf8(first).map_err(|_| NotShown)?;
        let (header, bare) = split_header(text).ok_or(NotShown)?;
        let mut parts = bare.split(',');
        let user_name = attribute(parts.next(), 'n').and_then(unescaped);
        let nonce = attribute(parts.next(), 'r').filter(|nonce| is_nonce(nonce));
        let (Some(user_name), Some(nonce)) = (user_name, nonce) else {
            return Err(NotShown);
        };
        let keys = keys(&user_name);
        let keys = keys.unwrap_or_else(|| ScramKeys::of_nobody(&user_name, entropy));
        let nonce = format!("{nonce}{}", BASE64.encode(&draw[..18]));
        let salt = BASE64.encode(&keys.salt);
        let answer = format!("r={nonce},s={salt},i={}", keys.iterations);
        let signed = format!("{bare},{answer}");
        let header = header.to_owned();
        let exchange = Self {
            user_name,
            keys,
            header,
            nonce,
            signed,
        };
        Ok((exchange, answer))
    }

    /// Takes the client's last message. Returns the name of the user that it has
    /// shown to be, and what shows to it that the server knows it.
    pub(crate) fn finish(self, last: &[u8]) -> Result<(String, String), NotShown> {
        let text = std::str::from_utf8(last).map_err(|_| NotShown)?;
        let (unproved, proof) = text.rsplit_once(",p=").ok_or(NotShown)?;
        let mut parts = unproved.split(',');
        let binding = attribute(parts.next(), 'c');
        let nonce = attribute(parts.next(), 'r');
        if binding != Some(&*BASE64.encode(&self.header)) || nonce != Some(&*self.nonce) {
            return Err(NotShown);
        }
        let proof = BASE64.decode(proof).map_err(|_| NotShown)?;
        let proof: [u8; 32] = proof.try_into().map_err(|_| NotShown)?;
        let signed = [self.signed.as_bytes(), b",", unproved.as_bytes()];
        let mut client_key = hmac(&self.keys.stored_key, &signed);
        for (byte, proof) in client_key.iter_mut().zip(proof) {
            *byte ^= proof;
        }
        let stored_key: [u8; 32] = Sha256::digest(client_key).into();
        if bool::from(stored_key.ct_eq(&self.keys.stored_key)) {
            let signature = hmac(&self.keys.server_key, &signed);
            Ok((self.user_name, format!("v={}", BASE64.encode(signature))))
        } else {
            Err(NotShown)
        }
    }
}

/// The header up to and with its second comma, and the message after it. A client
/// that would act as somebody else, or binds the channel, is none we serve.
fn split_header(first: &str) -> Option<(&str, &str)> {
    let rest = first.strip_prefix(['n', 'y'])?;
    let rest = rest.strip_prefix(",,")?;
    Some(first.split_at(first.len() - rest.len()))
}

/// The value of an attribute, if it is this one.
fn attribute(part: Option<&str>, name: char) -> Option<&str> {
    part?.strip_prefix(name)?.strip_prefix('=')
}

/// A name without its escapes: `=2C` for a comma, `=3D` for an equals sign.
fn unescaped(name: &str) -> Option<String> {
    let mut pieces = name.split('=');
    let mut unescaped = pieces.next()?.to_owned();
    for piece in pieces {
        let (character, rest) = match piece.split_at_checked(2)? {
            ("2C", rest) => (',', rest),
            ("3D", rest) => ('=', rest),
            _ => return None,
        };
        unescaped.push(character);
        unescaped.push_str(rest);
    }
    (!unescaped.is_empty()).then_some(unescaped)
}

/// Printable ASCII; the comma it cannot have any more.
fn is_nonce(nonce: &str) -> bool {
    !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn pencil() -> ScramKeys {
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
        ScramKeys::derive(b"pencil", &salt, ScramKeys::ITERATIONS)
    }

    /// The exchange in section 3 of RFC 7677, at the point where the client's
    /// last message is due.
    fn example() -> Exchange {
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let answer = format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        Exchange {
            user_name: "user".to_owned(),
            keys: pencil(),
            header: "n,,".to_owned(),
            nonce: nonce.to_owned(),
            signed: format!("n=user,r=rOprNGfwEbeRWgbNEkqO,{answer}"),
        }
    }

    const LAST: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    #[test]
    fn the_example_of_the_rfc_comes_out() {
        let (user_name, last) = example().finish(LAST.as_bytes()).expect("shown");
        assert_eq!(user_name, "user");
        assert_eq!(last, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[rstest]
    #[case::proof("p=dHz", "p=eHz")]
    #[case::short_proof("p=dHzb", "p=")]
    #[case::nonce("hNlF", "hNlf")]
    #[case::header("c=biws", "c=eSws")]
    #[case::no_proof(",p=", ",q=")]
    #[case::order("c=biws,r=", "r=biws,c=")]
    fn a_last_message_that_shows_nothing(#[case] right: &str, #[case] wrong: &str) {
        let last = LAST.replacen(right, wrong, 1);
        assert_ne!(last, LAST);
        assert_eq!(example().finish(last.as_bytes()), Err(NotShown));
    }

    #[test]
    fn the_first_answer_has_both_nonces_the_salt_and_the_iterations() {
        let (draw, entropy) = ([0xff; 32], Entropy::default());
        let begin = |first: &str, keys| {
            let of = |user_name: &str| {
                assert_eq!(user_name, "us,er=");
                keys
            };
            let (exchange, answer) =
                Exchange::begin(first.as_bytes(), &draw, &entropy, of).expect("begun");
            assert_eq!(exchange.user_name, "us,er=");
            answer
        };
        let nonce = format!("abc{}", "/".repeat(24));
        let known = begin("y,,n=us=2Cer=3D,r=abc", Some(pencil()));
        assert_eq!(
            known,
            format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
        );
        // Somebody that there is not looks like somebody.
        let unknown = begin("n,,n=us=2Cer=3D,r=abc", None);
        assert_eq!(unknown, begin("n,,n=us=2Cer=3D,r=abc", None));
        assert_eq!(unknown.len(), known.len());
        assert_ne!(unknown, known);
    }

    #[rstest]
    #[case::empty("")]
    #[case::channel_binding("p=tls-exporter,,n=user,r=abc")]
    #[case::acting_as_somebody_else("n,a=other,n=user,r=abc")]
    #[case::extension("n,,m=x,n=user,r=abc")]
    #[case::no_name("n,,n=,r=abc")]
    #[case::escape("n,,n=a=2c,r=abc")]
    #[case::escape_cut("n,,n=a=2,r=abc")]
    #[case::no_nonce("n,,n=user,r=")]
    #[case::nonce_with_a_blank("n,,n=user,r=a b")]
    #[case::order("n,,r=abc,n=user")]
    fn a_first_message_that_is_none(#[case] first: &str) {
        let entropy = Entropy::default();
        let begun = Exchange::begin(first.as_bytes(), &[0; 32], &entropy, |_| Some(pencil()));
        assert_eq!(begun.map(|_| ()), Err(NotShown));
    }

    #[test]
    fn a_password_is_prepared() {
        // U+2168 is "IX" to SASLprep, and a soft hyphen nothing (RFC 4013).
        let keys =
            |password: &str| ScramKeys::derive(password.as_bytes(), b"salt", ScramKeys::ITERATIONS);
        assert_eq!(keys("\u{2168}"), keys("IX"));
        assert_eq!(keys("I\u{ad}X"), keys("IX"));
        assert_ne!(keys("ix"), keys("IX"));
    }

    #[rstest]
    #[case("")]
    #[case("SCRAM-SHA-256$0:c2FsdA==$")]
    #[case("SCRAM-SHA-1$4096:c2FsdA==$YQ==:YQ==")]
    #[case("SCRAM-SHA-256$4096:c2FsdA==$YQ==:YQ==")]
    fn what_is_no_keys(#[case] text: &str) {
        assert_eq!(text.parse::<ScramKeys>(), Err(NotScramKeys));
    }
}
