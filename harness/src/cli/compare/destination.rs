//! Where a comparison goes, known to be writable before anything is run.

use std::path::{Path, PathBuf};

use squall_reports::Style;
use squall_reports::comparison::Comparison;

use super::super::exit::Failure;
use super::super::files::{self, Staged};
use super::super::run::lost;
use super::{Arguments, Format};

/// The reports that a directory gets.
const IN_A_DIRECTORY: [Format; 3] = [Format::Html, Format::Markdown, Format::Json];

/// Files to write, each in its format.
pub(super) struct Destinations(Vec<(PathBuf, Format)>);

impl Destinations {
    pub(super) fn new(arguments: &Arguments) -> Result<Self, Failure> {
        let scenario = files::resolved(&arguments.scenario).ok();
        let mut files: Vec<(PathBuf, Format)> = Vec::new();
        for out in &arguments.out {
            match format(out)? {
                Some(format) => files.push((out.clone(), format)),
                None => {
                    std::fs::create_dir_all(out).map_err(unwritable(out))?;
                    files.extend(IN_A_DIRECTORY.map(|format| {
                        let name = format!("comparison.{}", format.extension());
                        (out.join(name), format)
                    }));
                }
            }
        }
        let mut taken: Vec<PathBuf> = scenario.into_iter().collect();
        for (path, _) in &files {
            let resolved = files::resolved(path).map_err(unwritable(path))?;
            if taken.contains(&resolved) {
                return Err(Failure::usage(
                    format!("cannot write {}: it is taken", path.display()),
                    "nothing was run; each --out is a file of its own, and not the scenario",
                ));
            }
            drop(Staged::new(path).map_err(unwritable(path))?);
            taken.push(resolved);
        }
        Ok(Self(files))
    }

    pub(super) fn write(&self, comparison: &Comparison) -> Result<(), Failure> {
        for (path, format) in &self.0 {
            let text = format.text(comparison, Style::PLAIN, None);
            files::write(path, &text).map_err(|error| lost(path, &error))?;
        }
        Ok(())
    }
}

fn unwritable(path: &Path) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure::unwritable(path, &error)
}

/// The format that a file's name asks for; `None` for a directory.
fn format(path: &Path) -> Result<Option<Format>, Failure> {
    if path.is_dir() {
        return Ok(None);
    }
    let Some(extension) = path.extension() else {
        return Ok(None);
    };
    let formats = [
        Format::Terminal,
        Format::Markdown,
        Format::Json,
        Format::Html,
    ];
    let format = formats
        .into_iter()
        .find(|format| extension == format.extension());
    format.map(Some).ok_or_else(|| {
        Failure::usage(
            format!("cannot write {}: no such format", path.display()),
            "nothing was run; give a file that ends in .html, .md, .json or .txt, or a directory",
        )
    })
}
