//! Carrying a document over: done on the parsed TOML, after every other change
//! and before it is checked.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Over, Protocol, Tls, V3_1_1};

/// What a table of a fleet may say only in MQTT 5.0, by the table's place.
const ONLY_IN_5_0: [(&str, &[&str]); 3] = [
    (
        "mqtt",
        &["session_expiry", "receive_maximum", "topic_alias_maximum"],
    ),
    ("publish", &["message_expiry", "topic_alias"]),
    (
        "subscribe",
        &[
            "share",
            "no_local",
            "retain_as_published",
            "retain_handling",
        ],
    ),
];

/// What a will may say only in MQTT 5.0.
const WILL_ONLY_IN_5_0: [&str; 2] = ["delay", "message_expiry"];

/// What only MQTT has, by the table's place. Its QoS is carried over.
const ONLY_IN_MQTT: [(&str, &[&str]); 2] = [
    ("publish", &["retain", "message_expiry", "topic_alias"]),
    (
        "subscribe",
        &[
            "share",
            "stay",
            "no_local",
            "retain_as_published",
            "retain_handling",
        ],
    ),
];

/// What a plain WebSocket has no words for in the options of MQTT over one, and
/// the other way round.
const FRAMING: [&str; 2] = ["packets_per_frame", "split"];
const OF_A_HUB: [&str; 3] = ["acknowledged", "text", "keep_alive"];

/// Topic aliases that a client takes, as the broker does unless told otherwise.
const ALIASES: &str = "16";

impl Over {
    /// Changes a document to this protocol, and says what had to be left out, a
    /// sentence each.
    pub(in crate::scenario) fn carry(self, document: &mut DeTable<'_>) -> Vec<String> {
        let mut dropped = Vec::new();
        document.remove("protocol");
        document.remove("tls");
        if self.protocol.key() != "mqtt" {
            set(document, "protocol", self.protocol.quoted());
        }
        if let Some(tls) = self.tls {
            set(document, "tls", tls.options());
        }
        if let Some(version) = self.protocol.mqtt_version() {
            set(document, "mqtt", version);
        } else {
            document.remove("mqtt");
        }
        if let Some(DeValue::Array(fleets)) = document.get_mut("fleet").map(Spanned::get_mut) {
            for fleet in fleets.iter_mut() {
                if let DeValue::Table(fleet) = fleet.get_mut() {
                    self.carry_fleet(fleet, &mut dropped);
                }
            }
        }
        if self.protocol.mqtt_version().is_none() {
            drop_triggers(document, &mut dropped);
        }
        dropped
    }

