#![no_main]

use libfuzzer_sys::fuzz_target;
use mercat_fuzz::documents;

fuzz_target!(|data: &[u8]| documents::policies(data));
