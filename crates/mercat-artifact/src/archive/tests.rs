use super::*;
use proptest::prelude::*;
use std::io::{BufReader, Cursor};
use std::path::Path;
use std::process::Command;

mod made;
mod zips;

const BUDGET: u64 = 64 << 20;

type Members = Vec<(String, Vec<u8>)>;

/// Walks whatever it is, as its format says.
fn open(bytes: &[u8]) -> Result<Members, ReadError> {
    let mut out = Vec::new();
    let mut visit = |member: Member<'_>, body: &mut dyn Read| {
        let mut content = Vec::new();
        body.take(BUDGET).read_to_end(&mut content)?;
        assert!(member.size.is_none_or(|size| size == content.len() as u64), "{member:?}");
        out.push((member.name.to_owned(), content));
        Ok(())
    };
    let mut reader = bytes;
    match detect(bytes) {
        Some(Format::Ar) => ar::walk(&mut reader, &mut visit)?,
        Some(Format::Cpio) => cpio::walk(&mut reader, &mut visit)?,
        Some(Format::Rpm) => rpm::walk(&mut reader, &mut visit)?,
        Some(Format::Cab) => cab::walk(bytes, BUDGET, &mut visit)?,
        Some(Format::SevenZip) => sevenz::walk(bytes, BUDGET, &mut visit)?,
        Some(Format::Lz4) => {
            visit(Member { name: "", size: None }, &mut Lz4Reader::new(BufReader::new(bytes)))?
        }
        Some(Format::Zip) => return zips::opened(bytes).into_iter().map(|(n, c)| Ok((n, c?))).collect(),
        Some(Format::Compress) => visit(Member { name: "", size: None }, &mut CompressReader::new(bytes))?,
        other => return Err(ReadError::refused("TEST", 0, format!("{other:?}"))),
    }
    Ok(out)
}

fn code(bytes: &[u8]) -> &'static str {
    match open(bytes) {
        Ok(_) => "",
        Err(ReadError::Refused { code, .. }) => code,
        Err(ReadError::Io(error)) => panic!("an error that is not about the bytes: {error}"),
    }
}

/// Content that compresses, and some that does not; longer than a cabinet's block.
fn contents() -> Members {
    let words: String = (0..9000).map(|n| format!("line {} of {}\n", n * 7919 % 10_007, n % 13)).collect();
    let mut state = 7_u32;
    let noise = (0..70_000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    vec![
        ("a.txt".into(), b"content of a\n".to_vec()),
        ("empty".into(), Vec::new()),
        ("noise.bin".into(), noise.collect()),
        ("a-name-that-is-longer-than-sixteen-characters.txt".into(), words.into_bytes()),
    ]
}

/// A directory with the contents as files.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, content) in contents() {
        std::fs::write(directory.path().join(name), content).expect("written");
    }
    directory
}

/// Runs a peer in a directory; `None`, and a line that says so, where it is not installed.
fn peer(directory: &Path, script: &str) -> Option<()> {
    let tool = script.split_whitespace().next().expect("a command");
    let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().expect("sh runs");
    if !found.status.success() {
        let _ = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("skipped: {tool} is not installed\n"),
        );
        return None;
    }
    let done = Command::new("sh").args(["-c", script]).current_dir(directory).output().expect("sh runs");
    assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
    Some(())
}

fn sorted(mut members: Members) -> Members {
    members.sort();
    members
}

fn names() -> String {
    contents().iter().map(|(name, _)| format!("{name}\n")).collect()
}

/// What a peer packs comes out as it went in.
fn round_trip(script: &str, file: &str) -> Option<Vec<u8>> {
    let directory = directory();
    std::fs::write(directory.path().join("names"), names()).expect("written");
    peer(directory.path(), script)?;
    let bytes = std::fs::read(directory.path().join(file)).expect("the peer wrote it");
    let got = open(&bytes).unwrap_or_else(|error| panic!("{script}: {error}"));
    let got = got.into_iter().map(|(name, content)| (name.trim_start_matches("./").to_owned(), content));
    // A table of names is the archive's own.
    let got: Members = got.filter(|(name, _)| name != "//").collect();
    assert!(sorted(got) == sorted(contents()), "{script}");
    Some(bytes)
}

