//! Filters as SQL: over columns of an allow-list, values only as bound parameters, the same answer on both databases.

use sea_orm::sea_query::{Condition, Expr, ExprTrait, Query, SubQueryStatement};

use super::version::{NO_DATE, column, stored_value, table, value_table};
use crate::resource::{
    filter::{Expr as Filter, Field, FieldKind, Literal, Op},
    name::Kind,
};

/// What is filtered.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rows {
    /// Versions of a kind.
    Versions(Kind),
    /// Revisions.
    Revisions,
    /// Deliveries.
    Deliveries,
}

/// The condition that a filter is for rows. Columns are never NULL, so NOT needs no third value.
pub(super) fn condition(rows: Rows, filter: &Filter) -> Condition {
    match filter {
        Filter::All(parts) => parts.iter().fold(Condition::all(), |all, part| all.add(condition(rows, part))),
        Filter::Any(parts) => parts.iter().fold(Condition::any(), |any, part| any.add(condition(rows, part))),
        Filter::Not(part) => condition(rows, part).not(),
        Filter::Compare(field, op, literal) => compare(*field, *op, literal),
        Filter::Prefix(field, prefix) => prefixed(*field, prefix),
        Filter::Present(field) => present(rows, *field),
        Filter::Has(field, value) => Condition::all().add(match rows {
            Rows::Versions(kind) => has(kind, *field, value),
            Rows::Revisions => changes(value),
            // They have no repeated fields.
            Rows::Deliveries => Expr::value(false),
        }),
    }
}

fn compare(field: Field, op: Op, literal: &Literal) -> Condition {
    let left = || Expr::col(column(field.path));
    let right = match literal {
        Literal::Text(text) => Expr::value(text.clone()),
        // Enums are kept in 32 bits, instants in 64.
        Literal::Number(number) => match (field.kind, i32::try_from(*number)) {
            (FieldKind::Choice(_), Ok(number)) => Expr::value(number),
            _ => Expr::value(*number),
        },
        Literal::Flag(flag) => Expr::value(*flag),
    };
    let comparison = match op {
        Op::Equal => left().eq(right),
        Op::NotEqual => left().ne(right),
        Op::Less => left().lt(right),
        Op::LessOrEqual => left().lte(right),
        Op::Greater => left().gt(right),
        Op::GreaterOrEqual => left().gte(right),
    };
    // What is absent is neither before nor after anything.
    let absent = match (field.kind, op) {
        (FieldKind::Date, Op::Greater | Op::GreaterOrEqual) => Some(NO_DATE),
        (FieldKind::Text, Op::Less | Op::LessOrEqual) => Some(""),
        _ => None,
    };
    let condition = Condition::all().add(comparison);
    match absent {
        Some(absent) => condition.add(left().ne(absent)),
        None => condition,
    }
}

/// Texts that begin with `prefix`, as a range of an index: from the prefix up to what comes after all that begin so.
fn prefixed(field: Field, prefix: &str) -> Condition {
    let left = || Expr::col(column(field.path));
    let condition = Condition::all().add(left().gte(prefix));
    match after_prefix(prefix) {
        Some(end) => condition.add(left().lt(end)),
        None => condition,
    }
}

/// The least text that is greater than all that begin with `prefix`.
pub(super) fn after_prefix(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        let next = match u32::from(last) + 1 {
            0xD800 => Some('\u{E000}'),
            code => char::from_u32(code),
        };
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

fn present(rows: Rows, field: Field) -> Condition {
    let left = || Expr::col(column(field.path));
    Condition::all().add(match field.kind {
        FieldKind::Text => left().gt(""),
        FieldKind::Date => left().lt(NO_DATE),
        FieldKind::Choice(_) => left().gt(0),
        FieldKind::Time | FieldKind::Number => left().gt(0i64),
        FieldKind::Flag => left().eq(true),
        FieldKind::Texts | FieldKind::Choices(_) => match rows {
            Rows::Versions(kind) => has_any(kind, field),
            Rows::Revisions => Expr::col(column("change_count")).gt(0),
            Rows::Deliveries => Expr::value(false),
        },
    })
}

/// Versions one of whose values in a repeated field is this one: few enough to be looked up first.
fn has(kind: Kind, field: Field, value: &str) -> Expr {
    let values = Query::select()
        .columns(["resource_id", "from_revision"].map(column))
        .from(value_table(kind))
        .and_where(Expr::col(column("field")).eq(field.path))
        .and_where(Expr::col(column("value")).eq(stored_value(value)))
        .to_owned();
    Expr::tuple([Expr::col(column("resource_id")), Expr::col(column("from_revision"))]).in_subquery(values)
}

/// Revisions that changed the resource of a name.
fn changes(name: &str) -> Expr {
    let id = Query::select()
        .column(column("id"))
        .from(column("resource"))
        .and_where(Expr::col(column("name")).eq(name))
        .to_owned();
    let revisions = Query::select()
        .column(column("revision"))
        .from(column("change"))
        .and_where(Expr::col(column("resource_id")).in_subquery(id))
        .to_owned();
    Expr::col(column("number")).in_subquery(revisions)
}

/// Versions that have a value in a repeated field. Most do: each version of a page is looked at, where EXISTS and IN let
/// PostgreSQL read the whole table of values.
fn has_any(kind: Kind, field: Field) -> Expr {
    let of = |name: &'static str| Expr::col((value_table(kind), column(name))).equals((table(kind), column(name)));
    let first = Query::select()
        .column(column("field"))
        .from(value_table(kind))
        .and_where(of("resource_id"))
        .and_where(of("from_revision"))
        .and_where(Expr::col(column("field")).eq(field.path))
        .limit(1)
        .to_owned();
    Expr::SubQuery(None, Box::new(SubQueryStatement::SelectStatement(first))).is_not_null()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_a_prefix() {
        assert_eq!(after_prefix("ab").as_deref(), Some("ac"));
        assert_eq!(after_prefix("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after_prefix("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(after_prefix("\u{10ffff}"), None);
        assert_eq!(after_prefix(""), None);
    }
}
