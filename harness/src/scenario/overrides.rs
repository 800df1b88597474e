//! `--set key=value`: changes to a scenario from the command line, made on the
//! parsed TOML before it is checked, so that they obey the same rules and are
//! told about mistakes in the same way.
//!
//! What is in a list is called by its `name`, or else by its place from 0: sites
//! and fleets by either, faults by their place; `*` stands for all that there are.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::diagnostic::{ScenarioError, Sources, unknown};
use super::text::Complaint;

const HELP: &str = "write --set key=value, such as fleet.thermometer.count=10, \
     site.valley.link.loss=20%, or fault.0.for=90s for the first fault";

/// Makes every override of `sources` on `document`, in order.
pub(crate) fn apply<'i>(
    document: &mut DeTable<'i>,
    sources: &'i Sources,
) -> Result<(), ScenarioError> {
    for (begin, text) in sources.overrides() {
        apply_one(document, text, begin).map_err(|(span, complaint)| {
            sources.error(begin + span.start..begin + span.end, complaint)
        })?;
    }
    Ok(())
}

type Misplaced = (Range<usize>, Complaint);

fn apply_one<'i>(document: &mut DeTable<'i>, text: &'i str, begin: usize) -> Result<(), Misplaced> {
    let Some((path, value_text)) = text.split_once('=') else {
        let complaint = Complaint::new(format!("`{text}` sets nothing"), "no `=`", HELP);
        return Err((0..text.len(), complaint));
    };
    let mut steps = Vec::new();
    let mut at = 0;
    for step in path.split('.') {
        let span = at..at + step.len();
        let name = step.trim();
        if name.is_empty() {
            let complaint = Complaint::new("a key with a part of no name", "nothing here", HELP);
            return Err((span, complaint));
        }
        steps.push(Step { name, span });
        at += step.len() + 1;
    }
    let value = parse_value(value_text, path.len() + 1, begin)?;
    set(Place::Table(document), &steps, &value, begin)
}

/// Sets what `steps` lead to from a place.
fn set<'i>(
    place: Place<'_, 'i>,
    steps: &[Step<'i>],
    value: &Spanned<DeValue<'i>>,
    begin: usize,
) -> Result<(), Misplaced> {
    match (place, steps) {
        (_, []) => Ok(()),
        (Place::Array(array), [step, rest @ ..]) if step.name == "*" => {
            array.iter_mut().try_for_each(|element| match rest {
                [] => {
                    *element = value.clone();
                    Ok(())
                }
                rest => set(inside(element, step)?, rest, value, begin),
            })
        }
        (Place::Table(table), [last]) => {
            insert(table, last, value.clone(), begin);
            Ok(())
        }
        (Place::Array(array), [last]) => {
            *element(array, last)? = value.clone();
            Ok(())
        }
        (place, [step, rest @ ..]) => set(descend(place, step, begin)?, rest, value, begin),
    }
}

/// One part of a dotted path, and where it stands in the override.
struct Step<'i> {
    name: &'i str,
    span: Range<usize>,
}

enum Place<'a, 'i> {
    Table(&'a mut DeTable<'i>),
    Array(&'a mut DeArray<'i>),
}

fn descend<'a, 'i>(
    place: Place<'a, 'i>,
    step: &Step<'i>,
    begin: usize,
) -> Result<Place<'a, 'i>, Misplaced> {
    let value = match place {
        Place::Array(array) => element(array, step)?,
        Place::Table(table) => {
            if !table.contains_key(step.name) {
                let span = begin + step.span.start..begin + step.span.end;
                let empty = Spanned::new(span, DeValue::Table(DeTable::new()));
                insert(table, step, empty, begin);
            }
            match table.get_mut(step.name) {
                Some(value) => value,
                None => return Err(not_a_table(step)),
            }
        }
    };
    if step.name == "link" {
        unfold_preset(value);
    }
    inside(value, step)
}

