//! Topics, topic filters and client identifiers of a scenario: MQTT's own
//! rules, plus the placeholders `{device}`, `{fleet}` and `{target}`.

use super::text::Complaint;

/// What may stand in braces.
pub(crate) const PLACEHOLDERS: [&str; 2] = ["device", "fleet"];

/// What may stand in braces in a topic of readings.
pub(crate) const PLACEHOLDERS_OF_READINGS: [&str; 3] = ["device", "fleet", "target"];

/// Checks a topic name to publish to.
pub(crate) fn check_name(topic: &str, placeholders: &[&str]) -> Result<(), Complaint> {
    check_common(topic, "topic", placeholders)?;
    // [MQTT311-3.3.2-2] A topic name in a PUBLISH has no wildcards.
    if let Some(wildcard) = topic.chars().find(|c| matches!(c, '+' | '#')) {
        return Err(Complaint::new(
            format!("`{topic}` has the wildcard `{wildcard}`: nobody can publish to it"),
            "a topic, not a filter",
            "wildcards belong into `subscribe`; for a topic of its own for each device, write `{device}`",
        ));
    }
    Ok(())
}

/// Checks a topic filter to subscribe to.
pub(crate) fn check_filter(filter: &str) -> Result<(), Complaint> {
    check_common(filter, "topic filter", &PLACEHOLDERS)?;
    let complain = |rule: &str| {
        Err(Complaint::new(
            format!("`{filter}` is not a topic filter"),
            rule,
            "`+` stands for one whole level, `#` for all that follow: \"valley/+/temperature\", \"valley/#\"",
        ))
    };
    let levels: Vec<&str> = filter.split('/').collect();
    for (index, level) in levels.iter().enumerate() {
        // [MQTT311-4.7.1-2]
        if level.contains('#') && (*level != "#" || index + 1 != levels.len()) {
            return complain("`#` must be the whole last level");
        }
        // [MQTT311-4.7.1-3]
        if level.contains('+') && *level != "+" {
            return complain("`+` must be a whole level");
        }
    }
    Ok(())
}

/// The group, if it is a shared one, and the topic filter of a subscription:
/// `$share/group/filter` (MQTT 5.0, section 4.8.2).
pub(crate) fn split_share(filter: &str) -> (Option<&str>, &str) {
    let parts = filter.strip_prefix("$share/");
    match parts.and_then(|rest| rest.split_once('/')) {
        Some((group, filter)) => (Some(group), filter),
        None => (None, filter),
    }
}

/// Checks a client identifier.
pub(crate) fn check_client_id(client_id: &str) -> Result<(), Complaint> {
    check_common(client_id, "client identifier", &PLACEHOLDERS)
}

/// Whether a filter may match a topic, both still with their placeholders:
/// `{device}` may stand for anything.
pub(crate) fn may_match(filter: &str, topic: &str) -> bool {
    let mut levels = topic.split('/');
    for level in filter.split('/') {
        if level == "#" {
            return true;
        }
        let Some(of_topic) = levels.next() else {
            return false;
        };
        if level != "+" && level != of_topic && !level.contains('{') && !of_topic.contains('{') {
            return false;
        }
    }
    levels.next().is_none()
}

fn check_common(text: &str, kind: &str, placeholders: &[&str]) -> Result<(), Complaint> {
    // [MQTT311-4.7.3-1], [MQTT311-4.7.3-2], [MQTT311-4.7.3-3]
    if text.is_empty() {
        return Err(Complaint::new(
            format!("an empty {kind}"),
            "empty",
            format!("a {kind} has at least one character"),
        ));
    }
    if text.contains('\0') {
        return Err(Complaint::new(
            format!("a {kind} with a null character"),
            "U+0000 inside",
            "leave the null character out",
        ));
    }
    // Placeholders can grow a text; names are short enough for a margin.
    if text.len() > 60_000 {
        return Err(Complaint::new(
            format!("a {kind} of {} bytes", text.len()),
            "too long",
            "MQTT carries at most 65,535 bytes, placeholders filled in",
        ));
    }
    check_placeholders(text, placeholders)
}

fn check_placeholders(text: &str, placeholders: &[&str]) -> Result<(), Complaint> {
    let help = if placeholders.contains(&"target") {
        "in braces may stand `{device}` (such as thermometer-17), `{fleet}`, or, with `to`, `{target}`"
    } else {
        "in braces may stand `{device}` (such as thermometer-17) or `{fleet}`"
    };
    let mut rest = text;
    while let Some(start) = rest.find(['{', '}']) {
        let complain = |found: &str| {
            Complaint::new(
                format!("unknown placeholder `{found}` in `{text}`"),
                "nothing to put in",
                help,
            )
        };
        let inside = &rest[start..];
        let end = inside.find('}').ok_or_else(|| complain(inside))?;
        let found = &inside[..=end];
        let name = found.trim_start_matches('{').trim_end_matches('}');
        if found.len() != name.len() + 2 || !placeholders.contains(&name) {
            return Err(complain(found));
        }
        rest = &inside[end + 1..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("valley/{device}/temperature", true)]
    #[case("{fleet}/{device}", true)]
    #[case("/", true)]
    #[case("", false)]
    #[case("valley/+", false)]
    #[case("valley/#", false)]
    #[case("a\0b", false)]
    #[case("{devcie}/x", false)]
    #[case("{device", false)]
    #[case("device}", false)]
    #[case("{{device}}", false)]
    #[case("command/{target}", false)]
    fn names(#[case] topic: &str, #[case] valid: bool) {
        assert_eq!(check_name(topic, &PLACEHOLDERS).is_ok(), valid);
    }

    #[test]
    fn readings_may_be_addressed() {
        assert!(check_name("command/{target}", &PLACEHOLDERS_OF_READINGS).is_ok());
    }

    #[rstest]
    #[case("#", true)]
    #[case("+", true)]
    #[case("valley/+/temperature", true)]
    #[case("valley/#", true)]
    #[case("{fleet}/+", true)]
    #[case("", false)]
    #[case("valley/#/temperature", false)]
    #[case("valley#", false)]
    #[case("valley+/x", false)]
    #[case("{site}/#", false)]
    fn filters(#[case] filter: &str, #[case] valid: bool) {
        assert_eq!(check_filter(filter).is_ok(), valid);
    }

    #[rstest]
    #[case("#", "valley/{device}", true)]
    #[case("valley/+", "valley/{device}", true)]
    #[case("valley/#", "valley", true)]
    #[case("valley/t-1", "valley/{device}", true)]
    #[case("valley/{device}", "valley/t-1", true)]
    #[case("valley/+", "office/{device}", false)]
    #[case("valley/+", "valley/{device}/temperature", false)]
    #[case("valley/+/temperature", "valley/{device}", false)]
    fn matching(#[case] filter: &str, #[case] topic: &str, #[case] expected: bool) {
        assert_eq!(may_match(filter, topic), expected);
    }
}
