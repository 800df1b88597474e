//! The messages of a run that are told one by one, each step by step.

use serde::Serialize;

use crate::{
    figures::{clock, count, counted, duration},
    layout::clean,
    model::{FaultSpan, Report},
    story::{Fate, Message, Step, Story},
};

/// Faults that are told beside one message.
const FAULTS_MAX: usize = 12;

/// The messages as the template takes them.
#[derive(Serialize)]
pub(super) struct Messages {
    /// Which of them are told.
    extent: String,
    fates: Vec<FateCount>,
    messages: Vec<Told>,
}

/// How many messages met a fate.
#[derive(Serialize)]
struct FateCount {
    fate: &'static str,
    mark: &'static str,
    words: &'static str,
    number: usize,
}

/// A message.
#[derive(Serialize)]
struct Told {
    anchor: String,
    sought: String,
    id: String,
    fate: &'static str,
    mark: &'static str,
    fleet: String,
    publisher: String,
    topic: String,
    published: String,
    /// What it was and what became of it, a phrase each.
    facts: Vec<String>,
    /// The guarantees that it shows to be violated.
    violates: Vec<String>,
    /// Who takes part, from the publisher over the server to the receivers.
    parties: Vec<String>,
    steps: Vec<Row>,
}

/// A step. Times are nanoseconds of the run, parties are numbers of those above.
#[derive(Serialize)]
struct Row {
    at: String,
    since: String,
    who: String,
    what: String,
    /// When the packet arrived, or that it did not.
    then: String,
    /// The same since the publishing.
    arrived_since: String,
    lost: bool,
    /// Whether it is the weather's, and so everyone's.
    weather: bool,
    from: Option<usize>,
    to: Option<usize>,
    left_ns: Option<u64>,
    arrived_ns: Option<u64>,
}

/// What links call a message.
pub(super) fn anchor(message: &Message) -> String {
    format!("message-{}", clean(&message.id))
}

/// What a search finds a message by.
pub(super) fn sought(message: &Message) -> String {
    let Message {
        id,
        publisher,
        topic,
        ..
    } = message;
    clean(&format!("{id} {publisher} {topic}"))
}

/// The fate's class in the style sheet, and its name among filters.
pub(super) fn fate_name(fate: Fate) -> &'static str {
    match fate {
        Fate::Violated => "violated",
        Fate::Lost => "lost",
        Fate::Repeated => "repeated",
        Fate::Delivered => "delivered",
        Fate::Unheard => "unheard",
    }
}

/// The fate in words.
pub(super) fn fate_words(fate: Fate) -> &'static str {
    match fate {
        Fate::Violated => "violates a guarantee",
        Fate::Lost => "not delivered everywhere",
        Fate::Repeated => "delivered more than once",
        Fate::Delivered => "delivered",
        Fate::Unheard => "nobody listened",
    }
}

fn fate_mark(fate: Fate) -> &'static str {
    match fate {
        Fate::Violated | Fate::Lost => "✘",
        Fate::Repeated => "≈",
        Fate::Delivered => "✔",
        Fate::Unheard => "–",
    }
}

impl Messages {
    pub(super) fn new(report: &Report, story: &Story) -> Self {
        let messages = story.messages.iter();
        let told = story.messages.len() as u64;
        let mut extent = match story.messages_total {
            total if total == told => counted(told, "message"),
            total => format!("{} of {}", count(told), counted(total, "message")),
        };
        if story.messages_lost > 0 {
            let lost = count(story.messages_lost);
            extent.push_str(&format!("; {lost} of all were not delivered everywhere"));
        }
        let fates = Fate::ALL.into_iter().map(|fate| FateCount {
            fate: fate_name(fate),
            mark: fate_mark(fate),
            words: fate_words(fate),
            number: story
                .messages
                .iter()
                .filter(|message| message.fate() == fate)
                .count(),
        });
        Self {
            extent,
            fates: fates.filter(|fate| fate.number > 0).collect(),
            messages: messages
                .map(|message| Told::new(message, &report.weather.faults))
                .collect(),
        }
    }
}

