//! Users with hashed passwords, over sockets.

use std::path::Path;

use rstest::rstest;
use squall::serve::{PasswordHash, Settings};
use squall_broker::wire::{Connect, Decoder, Packet, Property, Sender, Text, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::{PATIENCE, connect, serving};

#[rstest]
#[case::right(Some("open sesame"), 0)]
#[case::wrong(Some("open barley"), 4)]
#[case::none(None, 5)]
#[tokio::test]
async fn a_hashed_password_is_checked(
    #[case] password: Option<&'static str>,
    #[case] code: u8,
    #[values(PasswordHash::new, PasswordHash::scram)] hash: fn(
        &[u8],
    ) -> Result<PasswordHash, String>,
) {
    let hash = hash(b"open sesame").expect("hashed");
    let text = format!(
        "[listen]\ntcp = \"127.0.0.1:0\"\n[[user]]\nname = \"valley\"\npassword_hash = \"{hash}\"\n"
    );
    let settings = Settings::parse(Path::new("broker.toml"), &text).expect("valid");
    serving(settings, |address| async move {
        let named = |name: &'static str| Text::new(name).expect("well-formed");
        let packet = Packet::Connect(Box::new(Connect {
            clean_session: true,
            client_id: named("a"),
            user_name: password.map(|_| named("valley")),
            password: password.map(|password| password.as_bytes().into()),
            ..Connect::default()
        }));
        let mut bytes = Vec::new();
        packet.encode(Version::V3_1_1, &mut bytes);
        // It goes on at once, without waiting for its CONNACK.
        Packet::PingReq.encode(Version::V3_1_1, &mut bytes);
        let mut stream = connect(address).await;
        stream.write_all(&bytes).await.expect("written");
        let mut answer = vec![0; if code == 0 { 6 } else { 4 }];
        let read = timeout(PATIENCE, stream.read_exact(&mut answer)).await;
        read.expect("in time").expect("answered");
        assert_eq!(answer[..4], [0x20, 2, 0, code]);
        let pingresp: &[u8] = if code == 0 { &[0xd0, 0] } else { &[] };
        assert_eq!(&answer[4..], pingresp);
    })
    .await;
}

/// The first half of an exchange of SCRAM; the broker's tests have all of it.
#[tokio::test]
async fn a_user_with_keys_may_come_with_scram() {
    let hash = PasswordHash::scram(b"open sesame").expect("hashed");
    let text = format!(
        "[listen]\ntcp = \"127.0.0.1:0\"\n[[user]]\nname = \"valley\"\npassword_hash = \"{hash}\"\n"
    );
    let settings = Settings::parse(Path::new("broker.toml"), &text).expect("valid");
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let settings = settings.clone();
        let hash = hash.to_string();
        let (nonce, answered) = tokio::sync::oneshot::channel();
        serving(settings, |address| async move {
            let method = Text::new("SCRAM-SHA-256").expect("well-formed");
            let properties = [
                Property::AuthenticationMethod(method),
                Property::AuthenticationData("n,,n=valley,r=abc".into()),
            ];
            let packet = Packet::Connect(Box::new(Connect {
                version: Version::V5,
                clean_session: true,
                client_id: Text::new("a").expect("well-formed"),
                properties: properties.into_iter().collect(),
                ..Connect::default()
            }));
            let mut bytes = Vec::new();
            packet.encode(Version::V5, &mut bytes);
            let mut stream = connect(address).await;
            stream.write_all(&bytes).await.expect("written");
            let mut decoder = Decoder::new(Version::V5, Sender::Server, 1024);
            let auth = loop {
                let mut buffer = [0; 1024];
                let read = timeout(PATIENCE, stream.read(&mut buffer)).await;
                let count = read.expect("in time").expect("answered");
                let packet = decoder.decode(&mut &buffer[..count]).expect("a packet");
                if let Some(Packet::Auth(auth)) = packet {
                    break auth;
                }
            };
            let data = auth.properties.iter().find_map(|property| match property {
                Property::AuthenticationData(data) => Some(data),
                _ => None,
            });
            let data = String::from_utf8(data.expect("data").to_vec()).expect("text");
            let (random, salted) = data.split_once(",s=").expect("a salt");
            let (salt, iterations) = salted.split_once(",i=").expect("iterations");
            assert!(hash.starts_with(&format!("SCRAM-SHA-256${iterations}:{salt}$")));
            assert!(random.starts_with("r=abc"));
            nonce.send(random.to_owned()).expect("waited for");
        })
        .await;
        nonces.push(answered.await.expect("answered"));
    }
    assert_ne!(nonces[0], nonces[1], "another each time a broker starts");
}
