//! Zips that are one thing, and zips that are two.

use super::super::zip::check;
use super::*;

/// Bytes of a local header in front of the name.
const LOCAL_BYTES: usize = 30;

/// A member: name, content; the fields that tests set otherwise.
#[derive(Clone)]
struct Made {
    name: &'static [u8],
    content: &'static [u8],
    flags: u16,
    method: u16,
    local_name: &'static [u8],
    local_size: u32,
    extra: Vec<u8>,
}

fn file(name: &'static [u8], content: &'static [u8]) -> Made {
    let local_size = content.len() as u32;
    Made { name, content, flags: 0, method: 0, local_name: name, local_size, extra: Vec::new() }
}

fn local(made: &Made) -> Vec<u8> {
    let mut out = b"PK\x03\x04\x14\0".to_vec();
    out.extend(made.flags.to_le_bytes().iter().chain(&made.method.to_le_bytes()).chain(&[0; 4]));
    out.extend_from_slice(&crc32fast::hash(made.content).to_le_bytes());
    out.extend_from_slice(&made.local_size.to_le_bytes());
    out.extend_from_slice(&made.local_size.to_le_bytes());
    out.extend_from_slice(&(made.local_name.len() as u16).to_le_bytes());
    out.extend([0, 0].iter().chain(made.local_name).chain(made.content));
    out
}

fn central(made: &Made, at: usize) -> Vec<u8> {
    let mut out = b"PK\x01\x02\x14\0\x14\0".to_vec();
    out.extend(made.flags.to_le_bytes().iter().chain(&made.method.to_le_bytes()).chain(&[0; 4]));
    out.extend_from_slice(&crc32fast::hash(made.content).to_le_bytes());
    let size = (made.content.len() as u32).to_le_bytes();
    out.extend(size.iter().chain(&size));
    out.extend_from_slice(&(made.name.len() as u16).to_le_bytes());
    out.extend_from_slice(&(made.extra.len() as u16).to_le_bytes());
    out.extend_from_slice(&[0; 10]);
    out.extend_from_slice(&(at as u32).to_le_bytes());
    out.extend(made.name.iter().chain(&made.extra));
    out
}

fn end(entries: u16, size: usize, offset: usize) -> Vec<u8> {
    let mut out = b"PK\x05\x06\0\0\0\0".to_vec();
    out.extend(entries.to_le_bytes().iter().chain(&entries.to_le_bytes()));
    out.extend((size as u32).to_le_bytes().iter().chain(&(offset as u32).to_le_bytes()).chain(&[0, 0]));
    out
}

fn made(files: &[Made]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for made in files {
        directory.extend(central(made, out.len()));
        out.extend(local(made));
    }
    let offset = out.len();
    out.extend_from_slice(&directory);
    out.extend(end(files.len() as u16, directory.len(), offset));
    out
}

fn codes(bytes: &[u8]) -> Vec<&'static str> {
    let told = check(&bytes).expect("it is in memory").refusals.into_iter().map(|error| match error {
        ReadError::Refused { code, .. } => code,
        ReadError::Io(error) => panic!("{error}"),
    });
    told.collect()
}

/// The members that are shown, each with its content or why there is none of it.
pub(super) fn opened(bytes: &[u8]) -> Vec<(String, Result<Vec<u8>, ReadError>)> {
    let mut out = Vec::new();
    let Some(members) = check(&bytes).expect("it is in memory").members else { return out };
    let walked = members.walk(&mut |member, content| {
        let content = content.and_then(|content| {
            let mut all = Vec::new();
            content.take(BUDGET).read_to_end(&mut all)?;
            assert_eq!(content.read(&mut [0; 9]).ok(), Some(0), "it ends once");
            Ok(all)
        });
        out.push((member.name.to_owned(), content));
        true
    });
    walked.expect("it is in memory");
    out
}

#[test]
fn what_others_pack_comes_out_as_it_went_in() {
    let python = "import zipfile\nfor m in 0, 8:\n with zipfile.ZipFile('out.zip', 'w', m) as z:\n  \
        [z.write(n.strip()) for n in open('names')]\n  z.comment = b'of the archive'";
    for script in [
        "zip -q out.zip $(cat names)",
        "zip -q -0 out.zip $(cat names)",
        "7z a -bd -tzip -mx9 out.zip $(cat names)",
        &format!("python3 -c \"{python}\""),
    ] {
        round_trip(script, "out.zip");
    }
}

