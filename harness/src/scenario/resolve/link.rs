//! Sites and their links: a preset, changed by what is given for both
//! directions, changed by what is given for one.

use std::time::Duration;

use squall_reports::figures;

use super::super::Site;
use super::super::diagnostic::{ScenarioError, unknown};
use super::super::document::link::{
    BurstTable, DirectionTable, LatencyValue, LinkTable, PresetName, SiteTable,
};
use super::super::document::scalar::{Queue, Share};
use super::super::document::value::{At, Either};
use super::super::link::{Direction, GilbertElliott, Latency, LinkSpec, Reorder};
use super::super::presets::{PRESETS, preset};
use super::super::text::{Complaint, written};
use super::Resolver;

/// RFC 791: every host takes 576 bytes, so no path has less for long.
const MTU_MIN: u16 = 576;

/// A direction as far as it is known.
type Layers<'a> = [&'a DirectionTable];

impl Resolver<'_> {
    pub(super) fn site(&self, table: SiteTable) -> Result<Site, ScenarioError> {
        let span = table.link.span;
        let (own, named) = match table.link.value {
            Either::Short(name) => (
                LinkTable::default(),
                Some(At {
                    value: name,
                    span: span.clone(),
                }),
            ),
            Either::Table(mut table) => {
                let preset = table.preset.take();
                (table, preset)
            }
        };
        let (base, radio) = match &named {
            Some(name) => self.preset(name)?,
            None => Default::default(),
        };
        let (base_both, both) = (both(&base), both(&own));
        let empty = DirectionTable::default();
        let direction = |base: &Option<DirectionTable>, own: &Option<DirectionTable>| {
            // What is said last and most closely counts.
            let layers = [
                own.as_ref().unwrap_or(&empty),
                &both,
                base.as_ref().unwrap_or(&empty),
                &base_both,
            ];
            self.direction(&layers, &span)
        };
        let link = LinkSpec {
            up: direction(&base.up, &own.up)?,
            down: direction(&base.down, &own.down)?,
        };
        let name = named.as_ref().map(|name| name.value.0.as_str());
        Ok(Site {
            name: table.name.value.0,
            description: describe(name, &own, &link),
            link,
            radio,
        })
    }

    fn preset(&self, name: &At<PresetName>) -> Result<(LinkTable, bool), ScenarioError> {
        preset(&name.value.0)
            .ok_or_else(|| self.error(&name.span, unknown("link preset", &name.value.0, &PRESETS)))
    }

    fn direction(
        &self,
        layers: &Layers<'_>,
        link: &std::ops::Range<usize>,
    ) -> Result<Direction, ScenarioError> {
        fn first<T: Clone>(
            layers: &Layers<'_>,
            field: impl Fn(&DirectionTable) -> &Option<T>,
        ) -> Option<T> {
            layers.iter().find_map(|layer| field(layer).clone())
        }

        let Some(latency) = first(layers, |layer| &layer.latency) else {
            return Err(self.error(
                link,
                Complaint::new(
                    "a link without a latency",
                    "how long does a packet take?",
                    format!(
                        "add `latency = \"20ms\"`, or start from a preset: {}",
                        PRESETS.join(", ")
                    ),
                ),
            ));
        };
        let mtu = match first(layers, |layer| &layer.mtu) {
            None => 1500,
            Some(mtu) if mtu.value.0 >= MTU_MIN => mtu.value.0,
            Some(mtu) => {
                return Err(self.error(
                    &mtu.span,
                    Complaint::new(
                        format!("an MTU of {} bytes", mtu.value.0),
                        "too small",
                        "IPv4 hosts take packets of at least 576 bytes (RFC 791)",
                    ),
                ));
            }
        };
        let queue = first(layers, |layer| &layer.queue);
        Ok(Direction {
            latency: self.latency(&latency)?,
            loss: share(first(layers, |layer| &layer.loss), 0.0),
            burst: match first(layers, |layer| &layer.burst) {
                Some(burst) => Some(self.burst(&burst)?),
                None => None,
            },
            duplicate: share(first(layers, |layer| &layer.duplicate), 0.0),
            reorder: first(layers, |layer| &layer.reorder).map(|reorder| Reorder {
                probability: reorder.probability.0,
                delay: reorder.delay.0,
            }),
            rate_bits_per_second: first(layers, |layer| &layer.rate).map(|rate| rate.0),
            queue_bytes: match queue {
                Some(queue) => Some(self.queue_bytes(&queue, mtu)?),
                None => None,
            },
            mtu,
        })
    }

    fn queue_bytes(&self, queue: &At<Queue>, mtu: u16) -> Result<u64, ScenarioError> {
        let bytes = match queue.value {
            Queue::Bytes(bytes) => bytes,
            Queue::Packets(packets) => packets.saturating_mul(u64::from(mtu)),
        };
        if bytes < u64::from(mtu) {
            return Err(self.error(
                &queue.span,
                Complaint::new(
                    format!("a queue of {bytes} bytes holds no full packet of {mtu}"),
                    "too small",
                    format!("write at least {mtu}, or \"1 packet\""),
                ),
            ));
        }
        Ok(bytes)
    }

    pub(super) fn latency(&self, latency: &LatencyValue) -> Result<Latency, ScenarioError> {
        let table = match &latency.value {
            Either::Short(time) => return Ok(Latency::Fixed(time.0)),
            Either::Table(table) => table,
        };
        match (&table.uniform, &table.normal) {
            (Some(range), None) => {
                let (min, max) = self.range(range)?;
                Ok(Latency::Uniform { min, max })
            }
            (None, Some(At { value, span })) => {
                if value.mean.0 < value.floor.0 {
                    return Err(self.error(
                        span,
                        Complaint::new(
                            "a mean latency below its floor",
                            "mean < floor",
                            "the floor cuts off what is too fast; the mean lies above it",
                        ),
                    ));
                }
                Ok(Latency::Normal {
                    mean: value.mean.0,
                    deviation: value.deviation.0,
                    floor: value.floor.0,
                })
            }
            _ => Err(self.error(
                &latency.span,
                Complaint::new(
                    "a latency that is not exactly one distribution",
                    "which one?",
                    "write \"20ms\", { uniform = [\"20ms\", \"30ms\"] } or { normal = { mean = \"40ms\", deviation = \"5ms\", floor = \"20ms\" } }",
                ),
            )),
        }
    }

    pub(super) fn burst(&self, burst: &At<BurstTable>) -> Result<GilbertElliott, ScenarioError> {
        let resolved = GilbertElliott {
            enter: burst.value.enter.0,
            leave: burst.value.leave.0,
            loss_good: share(burst.value.loss_good, 0.0),
            loss_bad: share(burst.value.loss_bad, 1.0),
        };
        if resolved.leave == 0.0 {
            return Err(self.error(
                &burst.span,
                Complaint::new(
                    "a burst that never ends",
                    "`leave` is 0",
                    "a burst lasts 1 / `leave` packets on average: \"25%\" is 4 packets",
                ),
            ));
        }
        Ok(resolved)
    }

    /// A pair of durations in order.
    pub(super) fn range(
        &self,
        range: &At<[super::super::document::scalar::Time; 2]>,
    ) -> Result<(Duration, Duration), ScenarioError> {
        let [min, max] = [range.value[0].0, range.value[1].0];
        if min > max {
            return Err(self.error(
                &range.span,
                Complaint::new(
                    "a range that ends before it begins",
                    "the wrong way round",
                    format!("write [\"{}\", \"{}\"]", written(max), written(min)),
                ),
            ));
        }
        Ok((min, max))
    }
}

