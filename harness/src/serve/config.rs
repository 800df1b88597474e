//! The file of `squall serve --config`: TOML, one struct for each table, one
//! field for each key. What is not given is as it is without a file.
//!
//! ```
//! use std::path::Path;
//! use squall::serve::Settings;
//!
//! let settings = Settings::parse(Path::new("broker.toml"), r#"
//! [listen]
//! tcp = "127.0.0.1:1883"
//! ws  = ["127.0.0.1:8083", "[::1]:8083"]
//!
//! [websocket]
//! path    = "/mqtt"
//! origins = ["https://dashboard.example"]
//!
//! [limits]
//! connections = 10_000
//! packet_bytes = "256 KiB"
//!
//! [access]
//! anonymous = true              # whoever names no user ...
//! subscribe = ["public/#"]      # ... may read this,
//! publish   = []                # and write nothing
//!
//! [[user]]
//! name      = "valley"
//! password_hash = "$argon2id$v=19$m=19456,t=2,p=1$i0B7gtwp0xkH8UYeZT5pWQ$9MK0JCdEngzGlGYJFwNLSjztHqVDe5ZfOU6NARJtQZs"
//! publish   = ["valley/#"]      # without `subscribe`, it may read everything
//! "#).map_err(|error| error.render(false, 100)).expect("no mistake");
//! assert_eq!(settings.endpoints.len(), 3);
//! ```

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use squall_broker::wire::TopicFilter;
use squall_broker::{Limits, Password, QueueFull, Rights, User};

use super::{Endpoint, PasswordHash, Settings, Tls, TlsError, Transport};
use crate::scenario::ScenarioError;
use crate::scenario::diagnostic::Sources;
use crate::scenario::document::scalar::{Count, QuirkName, Size, Time};
use crate::scenario::document::value::{At, OneOrMore};
use crate::scenario::text::Complaint;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServeTable {
    /// Where to listen, by transport.
    #[serde(default)]
    listen: ListenTable,
    #[serde(default)]
    websocket: WebSocketTable,
    /// Without it, a certificate is made at start.
    tls: Option<TlsTable>,
    #[serde(default)]
    limits: LimitsTable,
    #[serde(default)]
    access: AccessTable,
    #[serde(default)]
    user: Vec<UserTable>,
    /// Deliberate defects.
    #[serde(default)]
    quirks: Vec<QuirkName>,
    /// A directory for what is to survive a crash, relative to this file.
    data: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of addresses")]
struct ListenTable {
    tcp: Option<OneOrMore<String>>,
    tls: Option<OneOrMore<String>>,
    ws: Option<OneOrMore<String>>,
    wss: Option<OneOrMore<String>>,
    /// Plain WebSocket, served by the hub.
    hub: Option<OneOrMore<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table about WebSocket")]
struct WebSocketTable {
    /// `/mqtt` unless given; `"*"` for any.
    path: Option<At<String>>,
    /// Pages that may connect; all unless given.
    origins: Option<Vec<String>>,
    /// Largest message; as large as packets may be unless given.
    message_bytes: Option<Size>,
}

/// PEM files, relative to this file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of PEM files")]
struct TlsTable {
    certificate: At<String>,
    key: At<String>,
}

/// The fields of [`Limits`], and those of the sockets.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of limits")]
struct LimitsTable {
    sockets: Option<Count>,
    packet_bytes: Option<At<Size>>,
    client_id_bytes: Option<Size>,
    connections: Option<Count>,
    sessions: Option<Count>,
    connect_timeout: Option<At<Time>>,
    linger: Option<At<Time>>,
    subscriptions_per_session: Option<Count>,
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

/// Who names no user, and what nobody may do.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of rights")]
struct AccessTable {
    /// Whether one may connect without a user; unless given, only as long as
    /// there are no users.
    anonymous: Option<At<bool>>,
    publish: Option<Vec<At<String>>>,
    subscribe: Option<Vec<At<String>>>,
    #[serde(default)]
    deny_publish: Vec<At<String>>,
    #[serde(default)]
    deny_subscribe: Vec<At<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a user")]
struct UserTable {
    name: At<String>,
    /// In the clear, for tests.
    password: Option<String>,
    /// As `squall password` prints it.
    password_hash: Option<At<String>>,
    /// Filters of topics it may publish to; all unless given.
    publish: Option<Vec<At<String>>>,
    /// Filters that cover what it may subscribe to; all unless given.
    subscribe: Option<Vec<At<String>>>,
}

impl Settings {
    /// Reads the settings in a file.
    ///
    /// # Errors
    /// One that names the file when it cannot be read, and otherwise shows the
    /// first mistake where it stands.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            ScenarioError::new(
                format!("cannot read {}: {error}", path.display()),
                Some("give the path of a TOML file with settings of `squall serve`".to_owned()),
            )
        })?;
        Self::parse(path, &text)
    }

    /// Reads settings from their text; `path` is what errors call it, and what
    /// paths inside are relative to.
    ///
    /// # Errors
    /// One that shows the first mistake where it stands.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ScenarioError> {
        let sources = Sources::new(path, text, &[]);
        let table =
            toml::from_str::<ServeTable>(text).map_err(|error| sources.toml_error(&error))?;
        let resolver = Resolver {
            directory: path.parent().unwrap_or(Path::new("")),
            sources: &sources,
        };
        resolver.settings(table)
    }
}