#[test]
fn content_that_is_not_what_was_announced_is_told_and_the_rest_is_shown() {
    let whole = made(&[file(b"a", b"content"), file(b"b", b"more"), file(b"b/", b""), file(b"c/", b"here")]);
    let told = |bytes: &[u8]| -> Vec<String> {
        let told = opened(bytes).into_iter().map(|(name, content)| match content {
            Ok(content) => format!("{name}={}", String::from_utf8_lossy(&content)),
            Err(ReadError::Refused { code, .. }) => format!("{name}:{code}"),
            Err(ReadError::Io(error)) => panic!("{error}"),
        });
        told.collect()
    };
    // What has content is no directory.
    assert_eq!(told(&whole), ["a=content", "b=more", "c/=here"]);
    let changed = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        told(&bytes)
    };
    assert_eq!(changed(LOCAL_BYTES + 1), ["a:ZIP-18", "b=more", "c/=here"], "a byte of it");
    let directory = whole.windows(4).position(|part| part == b"PK\x01\x02").expect("there is one");
    assert_eq!(changed(directory + 16), ["a:ZIP-18", "b=more", "c/=here"], "its checksum");
    assert_eq!(changed(directory + 24), ["a:ZIP-18", "b=more", "c/=here"], "its size");
    assert_eq!(changed(directory + 10), ["a:ZIP-09", "b=more", "c/=here"], "its method");
    assert_eq!(changed(directory + 8), ["a:ZIP-10", "b=more", "c/=here"], "encrypted");
    assert_eq!(changed(0), ["a:ZIP-01", "b=more", "c/=here"], "no header");
    // Deflated it says in itself where it ends.
    let mut deflated = whole.clone();
    deflated[directory + 10] = 8;
    assert_eq!(told(&deflated), ["a:ZIP-18", "b=more", "c/=here"]);
    // What stands behind the end of a deflated content, and what came before it broke.
    let packed = |content: &[u8]| {
        let mut zip = made(&[file(b"a", Box::leak(content.into()))]);
        let directory = zip.windows(4).position(|part| part == b"PK\x01\x02").expect("there is one");
        for at in [8, directory + 10] {
            zip[at] = 8;
            zip[at + 6..at + 10].copy_from_slice(&crc32fast::hash(b"content").to_le_bytes());
            zip[at + 14..at + 18].copy_from_slice(&7_u32.to_le_bytes());
        }
        zip
    };
    let stored = b"\x01\x07\0\xf8\xffcontent";
    assert_eq!(told(&packed(stored)), ["a=content"]);
    assert_eq!(told(&packed(&[&stored[..], b"PK\x03\x04 and more"].concat())), ["a:ZIP-18"]);
    let mut came = Vec::new();
    let broken = packed(&[b"\0", &stored[1..], b"\xff\xff"].concat());
    let members = check(&broken).expect("in memory").members.expect("it opens");
    members
        .walk(&mut |_, content| {
            let _ = content.expect("it opens").read_to_end(&mut came);
            true
        })
        .expect("in memory");
    assert_eq!(came, b"content", "what came before the damage");
    let end = end(2, 0, 0);
    assert_eq!(told(&[&whole[..directory], &end].concat()), [""; 0], "without a directory");
    // Two entries of the directory with one content, of which each could be as large as the whole.
    let two = [central(&file(b"a", b"content"), 0), central(&file(b"b", b"content"), 0)].concat();
    let local = local(&file(b"a", b"content"));
    let end = super::zips::end(2, two.len(), local.len());
    assert_eq!(told(&[&local[..], &two, &end].concat()), [""; 0], "one content of two members");
}

