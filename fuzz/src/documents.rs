//! Documents, databases and files of packages, advisories and signatures.

use mercat_advisories as advisories;
use mercat_artifact::{json, oci, pkgdb};
use mercat_eligibility::{Eligibility, PolicyFile};
use mercat_inventory::Reader;
use mercat_secrets::Writing;
use std::sync::{Arc, OnceLock};

/// JSON that has one reading.
pub fn strict_json(data: &[u8]) {
    let _ = json::parse(data);
}

/// Manifests and indexes.
pub fn manifest(data: &[u8]) {
    let _ = oci::parse_manifest(data, None);
}

/// Image configs.
pub fn config(data: &[u8]) {
    let _ = oci::parse_config(data);
}

/// Create options of IoT Edge modules.
pub fn create_options(data: &[u8]) {
    let _ = mercat_artifact::create_options::powers(&String::from_utf8_lossy(data));
}

/// Packets that an image under test sends, each behind its length in two bytes.
pub fn packets(data: &[u8]) {
    let mut ear = mercat_boot::start::Ear::default();
    let mut rest = data;
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(behind.len());
        let (packet, behind) = behind.split_at(length);
        if let Some(said) = ear.hear(packet) {
            assert!(said.chars().all(|letter| letter.is_ascii_graphic() || letter == ' '), "{said:?}");
        }
        rest = behind;
    }
}

/// References to images.
pub fn reference(data: &[u8]) {
    let _ = oci::reference::parse(&String::from_utf8_lossy(data));
}

/// dpkg's status file.
pub fn dpkg(data: &[u8]) {
    let _ = pkgdb::parse_dpkg(&String::from_utf8_lossy(data));
}

/// apk's database.
pub fn apk(data: &[u8]) {
    let _ = pkgdb::parse_apk(&String::from_utf8_lossy(data));
}

/// `os-release`.
pub fn os_release(data: &[u8]) {
    let _ = pkgdb::parse_os_release(&String::from_utf8_lossy(data));
}

/// rpm's databases.
pub fn rpm_database(data: &[u8]) {
    let _ = pkgdb::rpm::parse(data);
    let _ = pkgdb::rpm::parse_records(data);
}

/// A file of a package manager, language or compiler.
pub fn inventory(reader: Reader, path: &str, data: &[u8]) {
    if reader == Reader::Program {
        let _ = mercat_inventory::Start::of(data);
    }
    if let Ok(found) = mercat_inventory::read(reader, path, data) {
        found.iter().for_each(|component| {
            let _ = component.purl();
        });
    }
}

/// The readers that one target tries in turn, chosen by the first byte.
pub fn small_inventories(data: &[u8]) {
    const READERS: [(Reader, &str); 18] = [
        (Reader::PythonMetadata, "x-1.dist-info/METADATA"),
        (Reader::PomProperties, "META-INF/maven/a/b/pom.properties"),
        (Reader::Pom, "META-INF/maven/a/b/pom.xml"),
        (Reader::JarName, "a/b-1.2.jar"),
        (Reader::Gemspec, "specifications/a-1.gemspec"),
        (Reader::GemfileLock, "Gemfile.lock"),
        (Reader::NodePackage, "package.json"),
        (Reader::JarManifest, "META-INF/MANIFEST.MF"),
        (Reader::CargoLock, "Cargo.lock"),
        (Reader::PythonLock, "uv.lock"),
        (Reader::PipfileLock, "Pipfile.lock"),
        (Reader::NugetLock, "packages.lock.json"),
        (Reader::MixLock, "mix.lock"),
        (Reader::RDescription, "library/a/DESCRIPTION"),
        (Reader::ErlangApp, "a/ebin/a.app"),
        (Reader::CondaRecord, "conda-meta/a.json"),
        (Reader::RebarLock, "rebar.lock"),
        (Reader::RenvLock, "renv.lock"),
    ];
    let Some((choice, body)) = data.split_first() else { return };
    let (reader, path) = READERS[usize::from(*choice) % READERS.len()];
    inventory(reader, path, body);
    let _ = mercat_inventory::reader_of(&String::from_utf8_lossy(body), body);
}

/// An OSV record, as JSON and as YAML.
pub fn osv(data: &[u8]) {
    let _ = advisories::osv::read_json(data);
    let _ = advisories::osv::read_yaml(data);
}

/// OpenVEX and CycloneDX statements.
pub fn vex(data: &[u8]) {
    let _ = advisories::vex::read(data).map(|all| all.iter().for_each(|one| drop(one.text())));
}