#[test]
fn what_ar_packs_comes_out_as_it_went_in() {
    round_trip("ar rc out.a $(cat names)", "out.a");
}

#[test]
fn tables_of_an_ar_are_shown_like_members() {
    let member = |name: &str, content: &[u8]| {
        let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, content.len());
        let pad: &[u8] = if content.len() % 2 == 1 { b"\n" } else { b"" };
        [header.as_bytes(), content, pad].concat()
    };
    let names = b"a-name-of-more-than-sixteen-bytes.o/\n\0hidden";
    let tables =
        [("/", &b"symbols"[..]), ("/SYM64/", b"more"), ("__.SYMDEF SORTED", b"of BSD"), ("//", names)];
    let mut archive = b"!<arch>\n".to_vec();
    tables.iter().for_each(|(name, content)| archive.extend(member(name, content)));
    archive.extend(member("/0", b"object"));
    let mut wanted: Members =
        tables.iter().map(|(name, content)| ((*name).to_owned(), content.to_vec())).collect();
    wanted.push(("a-name-of-more-than-sixteen-bytes.o".to_owned(), b"object".to_vec()));
    assert_eq!(open(&archive).expect("opens"), wanted);
}

#[test]
fn what_cpio_packs_comes_out_as_it_went_in() {
    for form in ["newc", "crc", "odc"] {
        round_trip(&format!("cpio --quiet -o -H {form} < names > out.cpio"), "out.cpio");
    }
    let directory = directory();
    if peer(directory.path(), "cpio --quiet -o < /dev/null > out.cpio").is_some() {
        let bytes = std::fs::read(directory.path().join("out.cpio")).expect("written");
        assert_eq!(detect(&bytes), Some(Format::BinaryCpio));
    }
}

#[test]
fn what_7z_packs_comes_out_as_it_went_in() {
    for options in [
        "-mx9",
        "-mx0",
        "-m0=lzma",
        "-m0=ppmd",
        "-m0=bzip2",
        "-m0=deflate",
        "-ms=off",
        "-mf=bcj2",
        "-mhc=off",
    ] {
        round_trip(&format!("7z a -bd {options} out.7z $(cat names)"), "out.7z");
    }
}

#[test]
fn what_7z_encrypts_is_named_encrypted() {
    let directory = directory();
    for options in ["-psecret", "-psecret -mhe=on"] {
        let script = format!("7z a -bd {options} out.7z a.txt");
        let Some(()) = peer(directory.path(), &script) else { return };
        let bytes = std::fs::read(directory.path().join("out.7z")).expect("written");
        assert_eq!(code(&bytes), "7Z-03", "{options}");
        std::fs::remove_file(directory.path().join("out.7z")).expect("removed");
    }
}

#[test]
fn what_lz4_and_compress_pack_comes_out_as_it_went_in() {
    let directory = directory();
    let words = contents().remove(3);
    let file = directory.path().join(&words.0);
    for options in ["-1", "-9 -BD", "--content-size -B4", "-BX"] {
        let script = format!("lz4 -q -f {options} {} out", words.0);
        if peer(directory.path(), &script).is_some() {
            let once = std::fs::read(directory.path().join("out")).expect("written");
            assert_eq!(open(&once).expect("opens")[0].1, words.1, "{options}");
            let twice = open(&[&once[..], &once].concat()).expect("opens");
            assert_eq!(twice[0].1.len(), 2 * words.1.len());
            assert_eq!(code(&[&once[..], b"behind"].concat()), "LZ4-03");
        }
    }
    for content in [words.1.clone(), words.1.repeat(8), contents().remove(2).1, b"aaaaaaaaaaaaaaaaa".to_vec()]
    {
        for bits in [10, 12, 16] {
            std::fs::write(&file, &content).expect("written");
            let script = format!("compress -f -c -b {bits} {} > out || true", words.0);
            if peer(directory.path(), &script).is_some() {
                let packed = std::fs::read(directory.path().join("out")).expect("written");
                assert!(open(&packed).expect("opens")[0].1 == content, "{bits} bits");
            }
        }
    }
}

