//! Who may connect, and who may publish and subscribe to what.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::wire::{Connect, ReasonCode, TopicFilter, TopicName, levels};

/// Who may connect, and which topics are closed. By default everybody may do
/// everything.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Access {
    /// User names and their passwords. If there are any, a client must name one
    /// of them: return code 5 without a user name, 4 with a wrong one or a
    /// wrong password.
    pub users: BTreeMap<String, Bytes>,
    /// Topics nobody may publish to. Such a message is acknowledged like any
    /// other and delivered to nobody, one of the two ways
    /// `[MQTT311-3.3.5-2]` leaves.
    pub deny_publish: Vec<TopicFilter>,
    /// Topics nobody may subscribe to. A filter that could match one of them
    /// gets the SUBACK failure code.
    pub deny_subscribe: Vec<TopicFilter>,
}

impl Access {
    pub(crate) fn connect(&self, connect: &Connect) -> Result<(), ReasonCode> {
        if self.users.is_empty() {
            return Ok(());
        }
        let user_name = connect
            .user_name
            .as_ref()
            .ok_or(ReasonCode::NotAuthorized)?;
        match self.users.get(user_name.as_str()) {
            Some(password) if connect.password.as_ref() == Some(password) => Ok(()),
            _ => Err(ReasonCode::BadUserNameOrPassword),
        }
    }

    pub(crate) fn may_publish(&self, topic: &TopicName) -> bool {
        !self.deny_publish.iter().any(|denied| denied.matches(topic))
    }

    pub(crate) fn may_subscribe(&self, filter: &TopicFilter) -> bool {
        !self
            .deny_subscribe
            .iter()
            .any(|denied| overlap(denied, filter))
    }
}

/// Whether some topic matches both filters.
fn overlap(one: &TopicFilter, other: &TopicFilter) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    // A leading wildcard does not reach topics with `$`. [MQTT311-4.7.2-1]
    let system = |filter: &[u8]| filter.starts_with(b"$");
    let wild = |filter: &[u8]| filter.starts_with(b"+") || filter.starts_with(b"#");
    if (system(one) && wild(other)) || (system(other) && wild(one)) {
        return false;
    }
    let (mut ones, mut others) = (levels(one), levels(other));
    loop {
        match (ones.next(), others.next()) {
            (Some(b"#"), _) | (_, Some(b"#")) | (None, None) => return true,
            (Some(level), Some(same)) if level == same || level == b"+" || same == b"+" => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("secret/#", "secret/a", true)]
    #[case("secret/#", "#", true)]
    #[case("secret/#", "secret", true)]
    #[case("secret/#", "+/a", true)]
    #[case("secret/#", "secrets/a", false)]
    #[case("a/+/c", "a/b/+", true)]
    #[case("a/+/c", "a/b", false)]
    #[case("$SYS/#", "#", false)]
    #[case("$SYS/#", "+/x", false)]
    #[case("$SYS/#", "$SYS/x", true)]
    fn filters_overlap(#[case] one: &str, #[case] other: &str, #[case] expected: bool) {
        let filter = |text: &str| TopicFilter::new(text.to_owned()).expect("a filter");
        assert_eq!(overlap(&filter(one), &filter(other)), expected);
        assert_eq!(overlap(&filter(other), &filter(one)), expected);
    }
}
