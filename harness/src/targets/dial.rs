//! A stream of bytes to a broker, over TCP or TLS. For WebSocket it is what the
//! opening handshake is spoken on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use squall_checks::Stream;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{Resumption, WantsClientCert};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    WantsVerifier,
};

use super::Address;

/// Which certificates a client accepts.
#[derive(Clone, Debug)]
pub struct Trust(Arc<ClientConfig>);

/// Why it cannot be known whom to trust.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file that cannot be used.
    #[error("{path} holds no certificate in PEM that could be trusted: {why}")]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The cryptography is not as it should be.
    #[error("TLS cannot be used: {0}")]
    Tls(Error),
}

impl Trust {
    /// Certificates that this machine trusts. If it has none, no connection with
    /// TLS will do.
    ///
    /// # Errors
    /// When TLS cannot be used at all.
    pub fn system() -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        // One that cannot be read signs nothing.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::roots(roots)
    }

    /// Certificates in a PEM file, and what they have signed.
    ///
    /// # Errors
    /// When there are none.
    pub fn certificates(path: &Path) -> Result<Self, TrustError> {
        let unusable = |why: String| TrustError::Certificates {
            path: path.to_owned(),
            why,
        };
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(path);
        for certificate in certificates.map_err(|error| unusable(error.to_string()))? {
            let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
            let added = roots.add(certificate);
            added.map_err(|error| unusable(error.to_string()))?;
        }
        match roots.is_empty() {
            true => Err(unusable("there is none in it".to_owned())),
            false => Self::roots(roots),
        }
    }

    /// Any certificate: who is there is not known. For brokers that are under
    /// test, not for secrets.
    ///
    /// # Errors
    /// When TLS cannot be used at all.
    pub fn anyone() -> Result<Self, TrustError> {
        let verifier = Arc::new(Anyone(provider()));
        let config = versions()?.dangerous();
        Ok(Self::new(config.with_custom_certificate_verifier(verifier)))
    }

    fn roots(roots: RootCertStore) -> Result<Self, TrustError> {
        Ok(Self::new(versions()?.with_root_certificates(roots)))
    }

    fn new(config: ConfigBuilder<ClientConfig, WantsClientCert>) -> Self {
        let mut config = config.with_no_client_auth();
        // No connection depends on one before it.
        config.resumption = Resumption::disabled();
        Self(Arc::new(config))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn versions() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TrustError> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Tls)
}

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Nobody is there, or the name is not known.
    #[error("cannot reach {address}: {source}")]
    Unreachable {
        /// Where.
        address: Box<Address>,
        /// Why not.
        source: io::Error,
    },
    /// TLS failed: another certificate than those trusted, or no TLS there.
    #[error("no TLS with {address}: {source}")]
    Tls {
        /// Where.
        address: Box<Address>,
        /// Why not.
        source: io::Error,
    },
}

/// Connects, through TLS if the transport has it. How long it may take is for the
/// caller to limit.
///
/// # Errors
/// When nobody is there, or the certificate is not one to trust.
pub async fn dial(address: &Address, trust: &Trust) -> Result<Box<dyn Stream>, DialError> {
    let unreachable = |source| DialError::Unreachable {
        address: Box::new(address.clone()),
        source,
    };
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await;
    let stream = stream.map_err(unreachable)?;
    // What is written is to be seen, not to wait for more.
    stream.set_nodelay(true).map_err(unreachable)?;
    if !address.transport.is_encrypted() {
        return Ok(Box::new(stream));
    }
    let no_tls = |source| DialError::Tls {
        address: Box::new(address.clone()),
        source,
    };
    let name = ServerName::try_from(address.host.clone());
    let name = name.map_err(|error| no_tls(io::Error::other(error)))?;
    let encrypted = TlsConnector::from(Arc::clone(&trust.0)).connect(name, stream);
    Ok(Box::new(encrypted.await.map_err(no_tls)?))
}

/// Accepts every certificate whose key the server shows to have.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
