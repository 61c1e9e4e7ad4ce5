use super::*;
use proptest::prelude::*;

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
    let of =
        |path| owners.of(path).map(|(package, digest)| format!("{package} {digest}")).unwrap_or_default();
    assert_eq!(of("usr/bin/tool"), "tool 0123456789abcdef0123456789abcdef");
    assert_eq!(of("usr/bin/other"), "tool ", "/bin lies in /usr");
    assert_eq!(of("lib/ld.so"), "musl 000102030405060708090a0b0c0d0e0f10111213");
    assert_eq!(of("opt/tool"), "");
    assert_eq!(owners.licences.get("musl"), Some(&"MIT"));
}

#[test]
fn licences_come_from_machine_readable_files_only() {
    let text = b"Format: https://x\n\nFiles: *\nLicense: GPL-2+\n long text\n\nLicense: MIT\n text\n";
    let read = |text: &[u8]| read("usr/share/doc/a/copyright", text).expect("reads");
    assert_eq!(read(text)[0].licence, "GPL-2+ AND MIT");
    let choice = b"Format: https://x\n\nLicense: GPL-1+ or Artistic\n\nLicense: MIT\n text\n";
    assert_eq!(read(choice)[0].licence, "(GPL-1+ or Artistic) AND MIT");
    let many: String = (0..40).map(|at| format!("License: L{at}\n\n")).collect();
    assert!(read(format!("Format: https://x\n\n{many}").as_bytes())[0].licence.ends_with(" AND others"));
    assert_eq!(read(b"This is a\nLicense: x\n")[0].licence, "");
}

proptest! {
    #[test]
    fn what_is_listed_comes_back_and_is_kept_as_text(
        files in proptest::collection::vec(("[a-z/]{1,9}", "[0-9a-f]{0,140}|[0-9a-f]{32}|[ -~]{0,200}"), 0..20),
    ) {
        let listed: Listed = files.iter().map(|(path, digest)| (path.as_str(), digest.as_str())).collect();
        let told: Vec<(u64, String)> = listed.iter().map(|(key, digest)| (key, digest.to_string())).collect();
        let kept = files.iter().filter(|(path, _)| is_kept(path));
        prop_assert_eq!(told.len(), listed.len());
        for ((path, digest), (key, got)) in kept.zip(told) {
            prop_assert_eq!(key, key_of(path, false));
            if digest.len() % 2 == 0 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) && digest.len() < 127 {
                prop_assert_eq!(digest, &got);
            } else {
                // Nothing is taken for a digest that is none.
                prop_assert!(got.len() == digest.len().min(127) || digest.to_ascii_lowercase() == got);
            }
        }
        let text = serde_json::to_string(&listed).expect("writes");
        prop_assert_eq!(serde_json::from_str::<Listed>(&text).expect("reads"), listed);
    }
}
