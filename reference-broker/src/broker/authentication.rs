//! Enhanced authentication: a client shows who it is by AUTH packets, before its
//! CONNACK and again later (section 4.12). The one method is `SCRAM-SHA-256`, for
//! users that have [keys](crate::ScramKeys).

use super::Broker;
use crate::access::Identity;
use crate::connection::{Connection, Phase};
use crate::observer::CloseReason;
use crate::quirks::Quirk;
use crate::scram::{self, Exchange, NotShown};
use crate::wire::{Auth, Connect, Packet, Property, ReasonCode, Rule, Text};

/// How far a client is with showing who it is.
#[derive(Debug)]
pub(crate) struct Authentication {
    /// The CONNECT that waits, if it is the first time.
    connect: Option<Connect>,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// The client's first message is to come.
    First,
    /// The client's last message is to come.
    Last(Box<Exchange>),
    /// It has shown who it is; this is what its CONNACK has to say.
    Shown(String),
    /// It is connected.
    Idle,
}

/// What to do after a step.
enum Next {
    Answer(String),
    /// It is this user, and this is to be said.
    Done(String, String),
}

/// AUTH in a connection that has no method.
const NO_METHOD: Rule = Rule::protocol(
    "MQTT311-4.8.0-1",
    "MQTT5-4.12.0-7",
    "AUTH without an authentication method in the CONNECT",
);
const OTHER_METHOD: Rule = Rule::protocol(
    "MQTT311-4.8.0-1",
    "MQTT5-4.12.0-5",
    "AUTH names another authentication method than CONNECT",
);
const OTHER_METHOD_AGAIN: Rule = Rule::protocol(
    "MQTT311-4.8.0-1",
    "MQTT5-4.12.1-1",
    "re-authentication by another method than the first",
);
const NOT_ASKED: Rule = Rule::protocol(
    "MQTT311-4.8.0-1",
    "MQTT5 section 4.12",
    "AUTH continues an authentication that has not begun",
);
const NOT_YET: Rule = Rule::protocol(
    "MQTT311-4.8.0-1",
    "MQTT5 section 4.12.1",
    "re-authentication before CONNACK",
);
const ONLY_AUTH: Rule = Rule::protocol(
    "MQTT311-4.8.0-1",
    "MQTT5-3.1.2-30",
    "neither AUTH nor DISCONNECT before CONNACK",
);

impl Broker {
    /// Begins with a client that names a method in its CONNECT.
    pub(super) fn authenticate(&mut self, slot: usize, connect: Connect, method: Text) {
        // Who has no keys may not even ask for the method.
        if method.as_str() != scram::METHOD || !self.config.access.has_scram() {
            // [MQTT5-4.12.0-1]
            return self.refuse(slot, ReasonCode::BadAuthenticationMethod);
        }
        let first = connect.properties.iter().find_map(data);
        let connection = &mut self.connections[slot];
        connection.phase = Phase::Authenticating;
        connection.authentication = Some(Box::new(Authentication {
            connect: Some(connect),
            step: Step::First,
        }));
        match first {
            Some(first) => self.take_step(slot, &first),
            // The client waits to be asked. [MQTT5-4.12.0-2]
            None => self.reply_auth(slot, ReasonCode::ContinueAuthentication, None),
        }
    }

    /// A packet of a client that has not got its CONNACK yet.
    pub(super) fn authenticating_packet(
        &mut self,
        slot: usize,
        packet: Packet,
    ) -> Result<(), Rule> {
        match packet {
            Packet::Auth(auth) if auth.code == ReasonCode::ReAuthenticate => Err(NOT_YET),
            Packet::Auth(auth) => {
                let said = self.said(slot, &auth, OTHER_METHOD)?;
                self.take_step(slot, &said);
                Ok(())
            }
            Packet::Disconnect(_) => {
                self.close(slot, CloseReason::Disconnect);
                Ok(())
            }
            _ => Err(ONLY_AUTH),
        }
    }

    /// AUTH of a connected client. Everything else goes on meanwhile, as the user
    /// that the client was before.
    pub(super) fn authenticate_again(&mut self, slot: usize, auth: &Auth) -> Result<(), Rule> {
        let begins = auth.code == ReasonCode::ReAuthenticate;
        let rule = if begins {
            OTHER_METHOD_AGAIN
        } else {
            OTHER_METHOD
        };
        let said = self.said(slot, auth, rule)?;
        let connection = &mut self.connections[slot];
        let authentication = connection.authentication.as_mut().ok_or(NO_METHOD)?;
        match (begins, &authentication.step) {
            (true, _) => authentication.step = Step::First,
            (false, Step::First | Step::Last(_)) => {}
            (false, Step::Shown(_) | Step::Idle) => return Err(NOT_ASKED),
        }
        let has_data = auth.properties.iter().any(|one| data(one).is_some());
        if begins && !has_data {
            self.reply_auth(slot, ReasonCode::ContinueAuthentication, None);
        } else {
            self.take_step(slot, &said);
        }
        Ok(())
    }

