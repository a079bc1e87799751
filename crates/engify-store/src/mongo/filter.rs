//! From a [`Find`] to what the server is asked: filters, order and, where its planner would not see it, the index.
//!
//! **Order.** By (field, `_id`) in one direction, null and missing first when ascending, as the embedded database
//! sorts. Within one field all values are of one type; numbers come before texts on both databases all the same.
//!
//! **Paging.** What comes behind a cursor `(v, id)` is asked for in up to three plain filters, each a range of one
//! index, one after the other until the page is full: the rest of those with the value `v`, then those beyond `v`,
//! then, descending, those without a value. One filter with `$or` would say the same, but its plan depends on the
//! planner's wits, and `$lt` does not reach null.
//!
//! **Index hints.** Where every condition falls into the chosen index, the planner is left alone. Where conditions
//! remain outside, or only the order needs an index, it is named, so that the plan is the same on every server and on
//! every day. An index is named only when it is known to exist.

use std::cmp::Ordering;

use engify_core::Result;
use engify_core::tenancy::Scope;
use mongodb::bson::{Document, doc};
use serde_json::Value;

use super::clause::{Clause, Op, admits, compare, filter};
use super::indexes::{Known, Spec};
use crate::adapter::Find;
use crate::collection::Direction;
use crate::query::{Condition, Test};

/// One question to the server.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ask {
    /// What must hold.
    pub(super) filter: Document,
    /// The order; complete, so that a page has one answer.
    pub(super) sort: Document,
    /// The name of the index to use, where it is named.
    pub(super) hint: Option<String>,
    /// Whether the filter leaves the scope out, so that it must be checked on what comes back. Only where a unique
    /// index leads to one document at most.
    pub(super) check_scope: bool,
}

/// The questions whose answers, one after the other, are the documents of `find` in order.
///
/// # Errors
/// `invalid_request` for a value that has no BSON form.
pub(super) fn asks(find: &Find, known: &Known) -> Result<Vec<Ask>> {
    let (field, direction) = find.sort;
    let check_scope = is_one_document(find, known);
    let base = if check_scope { own_conditions(find).collect() } else { conditions(find) };
    let segments = match &find.after {
        None => vec![base],
        Some(cursor) => behind(&base, field, direction, &cursor.value, &cursor.id),
    };
    let sort = order(field, direction);
    segments
        .into_iter()
        .map(|tests| {
            let hint = hint(find, &tests, known);
            Ok(Ask { filter: filter(&tests)?, sort: sort.clone(), hint, check_scope })
        })
        .collect()
}

/// The filter of a count: no order, no cursor.
///
/// # Errors
/// As [`asks`].
pub(super) fn count(find: &Find, known: &Known) -> Result<Ask> {
    let tests = conditions(find);
    let unordered = Find { sort: ("", Direction::Ascending), ..find.clone() };
    let hint = hint(&unordered, &tests, known);
    Ok(Ask { filter: filter(&tests)?, sort: Document::new(), hint, check_scope: false })
}

