//! `squall quirks`: what the reference broker can be made to do wrong.

use squall_broker::Quirk;

use super::exit::{Exit, Failure};
use super::output::Output;

pub(crate) fn run(output: &Output) -> Result<Exit, Failure> {
    let width = |text: fn(Quirk) -> &'static str| {
        let widths = Quirk::ALL.into_iter().map(|quirk| text(quirk).len());
        widths.max().unwrap_or_default()
    };
    let (names, statements) = (width(Quirk::name), width(Quirk::statement));
    for quirk in Quirk::ALL {
        output.print(&format!(
            "{:names$}  {:statements$}  {}\n",
            quirk.name(),
            quirk.statement(),
            quirk.summary()
        ))?;
    }
    Ok(Exit::Held)
}
