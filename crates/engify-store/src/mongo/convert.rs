//! Documents from BSON, losslessly for everything that [`super::encode`] writes.
//!
//! Times are the one difference: a field whose name ends in `At` and whose text is exactly a [`Time`] as it prints
//! itself becomes a BSON date, and every BSON date becomes that text again. What other programs may have put into the
//! database and JSON has no word for (object ids, decimals, binary) is read as text, so that an import of a foreign
//! collection fails nowhere; it is never written back unless somebody sets that field.

use engify_core::Time;
use mongodb::bson::{Bson, Decimal128, Document};
use serde_json::{Map, Number, Value};

use crate::Doc;

/// A document from BSON.
pub(crate) fn doc(document: Document) -> Doc {
    document.into_iter().map(|(name, value)| (name, json(value))).collect::<Map<_, _>>()
}

/// A value from BSON.
pub(super) fn json(value: Bson) -> Value {
    match value {
        Bson::Null | Bson::Undefined => Value::Null,
        Bson::Boolean(flag) => Value::Bool(flag),
        Bson::Int32(whole) => whole.into(),
        Bson::Int64(whole) => whole.into(),
        // JSON has no infinities and no NaN: they become null.
        Bson::Double(number) => Number::from_f64(number).map_or(Value::Null, Value::Number),
        Bson::String(text) | Bson::Symbol(text) | Bson::JavaScriptCode(text) => Value::String(text),
        Bson::DateTime(date) => Value::String(Time::from_millis(date.timestamp_millis()).to_string()),
        Bson::Array(items) => Value::Array(items.into_iter().map(json).collect()),
        Bson::Document(document) => Value::Object(doc(document)),
        Bson::ObjectId(id) => Value::String(id.to_hex()),
        Bson::Decimal128(decimal) => decimal_text(&decimal),
        other => Value::String(other.to_string()),
    }
}

fn decimal_text(decimal: &Decimal128) -> Value {
    let text = decimal.to_string();
    match text.parse::<u64>() {
        Ok(whole) if i64::try_from(whole).is_err() => whole.into(),
        _ => Value::String(text),
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::oid::ObjectId;
    use mongodb::bson::raw::RawDocumentBuf;
    use mongodb::bson::{DateTime, bson, doc as bson_doc};
    use proptest::prelude::*;
    use serde_json::json as value_of;

    use super::super::encode::{raw, raw_of_text, value};
    use super::*;

    fn document(doc: &Doc) -> engify_core::Result<Document> {
        Document::try_from(raw(doc)?).map_err(engify_core::Error::internal)
    }

    fn round(doc_in: &Value) -> Value {
        let Value::Object(map) = doc_in else { panic!("an object") };
        let document = document(map).unwrap();
        // Through the bytes, as it would go over the wire.
        let bytes = document.to_vec().unwrap();
        Value::Object(doc(Document::from_reader(bytes.as_slice()).unwrap()))
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(|number| Number::from_f64(number).map_or(Value::Null, Value::Number)),
            ".{0,12}".prop_map(Value::from),
            (-62_135_596_800_000_i64..253_402_207_200_000)
                .prop_map(|at| Value::from(Time::from_millis(at).to_string())),
            Just(Value::from("2026-11-22T18:04:05Z")),
            Just(Value::from("2026-13-45T99:04:05.123Z")),
        ];
        leaf.prop_recursive(4, 32, 6, |below| {
            prop_oneof![
                prop::collection::vec(below.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-zA-Z.$_]{0,5}(At)?", below, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(map in prop::collection::btree_map("[a-zA-Z.$_]{0,8}(At)?", values(), 0..6)) {
            let doc_in = Value::Object(map.into_iter().collect());
            prop_assert_eq!(&round(&doc_in), &doc_in);
            let Value::Object(map) = doc_in else { unreachable!("made as an object") };
            let text = serde_json::to_string(&map).unwrap();
            prop_assert_eq!(raw_of_text(&text).unwrap(), raw(&map).unwrap());
        }
    }

    #[test]
    fn times_are_dates_only_in_at_fields() {
        let Value::Object(map) = value_of!({
            "createdAt": "2026-11-22T18:04:05.123Z", "title": "2026-11-22T18:04:05.123Z",
            "nested": [{"seenAt": "2026-11-22T18:04:05.123Z"}], "keptAt": "yesterday", "otherAt": "2026-11-22T18:04:05Z",
        }) else {
            panic!("an object")
        };
        let document = document(&map).unwrap();
        let date = Bson::DateTime(DateTime::from_millis(1_795_370_645_123));
        assert_eq!(document.get("createdAt"), Some(&date));
        assert_eq!(document.get("title"), Some(&Bson::from("2026-11-22T18:04:05.123Z")));
        assert_eq!(document.get("nested"), Some(&bson!([{"seenAt": date}])));
        assert_eq!(document.get("keptAt"), Some(&Bson::from("yesterday")));
        assert_eq!(document.get("otherAt"), Some(&Bson::from("2026-11-22T18:04:05Z")));
        assert_eq!(Value::Object(doc(document)), Value::Object(map));
    }

    #[test]
    fn filters_of_nested_times_are_dates_too() {
        let bson = value("usage.lastAt", &value_of!("2026-11-22T18:04:05.123Z")).unwrap();
        assert!(matches!(bson, Bson::DateTime(_)));
    }

    #[test]
    fn foreign_types_become_text() {
        let id = ObjectId::parse_str("6b0347761ae56f766943f3c6").unwrap();
        let foreign = bson_doc! {
            "id": id, "price": "12.50".parse::<Decimal128>().unwrap(), "small": 7_i32, "when": DateTime::from_millis(0),
            "none": Bson::Undefined, "odd": f64::NAN,
        };
        let expected = value_of!({
            "id": "6b0347761ae56f766943f3c6", "price": "12.50", "small": 7, "when": "1970-01-01T00:00:00.000Z",
            "none": null, "odd": null,
        });
        assert_eq!(Value::Object(doc(foreign)), expected);
    }

    #[test]
    fn nul_in_a_name_and_bottomless_nesting_are_refused() {
        let deep = |levels| (0..levels).fold(Value::Null, |below, _| value_of!({ "a": below }));
        let ways: [fn(&Value) -> engify_core::Result<RawDocumentBuf>; 2] =
            [|value| raw(value.as_object().unwrap()), |value| raw_of_text(&value.to_string())];
        for way in ways {
            let nul = way(&value_of!({"a": {"b\u{0}c": 1}})).unwrap_err();
            assert_eq!(nul.details()[0].field, "b\u{fffd}c");
            assert!(way(&deep(90)).is_ok());
            assert!(way(&deep(91)).unwrap_err().details()[0].issue.contains("deeper"));
        }
        assert!(raw_of_text("[1]").is_err());
        assert!(raw_of_text(r#"{"a": 1"#).is_err());
    }
}
