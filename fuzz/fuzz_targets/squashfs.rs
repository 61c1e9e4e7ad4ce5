#![no_main]

use libfuzzer_sys::fuzz_target;
use mercat_fuzz::disks;

fuzz_target!(|data: &[u8]| disks::guest(data));