impl Told {
    fn new(message: &Message, faults: &[FaultSpan]) -> Self {
        let steps = with_weather(message, faults);
        let parties = parties(message);
        let retain = if message.retain { ", RETAIN" } else { "" };
        let since = |ns: u64| duration(ns.saturating_sub(message.published_ns));
        let payload = count(message.payload_bytes);
        let mut facts = vec![match &message.protocol {
            None => format!("{payload} B, QoS {}{retain}", message.qos),
            Some(protocol) => format!("{payload} B over {}", clean(protocol)),
        }];
        facts.extend(
            message
                .acknowledged_ns
                .map(|at| format!("acknowledged after {}", since(at))),
        );
        if message.acknowledged_ns.is_none() && message.qos > 0 {
            facts.push("never acknowledged".to_owned());
        }
        facts.extend(
            message
                .given_up
                .as_ref()
                .map(|why| format!("given up: {}", clean(why))),
        );
        facts.push(match (message.delivered, message.arrived_ns) {
            (0, _) | (_, None) => "delivered to nobody".to_owned(),
            (1, Some(at)) => format!("delivered after {}", since(at)),
            (devices, Some(at)) => {
                format!(
                    "delivered to {} devices, first after {}",
                    count(devices),
                    since(at)
                )
            }
        });
        if message.missing > 0 {
            facts.push(format!("{} missing", counted_deliveries(message.missing)));
        }
        if message.repeated > 0 {
            facts.push(format!("{} again", counted_deliveries(message.repeated)));
        }
        if message.receivers_left_out > 0 {
            let left_out = counted(message.receivers_left_out, "receiver");
            facts.push(format!("{left_out} not shown"));
        }
        let rows = steps.iter().map(|step| Row::new(step, message, &parties));
        Self {
            anchor: anchor(message),
            sought: sought(message),
            id: clean(&message.id),
            fate: fate_name(message.fate()),
            mark: fate_mark(message.fate()),
            fleet: clean(&message.fleet),
            publisher: clean(&message.publisher),
            topic: clean(&message.topic),
            published: clock(message.published_ns),
            facts,
            violates: message.violates.iter().map(|name| clean(name)).collect(),
            steps: rows.collect(),
            parties: parties.iter().map(|party| clean(party)).collect(),
        }
    }
}

fn counted_deliveries(number: u64) -> String {
    match number {
        1 => "1 delivery".to_owned(),
        number => format!("{} deliveries", count(number)),
    }
}

/// Nobody: a step of this one is the weather's.
const WEATHER: &str = "";

/// The message's steps, and the faults that began or ended meanwhile.
fn with_weather(message: &Message, faults: &[FaultSpan]) -> Vec<Step> {
    let mut steps = message.steps.clone();
    let times = steps
        .iter()
        .flat_map(|step| [step.left_ns, step.arrived_ns]);
    let last = times.flatten().max().unwrap_or(message.published_ns);
    let meanwhile = message.published_ns..=last;
    let turns = faults.iter().flat_map(|fault| {
        let name = format!("{} {}", fault.kind, fault.target);
        let ended = fault.ended_ns.filter(|ended| *ended != fault.began_ns);
        let began = (fault.began_ns, format!("{name} begins"));
        [Some(began), ended.map(|at| (at, format!("{name} ends")))]
    });
    let turns = turns.flatten().filter(|(at, _)| meanwhile.contains(at));
    steps.extend(turns.take(FAULTS_MAX).map(|(at, what)| Step {
        from: WEATHER.to_owned(),
        to: None,
        left_ns: Some(at),
        arrived_ns: None,
        told: false,
        what,
    }));
    steps.sort_by_key(Step::first_ns);
    steps
}

/// The publisher, then the servers, then the receivers.
fn parties(message: &Message) -> Vec<String> {
    let mut parties = vec![message.publisher.clone()];
    let mut add = |party: &String| {
        if !parties.contains(party) {
            parties.push(party.clone());
        }
    };
    let steps = || message.steps.iter();
    // Whoever deals with the publisher is a server.
    for step in steps().filter(|step| step.from == message.publisher) {
        step.to.iter().for_each(&mut add);
    }
    for step in steps() {
        add(&step.from);
        step.to.iter().for_each(&mut add);
    }
    parties
}

impl Row {
    fn new(step: &Step, message: &Message, parties: &[String]) -> Self {
        let place = |party: &String| parties.iter().position(|one| one == party);
        let first = step.first_ns();
        let weather = step.from == WEATHER && step.to.is_none();
        let then = match (&step.to, step.left_ns, step.arrived_ns) {
            (None, ..) => String::new(),
            (_, _, None) if step.is_lost() => "never arrived".to_owned(),
            (_, _, None) => String::new(),
            (_, None, Some(_)) => "arrived".to_owned(),
            (_, Some(left), Some(arrived)) => {
                format!("arrived after {}", duration(arrived.saturating_sub(left)))
            }
        };
        let since = |ns: u64| format!("+{}", duration(ns.saturating_sub(message.published_ns)));
        let who = match &step.to {
            Some(to) => format!("{} → {}", clean(&step.from), clean(to)),
            None if weather => "weather".to_owned(),
            None => clean(&step.from),
        };
        Self {
            at: clock(first),
            since: since(first),
            who,
            what: clean(&step.what),
            then,
            arrived_since: step.arrived_ns.map_or(String::new(), since),
            lost: step.is_lost(),
            weather,
            from: (!weather).then(|| place(&step.from)).flatten(),
            to: step.to.as_ref().and_then(place),
            left_ns: step.left_ns,
            arrived_ns: step.arrived_ns,
        }
    }
}
