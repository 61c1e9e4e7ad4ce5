//! What byte signatures cost, beside the engines that people run instead, on the same bytes and signatures:
//! `cargo bench -p mercat-signatures`. Peers that are not installed are named as absent.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends on what it did not expect"
)]

use mercat_signatures::{Bodies, Builder, FileKind};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const BYTES: usize = 300 << 20;
const PEER_SIGNATURES: usize = 10_000;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        measure(&programs(4 << 20), 1000);
        return;
    }
    let bytes = programs(BYTES);
    println!("{:.0} MB of libraries and programs of this machine; one thread", bytes.len() as f64 / 1e6);
    let mut ours = 0.0;
    for count in [1000, PEER_SIGNATURES, 100_000, 1_000_000] {
        let speed = measure(&bytes, count);
        if count == PEER_SIGNATURES {
            ours = speed;
        }
    }
    peers(&bytes, ours);
}

/// Files of this machine, one behind the other.
fn programs(most: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut open = vec![Path::new("/usr/lib").to_owned()];
    while let Some(path) = open.pop() {
        let Ok(about) = std::fs::symlink_metadata(&path) else { continue };
        if about.is_dir() {
            let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
            let mut inside: Vec<_> = entries.map(|entry| entry.path()).collect();
            inside.sort();
            open.extend(inside);
        } else if about.is_file() && out.len() < most {
            out.extend(std::fs::read(&path).unwrap_or_default());
        }
    }
    out.truncate(most);
    out
}

/// The same signatures in every run: 12 to 32 bytes that nobody made.
fn signatures(count: usize) -> Vec<String> {
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut one = |_| {
        let length = 12 + (next() % 21) as usize;
        (0..length).map(|_| format!("{:02x}", (next() >> 24) as u8)).collect()
    };
    (0..count).map(&mut one).collect()
}

/// MB a second.
fn measure(bytes: &[u8], count: usize) -> f64 {
    let mut builder = Builder::default();
    for (at, hex) in signatures(count).iter().enumerate() {
        builder.line(&format!("S{at}={hex}"));
    }
    let start = Instant::now();
    let compiled = builder.compile().bodies;
    let compiling = start.elapsed();
    let start = Instant::now();
    let bodies = Bodies::read(compiled.clone()).unwrap();
    let loading = start.elapsed();
    let mut best = f64::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        for window in bytes.chunks(4 << 20) {
            bodies.scan(FileKind::of(window), 0, window, |_| {}).unwrap();
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    let speed = bytes.len() as f64 / 1e6 / best;
    println!(
        "mercat    {count:>9} signatures {speed:>8.0} MB/s   compiled in {:.2} s to {:.1} MB, read in {:.1} ms",
        compiling.as_secs_f64(),
        compiled.len() as f64 / 1e6,
        loading.as_secs_f64() * 1e3,
    );
    speed
}

fn peers(bytes: &[u8], ours: f64) {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("bytes");
    std::fs::write(&target, bytes).unwrap();
    let mut rules = String::new();
    let mut database = String::new();
    for (at, hex) in signatures(PEER_SIGNATURES).iter().enumerate() {
        let _ = writeln!(rules, "rule r{at} {{ strings: $a = {{ {hex} }} condition: $a }}");
        let _ = writeln!(database, "S{at}:0:*:{hex}");
    }
    let (yar, ndb) = (dir.path().join("rules.yar"), dir.path().join("signatures.ndb"));
    std::fs::File::create(&yar).unwrap().write_all(rules.as_bytes()).unwrap();
    std::fs::File::create(&ndb).unwrap().write_all(database.as_bytes()).unwrap();
    let yara = ["-p", "1", yar.to_str().unwrap(), target.to_str().unwrap()];
    peer("yara", &yara, bytes.len(), ours);
    let database = format!("--database={}", ndb.display());
    let sizes = ["--max-filesize=4000M", "--max-scansize=4000M", "--no-summary", database.as_str()];
    peer("clamscan", &[&sizes[..], &[target.to_str().unwrap()]].concat(), bytes.len(), ours);
}

fn peer(program: &str, arguments: &[&str], bytes: usize, ours: f64) {
    let start = Instant::now();
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match status {
        Err(_) => println!("{program:<9} absent"),
        Ok(status) => {
            let speed = bytes as f64 / 1e6 / start.elapsed().as_secs_f64();
            println!(
                "{program:<9} {PEER_SIGNATURES:>9} signatures {speed:>8.1} MB/s   mercat is {:.0} x ({status}, loading included)",
                ours / speed
            );
        }
    }
}
