//! Fleets: lifecycles, publishing and protocol options with their defaults.

use std::ops::Range;
use std::time::Duration;

use super::super::Site;
use super::super::diagnostic::{ScenarioError, unknown};
use super::super::document::fleet::{
    DeviceMemoryName, FleetTable, LifecycleTable, MqttTable, PayloadTable, PublishTable,
    ReconnectTable, SpanValue, StartTable, VersionName,
};
use super::super::document::scalar::{Decimals, Name, ReadingTopic, Time, UnitName};
use super::super::document::value::{At, Either};
use super::super::fleet::{
    Clock, DeviceMemory, Fleet, Lifecycle, Mqtt, MqttVersion, Payload, Publish, Qos, Reconnect,
    Span, Start, Subscription, Will,
};
use super::super::text::{Complaint, written};
use super::Resolver;

/// A device that goes back to sleep before it has taken its readings.
fn not_awake_enough(readings: u32, taking: Duration, awake: Duration) -> Complaint {
    Complaint::new(
        format!(
            "{readings} readings take {}, and the device is awake for {} at most",
            written(taking),
            written(awake)
        ),
        "asleep before the last reading",
        "give `awake_max` more, `gap` less, or take fewer readings",
    )
}

/// How long a periodic device that subscribes listens, unless told.
const LISTEN: Duration = Duration::from_secs(5);

