#![no_main]

use libfuzzer_sys::fuzz_target;
use mercat_fuzz::documents;
use mercat_inventory::Reader;

fuzz_target!(|data: &[u8]| documents::inventory(Reader::DotnetDeps, "x.deps.json", data));
