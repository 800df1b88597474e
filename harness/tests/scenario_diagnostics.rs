//! Mistakes in scenarios, each as a person sees it.

use std::path::Path;

use rstest::{Context, rstest};
use squall::scenario::Scenario;

/// A scenario in which every case makes one mistake.
const VALID: &str = r#"title = "Weather"
duration = "20m"

[[site]]
name = "valley"
link = { preset = "nb-iot", loss = "10%" }

[[site]]
name = "office"
link = "ethernet"

[[fleet]]
name = "thermometer"
site = "valley"
count = 10
lifecycle = { kind = "periodic", every = "5m", jitter = "30s" }
mqtt = { keep_alive = "30s", clean_session = false }
publish = { topic = "valley/{device}", qos = 1, payload = { kind = "random-walk", unit = "degC" } }

[[fleet]]
name = "recorder"
site = "office"
count = 1
subscribe = [{ filter = "valley/+", qos = 1 }]

[expect]
delivered = "100% of acknowledged"
"#;

fn diagnostic(text: &str, overrides: &[&str]) -> String {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    match Scenario::parse(Path::new("weather.toml"), text, &overrides) {
        Ok(_) => panic!("no mistake was found in\n{text}\n{overrides:?}"),
        Err(error) => error.render(false, 100),
    }
}

#[test]
fn the_valid_scenario_is_valid() {
    if let Err(error) = Scenario::parse(Path::new("weather.toml"), VALID, &[]) {
        panic!("{}", error.render(false, 100));
    }
}

