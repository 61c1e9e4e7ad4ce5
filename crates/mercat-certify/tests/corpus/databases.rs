//! H: package databases, and what says which distribution an image is.

use super::Case;
use super::Expect::{self, Accepted, Blocks, Told};
use super::bytes::{entry, noise, tar, with};
use super::image::{Image, TAR};

fn image(name: impl Into<String>, path: &str, content: &[u8], expect: Expect) -> Case {
    Case::image('H', name, Image::of_file(path, content), expect)
}

pub(super) fn cases() -> Vec<Case> {
    let mut out = texts();
    out.extend(rpm());
    out.extend(layers());
    out
}

const STATUS: &str = "var/lib/dpkg/status";
const APK: &str = "lib/apk/db/installed";

fn texts() -> Vec<Case> {
    let many = "Package: p\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\n";
    let stanzas: String = (0..50_000).map(|at| many.replace("p\n", &format!("p{at}\n"))).collect();
    vec![
        image("dpkg: nonsense", STATUS, b"Package: a\nnonsense\n", Blocks("PKG-05")),
        image("dpkg: noise", STATUS, &noise(3000, 21), Blocks("PKG-05")),
        image("dpkg: a gzip", STATUS, &super::bytes::gzip(many.as_bytes()), Blocks("PKG-05")),
        image("dpkg: one line of 1 MiB", STATUS, &vec![b'x'; 1 << 20], Blocks("PKG-05")),
        image(
            "dpkg: cut inside a field's name",
            STATUS,
            b"Package: a\nVersion: 1\n\nPacka",
            Blocks("PKG-05"),
        ),
        image(
            "dpkg: UTF-16",
            STATUS,
            &many.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(),
            Blocks("PKG-05|INC-0"),
        ),
        image("dpkg: 50,000 packages of no known distribution", STATUS, stanzas.as_bytes(), Blocks("PKG-05")),
        image(
            "dpkg: a version of 100,000 digits",
            STATUS,
            many.replace(": 1\n", &format!(": {}\n", "9".repeat(100_000))).as_bytes(),
            Blocks("INC-0|PKG-05"),
        ),
        image(
            "dpkg: a file of status.d that is broken",
            "var/lib/dpkg/status.d/x",
            b"nonsense\n",
            Blocks("PKG-05"),
        ),
        image("apk: a dpkg database", APK, many.as_bytes(), Blocks("PKG-05")),
        image("apk: a field of two letters", APK, b"P:musl\nVV:1\n", Blocks("PKG-05")),
        image("apk: no colon", APK, b"P:musl\nV1\n", Blocks("PKG-05")),
        image("apk: dots up in a file's name", APK, b"P:a\nV:1\nF:../../etc\nR:passwd\n", Blocks("INC-0")),
        image("apk: noise", APK, &noise(3000, 22), Blocks("PKG-05")),
        image("os-release: noise", "etc/os-release", &noise(3000, 23), Accepted),
        image("os-release: 1 MiB of one line", "etc/os-release", &vec![b'='; 1 << 20], Blocks("PKG-05")),
        image("dpkg: 40 MB of one line", STATUS, &vec![b'='; 40_000_000], Blocks("PKG-05")),
    ]
}

/// An ndb database with one package.
fn ndb() -> Vec<u8> {
    let mut store = Vec::new();
    let mut entries = Vec::new();
    for (tag, value) in [(1000_u32, "openssl"), (1001, "3.0.7"), (1002, "1"), (1022, "x86_64")] {
        [tag, 6, store.len() as u32, 1].iter().for_each(|number| entries.extend(number.to_be_bytes()));
        store.extend(value.bytes().chain([0]));
    }
    let header = [&4_u32.to_be_bytes()[..], &(store.len() as u32).to_be_bytes(), &entries, &store].concat();
    let mut out = vec![0; 4096];
    out[..4].copy_from_slice(b"RpmP");
    out[12] = 1;
    (32..4096).step_by(16).for_each(|at| out[at..at + 4].copy_from_slice(b"Slot"));
    out.extend(
        [&b"BlbS"[..], &1_u32.to_le_bytes(), &[0; 4], &(header.len() as u32).to_le_bytes(), &header].concat(),
    );
    let end = (out.len() + 12).next_multiple_of(16);
    out.resize(end - 4, 0);
    out.extend(b"BlbE");
    out[36] = 1;
    out[40..44].copy_from_slice(&256_u32.to_le_bytes());
    out[44..48].copy_from_slice(&(((end - 4096) / 16) as u32).to_le_bytes());
    out
}

