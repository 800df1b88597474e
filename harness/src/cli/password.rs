//! `squall password`: hashes a password for the users of `squall serve --config`.

use std::io::BufRead as _;

use squall::serve::PasswordHash;

use super::exit::{Exit, Failure};
use super::output::Output;

pub(crate) const EXAMPLE: &str = "\
Example:
  echo 'open sesame' | squall password

The password is one line of standard input. The hash goes into a user of the
file of `squall serve --config`, as its password_hash.";

pub(crate) fn run(output: &Output) -> Result<Exit, Failure> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::Environment(format!("cannot read standard input: {error}")))?;
    let password = line.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err(Failure::usage(
            "no password on standard input",
            "write it there, as one line: echo 'open sesame' | squall password",
        ));
    }
    let hash = PasswordHash::new(password.as_bytes()).map_err(Failure::Environment)?;
    output.print(&format!("{hash}\n"))?;
    Ok(Exit::Held)
}
