//! What tests of the `squall` command share.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The repository's root. Commands run there, so that reports name scenarios by
/// the same path on every machine.
pub(crate) fn root() -> PathBuf {
    let harness = Path::new(env!("CARGO_MANIFEST_DIR"));
    harness.parent().expect("it is in a workspace").to_owned()
}

/// Runs `squall` with these arguments, in a process of its own.
pub(crate) fn squall<I: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = I>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("squall starts")
}

/// What went to standard output, of a run in which everything held.
pub(crate) fn stdout(output: &Output) -> &str {
    let text = |bytes| String::from_utf8_lossy(bytes);
    assert!(
        output.status.success(),
        "{}\n{}\n{}",
        output.status,
        text(&output.stderr),
        text(&output.stdout)
    );
    std::str::from_utf8(&output.stdout).expect("reports are UTF-8")
}

/// A scenario's path as given on the command line.
#[allow(dead_code, reason = "not every test looks for its scenarios")]
pub(crate) fn relative(scenario: &Path) -> String {
    let root = root().canonicalize().expect("the root exists");
    let scenario = scenario.canonicalize().expect("the scenario exists");
    let relative = scenario.strip_prefix(root).expect("it is in the root");
    relative.to_str().expect("names are UTF-8").to_owned()
}
