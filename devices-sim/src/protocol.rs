//! What a fleet's devices speak on the streams they dial, as plain data.

use crate::fleet::{Fleet, Publish, Qos, Subscribe};
use crate::http;
use crate::resource;
use std::time::Duration;

/// What a fleet's devices speak.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// MQTT, as [`Fleet::mqtt`] has it.
    #[default]
    Mqtt,
    /// A plain WebSocket, to a sensor hub.
    WebSocket(WebSocketSettings),
    /// HTTP/1.1, to a server that keeps the latest readings.
    Http(HttpSettings),
}

/// How a fleet's devices speak to a hub. A device is either a sensor, which
/// publishes to one topic, or a listener, which subscribes to one group: each
/// has a URL of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketSettings {
    /// Whom they ask for, as their request's `Host` has it.
    pub authority: String,
    /// Readings are numbered and acknowledged, and sent again after a
    /// connection has broken; a listener has a name, its client identifier, by
    /// which the hub keeps readings for it. They are at QoS 1 then, and at QoS 0
    /// otherwise.
    pub acknowledged: bool,
    /// Readings are sent as text, not as binary data.
    pub text: bool,
    /// A device that has heard nothing for so long pings, and one that has heard
    /// nothing for twice as long gives the connection up; never if zero.
    pub keep_alive: Duration,
}

/// How a fleet's devices speak HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// Whom they ask for, as their requests' `Host` has it.
    pub authority: String,
    /// A connection is kept for further requests while the device is awake;
    /// otherwise each request has one of its own.
    pub keep_alive: bool,
    /// How a device that subscribes comes by readings.
    pub reader: HttpReader,
}

/// How a device asks for readings over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpReader {
    /// Again after this time, more than none.
    Poll(Duration),
    /// At once again; the server waits with its answer until there is a reading,
    /// at most for this time, which is whole seconds.
    LongPoll(Duration),
}

impl Protocol {
    /// Why a fleet cannot speak this.
    pub(crate) fn problem(&self, fleet: &Fleet) -> Option<&'static str> {
        match self {
            Self::Mqtt => None,
            Self::WebSocket(settings) => settings.problem(fleet),
            Self::Http(settings) => settings.problem(fleet),
        }
    }
}

impl WebSocketSettings {
    fn problem(&self, fleet: &Fleet) -> Option<&'static str> {
        let qos = match self.acknowledged {
            true => Qos::AtLeastOnce,
            false => Qos::AtMostOnce,
        };
        let publish = fleet.publish.as_ref();
        let subscribe = || fleet.subscribe.iter();
        let rules = [
            (!self.authority.is_empty(), "its server has no name"),
            (
                publish.is_none() || fleet.subscribe.is_empty(),
                "a device of a hub is a sensor or a listener, not both",
            ),
            (
                publish.is_none_or(|publish| publish.to.is_none()),
                "a sensor of a hub publishes to one topic, and addresses nobody",
            ),
            (
                publish.is_none_or(|publish| publish.qos.iter().all(|one| *one == qos))
                    && subscribe().all(|wanted| wanted.qos == qos),
                "a hub acknowledges at QoS 1, and does not at QoS 0",
            ),
            (
                publish.is_none_or(Publish::is_plain)
                    && subscribe().all(Subscribe::is_plain)
                    && fleet.mqtt.will.is_none(),
                "a hub has no RETAIN, expiry, topic alias, will or subscription options",
            ),
            (
                publish.is_none_or(|publish| fleet.all(|index| is_of_a_hub(fleet, publish, index))),
                "a hub's topics have two levels or more of letters, digits, `-` and `_`, \
                 and its names at most 64 of them",
            ),
            (
                fleet.subscribe.is_empty() || fleet.all(|index| listens_to_one(fleet, index)),
                "a listener has one group: its filters begin with the same level, without wildcard",
            ),
            (
                !self.acknowledged
                    || fleet.subscribe.is_empty()
                    || fleet.all(|index| resource::is_name(&fleet.client_id(index))),
                "a listener's client identifier is its name: up to 64 letters, digits, `-`, `_` \
                 and `.`",
            ),
        ];
        let broken = rules.iter().find(|(holds, _)| !holds);
        broken.map(|(_, problem)| *problem)
    }
}

