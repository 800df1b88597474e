//! The table `[limits]`: how much of everything there may be.

use serde::Deserialize;
use squall_broker::{Limits, QueueFull};

use super::{Resolver, count, set, size};
use crate::scenario::ScenarioError;
use crate::scenario::document::scalar::{Count, Size, Time};
use crate::scenario::document::value::At;

/// The fields of [`Limits`], and those of the sockets.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of limits")]
pub(super) struct LimitsTable {
    pub(super) sockets: Option<Count>,
    packet_bytes: Option<At<Size>>,
    client_id_bytes: Option<Size>,
    connections: Option<Count>,
    sessions: Option<Count>,
    connect_timeout: Option<At<Time>>,
    linger: Option<At<Time>>,
    silence: Option<At<Time>>,
    subscriptions_per_session: Option<Count>,
    topic_levels: Option<At<Count>>,
    inflight: Option<At<Count>>,
    outbound_bytes: Option<Size>,
    queue_messages: Option<Count>,
    queue_bytes: Option<Size>,
    queue_full: Option<QueueFullName>,
    queue_qos0: Option<bool>,
    retained_messages: Option<Count>,
    retained_bytes: Option<Size>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum QueueFullName {
    DropNewest,
    DropOldest,
}

impl Resolver<'_> {
    pub(super) fn limits(
        &self,
        table: LimitsTable,
        limits: &mut Limits,
    ) -> Result<(), ScenarioError> {
        if let Some(bytes) = &table.packet_bytes {
            // Less than that, and not even a CONNECT gets through.
            self.within(&bytes.span, size(&bytes.value), 64..=limits.packet_bytes)?;
        }
        if let Some(inflight) = &table.inflight {
            // As many as there are packet identifiers. [MQTT311-2.3.1-1]
            self.within(&inflight.span, count(&inflight.value), 1..=65_535)?;
        }
        if let Some(topic_levels) = &table.topic_levels {
            // A topic has no more bytes than 65,535, and a level more than `/`.
            // [MQTT311-4.7.3-3]
            self.within(&topic_levels.span, count(&topic_levels.value), 1..=65_536)?;
        }
        let times = [&table.connect_timeout, &table.linger, &table.silence];
        for time in times.into_iter().flatten() {
            if time.value.0.is_zero() {
                let what = "a limit of no time".to_owned();
                let help = "write a duration of more than nothing";
                return Err(self.error(&time.span, what, "zero", help));
            }
        }
        let at_size = |at: &At<Size>| size(&at.value);
        let at_time = |at: &At<Time>| at.value.0;
        set(
            &mut limits.packet_bytes,
            table.packet_bytes.as_ref().map(at_size),
        );
        set(
            &mut limits.client_id_bytes,
            table.client_id_bytes.as_ref().map(size),
        );
        set(
            &mut limits.connections,
            table.connections.as_ref().map(count),
        );
        set(&mut limits.sessions, table.sessions.as_ref().map(count));
        set(
            &mut limits.connect_timeout,
            table.connect_timeout.as_ref().map(at_time),
        );
        set(&mut limits.linger, table.linger.as_ref().map(at_time));
        limits.silence = table.silence.as_ref().map(at_time).or(limits.silence);
        set(
            &mut limits.topic_levels,
            table.topic_levels.as_ref().map(|at| count(&at.value)),
        );
        set(
            &mut limits.subscriptions_per_session,
            table.subscriptions_per_session.as_ref().map(count),
        );
        set(
            &mut limits.inflight,
            table.inflight.as_ref().map(|at| count(&at.value)),
        );
        set(
            &mut limits.outbound_bytes,
            table.outbound_bytes.as_ref().map(size),
        );
        set(
            &mut limits.queue_messages,
            table.queue_messages.as_ref().map(count),
        );
        set(
            &mut limits.queue_bytes,
            table.queue_bytes.as_ref().map(size),
        );
        set(
            &mut limits.queue_full,
            table.queue_full.map(QueueFull::from),
        );
        set(&mut limits.queue_qos0, table.queue_qos0);
        set(
            &mut limits.retained_messages,
            table.retained_messages.as_ref().map(count),
        );
        set(
            &mut limits.retained_bytes,
            table.retained_bytes.as_ref().map(size),
        );
        Ok(())
    }
}

impl From<QueueFullName> for QueueFull {
    fn from(name: QueueFullName) -> Self {
        match name {
            QueueFullName::DropNewest => Self::DropNewest,
            QueueFullName::DropOldest => Self::DropOldest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::Settings;
    use std::path::Path;

    /// A limit that the file does not know could not be set.
    #[test]
    fn every_limit_has_a_key() {
        let debug = format!("{:#?}", Limits::default());
        let fields = debug.lines().filter_map(|line| line.strip_prefix("    "));
        let fields: Vec<_> = fields.filter_map(|line| line.split(':').next()).collect();
        assert!(fields.contains(&"packet_bytes"), "{debug}");
        for field in fields {
            // Not a value of any of them.
            let text = format!("[limits]\n{field} = [[1]]\n");
            let error = Settings::parse(Path::new("broker.toml"), &text).expect_err("no limit");
            assert!(
                !error.to_string().contains("unknown key"),
                "{field}: {error}"
            );
        }
    }
}
