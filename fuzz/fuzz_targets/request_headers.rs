//! See `engify_web::fuzzing::request_headers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_web::fuzzing::request_headers(bytes));
