//! Files: scenarios that are found, and results that appear whole or not at
//! all.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::exit::Failure;

/// Descriptions of third-party brokers are TOML too, and no scenarios.
const NOT_SCENARIOS: &str = "targets";

/// Every scenario that `path` means: itself, or all below it in order of their
/// paths.
pub(crate) fn scenarios(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    collect(path, &mut found).map_err(|error| {
        Failure::usage(
            format!("cannot read {}: {error}", path.display()),
            "give a directory that can be read",
        )
    })?;
    if found.is_empty() {
        return Err(Failure::usage(
            format!("no scenario in {}", path.display()),
            "scenarios are files that end in .toml; `squall new NAME` writes one",
        ));
    }
    Ok(found)
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut paths = fs::read_dir(directory)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    // The order in which a directory is read differs between machines.
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if name != NOT_SCENARIOS && !name.starts_with('.') {
                collect(&path, found)?;
            }
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            found.push(path);
        }
    }
    Ok(())
}

/// A file that a run writes beside its destination, and that takes its place
/// only when it is complete. Dropped before that, it leaves nothing.
#[derive(Debug)]
pub(crate) struct Staged {
    beside: PathBuf,
    destination: PathBuf,
    finished: bool,
}

impl Staged {
    /// Finds out that `destination` can be written, before anything is run.
    pub(crate) fn new(destination: &Path) -> io::Result<Self> {
        if destination.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        let name = destination
            .file_name()
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut beside = OsString::from(".");
        beside.push(name);
        beside.push(format!(".{}", std::process::id()));
        let beside = destination.with_file_name(beside);
        fs::File::create(&beside)?;
        Ok(Self {
            beside,
            destination: destination.to_owned(),
            finished: false,
        })
    }

    /// Where to write.
    pub(crate) fn path(&self) -> &Path {
        &self.beside
    }

    /// Puts what was written in its place.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        fs::rename(&self.beside, &self.destination)?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.finished {
            // It may have been removed under us, which is what we want.
            let _ = fs::remove_file(&self.beside);
        }
    }
}

/// Writes a whole file, or nothing.
pub(crate) fn write(destination: &Path, text: &str) -> io::Result<()> {
    let staged = Staged::new(destination)?;
    fs::write(staged.path(), text)?;
    staged.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staged_file_leaves_nothing_unless_finished() {
        let directory = tempfile::tempdir().expect("a directory");
        let destination = directory.path().join("out.pcapng");
        let staged = Staged::new(&destination).expect("it can be written");
        fs::write(staged.path(), "half").expect("written");
        drop(staged);
        assert_eq!(fs::read_dir(directory.path()).expect("read").count(), 0);

        write(&destination, "whole").expect("written");
        assert_eq!(fs::read_to_string(&destination).expect("read"), "whole");
        assert_eq!(fs::read_dir(directory.path()).expect("read").count(), 1);
    }

    #[test]
    fn scenarios_come_in_order_and_targets_are_none() {
        let directory = tempfile::tempdir().expect("a directory");
        for path in [
            "b/2.toml",
            "b/10.toml",
            "a.toml",
            "targets/x.toml",
            ".git/c.toml",
            "b/notes.md",
        ] {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("created");
            fs::write(path, "").expect("written");
        }
        let found = scenarios(directory.path()).expect("found");
        let names: Vec<_> = found
            .iter()
            .map(|path| path.strip_prefix(directory.path()).expect("below"))
            .collect();
        assert_eq!(
            names,
            [
                Path::new("a.toml"),
                Path::new("b/10.toml"),
                Path::new("b/2.toml")
            ]
        );
    }
}
