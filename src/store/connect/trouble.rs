//! What is wrong with a database, in words that whoever starts the server can act on: which file or host, and what to
//! do. Never the driver's text, never the password.

use std::{error::Error as StdError, fmt::Write as _, io, io::ErrorKind, path::Path};

use sea_orm::{
    DbErr, RuntimeErr,
    sqlx::{self, postgres::PgConnectOptions},
};

use super::Options;
use crate::error::{Error, Reason};

impl Options {
    /// An error of starting up, with what to do about it where its cause tells.
    pub fn explain(&self, error: Error) -> Error {
        let text = error.source().and_then(|cause| match (cause.downcast_ref(), cause.downcast_ref()) {
            (Some(DbErr::Custom(text)), _) if text.contains("file is missing") => Some(self.newer()),
            (Some(cause), _) => self.says(driver_error(cause)?),
            (_, Some(cause)) => self.says(cause),
            _ => None,
        });
        match text {
            Some(text) => Error::new(Reason::DatabaseUnavailable, text).caused_by(error),
            None => error,
        }
    }

    fn newer(&self) -> String {
        let what = self.sqlite_path().map_or_else(|| self.server().0, |path| path.display().to_string());
        format!(
            "{what} was made by a newer version of subprocessor-registry, or by another program: start that version, \
             or name another database"
        )
    }

    fn says(&self, error: &sqlx::Error) -> Option<String> {
        match self.sqlite_path() {
            Some(path) => match error {
                sqlx::Error::Io(error) => Some(io_says(&path, error)),
                sqlx::Error::Database(error) => sqlite_says(&path, error.code()?.parse().ok()?),
                sqlx::Error::PoolTimedOut => sqlite_says(&path, 5),
                _ => None,
            },
            None => self.postgres_says(error),
        }
    }

    /// Host and port of the server, and the user and the database asked for.
    fn server(&self) -> (String, String, String) {
        let Ok(options) = self.url.parse::<PgConnectOptions>() else {
            return ("PostgreSQL".to_owned(), String::new(), String::new());
        };
        let place = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let user = options.get_username().to_owned();
        let database = options.get_database().unwrap_or(&user).to_owned();
        (format!("PostgreSQL at {place}"), user, database)
    }

    fn postgres_says(&self, error: &sqlx::Error) -> Option<String> {
        let (server, user, database) = self.server();
        Some(match error {
            sqlx::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => {
                format!("{server} cannot be reached: nothing listens there; start it, or correct host and port")
            }
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
                format!("{server} cannot be reached: check host and port, and the network between")
            }
            sqlx::Error::Tls(_) => format!("{server} and this server do not agree on TLS: check sslmode in the URL"),
            sqlx::Error::Configuration(_) => {
                "the database's URL cannot be read: write it as postgres://user:password@host:5432/database, what is \
                 special in the password per-cent encoded"
                    .to_owned()
            }
            sqlx::Error::Database(error) => {
                let code = error.code()?;
                match code.as_ref() {
                    "28P01" | "28000" => format!(
                        "{server} refuses the user {user}: correct user and password in the URL, or pg_hba.conf there"
                    ),
                    "3D000" => format!("{server} has no database {database}: create it, e.g. createdb {database}"),
                    "42501" => format!(
                        "{server} does not let {user} do this in the database {database}: grant it CREATE on the \
                         schema and all rights on the registry's tables"
                    ),
                    "53300" => format!("{server} has no connection left: raise its max_connections, or close others"),
                    "53100" => format!("{server} has no space left on its disk: free some"),
                    "25006" => format!("{server} is read-only: name the primary"),
                    code if code.starts_with("57P") => {
                        format!("{server} is starting or stopping: try again in a moment")
                    }
                    _ => return None,
                }
            }
            _ => return None,
        })
    }
}

