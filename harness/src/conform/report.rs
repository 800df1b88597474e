//! What a run found, as a report.

use squall_checks::Selected;
use squall_checks::catalogue::statements;
use squall_reports::conformance::{CONFORMANCE_FORMAT, Conformance};

use super::{Run, known};
use crate::targets::{Expected, Transport};

/// What was tested, and how.
#[derive(Clone, Debug, Default)]
pub struct Tested {
    /// What reports call it: the name of a target, or a URL.
    pub name: String,
    /// Its version as it tells it; empty if that is unknown.
    pub version: String,
    /// What carried MQTT; nothing in the simulator.
    pub transport: Option<Transport>,
    /// The command that runs it again, without what it selects.
    pub command: String,
    /// Whether a departure from a SHOULD fails the run.
    pub strict: bool,
    /// What is known to fail.
    pub known: Vec<Expected>,
}

/// The report of a run of `selection`, known failures marked.
#[must_use]
pub fn report(tested: &Tested, selection: &[Selected], ran: Run) -> Conformance {
    let is_decided = |id: &str| {
        let mut all = selection.iter();
        all.any(|selected| {
            selected
                .check
                .decides(selected.protocol)
                .any(|one| one == id)
        })
    };
    let decided = statements()
        .iter()
        .filter(|statement| is_decided(&statement.id));
    let mut cases = ran.cases;
    for case in &mut cases {
        known::mark(case, &tested.known, tested.transport);
    }
    let gone = known::gone(&cases, &tested.known, tested.transport);
    Conformance {
        format: CONFORMANCE_FORMAT,
        squall: env!("CARGO_PKG_VERSION").to_owned(),
        target: tested.name.clone(),
        target_version: tested.version.clone(),
        transport: tested.transport.map_or("sim", Transport::name).to_owned(),
        command: tested.command.clone(),
        strict: tested.strict,
        took_ns: u64::try_from(ran.took.as_nanos()).unwrap_or(u64::MAX),
        planned: selection.len() as u64,
        partial: ran.partial,
        statements: decided.map(|statement| statement.told()).collect(),
        cases,
        fixed: gone
            .iter()
            .map(|place| known::told(&tested.known[*place]))
            .collect(),
    }
}
