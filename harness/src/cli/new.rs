//! `squall new`: a commented scenario to start from, which passes as it is.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::output::Output;

const STARTER: &str = include_str!("starter.toml");

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  squall new my-cell && squall run my-cell.toml")]
pub(crate) struct Arguments {
    /// The file to write; `.toml` is added where it is missing.
    name: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let mut path = arguments.name.clone();
    if path.extension().is_none_or(|extension| extension != "toml") {
        let mut name = path.into_os_string();
        name.push(".toml");
        path = name.into();
    }
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| file.write_all(STARTER.as_bytes()));
    match written {
        Ok(()) => {
            output.print(&format!("{}\n", path.display()))?;
            output.note(&format!("run it: squall run {}", path.display()));
            Ok(Exit::Held)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Failure::usage(
            format!("{} exists already", path.display()),
            "give another name; nothing was overwritten",
        )),
        Err(error) => Err(Failure::usage(
            format!("cannot write {}: {error}", path.display()),
            "give a path in a directory that exists and can be written",
        )),
    }
}
