//! `squall password`: hashes a password for the users of `squall serve --config`.

use std::io::BufRead as _;

use squall::serve::PasswordHash;

use super::exit::{Exit, Failure};
use super::output::Output;

pub(crate) const EXAMPLE: &str = "\
Example:
  echo 'open sesame' | squall password --scram

The password is one line of standard input. The hash goes into a user of the
file of `squall serve --config`, as its password_hash.";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Keys of SCRAM-SHA-256 instead, with which a client of MQTT 5.0 need not
    /// say its password; one that does is let in as well.
    #[arg(long)]
    scram: bool,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
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
    let hash = match arguments.scram {
        true => PasswordHash::scram(password.as_bytes()),
        false => PasswordHash::new(password.as_bytes()),
    };
    let hash = hash.map_err(Failure::Environment)?;
    output.print(&format!("{hash}\n"))?;
    Ok(Exit::Held)
}
