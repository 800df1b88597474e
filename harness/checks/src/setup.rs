//! How the reference broker is set up when it is the one under test.
//!
//! Some statements are about brokers that lack something, so one setup is not
//! enough: between them every check applies.

use squall_broker::Config;

use crate::server::Fixtures;

/// A setup of the reference broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// As it comes: everything that is optional is there.
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
        let mut fixtures = Fixtures::default();
        if self == Self::Limited {
            config.capabilities.retain = false;
            config.capabilities.wildcard_subscriptions = false;
            // What it cannot tell a client of 3.1.1.
            fixtures.lacks = ["retain", "wildcards"].map(str::to_owned).to_vec();
        }
        (config, fixtures)
    }
}
