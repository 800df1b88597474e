//! A scenario written in Rust instead of in a file, for tests that make theirs
//! up as they go.
//!
//! The keys and values are those of the scenario language, and the result is
//! read as a file's text would be: one set of names, defaults and checks for
//! both.

use std::path::PathBuf;

use toml::{Table, Value};

use super::{Scenario, ScenarioError};

/// Builds a scenario; see [`Scenario::builder`].
#[derive(Clone, Debug)]
#[must_use = "nothing is checked before `build`"]
pub struct Builder {
    root: Entries,
}

/// The keys of one table: a `[[site]]`, a `[[fleet]]`, a `[[fault]]`.
#[derive(Clone, Debug, Default)]
#[must_use = "a table is part of a scenario once the function given to `add` returns it"]
pub struct Entries {
    table: Table,
    /// The first key that could not be set, and why.
    mistake: Option<String>,
}

impl Builder {
    pub(super) fn new(title: &str) -> Self {
        Self {
            root: Entries::default().set("title", title),
        }
    }

    /// Sets a key, such as `duration` or `expect.delivered`; a dot goes into a
    /// table.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.root = self.root.set(key, value);
        self
    }

    /// Adds a `[[site]]`, `[[fleet]]` or `[[fault]]`, filled in by `fill`.
    pub fn add(mut self, kind: &str, fill: impl FnOnce(Entries) -> Entries) -> Self {
        let Entries { table, mistake } = fill(Entries::default());
        let tables = Value::Array(Vec::new());
        if let Value::Array(tables) = self.root.table.entry(kind).or_insert(tables) {
            tables.push(Value::Table(table));
        } else {
            self.root
                .mistake
                .get_or_insert(format!("`{kind}` is set, and cannot be added to"));
        }
        self.root.mistake = self.root.mistake.or(mistake);
        self
    }

    /// The scenario as TOML: in a file, `squall run` runs it.
    #[must_use]
    pub fn text(&self) -> String {
        // Every value came in as TOML's own.
        toml::to_string(&self.root.table).unwrap_or_default()
    }

    /// Checks everything, and fills in the defaults.
    ///
    /// Reports call its file by its title: `Cold cellar` is `cold-cellar.toml`.
    ///
    /// # Errors
    /// The first mistake, shown in [`text`](Self::text).
    pub fn build(&self) -> Result<Scenario, ScenarioError> {
        if let Some(mistake) = &self.root.mistake {
            return Err(ScenarioError::new(mistake.clone(), None));
        }
        Scenario::parse(&self.path(), &self.text(), &[])
    }

    fn path(&self) -> PathBuf {
        let title = self.root.table.get("title").and_then(Value::as_str);
        let lower = title.unwrap_or_default().to_lowercase();
        let words: Vec<&str> = lower
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        PathBuf::from(format!("{}.toml", words.join("-")))
    }
}

impl Entries {
    /// Sets a key, such as `count` or `publish.topic`; a dot goes into a table.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        let mut parts: Vec<&str> = key.split('.').collect();
        let last = parts.pop().unwrap_or_default();
        let mut table = &mut self.table;
        for part in parts {
            match table
                .entry(part)
                .or_insert_with(|| Value::Table(Table::new()))
            {
                Value::Table(inner) => table = inner,
                _ => {
                    let mistake = format!("`{key}`: `{part}` is a value, and not a table");
                    self.mistake.get_or_insert(mistake);
                    return self;
                }
            }
        }
        table.insert(last.to_owned(), value.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cellar() -> Builder {
        Scenario::builder("Cold cellar")
            .set("duration", "2m")
            .add("site", |site| {
                site.set("name", "cellar")
                    .set("link.preset", "wifi")
                    .set("link.loss", "5%")
            })
            .add("fleet", |fleet| {
                fleet
                    .set("name", "thermometer")
                    .set("site", "cellar")
                    .set("count", 20)
                    .set("publish.topic", "cellar/{device}")
                    .set("publish.qos", 1)
                    .set("publish.every", "5s")
            })
            .set("expect.delivered", "100%")
    }

    #[test]
    fn what_is_built_is_what_a_file_says() {
        let text = r#"
            title    = "Cold cellar"
            duration = "2m"
            [[site]]
            name = "cellar"
            link = { preset = "wifi", loss = "5%" }
            [[fleet]]
            name    = "thermometer"
            site    = "cellar"
            count   = 20
            publish = { topic = "cellar/{device}", qos = 1, every = "5s" }
            [expect]
            delivered = "100%"
        "#;
        let path = PathBuf::from("cold-cellar.toml");
        let file = Scenario::parse(&path, text, &[]).expect("a scenario");
        assert_eq!(cellar().build().expect("a scenario"), file);
        // And its own text is a file that says the same.
        let again = Scenario::parse(&path, &cellar().text(), &[]).expect("a scenario");
        assert_eq!(again, file);
    }

    #[test]
    fn a_mistake_is_shown_in_the_text() {
        let error = cellar().set("duration", "-1s").build();
        let error = error.expect_err("a mistake").render(false, 100);
        assert!(error.contains("cold-cellar.toml:"), "{error}");
        assert!(error.contains("duration = \"-1s\""), "{error}");
    }

    #[test]
    fn a_value_is_no_table() {
        let within = cellar().add("fleet", |fleet| {
            fleet.set("publish", "often").set("publish.qos", 1)
        });
        let error = within.build().expect_err("a mistake").to_string();
        assert_eq!(
            error,
            "`publish.qos`: `publish` is a value, and not a table"
        );

        let added = cellar().set("site", "cellar").add("site", |site| site);
        let error = added.build().expect_err("a mistake").to_string();
        assert_eq!(error, "`site` is set, and cannot be added to");
    }
}
