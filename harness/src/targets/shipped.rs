//! The targets that come with Squall. They are part of the executable, so that
//! it finds them wherever it is installed.

use std::path::Path;

use super::Target;
use crate::scenario::ScenarioError;
use crate::scenario::diagnostic::nearest;

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        /// Name and text of each, in the order in which they are listed.
        const SHIPPED: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../../scenarios/targets/", $name, ".toml")))),*
        ];
    };
}

shipped!(
    "reference",
    "mosquitto",
    "nats",
    "rabbitmq",
    "ejabberd",
    "rumqttd",
    "mqttv5-cli",
    "aedes",
    "amqtt",
);

impl Target {
    /// The target of this name, or the one in the file at this path: whatever
    /// has a `/` or ends in `.toml` is a path.
    ///
    /// # Errors
    /// When there is none, or its file has a mistake, shown where it stands.
    pub fn load(name_or_path: &str) -> Result<Self, ScenarioError> {
        let is_path = name_or_path.ends_with(".toml") || name_or_path.contains(['/', '\\']);
        if is_path {
            let path = Path::new(name_or_path);
            let text = std::fs::read_to_string(path).map_err(|error| {
                ScenarioError::new(
                    format!("cannot read {}: {error}", path.display()),
                    Some(
                        "give the path of a target's TOML file, or a name of `squall targets`"
                            .to_owned(),
                    ),
                )
            })?;
            return Self::parse(path, &text);
        }
        match SHIPPED.iter().find(|(name, _)| *name == name_or_path) {
            Some(&(name, text)) => parse(name, text),
            None => {
                let known: Vec<_> = SHIPPED.iter().map(|(name, _)| *name).collect();
                let list = known.join(", ");
                let help = match nearest(name_or_path, &known) {
                    Some(nearest) => format!("did you mean `{nearest}`? (known: {list})"),
                    None => format!("known: {list}; or the path of a file: ./{name_or_path}.toml"),
                };
                Err(ScenarioError::new(
                    format!("unknown target `{name_or_path}`"),
                    Some(help),
                ))
            }
        }
    }

    /// All targets that come with Squall, the reference broker first.
    ///
    /// # Errors
    /// None, as long as the tests hold.
    pub fn all() -> Result<Vec<Self>, ScenarioError> {
        SHIPPED
            .iter()
            .map(|&(name, text)| parse(name, text))
            .collect()
    }
}

fn parse(name: &str, text: &str) -> Result<Target, ScenarioError> {
    Target::parse(Path::new(&format!("scenarios/targets/{name}.toml")), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_directory_is_shipped() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/targets");
        let files = std::fs::read_dir(directory).expect("it is there");
        let mut files: Vec<_> = files
            .map(|file| file.expect("read").path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "toml")
            })
            .map(|path| {
                path.file_stem()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        files.sort();
        let mut shipped: Vec<_> = SHIPPED.iter().map(|(name, _)| name.to_string()).collect();
        shipped.sort();
        assert_eq!(files, shipped);
    }

    #[test]
    fn every_shipped_target_is_valid() {
        for &(name, text) in SHIPPED {
            match parse(name, text) {
                Ok(target) => assert_eq!(target.name, name),
                Err(error) => panic!("{}", error.render(false, 100)),
            }
        }
    }
}
