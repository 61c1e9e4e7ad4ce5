//! Databases made here and by the programs that write them.

use super::*;
use std::path::Path;
use std::process::Command;

/// A header with the tags that are read, and one that is not.
fn header_of(name: &str, version: &str, epoch: u32, padding: usize) -> Vec<u8> {
    let mut store = Vec::new();
    let mut entries = Vec::new();
    let mut tag = |tag: u32, kind: u32, value: &[u8]| {
        for number in [tag, kind, u32::try_from(store.len()).expect("small"), 1] {
            entries.extend(number.to_be_bytes());
        }
        store.extend_from_slice(value);
    };
    let text = |text: &str| [text.as_bytes(), b"\0"].concat();
    tag(1003, 4, &epoch.to_be_bytes());
    tag(1000, 6, &text(name));
    tag(1001, 6, &text(version));
    tag(1002, 6, &text("1.el9"));
    tag(1022, 6, &text("x86_64"));
    tag(1044, 6, &text(&format!("lib{name}-{version}-1.el9.src.rpm")));
    tag(1005, 6, &[vec![b'x'; padding], vec![0]].concat());
    let count = u32::try_from(entries.len() / 16).expect("small");
    let size = u32::try_from(store.len()).expect("small");
    [count.to_be_bytes().to_vec(), size.to_be_bytes().to_vec(), entries, store].concat()
}

fn names(bytes: &[u8]) -> Vec<String> {
    parse(bytes)
        .expect("reads")
        .into_iter()
        .map(|package| format!("{} {}", package.name, package.version))
        .collect()
}

const EXPECTED: [&str; 3] = ["bash 5.1-1.el9", "kernel 5.14-1.el9", "openssl 1:3.0.7-1.el9"];

fn headers() -> [Vec<u8>; 4] {
    [
        header_of("openssl", "3.0.7", 1, 30_000),
        header_of("bash", "5.1", 0, 300),
        header_of("kernel", "5.14", 0, 2_000_000),
        header_of("gpg-pubkey", "1", 0, 0),
    ]
}

/// An ndb database.
fn ndb_of(blobs: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![0; 4096];
    out[..4].copy_from_slice(b"RpmP");
    out[12..16].copy_from_slice(&1_u32.to_le_bytes());
    for at in (32..4096).step_by(16) {
        out[at..at + 4].copy_from_slice(b"Slot");
    }
    for (number, blob) in (1_u32..).zip(blobs) {
        let at = out.len();
        let size = u32::try_from(blob.len()).expect("small");
        out.extend([b"BlbS".as_slice(), &number.to_le_bytes(), &[0; 4], &size.to_le_bytes(), blob].concat());
        let end = (out.len() + 12).next_multiple_of(16);
        out.resize(end - 4, 0);
        out.extend(b"BlbE");
        let slot = 16 + 16 * index(number);
        let (from, blocks) =
            (u32::try_from(at / 16).expect("small"), u32::try_from((end - at) / 16).expect("small"));
        out[slot + 4..slot + 8].copy_from_slice(&number.to_le_bytes());
        out[slot + 8..slot + 12].copy_from_slice(&from.to_le_bytes());
        out[slot + 12..slot + 16].copy_from_slice(&blocks.to_le_bytes());
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn run(program: &str, arguments: &[&str], input: &str) -> bool {
    use std::io::Write;
    let child = Command::new(program).args(arguments).stdin(std::process::Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        let _ =
            std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("skipped: {program} is absent\n"));
        return false;
    };
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
    assert!(child.wait().expect("it ran").success(), "{program}");
    true
}

fn sqlite_of(directory: &Path) -> Option<Vec<u8>> {
    let path = directory.join("rpmdb.sqlite");
    let mut script = "CREATE TABLE 'Name' (k TEXT, h INTEGER);\n\
                      CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL);\n"
        .to_owned();
    for blob in headers() {
        script.push_str(&format!("INSERT INTO Packages(blob) VALUES(x'{}');\n", hex(&blob)));
    }
    run("sqlite3", &[path.to_str()?], &script).then(|| std::fs::read(&path).expect("written"))
}

fn berkeley_of(directory: &Path) -> Option<Vec<u8>> {
    let path = directory.join("Packages");
    let mut script = "VERSION=3\nformat=bytevalue\ntype=hash\ndb_pagesize=4096\nHEADER=END\n".to_owned();
    script.push_str(" 00000000\n 05000000\n");
    for (at, blob) in headers().iter().enumerate() {
        script.push_str(&format!(" {:02x}000000\n {}\n", at + 1, hex(blob)));
    }
    script.push_str("DATA=END\n");
    run("db_load", &[path.to_str()?], &script).then(|| std::fs::read(&path).expect("written"))
}

#[test]
fn the_three_forms_give_the_same_packages() {
    let directory = tempfile::tempdir().expect("a directory");
    assert_eq!(names(&ndb_of(&headers())), EXPECTED);
    for bytes in [sqlite_of(directory.path()), berkeley_of(directory.path())].into_iter().flatten() {
        assert_eq!(names(&bytes), EXPECTED);
    }
    let packages = parse(&ndb_of(&headers())).expect("reads");
    assert_eq!(
        (packages[2].source.as_str(), packages[2].source_version.as_str()),
        ("libopenssl", "1:3.0.7-1.el9")
    );
    assert_eq!(parse(b"").expect("nothing"), []);
    assert!(matches!(parse(b"something else"), Err(Refusal::Unreadable(_))));
}

#[test]
fn damage_is_refused_in_bounded_time_and_never_panics() {
    let directory = tempfile::tempdir().expect("a directory");
    let small = [header_of("bash", "5.1", 0, 300), header_of("zlib", "1", 0, 9000)];
    let made = [Some(ndb_of(&small)), sqlite_of(directory.path()), berkeley_of(directory.path())];
    for bytes in made.into_iter().flatten() {
        for at in (0..bytes.len().min(9000)).step_by(7) {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = value;
                let _ = (parse(&changed), parse_records(&changed));
            }
        }
        for length in (0..bytes.len().min(40_000)).step_by(997) {
            assert!(parse(&bytes[..length]).is_err() || length == 0, "cut at {length}");
        }
    }
}

