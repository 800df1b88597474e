//! What the hub knows: the latest reading of each sensor, and what is owed to
//! each listener. No I/O and no time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use slab::Slab;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::{HubCounts, HubLimits};
use crate::sensors::Name;

/// Everything the hub knows.
#[derive(Debug)]
pub(super) struct State {
    limits: HubLimits,
    groups: BTreeMap<Name, Group>,
    listeners: Slab<Listener>,
    /// Sensors in all groups.
    sensors: usize,
    /// Of all their latest readings.
    bytes: usize,
    /// Named listeners, connected or away.
    named: usize,
    /// Connections of listeners so far: the name of the next.
    next_visit: u64,
    /// Clients connected.
    pub(super) connected: usize,
    pub(super) counts: HubCounts,
}

#[derive(Debug, Default)]
struct Group {
    sensors: BTreeMap<Name, Latest>,
    listeners: BTreeSet<usize>,
    named: BTreeMap<Name, usize>,
}

/// The latest reading of a sensor.
#[derive(Debug)]
struct Latest {
    /// The sensor's own number of it; 0 if it has none.
    sequence: u64,
    /// As listeners get it: with the sensor's name.
    message: Message,
}

#[derive(Debug)]
struct Listener {
    group: Name,
    named: bool,
    /// The connection it has, by number, and whom to tell there.
    visit: Option<u64>,
    notify: Arc<Notify>,
    /// The sensors up to this one have had their place in the queue; a reading
    /// of one beyond is not queued, since it will be the latest when its turn
    /// comes. `None` once that is all over.
    greeted: Option<Bound<Name>>,
    queue: VecDeque<Queued>,
    queue_bytes: usize,
    /// How many at the queue's front are sent and not acknowledged.
    sent: usize,
    next_sequence: u64,
}

/// A reading that is owed to a listener.
#[derive(Debug)]
struct Queued {
    sequence: u64,
    message: Message,
}

/// A limit has been reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Full;

/// A listener's connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Visit {
    slot: usize,
    number: u64,
}

impl State {
    pub(super) fn new(limits: HubLimits) -> Self {
        Self {
            limits,
            groups: BTreeMap::new(),
            listeners: Slab::new(),
            sensors: 0,
            bytes: 0,
            named: 0,
            next_visit: 0,
            connected: 0,
            counts: HubCounts::default(),
        }
    }

    /// Up to which number a sensor's readings are here; 0 if none is.
    pub(super) fn kept_up_to(&self, group: &Name, sensor: &Name) -> u64 {
        let group = self.groups.get(group);
        let latest = group.and_then(|group| group.sensors.get(sensor));
        latest.map_or(0, |latest| latest.sequence)
    }

    /// A sensor's reading has come, with a number or without. One with a number
    /// that is here already is a repeat, and changes nothing.
    pub(super) fn reading(
        &mut self,
        group: &Name,
        sensor: &Name,
        sequence: Option<u64>,
        payload: &Message,
    ) -> Result<(), Full> {
        let last = self.kept_up_to(group, sensor);
        if sequence.is_some_and(|sequence| sequence <= last) {
            self.counts.repeats += 1;
            return Ok(());
        }
        let of_group = self.groups.get(group);
        let known = of_group.and_then(|group| group.sensors.get(sensor));
        let replaced = known.map_or(0, |latest| latest.message.len());
        let message = prefixed(&format!("{sensor}\n"), payload);
        let bytes = self.bytes - replaced + message.len();
        let full = known.is_none() && self.sensors >= self.limits.sensors;
        if full || bytes > self.limits.readings_bytes {
            return Err(Full);
        }
        self.counts.readings += 1;
        self.sensors += usize::from(known.is_none());
        self.bytes = bytes;
        let latest = Latest {
            sequence: sequence.unwrap_or(last),
            message: message.clone(),
        };
        let group = self.groups.entry(Arc::clone(group)).or_default();
        group.sensors.insert(Arc::clone(sensor), latest);
        for slot in &group.listeners {
            let Some(listener) = self.listeners.get_mut(*slot) else {
                continue;
            };
            if !listener.is_greeted_by(sensor) {
                continue;
            }
            listener.push(message.clone());
            self.counts.dropped += listener.drop_oldest(&self.limits);
            listener.notify.notify_one();
        }
        Ok(())
    }

