//! What fleets subscribe to, alone or in groups.

use super::super::super::diagnostic::ScenarioError;
use super::super::super::document::fleet::{RetainHandlingName, SubscribeTable};
use super::super::super::document::scalar::TopicFilter;
use super::super::super::document::value::At;
use super::super::super::fleet::{MqttVersion, Qos, RetainHandling, Subscription};
use super::super::super::text::Complaint;
use super::super::super::topic::{check_filter, split_share};
use super::super::Resolver;

impl Resolver<'_> {
    pub(super) fn subscribe(
        &self,
        table: SubscribeTable,
        version: MqttVersion,
    ) -> Result<Subscription, ScenarioError> {
        self.only_in_5_0(version, "share", table.share.as_ref())?;
        self.only_in_5_0(version, "no_local", table.no_local.as_ref())?;
        self.only_in_5_0(
            version,
            "retain_as_published",
            table.retain_as_published.as_ref(),
        )?;
        self.only_in_5_0(version, "retain_handling", table.retain_handling.as_ref())?;
        let (share, filter) = match self.shared(&table.filter, version)? {
            Some((_, _)) if table.share.is_some() => {
                return Err(self.error(
                    &table.filter.span,
                    Complaint::new(
                        "a subscription in two groups",
                        "names one, and `share` the other",
                        "leave out one of the two",
                    ),
                ));
            }
            Some((share, filter)) => (Some(share), filter),
            None => (
                table.share.map(|share| share.value.0),
                table.filter.value.0.clone(),
            ),
        };
        if let (Some(_), Some(no_local)) = (&share, &table.no_local)
            && no_local.value
        {
            return Err(self.error(
                &no_local.span,
                Complaint::new(
                    "a shared subscription without what its members publish",
                    "not for a group",
                    "leave it out: MQTT has no `no_local` for shared subscriptions [MQTT5-3.8.3-4]",
                ),
            ));
        }
        let set = |flag: Option<At<bool>>| flag.is_some_and(|flag| flag.value);
        Ok(Subscription {
            filter,
            share,
            qos: table.qos.map_or(Qos::AtMostOnce, |qos| qos.value.0),
            stay: table.stay.map(|time| time.value.0),
            no_local: set(table.no_local),
            retain_as_published: set(table.retain_as_published),
            retain_handling: match table.retain_handling.map(|handling| handling.value) {
                None | Some(RetainHandlingName::Send) => RetainHandling::Send,
                Some(RetainHandlingName::SendIfNew) => RetainHandling::SendIfNew,
                Some(RetainHandlingName::DoNotSend) => RetainHandling::DoNotSend,
            },
        })
    }

    /// The group and the filter of `$share/group/filter`.
    fn shared(
        &self,
        given: &At<TopicFilter>,
        version: MqttVersion,
    ) -> Result<Option<(String, String)>, ScenarioError> {
        if !given.value.0.starts_with("$share/") {
            return Ok(None);
        }
        self.only_in_5_0(version, "$share", Some(given))?;
        let (share, filter) = split_share(&given.value.0);
        // [MQTT5-4.8.2-1], [MQTT5-4.8.2-2]
        let Some(share) = share.filter(|share| !share.is_empty() && !share.contains(['+', '#']))
        else {
            return Err(self.error(
                &given.span,
                Complaint::new(
                    format!("`{}` is not a shared subscription", given.value.0),
                    "no group, or nothing it subscribes to",
                    "write \"$share/group/filter\", such as \"$share/workers/valley/#\"",
                ),
            ));
        };
        check_filter(filter).map_err(|complaint| self.error(&given.span, complaint))?;
        Ok(Some((share.to_owned(), filter.to_owned())))
    }
}
