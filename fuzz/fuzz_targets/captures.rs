#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hip3_fuzz::run("captures", input));