    /// A listener has connected; whoever was connected by its name has not any
    /// more.
    pub(super) fn listen(
        &mut self,
        group: &Name,
        name: Option<&Name>,
    ) -> Result<(Visit, Arc<Notify>), Full> {
        let number = self.next_visit;
        let notify = Arc::new(Notify::new());
        let entry = self.groups.entry(Arc::clone(group)).or_default();
        let known = name.and_then(|name| entry.named.get(name)).copied();
        if let Some(slot) = known
            && let Some(listener) = self.listeners.get_mut(slot)
        {
            listener.notify.notify_one();
            listener.notify = Arc::clone(&notify);
            listener.visit = Some(number);
            listener.sent = 0;
            self.next_visit += 1;
            notify.notify_one();
            return Ok((Visit { slot, number }, notify));
        }
        if name.is_some() && self.named >= self.limits.named_listeners {
            self.tidy(group);
            return Err(Full);
        }
        self.next_visit += 1;
        let slot = self.listeners.insert(Listener {
            group: Arc::clone(group),
            named: name.is_some(),
            visit: Some(number),
            notify: Arc::clone(&notify),
            greeted: Some(Bound::Unbounded),
            queue: VecDeque::new(),
            queue_bytes: 0,
            sent: 0,
            next_sequence: 1,
        });
        entry.listeners.insert(slot);
        if let Some(name) = name {
            self.named += 1;
            entry.named.insert(Arc::clone(name), slot);
        }
        notify.notify_one();
        Ok((Visit { slot, number }, notify))
    }

    /// What is to be sent to a listener next, at most so many; `None` if this
    /// connection is not the listener's any more.
    pub(super) fn take(&mut self, visit: Visit, most: usize) -> Option<Vec<Message>> {
        let mut messages = Vec::new();
        while messages.len() < most {
            match self.listener(visit)?.next() {
                Some(message) => messages.push(message),
                None if self.greet(visit) => {}
                None => break,
            }
        }
        self.counts.deliveries += messages.len() as u64;
        Some(messages)
    }

    /// A listener has everything up to this number. What it cannot have yet is
    /// not believed.
    pub(super) fn acknowledge(&mut self, visit: Visit, sequence: u64) {
        let Some(listener) = self.listener(visit) else {
            return;
        };
        while listener.sent > 0
            && let Some(first) = listener.queue.front()
            && first.sequence <= sequence
        {
            listener.pop();
        }
        // There may be room now for a greeting that waits.
        listener.notify.notify_one();
    }

    /// A listener's connection has ended. A named one remains.
    pub(super) fn leave(&mut self, visit: Visit) {
        let Some(listener) = self.listener(visit) else {
            return;
        };
        listener.visit = None;
        if !listener.named {
            let group = Arc::clone(&listener.group);
            self.listeners.remove(visit.slot);
            if let Some(entry) = self.groups.get_mut(&group) {
                entry.listeners.remove(&visit.slot);
            }
            self.tidy(&group);
        }
    }

    fn listener(&mut self, visit: Visit) -> Option<&mut Listener> {
        let listener = self.listeners.get_mut(visit.slot);
        listener.filter(|listener| listener.visit == Some(visit.number))
    }

    /// Queues the latest readings of sensors whose turn has not come, for as
    /// long as there is room. Whether there was any.
    fn greet(&mut self, visit: Visit) -> bool {
        let Some(listener) = self.listeners.get_mut(visit.slot) else {
            return false;
        };
        let Some(group) = self.groups.get(&listener.group) else {
            return false;
        };
        let mut some = false;
        while let Some(from) = listener.greeted.clone()
            && listener.has_room(&self.limits)
        {
            let next = group.sensors.range((from, Bound::Unbounded)).next();
            listener.greeted = next.map(|(sensor, _)| Bound::Excluded(Arc::clone(sensor)));
            if let Some((_, latest)) = next {
                listener.push(latest.message.clone());
                some = true;
            }
        }
        some
    }

    /// Forgets a group that nobody is in.
    fn tidy(&mut self, group: &Name) {
        let empty = |group: &Group| group.sensors.is_empty() && group.listeners.is_empty();
        if self.groups.get(group).is_some_and(empty) {
            self.groups.remove(group);
        }
    }
}

