//! What every versioned resource is to the store: a message with the usual first fields, a table of versions, and the
//! fields by which it can be found. A resource's own file says only what is its own.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use prost_reflect::ReflectMessage;
use sea_orm::{
    ActiveModelTrait, DatabaseBackend, EntityTrait, FromQueryResult, IdenStatic, IntoActiveModel, Iterable, ModelTrait,
    Value,
    sea_query::{Alias, Condition, DynIden, Expr, ExprTrait, IntoIden},
};
use sha2::{Digest, Sha256};

use crate::{
    error::{Error, Result},
    resource::{filter::Field, name::Kind},
};

/// A resource that the store keeps versions of.
pub trait Resource: ReflectMessage + Default + Clone + PartialEq + Send + Sync + 'static {
    /// Its kind.
    const KIND: Kind;
    /// The fields to filter and order by; the first is the name.
    const FIELDS: &'static [Field];
    /// Its table of versions.
    type Entity: EntityTrait<Model = Self::Model, ActiveModel = Self::Active>;
    /// A row of that table.
    type Model: ModelTrait<Entity = Self::Entity> + IntoActiveModel<Self::Active>;
    /// A row to be written.
    type Active: ActiveModelTrait<Entity = Self::Entity> + Send;

    /// The fields that all resources begin with.
    fn header(&self) -> Header<'_>;
    /// The same, to be set by the server.
    fn header_mut(&mut self) -> HeaderMut<'_>;
    /// The row of this version.
    fn row(&self, version: Version) -> Self::Model;
    /// The values of its repeated fields that can be filtered by.
    fn values(&self) -> Vec<(&'static str, String)>;
    /// The resources it refers to.
    fn references(&self) -> Vec<Reference>;
}

/// A reference of a resource to another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The path of the field.
    pub field: String,
    /// The kind that the field must name; `None` where any will do.
    pub kind: Option<Kind>,
    /// What the field says.
    pub name: String,
}

impl Reference {
    /// A reference to a `kind`.
    pub fn to(kind: Kind, field: impl Into<String>, name: &str) -> Self {
        Self { field: field.into(), kind: Some(kind), name: name.to_owned() }
    }
}

/// The fields that all resources begin with.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a> {
    /// The resource's name.
    pub name: &'a str,
    /// Its permanent id.
    pub uid: &'a str,
    /// The version's etag.
    pub etag: &'a str,
    /// The version's revision.
    pub revision: i64,
    /// When the resource was created.
    pub create_time: Option<prost_types::Timestamp>,
    /// When the version was committed.
    pub update_time: Option<prost_types::Timestamp>,
    /// When the resource was deleted.
    pub delete_time: Option<prost_types::Timestamp>,
}

/// The fields that all resources begin with, to be set.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct HeaderMut<'a> {
    pub name: &'a mut String,
    pub uid: &'a mut String,
    pub etag: &'a mut String,
    pub revision: &'a mut i64,
    pub create_time: &'a mut Option<prost_types::Timestamp>,
    pub update_time: &'a mut Option<prost_types::Timestamp>,
    pub delete_time: &'a mut Option<prost_types::Timestamp>,
}

/// The columns that all tables of versions have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The resource's permanent row.
    pub resource_id: i64,
    /// The revision that made the version.
    pub from_revision: i64,
    /// The organization it is or lives under; 0 for none.
    pub organization_id: i64,
    /// The resource's name.
    pub name: String,
    /// Whether the resource is deleted in this version.
    pub deleted: bool,
    /// Microseconds since 1970.
    pub create_time: i64,
    /// Microseconds since 1970.
    pub update_time: i64,
    /// SHA-256(salt ‖ body).
    pub digest: Vec<u8>,
    /// 32 random bytes.
    pub salt: Vec<u8>,
    /// The encoded message.
    pub body: Vec<u8>,
}

/// A version as it is read back: what is the same in every table.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Row {
    /// The resource's permanent row.
    pub resource_id: i64,
    /// The revision that made the version.
    pub from_revision: i64,
    /// The revision that replaced it.
    pub to_revision: Option<i64>,
    /// The organization it is or lives under; 0 for none.
    pub organization_id: i64,
    /// The resource's name.
    pub name: String,
    /// Microseconds since 1970.
    pub create_time: i64,
    /// Microseconds since 1970.
    pub update_time: i64,
    /// SHA-256(salt ‖ body).
    pub digest: Vec<u8>,
    /// `None` if erased.
    pub salt: Option<Vec<u8>>,
    /// The encoded message; `None` if erased.
    pub body: Option<Vec<u8>>,
}

