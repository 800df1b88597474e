//! `[[fault]]`: what goes wrong, where, and when.
//!
//! One table for every kind, since they share most of their keys; which kind
//! takes which is in one table of `resolve::fault`.

use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;

use super::link::{BurstTable, LatencyValue, ReorderTable};
use super::scalar::{Count, Name, Qos, Rate, Share, SignedDrift, Time, TimeSpan};
use super::value::At;

/// Something that goes wrong in a run: `kind` says what, `site`, `fleet` or
/// `server` where, and `at` when, or `on` a packet that sets it off.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { kind = \"partition\", site = \"valley\", at = \"6m\", for = \"90s\" }"
)]
pub(crate) struct FaultTable {
    /// What goes wrong.
    pub(crate) kind: At<FaultName>,
    /// When it begins; a range such as "1m..5m" is drawn from by the seed.
    pub(crate) at: Option<At<TimeSpan>>,
    /// How long it lasts, or a range of which; until the drain begins unless
    /// given.
    pub(crate) r#for: Option<At<TimeSpan>>,
    /// From one beginning to the next, again and again until the drain begins.
    pub(crate) every: Option<At<Time>>,
    /// How often it happens: so many turns of `every`, or so many draws from
    /// the range `at`; once unless given.
    pub(crate) count: Option<At<Count>>,
    /// The packet that sets it off, in place of `at`: for drop, nat-rebinding,
    /// reset, vanish and server-crash.
    pub(crate) on: Option<At<TriggerTable>>,
    /// Strikes the devices of this site.
    pub(crate) site: Option<At<Name>>,
    /// Strikes the devices of this fleet.
    pub(crate) fleet: Option<At<Name>>,
    /// So many of the devices, and not all of them; the seed decides which,
    /// anew each time.
    pub(crate) devices: Option<At<Count>>,
    /// Such a share of the devices, rounded up, and not all of them; the seed
    /// decides which, anew each time.
    pub(crate) share: Option<At<Share>>,
    /// Strikes this server; "broker" unless given.
    pub(crate) server: Option<At<Name>>,
    /// Which packets of a link or a partition: "up" (from the devices), "down"
    /// (to the devices) or "both"; both unless given.
    pub(crate) direction: Option<At<WaysName>>,
    /// loss: probability that a packet is lost.
    pub(crate) loss: Option<At<Share>>,
    /// burst-loss: how bursts of loss come and go, as for a link.
    pub(crate) burst: Option<At<BurstTable>>,
    /// latency: how much longer a packet takes, a duration or a distribution.
    pub(crate) latency: Option<LatencyValue>,
    /// rate: bits a second at most.
    pub(crate) rate: Option<At<Rate>>,
    /// duplication: probability that a packet arrives twice.
    pub(crate) duplicate: Option<At<Share>>,
    /// reordering: which packets are held back, as for a link.
    pub(crate) reorder: Option<At<ReorderTable>>,
    /// partition: whether packets wait for its end, and are not lost; false
    /// unless given.
    pub(crate) hold: Option<At<bool>>,
    /// clock-drift: how fast clocks run, or how slow if negative.
    pub(crate) drift: Option<At<SignedDrift>>,
    /// drop: how often the packet is dropped, its retransmissions counted; once
    /// unless given.
    pub(crate) times: Option<At<Count>>,
}