fn rpm() -> Vec<Case> {
    const NDB: &str = "usr/lib/sysimage/rpm/Packages.db";
    let good = ndb();
    let header = 4096 + 16;
    let mut out = vec![image("rpm: a right ndb of no known distribution", NDB, &good, Blocks("INC-0"))];
    for (name, bytes) in [
        ("cut inside the slots", good[..1000].to_vec()),
        ("cut inside a package", good[..good.len() - 20].to_vec()),
        ("only a magic", b"RpmP".to_vec()),
        ("an unknown version", with(&good, 4, &[9])),
        ("no pages", with(&good, 12, &[0; 4])),
        ("2^32 pages", with(&good, 12, &[0xff; 4])),
        ("a slot without magic", with(&good, 48, b"slot")),
        ("a blob behind the end", with(&good, 40, &[0xff; 4])),
        ("a blob of 64 GiB", with(&good, 44, &[0xff; 4])),
        ("a blob of another number", with(&good, 4096 + 4, &[7])),
        ("a blob without its end", with(&good, good.len() - 4, b"xxxx")),
        ("2^32 tags", with(&good, header, &[0xff; 4])),
        ("a store of 4 GiB", with(&good, header + 4, &[0xff; 4])),
        ("a text behind the store", with(&good, header + 8 + 8, &[0xff; 4])),
        ("a name that is a number", with(&good, header + 8 + 7, &[4])),
        ("two slots for one blob", with(&good, 48, &with(&good[32..48], 4, &[1]))),
    ] {
        out.push(image(format!("rpm ndb: {name}"), NDB, &bytes, Blocks("PKG-05|INC-08")));
    }
    // Berkeley DB: magic of a hash at 12, page size at 20, type at 25, last page at 32.
    let mut berkeley = vec![0; 4 * 4096];
    berkeley[12..16].copy_from_slice(&0x0006_1561_u32.to_le_bytes());
    berkeley[20..24].copy_from_slice(&4096_u32.to_le_bytes());
    (berkeley[25], berkeley[32]) = (8, 3);
    berkeley[4096 + 25] = 13;
    berkeley[4096 + 20] = 2;
    berkeley[4096 + 26..4096 + 30].copy_from_slice(&[0xfc, 0x0f, 0xf0, 0x0f]);
    let value = 4096 + 0xff0;
    berkeley[value] = 3;
    (berkeley[value + 4], berkeley[value + 9]) = (2, 0x10);
    (berkeley[2 * 4096 + 25], berkeley[2 * 4096 + 16]) = (7, 2);
    for (name, bytes) in [
        ("an overflow chain in a circle", berkeley.clone()),
        ("an overflow page that is none", with(&berkeley, 2 * 4096 + 25, &[1])),
        ("an overflow page behind the end", with(&berkeley, value + 4, &[0xff; 4])),
        ("a value of 4 GiB", with(&berkeley, value + 8, &[0xff; 4])),
        ("entries out of order", with(&berkeley, 4096 + 28, &[0xff, 0x0f])),
        ("65,535 entries", with(&berkeley, 4096 + 20, &[0xff, 0xff])),
        ("pages of 3 bytes", with(&berkeley, 20, &[3, 0, 0, 0])),
        ("pages of 4 GiB", with(&berkeley, 20, &[0xff; 4])),
        ("2^32 pages", with(&berkeley, 32, &[0xff; 4])),
        ("encryption", with(&berkeley, 24, &[1])),
        ("a tree", with(&berkeley, 25, &[9])),
        ("noise", noise(9000, 24)),
    ] {
        out.push(image(
            format!("rpm Berkeley DB: {name}"),
            "var/lib/rpm/Packages",
            &bytes,
            Blocks("PKG-05|INC-08"),
        ));
    }
    // SQLite: page size at 16, encodings and versions at 18, pages at 28, the schema's tree from 100.
    let mut sqlite = vec![0; 2 * 4096];
    sqlite[..16].copy_from_slice(b"SQLite format 3\0");
    sqlite[16] = 0x10;
    sqlite[18..24].copy_from_slice(&[1, 1, 0, 64, 32, 32]);
    (sqlite[31], sqlite[47], sqlite[59], sqlite[100]) = (2, 4, 1, 13);
    for (name, bytes) in [
        ("no table of packages", sqlite.clone()),
        ("cut inside its header", sqlite[..60].to_vec()),
        ("cut to one page", sqlite[..4096].to_vec()),
        ("pages of 1 byte", with(&sqlite, 16, &[0, 0])),
        ("pages of 3 bytes", with(&sqlite, 16, &[0, 3])),
        ("an unknown kind of page", with(&sqlite, 100, &[99])),
        ("65,535 cells", with(&sqlite, 103, &[0xff, 0xff])),
        ("a tree that leads to itself", with(&with(&sqlite, 100, &[5]), 108, &[0, 0, 0, 1])),
        ("a tree behind the end", with(&with(&sqlite, 100, &[5]), 108, &[0xff; 4])),
        ("a cell behind the page", with(&with(&sqlite, 103, &[0, 1]), 108, &[0xff, 0xff])),
    ] {
        out.push(image(
            format!("rpm SQLite: {name}"),
            "var/lib/rpm/rpmdb.sqlite",
            &bytes,
            Blocks("PKG-05|INC-08"),
        ));
    }
    let wal = tar(&[
        entry("var/lib/rpm/rpmdb.sqlite", &sqlite),
        entry("var/lib/rpm/rpmdb.sqlite-wal", &noise(4128, 25)),
    ]);
    out.push(Case::image('H', "rpm SQLite: a log beside it", Image::of_tar(&wal), Blocks("INC-08")));
    out
}

