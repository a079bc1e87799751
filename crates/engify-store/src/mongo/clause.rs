//! What must hold of a field, and how the server is told.

use std::cmp::Ordering;

use engify_core::Result;
use mongodb::bson::{Bson, Document, doc};
use serde_json::Value;

use super::encode;

/// A field and what must hold of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clause {
    pub(super) field: &'static str,
    pub(super) op: Op,
}

/// How it is compared. A missing field equals null.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Op {
    Equal(Value),
    OneOf(Vec<Value>),
    AtLeast(Value),
    Above(Value),
    Below(Value),
    /// Neither null nor missing.
    Present,
}

impl Clause {
    pub(super) fn new(field: &'static str, op: Op) -> Self {
        Self { field, op }
    }
}

/// Whether a value meets it, as far as values of one type go.
pub(super) fn admits(op: &Op, value: &Value) -> bool {
    match op {
        Op::AtLeast(bound) => compare(value, bound).is_some_and(Ordering::is_ge),
        Op::Above(bound) => compare(value, bound).is_some_and(Ordering::is_gt),
        Op::Below(bound) => compare(value, bound).is_some_and(Ordering::is_lt),
        Op::Equal(wanted) => wanted == value,
        Op::OneOf(wanted) => wanted.contains(value),
        Op::Present => !value.is_null(),
    }
}

/// The order of two numbers or two texts.
pub(super) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        _ => None,
    }
}

/// One document where every field is named once; what does not fit goes under `$and`.
///
/// # Errors
/// `invalid_request` for a value that has no BSON form.
pub(super) fn filter(clauses: &[Clause]) -> Result<Document> {
    let mut filter = Document::new();
    let mut more = Vec::new();
    for clause in clauses {
        let test = bson(clause)?;
        let joined = match (filter.get_mut(clause.field), &test) {
            (None, _) => {
                filter.insert(clause.field, test);
                continue;
            }
            (Some(Bson::Document(there)), Bson::Document(new)) if bounds(there) && bounds(new) => {
                let apart = new.keys().all(|operator| !there.contains_key(operator));
                if apart {
                    there.extend(new.clone());
                }
                apart
            }
            (Some(_), _) => false,
        };
        if !joined {
            more.push(Bson::Document(doc! { clause.field: test }));
        }
    }
    if !more.is_empty() {
        filter.insert("$and", more);
    }
    Ok(filter)
}

fn bounds(document: &Document) -> bool {
    document.keys().all(|key| matches!(key.as_str(), "$gt" | "$gte" | "$lt" | "$lte"))
}

fn bson(clause: &Clause) -> Result<Bson> {
    let one = |value: &Value| encode::value(clause.field, value);
    Ok(match &clause.op {
        // A scalar stands for itself; an object could be taken for operators.
        Op::Equal(value @ (Value::Object(_) | Value::Array(_))) => {
            Bson::Document(doc! { "$eq": one(value)? })
        }
        Op::Equal(value) => one(value)?,
        Op::OneOf(values) => {
            Bson::Document(doc! { "$in": values.iter().map(one).collect::<Result<Vec<_>>>()? })
        }
        Op::AtLeast(value) => Bson::Document(doc! { "$gte": one(value)? }),
        Op::Above(value) => Bson::Document(doc! { "$gt": one(value)? }),
        Op::Below(value) => Bson::Document(doc! { "$lt": one(value)? }),
        Op::Present => Bson::Document(doc! { "$ne": Bson::Null }),
    })
}
