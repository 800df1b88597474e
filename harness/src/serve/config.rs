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
//! [capabilities]
//! maximum_qos = 1               # nobody gets more, and whoever sends more is let go
//! server_keep_alive = "60s"
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

mod capabilities;
mod limits;

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use squall_broker::wire::TopicFilter;
use squall_broker::{Password, Rights, User};

use capabilities::CapabilitiesTable;
use limits::LimitsTable;

use super::{Endpoint, PasswordHash, Settings, Tls, TlsError, Transport};
use crate::scenario::ScenarioError;
use crate::scenario::diagnostic::Sources;
use crate::scenario::document::scalar::{Count, QuirkName, Size};
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
    capabilities: CapabilitiesTable,
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
    /// Plain HTTP, served by the REST server.
    http: Option<OneOrMore<String>>,
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
        let ListenTable {
            tcp,
            tls,
            ws,
            wss,
            hub,
            http,
        } = table.listen;
        let endpoints: Vec<_> = [
            (Transport::Tcp, tcp),
            (Transport::Tls, tls),
            (Transport::WebSocket, ws),
            (Transport::SecureWebSocket, wss),
        ]
        .into_iter()
        .flat_map(|(transport, some)| {
            let endpoint = move |address| Endpoint::new(transport, address);
            addresses(some).into_iter().map(endpoint)
        })
        .collect();
        let (hubs, http) = (addresses(hub), addresses(http));
        if !(endpoints.is_empty() && hubs.is_empty() && http.is_empty()) {
            (settings.endpoints, settings.hubs, settings.http) = (endpoints, hubs, http);
        }
        set(
            &mut settings.sockets,
            table.limits.sockets.as_ref().map(count),
        );
        self.limits(table.limits, &mut settings.broker.limits)?;
        self.capabilities(table.capabilities, &mut settings.broker.capabilities)?;
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

fn addresses(some: Option<OneOrMore<String>>) -> Vec<String> {
    some.map(|some| some.0).unwrap_or_default()
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
