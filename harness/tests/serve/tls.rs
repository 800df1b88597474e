//! MQTT and WebSocket over TLS.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use squall::serve::{Endpoint, Listening, Settings, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::{CONNACK, CONNECT, connect, serving};

/// A certificate and its key in PEM files of a directory, and settings that name
/// them.
fn certificate(directory: &Path, transport: Transport) -> (CertificateDer<'static>, Settings) {
    let made = rcgen::generate_simple_self_signed(["broker.example".to_owned()]).expect("made");
    let files = [
        ("own.pem", made.cert.pem()),
        ("own.key", made.signing_key.serialize_pem()),
    ];
    for (name, text) in files {
        std::fs::write(directory.join(name), text).expect("written");
    }
    let text = "[tls]\ncertificate = \"own.pem\"\nkey = \"own.key\"\n";
    let mut settings = Settings::parse(&directory.join("broker.toml"), text).expect("valid");
    settings.endpoints = vec![Endpoint::new(transport, "127.0.0.1:0")];
    (made.cert.der().clone(), settings)
}

/// A client that trusts nothing but this certificate.
async fn encrypted(address: SocketAddr, trusted: CertificateDer<'static>) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "broker.example".try_into().expect("a name");
    TlsConnector::from(Arc::new(config))
        .connect(name, connect(address).await)
        .await
        .expect("trusted")
}

#[tokio::test]
async fn mqtt_over_tls_shows_the_given_certificate() {
    let directory = tempfile::tempdir().expect("a directory");
    let (trusted, settings) = certificate(directory.path(), Transport::Tls);
    serving(settings, |address| async move {
        let mut stream = encrypted(address, trusted).await;
        stream.write_all(CONNECT).await.expect("written");
        let mut connack = [0; 4];
        stream.read_exact(&mut connack).await.expect("answered");
        assert_eq!(connack, CONNACK);
        // A second CONNECT: the end, said as TLS says it.
        stream.write_all(CONNECT).await.expect("written");
        assert_eq!(stream.read(&mut [0]).await.expect("close_notify"), 0);
    })
    .await;
}

#[tokio::test]
async fn mqtt_over_secure_websocket() {
    let directory = tempfile::tempdir().expect("a directory");
    let (trusted, settings) = certificate(directory.path(), Transport::SecureWebSocket);
    serving(settings, |address| async move {
        let stream = encrypted(address, trusted).await;
        let mut request = "wss://broker.example/mqtt"
            .into_client_request()
            .expect("a request");
        let mqtt = "mqtt".parse().expect("a header");
        request.headers_mut().insert("Sec-WebSocket-Protocol", mqtt);
        let (mut stream, _) = tokio_tungstenite::client_async(request, stream)
            .await
            .expect("upgraded");
        let sent = stream.send(Message::Binary(CONNECT.into())).await;
        sent.expect("sent");
        let answer = stream.next().await.expect("open").expect("a message");
        assert_eq!(answer.into_data(), CONNACK[..]);
    })
    .await;
}

#[tokio::test]
async fn a_certificate_is_made_only_where_one_is_needed() {
    for (transport, needed) in [(Transport::Tls, true), (Transport::WebSocket, false)] {
        let settings = Settings {
            endpoints: vec![Endpoint::new(transport, "127.0.0.1:0")],
            ..Settings::default()
        };
        let listening = Listening::bind(settings).await.expect("it listens");
        assert_eq!(listening.tls().is_some(), needed);
        if let Some(tls) = listening.tls() {
            assert_eq!(tls.fingerprint().len(), 32 * 3 - 1);
        }
    }
}
