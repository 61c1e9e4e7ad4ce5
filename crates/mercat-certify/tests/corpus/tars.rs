//! D: tar streams that readers take differently, or that mean harm where they are unpacked.

use super::Case;
use super::Expect::{self, Accepted, Blocks, Told, Unfinished};
use super::bytes::{entry, gnu, header, padded, pax, raw_pax, resealed, seal, tar, with};
use super::image::Image;

type Stream = (String, Vec<u8>, Expect);

fn named(name: &str, stream: Vec<u8>, expect: Expect) -> Stream {
    (name.to_owned(), stream, expect)
}

pub(super) fn cases() -> Vec<Case> {
    let streams = [
        payloads(),
        extensions(),
        pax_records(),
        numbers(),
        types(),
        names(),
        whiteouts(),
        links(),
        ends(),
        harm(),
    ];
    streams
        .into_iter()
        .flatten()
        .map(|(name, stream, expect)| Case::image('D', name, Image::of_tar(&stream), expect))
        .collect()
}

/// A file and what is read when its header is passed over.
fn hidden() -> Vec<u8> {
    tar(&[entry("evil", b"x")])
}

fn payloads() -> Vec<Stream> {
    let inner = hidden();
    [
        (b'1', "hard link"),
        (b'2', "symlink"),
        (b'3', "character device"),
        (b'4', "block device"),
        (b'5', "directory"),
        (b'6', "pipe"),
    ]
    .into_iter()
    .flat_map(|(kind, what)| {
        let block = header(b"d", kind, inner.len() as u64);
        let block = if kind <= b'2' { resealed(block, 157, b"a") } else { block.to_vec() };
        let whole = tar(&[block.clone(), inner.clone()]);
        let huge = tar(&[resealed(block.try_into().expect("a block"), 124, b"77777777777\0")]);
        [
            named(&format!("a {what} with a tar as payload"), whole, Blocks("TAR-05")),
            named(&format!("a {what} of 8 GiB"), huge, Blocks("TAR-05")),
        ]
    })
    .collect()
}