/// A database that is hidden, removed, emptied, or of another distribution than the image says.
fn layers() -> Vec<Case> {
    let status = b"Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\n";
    let gone = b"Package: a\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: amd64\n\n";
    let base = tar(&[entry(STATUS, status), entry("etc/os-release", b"ID=debian\nVERSION_ID=\"12\"\n")]);
    let of = |upper: Vec<u8>| Image::of_layers(&[(TAR, base.clone(), &base), (TAR, upper.clone(), &upper)]);
    let lies = |text: &str| tar(&[entry(STATUS, status), entry("etc/os-release", text.as_bytes())]);
    [
        ("a database that is whited out", of(tar(&[entry("var/lib/dpkg/.wh.status", b"")])), "PKG-02"),
        ("a database whose directory is whited out", of(tar(&[entry("var/lib/.wh.dpkg", b"")])), "PKG-02"),
        (
            "a database under an opaque directory",
            of(tar(&[entry("var/lib/dpkg/.wh..wh..opq", b"")])),
            "PKG-02",
        ),
        ("a database under an opaque root", of(tar(&[entry(".wh..wh..opq", b"")])), "PKG-02"),
        ("a database that is emptied", of(tar(&[entry(STATUS, b"")])), "PKG-02"),
        ("a database of blanks", of(tar(&[entry(STATUS, b"\n\n \n")])), "PKG-02"),
        ("a database whose packages are all called removed", of(tar(&[entry(STATUS, gone)])), "PKG-02"),
        ("Alpine with dpkg's packages", Image::of_tar(&lies("ID=alpine\nVERSION_ID=3.20.1\n")), "PKG-03"),
        ("Fedora with dpkg's packages", Image::of_tar(&lies("ID=fedora\nVERSION_ID=41\n")), "PKG-03"),
        ("openSUSE with dpkg's packages", Image::of_tar(&lies("ID=\"opensuse-leap\"\n")), "PKG-03"),
    ]
    .into_iter()
    .map(|(name, image, rule)| Case::image('H', name, image, Told(rule)))
    .collect()
}
