//! The parts of the specifications that statements are grouped under.

use squall_reports::conformance::Protocol;

/// MQTT's control packets have the same numbers in both versions.
const PACKETS: &[(&str, &str)] = &[
    ("3.1", "CONNECT"),
    ("3.2", "CONNACK"),
    ("3.3", "PUBLISH"),
    ("3.4", "PUBACK"),
    ("3.5", "PUBREC"),
    ("3.6", "PUBREL"),
    ("3.7", "PUBCOMP"),
    ("3.8", "SUBSCRIBE"),
    ("3.9", "SUBACK"),
    ("3.10", "UNSUBSCRIBE"),
    ("3.11", "UNSUBACK"),
    ("3.12", "PINGREQ"),
    ("3.13", "PINGRESP"),
    ("3.14", "DISCONNECT"),
    ("3.15", "AUTH"),
];

const MQTT_3_1_1: &[(&str, &str)] = &[
    ("1.5", "Data representations"),
    ("2.2", "Fixed header"),
    ("2.3", "Variable header"),
    ("4.1", "Storing state"),
    ("4.2", "Network Connections"),
    ("4.3", "Quality of Service levels"),
    ("4.4", "Message delivery retry"),
    ("4.5", "Message receipt"),
    ("4.6", "Message ordering"),
    ("4.7", "Topic Names and Topic Filters"),
    ("4.8", "Handling errors"),
    ("7.0", "Conformance"),
    ("7.1", "Conformance Targets"),
];

const MQTT_5_0: &[(&str, &str)] = &[
    ("1.5", "Data representation"),
    ("2.1", "Structure of a Control Packet"),
    ("2.2", "Variable Header"),
    ("4.1", "Session State"),
    ("4.2", "Network Connections"),
    ("4.3", "Quality of Service levels"),
    ("4.4", "Message delivery retry"),
    ("4.5", "Message receipt"),
    ("4.6", "Message ordering"),
    ("4.7", "Topic Names and Topic Filters"),
    ("4.8", "Subscriptions"),
    ("4.9", "Flow Control"),
    ("4.12", "Enhanced authentication"),
    ("4.13", "Handling errors"),
    ("7.0", "Conformance"),
];

const WEBSOCKET: &[(&str, &str)] = &[
    ("4.1", "Client Requirements"),
    ("4.2", "Server-Side Requirements"),
    ("4.4", "Supporting Multiple Versions"),
    ("5.1", "Overview of framing"),
    ("5.2", "Base Framing Protocol"),
    ("5.3", "Client-to-Server Masking"),
    ("5.4", "Fragmentation"),
    ("5.5", "Control Frames"),
    ("5.6", "Data Frames"),
    ("6.0", "MQTT over WebSocket"),
    ("6.1", "Sending Data"),
    ("6.2", "Receiving Data"),
    ("7.1", "Definitions of closing"),
    ("7.4", "Status Codes"),
    ("8.1", "Errors in UTF-8-Encoded Data"),
    ("9", "Extensions"),
    ("9.1", "Negotiating Extensions"),
    ("10.4", "Implementation-Specific Limits"),
    ("10.7", "Handling of Invalid Data"),
];

/// Number and title of the part that a section, such as `3.3.4 PUBLISH Actions`,
/// belongs to; the section itself if it belongs to none that is known.
pub(super) fn chapter(protocol: Protocol, section: &str) -> String {
    let number = section.split(' ').next().unwrap_or_default();
    let places: Vec<_> = number.split('.').take(2).collect();
    let number = places.join(".");
    let own = match protocol {
        Protocol::Mqtt311 => MQTT_3_1_1,
        Protocol::Mqtt5 => MQTT_5_0,
        Protocol::WebSocket => WEBSOCKET,
    };
    let packets = match protocol {
        Protocol::WebSocket => &[],
        Protocol::Mqtt311 | Protocol::Mqtt5 => PACKETS,
    };
    let mut known = own.iter().chain(packets);
    match known.find(|(other, _)| *other == number) {
        Some((number, title)) => format!("{number} {title}"),
        None => section.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::statements;

    #[test]
    fn every_statement_belongs_to_a_part_with_a_title() {
        for statement in statements() {
            let chapter = statement.chapter();
            let number = chapter.split(' ').next().expect("a number");
            let own = statement.number();
            let below = own == number || own.starts_with(&format!("{number}."));
            assert!(below, "{}: {chapter}", statement.id);
            assert!(
                number.matches('.').count() <= 1,
                "{}: {chapter}",
                statement.id
            );
        }
    }

    #[test]
    fn a_number_means_what_its_version_has_there() {
        let chapter = |protocol| chapter(protocol, "4.8.0 Something");
        assert_eq!(chapter(Protocol::Mqtt311), "4.8 Handling errors");
        assert_eq!(chapter(Protocol::Mqtt5), "4.8 Subscriptions");
    }
}
