//! The link presets: one data file, in which each figure says where it comes
//! from.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::document::link::{DirectionTable, LinkTable};
use super::document::scalar::{Bytes, Queue};
use super::document::value::At;

/// The presets' names, from the best link to the worst.
pub const PRESETS: [&str; 6] = ["ethernet", "wifi", "lte-m", "nb-iot", "2g", "satellite"];

const FILE: &str = include_str!("presets.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PresetTable {
    #[serde(rename = "summary")]
    _summary: String,
    radio: bool,
    mtu: At<Bytes>,
    queue: At<Queue>,
    up: DirectionTable,
    down: DirectionTable,
}

/// A preset as a scenario would write it, and whether its devices have a radio;
/// `None` if there is none of the name.
pub(crate) fn preset(name: &str) -> Option<(LinkTable, bool)> {
    let mut presets = parse(FILE).unwrap_or_else(|error| {
        panic!("the presets file is part of the program and tested: {error}")
    });
    let preset = presets.remove(name)?;
    let table = LinkTable {
        mtu: Some(preset.mtu),
        queue: Some(preset.queue),
        up: Some(preset.up),
        down: Some(preset.down),
        ..LinkTable::default()
    };
    Some((table, preset.radio))
}

fn parse(text: &str) -> Result<BTreeMap<String, PresetTable>, toml::de::Error> {
    toml::from_str(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_every_preset_and_no_other() {
        let parsed = parse(FILE).expect("the presets parse");
        let mut names = PRESETS.to_vec();
        names.sort_unstable();
        assert_eq!(parsed.keys().collect::<Vec<_>>(), names);
    }

    #[test]
    fn every_upward_figure_says_where_it_comes_from() {
        let mut section = "";
        for line in FILE.lines() {
            if line.starts_with('[') {
                section = line;
            }
            let is_figure =
                line.contains(" = ") && !line.starts_with('#') && !line.starts_with("summary");
            if is_figure && !section.ends_with(".down]") {
                assert!(line.contains(" # "), "{section} {line}");
            }
        }
    }
}
