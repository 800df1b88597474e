//! What the REST server knows: the latest reading of each sensor, and who waits
//! for the next one. No I/O and no time.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::HeaderValue;
use tokio::sync::Notify;

use super::ask::Id;
use super::{HttpCounts, HttpLimits};
use crate::sensors::Name;

/// Everything the server knows.
#[derive(Debug)]
pub(super) struct State {
    limits: HttpLimits,
    groups: BTreeMap<Name, Group>,
    /// Sensors in all groups.
    sensors: usize,
    /// Of all their readings.
    bytes: usize,
    /// That of the newest reading of all.
    position: u64,
    pub(super) counts: HttpCounts,
}

#[derive(Debug, Default)]
struct Group {
    sensors: BTreeMap<Name, Latest>,
    /// The same sensors, those with the newest readings last.
    by_position: BTreeMap<u64, Name>,
    /// Tells those who wait that a reading has come.
    news: Arc<Notify>,
    waiting: usize,
}

/// The latest reading of a sensor.
#[derive(Clone, Debug)]
pub(super) struct Latest {
    /// The sensor's own number of it; 0 if it has none.
    number: u64,
    pub(super) position: u64,
    pub(super) reading: Reading,
}

/// A reading as it was posted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Reading {
    pub(super) content_type: Option<HeaderValue>,
    pub(super) payload: Bytes,
}

impl Reading {
    fn bytes(&self) -> usize {
        let content_type = self.content_type.as_ref().map_or(0, HeaderValue::len);
        content_type + self.payload.len()
    }
}

/// A limit has been reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Full;

impl State {
    pub(super) fn new(limits: HttpLimits, position: u64) -> Self {
        Self {
            limits,
            groups: BTreeMap::new(),
            sensors: 0,
            bytes: 0,
            position,
            counts: HttpCounts::default(),
        }
    }

    /// A sensor's latest reading.
    pub(super) fn latest(&self, id: &Id) -> Option<&Latest> {
        self.groups.get(&id.group)?.sensors.get(&id.sensor)
    }

    /// A reading has come, with a number or without. One with a number that is
    /// here already is a repeat, and changes nothing.
    pub(super) fn post(
        &mut self,
        id: &Id,
        number: Option<u64>,
        reading: Reading,
    ) -> Result<(), Full> {
        let known = self.latest(id);
        let last = known.map_or(0, |latest| latest.number);
        if number.is_some_and(|number| number <= last) {
            self.counts.repeats += 1;
            return Ok(());
        }
        let replaced = known.map_or(0, |latest| latest.reading.bytes());
        let bytes = self.bytes - replaced + reading.bytes();
        let full = known.is_none() && self.sensors >= self.limits.sensors;
        if full || bytes > self.limits.readings_bytes {
            return Err(Full);
        }
        self.bytes = bytes;
        self.counts.readings += 1;
        self.position += 1;
        let latest = Latest {
            number: number.unwrap_or(last),
            position: self.position,
            reading,
        };
        let group = self.groups.entry(Arc::clone(&id.group)).or_default();
        match group.sensors.insert(Arc::clone(&id.sensor), latest) {
            Some(replaced) => {
                group.by_position.remove(&replaced.position);
            }
            None => self.sensors += 1,
        }
        let sensor = Arc::clone(&id.sensor);
        group.by_position.insert(self.position, sensor);
        group.news.notify_waiters();
        Ok(())
    }

    /// The latest readings of a group that came after a position, as the body of
    /// an answer; `None` if there are none.
    pub(super) fn feed(&mut self, group: &Name, after: u64) -> Option<Bytes> {
        // Such a one was given by an earlier server, if at all.
        let after = if after > self.position { 0 } else { after };
        let group = self.groups.get(group)?;
        let mut body = Vec::new();
        for (position, sensor) in group.by_position.range(after.checked_add(1)?..) {
            let Some(latest) = group.sensors.get(sensor) else {
                continue;
            };
            let payload = &latest.reading.payload;
            let end = body.len();
            // A Vec takes everything.
            let _ = writeln!(body, "{position} {sensor} {}", payload.len());
            body.extend_from_slice(payload);
            if end > 0 && body.len() > self.limits.feed_bytes {
                body.truncate(end);
                break;
            }
            self.counts.deliveries += 1;
        }
        (!body.is_empty()).then(|| body.into())
    }

    /// Somebody waits for a reading of this group, and is told so by this.
    pub(super) fn wait(&mut self, group: &Name) -> Arc<Notify> {
        let group = self.groups.entry(Arc::clone(group)).or_default();
        group.waiting += 1;
        Arc::clone(&group.news)
    }

