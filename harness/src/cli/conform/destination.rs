//! Where results go, known to be writable before anything is run.

use std::path::PathBuf;

use squall_reports::Style;
use squall_reports::conformance::{Conformance, Matrix};

use super::super::exit::Failure;
use super::super::files::{self, Staged};
use super::super::run::lost;
use super::arguments::{Arguments, Format};

pub(super) struct Destination {
    pub(super) pcap: Option<Staged>,
    directory: Option<PathBuf>,
    format: Format,
}

impl Destination {
    pub(super) fn new(arguments: &Arguments) -> Result<Self, Failure> {
        let writable =
            |path: &PathBuf| Staged::new(path).map_err(|error| Failure::unwritable(path, &error));
        if let Some(directory) = &arguments.out {
            std::fs::create_dir_all(directory)
                .and_then(|()| Staged::new(&directory.join("report")).map(drop))
                .map_err(|error| Failure::unwritable(directory, &error))?;
        }
        // A list that is to be written and cannot be is no surprise for the end.
        if let Some(list) = arguments
            .expect
            .as_ref()
            .filter(|_| arguments.update_expect)
        {
            drop(writable(list)?);
        }
        Ok(Self {
            pcap: arguments.pcap.as_ref().map(writable).transpose()?,
            directory: arguments.out.clone(),
            format: arguments.format,
        })
    }

    /// Writes the brokers side by side: for a page, for a browser, and for a
    /// program.
    pub(super) fn matrix(&self, matrix: &Matrix) -> Result<(), Failure> {
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        for format in [Format::Markdown, Format::Html, Format::Json] {
            let path = directory.join(format!("brokers.{}", format.extension()));
            let text = format.matrix(matrix, Style::PLAIN, None);
            files::write(&path, &text).map_err(|error| lost(&path, &error))?;
        }
        Ok(())
    }

    /// Puts everything in its place.
    pub(super) fn finish(self, run: &Conformance) -> Result<(), Failure> {
        if let Some(staged) = self.pcap {
            let path = staged.destination().to_owned();
            staged.finish().map_err(|error| lost(&path, &error))?;
        }
        let Some(directory) = self.directory else {
            return Ok(());
        };
        let name = format!("{}.{}", file_name(run), self.format.extension());
        let path = directory.join(name);
        let text = self.format.report(run, Style::PLAIN, None);
        files::write(&path, &text).map_err(|error| lost(&path, &error))
    }
}

/// What was tested in one word.
fn file_name(run: &Conformance) -> String {
    let plain = |c: char| match c.is_ascii_alphanumeric() || "-_.".contains(c) {
        true => c,
        false => '-',
    };
    let target: String = run.target.chars().map(plain).collect();
    match run.target == run.transport {
        true => target,
        false => format!("{target}-{}", run.transport),
    }
}