#[test]
fn a_chain_that_goes_in_circles_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(mut bytes) = berkeley_of(directory.path()) else { return };
    for page in 1..bytes.len() / 4096 {
        let at = page * 4096;
        if bytes[at + 25] == 7 && bytes[at + 16..at + 20] != [0; 4] {
            let own = u32::try_from(page).expect("small").to_le_bytes();
            bytes[at + 16..at + 20].copy_from_slice(&own);
            break;
        }
    }
    assert!(matches!(parse(&bytes), Err(Refusal::Broken(why)) if why.contains("twice")));
}

/// A package made by the usual program, registered in a database of a kind.
fn registered(directory: &Path, backend: &str, file: &str) -> Option<Vec<u8>> {
    let spec = directory.join("tool.spec");
    let text = "Name: tool\nEpoch: 2\nVersion: 1.2.3\nRelease: 4\nSummary: x\nLicense: MIT\nBuildArch: noarch\n\
                %description\nx\n%install\nmkdir -p %{buildroot}/usr/bin %{buildroot}/etc\n\
                printf program > %{buildroot}/usr/bin/tool\nln -s tool %{buildroot}/usr/bin/link\n\
                printf x > %{buildroot}/etc/tool.conf\n%files\n/usr/bin/*\n%config /etc/tool.conf\n";
    std::fs::write(&spec, text).expect("written");
    let (top, database) = (directory.join("top"), directory.join(backend));
    let define = |name: &str, value: &str| format!("{name} {value}");
    let top = define("_topdir", top.to_str()?);
    if !run("rpmbuild", &["--quiet", "-bb", "--define", &top, spec.to_str()?], "") {
        return None;
    }
    let package = directory.join("top/RPMS/noarch/tool-1.2.3-4.noarch.rpm");
    let path = database.to_str()?;
    let backend = define("_db_backend", backend);
    let install = ["-i", "--justdb", "--nodeps", "--nosignature", "--force-debian", package.to_str()?];
    let common = ["--dbpath", path, "--define", &backend];
    run("rpm", &[&common[..], &["--initdb"]].concat(), "");
    run("rpm", &[&common[..], &install[..]].concat(), "");
    Some(std::fs::read(database.join(file)).expect("written"))
}

#[test]
fn a_database_that_rpm_itself_wrote_is_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(bytes) = registered(directory.path(), "sqlite", "rpmdb.sqlite") else { return };
    assert_eq!(names(&bytes), ["tool 2:1.2.3-4"]);
    // Of configuration the digest says nothing, and links have none.
    let records = parse_records(&bytes).expect("reads");
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!((record.name.as_str(), record.licence.as_str()), ("tool", "MIT"));
    let program = "1310ca2c8932dbd118668bd97442558a3e1f546b5e15c69699dfbd6024f548d8";
    let files: Vec<(&str, &str)> =
        record.files.iter().map(|(path, digest)| (path.as_str(), digest.as_str())).collect();
    assert_eq!(files, [("etc/tool.conf", ""), ("usr/bin/tool", program)]);
}