impl Row {
    /// The columns to select for it.
    pub const COLUMNS: [&'static str; 10] = [
        "resource_id",
        "from_revision",
        "to_revision",
        "organization_id",
        "name",
        "create_time",
        "update_time",
        "digest",
        "salt",
        "body",
    ];
}

/// A version with its message.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<R> {
    /// The resource's permanent row.
    pub resource_id: i64,
    /// The organization it is or lives under; 0 for none.
    pub organization_id: i64,
    /// The revision that made the version.
    pub from_revision: i64,
    /// The version's digest.
    pub digest: Vec<u8>,
    /// The message.
    pub message: R,
}

impl<R: Resource> Stored<R> {
    /// Decodes a row. `None` if its content was erased.
    ///
    /// # Errors
    /// INTERNAL if stored bytes are not a message of this type.
    pub fn decode(row: Row) -> Result<Option<Self>> {
        let Some(body) = row.body else { return Ok(None) };
        Ok(Some(Self {
            resource_id: row.resource_id,
            organization_id: row.organization_id,
            from_revision: row.from_revision,
            digest: row.digest,
            message: R::decode(body.as_slice()).map_err(Error::internal)?,
        }))
    }

    /// Whether the resource is deleted in this version.
    pub fn is_deleted(&self) -> bool {
        self.message.header().delete_time.is_some()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.message.header().name
    }
}

/// The etag of a version: the same on every replica, different for every version.
pub fn etag(uid: &str, revision: i64) -> String {
    let hash = Sha256::new().chain_update(uid).chain_update(revision.to_be_bytes()).finalize();
    URL_SAFE_NO_PAD.encode(&hash[..12])
}

/// The table of a kind.
pub fn table(kind: Kind) -> DynIden {
    Alias::new(kind.singular()).into_iden()
}

/// The table of the repeated values of a kind.
pub fn value_table(kind: Kind) -> DynIden {
    Alias::new(format!("{}_value", kind.singular())).into_iden()
}

/// A value as the table of values holds it: long ones by their hash, because an index takes only so much. They are
/// compared for equality only.
pub fn stored_value(value: &str) -> Cow<'_, str> {
    const MOST: usize = 2_048;
    if value.len() <= MOST { value.into() } else { format!("sha256:{}", hex::encode(Sha256::digest(value))).into() }
}

/// What the table of values holds of a message: each once, in order.
pub fn stored_values<R: Resource>(message: &R) -> Vec<(&'static str, String)> {
    let values = message.values().into_iter();
    let mut values: Vec<_> = values.map(|(field, value)| (field, stored_value(&value).into_owned())).collect();
    values.sort();
    values.dedup();
    values
}

/// A column by its name.
pub fn column(name: &str) -> DynIden {
    Alias::new(name).into_iden()
}

/// Rows by two numbers. Of pairs joined by OR PostgreSQL makes an index scan each, and compares every row that it finds
/// with all of them again: 500 rows took it 40 times as long as from one list of pairs, by which SQLite would scan.
pub fn one_of(backend: DatabaseBackend, columns: [&str; 2], keys: &[(i64, i64)]) -> Condition {
    let [first, second] = columns;
    if backend != DatabaseBackend::Postgres {
        return keys.iter().fold(Condition::any(), |any, (one, two)| {
            any.add(Condition::all().add(Expr::col(column(first)).eq(*one)).add(Expr::col(column(second)).eq(*two)))
        });
    }
    let mut text = "($1, $2) IN (VALUES ".to_owned();
    let mut values: Vec<Expr> = vec![Expr::col(column(first)), Expr::col(column(second))];
    for (row, (one, two)) in keys.iter().enumerate() {
        let (a, b) = (values.len() + 1, values.len() + 2);
        // What the first row is, the others are.
        text += &match row {
            0 => format!("(CAST(${a} AS bigint), CAST(${b} AS bigint))"),
            _ => format!(", (${a}, ${b})"),
        };
        values.extend([Expr::val(*one), Expr::val(*two)]);
    }
    text.push(')');
    Condition::all().add(Expr::cust_with_exprs(text, values))
}

/// Microseconds since 1970 of a Timestamp that this store made.
pub fn micros(time: Option<&prost_types::Timestamp>) -> i64 {
    time.map_or(0, |t| t.seconds.saturating_mul(1_000_000).saturating_add(i64::from(t.nanos) / 1_000))
}

