//! `squall schema`: the language's JSON Schema.

use squall::scenario;

use super::exit::{Exit, Failure};
use super::output::Output;

pub(crate) fn run(output: &mut Output) -> Result<Exit, Failure> {
    output.print(&scenario::schema())?;
    Ok(Exit::Held)
}