#[test]
fn members_of_any_size_come_whole_whatever_is_read_at_a_time() {
    use flate2::write::DeflateEncoder;
    use std::io::Write;
    for size in [0, 1, 16_000, 16_384, 16_385, 70_000] {
        let mut state = 7_u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        let content: Vec<u8> = noise.take(size).collect();
        let mut packed = DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&content).expect("in memory");
        let packed = packed.finish().expect("in memory");
        let mut zip = made(&[file(b"first", b"x"), file(b"a", Box::leak(packed.into_boxed_slice()))]);
        // Both headers tell of what is packed.
        let set = |zip: &mut Vec<u8>, at: usize| {
            zip[at] = 8;
            zip[at + 6..at + 10].copy_from_slice(&crc32fast::hash(&content).to_le_bytes());
            zip[at + 14..at + 18].copy_from_slice(&(content.len() as u32).to_le_bytes());
        };
        let local = LOCAL_BYTES + 6;
        let directory = zip.len() - 22 - 47;
        set(&mut zip, local + 8);
        set(&mut zip, directory + 10);
        assert_eq!(codes(&zip), [""; 0], "{size}");
        for step in [1, 7, 5000, 1 << 20] {
            let mut out = Vec::new();
            let members = check(&zip).expect("in memory").members.expect("it opens");
            let walked = members.walk(&mut |member, reader| {
                let reader = reader.expect("it opens");
                if member.name == "a" {
                    let mut buffer = vec![0; step];
                    loop {
                        match reader.read(&mut buffer).expect("it is whole") {
                            0 => break,
                            count => out.extend_from_slice(&buffer[..count]),
                        }
                    }
                }
                // What is left unread is passed over.
                true
            });
            walked.expect("in memory");
            assert!(out == content, "{size} by {step}");
        }
    }
}

#[test]
fn a_zip_that_is_one_thing_is_left_alone() {
    let zip = made(&[file(b"a", b"content"), file(b"b/", b""), file(b"b/c", b"more")]);
    assert_eq!(codes(&zip), [""; 0]);
    assert_eq!(codes(&made(&[])), [""; 0]);
    let directory = directory();
    for script in [
        "zip -q out.zip $(cat names)",
        "zip -q - - < a.txt > out.zip",
        "7z a -bd -tzip -mx9 out.zip $(cat names)",
    ] {
        std::fs::write(directory.path().join("names"), names()).expect("written");
        if peer(directory.path(), script).is_some() {
            let bytes = std::fs::read(directory.path().join("out.zip")).expect("written");
            assert_eq!(codes(&bytes), [""; 0], "{script}");
            std::fs::remove_file(directory.path().join("out.zip")).expect("removed");
        }
    }
}

#[test]
fn each_way_to_be_two_things_has_its_code() {
    let (a, b) = (file(b"a", b"content"), file(b"b", b"more"));
    let whole = made(&[a.clone(), b.clone()]);
    let with = |change: &dyn Fn(&mut Made)| {
        let mut file = file(b"a", b"content");
        change(&mut file);
        codes(&made(&[file]))
    };
    assert_eq!(codes(&whole[..whole.len() - 1]), ["ZIP-01"]);
    assert_eq!(codes(&[&whole[..], b"behind"].concat()), ["ZIP-03"]);
    assert_eq!(codes(&[b"#!/bin/sh\n", &whole[..]].concat()), ["ZIP-04"]);
    assert_eq!(with(&|file| file.local_name = b"z"), ["ZIP-05"]);
    assert_eq!(with(&|file| file.local_size = 3), ["ZIP-06"]);
    // Both headers say that one byte more comes out of what is stored than goes in.
    let mut lying = made(std::slice::from_ref(&a));
    let (of_local, of_central) = (22, LOCAL_BYTES + 1 + a.content.len() + 24);
    for at in [of_local, of_central] {
        lying[at] += 1;
    }
    assert_eq!(codes(&lying), ["ZIP-06"]);
    assert_eq!(codes(&made(&[a.clone(), a.clone()])), ["ZIP-08"]);
    assert_eq!(with(&|file| file.method = 12), ["ZIP-09"]);
    assert_eq!(with(&|file| file.flags = 1), ["ZIP-10"]);
    assert_eq!(with(&|file| (file.name, file.local_name) = (b"../a", b"../a")), ["ZIP-15"]);
    assert_eq!(with(&|file| (file.name, file.local_name) = (b"c:a", b"c:a")), ["ZIP-15"]);
    assert_eq!(with(&|file| (file.name, file.local_name) = (b"a\0b", b"a\0b")), ["ZIP-16"]);
    let mut other = vec![0x75, 0x70, 6, 0, 1];
    other.extend(crc32fast::hash(b"a").to_le_bytes().iter().chain(b"z"));
    assert_eq!(with(&|file| file.extra = other.clone()), ["ZIP-05"]);
}

