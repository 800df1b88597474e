//! How the reference broker is set up when it is the one under test.
//!
//! Some statements are about brokers that lack something, so one setup is not
//! enough: between them every check applies.

use std::num::NonZeroU16;

use squall_broker::wire::Qos;
use squall_broker::{Config, Password, Rights, ScramKeys, User};

use crate::packets;
use crate::server::{Fixtures, Login};

/// What nobody may publish to.
const DENIED_PUBLISH: &str = "denied/publish";

/// What nobody may subscribe to; with a `$`, so that `#` does not reach it.
const DENIED_SUBSCRIBE: &str = "$denied/subscribe";

/// A setup of the reference broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// As it comes, everything that is optional is there; but for a Receive
    /// Maximum within reach.
    Full,
    /// Everything that is optional is switched off or limited.
    Limited,
}

impl Setup {
    /// Every setup.
    pub const ALL: [Self; 2] = [Self::Full, Self::Limited];

    /// Its name: `full` or `limited`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Limited => "limited",
        }
    }

    /// The broker, and what checks may know of it.
    #[must_use]
    pub fn of_the_broker(self) -> (Config, Fixtures) {
        let mut config = Config::default();
        config.access.deny_publish = vec![packets::filter(DENIED_PUBLISH)];
        config.access.deny_subscribe = vec![packets::filter(DENIED_SUBSCRIBE)];
        let mut fixtures = Fixtures {
            denied_publish: Some(DENIED_PUBLISH.to_owned()),
            denied_subscribe: Some(DENIED_SUBSCRIBE.to_owned()),
            durable: true,
            ..Fixtures::default()
        };
        // One that can be reached, where there is QoS 2 to reach it with.
        config.capabilities.receive_maximum = NonZeroU16::new(20).unwrap_or(NonZeroU16::MIN);
        if self == Self::Full {
            let login = Login {
                user: "scram".to_owned(),
                password: "pencil".into(),
            };
            let salt = b"the salt of checks";
            let keys = ScramKeys::derive(&login.password, salt, ScramKeys::ITERATIONS);
            let user = User {
                password: Password::Known(login.password.clone()),
                scram: Some(keys),
                rights: Rights::default(),
            };
            config.access.users.insert(login.user.clone(), user);
            fixtures.scram = Some(login);
        }
        if self == Self::Limited {
            config.capabilities.retain = false;
            config.capabilities.wildcard_subscriptions = false;
            config.capabilities.maximum_qos = Qos::AtLeastOnce;
            config.capabilities.topic_alias_maximum = 0;
            config.limits.packet_bytes = 64 * 1024;
            config.limits.client_id_bytes = 64;
            fixtures.denied_client_id = Some("x".repeat(65));
            let login = Login {
                user: "user".to_owned(),
                password: "password".into(),
            };
            let user = User {
                password: Password::Known(login.password.clone()),
                scram: None,
                rights: Rights::default(),
            };
            config.access.users.insert(login.user.clone(), user);
            fixtures.bad_login = Some(Login {
                password: "another".into(),
                ..login.clone()
            });
            fixtures.login = Some(login);
            // What it cannot tell a client of 3.1.1.
            fixtures.lacks = ["retain", "wildcards", "qos_2"].map(str::to_owned).to_vec();
        }
        (config, fixtures)
    }
}
