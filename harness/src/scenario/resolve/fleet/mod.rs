//! Fleets: lifecycles, publishing and protocol options with their defaults.

mod lifecycle;
mod mqtt;
mod payload;
mod protocol;
mod publish;
mod subscribe;

pub(super) use mqtt::version;

use std::time::Duration;

use super::super::Site;
use super::super::diagnostic::{ScenarioError, unknown};
use super::super::document::fleet::{DeviceMemoryName, FleetTable, StartTable};
use super::super::document::scalar::Time;
use super::super::document::value::{At, Either};
use super::super::fleet::{Clock, DeviceMemory, Fleet, Lifecycle, Publish, Start};
use super::super::text::{Complaint, written};
use super::Resolver;

impl Resolver<'_> {
    /// `fleet_names` are those of all fleets, in their order, and `window` is the TCP window that `[network]` gives to all fleets, in bytes.
    pub(super) fn fleet(
        &self,
        table: FleetTable,
        sites: &[Site],
        fleet_names: &[String],
        window: Option<u32>,
    ) -> Result<Fleet, ScenarioError> {
        let site = sites
            .iter()
            .position(|site| site.name == table.site.value.0)
            .ok_or_else(|| {
                let known: Vec<&str> = sites.iter().map(|site| site.name.as_str()).collect();
                self.error(
                    &table.site.span,
                    unknown("site", &table.site.value.0, &known),
                )
            })?;
        let protocol = self.protocol(&table)?;
        let tls = self.tls(table.tls.as_ref());
        let lifecycle = match table.lifecycle {
            None => Lifecycle::AlwaysOn,
            Some(lifecycle) => self.lifecycle(lifecycle.value, !table.subscribe.is_empty())?,
        };
        let mqtt = self.mqtt(table.mqtt.map(|mqtt| mqtt.value).unwrap_or_default())?;
        let mut publish = match table.publish {
            None => None,
            Some(publish) => Some(self.publish(publish, mqtt.version, &lifecycle, fleet_names)?),
        };
        let mut subscribe = table
            .subscribe
            .into_iter()
            .map(|table| self.subscribe(table, mqtt.version))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some((posted, polled)) = protocol::qos(&protocol) {
            publish
                .iter_mut()
                .for_each(|publish| publish.qos = vec![posted]);
            subscribe.iter_mut().for_each(|wanted| wanted.qos = polled);
        }
        if publish.is_none() && subscribe.is_empty() {
            return Err(self.error(
                &table.name.span,
                Complaint::new(
                    format!(
                        "the fleet `{}` neither publishes nor subscribes",
                        table.name.value.0
                    ),
                    "nothing to do",
                    "add `publish = { topic = \"…\", … }` or `subscribe = [{ filter = \"…\" }]`",
                ),
            ));
        }
        Ok(Fleet {
            site,
            count: table.count.value.0,
            start: self.start(table.start, &lifecycle, publish.as_ref())?,
            device_memory: match table.device_memory {
                None | Some(DeviceMemoryName::Flash) => DeviceMemory::Flash,
                Some(DeviceMemoryName::Ram) => DeviceMemory::Ram,
            },
            lifecycle,
            clock: Clock {
                drift_ppm: table.clock.drift.map_or(0.0, |drift| drift.0),
            },
            reconnect: self.reconnect(&table.reconnect)?,
            window_bytes: match self.window(table.window.as_ref())?.or(window) {
                Some(bytes) => bytes,
                None if publish.is_none() => Fleet::WINDOW_OF_COMPUTERS,
                None => Fleet::WINDOW_OF_SENSORS,
            },
            publish,
            subscribe,
            protocol,
            tls,
            mqtt,
            name: table.name.value.0,
        })
    }

    fn start(
        &self,
        start: Option<At<Either<Time, StartTable>>>,
        lifecycle: &Lifecycle,
        publish: Option<&Publish>,
    ) -> Result<Start, ScenarioError> {
        let spread = match (lifecycle, publish) {
            (Lifecycle::Periodic { every, .. }, _) => *every,
            (_, Some(publish)) => publish.every.min(self.duration / 10),
            (_, None) => Duration::ZERO,
        };
        let Some(At { value, span }) = start else {
            return Ok(Start {
                after: Duration::ZERO,
                spread,
            });
        };
        let start = match value {
            Either::Short(spread) => Start {
                after: Duration::ZERO,
                spread: spread.0,
            },
            Either::Table(table) => Start {
                after: table.after.map_or(Duration::ZERO, |after| after.0),
                spread: table.spread.map_or(spread, |spread| spread.0),
            },
        };
        if start.after >= self.duration {
            return Err(self.error(
                &span,
                Complaint::new(
                    format!(
                        "a fleet that starts after the run of {}",
                        written(self.duration)
                    ),
                    "too late",
                    "let it start earlier, or make `duration` longer",
                ),
            ));
        }
        Ok(start)
    }
}
