//! Which keys go with which kind of fault.

use super::super::super::document::fault::FaultName;

/// What a kind of fault strikes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Access links of a site or a fleet.
    Links,
    /// Devices of a site or a fleet.
    Devices,
    /// A site as a whole.
    Site,
    /// A server.
    Server,
    /// A packet.
    Packet,
}

impl Place {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Links => &["site", "fleet", "devices", "share", "direction"],
            Self::Devices => &["site", "fleet", "devices", "share"],
            Self::Site => &["site"],
            Self::Server => &["server"],
            Self::Packet => &[],
        }
    }
}

/// Which keys go with a kind.
pub(super) struct Rule {
    pub(super) kind: FaultName,
    /// The kind as it is written.
    pub(super) name: &'static str,
    pub(super) place: Place,
    /// Its own keys.
    pub(super) own: &'static [&'static str],
    /// It lasts, and so has `for`.
    pub(super) lasts: bool,
    /// A packet can set it off.
    pub(super) on: bool,
}

/// Every kind of fault, with its keys.
const RULES: [Rule; 20] = {
    use FaultName as Kind;
    const fn rule(
        kind: Kind,
        name: &'static str,
        place: Place,
        own: &'static [&'static str],
    ) -> Rule {
        Rule {
            kind,
            name,
            place,
            own,
            lasts: true,
            on: false,
        }
    }
    const fn instant(rule: Rule) -> Rule {
        Rule {
            lasts: false,
            ..rule
        }
    }
    const fn surgical(rule: Rule) -> Rule {
        Rule { on: true, ..rule }
    }
    [
        rule(Kind::Loss, "loss", Place::Links, &["loss"]),
        rule(Kind::BurstLoss, "burst-loss", Place::Links, &["burst"]),
        rule(Kind::Latency, "latency", Place::Links, &["latency"]),
        rule(Kind::Rate, "rate", Place::Links, &["rate"]),
        rule(Kind::Blackhole, "blackhole", Place::Links, &[]),
        rule(
            Kind::Duplication,
            "duplication",
            Place::Links,
            &["duplicate"],
        ),
        rule(Kind::Reordering, "reordering", Place::Links, &["reorder"]),
        rule(
            Kind::Partition,
            "partition",
            Place::Site,
            &["direction", "hold"],
        ),
        rule(Kind::PowerCut, "power-cut", Place::Site, &[]),
        surgical(instant(rule(
            Kind::NatRebinding,
            "nat-rebinding",
            Place::Devices,
            &[],
        ))),
        surgical(rule(Kind::ServerCrash, "server-crash", Place::Server, &[])),
        rule(Kind::ServerPause, "server-pause", Place::Server, &[]),
        surgical(rule(Kind::Vanish, "vanish", Place::Devices, &[])),
        surgical(instant(rule(Kind::Reset, "reset", Place::Devices, &[]))),
        instant(rule(Kind::Disconnect, "disconnect", Place::Devices, &[])),
        rule(Kind::BatteryDeath, "battery-death", Place::Devices, &[]),
        rule(
            Kind::SleepInHandshake,
            "sleep-in-handshake",
            Place::Devices,
            &[],
        ),
        instant(rule(
            Kind::ReconnectStorm,
            "reconnect-storm",
            Place::Devices,
            &[],
        )),
        rule(Kind::ClockDrift, "clock-drift", Place::Devices, &["drift"]),
        surgical(instant(rule(Kind::Drop, "drop", Place::Packet, &["times"]))),
    ]
};

impl Rule {
    pub(super) fn of(kind: FaultName) -> &'static Rule {
        let index = RULES.iter().position(|rule| rule.kind == kind);
        // Every kind has a rule, which a test makes sure of.
        &RULES[index.unwrap_or_default()]
    }

    /// The keys beside `kind` that go with it, when a packet sets it off and
    /// when not.
    pub(super) fn keys(&self, on: bool) -> Vec<&'static str> {
        let mut keys = Vec::new();
        if on || self.place == Place::Packet {
            keys.push("on");
        } else {
            keys.push("at");
        }
        if self.lasts {
            keys.push("for");
        }
        if !on && self.place != Place::Packet {
            keys.extend(["every", "count"]);
            keys.extend(self.place.keys());
        }
        if self.on && !on && self.place != Place::Packet {
            keys.push("on");
        }
        keys.extend(self.own);
        keys
    }
}
