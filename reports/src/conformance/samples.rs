//! Runs for the tests of the renderers.

use super::{
    CONFORMANCE_FORMAT, Case, Closing, Conclusion, Conformance, Exchange, ExchangeEvent,
    ExpectedFailure, KnownFailure, LeftOut, Matrix, Protocol, Statement, Wait,
};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

fn statement(id: &str, chapter: &str, section: &str, level: &str, summary: &str) -> Statement {
    Statement {
        id: id.to_owned(),
        chapter: chapter.to_owned(),
        section: section.to_owned(),
        level: level.to_owned(),
        summary: summary.to_owned(),
    }
}

fn statements() -> Vec<Statement> {
    vec![
        statement(
            "MQTT311-3.1.2-3",
            "3.1 CONNECT",
            "3.1.2.3 Connect Flags",
            "MUST",
            "The server checks that the reserved connect flag is 0, and disconnects if it is not.",
        ),
        statement(
            "MQTT311-3.1.2-24",
            "3.1 CONNECT",
            "3.1.2.10 Keep Alive",
            "MUST",
            "The server disconnects a client that is silent for one and a half times its \
             keep-alive.",
        ),
        statement(
            "MQTT5-3.1.2-3",
            "3.1 CONNECT",
            "3.1.2.3 Connect Flags",
            "MUST",
            "The server checks that the reserved connect flag is 0.",
        ),
        statement(
            "MQTT5-3.3.1-4",
            "3.3 PUBLISH",
            "3.3.1.2 QoS",
            "MUST NOT",
            "A PUBLISH has not both QoS bits set.",
        ),
        statement(
            "MQTT5-3.3.4-6",
            "3.3 PUBLISH",
            "3.3.4 PUBLISH Actions",
            "MUST NOT",
            "A PUBLISH from a client to a server carries no Subscription Identifier.",
        ),
        statement(
            "MQTT5-4.8.2-1",
            "4.8 Subscriptions",
            "4.8.2 Shared Subscriptions",
            "MUST",
            "A shared subscription's filter starts with $share/ and names a share of at least \
             one character.",
        ),
    ]
}

fn case(check: &str, protocol: Protocol, statements: &[&str], verdict: Conclusion) -> Case {
    Case {
        check: check.to_owned(),
        protocol,
        statements: statements.iter().map(|&id| id.to_owned()).collect(),
        verdict,
        closing: None,
        expected: None,
        took_ns: 12 * MS,
        waits: Vec::new(),
        transcript: Vec::new(),
    }
}

fn exchange(at_ns: u64, connection: u32, client: &str, event: ExchangeEvent) -> Exchange {
    Exchange {
        at_ns,
        connection,
        client: client.to_owned(),
        event,
    }
}

fn transcript() -> Vec<Exchange> {
    vec![
        exchange(0, 1, "publisher", ExchangeEvent::Opened),
        exchange(
            40_000,
            1,
            "publisher",
            ExchangeEvent::Sent {
                hex: "10 12 00 04 4d 51 54 54 05 02 00 3c 00 00 05 78 31 70 75 62".to_owned(),
                bytes: 20,
                says: "CONNECT 5.0 client id x1pub, keep-alive 60 s".to_owned(),
            },
        ),
        exchange(
            20 * MS,
            1,
            "publisher",
            ExchangeEvent::Received {
                hex: "20 03 00 00 00".to_owned(),
                bytes: 5,
                says: "CONNACK Success".to_owned(),
            },
        ),
        exchange(
            21 * MS,
            1,
            "publisher",
            ExchangeEvent::Sent {
                hex: ["30", "0b"]
                    .into_iter()
                    .chain(["61"; 100])
                    .collect::<Vec<_>>()
                    .join(" ")
                    + " …",
                bytes: 1_024,
                says: String::new(),
            },
        ),
        exchange(5 * SECOND, 1, "publisher", ExchangeEvent::Reset),
        exchange(5 * SECOND, 2, "subscriber", ExchangeEvent::Closed),
    ]
}

