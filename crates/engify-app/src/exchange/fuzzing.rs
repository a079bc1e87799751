//! Prompts as files, for fuzzers. See [`crate::fuzzing`].

use engify_core::tenancy::Visibility;

use super::{Exported, Format, MAX_RECORDS, Record, markdown, read, write};

/// A file in each format: whatever is taken for a prompt of it goes out and comes back as the same prompt.
pub fn import(bytes: &[u8]) {
    for name in ["a.md", "a.json", "a.jsonl", "a.csv"] {
        let Ok(records) = read(name, bytes) else { continue };
        assert!(records.len() <= MAX_RECORDS);
        let taken: Vec<Exported> = records.into_iter().flatten().map(exported).collect();
        for prompt in &taken {
            comes_back("b.md", markdown(prompt).as_bytes(), std::slice::from_ref(prompt));
        }
        for (name, format) in
            [("b.json", Format::Json), ("b.jsonl", Format::JsonLines), ("b.csv", Format::Csv)]
        {
            comes_back(name, &write(format, &taken), &taken);
        }
    }
}

fn exported(record: Record) -> Exported {
    Exported {
        slug: record.slug,
        draft: record.draft,
        featured: record.featured.unwrap_or(false),
        visibility: record.visibility.unwrap_or(Visibility::Private),
    }
}

fn comes_back(name: &str, bytes: &[u8], prompts: &[Exported]) {
    let file = || String::from_utf8_lossy(bytes).into_owned();
    let records = match read(name, bytes) {
        Ok(records) => records,
        Err(refusal) => return assert!(prompts.is_empty(), "{refusal}\n{}", file()),
    };
    let again: Result<Vec<Exported>, _> = records.into_iter().map(|record| record.map(exported)).collect();
    assert_eq!(again.as_deref(), Ok(prompts), "{}", file());
}