impl HttpSettings {
    fn problem(&self, fleet: &Fleet) -> Option<&'static str> {
        let publish = fleet.publish.as_ref();
        let subscribe = || fleet.subscribe.iter();
        let (polls, waits) = match self.reader {
            HttpReader::Poll(every) => (!every.is_zero(), false),
            HttpReader::LongPoll(wait) => (!wait.is_zero() && wait.subsec_nanos() == 0, true),
        };
        let rules = [
            (!self.authority.is_empty(), "its server has no name"),
            (
                polls,
                "it polls every 0 s, or does not wait for whole seconds",
            ),
            (
                publish.is_none_or(|publish| publish.qos == [Qos::AtLeastOnce])
                    && subscribe().all(|wanted| wanted.qos == Qos::AtMostOnce),
                "over HTTP readings are posted at QoS 1 and polled at QoS 0",
            ),
            (
                publish.is_none_or(Publish::is_plain)
                    && subscribe().all(Subscribe::is_plain)
                    && fleet.mqtt.will.is_none(),
                "HTTP has no RETAIN, expiry, topic alias, will or subscription options",
            ),
            (
                publish.is_none_or(|publish| fleet.all(|index| is_posted(fleet, publish, index))),
                "topics over HTTP have two levels or more of letters, digits, `-` and `_`, \
                 and their sensors' names at most 64 of them",
            ),
            (
                fleet.all(|index| subscribe().all(|wanted| is_polled(fleet, wanted, index))),
                "a filter over HTTP is a sensor's topic, or begins with a group's name and has a \
                 wildcard",
            ),
            (
                !waits
                    || fleet.subscribe.is_empty()
                    || publish.is_none() && fleet.subscribe.len() == 1,
                "a device whose polls are long has its connection for one filter, and publishes \
                 nothing",
            ),
        ];
        let broken = rules.iter().find(|(holds, _)| !holds);
        broken.map(|(_, problem)| *problem)
    }
}

fn is_posted(fleet: &Fleet, publish: &Publish, index: u32) -> bool {
    let topic = fleet.expand(&publish.topic, index);
    let last = publish.to.as_ref().map(|to| to.of_reading(to.count));
    let topic = topic.replace("{target}", last.as_deref().unwrap_or_default());
    resource::of_topic(&topic).is_some()
}

fn is_polled(fleet: &Fleet, wanted: &Subscribe, index: u32) -> bool {
    let filter = fleet.expand(&wanted.filter, index);
    match http::is_of_many(&filter) {
        true => resource::group_of(&filter).is_some(),
        false => resource::of_topic(&filter).is_some(),
    }
}

fn is_of_a_hub(fleet: &Fleet, publish: &Publish, index: u32) -> bool {
    let topic = fleet.expand(&publish.topic, index);
    resource::of_topic(&topic).is_some()
}

fn listens_to_one(fleet: &Fleet, index: u32) -> bool {
    let filters = fleet.subscribe.iter();
    let groups: Vec<_> = filters
        .map(|wanted| fleet.expand(&wanted.filter, index))
        .map(|filter| resource::group_of(&filter).map(str::to_owned))
        .collect();
    groups
        .iter()
        .all(|group| group.is_some() && *group == groups[0])
}

impl Publish {
    /// Whether it asks for nothing that only MQTT has.
    fn is_plain(&self) -> bool {
        !self.retain && self.message_expiry_s.is_none() && !self.topic_alias
    }
}

impl Subscribe {
    /// Whether it asks for nothing that only MQTT has.
    fn is_plain(&self) -> bool {
        *self == Self::new(self.filter.clone(), self.qos)
    }
}

