//! Bytes a second that the kinds of credentials are looked for in, on one core.
//!
//! `cargo bench -p mercat-secrets -- FILE...`; without a file, the system's libraries and its text, up to
//! 300 MB each.

use mercat_secrets::Rules;
use std::fs;
use std::path::Path;

const WINDOW_BYTES: usize = 4 << 20;
const BYTES_MAX: usize = 300 << 20;

fn main() {
    let files: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let rules = Rules::load();
    println!("{} kinds", rules.kinds().len());
    for file in &files {
        measure(&rules, file, &fs::read(file).expect("the file can be read"));
    }
    if files.is_empty() {
        measure(
            &rules,
            "libraries",
            &gathered(Path::new("/usr/lib"), &|bytes| bytes.starts_with(b"\x7fELF")),
        );
        measure(
            &rules,
            "text",
            &gathered(Path::new("/usr"), &|bytes| bytes.iter().take(512).all(|b| *b != 0 && *b < 0x80)),
        );
        let mut state = 1_u64;
        let noise = (0..64 << 20).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        });
        measure(&rules, "noise", &noise.collect::<Vec<u8>>());
    }
}

/// Seconds that this thread spent on a processor: other programs on the machine do not count.
fn on_cpu() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells");
    let nanoseconds = text.split_whitespace().next().and_then(|field| field.parse::<f64>().ok());
    nanoseconds.expect("the first field is a number") / 1e9
}

fn gathered(root: &Path, wanted: &dyn Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let Ok(kind) = fs::symlink_metadata(&path).map(|found| found.file_type()) else { continue };
        if kind.is_dir() {
            left.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else if kind.is_file() && out.len() < BYTES_MAX {
            out.extend(fs::read(&path).ok().filter(|bytes| wanted(bytes)).unwrap_or_default());
        }
    }
    out.truncate(BYTES_MAX);
    out
}

fn measure(rules: &Rules, name: &str, bytes: &[u8]) {
    let mut found = Vec::new();
    let mut best = f64::MAX;
    for _ in 0..5 {
        found.clear();
        let begun = on_cpu();
        for window in bytes.chunks(WINDOW_BYTES) {
            rules.scan(window, |secret| found.push(secret));
        }
        best = best.min(on_cpu() - begun);
    }
    let megabytes = bytes.len() as f64 / 1e6;
    println!("{name}: {megabytes:.0} MB, {:.0} MB/s, {} found", megabytes / best, found.len());
    for secret in found.iter().take(40) {
        println!("  {}: {}", secret.kind, secret.redacted);
    }
}