/// In `VALID`, `right` becomes `wrong`.
#[rstest]
#[case::unknown_preset("\"nb-iot\"", "\"nbiot\"")]
#[case::unknown_preset_in_short("\"ethernet\"", "\"ethernit\"")]
#[case::unknown_site("site = \"office\"", "site = \"ofice\"")]
#[case::unknown_key_at_the_top("duration =", "durration =")]
#[case::unknown_key_in_a_fleet("count = 10", "cuont = 10")]
#[case::unknown_key_in_a_link("loss = ", "los = ")]
#[case::unknown_key_in_a_lifecycle("jitter = ", "jiter = ")]
#[case::a_key_of_another_lifecycle("jitter = \"30s\"", "up = \"30s\"")]
#[case::unknown_key_in_expect("delivered =", "delivers =")]
#[case::unknown_table("[expect]", "[expected]")]
#[case::a_table_of_a_later_version("[expect]", "[[script]]\nname = \"x\"\n[expect]")]
#[case::unknown_lifecycle("\"periodic\"", "\"periodik\"")]
#[case::unknown_payload("\"random-walk\"", "\"randomwalk\"")]
#[case::no_kind("kind = \"periodic\", ", "")]
#[case::a_lifecycle_that_is_a_string(
    "lifecycle = { kind = \"periodic\", every = \"5m\", jitter = \"30s\" }",
    "lifecycle = \"periodic\""
)]
#[case::missing_key_at_the_top("title = \"Weather\"\n", "")]
#[case::missing_key_in_a_fleet("count = 10\n", "")]
#[case::missing_key_in_a_lifecycle("every = \"5m\", ", "")]
#[case::zero_count("count = 10", "count = 0")]
#[case::negative_count("count = 10", "count = -3")]
#[case::more_devices_than_addresses("count = 10", "count = 16_777_215")]
#[case::more_devices_than_addresses_together("count = 1\n", "count = 16_777_205\n")]
#[case::a_count_that_is_text("count = 10", "count = \"ten\"")]
#[case::loss_above_one("\"10%\"", "1.3")]
#[case::loss_above_all("\"10%\"", "\"130%\"")]
#[case::loss_in_words("\"10%\"", "\"a tenth\"")]
#[case::negative_duration("\"20m\"", "\"-20m\"")]
#[case::zero_duration("\"20m\"", "\"0s\"")]
#[case::a_duration_without_unit("\"20m\"", "20")]
#[case::not_a_duration("\"20m\"", "\"20 parsec\"")]
#[case::qos_three("qos = 1, payload", "qos = 3, payload")]
#[case::qos_in_a_list("qos = 1, payload", "qos = [0, 3], payload")]
#[case::qos_of_a_subscription("qos = 1 }]", "qos = 7 }]")]
#[case::keep_alive_too_long("\"30s\", clean", "\"65536s\", clean")]
#[case::keep_alive_in_fractions("\"30s\", clean", "\"1500ms\", clean")]
#[case::a_flag_that_is_text("clean_session = false", "clean_session = \"no\"")]
#[case::unknown_version("keep_alive = \"30s\"", "version = \"6.0\"")]
#[case::a_version_near_a_known_one("keep_alive = \"30s\"", "version = \"3.1\"")]
#[case::a_version_that_is_a_number("keep_alive = \"30s\"", "version = 5.0")]
#[case::a_kind_that_is_a_number("kind = \"periodic\"", "kind = 3")]
#[case::a_session_that_expires_in_3_1_1("keep_alive = \"30s\"", "session_expiry = \"1h\"")]
#[case::a_receive_maximum_in_3_1_1("keep_alive = \"30s\"", "receive_maximum = 20")]
#[case::a_reading_that_expires_in_3_1_1("qos = 1, payload", "message_expiry = \"1m\", payload")]
#[case::topic_aliases_in_3_1_1("qos = 1, payload", "topic_alias = true, payload")]
#[case::a_group_in_3_1_1("qos = 1 }]", "qos = 1, share = \"recorders\" }]")]
#[case::a_group_in_a_filter_in_3_1_1("\"valley/+\"", "\"$share/recorders/valley/+\"")]
#[case::a_group_of_nothing(
    "subscribe = [{ filter = \"valley/+\"",
    "mqtt = { version = \"5.0\" }\nsubscribe = [{ filter = \"$share/valley\""
)]
#[case::a_group_twice(
    "subscribe = [{ filter = \"valley/+\"",
    "mqtt = { version = \"5.0\" }\nsubscribe = [{ share = \"one\", filter = \"$share/two/valley/+\""
)]
#[case::a_group_without_its_own(
    "subscribe = [{ filter = \"valley/+\"",
    "mqtt = { version = \"5.0\" }\nsubscribe = [{ share = \"recorders\", no_local = true, filter = \"valley/+\""
)]
#[case::unknown_retain_handling("qos = 1 }]", "qos = 1, retain_handling = \"never\" }]")]
#[case::a_reading_that_expires_at_once(
    "keep_alive = \"30s\", clean_session = false }\npublish = { topic = \"valley/{device}\",",
    "version = \"5.0\" }\npublish = { topic = \"valley/{device}\", message_expiry = \"0s\","
)]
#[case::an_expiry_in_fractions("keep_alive = \"30s\"", "session_expiry = \"1500ms\"")]
#[case::more_aliases_than_two_bytes_hold("keep_alive = \"30s\"", "topic_alias_maximum = 65536")]
#[case::unknown_capability("[expect]", "[broker]\ncapabilities = { maximum_qoss = 1 }\n[expect]")]
#[case::password_alone("keep_alive = \"30s\"", "password = \"secret\"")]
#[case::two_sites_of_a_name("name = \"office\"", "name = \"valley\"")]
#[case::two_fleets_of_a_name("name = \"recorder\"", "name = \"thermometer\"")]
#[case::not_a_name("name = \"recorder\"", "name = \"rec/order\"")]
#[case::wildcard_in_a_topic("\"valley/{device}\"", "\"valley/+\"")]
#[case::unknown_placeholder("\"valley/{device}\"", "\"valley/{devcie}\"")]
#[case::empty_topic("\"valley/{device}\"", "\"\"")]
#[case::hash_in_the_middle("\"valley/+\"", "\"#/valley\"")]
#[case::plus_in_a_level("\"valley/+\"", "\"valley/x+\"")]
#[case::asleep_before_the_last_reading(
    "jitter = \"30s\"",
    "readings = 40, gap = \"2s\", awake_max = \"1m\""
)]
#[case::listening_in_its_sleep("jitter = \"30s\"", "listen = \"1m\"")]
#[case::memory_of_another_kind("count = 1\n", "count = 1\ndevice_memory = \"fram\"\n")]
#[case::an_empty_client_id("keep_alive = \"30s\"", "client_id = \"\"")]
#[case::a_client_id_with_an_unknown_placeholder("keep_alive = \"30s\"", "client_id = \"{target}\"")]
#[case::addressed_to_nobody("\"valley/{device}\"", "\"valley/{target}\"")]
#[case::addressed_to_no_device("\"valley/{device}\"", "\"valley/{device}\", to = \"recorder\"")]
#[case::addressed_to_an_unknown_fleet(
    "\"valley/{device}\"",
    "\"valley/{target}\", to = \"recorders\""
)]
#[case::an_empty_payload_of_a_size("\"random-walk\", unit = \"degC\"", "\"empty\", bytes = 3")]
#[case::jitter_too_large("jitter = \"30s\"", "jitter = \"3m\"")]
#[case::window_too_small("[expect]", "[network]\nwindow = 511\n[expect]")]
#[case::tick_too_small("[expect]", "[network]\ntick = \"100us\"\n[expect]")]
#[case::a_disk_with_nothing_on_it(
    "[expect]",
    "[broker]\ndurable = false\ndisk_sync = \"1ms\"\n[expect]"
)]
#[case::a_disk_that_takes_no_time("[expect]", "[broker]\ndisk_sync = \"0s\"\n[expect]")]
#[case::unknown_quirk("[expect]", "[broker]\nquirks = [\"keeps-clear-retained\"]\n[expect]")]
#[case::a_quirk_without_a_list("[expect]", "[broker]\nquirks = \"ignores-keep-alive\"\n[expect]")]
#[case::unknown_guarantee(
    "[expect]",
    "[expect]\nexceptions = [{ guarantee = \"qos-1-at-lest-once\", why = \"x\" }]"
)]
#[case::an_exception_without_a_reason(
    "[expect]",
    "[expect]\nexceptions = [{ guarantee = \"order\" }]"
)]
#[case::an_exception_that_is_a_string("[expect]", "[expect]\nexceptions = [\"order\"]")]
#[case::two_exceptions_for_one_guarantee(
    "[expect]",
    "[expect]\nexceptions = [{ guarantee = \"order\", why = \"x\" }, { guarantee = \"order\", why = \"y\" }]"
)]
#[case::no_time_to_settle("[expect]", "[expect]\nsettle = \"0s\"")]
#[case::more_time_to_settle_than_there_is("[expect]", "[expect]\nsettle = \"3m\"")]
#[case::unknown_congestion("[expect]", "[network]\ncongestion = \"vegas\"\n[expect]")]
#[case::a_mistyped_congestion("[expect]", "[network]\ncongestion = \"qubic\"\n[expect]")]
#[case::a_congestion_that_is_a_flag("[expect]", "[network]\ncongestion = false\n[expect]")]
#[case::drain_as_long_as_the_run("duration = \"20m\"", "duration = \"20m\"\ndrain = \"20m\"")]
#[case::a_periodic_every_of_its_own("qos = 1, payload", "qos = 1, every = \"1m\", payload")]
#[case::publishing_but_not_when(
    "lifecycle = { kind = \"periodic\", every = \"5m\", jitter = \"30s\" }\n",
    ""
)]
#[case::nothing_to_do("subscribe = [{ filter = \"valley/+\", qos = 1 }]\n", "")]
#[case::no_latency("{ preset = \"nb-iot\", loss = \"10%\" }", "{ loss = \"10%\" }")]
#[case::two_latencies(
    "loss = \"10%\"",
    "latency = { uniform = [\"1ms\", \"2ms\"], normal = { mean = \"2ms\", deviation = \"1ms\", floor = \"1ms\" } }"
)]
#[case::latency_backwards("loss = \"10%\"", "latency = { uniform = [\"2ms\", \"1ms\"] }")]
#[case::an_endless_burst("loss = \"10%\"", "burst = { enter = \"1%\", leave = 0 }")]
#[case::not_a_rate("loss = \"10%\"", "up = { rate = \"20 kB/s\" }")]
#[case::a_queue_without_room("loss = \"10%\"", "queue = \"100 B\"")]
#[case::a_small_mtu("loss = \"10%\"", "mtu = 100")]
#[case::not_a_bound("\"100% of acknowledged\"", "\"all\"")]
#[case::a_bound_without_relation("delivered = \"100% of acknowledged\"", "latency_p99 = \"3s\"")]
#[case::a_share_of_the_wrong_thing("delivered = \"100%", "acknowledged = \"100%")]
#[case::a_payload_without_room(
    "{ kind = \"random-walk\", unit = \"degC\" }",
    "{ kind = \"fixed\", bytes = 3 }"
)]
#[case::a_file_that_is_not_there(
    "{ kind = \"random-walk\", unit = \"degC\" }",
    "{ kind = \"file\", path = \"no-such-file.txt\" }"
)]
#[case::a_unit_with_a_quote("\"degC\"", "'\"'")]
#[case::a_late_start("count = 1\n", "count = 1\nstart = { after = \"1h\" }\n")]
#[case::syntax("count = 10", "count = = 10")]
#[case::an_open_string("\"Weather\"", "\"Weather")]
#[case::a_key_twice("title = \"Weather\"", "title = \"Weather\"\ntitle = \"Again\"")]
#[case::a_site_that_is_no_list(
    "[[site]]\nname = \"valley\"\nlink = { preset = \"nb-iot\", loss = \"10%\" }\n\n[[site]]",
    "[site]"
)]
fn a_mistake(#[context] context: Context, #[case] right: &str, #[case] wrong: &str) {
    let text = VALID.replacen(right, wrong, 1);
    assert_ne!(text, VALID, "`{right}` is not in the valid scenario");
    let name = context.description.unwrap_or("unnamed");
    insta::assert_snapshot!(name, diagnostic(&text, &[]));
}

