//! Texts with places for what is known only when a broker is started: ports,
//! paths.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

/// Where brokers are looked for that no package manager puts on PATH, unless
/// `SQUALL_BROKERS` says otherwise; `.ci/brokers` installs them there.
const BROKERS: &str = "/opt/brokers";

/// A text of a target's file, in the language of
/// [minijinja](https://docs.rs/minijinja).
#[derive(Clone, Debug)]
pub(super) struct Template(pub(super) String);

impl Template {
    /// The text with everything in its place.
    ///
    /// # Errors
    /// When it is no template, or names what there is not.
    pub(super) fn render(&self, places: &Places) -> Result<String, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_keep_trailing_newline(true);
        environment.set_trim_blocks(true);
        environment.render_str(&self.0, places)
    }
}

/// What a template may name.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Places {
    /// The ports that are opened, by name.
    pub(super) port: BTreeMap<String, u16>,
    /// A directory of this instance's own.
    pub(super) scratch: PathBuf,
    /// This executable.
    pub(super) squall: PathBuf,
    /// Where brokers are that are not on PATH.
    pub(super) brokers: PathBuf,
    /// A PEM file with a certificate for this machine.
    pub(super) certificate: PathBuf,
    /// A PEM file with its private key.
    pub(super) key: PathBuf,
}

impl Places {
    /// Those of an instance.
    pub(super) fn new(scratch: &Path, squall: PathBuf, port: BTreeMap<String, u16>) -> Self {
        let brokers = std::env::var_os("SQUALL_BROKERS").filter(|path| !path.is_empty());
        Self {
            port,
            scratch: scratch.to_owned(),
            squall,
            brokers: brokers.map_or_else(|| BROKERS.into(), PathBuf::from),
            certificate: scratch.join("certificate.pem"),
            key: scratch.join("key.pem"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> Result<String, String> {
        let port = BTreeMap::from([("tcp".to_owned(), 1883)]);
        let places = Places::new(Path::new("/tmp/x"), "squall".into(), port);
        let template = Template(text.to_owned());
        template.render(&places).map_err(|error| error.to_string())
    }

    #[test]
    fn ports_and_paths_are_filled_in() {
        let text = "{% if port.ws is defined %}\nlistener {{ port.ws }}\n{% endif %}\n\
                    listener {{ port.tcp }}\nstore {{ scratch }}/store\n";
        let expected = "listener 1883\nstore /tmp/x/store\n";
        assert_eq!(rendered(text).as_deref(), Ok(expected));
    }

    #[test]
    fn what_there_is_not_is_a_mistake() {
        assert!(rendered("{{ port.ws }}").is_err());
        assert!(rendered("{{ prot }}").is_err());
        assert!(rendered("{{ port").is_err());
    }
}