    /// Somebody waits no longer.
    pub(super) fn waited(&mut self, name: &Name) {
        if let Some(group) = self.groups.get_mut(name) {
            group.waiting -= 1;
            if group.waiting == 0 && group.sensors.is_empty() {
                self.groups.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(sensor: &str) -> Id {
        Id {
            group: "g".into(),
            sensor: sensor.into(),
        }
    }

    fn reading(payload: &str) -> Reading {
        Reading {
            content_type: None,
            payload: Bytes::copy_from_slice(payload.as_bytes()),
        }
    }

    fn post(state: &mut State, sensor: &str, payload: &str) {
        let taken = state.post(&id(sensor), None, reading(payload));
        taken.expect("room");
    }

    /// What the feed says after a position, a line break as `=`.
    fn feed(state: &mut State, after: u64) -> Option<String> {
        let body = state.feed(&"g".into(), after)?;
        let text = String::from_utf8(body.to_vec()).expect("text");
        Some(text.replace('\n', "="))
    }

    #[test]
    fn a_feed_has_the_latest_of_each_sensor_after_a_position() {
        let mut state = State::new(HttpLimits::default(), 0);
        assert_eq!(feed(&mut state, 0), None);
        for (sensor, payload) in [("b", "1"), ("a", "22"), ("b", "333")] {
            post(&mut state, sensor, payload);
        }
        assert_eq!(feed(&mut state, 0).as_deref(), Some("2 a 2=223 b 3=333"));
        assert_eq!(feed(&mut state, 2).as_deref(), Some("3 b 3=333"));
        assert_eq!(feed(&mut state, 3), None);
        assert_eq!(state.counts.deliveries, 3);
        assert_eq!(state.feed(&"other".into(), 0), None);
    }

    #[test]
    fn after_a_restart_an_old_position_misses_nothing() {
        let mut before = State::new(HttpLimits::default(), 0);
        for payload in ["1", "2", "3"] {
            post(&mut before, "a", payload);
        }
        for first_position in [0, 1_000] {
            let mut after = State::new(HttpLimits::default(), first_position);
            post(&mut after, "a", "4");
            let expected = format!("{} a 1=4", first_position + 1);
            assert_eq!(feed(&mut after, 3), Some(expected));
        }
        assert_eq!(feed(&mut before, u64::MAX).as_deref(), Some("3 a 1=3"));
    }

    #[test]
    fn an_answer_has_a_reading_at_least_and_the_rest_comes_with_the_next() {
        let limits = HttpLimits {
            feed_bytes: 20,
            ..HttpLimits::default()
        };
        let mut state = State::new(limits, 0);
        for (sensor, payload) in [("a", "1"), ("b", "2"), ("c", "3"), ("d", &"4".repeat(99))] {
            post(&mut state, sensor, payload);
        }
        assert_eq!(feed(&mut state, 0).as_deref(), Some("1 a 1=12 b 1=2"));
        assert_eq!(feed(&mut state, 2).as_deref(), Some("3 c 1=3"));
        let last = feed(&mut state, 3).expect("one more");
        assert!(last.starts_with("4 d 99=4"), "{last}");
        assert_eq!(state.counts.deliveries, 4);
    }

    #[test]
    fn a_repeated_reading_changes_nothing() {
        let mut state = State::new(HttpLimits::default(), 0);
        for (number, payload) in [(1, "1"), (2, "2"), (1, "1"), (2, "x"), (5, "5")] {
            let taken = state.post(&id("a"), Some(number), reading(payload));
            taken.expect("room");
        }
        assert_eq!(feed(&mut state, 0).as_deref(), Some("3 a 1=5"));
        assert_eq!((state.counts.readings, state.counts.repeats), (3, 2));
        // One without a number is none, and those that have one go on.
        post(&mut state, "a", "6");
        let again = state.post(&id("a"), Some(5), reading("5"));
        again.expect("room");
        assert_eq!(feed(&mut state, 3).as_deref(), Some("4 a 1=6"));
    }

    #[test]
    fn at_its_limit_the_server_takes_no_new_sensor() {
        let limits = HttpLimits {
            sensors: 1,
            ..HttpLimits::default()
        };
        let mut state = State::new(limits, 0);
        post(&mut state, "a", "1");
        assert_eq!(state.post(&id("b"), None, reading("1")), Err(Full));
        post(&mut state, "a", "2");
        assert_eq!(feed(&mut state, 0).as_deref(), Some("2 a 1=2"));
    }

    #[test]
    fn all_readings_together_have_so_much_room() {
        let limits = HttpLimits {
            readings_bytes: 10,
            ..HttpLimits::default()
        };
        let mut state = State::new(limits, 0);
        post(&mut state, "a", "123456");
        assert_eq!(state.post(&id("b"), None, reading("12345")), Err(Full));
        post(&mut state, "b", "1234");
        // A reading makes room for the next of its sensor, and for no more.
        post(&mut state, "b", "4321");
        assert_eq!(state.post(&id("b"), None, reading("12345")), Err(Full));
        post(&mut state, "a", "1");
        post(&mut state, "c", "12345");
        let all = "3 b 4=43214 a 1=15 c 5=12345";
        assert_eq!(feed(&mut state, 0).as_deref(), Some(all));
    }

    #[test]
    fn a_group_that_was_only_waited_for_is_forgotten() {
        let mut state = State::new(HttpLimits::default(), 0);
        for _ in 0..2 {
            state.wait(&"g".into());
        }
        state.waited(&"g".into());
        assert_eq!(state.groups.len(), 1);
        state.waited(&"g".into());
        assert_eq!(state.groups.len(), 0);
    }
}
