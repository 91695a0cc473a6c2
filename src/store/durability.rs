//! On what "acknowledged means on disk" rests: settings of the database, asked of the writer's own connection.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, Statement};

use super::{Store, writer::Writer};
use crate::{call::Call, error::Result};

/// Settings by name.
pub type Settings = BTreeMap<String, String>;

impl Store {
    /// How the writer's connection commits, in the database's own words: `synchronous`, `journal_mode`, `foreign_keys`
    /// and `secure_delete` on SQLite, `fsync`, `full_page_writes` and `synchronous_commit` on PostgreSQL.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn durability(&self) -> Result<Settings> {
        let call = Call { validate_only: true, ..Call::internal("Store/Durability") };
        let lines = self.write(call, |writer| Box::pin(lines(writer))).await?;
        let pairs = lines.lines().filter_map(|line| line.split_once('='));
        Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

async fn lines(writer: &mut Writer) -> Result<String> {
    let settings = settings(writer.tx()).await?;
    Ok(settings.into_iter().map(|(name, value)| format!("{name}={value}\n")).collect())
}

async fn settings(db: &impl ConnectionTrait) -> Result<Settings> {
    let backend = db.get_database_backend();
    let mut settings = Settings::new();
    if backend == DatabaseBackend::Sqlite {
        for name in ["synchronous", "foreign_keys", "secure_delete"] {
            let row = db.query_one_raw(Statement::from_string(backend, format!("PRAGMA {name}"))).await?;
            let value: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?;
            settings.insert(name.to_owned(), value.unwrap_or(-1).to_string());
        }
        let row = db.query_one_raw(Statement::from_string(backend, "PRAGMA journal_mode")).await?;
        let value: Option<String> = row.map(|row| row.try_get_by_index(0)).transpose()?;
        settings.insert("journal_mode".to_owned(), value.unwrap_or_default());
    } else {
        for name in ["fsync", "full_page_writes", "synchronous_commit"] {
            let sql = format!("SELECT current_setting('{name}')");
            let row = db.query_one_raw(Statement::from_string(backend, sql)).await?;
            let value: Option<String> = row.map(|row| row.try_get_by_index(0)).transpose()?;
            settings.insert(name.to_owned(), value.unwrap_or_default());
        }
    }
    Ok(settings)
}

/// Looks at a PostgreSQL that was told not to keep what it commits, and says so in the log. Returns whether its
/// transactions must ask to be waited for, which is ours to decide; the rest is its operator's.
pub(super) async fn must_ask(db: &DatabaseConnection) -> Result<bool> {
    if db.get_database_backend() == DatabaseBackend::Sqlite {
        return Ok(false);
    }
    let settings = settings(db).await?;
    let is_off = |name: &str| settings.get(name).is_some_and(|value| value == "off");
    for name in ["fsync", "full_page_writes"].into_iter().filter(|name| is_off(name)) {
        tracing::warn!("{name} is off in PostgreSQL: a crash of its machine can lose or corrupt what was acknowledged");
    }
    Ok(is_off("synchronous_commit"))
}
