//! See `engify_web::fuzzing::json_body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_web::fuzzing::json_body(bytes));