/// The place that a value is, if it is one.
fn inside<'a, 'i>(
    value: &'a mut Spanned<DeValue<'i>>,
    step: &Step<'_>,
) -> Result<Place<'a, 'i>, Misplaced> {
    match value.get_mut() {
        DeValue::Table(table) => Ok(Place::Table(table)),
        DeValue::Array(array) => Ok(Place::Array(array)),
        _ => Err(not_a_table(step)),
    }
}

fn not_a_table(step: &Step<'_>) -> Misplaced {
    let complaint = Complaint::new(
        format!(
            "`{}` is a value: there is nothing inside it to set",
            step.name
        ),
        "not a table",
        HELP,
    );
    (step.span.clone(), complaint)
}

/// `link = "nb-iot"` is short for `link = { preset = "nb-iot" }`.
fn unfold_preset(value: &mut Spanned<DeValue<'_>>) {
    if matches!(value.get_ref(), DeValue::String(_)) {
        let span = value.span();
        let preset = std::mem::replace(value, Spanned::new(span.clone(), DeValue::Boolean(false)));
        let mut table = DeTable::new();
        table.insert(Spanned::new(span, Cow::Borrowed("preset")), preset);
        *value.get_mut() = DeValue::Table(table);
    }
}

/// An array's element: by its `name`, or by its index from 0.
fn element<'a, 'i>(
    array: &'a mut DeArray<'i>,
    step: &Step<'_>,
) -> Result<&'a mut Spanned<DeValue<'i>>, Misplaced> {
    let names: Vec<String> = array
        .iter()
        .enumerate()
        .map(|(index, value)| name_of(value).unwrap_or_else(|| index.to_string()))
        .collect();
    let index = names
        .iter()
        .position(|name| name == step.name)
        .or_else(|| step.name.parse().ok());
    index
        .and_then(|index| array.get_mut(index))
        .ok_or_else(|| (step.span.clone(), unknown("name", step.name, &names)))
}

fn name_of(value: &Spanned<DeValue<'_>>) -> Option<String> {
    match value.get_ref() {
        DeValue::Table(table) => match table.get("name")?.get_ref() {
            DeValue::String(name) => Some(name.to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// Sets a key, which then stands where the override does.
fn insert<'i>(table: &mut DeTable<'i>, step: &Step<'i>, value: Spanned<DeValue<'i>>, begin: usize) {
    let span = begin + step.span.start..begin + step.span.end;
    table.remove(step.name);
    table.insert(Spanned::new(span, Cow::Borrowed(step.name)), value);
}

/// A TOML value, or else a string that needs no quotes on a command line.
fn parse_value<'i>(
    text: &'i str,
    at: usize,
    begin: usize,
) -> Result<Spanned<DeValue<'i>>, Misplaced> {
    let trimmed = text.trim();
    let at = at + (text.len() - text.trim_start().len());
    match DeValue::parse(trimmed) {
        Ok(value) => Ok(moved(value, begin + at)),
        // What begins like a table, a list or a string was meant as one.
        Err(error) if trimmed.starts_with(['{', '[', '"', '\'']) => {
            let span = error.span().unwrap_or(0..trimmed.len());
            let complaint = Complaint::new(error.message(), "not a TOML value", HELP);
            Err((at + span.start..at + span.end, complaint))
        }
        Err(_) => Ok(Spanned::new(
            begin + at..begin + at + trimmed.len(),
            DeValue::String(Cow::Borrowed(trimmed)),
        )),
    }
}

/// The value with all of its spans `by` bytes further on.
fn moved(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = value.span().start + by..value.span().end + by;
    let value = match value.into_inner() {
        DeValue::Array(array) => {
            DeValue::Array(array.into_iter().map(|value| moved(value, by)).collect())
        }
        DeValue::Table(table) => DeValue::Table(
            table
                .into_iter()
                .map(|(key, value)| {
                    let span = key.span().start + by..key.span().end + by;
                    (Spanned::new(span, key.into_inner()), moved(value, by))
                })
                .collect(),
        ),
        scalar => scalar,
    };
    Spanned::new(span, value)
}
