//! Every statement is decided by a check or waived with a reason, and no check
//! cites one that is not there.

use std::collections::BTreeSet;

use squall_checks::catalogue::{Observable, Statement, statement, statements, waivers};
use squall_reports::conformance::Protocol;

#[test]
fn the_catalogue_has_every_statement_once() {
    let ids: BTreeSet<_> = statements().iter().map(|statement| &statement.id).collect();
    assert_eq!(ids.len(), 455);
    assert_eq!(statements().len(), 455);
    let observable = |statement: &&Statement| statement.observable != Observable::None;
    assert_eq!(statements().iter().filter(observable).count(), 414);
}

#[test]
fn no_check_and_no_waiver_cites_a_statement_that_is_not_there() {
    for check in squall_checks::all() {
        for id in check.statements {
            assert!(statement(id).is_some(), "{} cites {id}", check.name);
        }
    }
    for waiver in waivers() {
        let id = &waiver.statement;
        let waived = statement(id).unwrap_or_else(|| panic!("no {id} to waive"));
        assert_eq!(waived.checks().count(), 0, "{id} is decided, and waived");
        assert!(waiver.reason.len() > 20, "{id} is waived for no reason");
    }
}

#[test]
fn every_quirk_breaks_statements_that_are_there() {
    for quirk in squall_broker::Quirk::ALL {
        for id in quirk.statements() {
            let known = statement(id).is_some() || id.contains(" section ");
            assert!(known, "{quirk} breaks {id}");
        }
    }
}

/// Whatever a tester can see of it, no waiver stands in for a check.
#[test]
fn every_statement_of_websocket_is_decided_or_cannot_be() {
    let of_websocket = |statement: &&Statement| statement.protocol() == Protocol::WebSocket;
    for statement in statements().iter().filter(of_websocket) {
        let decided = statement.checks().next().is_some();
        let observable = statement.observable != Observable::None;
        assert_eq!(decided, observable, "{}", statement.id);
        assert_ne!(decided, statement.waiver().is_some(), "{}", statement.id);
    }
}

/// Prints what is left to do: run with `--nocapture` to read it.
#[test]
#[expect(clippy::print_stdout, reason = "what is left is what it is read for")]
fn every_statement_is_decided_or_waived() {
    let open: Vec<_> = statements()
        .iter()
        .filter(|statement| statement.checks().next().is_none() && statement.waiver().is_none())
        .map(|statement| statement.id.as_str())
        .collect();
    println!(
        "{} of {} statements are open: {open:?}",
        open.len(),
        statements().len()
    );
}
