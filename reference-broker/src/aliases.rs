//! Topic aliases of one connection, both ways (section 3.3.2.3.4). They do not
//! outlive it [MQTT5-3.3.2-7].

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use crate::wire::{Property, Publish, ReasonCode, TopicName, Violation};

#[derive(Debug, Default)]
pub(crate) struct Aliases {
    /// What the client's aliases mean.
    theirs: BTreeMap<NonZeroU16, TopicName>,
    /// What the broker's do.
    ours: BTreeMap<TopicName, NonZeroU16>,
}

impl Aliases {
    /// Gives a client's PUBLISH the topic that its alias stands for, or lets the
    /// alias stand for its topic from now on. Every alias up to `most` is taken
    /// [MQTT5-3.3.2-12], and none above [MQTT5-3.2.2-17] [MQTT5-3.2.2-18].
    pub(crate) fn resolve(&mut self, publish: &mut Publish, most: u16) -> Result<(), Violation> {
        let alias = publish
            .properties
            .iter()
            .find_map(|property| match property {
                Property::TopicAlias(alias) => Some(alias),
                _ => None,
            });
        let Some(alias) = alias else {
            return Ok(());
        };
        if alias.get() > most {
            return Err(Violation::answered(
                ReasonCode::TopicAliasInvalid,
                match most {
                    0 => "MQTT5-3.2.2-18",
                    _ => "MQTT5-3.2.2-17",
                },
                "the topic alias is above the maximum",
            ));
        }
        if publish.topic.is_aliased() {
            let topic = self.theirs.get(&alias).ok_or(Violation::protocol(
                "MQTT5 section 3.3.2.3.4",
                "the topic alias stands for no topic",
            ))?;
            publish.topic = topic.clone();
        } else {
            self.theirs.insert(alias, publish.topic.clone());
        }
        Ok(())
    }

    /// How a topic is said to the client: itself, unless it has an alias that
    /// the client knows, and the alias, if there is one. The first topics get
    /// one each, up to `most` [MQTT5-3.3.2-11].
    pub(crate) fn say(&mut self, topic: &TopicName, most: u16) -> (TopicName, Option<NonZeroU16>) {
        if let Some(alias) = self.ours.get(topic) {
            return (TopicName::ALIASED, Some(*alias));
        }
        let next = u16::try_from(self.ours.len() + 1).ok();
        let alias = next.filter(|next| *next <= most).and_then(NonZeroU16::new);
        if let Some(alias) = alias {
            self.ours.insert(topic.clone(), alias);
        }
        (topic.clone(), alias)
    }
}
