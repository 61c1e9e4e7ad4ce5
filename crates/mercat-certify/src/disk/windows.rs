//! Windows rules WIN-01 to WIN-26, from files and registry hives (domain 5.3).

use super::Rule;

/// The rules, in the order of their numbers.
pub const RULES: &[Rule] = &[];

/// Which files of an NTFS volume the rules need, by their path in lower case. `None` for all others.
pub fn wanted(path: &str) -> Option<super::Wanted> {
    use super::Wanted::{Head, Whole};
    let hives = ["system", "software", "sam", "components"];
    if let Some(hive) = path.strip_prefix("windows/system32/config/") {
        return hives.contains(&hive).then_some(Whole);
    }
    match path {
        "windows/system32/ntoskrnl.exe" => Some(Head),
        "windows/system32/drivers/srv.sys" | "windows/system32/drivers/srv2.sys" => Some(Whole),
        "windows/system32/drivers/etc/hosts" => Some(Whole),
        _ => None,
    }
}
