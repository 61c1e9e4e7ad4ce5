use super::writer::{Node, sign};
use super::*;

fn example() -> Vec<u8> {
    let mut root = Node::default();
    root.at("ControlSet001\\Services\\sshd").text("ObjectName", "LocalSystem").number("Start", 2);
    root.at("Setup").values.insert("Large".into(), (3, (0..40_000u32).flat_map(u32::to_le_bytes).collect()));
    root.at("Select").number("Current", 1);
    root.hive()
}

fn code(bytes: &[u8]) -> &'static str {
    match Hive::open(bytes).and_then(|hive| everything(&hive)) {
        Err(ReadError::Refused { code, .. }) => code,
        _ => "",
    }
}

/// Reads every key and value, as deep as the example goes.
fn everything(hive: &Hive<'_>) -> Result<usize, ReadError> {
    let mut level = vec![hive.root()?];
    let mut seen = 0;
    for _ in 0..8 {
        let mut next = Vec::new();
        for key in &level {
            seen += 1 + key.values()?.len();
            next.extend(key.keys()?);
        }
        if next.len() > 10_000 {
            break;
        }
        level = next;
    }
    Ok(seen)
}

#[test]
fn keys_and_values_are_found_in_any_case() {
    let bytes = example();
    let hive = Hive::open(&bytes).expect("opens");
    let key = hive.key("controlset001\\SERVICES\\sshd").expect("reads").expect("is there");
    assert_eq!(
        key.value("objectname").expect("reads").and_then(|value| value.text()),
        Some("LocalSystem".into())
    );
    assert_eq!(key.value("Start").expect("reads").and_then(|value| value.number()), Some(2));
    assert!(hive.key("ControlSet002").expect("reads").is_none());
    assert_eq!(everything(&hive).expect("reads"), 10);
}

#[test]
fn a_large_value_is_joined_from_its_segments() {
    let bytes = example();
    let hive = Hive::open(&bytes).expect("opens");
    let value = hive
        .key("Setup")
        .expect("reads")
        .expect("is there")
        .value("Large")
        .expect("reads")
        .expect("is there");
    assert_eq!(value.data.len(), 160_000);
    assert_eq!(value.data.get(159_996..), Some(39_999u32.to_le_bytes().as_slice()));
}

#[test]
fn a_hive_whose_log_must_be_replayed_has_a_code_of_its_own() {
    let mut bytes = example();
    bytes[4] += 1;
    assert_eq!(code(&bytes), "HIV-02");
    sign(&mut bytes);
    assert_eq!(code(&bytes), "HIV-03");
}

#[test]
fn each_broken_structure_has_its_code() {
    let good = example();
    let find = |magic: &[u8]| good.windows(2).rposition(|two| two == magic).expect("is there");
    let broken = |at: usize, bytes: &[u8]| {
        let mut copy = good.clone();
        copy[at..at + bytes.len()].copy_from_slice(bytes);
        sign(&mut copy);
        code(&copy)
    };
    assert_eq!(broken(0, b"REGF"), "HIV-01");
    assert_eq!(broken(20, &[2]), "HIV-01");
    assert_eq!(broken(40, &[1]), "HIV-04");
    assert_eq!(broken(4096, b"x"), "HIV-04");
    assert_eq!(broken(36, &[0xff, 0xff, 0xff, 0x7f]), "HIV-05");
    assert_eq!(broken(find(b"nk"), b"xx"), "HIV-06");
    assert_eq!(broken(find(b"vk"), b"xx"), "HIV-07");
    assert_eq!(broken(find(b"db") + 2, &[1]), "HIV-07");
    assert_eq!(broken(find(b"lh"), b"xx"), "HIV-08");
    assert_eq!(broken(find(b"lh") + 2, &[0xff, 0xff]), "HIV-08");
}

#[test]
fn no_cut_and_no_changed_byte_makes_it_panic() {
    let good = example();
    for at in (0..good.len()).step_by(7) {
        let _ = code(&good[..at]);
    }
    for at in (4096..good.len()).step_by(3) {
        let mut bytes = good.clone();
        bytes[at] ^= 0xff;
        let _ = code(&bytes);
    }
}
