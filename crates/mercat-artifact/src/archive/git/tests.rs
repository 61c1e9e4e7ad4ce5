use super::*;
use std::io::Write;

/// Objects of a pack as it has them: kind, what stands between the header and the content, and the content.
struct Packed(u8, Vec<u8>, Vec<u8>);

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).and_then(|()| out.finish()).expect("packed")
}

fn header(kind: u8, mut size: usize) -> Vec<u8> {
    let mut out = vec![kind << 4 | (size & 15) as u8];
    size >>= 4;
    while size > 0 {
        *out.last_mut().expect("a byte") |= 0x80;
        out.push((size & 0x7f) as u8);
        size >>= 7;
    }
    out
}

/// A pack of objects, and where each begins.
fn pack(objects: impl IntoIterator<Item = Packed>) -> (Vec<u8>, Vec<usize>) {
    let mut out = b"PACK\0\0\0\x02\0\0\0\0".to_vec();
    let mut starts = Vec::new();
    for Packed(kind, between, content) in objects {
        starts.push(out.len());
        out.extend([header(kind, content.len()), between, deflated(&content)].concat());
    }
    out[8..12].copy_from_slice(&u32::try_from(starts.len()).expect("few").to_be_bytes());
    out.extend([7; 20]);
    (out, starts)
}

fn blob(content: &[u8]) -> Packed {
    Packed(3, Vec::new(), content.to_vec())
}

