//! See `engify_clients::fuzzing::kv_reply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_clients::fuzzing::kv_reply(bytes));
