//! MongoDB Extended JSON, as `mongoexport` writes it. Read relaxed and canonical: `$oid` and `$symbol` become text, the number
//! wrappers numbers, `$date` an RFC 3339 text. Written relaxed. Format: MongoDB's specification "Extended JSON v2.0".

use serde_json::{Map, Number, Value, json};

use crate::clock::Time;

/// The value without MongoDB's wrappers; everything else stays as it is. Parsing has bounded the depth.
pub fn plain(value: Value) -> Value {
    match value {
        Value::Array(list) => Value::Array(list.into_iter().map(plain).collect()),
        Value::Object(map) => unwrapped(&map).unwrap_or_else(|| {
            Value::Object(map.into_iter().map(|(name, value)| (name, plain(value))).collect())
        }),
        other => other,
    }
}

/// A document as `mongoexport` writes it: our times, which are dates in MongoDB, are wrapped as such.
pub fn relaxed(doc: Map<String, Value>) -> Map<String, Value> {
    doc.into_iter()
        .map(|(name, value)| {
            let value = relaxed_field(&name, value);
            (name, value)
        })
        .collect()
}

fn relaxed_field(name: &str, value: Value) -> Value {
    match value {
        Value::String(text) if Time::of_field(name, &text).is_some() => json!({ "$date": text }),
        Value::Array(list) => Value::Array(list.into_iter().map(|value| relaxed_field("", value)).collect()),
        Value::Object(doc) => Value::Object(relaxed(doc)),
        // Beyond 64 signed bits MongoDB has decimals only.
        Value::Number(number) if number.as_i64().is_none() && number.is_u64() => {
            json!({ "$numberDecimal": number.to_string() })
        }
        other => other,
    }
}

/// What a wrapper holds; none where the object is no wrapper.
fn unwrapped(map: &Map<String, Value>) -> Option<Value> {
    let (name, inner) = map.iter().next().filter(|_| map.len() == 1)?;
    match (name.as_str(), inner) {
        ("$oid" | "$symbol" | "$uuid", Value::String(text)) => Some(Value::String(text.clone())),
        ("$numberInt" | "$numberLong", Value::String(text)) => Some(Value::from(text.parse::<i64>().ok()?)),
        ("$numberDouble" | "$numberDecimal", Value::String(text)) => {
            if let Ok(whole) = text.parse::<i64>() {
                return Some(Value::from(whole));
            }
            if let Ok(whole) = text.parse::<u64>() {
                return Some(Value::from(whole));
            }
            // NaN and the infinities have no number in JSON; they are as good as nothing.
            let number = text.parse::<f64>().ok()?;
            Some(Number::from_f64(number).map_or(Value::Null, Value::Number))
        }
        // With other digits or another zone than ours, it is the same moment.
        ("$date", Value::String(text)) => {
            Some(Value::String(text.parse::<Time>().map_or_else(|_| text.clone(), |at| at.to_string())))
        }
        ("$date", Value::Number(millis)) => Some(time(millis.as_i64()?)),
        ("$date", Value::Object(long)) => Some(time(unwrapped(long)?.as_i64()?)),
        ("$undefined" | "$minKey" | "$maxKey", _) => Some(Value::Null),
        _ => None,
    }
}

fn time(millis: i64) -> Value {
    Value::String(Time::from_millis(millis).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let Value::Object(doc) = json!({
            "_id": "1", "createdAt": "2026-11-22T18:04:05.123Z", "title": "2026-11-22T18:04:05.123Z", "endsAt": null,
            "limits": { "lastAt": "2026-11-22T18:04:05.123Z", "most": u64::MAX, "share": 0.5 }, "tags": ["a"],
        }) else {
            unreachable!("an object")
        };
        let written = relaxed(doc.clone());
        assert_eq!(written["createdAt"], json!({ "$date": "2026-11-22T18:04:05.123Z" }));
        assert_eq!(written["title"], json!("2026-11-22T18:04:05.123Z"));
        assert_eq!(written["limits"]["lastAt"], json!({ "$date": "2026-11-22T18:04:05.123Z" }));
        assert_eq!(plain(Value::Object(written)), Value::Object(doc));
    }

    #[test]
    fn any_way_of_writing_a_moment_is_that_moment() {
        for way in [json!("2026-11-22T19:04:05.123+01:00"), json!({ "$numberLong": "1795370645123" })] {
            assert_eq!(plain(json!({ "$date": way })), json!("2026-11-22T18:04:05.123Z"));
        }
    }
}