/// The filter that admits a document in scope, `_id` aside, when some top-level fields have these values.
///
/// # Errors
/// As [`asks`].
pub(super) fn of_document(id: &str, scope: &Scope, when: &[(&'static str, Value)]) -> Result<Document> {
    let mut tests = vec![Clause::new("_id", Op::Equal(Value::from(id)))];
    tests.extend(of_scope(scope));
    tests.extend(when.iter().map(|(field, value)| Clause::new(field, Op::Equal(value.clone()))));
    filter(&tests)
}

fn conditions(find: &Find) -> Vec<Clause> {
    of_scope(&find.scope).into_iter().chain(own_conditions(find)).collect()
}

/// Whether the query's own conditions are the full key of a unique index, so that the scope need not be in the filter
/// (where it would keep simple planners from that index). Not where a projection may leave the scope's field out.
fn is_one_document(find: &Find, known: &Known) -> bool {
    let pinned = |field: &str| {
        let is_text = |test: &Test| matches!(test, Test::Equal(Value::String(_)));
        find.conditions.iter().any(|condition| condition.field == field && is_text(&condition.test))
    };
    find.fields.is_none()
        && !matches!(find.scope, Scope::Everything(_))
        && Spec::all(&find.collection)
            .iter()
            .any(|spec| spec.is_unique_over(pinned) && known.has(find.collection.name, &spec.name))
}

fn own_conditions(find: &Find) -> impl Iterator<Item = Clause> + '_ {
    find.conditions.iter().map(|Condition { field, test }| {
        let op = match test {
            Test::Equal(value) => Op::Equal(value.clone()),
            Test::OneOf(values) => one_of(values.clone()),
            Test::AtLeast(value) => Op::AtLeast(value.clone()),
            Test::Below(value) => Op::Below(value.clone()),
        };
        Clause::new(field, op)
    })
}

fn of_scope(scope: &Scope) -> Option<Clause> {
    match scope {
        Scope::Audiences(audiences) => {
            let words = audiences.iter().map(|audience| Value::from(audience.to_string())).collect();
            Some(Clause::new("audience", one_of(words)))
        }
        Scope::Owner(user) => Some(Clause::new("userId", Op::Equal(Value::from(user.as_str())))),
        Scope::Organization(id) => Some(Clause::new("organizationId", Op::Equal(Value::from(id.as_str())))),
        Scope::Everything(_) => None,
    }
}

/// One of one is equality, which more indexes serve.
fn one_of(mut values: Vec<Value>) -> Op {
    match (values.len(), values.pop()) {
        (1, Some(only)) => Op::Equal(only),
        (_, Some(last)) => {
            values.push(last);
            Op::OneOf(values)
        }
        (_, None) => Op::OneOf(values),
    }
}

/// The segments behind a cursor; see the module's words on paging.
fn behind(
    base: &[Clause],
    field: &'static str,
    direction: Direction,
    value: &Value,
    id: &str,
) -> Vec<Vec<Clause>> {
    let beyond = |value: Value| match direction {
        Direction::Ascending => Op::Above(value),
        Direction::Descending => Op::Below(value),
    };
    let with = |more: &[Clause]| base.iter().chain(more).cloned().collect::<Vec<_>>();
    let rest = Clause::new("_id", beyond(Value::from(id)));
    if field == "_id" {
        return vec![with(&[rest])];
    }
    // The field is pinned by the cursor's value, so its own range needs no second mention where the value is in it.
    let ranged = base.iter().any(|clause| clause.field == field);
    let pinned = base.iter().filter(|clause| clause.field != field || !admits(&clause.op, value)).cloned();
    let mut segments = vec![pinned.chain([Clause::new(field, Op::Equal(value.clone())), rest]).collect()];
    match (value.is_null(), direction) {
        (true, Direction::Ascending) => segments.push(with(&[Clause::new(field, Op::Present)])),
        (true, Direction::Descending) => {}
        (false, _) => {
            segments.push(narrowed(base, Clause::new(field, beyond(value.clone()))));
            if direction == Direction::Descending && !ranged {
                segments.push(with(&[Clause::new(field, Op::Equal(Value::Null))]));
            }
        }
    }
    segments
}

/// The base with one more bound; a bound of the same kind and field that admits more gives way to it.
fn narrowed(base: &[Clause], bound: Clause) -> Vec<Clause> {
    let limit = match &bound.op {
        Op::Above(value) | Op::Below(value) => value.clone(),
        _ => Value::Null,
    };
    let gives_way = |clause: &Clause| {
        clause.field == bound.field
            && match (&clause.op, &bound.op) {
                (Op::Below(theirs), Op::Below(_)) => compare(theirs, &limit).is_some_and(Ordering::is_ge),
                (Op::AtLeast(theirs), Op::Above(_)) => compare(theirs, &limit).is_some_and(Ordering::is_le),
                _ => false,
            }
    };
    base.iter().filter(|clause| !gives_way(clause)).cloned().chain([bound.clone()]).collect()
}

fn order(field: &str, direction: Direction) -> Document {
    let way = match direction {
        Direction::Ascending => 1,
        Direction::Descending => -1,
    };
    if field == "_id" {
        doc! { "_id": way }
    } else {
        doc! { field: way, "_id": way }
    }
}

/// The index to name; none where the planner is left alone.
fn hint(find: &Find, clauses: &[Clause], known: &Known) -> Option<String> {
    let equal: Vec<&str> = clauses
        .iter()
        .filter(|clause| matches!(clause.op, Op::Equal(_)))
        .map(|clause| clause.field)
        .collect();
    let others: Vec<&str> = clauses
        .iter()
        .filter(|clause| !matches!(clause.op, Op::Equal(_)))
        .map(|clause| clause.field)
        .collect();
    if clauses.iter().any(|clause| clause.field == "_id" && matches!(clause.op, Op::Equal(_) | Op::OneOf(_)))
    {
        return None;
    }
    let sort = find.sort.0;
    let fit = |spec: &Spec| {
        let led = spec.keys.iter().take_while(|(field, _)| equal.contains(field)).count();
        let next = spec.keys.get(led).map(|(field, _)| *field);
        let orders = next.is_some_and(|next| next == sort) && sort != "_id";
        let ranges = next.is_some_and(|next| others.contains(&next));
        (led, orders, ranges)
    };
    let usable = |spec: &&Spec| spec.is_usable(&equal) && known.has(find.collection.name, &spec.name);
    let specs = Spec::all(&find.collection);
    // The first of the best: by fields that equality leads through, then by whether it gives the order.
    let best = specs.iter().filter(usable).fold(None::<(&Spec, (usize, bool, bool))>, |best, spec| {
        let fit = fit(spec);
        let better = best.is_none_or(|(_, other)| fit > other);
        if better && fit != (0, false, false) { Some((spec, fit)) } else { best }
    });
    let Some((spec, (led, _, _))) = best else {
        return (sort == "_id").then(|| "_id_".to_owned());
    };
    let next = spec.keys.get(led).map(|(field, _)| *field);
    let inside = equal.iter().all(|field| spec.keys.iter().take(led).any(|(key, _)| key == field))
        && others.iter().all(|field| Some(*field) == next);
    if inside { None } else { Some(spec.name.clone()) }
}

#[cfg(test)]
mod tests {
    use engify_core::ids::{PromptId, UserId};
    use engify_core::words::Slug;
    use serde_json::json;

    use super::*;
    use crate::query::Cursor;
    use crate::{collections, queries};

    fn asked(find: &Find) -> Vec<Ask> {
        asks(find, &Known::all_of(collections::ALL)).unwrap()
    }

    fn owner() -> Scope {
        Scope::Owner(UserId::parse("u").unwrap())
    }

    fn behind_cursor(find: Find, value: Value) -> Vec<Document> {
        let after = Some(Cursor { query: find.name.to_owned(), value, id: "i".to_owned() });
        asked(&Find { after, ..find }).into_iter().map(|ask| ask.filter).collect()
    }

    #[test]
    fn a_page_goes_on_with_ties_then_beyond_then_those_without_a_value() {
        let find = Find {
            sort: ("uses", Direction::Descending),
            ..queries::prompts_of(&UserId::parse("u").unwrap()).erased()
        };
        assert_eq!(
            behind_cursor(find.clone(), json!(3)),
            [
                doc! { "userId": "u", "uses": 3_i64, "_id": { "$lt": "i" } },
                doc! { "userId": "u", "uses": { "$lt": 3_i64 } },
                doc! { "userId": "u", "uses": null },
            ]
        );
        assert_eq!(
            behind_cursor(find.clone(), json!(null)),
            [doc! { "userId": "u", "uses": null, "_id": { "$lt": "i" } }]
        );
        let upwards = Find { sort: ("uses", Direction::Ascending), ..find };
        assert_eq!(
            behind_cursor(upwards, json!(null)),
            [
                doc! { "userId": "u", "uses": null, "_id": { "$gt": "i" } },
                doc! { "userId": "u", "uses": { "$ne": null } },
            ]
        );
    }

    #[test]
    fn a_range_and_a_cursor_on_one_field_make_one_range() {
        let figures = queries::run_figures(owner(), "2026-11-01T00:00:00.000Z".parse().unwrap()).erased();
        let filters = behind_cursor(figures, json!("2026-11-22T00:00:00.000Z"));
        assert_eq!(filters.len(), 2, "a range holds no document without a value");
        assert!(filters[0].get_datetime("createdAt").is_ok());
        let range = filters[1].get_document("createdAt").unwrap();
        assert_eq!(range.keys().collect::<Vec<_>>(), ["$gte", "$lt"]);
    }

    #[test]
    fn an_index_is_named_only_where_conditions_remain_outside_of_it() {
        let hint = |find: Find| asked(&find)[0].hint.clone();
        assert_eq!(hint(queries::runs(owner(), &queries::RunFilter::default()).erased()), None);
        let narrowed =
            queries::RunFilter { provider: Some("openai".to_owned()), ..queries::RunFilter::default() };
        let runs = queries::runs(owner(), &narrowed).erased();
        assert_eq!(hint(runs.clone()).as_deref(), Some("userId_1_createdAt_-1__id_-1"));
        assert_eq!(asks(&runs, &Known::default()).unwrap()[0].hint, None, "an unknown index is never named");
        assert_eq!(hint(queries::users(Scope::Everything("a test"), None).erased()).as_deref(), Some("_id_"));
        assert_eq!(hint(queries::versions_of(&PromptId::parse("p").unwrap()).erased()), None);
    }

    #[test]
    fn a_full_unique_key_leaves_the_scope_to_be_checked() {
        let find =
            queries::prompt_by_slug(Scope::visible_to(None, None), &Slug::parse("a-slug").unwrap()).erased();
        let ask = &asked(&find)[0];
        assert_eq!((&ask.filter, ask.check_scope), (&doc! { "slug": "a-slug" }, true));
    }
}
