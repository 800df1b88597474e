//! The bytes of the report, counted again by another program: tshark takes the
//! capture apart, and what it says about each packet is summed up here by the
//! definitions of `reports/FORMAT.md`. And it finds each protocol as what it is.
//!
//! Without tshark these tests say that they were skipped, unless
//! `SQUALL_TSHARK=required` makes that a failure.

mod support;

use rstest::rstest;
use squall_reports::{Layer, LayerBytes};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{relative, squall, stdout};

/// What tshark is asked about each packet, in the order of [`Row::parse`].
const FIELDS: [&str; 16] = [
    "ip.src",
    "ip.dst",
    "tcp.srcport",
    "tcp.dstport",
    "frame.len",
    "ip.hdr_len",
    "tcp.hdr_len",
    "tcp.len",
    "tcp.seq_raw",
    "tcp.flags",
    "mqtt.msgtype",
    "mqtt.len",
    "mqtt.msg",
    "tcp.analysis.retransmission",
    "_ws.malformed",
    "frame.comment",
];

/// The broker's port.
const MQTT: &str = "1883";

const FIN: u32 = 1;
const SYN: u32 = 1 << 1;
const RST: u32 = 1 << 2;

#[rstest]
fn tshark_counts_the_same_bytes(
    #[files("../scenarios/smoke/*.toml")]
    #[files("../scenarios/faults/lossy-cell.toml")]
    scenario: PathBuf,
) {
    let scenario = &relative(&scenario);
    if !tshark_is_here(scenario) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let capture = directory.path().join("run.pcapng");
    let path = capture.to_str().expect("a temporary path is UTF-8");
    let output = squall(["run", scenario, "--pcap", path, "--format", "json"]);
    let report = squall_reports::json::parse(stdout(&output)).expect("a report");

    let recount = Recount::of(&capture);
    let bytes = &report.bytes;
    for (way, found, packets, on_wire, layers) in [
        (
            "up",
            &recount.up,
            bytes.packets_up,
            bytes.on_wire_up,
            bytes.up,
        ),
        (
            "down",
            &recount.down,
            bytes.packets_down,
            bytes.on_wire_down,
            bytes.down,
        ),
    ] {
        assert_eq!(found.packets, packets, "packets {way}");
        assert_eq!(found.on_wire, on_wire, "bytes on the wire {way}");
        assert_eq!(found.layers.total(), on_wire, "the sum of all layers {way}");
        for layer in Layer::ALL {
            assert_eq!(found.layers[layer], layers[layer], "{} {way}", layer.key());
        }
    }
    assert!(recount.mqtt_packets > 0, "tshark sees MQTT");
    assert_eq!(recount.malformed, 0, "packets that tshark calls malformed");

    let sites = &report.weather.sites;
    let lost = sites
        .iter()
        .map(|site| site.up.lost_total() + site.down.lost_total());
    let lost: u64 = lost.sum();
    assert_eq!(recount.dropped, lost, "packets marked as dropped");
    if scenario.contains("lossy") {
        assert!(lost > 0 && recount.retransmissions > 0, "loss shows");
    }
}

