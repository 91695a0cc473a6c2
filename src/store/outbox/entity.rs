//! The rows of what is sent. They are operational: in no revision, and changed in place.

#![allow(unreachable_pub)] // The derive needs `pub`; the module itself is private to the store.

/// How far the log has been followed: one row.
pub mod cursor {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "outbox")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        /// The revision that is being told, or, at step 0, the last that has been.
        pub revision: i64,
        /// Which of its sources is being told; counted from 1.
        pub step: i32,
        /// The last name of that source that has been.
        pub after: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The secret of a webhook, sealed.
pub mod secret {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "subscription_secret")]
    pub struct Model {
        /// Of the subscription.
        #[sea_orm(primary_key, auto_increment = false)]
        pub uid: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i32,
        pub sealed: Vec<u8>,
        /// Until when it signs, in microseconds since 1970.
        pub expire_time: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// An event on its way to a receiver.
pub mod delivery {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "delivery")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub organization_id: i64,
        /// Empty: by contract.
        pub subscription: String,
        pub customer: String,
        /// The recipient of a notice for whom it counts as telling; empty: for none.
        pub recipient: String,
        pub notice: String,
        pub endpoint: String,
        /// The receiver: with `event_key`, what there is only one of.
        pub target: String,
        pub event_key: String,
        pub event_type: String,
        pub revision: i64,
        pub channel: i32,
        pub state: i32,
        pub attempt_count: i32,
        /// When it is to be tried, in microseconds since 1970; of what is under way, when it is given up on whoever has it; of what is
        /// over, `i64::MAX`.
        pub due_time: i64,
        /// Whoever has it under way.
        pub claim: String,
        pub create_time: i64,
        pub update_time: i64,
        /// 0: not delivered.
        pub deliver_time: i64,
        pub error: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// One attempt to deliver.
pub mod attempt {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "delivery_attempt")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub delivery: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i32,
        pub attempt_time: i64,
        pub status_code: i32,
        pub error: String,
        /// In microseconds.
        pub duration: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
