//! The table of all quirks, and what it is made into.
//!
//! It has two parts: what the broker does wrong, and what it overlooks. In each,
//! the rows stand in the order of the first statement that each breaks: by the
//! section of MQTT, whichever version, and then by that of WebSocket.

/// What there is to say about a quirk.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) statements: &'static [&'static str],
    pub(super) summary: &'static str,
    /// Whether it overlooks packets that break one of its statements.
    pub(super) tolerates: bool,
}

/// Makes [`Quirk`] of its rows: variant, name, the statements that it breaks (of
/// 3.1.1 and 5.0, as far as both have it), and what a broker with it does.
/// Those under `tolerates` have it overlook breaches of their statements.
macro_rules! quirks {
    (
        breaks { $($breaks:ident $breaks_name:literal [$($breaks_statement:literal),+] $breaks_summary:literal;)* }
        tolerates { $($tolerates:ident $tolerates_name:literal [$($tolerates_statement:literal),+] $tolerates_summary:literal;)* }
    ) => {
        /// A named, deliberate defect of the broker.
        ///
        /// To add one: a row of the table in `quirks/table.rs`, the switch where the
        /// broker would do right, and what finds it: a test in
        /// `tests/protocol/quirks.rs` or a conformance check.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Quirk {
            $(#[doc = concat!("It ", $breaks_summary, ".")] $breaks,)*
            $(#[doc = concat!("It ", $tolerates_summary, ".")] $tolerates,)*
        }

        impl Quirk {
            /// Every quirk there is.
            pub const ALL: &[Quirk] = &[$(Quirk::$breaks,)* $(Quirk::$tolerates,)*];

            pub(super) const fn row(self) -> Row {
                match self {
                    $(Quirk::$breaks => Row {
                        name: $breaks_name,
                        statements: &[$($breaks_statement),+],
                        summary: $breaks_summary,
                        tolerates: false,
                    },)*
                    $(Quirk::$tolerates => Row {
                        name: $tolerates_name,
                        statements: &[$($tolerates_statement),+],
                        summary: $tolerates_summary,
                        tolerates: true,
                    },)*
                }
            }
        }
    };
}

quirks! {
    breaks {
        DropsByteOrderMark "drops-byte-order-mark" ["MQTT311-1.5.3-3", "MQTT5-1.5.4-3"]
            "drops EF BB BF from the beginning of the topics that clients publish to";
        WritesLengthsLong "writes-lengths-long" ["MQTT5-1.5.5-1"]
            "writes the length of UNSUBACK in more bytes than it takes";
        SetsUnsubackFlag "sets-unsuback-flag" ["MQTT311-2.2.2-1"]
            "sets a reserved flag in UNSUBACK";
        ReusesIdentifiers "reuses-identifiers"
            [
                "MQTT311-2.3.1-4", "MQTT311-4.3.2-1", "MQTT311-4.3.3-1", "MQTT5-2.2.1-4",
                "MQTT5-4.3.2-1", "MQTT5-4.3.3-1"
            ]
            "gives a third message under way the packet identifier of the second";
        WritesIdAtQos0 "writes-id-at-qos0" ["MQTT311-2.3.1-5", "MQTT5-2.2.1-2"]
            "leaves a packet identifier in QoS 0 messages that were published at QoS 1";
        PubackLosesTopBit "puback-loses-top-bit"
            ["MQTT311-2.3.1-6", "MQTT311-4.3.2-2", "MQTT5-2.2.1-5", "MQTT5-4.3.2-4"]
            "answers a packet identifier above 32,768 with one that lacks the top bit in PUBACK";
        CutsSubackId "cuts-suback-id"
            ["MQTT311-2.3.1-7", "MQTT311-3.8.4-2", "MQTT5-2.2.1-6", "MQTT5-3.8.4-2"]
            "answers a SUBSCRIBE with the lower byte of its packet identifier";
        AcceptsAnyProtocolName "accepts-any-protocol-name" ["MQTT311-3.1.2-1", "MQTT5-3.1.2-1"]
            "serves clients whose protocol has another name than MQTT";
        ServesUnknownLevels "serves-unknown-levels" ["MQTT311-3.1.2-2", "MQTT5-3.1.2-2"]
            "takes protocol level 6 for 5.0, and every other that it does not know for 3.1.1";
        LosesQueueOnTakeover "loses-queue-on-takeover" ["MQTT311-3.1.2-4", "MQTT5-3.1.2-5"]
            "loses what a session has queued when a new connection takes it over";
        LosesQueueOfAbsent "loses-queue-of-absent" ["MQTT311-3.1.2-5", "MQTT5-3.1.2-5"]
            "loses what came for a session while its client was away";
        ResumesCleanSessions "resumes-clean-sessions" ["MQTT311-3.1.2-6", "MQTT5-3.1.2-4"]
            "resumes a stored session when its client wants to start afresh";
        ForgetsRetainedWithSession "forgets-retained-with-session" ["MQTT311-3.1.2-7"]
            "forgets what is retained at the topics a session subscribed to when that ends";
        ForgetsWillOfVanished "forgets-will-of-vanished" ["MQTT311-3.1.2-8", "MQTT5-3.1.2-7"]
            "publishes no will of a client that vanishes";
        PublishesWillOfVanishedOnly "publishes-will-of-vanished-only"
            ["MQTT311-3.1.2-8", "MQTT5-3.1.2-8"]
            "publishes the wills of clients that vanish only";
        IgnoresWillDelay "ignores-will-delay" ["MQTT5-3.1.2-8"]
            "publishes a will at once whatever its delay";
        LosesWillWithSession "loses-will-with-session" ["MQTT5-3.1.2-8"]
            "loses a will that waits when its session ends";
        RepeatsWillQos1 "repeats-will-qos1" ["MQTT311-3.1.2-10", "MQTT5-3.1.2-10"]
            "publishes a will of QoS 1 twice";
        RetainsEveryWill "retains-every-will" ["MQTT311-3.1.2-16", "MQTT5-3.1.2-14"]
            "retains wills that are not to be";
        RetainsNoWill "retains-no-will" ["MQTT311-3.1.2-17", "MQTT5-3.1.2-15"]
            "retains no will";
        IgnoresKeepAlive "ignores-keep-alive" ["MQTT311-3.1.2-24", "MQTT5-3.1.2-22"]
            "never disconnects a silent client";
        IgnoresMaximumPacketSize "ignores-maximum-packet-size" ["MQTT5-3.1.2-24"]
            "sends a client larger messages than that takes";
        BlocksOnOversize "blocks-on-oversize" ["MQTT5-3.1.2-25"]
            "waits for the acknowledgement of a message that it has not sent for its size";
        ExceedsTopicAliasMaximum "exceeds-topic-alias-maximum"
            ["MQTT5-3.1.2-26", "MQTT5-3.1.2-27", "MQTT5-3.3.2-11"]
            "uses one topic alias more than the client takes";
        VolunteersResponseInformation "volunteers-response-information" ["MQTT5-3.1.2-28"]
            "gives clients Response Information that have not asked for it";
        ExplainsUnasked "explains-unasked" ["MQTT5-3.1.2-29"]
            "gives reasons in UNSUBACK to clients that have declined them";
        MixesUpConnectPayload "mixes-up-connect-payload" ["MQTT311-3.1.3-1", "MQTT5-3.1.3-1"]
            "takes the will topic for the will message where a user name follows";
        ConfusesClientIds "confuses-client-ids" ["MQTT311-3.1.3-2", "MQTT5-3.1.3-2"]
            "takes client identifiers that differ in case for one";
        RefusesLongClientId "refuses-long-client-id" ["MQTT311-3.1.3-5", "MQTT5-3.1.3-5"]
            "refuses a client identifier of 23 bytes";
        AssignsSameId "assigns-same-id" ["MQTT311-3.1.3-6", "MQTT5-3.1.3-6", "MQTT5-3.2.2-16"]
            "assigns the same identifier to all clients that give none";
        AssignsAnotherId "assigns-another-id" ["MQTT5-3.1.3-7"]
            "tells a client another identifier than the one it has assigned";
        AcceptsEmptyIdUnclean "accepts-empty-id-unclean" ["MQTT311-3.1.3-8"]
            "assigns an identifier to a client that gives none and wants its session kept";
        IgnoresReturnInWillDelay "ignores-return-in-will-delay" ["MQTT5-3.1.3-9"]
            "publishes a will after its delay although its client is back";
        StaysAfterRejectedId "stays-after-rejected-id" ["MQTT311-3.1.3-9", "MQTT5-3.1.3-8"]
            "does not end the connection of a client whose identifier it rejects";
        ReversesWillProperties "reverses-will-properties" ["MQTT5-3.1.3-10"]
            "passes the properties of a will on in reverse order";
        AcceptsAnyPassword "accepts-any-password" ["MQTT5-3.1.4-2"]
            "accepts users whatever their password";
        RefusesTakeover "refuses-takeover" ["MQTT311-3.1.4-2", "MQTT5-3.1.4-3"]
            "refuses a clean client whose identifier is in use, and keeps the one that uses it";
        IgnoresLongestKeepAlive "ignores-longest-keep-alive" ["MQTT311-3.1.4-4", "MQTT5-3.1.4-5"]
            "does not answer a CONNECT whose keep-alive is the longest there is";
        ActsAfterRefusal "acts-after-refusal" ["MQTT311-3.1.4-5", "MQTT5-3.1.4-6"]
            "passes on what a client publishes behind a CONNECT that was refused";
        QueuedBeforeConnack "queued-before-connack" ["MQTT311-3.2.0-1", "MQTT5-3.2.0-1"]
            "sends what waits in a session before CONNACK, if that is eight messages or more";
        SetsConnackFlags "sets-connack-flags" ["MQTT5-3.2.2-1"]
            "sets a reserved flag in a CONNACK that refuses";
        SessionPresentAfterCleanStart "session-present-after-clean-start"
            ["MQTT311-3.2.2-1", "MQTT5-3.2.2-2"]
            "says that a session is present which it has just discarded";
        ForgetsSessionPresent "forgets-session-present" ["MQTT311-3.2.2-2", "MQTT5-3.2.2-3"]
            "does not say that a session is present which it resumes";
        SessionPresentInRefusal "session-present-in-refusal" ["MQTT311-3.2.2-4", "MQTT5-3.2.2-6"]
            "says that a session is present when it refuses a connection";
        StaysAfterRefusal "stays-after-refusal"
            ["MQTT311-3.2.2-5", "MQTT5-3.2.2-7", "MQTT5-4.13.2-1"]
            "does not end a connection that it has refused";
        MisstatesRefusal "misstates-refusal" ["MQTT311-3.2.2-6", "MQTT5-3.2.2-8"]
            "refuses connections with codes that there are not in CONNACK";
        HidesMaximumQos "hides-maximum-qos" ["MQTT5-3.2.2-9"]
            "does not tell that it does not take QoS 2";
        RefusesQosAboveMaximum "refuses-qos-above-maximum" ["MQTT5-3.2.2-10"]
            "refuses QoS 2 to a client with two subscriptions, where it does not take that";
        TakesQosAboveMaximum "takes-qos-above-maximum" ["MQTT5-3.2.2-11", "MQTT5-3.2.2-12"]
            "takes messages and wills of QoS 2 where it says that it does not";
        TakesUnavailableRetain "takes-unavailable-retain" ["MQTT5-3.2.2-13", "MQTT5-3.2.2-14"]
            "takes messages and wills that are to be retained where it says that it does not";
        TakesPacketsAboveMaximum "takes-packets-above-maximum" ["MQTT5-3.2.2-15"]
            "takes packets of twice the size that it says is the largest";
        OverfillsReasonStrings "overfills-reason-strings"
            [
                "MQTT5-3.2.2-19", "MQTT5-3.14.2-3", "MQTT5-3.15.2-2", "MQTT5-3.4.2-2",
                "MQTT5-3.5.2-2", "MQTT5-3.6.2-2", "MQTT5-3.7.2-2", "MQTT5-3.9.2-1",
                "MQTT5-3.11.2-1"
            ]
            "gives reasons at length to clients that take small packets only";
        OverfillsUserProperties "overfills-user-properties"
            [
                "MQTT5-3.2.2-20", "MQTT5-3.14.2-4", "MQTT5-3.15.2-3", "MQTT5-3.4.2-3",
                "MQTT5-3.5.2-3", "MQTT5-3.6.2-3", "MQTT5-3.7.2-3", "MQTT5-3.9.2-2",
                "MQTT5-3.11.2-2"
            ]
            "adds long user properties to what it answers clients that take small packets only";
        ResendsWithoutDup "resends-without-dup" ["MQTT311-3.3.1-1", "MQTT5-3.3.1-1"]
            "does not set DUP when it sends a message again";
        MarksDowngradedDup "marks-downgraded-dup"
            ["MQTT311-3.3.1-2", "MQTT311-4.3.1-1", "MQTT5-3.3.1-2", "MQTT5-4.3.1-1"]
            "sets DUP at QoS 0 if the message was published at QoS 2";
        MarksQueuedDup "marks-queued-dup"
            [
                "MQTT311-3.3.1-3", "MQTT311-4.3.2-1", "MQTT311-4.3.3-1", "MQTT5-3.3.1-3",
                "MQTT5-4.3.2-2", "MQTT5-4.3.3-2"
            ]
            "sets DUP on the first sending of a message that waited in a queue";
        StaleRetainedAfterRestart "stale-retained-after-restart"
            ["MQTT311-3.3.1-5", "MQTT5-3.3.1-5"]
            "serves a retained value after a restart that had been replaced before";
        DropsRetainedQos2 "drops-retained-qos2" ["MQTT311-3.3.1-5", "MQTT5-3.3.1-5"]
            "does not retain messages of QoS 2";
        SendsFirstRetainedOnly "sends-first-retained-only" ["MQTT311-3.3.1-6"]
            "sends a new subscription the retained message of one topic only";
        KeepsRetainedOverQos0 "keeps-retained-over-qos0" ["MQTT311-3.3.1-7", "MQTT5-3.3.1-5"]
            "keeps what is retained when a message of QoS 0 is to replace it";
        SendsRetainedUnmarked "sends-retained-unmarked" ["MQTT311-3.3.1-8"]
            "clears RETAIN on retained messages that it sends at QoS 1";
        RetainFlagToEstablished "retain-flag-to-established" ["MQTT311-3.3.1-9", "MQTT5-3.3.1-12"]
            "passes RETAIN=1 on to subscriptions that were there already";
        KeepsClearedRetained "keeps-cleared-retained" ["MQTT311-3.3.1-10", "MQTT5-3.3.1-6"]
            "keeps a retained message that an empty one should have removed";
        IgnoresRetainHandling1 "ignores-retain-handling-1" ["MQTT5-3.3.1-10"]
            "takes Retain Handling 1 for 0";
        RetainsEmpty "retains-empty" ["MQTT311-3.3.1-11", "MQTT5-3.3.1-7"]
            "retains an empty message at a topic that has none retained";
        IgnoresRetainHandling2 "ignores-retain-handling-2" ["MQTT5-3.3.1-11"]
            "takes Retain Handling 2 for 0";
        ClearsRetainedUnasked "clears-retained-unasked" ["MQTT311-3.3.1-12", "MQTT5-3.3.1-8"]
            "removes what is retained when an empty message without RETAIN comes";
        IgnoresRetainAsPublished "ignores-retain-as-published" ["MQTT5-3.3.1-13"]
            "clears RETAIN whatever Retain As Published says";
        LowercasesTopics "lowercases-topics" ["MQTT311-3.3.2-3", "MQTT5-3.3.2-3"]
            "delivers messages under topics in lower case";
        DropsPayloadFormat "drops-payload-format" ["MQTT5-3.3.2-4"]
            "does not pass the payload format indicator on";
        IgnoresMessageExpiry "ignores-message-expiry" ["MQTT5-3.3.2-5"]
            "sends queued messages however late it is for them";
        ForwardsWholeExpiry "forwards-whole-expiry" ["MQTT5-3.3.2-6"]
            "passes the message expiry interval on as it came";
        KeepsTopicAliases "keeps-topic-aliases" ["MQTT5-3.3.2-7"]
            "lets a connection that takes another over use the topic aliases of that";
        RefusesHighestTopicAlias "refuses-highest-topic-alias" ["MQTT5-3.3.2-12"]
            "refuses the highest topic alias that it said it would take";
        DropsResponseTopic "drops-response-topic" ["MQTT5-3.3.2-15"]
            "does not pass the response topic on";
        DropsCorrelationData "drops-correlation-data" ["MQTT5-3.3.2-16"]
            "does not pass the correlation data on";
        DropsUserProperties "drops-user-properties" ["MQTT5-3.3.2-17"]
            "does not pass user properties on that have an empty value";
        ReversesUserProperties "reverses-user-properties" ["MQTT5-3.3.2-18"]
            "passes properties on in reverse order";
        DropsContentType "drops-content-type" ["MQTT5-3.3.2-20"]
            "does not pass the content type on";
        OmitsPubackOfRepeat "omits-puback-of-repeat" ["MQTT311-3.3.4-1", "MQTT5-3.3.4-1"]
            "does not answer a QoS 1 PUBLISH that has DUP set";
        SendsOneSubscriptionIdentifier "sends-one-subscription-identifier"
            ["MQTT5-3.3.4-3", "MQTT5-3.3.4-4"]
            "says one subscription identifier where several subscriptions match";
        RepeatsSubscriptionIdentifier "repeats-subscription-identifier" ["MQTT5-3.3.4-5"]
            "sends a copy for each subscription that matches, all with the same identifier";
        IgnoresReceiveMaximum "ignores-receive-maximum" ["MQTT5-3.3.4-9", "MQTT5-4.9.0-1"]
            "has more messages under way than the client takes";
        AwaitsAcknowledgementsFirst "awaits-acknowledgements-first"
            ["MQTT5-3.3.4-10", "MQTT5-4.9.0-3"]
            "does not answer a SUBSCRIBE while the client has as many messages as it takes";
        ServesOverlapsAtLowestQos "serves-overlaps-at-lowest-qos"
            ["MQTT311-3.3.5-1", "MQTT5-3.3.4-2"]
            "delivers at the lowest QoS that was granted where several subscriptions match";
        OmitsAnswerToDenied "omits-answer-to-denied" ["MQTT311-3.3.5-2"]
            "neither answers a PUBLISH that is not allowed nor ends the connection";
        MisstatesDeniedPublish "misstates-denied-publish" ["MQTT5-3.4.2-1", "MQTT5-3.5.2-1"]
            "answers a PUBLISH that is not allowed with reason code 0x86";
        MisstatesUnknownIdentifier "misstates-unknown-identifier" ["MQTT5-3.6.2-1", "MQTT5-3.7.2-1"]
            "answers an unknown packet identifier with reason code 0x80";
        GrantsUnsupportedWildcards "grants-unsupported-wildcards" ["MQTT311-3.8.3-2"]
            "grants wildcard subscriptions that it does not support";
        IgnoresNoLocal "ignores-no-local" ["MQTT5-3.8.3-3"]
            "sends a client its own messages in spite of No Local";
        OmitsSubackOfRepeat "omits-suback-of-repeat" ["MQTT311-3.8.4-1", "MQTT5-3.8.4-1"]
            "does not answer a SUBSCRIBE that only repeats a filter at QoS 0";
        SendsRetainedOnce "sends-retained-once"
            ["MQTT311-3.8.4-3", "MQTT5-3.3.1-9", "MQTT5-3.8.4-4"]
            "sends no retained messages when a subscription is replaced";
        KeepsFirstSubscription "keeps-first-subscription" ["MQTT311-3.8.4-3", "MQTT5-3.8.4-3"]
            "does not replace a subscription by another to the same filter";
        SubscribesFourFilters "subscribes-four-filters" ["MQTT311-3.8.4-4", "MQTT5-3.8.4-5"]
            "overlooks all filters of a SUBSCRIBE but four";
        MergesSubackCodes "merges-suback-codes" ["MQTT311-3.8.4-5", "MQTT5-3.8.4-6"]
            "gives one code for a filter that is named twice";
        RaisesQos1 "raises-qos1" ["MQTT311-3.8.4-6", "MQTT5-3.8.4-8"]
            "delivers a QoS 1 message at QoS 2 where that was granted";
        OverstatesGrantedQos "overstates-granted-qos" ["MQTT5-3.8.4-7"]
            "says that it granted QoS 2 where it granted QoS 1";
        ReversesSubackCodes "reverses-suback-codes" ["MQTT311-3.9.3-1", "MQTT5-3.9.3-1"]
            "gives the codes of SUBACK in reverse order";
        MisstatesRefusedFilter "misstates-refused-filter" ["MQTT311-3.9.3-2", "MQTT5-3.9.3-2"]
            "says 0x86 in SUBACK of a filter that it refuses";
        UnsubscribesIgnoringCase "unsubscribes-ignoring-case" ["MQTT311-3.10.4-1", "MQTT5-3.10.4-1"]
            "ends a subscription whose filter differs in case";
        ForwardsAfterUnsubscribe "forwards-after-unsubscribe"
            ["MQTT311-3.10.4-2", "MQTT5-3.10.4-1", "MQTT5-3.10.4-2"]
            "goes on delivering to a subscription that UNSUBSCRIBE ended";
        ForgetsInflightOnUnsubscribe "forgets-inflight-on-unsubscribe"
            ["MQTT311-3.10.4-3", "MQTT5-3.10.4-3"]
            "gives up QoS 1 messages that are under way when their client unsubscribes";
        CutsUnsubackId "cuts-unsuback-id" ["MQTT311-3.10.4-4", "MQTT5-3.10.4-5"]
            "answers an UNSUBSCRIBE with the lower byte of its packet identifier";
        OmitsUnsubackOfUnknown "omits-unsuback-of-unknown"
            ["MQTT311-3.10.4-5", "MQTT5-3.10.4-4", "MQTT5-3.10.4-5"]
            "does not answer an UNSUBSCRIBE that ends nothing";
        UnsubscribesFirstFilter "unsubscribes-first-filter" ["MQTT311-3.10.4-6", "MQTT5-3.10.4-6"]
            "ends the subscription to the first filter of an UNSUBSCRIBE only";
        ReversesUnsubackCodes "reverses-unsuback-codes" ["MQTT5-3.11.3-1"]
            "gives the codes of UNSUBACK in reverse order";
        MisstatesUnknownFilter "misstates-unknown-filter" ["MQTT5-3.11.3-2"]
            "says 0x10 instead of 0x11 of a filter that nobody subscribed to";
        NoPingrespWithoutKeepAlive "no-pingresp-without-keep-alive"
            ["MQTT311-3.12.4-1", "MQTT5-3.12.4-1"]
            "does not answer the PINGREQ of a client whose keep-alive is 0";
        DisconnectsBeforeConnack "disconnects-before-connack" ["MQTT5-3.14.0-1"]
            "refuses connections with DISCONNECT";
        SaysSessionExpiry "says-session-expiry" ["MQTT5-3.14.2-2"]
            "gives a session expiry interval in the DISCONNECT of a takeover";
        SpeaksAfterDisconnect "speaks-after-disconnect" ["MQTT5-3.14.4-1"]
            "sends PINGRESP after its DISCONNECT";
        StaysAfterDisconnect "stays-after-disconnect" ["MQTT5-3.14.4-2", "MQTT5-4.13.2-1"]
            "answers a second CONNECT with DISCONNECT and does not end the connection";
        WillAfterDisconnect "will-after-disconnect" ["MQTT311-3.14.4-3", "MQTT5-3.14.4-3"]
            "publishes the will of a client that sent DISCONNECT";
        ForgetsSubscriptionsOfAbsent "forgets-subscriptions-of-absent"
            ["MQTT311-4.1.0-1", "MQTT5-3.1.2-23"]
            "forgets the subscriptions of a session whose client is gone";
        ForgetsSubscriptionsAtRestart "forgets-subscriptions-at-restart"
            ["MQTT311-4.1.0-1", "MQTT5-3.1.2-23"]
            "forgets the subscriptions of its sessions when it restarts";
        ForgetsSubscriptionsOfIdle "forgets-subscriptions-of-idle"
            ["MQTT311-4.1.0-2", "MQTT5-4.1.0-1"]
            "forgets the subscriptions of a client that is silent for a second";
        NeverExpiresSessions "never-expires-sessions" ["MQTT5-4.1.0-2"]
            "keeps sessions for ever";
        AcknowledgesBeforeDurable "acknowledges-before-durable"
            ["MQTT311-4.3.2-2", "MQTT311-4.3.3-2", "MQTT5-4.3.2-4", "MQTT5-4.3.3-8"]
            "acknowledges a message before it would survive a crash";
        TakesDupForRepeat "takes-dup-for-repeat" ["MQTT311-4.3.2-2", "MQTT5-4.3.2-5"]
            "does not deliver a QoS 1 message that has DUP set";
        RepublishesAfterPubrec "republishes-after-pubrec" ["MQTT311-4.3.3-1", "MQTT5-4.3.3-6"]
            "resends a QoS 2 PUBLISH on reconnect although its PUBREC came";
        ForgetsInflightQos2 "forgets-inflight-qos2"
            ["MQTT311-4.3.3-1", "MQTT311-4.4.0-1", "MQTT5-4.3.3-3", "MQTT5-4.4.0-1"]
            "does not resend an unacknowledged QoS 2 message when its client reconnects";
        OmitsSecondPubrel "omits-second-pubrel" ["MQTT311-4.3.3-1", "MQTT5-4.3.3-4"]
            "does not answer a PUBREC while another message waits for its PUBCOMP";
        ForgetsPubrel "forgets-pubrel" ["MQTT311-4.3.3-1", "MQTT5-4.3.3-5"]
            "does not resend a PUBREL when its client reconnects";
        DeliversQos2Repeats "delivers-qos2-repeats" ["MQTT311-4.3.3-2", "MQTT5-4.3.3-10"]
            "delivers a QoS 2 message again when its publisher repeats the PUBLISH";
        PubrecLosesTopBit "pubrec-loses-top-bit" ["MQTT311-4.3.3-2", "MQTT5-4.3.3-8"]
            "answers a packet identifier above 32,768 with one that lacks the top bit in PUBREC";
        TakesQos2DupForRepeat "takes-qos2-dup-for-repeat" ["MQTT311-4.3.3-2", "MQTT5-4.3.3-12"]
            "does not deliver a QoS 2 message that has DUP set, though its identifier is free";
        OmitsPubcompOfUnknown "omits-pubcomp-of-unknown" ["MQTT311-4.3.3-2", "MQTT5-4.3.3-11"]
            "does not answer a PUBREL whose packet identifier it does not know";
        ExpiresInFlight "expires-in-flight" ["MQTT5-4.3.3-7"]
            "does not resend a QoS 2 message that has expired since";
        KeepsRefusedIdentifier "keeps-refused-identifier" ["MQTT5-4.3.3-9"]
            "does not free the packet identifier of a QoS 2 message that it refused";
        ForgetsExpiringQos2 "forgets-expiring-qos2" ["MQTT5-4.3.3-13"]
            "does not remember the packet identifier of a QoS 2 message that expires";
        ForgetsInflightQos1 "forgets-inflight-qos1"
            ["MQTT311-4.4.0-1", "MQTT311-4.3.2-1", "MQTT5-4.4.0-1", "MQTT5-4.3.2-3"]
            "does not resend an unacknowledged QoS 1 message when its client reconnects";
        ResendsPubrelMeanwhile "resends-pubrel-meanwhile" ["MQTT5-4.4.0-1"]
            "sends every PUBREL again when its client says PINGREQ";
        ResendsRefused "resends-refused" ["MQTT5-4.4.0-2"]
            "sends a message again that a PUBACK refused";
        DeliversNoLongMessages "delivers-no-long-messages" ["MQTT311-4.5.0-1", "MQTT5-4.5.0-1"]
            "delivers messages of 16,000 bytes or more to nobody";
        StallsBehindTheSlowest "stalls-behind-the-slowest" ["MQTT311-4.5.0-1", "MQTT5-4.5.0-1"]
            "delivers a message to nobody while others wait for one of its subscribers";
        DeliversToSix "delivers-to-six" ["MQTT311-4.5.0-1", "MQTT5-4.5.0-1"]
            "delivers a message to six sessions at most";
        DeliversQueueBackwards "delivers-queue-backwards"
            ["MQTT311-4.6.0-5", "MQTT311-4.6.0-6", "MQTT5-4.6.0-5", "MQTT5-4.6.0-6"]
            "sends what waits for a client in reverse order";
        ReordersOnReconnect "reorders-on-reconnect" ["MQTT311-4.6.0-6", "MQTT5-4.6.0-6"]
            "resends unacknowledged messages in reverse order";
        ReordersPubrels "reorders-pubrels" ["MQTT311-4.6.0-6"]
            "resends PUBRELs in reverse order";
        MatchesDollarTopics "matches-dollar-topics" ["MQTT311-4.7.2-1", "MQTT5-4.7.2-1"]
            "matches topics that begin with $ by filters that begin with a wildcard";
        CollapsesEmptyLevels "collapses-empty-levels" ["MQTT311-4.7.3-4", "MQTT5-4.7.3-4"]
            "takes two separators in a topic for one when it looks for subscriptions";
        IgnoresShareGrant "ignores-share-grant" ["MQTT5-4.8.2-3"]
            "delivers to a member of a group at the QoS of the message";
        ForgetsSharedQos2 "forgets-shared-qos2" ["MQTT5-4.8.2-4"]
            "does not resend a QoS 2 message of a group when its member reconnects";
        PassesOnSharedQos2 "passes-on-shared-qos2" ["MQTT5-4.8.2-5"]
            "gives a QoS 2 message under way to another member when a session ends";
        PassesOnRefusedShare "passes-on-refused-share" ["MQTT5-4.8.2-6"]
            "gives a message of a group to another member when a PUBACK refuses it";
        FreesQuotaAtPubrec "frees-quota-at-pubrec" ["MQTT5-4.9.0-2"]
            "counts a QoS 2 message as delivered at its PUBREC";
        AcceptsUnknownMethods "accepts-unknown-methods" ["MQTT5-4.12.0-1"]
            "connects a client by an authentication method that it does not know";
        MisstatesContinuation "misstates-continuation" ["MQTT5-4.12.0-2"]
            "asks for authentication data by an AUTH with reason code 0x00";
        AcceptsAnyProof "accepts-any-proof" ["MQTT5-4.12.0-4", "MQTT5-4.12.1-2"]
            "connects clients that have not shown that they know their password";
        OmitsMethodInConnack "omits-method-in-connack" ["MQTT5-4.12.0-5"]
            "does not repeat the authentication method in CONNACK";
        NamesMethodUnasked "names-method-unasked" ["MQTT5-4.12.0-6"]
            "names an authentication method in CONNACK to clients that named none";
        WsTakesTextForMqtt "ws-takes-text-for-mqtt" ["MQTT-6.0.0-1"]
            "takes MQTT in text frames";
        WsSendsMqttAsText "ws-sends-mqtt-as-text" ["MQTT-6.0.0-1"]
            "sends MQTT in text frames";
        WsTakesWholePacketsOnly "ws-takes-whole-packets-only" ["MQTT-6.0.0-2"]
            "loses frames that end inside a packet";
        WsPicksAnotherSubprotocol "ws-picks-another-subprotocol" ["MQTT-6.0.0-4"]
            "picks a subprotocol on offer other than mqtt";
        LosesSplitPackets "loses-split-packets" ["MQTT311-7.1.1-1", "MQTT5-4.2.0-1"]
            "loses packets of more than 8 KiB that do not come at once";
        LosesLoneBytes "loses-lone-bytes" ["MQTT311-7.1.1-1", "MQTT5-4.2.0-1"]
            "loses a byte that comes alone";
        LosesCrowdedPackets "loses-crowded-packets" ["MQTT311-7.1.1-1", "MQTT5-4.2.0-1"]
            "loses packets when more than a hundred come at once";
        WsOverlooksMalformedHeaders "ws-overlooks-malformed-headers" ["RFC6455-4.2.1-1"]
            "overlooks header lines that are not HTTP in a request for a WebSocket";
        WsUpgradesAnyMethod "ws-upgrades-any-method" ["RFC6455-4.2.1-2"]
            "opens a WebSocket for requests other than GET";
        WsUpgradesHttp10 "ws-upgrades-http-1-0" ["RFC6455-4.2.1-3"]
            "opens a WebSocket for a request of HTTP/1.0";
        WsNeedsNoHost "ws-needs-no-host" ["RFC6455-4.2.1-4"]
            "opens a WebSocket for a request without Host";
        WsNeedsNoUpgrade "ws-needs-no-upgrade" ["RFC6455-4.2.1-5"]
            "opens a WebSocket whatever Upgrade says";
        WsNeedsNoConnection "ws-needs-no-connection" ["RFC6455-4.2.1-6"]
            "opens a WebSocket whatever Connection says";
        WsNeedsNoKey "ws-needs-no-key" ["RFC6455-4.2.1-7"]
            "opens a WebSocket without a good Sec-WebSocket-Key";
        WsNeedsNoVersion "ws-needs-no-version" ["RFC6455-4.2.1-8"]
            "opens a WebSocket without Sec-WebSocket-Version";
        WsRefusesUnknownHeaders "ws-refuses-unknown-headers" ["RFC6455-4.2.1-9"]
            "refuses a WebSocket to a request with a header that it does not know";
        WssServesPlain "wss-serves-plain" ["RFC6455-4.2.2-1"]
            "serves whoever does without TLS at an address for secure WebSocket";
        WsIgnoresOrigin "ws-ignores-origin" ["RFC6455-4.2.2-2"]
            "opens a WebSocket for pages of every origin, whatever its settings say";
        WsUpgradesAnyVersion "ws-upgrades-any-version" ["RFC6455-4.2.2-3"]
            "opens a WebSocket for versions of the protocol that it does not speak";
        WsServesAnyPath "ws-serves-any-path" ["RFC6455-4.2.2-4"]
            "opens a WebSocket at paths where there is nothing";
        WsImposesSubprotocol "ws-imposes-subprotocol" ["RFC6455-4.2.2-5"]
            "picks a subprotocol that the client did not offer";
        WsSendsEmptySubprotocol "ws-sends-empty-subprotocol" ["RFC6455-4.2.2-6"]
            "answers with an empty subprotocol when it speaks none of those on offer";
        WsNamesUnofferedExtension "ws-names-unoffered-extension" ["RFC6455-4.2.2-7", "RFC6455-9-1"]
            "names an extension that the client did not offer";
        WsAnswers200 "ws-answers-200" ["RFC6455-4.2.2-8"]
            "opens a WebSocket with status 200";
        WsOmitsUpgrade "ws-omits-upgrade" ["RFC6455-4.2.2-9"]
            "opens a WebSocket without saying Upgrade";
        WsOmitsConnection "ws-omits-connection" ["RFC6455-4.2.2-10"]
            "opens a WebSocket without saying Connection";
        WsAcceptsWrongly "ws-accepts-wrongly" ["RFC6455-4.2.2-11"]
            "opens a WebSocket with the same Sec-WebSocket-Accept for every key";
        WsListsUnspokenVersion "ws-lists-unspoken-version" ["RFC6455-4.4-1"]
            "says of a version of WebSocket that it speaks it, and does not";
        WsAcceptsUnmasked "ws-accepts-unmasked" ["RFC6455-5.1-1"]
            "takes frames of a client that are not masked";
        WsMasksItsFrames "ws-masks-its-frames" ["RFC6455-5.1-2"]
            "masks its own frames";
        WsIgnoresReservedBits "ws-ignores-reserved-bits" ["RFC6455-5.2-1"]
            "takes frames with reserved bits for frames without";
        WsSkipsUnknownOpcodes "ws-skips-unknown-opcodes" ["RFC6455-5.2-2"]
            "passes over frames of unknown opcodes";
        WsWritesLengthsOverlong "ws-writes-lengths-overlong" ["RFC6455-5.2-3"]
            "writes the length of every frame in 64 bits";
        WsIgnoresTopBitOfLength "ws-ignores-top-bit-of-length" ["RFC6455-5.2-4"]
            "takes a 64-bit length for one without its top bit";
        WsSetsReservedBit "ws-sets-reserved-bit" ["RFC6455-5.2-5"]
            "sets a reserved bit of its own frames";
        WsJoinsFragmentedControl "ws-joins-fragmented-control" ["RFC6455-5.4-1"]
            "takes control frames in fragments";
        WsJoinsInterleavedMessages "ws-joins-interleaved-messages" ["RFC6455-5.4-2"]
            "takes a message inside another for a part of it";
        WsLosesPingsInMessages "ws-loses-pings-in-messages" ["RFC6455-5.4-3"]
            "loses pings between the fragments of a message";
        WsRefusesEmptyFragments "ws-refuses-empty-fragments" ["RFC6455-5.4-4"]
            "refuses messages with an empty fragment";
        WsSkipsStrayContinuations "ws-skips-stray-continuations" ["RFC6455-5.4-5"]
            "passes over a continuation of nothing";
        WsSwapsLateFragments "ws-swaps-late-fragments" ["RFC6455-5.4-6"]
            "swaps the 31st fragment of a message and the 32nd";
        WsTakesFragmentsForMessages "ws-takes-fragments-for-messages" ["RFC6455-5.4-7"]
            "takes each fragment for a message of its own";
        WsTruncatesLongControl "ws-truncates-long-control" ["RFC6455-5.5-1"]
            "takes control frames of more than 125 bytes";
        WsClosesWithOneByte "ws-closes-with-one-byte" ["RFC6455-5.5.1-1"]
            "sends Close frames with half a status code";
        WsSendsAfterClose "ws-sends-after-close" ["RFC6455-5.5.1-2"]
            "sends data after the Close frame that answers one";
        WsNeverAnswersClose "ws-never-answers-close" ["RFC6455-5.5.1-3"]
            "does not answer a Close frame";
        WsKeepsStreamAfterClose "ws-keeps-stream-after-close" ["RFC6455-5.5.1-4"]
            "leaves the connection open after Close frames without a status code";
        WsIgnoresEmptyPings "ws-ignores-empty-pings" ["RFC6455-5.5.2-1"]
            "does not answer pings without a payload";
        WsEmptiesPongs "ws-empties-pongs" ["RFC6455-5.5.3-1"]
            "answers pings with nothing in its pongs";
        WsRefusesPongs "ws-refuses-pongs" ["RFC6455-5.5.3-2"]
            "ends the connection at a pong that it did not ask for";
        WsTakesAnyText "ws-takes-any-text" ["RFC6455-5.6-1"]
            "takes text that is not UTF-8";
        WsNeverEndsMessages "ws-never-ends-messages" ["RFC6455-6.1-1"]
            "leaves the last frame of its messages without FIN";
        WsUnmasksWithFirstKey "ws-unmasks-with-first-key" ["RFC6455-6.2-1"]
            "unmasks all fragments of a message with the key of the first";
        WsResetsStreams "ws-resets-streams" ["RFC6455-7.1.1-1"]
            "resets the connections of WebSockets that it closes";
        WsFailsSilently "ws-fails-silently" ["RFC6455-7.1.7-1"]
            "does not say why it fails a connection";
        WsGoesOnAfterFailing "ws-goes-on-after-failing" ["RFC6455-7.1.7-2"]
            "goes on taking frames after it has failed a connection for reserved bits";
        WsClosesWith1005 "ws-closes-with-1005" ["RFC6455-7.4.1-1"]
            "sends Close frames with code 1005";
        WsFailsWith1000 "ws-fails-with-1000" ["RFC6455-7.4.1-2"]
            "fails connections with code 1000";
        WsClosesWith999 "ws-closes-with-999" ["RFC6455-7.4.2-1"]
            "sends Close frames with code 999";
        WsTakesAnyCloseReason "ws-takes-any-close-reason" ["RFC6455-8.1-1"]
            "takes a Close frame whose reason is not UTF-8";
        WsOverlooksMalformedExtensions "ws-overlooks-malformed-extensions" ["RFC6455-9.1-1"]
            "overlooks a malformed Sec-WebSocket-Extensions";
        WsWaitsForAnyLength "ws-waits-for-any-length" ["RFC6455-10.4-1"]
            "waits for the end of frames of any length";
        WsSkipsGarbage "ws-skips-garbage" ["RFC6455-10.7-1"]
            "passes over frames of which nothing is right";
    }
    tolerates {
        ToleratesIllFormedText "tolerates-ill-formed-text" ["MQTT311-1.5.3-1", "MQTT5-1.5.4-1"]
            "overlooks strings that are not UTF-8";
        ToleratesNul "tolerates-nul"
            ["MQTT311-1.5.3-2", "MQTT311-4.7.3-2", "MQTT5-1.5.4-2", "MQTT5-4.7.3-2"]
            "overlooks U+0000 in strings";
        ToleratesIllFormedPair "tolerates-ill-formed-pair" ["MQTT5-1.5.7-1"]
            "overlooks user properties that are not UTF-8";
        ToleratesNoPropertyLength "tolerates-no-property-length" ["MQTT5-2.2.2-1"]
            "overlooks packets without a property length";
        ToleratesReservedFlags "tolerates-reserved-flags" ["MQTT311-2.2.2-2", "MQTT5-2.1.3-1"]
            "overlooks reserved flags in the fixed headers of most packets";
        ToleratesPacketIdZero "tolerates-packet-id-zero" ["MQTT311-2.3.1-1", "MQTT5-2.2.1-3"]
            "overlooks packets whose identifier is 0";
        ToleratesNoConnect "tolerates-no-connect" ["MQTT311-3.1.0-1", "MQTT5-3.1.0-1"]
            "overlooks packets that come before the CONNECT";
        ToleratesSecondConnect "tolerates-second-connect" ["MQTT311-3.1.0-2", "MQTT5-3.1.0-2"]
            "overlooks a second CONNECT";
        ToleratesConnectFlag "tolerates-connect-flag" ["MQTT311-3.1.2-3", "MQTT5-3.1.2-3"]
            "overlooks the reserved flag of CONNECT";
        ToleratesMissingWill "tolerates-missing-will" ["MQTT311-3.1.2-9", "MQTT5-3.1.2-9"]
            "overlooks a CONNECT that announces a will and has none";
        ToleratesWillQosAlone "tolerates-will-qos-alone" ["MQTT311-3.1.2-13", "MQTT5-3.1.2-11"]
            "overlooks a will QoS without a will";
        ToleratesWillQos3 "tolerates-will-qos-3" ["MQTT311-3.1.2-14", "MQTT5-3.1.2-12"]
            "overlooks a will QoS of 3";
        ToleratesWillRetainAlone "tolerates-will-retain-alone"
            ["MQTT311-3.1.2-15", "MQTT5-3.1.2-13"]
            "overlooks Will Retain without a will";
        ToleratesUnannouncedUserName "tolerates-unannounced-user-name"
            ["MQTT311-3.1.2-18", "MQTT5-3.1.2-16"]
            "overlooks a user name that no flag announces";
        ToleratesMissingUserName "tolerates-missing-user-name"
            ["MQTT311-3.1.2-19", "MQTT5-3.1.2-17"]
            "overlooks a CONNECT that announces a user name and has none";
        ToleratesUnannouncedPassword "tolerates-unannounced-password"
            ["MQTT311-3.1.2-20", "MQTT5-3.1.2-18"]
            "overlooks a password that no flag announces";
        ToleratesMissingPassword "tolerates-missing-password" ["MQTT311-3.1.2-21", "MQTT5-3.1.2-19"]
            "overlooks a CONNECT that announces a password and has none";
        ToleratesPasswordAlone "tolerates-password-alone" ["MQTT311-3.1.2-22"]
            "overlooks a password without a user name";
        ToleratesMissingClientId "tolerates-missing-client-id" ["MQTT311-3.1.3-3", "MQTT5-3.1.3-3"]
            "overlooks a CONNECT without a client identifier";
        ToleratesMalformedConnect "tolerates-malformed-connect" ["MQTT311-3.1.4-1", "MQTT5-3.1.4-1"]
            "overlooks a CONNECT whose fields are missing or followed by more";
        ToleratesHighTopicAlias "tolerates-high-topic-alias"
            ["MQTT5-3.2.2-17", "MQTT5-3.2.2-18", "MQTT5-3.3.2-9"]
            "overlooks a PUBLISH whose topic alias is above its maximum";
        ToleratesDupAtQos0 "tolerates-dup-at-qos0" ["MQTT311-3.3.1-2"]
            "overlooks a PUBLISH at QoS 0 that has DUP set";
        ToleratesQos3 "tolerates-qos3" ["MQTT311-3.3.1-4", "MQTT5-3.3.1-4"]
            "overlooks a PUBLISH of QoS 3";
        ToleratesCutTopic "tolerates-cut-topic" ["MQTT311-3.3.2-1", "MQTT5-3.3.2-1"]
            "overlooks a PUBLISH whose topic name is cut short";
        ToleratesWildTopic "tolerates-wild-topic"
            ["MQTT311-3.3.2-2", "MQTT311-4.7.1-1", "MQTT5-3.3.2-2", "MQTT5-4.7.0-1"]
            "overlooks a PUBLISH to a topic with a wildcard";
        ToleratesTopicAlias0 "tolerates-topic-alias-0" ["MQTT5-3.3.2-8"]
            "overlooks a PUBLISH with topic alias 0";
        ToleratesIllFormedResponseTopic "tolerates-ill-formed-response-topic" ["MQTT5-3.3.2-13"]
            "overlooks a PUBLISH whose response topic is no UTF-8";
        ToleratesWildResponseTopic "tolerates-wild-response-topic" ["MQTT5-3.3.2-14"]
            "overlooks a PUBLISH whose response topic has a wildcard";
        ToleratesIllFormedContentType "tolerates-ill-formed-content-type" ["MQTT5-3.3.2-19"]
            "overlooks a PUBLISH whose content type is no UTF-8";
        ToleratesSubscriptionIdentifierInPublish "tolerates-subscription-identifier-in-publish"
            ["MQTT5-3.3.4-6"]
            "overlooks a client's PUBLISH with a subscription identifier";
        ToleratesExceededReceiveMaximum "tolerates-exceeded-receive-maximum" ["MQTT5-3.3.4-7"]
            "overlooks a message beyond the most that it takes unacknowledged";
        ToleratesPubrelFlags "tolerates-pubrel-flags" ["MQTT311-3.6.1-1", "MQTT5-3.6.1-1"]
            "overlooks a PUBREL with other flags than it must have";
        ToleratesSubscribeFlags "tolerates-subscribe-flags" ["MQTT311-3.8.1-1", "MQTT5-3.8.1-1"]
            "overlooks a SUBSCRIBE with other flags than it must have";
        ToleratesCutFilter "tolerates-cut-filter" ["MQTT311-3.8.3-1", "MQTT5-3.8.3-1"]
            "overlooks a SUBSCRIBE whose filter is cut short";
        ToleratesEmptySubscribe "tolerates-empty-subscribe" ["MQTT311-3.8.3-3", "MQTT5-3.8.3-2"]
            "overlooks a SUBSCRIBE without filters";
        ToleratesReservedOptions "tolerates-reserved-options" ["MQTT311-3.8.3-4", "MQTT5-3.8.3-5"]
            "overlooks a SUBSCRIBE with a reserved bit beside the QoS";
        ToleratesNoLocalShare "tolerates-no-local-share" ["MQTT5-3.8.3-4"]
            "overlooks a shared subscription with No Local";
        ToleratesUnsubscribeFlags "tolerates-unsubscribe-flags"
            ["MQTT311-3.10.1-1", "MQTT5-3.10.1-1"]
            "overlooks an UNSUBSCRIBE with other flags than it must have";
        ToleratesCutUnsubscribeFilter "tolerates-cut-unsubscribe-filter"
            ["MQTT311-3.10.3-1", "MQTT5-3.10.3-1"]
            "overlooks an UNSUBSCRIBE whose filter is cut short";
        ToleratesEmptyUnsubscribe "tolerates-empty-unsubscribe"
            ["MQTT311-3.10.3-2", "MQTT5-3.10.3-2"]
            "overlooks an UNSUBSCRIBE without filters";
        ToleratesDisconnectFlags "tolerates-disconnect-flags" ["MQTT311-3.14.1-1", "MQTT5-3.14.1-1"]
            "overlooks a DISCONNECT with reserved flags";
        ToleratesUnlistedDisconnectCode "tolerates-unlisted-disconnect-code" ["MQTT5-3.14.2-1"]
            "overlooks a DISCONNECT whose reason code is not one of its own";
        ToleratesAuthFlags "tolerates-auth-flags" ["MQTT5-3.15.1-1"]
            "overlooks an AUTH with reserved flags";
        ToleratesUnlistedAuthCode "tolerates-unlisted-auth-code" ["MQTT5-3.15.2-1"]
            "overlooks an AUTH whose reason code is not one of its own";
        ToleratesMisplacedHash "tolerates-misplaced-hash" ["MQTT311-4.7.1-2", "MQTT5-4.7.1-1"]
            "overlooks a filter with # where it may not stand";
        ToleratesMisplacedPlus "tolerates-misplaced-plus" ["MQTT311-4.7.1-3", "MQTT5-4.7.1-2"]
            "overlooks a filter with + where it may not stand";
        ToleratesEmptyTopic "tolerates-empty-topic" ["MQTT311-4.7.3-1", "MQTT5-4.7.3-1"]
            "overlooks an empty topic or filter";
        ToleratesForeignTypes "tolerates-foreign-types" ["MQTT311-4.8.0-1", "MQTT5-4.13.1-1"]
            "overlooks packets of types that no client sends, and pings with a body";
        ToleratesEmptyShareName "tolerates-empty-share-name" ["MQTT5-4.8.2-1"]
            "overlooks a shared subscription whose share name is empty";
        ToleratesMalformedShare "tolerates-malformed-share" ["MQTT5-4.8.2-2"]
            "overlooks a shared subscription without a filter, or with a wildcard in its name";
        ToleratesAuthWithoutMethod "tolerates-auth-without-method" ["MQTT5-4.12.0-7"]
            "overlooks an AUTH of a client that has named no method";
        ToleratesOtherMethodAgain "tolerates-other-method-again" ["MQTT5-4.12.1-1"]
            "overlooks a re-authentication by another method than the first";
    }
}
