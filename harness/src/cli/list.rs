//! `squall list`: what scenarios there are, how large, and why.

use std::path::PathBuf;

use squall::scenario::{Scenario, story};
use squall_reports::figures;

use super::exit::{Exit, Failure};
use super::files;
use super::output::Output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  squall list scenarios/smoke")]
pub(crate) struct Arguments {
    /// Where to look, directories below included.
    #[arg(default_value = "scenarios")]
    directory: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let mut exit = Exit::Held;
    for path in files::scenarios(&arguments.directory)? {
        match Scenario::load(&path, &[]) {
            Ok(scenario) => output.print(&entry(&scenario))?,
            // One broken scenario hides none of the others.
            Err(error) => {
                output.failure(&Failure::Usage(error));
                exit = Exit::Usage;
            }
        }
    }
    Ok(exit)
}

fn entry(scenario: &Scenario) -> String {
    let nanoseconds = u64::try_from(scenario.duration.as_nanos()).unwrap_or(u64::MAX);
    let mut entry = format!(
        "{}\n    {} · {} · {}\n",
        scenario.path.display(),
        scenario.title,
        figures::counted(scenario.device_count(), "device"),
        figures::duration(nanoseconds),
    );
    // The story was readable a moment ago; without it, the entry says enough.
    let text = std::fs::read_to_string(&scenario.path).unwrap_or_default();
    if let Some(sentence) = first_sentence(&story(&text)) {
        entry.push_str(&format!("    {sentence}\n"));
    }
    entry
}

/// Up to the first full stop; the rest is for those who open the file.
fn first_sentence(story: &[&str]) -> Option<String> {
    let text = story.join(" ");
    let sentence = text
        .split_once(". ")
        .map_or(text.as_str(), |(first, _)| first);
    let sentence = sentence.trim_end_matches('.');
    (!sentence.is_empty()).then(|| format!("{sentence}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&["One. Two."], Some("One."))]
    #[case(&["One of 0.5", "lines. Two."], Some("One of 0.5 lines."))]
    #[case(&["One"], Some("One."))]
    #[case(&[], None)]
    fn sentences(#[case] story: &[&str], #[case] expected: Option<&str>) {
        assert_eq!(first_sentence(story).as_deref(), expected);
    }
}