impl Listener {
    /// Whether this sensor has had its turn in the greeting.
    fn is_greeted_by(&self, sensor: &Name) -> bool {
        match &self.greeted {
            None => true,
            Some(Bound::Excluded(up_to)) => sensor <= up_to,
            Some(_) => false,
        }
    }

    fn push(&mut self, message: Message) {
        self.queue_bytes += message.len();
        self.queue.push_back(Queued {
            sequence: self.next_sequence,
            message,
        });
        self.next_sequence += 1;
    }

    /// What is to be sent next. Without a name, nothing is sent twice.
    fn next(&mut self) -> Option<Message> {
        if !self.named {
            return self.pop().map(|first| first.message);
        }
        let next = self.queue.get(self.sent)?;
        self.sent += 1;
        Some(prefixed(&format!("{} ", next.sequence), &next.message))
    }

    fn pop(&mut self) -> Option<Queued> {
        let first = self.queue.pop_front()?;
        self.queue_bytes -= first.message.len();
        self.sent = self.sent.saturating_sub(1);
        Some(first)
    }

    fn has_room(&self, limits: &HubLimits) -> bool {
        self.queue.len() < limits.queue_messages && self.queue_bytes < limits.queue_bytes
    }

    /// Drops what is too much, and says how many that was.
    fn drop_oldest(&mut self, limits: &HubLimits) -> u64 {
        let mut dropped = 0;
        while self.queue.len() > 1
            && (self.queue.len() > limits.queue_messages || self.queue_bytes > limits.queue_bytes)
        {
            self.pop();
            dropped += 1;
        }
        dropped
    }
}

