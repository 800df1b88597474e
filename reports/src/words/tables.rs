//! What a report has to say in tables, for every format that shows them whole.

use super::{causes, faults as fault_rows, layer_cost, layer_explanation, layers, mark};
use crate::{
    bytes::Bytes,
    figures::{NONE, count, percent},
    model::{Arrived, Guarantee, PacketCounts, Report, Weather},
    style::Tone,
    table::{Cell, Column, Table},
};

/// The faults in the order of their beginning; `None` without faults.
pub(crate) fn faults(weather: &Weather) -> Option<Table> {
    let mut table = Table::new(["fault", "target", "when", "effect"].map(Column::text));
    for fault in fault_rows(&weather.faults) {
        table.row([
            Cell::plain(fault.kind),
            Cell::plain(fault.target),
            Cell::plain(fault.when),
            Cell::plain(fault.effect),
        ]);
    }
    (!weather.faults.is_empty()).then_some(table)
}

/// What the links of each site did; `None` without sites.
pub(crate) fn sites(weather: &Weather) -> Option<Table> {
    let mut table = Table::new([
        Column::text("site"),
        Column::text("link"),
        Column::text("direction"),
        Column::figure("packets"),
        Column::figure("lost"),
        Column::figure("share"),
        Column::text("why"),
        Column::figure("duplicated"),
        Column::figure("reordered"),
    ]);
    for site in &weather.sites {
        let mut row = |name: &str, link: &str, direction: &str, packets: &PacketCounts| {
            let lost = packets.lost_total();
            table.row([
                Cell::plain(name),
                Cell::plain(link),
                Cell::plain(direction),
                Cell::plain(count(packets.sent)),
                Cell::plain(count(lost)),
                Cell::plain(percent(lost, packets.sent)),
                Cell::plain(causes(packets).join(", ")),
                Cell::plain(count(packets.duplicated)),
                Cell::plain(count(packets.reordered)),
            ]);
        };
        row(&site.site, &site.link, "up", &site.up);
        row("", "", "down", &site.down);
    }
    (!weather.sites.is_empty()).then_some(table)
}

/// The guarantees and their verdicts.
pub(crate) fn guarantees(guarantees: &[Guarantee]) -> Table {
    let mut table = Table::new(["", "guarantee", "evidence", "statement"].map(Column::text));
    for guarantee in guarantees {
        let (mark, tone) = mark(guarantee.verdict);
        table.row([
            Cell::new(tone, mark),
            Cell::plain(&guarantee.name),
            Cell::plain(&guarantee.summary),
            Cell::plain(guarantee.statement.as_deref().unwrap_or_default()),
        ]);
    }
    table
}

/// The scenario's bounds; `None` if it has none.
pub(crate) fn expectations(report: &Report) -> Option<Table> {
    let mut table = Table::new(["", "expectation", "actual", "bound"].map(Column::text));
    for expectation in &report.expectations {
        let (mark, tone) = mark(report.expectation_verdict(expectation));
        table.row([
            Cell::new(tone, mark),
            Cell::plain(&expectation.name),
            Cell::plain(&expectation.actual),
            Cell::plain(&expectation.bound),
        ]);
    }
    (!report.expectations.is_empty()).then_some(table)
}

/// What each subscribing fleet received; `None` if there is none.
pub(crate) fn receivers(arrived: &Arrived) -> Option<Table> {
    let mut table = Table::new([
        Column::text("subscribing fleet"),
        Column::figure("received"),
        Column::figure("retained"),
        Column::figure("repeated"),
    ]);
    for receiver in &arrived.receivers {
        table.row([
            Cell::plain(&receiver.fleet),
            Cell::plain(count(receiver.received)),
            Cell::plain(count(receiver.retained)),
            Cell::plain(count(receiver.duplicated)),
        ]);
    }
    (!arrived.receivers.is_empty()).then_some(table)
}

/// What was spent on each layer, and in all.
pub(crate) fn bytes(report: &Report) -> Table {
    let bytes = &report.bytes;
    let mut table = Table::new([
        Column::text("layer"),
        Column::figure("up, B"),
        Column::figure("down, B"),
        Column::figure("both, B"),
        Column::figure("per delivered reading"),
        Column::figure("share"),
        Column::text("what it is"),
    ]);
    for layer in layers(report) {
        let per_reading = match report.arrived.total.delivered {
            0 => NONE.to_owned(),
            _ => layer_cost(report, layer),
        };
        table.row([
            Cell::plain(layer.name()),
            Cell::plain(count(bytes.up[layer])),
            Cell::plain(count(bytes.down[layer])),
            Cell::plain(count(bytes.both(layer))),
            Cell::plain(per_reading),
            Cell::plain(percent(bytes.both(layer), bytes.on_wire())),
            Cell::plain(layer_explanation(report, layer)),
        ]);
    }
    let per_reading = report.bytes_per_reading();
    table.row([
        Cell::new(Tone::Strong, "on the wire"),
        Cell::plain(count(bytes.on_wire_up)),
        Cell::plain(count(bytes.on_wire_down)),
        Cell::plain(count(bytes.on_wire())),
        Cell::plain(per_reading.map_or(NONE.to_owned(), |each| format!("{} B", count(each)))),
        Cell::plain(percent(bytes.on_wire(), bytes.on_wire())),
        Cell::plain(format!(
            "{} packets up, {} down",
            count(bytes.packets_up),
            count(bytes.packets_down)
        )),
    ]);
    table
}

/// What the connections of each fleet cost, layer by layer; `None` if there is but
/// one.
pub(crate) fn fleets(report: &Report) -> Option<Table> {
    let fleets = &report.fleets;
    if fleets.len() < 2 {
        return None;
    }
    let named = fleets.iter().map(|cost| Column::figure(&cost.fleet));
    let mut table = Table::new(std::iter::once(Column::text("fleet by fleet, B")).chain(named));
    let mut row = |tone, name: &str, spent: &dyn Fn(&Bytes) -> u64| {
        let spent = fleets
            .iter()
            .map(|cost| Cell::new(tone, count(spent(&cost.bytes))));
        table.row(std::iter::once(Cell::new(tone, name)).chain(spent));
    };
    for layer in layers(report) {
        row(Tone::Plain, layer.name(), &|bytes| bytes.both(layer));
    }
    row(Tone::Strong, "on the wire", &Bytes::on_wire);
    row(Tone::Plain, "packets", &Bytes::packets);
    Some(table)
}

/// What the simulation ran with; `None` if nothing is said of it.
pub(crate) fn settings(report: &Report) -> Option<Table> {
    let mut table = Table::new(["setting", "value"].map(Column::text));
    for setting in &report.settings {
        table.row([Cell::plain(&setting.name), Cell::plain(&setting.value)]);
    }
    (!report.settings.is_empty()).then_some(table)
}