impl FaultTable {
    /// Every key that was given, beside `kind`, and where its value stands.
    pub(crate) fn given(&self) -> Vec<(&'static str, Range<usize>)> {
        fn span<T>(value: &Option<At<T>>) -> Option<Range<usize>> {
            value.as_ref().map(|at| at.span.clone())
        }
        [
            ("at", span(&self.at)),
            ("for", span(&self.r#for)),
            ("every", span(&self.every)),
            ("count", span(&self.count)),
            ("on", span(&self.on)),
            ("site", span(&self.site)),
            ("fleet", span(&self.fleet)),
            ("devices", span(&self.devices)),
            ("share", span(&self.share)),
            ("server", span(&self.server)),
            ("direction", span(&self.direction)),
            ("loss", span(&self.loss)),
            ("burst", span(&self.burst)),
            ("latency", span(&self.latency)),
            ("rate", span(&self.rate)),
            ("duplicate", span(&self.duplicate)),
            ("reorder", span(&self.reorder)),
            ("hold", span(&self.hold)),
            ("drift", span(&self.drift)),
            ("times", span(&self.times)),
        ]
        .into_iter()
        .filter_map(|(key, span)| Some((key, span?)))
        .collect()
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FaultName {
    /// The access links of a site or a fleet lose packets with the probability
    /// `loss`, on top of what they lose anyway.
    Loss,
    /// The access links of a site or a fleet lose packets in bursts, by
    /// `burst`, on top of what they lose anyway.
    BurstLoss,
    /// The access links of a site or a fleet take longer, by `latency`.
    Latency,
    /// The access links of a site or a fleet get no faster than `rate`.
    Rate,
    /// The access links of a site or a fleet swallow every packet, and nobody
    /// is told. What is on the air when it begins arrives.
    Blackhole,
    /// The access links of a site or a fleet deliver packets twice, with the
    /// probability `duplicate`.
    Duplication,
    /// The access links of a site or a fleet hold packets back, by `reorder`,
    /// so that later ones overtake them.
    Reordering,
    /// A site and the server cannot reach each other: packets that cross
    /// between them are lost, or wait for its end (`hold`). Its place is behind
    /// the access links, seen from a device.
    Partition,
    /// A site loses its power: all of its devices, and every packet on the air.
    /// They boot again at its end.
    PowerCut,
    /// A NAT forgets the connections that a site or a fleet has: their packets
    /// are dropped from then on, both ways. New connections work.
    NatRebinding,
    /// The server stops at once, loses what its disk had not synced, and starts
    /// again at the end.
    ServerCrash,
    /// The server does nothing until the end, while its TCP goes on until its
    /// buffers are full.
    ServerPause,
    /// Devices are gone without a FIN, and boot again at the end.
    Vanish,
    /// Devices end their connection with a RST.
    Reset,
    /// Devices say DISCONNECT, and connect again.
    Disconnect,
    /// The battery of devices dies in the middle of the first packet they send
    /// while it lasts; they boot again at its end. One that sends none is spared.
    BatteryDeath,
    /// Devices that connect while it lasts fall asleep between CONNECT and
    /// CONNACK, until its end.
    SleepInHandshake,
    /// Devices all lose their connection, and dial again at once.
    ReconnectStorm,
    /// The clocks of devices run fast or slow by `drift`.
    ClockDrift,
    /// The IP packet with the MQTT packet of `on` is dropped, and TCP has to
    /// repeat it.
    Drop,
}

/// Packets of a link or a partition.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WaysName {
    /// From the devices to the server.
    Up,
    /// From the server to the devices.
    Down,
    /// Either.
    Both,
}

/// The packet that sets a fault off: the `nth` of those that match.
///
/// They are counted over the whole run, where they are sent. A repetition by
/// TCP does not count, one by MQTT (with DUP) does.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { packet = \"PUBREC\", from = \"server\", nth = 3 }"
)]
pub(crate) struct TriggerTable {
    /// Type of the MQTT packet, such as "PUBREC".
    pub(crate) packet: At<PacketName>,
    /// Who sends it, "client" or "server"; either unless given.
    pub(crate) from: Option<At<SenderName>>,
    /// The how manyth of those that match; the first unless given.
    pub(crate) nth: Option<Count>,
    /// QoS of a PUBLISH.
    pub(crate) qos: Option<At<Qos>>,
    /// Fleet of the device that sends it or is sent it.
    pub(crate) fleet: Option<At<Name>>,
    /// The how manyth device of that fleet, from 1.
    pub(crate) device: Option<At<Count>>,
    /// Whether the packet itself is lost, too, and not only what follows it on
    /// its connection; true unless given.
    pub(crate) lost: Option<At<bool>>,
}

/// Who sends a packet.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SenderName {
    /// A device.
    Client,
    /// The broker.
    Server,
}

/// An MQTT control packet.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum PacketName {
    Connect,
    Connack,
    Publish,
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
    Subscribe,
    Suback,
    Unsubscribe,
    Unsuback,
    Pingreq,
    Pingresp,
    Disconnect,
}
