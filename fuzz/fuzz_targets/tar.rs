#![no_main]

use libfuzzer_sys::fuzz_target;
use mercat_artifact::oci::Compression;
use mercat_fuzz::layers;

fuzz_target!(|data: &[u8]| layers::layer(data, Compression::None));
