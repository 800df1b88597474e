//! What fleets speak, in TLS or not, and which keys make no sense then.
//!
//! MQTT has the most words. A key that a protocol has no words for is a mistake
//! and not ignored: whoever wrote it expects something of it.

use std::ops::Range;
use std::time::Duration;

use squall_checks::websocket::Framing;
use squall_devices::resource;

use super::super::super::diagnostic::ScenarioError;
use super::super::super::document::fleet::{FleetTable, PublishTable, SubscribeTable};
use super::super::super::document::protocol::{
    HttpTable, KeyExchangeName, ProtocolName, TlsTable, TlsValue, WebSocketTable,
};
use super::super::super::document::value::{At, Either};
use super::super::super::fleet::Qos;
use super::super::super::protocol::{Http, HttpReader, KeyExchange, Protocol, Tls, WebSocket};
use super::super::super::text::{Complaint, written};
use super::super::Resolver;

/// How often a device asks for readings over HTTP unless given.
const POLL: Duration = Duration::from_secs(5);

/// Silence after which a device on a plain WebSocket pings unless given: the
/// keep-alive time of MQTT.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

impl Resolver<'_> {
    /// What a fleet speaks.
    pub(super) fn protocol(&self, table: &FleetTable) -> Result<Protocol, ScenarioError> {
        let name = table.protocol.as_ref();
        let name = name.map_or(self.protocol, |name| name.value);
        let over_websocket = matches!(name, ProtocolName::MqttWs | ProtocolName::Websocket);
        if let Some(given) = table.websocket.as_ref().filter(|_| !over_websocket) {
            let help = "give the fleet `protocol = \"websocket\"` or \"mqtt-ws\", or leave it out";
            return Err(self.senseless(&given.span, "websocket", name, help));
        }
        if let Some(given) = table.http.as_ref().filter(|_| name != ProtocolName::Http) {
            let help = "give the fleet `protocol = \"http\"`, or leave it out";
            return Err(self.senseless(&given.span, "http", name, help));
        }
        if matches!(name, ProtocolName::Websocket | ProtocolName::Http) {
            self.only_in_mqtt(table, name)?;
            self.resources(table, name)?;
        }
        let websocket = table.websocket.as_ref().map(|given| &given.value);
        match name {
            ProtocolName::Mqtt => Ok(Protocol::Mqtt),
            ProtocolName::MqttWs => self.framing(websocket).map(Protocol::MqttOverWebSocket),
            ProtocolName::Websocket => self.websocket(websocket).map(Protocol::WebSocket),
            ProtocolName::Http => {
                let http = table.http.as_ref().map(|given| &given.value);
                self.polls(table, http, name)?;
                self.http(http).map(Protocol::Http)
            }
        }
    }

    /// How a fleet uses TLS, if it does.
    pub(super) fn tls(&self, given: Option<&TlsValue>) -> Option<Tls> {
        let given = given.or(self.tls.as_ref());
        let table = match &given?.value {
            Either::Short(false) => return None,
            Either::Short(true) => None,
            Either::Table(table) => Some(table),
        };
        let resumption = |table: &TlsTable| table.resumption.unwrap_or(true);
        Some(Tls {
            resumption: table.is_none_or(resumption),
            key_exchange: match table.and_then(|table| table.key_exchange) {
                None | Some(KeyExchangeName::X25519) => KeyExchange::X25519,
                Some(KeyExchangeName::X25519MlKem768) => KeyExchange::X25519MlKem768,
            },
        })
    }

    fn senseless(
        &self,
        span: &Range<usize>,
        key: &str,
        name: ProtocolName,
        help: &str,
    ) -> ScenarioError {
        let complaint = Complaint::new(
            format!("`{key}` for a fleet that speaks {}", words(name)),
            "it has none",
            help,
        );
        self.error(span, complaint)
    }

    /// Refuses what only MQTT has words for.
    fn only_in_mqtt(&self, table: &FleetTable, name: ProtocolName) -> Result<(), ScenarioError> {
        let publish = table.publish.as_ref();
        let publish = publish.map(|publish| given_to_publish(&publish.value));
        let subscribe = table.subscribe.iter().flat_map(given_to_subscribe);
        let mqtt = table.mqtt.as_ref().map(|mqtt| ("mqtt", &mqtt.span));
        let mut given = mqtt
            .into_iter()
            .chain(publish.into_iter().flatten())
            .chain(subscribe);
        let Some((key, span)) = given.next() else {
            return Ok(());
        };
        let help = match (key, name) {
            ("qos", ProtocolName::Websocket) => {
                "leave it out: `websocket = { acknowledged = true }` has readings acknowledged, \
                 and sent again after a connection has broken"
            }
            ("qos", _) => "leave it out: each POST is answered, and one that is not is sent again",
            ("retain", _) => {
                "leave it out: the server keeps the latest reading of each sensor anyway"
            }
            _ => "leave it out, or let the fleet speak MQTT",
        };
        Err(self.senseless(span, key, name, help))
    }

    /// Checks that topics name sensors, and filters groups of them.
    fn resources(&self, table: &FleetTable, name: ProtocolName) -> Result<(), ScenarioError> {
        let named = |text: &str| self.named(table, text);
        if let Some(At { value, .. }) = &table.publish {
            if let Some(to) = value
                .to
                .as_ref()
                .filter(|_| name == ProtocolName::Websocket)
            {
                let help = "leave it out: a sensor has one connection for one topic";
                return Err(self.senseless(&to.span, "to", name, help));
            }
            let device = named("{device}");
            let topic = named(&value.topic.value.0).replace("{target}", &device);
            if resource::of_topic(&topic).is_none() {
                return Err(self.error(
                    &value.topic.span,
                    Complaint::new(
                        format!("`{}` names no sensor", value.topic.value.0),
                        "not a group and a sensor",
                        "without MQTT a topic has two levels or more of letters, digits, `-` and \
                         `_`; the first is the group, and the others, of 64 characters at most, \
                         the sensor",
                    ),
                ));
            }
        }
        let mut first = None;
        for subscribe in &table.subscribe {
            let filter = &subscribe.filter;
            let of_filter = named(&filter.value.0);
            let group = resource::group_of(&of_filter).map(str::to_owned);
            let (Some(group), false) = (group, filter.value.0.starts_with("$share")) else {
                return Err(self.error(
                    &filter.span,
                    Complaint::new(
                        format!("`{}` is of no group", filter.value.0),
                        "which group?",
                        "without MQTT the first level of a filter is the group that is listened \
                         to, and has no wildcard",
                    ),
                ));
            };
            let other = first.get_or_insert_with(|| group.clone());
            if name == ProtocolName::Websocket && *other != group {
                return Err(self.error(
                    &filter.span,
                    Complaint::new(
                        format!("a listener of two groups, `{other}` and `{group}`"),
                        "the second",
                        "a listener has one connection for one group: make it two fleets",
                    ),
                ));
            }
        }
        match table.subscribe.first() {
            Some(first) if name == ProtocolName::Websocket && table.publish.is_some() => Err(self
                .error(
                    &first.filter.span,
                    Complaint::new(
                        "a device of a plain WebSocket that publishes and subscribes",
                        "a second connection",
                        "a sensor and a listener have a URL each: make it two fleets",
                    ),
                )),
            _ => Ok(()),
        }
    }

    /// A text as it is for the last device, which has the longest name: devices
    /// differ in their number.
    fn named(&self, table: &FleetTable, text: &str) -> String {
        let fleet = table.name.value.0.as_str();
        let device = format!("{fleet}-{}", table.count.value.0);
        text.replace("{fleet}", fleet).replace("{device}", &device)
    }

    fn framing(&self, table: Option<&WebSocketTable>) -> Result<Framing, ScenarioError> {
        let Some(table) = table else {
            return Ok(Framing::default());
        };
        let given = [
            (
                "acknowledged",
                table.acknowledged.as_ref().map(|at| &at.span),
            ),
            ("text", table.text.as_ref().map(|at| &at.span)),
            ("keep_alive", table.keep_alive.as_ref().map(|at| &at.span)),
        ];
        if let Some((key, span)) = first_given(given) {
            let help = "leave it out: MQTT has `qos`, binary frames and `keep_alive` of its own";
            return Err(self.senseless(span, key, ProtocolName::MqttWs, help));
        }
        match (&table.packets_per_frame, &table.split) {
            (Some(_), Some(split)) => Err(self.error(
                &split.span,
                Complaint::new(
                    "frames divided in two ways",
                    "and yet `packets_per_frame` is given",
                    "leave out one of the two",
                ),
            )),
            (None, None) => Ok(Framing::AsWritten),
            (Some(most), None) => Ok(Framing::Packets(most.value.0.into())),
            (None, Some(split)) => {
                let bytes = self.within(
                    &split.span,
                    split.value.0,
                    1..=1 << 20,
                    "a frame's share of MQTT",
                    "from 1 byte to 1 MiB",
                )?;
                Ok(Framing::Messages(bytes as usize))
            }
        }
    }

    fn websocket(&self, table: Option<&WebSocketTable>) -> Result<WebSocket, ScenarioError> {
        let given = table.map(|table| {
            [
                (
                    "packets_per_frame",
                    table.packets_per_frame.as_ref().map(|at| &at.span),
                ),
                ("split", table.split.as_ref().map(|at| &at.span)),
            ]
        });
        if let Some((key, span)) = given.and_then(first_given) {
            let help = "leave it out: a reading has a frame of its own";
            return Err(self.senseless(span, key, ProtocolName::Websocket, help));
        }
        let set = |flag: Option<&At<bool>>| flag.is_some_and(|flag| flag.value);
        let keep_alive = table.and_then(|table| table.keep_alive.as_ref());
        Ok(WebSocket {
            acknowledged: set(table.and_then(|table| table.acknowledged.as_ref())),
            text: set(table.and_then(|table| table.text.as_ref())),
            keep_alive: keep_alive.map_or(KEEP_ALIVE, |time| time.value.0),
        })
    }

    fn http(&self, table: Option<&HttpTable>) -> Result<Http, ScenarioError> {
        let poll = table.and_then(|table| table.poll.as_ref());
        let long_poll = table.and_then(|table| table.long_poll.as_ref());
        let reader = match (poll, long_poll) {
            (Some(_), Some(long_poll)) => {
                return Err(self.error(
                    &long_poll.span,
                    Complaint::new(
                        "a device that polls in two ways",
                        "and yet `poll` is given",
                        "leave out one of the two",
                    ),
                ));
            }
            (None, None) => HttpReader::Poll(POLL),
            (Some(poll), None) => HttpReader::Poll(self.positive(poll, "polls without end")?),
            (None, Some(long_poll)) => {
                let time = self.positive(long_poll, "a long poll of no time")?;
                let whole = time.subsec_nanos() == 0;
                match u32::try_from(time.as_secs()) {
                    Ok(seconds) if whole => HttpReader::LongPoll(seconds),
                    _ => {
                        return Err(self.error(
                            &long_poll.span,
                            Complaint::new(
                                format!("a long poll of {}", written(time)),
                                "not whole seconds",
                                "the request says how long to wait in seconds: such as \"30s\"",
                            ),
                        ));
                    }
                }
            }
        };
        Ok(Http {
            keep_alive: table.and_then(|table| table.keep_alive).unwrap_or(false),
            reader,
        })
    }

    /// Checks that a device has something to poll, and a connection for it.
    fn polls(
        &self,
        table: &FleetTable,
        http: Option<&HttpTable>,
        name: ProtocolName,
    ) -> Result<(), ScenarioError> {
        for subscribe in &table.subscribe {
            let filter = &subscribe.filter;
            let named = self.named(table, &filter.value.0);
            if !named.contains(['+', '#']) && resource::of_topic(&named).is_none() {
                return Err(self.error(
                    &filter.span,
                    Complaint::new(
                        format!("`{}` is no sensor", filter.value.0),
                        "only a group",
                        "write the whole topic of a sensor, or a wildcard: \"valley/#\"",
                    ),
                ));
            }
        }
        let long_poll = http.and_then(|http| http.long_poll.as_ref());
        let busy = table.publish.is_some() && !table.subscribe.is_empty();
        match long_poll {
            Some(long_poll) if busy || table.subscribe.len() > 1 => {
                let help = "its connection is busy with one long poll: make it two fleets, or \
                            give `poll`";
                Err(self.error(
                    &long_poll.span,
                    Complaint::new(
                        format!("a device that does more over {} than wait", words(name)),
                        "it waits",
                        help,
                    ),
                ))
            }
            _ => Ok(()),
        }
    }
}

