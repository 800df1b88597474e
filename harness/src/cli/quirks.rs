//! `squall quirks`: what the reference broker can be made to do wrong.

use squall_broker::Quirk;

use super::exit::{Exit, Failure};
use super::output::Output;

pub(crate) fn run(output: &Output) -> Result<Exit, Failure> {
    let rows: Vec<_> = Quirk::ALL
        .iter()
        .map(|quirk| (quirk.name(), quirk.statements().join(", "), quirk.summary()))
        .collect();
    let names = rows.iter().map(|row| row.0.len()).max().unwrap_or_default();
    let statements = rows.iter().map(|row| row.1.len()).max().unwrap_or_default();
    for (name, broken, summary) in rows {
        output.print(&format!("{name:names$}  {broken:statements$}  {summary}\n"))?;
    }
    Ok(Exit::Held)
}
