//! What scenarios mean: defaults, presets, layers of a link, overrides.

use std::path::Path;
use std::time::Duration;

use rstest::{Context, rstest};
use squall::invariants::Invariant;
use squall::scenario::{
    Chosen, DeviceMemory, Direction, Exception, Fault, FaultKind, Fleet, Latency, Lifecycle,
    Metric, MqttVersion, PRESETS, PacketType, Payload, Qos, Relation, RetainHandling, Scenario,
    Sender, Start, Target, TimeRange, Times, Trigger, Ways, When, Whole,
};
use squall_broker::{Capabilities, Quirk, Quirks};

const BASE: &str = r#"title = "Weather"
duration = "20m"

[[site]]
name = "valley"
link = "nb-iot"

[[fleet]]
name = "thermometer"
site = "valley"
count = 10
publish = { topic = "t/{device}", every = "1m" }
"#;

fn parse(text: &str, overrides: &[&str]) -> Scenario {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    Scenario::parse(Path::new("weather.toml"), text, &overrides)
        .unwrap_or_else(|error| panic!("{}", error.render(false, 100)))
}

#[test]
fn defaults_are_as_documented() {
    let scenario = parse(BASE, &[]);
    assert_eq!(scenario.drain, Duration::from_secs(120));
    assert_eq!(scenario.network.user_timeout, Duration::from_secs(924));
    assert_eq!(scenario.network.syn_timeout, Duration::from_secs(127));
    let fleet = &scenario.fleets[0];
    assert_eq!(fleet.window_bytes, Fleet::WINDOW_OF_SENSORS);
    assert_eq!(fleet.lifecycle, Lifecycle::AlwaysOn);
    assert_eq!(fleet.mqtt.keep_alive, Duration::from_secs(60));
    assert!(fleet.mqtt.clean_session);
    assert_eq!(
        fleet.start,
        Start {
            after: Duration::ZERO,
            spread: Duration::from_secs(60)
        }
    );
    let publish = fleet.publish.as_ref().expect("it publishes");
    assert_eq!(publish.qos, [Qos::AtMostOnce]);
    assert_eq!(fleet.mqtt.client_id, "{device}");
    assert_eq!(fleet.device_memory, DeviceMemory::Flash);
    assert!(matches!(&publish.payload, Payload::Json { unit, .. } if unit == "value"));
}

#[rstest]
#[case::of_a_slow_link("nb-iot", 10, true)]
#[case::of_a_fast_link("ethernet", 1, true)]
#[case::in_between("{ latency = \"4500us\" }", 4, true)]
#[case::given("nb-iot\"\n[network]\ntick = \"20ms", 20, false)]
fn the_tick(#[case] link: &str, #[case] tick_ms: u64, #[case] derived: bool) {
    let link = if link.starts_with('{') {
        link.to_owned()
    } else {
        format!("\"{link}\"")
    };
    let (head, network) = link.split_once('\n').unwrap_or((&link, ""));
    let text = BASE.replace("\"nb-iot\"", head) + network;
    let scenario = parse(&text, &[]);
    assert_eq!(scenario.network.tick, Duration::from_millis(tick_ms));
    assert_eq!(scenario.network.tick_derived, derived);
}

#[test]
fn every_preset_is_a_link_with_a_rate_a_queue_and_a_latency() {
    for name in PRESETS {
        let scenario = parse(&BASE.replace("nb-iot", name), &[]);
        let site = &scenario.sites[0];
        assert_eq!(site.description.split(',').next(), Some(name));
        for direction in [&site.link.up, &site.link.down] {
            assert!(direction.latency.floor() > Duration::ZERO, "{name}");
            assert!(direction.rate_bits_per_second.is_some(), "{name}");
            assert!(
                direction.queue_bytes >= Some(u64::from(direction.mtu)),
                "{name}"
            );
            assert!(direction.loss <= 0.01, "{name}");
        }
    }
}

