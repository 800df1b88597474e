//! What a client of the hub asks for, by the path of its URL.

use crate::sensors::{Name, name};

/// What a client is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::websocket) enum Path {
    /// A sensor of a group.
    Sensor { group: Name, sensor: Name },
    /// A listener of a group; one with a name acknowledges.
    Listener { group: Name, name: Option<Name> },
    /// Somebody who wants to hear itself.
    Echo,
}

impl Path {
    /// What there is at this path.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix('/')?.split('/');
        let path = match (parts.next()?, parts.next(), parts.next()) {
            ("sensors", Some(group), Some(sensor)) => Self::Sensor {
                group: name(group)?,
                sensor: name(sensor)?,
            },
            ("groups", Some(group), None) => Self::Listener {
                group: name(group)?,
                name: None,
            },
            ("groups", Some(group), Some(listener)) => Self::Listener {
                group: name(group)?,
                name: Some(name(listener)?),
            },
            ("echo", None, None) => Self::Echo,
            _ => return None,
        };
        parts.next().is_none().then_some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn each_resource_has_its_path() {
        let parsed = |path| Path::parse(path).expect("a resource");
        let (group, sensor) = (Name::from("valley"), Name::from("t-1"));
        assert_eq!(
            parsed("/sensors/valley/t-1"),
            Path::Sensor {
                group: group.clone(),
                sensor
            }
        );
        assert_eq!(
            parsed("/groups/valley"),
            Path::Listener {
                group: group.clone(),
                name: None
            }
        );
        let name = Some(Name::from("recorder"));
        assert_eq!(
            parsed("/groups/valley/recorder"),
            Path::Listener { group, name }
        );
        assert_eq!(parsed("/echo"), Path::Echo);
    }

    #[rstest]
    #[case("")]
    #[case("/")]
    #[case("/sensors")]
    #[case("/sensors/valley")]
    #[case("/sensors/valley/")]
    #[case("/sensors/valley/t-1/")]
    #[case("/sensors/valley/t%201")]
    #[case("/groups/")]
    #[case("/groups/a/b/c")]
    #[case("/echo/")]
    #[case("/other")]
    #[case(&format!("/groups/{}", "a".repeat(65)))]
    fn nothing_else_is_served(#[case] path: &str) {
        assert_eq!(Path::parse(path), None);
    }
}
