//! `[[site]]` and its access link.

use schemars::JsonSchema;
use serde::Deserialize;

use super::scalar::{Bytes, Name, Queue, Rate, Share, Time};
use super::value::{At, Either};

/// A place; each of its devices has an access link of its own, like its
/// neighbours'.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { name = \"valley\", link = \"nb-iot\" }"
)]
pub(crate) struct SiteTable {
    /// What fleets call it.
    pub(crate) name: At<Name>,
    /// The access link of each of its devices: a preset ("ethernet", "wifi",
    /// "lte-m", "nb-iot", "2g", "satellite"), or a table.
    pub(crate) link: At<Either<PresetName, LinkTable>>,
}

/// A link preset: ethernet, wifi, lte-m, nb-iot, 2g or satellite.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent, expecting = "a link preset or a table")]
#[schemars(extend("enum" = ["ethernet", "wifi", "lte-m", "nb-iot", "2g", "satellite"]))]
pub(crate) struct PresetName(pub(crate) String);

/// An access link: a preset with changes, or figures of its own. Figures here
/// go for both directions, those under `up` and `down` for one.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a link preset or a table")]
pub(crate) struct LinkTable {
    /// What everything not given here is taken from.
    pub(crate) preset: Option<At<PresetName>>,
    /// From the device to the server.
    pub(crate) up: Option<DirectionTable>,
    /// From the server to the device.
    pub(crate) down: Option<DirectionTable>,
    /// One-way delay of a packet, without serialisation and queueing.
    pub(crate) latency: Option<LatencyValue>,
    /// Probability that a packet is lost, independently of others.
    pub(crate) loss: Option<Share>,
    /// Losses that come in bursts, on top of `loss`.
    pub(crate) burst: Option<At<BurstTable>>,
    /// Probability that a packet arrives twice.
    pub(crate) duplicate: Option<Share>,
    /// Packets held back so that later ones overtake them.
    pub(crate) reorder: Option<ReorderTable>,
    /// Bits a second at which packets are serialised, IP headers included.
    pub(crate) rate: Option<Rate>,
    /// How much may wait for serialisation before the tail is dropped.
    pub(crate) queue: Option<At<Queue>>,
    /// Largest IP packet in bytes, headers included; at least 576 (RFC 791).
    pub(crate) mtu: Option<At<Bytes>>,
}

/// One direction of an access link.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table such as { loss = \"10%\" }")]
pub(crate) struct DirectionTable {
    /// One-way delay of a packet, without serialisation and queueing.
    pub(crate) latency: Option<LatencyValue>,
    /// Probability that a packet is lost, independently of others.
    pub(crate) loss: Option<Share>,
    /// Losses that come in bursts, on top of `loss`.
    pub(crate) burst: Option<At<BurstTable>>,
    /// Probability that a packet arrives twice.
    pub(crate) duplicate: Option<Share>,
    /// Packets held back so that later ones overtake them.
    pub(crate) reorder: Option<ReorderTable>,
    /// Bits a second at which packets are serialised, IP headers included.
    pub(crate) rate: Option<Rate>,
    /// How much may wait for serialisation before the tail is dropped.
    pub(crate) queue: Option<At<Queue>>,
    /// Largest IP packet in bytes, headers included; at least 576 (RFC 791).
    pub(crate) mtu: Option<At<Bytes>>,
}

/// A duration, or a distribution.
pub(crate) type LatencyValue = At<Either<Time, LatencyTable>>;

/// A distribution of one-way delays: exactly one of these.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a duration, { uniform = [\"20ms\", \"30ms\"] } or { normal = { … } }"
)]
pub(crate) struct LatencyTable {
    /// Anything from the first to the second, equally likely.
    pub(crate) uniform: Option<At<[Time; 2]>>,
    /// Normally distributed, and never below `floor`.
    pub(crate) normal: Option<At<NormalTable>>,
}

/// A normal distribution that is cut off below.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { mean = \"40ms\", deviation = \"5ms\", floor = \"20ms\" }"
)]
pub(crate) struct NormalTable {
    /// Mean, before the floor is applied.
    pub(crate) mean: Time,
    /// Standard deviation.
    pub(crate) deviation: Time,
    /// A draw below the floor becomes the floor.
    pub(crate) floor: Time,
}

/// Losses that come in bursts: the two-state chain of Gilbert and Elliott,
/// which moves once a packet.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { enter = \"1%\", leave = \"25%\", loss_bad = \"80%\" }"
)]
pub(crate) struct BurstTable {
    /// Probability of going from the good state to the bad one.
    pub(crate) enter: Share,
    /// Probability of going back; a burst lasts `1 / leave` packets on average.
    pub(crate) leave: Share,
    /// Probability that a packet is lost in the good state; 0 unless given.
    pub(crate) loss_good: Option<Share>,
    /// Probability that a packet is lost in the bad state; 1 unless given.
    pub(crate) loss_bad: Option<Share>,
}

/// Packets held back so that later ones overtake them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { probability = \"1%\", delay = \"50ms\" }"
)]
pub(crate) struct ReorderTable {
    /// Probability that a packet is held back.
    pub(crate) probability: Share,
    /// How much later than it would have arrived.
    pub(crate) delay: Time,
}