#[test]
fn two_directories_overlaps_and_members_that_are_not_listed_are_told() {
    let (a, b) = (file(b"a", b"content"), file(b"b", b"more"));
    // A second archive as the comment of the first.
    let first = made(std::slice::from_ref(&a));
    let second = made(std::slice::from_ref(&b));
    let mut both = first.clone();
    let comment = first.len() - 2;
    both[comment..].copy_from_slice(&(second.len() as u16).to_le_bytes());
    both.extend_from_slice(&second);
    assert!(codes(&both).contains(&"ZIP-02"), "{:?}", codes(&both));
    // One in front of the other, and one in the content of the last member, which is what nested jars are.
    let in_front = [&first[..], &second[..]].concat();
    assert!(codes(&in_front).contains(&"ZIP-02"), "{:?}", codes(&in_front));
    let stored = |inner: &[u8]| made(&[a.clone(), file(b"lib/inner.jar", Box::leak(inner.into()))]);
    assert_eq!(codes(&stored(&second)), [""; 0]);
    let many: Vec<u8> = std::iter::repeat_n(&second[..], 600).flatten().copied().collect();
    assert!(codes(&stored(&many)).contains(&"ZIP-02"), "more than are tried");
    // As long as its comment says that the file ends elsewhere.
    let outer = stored(&second);
    let mut reaching = second.clone();
    let at = reaching.len() - 2;
    let behind = outer.len()
        - (outer.windows(second.len()).position(|part| part == second).expect("is in it") + second.len());
    reaching[at..].copy_from_slice(&(behind as u16).to_le_bytes());
    assert!(codes(&stored(&reaching)).contains(&"ZIP-02"), "{:?}", codes(&stored(&reaching)));
    // Bytes behind the end, or an end record in the comment, and some readers find the inner one.
    assert!(codes(&[&outer[..], b"behind"].concat()).contains(&"ZIP-02"));
    // Some readers go on to the inner one where the outer says that it is a part of an archive.
    for (field, value) in [(4, 1), (6, 1), (4, 0xff), (8, 0), (8, 1)] {
        let mut part = outer.clone();
        let at = part.len() - 22 + field;
        part[at] = value;
        assert_eq!(codes(&part), ["ZIP-12"], "{field} {value}");
    }
    // In front of the members it is in everybody's way.
    assert!(codes(&[&second[..], &outer[..]].concat()).contains(&"ZIP-02"));
    // Two entries of the directory with one content.
    let mut overlap = local(&a);
    let directory = [central(&a, 0), central(&Made { name: b"b", ..a.clone() }, 0)].concat();
    let offset = overlap.len();
    overlap.extend_from_slice(&directory);
    overlap.extend(end(2, directory.len(), offset));
    assert!(codes(&overlap).contains(&"ZIP-07"), "{:?}", codes(&overlap));
    // A member between two that are listed, and one in front of them.
    let listed = central(&a, local(&b).len());
    let hidden = [local(&b), local(&a), local(&b), listed.clone()].concat();
    let hidden = [&hidden[..], &end(1, listed.len(), hidden.len() - listed.len())].concat();
    assert_eq!(codes(&hidden), ["ZIP-04", "ZIP-14"]);
    // Readers of streams take a header whatever it says of its version, and without a name.
    let second = central(&Made { name: b"second", ..a.clone() }, local(&a).len() + local(&b).len());
    let listed = [central(&a, 0), second].concat();
    for (field, value) in [(4, 0xff), (4, 64), (8, 0xff), (26, 0)] {
        let mut odd = local(&b);
        odd[field] = value;
        let members = [local(&a), odd, local(&Made { name: b"second", ..a.clone() })].concat();
        let zip = [&members[..], &listed, &end(2, listed.len(), members.len())].concat();
        assert!(codes(&zip).contains(&"ZIP-14"), "{field} {value}");
    }
    // Behind other bytes in a gap, and where four bytes alone are nobody's header.
    for (front, codes_of) in [
        (&b"12345"[..], vec!["ZIP-04", "ZIP-14"]),
        (&[0; 70_000], vec!["ZIP-04", "ZIP-14"]),
        (&[0; (64 << 10) - 2], vec!["ZIP-04", "ZIP-14"]),
    ] {
        let start = front.len() + local(&b).len();
        let listed = central(&a, start);
        let hidden = [front, &local(&b), &local(&a), &listed].concat();
        let hidden = [&hidden[..], &end(1, listed.len(), start + local(&a).len())].concat();
        assert_eq!(codes(&hidden), codes_of, "{} bytes", front.len());
    }
    let reader = [b"\x7fELF PK\x03\x04 and PK\x03\x04\x14\0\0\0\x08\0".as_slice(), &[0; 40]].concat();
    assert_eq!(codes(&[&reader[..], &made(std::slice::from_ref(&a))].concat()), ["ZIP-04"]);
    // One member more than declared, and disks.
    let mut whole = made(&[a.clone(), b.clone()]);
    let at = whole.len() - 22;
    whole[at + 10] = 1;
    assert_eq!(codes(&whole), ["ZIP-12", "ZIP-13"]);
    let mut disks = made(&[a]);
    let at = disks.len() - 22;
    disks[at + 4] = 1;
    assert_eq!(codes(&disks), ["ZIP-12"]);
}

