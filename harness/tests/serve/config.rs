//! The file of `squall serve --config`: what it says, and mistakes in it as a
//! person sees them.

use std::path::Path;
use std::time::Duration;

use rstest::{Context, rstest};
use squall::serve::{Endpoint, Settings, Transport};
use squall_broker::wire::{Qos, Text};
use squall_broker::{Password, QueueFull, Quirk, Rights};

/// Everything that a file can say, but certificates. Each case makes one mistake
/// in it.
const VALID: &str = r#"data   = "kept"
quirks = ["ignores-keep-alive"]

[listen]
tcp = "127.0.0.1:1884"
tls = "127.0.0.1:8883"
ws  = ["127.0.0.1:8085", "[::1]:8085"]
wss = "127.0.0.1:8086"
hub = "127.0.0.1:9001"
http = "127.0.0.1:8080"

[websocket]
path          = "/broker"
origins       = ["https://dashboard.example"]
message_bytes = "1 MiB"

[limits]
sockets                   = 500
packet_bytes              = "256 KiB"
client_id_bytes           = 64
connections               = 400
sessions                  = 1_000
connect_timeout           = "2s"
linger                    = "1s"
subscriptions_per_session = 50
inflight                  = 20
outbound_bytes            = "16 KiB"
queue_messages            = 300
queue_bytes               = "1 MB"
queue_full                = "drop-oldest"
queue_qos0                = true
retained_messages         = 70
retained_bytes            = "2 MB"
silence                   = "1h"
topic_levels              = 12

[capabilities]
maximum_qos              = 1
retain                   = false
wildcard_subscriptions   = false
subscription_identifiers = false
shared_subscriptions     = false
receive_maximum          = 30
topic_alias_maximum      = 0
session_expiry_max       = "2h"
server_keep_alive        = "90s"
assigned_client_ids      = false
refused_client_ids       = ["admin", "root"]
response_information     = "replies/"

[access]
publish        = []
subscribe      = ["public/#"]
deny_publish   = ["secret/#"]
deny_subscribe = ["secret/#"]

[[user]]
name      = "valley"
password  = "open sesame"
publish   = ["valley/#"]

[[user]]
name          = "office"
password_hash = "$argon2id$v=19$m=19456,t=2,p=1$i0B7gtwp0xkH8UYeZT5pWQ$9MK0JCdEngzGlGYJFwNLSjztHqVDe5ZfOU6NARJtQZs"
subscribe     = ["valley/+/temperature"]
"#;

fn parse(text: &str) -> Result<Settings, String> {
    Settings::parse(Path::new("broker.toml"), text).map_err(|error| error.render(false, 100))
}

#[test]
fn a_file_says_everything() {
    let settings = parse(VALID).unwrap_or_else(|error| panic!("{error}"));
    let endpoints = [
        Endpoint::new(Transport::Tcp, "127.0.0.1:1884"),
        Endpoint::new(Transport::Tls, "127.0.0.1:8883"),
        Endpoint::new(Transport::WebSocket, "127.0.0.1:8085"),
        Endpoint::new(Transport::WebSocket, "[::1]:8085"),
        Endpoint::new(Transport::SecureWebSocket, "127.0.0.1:8086"),
    ];
    assert_eq!(settings.endpoints, endpoints);
    assert_eq!(settings.hubs, ["127.0.0.1:9001"]);
    assert_eq!(settings.http, ["127.0.0.1:8080"]);
    assert_eq!(settings.upgrade.path.as_deref(), Some("/broker"));
    let origins = vec!["https://dashboard.example".to_owned()];
    assert_eq!(settings.upgrade.origins.as_ref(), Some(&origins));
    assert_eq!(settings.hub.origins, Some(origins));
    assert_eq!(settings.upgrade.message_bytes, 1 << 20);
    assert_eq!(settings.sockets, 500);
    assert_eq!(settings.data.as_deref(), Some(Path::new("kept")));
    let limits = &settings.broker.limits;
    assert_eq!(limits.packet_bytes, 256 << 10);
    assert_eq!(limits.client_id_bytes, 64);
    assert_eq!(limits.connections, 400);
    assert_eq!(limits.sessions, 1_000);
    assert_eq!(limits.connect_timeout, Duration::from_secs(2));
    assert_eq!(limits.linger, Duration::from_secs(1));
    assert_eq!(limits.subscriptions_per_session, 50);
    assert_eq!(limits.inflight, 20);
    assert_eq!(limits.outbound_bytes, 16 << 10);
    assert_eq!(limits.queue_messages, 300);
    assert_eq!(limits.queue_bytes, 1_000_000);
    assert_eq!(limits.queue_full, QueueFull::DropOldest);
    assert!(limits.queue_qos0);
    assert_eq!(limits.retained_messages, 70);
    assert_eq!(limits.retained_bytes, 2_000_000);
    assert_eq!(limits.silence, Some(Duration::from_secs(3600)));
    assert_eq!(limits.topic_levels, 12);
    let offered = &settings.broker.capabilities;
    assert_eq!(offered.maximum_qos, Qos::AtLeastOnce);
    assert!(!(offered.retain || offered.wildcard_subscriptions));
    assert!(!(offered.subscription_identifiers || offered.shared_subscriptions));
    assert_eq!(offered.receive_maximum.get(), 30);
    assert_eq!(offered.topic_alias_maximum, 0);
    let two_hours = Duration::from_secs(7200);
    assert_eq!(offered.session_expiry_max, Some(two_hours));
    assert_eq!(offered.server_keep_alive_s, Some(90));
    assert!(!offered.assigned_client_ids);
    assert!(offered.refused_client_ids.iter().eq(["admin", "root"]));
    let information = offered.response_information.as_ref().map(Text::as_str);
    assert_eq!(information, Some("replies/"));
    let access = &settings.broker.access;
    assert_ne!(access.anonymous, Some(Rights::default()), "it is limited");
    assert!(access.anonymous.is_some());
    assert_eq!(access.deny_publish.len(), 1);
    assert_eq!(access.deny_subscribe.len(), 1);
    let known = Password::Known("open sesame".into());
    assert_eq!(access.users["valley"].password, known);
    assert_eq!(access.users["office"].password, Password::Checked);
    assert!(settings.passwords["office"].verifies(b"open sesame"));
    assert!(settings.broker.quirks.iter().eq([Quirk::IgnoresKeepAlive]));
}

