//! The shipped scenarios, the starter and the schema: what editors and readers
//! rely on.

use std::fs;
use std::path::{Path, PathBuf};

use squall::scenario::{Scenario, schema, story};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every scenario below a directory, in order of their paths.
fn scenarios(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .expect("the directory is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.file_name().is_some_and(|name| name != "targets"))
        .collect();
    paths.sort();
    paths
        .into_iter()
        .flat_map(|path| {
            if path.is_dir() {
                scenarios(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect()
}

#[test]
fn every_shipped_scenario_parses_and_says_why_it_exists() {
    let paths = scenarios(&root().join("scenarios"));
    assert!(
        paths.len() >= 12,
        "only {} scenarios were found",
        paths.len()
    );
    for path in paths {
        let text = fs::read_to_string(&path).expect("it can be read");
        let name = path.display();
        let first = text.lines().next().unwrap_or_default();
        let pointed = first.strip_prefix("#:schema ").unwrap_or_else(|| {
            panic!("{name}: the first line points editors to the schema: #:schema …")
        });
        let schema = path.with_file_name("").join(pointed);
        assert!(
            schema.is_file(),
            "{name}: {} is not there",
            schema.display()
        );
        let story = story(&text).join(" ");
        assert!(
            story.len() > 40,
            "{name}: the first comment tells the story, not `{story}`"
        );
        if let Err(error) = Scenario::load(&path, &[]) {
            panic!("{}", error.render(false, 100));
        }
    }
}

#[test]
fn every_shipped_scenario_expects_something() {
    // What those of claims come to is for the ledger to say.
    let of_a_claim = |path: &PathBuf| path.parent().is_some_and(|it| it.ends_with("claims"));
    let all = scenarios(&root().join("scenarios")).into_iter();
    for path in all.filter(|path| !of_a_claim(path)) {
        let scenario = Scenario::load(&path, &[]).expect("it parses");
        assert!(!scenario.expect.bounds.is_empty(), "{}", path.display());
    }
}

#[test]
fn the_checked_in_schema_is_current() {
    let path = root().join("harness/schema/scenario.schema.json");
    let current = schema();
    let checked_in = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        current == checked_in,
        "{} is out of date: cargo run -- schema > harness/schema/scenario.schema.json",
        path.display()
    );
}

#[test]
fn the_schema_knows_every_table_and_says_what_keys_mean() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).expect("it is JSON");
    let properties = schema["properties"].as_object().expect("an object");
    for key in [
        "title", "duration", "drain", "network", "broker", "site", "fleet", "expect",
    ] {
        let description = properties[key]["description"].as_str().unwrap_or_default();
        assert!(!description.is_empty(), "{key} has no description");
    }
    assert_eq!(schema["additionalProperties"], false);
}