/// A scenario that any protocol can carry.
const PLAIN: &str = r#"title = "Weather"
duration = "20m"

[[site]]
name = "valley"
link = "nb-iot"

[[fleet]]
name = "thermometer"
site = "valley"
count = 10
publish = { topic = "valley/{device}", every = "10s" }

[[fleet]]
name = "recorder"
site = "valley"
count = 1
subscribe = [{ filter = "valley/+" }]
"#;

#[rstest]
#[case("mqtt-ws")]
#[case("websocket")]
#[case("http")]
fn a_plain_scenario_is_valid_in_any_protocol(#[case] protocol: &str) {
    let overrides = [format!("fleet.*.protocol={protocol}")];
    if let Err(error) = Scenario::parse(Path::new("weather.toml"), PLAIN, &overrides) {
        panic!("{}", error.render(false, 100));
    }
}

/// In `PLAIN`, fleets speak a protocol, and one thing is added that has no
/// meaning in it.
#[rstest]
#[case::an_unknown_protocol("mqttws", "", "")]
#[case::qos_on_a_plain_websocket("websocket", "every = \"10s\"", "every = \"10s\", qos = 1")]
#[case::retain_on_a_plain_websocket(
    "websocket",
    "every = \"10s\"",
    "every = \"10s\", retain = true"
)]
#[case::retain_over_http("http", "every = \"10s\"", "every = \"10s\", retain = true")]
#[case::a_subscription_at_qos_1_over_http("http", "\"valley/+\" }", "\"valley/+\", qos = 1 }")]
#[case::a_stay_on_a_plain_websocket("websocket", "\"valley/+\" }", "\"valley/+\", stay = \"1m\" }")]
#[case::a_will_on_a_plain_websocket(
    "websocket",
    "count = 1\n",
    "count = 1\nmqtt = { will = { topic = \"gone\" } }\n"
)]
#[case::http_for_mqtt("mqtt", "count = 1\n", "count = 1\nhttp = { keep_alive = true }\n")]
#[case::websocket_for_mqtt("mqtt", "count = 1\n", "count = 1\nwebsocket = { text = true }\n")]
#[case::acknowledged_mqtt_over_websocket(
    "mqtt-ws",
    "count = 1\n",
    "count = 1\nwebsocket = { acknowledged = true }\n"
)]
#[case::packets_on_a_plain_websocket(
    "websocket",
    "count = 1\n",
    "count = 1\nwebsocket = { packets_per_frame = 1 }\n"
)]
#[case::frames_divided_in_two_ways(
    "mqtt-ws",
    "count = 1\n",
    "count = 1\nwebsocket = { packets_per_frame = 1, split = 10 }\n"
)]
#[case::a_frame_of_nothing("mqtt-ws", "count = 1\n", "count = 1\nwebsocket = { split = 0 }\n")]
#[case::two_ways_to_poll(
    "http",
    "count = 1\n",
    "count = 1\nhttp = { poll = \"1s\", long_poll = \"30s\" }\n"
)]
#[case::a_long_poll_in_fractions(
    "http",
    "count = 1\n",
    "count = 1\nhttp = { long_poll = \"1500ms\" }\n"
)]
#[case::a_long_poll_of_one_who_posts(
    "http",
    "every = \"10s\" }",
    "every = \"10s\" }\nhttp = { long_poll = \"30s\" }\nsubscribe = [{ filter = \"valley/+\" }]"
)]
#[case::two_long_polls(
    "http",
    "[{ filter = \"valley/+\" }]",
    "[{ filter = \"valley/+\" }, { filter = \"hill/+\" }]\nhttp = { long_poll = \"30s\" }"
)]
#[case::a_poll_of_a_group_without_wildcard("http", "\"valley/+\"", "\"valley\"")]
#[case::a_topic_that_names_no_sensor("websocket", "\"valley/{device}\"", "\"valley\"")]
#[case::a_topic_with_a_dot("http", "\"valley/{device}\"", "\"valley/t.{device}\"")]
#[case::a_filter_of_no_group("websocket", "\"valley/+\"", "\"+/+\"")]
#[case::a_listener_of_two_groups(
    "websocket",
    "\"valley/+\" }",
    "\"valley/+\" }, { filter = \"office/+\" }"
)]
#[case::a_sensor_that_listens(
    "websocket",
    "every = \"10s\" }",
    "every = \"10s\" }\nsubscribe = [{ filter = \"valley/+\" }]"
)]
#[case::a_sensor_that_addresses(
    "websocket",
    "topic = \"valley/{device}\"",
    "topic = \"valley/{target}\", to = \"recorder\""
)]
#[case::tls_of_an_unknown_kind(
    "mqtt",
    "count = 1\n",
    "count = 1\ntls = { key_exchange = \"rsa\" }\n"
)]
#[case::tls_of_a_number("mqtt", "count = 1\n", "count = 1\ntls = 3\n")]
fn a_pair_that_makes_no_sense(
    #[context] context: Context,
    #[case] protocol: &str,
    #[case] right: &str,
    #[case] wrong: &str,
) {
    let text = PLAIN.replacen(right, wrong, 1);
    let text = text.replace(
        "site = \"valley\"\n",
        &format!("site = \"valley\"\nprotocol = \"{protocol}\"\n"),
    );
    let name = context.description.unwrap_or("unnamed");
    insta::assert_snapshot!(name, diagnostic(&text, &[]));
}