#[test]
fn a_zip64_record_must_say_what_the_end_record_says() {
    let a = file(b"a", b"content");
    let (content, directory) = (local(&a), central(&a, 0));
    let zip = |entries: u64, narrow: u16| {
        let mut out = [&content[..], &directory].concat();
        let at = out.len() as u64;
        out.extend_from_slice(b"PK\x06\x06");
        out.extend(44_u64.to_le_bytes().iter().chain(&[45, 0, 45, 0]).chain(&[0; 8]));
        for field in [entries, entries, directory.len() as u64, content.len() as u64] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend(b"PK\x06\x07\0\0\0\0".iter().chain(&at.to_le_bytes()).chain(&[1, 0, 0, 0]));
        let mut last = end(narrow, directory.len(), content.len());
        last[16..20].copy_from_slice(&[0xff; 4]);
        out.extend(last);
        out
    };
    assert_eq!(codes(&zip(1, 1)), [""; 0]);
    assert_eq!(codes(&zip(1, 0xffff)), [""; 0]);
    assert_eq!(codes(&zip(1, 2)), ["ZIP-11", "ZIP-13"]);
}

#[test]
fn every_truncation_of_a_zip_is_told() {
    let whole = made(&[file(b"a", b"content"), file(b"b", b"more")]);
    for end in 0..whole.len() {
        assert_eq!(codes(&whole[..end]), ["ZIP-01"], "cut at {end}");
    }
}

proptest! {
    #[test]
    fn mutated_zips_end_in_an_answer(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = made(&[file(b"a", b"content"), file(b"b", b"more")]);
        for (at, with) in edits {
            let at = at.index(bytes.len());
            bytes[at] = with;
        }
        let _ = opened(&bytes);
    }
}

#[test]
fn what_is_looked_at_near_and_far_is_the_same_as_of_a_slice() {
    use super::super::zip::Source;
    let bytes: Vec<u8> = (0..20_000_u32).map(|at| ((at * 7) >> 3) as u8).collect();
    let mut source = Source::new(&bytes).expect("a length");
    let mut state = 1_u64;
    for _ in 0..3000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (at, count) = ((state >> 20) as usize % 20_100, (state >> 50) as usize % 9000);
        assert_eq!(
            source.get(at, count).expect("it is in memory"),
            bytes.get(at..at + count),
            "{at} {count}"
        );
    }
    assert_eq!(source.get(usize::MAX, 2).expect("it is in memory"), None);
}

#[test]
fn members_across_near_parts_are_compared_and_headers_with_another_name_told() {
    let names: Vec<String> = (0..300).map(|at| format!("{at:0>150}")).collect();
    let members = |first: &str| -> Vec<Made> {
        let named = |name: &str| &*Box::leak(name.to_owned().into_bytes().into_boxed_slice());
        let mut out: Vec<Made> = names.iter().map(|name| file(named(name), b"x")).collect();
        out[150].local_name = named(first);
        out
    };
    assert_eq!(codes(&made(&members(&names[150]))), [""; 0]);
    assert_eq!(codes(&made(&members(&names[151]))), ["ZIP-05"]);
    assert_eq!(codes(&made(&members("short"))), ["ZIP-05"]);
}