#[test]
fn what_is_said_more_closely_counts() {
    let link = "{ preset = \"nb-iot\", loss = \"10%\", mtu = 600, queue = \"2 packets\", up = { loss = \"20%\", latency = \"1s\" } }";
    let scenario = parse(&BASE.replace("\"nb-iot\"", link), &[]);
    let link = &scenario.sites[0].link;
    assert!((link.up.loss - 0.2).abs() < 1e-12 && (link.down.loss - 0.1).abs() < 1e-12);
    assert_eq!(link.up.latency, Latency::Fixed(Duration::from_secs(1)));
    assert!(matches!(link.down.latency, Latency::Normal { .. }));
    assert_eq!((link.up.mtu, link.up.queue_bytes), (600, Some(1200)));
    assert_eq!(link.up.rate_bits_per_second, Some(20_000));
    assert_eq!(
        scenario.sites[0].description,
        "nb-iot, 1 s up, queue 1,200 B, MTU 600 B, 20 % loss up, 10 % down"
    );
}

#[rstest]
#[case::unless_something_needs_one("", None)]
#[case::said("durable = true", Some(2))]
#[case::said_how_slow("disk_sync = \"5ms\"", Some(5))]
fn a_broker_has_a_disk(#[case] said: &str, #[case] sync_ms: Option<u64>) {
    let text = BASE.replace("[[site]]", &format!("[broker]\n{said}\n[[site]]"));
    let sync = sync_ms.map(Duration::from_millis);
    assert_eq!(parse(&text, &[]).broker.disk_sync, sync);
}

#[rstest]
#[case("", Some(2))]
#[case("durable = false", None)]
fn a_broker_that_crashes_has_a_disk_unless_told_otherwise(
    #[case] said: &str,
    #[case] sync_ms: Option<u64>,
) {
    let text = BASE.replace("[[site]]", &format!("[broker]\n{said}\n[[site]]"));
    let crash = "[[fault]]\nkind = \"server-crash\"\nat = \"5m\"\nfor = \"10s\"\n";
    let sync = sync_ms.map(Duration::from_millis);
    assert_eq!(parse(&(text + crash), &[]).broker.disk_sync, sync);
}

#[test]
fn fleets_speak_the_version_said_closest_to_them() {
    use MqttVersion::{V3_1_1, V5_0};
    let other = BASE.split_once("[[fleet]]").expect("a fleet").1;
    let other = other.replace("thermometer", "meter");
    let two = format!("{BASE}mqtt = {{ version = \"3.1.1\" }}\n[[fleet]]{other}");
    let versions = |text: &str, overrides: &[&str]| -> Vec<MqttVersion> {
        let fleets = parse(text, overrides).fleets;
        fleets.iter().map(|fleet| fleet.mqtt.version).collect()
    };
    assert_eq!(versions(&two, &[]), [V3_1_1, V3_1_1]);
    let all = two.replacen("duration", "mqtt = \"5.0\"\nduration", 1);
    assert_eq!(versions(&all, &[]), [V3_1_1, V5_0]);
    let every = "fleet.*.mqtt.version=\"5.0\"";
    assert_eq!(versions(&two, &[every]), [V5_0, V5_0]);
    let but_one = "fleet.meter.mqtt.version=\"3.1.1\"";
    assert_eq!(versions(&two, &[every, but_one]), [V5_0, V3_1_1]);
}

