//! The settings: compiled-in defaults, then a file, then the environment, then flags. The only file that reads the
//! environment.
//!
//! Whatever is wrong is reported at once, each with the place where it was said: a start that fails should not have to
//! fail again for the next typo.

use std::{borrow::Cow, collections::BTreeMap, env, fmt, fs, net::SocketAddr, path::PathBuf};

use figment::{Figment, value::Value};
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

mod channels;
mod layer;
mod value;

pub use self::channels::{Email, Hidden, Secrets, Webhook};
use self::{
    layer::Layer,
    value::{address, is_base, is_http, within, without_user},
};

/// The defaults with their documentation, as `subprocessor-registry config` prints them.
pub const DEFAULTS: &str = include_str!("config.default.toml");

/// What the names of our environment variables begin with. The second underscore matters: Kubernetes sets variables
/// such as `SUBPROCESSOR_REGISTRY_PORT` for a service of our name, and those are not settings.
const PREFIX: &str = "SUBPROCESSOR_REGISTRY__";

/// What the names of those begin with that were meant to be settings.
const STEM: &str = "SUBPROCESSOR_REGISTRY_";

/// All settings. See `config.default.toml` for what each means.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where and how to listen.
    pub server: Server,
    /// Where the data is.
    pub database: Database,
    /// Streams of changes.
    pub watch: Watch,
    /// What happens by itself when its time comes.
    pub schedule: Schedule,
    /// What secrets are sealed with.
    pub secrets: Secrets,
    /// How webhooks are sent.
    pub webhook: Webhook,
    /// How e-mail is sent.
    pub email: Email,
    /// The public pages.
    pub web: Web,
    /// What time it is.
    pub clock: Clock,
    /// How writes are committed.
    pub writer: Writer,
    /// Logs and traces.
    pub telemetry: Telemetry,
    /// The built-in vendors and instruments.
    pub catalog: Load,
    /// The example organizations.
    pub examples: Load,
}

/// Where and how to listen.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port to listen on.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// Listen where others can reach it although there is no authentication.
    pub insecure_no_auth: bool,
    /// The largest request accepted.
    pub max_request_bytes: usize,
    /// How long to go on as NOT_SERVING when told to stop.
    pub stop_delay_seconds: u64,
    /// How long calls may take to finish when stopping.
    pub drain_seconds: u64,
    /// How old a connection may become; 0 for any age.
    pub max_connection_age_seconds: u64,
    /// How long its calls may then take to finish.
    pub max_connection_age_grace_seconds: u64,
}

/// Where the data is. `Debug` leaves the URL out, which can hold a password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// As configured, or as read from `url_file`; empty for the embedded database. See [`Database::connect_url`].
    pub url: String,
    /// A file that holds the URL.
    pub url_file: String,
    /// Where the embedded database is kept.
    pub data_dir: PathBuf,
    /// How many connections to open at most.
    pub max_connections: u32,
    /// When a statement is cancelled.
    pub statement_timeout_seconds: u64,
}

/// Streams of changes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// How many revisions are held for a reader that does not keep up.
    pub buffer_revisions: usize,
    /// How long such a reader has to take them.
    pub slow_reader_grace_seconds: u64,
    /// How often other replicas' revisions are looked for.
    pub poll_interval_ms: u64,
}

/// What happens by itself when its time comes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// How often what is due is looked for.
    pub poll_interval_ms: u64,
}

/// The public pages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Web {
    /// Where the world finds the pages; empty: links are relative to the server.
    pub public_url: String,
}

/// What time it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// A file that holds the time; empty for the system's clock.
    pub file: String,
}

/// How writes are committed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Writer {
    /// How many writes share one commit at most.
    pub max_batch: usize,
}

