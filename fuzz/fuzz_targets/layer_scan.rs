#![no_main]

use libfuzzer_sys::fuzz_target;
use mercat_fuzz::layers;

fuzz_target!(|data: &[u8]| layers::scan(data));