#[test]
fn a_debian_package_is_an_ar_of_three() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let control = directory.path().join("pkg/DEBIAN");
    std::fs::create_dir_all(&control).expect("made");
    let text = "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n";
    std::fs::write(control.join("control"), text).expect("written");
    if peer(directory.path(), "dpkg-deb --root-owner-group -b pkg x.deb").is_some() {
        let bytes = std::fs::read(directory.path().join("x.deb")).expect("written");
        let names: Vec<String> = open(&bytes).expect("opens").into_iter().map(|member| member.0).collect();
        assert_eq!(names[0], "debian-binary");
        assert!(names[1].starts_with("control.tar.") && names[2].starts_with("data.tar."), "{names:?}");
    }
}

#[test]
fn an_rpm_shows_its_payload() {
    let directory = directory();
    let spec = "Name: x\nVersion: 1\nRelease: 1\nSummary: x\nLicense: x\nBuildArch: noarch\n%description\nx\n\
                %install\nmkdir -p %{buildroot}/opt\ncp %{_sourcedir}/a.txt %{buildroot}/opt/\n%files\n/opt/a.txt\n";
    std::fs::write(directory.path().join("x.spec"), spec).expect("written");
    let script = "rpmbuild -bb --define \"_topdir $PWD/top\" --define \"_sourcedir $PWD\" \
                  --define '_binary_payload w9.gzdio' x.spec && cp top/RPMS/noarch/x-1-1.noarch.rpm x.rpm";
    if peer(directory.path(), script).is_some() {
        let bytes = std::fs::read(directory.path().join("x.rpm")).expect("written");
        let payload = open(&bytes).expect("opens").remove(0);
        assert_eq!((payload.0.as_str(), detect(&payload.1)), (rpm::PAYLOAD, Some(Format::Gzip)));
        let mut cpio = Vec::new();
        flate2::read::GzDecoder::new(&payload.1[..]).read_to_end(&mut cpio).expect("inflates");
        assert_eq!(open(&cpio).expect("opens"), [("./opt/a.txt".into(), b"content of a\n".to_vec())]);
        assert_eq!(code(&bytes[..300]), "RPM-05");
    }
}

#[test]
fn what_gcab_packs_comes_out_as_it_went_in() {
    round_trip("gcab -c -z out.cab $(cat names)", "out.cab");
    round_trip("gcab -c out.cab $(cat names)", "out.cab");
}

#[test]
fn cabinets_made_here_are_read_alike_by_cabextract() {
    for method in [made::Method::Stored, made::Method::MsZip, made::Method::Lzx] {
        let bytes = made::cab(&contents(), method);
        assert_eq!(open(&bytes).expect("opens"), contents());
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(directory.path().join("x.cab"), &bytes).expect("written");
        if peer(directory.path(), "cabextract -q x.cab").is_some() {
            for (name, content) in contents() {
                assert!(std::fs::read(directory.path().join(&name)).expect("extracted") == content, "{name}");
            }
        }
    }
}

#[test]
fn every_truncation_is_told() {
    for (name, bytes) in made::samples() {
        assert_eq!(code(&bytes), "", "{name}");
        for end in 8..bytes.len() {
            // The end of an ar, an rpm's payload and of whole frames is where the bytes end.
            if code(&bytes[..end]).is_empty() {
                let whole = open(&bytes).expect("opens");
                let part = open(&bytes[..end]).expect("opens");
                let ends = matches!(name, "ar" | "rpm");
                assert!(ends && part.len() <= whole.len() || part == whole, "{name} cut at {end}");
            }
        }
    }
}

