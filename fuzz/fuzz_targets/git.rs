#![no_main]

use libfuzzer_sys::fuzz_target;
use mercat_fuzz::archives;

fuzz_target!(|data: &[u8]| archives::git(data));