/// A device that goes back to sleep before it has listened for as long as it should.
fn listens_in_its_sleep(listen: Duration, awake: Duration) -> Complaint {
    Complaint::new(
        format!(
            "a device that listens for {} and is awake for {} at most",
            written(listen),
            written(awake)
        ),
        "asleep by then",
        "`listen` is less than `awake_max`, which is a minute unless given, and at most half of `every`",
    )
}

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
        let lifecycle = match table.lifecycle {
            None => Lifecycle::AlwaysOn,
            Some(lifecycle) => self.lifecycle(lifecycle.value, !table.subscribe.is_empty())?,
        };
        let publish = match table.publish {
            None => None,
            Some(publish) => Some(self.publish(publish, &lifecycle, fleet_names)?),
        };
        if publish.is_none() && table.subscribe.is_empty() {
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
            mqtt: self.mqtt(table.mqtt)?,
            reconnect: self.reconnect(&table.reconnect)?,
            window_bytes: match self.window(table.window.as_ref())?.or(window) {
                Some(bytes) => bytes,
                None if publish.is_none() => Fleet::WINDOW_OF_COMPUTERS,
                None => Fleet::WINDOW_OF_SENSORS,
            },
            publish,
            subscribe: table
                .subscribe
                .into_iter()
                .map(|table| Subscription {
                    filter: table.filter.0,
                    qos: table.qos.map_or(Qos::AtMostOnce, |qos| qos.0),
                    stay: table.stay.map(|time| time.0),
                })
                .collect(),
            name: table.name.value.0,
        })
    }

    fn lifecycle(
        &self,
        table: LifecycleTable,
        subscribes: bool,
    ) -> Result<Lifecycle, ScenarioError> {
        let up_time = "a device that is never up";
        Ok(match table {
            LifecycleTable::AlwaysOn {} => Lifecycle::AlwaysOn,
            LifecycleTable::Periodic {
                every,
                jitter,
                readings,
                gap,
                listen,
                awake_max,
            } => {
                let period = self.positive(&every, "a device that wakes all the time")?;
                let readings = readings.map_or(1, |count| count.0);
                let gap = match gap {
                    None => Duration::from_secs(1),
                    Some(gap) => self.positive(&gap, "readings all at one moment")?,
                };
                let span = awake_max.as_ref().map_or(&every.span, |time| &time.span);
                let awake = match &awake_max {
                    None => Duration::from_secs(60).min(period / 2),
                    Some(time) => self.positive(time, up_time)?,
                };
                let taking = gap.saturating_mul(readings.saturating_sub(1));
                if awake <= taking {
                    return Err(self.error(span, not_awake_enough(readings, taking, awake)));
                }
                let listen = match listen {
                    None if subscribes => LISTEN.min(awake / 2),
                    None => Duration::ZERO,
                    Some(time) if time.value.0 < awake => time.value.0,
                    Some(time) => {
                        return Err(
                            self.error(&time.span, listens_in_its_sleep(time.value.0, awake))
                        );
                    }
                };
                Lifecycle::Periodic {
                    jitter: self.jitter(jitter, period)?,
                    every: period,
                    readings,
                    gap,
                    listen,
                    awake_max: awake,
                }
            }
            LifecycleTable::Random { up, down, graceful } => Lifecycle::Random {
                up: self.span(&up)?,
                down: self.span(&down)?,
                graceful: graceful.unwrap_or(false),
            },
            LifecycleTable::Flapping { up, down, graceful } => Lifecycle::Flapping {
                up: self.positive(&up, up_time)?,
                down: self.positive(&down, "a device that is never down does not flap")?,
                graceful: graceful.unwrap_or(false),
            },
            LifecycleTable::Once { stay, graceful } => Lifecycle::Once {
                stay: match stay {
                    None => None,
                    Some(stay) => Some(self.positive(&stay, up_time)?),
                },
                graceful: graceful.unwrap_or(true),
            },
        })
    }

    fn span(&self, span: &SpanValue) -> Result<Span, ScenarioError> {
        let fixed = |time: &Time, span: &Range<usize>| {
            let at = At {
                value: *time,
                span: span.clone(),
            };
            self.positive(&at, "a time of nothing")
        };
        let table = match &span.value {
            Either::Short(time) => return Ok(Span::Fixed(fixed(time, &span.span)?)),
            Either::Table(table) => table,
        };
        match (&table.exponential, &table.uniform) {
            (Some(mean), None) => Ok(Span::Exponential {
                mean: fixed(&mean.value, &mean.span)?,
            }),
            (None, Some(range)) => {
                let (min, max) = self.range(range)?;
                fixed(&Time(max), &range.span)?;
                Ok(Span::Uniform { min, max })
            }
            _ => Err(self.error(
                &span.span,
                Complaint::new(
                    "a time that is not exactly one distribution",
                    "which one?",
                    "write \"10m\", { exponential = \"10m\" } or { uniform = [\"5m\", \"15m\"] }",
                ),
            )),
        }
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

    fn publish(
        &self,
        publish: At<PublishTable>,
        lifecycle: &Lifecycle,
        fleet_names: &[String],
    ) -> Result<Publish, ScenarioError> {
        let At { value: table, span } = publish;
        let to = self.addressees(table.to.as_ref(), &table.topic, fleet_names)?;
        let every = self.every(
            table.every,
            lifecycle,
            table.readings.map(|count| count.0),
            &span,
        )?;
        let qos = match table.qos {
            None => vec![Qos::AtMostOnce],
            Some(At { value, span }) => {
                if value.0.is_empty() {
                    let complaint = Complaint::new(
                        "an empty list of QoS",
                        "which QoS?",
                        "write one, such as 1, or several that readings take in turn: [0, 1, 2]",
                    );
                    return Err(self.error(&span, complaint));
                }
                value.0.iter().map(|qos| qos.0).collect()
            }
        };
        Ok(Publish {
            topic: table.topic.value.0,
            to,
            qos,
            retain: table.retain.unwrap_or(false),
            every,
            jitter: self.jitter(table.jitter, every)?,
            readings: table.readings.map(|count| count.0),
            payload: match table.payload {
                None => default_payload(),
                Some(payload) => self.payload(payload.value)?,
            },
        })
    }

    /// The fleet that readings are addressed to, and whose devices their topic
    /// must then name.
    fn addressees(
        &self,
        to: Option<&At<Name>>,
        topic: &At<ReadingTopic>,
        fleet_names: &[String],
    ) -> Result<Option<usize>, ScenarioError> {
        let named = topic.value.0.contains("{target}");
        match to {
            None if named => Err(self.error(
                &topic.span,
                Complaint::new(
                    "a topic with `{target}`, and nobody the readings are addressed to",
                    "whose name?",
                    "add `to = \"…\"` with the name of a fleet",
                ),
            )),
            None => Ok(None),
            Some(to) if !named => Err(self.error(
                &to.span,
                Complaint::new(
                    format!(
                        "readings addressed to `{}`, in a topic that does not say to which device",
                        to.value.0
                    ),
                    "to all of them",
                    "put `{target}` into `topic`; or leave `to` out, and let that fleet subscribe to the topic",
                ),
            )),
            Some(to) => {
                let index = fleet_names.iter().position(|name| *name == to.value.0);
                let known: Vec<&str> = fleet_names.iter().map(String::as_str).collect();
                let unknown = || self.error(&to.span, unknown("fleet", &to.value.0, &known));
                index.map(Some).ok_or_else(unknown)
            }
        }
    }

    /// The time from one reading to the next, which comes from the lifecycle
    /// of a periodic device and must be given for every other.
    fn every(
        &self,
        every: Option<At<Time>>,
        lifecycle: &Lifecycle,
        readings: Option<u32>,
        publish: &Range<usize>,
    ) -> Result<Duration, ScenarioError> {
        match (every, lifecycle) {
            (Some(every), Lifecycle::Periodic { .. }) => Err(self.error(
                &every.span,
                Complaint::new(
                    "a periodic device publishes when it wakes",
                    "not of its own",
                    "leave it out; `lifecycle` has `every`, `readings` and `gap`",
                ),
            )),
            (None, Lifecycle::Periodic { gap, .. }) => Ok(*gap),
            (Some(every), _) => self.positive(&every, "readings without end at one moment"),
            (None, _) if readings == Some(1) => Ok(self.duration),
            (None, _) => Err(self.error(
                publish,
                Complaint::new(
                    "a device that publishes, but not when",
                    "how often?",
                    "add `every = \"1m\"`, or `readings = 1` for a single reading",
                ),
            )),
        }
    }

    fn jitter(&self, jitter: Option<At<Time>>, every: Duration) -> Result<Duration, ScenarioError> {
        match jitter {
            None => Ok(Duration::ZERO),
            Some(jitter) if jitter.value.0 <= every / 2 => Ok(jitter.value.0),
            Some(jitter) => Err(self.error(
                &jitter.span,
                Complaint::new(
                    format!(
                        "a jitter of {} around every {}",
                        written(jitter.value.0),
                        written(every)
                    ),
                    "more than half of `every`",
                    "jitter goes to either side, and two turns must not swap places",
                ),
            )),
        }
    }

    fn payload(&self, table: PayloadTable) -> Result<Payload, ScenarioError> {
        Ok(match table {
            PayloadTable::Json {
                unit,
                decimals,
                min,
                max,
            } => {
                let (min, max) = self.values(min, max, 100.0)?;
                Payload::Json {
                    unit: unit_name(unit),
                    decimals: digits(decimals),
                    min,
                    max,
                }
            }
            PayloadTable::Fixed { bytes } => Payload::Fixed {
                bytes: self.within(
                    &bytes.span,
                    bytes.value.0,
                    Payload::BYTES_MIN..=268_000_000,
                    "a reading",
                    "at least 18 bytes, which hold the id that every reading carries",
                )?,
            },
            PayloadTable::RandomWalk {
                unit,
                decimals,
                min,
                max,
                step,
            } => {
                let (min, max) = self.values(min, max, 40.0)?;
                Payload::RandomWalk {
                    unit: unit_name(unit),
                    decimals: digits(decimals),
                    min,
                    max,
                    step: self.value(step, 0.5)?,
                }
            }
            PayloadTable::Sine {
                unit,
                decimals,
                mean,
                amplitude,
                period,
            } => Payload::Sine {
                unit: unit_name(unit),
                decimals: digits(decimals),
                mean: self.value(mean, 20.0)?,
                amplitude: self.value(amplitude, 5.0)?,
                period: match period {
                    None => Duration::from_secs(86_400),
                    Some(period) => self.positive(&period, "a swing of no time")?,
                },
            },
            PayloadTable::Empty {} => Payload::Empty,
            PayloadTable::File { path } => self.lines(&path)?,
        })
    }

    fn values(
        &self,
        min: Option<At<f64>>,
        max: Option<At<f64>>,
        otherwise: f64,
    ) -> Result<(f64, f64), ScenarioError> {
        let span = max
            .as_ref()
            .or(min.as_ref())
            .map_or(0..0, |at| at.span.clone());
        let (min, max) = (self.value(min, 0.0)?, self.value(max, otherwise)?);
        if min > max {
            let complaint = Complaint::new(
                format!("values from {min} down to {max}"),
                "the wrong way round",
                "`min` is at most `max`",
            );
            return Err(self.error(&span, complaint));
        }
        Ok((min, max))
    }

    fn value(&self, value: Option<At<f64>>, otherwise: f64) -> Result<f64, ScenarioError> {
        match value {
            None => Ok(otherwise),
            Some(value) if value.value.is_finite() => Ok(value.value),
            Some(value) => Err(self.error(
                &value.span,
                Complaint::new("a value without end", "not finite", "write a number"),
            )),
        }
    }

    fn lines(&self, path: &At<String>) -> Result<Payload, ScenarioError> {
        let beside = self.path.parent().unwrap_or(std::path::Path::new(""));
        let file = beside.join(&path.value);
        let text = std::fs::read_to_string(&file).map_err(|error| {
            let complaint = Complaint::new(
                format!("cannot read {}: {error}", file.display()),
                "no such readings",
                "the path is relative to the scenario",
            );
            self.error(&path.span, complaint)
        })?;
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.is_empty() {
            let complaint = Complaint::new(
                format!("{} has no lines", file.display()),
                "an empty file",
                "each line is one reading",
            );
            return Err(self.error(&path.span, complaint));
        }
        Ok(Payload::File { path: file, lines })
    }

    fn mqtt(&self, table: MqttTable) -> Result<Mqtt, ScenarioError> {
        // [MQTT311-3.1.2-22] Without a user name there is no password.
        if let (None, Some(password)) = (&table.username, &table.password) {
            return Err(self.error(
                &password.span,
                Complaint::new(
                    "a password without a user name",
                    "whose?",
                    "MQTT 3.1.1 sends no password without a user name: add `username`",
                ),
            ));
        }
        let will = match table.will {
            None => None,
            Some(will) => Some(Will {
                topic: will.topic.0,
                payload: self.short(will.payload)?.unwrap_or_default(),
                qos: will.qos.map_or(Qos::AtMostOnce, |qos| qos.0),
                retain: will.retain.unwrap_or(false),
            }),
        };
        Ok(Mqtt {
            version: match table.version {
                None | Some(VersionName::V3_1_1) => MqttVersion::V3_1_1,
            },
            client_id: table
                .client_id
                .map_or_else(|| "{device}".to_owned(), |client_id| client_id.0),
            keep_alive: table
                .keep_alive
                .map_or(Duration::from_secs(60), |time| time.0),
            clean_session: table.clean_session.unwrap_or(true),
            will,
            username: self.short(table.username)?,
            password: self.short(table.password)?,
            inflight: table.inflight.map_or(10, |count| count.0),
        })
    }

    /// A text that fits the two bytes of its length in CONNECT.
    fn short(&self, text: Option<At<String>>) -> Result<Option<String>, ScenarioError> {
        match text {
            Some(text) if text.value.len() > usize::from(u16::MAX) => Err(self.error(
                &text.span,
                Complaint::new(
                    format!("a text of {} bytes", text.value.len()),
                    "too long",
                    "CONNECT has room for 65,535 bytes",
                ),
            )),
            text => Ok(text.map(|text| text.value)),
        }
    }

    fn reconnect(&self, table: &ReconnectTable) -> Result<Reconnect, ScenarioError> {
        let time = |time: &Option<At<Time>>, otherwise: Duration| match time {
            None => Ok(otherwise),
            Some(time) => self.positive(time, "a wait of no time"),
        };
        let min = time(&table.min, Duration::from_secs(1))?;
        let max = time(&table.max, Duration::from_secs(120).max(min))?;
        let timeout = time(&table.timeout, Duration::from_secs(30))?;
        if let Some(given) = table.max.as_ref().filter(|_| max < min) {
            let complaint = Complaint::new(
                format!(
                    "a longest wait of {} after a first of {}",
                    written(max),
                    written(min)
                ),
                "shorter than `min`",
                "a wait doubles from `min` up to `max`",
            );
            return Err(self.error(&given.span, complaint));
        }
        if let Some(given) = table
            .timeout
            .as_ref()
            .filter(|_| timeout.subsec_nanos() != 0)
        {
            let complaint = Complaint::new(
                format!("a timeout of {}", written(timeout)),
                "not whole seconds",
                "the MQTT client counts in seconds",
            );
            return Err(self.error(&given.span, complaint));
        }
        Ok(Reconnect {
            min,
            max,
            jitter: table.jitter.map_or(0.5, |share| share.0),
            timeout,
        })
    }
}

fn unit_name(unit: Option<UnitName>) -> String {
    unit.map_or_else(|| "value".to_owned(), |unit| unit.0)
}

fn digits(decimals: Option<Decimals>) -> u8 {
    decimals.map_or(1, |decimals| decimals.0)
}

fn default_payload() -> Payload {
    Payload::Json {
        unit: unit_name(None),
        decimals: digits(None),
        min: 0.0,
        max: 100.0,
    }
}
