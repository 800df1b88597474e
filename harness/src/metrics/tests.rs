//! Small stories, and what is counted of them.

use super::*;
use crate::trace::Packet;
use rstest::rstest;

const SENSOR: DeviceId = DeviceId(0);
const RECORDER: DeviceId = DeviceId(1);
/// Has the recorder's client identifier.
const TWIN: DeviceId = DeviceId(2);

fn wanted(filter: &str) -> Wanted {
    Wanted {
        filter: filter.to_owned(),
        no_local: false,
    }
}

/// A sensor and a recorder of `t`; feeds events at one second each.
struct Story {
    metrics: Metrics,
    texts: Texts,
    now: Nanos,
}

impl Story {
    fn new(clean_session: bool) -> Story {
        let fleet = |name: &str, first_device, subscribers| FleetInfo {
            name: name.to_owned(),
            first_device,
            server: Server::Broker,
            clean_session,
            subscribers,
        };
        let fleets = vec![
            fleet("sensor", 0, Vec::new()),
            fleet(
                "recorder",
                1,
                vec![("recorder".to_owned(), vec![wanted("t")]); 2],
            ),
        ];
        let metrics = Metrics::new(fleets, 60_000_000_000);
        Story {
            metrics,
            texts: Texts::default(),
            now: 0,
        }
    }

    fn then(mut self, device: DeviceId, event: ClientEvent) -> Story {
        self.now += 1_000_000_000;
        let event = Event::Client(device, event);
        self.metrics.see(
            &Entry {
                at: self.now,
                host: 0,
                event,
            },
            &self.texts,
        );
        self
    }

    fn subscribe(mut self) -> Story {
        let filter = self.texts.id("t");
        let granted = Some(Qos::AtLeastOnce);
        self.then(RECORDER, ClientEvent::Subscribed { filter, granted })
    }

    fn message(&mut self, retain: bool) -> Message {
        let topic = self.texts.id("t");
        Message {
            topic,
            qos: Qos::AtLeastOnce,
            retain,
            payload_bytes: 3,
            payload_hash: 1,
        }
    }

    fn publish(mut self, sequence: u32) -> Story {
        let message = self.message(false);
        let id = MessageId::new(SENSOR, sequence);
        self.then(SENSOR, ClientEvent::Published { id, message })
    }

    fn acknowledge(self, sequence: u32) -> Story {
        let id = MessageId::new(SENSOR, sequence);
        self.then(SENSOR, ClientEvent::Acknowledged { id })
    }

    fn deliver(mut self, sequence: u32, retain: bool) -> Story {
        let message = self.message(retain);
        let id = Some(MessageId::new(SENSOR, sequence));
        self.then(
            RECORDER,
            ClientEvent::Delivered {
                id,
                dup: false,
                message_expiry_s: None,
                message,
            },
        )
    }

    fn total(mut self) -> Counts {
        self.metrics.arrived().total
    }
}

fn counts(published: u64, acknowledged: u64, owed: u64, delivered: u64) -> Counts {
    let lost = owed - delivered;
    Counts {
        published,
        acknowledged,
        owed,
        delivered,
        lost,
        duplicated: 0,
    }
}

#[test]
fn a_reading_is_owed_from_the_suback_on() {
    let story = Story::new(true)
        .publish(1)
        .subscribe()
        .publish(2)
        .acknowledge(2)
        .deliver(2, false);
    assert_eq!(story.total(), counts(2, 1, 1, 1));
}

#[test]
fn a_clean_session_is_owed_nothing_while_away() {
    let story = Story::new(true)
        .subscribe()
        .then(RECORDER, ClientEvent::DisconnectedClean)
        .publish(1);
    assert_eq!(story.total(), counts(1, 0, 0, 0));
}

#[test]
fn a_persistent_session_is_owed_what_comes_while_away() {
    let story = Story::new(false)
        .subscribe()
        .then(RECORDER, ClientEvent::DisconnectedClean)
        .publish(1);
    assert_eq!(story.total(), counts(1, 0, 1, 0));
}

#[test]
fn devices_of_one_client_identifier_share_what_is_owed() {
    let mut story = Story::new(false).subscribe().publish(1);
    let delivered = ClientEvent::Delivered {
        id: Some(MessageId::new(SENSOR, 1)),
        dup: false,
        message_expiry_s: None,
        message: story.message(false),
    };
    assert_eq!(story.then(TWIN, delivered).total(), counts(1, 0, 1, 1));
}

#[test]
fn a_session_the_server_lost_is_owed_nothing_more() {
    let story = Story::new(false)
        .subscribe()
        .then(
            RECORDER,
            ClientEvent::Connected {
                session_present: false,
            },
        )
        .publish(1);
    assert_eq!(story.total(), counts(1, 0, 0, 0));
}