#[test]
fn sizes_that_lie_are_refused() {
    let ar = made::ar(&[("x", b"abc")]);
    let lie = |bytes: &[u8], at: usize, with: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    };
    assert_eq!(code(&lie(&ar, 8 + 48, b"9999999999")), "AR-05");
    assert_eq!(code(&lie(&ar, 8 + 48, b"-1        ")), "AR-02");
    assert_eq!(code(&lie(&ar, 8, b"/7              ")), "AR-03");
    assert_eq!(code(&lie(&ar, 8, b"#1/4            ")), "AR-03");
    assert_eq!(code(b"!<thin>\n"), "AR-06");
    let cpio = made::cpio(&[("x", b"abc")]);
    assert_eq!(code(&lie(&cpio, 6 + 6 * 8, b"ffffffff")), "CPIO-05");
    assert_eq!(code(&lie(&cpio, 6 + 6 * 8, b"0000000g")), "CPIO-02");
    assert_eq!(code(&lie(&cpio, 6 + 11 * 8, b"ffffffff")), "CPIO-03");
    assert_eq!(code(&lie(&cpio, 6 + 11 * 8, b"00000001")), "CPIO-03");
    assert_eq!(code(&lie(&cpio, 0, b"070702")), "CPIO-06");
    let cab = made::cab(&[("x".into(), b"abc".to_vec())], made::Method::MsZip);
    assert_eq!(code(&lie(&cab, 44, &[0xff; 4])), "CAB-08");
    assert_eq!(code(&lie(&cab, 44, &[4])), "CAB-07");
    assert_eq!(code(&lie(&cab, 44, &[2])), "CAB-07");
    assert_eq!(code(&lie(&cab, 44 + 8, &[0xfd, 0xff])), "CAB-04");
    assert_eq!(code(&lie(&cab, 42, &[2])), "CAB-06");
    assert_eq!(code(&lie(&cab, 36, &[0xff; 4])), "CAB-02");
    let last = cab.len() - 1;
    assert_eq!(code(&lie(&cab, last, &[!cab[last]])), "CAB-03");
    assert_eq!(code(b"\x1f\x9d\x90\xff\xff"), "Z-02");
    assert_eq!(code(b"\x1f\x9d\x89\xff\xff"), "Z-01");
}

#[test]
fn an_initial_ram_disk_shows_each_archive_and_what_is_behind_them() {
    let one = made::cpio(&[("kernel/x86/microcode", b"early")]);
    let two = made::cpio(&[("init", b"late")]);
    let bytes = [&one[..], &[0; 508], &two, &[0; 8], &[0x28, 0xb5, 0x2f, 0xfd, 1]].concat();
    let names: Vec<String> = open(&bytes).expect("opens").into_iter().map(|member| member.0).collect();
    assert_eq!(names, ["kernel/x86/microcode", "init", cpio::BEHIND]);
}

#[test]
fn an_error_of_the_visitor_comes_out_as_it_is() {
    for (name, bytes) in made::samples() {
        let mut stop = |_: Member<'_>, _: &mut dyn Read| Err(ReadError::refused("STOP", 0, ""));
        let mut reader = &bytes[..];
        let done = match detect(&bytes) {
            Some(Format::Ar) => ar::walk(&mut reader, &mut stop),
            Some(Format::Cpio) => cpio::walk(&mut reader, &mut stop),
            Some(Format::Rpm) => rpm::walk(&mut reader, &mut stop),
            Some(Format::Cab) => cab::walk(&bytes, BUDGET, &mut stop),
            Some(Format::SevenZip) => sevenz::walk(&bytes, BUDGET, &mut stop),
            _ => continue,
        };
        assert!(matches!(done, Err(ReadError::Refused { code: "STOP", .. })), "{name}");
    }
}

