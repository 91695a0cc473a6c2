//! The databases of the runs. A registry is filled once and kept; a run works on a copy of it, so that what it creates
//! does not change the next. Where a copy would take too long the run works on the kept one, which grows a little.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use sea_orm::{ConnectionTrait, DatabaseConnection};
use subprocessor_registry::store;

use super::{Result, data::Space, seed};

/// Raised when the data or the way it is filled in changes: what was kept is filled anew.
const EDITION: u32 = 2;
/// Rows up to which a run works on a copy.
const COPIED: usize = 200_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// Where databases are kept.
#[derive(Debug, Clone)]
pub struct Shelf {
    /// The folder of SQLite's files.
    pub folder: PathBuf,
    /// How to reach PostgreSQL's cluster: the URL of any database of it.
    pub postgres: Option<String>,
}

/// A filled database for one run.
#[derive(Debug)]
pub struct Place {
    pub url: String,
    copy: Option<Kept>,
}

impl Place {
    /// Has the database of a size, filling one if there is none yet.
    pub async fn ready(shelf: &Shelf, database: Database, space: &Arc<Space>) -> Result<Self> {
        let kept = Kept::new(shelf, database, &format!("load_v{EDITION}_{}", space.rows))?;
        if !kept.exists().await? {
            eprintln!("{}, {} rows: filling {}", database.name(), space.rows, kept.url());
            let partial = kept.named(&format!("{}_partial", kept.name));
            partial.remove().await?;
            partial.create().await?;
            seed::fill(&partial.url(), space).await?;
            partial.settle().await?;
            partial.rename(&kept).await?;
        }
        // One that was kept can be older than the schema.
        store::migrate(&store::Options::new(kept.url())).await?;
        if space.rows > COPIED {
            return Ok(Self { url: kept.url(), copy: None });
        }
        let copy = kept.named(&format!("run_{}", space.rows));
        copy.remove().await?;
        kept.copy(&copy).await?;
        Ok(Self { url: copy.url(), copy: Some(copy) })
    }

    /// Removes what was made for this run only.
    pub async fn leave(self) -> Result<()> {
        match self.copy {
            Some(copy) => copy.remove().await,
            None => Ok(()),
        }
    }
}

/// A database on the shelf.
#[derive(Debug, Clone)]
struct Kept {
    name: String,
    at: At,
}

#[derive(Debug, Clone)]
enum At {
    Folder(PathBuf),
    /// The cluster's URL, and the same up to the database's name.
    Cluster(String, String),
}

impl Kept {
    fn new(shelf: &Shelf, database: Database, name: &str) -> Result<Self> {
        let at = match database {
            Database::Sqlite => At::Folder(shelf.folder.clone()),
            Database::Postgres => {
                let needed = "PostgreSQL needs --postgres URL or REGISTRY_BENCH_POSTGRES_URL, as `make bench` gives it";
                let url = shelf.postgres.clone().ok_or(needed)?;
                let (server, _) =
                    url.rsplit_once('/').ok_or("--postgres: a URL with a database, postgres://host/name")?;
                let server = server.to_owned();
                At::Cluster(url, server)
            }
        };
        Ok(Self { name: name.to_owned(), at })
    }

    fn named(&self, name: &str) -> Self {
        Self { name: name.to_owned(), at: self.at.clone() }
    }

    fn url(&self) -> String {
        match &self.at {
            At::Folder(folder) => format!("sqlite:{}", self.file(folder).display()),
            At::Cluster(_, server) => format!("{server}/{}", self.name),
        }
    }

    fn file(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.db", self.name))
    }

    async fn exists(&self) -> Result<bool> {
        match &self.at {
            At::Folder(folder) => Ok(self.file(folder).exists()),
            At::Cluster(url, _) => {
                let admin = connect(url).await?;
                let sql = format!("SELECT 1 FROM pg_database WHERE datname = '{}'", self.name);
                let row =
                    admin.query_one_raw(sea_orm::Statement::from_string(admin.get_database_backend(), sql)).await?;
                admin.close().await?;
                Ok(row.is_some())
            }
        }
    }

    async fn create(&self) -> Result<()> {
        match &self.at {
            // The store makes the file.
            At::Folder(folder) => Ok(std::fs::create_dir_all(folder)?),
            At::Cluster(url, _) => run(url, &[format!("CREATE DATABASE {}", self.name)]).await,
        }
    }

    async fn remove(&self) -> Result<()> {
        match &self.at {
            At::Folder(folder) => {
                for suffix in ["", "-wal", "-shm"] {
                    let file = PathBuf::from(format!("{}{suffix}", self.file(folder).display()));
                    if file.exists() {
                        std::fs::remove_file(file)?;
                    }
                }
                Ok(())
            }
            At::Cluster(url, _) => run(url, &[format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)]).await,
        }
    }

    /// What a database does by itself sooner or later is done now, not during a run.
    async fn settle(&self) -> Result<()> {
        match &self.at {
            // The last connection that closes empties the write-ahead log.
            At::Folder(_) => run(&self.url(), &["PRAGMA wal_checkpoint(TRUNCATE)".to_owned()]).await,
            At::Cluster(..) => run(&self.url(), &["VACUUM (ANALYZE)".to_owned(), "CHECKPOINT".to_owned()]).await,
        }
    }

    async fn rename(&self, to: &Self) -> Result<()> {
        match &self.at {
            At::Folder(folder) => Ok(std::fs::rename(self.file(folder), to.file(folder))?),
            At::Cluster(url, _) => run(url, &[format!("ALTER DATABASE {} RENAME TO {}", self.name, to.name)]).await,
        }
    }

    async fn copy(&self, to: &Self) -> Result<()> {
        match &self.at {
            At::Folder(folder) => {
                std::fs::copy(self.file(folder), to.file(folder))?;
                Ok(())
            }
            At::Cluster(url, _) => run(url, &[format!("CREATE DATABASE {} TEMPLATE {}", to.name, self.name)]).await,
        }
    }
}

/// One connection, for what the store has no word for.
pub async fn connect(url: &str) -> Result<DatabaseConnection> {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Ok(sea_orm::Database::connect(options).await?)
}

async fn run(url: &str, statements: &[String]) -> Result<()> {
    let db = connect(url).await?;
    for statement in statements {
        db.execute_unprepared(statement).await?;
    }
    Ok(db.close().await?)
}

/// The process id of PostgreSQL's parent process, if it runs on this machine.
pub async fn postmaster(url: &str) -> Result<Option<u32>> {
    let db = connect(url).await?;
    let statement = sea_orm::Statement::from_string(db.get_database_backend(), "SELECT pg_backend_pid()");
    let row = db.query_one_raw(statement).await?.ok_or("no row")?;
    let backend: i32 = row.try_get_by_index(0)?;
    let parent = super::counters::parent(u32::try_from(backend)?, "postgres");
    db.close().await?;
    Ok(parent)
}
