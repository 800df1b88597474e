//! `squall coverage`: every statement, and what decides it.

use squall::conform::statements_of;
use squall_checks::catalogue::{Statement, statements};
use squall_reports::figures::{count, counted};

use super::exit::{Exit, Failure};
use super::output::Output;

const EXAMPLES: &str = "\
Examples:
  squall coverage
  squall coverage 3.3               of a section
  squall coverage | grep waived";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Only these: a section (3.3), a statement, or the name of a check.
    #[arg(value_name = "WHICH")]
    which: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let mut listed: Vec<&Statement> = Vec::new();
    for which in &arguments.which {
        listed.extend(statements_of(which)?);
    }
    if arguments.which.is_empty() {
        listed.extend(statements());
    }
    let width = |text: fn(&Statement) -> &str| {
        let widths = listed.iter().map(|statement| text(statement).len());
        widths.max().unwrap_or_default()
    };
    let ids = width(|statement| &statement.id);
    let levels = width(|statement| &statement.level);
    let (mut decided, mut waived) = (0, 0);
    for statement in &listed {
        let checks: Vec<_> = statement.checks().map(|check| check.name).collect();
        let by = match (checks.is_empty(), statement.waiver()) {
            (false, _) => {
                decided += 1;
                checks.join(", ")
            }
            (true, Some(waiver)) => {
                waived += 1;
                format!("waived: {}", waiver.reason)
            }
            (true, None) => "open".to_owned(),
        };
        let Statement { id, level, .. } = statement;
        output.print(&format!("{id:ids$}  {level:levels$}  {by}\n"))?;
    }
    let all = listed.len() as u64;
    output.note(&format!(
        "{}: {} decided, {} waived, {} open",
        counted(all, "statement"),
        count(decided),
        count(waived),
        count(all - decided - waived),
    ));
    Ok(Exit::Held)
}