fn share(share: Option<Share>, otherwise: f64) -> f64 {
    share.map_or(otherwise, |share| share.0)
}

/// The figures that a link table gives for both directions.
fn both(link: &LinkTable) -> DirectionTable {
    let link = link.clone();
    DirectionTable {
        latency: link.latency,
        loss: link.loss,
        burst: link.burst,
        duplicate: link.duplicate,
        reorder: link.reorder,
        rate: link.rate,
        queue: link.queue,
        mtu: link.mtu,
    }
}

/// A link in a few words: its preset, the figures given beside it in `own`, and
/// what can go wrong.
fn describe(preset: Option<&str>, own: &LinkTable, link: &LinkSpec) -> String {
    let own_both = both(own);
    let given = |is_given: fn(&DirectionTable) -> bool, of: &dyn Fn(&Direction) -> String| {
        let in_either = |table: &Option<DirectionTable>| {
            is_given(&own_both) || table.as_ref().is_some_and(is_given)
        };
        let up = in_either(&own.up).then(|| of(&link.up));
        let down = in_either(&own.down).then(|| of(&link.down));
        both_ways(up, down, "")
    };
    let of_both = |of: &dyn Fn(&Direction) -> Option<f64>, what: &str| {
        both_ways(of(&link.up).map(percent), of(&link.down).map(percent), what)
    };
    let positive = |share: f64| (share > 0.0).then_some(share);
    [
        preset.map(str::to_owned),
        given(|table| table.latency.is_some(), &|direction| {
            latency(&direction.latency)
        }),
        given(|table| table.rate.is_some(), &|direction| {
            direction
                .rate_bits_per_second
                .map_or_else(|| "no rate".to_owned(), rate)
        }),
        given(|table| table.queue.is_some(), &|direction| {
            let bytes = direction.queue_bytes.unwrap_or_default();
            format!("queue {} B", figures::count(bytes))
        }),
        given(|table| table.mtu.is_some(), &|direction| {
            format!("MTU {} B", figures::count(direction.mtu.into()))
        }),
        of_both(&|direction| positive(direction.loss), " loss"),
        of_both(
            &|direction| direction.burst.map(|burst| burst.loss_mean()),
            " loss in bursts",
        ),
        of_both(&|direction| positive(direction.duplicate), " duplicated"),
        of_both(
            &|direction| direction.reorder.map(|reorder| reorder.probability),
            " reordered",
        ),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(", ")
}

/// One figure of a link: once if both directions have the same.
fn both_ways(up: Option<String>, down: Option<String>, what: &str) -> Option<String> {
    Some(match (up, down) {
        (None, None) => return None,
        (Some(up), Some(down)) if up == down => format!("{up}{what}"),
        (Some(up), None) => format!("{up}{what} up"),
        (None, Some(down)) => format!("{down}{what} down"),
        (Some(up), Some(down)) => format!("{up}{what} up, {down} down"),
    })
}

/// `10 ms`, or `10 ms or more` if it is drawn.
fn latency(latency: &Latency) -> String {
    let floor = u64::try_from(latency.floor().as_nanos()).unwrap_or(u64::MAX);
    let floor = figures::exact_duration(floor);
    match latency {
        Latency::Fixed(_) => floor,
        Latency::Uniform { .. } | Latency::Normal { .. } => format!("{floor} or more"),
    }
}

/// `9 kbit/s`: the largest unit that leaves three digits after the point at
/// most.
fn rate(bits_per_second: u64) -> String {
    let units = [
        (1_000_000_000, "Gbit/s"),
        (1_000_000, "Mbit/s"),
        (1_000, "kbit/s"),
    ];
    for (scale, unit) in units {
        if bits_per_second >= scale && bits_per_second.is_multiple_of(scale / 1_000) {
            let thousandths = format!("{:03}", bits_per_second % scale / (scale / 1_000));
            let point = thousandths.trim_end_matches('0');
            let dot = if point.is_empty() { "" } else { "." };
            return format!("{}{dot}{point} {unit}", bits_per_second / scale);
        }
    }
    format!("{} bit/s", figures::count(bits_per_second))
}

/// A share as a percentage, to two digits after the point at most.
fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} %")
}
