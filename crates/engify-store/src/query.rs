//! Questions to the store. A query cannot be made without a [`Scope`], so that none forgets whose documents it may see.
//!
//! Queries are made in [`crate::queries`] only, each under a name, so that a test can ask the databases for the plan of
//! every query that the program can make.

use std::marker::PhantomData;

use engify_core::tenancy::Scope;
use engify_core::{Error, Kind, Result};
use serde_json::Value;

use crate::collection::{Direction, Entity};

/// The most documents one query returns.
pub const LIMIT: u32 = 1000;

/// A question: which documents of one collection, in which order, how many.
#[derive(Debug)]
pub struct Query<E> {
    pub(crate) name: &'static str,
    pub(crate) scope: Scope,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) sort: Option<(&'static str, Direction)>,
    pub(crate) after: Option<Cursor>,
    pub(crate) limit: u32,
    pub(crate) fields: Option<&'static [&'static str]>,
    entity: PhantomData<fn() -> E>,
}

// Derived, it would ask that the documents can be cloned.
impl<E> Clone for Query<E> {
    fn clone(&self) -> Self {
        let Self { name, ref scope, ref conditions, sort, ref after, limit, fields, entity } = *self;
        Self {
            name,
            scope: scope.clone(),
            conditions: conditions.clone(),
            sort,
            after: after.clone(),
            limit,
            fields,
            entity,
        }
    }
}

/// One thing that must hold; all of a query's must.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    /// Dotted for nested fields.
    pub(crate) field: &'static str,
    pub(crate) test: Test,
}

/// How a field is compared. A missing field equals null.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    Equal(Value),
    OneOf(Vec<Value>),
    AtLeast(Value),
    Below(Value),
}

impl<E: Entity> Query<E> {
    /// A query under its name in [`crate::queries`].
    pub(crate) fn new(name: &'static str, scope: Scope) -> Self {
        Self {
            name,
            scope,
            conditions: Vec::new(),
            sort: None,
            after: None,
            limit: 50,
            fields: None,
            entity: PhantomData,
        }
    }

    pub(crate) fn equal(self, field: &'static str, value: impl Into<Value>) -> Self {
        self.with(field, Test::Equal(value.into()))
    }

    pub(crate) fn one_of<V: Into<Value>>(
        self,
        field: &'static str,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.with(field, Test::OneOf(values.into_iter().map(Into::into).collect()))
    }

    pub(crate) fn at_least(self, field: &'static str, value: impl Into<Value>) -> Self {
        self.with(field, Test::AtLeast(value.into()))
    }

    pub(crate) fn below(self, field: &'static str, value: impl Into<Value>) -> Self {
        self.with(field, Test::Below(value.into()))
    }

    /// Adds a condition only where there is a value.
    pub(crate) fn equal_if(self, field: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.equal(field, value),
            None => self,
        }
    }

    fn with(mut self, field: &'static str, test: Test) -> Self {
        self.conditions.push(Condition { field, test });
        self
    }

    /// Sorts by one field, then by `_id` in the same direction; without it the order is that of `_id`.
    pub(crate) fn sorted(mut self, field: &'static str, direction: Direction) -> Self {
        self.sort = Some((field, direction));
        self
    }

    /// Returns these fields (and `_id`) only; for [`crate::Store::find_docs`].
    pub(crate) fn only(mut self, fields: &'static [&'static str]) -> Self {
        self.fields = Some(fields);
        self
    }

    /// Goes on behind a cursor of the same query.
    #[must_use]
    pub fn after(mut self, cursor: Option<Cursor>) -> Self {
        self.after = cursor;
        self
    }

    /// At most this many, 1 to [`LIMIT`].
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit.clamp(1, LIMIT);
        self
    }

    /// The name under which plans and slow queries are reported.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

/// Where a page ended: the sort value and the id of its last document. Opaque to callers; it carries the query's name,
/// so that a cursor of another list is refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    pub(crate) query: String,
    pub(crate) value: Value,
    pub(crate) id: String,
}

impl Cursor {
    /// As text for an address: hex of JSON.
    pub fn encode(&self) -> String {
        let json = Value::from(vec![
            Value::from(self.query.as_str()),
            self.value.clone(),
            Value::from(self.id.as_str()),
        ]);
        hex(&json.to_string())
    }

    /// Reads a cursor that belongs to `query` (its [`Query::name`]).
    ///
    /// # Errors
    /// `invalid_cursor` for anything that is not one of ours, or belongs to another list.
    pub fn decode(text: &str, query: &str) -> Result<Self> {
        let parts: Option<[Value; 3]> = unhex(text).and_then(|bytes| serde_json::from_slice(&bytes).ok());
        match parts {
            Some([Value::String(name), value, Value::String(id)])
                if name == query && !value.is_object() && !value.is_array() && id.len() <= 200 =>
            {
                Ok(Self { query: name, value, id })
            }
            _ => Err(invalid_cursor()),
        }
    }
}

/// The cursor was made up, or belongs to another list.
pub(crate) fn invalid_cursor() -> Error {
    let message = "The cursor is not one of this list; start again without it.";
    Error::new(Kind::Invalid, "invalid_cursor", message).detail("cursor", "is not a cursor of this list")
}

/// Bytes as hexadecimal text.
pub(crate) fn hex(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The bytes of a hexadecimal text of at most 2 kB.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() > 2048
        || !text.len().is_multiple_of(2)
        || !text.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// In the query's order.
    pub items: Vec<T>,
    /// Where the next page begins; none on the last.
    pub next: Option<Cursor>,
}

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing {
    //! See [`crate::fuzzing`].

    use super::Cursor;

    /// Whatever is taken for a cursor is one of the list that it is shown to, and says the same when it is written again.
    pub fn cursor(bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        for (given, list) in [(text.to_string(), "users"), (super::hex(&text), "prompts_all")] {
            let Ok(cursor) = Cursor::decode(&given, list) else { continue };
            assert!(cursor.query == list && cursor.id.len() <= 200);
            let again = cursor.encode();
            assert!(
                again.len() > 2048 || Cursor::decode(&again, list).is_ok_and(|again| again == cursor),
                "{text}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a list is sorted by: text, a time as text, a number, a yes or no, nothing.
    fn sort_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            "\\PC{0,60}".prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
        ]
    }

    proptest! {
        #[test]
        fn a_cursor_reads_back_for_its_own_list_only(value in sort_value(), id in "\\PC{1,40}", list in "[a-z_]{1,20}", other in "[a-z_]{1,20}") {
            let cursor = Cursor { query: list.clone(), value, id };
            let text = cursor.encode();
            prop_assert_eq!(Cursor::decode(&text, &list).ok(), Some(cursor));
            prop_assert_eq!(Cursor::decode(&text, &other).is_ok(), other == list);
        }

        #[test]
        fn what_is_made_up_is_refused_by_name(text in "\\PC{0,80}", hexed in "\\PC{0,80}", deep in 0..200_usize) {
            for forged in [text, hex(&hexed), hex(&format!("[\"users\",{}{},\"x\"]", "[".repeat(deep), "]".repeat(deep)))] {
                let refusal = Cursor::decode(&forged, "users").expect_err("not one of ours");
                prop_assert_eq!(refusal.code(), "invalid_cursor");
            }
        }
    }

    #[test]
    fn an_endless_cursor_is_not_read() {
        assert!(Cursor::decode(&"5b".repeat(1_000_000), "users").is_err());
    }
}