#[test]
fn a_second_arrival_is_a_duplicate_and_a_retained_one_is_not() {
    let story = Story::new(true).subscribe().publish(1).deliver(1, false);
    let story = story.deliver(1, true).deliver(1, false);
    assert_eq!(
        story.total(),
        Counts {
            duplicated: 1,
            ..counts(1, 0, 1, 1)
        }
    );
}

#[test]
fn what_nobody_was_owed_is_received_and_not_delivered() {
    let mut story = Story::new(true).publish(1).subscribe().deliver(1, true);
    let arrived = story.metrics.arrived();
    assert_eq!(arrived.total, counts(1, 0, 0, 0));
    assert_eq!(
        (arrived.receivers[0].received, arrived.receivers[0].retained),
        (1, 1)
    );
}

#[test]
fn latency_is_from_publish_to_first_arrival() {
    let mut story = Story::new(true)
        .subscribe()
        .publish(1)
        .deliver(1, false)
        .deliver(1, false);
    let latency = story.metrics.arrived().latency.expect("one delivery");
    assert_eq!(
        (
            latency.count,
            latency.latency_ns_p50,
            latency.latency_ns_max
        ),
        (1, 1_000_000_000, 1_000_000_000)
    );
    let over_time = story.metrics.latency_over_time();
    assert_eq!(
        over_time
            .buckets
            .last()
            .map(|bucket| (bucket.start_ns, bucket.count)),
        Some((2_000_000_000, 1))
    );
}

#[test]
fn the_share_of_the_acknowledged_counts_whichever_came_first() {
    let story = Story::new(true)
        .subscribe()
        .publish(1)
        .publish(2)
        .publish(3);
    let story = story
        .deliver(1, false)
        .acknowledge(1)
        .acknowledge(2)
        .deliver(2, false);
    let story = story.acknowledge(3);
    assert_eq!(story.metrics.acknowledged_share(), (2, 3));
}

#[test]
fn a_group_is_owed_a_message_once() {
    let shared = "$share/g/t";
    let fleet = |name: &str, first_device, subscribers| FleetInfo {
        name: name.to_owned(),
        first_device,
        server: Server::Broker,
        clean_session: true,
        subscribers,
    };
    let member = |name: &str| (name.to_owned(), vec![wanted(shared)]);
    let fleets = vec![
        fleet("sensor", 0, Vec::new()),
        fleet("worker", 1, vec![member("worker-1"), member("worker-2")]),
    ];
    let mut story = Story {
        metrics: Metrics::new(fleets, 60_000_000_000),
        texts: Texts::default(),
        now: 0,
    };
    let filter = story.texts.id(shared);
    let subscribed = ClientEvent::Subscribed {
        filter,
        granted: Some(Qos::AtLeastOnce),
    };
    let message = story.message(false);
    let delivered = ClientEvent::Delivered {
        id: Some(MessageId::new(SENSOR, 1)),
        dup: false,
        message_expiry_s: None,
        message,
    };
    let story = story
        .then(RECORDER, subscribed)
        .then(TWIN, subscribed)
        .publish(1)
        .publish(2)
        .then(TWIN, delivered);
    assert_eq!(story.total(), counts(2, 0, 2, 1));
}

/// A sensor of the broker's, and a recorder of another server's.
fn recorder_of(server: Server) -> Story {
    let fleet = |name: &str, first_device, server, subscribers| FleetInfo {
        name: name.to_owned(),
        first_device,
        server,
        clean_session: true,
        subscribers,
    };
    let recorder = vec![("recorder".to_owned(), vec![wanted("t")])];
    let fleets = vec![
        fleet("sensor", 0, Server::Broker, Vec::new()),
        fleet("recorder", 1, server, recorder),
    ];
    Story {
        metrics: Metrics::new(fleets, 60_000_000_000),
        texts: Texts::default(),
        now: 0,
    }
}

/// A listener of the hub is not owed what goes to the broker, nor to end with it.
#[rstest]
#[case(Server::Broker, 1)]
#[case(Server::Hub, 0)]
fn what_one_server_is_sent_another_owes_nobody(#[case] server: Server, #[case] owed: u64) {
    let mut story = recorder_of(server).subscribe().publish(1);
    let message = story.message(false);
    let mut story = reached(story, Some(MessageId::new(SENSOR, 1)), false, message);
    assert_eq!(story.metrics.last_value_share(&story.texts), (0, owed));
    assert_eq!(story.metrics.arrived().total.owed, owed);
}

#[test]
fn what_expired_is_owed_no_more() {
    let mut story = Story::new(false).subscribe().publish(1).acknowledge(1);
    let client = story.texts.id("recorder");
    let id = Some(MessageId::new(SENSOR, 1));
    let cause = DropCause::Expired;
    let event = Event::Session(client, SessionEvent::MessageDropped { id, cause });
    let entry = Entry {
        at: story.now,
        host: 0,
        event,
    };
    story.metrics.see(&entry, &story.texts);
    assert_eq!(story.metrics.acknowledged_share(), (0, 0));
    assert_eq!(story.total(), counts(1, 1, 0, 0));
}

