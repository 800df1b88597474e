//! A history at its end, with what the guarantees look up in it.

use super::filters::FilterTree;
use super::history::{
    Content, Delivery, History, NEVER, NONE, Options, Reading, Request, Subscription,
};
use super::owed::Owed;
use super::slice::Slice;
use crate::net::Nanos;
use crate::scenario::Exception;
use crate::scenario::topic::split_share;
use crate::trace::{TextId, Texts};
use rustc_hash::{FxHashMap, FxHashSet};

/// What a run is judged by, besides its history.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// When the run ended.
    pub(crate) ended: Nanos,
    /// How long what is owed may take once nothing stands in its way.
    pub(crate) settle: Nanos,
    /// How late a server's clock may be.
    pub(crate) tick: Nanos,
    /// What cannot hold in the scenario, and why.
    pub(crate) exceptions: Vec<Exception>,
    /// The command that runs this again.
    pub(crate) command: String,
    /// The file that the trace was written to, if any.
    pub(crate) trace: Option<String>,
}

/// A history at its end. Its maps are looked up only, never walked: what is in
/// them is in the history's own order.
pub(crate) struct Case<'a> {
    pub(crate) history: &'a History,
    pub(crate) texts: &'a Texts,
    pub(crate) terms: &'a Terms,
    /// The filters in use that match each topic.
    filters: FxHashMap<TextId, Vec<TextId>>,
    /// The topics that match each filter.
    topics: FxHashMap<TextId, Vec<TextId>>,
    /// Deliveries by reading, and connections by session.
    deliveries: Groups,
    connections: Groups,
    /// Filters of shared subscriptions; mostly none.
    shared: FxHashSet<TextId>,
    /// Subscriptions by filter.
    subscriptions: FxHashMap<TextId, Vec<u32>>,
    pub(crate) owed: Owed,
    /// When the weather was clear for good.
    pub(crate) cleared: Nanos,
}

impl<'a> Case<'a> {
    pub(crate) fn new(history: &'a History, texts: &'a Texts, terms: &'a Terms) -> Case<'a> {
        let readings = history.deliveries.iter().zip(0u32..);
        let readings = readings.filter_map(|(delivery, index)| match delivery.content {
            Content::Reading(reading) => Some((reading, index)),
            Content::Stranger(_) => None,
        });
        let sessions = history.connections.iter().zip(0u32..);
        let sessions = sessions.filter_map(|(connection, index)| {
            (connection.session != NONE).then_some((connection.session, index))
        });
        let mut subscriptions: FxHashMap<TextId, Vec<u32>> = FxHashMap::default();
        for (subscription, index) in history.subscriptions.iter().zip(0u32..) {
            let of_filter = subscriptions.entry(subscription.filter).or_default();
            of_filter.push(index);
        }
        let (filters, topics) = matches(history, texts);
        let requests = history.requests.iter().map(|request| request.filter);
        let shared = |filter: &TextId| split_share(texts.text(*filter)).0.is_some();
        let mut case = Case {
            history,
            texts,
            terms,
            filters,
            topics,
            shared: requests.filter(shared).collect(),
            subscriptions,
            deliveries: Groups::of(history.readings.len(), readings),
            connections: Groups::of(history.sessions.len(), sessions),
            owed: Owed::default(),
            cleared: history.cleared(),
        };
        case.owed = Owed::of(&case);
        case
    }

    /// The deliveries of a reading, by index, in the order of their times.
    pub(crate) fn arrivals(&self, reading: u32) -> &[u32] {
        self.deliveries.group(reading)
    }

    /// The connections of a session, by index, in the order of their times.
    pub(crate) fn connections_of(&self, session: u32) -> &[u32] {
        self.connections.group(session)
    }

    pub(crate) fn delivery(&self, index: u32) -> &'a Delivery {
        &self.history.deliveries[index as usize]
    }

