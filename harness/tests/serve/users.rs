//! Users with hashed passwords, over sockets.

use std::path::Path;

use rstest::rstest;
use squall::serve::{PasswordHash, Settings};
use squall_broker::wire::{Connect, Packet, Text, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::{PATIENCE, connect, serving};

#[rstest]
#[case::right(Some("open sesame"), 0)]
#[case::wrong(Some("open barley"), 4)]
#[case::none(None, 5)]
#[tokio::test]
async fn a_hashed_password_is_checked(#[case] password: Option<&'static str>, #[case] code: u8) {
    let hash = PasswordHash::new(b"open sesame").expect("hashed");
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