#[test]
fn its_own_messages_are_not_owed_to_who_does_not_want_them() {
    let owed = |no_local| {
        let talk = Wanted {
            no_local,
            ..wanted("t")
        };
        let peers = FleetInfo {
            name: "peer".to_owned(),
            first_device: 0,
            server: Server::Broker,
            clean_session: true,
            subscribers: vec![("peer-1".to_owned(), vec![talk])],
        };
        let mut story = Story {
            metrics: Metrics::new(vec![peers], 60_000_000_000),
            texts: Texts::default(),
            now: 0,
        };
        let filter = story.texts.id("t");
        let granted = Some(Qos::AtLeastOnce);
        let subscribed = ClientEvent::Subscribed { filter, granted };
        story.then(SENSOR, subscribed).publish(1).total().owed
    };
    assert_eq!((owed(false), owed(true)), (1, 0));
}

/// A PUBLISH with this payload reaches the server.
fn reached(mut story: Story, id: Option<MessageId>, dup: bool, message: Message) -> Story {
    let packet = Packet {
        name: "PUBLISH",
        packet_id: Some(1),
        publish: Some((id, dup, message)),
        client: None,
    };
    let entry = Entry {
        at: story.now,
        host: 0,
        event: Event::Server(0, ServerEvent::Received(packet)),
    };
    story.metrics.see(&entry, &story.texts);
    story
}

/// A message reaches the recorder, whatever it carries.
fn seen(story: Story, id: Option<MessageId>, message: Message) -> Story {
    let delivered = ClientEvent::Delivered {
        id,
        dup: false,
        message_expiry_s: None,
        message,
    };
    story.then(RECORDER, delivered)
}

/// Values of one topic: what reaches the server, then what reaches the
/// recorder, each a number that stands for a payload; 0 for none.
#[rstest]
#[case::the_last_arrives(&[1, 2], &[1, 2], true)]
#[case::the_last_is_lost(&[1, 2], &[1], false)]
#[case::an_older_one_comes_back(&[1, 2], &[1, 2, 1], false)]
#[case::nothing_arrives(&[1], &[], false)]
#[case::it_is_cleared_before_anybody_comes(&[1, 0], &[], true)]
#[case::it_is_cleared_and_that_arrives(&[1, 0], &[1, 0], true)]
#[case::it_is_cleared_and_that_is_lost(&[1, 0], &[1], false)]
fn ends_at_the_last_value(#[case] set: &[u64], #[case] came: &[u64], #[case] ended_there: bool) {
    let mut story = Story::new(true).subscribe();
    let template = story.message(true);
    let message = |payload: u64| Message {
        payload_bytes: u32::from(payload > 0),
        payload_hash: payload,
        ..template
    };
    let id = |payload: u64| (payload > 0).then(|| MessageId::new(SENSOR, payload as u32));
    for payload in set {
        story = reached(story, id(*payload), false, message(*payload));
    }
    for payload in came {
        story = seen(story, id(*payload), message(*payload));
    }
    let share = story.metrics.last_value_share(&story.texts);
    assert_eq!(share, (u64::from(ended_there), 1));
}

#[test]
fn the_last_value_is_what_was_set_and_no_repeat_or_will() {
    let id = |sequence| Some(MessageId::new(SENSOR, sequence));
    let mut story = Story::new(true).subscribe();
    let template = story.message(true);
    let message = |payload_hash| Message {
        qos: Qos::ExactlyOnce,
        payload_hash,
        ..template
    };
    let story = reached(story, id(1), false, message(1));
    let story = reached(story, id(2), false, message(2));
    let story = reached(story, id(1), true, message(1));
    let story = seen(seen(story, id(2), message(2)), None, message(3));
    assert_eq!(story.metrics.last_value_share(&story.texts), (1, 1));
}

#[test]
fn a_topic_alias_stands_for_the_topic_published_to() {
    let mut story = Story::new(true).subscribe().publish(1);
    let message = story.message(false);
    let topic = story.texts.id("");
    let aliased = Message { topic, ..message };
    let story = reached(story, Some(MessageId::new(SENSOR, 1)), false, aliased);
    let story = story.deliver(1, false);
    assert_eq!(story.metrics.last_value_share(&story.texts), (1, 1));
}

#[test]
fn who_has_unsubscribed_is_to_have_no_last_value() {
    let mut story = Story::new(true).subscribe();
    let (filter, message) = (story.texts.id("t"), story.message(true));
    let story = reached(story, None, false, message);
    let story = story.then(RECORDER, ClientEvent::Unsubscribing { filter });
    assert_eq!(story.metrics.last_value_share(&story.texts), (0, 0));
    let story = story.subscribe();
    assert_eq!(story.metrics.last_value_share(&story.texts), (0, 1));
}