/// Each protocol is what it is to others, too.
#[rstest]
#[case(
    "websocket",
    "tcp.port==9001,http",
    &[
        "http.request.uri matches \"^/sensors/field/sensor-[0-9]+.temperature$\"",
        "http.request.uri == \"/groups/field\"",
        "websocket.opcode == 1 and websocket.mask == 1",
        "websocket.opcode == 1 and websocket.mask == 0",
        "websocket.opcode == 9",
        "websocket.opcode == 10",
    ],
)]
#[case(
    "websocket-acknowledged",
    "tcp.port==9001,http",
    &[
        "http.request.uri == \"/groups/field/recorder-1\"",
        "http.sec_websocket_protocol == \"acknowledged.squall\"",
        "websocket.opcode == 2 and websocket.mask == 1",
        "websocket.opcode == 8",
    ],
)]
#[case(
    "mqtt-over-websocket",
    "tcp.port==8083,http",
    &[
        "http.request.uri == \"/mqtt\"",
        "http.sec_websocket_protocol == \"mqtt\"",
        "websocket and mqtt.msgtype == 1",
        "websocket and mqtt.msgtype == 3 and mqtt.qos == 2",
        "websocket and mqtt.msgtype == 4",
        "mqtt and not websocket",
    ],
)]
#[case(
    "rest",
    "tcp.port==80,http",
    &[
        "http.request.method == POST and http.request.uri matches \"^/sensor/fresh.fresh-[0-9]+.temperature[?]n=\"",
        "http.request.method == POST and not http.connection == \"close\"",
        "http.response.code == 204",
        "http.request.uri matches \"^/sensors/fresh[?]after=\"",
        "http.request.uri matches \"wait=30&after=\"",
        "http.response.code == 200 and http.content_type == \"application/octet-stream\"",
        "http.request.line contains \"if-none-match\"",
        "http.response.code == 304",
    ],
)]
#[case(
    "tls",
    "tcp.port==9443,tls",
    &[
        "tls.handshake.type == 1 and tls.handshake.extension.type == 41",
        "tls.handshake.type == 2 and tls.handshake.extensions_key_share_group == 0x11ec",
        "tls.handshake.type == 2 and tls.handshake.extensions_key_share_group == 0x001d",
        "tls.handshake.certificate",
        "tls and mqtt.msgtype == 3 and mqtt.qos == 1",
        "tls and websocket and mqtt.msgtype == 3",
        "tls and websocket.opcode == 2 and websocket.mask == 1",
        "tls and websocket.opcode == 1 and websocket.mask == 0",
        "tls and http.request.method == POST",
        "tls and http.response.code == 200",
    ],
)]
fn tshark_takes_it_apart(#[case] name: &str, #[case] decoded: &str, #[case] filters: &[&str]) {
    let scenario = format!("scenarios/overhead/{name}.toml");
    if !tshark_is_here(&scenario) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let capture = directory.path().join("run.pcapng");
    let path = capture.to_str().expect("a temporary path is UTF-8");
    // What a link loses is in the capture as sent, and makes TCP's order no
    // easier to see through.
    let no_loss = "site.field.link.loss=0%";
    let arguments = [
        "run", &scenario, "--format", "json", "--pcap", path, "--set", no_loss,
    ];
    stdout(&squall(arguments));
    let script = directory.path().join("mqtt.lua");
    std::fs::write(&script, MQTT_IN_WEBSOCKET).expect("written");
    for filter in filters {
        let found = matching(&capture, &script, decoded, filter);
        assert!(found > 0, "nothing is `{filter}`");
    }
    for wrong in ["_ws.malformed", "http.response.code >= 400"] {
        assert_eq!(matching(&capture, &script, decoded, wrong), 0, "{wrong}");
    }
}

/// Whoever is done with MQTT closes the WebSocket in order: each end sends a Close
/// frame, and neither a RST.
#[rstest]
#[case("tcp.port==8083,http", "tls=false")]
#[case("tcp.port==8443,tls", "tls=true")]
fn a_websocket_that_carries_mqtt_is_closed_in_order(#[case] decoded: &str, #[case] tls: &str) {
    let scenario = "scenarios/overhead/readings.toml";
    if !tshark_is_here(scenario) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let capture = directory.path().join("run.pcapng");
    let path = capture.to_str().expect("a temporary path is UTF-8");
    let mut arguments = vec!["run", scenario, "--format", "json", "--pcap", path];
    for set in ["protocol=mqtt-ws", tls, "site.hall.link.loss=0%"] {
        arguments.extend(["--set", set]);
    }
    stdout(&squall(arguments));
    let script = directory.path().join("mqtt.lua");
    std::fs::write(&script, MQTT_IN_WEBSOCKET).expect("written");
    let count = |filter: &str| matching(&capture, &script, decoded, filter);
    let ended = count("mqtt.msgtype == 14");
    assert!(ended > 0, "nobody is done");
    for end in ["1", "0"] {
        let closed = format!("websocket.opcode == 8 and websocket.mask == {end}");
        assert_eq!(count(&closed), ended, "{closed}");
    }
    assert_eq!(count("tcp.flags.reset == 1"), 0, "a RST");
}

