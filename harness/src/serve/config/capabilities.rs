//! The table `[capabilities]`: what the broker offers beyond the least that MQTT
//! asks of one. The largest packet it takes is a limit.

use std::num::NonZeroU16;
use std::time::Duration;

use serde::Deserialize;
use squall_broker::Capabilities;
use squall_broker::wire::{self, Text};

use super::{Resolver, count, set};
use crate::scenario::document::scalar::{Count, KeepAlive, Qos, Time};
use crate::scenario::document::value::At;
use crate::scenario::{self, ScenarioError};

/// The fields of [`Capabilities`].
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of capabilities")]
pub(super) struct CapabilitiesTable {
    maximum_qos: Option<Qos>,
    retain: Option<bool>,
    wildcard_subscriptions: Option<bool>,
    subscription_identifiers: Option<bool>,
    shared_subscriptions: Option<bool>,
    receive_maximum: Option<At<Count>>,
    topic_alias_maximum: Option<At<u32>>,
    /// For ever unless given.
    session_expiry_max: Option<At<Time>>,
    /// The client's own unless given.
    server_keep_alive: Option<KeepAlive>,
    assigned_client_ids: Option<bool>,
    refused_client_ids: Option<Vec<String>>,
    /// None unless given.
    response_information: Option<At<String>>,
}

impl Resolver<'_> {
    pub(super) fn capabilities(
        &self,
        table: CapabilitiesTable,
        offered: &mut Capabilities,
    ) -> Result<(), ScenarioError> {
        if let Some(most) = &table.receive_maximum {
            let number = count(&most.value);
            self.within(&most.span, number, 1..=usize::from(u16::MAX))?;
            let most = u16::try_from(number).ok().and_then(NonZeroU16::new);
            set(&mut offered.receive_maximum, most);
        }
        if let Some(most) = &table.topic_alias_maximum {
            let number = usize::try_from(most.value).unwrap_or(usize::MAX);
            self.within(&most.span, number, 0..=usize::from(u16::MAX))?;
            set(&mut offered.topic_alias_maximum, u16::try_from(number).ok());
        }
        if let Some(most) = &table.session_expiry_max {
            offered.session_expiry_max = Some(self.session_expiry(most)?);
        }
        if let Some(text) = table.response_information {
            let information = Text::new(text.value).map_err(|violation| {
                let what = format!("MQTT cannot say this: {violation}");
                let help = "write text without the character U+0000";
                self.error(&text.span, what, "no text of MQTT", help)
            })?;
            offered.response_information = Some(information);
        }
        set(&mut offered.maximum_qos, table.maximum_qos.map(qos));
        set(&mut offered.retain, table.retain);
        set(
            &mut offered.wildcard_subscriptions,
            table.wildcard_subscriptions,
        );
        set(
            &mut offered.subscription_identifiers,
            table.subscription_identifiers,
        );
        set(
            &mut offered.shared_subscriptions,
            table.shared_subscriptions,
        );
        // It is never more than MQTT can say.
        let keep_alive = table.server_keep_alive.map(|time| time.0.as_secs());
        let keep_alive_s = keep_alive.and_then(|seconds| u16::try_from(seconds).ok());
        offered.server_keep_alive_s = keep_alive_s.or(offered.server_keep_alive_s);
        set(&mut offered.assigned_client_ids, table.assigned_client_ids);
        let refused = table.refused_client_ids;
        set(
            &mut offered.refused_client_ids,
            refused.map(|ids| ids.into_iter().collect()),
        );
        Ok(())
    }

    /// In whole seconds, as MQTT has it; its largest number means for ever.
    fn session_expiry(&self, at: &At<Time>) -> Result<Duration, ScenarioError> {
        let time = at.value.0;
        if time.subsec_nanos() == 0 && time.as_secs() < u64::from(u32::MAX) {
            return Ok(time);
        }
        let what = "MQTT cannot say such a session expiry".to_owned();
        let help = "write whole seconds, 136 years at most; sessions are kept for ever without it";
        Err(self.error(&at.span, what, "not whole seconds, or too many", help))
    }
}

fn qos(qos: Qos) -> wire::Qos {
    match qos.0 {
        scenario::Qos::AtMostOnce => wire::Qos::AtMostOnce,
        scenario::Qos::AtLeastOnce => wire::Qos::AtLeastOnce,
        scenario::Qos::ExactlyOnce => wire::Qos::ExactlyOnce,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::Settings;
    use std::path::Path;

    /// A capability that the file does not know could not be set.
    #[test]
    fn every_capability_has_a_key() {
        let debug = format!("{:#?}", Capabilities::default());
        let fields = debug.lines().filter_map(|line| line.strip_prefix("    "));
        let fields: Vec<_> = fields.filter_map(|line| line.split(':').next()).collect();
        assert!(fields.contains(&"maximum_qos"), "{debug}");
        for field in fields {
            let key = field.strip_suffix("_s").unwrap_or(field);
            // Not a value of any of them.
            let text = format!("[capabilities]\n{key} = [[1]]\n");
            let error = Settings::parse(Path::new("broker.toml"), &text).expect_err("none");
            assert!(!error.to_string().contains("unknown key"), "{key}: {error}");
        }
    }
}