/// A number as sizes in changes are written.
fn number(mut number: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

enum Step<'a> {
    Copy(usize, usize),
    New(&'a [u8]),
}

fn change(base: usize, steps: &[Step<'_>]) -> Vec<u8> {
    let mut size = 0;
    let mut body = Vec::new();
    for step in steps {
        match step {
            Step::Copy(from, count) => {
                size += count;
                body.push(0x80 | 0x0f | 0x70);
                body.extend(&u32::try_from(*from).expect("near").to_le_bytes());
                body.extend(&u32::try_from(*count).expect("short").to_le_bytes()[..3]);
            }
            Step::New(bytes) => {
                size += bytes.len();
                for part in bytes.chunks(127) {
                    body.push(part.len() as u8);
                    body.extend(part);
                }
            }
        }
    }
    [number(base), number(size), body].concat()
}

/// How far back the base of a change is, as packs write it.
fn back(mut distance: usize) -> Vec<u8> {
    let mut out = vec![(distance & 0x7f) as u8];
    distance >>= 7;
    while distance > 0 {
        distance -= 1;
        out.insert(0, (distance & 0x7f) as u8 | 0x80);
        distance >>= 7;
    }
    out
}

type Named = Vec<(String, Vec<u8>)>;

/// What a visitor sees, by name.
fn seen(pack: &[u8]) -> (Named, Result<u64, ReadError>) {
    let mut out = Vec::new();
    let done = walk(&pack, &mut |member, body| {
        let mut content = Vec::new();
        let read = body.read_to_end(&mut content);
        assert!(read.is_err() || member.size == Some(content.len() as u64), "{member:?}");
        out.push((member.name.to_owned(), content));
        read.map(drop).map_err(ReadError::from)
    });
    (out, done)
}

fn code(pack: &[u8]) -> &'static str {
    match seen(pack).1 {
        Err(ReadError::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn objects_are_shown_whole_and_changes_by_what_is_new_in_them() {
    let base: Vec<u8> = (0..400).flat_map(|line| format!("line {line}\n").into_bytes()).collect();
    let long = "x".repeat(300);
    let first = [blob(&base)];
    let distance = pack(first).0.len() - 20 - 12;
    let steps = [
        Step::Copy(0, 2000),
        Step::New(long.as_bytes()),
        Step::Copy(2000, base.len() - 2000),
        Step::Copy(0, 5),
    ];
    let changed = Packed(6, back(distance), change(base.len(), &steps));
    // A change of the change, which the one before it is not the base of.
    let whole = [&base[..2000], long.as_bytes(), &base[2000..], &base[..5]].concat();
    let (so_far, starts) =
        pack([blob(&base), Packed(6, back(distance), change(base.len(), &steps)), blob(b"x")]);
    let again = change(whole.len(), &[Step::New(b"begin"), Step::Copy(1990, 20)]);
    let again = Packed(6, back(so_far.len() - 20 - starts[1]), again);
    let (pack, starts) = pack([blob(&base), changed, blob(b"x"), again]);
    let (seen, done) = seen(&pack);
    assert_eq!(done.expect("reads"), 0);
    let names: Vec<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
    let expected: Vec<String> = ["blob", "change", "blob", "change"]
        .iter()
        .zip(&starts)
        .map(|(kind, start)| format!("{kind}@{start}"))
        .collect();
    assert_eq!(names, expected);
    assert_eq!(seen[0].1, base);
    // 512 bytes around each place where something is new; the beginning is one.
    let parts =
        [&whole[..512], b"\n", &whole[2000 - 512..2300 + 512], b"\n", &whole[whole.len() - 517..]].concat();
    assert_eq!(String::from_utf8_lossy(&seen[1].1), String::from_utf8_lossy(&parts));
    assert_eq!(seen[3].1, [b"begin", &whole[1990..2010]].concat());
}

#[test]
fn what_cannot_be_put_together_is_counted_and_shown_as_it_is() {
    let named = change(5, &[Step::New(b"what is new")]);
    let huge = change(OBJECT_BYTES_MAX as usize + 1, &[Step::New(b"more")]);
    let base = vec![b' '; OBJECT_BYTES_MAX as usize + 1];
    let distance = pack([blob(&base)]).0.len() - 20 - 12;
    let (pack, _) =
        pack([blob(&base), Packed(6, back(distance), huge.clone()), Packed(7, vec![1; 20], named.clone())]);
    let (seen, done) = seen(&pack);
    assert_eq!(done.expect("reads"), 2);
    assert_eq!([&seen[1].1, &seen[2].1], [&huge, &named]);
}

#[test]
fn what_is_no_pack_is_refused_by_its_code() {
    let base = b"twelve bytes";
    let distance = pack([blob(base)]).0.len() - 20 - 12;
    let of = |steps: &[Step<'_>]| change(base.len(), steps);
    let with = |back: Vec<u8>, change: Vec<u8>| pack([blob(base), Packed(6, back, change)]).0;
    let good = with(back(distance), of(&[Step::Copy(0, 12)]));
    assert_eq!(seen(&good).1.expect("reads"), 0);
    let mut version = good.clone();
    version[7] = 4;
    let mut count = good.clone();
    count[8..12].copy_from_slice(&2_000_000_u32.to_be_bytes());
    let mut kind = good.clone();
    kind[12] = kind[12] & 0x8f | 5 << 4;
    let mut longer = good.clone();
    longer[12] += 1;
    let mut shorter = good.clone();
    shorter[12] -= 1;
    for (name, pack, expected) in [
        ("another version", version, "GIT-01"),
        ("too many objects", count, "GIT-05"),
        ("no kind", kind, "GIT-02"),
        ("longer than it says", shorter, "GIT-02"),
        ("shorter than it says", longer, "GIT-04"),
        ("a base in front of the pack", with(back(500), of(&[])), "GIT-02"),
        ("a base inside of another", with(back(distance - 1), of(&[])), "GIT-02"),
        ("a change of itself", with(back(0), of(&[])), "GIT-02"),
        ("a base of another size", with(back(distance), change(13, &[])), "GIT-03"),
        ("a copy past the end", with(back(distance), of(&[Step::Copy(1, 12)])), "GIT-03"),
        ("no size", with(back(distance), vec![12]), "GIT-03"),
        ("more than it says", with(back(distance), vec![12, 1, 2, b'a', b'b']), "GIT-03"),
        ("less than it says", with(back(distance), vec![12, 3, 2, b'a', b'b']), "GIT-03"),
        ("cut", with(back(distance), vec![12, 3, 3, b'a', b'b']), "GIT-03"),
        ("an instruction that is none", with(back(distance), vec![12, 0, 0]), "GIT-03"),
        ("bytes behind", [&good[..], b"x"].concat(), "GIT-06"),
        ("cut in the header", good[..11].to_vec(), "GIT-04"),
        ("cut before an object", pack([blob(base)]).0[..12].to_vec(), "GIT-04"),
    ] {
        assert_eq!(code(&pack), expected, "{name}");
    }
    // What zlib itself finds.
    assert!(seen(&good[..good.len() - 25]).1.is_err());
}

#[test]
fn long_chains_of_changes_cost_no_square() {
    let base = vec![b'a'; 1 << 16];
    let steps = [Step::Copy(0, base.len() - 1), Step::New(b"b")];
    let mut objects = vec![blob(&base)];
    let mut size = pack([blob(&base)]).0.len() - 20 - 12;
    for _ in 0..2000 {
        let change = Packed(6, back(size), change(base.len(), &steps));
        size = header(6, change.2.len()).len() + change.1.len() + deflated(&change.2).len();
        objects.push(change);
    }
    let (seen, done) = seen(&pack(objects).0);
    assert_eq!((done.expect("reads"), seen.len()), (0, 2001));
    // Only what is new, and what surrounds it.
    assert!(seen[1..].iter().all(|(_, content)| content.len() < 2000));
}

#[test]
fn a_visitor_who_stops_ends_the_walk() {
    let (pack, _) = pack([blob(b"abc"), blob(b"def")]);
    let mut count = 0;
    let done = walk(&pack.as_slice(), &mut |_, body| {
        count += 1;
        body.read_exact(&mut [0]).map_err(ReadError::from)
    });
    assert_eq!((done.expect("no error"), count), (0, 1));
}

/// What git itself packs.
#[test]
fn the_history_of_a_repository_is_read() {
    let git = |dir: &std::path::Path, arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "gc.auto=0"]);
        command.args(arguments).current_dir(dir).env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", dir);
        let out = command.output().ok()?;
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Some(())
    };
    let dir = tempfile::tempdir().expect("a directory");
    if git(dir.path(), &["init", "-q"]).is_none() {
        eprintln!("skipped: git is not installed");
        return;
    }
    let lines: String = (0..2000).map(|line| format!("setting {line} = {}\n", line * 7919 % 1000)).collect();
    for (at, secret) in ["first-value", "second-value", ""].iter().enumerate() {
        let text = lines.replacen("setting 1000 = ", &format!("password = {secret}\nsetting 1000 = "), 1);
        std::fs::write(dir.path().join("settings"), text).expect("written");
        git(dir.path(), &["add", "."]);
        git(dir.path(), &["commit", "-q", "-m", &format!("change {at}")]);
    }
    git(dir.path(), &["gc", "-q", "--aggressive", "--prune=now"]);
    let packs = std::fs::read_dir(dir.path().join(".git/objects/pack")).expect("packs");
    let pack = packs
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.extension() == Some("pack".as_ref()));
    let (seen, done) = seen(&std::fs::read(pack.expect("a pack")).expect("read"));
    assert_eq!(done.expect("reads"), 0);
    assert!(seen.iter().any(|(name, _)| name.starts_with("change@")), "git packs changes");
    for secret in ["password = first-value\n", "password = second-value\n"] {
        let with = |(_, content): &&(String, Vec<u8>)| {
            content.windows(secret.len()).any(|part| part == secret.as_bytes())
        };
        assert!(seen.iter().any(|object| with(&object)), "{secret}");
    }
}
