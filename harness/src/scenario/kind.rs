//! Tables with a `kind` become what serde calls externally tagged: `{ kind =
//! "periodic", every = "5m" }` is read as `{ periodic = { every = "5m" } }`.
//!
//! serde reads the internally tagged form through a buffer that forgets where
//! things stand; this way every mistake inside keeps its place, and a wrong
//! `kind` is shown at its value.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{ScenarioError, Sources};
use super::text::Complaint;

/// Where a table of the document must have a `kind`.
const PLACES: [&[&str]; 2] = [&["lifecycle"], &["publish", "payload"]];

/// Every kind, for who gave none.
const KINDS: &str = "a lifecycle is always-on, periodic, random, flapping or once; \
                     a payload is json, fixed, random-walk, sine or file";

/// Rewrites the tables of every fleet that have a `kind`.
pub(crate) fn unfold(document: &mut DeTable<'_>, sources: &Sources) -> Result<(), ScenarioError> {
    let Some(DeValue::Array(fleets)) = document.get_mut("fleet").map(Spanned::get_mut) else {
        return Ok(());
    };
    for fleet in fleets.iter_mut() {
        for place in PLACES {
            if let Some(value) = find(fleet, place) {
                unfold_one(value, sources)?;
            }
        }
    }
    Ok(())
}

fn find<'a, 'i>(
    mut value: &'a mut Spanned<DeValue<'i>>,
    place: &[&str],
) -> Option<&'a mut Spanned<DeValue<'i>>> {
    for key in place {
        match value.get_mut() {
            DeValue::Table(table) => value = table.get_mut(*key)?,
            _ => return None,
        }
    }
    Some(value)
}

fn unfold_one(value: &mut Spanned<DeValue<'_>>, sources: &Sources) -> Result<(), ScenarioError> {
    let span = value.span();
    let DeValue::Table(table) = value.get_mut() else {
        let complaint = Complaint::new(
            "expected a table with a `kind`",
            "wrong type",
            "such as { kind = \"always-on\" } or { kind = \"json\" }",
        );
        return Err(sources.error(span, complaint));
    };
    let kind = match table.remove("kind") {
        Some(kind) => kind,
        None => {
            let complaint = Complaint::new("a table without a `kind`", "which kind?", KINDS);
            return Err(sources.error(span, complaint));
        }
    };
    let kind_span = kind.span();
    let DeValue::String(kind) = kind.into_inner() else {
        let complaint = Complaint::new("a `kind` is a string", "wrong type", KINDS);
        return Err(sources.error(kind_span, complaint));
    };
    let rest = std::mem::take(table);
    table.insert(
        Spanned::new(kind_span, kind),
        Spanned::new(span, DeValue::Table(rest)),
    );
    Ok(())
}
