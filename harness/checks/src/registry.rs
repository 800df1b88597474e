//! Every check there is, in the order of the specification.

use crate::check::Check;
use crate::mqtt;
use crate::websocket::{mqtt_over_websocket, rfc6455};

/// The checks of each section.
const SECTIONS: &[&[Check]] = &[
    mqtt::strings::CHECKS,
    mqtt::format::CHECKS,
    mqtt::connect::CHECKS,
    mqtt::connect_fields::CHECKS,
    mqtt::client_id::CHECKS,
    mqtt::wills::CHECKS,
    mqtt::sessions::CHECKS,
    mqtt::client_limits::CHECKS,
    mqtt::keep_alive::CHECKS,
    mqtt::connack::CHECKS,
    mqtt::offered::CHECKS,
    mqtt::publish::CHECKS,
    mqtt::retain::CHECKS,
    mqtt::publish_properties::CHECKS,
    mqtt::topic_alias::CHECKS,
    mqtt::publish_actions::CHECKS,
    mqtt::acknowledgements::CHECKS,
    mqtt::acknowledgement_sizes::CHECKS,
    mqtt::subscribe::CHECKS,
    mqtt::unsubscribe::CHECKS,
    mqtt::ping::CHECKS,
    mqtt::disconnect::CHECKS,
    mqtt::authentication::CHECKS,
    mqtt::transport::CHECKS,
    mqtt::qos::CHECKS,
    mqtt::qos_received::CHECKS,
    mqtt::redelivery::CHECKS,
    mqtt::receipt::CHECKS,
    mqtt::ordering::CHECKS,
    mqtt::topics::CHECKS,
    mqtt::errors::CHECKS,
    mqtt::errors_v5::CHECKS,
    mqtt::shares::CHECKS,
    mqtt::flow::CHECKS,
    mqtt::handshakes::CHECKS,
    mqtt::handshakes_sent::CHECKS,
    mqtt::hostile::CHECKS,
    mqtt::limits::CHECKS,
    mqtt::durability::CHECKS,
    mqtt_over_websocket::CHECKS,
    rfc6455::handshake::CHECKS,
    rfc6455::framing::CHECKS,
    rfc6455::fragmentation::CHECKS,
    rfc6455::control::CHECKS,
    rfc6455::utf8::CHECKS,
    rfc6455::close::CHECKS,
    rfc6455::limits::CHECKS,
];

/// All checks.
pub fn all() -> impl Iterator<Item = &'static Check> {
    SECTIONS.iter().copied().flatten()
}

/// The check of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Check> {
    all().find(|check| check.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_check_has_a_name_of_its_own_and_decides_something() {
        let names: BTreeSet<_> = all().map(|check| check.name).collect();
        assert_eq!(names.len(), all().count());
        for check in all() {
            assert!(!check.statements.is_empty(), "{}", check.name);
        }
    }
}