fn extensions() -> Vec<Stream> {
    let x = |records: &[(&str, &[u8])]| pax(b'x', records);
    let file = entry("x", b"y");
    let g = |records: &[(&str, &[u8])]| pax(b'g', records);
    vec![
        named(
            "two path records",
            tar(&[x(&[("path", b"good"), ("path", b"evil")]), file.clone()]),
            Blocks("TAR-08"),
        ),
        named(
            "two equal records",
            tar(&[x(&[("mtime", b"1"), ("mtime", b"1")]), file.clone()]),
            Blocks("TAR-08"),
        ),
        named(
            "two pax headers",
            tar(&[x(&[("path", b"a")]), x(&[("path", b"b")]), file.clone()]),
            Blocks("TAR-06"),
        ),
        named("1,000 pax headers", tar(&[x(&[("path", b"a")]).repeat(1000), file.clone()]), Blocks("TAR-06")),
        named(
            "pax and GNU names",
            tar(&[x(&[("path", b"a")]), gnu(b'L', "b"), file.clone()]),
            Blocks("TAR-07"),
        ),
        named(
            "GNU and pax names",
            tar(&[gnu(b'L', "b"), x(&[("path", b"a")]), file.clone()]),
            Blocks("TAR-07"),
        ),
        named("two GNU names", tar(&[gnu(b'L', "a"), gnu(b'L', "b"), file.clone()]), Blocks("TAR-07")),
        named("two GNU links", tar(&[gnu(b'K', "a"), gnu(b'K', "b"), file.clone()]), Blocks("TAR-07")),
        named("a GNU name with a NUL", tar(&[gnu(b'L', "a\0b"), file.clone()]), Blocks("TAR-12")),
        named(
            "a GNU name without a NUL",
            tar(&[[header(b"n", b'L', 3).to_vec(), padded(b"abc")].concat(), file.clone()]),
            Blocks("TAR-12"),
        ),
        named(
            "an empty GNU name",
            tar(&[[header(b"n", b'L', 0).to_vec()].concat(), file.clone()]),
            Blocks("TAR-12"),
        ),
        named("a GNU link on a file", tar(&[gnu(b'K', "/etc/passwd"), file.clone()]), Blocks("TAR-23")),
        named("a global path", tar(&[g(&[("path", b"evil")]), file.clone()]), Blocks("TAR-10")),
        named("a global size", tar(&[g(&[("size", b"512")]), file.clone()]), Blocks("TAR-10")),
        named("a global linkpath", tar(&[g(&[("linkpath", b"/")]), file.clone()]), Blocks("TAR-10")),
        named("a global owner", tar(&[g(&[("uid", b"0")]), file.clone()]), Blocks("TAR-10")),
        named("a global comment", tar(&[g(&[("comment", b"git")]), file.clone()]), Accepted),
        named(
            "a global header after a local",
            tar(&[x(&[("path", b"a")]), g(&[("comment", b"c")]), file.clone()]),
            Blocks("TAR-10"),
        ),
        named("a pax header at the end", tar(&[file.clone(), x(&[("path", b"b")])]), Blocks("TAR-22")),
        named("a GNU name at the end", tar(&[file.clone(), gnu(b'L', "b")]), Blocks("TAR-22")),
        named("only a pax header", x(&[("path", b"b")]), Blocks("TAR-22")),
        named(
            "a pax header of 2 GiB",
            tar(&[header(b"p", b'x', 2 << 30).to_vec(), file.clone()]),
            Blocks("TAR-09"),
        ),
        named(
            "a GNU name of 2 GiB",
            tar(&[header(b"p", b'L', 2 << 30).to_vec(), file.clone()]),
            Blocks("TAR-09"),
        ),
        named(
            "a pax size below the header's",
            tar(&[x(&[("size", b"512")]), entry("x", &[b'y'; 1024])]),
            Blocks("TAR-11"),
        ),
        named(
            "a pax size over zero",
            tar(&[x(&[("size", b"512")]), header(b"x", b'0', 0).to_vec(), hidden()]),
            Blocks("TAR-11"),
        ),
        named(
            "a pax size that is no number",
            tar(&[x(&[("size", b"0x10")]), file.clone()]),
            Blocks("TAR-09"),
        ),
        named("a negative pax size", tar(&[x(&[("size", b"-1")]), file.clone()]), Blocks("TAR-09")),
        named(
            "a pax size past 64 bits",
            tar(&[x(&[("size", b"18446744073709551616")]), file.clone()]),
            Blocks("TAR-09"),
        ),
        named("an empty pax size", tar(&[x(&[("size", b"")]), file.clone()]), Blocks("TAR-09")),
        named("an empty pax path", tar(&[x(&[("path", b"")]), file.clone()]), Blocks("TAR-13")),
        named("a NUL in a pax path", tar(&[x(&[("path", b"good\0evil")]), file.clone()]), Blocks("TAR-12")),
        named(
            "a sparse file by pax",
            tar(&[
                x(&[("GNU.sparse.major", b"1"), ("GNU.sparse.realsize", b"9223372036854775807")]),
                file.clone(),
            ]),
            Blocks("TAR-20"),
        ),
        named(
            "a sparse map by pax",
            tar(&[x(&[("GNU.sparse.map", b"0,1,5,1,2,9")]), file.clone()]),
            Blocks("TAR-20"),
        ),
        named(
            "a sparse name by pax",
            tar(&[x(&[("GNU.sparse.name", b"evil")]), file.clone()]),
            Blocks("TAR-20"),
        ),
        named("a sparse file by GNU", tar(&[header(b"x", b'S', 0).to_vec()]), Blocks("TAR-20")),
        named(
            "a time of 2^64 by pax",
            tar(&[x(&[("mtime", b"18446744073709551616")]), file.clone()]),
            Accepted,
        ),
        named("a time that is NaN by pax", tar(&[x(&[("mtime", b"NaN")]), file.clone()]), Accepted),
        named(
            "10,000 attributes",
            tar(&[
                x(&(0..10_000)
                    .map(|at| format!("SCHILY.xattr.user.{at}"))
                    .collect::<Vec<_>>()
                    .iter()
                    .map(|key| (key.as_str(), &b"v"[..]))
                    .collect::<Vec<_>>()),
                file,
            ]),
            Accepted,
        ),
    ]
}