/// A run with a verdict of every kind.
pub(crate) fn mosquitto() -> Conformance {
    let fail = |broken: &str, expected: &str, actual: &str| Conclusion::Fail {
        broken: vec![broken.to_owned()],
        expected: expected.to_owned(),
        actual: actual.to_owned(),
    };
    let cases = vec![
        Case {
            closing: Some(Closing::NoCode),
            ..case(
                "connect-reserved-flag",
                Protocol::Mqtt311,
                &["MQTT311-3.1.2-3"],
                Conclusion::Pass,
            )
        },
        Case {
            took_ns: 91 * SECOND,
            waits: vec![Wait {
                for_ns: 90 * SECOND,
                why: "one and a half times the keep-alive of 60 s".to_owned(),
            }],
            ..case(
                "keep-alive-is-enforced",
                Protocol::Mqtt311,
                &["MQTT311-3.1.2-24"],
                Conclusion::Error {
                    what: "cannot connect: Connection refused (os error 111)".to_owned(),
                },
            )
        },
        case(
            "connect-reserved-flag",
            Protocol::Mqtt5,
            &["MQTT5-3.1.2-3"],
            Conclusion::NonStrict {
                expected: "DISCONNECT 0x81 before the connection is closed".to_owned(),
                actual: "the connection was closed without a word".to_owned(),
            },
        ),
        Case {
            closing: Some(Closing::StaysOpen),
            transcript: transcript(),
            ..case(
                "client-publish-carries-no-subscription-identifier",
                Protocol::Mqtt5,
                &["MQTT5-3.3.4-6"],
                fail(
                    "MQTT5-3.3.4-6",
                    "DISCONNECT 0x82 and close",
                    "the broker forwarded the message with the identifier of somebody else's \
                     subscription, and left the connection open",
                ),
            )
        },
        case(
            "both-qos-bits",
            Protocol::Mqtt5,
            &["MQTT5-3.3.1-4"],
            Conclusion::Pass,
        ),
        case(
            "qos-2-is-not-offered",
            Protocol::Mqtt5,
            &["MQTT5-3.3.1-4"],
            Conclusion::Skip {
                lacks: "a limit of QoS".to_owned(),
            },
        ),
        Case {
            expected: Some(ExpectedFailure {
                reason: "takes $share//a as a share of no name".to_owned(),
                link: "https://github.com/eclipse/mosquitto/issues/1".to_owned(),
            }),
            transcript: transcript(),
            ..case(
                "share-has-a-name",
                Protocol::Mqtt5,
                &["MQTT5-4.8.2-1"],
                fail("MQTT5-4.8.2-1", "SUBACK 0x8f or DISCONNECT", "SUBACK 0x00"),
            )
        },
    ];
    Conformance {
        format: CONFORMANCE_FORMAT,
        squall: "0.1.0".to_owned(),
        target: "mosquitto".to_owned(),
        target_version: "2.0.11".to_owned(),
        transport: "tcp".to_owned(),
        command: "squall conform --target mosquitto".to_owned(),
        strict: false,
        took_ns: 9_800 * MS,
        planned: cases.len() as u64,
        partial: false,
        statements: statements(),
        cases,
        fixed: vec![KnownFailure {
            statement: Some("MQTT5-3.3.1-4".to_owned()),
            check: None,
            reason: "used to take QoS 3".to_owned(),
            link: String::new(),
        }],
    }
}

/// A run in which nothing is wrong.
pub(crate) fn reference() -> Conformance {
    let mut run = mosquitto();
    for case in &mut run.cases {
        case.verdict = Conclusion::Pass;
        case.expected = None;
    }
    run.target = "sim".to_owned();
    run.target_version = "0.1.0".to_owned();
    run.transport = "sim".to_owned();
    run.command = "squall conform --target sim".to_owned();
    run.fixed.clear();
    run
}

/// A run that was interrupted before its first failure.
pub(crate) fn partial() -> Conformance {
    let mut run = reference();
    run.partial = true;
    run.cases.truncate(2);
    run
}

/// A run whose every text tries to break out of its place.
pub(crate) fn hostile() -> Conformance {
    let text = "a|b `c` *d* <e>&\u{1b}[31m\nf\u{202e}g ]]></script>{{ h }}";
    let mut run = mosquitto();
    run.target = text.to_owned();
    run.target_version = text.to_owned();
    run.fixed[0].reason = text.to_owned();
    run.statements[4].summary = text.to_owned();
    let case = &mut run.cases[3];
    case.verdict = Conclusion::Fail {
        broken: vec!["MQTT5-3.3.4-6".to_owned(), text.to_owned()],
        expected: text.to_owned(),
        actual: text.to_owned(),
    };
    case.transcript[0].client = text.to_owned();
    if let ExchangeEvent::Received { says, .. } = &mut case.transcript[2].event {
        *says = text.to_owned();
    }
    run.cases[6].expected = Some(ExpectedFailure {
        reason: text.to_owned(),
        link: "javascript:alert(1)".to_owned(),
    });
    run
}

/// Two brokers, and one that is left out.
pub(crate) fn matrix() -> Matrix {
    let left_out = LeftOut {
        target: "amqtt".to_owned(),
        target_version: "0.12.1".to_owned(),
        why: "what one check retains reaches the clients of all others".to_owned(),
    };
    Matrix::new("0.1.0", vec![mosquitto(), reference()], vec![left_out])
}