/// The driver's error inside the layer's.
pub(super) fn driver_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// What a failure to use a file or its folder means.
pub(super) fn io_says(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => format!(
            "no permission to read and write {path}: give it to the user that runs this, or name another folder with \
             --data-dir"
        ),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => full(&path),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            format!("{path} cannot be a folder: a file is in its place; name another with --data-dir")
        }
        ErrorKind::IsADirectory => format!("{path} is a folder, not a database: name a file in it"),
        kind => format!("cannot use {path}: {kind}; name another folder with --data-dir"),
    }
}

/// What a result code of SQLite means.
fn sqlite_says(path: &Path, code: i32) -> Option<String> {
    let path = path.display();
    // The low byte is the primary code.
    Some(match code & 0xff {
        26 => not_sqlite(&path),
        11 => format!("{path} is damaged: restore it from a backup"),
        3 | 8 | 14 | 23 => format!(
            "cannot open {path} for writing: give the user that runs this permission to write it and its folder, or \
             name another folder with --data-dir"
        ),
        13 => full(&path),
        5 | 6 => format!("{path} is in use by another process: stop that one first"),
        10 => format!("{path} cannot be read or written: check the disk, and that the file is whole"),
        _ => return None,
    })
}

fn full(path: &impl std::fmt::Display) -> String {
    format!("no space is left for {path}: free some, or name a folder elsewhere with --data-dir")
}

/// What to say of a file that is something else.
pub(super) fn not_sqlite(path: &impl std::fmt::Display) -> String {
    format!("{path} is not a SQLite database: move it away, or name another with --data-dir or --database-url")
}

/// What to say of somebody else's database.
pub(super) fn foreign(path: &Path, tables: &[String]) -> String {
    let mut text = format!("{} is the database of another program", path.display());
    if let Some(table) = tables.first() {
        let _ = write!(text, " (it has a table {table})");
    }
    text.push_str(" and was left as it is: name another file with --data-dir or --database-url");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sqlite_and_the_system_say_names_the_file_and_a_remedy() {
        let path = Path::new("/d/registry.db");
        for (code, says) in [
            (26, "is not a SQLite database"),
            (11, "is damaged"),
            (8, "permission"),
            (1544, "permission"),
            (14, "permission"),
            (13, "no space"),
            (5, "in use"),
            (522, "is whole"),
        ] {
            let text = sqlite_says(path, code).expect("said");
            assert!(text.contains("/d/registry.db") && text.contains(says), "{code}: {text}");
        }
        assert_eq!(sqlite_says(path, 1), None);
        for (kind, says) in [
            (ErrorKind::PermissionDenied, "permission"),
            (ErrorKind::ReadOnlyFilesystem, "permission"),
            (ErrorKind::StorageFull, "no space"),
            (ErrorKind::NotADirectory, "a file is in its place"),
        ] {
            let text = io_says(path, &kind.into());
            assert!(text.contains("/d/registry.db") && text.contains(says), "{kind}: {text}");
        }
    }

    #[test]
    fn what_is_said_of_postgres_has_the_host_and_not_the_password() {
        let options = Options::new("postgres://joe:secret@db.example:6000/registry");
        for (error, says) in [
            (
                sqlx::Error::Io(ErrorKind::ConnectionRefused.into()),
                "db.example:6000 cannot be reached: nothing listens",
            ),
            (sqlx::Error::Io(ErrorKind::TimedOut.into()), "db.example:6000 cannot be reached: check"),
            (sqlx::Error::PoolTimedOut, "db.example:6000 cannot be reached"),
            (sqlx::Error::Configuration("secret".into()), "cannot be read"),
        ] {
            let error = DbErr::Conn(RuntimeErr::SqlxError(error.into()));
            let text = options.explain(Error::new(Reason::DatabaseUnavailable, "x").caused_by(error)).to_string();
            assert!(text.contains(says) && !text.contains("secret"), "{text}");
        }
        assert_eq!(options.explain(Error::new(Reason::Internal, "x")).to_string(), "x");
    }
}
