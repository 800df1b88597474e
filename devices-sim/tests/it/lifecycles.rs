//! Each life cycle, as the exact log of one device in virtual time.

use crate::support::{Faults, check, observe, s, thermometer};
use rstest::rstest;
use squall_devices::{Ending, Fleet, Lifecycle, Qos, Spread, Subscribe, Visit};
use std::time::Duration;

const VISIT: Visit = Visit {
    readings: 2,
    gap: s(3),
    linger: Duration::ZERO,
    patience: s(20),
};

fn living(lifecycle: Lifecycle) -> Fleet {
    Fleet {
        lifecycle,
        ..thermometer()
    }
}

fn limited(mut fleet: Fleet, readings_max: u32) -> Fleet {
    fleet
        .publish
        .iter_mut()
        .for_each(|p| p.readings_max = Some(readings_max));
    fleet
}

fn recorder(lifecycle: Lifecycle) -> Fleet {
    let subscribe = vec![Subscribe::new("+/{fleet}", Qos::AtLeastOnce)];
    Fleet {
        publish: None,
        subscribe,
        ..living(lifecycle)
    }
}

fn periodic(visit: Visit) -> Lifecycle {
    Lifecycle::Periodic {
        every: s(60),
        jitter: Duration::ZERO,
        visit,
    }
}

fn up_down(ending: Ending) -> Lifecycle {
    Lifecycle::UpDown {
        up: Spread::Fixed(s(15)),
        down: Spread::Fixed(s(20)),
        ending,
    }
}

#[rstest]
#[case::always_on(
    limited(living(Lifecycle::AlwaysOn), 2),
    "
    0.000 1 woke
    0.000 1 connecting 1
    0.000 1 published a.1 q1
    0.000 1 connected
    0.000 1 sent a.1
    0.000 1 acknowledged a.1
    10.000 1 published a.2 q1
    10.000 1 sent a.2
    10.000 1 acknowledged a.2
"
)]
#[case::starts_late_and_goes_quiet(
    Fleet { start_after: s(5), quiet_after: Some(s(15)), ..living(Lifecycle::AlwaysOn) }, "
    5.000 1 woke
    5.000 1 connecting 1
    5.000 1 published a.1 q1
    5.000 1 connected
    5.000 1 sent a.1
    5.000 1 acknowledged a.1
")]
#[case::periodic(
    limited(living(periodic(VISIT)), 3),
    "
    0.000 1 woke
    0.000 1 connecting 1
    0.000 1 published a.1 q1
    0.000 1 connected
    0.000 1 sent a.1
    0.000 1 acknowledged a.1
    3.000 1 published a.2 q1
    3.000 1 sent a.2
    3.000 1 acknowledged a.2
    3.000 1 disconnected
    3.000 1 slept until 60.000
    60.000 1 woke
    60.000 1 connecting 1
    60.000 1 published a.3 q1
    60.000 1 connected, session present
    60.000 1 sent a.3
    60.000 1 acknowledged a.3
    60.000 1 disconnected
    60.000 1 slept
"
)]
#[case::periodic_listener(recorder(periodic(Visit { readings: 0, linger: s(5), ..VISIT })), "
    0.000 1 woke
    0.000 1 connecting 1
    0.000 1 connected
    0.000 1 subscribing +/t q1
    0.000 1 subscribed +/t q1
    5.000 1 disconnected
    5.000 1 slept until 60.000
    60.000 1 woke
    60.000 1 connecting 1
    60.000 1 connected, session present
    65.000 1 disconnected
    65.000 1 slept until 120.000
")]
#[case::up_and_down(
    living(up_down(Ending::Clean)),
    "
    0.000 1 woke
    0.000 1 connecting 1
    0.000 1 published a.1 q1
    0.000 1 connected
    0.000 1 sent a.1
    0.000 1 acknowledged a.1
    10.000 1 published a.2 q1
    10.000 1 sent a.2
    10.000 1 acknowledged a.2
    15.000 1 disconnected
    15.000 1 slept until 35.000
    35.000 1 woke
    35.000 1 connecting 1
    35.000 1 connected, session present
    40.000 1 published a.3 q1
    40.000 1 sent a.3
    40.000 1 acknowledged a.3
    50.000 1 disconnected
    50.000 1 slept until 70.000
    70.000 1 woke
    70.000 1 connecting 1
    70.000 1 published a.4 q1
    70.000 1 connected, session present
    70.000 1 sent a.4
    70.000 1 acknowledged a.4
    80.000 1 published a.5 q1
    80.000 1 sent a.5
    80.000 1 acknowledged a.5
    85.000 1 disconnected
    85.000 1 slept until 105.000
"
)]
#[case::vanishing(
    limited(living(up_down(Ending::Vanish)), 1),
    "
    0.000 1 woke
    0.000 1 connecting 1
    0.000 1 published a.1 q1
    0.000 1 connected
    0.000 1 sent a.1
    0.000 1 acknowledged a.1
    15.000 1 vanished
    15.000 1 slept
"
)]
#[case::once(
    living(Lifecycle::Once { up: Spread::Fixed(s(12)), ending: Ending::Clean }), "
    0.000 1 woke
    0.000 1 connecting 1
    0.000 1 published a.1 q1
    0.000 1 connected
    0.000 1 sent a.1
    0.000 1 acknowledged a.1
    10.000 1 published a.2 q1
    10.000 1 sent a.2
    10.000 1 acknowledged a.2
    12.000 1 disconnected
    12.000 1 slept
")]
#[case::one_shot(living(Lifecycle::OneShot { visit: VISIT }), "
    0.000 1 woke
    0.000 1 connecting 1
    0.000 1 published a.1 q1
    0.000 1 connected
    0.000 1 sent a.1
    0.000 1 acknowledged a.1
    3.000 1 published a.2 q1
    3.000 1 sent a.2
    3.000 1 acknowledged a.2
    3.000 1 disconnected
    3.000 1 slept
")]
#[tokio::test(start_paused = true)]
async fn lives(#[case] fleet: Fleet, #[case] expected: &str) {
    let (log, _) = observe(fleet, Faults::default(), s(100)).await;
    check(&log, expected);
}
