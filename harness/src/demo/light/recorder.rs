//! A recorder: it subscribes to everything and stores it, since history is a
//! client's job. A broker keeps the last message of a topic, and not even when
//! that came.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use time::format_description::well_known::Rfc3339;
use time::{Month, OffsetDateTime};

use super::client::Client;
use super::room::Room;
use super::wired;

/// Readings that it keeps; the oldest go first.
const READINGS_MAX: usize = 10_000;

/// A message as it came.
#[derive(Clone, Debug)]
struct Reading {
    at: OffsetDateTime,
    topic: String,
    value: String,
}

/// A reading as it is told.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    /// When the recorder got it, as RFC 3339 writes it, in UTC.
    at: String,
    topic: String,
    value: String,
}

/// A recorder.
pub(super) struct Recorder {
    readings: Arc<Mutex<VecDeque<Reading>>>,
    _client: Client,
}

impl Recorder {
    pub(super) fn new(broker: SocketAddr, room: Arc<Room>) -> Self {
        let readings = Arc::<Mutex<VecDeque<Reading>>>::default();
        let store = Arc::clone(&readings);
        let client = Client::listening("recorder", Some("#"), wired(broker), move |publish| {
            // What is retained was set some time before, and is no news.
            if publish.retain {
                return;
            }
            let mut store = store.lock();
            if store.len() == READINGS_MAX {
                store.pop_front();
            }
            store.push_back(Reading {
                at: OffsetDateTime::now_utc(),
                topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                value: String::from_utf8_lossy(&publish.payload).into_owned(),
            });
            room.change(|sight| sight.recorded = store.len());
        });
        Self {
            readings,
            _client: client,
        }
    }

    /// The readings of one month, in the order in which they came.
    pub(super) fn of_month(&self, year: i32, month: Month) -> Vec<Told> {
        let readings = self.readings.lock();
        let of_month = readings
            .iter()
            .filter(|reading| (reading.at.year(), reading.at.month()) == (year, month));
        of_month.map(Reading::told).collect()
    }
}

impl Reading {
    fn told(&self) -> Told {
        Told {
            // Only a year that has five digits cannot be written so.
            at: self.at.format(&Rfc3339).unwrap_or_default(),
            topic: self.topic.clone(),
            value: self.value.clone(),
        }
    }
}

/// A month by its name in English, or its number.
pub(super) fn month(text: &str) -> Option<Month> {
    let named = |month: &Month| month.to_string().eq_ignore_ascii_case(text);
    let mut months = (1..=12).filter_map(|number| Month::try_from(number).ok());
    match text.parse::<u8>() {
        Ok(number) => Month::try_from(number).ok(),
        Err(_) => months.find(named),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("april", Some(Month::April))]
    #[case("April", Some(Month::April))]
    #[case("4", Some(Month::April))]
    #[case("04", Some(Month::April))]
    #[case("0", None)]
    #[case("13", None)]
    #[case("260", None)]
    #[case("", None)]
    #[case("winter", None)]
    fn a_month_has_a_name_or_a_number(#[case] text: &str, #[case] is: Option<Month>) {
        assert_eq!(month(text), is);
    }

    #[test]
    fn a_reading_is_told_with_its_time() {
        let reading = Reading {
            at: OffsetDateTime::from_unix_timestamp(1_586_000_000).expect("a time"),
            topic: "house/light".to_owned(),
            value: "42".to_owned(),
        };
        let told = serde_json::to_string(&reading.told()).expect("JSON");
        assert_eq!(
            told,
            r#"{"at":"2020-04-04T11:33:20Z","topic":"house/light","value":"42"}"#
        );
    }
}
