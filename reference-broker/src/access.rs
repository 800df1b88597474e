//! Who may connect, and who may publish and subscribe to what.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::connection::ConnId;
use crate::scram::ScramKeys;
use crate::wire::{Connect, ReasonCode, TopicFilter, TopicName, levels};

/// Who may connect, and which topics are closed. By default everybody may do
/// everything.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Access {
    /// What a client may do that names no user; `None` refuses it with return
    /// code 5. As long as there are no users, a client that names one is taken
    /// for such a client too.
    pub anonymous: Option<Rights>,
    /// Users by their names. If there are any, a wrong name or a wrong password
    /// is refused with return code 4.
    pub users: BTreeMap<String, User>,
    /// Topics nobody may publish to. Such a message is acknowledged like any
    /// other and delivered to nobody, one of the two ways
    /// `[MQTT311-3.3.5-2]` leaves.
    pub deny_publish: Vec<TopicFilter>,
    /// Topics nobody may subscribe to. A filter that could match one of them
    /// gets the SUBACK failure code.
    pub deny_subscribe: Vec<TopicFilter>,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            anonymous: Some(Rights::default()),
            users: BTreeMap::new(),
            deny_publish: Vec::new(),
            deny_subscribe: Vec::new(),
        }
    }
}

/// A user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User {
    /// How its password is checked.
    pub password: Password,
    /// With which it may show instead that it knows its password, without saying
    /// it: the method `SCRAM-SHA-256` of MQTT 5.0.
    pub scram: Option<ScramKeys>,
    /// What it may do.
    pub rights: Rights,
}

/// How a user's password is checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Password {
    /// It is this one.
    Known(Bytes),
    /// Whoever runs the broker checks it, in its own time: checking a hashed
    /// password takes as long as thousands of messages. See
    /// [`Broker::next_check`](crate::Broker::next_check).
    Checked,
}

/// What a client may do. By default everything.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rights(Option<Arc<Allowed>>);

#[derive(Debug, Eq, PartialEq)]
struct Allowed {
    publish: Option<Vec<TopicFilter>>,
    subscribe: Option<Vec<TopicFilter>>,
}

impl Rights {
    /// To publish to topics that one of the first filters matches, and to
    /// subscribe with filters that match nothing but what one of the second
    /// does. `None` allows all.
    #[must_use]
    pub fn new(publish: Option<Vec<TopicFilter>>, subscribe: Option<Vec<TopicFilter>>) -> Self {
        let limited = publish.is_some() || subscribe.is_some();
        Self(limited.then(|| Arc::new(Allowed { publish, subscribe })))
    }

    fn publish(&self) -> Option<&[TopicFilter]> {
        self.0.as_ref()?.publish.as_deref()
    }

    fn subscribe(&self) -> Option<&[TopicFilter]> {
        self.0.as_ref()?.subscribe.as_deref()
    }
}

/// Who a client has shown to be, and what it may do.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Identity {
    /// The user, if there are any and it is one.
    pub(crate) user: Option<Arc<str>>,
    pub(crate) rights: Rights,
}

/// A password to be checked by whoever runs the broker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// The connection that waits for the answer.
    pub conn: ConnId,
    /// The user it names, one of [`Access::users`].
    pub user_name: String,
    /// The password it gives.
    pub password: Bytes,
}

/// What becomes of a CONNECT.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Admitted(Identity),
    /// It depends on the password, which is checked elsewhere.
    Check,
    Refused(ReasonCode),
}

impl Access {
    pub(crate) fn connect(&self, connect: &Connect) -> Verdict {
        let anonymous = || match &self.anonymous {
            Some(rights) => Verdict::Admitted(Identity {
                user: None,
                rights: rights.clone(),
            }),
            None => Verdict::Refused(ReasonCode::NotAuthorized),
        };
        let Some(user_name) = &connect.user_name else {
            return anonymous();
        };
        if self.users.is_empty() {
            return anonymous();
        }
        match (self.users.get(user_name.as_str()), &connect.password) {
            (Some(user), Some(given)) => match &user.password {
                Password::Known(password) if given == password => {
                    Verdict::Admitted(self.identity(user_name.as_str()))
                }
                Password::Known(_) => Verdict::Refused(ReasonCode::BadUserNameOrPassword),
                Password::Checked => Verdict::Check,
            },
            _ => Verdict::Refused(ReasonCode::BadUserNameOrPassword),
        }
    }

    /// Who a client is that has shown to be this user.
    pub(crate) fn identity(&self, user_name: &str) -> Identity {
        let user = self.users.get(user_name);
        Identity {
            user: Some(user_name.into()),
            rights: user.map(|user| user.rights.clone()).unwrap_or_default(),
        }
    }

    /// Whether there is somebody who may come by SCRAM.
    pub(crate) fn has_scram(&self) -> bool {
        self.users.values().any(|user| user.scram.is_some())
    }

    /// What a user may come with.
    pub(crate) fn scram_keys(&self, user_name: &str) -> Option<ScramKeys> {
        self.users.get(user_name)?.scram.clone()
    }

    pub(crate) fn may_publish(&self, rights: &Rights, topic: &TopicName) -> bool {
        let matches = |filters: &[TopicFilter]| filters.iter().any(|one| one.matches(topic));
        rights.publish().is_none_or(matches) && !matches(&self.deny_publish)
    }

    pub(crate) fn may_subscribe(&self, rights: &Rights, filter: &TopicFilter) -> bool {
        let allowed = |allowed: &[TopicFilter]| allowed.iter().any(|one| covers(one, filter));
        rights.subscribe().is_none_or(allowed)
            && !self
                .deny_subscribe
                .iter()
                .any(|denied| overlap(denied, filter))
    }
}

/// Whether every topic that `filter` matches is matched by `whole`, too.
fn covers(whole: &TopicFilter, filter: &TopicFilter) -> bool {
    let (whole, filter) = (whole.as_bytes(), filter.as_bytes());
    // A leading wildcard does not reach topics with `$`. [MQTT311-4.7.2-1]
    if filter.starts_with(b"$") && !whole.starts_with(b"$") {
        return false;
    }
    let (mut wholes, mut filters) = (levels(whole), levels(filter));
    loop {
        match (wholes.next(), filters.next()) {
            (Some(b"#"), _) | (None, None) => return true,
            (Some(b"+"), Some(level)) if level != b"#" => {}
            (Some(level), Some(same)) if level == same => {}
            _ => return false,
        }
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

    #[rstest]
    #[case("a/#", "a/b/+", true)]
    #[case("a/#", "a", true)]
    #[case("a/#", "a/#", true)]
    #[case("a/#", "#", false)]
    #[case("a/#", "+/b", false)]
    #[case("a/+", "a/b", true)]
    #[case("a/+", "a/+", true)]
    #[case("a/+", "a/#", false)]
    #[case("a/+", "a", false)]
    #[case("a/b", "a/+", false)]
    #[case("a/b", "a/b/c", false)]
    #[case("#", "$SYS/x", false)]
    #[case("+/x", "$SYS/x", false)]
    #[case("$SYS/#", "$SYS/x", true)]
    fn a_filter_covers_another(#[case] whole: &str, #[case] filter: &str, #[case] expected: bool) {
        let parsed = |text: &str| TopicFilter::new(text.to_owned()).expect("a filter");
        assert_eq!(covers(&parsed(whole), &parsed(filter)), expected);
    }
}