    /// What an AUTH says, if it keeps to the method [MQTT5-4.12.0-5].
    fn said(&self, slot: usize, auth: &Auth, other: Rule) -> Result<Vec<u8>, Rule> {
        let method = self.connections[slot].terms.method.as_ref();
        let method = method.ok_or(NO_METHOD)?;
        let is_method =
            |one: Property| matches!(one, Property::AuthenticationMethod(said) if said == *method);
        if !auth.properties.iter().any(is_method) {
            return Err(other);
        }
        let data = auth.properties.iter().find_map(data);
        Ok(data.unwrap_or_default().into())
    }

    /// Acts upon the client's next message.
    fn take_step(&mut self, slot: usize, said: &[u8]) {
        match self.next_step(slot, said) {
            // [MQTT5-4.12.0-2]
            Ok(Next::Answer(answer)) => {
                self.reply_auth(slot, ReasonCode::ContinueAuthentication, Some(answer));
            }
            Ok(Next::Done(user_name, last)) => self.shown(slot, &user_name, last),
            Err(NotShown) => self.not_shown(slot),
        }
    }

    fn next_step(&mut self, slot: usize, said: &[u8]) -> Result<Next, NotShown> {
        let draw = self.draw();
        let authentication = self.connections[slot].authentication.as_mut();
        let step = &mut authentication.ok_or(NotShown)?.step;
        match std::mem::replace(step, Step::Idle) {
            Step::First => {
                let keys = |user_name: &str| self.config.access.scram_keys(user_name);
                let (exchange, answer) = Exchange::begin(said, &draw, &self.config.entropy, keys)?;
                *step = Step::Last(Box::new(exchange));
                Ok(Next::Answer(answer))
            }
            Step::Last(exchange) => {
                let (user_name, last) = exchange.finish(said)?;
                Ok(Next::Done(user_name, last))
            }
            Step::Shown(_) | Step::Idle => Err(NotShown),
        }
    }

    /// A client has shown to be this user.
    fn shown(&mut self, slot: usize, user_name: &str, last: String) {
        let connection = &mut self.connections[slot];
        let Some(authentication) = &mut connection.authentication else {
            return;
        };
        match authentication.connect.take() {
            // A user name in CONNECT, which need not be there, is no other.
            Some(connect) if names_another(&connect, user_name) => self.not_shown(slot),
            Some(connect) => {
                authentication.step = Step::Shown(last);
                let identity = self.config.access.identity(user_name);
                self.authenticated(slot, connect, identity);
            }
            None if connection.user.as_deref() == Some(user_name) => {
                let Identity { rights, .. } = self.config.access.identity(user_name);
                connection.rights = rights;
                self.reply_auth(slot, ReasonCode::Success, Some(last));
            }
            // A session is one user's.
            None => self.not_shown(slot),
        }
    }

    /// [MQTT5-4.12.0-4] [MQTT5-4.12.1-2]
    fn not_shown(&mut self, slot: usize) {
        if self.config.quirks.has(Quirk::AcceptsAnyProof) {
            let authentication = self.connections[slot].authentication.as_mut();
            return match authentication.and_then(|one| one.connect.take()) {
                Some(connect) => self.authenticated(slot, connect, Identity::default()),
                None => self.reply_auth(slot, ReasonCode::Success, None),
            };
        }
        match self.connections[slot].phase {
            Phase::Connected(_) => self.close(slot, CloseReason::NotShownAgain),
            _ => self.refuse(slot, ReasonCode::NotAuthorized),
        }
    }

    /// [MQTT5-4.12.0-5]
    fn reply_auth(&mut self, slot: usize, mut code: ReasonCode, answer: Option<String>) {
        if self.config.quirks.has(Quirk::MisstatesContinuation) {
            code = ReasonCode::Success;
        }
        let method = self.connections[slot].terms.method.clone();
        let properties = properties(method, answer).collect();
        self.reply(slot, &Packet::Auth(Auth { code, properties }));
    }
}

/// What the CONNACK of a client says that has shown who it is [MQTT5-4.12.0-5];
/// nothing of any other [MQTT5-4.12.0-6].
pub(super) fn shown(connection: &mut Connection) -> impl Iterator<Item = Property> + use<> {
    let authentication = connection.authentication.as_mut();
    let step = authentication.map(|one| std::mem::replace(&mut one.step, Step::Idle));
    let last = match step {
        Some(Step::Shown(last)) => Some(last),
        _ => None,
    };
    properties(connection.terms.method.clone(), last)
}

fn properties(method: Option<Text>, answer: Option<String>) -> impl Iterator<Item = Property> {
    let method = method.map(Property::AuthenticationMethod);
    let data = answer.map(|answer| Property::AuthenticationData(answer.into()));
    method.into_iter().chain(data)
}

fn data(property: Property) -> Option<bytes::Bytes> {
    match property {
        Property::AuthenticationData(data) => Some(data),
        _ => None,
    }
}

fn names_another(connect: &Connect, user_name: &str) -> bool {
    let named = connect.user_name.as_ref();
    named.is_some_and(|named| named.as_str() != user_name)
}