/// The QoS that a fleet's readings have in a trace, and that of what it listens
/// to, where scenarios do not say.
pub(super) fn qos(protocol: &Protocol) -> Option<(Qos, Qos)> {
    const ONCE_AT_MOST: Qos = Qos::AtMostOnce;
    const ONCE_AT_LEAST: Qos = Qos::AtLeastOnce;
    match protocol {
        Protocol::Mqtt | Protocol::MqttOverWebSocket(_) => None,
        Protocol::WebSocket(WebSocket {
            acknowledged: false,
            ..
        }) => Some((ONCE_AT_MOST, ONCE_AT_MOST)),
        Protocol::WebSocket(_) => Some((ONCE_AT_LEAST, ONCE_AT_LEAST)),
        // Whoever polls misses what a newer reading has replaced.
        Protocol::Http(_) => Some((ONCE_AT_LEAST, ONCE_AT_MOST)),
    }
}

fn words(name: ProtocolName) -> &'static str {
    match name {
        ProtocolName::Mqtt => "MQTT over TCP",
        ProtocolName::MqttWs => "MQTT over WebSocket",
        ProtocolName::Websocket => "plain WebSocket",
        ProtocolName::Http => "HTTP",
    }
}

type Given<'a> = (&'static str, Option<&'a Range<usize>>);

