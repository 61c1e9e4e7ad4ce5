//! Judges 10,000 inventories of 500 packages against a snapshot in a file, all of them and after a change of
//! 100 packages. The inputs are made here; every run sees the same.

use mercat_advisories::{Advisory, Batch, Catalogue, Content, Import, Interval, Snapshot, osv::Record};
use std::collections::BTreeSet;
use std::io::BufWriter;
use std::sync::Arc;
use std::time::Instant;

const HOLDERS: u32 = 10_000;
const PACKAGES_OF_ONE: usize = 500;
const PACKAGES: usize = 40_000;
const RECORDS: usize = 300_000;
const VERSIONS: usize = 12;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    /// Few packages are everywhere, most are rare: the product of two rolls.
    fn package(&mut self) -> String {
        let at = self.roll(PACKAGES) * self.roll(PACKAGES) / PACKAGES;
        format!("package-{at}")
    }
}

fn records() -> Vec<Record> {
    let mut dice = Dice(1);
    let one = |at: usize| {
        let advisory = Advisory {
            ecosystem: "Debian:12".into(),
            package: dice.package(),
            id: format!("CVE-2026-{:06}", at),
            modified: "2026-01-01T00:00:00Z".into(),
            level: "high".into(),
            ranges: vec![Interval {
                from: "0".into(),
                fixed: format!("1.{}-1", dice.roll(VERSIONS)),
                ..Interval::default()
            }],
            ..Advisory::default()
        };
        Record {
            id: advisory.id.clone(),
            modified: advisory.modified.clone(),
            advisories: vec![advisory],
            ..Record::default()
        }
    };
    (0..RECORDS).map(one).collect()
}

#[expect(clippy::print_stdout, reason = "the figures are the result")]
fn main() {
    let path = std::env::temp_dir().join(format!("advisories-{}.bin", std::process::id()));
    let mut content = Content::default();
    content.add(Batch { records: records(), ..Batch::default() }, false, Import::default());
    let start = Instant::now();
    let file = std::fs::File::create(&path).expect("a file");
    content.write(&mut BufWriter::new(file)).expect("writes");
    let bytes = std::fs::metadata(&path).expect("is there").len();
    println!("write {RECORDS} records, {bytes} bytes: {:.3} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let file = std::fs::File::open(&path).expect("is there");
    let snapshot = Snapshot::open(Arc::new(file), None).expect("opens");
    println!("open: {:.6} s", start.elapsed().as_secs_f64());
    let (mut catalogue, mut dice) = (Catalogue::default(), Dice(2));
    let start = Instant::now();
    for holder in 0..HOLDERS {
        for _ in 0..PACKAGES_OF_ONE {
            let version = format!("1.{}-1", dice.roll(VERSIONS));
            catalogue.add(holder, "Debian:12", &dice.package(), &version);
        }
    }
    println!(
        "turn {HOLDERS} inventories around: {:.3} s ({} packages, {} versions)",
        start.elapsed().as_secs_f64(),
        catalogue.packages(),
        catalogue.versions()
    );
    for threads in [1, 2] {
        let start = Instant::now();
        let struck = catalogue.judge(&snapshot, threads).expect("reads");
        let mut worst = vec![0_u64; HOLDERS as usize];
        for one in &struck {
            for holder in one.holders {
                worst[*holder as usize] += one.found.vulnerabilities.len() as u64;
            }
        }
        let all: u64 = worst.iter().sum();
        println!(
            "judge all, {threads} threads: {:.3} s ({all} vulnerabilities)",
            start.elapsed().as_secs_f64()
        );
    }
    let changed: BTreeSet<_> =
        (0..100).map(|at| ("Debian:12".to_owned(), format!("package-{}", at * 7))).collect();
    let start = Instant::now();
    let struck = catalogue.judge_only(&snapshot, &changed).expect("reads");
    println!(
        "judge 100 changed packages: {:.6} s ({} versions struck)",
        start.elapsed().as_secs_f64(),
        struck.len()
    );
    let _ = std::fs::remove_file(&path);
}
