//! The timeline of a run: lanes over one axis of time, with the weather behind
//! them.
//!
//! Each lane is a drawing of its own, from 0 to [`Timeline::span`] in units of
//! time and as wide as there is room: the script zooms by changing which part of
//! it is shown, and draws nothing.

use serde::Serialize;

use super::messages::{anchor, fate_name, fate_words, sought};
use crate::{
    figures::{clock, count, counted, duration},
    layout::clean,
    model::{FaultSpan, Report},
    story::{Device, Message, Story, Stretch},
};

/// Positions on the axis.
const SPAN: u64 = 1_000_000;
/// Height of a lane's drawing, in its own units, and of its highest value: there
/// is air between one lane and the next.
const HEIGHT: u64 = 100;
const HIGHEST: u64 = 86;

/// The timeline as the template takes it.
#[derive(Serialize)]
pub(super) struct Timeline {
    /// Where the run ends, in units.
    span: u64,
    unit_ns: u64,
    starts: String,
    ends: String,
    bands: Vec<Band>,
    lanes: Vec<Lane>,
    devices: Vec<Row>,
    fleets: Vec<String>,
    kinds: Vec<Kind>,
    /// Which devices are shown.
    extent: String,
}

/// A fault.
#[derive(Serialize)]
struct Band {
    from: u64,
    width: u64,
    title: String,
}

/// What may be shown or not.
#[derive(Serialize)]
struct Kind {
    kind: &'static str,
    name: &'static str,
}

/// A count over time.
#[derive(Serialize)]
struct Lane {
    kind: &'static str,
    name: &'static str,
    /// Its highest value, which gives it its scale.
    highest: String,
    path: String,
}

/// A device.
#[derive(Serialize)]
struct Row {
    name: String,
    fleet: String,
    /// What it lived through, in words.
    summary: String,
    connected: String,
    broken: String,
    published: String,
    delivered: String,
    messages: Vec<Dot>,
}

/// A message of its device that is told of below.
#[derive(Serialize)]
struct Dot {
    at: u64,
    anchor: String,
    sought: String,
    fate: &'static str,
    title: String,
}

impl Timeline {
    pub(super) fn new(report: &Report, story: &Story) -> Self {
        let unit_ns = report.ended_ns.div_ceil(SPAN).max(1);
        let axis = Axis {
            unit_ns,
            span: report.ended_ns.div_ceil(unit_ns).max(1),
        };
        let faults = &report.weather.faults;
        let lanes = lanes(story, axis);
        let devices = story.devices.iter();
        let devices: Vec<Row> = devices
            .map(|device| Row::new(device, story, axis))
            .collect();
        let mut fleets: Vec<String> = Vec::new();
        let of_devices = story.devices.iter().map(|device| &device.fleet);
        let of_messages = story.messages.iter().map(|message| &message.fleet);
        for fleet in of_devices.chain(of_messages) {
            let fleet = clean(fleet);
            if !fleets.contains(&fleet) {
                fleets.push(fleet);
            }
        }
        let mut kinds = vec![Kind {
            kind: "weather",
            name: "weather",
        }];
        let of_lanes = lanes.iter().map(|lane| Kind {
            kind: lane.kind,
            name: lane.name,
        });
        kinds.extend(of_lanes.filter(|_| !story.stretches.is_empty()));
        if faults.is_empty() {
            kinds.remove(0);
        }
        let shown = devices.len() as u64;
        Self {
            span: axis.span,
            unit_ns,
            starts: clock(0),
            ends: clock(report.ended_ns),
            bands: faults.iter().map(|fault| Band::new(fault, axis)).collect(),
            lanes,
            extent: match story.devices_total {
                total if total == shown => counted(shown, "device"),
                total => format!("{} of {}", count(shown), counted(total, "device")),
            },
            devices,
            fleets,
            kinds,
        }
    }
}

/// Where times stand.
#[derive(Clone, Copy)]
struct Axis {
    unit_ns: u64,
    span: u64,
}

impl Axis {
    fn at(self, ns: u64) -> u64 {
        (ns / self.unit_ns).min(self.span)
    }

    /// A short upright line at each time, from one height to another.
    fn ticks(self, times: &[u64], from: u64, to: u64) -> String {
        let times = times.iter();
        let ticks = times.map(|ns| format!("M{} {from}V{to}", self.at(*ns)));
        ticks.collect()
    }
}