#[test]
fn what_only_5_0_has_words_for_reaches_the_fleet() {
    let text = BASE.replace(
        "every = \"1m\" }",
        "every = \"1m\", message_expiry = \"90s\", topic_alias = true }
mqtt = { version = \"5.0\", session_expiry = \"1h\", receive_maximum = 3, topic_alias_maximum = 0, password = \"alone\", will = { topic = \"gone\", delay = \"10s\", message_expiry = \"1m\" } }
subscribe = [
    { filter = \"t/+\", share = \"one\" },
    { filter = \"$share/{fleet}/t/+\" },
    { filter = \"t/#\", no_local = true, retain_as_published = true, retain_handling = \"do-not-send\" },
]",
    );
    let fleet = parse(&text, &[]).fleets.remove(0);
    let mqtt = &fleet.mqtt;
    assert_eq!(mqtt.session_expiry_s, Some(3600));
    assert_eq!(mqtt.receive_maximum, Some(3));
    assert_eq!(mqtt.topic_alias_maximum, Some(0));
    let will = mqtt.will.as_ref().expect("a will");
    assert_eq!((will.delay_s, will.message_expiry_s), (Some(10), Some(60)));
    let publish = fleet.publish.as_ref().expect("it publishes");
    assert_eq!(
        (publish.message_expiry_s, publish.topic_alias),
        (Some(90), true)
    );
    let [one, two, three] = &fleet.subscribe[..] else {
        panic!("three subscriptions");
    };
    assert_eq!(
        (one.share.as_deref(), one.filter.as_str()),
        (Some("one"), "t/+")
    );
    assert_eq!(
        (two.share.as_deref(), two.filter.as_str()),
        (Some("{fleet}"), "t/+")
    );
    assert!(three.share.is_none() && three.no_local && three.retain_as_published);
    assert_eq!(three.retain_handling, RetainHandling::DoNotSend);
}

#[test]
fn the_broker_offers_everything_unless_told_otherwise() {
    let offered = |table: &str| {
        let text = BASE.replace("[[site]]", &format!("{table}\n[[site]]"));
        parse(&text, &[]).broker.capabilities
    };
    assert_eq!(offered(""), Capabilities::default());
    let few = offered(
        "[broker.capabilities]
maximum_qos = 1
retain = false
wildcard_subscriptions = false
subscription_identifiers = false
shared_subscriptions = false
receive_maximum = 7
topic_alias_maximum = 0
session_expiry_max = \"1h\"
server_keep_alive = \"20s\"",
    );
    let mut expected = Capabilities::default();
    expected.maximum_qos = squall_broker::wire::Qos::AtLeastOnce;
    expected.retain = false;
    expected.wildcard_subscriptions = false;
    expected.subscription_identifiers = false;
    expected.shared_subscriptions = false;
    expected.receive_maximum = std::num::NonZeroU16::new(7).expect("not zero");
    expected.topic_alias_maximum = 0;
    expected.session_expiry_max = Some(Duration::from_secs(3600));
    expected.server_keep_alive_s = Some(20);
    assert_eq!(few, expected);
}

#[test]
fn guarantees_are_excepted_with_a_reason_and_settle_in_a_time() {
    let expect = parse(BASE, &[]).expect;
    assert_eq!((expect.settle, expect.exceptions.len()), (None, 0));
    let text = format!(
        "{BASE}\n[expect]\nsettle = \"30s\"\nexceptions = [{{ guarantee = \"order\", why = \"two paths\" }}]"
    );
    let expect = parse(&text, &[]).expect;
    assert_eq!(expect.settle, Some(Duration::from_secs(30)));
    let exception = Exception {
        invariant: Invariant::Order,
        why: "two paths".to_owned(),
    };
    assert_eq!(expect.exceptions, [exception]);
}

#[test]
fn quirks_are_named_in_a_list() {
    assert!(parse(BASE, &[]).broker.quirks.is_empty());
    let text = BASE.replace(
        "[[site]]",
        "[broker]\nquirks = [\"ignores-keep-alive\", \"will-after-disconnect\"]\n[[site]]",
    );
    let quirks = parse(&text, &[]).broker.quirks;
    let named = [Quirk::WillAfterDisconnect, Quirk::IgnoresKeepAlive];
    assert_eq!(quirks, Quirks::from_iter(named));
}

#[rstest]
#[case::a_preset("\"ethernet\"", "ethernet")]
#[case::another_latency("{ preset = \"ethernet\", latency = \"10ms\" }", "ethernet, 10 ms")]
#[case::a_distribution(
    "{ preset = \"wifi\", loss = 0, latency = { uniform = [\"10ms\", \"15ms\"] } }",
    "wifi, 10 ms or more"
)]
#[case::all_of_it(
    "{ preset = \"ethernet\", latency = \"1500us\", rate = \"9 kbit/s\", queue = \"2 packets\", mtu = 600 }",
    "ethernet, 1.5 ms, 9 kbit/s, queue 1,200 B, MTU 600 B"
)]
#[case::one_direction(
    "{ preset = \"ethernet\", up = { rate = \"1.5 Mbit/s\" }, down = { latency = \"2s\" } }",
    "ethernet, 2 s down, 1.5 Mbit/s up"
)]
#[case::no_preset("{ latency = \"10ms\", loss = \"10%\" }", "10 ms, 10 % loss")]
#[case::no_preset_but_two_latencies(
    "{ latency = \"10ms\", up = { latency = \"30ms\" } }",
    "30 ms up, 10 ms down"
)]
fn a_link_is_described(#[case] link: &str, #[case] description: &str) {
    let scenario = parse(&BASE.replace("\"nb-iot\"", link), &[]);
    assert_eq!(scenario.sites[0].description, description);
}

