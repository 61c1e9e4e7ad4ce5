use super::*;

#[test]
fn lists_of_dpkg_and_apk_name_owners_and_digests() {
    let sums = b"0123456789abcdef0123456789abcdef  usr/bin/tool\nbad line\n";
    let read = |path, bytes| read(path, bytes).expect("reads");
    let listed = read("var/lib/dpkg/info/tool:amd64.list", b"/.\n/bin/other\n/usr/bin/tool\n");
    let summed = read("var/lib/dpkg/info/tool:amd64.md5sums", sums);
    let apk = read(
        "lib/apk/db/installed",
        b"P:musl\nL:MIT\nF:lib\nR:ld.so\nZ:Q1AAECAwQFBgcICQoLDA0ODxAREhM=\n\nP:b\nF:\nR:x\n",
    );
    let asked = asked(["usr/bin/tool", "usr/bin/other", "lib/ld.so", "opt/tool"].into_iter());
    let mut owners = Owners::default();
    owners.add(&asked, summed.iter().chain(&listed).chain(&apk));
    assert_eq!(owners.of("usr/bin/tool"), Some(("tool", "0123456789abcdef0123456789abcdef")));
    assert_eq!(owners.of("usr/bin/other"), Some(("tool", "")), "/bin lies in /usr");
    assert_eq!(owners.of("lib/ld.so"), Some(("musl", "000102030405060708090a0b0c0d0e0f10111213")));
    assert_eq!(owners.of("opt/tool"), None);
    assert_eq!(owners.licences.get("musl"), Some(&"MIT"));
}

#[test]
fn licences_come_from_machine_readable_files_only() {
    let text = b"Format: https://x\n\nFiles: *\nLicense: GPL-2+\n long text\n\nLicense: MIT\n text\n";
    let read = |text: &[u8]| read("usr/share/doc/a/copyright", text).expect("reads");
    assert_eq!(read(text)[0].licence, "GPL-2+ AND MIT");
    assert_eq!(read(b"This is a\nLicense: x\n")[0].licence, "");
}