fn pax_records() -> Vec<Stream> {
    [
        ("99 path=evil", "a length behind the end"),
        ("12 path=evil", "no line end"),
        ("0 path=evil\n", "a length of zero"),
        ("2 path=evil\n", "a length inside the key"),
        ("-13 path=evil\n", "a negative length"),
        ("+13 path=evil\n", "a sign"),
        ("0x0d path=evil\n", "a hexadecimal length"),
        ("99999999999999999999 a=b\n", "a length past 64 bits"),
        ("12path=evil\n", "no blank"),
        (" 13 path=evil\n", "a blank in front"),
        ("9 =evil\n", "no key"),
        ("11 patevil\n", "no equals sign"),
        ("\n", "an empty line"),
        ("9 a=b\n\0\0\0", "zeros behind"),
        ("13 path=evil\n\n", "a line end more"),
        ("12 pa\0h=evil\n", "a NUL in the key"),
    ]
    .into_iter()
    .map(|(text, what)| {
        let stream = tar(&[raw_pax(b'x', text.as_bytes()), entry("x", b"")]);
        named(&format!("pax records: {what}"), stream, Blocks("TAR-09|TAR-13"))
    })
    .collect()
}

fn numbers() -> Vec<Stream> {
    let block = header(b"a", b'0', 0);
    let mut out = Vec::new();
    for (what, bytes) in [
        ("-1 in base 256", vec![0xff; 12]),
        ("2^63-1 in base 256", vec![0x80, 0, 0, 0, 0x7f, 255, 255, 255, 255, 255, 255, 255]),
        ("2^95-1 in base 256", [vec![0x80], vec![0xff; 11]].concat()),
        ("decimal digits", b"00000000089\0".to_vec()),
        ("letters", b"0000000zz00\0".to_vec()),
        ("hexadecimal", b"0x000000010\0".to_vec()),
        ("a sign", b"-0000000001\0".to_vec()),
        ("bytes behind its end", b"00000000000\x01".to_vec()),
        ("a NUL in the middle", b"000000\x00000017".to_vec()),
        ("a blank in the middle", b"00000 00000\0".to_vec()),
        ("8 GiB that are not there", b"77777777777\0".to_vec()),
    ] {
        let mut field = bytes.clone();
        field.resize(12, 0);
        out.push(named(
            &format!("a size: {what}"),
            tar(&[resealed(block, 124, &field)]),
            Blocks("TAR-03|TAR-18|TAR-16"),
        ));
    }
    for (at, field, length) in [(100, "mode", 8), (108, "owner", 8), (116, "group", 8), (136, "time", 12)] {
        let garbage = vec![b'9'; length];
        out.push(named(
            &format!("a {field} of nines"),
            tar(&[resealed(block, at, &garbage)]),
            Blocks("TAR-03"),
        ));
        let negative = vec![0xff; length];
        out.push(named(
            &format!("a negative {field}"),
            tar(&[resealed(block, at, &negative)]),
            Blocks("TAR-03"),
        ));
    }
    // A byte of every field changed, and the checksum left as it was.
    for at in
        [0, 50, 101, 110, 120, 130, 140, 150, 156, 160, 257, 262, 265, 297, 329, 337, 345, 400, 500, 511]
    {
        let stream = tar(&[entry("good", b"x"), with(&block, at, &[block[at] ^ 0x55])]);
        out.push(named(&format!("a wrong checksum for byte {at}"), stream, Blocks("TAR-01|TAR-03")));
    }
    out
}

fn types() -> Vec<Stream> {
    let known = b"xgLKS";
    let mut out = Vec::new();
    for kind in (b'A'..=b'Z').chain(b'a'..=b'z').chain([b'7', b'8', b'9', b' ', 0xff]) {
        if !known.contains(&kind) {
            let stream = tar(&[header(b"a", kind, 0).to_vec()]);
            out.push(named(&format!("the type flag {kind:#04x}"), stream, Blocks("TAR-04")));
        }
    }
    let block = header(b"a", b'0', 0);
    for (what, magic) in [
        ("no magic", &[0; 8][..]),
        ("another version", b"ustar\x0001"),
        ("upper case", b"USTAR\x0000"),
        ("half of both", b"ustar \x000"),
        ("a tar of 1979 with text there", b"tar     "),
    ] {
        out.push(named(&format!("magic: {what}"), tar(&[resealed(block, 257, magic)]), Blocks("TAR-02")));
    }
    let mut gnu = block;
    gnu[257..265].copy_from_slice(b"ustar  \0");
    seal(&mut gnu);
    out.push(named("a prefix under GNU's magic", tar(&[resealed(gnu, 345, b"pre")]), Blocks("TAR-21")));
    out.push(named("the trailer of star", tar(&[resealed(block, 508, b"tar\0")]), Blocks("TAR-21")));
    out
}