#[test]
fn a_link_without_a_preset_has_no_limits_but_those_given() {
    let scenario = parse(&BASE.replace("\"nb-iot\"", "{ latency = \"7ms\" }"), &[]);
    assert_eq!(
        scenario.sites[0].link.up,
        Direction::ideal(Duration::from_millis(7))
    );
}

#[test]
fn overrides_change_what_the_file_says_in_order() {
    let scenario = parse(
        BASE,
        &[
            "fleet.thermometer.count=3",
            "fleet.0.count=4",
            "site.valley.link.loss=20%",
            "site.valley.link.up.rate=9 kbit/s",
            "duration=1h",
            "network.window=8 KiB",
            "fleet.thermometer.lifecycle={ kind = \"flapping\", up = \"1m\", down = \"5s\" }",
            "fleet.thermometer.publish.qos=[1, 2]",
            "expect.latency_p99=<= 3s",
            "title=Another day",
        ],
    );
    assert_eq!(scenario.title, "Another day");
    assert_eq!(scenario.duration, Duration::from_secs(3600));
    assert_eq!(scenario.fleets[0].window_bytes, 8192);
    let (site, fleet) = (&scenario.sites[0], &scenario.fleets[0]);
    assert_eq!(fleet.count, 4);
    assert_eq!(site.link.up.rate_bits_per_second, Some(9_000));
    assert!((site.link.down.loss - 0.2).abs() < 1e-12);
    // The preset that the file names stays underneath.
    assert_eq!(site.link.down.mtu, 1358);
    assert!(matches!(
        fleet.lifecycle,
        Lifecycle::Flapping {
            graceful: false,
            ..
        }
    ));
    let publish = fleet.publish.as_ref().expect("it publishes");
    assert_eq!(publish.qos, [Qos::AtLeastOnce, Qos::ExactlyOnce]);
    let bound = &scenario.expect.bounds[0];
    assert_eq!(
        (bound.metric, bound.relation, bound.of),
        (Metric::LatencyP99, Relation::AtMost, Whole::Published)
    );
    assert_eq!((bound.limit, bound.text.as_str()), (3e9, "<= 3s"));
}

