use super::whole::{Listing, Part, Whole, whole};
use super::{Files, Named, PRIVILEGED_MAX, PROGRAMS_MAX, Program, WRITABLE_MAX};
use crate::advisories::Advisories;
use crate::facts::{LayerFacts, scan_layer};
use crate::{Extra, Knowledge};
use md5::Md5;
use mercat_artifact::oci::Compression;
use mercat_domain::finding::{Finding, Place, Severity};
use sha2::Digest as _;

/// A tar of entries: path, type, mode, content; of links the target.
pub(crate) fn tar(entries: &[(&str, u8, u32, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, kind, mode, bytes) in entries {
        let mut header = vec![0; 512];
        let bytes: &[u8] = if matches!(kind, b'1' | b'2') {
            header[157..157 + bytes.len()].copy_from_slice(bytes);
            b""
        } else {
            bytes
        };
        header[..path.len()].copy_from_slice(path.as_bytes());
        header[100..107].copy_from_slice(format!("{mode:07o}").as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
        header[156] = *kind;
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        out.extend(header);
        out.extend_from_slice(bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("begins");
        zip.write_all(bytes).expect("written");
    }
    zip.finish().expect("ends").into_inner()
}

pub(crate) fn knowledge() -> Knowledge {
    let knowledge = Knowledge::load(&Extra::default(), Advisories::default());
    knowledge.unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn facts_of(layer: &[u8]) -> LayerFacts {
    facts_with(&knowledge(), layer)
}

pub(crate) fn facts_with(knowledge: &Knowledge, layer: &[u8]) -> LayerFacts {
    let facts = scan_layer(&mut &layer[..], Some(Compression::None), knowledge).expect("reads");
    // Facts are kept as text; what comes back must be the same.
    let kept = serde_json::to_string(&facts).expect("serialises");
    assert_eq!(serde_json::from_str::<LayerFacts>(&kept).expect("reads back"), facts);
    facts
}

fn layer(facts: &LayerFacts) -> Part<'_> {
    Part {
        place: "layer",
        mount: String::new(),
        hides: true,
        files: &facts.told,
        removed: &facts.removed,
        opaque: &facts.opaque,
    }
}

pub(crate) fn of_layers(layers: &[Vec<u8>]) -> Whole {
    let facts: Vec<LayerFacts> = layers.iter().map(|layer| facts_of(layer)).collect();
    for facts in &facts {
        assert!(
            facts.notes.is_empty() && facts.captured.is_empty(),
            "{:?} {:?}",
            facts.notes,
            facts.captured
        );
    }
    whole(&facts.iter().map(layer).collect::<Vec<_>>(), &|package| match package {
        "nopkg" => Listing::Nowhere,
        "wasthere" => Listing::Below,
        _ => Listing::Here,
    })
}

pub(crate) fn purls(whole: &Whole) -> Vec<String> {
    let mut out: Vec<String> = whole.components.iter().map(|c| format!("{} {}", c.purl(), c.path)).collect();
    out.sort();
    out
}

pub(crate) fn rules(whole: &Whole) -> Vec<String> {
    whole.findings.iter().map(|finding| format!("{} {}", finding.rule, finding.place.path)).collect()
}

pub(crate) const FILE: u8 = b'0';
const DIRECTORY: u8 = b'5';
pub(crate) const MODULE: &[u8] = br#"{"name":"left-pad","version":"1.3.0","license":"WTFPL"}"#;

#[test]
fn where_the_classes_of_a_jar_are_is_known_at_every_depth() {
    let beans = zip(&[("org/springframework/beans/Bean.class", b"x"), ("notice.txt", b"x")]);
    let app = zip(&[
        ("org/springframework/boot/loader/Launcher.class", b"x"),
        ("BOOT-INF/classes/shop/acme/Main.class", b"x"),
        ("BOOT-INF/lib/spring-beans-5.3.17.jar", &beans),
    ]);
    let found = of_layers(&[tar(&[("opt/app.jar", FILE, 0o644, &app)])]);
    let told = found.components.iter().map(|c| format!("{} {} {}", c.name, c.version, c.roots.join(" ")));
    assert_eq!(told.collect::<Vec<_>>(), ["app  shop.acme", "spring-beans 5.3.17 org.springframework.beans"]);
}

#[test]
fn packages_are_found_at_every_depth_and_gone_when_their_file_is() {
    let pom = b"groupId=org.g\nartifactId=inner\nversion=2.0\n";
    let jar = zip(&[("META-INF/maven/org.g/inner/pom.properties", pom), ("org/g/A.class", b"x")]);
    let war =
        zip(&[("WEB-INF/lib/inner-2.0.jar", &jar), ("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\n")]);
    let python = "usr/lib/python3/site-packages/six-1.dist-info/METADATA";
    let first = tar(&[
        ("app/node_modules/left-pad/package.json", FILE, 0o644, MODULE),
        ("opt/app-3.1.war", FILE, 0o644, &war),
        (python, FILE, 0o644, b"Name: six\nVersion: 1.0\n"),
    ]);
    let found = of_layers(std::slice::from_ref(&first));
    assert_eq!(
        purls(&found),
        [
            "pkg:maven/app@3.1 opt/app-3.1.war",
            "pkg:maven/org.g/inner@2.0 opt/app-3.1.war!/WEB-INF/lib/inner-2.0.jar!/META-INF/maven/org.g/inner/pom.properties",
            "pkg:npm/left-pad@1.3.0 app/node_modules/left-pad/package.json",
            &format!("pkg:pypi/six@1.0 {python}"),
        ]
    );
    let second = tar(&[
        ("app/node_modules/.wh.left-pad", FILE, 0o644, b""),
        ("opt/app-3.1.war", FILE, 0o644, b"gone"),
    ]);
    // A file where a directory was takes away what was in it.
    let third = tar(&[("usr/lib/python3", FILE, 0o644, b"now a file")]);
    let found = of_layers(&[first, second, third]);
    assert_eq!(purls(&found), [""; 0]);
    let removed: Vec<String> = found.removed.iter().map(|c| c.purl()).collect();
    assert_eq!(removed, ["pkg:npm/left-pad@1.3.0"]);
}

#[test]
fn programs_are_measured_against_their_package() {
    let md5: String = Md5::digest(b"\x7fELF right").iter().map(|byte| format!("{byte:02x}")).collect();
    let sums = format!("{md5}  usr/bin/tool\n{md5}  usr/bin/other\n");
    let base = tar(&[
        ("usr/bin/tool", FILE, 0o755, b"\x7fELF right"),
        ("usr/bin/other", FILE, 0o755, b"\x7fELF right"),
        ("usr/local/bin/own", FILE, 0o755, b"#!/bin/sh\n"),
        ("var/lib/dpkg/info/tool.list", FILE, 0o644, b"/.\n/usr\n/bin/tool\n/usr/bin/other\n"),
        ("var/lib/dpkg/info/tool.md5sums", FILE, 0o644, sums.as_bytes()),
        ("var/lib/dpkg/info/tool.postinst", FILE, 0o755, b"#!/bin/sh\n"),
    ]);
    let found = of_layers(std::slice::from_ref(&base));
    assert_eq!(rules(&found), [""; 0]);
    let names: Vec<&str> = found.unpackaged.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(names, ["usr/local/bin/own"]);
    let above = tar(&[("usr/bin/tool", FILE, 0o755, b"\x7fELF wrong")]);
    let found = of_layers(&[base.clone(), above]);
    assert_eq!(rules(&found), ["PKG-06 usr/bin/tool"]);
    assert_eq!(found.findings[0].place.package, "tool");
    let diverted = tar(&[
        ("usr/bin/tool", FILE, 0o755, b"\x7fELF wrong"),
        ("var/lib/dpkg/diversions", FILE, 0o644, b"/usr/bin/tool\n/usr/bin/tool.real\nother\n"),
    ]);
    assert_eq!(rules(&of_layers(&[base, diverted])), [""; 0], "somebody diverted it");
}

#[test]
fn keys_in_programs_of_packages_are_one_finding_and_others_stay() {
    let md5: String = Md5::digest(b"\x7fELF right").iter().map(|byte| format!("{byte:02x}")).collect();
    let sums = format!("{md5}  usr/bin/tool\n{md5}  usr/bin/changed\n");
    let base = tar(&[
        ("usr/bin/tool", FILE, 0o755, b"\x7fELF right"),
        ("usr/bin/changed", FILE, 0o755, b"\x7fELF wrong"),
        ("usr/bin/own", FILE, 0o755, b"\x7fELF right"),
        ("var/lib/dpkg/info/tool.md5sums", FILE, 0o644, sums.as_bytes()),
    ]);
    let found = of_layers(&[base]);
    let right = crate::digest_of(b"\x7fELF right").to_string();
    let key = |rule: &str, layer: &str, path: &str, observed: &str| {
        let file = right.clone();
        let place = Place { layer: layer.to_owned(), path: path.to_owned(), file, ..Place::default() };
        Finding {
            rule: rule.to_owned(),
            severity: Severity::Error,
            place,
            observed: observed.to_owned(),
            required: String::new(),
            fix: String::new(),
        }
    };
    let mut other_file = key("CTR-21-ELF", "layer", "usr/bin/tool", "private key: of two files of this path");
    other_file.place.file = String::new();
    let others = [
        key("CTR-21-ELF", "layer", "", "more than 100 of these in this layer"),
        key("CTR-21-ELF", "layer", "usr/bin/changed", "private key"),
        key("CTR-21-ELF", "layer", "usr/bin/own", "private key"),
        key("CTR-21-ELF", "layer", "usr/bin/tool!/x", "private key"),
        key("CTR-21-ELF", "lower", "usr/bin/tool", "private key"),
        other_file,
    ];
    let mut of_tool = key("CTR-21-ELF", "layer", "usr/bin/tool", "private key: first");
    let keys = [of_tool.clone(), key("CTR-21-ELF", "layer", "usr/bin/tool", "private key: second")];
    let left = |of_distribution: &dyn Fn(&str) -> bool| {
        let mut findings = [&keys[1..], &others, &keys[..1]].concat();
        findings.sort();
        found.keys_of_packages(&mut findings, of_distribution);
        findings.retain(|finding| !others.contains(finding));
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings.remove(0)
    };
    of_tool.observed = "private key: first, and 1 more in it".to_owned();
    assert_eq!(left(&|_| false), of_tool, "a package that nobody else has");
    let told = left(&|package| package == "tool");
    assert_eq!((&*told.rule, &*told.place.package), ("CTR-21-PKG", "tool"));
    assert_eq!(told.observed, "private key: first, and 1 more in it, as the package tool installed it");
}

#[test]
fn credentials_in_files_of_packages_are_the_packages() {
    let text = [&b"see "[..], &mercat_secrets::control(), b"\n"].concat();
    let packed = {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut out, &text).and_then(|()| out.finish()).expect("packed")
    };
    let sum = |bytes: &[u8]| Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (of_text, of_packed) = (sum(&text), sum(&packed));
    let sums: String = [
        ("usr/share/doc/tool/manual", &of_text),
        ("usr/share/doc/tool/changed", &of_packed),
        ("usr/share/doc/tool/zchangelog.gz", &of_packed),
        ("usr/share/doc/tool/zother.gz", &of_packed),
        ("usr/lib/python3/x.py", &of_text),
        ("usr/lib/python-tool/x.py", &of_text),
        ("usr/share/doc/tool/.ssh/key", &of_text),
        ("opt/tool/key", &of_text),
        ("usr/lib/tool/key", &of_text),
    ]
    .map(|(path, sum)| format!("{sum}  {path}\n"))
    .concat();
    let named = format!("opt/AKIA{}", "Z7QX4M2LT9WB3KDE");
    let facts = facts_of(&tar(&[
        // What is in the name of one file is not in the next.
        (&named, FILE, 0o644, b"x"),
        ("usr/share/doc/tool/manual", FILE, 0o644, &text),
        ("usr/share/doc/tool/changed", FILE, 0o644, &text),
        ("usr/share/doc/tool/own", FILE, 0o644, &text),
        ("usr/share/doc/tool/zchangelog.gz", FILE, 0o644, &packed),
        ("usr/share/doc/tool/zother.gz", FILE, 0o644, &packed),
        ("usr/lib/python3/x.py", FILE, 0o644, &text),
        ("usr/lib/python-tool/x.py", FILE, 0o644, &text),
        ("usr/share/doc/tool/.ssh/key", FILE, 0o644, &text),
        // No archive, whatever it is called.
        ("usr/lib/python3/x.py!/key", FILE, 0o644, &text),
        ("usr/share/doc/tool/zchangelog.gz!/content", FILE, 0o644, &text),
        ("usr/lib/tool/key", FILE, 0o644, &text),
        ("opt/tool/key", FILE, 0o644, &text),
        ("var/lib/dpkg/info/tool.md5sums", FILE, 0o644, sums.as_bytes()),
    ]));
    let found = whole(&[layer(&facts)], &|_| Listing::Here);
    let note = |note: &crate::facts::Note| Finding {
        rule: note.rule.clone(),
        severity: Severity::Error,
        place: Place {
            layer: "layer".to_owned(),
            path: note.path.clone(),
            file: facts.digest_of(&note.path),
            ..Place::default()
        },
        observed: note.observed.clone(),
        required: String::new(),
        fix: String::new(),
    };
    let of = |rule: &str, of_distribution: &dyn Fn(&str) -> bool| {
        let mut findings: Vec<Finding> = facts.notes.iter().map(note).collect();
        found.keys_of_packages(&mut findings, of_distribution);
        let of_rule = findings.into_iter().filter(|finding| finding.rule == rule);
        let mut paths: Vec<String> = of_rule.map(|finding| finding.place.path).collect();
        paths.sort();
        paths.dedup();
        paths
    };
    assert_eq!(
        of("CTR-21-DOC", &|package| package == "tool"),
        ["usr/lib/python3/x.py", "usr/share/doc/tool/manual", "usr/share/doc/tool/zother.gz!/content"]
    );
    assert_eq!(
        of("CTR-21", &|package| package == "tool"),
        [
            &*named,
            "opt/tool/key",
            "usr/lib/python-tool/x.py",
            "usr/lib/python3/x.py!/key",
            "usr/lib/tool/key",
            "usr/share/doc/tool/.ssh/key",
            "usr/share/doc/tool/changed",
            "usr/share/doc/tool/own",
            "usr/share/doc/tool/zchangelog.gz!/content",
        ]
    );
    assert_eq!(of("CTR-21", &|_| false).len(), 12);
}

#[test]
fn modes_that_give_away_more_are_told_until_a_later_layer_takes_them_back() {
    let base = tar(&[
        ("data", DIRECTORY, 0o777, b""),
        ("tmp", DIRECTORY, 0o1777, b""),
        ("opt/su", FILE, 0o4755, b"x"),
        ("usr/bin/su", FILE, 0o4755, b"x"),
        ("etc/open", FILE, 0o666, b"x"),
        ("var/lib/dpkg/info/login.list", FILE, 0o644, b"/bin/su\n"),
    ]);
    let found = of_layers(std::slice::from_ref(&base));
    assert_eq!(rules(&found), ["CTR-32 opt/su", "CTR-33 data", "CTR-33 etc/open"]);
    let told: Vec<(&str, &str)> =
        found.privileged.iter().map(|file| (file.path.as_str(), file.package.as_str())).collect();
    assert_eq!(told, [("data", ""), ("etc/open", ""), ("opt/su", ""), ("usr/bin/su", "login")]);
    let above = tar(&[
        ("data", DIRECTORY, 0o755, b""),
        ("opt/su", FILE, 0o755, b"x"),
        ("etc/.wh.open", FILE, 0o644, b""),
    ]);
    assert_eq!(rules(&of_layers(&[base, above])), [""; 0]);
}

#[test]
fn a_password_blocks_while_it_is_in_use_and_is_told_where_it_only_lies_in_a_layer() {
    let open: &[u8] = b"root:*:1::::::\nadmin:$6$salt$hash:1::::::\n";
    let locked: &[u8] = b"root:*:1::::::\nadmin:!$6$salt$hash:1::::::\n";
    let first = tar(&[("etc/shadow", FILE, 0o640, open)]);
    assert_eq!(rules(&of_layers(std::slice::from_ref(&first))), ["CTR-35 etc/shadow"]);
    // As `passwd -l` leaves it.
    let second = tar(&[("etc/shadow", FILE, 0o640, locked), ("etc/shadow-", FILE, 0o600, open)]);
    let found = of_layers(&[first.clone(), second]);
    assert_eq!(rules(&found), ["CTR-35-LEFT etc/shadow", "CTR-35-LEFT etc/shadow-"]);
    let removed = tar(&[("etc/.wh.shadow", FILE, 0o644, b"")]);
    assert_eq!(rules(&of_layers(&[first.clone(), removed])), ["CTR-35-LEFT etc/shadow"]);
    let other = tar(&[("etc/motd", FILE, 0o644, b"hello")]);
    assert_eq!(rules(&of_layers(&[first, other])), ["CTR-35 etc/shadow"]);
}

#[test]
fn accounts_with_the_rights_of_root_are_those_of_the_topmost_passwd() {
    let with = tar(&[("etc/passwd", FILE, 0o644, b"root:x:0:0::/:\napp:x:0:0::/:\n")]);
    let without = tar(&[("etc/passwd", FILE, 0o644, b"root:x:0:0::/:\napp:x:1000:1000::/:\n")]);
    let roots = |layers: &[Vec<u8>]| of_layers(layers).roots.into_iter().collect::<Vec<_>>();
    assert_eq!(roots(&[without.clone(), with.clone()]), ["app"]);
    assert_eq!(roots(&[with.clone(), without.clone()]), [""; 0]);
    assert_eq!(rules(&of_layers(&[without.clone(), with.clone()])), ["CTR-35-ROOT etc/passwd"]);
    assert_eq!(rules(&of_layers(&[with, without])), [""; 0]);
}

#[test]
fn what_cannot_be_read_and_what_is_too_large_have_their_rules() {
    let large = vec![b' '; usize::try_from(mercat_inventory::RECORD_BYTES_MAX).expect("small") + 1];
    let facts = facts_of(&tar(&[
        ("a/package.json", FILE, 0o644, b"{\"name\":"),
        ("b/package.json", FILE, 0o644, &large),
    ]));
    let told: Vec<(&str, &str)> =
        facts.notes.iter().map(|note| (note.rule.as_str(), note.path.as_str())).collect();
    assert_eq!(told, [("INC-16", "b/package.json"), ("PKG-07", "a/package.json")]);
}

#[test]
fn licences_and_notices_are_gathered() {
    let found = of_layers(&[tar(&[
        ("licenses/app/LICENSE", FILE, 0o644, b"MIT"),
        ("usr/share/doc/tool/copyright", FILE, 0o644, b"Format: x\n\nFiles: *\nLicense: MIT\n"),
    ])]);
    assert_eq!(found.notices, ["licenses/app/LICENSE"]);
    assert_eq!(found.licences.get("tool").map(String::as_str), Some("MIT"));
}

/// A layer of one file, judged with rules of the operator.
fn noted(path: &str, mode: u32, bytes: &[u8], yara: &str) -> Vec<(String, String)> {
    let extra = Extra { yara: yara.to_owned(), ..Extra::default() };
    let knowledge = Knowledge::load(&extra, Advisories::default()).unwrap_or_else(|error| panic!("{error}"));
    let layer = tar(&[(path, b'0', mode, bytes)]);
    let facts = scan_layer(&mut &layer[..], Some(Compression::None), &knowledge).expect("reads");
    assert_eq!(facts.scanned_bytes, bytes.len() as u64);
    facts.notes.iter().map(|note| (note.rule.clone(), format!("{}: {}", note.path, note.observed))).collect()
}

#[test]
fn rules_see_a_file_of_several_windows_whole_and_a_larger_one_in_windows() {
    let rules = r#"rule apart { strings: $a = "needle one" $b = "needle two" condition: $a at 0 and $b }
                   rule small { condition: whole and filesize < 2MB and filesize > 1000 }"#;
    let file = |bytes: usize| {
        let mut out = b"needle one".to_vec();
        out.resize(bytes, b'x');
        out.extend(b"needle two");
        out
    };
    let names = |bytes: usize| {
        let found = noted("opt/x", 0o644, &file(bytes), rules);
        found.into_iter().map(|(_, what)| what).collect::<Vec<_>>()
    };
    assert_eq!(names(9_000_000), ["opt/x: malware rule apart"]);
    assert_eq!(names(1_500_000), ["opt/x: malware rule apart", "opt/x: malware rule small"]);
    assert_eq!(names(4 << 20), ["opt/x: malware rule apart"]);
    // What is too large is told in the documentation of the rules: here the two are in two windows.
    assert_eq!(names(18_000_000), [""; 0]);
}

#[test]
fn an_archive_behind_a_large_script_or_program_is_opened() {
    let test = crate::signatures::test_string();
    let random: Vec<u8> = (0..9_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let archive = zip(&[("big.bin", &random), ("lib/eicar.com", &test)]);
    let elf = crate::nested::tests::elf();
    for (name, front) in [("app.jar", b"#!/bin/sh\nexec java -jar $0\n".to_vec()), ("app.run", elf)] {
        let found = noted(name, 0o755, &[front, archive.clone()].concat(), "");
        assert!(
            found
                .iter()
                .any(|(rule, what)| rule == "CTR-20" && what.starts_with(&format!("{name}!/lib/eicar.com"))),
            "{name}: {found:?}"
        );
        assert!(found.iter().all(|(rule, _)| rule != "INC-03"), "{name}: {found:?}");
    }
}

/// A program of Go without section headers: code that nobody looks into, and its list of modules behind it.
fn go_program(code: &[u8]) -> Vec<u8> {
    let mut list = b"\xff Go buildinf:\x08\x02".to_vec();
    list.resize(32, 0);
    list.extend(b"\x08go1.22.1");
    let modules = format!("{}mod\texample.com/app\tv1.0.0\n{}", "<".repeat(16), ">".repeat(16));
    list.push(u8::try_from(modules.len()).expect("small"));
    list.extend(modules.as_bytes());
    let mut out = b"\x7fELF\x02\x01\x01".to_vec();
    out.resize(16, 0);
    let halves = |out: &mut Vec<u8>, numbers: &[u16]| {
        numbers.iter().for_each(|number| out.extend(number.to_le_bytes()));
    };
    halves(&mut out, &[2, 62, 1, 0]);
    [0_u64, 64, 0].iter().for_each(|number| out.extend(number.to_le_bytes()));
    halves(&mut out, &[0, 0, 64, 56, 2, 64, 0, 0]);
    let (code_at, list_at) = (4096_u64, 4096 + code.len() as u64);
    for (flags, at, bytes) in [(5_u32, code_at, code.len()), (6, list_at, list.len())] {
        [1_u32, flags].iter().for_each(|number| out.extend(number.to_le_bytes()));
        let bytes = bytes as u64;
        [at, at, at, bytes, bytes, 4096].iter().for_each(|number| out.extend(number.to_le_bytes()));
    }
    out.resize(4096, 0);
    [&out, code, &list].concat()
}

#[test]
fn a_large_program_waits_in_a_file_that_was_lent_and_is_read_alike() {
    use object::write::Object;
    use std::io::Write;
    let mut list = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    list.write_all(br#"{"packages":[{"name":"app","version":"0.1.0","source":"local"}]}"#).expect("written");
    let list = list.finish().expect("ends");
    let mut program =
        Object::new(object::BinaryFormat::Elf, object::Architecture::X86_64, object::Endianness::Little);
    let mut section = |name: &str, content: &[u8]| {
        let id = program.add_section(Vec::new(), name.as_bytes().to_vec(), object::SectionKind::Data);
        program.append_section_data(id, content, 16);
    };
    section(".data", &vec![7; 9 << 20]);
    section(".dep-v0", &list);
    section(".data.more", &vec![9; 5 << 20]);
    let program = program.write().expect("written");
    let go = go_program(&vec![0x90; 9 << 20]);
    let files = [("usr/bin/app", &program), ("usr/bin/app2", &program), ("usr/bin/go", &go)];
    let layer = tar(&files.map(|(path, bytes)| (path, b'0', 0o755, &bytes[..])));
    let facts = |scratch: Vec<std::fs::File>| {
        let knowledge = Knowledge::load(&Extra::default(), Advisories::default());
        let mut knowledge = knowledge.unwrap_or_else(|error| panic!("{error}"));
        knowledge.lend_scratch(scratch);
        scan_layer(&mut &layer[..], Some(Compression::None), &knowledge).expect("reads")
    };
    let in_memory = facts(Vec::new());
    let purls: Vec<String> = in_memory.told.components.iter().map(|c| c.purl()).collect();
    let wanted =
        ["cargo/app@0.1.0", "cargo/app@0.1.0", "golang/example.com/app@v1.0.0", "golang/stdlib@1.22.1"];
    assert_eq!(purls, wanted.map(|purl| format!("pkg:{purl}")));
    assert_eq!(in_memory.notes.len(), 0, "{:?}", in_memory.notes);
    assert_eq!(facts(vec![tempfile::tempfile().expect("a file")]), in_memory);
    // A file of ours that cannot be written: the program that should wait there was not read, which is told as ours.
    let full = tempfile::NamedTempFile::new().expect("a file");
    let failed = facts(vec![std::fs::File::open(full.path()).expect("opened")]);
    assert_eq!(failed.told.components.len(), 3);
    let knowledge = Knowledge::load(&Extra::default(), Advisories::default());
    let knowledge = knowledge.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(knowledge.policy.severity("INC-02"), Some(Severity::Inconclusive));
    let told: Vec<_> = failed.notes.iter().map(|note| (&*note.rule, &*note.path, &*note.fix)).collect();
    assert_eq!(told, [("INC-02", "usr/bin/app", super::UNREAD)]);
}

#[test]
fn a_program_larger_than_memory_allows_is_read_from_a_file_or_told_as_unread() {
    let size = mercat_inventory::PROGRAM_MEMORY_BYTES_MAX as usize + 1;
    let layer = tar(&[("usr/bin/go", b'0', 0o755, &go_program(&vec![0x90; size]))]);
    let facts = |scratch: Vec<std::fs::File>| -> (Vec<String>, Vec<(String, String)>) {
        let knowledge = Knowledge::load(&Extra::default(), Advisories::default());
        let mut knowledge = knowledge.unwrap_or_else(|error| panic!("{error}"));
        knowledge.lend_scratch(scratch);
        let found = scan_layer(&mut &layer[..], Some(Compression::None), &knowledge).expect("reads");
        let purls: Vec<String> = found.told.components.iter().map(|c| c.purl()).collect();
        let notes = found.notes.iter().map(|note| (note.rule.clone(), note.path.clone())).collect();
        (purls, notes)
    };
    let (purls, notes) = facts(vec![tempfile::tempfile().expect("a file")]);
    assert_eq!(purls, ["pkg:golang/example.com/app@v1.0.0", "pkg:golang/stdlib@1.22.1"]);
    assert!(notes.is_empty(), "{notes:?}");
    let (purls, notes) = facts(Vec::new());
    assert_eq!(purls, [] as [String; 0]);
    assert_eq!(notes, [("INC-02".to_owned(), "usr/bin/go".to_owned())]);
}

#[test]
fn what_digests_tell_of_large_files_is_told_though_they_come_later() {
    let large = |fill: u8| vec![fill; (1 << 20) + usize::from(fill)];
    let files: Vec<(String, Vec<u8>)> = (0..20_u8).map(|at| (format!("opt/f{at}"), large(at))).collect();
    let sha256 = |bytes: &[u8]| crate::digest_of(bytes).hex().to_owned();
    let known = |at: usize| format!("{}:{}:Bad.{at}\n", sha256(&files[at].1), files[at].1.len());
    let extra = Extra { hashes: [known(0), known(7), known(19)].concat(), ..Extra::default() };
    let knowledge = Knowledge::load(&extra, Advisories::default()).unwrap_or_else(|error| panic!("{error}"));
    let mut entries: Vec<(&str, u8, u32, &[u8])> =
        files.iter().map(|(path, bytes)| (path.as_str(), b'0', 0o755, &bytes[..])).collect();
    // Of two files of one name the later counts, and a link has what its file has, however far behind digests are.
    let (first, second) = (large(100), b"#!/bin/sh\n".to_vec());
    entries.push(("opt/linked", b'1', 0o755, b"opt/f19"));
    entries.push(("opt/twice", b'0', 0o755, &first));
    entries.push(("opt/twice", b'0', 0o755, &second));
    let facts = facts_with(&knowledge, &tar(&entries));
    let noted: Vec<_> = facts.notes.iter().map(|note| (&*note.path, &*note.observed)).collect();
    let name = |at| format!("virus signature Bad.{at}");
    let (bad0, bad19, bad7) = (name(0), name(19), name(7));
    assert_eq!(noted, [("opt/f0", &*bad0), ("opt/f19", &*bad19), ("opt/f7", &*bad7)]);
    assert_eq!(facts.digest_of("opt/f7"), format!("sha256:{}", sha256(&files[7].1)));
    assert_eq!(facts.digest_of("opt/f8"), "");
    let digest = |path: &str| facts.told.programs.get(path).map(|program| program.sha256.to_string());
    for (path, bytes) in &files {
        assert_eq!(digest(path), Some(sha256(bytes)), "{path}");
    }
    assert_eq!(digest("opt/linked"), digest("opt/f19"));
    assert_eq!(digest("opt/twice"), Some(sha256(&second)));
}

const HARD: u8 = b'1';
pub(crate) const LINK: u8 = b'2';
const RECORD: &[u8] = b"Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n\n";

#[test]
fn links_to_what_is_read_by_its_name_are_told() {
    let noted = |entries: &[(&str, u8, u32, &[u8])]| -> Vec<(String, String)> {
        let facts = facts_of(&tar(entries));
        facts.notes.iter().map(|note| (note.rule.clone(), note.path.clone())).collect()
    };
    for (path, kind, target) in [
        ("var/lib/dpkg", LINK, "/opt/db"),
        ("etc", LINK, "e2"),
        ("var/lib/dpkg/status.d", LINK, "/opt/d"),
        ("etc/os-release", LINK, "/opt/os"),
        ("usr/lib/python3/evil.dist-info/METADATA", LINK, "/opt/note"),
        ("usr/lib/python3/evil.dist-info/METADATA", HARD, "opt/note"),
        ("srv/y", HARD, "app/x"),
        // Of other roots.
        ("srv/r/var/lib/dpkg/status", LINK, "/opt/status"),
        ("srv/r/var/lib/dpkg/status", HARD, "opt/note"),
        ("srv/r/var/lib/dpkg", LINK, "../../data"),
        ("srv/r/lib/apk/db", LINK, "../../data"),
    ] {
        let mut entries: Vec<(&str, u8, u32, &[u8])> = vec![(path, kind, 0o644, target.as_bytes())];
        if target == "opt/note" {
            entries.insert(0, (target, FILE, 0o644, RECORD));
        }
        assert_eq!(noted(&entries), [("INC-11".to_owned(), path.to_owned())], "{path} to {target}");
    }
    for name in
        ["var/lib/rpm/rpmdb.sqlite-wal", "var/lib/rpm/rpmdb.sqlite-journal", "var/lib/dpkg/updates/0000"]
    {
        assert_eq!(noted(&[(name, FILE, 0o644, b"x")]), [("INC-08".to_owned(), name.to_owned())]);
    }
    // As distributions and builders have them.
    for (path, kind, target) in [
        ("lib", LINK, "usr/lib"),
        ("var/lib/rpm", LINK, "../../usr/lib/sysimage/rpm"),
        ("etc/os-release", LINK, "../usr/lib/os-release"),
        ("app/b/package.json", HARD, "app/a/package.json"),
        ("app/c/package.json", LINK, "../a/package.json"),
        ("srv/r/etc/os-release", LINK, "../usr/lib/os-release"),
        ("srv/r/var/lib/rpm", LINK, "../../usr/lib/sysimage/rpm"),
    ] {
        let entries: [(&str, u8, u32, &[u8]); 2] =
            [("app/a/package.json", FILE, 0o644, b"{}"), (path, kind, 0o644, target.as_bytes())];
        assert_eq!(noted(&entries), [], "{path} to {target}");
    }
}

#[test]
fn records_of_other_roots_are_known_under_each_name_and_with_the_archive_that_they_are_in() {
    let status: &[u8] = b"Package: a\nVersion: 1\n";
    let inner = tar(&[("var/lib/dpkg/status", FILE, 0o644, status), ("etc/x", FILE, 0o644, b"")]);
    let facts = facts_of(&tar(&[
        ("opt/app.tar", FILE, 0o644, &inner),
        ("opt/app!/var/lib/dpkg/status", FILE, 0o644, status),
        ("opt/b.tar", HARD, 0o644, b"opt/app.tar"),
        ("srv/r/var/lib/dpkg/status", HARD, 0o644, b"opt/app!/var/lib/dpkg/status"),
        ("var/lib/dpkg/status.d/x.md5sums", FILE, 0o644, &inner),
    ]));
    let found: Vec<_> = facts.below.iter().map(|below| (&*below.path, below.file.as_deref())).collect();
    assert_eq!(
        found,
        [
            ("opt/app.tar!/var/lib/dpkg/status", Some("opt/app.tar")),
            ("opt/app!/var/lib/dpkg/status", None),
            ("opt/b.tar!/var/lib/dpkg/status", Some("opt/b.tar")),
            ("srv/r/var/lib/dpkg/status", None),
            ("var/lib/dpkg/status.d/x.md5sums!/var/lib/dpkg/status", Some("var/lib/dpkg/status.d/x.md5sums")),
        ]
    );
    assert!(facts.notes.is_empty(), "{:?}", facts.notes);
    let linked = tar(&[("var/lib/dpkg/status", LINK, 0o644, b"../x")]);
    let facts = facts_of(&tar(&[("a.tar", FILE, 0o644, &linked)]));
    assert!(facts.notes.iter().any(|note| note.rule == "INC-11" && note.path.starts_with("a.tar!/")));
}

#[test]
fn a_credential_in_a_tar_is_that_of_its_member_and_one_beside_members_is_the_tars() {
    let key = mercat_secrets::control();
    let found = |bytes: &[u8]| -> Vec<String> {
        let facts = facts_of(&tar(&[("opt/a.tar", FILE, 0o644, bytes)]));
        facts.notes.iter().filter(|note| note.rule == "CTR-21").map(|note| note.path.clone()).collect()
    };
    let inner = tar(&[("etc/key", FILE, 0o644, &key)]);
    assert_eq!(found(&inner), ["opt/a.tar!/etc/key"]);
    let twice = tar(&[("layer.tar", FILE, 0o644, &inner)]);
    assert_eq!(found(&twice), ["opt/a.tar!/layer.tar!/etc/key"]);
    assert_eq!(found(&[tar(&[("etc/x", FILE, 0o644, b"x")]), key.clone()].concat()), ["opt/a.tar"]);
    let other = String::from_utf8_lossy(&key).replace("NTUx", "NTUy").into_bytes();
    let both = found(&[inner, other].concat());
    assert!(
        both.contains(&"opt/a.tar".to_owned()) && both.contains(&"opt/a.tar!/etc/key".to_owned()),
        "{both:?}"
    );
}

#[test]
fn a_file_is_known_under_each_of_its_names() {
    let first = tar(&[
        ("a.dist-info/METADATA", FILE, 0o644, RECORD),
        ("b.dist-info/METADATA", HARD, 0o644, b"a.dist-info/METADATA"),
    ]);
    let second = tar(&[("a.dist-info/.wh.METADATA", FILE, 0o644, b""), (".wh.a.py", FILE, 0o644, b"")]);
    let found = of_layers(&[first, second]);
    assert_eq!(purls(&found), ["pkg:pypi/evil@1.0 b.dist-info/METADATA"]);
}

#[test]
fn lists_of_packages_that_are_not_installed_own_nothing() {
    let of = |list: &str| {
        let listed: &[u8] = b"/usr/lib/evil.dist-info/METADATA\n/opt/su\n";
        let found = of_layers(&[tar(&[
            ("usr/lib/evil.dist-info/METADATA", FILE, 0o644, RECORD),
            ("opt/su", FILE, 0o4755, b"x"),
            (list, FILE, 0o644, listed),
            ("var/lib/dpkg/info/other.list", FILE, 0o644, b"/usr/bin/other\n"),
        ])]);
        (found.components[0].owner.clone(), rules(&found))
    };
    assert_eq!(of("var/lib/dpkg/info/real.list"), ("real".to_owned(), Vec::new()));
    for list in ["var/lib/dpkg/info/nopkg.list", "lib/dpkg/info/real.list"] {
        assert_eq!(of(list), (String::new(), vec!["CTR-32 opt/su".to_owned()]), "{list}");
    }
}

#[test]
fn what_is_kept_of_files_with_findings_is_bounded_as_the_findings_are() {
    let bytes = b"evil bytes here".to_vec();
    let hashes = format!("{}:{}:Bad\n", crate::digest_of(&bytes).hex(), bytes.len());
    let extra = Extra { hashes, ..Extra::default() };
    let knowledge = Knowledge::load(&extra, Advisories::default()).unwrap_or_else(|error| panic!("{error}"));
    let paths: Vec<String> = (0..2000).map(|at| format!("f{at}")).collect();
    let entries: Vec<(&str, u8, u32, &[u8])> =
        paths.iter().map(|path| (path.as_str(), b'0', 0o644, &bytes[..])).collect();
    let facts = facts_with(&knowledge, &tar(&entries));
    assert_eq!(facts.notes.len(), 201);
    assert_eq!(facts.noted.len(), 200, "those that are told");
}

#[test]
fn the_control_notices_that_nothing_comes_to_the_rules() {
    let load = || Knowledge::load(&Extra::default(), Advisories::default());
    let mut knowledge = load().unwrap_or_else(|error| panic!("{error}"));
    let mut canary = vec![0; 3 << 20];
    canary.extend(crate::yara::canary());
    let entries: [(&str, u8, u32, &[u8]); 1] = [("opt/canary", b'0', 0o644, &canary)];
    let rules = |knowledge: &Knowledge| -> Vec<String> {
        facts_with(knowledge, &tar(&entries)).notes.iter().map(|note| note.rule.clone()).collect()
    };
    assert_eq!(rules(&knowledge), ["CTR-20"]);
    knowledge.yara.let_nothing_through();
    assert_eq!(rules(&knowledge), ["INC-01"]);
}

#[test]
fn rules_see_every_window_of_a_file_that_is_too_large_for_them() {
    let knowledge = Knowledge::load(&Extra::default(), Advisories::default());
    let knowledge = knowledge.unwrap_or_else(|error| panic!("{error}"));
    for at in [0, 3 << 20, 10 << 20, (16 << 20) - 9, 18 << 20, 22 << 20] {
        let mut file = vec![0; 23 << 20];
        file[at..at + 27].copy_from_slice(&crate::yara::canary());
        let facts = facts_with(&knowledge, &tar(&[("opt/large", b'0', 0o644, &file)]));
        let noted: Vec<_> = facts.notes.iter().map(|note| (&*note.rule, &*note.path)).collect();
        assert_eq!(noted, [("CTR-20", "opt/large")], "at {at}");
    }
}

#[test]
fn a_scan_that_ends_early_is_told_with_the_bytes_that_it_did_not_see() {
    let knowledge = Knowledge::load(&Extra::default(), Advisories::default());
    let mut knowledge = knowledge.unwrap_or_else(|error| panic!("{error}"));
    let mut builder = mercat_signatures::Builder::default();
    builder.line("Slow:0:*:6161616161616161*62626262");
    knowledge.add_signatures(Box::new(builder.compile_bodies()), Vec::new()).expect("signatures");
    let (big, small) = (vec![b'a'; 9 << 20], vec![b'x'; 5000]);
    let entries: [(&str, u8, u32, &[u8]); 2] =
        [("opt/big", b'0', 0o644, &big), ("opt/small", b'0', 0o644, &small)];
    let facts = facts_with(&knowledge, &tar(&entries));
    let missed = facts.file_bytes - facts.scanned_bytes;
    assert!(missed >= 4 << 20 && facts.scanned_bytes >= 5000, "{missed}");
    let told = |path: &str| facts.notes.iter().any(|note| note.rule == "INC-02" && note.path == path);
    assert!(told("opt/big") && told("") && !told("opt/small"), "{:?}", facts.notes);
}

#[test]
fn what_does_not_fit_is_told_and_hides_nothing_else() {
    let mut files = Files::default();
    for at in 0..=WRITABLE_MAX {
        files.attributes(&format!("app/{at}"), Named::File, 0o777, &[]);
    }
    files.attributes("usr/bin/shell", Named::File, 0o4755, &[]);
    let told = |files: &Files| {
        let part =
            Part { place: "layer", mount: String::new(), hides: true, files, removed: &[], opaque: &[] };
        rules(&whole(&[part], &|_| Listing::Here))
    };
    let found = told(&files);
    assert!(found.contains(&"CTR-32 usr/bin/shell".to_owned()), "{} of them", found.len());
    assert!((files.left, files.unknown) == (1, 0) && !found.iter().any(|rule| rule.starts_with("INC")));
    for at in 0..PRIVILEGED_MAX {
        files.attributes(&format!("app/run{at}"), Named::File, 0o4755, &[]);
    }
    assert_eq!((files.left, files.unknown), (1, 1));
    assert!(told(&files).contains(&"INC-16 ".to_owned()));
    let mut files = Files::default();
    for at in 0..=PROGRAMS_MAX {
        files.program(format!("app/{at}"), Program::default());
    }
    assert_eq!(told(&files), ["INC-16 "]);
}

#[test]
fn a_notice_of_a_package_speaks_for_the_package_and_another_for_the_image() {
    let found = of_layers(&[tar(&[
        ("opt/LICENSE", FILE, 0o644, b"text"),
        ("srv/NOTICE", FILE, 0o644, b"text"),
        ("var/lib/dpkg/info/real.list", FILE, 0o644, b"/opt/LICENSE\n"),
    ])]);
    assert_eq!(found.notices, ["srv/NOTICE"]);
}
