//! Filters (AIP-160): what a caller writes becomes a typed expression over an allow-list of fields, or an error that
//! names what is wrong. A library parses; which fields and operators exist is decided here.

use aip_160::{Arg, Comparable, Comparator, Expression, Member, StringMatch, Value};
use jiff::Timestamp;

use super::text;
use crate::{
    error::{Error, Reason, Result, clip},
    proto::POOL,
};

/// Longer filters are refused, in characters.
const MAX_LENGTH: usize = 4_096;
/// More comparisons are refused.
const MAX_COMPARISONS: usize = 64;

/// A field by which a resource can be filtered, and perhaps ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The path that callers write; also the column, or the `field` of the table of values.
    pub path: &'static str,
    /// What it holds.
    pub kind: FieldKind,
    /// Whether lists can be ordered by it.
    pub ordered: bool,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Text; absent is the empty text.
    Text,
    /// An ISO 8601 date; absent is stored as `~`, which comes after every date.
    Date,
    /// An instant, as microseconds since 1970.
    Time,
    /// A whole number.
    Number,
    /// A truth value.
    Flag,
    /// A value of the enum with this full name.
    Choice(&'static str),
    /// Several texts.
    Texts,
    /// Several values of the enum with this full name, stored as short words.
    Choices(&'static str),
}

impl Field {
    /// A field of some kind.
    pub const fn new(path: &'static str, kind: FieldKind) -> Self {
        Self { path, kind, ordered: false }
    }

    /// The same field, which lists can also be ordered by.
    pub const fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }
}

/// A filter whose fields exist and whose values fit them.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// All of them hold.
    All(Vec<Expr>),
    /// At least one holds.
    Any(Vec<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
    /// A comparison.
    Compare(Field, Op, Literal),
    /// A text begins with these characters.
    Prefix(Field, String),
    /// A field is set.
    Present(Field),
    /// A repeated field has this value.
    Has(Field, String),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// Text or a date.
    Text(String),
    /// A number, an instant in microseconds, or the number of an enum value.
    Number(i64),
    /// A truth value.
    Flag(bool),
}

/// Reads a filter over `fields`. The empty filter is `None`.
///
/// # Errors
/// FILTER_INVALID, saying what cannot be read or is not offered.
pub fn parse(filter: &str, fields: &[Field]) -> Result<Option<Expr>> {
    if filter.trim().is_empty() {
        return Ok(None);
    }
    if filter.chars().count() > MAX_LENGTH {
        return Err(refuse(format!("is longer than {MAX_LENGTH} characters")));
    }
    let parsed = aip_160::parse_filter(filter).map_err(|e| refuse(format!("cannot be read: {e}")))?;
    let mut reader = Reader { fields, comparisons: 0 };
    parsed.expression.map(|expression| reader.read(expression)).transpose()
}

fn refuse(rule: String) -> Error {
    Error::fields(Reason::FilterInvalid, vec![("filter".to_owned(), rule)])
}

struct Reader<'a> {
    fields: &'a [Field],
    comparisons: usize,
}

impl Reader<'_> {
    fn read(&mut self, expression: Expression) -> Result<Expr> {
        match expression {
            // Matching is exact, so a sequence means AND.
            Expression::And(children) | Expression::Sequence(children) => self.read_all(children).map(Expr::All),
            Expression::Or(children) => self.read_all(children).map(Expr::Any),
            Expression::Not(child) => Ok(Expr::Not(Box::new(self.read(*child)?))),
            Expression::Restriction(restriction) => {
                self.comparisons += 1;
                if self.comparisons > MAX_COMPARISONS {
                    return Err(refuse(format!("has more than {MAX_COMPARISONS} comparisons")));
                }
                let field = self.field(&restriction.comparable)?;
                let value = match &restriction.arg {
                    Arg::Comparable(Comparable::Member(member)) => member,
                    Arg::Comparable(Comparable::Function(_)) => return Err(refuse("functions are not offered".into())),
                    Arg::Composite(_) => {
                        return Err(refuse(format!("{}: a group of values is not offered; use OR", field.path)));
                    }
                };
                compare(field, restriction.comparator, value)
            }
            Expression::Global(comparable) => Err(refuse(format!(
                "\"{}\" is no comparison; write field = value, with one of: {}",
                clip(&comparable.field_path().unwrap_or_default()),
                self.offered(),
            ))),
        }
    }

    fn read_all(&mut self, children: Vec<Expression>) -> Result<Vec<Expr>> {
        children.into_iter().map(|child| self.read(child)).collect()
    }

    fn field(&self, comparable: &Comparable) -> Result<Field> {
        let path = comparable.field_path().ok_or_else(|| refuse("functions are not offered".into()))?;
        self.fields.iter().find(|field| field.path == path).copied().ok_or_else(|| {
            refuse(format!("\"{}\" is not a field to filter by; offered are: {}", clip(&path), self.offered()))
        })
    }

    fn offered(&self) -> String {
        self.fields.iter().map(|field| field.path).collect::<Vec<_>>().join(", ")
    }
}

