//! TLS below MQTT and WebSocket: with a given certificate, or with one made at
//! start.

use std::io;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

/// A certificate and its key, ready to serve with: TLS 1.2 and 1.3.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ServerConfig>,
    fingerprint: String,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of certificates cannot be used.
    #[error("{0}")]
    Certificate(String),
    /// The file of the private key cannot be used.
    #[error("{0}")]
    Key(String),
}

impl Tls {
    /// A certificate of its own for these host names and addresses, signed by
    /// nobody else: a client has to be told to trust it, or to look at its
    /// fingerprint.
    ///
    /// # Errors
    /// When a host is none that a certificate can name.
    pub fn self_signed(hosts: Vec<String>) -> Result<Self, TlsError> {
        let made = rcgen::generate_simple_self_signed(hosts)
            .map_err(|error| TlsError::Certificate(error.to_string()))?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())
            .map_err(|error| TlsError::Key(error.to_owned()))?;
        Self::new(vec![made.cert.der().clone()], key)
    }

    /// The certificates in one PEM file, the server's own first, and the private
    /// key in another.
    ///
    /// # Errors
    /// When a file cannot be read or holds no such thing, or when they do not
    /// fit together.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let complain = |path: &Path, what: &str, error: pem::Error| match error {
            pem::Error::NoItemsFound => format!("{} holds no {what} in PEM", path.display()),
            pem::Error::Io(error) => format!("cannot read {}: {error}", path.display()),
            error => format!("{} is not PEM: {error:?}", path.display()),
        };
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .and_then(|chain| match chain.is_empty() {
                true => Err(pem::Error::NoItemsFound),
                false => Ok(chain),
            })
            .map_err(|error| TlsError::Certificate(complain(certificate, "certificate", error)))?;
        let key = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| TlsError::Key(complain(key, "private key", error)))?;
        Self::new(chain, key)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsError> {
        let fingerprint = chain
            .first()
            .map(|own| fingerprint(own))
            .unwrap_or_default();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| TlsError::Key(error.to_string()))?;
        Ok(Self {
            config: Arc::new(config),
            fingerprint,
        })
    }

    /// SHA-256 of the certificate, as clients show it: bytes in hexadecimal, with
    /// colons between them.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Shakes hands on a stream. How long it may take is for the caller to limit.
    pub(super) async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        TlsAcceptor::from(Arc::clone(&self.config))
            .accept(stream)
            .await
    }
}

fn fingerprint(certificate: &[u8]) -> String {
    let bytes = Sha256::digest(certificate);
    let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}