#[test]
fn what_is_not_given_is_as_without_a_file() {
    let (empty, without) = (parse("").expect("no mistake"), Settings::default());
    assert_eq!(empty.endpoints, without.endpoints);
    assert_eq!(empty.broker, without.broker);
    assert_eq!(empty.upgrade, without.upgrade);
    assert_eq!(empty.sockets, without.sockets);
}

#[test]
fn with_users_whoever_names_none_is_refused_unless_the_file_says_otherwise() {
    let user = "[[user]]\nname = \"a\"\npassword = \"b\"\n";
    let anonymous = |text: &str| parse(text).expect("no mistake").broker.access.anonymous;
    assert_eq!(anonymous(user), None);
    let allowed = format!("{user}[access]\nanonymous = true\n");
    assert_eq!(anonymous(&allowed), Some(Rights::default()));
}

/// In `VALID`, `right` becomes `wrong`.
#[rstest]
#[case::unknown_table("[listen]", "[lissen]")]
#[case::unknown_transport("ws  =", "wsx =")]
#[case::unknown_limit("queue_messages ", "queue_mesages ")]
#[case::unknown_key_of_a_user("publish   = [\"valley", "pubish   = [\"valley")]
#[case::unknown_way_to_drop("drop-oldest", "drop-old")]
#[case::an_address_that_is_a_number("\"127.0.0.1:1884\"", "1884")]
#[case::a_path_without_slash("/broker", "broker")]
#[case::a_small_packet("256 KiB", "10 B")]
#[case::too_many_inflight("= 20\n", "= 70_000\n")]
#[case::a_timeout_of_no_time("\"2s\"", "\"0s\"")]
#[case::a_timeout_without_unit("\"2s\"", "2")]
#[case::not_a_filter("valley/+/temperature", "valley/#/temperature")]
#[case::not_a_filter_in_deny("[\"secret/#\"]\ndeny", "[\"secret#\"]\ndeny")]
#[case::not_a_hash("$argon2id$v=19", "$2b$12")]
#[case::not_scram("$argon2id$v=19", "SCRAM-SHA-256$4096")]
#[case::half_a_hash(
    "$i0B7gtwp0xkH8UYeZT5pWQ$9MK0JCdEngzGlGYJFwNLSjztHqVDe5ZfOU6NARJtQZs",
    "$c29"
)]
#[case::no_password("password  = \"open sesame\"\n", "")]
#[case::two_passwords("password_hash", "password = \"open sesame\"\npassword_hash")]
#[case::two_users_of_a_name("\"office\"", "\"valley\"")]
#[case::rights_of_nobody("[access]", "[access]\nanonymous = false")]
#[case::no_certificate(
    "[websocket]",
    "[tls]\ncertificate = \"no-such.pem\"\nkey = \"no-such.pem\"\n[websocket]"
)]
#[case::no_topic_levels("= 12\n", "= 70_000\n")]
#[case::unknown_capability("retain                   =", "retian =")]
#[case::no_such_qos("maximum_qos              = 1", "maximum_qos = 3")]
#[case::a_receive_maximum_of_nothing("= 30\n", "= 0\n")]
#[case::a_receive_maximum_that_mqtt_cannot_say("= 30\n", "= 70_000\n")]
#[case::more_aliases_than_mqtt_has("topic_alias_maximum      = 0", "topic_alias_maximum = 65_536")]
#[case::half_a_second_of_expiry("\"2h\"", "\"1500ms\"")]
#[case::a_keep_alive_that_mqtt_cannot_say("\"90s\"", "\"20h\"")]
#[case::information_that_mqtt_cannot_say("replies/", "replies\\u0000")]
#[case::not_toml("[limits]", "[limits")]
fn a_mistake(#[context] context: Context, #[case] right: &str, #[case] wrong: &str) {
    assert!(VALID.contains(right), "{right}");
    let name = context.description.expect("a name");
    let error = parse(&VALID.replacen(right, wrong, 1)).expect_err("a mistake");
    insta::assert_snapshot!(name, error);
}

#[test]
fn nobody_could_connect() {
    let error = parse("[access]\nanonymous = false\n").expect_err("a mistake");
    insta::assert_snapshot!(error);
}
