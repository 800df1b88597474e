//! `squall diff`: what has changed from one report to another.

use std::path::{Path, PathBuf};

use squall_reports::diff::{Diff, Document};
use squall_reports::{json, markdown, terminal};

use super::exit::{Exit, Failure};
use super::output::Output;

const EXAMPLES: &str = "\
Examples:
  squall run cell.toml --format json > old.json
  squall run cell.toml --format json --set fleet.sensor.mqtt.keep_alive=5m > new.json
  squall diff old.json new.json --tolerance 2%
  squall compare readings.toml --out new.json; squall diff published.json new.json

It looks at figures of which less is better - bytes per reading, latency, what is lost or comes
twice - and at guarantees and bounds. It exits with 1 if any has become worse by more than the
tolerance, or no longer holds.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The report to compare with, as JSON of `squall run` or `squall compare`.
    #[arg(value_name = "OLD.json")]
    old: PathBuf,
    /// The report to compare.
    #[arg(value_name = "NEW.json")]
    new: PathBuf,
    /// A figure may change by this much of what it was.
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = parts_per_million)]
    tolerance: u64,
    /// What the answer looks like.
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    format: Format,
}

/// What the answer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a person at a terminal.
    Terminal,
    /// For a page or a review.
    Markdown,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let (old, new) = (read(&arguments.old)?, read(&arguments.new)?);
    let names = [&arguments.old, &arguments.new].map(|path| path.display().to_string());
    let diff = Diff::new(names, &old, &new, arguments.tolerance).map_err(|error| {
        Failure::usage(
            error.to_string(),
            "compare two runs, or two comparisons that share a protocol and its conditions",
        )
    })?;
    let text = match arguments.format {
        Format::Terminal => terminal::render_diff(&diff, output.style()),
        Format::Markdown => markdown::render_diff(&diff),
    };
    output.print(&text)?;
    Ok(match diff.worse().next() {
        Some(_) => Exit::Violated,
        None => Exit::Held,
    })
}

fn read(path: &Path) -> Result<Document, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(
            format!("cannot read {}: {error}", path.display()),
            "give the JSON of `squall run --format json` or `squall compare --out FILE.json`",
        )
    })?;
    json::parse_document(&text).map_err(|error| {
        Failure::usage(
            format!("cannot compare {}: {error}", path.display()),
            "give the JSON of one run, `squall run --format json`, or of a comparison, `squall \
             compare --out FILE.json`",
        )
    })
}

/// `2%`, `0.5 %` in parts per million.
fn parts_per_million(text: &str) -> Result<u64, String> {
    let number = text.trim().trim_end_matches('%').trim_end();
    match number.parse::<f64>() {
        Ok(percent) if text.contains('%') && (0.0..=1_000_000.0).contains(&percent) => {
            Ok((percent * 10_000.0).round() as u64)
        }
        _ => Err("write a percentage, such as 2%".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("0%", Some(0))]
    #[case("2 %", Some(20_000))]
    #[case("0.5%", Some(5_000))]
    #[case("2", None)]
    #[case("-1%", None)]
    #[case("a%", None)]
    #[case("inf%", None)]
    fn a_tolerance_is_a_percentage(#[case] text: &str, #[case] expected: Option<u64>) {
        assert_eq!(parts_per_million(text).ok(), expected);
    }
}