fn names() -> Vec<Stream> {
    let of = |name: &str| tar(&[entry(name, b"")]);
    let long = |name: &str| tar(&[gnu(b'L', name), entry("x", b"")]);
    let mut out: Vec<Stream> = [
        ("/etc/passwd", "TAR-14"),
        ("//etc/passwd", "TAR-14"),
        ("..", "TAR-14"),
        ("../x", "TAR-14"),
        ("a/../../etc", "TAR-14"),
        ("a/..", "TAR-14"),
        ("./../x", "TAR-14"),
        ("", "TAR-13"),
        (".", "TAR-13"),
        ("./", "TAR-13|TAR-25"),
        ("./.", "TAR-13"),
        ("a/", "TAR-25"),
    ]
    .into_iter()
    .map(|(name, code)| named(&format!("the name {name:?}"), of(name), Blocks(code)))
    .collect();
    for name in [
        "a/./b",
        "a//b",
        "a ",
        " a",
        "CON",
        "a:b",
        "a\\..\\b",
        "a\u{202e}gpj.exe",
        "a\nb",
        "a\u{1b}[2J",
        "ﬁ",
        "e\u{301}",
        "...",
        "-rf",
    ] {
        out.push(named(&format!("the name {name:?}"), of(name), Accepted));
    }
    out.push(named(
        "a name that is not UTF-8",
        tar(&[header(b"\xff\xfe", b'0', 0).to_vec()]),
        Blocks("TAR-15"),
    ));
    out.push(named("an overlong slash", tar(&[header(b"a\xc0\xafb", b'0', 0).to_vec()]), Blocks("TAR-15")));
    out.push(named(
        "a surrogate in a name",
        tar(&[header(b"a\xed\xa0\x80", b'0', 0).to_vec()]),
        Blocks("TAR-15"),
    ));
    out.push(named(
        "bytes behind the NUL of a name",
        tar(&[resealed(header(b"a", b'0', 0), 3, b"evil")]),
        Blocks("TAR-12"),
    ));
    out.push(named("a name of 4,096 bytes", long(&"d/".repeat(2048)[..4095]), Accepted));
    out.push(named("a name of 4,097 bytes", long(&format!("{}e", "d/".repeat(2048))), Blocks("TAR-19")));
    out.push(named("2,000 parts", long(&"d/".repeat(2000)[..3999]), Accepted));
    out.push(named("a part of 255 bytes", long(&"x".repeat(255)), Accepted));
    out.push(named("a part of 256 bytes", long(&"x".repeat(256)), Blocks("TAR-19")));
    out.push(named(
        "dots up in a prefix",
        tar(&[resealed(header(b"x", b'0', 0), 345, b"../..")]),
        Blocks("TAR-14"),
    ));
    out
}

fn whiteouts() -> Vec<Stream> {
    let mut out: Vec<Stream> = [
        ".wh.",
        "a/.wh.",
        ".wh..",
        ".wh...",
        ".wh..wh.plnk",
        ".wh..wh.aufs",
        ".wh..wh..wh.a",
        ".wh.a/b",
        "a/.wh.b/c",
    ]
    .into_iter()
    .map(|name| named(&format!("the whiteout {name:?}"), tar(&[entry(name, b"")]), Blocks("TAR-24")))
    .collect();
    out.push(named("a whiteout with content", tar(&[entry(".wh.a", b"x")]), Blocks("TAR-24")));
    out.push(named(
        "a whiteout that is a directory",
        tar(&[header(b".wh.a/", b'5', 0).to_vec()]),
        Blocks("TAR-24"),
    ));
    out.push(named(
        "a whiteout that is a link",
        tar(&[resealed(header(b".wh.a", b'2', 0), 157, b"x")]),
        Blocks("TAR-24"),
    ));
    out.push(named(
        "a whiteout that is a pipe",
        tar(&[header(b".wh.a", b'6', 0).to_vec()]),
        Blocks("TAR-24"),
    ));
    out.push(named(
        "an opaque directory behind its content",
        tar(&[entry("d/a", b"x"), entry("d/.wh..wh..opq", b"")]),
        Accepted,
    ));
    out.push(named(
        "a whiteout of what is in the same layer",
        tar(&[entry("d/a", b"x"), entry("d/.wh.a", b"")]),
        Accepted,
    ));
    out
}