/// The text of a value: a member with several segments, such as `1.5`, is one value written with dots.
fn spell(member: &Member) -> (String, bool) {
    let quoted = matches!(member.value, Value::String(_));
    let mut spelled = member.value.as_str().to_owned();
    for segment in &member.fields {
        spelled.push('.');
        spelled.push_str(segment.as_str());
    }
    (spelled, quoted)
}

fn compare(field: Field, comparator: Comparator, member: &Member) -> Result<Expr> {
    let (value, quoted) = spell(member);
    let value = text::compose(&value).into_owned();
    if let Some(rule) = text::control_rule(&value, true) {
        return Err(refuse(format!("{}: the value {rule}", field.path)));
    }
    if comparator == Comparator::Has && !quoted && value == "*" {
        return Ok(Expr::Present(field));
    }
    let op = match comparator {
        Comparator::Equal | Comparator::Has => Op::Equal,
        Comparator::NotEqual => Op::NotEqual,
        Comparator::LessThan => Op::Less,
        Comparator::LessThanOrEqual => Op::LessOrEqual,
        Comparator::GreaterThan => Op::Greater,
        Comparator::GreaterThanOrEqual => Op::GreaterOrEqual,
    };
    let only_equality = |what: &str| {
        if matches!(op, Op::Equal | Op::NotEqual) {
            Ok(())
        } else {
            Err(refuse(format!("{}: {what} compares only with = and !=", field.path)))
        }
    };
    match field.kind {
        FieldKind::Text => {
            // A wildcard means the same with quotes and without.
            match Value::String(value.clone()).string_match() {
                Some(StringMatch::Exact(_)) | None => {}
                // Nothing before the star: every text begins so.
                Some(StringMatch::Contains("")) if value == "*" && op == Op::Equal => {
                    return Ok(Expr::Prefix(field, String::new()));
                }
                Some(StringMatch::Prefix(prefix)) if op == Op::Equal => {
                    return Ok(Expr::Prefix(field, prefix.to_owned()));
                }
                Some(StringMatch::Prefix(prefix)) if op == Op::NotEqual => {
                    return Ok(Expr::Not(Box::new(Expr::Prefix(field, prefix.to_owned()))));
                }
                Some(_) => {
                    return Err(refuse(format!("{}: only a trailing * is offered, with = or !=", field.path)));
                }
            }
            Ok(Expr::Compare(field, op, Literal::Text(value)))
        }
        FieldKind::Date => {
            text::date(&value).map_err(|rule| refuse(format!("{}: the value {rule}", field.path)))?;
            Ok(Expr::Compare(field, op, Literal::Text(value)))
        }
        FieldKind::Time => {
            let instant: Timestamp = value.parse().map_err(|_| {
                refuse(format!(
                    "{}: \"{}\" is not an RFC 3339 time such as \"2026-01-31T00:00:00Z\"",
                    field.path,
                    clip(&value)
                ))
            })?;
            Ok(Expr::Compare(field, op, Literal::Number(instant.as_microsecond())))
        }
        FieldKind::Number => {
            let number = value
                .parse()
                .map_err(|_| refuse(format!("{}: \"{}\" is not a whole number", field.path, clip(&value))))?;
            Ok(Expr::Compare(field, op, Literal::Number(number)))
        }
        FieldKind::Flag => {
            only_equality("a truth value")?;
            let flag = value
                .parse()
                .map_err(|_| refuse(format!("{}: must be true or false, not \"{}\"", field.path, clip(&value))))?;
            Ok(Expr::Compare(field, op, Literal::Flag(flag)))
        }
        FieldKind::Choice(name) => {
            only_equality("a choice")?;
            let (number, _) = choice(field, name, &value)?;
            Ok(Expr::Compare(field, op, Literal::Number(number.into())))
        }
        FieldKind::Texts | FieldKind::Choices(_) => {
            let value = match field.kind {
                FieldKind::Choices(name) => choice(field, name, &value)?.1,
                _ => value,
            };
            match comparator {
                Comparator::Has => Ok(Expr::Has(field, value)),
                _ => Err(refuse(format!("{}: is repeated; write {}:value", field.path, field.path))),
            }
        }
    }
}