    fn carry_fleet(self, fleet: &mut DeTable<'_>, dropped: &mut Vec<String>) {
        let name = match fleet.get("name").map(Spanned::get_ref) {
            Some(DeValue::String(name)) => name.to_string(),
            _ => String::new(),
        };
        let mut leave_out = |table: &mut DeTable<'_>, place: &str, key: &str| {
            let value = table.remove(key);
            // What is switched off is not missed.
            if value.is_some() && !is_false(value.as_ref()) {
                dropped.push(format!(
                    "`{place}.{key}` of the fleet `{name}` has no counterpart."
                ));
            }
        };
        fleet.remove("protocol");
        fleet.remove("tls");
        if self.protocol.key() != "http" {
            fleet.remove("http");
        }
        match (self.protocol.key(), inner(fleet, "websocket")) {
            ("mqtt-ws", Some(options)) => OF_A_HUB.iter().for_each(|key| {
                options.remove(*key);
            }),
            ("websocket", Some(options)) => FRAMING.iter().for_each(|key| {
                options.remove(*key);
            }),
            _ => {
                fleet.remove("websocket");
            }
        }
        match self.protocol.mqtt_version() {
            Some(version) => {
                if let Some(mqtt) = inner(fleet, "mqtt") {
                    set(mqtt, "version", version);
                }
                if version == V3_1_1 {
                    for (place, keys) in ONLY_IN_5_0 {
                        each_table(fleet, place, |table| {
                            keys.iter().for_each(|key| leave_out(table, place, key));
                        });
                    }
                    if let Some(will) = inner(fleet, "mqtt").and_then(|mqtt| inner(mqtt, "will")) {
                        for key in WILL_ONLY_IN_5_0 {
                            leave_out(will, "mqtt.will", key);
                        }
                    }
                } else {
                    self.alias(fleet);
                }
            }
            None => {
                let promised = promises_arrival(fleet);
                let (mut keep_alive, mut keeps_session) = (None, false);
                if let Some(mqtt) = inner(fleet, "mqtt") {
                    keep_alive = mqtt.remove("keep_alive");
                    leave_out(mqtt, "mqtt", "will");
                    leave_out(mqtt, "mqtt", "session_expiry");
                    keeps_session = is_false(mqtt.get("clean_session"));
                }
                fleet.remove("mqtt");
                for (place, keys) in ONLY_IN_MQTT {
                    each_table(fleet, place, |table| {
                        keys.iter().for_each(|key| leave_out(table, place, key));
                        table.remove("qos");
                    });
                }
                let acknowledged = self.acknowledges(promised);
                self.options(fleet, acknowledged, keep_alive);
                if keeps_session && !acknowledged {
                    dropped.push(format!(
                        "Nothing is kept for the fleet `{name}` while it is away."
                    ));
                }
            }
        }
    }

    /// Topic aliases as the protocol's name says, both ways.
    fn alias(self, fleet: &mut DeTable<'_>) {
        let aliases = self.protocol == Protocol::Mqtt5Alias;
        if let Some(publish) = inner(fleet, "publish") {
            set(publish, "topic_alias", flag(aliases));
        }
        if !fleet.contains_key("mqtt") {
            set(fleet, "mqtt", "{}");
        }
        if let Some(mqtt) = inner(fleet, "mqtt") {
            set(
                mqtt,
                "topic_alias_maximum",
                if aliases { ALIASES } else { "0" },
            );
        }
    }

    /// Whether a reading that was promised to arrive, or not, is acknowledged.
    fn acknowledges(self, promised: bool) -> bool {
        match self.protocol {
            Protocol::WebSocket => promised,
            Protocol::WebSocketUnacked => false,
            _ => true,
        }
    }

    /// The options of the protocol; what a fleet says of them beside is kept.
    fn options<'i>(
        self,
        fleet: &mut DeTable<'i>,
        acknowledged: bool,
        keep_alive: Option<Spanned<DeValue<'i>>>,
    ) {
        let key = self.protocol.key();
        if !fleet.contains_key(key) {
            set(fleet, key, "{}");
        }
        let reads = fleet.contains_key("subscribe");
        let Some(options) = inner(fleet, key) else {
            return;
        };
        match self.protocol {
            Protocol::WebSocket | Protocol::WebSocketAcked | Protocol::WebSocketUnacked => {
                set(options, "acknowledged", flag(acknowledged));
                if let Some(keep_alive) = keep_alive
                    && !options.contains_key("keep_alive")
                {
                    let key = Spanned::new(keep_alive.span(), Cow::Borrowed("keep_alive"));
                    options.insert(key, keep_alive);
                }
            }
            _ => {
                let kept = self.protocol != Protocol::Http;
                set(options, "keep_alive", flag(kept));
                if self.protocol == Protocol::HttpLongPoll && reads {
                    options.remove("poll");
                    set(options, "long_poll", "\"30s\"");
                } else {
                    options.remove("long_poll");
                }
            }
        }
    }
}

impl Tls {
    /// What a scenario says of it.
    fn options(self) -> &'static str {
        match self {
            Self::Full => "{ resumption = false }",
            Self::Resumed => "{ resumption = true }",
            Self::PostQuantum => r#"{ resumption = false, key_exchange = "x25519-mlkem768" }"#,
        }
    }
}