struct Resolver<'a> {
    directory: &'a Path,
    sources: &'a Sources,
}

impl Resolver<'_> {
    fn error(&self, span: &Range<usize>, what: String, label: &str, help: &str) -> ScenarioError {
        self.sources
            .error(span.clone(), Complaint::new(what, label, help))
    }

    fn settings(&self, table: ServeTable) -> Result<Settings, ScenarioError> {
        let mut settings = Settings::default();
        let hubs = table.listen.hub.as_ref().map(|some| some.0.clone());
        let (endpoints, hubs) = (endpoints(table.listen), hubs.unwrap_or_default());
        if !(endpoints.is_empty() && hubs.is_empty()) {
            (settings.endpoints, settings.hubs) = (endpoints, hubs);
        }
        set(
            &mut settings.sockets,
            table.limits.sockets.as_ref().map(count),
        );
        self.limits(table.limits, &mut settings.broker.limits)?;
        settings.upgrade.message_bytes = settings.broker.limits.packet_bytes;
        self.websocket(table.websocket, &mut settings)?;
        settings.tls = table.tls.map(|tls| self.tls(&tls)).transpose()?;
        settings.data = table.data.map(|data| self.directory.join(data));
        settings.broker.quirks = table.quirks.into_iter().map(|quirk| quirk.0).collect();
        self.access(table.access, table.user, &mut settings)?;
        Ok(settings)
    }

    fn websocket(
        &self,
        table: WebSocketTable,
        settings: &mut Settings,
    ) -> Result<(), ScenarioError> {
        let upgrade = &mut settings.upgrade;
        match table.path {
            None => {}
            Some(path) if path.value == "*" => upgrade.path = None,
            Some(path) if path.value.starts_with('/') => upgrade.path = Some(path.value),
            Some(path) => {
                let what = format!("`{}` is not a path", path.value);
                let help = "write a path such as \"/mqtt\", or \"*\" for any";
                return Err(self.error(&path.span, what, "no `/` in front", help));
            }
        }
        upgrade.origins = table.origins.clone();
        settings.hub.origins = table.origins;
        set(
            &mut upgrade.message_bytes,
            table.message_bytes.as_ref().map(size),
        );
        Ok(())
    }

    fn tls(&self, table: &TlsTable) -> Result<Tls, ScenarioError> {
        let path = |at: &At<String>| self.directory.join(&at.value);
        Tls::from_files(&path(&table.certificate), &path(&table.key)).map_err(|error| match error {
            TlsError::Certificate(what) => {
                let help =
                    "give a PEM file with the server's certificate, then those that signed it";
                self.error(&table.certificate.span, what, "no certificate", help)
            }
            TlsError::Key(what) => {
                let help = "give a PEM file with the private key of that certificate";
                self.error(&table.key.span, what, "not its key", help)
            }
        })
    }

    fn limits(&self, table: LimitsTable, limits: &mut Limits) -> Result<(), ScenarioError> {
        if let Some(bytes) = &table.packet_bytes {
            // Less than that, and not even a CONNECT gets through.
            self.within(&bytes.span, size(&bytes.value), 64..=limits.packet_bytes)?;
        }
        if let Some(inflight) = &table.inflight {
            // As many as there are packet identifiers. [MQTT311-2.3.1-1]
            self.within(&inflight.span, count(&inflight.value), 1..=65_535)?;
        }
        for time in [&table.connect_timeout, &table.linger]
            .into_iter()
            .flatten()
        {
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

    fn within(
        &self,
        span: &Range<usize>,
        value: usize,
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<(), ScenarioError> {
        if range.contains(&value) {
            return Ok(());
        }
        let figure = |value: &usize| squall_reports::figures::count(*value as u64);
        let (least, most) = (figure(range.start()), figure(range.end()));
        let what = format!("{} is not from {least} to {most}", figure(&value));
        let help = format!("write a number from {least} to {most}");
        Err(self.error(span, what, "out of range", &help))
    }

    fn access(
        &self,
        table: AccessTable,
        users: Vec<UserTable>,
        settings: &mut Settings,
    ) -> Result<(), ScenarioError> {
        let access = &mut settings.broker.access;
        let limited = table.publish.is_some() || table.subscribe.is_some();
        let anonymous = match &table.anonymous {
            None => users.is_empty() || limited,
            Some(anonymous) if !anonymous.value && (limited || users.is_empty()) => {
                let what = match users.is_empty() {
                    true => "nobody could connect: there is no user",
                    false => "rights of clients that may not connect",
                };
                let help = "`publish` and `subscribe` here are for clients without a user; \
                            users are tables [[user]]";
                return Err(self.error(
                    &anonymous.span,
                    what.to_owned(),
                    "nobody without a user",
                    help,
                ));
            }
            Some(anonymous) => anonymous.value,
        };
        let rights = self.rights(table.publish, table.subscribe)?;
        access.anonymous = anonymous.then_some(rights);
        access.deny_publish = self.filters(table.deny_publish)?;
        access.deny_subscribe = self.filters(table.deny_subscribe)?;
        for user in users {
            let mut scram = None;
            let password = match (user.password, user.password_hash) {
                (Some(password), None) => Password::Known(password.into_bytes().into()),
                (None, Some(hash)) => {
                    let hash: PasswordHash = hash.value.parse().map_err(|error| {
                        let what = format!("not a hashed password: {error}");
                        let help =
                            "`squall password` hashes one: $argon2id$v=19$… or SCRAM-SHA-256$…";
                        self.error(&hash.span, what, "not a hash", help)
                    })?;
                    scram = hash.scram_keys().cloned();
                    settings.passwords.insert(user.name.value.clone(), hash);
                    Password::Checked
                }
                (Some(_), Some(_)) | (None, None) => {
                    let what = format!("which password has `{}`?", user.name.value);
                    let help = "give `password_hash`, as `squall password` prints it, or `password`, in the clear";
                    return Err(self.error(&user.name.span, what, "not one password", help));
                }
            };
            let rights = self.rights(user.publish, user.subscribe)?;
            let twin = access.users.insert(
                user.name.value.clone(),
                User {
                    password,
                    scram,
                    rights,
                },
            );
            if twin.is_some() {
                let what = format!("there are two users `{}`", user.name.value);
                let help = "give each a name of its own";
                return Err(self.error(&user.name.span, what, "the second", help));
            }
        }
        Ok(())
    }

    fn rights(
        &self,
        publish: Option<Vec<At<String>>>,
        subscribe: Option<Vec<At<String>>>,
    ) -> Result<Rights, ScenarioError> {
        let publish = publish.map(|filters| self.filters(filters)).transpose()?;
        let subscribe = subscribe.map(|filters| self.filters(filters)).transpose()?;
        Ok(Rights::new(publish, subscribe))
    }

    fn filters(&self, filters: Vec<At<String>>) -> Result<Vec<TopicFilter>, ScenarioError> {
        let filter = |at: At<String>| {
            TopicFilter::new(at.value.clone()).map_err(|violation| {
                let what = format!("`{}` is not a topic filter: {violation}", at.value);
                let help = "`+` stands for one whole level, `#` for all that follow: \"valley/#\"";
                self.error(&at.span, what, "not a topic filter", help)
            })
        };
        filters.into_iter().map(filter).collect()
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

fn endpoints(table: ListenTable) -> Vec<Endpoint> {
    [
        (Transport::Tcp, table.tcp),
        (Transport::Tls, table.tls),
        (Transport::WebSocket, table.ws),
        (Transport::SecureWebSocket, table.wss),
    ]
    .into_iter()
    .flat_map(|(transport, addresses)| {
        let addresses = addresses.map(|some| some.0).unwrap_or_default();
        addresses
            .into_iter()
            .map(move |address| Endpoint::new(transport, address))
    })
    .collect()
}

fn set<T>(target: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *target = value;
    }
}

fn count(count: &Count) -> usize {
    usize::try_from(count.0).unwrap_or(usize::MAX)
}

fn size(size: &Size) -> usize {
    usize::try_from(size.0).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

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
