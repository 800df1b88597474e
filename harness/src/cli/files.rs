//! Files: scenarios that are found, and results that appear whole or not at
//! all.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

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

/// The files beside their destinations that are there now. The handler of a
/// second Ctrl-C ends the program without unwinding, and has only this to know
/// them by.
static BESIDE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Removes every unfinished [`Staged`] file, just before the program exits.
pub(crate) fn abandon() {
    for beside in std::mem::take(&mut *BESIDE.lock()) {
        // It may be in its place by now, or removed under us.
        let _ = fs::remove_file(beside);
    }
}

/// A file that a run writes beside its destination, and that takes its place
/// only when it is complete. Dropped before that, it leaves nothing.
///
/// A destination that is there and no regular file (a pipe, a device) is
/// written as it is: it must not be replaced. A symbolic link stays, and what
/// it points to is written.
#[derive(Debug)]
pub(crate) struct Staged {
    /// As it was given, for whoever reads of it.
    destination: PathBuf,
    /// The regular file behind it.
    target: PathBuf,
    /// Nothing for a destination that is written as it is.
    beside: Option<PathBuf>,
}

impl Staged {
    /// Finds out that `destination` can be written, before anything is run. A
    /// pipe or a device is not opened for that: its reader would see it end.
    pub(crate) fn new(destination: &Path) -> io::Result<Self> {
        let mut staged = Self {
            destination: destination.to_owned(),
            target: resolved(destination)?,
            beside: None,
        };
        match fs::metadata(destination) {
            Ok(there) if there.is_dir() => {
                return Err(io::Error::from(io::ErrorKind::IsADirectory));
            }
            Ok(there) if !there.is_file() => return Ok(staged),
            _ => {}
        }
        let name = staged
            .target
            .file_name()
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}", std::process::id()));
        let beside = staged.target.with_file_name(hidden);
        // Known before it is there: an exit in between leaves nothing.
        BESIDE.lock().insert(beside.clone());
        staged.beside = Some(beside);
        fs::File::create(staged.path())?;
        Ok(staged)
    }

    /// Where to write.
    pub(crate) fn path(&self) -> &Path {
        self.beside.as_deref().unwrap_or(&self.destination)
    }

    /// What the user calls it.
    pub(crate) fn destination(&self) -> &Path {
        &self.destination
    }

    /// Puts what was written in its place.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        if let Some(beside) = &self.beside {
            fs::rename(beside, &self.target)?;
            BESIDE.lock().remove(beside);
            self.beside = None;
        }
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            // It may have been removed under us, which is what we want.
            let _ = fs::remove_file(beside);
            BESIDE.lock().remove(beside);
        }
    }
}

/// The one absolute path of a file, whether it is there already or not: through
/// every symbolic link, also one that points to nothing yet.
pub(crate) fn resolved(path: &Path) -> io::Result<PathBuf> {
    match fs::metadata(path) {
        // What has no path, such as the pipe behind /dev/stdout, goes by the
        // one it was given.
        Ok(_) => return Ok(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    // Links in a circle are an error above, so this ends.
    let mut path = path.to_owned();
    while let Ok(target) = fs::read_link(&path) {
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok(fs::canonicalize(directory)?.join(name))
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

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_its_target_is_written() {
        use std::os::unix::fs::symlink;

        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("elsewhere")).expect("created");
        fs::write(path("elsewhere/there"), "old").expect("written");
        for (target, link) in [
            ("elsewhere/there", "to-there"),
            ("elsewhere/new", "to-new"),
            ("to-new-too", "to-link"),
            ("elsewhere/new-too", "to-new-too"),
        ] {
            symlink(target, path(link)).expect("linked");
        }
        for (link, target) in [
            ("to-there", "elsewhere/there"),
            ("to-new", "elsewhere/new"),
            ("to-link", "elsewhere/new-too"),
        ] {
            write(&path(link), link).expect("written");
            assert!(path(link).is_symlink(), "{link} was replaced");
            assert!(!path(target).is_symlink(), "{target} is a link");
            assert_eq!(fs::read_to_string(path(target)).expect("read"), link);
        }

        symlink("circle", path("circle")).expect("linked");
        assert!(Staged::new(&path("circle")).is_err());
        assert_eq!(
            fs::read_dir(path("elsewhere")).expect("read").count(),
            3,
            "something was left"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_written_and_stays_a_pipe() {
        use std::os::unix::fs::FileTypeExt as _;

        let directory = tempfile::tempdir().expect("a directory");
        let pipe = directory.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo starts").success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).expect("read")
        });
        write(&pipe, "through").expect("written");
        assert_eq!(reader.join().expect("it read"), "through");
        let there = fs::symlink_metadata(&pipe).expect("it is there");
        assert!(there.file_type().is_fifo(), "the pipe was replaced");
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