fn links() -> Vec<Stream> {
    let link = |kind: u8, target: &[u8]| resealed(header(b"l", kind, 0), 157, target);
    vec![
        named("a symlink without a target", tar(&[header(b"l", b'2', 0).to_vec()]), Blocks("TAR-23")),
        named("a hard link without a target", tar(&[header(b"l", b'1', 0).to_vec()]), Blocks("TAR-23")),
        named("a hard link outside", tar(&[link(b'1', b"../etc/passwd")]), Blocks("TAR-23")),
        named("a hard link to the root", tar(&[link(b'1', b"/etc/passwd")]), Blocks("TAR-23")),
        named("a file with a link target", tar(&[link(b'0', b"x")]), Blocks("TAR-23")),
        named("a directory with a link target", tar(&[link(b'5', b"x")]), Blocks("TAR-23")),
        named("a device with a link target", tar(&[link(b'3', b"x")]), Blocks("TAR-23")),
        named("a target that is not UTF-8", tar(&[link(b'2', b"\xff")]), Blocks("TAR-15")),
        named("a symlink to itself", tar(&[link(b'2', b"l")]), Accepted),
        named(
            "a symlink to the root and a file through it",
            tar(&[link(b'2', b"/"), entry("l/etc/passwd", b"x")]),
            Unfinished("INC-11"),
        ),
        named(
            "a symlink to the directory of records and a whiteout through it",
            tar(&[resealed(header(b"l", b'2', 0), 157, b"/var/lib/dpkg"), entry("l/.wh.status", b"")]),
            Unfinished("INC-11"),
        ),
        named(
            "a hard link to a symlink to the root",
            tar(&[link(b'2', b"/"), resealed(header(b"m", b'1', 0), 157, b"l")]),
            Unfinished("INC-11"),
        ),
        named(
            "a hard link to what comes after it",
            tar(&[resealed(header(b"m", b'1', 0), 157, b"x"), entry("x", b"x")]),
            Unfinished("INC-11"),
        ),
        named(
            "the package database as a link",
            tar(&[resealed(header(b"var/lib/dpkg/status", b'2', 0), 157, b"/etc/passwd")]),
            Blocks("PKG-01"),
        ),
        named(
            "apk's database as a link",
            tar(&[resealed(header(b"lib/apk/db/installed", b'2', 0), 157, b"/proc/self/environ")]),
            Blocks("PKG-01"),
        ),
        named(
            "rpm's database as a device",
            tar(&[header(b"var/lib/rpm/Packages", b'3', 0).to_vec()]),
            Blocks("PKG-01"),
        ),
        named(
            "the package database as a hard link",
            tar(&[entry("x", b""), resealed(header(b"var/lib/dpkg/status", b'1', 0), 157, b"x")]),
            Blocks("PKG-01"),
        ),
        named(
            "a chain of 10,000 symlinks",
            tar(&(0..10_000)
                .map(|at| {
                    resealed(
                        header(format!("l{at}").as_bytes(), b'2', 0),
                        157,
                        format!("l{}", at + 1).as_bytes(),
                    )
                })
                .collect::<Vec<_>>()),
            Accepted,
        ),
    ]
}

fn ends() -> Vec<Stream> {
    let (a, evil) = (entry("a", b"x"), entry("evil", b"y"));
    let whole = tar(&[a.clone(), evil.clone()]);
    let mut out = vec![
        named("no end", a.clone(), Accepted),
        named("one zero block", [a.clone(), vec![0; 512]].concat(), Blocks("TAR-16")),
        named("a lone zero block between", tar(&[a.clone(), vec![0; 512], evil.clone()]), Blocks("TAR-16")),
        named(
            "an entry behind the end",
            [tar(std::slice::from_ref(&a)), evil.clone()].concat(),
            Blocks("TAR-17"),
        ),
        named(
            "a second archive behind",
            [tar(std::slice::from_ref(&a)), tar(&[evil])].concat(),
            Blocks("TAR-17"),
        ),
        named("a byte behind the end", [tar(std::slice::from_ref(&a)), vec![1]].concat(), Blocks("TAR-17")),
        named(
            "a byte 1 MiB behind the end",
            [tar(std::slice::from_ref(&a)), vec![0; 1 << 20], vec![1]].concat(),
            Blocks("TAR-17"),
        ),
        named("1 MiB of zeros behind the end", [tar(&[a]), vec![0; 1 << 20]].concat(), Accepted),
        named("nothing but zeros", vec![0; 1024], Accepted),
        named("nothing", Vec::new(), Blocks("TAR-16")),
    ];
    for cut in [1, 100, 511, 513, 700, 1023, 1025, 1535, 1537, 2047] {
        out.push(named(&format!("cut at byte {cut}"), whole[..cut].to_vec(), Blocks("TAR-18")));
    }
    out
}

