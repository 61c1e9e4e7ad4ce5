//! Hives of the guest, opened for one rule.

use super::super::{Case, Outcome};
use mercat_artifact::ReadError;
use mercat_guest::hive::{Hive, Key};

/// Lets a check look into a hive. A hive that is not there, not whole or not clean is ours; one that is
/// broken is a finding.
pub(super) fn look(
    case: &Case<'_>,
    name: &str,
    required: &str,
    check: impl FnOnce(&Hive<'_>) -> Result<Outcome, ReadError>,
) -> Outcome {
    let path = format!("windows/system32/config/{name}");
    let Some(found) = case.tree.file(&path) else {
        return Outcome::inconclusive(format!("{path} is not on the disk"), required);
    };
    let bytes = found.node.bytes();
    if bytes.len() as u64 != found.node.size {
        return Outcome::inconclusive(format!("{path} was not read to its end"), required);
    }
    let hive = match Hive::open(bytes) {
        Ok(hive) => hive,
        Err(error @ ReadError::Refused { code: "HIV-03", .. }) => {
            return Outcome::inconclusive(format!("{path}: {error}"), required);
        }
        Err(error) => return Outcome::found(found.place(), error.to_string(), required),
    };
    match check(&hive) {
        Ok(outcome) => outcome,
        Err(error) => Outcome::found(found.place(), error.to_string(), required),
    }
}

/// A key of the control set that Windows starts with next: `Default`. `Current` is the one of the last start.
pub(super) fn control<'h>(hive: &'h Hive<'h>, path: &str) -> Result<Option<Key<'h>>, ReadError> {
    let next = match number(hive, "Select", "Default")? {
        Some(next) => next,
        None => number(hive, "Select", "Current")?.unwrap_or(1),
    };
    hive.key(&format!("ControlSet{next:03}\\{path}"))
}

/// The services of that control set. A Windows without any does not exist, so a check that meets none is
/// undecided, not content.
pub(super) fn services<'h>(hive: &'h Hive<'h>) -> Result<Option<Key<'h>>, ReadError> {
    control(hive, "Services")
}

/// What a check says that met no services.
pub(super) const NO_SERVICES: &str = "the SYSTEM hive has no services in its current control set";

/// A number; `None` when the key, the value or its type is another.
pub(super) fn number(hive: &Hive<'_>, key: &str, name: &str) -> Result<Option<u32>, ReadError> {
    let Some(key) = hive.key(key)? else { return Ok(None) };
    Ok(key.value(name)?.and_then(|value| value.number()))
}

/// A text, likewise.
pub(super) fn text(key: &Key<'_>, name: &str) -> Result<Option<String>, ReadError> {
    Ok(key.value(name)?.and_then(|value| value.text()))
}