fn first_given<const N: usize>(given: [Given<'_>; N]) -> Option<(&'static str, &Range<usize>)> {
    given.into_iter().find_map(|(key, span)| Some((key, span?)))
}

/// What of a `publish` only MQTT has words for.
fn given_to_publish(table: &PublishTable) -> impl Iterator<Item = (&'static str, &Range<usize>)> {
    let given: [Given<'_>; 4] = [
        ("qos", table.qos.as_ref().map(|at| &at.span)),
        ("retain", table.retain.as_ref().map(|at| &at.span)),
        (
            "message_expiry",
            table.message_expiry.as_ref().map(|at| &at.span),
        ),
        ("topic_alias", table.topic_alias.as_ref().map(|at| &at.span)),
    ];
    let given = given.into_iter();
    given.filter_map(|(key, span)| Some((key, span?)))
}

/// What of a subscription only MQTT has words for.
fn given_to_subscribe(
    table: &SubscribeTable,
) -> impl Iterator<Item = (&'static str, &Range<usize>)> {
    let given: [Given<'_>; 6] = [
        ("qos", table.qos.as_ref().map(|at| &at.span)),
        ("share", table.share.as_ref().map(|at| &at.span)),
        ("stay", table.stay.as_ref().map(|at| &at.span)),
        ("no_local", table.no_local.as_ref().map(|at| &at.span)),
        (
            "retain_as_published",
            table.retain_as_published.as_ref().map(|at| &at.span),
        ),
        (
            "retain_handling",
            table.retain_handling.as_ref().map(|at| &at.span),
        ),
    ];
    let given = given.into_iter();
    given.filter_map(|(key, span)| Some((key, span?)))
}
