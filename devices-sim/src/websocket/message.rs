//! The messages of the hub's protocol, at a client's end.

use crate::outbox::Reading;
use crate::protocol::WebSocketSettings;
use bytes::{Bytes, BytesMut};
use tokio_tungstenite::tungstenite::protocol::Message;

/// A reading that came to a listener.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    /// Its number among the listener's, if that has a name.
    pub(super) sequence: Option<u64>,
    pub(super) sensor: String,
    pub(super) payload: Bytes,
}

/// A reading as a sensor sends it: `payload`, or `sequence payload`.
pub(super) fn of_sensor(settings: &WebSocketSettings, reading: &Reading) -> Message {
    let payload = match settings.acknowledged {
        false => reading.payload.clone(),
        true => {
            let mut bytes = BytesMut::from(format!("{} ", reading.sequence).as_bytes());
            bytes.extend_from_slice(&reading.payload);
            bytes.freeze()
        }
    };
    match settings.text {
        // Every kind of payload is UTF-8.
        true => Message::text(String::from_utf8_lossy(&payload).into_owned()),
        false => Message::Binary(payload),
    }
}

/// The number of a reading up to which the hub has them.
pub(super) fn sequence(message: &Message) -> Option<u64> {
    number(message.to_text().ok()?.as_bytes())
}

/// What a listener gets: `sensor⏎payload`, or `sequence sensor⏎payload` if
/// readings are `numbered`.
pub(super) fn to_listener(message: Message, numbered: bool) -> Option<Delivery> {
    let bytes = message.into_data();
    let head = bytes.iter().position(|&byte| byte == b'\n')?;
    let payload = bytes.slice(head + 1..);
    let head = &bytes[..head];
    let (sequence, sensor) = match numbered {
        false => (None, head),
        true => {
            let space = head.iter().position(|&byte| byte == b' ')?;
            (Some(number(&head[..space])?), &head[space + 1..])
        }
    };
    Some(Delivery {
        sequence,
        sensor: std::str::from_utf8(sensor).ok()?.to_owned(),
        payload,
    })
}

/// A number without a sign, and nothing else.
fn number(digits: &[u8]) -> Option<u64> {
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok()?;
    all_digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Qos;
    use rstest::rstest;
    use std::time::Duration;

    #[rstest]
    #[case(false, false, Message::binary(&b"21.4"[..]))]
    #[case(false, true, Message::text("21.4"))]
    #[case(true, false, Message::binary(&b"7 21.4"[..]))]
    #[case(true, true, Message::text("7 21.4"))]
    fn a_sensor_sends_its_reading(
        #[case] acknowledged: bool,
        #[case] text: bool,
        #[case] expected: Message,
    ) {
        let settings = WebSocketSettings {
            authority: "hub".to_owned(),
            acknowledged,
            text,
            keep_alive: Duration::ZERO,
        };
        let reading = Reading {
            sequence: 7,
            qos: Qos::AtMostOnce,
            payload: Bytes::from_static(b"21.4"),
        };
        assert_eq!(of_sensor(&settings, &reading), expected);
    }

    #[rstest]
    #[case("0", Some(0))]
    #[case("17", Some(17))]
    #[case("", None)]
    #[case("+1", None)]
    #[case("1 ", None)]
    fn a_hub_answers_with_a_number(#[case] text: &str, #[case] expected: Option<u64>) {
        assert_eq!(sequence(&Message::text(text)), expected);
    }

    #[rstest]
    #[case("t-1.x\n21\n4", false, Some((None, "t-1.x", "21\n4")))]
    #[case("9 t-1\n", true, Some((Some(9), "t-1", "")))]
    #[case("t-1\n21.4", true, None)]
    #[case("x t-1\n21.4", true, None)]
    #[case("t-1 21.4", false, None)]
    fn a_listener_is_told_the_sensor(
        #[case] text: &str,
        #[case] numbered: bool,
        #[case] expected: Option<(Option<u64>, &str, &str)>,
    ) {
        let expected = expected.map(|(sequence, sensor, payload)| Delivery {
            sequence,
            sensor: sensor.to_owned(),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
        });
        assert_eq!(to_listener(Message::text(text), numbered), expected);
    }
}