/// The same message with this text in front.
fn prefixed(prefix: &str, message: &Message) -> Message {
    match message {
        Message::Text(text) => Message::text(format!("{prefix}{text}")),
        other => {
            let data: Bytes = other.clone().into_data();
            let mut bytes = BytesMut::with_capacity(prefix.len() + data.len());
            bytes.put_slice(prefix.as_bytes());
            bytes.put_slice(&data);
            Message::Binary(bytes.freeze())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(limits: HubLimits) -> State {
        State::new(limits)
    }

    fn send(state: &mut State, sensor: &str, payload: &str) {
        let sent = state.reading(&"g".into(), &sensor.into(), None, &Message::text(payload));
        sent.expect("room");
    }

    fn listen(state: &mut State, name: Option<&str>) -> Visit {
        let name = name.map(Name::from);
        state.listen(&"g".into(), name.as_ref()).expect("room").0
    }

    /// What a listener gets now, a line break as `=`.
    #[track_caller]
    fn check(state: &mut State, visit: Visit, expected: &[&str]) {
        let messages = state.take(visit, 1_000).expect("it is connected");
        let texts: Vec<_> = messages
            .iter()
            .map(|message| message.to_text().expect("text").replace('\n', "="))
            .collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_listener_gets_the_latest_of_each_sensor_and_then_everything() {
        let mut state = state(HubLimits::default());
        for (sensor, payload) in [("b", "1"), ("a", "1"), ("b", "2")] {
            send(&mut state, sensor, payload);
        }
        let visit = listen(&mut state, None);
        // It comes as the latest, and not twice.
        send(&mut state, "a", "2");
        check(&mut state, visit, &["a=2", "b=2"]);
        for payload in ["3", "4"] {
            send(&mut state, "b", payload);
        }
        check(&mut state, visit, &["b=3", "b=4"]);
        check(&mut state, visit, &[]);
    }

    #[test]
    fn a_full_queue_loses_its_oldest_and_a_greeting_waits_for_room() {
        let mut state = state(HubLimits {
            queue_messages: 2,
            ..HubLimits::default()
        });
        for sensor in ["a", "b", "c"] {
            send(&mut state, sensor, "1");
        }
        let named = listen(&mut state, Some("l"));
        check(&mut state, named, &["1 a=1", "2 b=1"]);
        send(&mut state, "c", "2");
        check(&mut state, named, &[]);
        state.acknowledge(named, 2);
        check(&mut state, named, &["3 c=2"]);
        state.acknowledge(named, 3);
        let visit = listen(&mut state, None);
        check(&mut state, visit, &["a=1", "b=1", "c=2"]);
        for payload in ["2", "3", "4"] {
            send(&mut state, "a", payload);
        }
        check(&mut state, visit, &["a=3", "a=4"]);
        check(&mut state, named, &["5 a=3", "6 a=4"]);
        assert_eq!(state.counts.dropped, 2);
    }

    #[test]
    fn a_reading_larger_than_a_queue_waits_alone() {
        let mut state = state(HubLimits {
            queue_bytes: 5,
            ..HubLimits::default()
        });
        let visit = listen(&mut state, None);
        check(&mut state, visit, &[]);
        send(&mut state, "a", "123456");
        check(&mut state, visit, &["a=123456"]);
        for payload in ["1", "1234567", "12"] {
            send(&mut state, "a", payload);
        }
        check(&mut state, visit, &["a=12"]);
        assert_eq!(state.counts.dropped, 2);
    }

    #[test]
    fn a_named_listener_gets_again_what_it_did_not_acknowledge() {
        let mut state = state(HubLimits::default());
        let first = listen(&mut state, Some("l"));
        for payload in ["1", "2", "3"] {
            send(&mut state, "a", payload);
        }
        // The first of all is the latest.
        check(&mut state, first, &["1 a=3"]);
        send(&mut state, "a", "4");
        check(&mut state, first, &["2 a=4"]);
        state.acknowledge(first, 1);
        state.leave(first);
        send(&mut state, "a", "5");
        let second = listen(&mut state, Some("l"));
        check(&mut state, second, &["2 a=4", "3 a=5"]);
        // Nobody can have what was not sent.
        send(&mut state, "a", "6");
        state.acknowledge(second, 99);
        check(&mut state, second, &["4 a=6"]);
        let third = listen(&mut state, Some("l"));
        assert!(state.take(second, 1).is_none(), "its name was taken over");
        state.leave(second);
        check(&mut state, third, &["4 a=6"]);
    }

    #[test]
    fn a_repeated_reading_is_not_delivered_again() {
        let mut state = state(HubLimits::default());
        let visit = listen(&mut state, None);
        for (sequence, payload) in [(1, "1"), (2, "2"), (1, "1"), (2, "2"), (5, "5")] {
            let message = Message::text(payload);
            let taken = state.reading(&"g".into(), &"a".into(), Some(sequence), &message);
            taken.expect("room");
            if sequence == 1 {
                state.take(visit, 1).expect("it is connected");
            }
        }
        assert_eq!(state.kept_up_to(&"g".into(), &"a".into()), 5);
        assert_eq!(state.counts.repeats, 2);
        assert_eq!(state.counts.readings, 3);
    }

    #[test]
    fn all_latest_readings_together_have_so_much_room() {
        let mut state = state(HubLimits {
            readings_bytes: 10,
            ..HubLimits::default()
        });
        let taken = |state: &mut State, sensor: &str, payload: &str| {
            let message = Message::text(payload);
            state.reading(&"g".into(), &sensor.into(), None, &message)
        };
        // Each has its sensor's name and a line feed in front.
        assert_eq!(taken(&mut state, "a", "1234"), Ok(()));
        assert_eq!(taken(&mut state, "b", "123"), Err(Full));
        assert_eq!(taken(&mut state, "b", "12"), Ok(()));
        assert_eq!(taken(&mut state, "b", "21"), Ok(()));
        assert_eq!(taken(&mut state, "a", "12345"), Err(Full));
        let visit = listen(&mut state, None);
        check(&mut state, visit, &["a=1234", "b=21"]);
    }

    #[test]
    fn at_its_limits_the_hub_takes_nobody_new() {
        let mut state = state(HubLimits {
            sensors: 1,
            named_listeners: 1,
            ..HubLimits::default()
        });
        send(&mut state, "a", "1");
        let payload = Message::text("1");
        let second = state.reading(&"g".into(), &"b".into(), None, &payload);
        assert_eq!(second, Err(Full));
        send(&mut state, "a", "2");
        listen(&mut state, Some("l"));
        let other = state.listen(&"other".into(), Some(&"m".into()));
        assert!(other.is_err());
        assert!(!state.groups.contains_key("other"), "nothing of it is left");
        let visit = listen(&mut state, None);
        state.leave(visit);
        assert_eq!(state.listeners.len(), 1);
    }
}
