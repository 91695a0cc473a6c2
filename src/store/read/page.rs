//! A page of a list: in which order it is read, where it begins, how much fits on it.

use sea_orm::{
    QueryResult,
    sea_query::{Condition, Expr, ExprTrait, Order as Direction, SelectStatement},
};

use super::List;
use crate::{
    error::Result,
    resource::{
        filter::{Expr as Filter, FieldKind, Op, Order},
        page::Position,
    },
    store::version::column,
};

/// Bytes of the resources on one page.
const MAX_PAGE_BYTES: i32 = 3 * 1024 * 1024;

/// The column to order by: an absent date comes last in both directions, so each has a column of its own.
pub(super) fn order_column(order: Order) -> String {
    match (order.field.kind, order.descending) {
        (FieldKind::Date, true) => format!("{}_desc", order.field.path),
        _ => order.field.path.to_owned(),
    }
}

/// Whether few rows can match, so that it is best to look them up and sort them. PostgreSQL finds that out by its
/// statistics; SQLite has none and would rather walk in order through all that the filter leaves out.
pub(super) fn is_selective(filter: &Filter) -> bool {
    match filter {
        Filter::All(parts) => parts.iter().any(is_selective),
        Filter::Compare(field, Op::Equal, _) => !matches!(field.kind, FieldKind::Choice(_) | FieldKind::Flag),
        Filter::Has(..) => true,
        _ => false,
    }
}

/// Whether all that matches is equal in a column, each of which has an index that goes on with the name.
pub(super) fn has_equal(filter: &Filter) -> bool {
    match filter {
        Filter::All(parts) => parts.iter().any(has_equal),
        Filter::Compare(_, Op::Equal, _) => true,
        _ => false,
    }
}

/// Orders a list and begins it after the page before. With `sort`, no index is to be read in that order.
pub(super) fn order(query: &mut SelectStatement, list: &List<'_>, sort: bool) {
    let descending = list.order.descending;
    let by_name = list.order.field.path == "name";
    // SQLite: an operator that does nothing, but keeps the column's indexes out of it.
    let col = |name: &str| match sort {
        true => Expr::cust_with_exprs("+?", [Expr::col(column(name))]),
        false => Expr::col(column(name)),
    };
    let key = order_column(list.order);
    let direction = if descending { Direction::Desc } else { Direction::Asc };
    if !by_name {
        query.order_by_expr(col(&key), direction.clone());
    }
    query.order_by_expr(col("name"), direction);
    let further = |expr: Expr, value: Expr| if descending { expr.lt(value) } else { expr.gt(value) };
    let is_time = list.order.field.kind == FieldKind::Time;
    let Some(after) = list.after else {
        // A bound that excludes nothing lets the index be searched instead of scanned.
        if !sort {
            query.and_where(match (is_time, descending) {
                (true, false) => col(&key).gte(0i64),
                (true, true) => col(&key).lte(i64::MAX),
                (false, false) => col(&key).gte(""),
                (false, true) => col(&key).lte("\u{10ffff}"),
            });
        }
        return;
    };
    if by_name {
        query.and_where(further(col("name"), Expr::value(after.name.clone())));
        return;
    }
    let value = if is_time { Expr::value(after.number) } else { Expr::value(after.text.clone()) };
    // The first bound is implied by the second and lets the index be searched.
    let bound = if descending { col(&key).lte(value.clone()) } else { col(&key).gte(value.clone()) };
    query.and_where(bound).cond_where(
        Condition::any()
            .add(further(col(&key), value.clone()))
            .add(Condition::all().add(col(&key).eq(value)).add(further(col("name"), Expr::value(after.name.clone())))),
    );
}

/// How many rows fit on a page: always one, else as many as stay within its bytes.
pub(super) fn fitting(rows: &[QueryResult]) -> Result<usize> {
    let mut bytes = 0;
    for (fits, row) in rows.iter().enumerate() {
        bytes += row.try_get::<Option<i32>>("", "bytes")?.unwrap_or(0);
        if bytes > MAX_PAGE_BYTES && fits > 0 {
            return Ok(fits);
        }
    }
    Ok(rows.len())
}

/// Where a page that ends with `row` ends.
pub(super) fn position(row: &QueryResult, list: &List<'_>) -> Result<Position> {
    let mut position = Position { revision: list.revision, name: row.try_get("", "name")?, ..Position::default() };
    match list.order.field.kind {
        _ if list.order.field.path == "name" => {}
        FieldKind::Time => position.number = row.try_get("", "position")?,
        _ => position.text = row.try_get("", "position")?,
    }
    Ok(position)
}
