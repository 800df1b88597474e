//! SCRAM-SHA-256 (RFC 5802 and 7677), the client's side: what checks of enhanced
//! authentication send.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::server::Login;

/// What MQTT calls the method.
pub(crate) const METHOD: &str = "SCRAM-SHA-256";

/// One exchange.
pub(crate) struct Scram {
    login: Login,
    /// The client's first message, without what says that there is no channel
    /// binding.
    first: String,
}

impl Scram {
    /// Begins one. `nonce` must be one that was not used before.
    pub(crate) fn new(login: Login, nonce: &str) -> Self {
        let first = format!("n={},r={nonce}", login.user);
        Self { login, first }
    }

    /// The client's first message.
    pub(crate) fn first_message(&self) -> String {
        format!("n,,{}", self.first)
    }

    /// Its last, in answer to the server's first; `None` if that is none.
    pub(crate) fn last_message(&self, server_first: &str) -> Option<String> {
        let field = |name: &str| {
            server_first
                .split(',')
                .find_map(|one| one.strip_prefix(name))
        };
        let (nonce, salt) = (field("r=")?, BASE64.decode(field("s=")?).ok()?);
        let iterations = field("i=")?.parse().ok()?;
        let mut salted = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(&self.login.password, &salt, iterations, &mut salted);
        let client_key = hmac(&salted, "Client Key");
        let stored_key: [u8; 32] = Sha256::digest(client_key).into();
        let last = format!("c=biws,r={nonce}");
        let signature = hmac(
            &stored_key,
            &format!("{},{server_first},{last}", self.first),
        );
        let proof: Vec<_> = client_key
            .iter()
            .zip(signature)
            .map(|(a, b)| a ^ b)
            .collect();
        Some(format!("{last},p={}", BASE64.encode(proof)))
    }
}

fn hmac(key: &[u8; 32], message: &str) -> [u8; 32] {
    // To HMAC, a key shorter than a block of the hash is one with zeros behind.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677.
    #[test]
    fn the_example_of_the_rfc() {
        let login = Login {
            user: "user".to_owned(),
            password: "pencil".into(),
        };
        let scram = Scram::new(login, "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(scram.first_message(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                            s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(scram.last_message(server_first).as_deref(), Some(last));
        assert_eq!(scram.last_message("e=unknown-user"), None);
    }
}