#[rstest]
#[case::a_sensor("", "", Fleet::WINDOW_OF_SENSORS)]
#[case::the_network_sets_it("[network]\nwindow = 1000", "", 1000)]
#[case::the_fleet_sets_it("[network]\nwindow = 1000", "window = \"8 KiB\"", 8192)]
fn a_fleet_has_the_window_said_closest_to_it(
    #[case] network: &str,
    #[case] fleet: &str,
    #[case] bytes: u32,
) {
    let text = BASE
        .replace("[[site]]", &format!("{network}\n[[site]]"))
        .replace("count = 10", &format!("count = 10\n{fleet}"));
    assert_eq!(parse(&text, &[]).fleets[0].window_bytes, bytes);
    let text = text.replace(
        "publish = { topic = \"t/{device}\", every = \"1m\" }",
        "subscribe = [{ filter = \"#\" }]",
    );
    let computer = if bytes == Fleet::WINDOW_OF_SENSORS {
        Fleet::WINDOW_OF_COMPUTERS
    } else {
        bytes
    };
    assert_eq!(parse(&text, &[]).fleets[0].window_bytes, computer);
}

#[test]
fn the_lines_of_a_file_are_readings() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("readings.txt"), "one\ntwo\n").expect("written");
    let text = BASE.replace(
        "every = \"1m\"",
        "every = \"1m\", payload = { kind = \"file\", path = \"readings.txt\" }",
    );
    let path = directory.path().join("weather.toml");
    let scenario = Scenario::parse(&path, &text, &[]).expect("it parses");
    let publish = scenario.fleets[0].publish.as_ref().expect("it publishes");
    assert!(matches!(&publish.payload, Payload::File { lines, .. } if *lines == ["one", "two"]));
}

const COMMANDS: &str = r#"
[[fleet]]
name = "valve"
site = "valley"
count = 4
device_memory = "ram"
lifecycle = { kind = "periodic", every = "5m" }
mqtt = { client_id = "{fleet}", clean_session = false }
subscribe = [{ filter = "command/{device}", qos = 1, stay = "1h" }]
"#;

#[test]
fn readings_are_addressed_to_a_fleet_that_may_come_later() {
    let text = BASE.replace(
        "topic = \"t/{device}\"",
        "topic = \"command/{target}\", to = \"valve\", payload = { kind = \"empty\" }",
    ) + COMMANDS;
    let scenario = parse(&text, &[]);
    let publish = scenario.fleets[0].publish.as_ref().expect("it publishes");
    assert_eq!((publish.to, &publish.payload), (Some(1), &Payload::Empty));
    let valve = &scenario.fleets[1];
    assert_eq!(valve.mqtt.client_id, "{fleet}");
    assert_eq!(valve.device_memory, DeviceMemory::Ram);
    assert_eq!(valve.subscribe[0].stay, Some(Duration::from_secs(3600)));
    // Sleepers do not wake in step.
    assert_eq!(valve.start.spread, Duration::from_secs(300));
}

#[rstest]
#[case::who_subscribes_listens("", "", 5)]
#[case::for_half_its_time_awake(", awake_max = \"4s\"", "", 2)]
#[case::for_as_long_as_said(", listen = \"20s\"", "", 20)]
#[case::who_does_not_does_not("", "publish = { topic = \"t\" }", 0)]
fn a_periodic_device_listens(#[case] lifecycle: &str, #[case] publish: &str, #[case] seconds: u64) {
    let mut text = format!("{BASE}{COMMANDS}").replace("\"5m\"", &format!("\"5m\"{lifecycle}"));
    if !publish.is_empty() {
        let (kept, _) = text.split_once("subscribe").expect("it subscribes");
        text = format!("{kept}{publish}");
    }
    let valve = &parse(&text, &[]).fleets[1];
    let Lifecycle::Periodic { listen, .. } = valve.lifecycle else {
        panic!("{:?}", valve.lifecycle);
    };
    assert_eq!(listen, Duration::from_secs(seconds));
}

fn fault(text: &str) -> Fault {
    let scenario = parse(&format!("{BASE}\n[[fault]]\n{text}\n"), &[]);
    let [fault] = <[Fault; 1]>::try_from(scenario.faults).expect("one fault");
    fault
}

fn minutes(min: u64, max: u64) -> TimeRange {
    TimeRange {
        min: Duration::from_secs(60 * min),
        max: Duration::from_secs(60 * max),
    }
}

