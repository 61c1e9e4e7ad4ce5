//! The industry's test file behind each limit: where a limit keeps it from being found, the report says so and nothing
//! passes; with the limit out of the way it is found.

use super::archives::{Member, ar, zip};
use super::bytes::{bzip2, entry, gzip, lz4, noise, tar, tar_of, xz, zstandard};
use super::image::{Image, TAR_GZIP};
use super::{Input, judge};
use mercat_certify::advisories::Advisories;
use mercat_certify::{Extra, Knowledge, Policy};
use mercat_domain::Outcome;
use std::collections::BTreeSet;

const MIB: usize = 1 << 20;

/// The test string, assembled here so that no scanner takes this file for it.
fn planted() -> Vec<u8> {
    let parts = ["X5O!P%@AP[4\\PZX54", "(P^)7CC)7}$EICAR", "-STANDARD-ANTIVIRUS", "-TEST-FILE!$H+H*"];
    parts.concat().into_bytes()
}

fn behind(filler: &[u8]) -> Vec<u8> {
    [filler, &planted()].concat()
}

/// The test file packed, so that it is found only where an archive is opened.
fn hidden() -> Vec<u8> {
    let out = gzip(&planted());
    assert!(!out.windows(20).any(|window| planted().starts_with(window)), "it stands there as it is");
    out
}

/// A tar with it behind other bytes.
fn hidden_behind(filler: &[u8]) -> Vec<u8> {
    tar_of(&[("filler", filler), ("bad.gz", &hidden())])
}

/// How a signature begins whose end may be far away; nothing but its beginnings costs it the most.
const SLOW: &[u8] = b"mercat-slow-signature";