/// A fault with this text is added to `VALID`.
#[rstest]
#[case::fault_of_an_unknown_kind("kind = \"partion\"")]
#[case::fault_of_a_kind_that_is_a_number("kind = 3")]
#[case::fault_without_kind("site = \"valley\"")]
#[case::fault_without_time("kind = \"partition\"\nsite = \"valley\"")]
#[case::fault_without_place("kind = \"partition\"\nat = \"6m\"")]
#[case::fault_without_place_of_devices("kind = \"vanish\"\nat = \"6m\"")]
#[case::fault_without_figure("kind = \"loss\"\nsite = \"valley\"\nat = \"6m\"")]
#[case::fault_at_an_unknown_site("kind = \"partition\"\nsite = \"vally\"\nat = \"6m\"")]
#[case::fault_in_an_unknown_fleet("kind = \"reset\"\nfleet = \"termometer\"\nat = \"6m\"")]
#[case::fault_of_an_unknown_server("kind = \"server-crash\"\nserver = \"brokr\"\nat = \"6m\"")]
#[case::fault_at_a_site_and_in_a_fleet(
    "kind = \"loss\"\nsite = \"valley\"\nfleet = \"recorder\"\nat = \"6m\"\nloss = \"10%\""
)]
#[case::fault_with_an_unknown_key(
    "kind = \"partition\"\nsite = \"valley\"\nat = \"6m\"\nfro = \"90s\""
)]
#[case::fault_with_a_key_of_another_kind(
    "kind = \"loss\"\nsite = \"valley\"\nat = \"6m\"\nloss = \"10%\"\nhold = true"
)]
#[case::fault_of_an_instant_that_lasts(
    "kind = \"reset\"\nfleet = \"recorder\"\nat = \"6m\"\nfor = \"1m\""
)]
#[case::fault_at_a_negative_time("kind = \"partition\"\nsite = \"valley\"\nat = \"-6m\"")]
#[case::fault_after_the_run("kind = \"partition\"\nsite = \"valley\"\nat = \"1h\"")]
#[case::fault_in_the_drain("kind = \"partition\"\nsite = \"valley\"\nat = \"1m..19m\"")]
#[case::fault_into_the_drain("kind = \"partition\"\nsite = \"valley\"\nat = \"6m\"\nfor = \"14m\"")]
#[case::fault_of_no_time("kind = \"partition\"\nsite = \"valley\"\nat = \"6m\"\nfor = \"0s..1m\"")]
#[case::fault_range_backwards("kind = \"partition\"\nsite = \"valley\"\nat = \"5m..1m\"")]
#[case::fault_range_of_three("kind = \"partition\"\nsite = \"valley\"\nat = \"1m..2m..3m\"")]
#[case::fault_again_before_its_end(
    "kind = \"partition\"\nsite = \"valley\"\nat = \"6m\"\nfor = \"90s\"\nevery = \"1m\""
)]
#[case::fault_again_without_end(
    "kind = \"partition\"\nsite = \"valley\"\nat = \"6m\"\nevery = \"1m\""
)]
#[case::fault_many_times_at_once(
    "kind = \"partition\"\nsite = \"valley\"\nat = \"6m\"\nfor = \"90s\"\ncount = 3"
)]
#[case::fault_of_more_devices_than_there_are(
    "kind = \"vanish\"\nfleet = \"thermometer\"\nat = \"6m\"\ndevices = 11"
)]
#[case::fault_where_nobody_is(
    "kind = \"partition\"\nsite = \"moor\"\nat = \"6m\"\n\
     [[site]]\nname = \"moor\"\nlink = \"lte-m\""
)]
#[case::fault_with_more_turns_than_time(
    "kind = \"partition\"\nsite = \"valley\"\nat = \"6m\"\nfor = \"90s\"\nevery = \"4m\"\ncount = 5"
)]
#[case::fault_whose_last_turn_is_cut_short(
    "kind = \"partition\"\nsite = \"valley\"\nat = \"8m\"\nfor = \"90s\"\nevery = \"3m\"\ncount = 4"
)]
#[case::fault_that_loses_nothing("kind = \"loss\"\nsite = \"valley\"\nat = \"6m\"\nloss = \"0%\"")]
#[case::fault_of_a_burst_that_loses_nothing(
    "kind = \"burst-loss\"\nsite = \"valley\"\nat = \"6m\"\nburst = { enter = \"0%\", leave = \"25%\" }"
)]
#[case::fault_that_adds_no_latency(
    "kind = \"latency\"\nsite = \"valley\"\nat = \"6m\"\nlatency = \"0s\""
)]
#[case::fault_that_doubles_nothing(
    "kind = \"duplication\"\nsite = \"valley\"\nat = \"6m\"\nduplicate = 0"
)]
#[case::fault_that_holds_nothing_back(
    "kind = \"reordering\"\nsite = \"valley\"\nat = \"6m\"\nreorder = { probability = \"10%\", delay = \"0s\" }"
)]
#[case::fault_of_clocks_that_stay_right(
    "kind = \"clock-drift\"\nfleet = \"thermometer\"\nat = \"6m\"\ndrift = \"0 ppm\""
)]
#[case::fault_of_a_number_and_a_share(
    "kind = \"vanish\"\nfleet = \"thermometer\"\nat = \"6m\"\ndevices = 3\nshare = \"10%\""
)]
#[case::fault_of_no_devices(
    "kind = \"vanish\"\nfleet = \"thermometer\"\nat = \"6m\"\nshare = \"0%\""
)]
#[case::fault_set_off_by_no_packet(
    "kind = \"partition\"\nsite = \"valley\"\non = { packet = \"PUBACK\" }"
)]
#[case::fault_set_off_and_planned("kind = \"reset\"\nat = \"6m\"\non = { packet = \"PUBACK\" }")]
#[case::fault_drop_of_what("kind = \"drop\"")]
#[case::fault_on_an_unknown_packet("kind = \"drop\"\non = { packet = \"PUBRCE\" }")]
#[case::fault_on_a_packet_of_the_wrong_end(
    "kind = \"drop\"\non = { packet = \"CONNACK\", from = \"client\" }"
)]
#[case::fault_on_a_packet_without_qos("kind = \"drop\"\non = { packet = \"PUBREC\", qos = 2 }")]
#[case::fault_on_a_device_of_no_fleet("kind = \"drop\"\non = { packet = \"PUBACK\", device = 1 }")]
#[case::fault_on_a_device_beyond_its_fleet(
    "kind = \"drop\"\non = { packet = \"PUBACK\", fleet = \"recorder\", device = 2 }"
)]
#[case::fault_of_a_drop_that_is_not_lost(
    "kind = \"drop\"\non = { packet = \"PUBACK\", lost = false }"
)]
#[case::fault_crash_on_a_packet_of_a_client(
    "kind = \"server-crash\"\non = { packet = \"PUBLISH\" }\nfor = \"10s\""
)]
fn a_mistake_in_a_fault(#[context] context: Context, #[case] fault: &str) {
    let text = format!("{VALID}\n[[fault]]\n{fault}\n");
    let name = context.description.unwrap_or("unnamed");
    insta::assert_snapshot!(name, diagnostic(&text, &[]));
}

