//! See `engify_web::fuzzing::query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_web::fuzzing::query(bytes));