#[test]
fn a_7z_that_unpacks_to_more_than_the_budget_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(directory.path().join("zeros"), vec![0; 1 << 20]).expect("written");
    if peer(directory.path(), "7z a -bd out.7z zeros").is_some() {
        let bytes = std::fs::read(directory.path().join("out.7z")).expect("written");
        let mut ignore = |_: Member<'_>, _: &mut dyn Read| Ok(());
        assert!(sevenz::walk(&bytes, 1 << 20, &mut ignore).is_ok());
        let over = sevenz::walk(&bytes, (1 << 20) - 1, &mut ignore);
        assert!(matches!(over, Err(ReadError::Refused { code: "7Z-08", .. })), "{over:?}");
    }
}

#[test]
fn formats_are_told_by_their_first_bytes_and_text_is_none() {
    for (name, bytes) in made::samples() {
        assert_eq!(detect(&bytes).map(Format::name).map(|n| &n[..2]), Some(&name[..2]), "{name}");
    }
    for text in [
        &b"#!/bin/sh\n"[..],
        b"\x7fELF",
        b"07070",
        b"PK",
        b"",
        b"MSCFiles",
        b"\x1f\x9d\xff",
        b"]\0\0",
        b"x\x9c",
        b"x\x9c\x07",
        b"x\x9d\x01",
    ] {
        assert_eq!(detect(text), None, "{text:?}");
    }
    assert_eq!(detect(b"Rar!\x1a\x07\x01\0"), Some(Format::Rar));
    let unusual = [&[4, 0, 0, 0x80, 0][..], &[0xff; 8], &[0, 1]].concat();
    assert_eq!(detect(&unusual), Some(Format::Lzma));
    assert_eq!(detect(&[2, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 9, 0, 0, 0]), None, "a table of numbers");
    assert_eq!(detect(&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]), Some(Format::Zstd));
}

#[test]
fn an_old_tar_may_have_summed_bytes_with_a_sign() {
    let mut header = vec![0; 1024];
    header[..7].copy_from_slice("k\u{e9}y.gz".as_bytes());
    header[124..135].copy_from_slice(b"00000000000");
    for signed in [false, true] {
        header[148..156].fill(b' ');
        let sum = header.iter().map(|byte| if signed { i64::from(*byte as i8) } else { i64::from(*byte) });
        let sum: i64 = sum.sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert_eq!(detect(&header), Some(Format::Tar), "{signed}");
    }
    header[148] = b'7';
    assert_eq!(detect(&header), None);
}

#[test]
fn text_is_told_from_what_is_none_and_compressed_data_is_found_in_other_bytes() {
    use behind::{first_binary, search};
    for (bytes, at) in [
        (&b"exit 0\n\x1f\x8b\x08"[..], Some(7)),
        (b"BZh91AY&SY\xff", Some(10)),
        (b"# here: \xfd7zXZ\0", Some(8)),
        ("# d\u{e9}j\u{e0} \u{1b}[1m\tvu\x0c\r\n".as_bytes(), None),
        // A window that ends inside of a character.
        (&"\u{e9}".as_bytes()[..1], None),
        (b"a\x01\xc3", Some(1)),
        (b"", None),
    ] {
        assert_eq!(first_binary(bytes), at, "{bytes:?}");
    }
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03";
    let zstd = b"\x28\xb5\x2f\xfd\x04";
    assert_eq!(search(&[&b"BZ 7 ( "[..], gzip, zstd].concat()), Some(7));
    assert_eq!(search(&[&b"\x1f\x8b\x08\xff "[..], zstd].concat()), Some(5));
    assert_eq!(search(b"7z\xbc\xaf' BZh9 \x1f\x8b"), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn mutated_archives_end_in_an_answer(
        which in 0_usize..64,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let samples = made::samples();
        let mut bytes = samples[which % samples.len()].1.clone();
        for (at, with) in edits {
            // Not the magic, so that the reader of the format is what is tried.
            let at = 8.min(bytes.len() - 1) + at.index(bytes.len().saturating_sub(8).max(1));
            if let Some(byte) = bytes.get_mut(at) {
                *byte = with;
            }
        }
        if cut.index(4) == 0 {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = code(&bytes);
        let _ = zips::opened(&bytes);
        let _ = Cursor::new(bytes);
    }
}