#[rstest]
#[case::loss("loss = \"30%\"\nsite = \"valley\"")]
#[case::burst_loss("burst = { enter = \"2%\", leave = \"25%\" }\nsite = \"valley\"")]
#[case::latency("latency = { uniform = [\"1s\", \"2s\"] }\nsite = \"valley\"")]
#[case::rate("rate = \"1 kbit/s\"\nsite = \"valley\"")]
#[case::blackhole("fleet = \"thermometer\"")]
#[case::duplication("duplicate = 0.5\nfleet = \"thermometer\"")]
#[case::reordering(
    "reorder = { probability = \"20%\", delay = \"500ms\" }\nfleet = \"thermometer\""
)]
#[case::partition("site = \"valley\"\nhold = true\ndirection = \"down\"")]
#[case::power_cut("site = \"valley\"")]
#[case::nat_rebinding("site = \"valley\"")]
#[case::server_crash("server = \"broker\"")]
#[case::server_pause("")]
#[case::vanish("fleet = \"thermometer\"")]
#[case::reset("fleet = \"thermometer\"")]
#[case::disconnect("fleet = \"thermometer\"")]
#[case::battery_death("fleet = \"thermometer\"")]
#[case::sleep_in_handshake("fleet = \"thermometer\"")]
#[case::reconnect_storm("fleet = \"thermometer\"")]
#[case::clock_drift("fleet = \"thermometer\"\ndrift = \"-500 ppm\"")]
#[case::drop("")]
fn every_kind_of_fault_is_called_by_its_name(#[context] context: Context, #[case] keys: &str) {
    let name = context.description.expect("a case").replace('_', "-");
    let when = match name.as_str() {
        "drop" => "on = { packet = \"PUBLISH\" }",
        _ => "at = \"6m\"",
    };
    let fault = fault(&format!("kind = \"{name}\"\n{when}\n{keys}"));
    assert_eq!(fault.kind.name(), name);
}

#[test]
fn a_planned_fault_has_ranges_turns_and_a_share_of_its_devices() {
    let fault = fault(
        "kind = \"blackhole\"\nfleet = \"thermometer\"\nshare = \"25%\"\ndirection = \"up\"\n\
         at = \"1m..2m\"\nfor = \"1m..3m\"\nevery = \"4m\"\ncount = 3",
    );
    let times = Times {
        at: minutes(1, 2),
        lasts: Some(minutes(1, 3)),
        every: Some(Duration::from_secs(240)),
        count: Some(3),
    };
    let expected = Fault {
        kind: FaultKind::Blackhole { ways: Ways::Up },
        target: Target::Fleet(0, Chosen::Share(0.25)),
        when: When::Planned(times),
    };
    assert_eq!(fault, expected);
}

#[test]
fn a_surgical_fault_has_its_packet() {
    let fault = fault(
        "kind = \"nat-rebinding\"\n\
         on = { packet = \"PUBLISH\", from = \"client\", nth = 3, qos = 2, fleet = \"thermometer\", lost = false }",
    );
    let trigger = Trigger {
        packet: PacketType::Publish,
        from: Some(Sender::Client),
        nth: 3,
        qos: Some(Qos::ExactlyOnce),
        fleet: Some(0),
        device: None,
        lost: false,
    };
    let expected = Fault {
        kind: FaultKind::NatRebinding,
        target: Target::Matched,
        when: When::On(trigger, None),
    };
    assert_eq!(fault, expected);
}

#[test]
fn a_packet_that_one_end_sends_says_who_sends_it() {
    let crash = fault("kind = \"server-crash\"\nfor = \"10s\"\non = { packet = \"CONNACK\" }");
    let When::On(trigger, Some(lasts)) = crash.when else {
        panic!("{crash:?}");
    };
    assert_eq!(
        (trigger.from, trigger.nth, trigger.lost),
        (Some(Sender::Server), 1, true)
    );
    assert_eq!(lasts.max, Duration::from_secs(10));
}