fn is_false(value: Option<&Spanned<DeValue<'_>>>) -> bool {
    matches!(value.map(Spanned::get_ref), Some(DeValue::Boolean(false)))
}

fn flag(set: bool) -> &'static str {
    if set { "true" } else { "false" }
}

/// Faults that wait for a packet of MQTT never strike in another protocol.
fn drop_triggers(document: &mut DeTable<'_>, dropped: &mut Vec<String>) {
    let Some(DeValue::Array(faults)) = document.get_mut("fault").map(Spanned::get_mut) else {
        return;
    };
    let mut kept = Vec::new();
    for (place, fault) in faults.iter().enumerate() {
        match fault.get_ref() {
            DeValue::Table(table) if table.contains_key("on") => dropped.push(format!(
                "The fault number {place}, which waits for a packet of MQTT, never strikes."
            )),
            _ => kept.push(fault.clone()),
        }
    }
    *faults = kept.into_iter().collect();
}

/// Whether a fleet publishes or subscribes above QoS 0.
fn promises_arrival(fleet: &mut DeTable<'_>) -> bool {
    let mut promised = false;
    let above_0 = |value: &DeValue<'_>| match value {
        DeValue::Integer(qos) => qos.as_str() != "0",
        _ => false,
    };
    for place in ["publish", "subscribe"] {
        each_table(fleet, place, |table| {
            promised |= match table.get("qos").map(Spanned::get_ref) {
                Some(DeValue::Array(several)) => {
                    several.iter().any(|value| above_0(value.get_ref()))
                }
                Some(value) => above_0(value),
                None => false,
            };
        });
    }
    promised
}

/// The table that a key of a table is.
fn inner<'a, 'i>(table: &'a mut DeTable<'i>, key: &str) -> Option<&'a mut DeTable<'i>> {
    match table.get_mut(key)?.get_mut() {
        DeValue::Table(inner) => Some(inner),
        _ => None,
    }
}

/// Does something to the table that a key is, or to each of the tables in it.
fn each_table(outer: &mut DeTable<'_>, key: &str, mut f: impl FnMut(&mut DeTable<'_>)) {
    match outer.get_mut(key).map(Spanned::get_mut) {
        Some(DeValue::Table(table)) => f(table),
        Some(DeValue::Array(tables)) => {
            for table in tables.iter_mut() {
                if let DeValue::Table(table) = table.get_mut() {
                    f(table);
                }
            }
        }
        _ => {}
    }
}