/// A limit of the policy pack and a value for it; nothing for one that cannot be set.
type Limit = Option<(&'static str, u64)>;

struct Planted {
    name: String,
    limit: Limit,
    image: Image,
    /// The rule that tells of it where the limit holds.
    told: &'static str,
}

fn planted_in(name: impl Into<String>, limit: Limit, image: Image, told: &'static str) -> Planted {
    Planted { name: name.into(), limit, image, told }
}

fn packed_layer(tar: &[u8]) -> Image {
    Image::of_layers(&[(TAR_GZIP, gzip(tar), tar)])
}

type Pack = fn(&[u8]) -> Vec<u8>;

fn stored(body: &[u8]) -> Vec<u8> {
    zip(&[Member::new(b"inside", body)])
}

/// Formats of archives with one file in them.
const PACKS: [(&str, Pack); 8] = [
    ("gzip", gzip),
    ("zstd", zstandard),
    ("xz", xz),
    ("bzip2", bzip2),
    ("lz4", lz4),
    ("zip", stored),
    ("tar", |body| tar_of(&[("inside", body)])),
    ("ar", ar_of),
];

/// An archive of `ar` with one member; members begin at even places.
fn ar_of(body: &[u8]) -> Vec<u8> {
    let mut out = ar("inside/", &body.len().to_string(), body);
    out.resize(out.len().next_multiple_of(2), b'\n');
    out
}

/// What the limits of the policy pack cut off.
fn cut_off() -> Vec<Planted> {
    let files = |filler: &[u8]| tar_of(&[("filler", filler), ("bad", &planted())]);
    let noisy = noise(2 * MIB, 7);
    let zeros = vec![0; 70 * MIB];
    let many: Vec<Vec<u8>> =
        (0..5).map(|at| entry(&format!("calm{at}"), b"x")).chain([entry("bad", &planted())]).collect();
    let mut out = vec![
        planted_in(
            "a layer that unpacks to more",
            Some(("layer_unpacked_bytes", MIB as u64)),
            packed_layer(&files(&noisy)),
            "LAY-04",
        ),
        planted_in(
            "a layer of more for each packed byte",
            Some(("expansion_ratio", 100)),
            packed_layer(&files(&zeros)),
            "LAY-05",
        ),
        planted_in(
            "a layer of more entries",
            Some(("layer_entries", 5)),
            Image::of_tar(&tar(&many)),
            "TAR-26",
        ),
        planted_in(
            "an image of more packed bytes",
            Some(("image_packed_bytes", 4096)),
            Image::of_tar(&files(&noisy)),
            "CTR-29",
        ),
        planted_in(
            "an image of more unpacked bytes",
            Some(("image_unpacked_bytes", MIB as u64)),
            Image::of_tar(&files(&noisy)),
            "CTR-29",
        ),
    ];
    for (name, pack) in PACKS {
        let file = |bytes: &[u8]| Image::of_file("opt/archive", bytes);
        let twice = pack(&hidden());
        out.push(planted_in(format!("{name}: deeper"), Some(("nested_depth", 1)), file(&twice), "CTR-29"));
        let large = pack(&hidden_behind(&noise(300_000, 9)));
        let total = Some(("nested_total_bytes", 200_000));
        out.push(planted_in(format!("{name}: unpacks to more"), total, file(&large), "CTR-29"));
        // What is not packed does not unpack to more than it is.
        if !["zip", "tar", "ar"].contains(&name) {
            let bomb = pack(&hidden_behind(&zeros));
            let ratio = Some(("expansion_ratio", 100));
            out.push(planted_in(format!("{name}: more for each packed byte"), ratio, file(&bomb), "CTR-29"));
        }
    }
    let held = Some(("nested_file_bytes", 4096));
    let large = stored(&hidden_behind(&noisy));
    out.push(planted_in(
        "a zip of more bytes than are held",
        held,
        Image::of_file("opt/archive.zip", &gzip(&large)),
        "INC-03",
    ));
    let script =
        [b"#!/bin/sh\n".to_vec(), noise(5 * MIB, 3), zip(&[Member::deflated(b"inside", &hidden())])].concat();
    out.push(planted_in(
        "a zip behind a script of more bytes than are held",
        held,
        Image::of_file("opt/run", &script),
        "INC-03",
    ));
    out
}

/// What limits that nobody can set must not keep from being found.
fn found_anyway() -> Vec<Planted> {
    let mut out = Vec::new();
    for mib in [1, 4, 16, 17] {
        for less in [0, 30, 68] {
            let image = Image::of_file("opt/large", &behind(&noise(mib * MIB - less, 5)));
            out.push(planted_in(format!("{less} bytes before {mib} MiB of a file"), None, image, "CTR-20"));
        }
    }
    let behind_program =
        [b"MZ".to_vec(), noise(65 * MIB, 11), zip(&[Member::deflated(b"inside", &hidden())])].concat();
    out.push(planted_in(
        "a zip behind a large program of Windows",
        None,
        Image::of_file("opt/setup.exe", &behind_program),
        "INC-03",
    ));
    out.push(planted_in(
        "bytes that cost a signature too many steps",
        None,
        Image::of_file("opt/slow", &behind(&SLOW.repeat(20_000))),
        "INC-02",
    ));
    for depth in 1..=17 {
        let bytes = (0..depth).fold(planted(), |bytes, at| (PACKS[at % PACKS.len()].1)(&bytes));
        let told = if depth > 16 { "CTR-29" } else { "CTR-20" };
        out.push(planted_in(
            format!("{depth} archives deep"),
            None,
            Image::of_file("opt/deep", &bytes),
            told,
        ));
    }
    out
}

fn knowledge(limit: Limit) -> Knowledge {
    let mut policy = Policy::built_in().to_owned();
    if let Some((name, value)) = limit {
        let is_it = |line: &&str| line.split('=').next().is_some_and(|key| key.trim() == name);
        let line = policy.lines().find(is_it).unwrap_or_else(|| panic!("no limit {name}")).to_owned();
        policy = policy.replace(&line, &format!("{name} = {value}"));
    }
    // Among others the test file's signature is found by the filter, as the signatures of operators are.
    let hashes = (0..16).fold(String::new(), |lines, at| {
        lines + &format!("Other.{at}={}\n", format!("fe0{at:x}").repeat(12))
    });
    let slow: String = SLOW.iter().map(|byte| format!("{byte:02x}")).collect();
    let hashes = format!("{hashes}Slow={slow}{{0-60000}}00ff00ff00ff\n");
    let extra = Extra { policy, hashes, ..Extra::default() };
    Knowledge::load(&extra, Advisories::default()).unwrap_or_else(|error| panic!("{limit:?}: {error}"))
}

/// The rules that tell something, where nothing may pass.
fn told(planted: &Planted, knowledge: &Knowledge) -> BTreeSet<String> {
    let verdict = judge(&Input::Image(planted.image.clone()), knowledge)
        .unwrap_or_else(|error| panic!("{}: {error}", planted.name));
    assert!(verdict.outcome() != Outcome::Pass, "{} passes", planted.name);
    verdict.findings.into_iter().map(|found| found.rule).collect()
}

#[test]
fn nothing_behind_a_limit_passes_unsaid() {
    let (cut, anyway) = (cut_off(), found_anyway());
    let mut wrong: Vec<String> = Vec::new();
    let mut check = |right: bool, planted: &Planted, limit: Limit, rules: &BTreeSet<String>| {
        if !right {
            wrong.push(format!("{} with {limit:?}: {rules:?}", planted.name));
        }
    };
    for planted in &cut {
        let rules = told(planted, &knowledge(planted.limit));
        let (name, _) = planted.limit.unwrap_or_default();
        // What all layers unpack to is known when they are unpacked.
        let found = rules.contains("CTR-20") && name != "image_unpacked_bytes";
        check(rules.contains(planted.told) && !found, planted, planted.limit, &rules);
        // That it is really there shows where the limit is out of the way.
        let high = Some((name, if name == "nested_depth" { 16 } else { 1 << 40 }));
        let rules = told(planted, &knowledge(high));
        check(rules.contains("CTR-20"), planted, high, &rules);
    }
    let as_built_in = knowledge(None);
    for planted in &anyway {
        let rules = told(planted, &as_built_in);
        check(rules.contains(planted.told), planted, None, &rules);
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cut.len() + anyway.len(), wrong.join("\n"));
    println!("{} behind limits of the pack, {} behind others", cut.len(), anyway.len());
    assert!(cut.len() >= 25 && anyway.len() >= 25);
}

#[test]
fn more_files_than_are_listed_are_told() {
    let many: Vec<Vec<u8>> = (0..260).map(|at| entry(&format!("bad{at}"), &planted())).collect();
    let image = Image::of_tar(&tar(&many));
    let verdict = judge(&Input::Image(image), &knowledge(None)).unwrap_or_else(|error| panic!("{error}"));
    let of_rule: Vec<_> = verdict.findings.iter().filter(|found| found.rule == "CTR-20").collect();
    assert_eq!(of_rule.len(), 201);
    assert!(of_rule.iter().any(|found| found.observed.starts_with("more than 200")), "{:?}", of_rule[0]);
}
