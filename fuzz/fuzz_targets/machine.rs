#![no_main]

use libfuzzer_sys::fuzz_target;
use mercat_fuzz::machines;

fuzz_target!(|data: &[u8]| machines::machine(data));