/// Streams that are one thing to every reader, and still nothing to install.
fn harm() -> Vec<Stream> {
    let mode = |name: &[u8], bits: &[u8; 8]| resealed(header(name, b'0', 0), 100, bits);
    let attribute =
        |key: &str| tar(&[pax(b'x', &[(key, b"\x01\0\0\x02\xff\xff\xff\xff")]), entry("usr/bin/x", b"")]);
    let nested = (0..20).fold(b"innermost".to_vec(), |body, _| tar(&[entry("t.tar", &body)]));
    vec![
        named("a setuid program of no package", tar(&[mode(b"tmp/x", b"0004755\0")]), Told("CTR-32")),
        named("a setgid program of no package", tar(&[mode(b"tmp/x", b"0002755\0")]), Told("CTR-32")),
        named("a file that everybody writes", tar(&[mode(b"etc/x", b"0000777\0")]), Told("CTR-33")),
        named(
            "an account with a password",
            tar(&[entry("etc/shadow", b"root:*:19000::::::\nadmin:$6$salt$hash:19000::::::\n")]),
            Blocks("CTR-35"),
        ),
        named(
            "root without a password",
            tar(&[entry("etc/shadow", b"root::19000::::::\n")]),
            Told("CTR-35-EMPTY"),
        ),
        named(
            "a second root",
            tar(&[entry("etc/passwd", b"root:x:0:0::/:\ntoor:x:0:0::/:\n")]),
            Told("CTR-35-ROOT"),
        ),
        named(
            "a copy of accounts with a password",
            tar(&[entry("etc/shadow-", b"admin:$6$salt$hash:19000::::::\n")]),
            Told("CTR-35-LEFT"),
        ),
        named(
            "accounts in a link",
            tar(&[resealed(header(b"etc/shadow", b'2', 0), 157, b"opt/s")]),
            Told("CTR-35-LINK"),
        ),
        named(
            "accounts of 5 MiB",
            tar(&[entry("etc/shadow", &b"a:*:1\n".repeat(900_000))]),
            Blocks("INC-10"),
        ),
        named("locked accounts", tar(&[entry("etc/shadow", b"root:*:1::::::\nbin:!:1::::::\n")]), Accepted),
        named("a file capability", attribute("SCHILY.xattr.security.capability"), Told("CTR-34")),
        named(
            "an attribute of overlayfs",
            attribute("SCHILY.xattr.trusted.overlay.redirect"),
            Blocks("TAR-27"),
        ),
        named("where overlayfs copied from", attribute("SCHILY.xattr.user.overlay.origin"), Accepted),
        named(
            "opaque by fuse-overlayfs",
            attribute("SCHILY.xattr.user.fuseoverlayfs.opaque"),
            Blocks("TAR-27"),
        ),
        named("a character device 0/0", tar(&[header(b"gone", b'3', 0).to_vec()]), Blocks("TAR-27")),
        named(
            "a character device 1/3",
            tar(&[resealed(header(b"dev/null", b'3', 0), 329, b"0000001\0")]),
            Accepted,
        ),
        named(
            "a file and a directory of one name",
            tar(&[entry("a", b"x"), header(b"a/", b'5', 0).to_vec()]),
            Accepted,
        ),
        named("a tar in a tar, 20 deep", nested, Blocks("CTR-29")),
        named("names that differ in case", tar(&[entry("Readme", b"1"), entry("README", b"2")]), Accepted),
        named("100,000 empty files", tar(&[header(b"a", b'0', 0).to_vec().repeat(100_000)]), Accepted),
    ]
}