/// The office's fleet speaks HTTP, and thermometers in the valley what is said.
#[rstest]
#[case::fault_on_a_packet_that_its_fleet_does_not_speak("mqtt", ", fleet = \"display\"")]
#[case::fault_on_a_packet_that_nobody_speaks("websocket", "")]
fn a_fault_waits_only_for_what_is_spoken(
    #[context] context: Context,
    #[case] protocol: &str,
    #[case] fleet: &str,
) {
    let text = format!(
        r#"title = "Weather"
duration = "20m"
protocol = "{protocol}"
[[site]]
name = "valley"
link = "wifi"
[[fleet]]
name = "thermometer"
site = "valley"
count = 10
publish = {{ topic = "valley/{{device}}", every = "1m" }}
[[fleet]]
name = "display"
site = "valley"
count = 1
protocol = "http"
subscribe = [{{ filter = "valley/+" }}]
[[fault]]
kind = "nat-rebinding"
on = {{ packet = "PUBLISH"{fleet} }}
"#
    );
    let name = context.description.unwrap_or("unnamed");
    insta::assert_snapshot!(name, diagnostic(&text, &[]));
}

#[rstest]
#[case::an_empty_file("")]
#[case::no_site("title = \"t\"\nduration = \"1m\"\n")]
#[case::no_fleet("title = \"t\"\nduration = \"1m\"\n[[site]]\nname = \"s\"\nlink = \"wifi\"\n")]
fn a_mistake_of_omission(#[context] context: Context, #[case] text: &str) {
    insta::assert_snapshot!(
        context.description.unwrap_or("unnamed"),
        diagnostic(text, &[])
    );
}

#[rstest]
#[case::set_without_value("fleet.thermometer.count")]
#[case::set_an_unknown_fleet("fleet.termometer.count=10")]
#[case::set_an_unknown_key("fleet.thermometer.cuont=10")]
#[case::set_an_impossible_value("site.valley.link.loss=130%")]
#[case::set_inside_a_value("title.length=3")]
#[case::set_a_fault_that_is_not_there("fault.1.for=90s")]
#[case::set_a_broken_table("site.office.link={ preset = ")]
#[case::set_an_unknown_kind("fleet.thermometer.lifecycle.kind=periodik")]
#[case::set_in_all_fleets_what_there_is_not("fleet.*.mqtt.version=6")]
#[case::set_all_of_no_list("network.*.tick=1ms")]
#[case::set_nothing("=3")]
#[case::set_an_unknown_preset("site.office.link=ethernit")]
fn a_mistake_in_an_override(#[context] context: Context, #[case] set: &str) {
    let name = context.description.unwrap_or("unnamed");
    insta::assert_snapshot!(name, diagnostic(VALID, &["duration=5m", set]));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = Scenario::load(Path::new("no/such/file.toml"), &[]).expect_err("it is not there");
    insta::assert_snapshot!("an_unreadable_file", error.render(false, 100));
}
