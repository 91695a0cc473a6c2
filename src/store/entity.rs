//! The rows that are not versions: the counter, revisions, changes, resources, references, remembered requests.

#![allow(unreachable_pub)] // The derive needs `pub`; the module itself is private to the store.

/// The counter: one row, locked by every transaction that writes.
pub mod counter {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "counter")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        /// How many transactions have committed.
        pub batch: i64,
        /// The newest revision.
        pub revision: i64,
        /// The latest instant at which something was committed, in microseconds since 1970: it never goes back, and is
        /// later than the newest revision where what was committed since made none.
        pub commit_time: i64,
        pub next_resource_id: i64,
        /// The newest revision's hash.
        pub hash: Vec<u8>,
        /// The catalog that was loaded last.
        pub catalog_version: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A committed transaction.
pub mod revision {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "revision")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i64,
        pub commit_time: i64,
        pub principal: String,
        pub method: String,
        pub request_id: String,
        pub format: i32,
        pub change_count: i32,
        pub hash: Vec<u8>,
        pub previous_hash: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The trace in which a revision was made, if it was made in one. No part of the log.
pub mod trace {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "revision_trace")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub revision: i64,
        pub traceparent: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// One resource in a revision.
pub mod change {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "change")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub revision: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub ordinal: i32,
        pub resource_id: i64,
        pub resource_kind: i32,
        /// 0 for what belongs to no organization.
        pub organization_id: i64,
        pub name: String,
        /// The number of `Change.Kind`.
        pub kind: i32,
        /// The revision of the version before.
        pub before_revision: Option<i64>,
        pub before_digest: Option<Vec<u8>>,
        pub after_digest: Option<Vec<u8>>,
        /// Why, for an erasure.
        pub reason: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The permanent row of a resource.
pub mod resource {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "resource")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i64,
        #[sea_orm(unique)]
        pub name: String,
        #[sea_orm(unique)]
        pub uid: String,
        pub kind: i32,
        /// The organization it is or lives under; 0 for what belongs to none.
        pub organization_id: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What a live version refers to.
pub mod reference {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "reference")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub from_id: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub to_id: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub field: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// An answer remembered by request id.
pub mod request {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "request")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub principal: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub request_id: String,
        pub method: String,
        pub digest: Vec<u8>,
        pub answer_time: i64,
        /// The resource that the answer is; 0 for an answer about several.
        pub resource_id: i64,
        pub response: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
