use crate::{Bodies, Builder, FileKind, Hashes, Kind, LoadError, Pack, pack};
use proptest::prelude::*;
use std::sync::Arc;

/// The same alone, and among many others: few are searched for in another way.
fn built(lines: &[&str]) -> [Bodies; 2] {
    [0, 20].map(|others| {
        let mut builder = Builder::default();
        lines.iter().for_each(|line| builder.line(line));
        (0..others).for_each(|at| builder.line(&format!("Other={}{at:04x}", "fe01".repeat(12))));
        assert_eq!(builder.unusable.count(), 0, "{:?}", builder.unusable);
        Bodies::read(builder.compile().bodies).unwrap_or_else(|error| panic!("{error}"))
    })
}

fn found(bodies: &[Bodies], bytes: &[u8]) -> Vec<String> {
    let mut all = bodies.iter().map(|bodies| {
        let mut out = Vec::new();
        let scanned = bodies.scan(FileKind::of(bytes), 0, bytes, |name| out.push(name.to_owned()));
        scanned.unwrap_or_else(|error| panic!("{error}"));
        out.sort();
        out.dedup();
        out
    });
    let first = all.next().unwrap_or_default();
    all.for_each(|other| assert_eq!(first, other));
    first
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_signature_is_found_at_every_alignment_and_its_neighbour_is_not() {
    let body = b"\x17evil-marker\x99of tests";
    let bodies = built(&[&format!("Test.Body={}", hex(body))]);
    for shift in 0..40 {
        let mut bytes = vec![b'.'; 200];
        bytes[shift..shift + body.len()].copy_from_slice(body);
        assert_eq!(found(&bodies, &bytes), ["Test.Body"], "at {shift}");
        bytes[shift + body.len() - 1] ^= 1;
        assert_eq!(found(&bodies, &bytes), [""; 0], "at {shift}");
    }
}

#[test]
fn a_signature_is_found_where_the_filter_goes_on_and_where_the_window_ends() {
    // No longer than its run: the last probe may be all that is left of the window.
    let body = b"\x17evil-mark\x99";
    let bodies = built(&[&format!("Test.Body={}", hex(body))]);
    for at in (0..70).chain(4050..4110).chain(8150..8200) {
        for behind in 0..9 {
            let mut bytes = vec![b'.'; at];
            bytes.extend(body);
            bytes.extend(vec![b'.'; behind]);
            assert_eq!(found(&bodies, &bytes), ["Test.Body"], "at {at}, {behind} behind it");
        }
    }
}

#[test]
fn where_every_probe_passes_nothing_is_lost() {
    let bodies = built(&["Test.Body=6162636465666768616263"]);
    let mut bytes = b"abcdefgh".repeat(2048);
    assert_eq!(found(&bodies, &bytes), ["Test.Body"]);
    bytes.truncate(10);
    assert_eq!(found(&bodies, &bytes), [""; 0]);
}

#[test]
fn wildcards_gaps_and_alternatives_mean_what_their_makers_say() {
    let cases: [(&str, &[u8], bool); 12] = [
        ("6162636465666768696a6b??6d", b"abcdefghijkLm", true),
        ("6162636465666768696a6b??6d", b"abcdefghijkLn", false),
        ("6162636465666768696a6b6?", b"abcdefghijkl", true),
        ("6162636465666768696a6b6?", b"abcdefghijk\x7c", false),
        ("7a7a{2}6162636465666768696a6b", b"zz12abcdefghijk", true),
        ("7a7a{2}6162636465666768696a6b", b"zz1abcdefghijk", false),
        ("7a7a{1-3}6162636465666768696a6b", b"zz123abcdefghijk", true),
        ("7a7a{1-3}6162636465666768696a6b", b"zz1234abcdefghijk", false),
        ("6162636465666768696a6b*7a7a7a7a", b"abcdefghijk ... zzzz", true),
        ("6162636465666768696a6b(6c6d|6e)6f", b"abcdefghijkno", true),
        ("6162636465666768696a6b(6c6d|6e)6f", b"abcdefghijklo", false),
        ("61626364{-2}78", b"abcd12x", true),
    ];
    for (pattern, bytes, expected) in cases {
        let bodies = built(&[&format!("T={pattern}")]);
        let around = [b"....", bytes, b"...."].concat();
        assert_eq!(!found(&bodies, &around).is_empty(), expected, "{pattern} in {around:?}");
    }
}

#[test]
fn offsets_and_targets_bind_a_signature() {
    let run = hex(b"abcdefghijkl");
    let bodies = built(&[
        &format!("At.Four:0:4:{run}"),
        &format!("Elf.Only:6:*:{run}"),
        &format!("Shift:0:0,8:{run}"),
    ]);
    assert_eq!(found(&bodies, b"....abcdefghijkl"), ["At.Four", "Shift"]);
    assert_eq!(found(&bodies, b"\x7fELF....abcdefghijkl"), ["Elf.Only", "Shift"]);
    assert_eq!(found(&bodies, b"............abcdefghijkl"), [""; 0]);
}

#[test]
fn lines_that_are_not_searched_for_are_counted_by_reason() {
    let mut builder = Builder::default();
    for line in [
        "X:3:*:6162636465666768696a6b",
        "X:0:EOF-10:6162636465666768696a6b",
        "X=6?",
        "X=616",
        "junk",
        "# note",
        "",
    ] {
        builder.line(line);
    }
    assert_eq!((builder.unusable.count(), builder.bodies()), (5, 0));
    assert_eq!(builder.unusable.by_reason.len(), 5, "{:?}", builder.unusable);
}

#[test]
fn a_file_whose_size_does_not_occur_is_not_hashed_and_one_whose_size_does_is() {
    let mut builder = Builder::default();
    for size in 0..2000 {
        builder.line(&format!("{}:{}:H", hex(&[size as u8; 32]), 7 * size));
    }
    let table = Hashes::open(Box::new(builder.compile().sha256)).unwrap_or_else(|error| panic!("{error}"));
    assert!((0..2000).all(|size| table.may_know(Some(7 * size))));
    let others = (0..2000).filter(|size| table.may_know(Some(7 * size + 3))).count();
    assert!(others < 250, "{others} of 2000");
}

#[test]
fn hashes_are_found_by_value_and_size_in_a_table_that_stays_where_it_is() {
    let mut builder = Builder::default();
    for at in 0..5000_u32 {
        let first = format!("{:08x}", at.wrapping_mul(0x9e37_79b1));
        builder.line(&format!("{}{}:{}:File.{at}", first, "ab".repeat(28), 100 + at % 7));
    }
    builder.line(&format!("{}:*:Any.Size", "ff".repeat(32)));
    builder.line(&format!("{}:9:Old", "11".repeat(16)));
    let compiled = builder.compile();
    let table = Hashes::open(Box::new(compiled.sha256.clone())).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((table.kind(), table.len(), table.verify()), (Kind::Sha256, 5001, Ok(())));
    let hash = |at: u32| [&at.wrapping_mul(0x9e37_79b1).to_be_bytes()[..], &[0xab; 28]].concat();
    assert_eq!(table.find(&hash(77), 100).expect("reads"), Some("File.77".to_owned()));
    assert_eq!(table.find(&hash(77), 101).expect("reads"), None);
    assert_eq!(table.find(&[0xff; 32], 12345).expect("reads"), Some("Any.Size".to_owned()));
    let old = Hashes::open(Box::new(compiled.md5.clone()));
    let old = old.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(old.find(&[0x11; 16], 9).expect("reads"), Some("Old".to_owned()));
    assert!(old.may_know(Some(9)) && old.may_know(None) && !old.may_know(Some(10)));
}

#[test]
fn damage_is_noticed_and_never_an_empty_set() {
    let mut builder = Builder::default();
    builder.line("T=6162636465666768696a6b6c");
    builder.line(&format!("{}:1:T", "ab".repeat(32)));
    let compiled = builder.compile();
    assert_eq!(Bodies::read(Vec::new()).err(), Some(LoadError::Damaged));
    assert_eq!(Bodies::read(vec![b'x'; 100]).err(), Some(LoadError::Magic));
    let mut newer = compiled.bodies.clone();
    newer[8] = 9;
    assert_eq!(Bodies::read(newer).err(), Some(LoadError::Form { found: 9 }));
    for cut in [1, 50, compiled.bodies.len() / 2, compiled.bodies.len() - 1] {
        assert_eq!(Bodies::read(compiled.bodies[..cut].to_vec()).err(), Some(LoadError::Damaged), "{cut}");
    }
    for at in [12, 20, 48, 60, compiled.bodies.len() - 1] {
        let mut flipped = compiled.bodies.clone();
        flipped[at] ^= 1;
        assert_eq!(Bodies::read(flipped).err(), Some(LoadError::Damaged), "{at}");
    }
    assert_eq!(Bodies::verified(compiled.bodies.clone()).map(|bodies| bodies.len()), Ok(1));
    let short = compiled.sha256[..compiled.sha256.len() - 1].to_vec();
    assert_eq!(Hashes::open(Box::new(short)).err(), Some(LoadError::Damaged));
    let mut flipped = compiled.sha256.clone();
    flipped[100] ^= 1;
    let table = Hashes::open(Box::new(flipped)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(table.ready(), Err(LoadError::Damaged));
    assert!(table.may_know(Some(7)) && table.find(&[0; 32], 7).is_err(), "nothing is certain");
    let mut changed = compiled.sha256.clone();
    *changed.last_mut().expect("bytes") ^= 1;
    let table = Hashes::open(Box::new(changed)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(table.verify(), Err(LoadError::Damaged));
}

#[test]
fn one_file_holds_all_and_a_cut_or_changed_one_is_refused() {
    let mut builder = Builder::default();
    builder.line("T=6162636465666768696a6b6c");
    builder.line(&format!("{}:1:T", "ab".repeat(32)));
    let packed = pack("from a test", &builder.compile());
    let open = |bytes: &[u8]| Pack::open(Arc::new(bytes.to_vec()));
    let opened = open(&packed).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(opened.about, "from a test");
    assert_eq!(opened.verify(), Ok((1, 1)));
    for cut in [0, 8, 39, 60, packed.len() - 1] {
        assert_eq!(open(&packed[..cut]).err(), Some(LoadError::Damaged), "{cut}");
    }
    for at in (0..packed.len()).step_by(97).chain([packed.len() - 1]) {
        let mut changed = packed.clone();
        changed[at] ^= 0x10;
        let about_changed = (40..51).contains(&at);
        let ends = open(&changed).and_then(Pack::verify);
        assert!(ends.is_err() || about_changed, "a changed byte {at} is taken");
    }
}

#[test]
fn parts_around_the_edge_of_a_window_are_found_in_one_of_the_two() {
    let line = "Parts=616161612d6f6e65*626262622d74776f*636363632d746872";
    let bodies = built(&[line]);
    let edge = 200 << 10;
    let parts: [&[u8]; 3] = [b"aaaa-one", b"bbbb-two", b"cccc-thr"];
    // As scanners are shown a file: what a window begins with is the end of the one before.
    let windows = |bytes: &[u8]| {
        let next = edge - crate::SPAN_BYTES_MAX;
        [found(&bodies, &bytes[..edge]), found(&bodies, &bytes[next..])].concat()
    };
    for first in (edge - 70_000..edge + 1000).step_by(3511) {
        for (second, third) in
            [(20_000, 50_000), (10, 28_000), (29_000, 29_100), (32_000, 64_000), (50_000, 100_000), (8, 16)]
        {
            let mut bytes = vec![b'.'; 400 << 10];
            for (part, at) in parts.iter().zip([first, first + second, first + third]) {
                bytes[at..at + part.len()].copy_from_slice(part);
            }
            let whole = found(&bodies, &bytes);
            assert_eq!(windows(&bytes).first(), whole.first(), "{first} + {second}, {third}");
        }
    }
}

#[test]
fn a_pattern_that_may_span_more_than_windows_share_is_counted_with_its_reason() {
    let mut builder = Builder::default();
    let run = hex(b"abcdefghijkl");
    for pattern in [
        format!("{run}{{-40000}}{run}{{-40000}}{run}"),
        format!("{run}{{65500-}}{run}"),
        format!("{run}{{70000}}{run}"),
        format!("{run}{{-65500}}*{run}(00|{})", "ff".repeat(30)),
        format!("{run}{{-64000}}{run}*{run}*{run}"),
        format!("{run}{{-4294967295}}{run}{{4294967295}}"),
    ] {
        builder.line(&format!("Wide={pattern}"));
    }
    let reasons: Vec<_> = builder.unusable.by_reason.iter().collect();
    assert_eq!((reasons.len(), reasons[0].1.0, builder.bodies()), (1, 6, 0), "{reasons:?}");
    assert!(reasons[0].0.contains("65536 bytes") && reasons[0].0.contains("gaps"), "{reasons:?}");
    built(&[&format!("Fits={run}{{-30000}}{run}{{-30000}}{run}*{run}{{5-}}{run}")]);
}

#[test]
fn bytes_made_to_waste_verification_end_it_aloud() {
    let bodies = built(&["Slow=6162636465666768696a6b*(61|62)*(61|62)*(61|62)*7a7a7a7a"]);
    let bytes = b"abcdefghijk".repeat(20_000);
    assert!(bodies.iter().all(|bodies| bodies.scan(FileKind::Any, 0, &bytes, |_| {}).is_err()));
}

proptest! {
    #[test]
    fn what_is_planted_is_found_and_what_is_found_is_there(
        signatures in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 4..40), 1..40),
        filler in proptest::collection::vec(any::<u8>(), 0..600),
        at in 0_usize..600,
        which in 0_usize..40,
    ) {
        let mut builder = Builder::default();
        for (number, body) in signatures.iter().enumerate() {
            builder.line(&format!("S{number:02}={}", hex(body)));
        }
        prop_assert_eq!(builder.unusable.count(), 0);
        let bodies = Bodies::read(builder.compile().bodies).unwrap_or_else(|error| panic!("{error}"));
        let at = at.min(filler.len());
        let planted = &signatures[which % signatures.len()];
        let bytes = [&filler[..at], planted, &filler[at..]].concat();
        let expected: Vec<String> = signatures.iter().enumerate()
            .filter(|(_, body)| bytes.windows(body.len()).any(|window| window == body.as_slice()))
            .map(|(number, _)| format!("S{number:02}"))
            .collect();
        prop_assert_eq!(found(&[bodies], &bytes), expected);
    }

    #[test]
    fn no_line_and_no_damage_panics(line in ".{0,80}", bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut builder = Builder::default();
        builder.line(&line);
        let _ = Bodies::read(bytes.clone());
        let _ = Hashes::open(Box::new(bytes));
    }
}