/// Tells tshark that the subprotocol `mqtt` is MQTT, which 4.0 does not know.
const MQTT_IN_WEBSOCKET: &str =
    r#"DissectorTable.get("ws.protocol"):add("mqtt", Dissector.get("mqtt"))"#;

/// The packets of a capture that a display filter of tshark's matches. `decoded` says
/// what is at a port that tshark does not know it at.
fn matching(capture: &Path, script: &Path, decoded: &str, filter: &str) -> u64 {
    let mut tshark = Command::new("tshark");
    tshark
        .arg("-X")
        .arg(format!("lua_script:{}", script.display()));
    tshark.arg("-r").arg(capture);
    tshark.args(["-d", decoded]);
    tshark.args(["-Y", filter, "-T", "fields", "-e", "frame.number"]);
    let output = tshark.output().expect("tshark starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark: {error}");
    output.stdout.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn tshark_is_here(scenario: &str) -> bool {
    if Command::new("tshark").arg("--version").output().is_ok() {
        return true;
    }
    let required = std::env::var("SQUALL_TSHARK").is_ok_and(|value| value == "required");
    assert!(!required, "tshark is not installed");
    let note = format!("skipped: no tshark to recount the bytes of {scenario}\n");
    // Written past the test harness, which shows nothing of a test that passes.
    std::io::stderr()
        .write_all(note.as_bytes())
        .expect("standard error");
    false
}

/// What tshark sees in a capture.
#[derive(Default)]
struct Recount {
    up: Direction,
    down: Direction,
    mqtt_packets: u64,
    /// By tshark's own analysis of sequence numbers.
    retransmissions: u64,
    malformed: u64,
    dropped: u64,
}

#[derive(Default)]
struct Direction {
    packets: u64,
    on_wire: u64,
    layers: LayerBytes,
}

impl Recount {
    fn of(capture: &Path) -> Recount {
        let mut tshark = Command::new("tshark");
        tshark.arg("-r").arg(capture).args(["-T", "fields"]);
        tshark.args(FIELDS.iter().flat_map(|field| ["-e", field]));
        let output = tshark.output().expect("tshark starts");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tshark: {error}");
        let text = String::from_utf8(output.stdout).expect("its fields are ASCII");

        let mut recount = Recount::default();
        // By 4-tuple, one direction each: the sequence number after the last sent.
        let mut sent: BTreeMap<[&str; 4], u32> = BTreeMap::new();
        for line in text.lines() {
            recount.count(&Row::parse(line), &mut sent);
        }
        recount
    }

    fn count<'a>(&mut self, row: &Row<'a>, sent: &mut BTreeMap<[&'a str; 4], u32>) {
        self.mqtt_packets += row.mqtt.len() as u64;
        self.retransmissions += u64::from(row.retransmission);
        self.malformed += u64::from(row.malformed);
        self.dropped += u64::from(row.dropped);
        let direction = match (row.source_port(), row.destination_port()) {
            (_, MQTT) => &mut self.up,
            (MQTT, _) => &mut self.down,
            _ => panic!("neither to nor from the broker: {:?}", row.flow),
        };
        direction.packets += 1;
        direction.on_wire += row.frame_bytes;
        let layers = &mut direction.layers;
        let length = row.sequence_length();
        if length == 0 && row.flags & RST == 0 {
            layers[Layer::PureAck] += row.frame_bytes;
            return;
        }
        let end = row.sequence.wrapping_add(length);
        let next = sent.entry(row.flow).or_insert(row.sequence);
        let behind = (*next).wrapping_sub(row.sequence) as i32;
        if behind > 0 {
            layers[Layer::Retransmitted] += row.frame_bytes;
        } else {
            let shakes_hands = row.flags & (SYN | FIN | RST) != 0;
            let headers = if shakes_hands {
                Layer::TcpHandshake
            } else {
                Layer::TcpIp
            };
            layers[headers] += row.header_bytes;
        }
        if (end.wrapping_sub(*next) as i32) > 0 {
            *next = end;
        }
        // tshark takes a repeated segment apart once only, the first time.
        for (kind, bytes) in &row.mqtt {
            layers[mqtt_layer(*kind)] += bytes;
        }
        layers[Layer::Payload] += row.payload_bytes;
        layers[Layer::Mqtt] -= row.payload_bytes;
    }
}

/// The layer of an MQTT packet by its type [MQTT311-2.2.1].
fn mqtt_layer(kind: u8) -> Layer {
    match kind {
        1 | 2 | 14 => Layer::Connecting,
        3 | 8 | 10 => Layer::Mqtt,
        4..=7 | 9 | 11 => Layer::Acknowledgements,
        12 | 13 => Layer::KeepAlive,
        _ => panic!("MQTT 3.1.1 has no packet of type {kind}"),
    }
}

/// One packet.
struct Row<'a> {
    /// Addresses, then ports; source first.
    flow: [&'a str; 4],
    frame_bytes: u64,
    /// IP and TCP headers.
    header_bytes: u64,
    segment_bytes: u32,
    sequence: u32,
    flags: u32,
    /// Type and bytes of each MQTT packet that ends here.
    mqtt: Vec<(u8, u64)>,
    /// Application payload of the PUBLISH packets among them.
    payload_bytes: u64,
    retransmission: bool,
    malformed: bool,
    dropped: bool,
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> Row<'a> {
        let fields: Vec<&str> = line.split('\t').collect();
        let fields: [&str; FIELDS.len()] = fields.try_into().expect("all fields of a packet");
        let number = |field: &str| field.parse::<u32>().expect("a number");
        let list = |field: &'a str| field.split(',').filter(|item| !item.is_empty());
        let [
            source,
            destination,
            from,
            to,
            frame,
            ip,
            tcp,
            segment,
            sequence,
            flags,
            rest @ ..,
        ] = fields;
        let [kinds, lengths, messages, retransmission, malformed, comment] = rest;
        let lengths = list(lengths).map(|length| mqtt_bytes(number(length).into()));
        let kinds = list(kinds).map(|kind| kind.parse().expect("a packet type"));
        let flags = flags.strip_prefix("0x").expect("hexadecimal");
        Row {
            flow: [source, destination, from, to],
            frame_bytes: number(frame).into(),
            header_bytes: (number(ip) + number(tcp)).into(),
            segment_bytes: number(segment),
            sequence: number(sequence),
            flags: u32::from_str_radix(flags, 16).expect("hexadecimal"),
            mqtt: kinds.zip(lengths).collect(),
            // In hexadecimal: two digits a byte.
            payload_bytes: list(messages).map(|message| message.len() as u64 / 2).sum(),
            retransmission: !retransmission.is_empty(),
            malformed: !malformed.is_empty(),
            dropped: comment.starts_with("dropped: "),
        }
    }

    fn source_port(&self) -> &'a str {
        self.flow[2]
    }

    fn destination_port(&self) -> &'a str {
        self.flow[3]
    }

    /// SYN and FIN take a sequence number each (RFC 9293, 3.4).
    fn sequence_length(&self) -> u32 {
        self.segment_bytes + u32::from(self.flags & SYN != 0) + u32::from(self.flags & FIN != 0)
    }
}

/// Bytes of an MQTT packet with this remaining length: a byte of type and
/// flags, the length in base 128, and the rest [MQTT311-2.2.3].
fn mqtt_bytes(remaining: u64) -> u64 {
    let digits = match remaining {
        0..128 => 1,
        128..16_384 => 2,
        16_384..2_097_152 => 3,
        _ => 4,
    };
    1 + digits + remaining
}
