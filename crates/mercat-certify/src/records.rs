//! Records of packages in layers, for tests.

use crate::advisories::Advisories;
use crate::inventory::Record;
use crate::{Extra, Knowledge};

/// An ndb database with one package of one version.
fn database(name: &str, version: &str) -> Vec<u8> {
    let mut store = Vec::new();
    let mut entries = Vec::new();
    let source = format!("{name}-{version}-1.el9.src.rpm");
    for (tag, value) in [
        (1000_u32, name),
        (1001, version),
        (1002, "1.el9"),
        (1022, "x86_64"),
        (1044, &source),
        (5096, "openssl:3:9030020240301111035:rhel9"),
    ] {
        let at = u32::try_from(store.len()).expect("small");
        [tag, 6, at, 1].iter().for_each(|number| entries.extend(number.to_be_bytes()));
        store.extend_from_slice(value.as_bytes());
        store.push(0);
    }
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("small");
    let header = [&6_u32.to_be_bytes()[..], &length(&store).to_be_bytes(), &entries, &store].concat();
    let mut out = vec![0; 4096];
    out[..4].copy_from_slice(b"RpmP");
    out[12] = 1;
    (32..4096).step_by(16).for_each(|at| out[at..at + 4].copy_from_slice(b"Slot"));
    out.extend(
        [&b"BlbS"[..], &1_u32.to_le_bytes(), &[0; 4], &length(&header).to_le_bytes(), &header].concat(),
    );
    let end = (out.len() + 12).next_multiple_of(16);
    out.resize(end - 4, 0);
    out.extend(b"BlbE");
    out[36] = 1;
    out[40..44].copy_from_slice(&256_u32.to_le_bytes());
    out[44..48].copy_from_slice(&u32::try_from((end - 4096) / 16).expect("small").to_le_bytes());
    out
}

pub(crate) fn tar(path: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..path.len()].copy_from_slice(path.as_bytes());
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let padding = vec![0; bytes.len().next_multiple_of(512) - bytes.len() + 1024];
    [header, bytes.to_vec(), padding].concat()
}

#[test]
fn a_layer_keeps_the_packages_of_an_rpm_database_and_no_bytes_of_it() {
    let knowledge =
        Knowledge::load(&Extra::default(), Advisories::default()).unwrap_or_else(|error| panic!("{error}"));
    let layer = tar("usr/lib/sysimage/rpm/Packages.db", &database("openssl-libs", "3.0.7"));
    let compression = Some(mercat_artifact::oci::Compression::None);
    let facts = crate::facts::scan_layer(&mut &layer[..], compression, &knowledge).expect("reads");
    let text = "openssl-libs\t3.0.7-1.el9\tx86_64\topenssl-libs\t3.0.7-1.el9\topenssl:3\n";
    assert_eq!(facts.captured[0].record, Some(Record::Packages(text.to_owned())));
    assert!(facts.notes.is_empty(), "{:?}", facts.notes);
    let broken = tar("var/lib/rpm/Packages.db", b"RpmP");
    let facts = crate::facts::scan_layer(&mut &broken[..], compression, &knowledge).expect("reads");
    let broken = facts.captured[0].record.as_ref().map(Record::packages);
    assert_eq!(broken.map(|read| read.map_err(|finding| finding.rule)), Some(Err("PKG-05".to_owned())));
}