    pub(crate) fn reading(&self, index: u32) -> &'a Reading {
        &self.history.readings[index as usize]
    }

    /// The session that a delivery belongs to.
    pub(crate) fn session(&self, delivery: u32) -> u32 {
        self.history.session_of(self.delivery(delivery))
    }

    /// The filters in use that match a topic.
    pub(crate) fn filters(&self, topic: TextId) -> &[TextId] {
        self.filters.get(&topic).map_or(&[], Vec::as_slice)
    }

    /// The topics in use that a filter matches.
    pub(crate) fn topics(&self, filter: TextId) -> &[TextId] {
        self.topics.get(&filter).map_or(&[], Vec::as_slice)
    }

    /// The subscriptions of all sessions to a filter.
    pub(crate) fn subscriptions_to(
        &self,
        filter: TextId,
    ) -> impl Iterator<Item = &'a Subscription> {
        let history = self.history;
        let of_filter = self
            .subscriptions
            .get(&filter)
            .map_or(&[][..], Vec::as_slice);
        of_filter
            .iter()
            .map(|index| &history.subscriptions[*index as usize])
    }

    /// Whether the subscriptions to a filter are shared: a message then goes to
    /// one of them, and retained ones to none (MQTT 5.0, section 4.8.2).
    pub(crate) fn is_shared(&self, filter: TextId) -> bool {
        self.shared.contains(&filter)
    }

    /// Whether a session may get messages of a topic as the member of a group.
    pub(crate) fn in_a_group(&self, session: u32, topic: TextId) -> bool {
        let mut matching = self.matching(session, topic);
        !self.shared.is_empty() && matching.any(|one| self.is_shared(one.filter))
    }

    /// The options that a session's subscriptions to a filter have.
    pub(crate) fn options(&self, session: u32, filter: TextId) -> Options {
        let client = self.history.sessions[session as usize].client;
        self.history.roster.options(client, filter)
    }

    /// Whether a session's own client published a reading.
    pub(crate) fn is_own(&self, session: u32, reading: &Reading) -> bool {
        let client = self.history.sessions[session as usize].client;
        self.history.roster.client_of(reading.id.device()) == client
    }

    /// When a reading may be gone, if it expires: no earlier than its lifetime
    /// after it was first sent.
    pub(crate) fn expires(&self, reading: &Reading) -> Nanos {
        let lifetime = self.history.roster.message_expiry(reading.id.device());
        lifetime.map_or(NEVER, |lifetime| {
            reading.first_sent.saturating_add(lifetime)
        })
    }

    /// The SUBSCRIBEs of a session whose filter matches a topic.
    pub(crate) fn requests(
        &self,
        session: u32,
        topic: TextId,
    ) -> impl Iterator<Item = &'a Request> {
        let history = self.history;
        let filters = self.filters(topic);
        let connections = self.connections_of(session).iter();
        let requests = connections.flat_map(|connection| history.requests_on(*connection));
        requests.filter(move |request| filters.contains(&request.filter))
    }

    /// The subscriptions of a session that match a topic, latest first.
    pub(crate) fn matching(
        &self,
        session: u32,
        topic: TextId,
    ) -> impl Iterator<Item = &'a Subscription> {
        let filters = self.filters(topic);
        let subscriptions = self.history.subscriptions_of(session);
        subscriptions.filter(move |subscription| filters.contains(&subscription.filter))
    }

    /// How many copies of a message a session may get, going by its
    /// subscriptions: one for each that matches and was possibly in force when
    /// the broker took the message in, since overlapping subscriptions may each
    /// have their own (section 3.3.5).
    pub(crate) fn copies_allowed(&self, session: u32, reading: &Reading) -> usize {
        let mut filters: Vec<TextId> = self
            .matching(session, reading.message.topic)
            .filter(|subscription| {
                subscription.possibly_from <= reading.taken_in_by()
                    && reading.first_sent <= subscription.possibly_until
            })
            .map(|subscription| subscription.filter)
            .collect();
        filters.sort_unstable();
        filters.dedup();
        filters.len().max(1)
    }

    pub(crate) fn text(&self, text: TextId) -> &'a str {
        self.texts.text(text)
    }

    /// A slice of the trace, to be filled.
    pub(crate) fn slice(&self) -> Slice<'_> {
        Slice::new(self)
    }

    /// The command that shows more of a reading.
    pub(crate) fn trace_command(&self, reading: &Reading) -> String {
        let id = reading.id;
        match &self.terms.trace {
            Some(file) => format!("squall trace {file} {id}"),
            None => format!(
                "{} --trace run.jsonl && squall trace run.jsonl {id}",
                self.terms.command
            ),
        }
    }

    /// The command that shows the whole run, where no reading is at fault.
    pub(crate) fn run_command(&self) -> String {
        match &self.terms.trace {
            Some(_) => self.terms.command.clone(),
            None => format!("{} --trace run.jsonl", self.terms.command),
        }
    }
}

/// Indices by what they belong to, in two vectors.
struct Groups {
    /// The members of the n-th group are from `first[n]` on.
    first: Vec<u32>,
    members: Vec<u32>,
}

impl Groups {
    /// Groups from 0 to `count`, of pairs of group and member.
    fn of(count: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Groups {
        let mut first = vec![0u32; count + 1];
        for (group, _) in pairs.clone() {
            first[group as usize + 1] += 1;
        }
        for place in 1..first.len() {
            first[place] += first[place - 1];
        }
        let mut next = first.clone();
        let mut members = vec![0; first.last().map_or(0, |count| *count as usize)];
        for (group, member) in pairs {
            let place = &mut next[group as usize];
            members[*place as usize] = member;
            *place += 1;
        }
        Groups { first, members }
    }

    fn group(&self, group: u32) -> &[u32] {
        let group = group as usize;
        &self.members[self.first[group] as usize..self.first[group + 1] as usize]
    }
}

/// Topics and filters by each other; looked up only.
type Matches = FxHashMap<TextId, Vec<TextId>>;

/// By topic the filters that match it, and the other way round.
fn matches(history: &History, texts: &Texts) -> (Matches, Matches) {
    let requests = history.requests.iter();
    let mut in_use: Vec<TextId> = requests.map(|request| request.filter).collect();
    in_use.sort_unstable();
    in_use.dedup();
    let mut tree = FilterTree::new();
    for filter in in_use {
        tree.insert(split_share(texts.text(filter)).1, filter);
    }
    let (mut filters, mut topics) = (Matches::default(), Matches::default());
    let published = history.readings.iter();
    let published = published.map(|reading| reading.message.topic);
    let arrived = history.strangers.iter();
    let arrived = arrived.map(|stranger| stranger.message.topic);
    let wills = history.roster.wills().into_iter();
    let wills = wills.map(|(_, will)| will.topic);
    for topic in published.chain(arrived).chain(wills) {
        filters.entry(topic).or_insert_with(|| {
            let found = tree.matching(texts.text(topic));
            for filter in &found {
                topics.entry(*filter).or_default().push(topic);
            }
            found
        });
    }
    (filters, topics)
}
