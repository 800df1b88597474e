//! What readings are called by servers that have no topics.
//!
//! The topic is the one name for what a reading is about, whatever is spoken.
//! On a sensor hub and over HTTP its first level is the *group* and the other
//! levels, joined by dots, are the *sensor*: `valley/t-1/temperature` is the
//! sensor `t-1.temperature` of the group `valley`. So that this can be undone,
//! levels are made of letters, digits, `-` and `_`.

/// The longest name of a group, a sensor or a listener that servers take, in
/// bytes.
const NAME_BYTES_MAX: usize = 64;

/// The group and the sensor that a topic names, if it does.
#[must_use]
pub fn of_topic(topic: &str) -> Option<(&str, String)> {
    let (group, rest) = topic.split_once('/')?;
    let sensor = rest.replace('/', ".");
    let levels = topic.split('/').all(is_level);
    (levels && sensor.len() <= NAME_BYTES_MAX).then_some((group, sensor))
}

/// The topic of a sensor.
#[must_use]
pub fn topic_of(group: &str, sensor: &str) -> String {
    format!("{group}/{}", sensor.replace('.', "/"))
}

/// The group whose sensors a topic filter may match, if it is one.
#[must_use]
pub fn group_of(filter: &str) -> Option<&str> {
    let group = filter.split('/').next()?;
    is_level(group).then_some(group)
}

/// Whether servers take this as the name of a group, a sensor or a listener.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_level(level: &str) -> bool {
    is_name(level) && !level.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("valley/t-1/temperature", Some(("valley", "t-1.temperature")))]
    #[case("valley/t_1", Some(("valley", "t_1")))]
    #[case("valley", None)]
    #[case("valley/", None)]
    #[case("/t-1", None)]
    #[case("valley/t.1", None)]
    #[case("valley/t 1", None)]
    fn a_topic_is_a_sensor_of_a_group(#[case] topic: &str, #[case] expected: Option<(&str, &str)>) {
        let found = of_topic(topic);
        let found = found
            .as_ref()
            .map(|(group, sensor)| (*group, sensor.as_str()));
        assert_eq!(found, expected);
        if let Some((group, sensor)) = found {
            assert_eq!(topic_of(group, sensor), topic);
        }
    }

    #[rstest]
    #[case("valley/#", Some("valley"))]
    #[case("valley", Some("valley"))]
    #[case("+/t-1", None)]
    #[case("#", None)]
    #[case("", None)]
    fn a_filter_is_of_a_group(#[case] filter: &str, #[case] expected: Option<&str>) {
        assert_eq!(group_of(filter), expected);
    }
}