/// Logs and traces.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// What is logged.
    pub log_filter: String,
    /// How it is written.
    pub log_format: LogFormat,
    /// Where traces and metrics are sent; empty: nowhere.
    pub otlp_endpoint: String,
    /// The share of traces recorded.
    pub sample_ratio: f64,
    /// How often metrics are sent there, in seconds; 0: never.
    pub otlp_interval_seconds: u64,
    /// Where metrics are shown; empty: on the server's own address.
    pub metrics_listen: String,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object on each line.
    Json,
}

/// Whether something built in is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Load it.
    pub load: bool,
}

/// What the command line says; absent and false leave a setting as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--insecure-no-auth`
    pub insecure_no_auth: bool,
    /// `--database-url`
    pub database_url: Option<String>,
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--with-examples`
    pub with_examples: bool,
}

impl Settings {
    /// The settings of this process.
    ///
    /// # Errors
    /// Every problem, each in one line with the place where it was said.
    pub fn from_process(flags: &Flags) -> Result<Self, Vec<String>> {
        let mut environment = BTreeMap::new();
        let mut problems = Vec::new();
        for (name, value) in env::vars_os() {
            let Some(name) = name.to_str().filter(|name| name.starts_with(STEM)) else { continue };
            match value.into_string() {
                Ok(value) => drop(environment.insert(name.to_owned(), value)),
                Err(_) if name.starts_with(PREFIX) => {
                    problems.push(format!("environment variable {name}: is not UTF-8"));
                }
                Err(_) => {}
            }
        }
        match Self::load(flags, &environment) {
            Ok(settings) if problems.is_empty() => Ok(settings),
            Ok(_) => Err(problems),
            Err(more) => Err(problems.into_iter().chain(more).collect()),
        }
    }

    /// The settings that flags and an environment give.
    ///
    /// # Errors
    /// Every problem, each in one line with the place where it was said.
    pub fn load(flags: &Flags, environment: &BTreeMap<String, String>) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let defaults = Layer::parse("the defaults", DEFAULTS).map_err(|problem| vec![problem])?;

        let mut layers = Vec::new();
        if let Some(path) = &flags.config {
            match Layer::file(path) {
                Ok(layer) => layers.push(layer),
                Err(problem) => problems.push(problem),
            }
        }
        // Without the file there is no telling which rules the settings break.
        let is_whole = problems.is_empty();
        for (name, text) in environment {
            match Layer::variable(name, text, &defaults) {
                Some(Ok(layer)) => layers.push(layer),
                Some(Err(problem)) => problems.push(problem),
                None => {}
            }
        }
        layers.extend(flags.layers());

        let base = Figment::from(&defaults);
        let mut unread = Vec::new();
        let layers: Vec<Layer> = layers.into_iter().map(|layer| layer.check(&base, &defaults, &mut unread)).collect();
        problems.extend(unread.iter().map(|(key, text)| format!("{key}: {text}")));
        if !is_whole {
            return Err(problems);
        }

        // What cannot be read is left out, so that the rules that the rest breaks are named with it.
        let merged = layers.iter().fold(base, |merged, layer| merged.merge(layer));
        let failed =
            |error: figment::Error| vec![format!("{}: {}", error.path.join("."), layer::said(&error.kind, true))];
        let mut settings: Self = merged.extract().map_err(failed)?;
        let mut found = settings.read_secrets();
        found.extend(settings.validate());
        found.retain(|(key, _)| unread.iter().all(|(named, _)| named != key));
        let origin = |key: &str| merged.find_metadata(key).map_or_else(String::new, |m| format!(" ({})", m.name));
        problems.extend(found.into_iter().map(|(key, text)| format!("{key}: {text}{}", origin(key))));
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }

    /// Replaces what names a file by what the file holds.
    fn read_secrets(&mut self) -> Vec<(&'static str, String)> {
        let Database { url, url_file, .. } = &mut self.database;
        let mut found: Vec<_> =
            read_secret("url", url, url_file).map(|text| ("database.url_file", text)).into_iter().collect();
        found.extend(self.secrets.read_secrets());
        found.extend(self.email.read_secrets());
        found
    }

    /// Every rule that these settings break, with the setting's key.
    pub fn validate(&self) -> Vec<(&'static str, String)> {
        let Self {
            server,
            database,
            watch,
            schedule,
            web,
            secrets,
            webhook,
            email,
            clock,
            writer,
            telemetry,
            catalog: _,
            examples: _,
        } = self;
        let mut found = Vec::new();

        let loopback = server.is_loopback();
        if !loopback && !server.insecure_no_auth {
            let text = format!(
                "others can reach {} and there is no authentication yet: listen on a loopback address, or accept \
                 that with --insecure-no-auth",
                server.listen
            );
            found.push(("server.listen", text));
        }
        if !loopback && !clock.file.is_empty() {
            found.push(("clock.file", format!("needs a loopback listen address, not {}", server.listen)));
        }
        within("server.max_request_bytes", server.max_request_bytes, 1024..=64 << 20, &mut found);
        within("server.stop_delay_seconds", server.stop_delay_seconds, 0..=600, &mut found);
        within("server.drain_seconds", server.drain_seconds, 0..=3600, &mut found);
        within("server.max_connection_age_seconds", server.max_connection_age_seconds, 0..=86_400, &mut found);
        let grace = server.max_connection_age_grace_seconds;
        within("server.max_connection_age_grace_seconds", grace, 0..=86_400, &mut found);

        if let Err(text) = database.check_url() {
            let key = if database.url_file.is_empty() { "database.url" } else { "database.url_file" };
            found.push((key, text));
        }
        if database.data_dir.as_os_str().is_empty() {
            found.push(("database.data_dir", "must name a directory".to_owned()));
        }
        within("database.max_connections", database.max_connections, 2..=1000, &mut found);
        within("database.statement_timeout_seconds", database.statement_timeout_seconds, 1..=3600, &mut found);

        within("watch.buffer_revisions", watch.buffer_revisions, 1..=65_536, &mut found);
        within("watch.slow_reader_grace_seconds", watch.slow_reader_grace_seconds, 0..=3600, &mut found);
        within("watch.poll_interval_ms", watch.poll_interval_ms, 10..=60_000, &mut found);
        within("schedule.poll_interval_ms", schedule.poll_interval_ms, 10..=60_000, &mut found);
        secrets.check(&mut found);
        webhook.check(&mut found);
        email.check(&mut found);
        if !web.public_url.is_empty() && !is_base(&web.public_url) {
            let text = "must be an http or https URL without query, fragment or a slash at its end, such as https://trust.example.com";
            found.push(("web.public_url", format!("{text}, not {}", without_user(&web.public_url))));
        }
        if email.is_on() && web.public_url.is_empty() && server.listen.ip().is_unspecified() {
            let text =
                "must be set where email.smtp_host is: links in mails begin with it, and nobody can follow one to";
            found.push(("web.public_url", format!("{text} {}", server.listen)));
        }
        within("writer.max_batch", writer.max_batch, 1..=10_000, &mut found);

        if let Err(error) = EnvFilter::try_new(&telemetry.log_filter) {
            found.push(("telemetry.log_filter", error.to_string()));
        }
        if !(telemetry.otlp_endpoint.is_empty() || is_http(&telemetry.otlp_endpoint)) {
            // The exporter is built without TLS: a collector beside the server speaks it to the world.
            let text = "must be an http:// URL such as http://127.0.0.1:4317, not";
            let not = without_user(&telemetry.otlp_endpoint);
            found.push(("telemetry.otlp_endpoint", format!("{text} {not}")));
        }
        within("telemetry.sample_ratio", telemetry.sample_ratio, 0.0..=1.0, &mut found);
        if !telemetry.metrics_listen.is_empty() && telemetry.metrics_address().is_none() {
            let text = format!("must be an address and a port such as 0.0.0.0:9464, not {}", telemetry.metrics_listen);
            found.push(("telemetry.metrics_listen", text));
        }
        within("telemetry.otlp_interval_seconds", telemetry.otlp_interval_seconds, 0..=3600, &mut found);
        found
    }
}

impl Telemetry {
    /// Where metrics are shown, if not on the server's own address.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_listen.parse().ok()
    }
}

impl Server {
    /// Whether only this machine can reach the address.
    pub fn is_loopback(&self) -> bool {
        self.listen.ip().to_canonical().is_loopback()
    }
}

impl Database {
    /// The URL to connect to: the configured one, or that of the embedded database in `data_dir`.
    pub fn connect_url(&self) -> Cow<'_, str> {
        if !self.url.is_empty() {
            return Cow::Borrowed(&self.url);
        }
        let path = self.data_dir.join("registry.db");
        let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3F").replace('#', "%23");
        Cow::Owned(format!("sqlite:{path}?mode=rwc"))
    }

    /// Whether the database is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres:") || self.url.starts_with("postgresql:")
    }

    /// Never repeats the URL, which can hold a password.
    fn check_url(&self) -> Result<(), String> {
        let rest = match self.url.split_once(':') {
            _ if self.url.is_empty() => return Ok(()),
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => return Ok(()),
            Some(("sqlite", rest)) => rest,
            _ => return Err("must begin with sqlite: or postgres://".to_owned()),
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if path.trim_start_matches('/').is_empty() {
            return Err("must name a file, e.g. sqlite:data/registry.db".to_owned());
        }
        if path.trim_start_matches('/') == ":memory:" || query.contains("mode=memory") {
            // Readers and the writer have connections of their own, and each would see a database of its own.
            return Err("a database in memory cannot be shared by connections: name a file, or a data_dir".to_owned());
        }
        Ok(())
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, url_file, data_dir, max_connections, statement_timeout_seconds } = self;
        let scheme = url.split(':').next().unwrap_or_default();
        f.debug_struct("Database")
            .field("url", &format_args!("{scheme}:…"))
            .field("url_file", url_file)
            .field("data_dir", data_dir)
            .field("max_connections", max_connections)
            .field("statement_timeout_seconds", statement_timeout_seconds)
            .finish()
    }
}

impl Flags {
    /// Each flag that is given, as a layer named after it.
    fn layers(&self) -> Vec<Layer> {
        let Self { config: _, listen, insecure_no_auth, database_url, data_dir, with_examples } = self;
        let data_dir = data_dir.as_ref().map(|path| path.to_string_lossy().into_owned());
        let values: [(&str, &str, &str, Option<Value>); 5] = [
            ("--listen", "server", "listen", listen.clone().map(Value::from)),
            ("--insecure-no-auth", "server", "insecure_no_auth", insecure_no_auth.then(|| Value::from(true))),
            ("--database-url", "database", "url", database_url.clone().map(Value::from)),
            ("--data-dir", "database", "data_dir", data_dir.map(Value::from)),
            ("--with-examples", "examples", "load", with_examples.then(|| Value::from(true))),
        ];
        let mut layers = Vec::new();
        for (flag, section, key, value) in values {
            let Some(value) = value else { continue };
            layers.push(Layer::one(format!("flag {flag}"), section, key, value));
            if flag == "--database-url" {
                // A URL on the command line takes the place of a file that another layer names.
                layers.push(Layer::one(format!("flag {flag}"), section, "url_file", Value::from("")));
            }
        }
        layers
    }
}

/// Puts what a file holds in a setting's place. What is wrong, if anything is.
fn read_secret(key: &str, secret: &mut String, file: &str) -> Option<String> {
    if file.is_empty() {
        return None;
    }
    if !secret.is_empty() {
        return Some(format!("set either {key} or {key}_file, not both"));
    }
    match fs::read_to_string(file) {
        Ok(text) if text.trim().is_empty() => Some(format!("{file} is empty")),
        Ok(text) => {
            text.trim().clone_into(secret);
            None
        }
        Err(error) => Some(format!("{file}: {error}")),
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