/// The number and the short word of an enum value written short or in full.
fn choice(field: Field, name: &str, value: &str) -> Result<(i32, String)> {
    let descriptor =
        POOL.get_enum_by_name(name).ok_or_else(|| Error::internal(format!("no enum {name} in the contract")))?;
    let zero = descriptor.get_value(0).map(|v| v.name().to_owned()).unwrap_or_default();
    let prefix = zero.trim_end_matches("UNSPECIFIED");
    let mut words = Vec::new();
    for candidate in descriptor.values() {
        let short = candidate.name().strip_prefix(prefix).unwrap_or(candidate.name()).to_owned();
        if value == short || value == candidate.name() {
            return Ok((candidate.number(), short));
        }
        if candidate.number() != 0 {
            words.push(short);
        }
    }
    Err(refuse(format!("{}: must be one of {}, not \"{}\"", field.path, words.join(", "), clip(value))))
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The field; ties go by name.
    pub field: Field,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// Reads an `order_by` over the ordered ones of `fields`. The empty one is the first field.
///
/// # Errors
/// ORDER_BY_INVALID, saying what is offered.
pub fn order(order_by: &str, fields: &[Field]) -> Result<Order> {
    let offered = || fields.iter().filter(|f| f.ordered).map(|f| f.path).collect::<Vec<_>>().join(", ");
    let refuse = |rule: String| Error::fields(Reason::OrderByInvalid, vec![("order_by".to_owned(), rule)]);
    let words: Vec<&str> = order_by.split_whitespace().collect();
    let one = || refuse(format!("must be one field, optionally with desc; offered are: {}", offered()));
    let (path, descending) = match words.as_slice() {
        _ if order_by.contains(',') => return Err(one()),
        [] => (fields.first().map_or("", |f| f.path), false),
        [path] | [path, "asc"] => (*path, false),
        [path, "desc"] => (*path, true),
        _ => return Err(one()),
    };
    fields
        .iter()
        .find(|field| field.path == path && field.ordered)
        .map(|field| Order { field: *field, descending })
        .ok_or_else(|| refuse(format!("\"{}\" is not a field to order by; offered are: {}", clip(path), offered())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] = &[
        Field::new("name", FieldKind::Text).ordered(),
        Field::new("state", FieldKind::Choice("subprocessor.registry.v1.Subprocessor.State")),
        Field::new("start_date", FieldKind::Date).ordered(),
        Field::new("update_time", FieldKind::Time),
        Field::new("listed", FieldKind::Flag),
        Field::new("products", FieldKind::Texts),
    ];

    #[test]
    fn filters_are_typed() {
        let parsed = parse(r#"state = ACTIVE AND NOT products:"eu" OR name = "a*""#, FIELDS).unwrap().unwrap();
        let Expr::All(parts) = parsed else { panic!("{parsed:?}") };
        assert_eq!(parts[0], Expr::Compare(FIELDS[1], Op::Equal, Literal::Number(3)));
        assert!(matches!(&parts[1], Expr::Any(parts) if matches!(parts[0], Expr::Not(_))));
        assert_eq!(parse("start_date:*", FIELDS).unwrap(), Some(Expr::Present(FIELDS[2])));
        assert_eq!(parse("  ", FIELDS).unwrap(), None);
    }

    #[test]
    fn what_is_not_offered_is_refused() {
        for filter in [
            "uid = 1",
            "state = WHAT",
            "state < ACTIVE",
            "start_date = 2023-02-30",
            "start_date > yesterday",
            "update_time > 5",
            "listed = maybe",
            "products = x",
            "name = \"*a\"",
            "f(name)",
            "aws",
            "name = (a OR b)",
            "name =",
            "((name = a)",
            "name = \"a\u{0}b\"",
        ] {
            let error = parse(filter, FIELDS).expect_err(filter);
            assert_eq!(error.reason(), Reason::FilterInvalid, "{filter}: {error}");
        }
        assert!(parse(&format!("{}name = a{}", "(".repeat(2000), ")".repeat(2000)), FIELDS).is_err());
        assert!(parse(&vec!["name = a"; 65].join(" AND "), FIELDS).is_err());
    }

    #[test]
    fn orders_are_checked() {
        assert!(order("start_date desc", FIELDS).unwrap().descending);
        assert_eq!(order("", FIELDS).unwrap().field.path, "name");
        for bad in ["state", "name desc desc", "nothing", "name, start_date", "name DESC"] {
            assert_eq!(order(bad, FIELDS).expect_err(bad).reason(), Reason::OrderByInvalid);
        }
        for several in ["name,start_date", "name,name", "name desc, start_date", "name,"] {
            let error = order(several, FIELDS).expect_err(several).to_string();
            assert!(error.contains("must be one field"), "{several}: {error}");
        }
    }
}