/// Sets a key to a TOML value; it stands nowhere in the file.
fn set(table: &mut DeTable<'_>, key: &'static str, toml: &'static str) {
    let Ok(value) = DeValue::parse(toml) else {
        unreachable!("{toml} is TOML");
    };
    table.remove(key);
    table.insert(Spanned::new(0..0, Cow::Borrowed(key)), value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// What a document is once it was carried over, and what was left out.
    fn carried(document: &str, over: &str) -> (String, Vec<String>) {
        let mut document = DeTable::parse(document).expect("TOML").into_inner();
        let dropped = Over::read(over).expect("a protocol").carry(&mut document);
        (written(&DeValue::Table(document)), dropped)
    }

    /// A value on one line, keys in order.
    fn written(value: &DeValue<'_>) -> String {
        match value {
            DeValue::Table(table) => {
                let entries = table.iter();
                let entries = entries
                    .map(|(key, value)| format!("{}={}", key.get_ref(), written(value.get_ref())));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(" "))
            }
            DeValue::Array(values) => {
                let values = values.iter().map(|value| written(value.get_ref()));
                format!("[{}]", values.collect::<Vec<_>>().join(" "))
            }
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Boolean(flag) => flag.to_string(),
            _ => "?".to_owned(),
        }
    }

    const SENSOR: &str = r#"
        mqtt = "5.0"
        [[fleet]]
        name = "a"
        mqtt = { version = "5.0", clean_session = false, session_expiry = "1h", keep_alive = "9s", will = { topic = "w", delay = "1s" } }
        publish = { topic = "t", qos = [0, 1], retain = true, topic_alias = true }
        subscribe = [{ filter = "t", qos = 1, no_local = true }]
        [[fault]]
        kind = "drop"
        on = { packet = "PUBREC" }
        [[fault]]
        kind = "loss"
    "#;

    #[rstest]
    #[case::to_3_1_1(
        "mqtt",
        "{fault=[{kind=drop on={packet=PUBREC}} {kind=loss}] \
         fleet=[{mqtt={clean_session=false keep_alive=9s version=3.1.1 will={topic=w}} name=a \
         publish={qos=[0 1] retain=true topic=t} subscribe=[{filter=t qos=1}]}] \
         mqtt=3.1.1}",
        &["mqtt.session_expiry", "publish.topic_alias", "subscribe.no_local", "mqtt.will.delay"]
    )]
    #[case::to_5_0(
        "mqtt5+tls",
        "{fault=[{kind=drop on={packet=PUBREC}} {kind=loss}] \
         fleet=[{mqtt={clean_session=false keep_alive=9s session_expiry=1h topic_alias_maximum=0 \
         version=5.0 will={delay=1s topic=w}} name=a \
         publish={qos=[0 1] retain=true topic=t topic_alias=false} \
         subscribe=[{filter=t no_local=true qos=1}]}] \
         mqtt=5.0 tls={resumption=false}}",
        &[]
    )]
    #[case::to_a_hub(
        "websocket+tls-pq",
        "{fault=[{kind=loss}] fleet=[{name=a publish={topic=t} subscribe=[{filter=t}] \
         websocket={acknowledged=true keep_alive=9s}}] protocol=websocket \
         tls={key_exchange=x25519-mlkem768 resumption=false}}",
        &[
            "mqtt.will", "mqtt.session_expiry", "publish.retain", "publish.topic_alias",
            "subscribe.no_local", "fault number 0",
        ]
    )]
    #[case::to_a_hub_that_acknowledges_nothing(
        "websocket-unacked",
        "{fault=[{kind=loss}] fleet=[{name=a publish={topic=t} subscribe=[{filter=t}] \
         websocket={acknowledged=false keep_alive=9s}}] protocol=websocket}",
        &[
            "mqtt.will", "mqtt.session_expiry", "publish.retain", "publish.topic_alias",
            "subscribe.no_local", "kept for the fleet `a`", "fault number 0",
        ]
    )]
    #[case::to_a_long_poll(
        "http-long-poll+tls-resumed",
        "{fault=[{kind=loss}] fleet=[{http={keep_alive=true long_poll=30s} name=a \
         publish={topic=t} subscribe=[{filter=t}]}] protocol=http tls={resumption=true}}",
        &[
            "mqtt.will", "mqtt.session_expiry", "publish.retain", "publish.topic_alias",
            "subscribe.no_local", "fault number 0",
        ]
    )]
    fn what_has_no_counterpart_is_left_out_and_told(
        #[case] over: &str,
        #[case] expected: &str,
        #[case] told: &[&str],
    ) {
        let (document, dropped) = carried(SENSOR, over);
        assert_eq!(document, expected);
        assert_eq!(dropped.len(), told.len(), "{dropped:?}");
        for (sentence, told) in dropped.iter().zip(told) {
            assert!(sentence.contains(told), "{sentence} is not of {told}");
        }
    }

    #[rstest]
    #[case("0", "false")]
    #[case("1", "true")]
    #[case("[0, 2]", "true")]
    fn above_qos_0_a_hub_acknowledges(#[case] qos: &str, #[case] acknowledged: &str) {
        let document = format!("[[fleet]]\npublish = {{ qos = {qos} }}");
        let (document, _) = carried(&document, "websocket");
        let expected = format!("websocket={{acknowledged={acknowledged}}}");
        assert!(document.contains(&expected), "{document}");
    }
}