/// Policies of eligibility. What is taken also judges a document, within a time of its own.
pub fn policies(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let file = PolicyFile { name: "a.rego".to_owned(), text: text.to_owned() };
    if let Ok(policy) = Eligibility::load(&[file]) {
        let _ = policy.judge(r#"{"schema": "x", "findings": [{"rule": "CTR-24"}]}"#, None);
    }
}

/// KEV and EPSS.
pub fn signals(mut data: &[u8]) {
    let _ = advisories::read_kev(data);
    let _ = advisories::read_epss(&mut data);
}

/// Versions of every ecosystem, compared.
pub fn versions(data: &[u8]) {
    const ECOSYSTEMS: [&str; 13] = [
        "Debian:12",
        "Alpine:v3.20",
        "AlmaLinux:9",
        "npm",
        "PyPI",
        "Maven",
        "Go",
        "crates.io",
        "RubyGems",
        "NuGet",
        "Packagist",
        "Hex",
        "CRAN",
    ];
    let text = String::from_utf8_lossy(data);
    let (one, other) = text.split_once('\n').unwrap_or((&text, ""));
    for ecosystem in ECOSYSTEMS {
        let Some(scheme) = advisories::versions::Scheme::of(ecosystem) else { continue };
        let (there, back) = (scheme.compare(one, other), scheme.compare(other, one));
        if let (Ok(there), Ok(back)) = (there, back) {
            assert_eq!(there, back.reverse(), "{ecosystem}: {one:?} and {other:?}");
        }
    }
}

/// A snapshot of advisories with some bytes changed: pairs of a place and a byte.
pub fn snapshot(data: &[u8]) {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    let whole = WHOLE.get_or_init(|| {
        let mut content = advisories::Content::default();
        let record = br#"{"id":"A-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Debian:12","name":"p"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1"}]}]}]}"#;
        let records = advisories::osv::read_json(record).into_iter().collect();
        content.add(advisories::Batch { records, ..Default::default() }, false, advisories::Import::default());
        let mut out = Vec::new();
        content.write(&mut out).expect("memory");
        out
    });
    let mut bytes = whole.clone();
    for change in data.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] = change[2];
    }
    open_snapshot(bytes);
    open_snapshot(data.to_vec());
}

fn open_snapshot(bytes: Vec<u8>) {
    let Ok(snapshot) = advisories::Snapshot::open(Arc::new(bytes), None) else { return };
    let _ = snapshot.package("Debian:12", "p");
    let _ = advisories::Content::of(&snapshot);
    let _ = snapshot.verify();
}

/// Signatures, compiled and searched for in their own text.
pub fn signature_lines(data: &[u8]) {
    let mut builder = mercat_signatures::Builder::default();
    String::from_utf8_lossy(data).lines().take(64).for_each(|line| builder.line(line));
    let compiled = builder.compile();
    let bodies = mercat_signatures::Bodies::read(compiled.bodies).expect("what was compiled here reads");
    let _ = bodies.scan(mercat_signatures::FileKind::Any, 0, data, |_| {});
}

/// A file of compiled signatures with some bytes changed, as [`snapshot`].
pub fn signature_pack(data: &[u8]) {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    let whole = WHOLE.get_or_init(|| {
        let mut builder = mercat_signatures::Builder::default();
        builder.line("One=61626364??6566");
        builder.line("Two:1:0,100:4d5a*50450000");
        mercat_signatures::pack("about", &builder.compile())
    });
    let mut bytes = whole.clone();
    // Most of a pack are tables of numbers; the patterns stand in front of them.
    for change in data.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] = change[2];
    }
    let Ok(pack) = mercat_signatures::Pack::open(Arc::new(bytes)) else { return };
    if let Ok(bodies) = mercat_signatures::whole(&*pack.bodies).and_then(mercat_signatures::Bodies::read) {
        let _ = bodies.scan(mercat_signatures::FileKind::Any, 0, data, |_| {});
    }
    for source in pack.tables {
        if let Ok(table) = mercat_signatures::Hashes::open(source) {
            let _ = table.find(&[7; 32], 7);
        }
    }
    let _ = mercat_signatures::Bodies::read(data.to_vec());
}

/// Credentials.
pub fn secrets(data: &[u8]) {
    static RULES: OnceLock<mercat_secrets::Rules> = OnceLock::new();
    let rules = RULES.get_or_init(mercat_secrets::Rules::load);
    for writing in [Writing::Other, Writing::Settings, Writing::Program] {
        rules.scan_file(data, writing, |_| {});
    }
}