impl Fleet {
    /// Whether something holds for all devices. They differ in their number
    /// only, so that the last has the longest names.
    fn all(&self, holds: impl Fn(u32) -> bool) -> bool {
        holds(0) && holds(self.count.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Addressees, Will};
    use rstest::rstest;

    fn settings(acknowledged: bool) -> WebSocketSettings {
        WebSocketSettings {
            authority: "hub".to_owned(),
            acknowledged,
            text: false,
            keep_alive: Duration::from_secs(60),
        }
    }

    fn sensor(change: impl Fn(&mut Publish)) -> Fleet {
        let mut fleet = Fleet::sample();
        fleet.protocol = Protocol::WebSocket(settings(true));
        fleet.publish.iter_mut().for_each(change);
        fleet
    }

    fn listener(filters: &[&str]) -> Fleet {
        let filters = filters.iter();
        Fleet {
            publish: None,
            subscribe: filters
                .map(|filter| Subscribe::new(*filter, Qos::AtLeastOnce))
                .collect(),
            ..sensor(|_| {})
        }
    }

    #[rstest]
    #[case(sensor(|_| {}))]
    #[case(listener(&["valley/#", "valley/+/x"]))]
    fn takes_what_a_hub_has_words_for(#[case] fleet: Fleet) {
        assert_eq!(fleet.check(), Ok(()));
    }

    #[rstest]
    #[case(sensor(|p| p.qos = vec![Qos::AtMostOnce]), "acknowledges at QoS 1")]
    #[case(sensor(|p| p.retain = true), "RETAIN")]
    #[case(sensor(|p| p.topic = "valley".to_owned()), "two levels")]
    #[case(sensor(|p| p.topic = format!("valley/{}", "a".repeat(65))), "at most 64")]
    #[case(sensor(|p| p.to = Some(Addressees { fleet: "f".to_owned(), count: 1 })), "addresses")]
    #[case(Fleet { subscribe: listener(&["valley/#"]).subscribe, ..sensor(|_| {}) }, "not both")]
    #[case(listener(&["+/x"]), "one group")]
    #[case(listener(&["valley/#", "office/#"]), "one group")]
    #[case(Fleet { protocol: Protocol::WebSocket(settings(false)), ..sensor(|_| {}) }, "QoS 0")]
    fn refuses_what_a_hub_has_no_words_for(#[case] fleet: Fleet, #[case] about: &str) {
        let error = fleet.check().unwrap_err().to_string();
        assert!(error.contains(about), "{error}");
    }

    fn http(reader: HttpReader, change: impl Fn(&mut Fleet)) -> Fleet {
        let mut fleet = Fleet::sample();
        fleet.protocol = Protocol::Http(HttpSettings {
            authority: "server".to_owned(),
            keep_alive: true,
            reader,
        });
        change(&mut fleet);
        fleet
    }

    fn reads(fleet: &mut Fleet, filters: &[&str]) {
        let filters = filters.iter();
        let wanted = filters.map(|filter| Subscribe::new(*filter, Qos::AtMostOnce));
        fleet.subscribe = wanted.collect();
    }

    const POLL: HttpReader = HttpReader::Poll(Duration::from_secs(5));
    const LONG_POLL: HttpReader = HttpReader::LongPoll(Duration::from_secs(30));

    #[rstest]
    #[case(http(LONG_POLL, |_| {}))]
    #[case(http(POLL, |f| reads(f, &["valley/#", "valley/t-1/x", "hill/+"])))]
    #[case(http(LONG_POLL, |f| { f.publish = None; reads(f, &["valley/#"]) }))]
    fn takes_what_http_has_words_for(#[case] fleet: Fleet) {
        assert_eq!(fleet.check(), Ok(()));
    }

    #[rstest]
    #[case(http(POLL, |f| f.publish.as_mut().unwrap().qos = vec![Qos::AtMostOnce]), "QoS 1")]
    #[case(http(POLL, |f| f.publish.as_mut().unwrap().retain = true), "RETAIN")]
    #[case(http(POLL, |f| f.publish.as_mut().unwrap().topic = "valley".to_owned()), "two levels")]
    #[case(http(POLL, |f| reads(f, &["valley"])), "a filter")]
    #[case(http(POLL, |f| reads(f, &["+/x"])), "a filter")]
    #[case(http(LONG_POLL, |f| reads(f, &["valley/#"])), "long")]
    #[case(http(LONG_POLL, |f| { f.publish = None; reads(f, &["a/#", "b/#"]) }), "long")]
    #[case(http(HttpReader::Poll(Duration::ZERO), |_| {}), "0 s")]
    #[case(http(HttpReader::LongPoll(Duration::from_millis(1500)), |_| {}), "whole seconds")]
    fn refuses_what_http_has_no_words_for(#[case] fleet: Fleet, #[case] about: &str) {
        let error = fleet.check().unwrap_err().to_string();
        assert!(error.contains(about), "{error}");
    }

    #[test]
    fn a_hub_publishes_no_will() {
        let mut fleet = sensor(|_| {});
        fleet.mqtt.will = Some(Will {
            topic: "valley/gone".to_owned(),
            payload: String::new(),
            qos: Qos::AtMostOnce,
            retain: false,
            delay_s: None,
            message_expiry_s: None,
        });
        let error = fleet.check().unwrap_err().to_string();
        assert!(error.contains("will"), "{error}");
    }
}