impl Band {
    fn new(fault: &FaultSpan, axis: Axis) -> Self {
        let from = axis.at(fault.began_ns);
        let to = fault.ended_ns.map_or(axis.span, |ended| axis.at(ended));
        let lasted = fault.ended_ns.map(|ended| ended - fault.began_ns);
        let lasted = match lasted {
            None => ", to the end of the run".to_owned(),
            Some(0) => String::new(),
            Some(lasted) => format!(", {}", duration(lasted)),
        };
        let effect = match fault.effect.is_empty() {
            true => String::new(),
            false => format!(": {}", clean(&fault.effect)),
        };
        Self {
            from,
            width: to - from,
            title: format!(
                "{} {} {}{lasted}{effect}",
                clock(fault.began_ns),
                clean(&fault.kind),
                clean(&fault.target)
            ),
        }
    }
}

/// Counts over the run; those that stay at 0 where anything else would be bad
/// news are left out.
fn lanes(story: &Story, axis: Axis) -> Vec<Lane> {
    let lane = |kind, name, read: fn(&Stretch) -> u64| Lane::new(kind, name, story, axis, read);
    let all = [
        lane("connected", "connected", |stretch| stretch.connected),
        lane("broken", "connections broken", |stretch| stretch.broken),
        lane("published", "published", |stretch| stretch.published),
        lane("delivered", "delivered", |stretch| stretch.delivered),
        lane("lost", "deliveries lost", |stretch| stretch.lost),
        lane("traffic", "packets", |stretch| stretch.packets),
        lane("dropped", "packets lost", |stretch| stretch.packets_lost),
    ];
    let bad = ["broken", "lost", "dropped"];
    let all = all.into_iter();
    all.filter(|lane| !(lane.path.is_empty() && bad.contains(&lane.kind)))
        .collect()
}

impl Lane {
    fn new(
        kind: &'static str,
        name: &'static str,
        story: &Story,
        axis: Axis,
        read: fn(&Stretch) -> u64,
    ) -> Self {
        let highest = story.stretches.iter().map(read).max().unwrap_or(0);
        let mut path = String::new();
        // Neighbours of one height are one step.
        let mut steps: Vec<(u64, u64, u128)> = Vec::new();
        for (stretch, index) in story.stretches.iter().zip(0u64..) {
            let height = match read(stretch) {
                0 => continue,
                // What is there is seen, however little it is.
                value => (u128::from(value) * u128::from(HIGHEST) / u128::from(highest)).max(3),
            };
            let from = axis.at(index * story.stretch_ns);
            let to = axis.at((index + 1) * story.stretch_ns);
            match steps.last_mut() {
                Some(last) if last.1 == from && last.2 == height => last.1 = to,
                _ => steps.push((from, to, height)),
            }
        }
        for (from, to, height) in steps {
            path.push_str(&format!(
                "M{from} {HEIGHT}V{}H{to}V{HEIGHT}Z",
                u128::from(HEIGHT) - height
            ));
        }
        Self {
            kind,
            name,
            highest: match kind {
                "connected" => format!("up to {}", count(highest)),
                _ => format!("up to {} in {}", count(highest), duration(story.stretch_ns)),
            },
            path,
        }
    }
}

impl Row {
    fn new(device: &Device, story: &Story, axis: Axis) -> Self {
        let connections = device.connections.iter();
        let connected = connections.map(|connection| {
            let (from, to) = (axis.at(connection.from_ns), axis.at(connection.to_ns));
            format!("M{from} 50H{}", to.max(from + 1))
        });
        let broke = device.connections.iter();
        let broke = broke.filter(|connection| connection.broke);
        let broke: Vec<u64> = broke
            .map(|connection| connection.to_ns)
            .chain(device.failed_ns.iter().copied())
            .collect();
        let own = |message: &&Message| message.publisher == device.name;
        let messages = story.messages.iter().filter(own).map(|message| Dot {
            at: axis.at(message.published_ns),
            anchor: anchor(message),
            sought: sought(message),
            fate: fate_name(message.fate()),
            title: format!(
                "{} {}: {}",
                clock(message.published_ns),
                clean(&message.id),
                fate_words(message.fate())
            ),
        });
        let summary = format!(
            "{}, {} broken or failed, {} published, {} delivered",
            counted(device.connections.len() as u64, "connection"),
            count(broke.len() as u64),
            count(device.published),
            count(device.delivered)
        );
        Self {
            name: clean(&device.name),
            fleet: clean(&device.fleet),
            summary,
            connected: connected.collect(),
            broken: axis.ticks(&broke, 30, 70),
            published: axis.ticks(&device.published_ns, 8, 36),
            delivered: axis.ticks(&device.delivered_ns, 64, 92),
            messages: messages.collect(),
        }
    }
}