/// A Timestamp of microseconds since 1970.
pub fn timestamp(micros: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0),
    }
}

/// The ISO 8601 day (UTC) of an instant.
pub fn day(instant: Timestamp) -> String {
    instant.strftime("%F").to_string()
}

/// How an absent date is stored: after every date.
pub const NO_DATE: &str = "~";

/// A date as it is stored.
pub fn stored_date(date: &str) -> String {
    if date.is_empty() { NO_DATE.to_owned() } else { date.to_owned() }
}

/// The columns that are a resource's own, with the values of an empty message: what an erasure leaves of them.
pub fn cleared_columns<R: Resource>() -> Vec<(String, Value)> {
    const SHARED: [&str; 1] = ["deleted"];
    let version = Version {
        resource_id: 0,
        from_revision: 0,
        organization_id: 0,
        name: String::new(),
        deleted: false,
        create_time: 0,
        update_time: 0,
        digest: Vec::new(),
        salt: Vec::new(),
        body: Vec::new(),
    };
    let active = R::default().row(version).into_active_model();
    <R::Entity as EntityTrait>::Column::iter()
        .filter(|column| !Row::COLUMNS.contains(&column.as_str()) && !SHARED.contains(&column.as_str()))
        .filter_map(|column| Some((column.as_str().to_owned(), active.get(column).into_value()?)))
        .collect()
}

/// Declares a resource's table of versions: the columns that all have and its own, with the row of a message, and the
/// fields that all resources begin with.
macro_rules! version_table {
    (
        $message:ty, table $table:literal, entity $entity:ident,
        { $($column:ident: $type:ty = $value:expr),* $(,)? }
    ) => {
        /// The table of versions.
        #[allow(missing_docs, unreachable_pub)]
        pub mod $entity {
            use sea_orm::entity::prelude::*;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
            #[sea_orm(table_name = $table)]
            pub struct Model {
                #[sea_orm(primary_key, auto_increment = false)]
                pub resource_id: i64,
                #[sea_orm(primary_key, auto_increment = false)]
                pub from_revision: i64,
                pub to_revision: Option<i64>,
                pub organization_id: i64,
                pub name: String,
                pub deleted: bool,
                pub create_time: i64,
                pub update_time: i64,
                pub digest: Vec<u8>,
                pub salt: Option<Vec<u8>>,
                pub body: Option<Vec<u8>>,
                $(pub $column: $type,)*
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}
        }

        impl $message {
            fn version_row(&self, version: $crate::store::version::Version) -> $entity::Model {
                // Every column is named, so that a new one does not compile until it is filled.
                let $crate::store::version::Version {
                    resource_id, from_revision, organization_id, name, deleted, create_time, update_time, digest,
                    salt, body,
                } = version;
                $entity::Model {
                    resource_id, from_revision, to_revision: None, organization_id, name, deleted, create_time,
                    update_time, digest, salt: Some(salt), body: Some(body),
                    $($column: { let value: fn(&$message) -> $type = $value; value(self) },)*
                }
            }

            fn version_header(&self) -> $crate::store::version::Header<'_> {
                $crate::store::version::Header {
                    name: &self.name, uid: &self.uid, etag: &self.etag, revision: self.revision,
                    create_time: self.create_time, update_time: self.update_time, delete_time: self.delete_time,
                }
            }

            fn version_header_mut(&mut self) -> $crate::store::version::HeaderMut<'_> {
                $crate::store::version::HeaderMut {
                    name: &mut self.name, uid: &mut self.uid, etag: &mut self.etag, revision: &mut self.revision,
                    create_time: &mut self.create_time, update_time: &mut self.update_time,
                    delete_time: &mut self.delete_time,
                }
            }
        }
    };
}
pub(super) use version_table;

/// The methods of [`Resource`] that [`version_table`] has made.
macro_rules! version_methods {
    ($entity:ident) => {
        type Entity = $entity::Entity;
        type Model = $entity::Model;
        type Active = $entity::ActiveModel;

        fn header(&self) -> $crate::store::version::Header<'_> {
            self.version_header()
        }

        fn header_mut(&mut self) -> $crate::store::version::HeaderMut<'_> {
            self.version_header_mut()
        }

        fn row(&self, version: $crate::store::version::Version) -> $entity::Model {
            self.version_row(version)
        }
    };
}
pub(super) use version_methods;
