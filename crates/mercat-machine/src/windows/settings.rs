//! What Windows is set to, by files and hives.

use super::registry::{NO_SERVICES, control, look, number, services, text};
use super::tasks;
use crate::{Case, Fault, Outcome, pe};
use mercat_domain::finding::Place;
use std::net::IpAddr;

/// Oldest patched drivers of the SMB server by major, minor and build; another build than these is newer.
const SMB_FLOORS: &[([u16; 3], u16)] =
    &[([6, 1, 7601], 23689), ([6, 2, 9200], 22099), ([6, 3, 9600], 18604), ([10, 0, 14393], 953)];
/// Accounts that Windows makes itself.
const BUILT_IN: &[&str] = &["Administrator", "Guest", "DefaultAccount", "WDAGUtilityAccount"];
const UNINSTALL: &str = "Microsoft\\Windows\\CurrentVersion\\Uninstall";
/// Beginnings of the names of products that need an approved base.
const PRODUCTS: &[&str] = &[
    "Microsoft SQL Server",
    "Microsoft Visual Studio",
    "Visual Studio",
    "Microsoft Office",
    "Microsoft 365",
];
/// In names of what applications bring along to speak to such a product, or to run without it.
const CLIENTS: &[&str] = &["Native Client", "ODBC", "OLE DB", "Runtime", "Redistributable"];

fn fault(observed: impl Into<String>) -> Fault {
    Fault { place: Place::default(), observed: observed.into(), advice: false }
}

/// WIN-01: the kernel is for a 64-bit machine.
pub(super) fn machine(case: &Case<'_>) -> Outcome {
    let required = "machine x86-64 or ARM64";
    let Some(found) = case.tree.file("windows/system32/ntoskrnl.exe") else {
        return Outcome::inconclusive("ntoskrnl.exe is not on the disk", required);
    };
    match pe::machine(found.node.bytes()) {
        Some(machine) if pe::MACHINES_64.contains(&machine) => {
            Outcome::passed(format!("machine {machine:#06x}"), required)
        }
        Some(machine) => Outcome::found(found.place(), format!("machine {machine:#06x}"), required),
        None => Outcome::found(found.place(), "no portable executable", required),
    }
}

/// Whether an account, by name or by security identifier, is the built-in administrator.
fn is_administrator(account: &str) -> bool {
    let name = account.rsplit('\\').next().unwrap_or(account).split('@').next().unwrap_or(account).trim();
    let identifier = name.starts_with("S-1-5-21-") && name.ends_with("-500");
    identifier || name.eq_ignore_ascii_case("administrator")
}

/// WIN-02: no service and no scheduled task logs on as Administrator.
pub(super) fn accounts_of_services(case: &Case<'_>) -> Outcome {
    let required = "no service or scheduled task that logs on as Administrator";
    let mut faults = Vec::new();
    let seen = look(case, "system", required, |hive| {
        let Some(services) = services(hive)? else {
            return Ok(Outcome::inconclusive(NO_SERVICES, required));
        };
        for service in services.keys()? {
            let account = text(&service, "ObjectName")?.unwrap_or_default();
            if is_administrator(&account) {
                faults.push(fault(format!("the service {} logs on as {account}", service.name)));
            }
        }
        Ok(Outcome::passed("", required))
    });
    if seen.status != crate::Status::Passed {
        return seen;
    }
    for task in case.tree.below(tasks::DIRECTORY).filter(|found| found.node.is_file()) {
        if task.node.bytes().len() as u64 != task.node.size {
            return Outcome::inconclusive(format!("{} was not read to its end", task.node.path), required);
        }
        let text = tasks::text(task.node.bytes());
        let account = tasks::principals(&text).find(|account| is_administrator(account));
        faults.extend(account.map(|account| Fault {
            place: task.place(),
            ..fault(format!("the task {} runs as {account}", task.node.name()))
        }));
    }
    Outcome::judged(faults, "neither service nor task", required)
}

/// WIN-10: no volume is encrypted.
pub(super) fn bitlocker(case: &Case<'_>) -> Outcome {
    let encrypted = |volume: &&mercat_guest::Volume| matches!(&volume.contents, mercat_guest::Contents::Unreadable { what, .. } if what == "BitLocker");
    let place = |volume: &mercat_guest::Volume| Place { layer: volume.name.clone(), ..Place::default() };
    let faults = case
        .layout
        .volumes
        .iter()
        .filter(encrypted)
        .map(|volume| Fault { place: place(volume), ..fault("a BitLocker volume") });
    Outcome::judged(faults.collect(), "no BitLocker volume", "no BitLocker on the system disk")
}

/// WIN-18: sysprep was the last that ran.
pub(super) fn generalised(case: &Case<'_>) -> Outcome {
    const GENERALISED: &str = "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE";
    let required = GENERALISED;
    let state = look(case, "software", required, |hive| {
        let key = hive.key("Microsoft\\Windows\\CurrentVersion\\Setup\\State")?;
        let state = key.map(|key| text(&key, "ImageState")).transpose()?.flatten();
        Ok(match state.as_deref() {
            Some(GENERALISED) => Outcome::passed(GENERALISED, required),
            Some(other) => Outcome::found(Place::default(), format!("ImageState is {other}"), required),
            None => Outcome::found(Place::default(), "no ImageState", required),
        })
    });
    if state.status != crate::Status::Passed {
        return state;
    }
    look(case, "system", required, |hive| {
        let done = number(hive, "Setup\\Status\\SysprepStatus", "GeneralizationState")?;
        Ok(match done {
            Some(7) => Outcome::passed(GENERALISED, required),
            other => {
                Outcome::found(Place::default(), format!("GeneralizationState is {other:?}, not 7"), required)
            }
        })
    })
}

/// WIN-19: Remote Desktop is enabled.
pub(super) fn remote_desktop(case: &Case<'_>) -> Outcome {
    let required = "fDenyTSConnections = 0";
    if case.claims.no_remote_connection {
        return Outcome::not_applicable("the plan does without remote connections");
    }
    look(case, "system", required, |hive| {
        let key = control(hive, "Control\\Terminal Server")?;
        let denied = key.map(|key| key.value("fDenyTSConnections")).transpose()?.flatten();
        Ok(match denied.and_then(|value| value.number()) {
            Some(0) => Outcome::passed("fDenyTSConnections = 0", required),
            other => Outcome::found(Place::default(), format!("fDenyTSConnections is {other:?}"), required),
        })
    })
}

/// WIN-20: WinRM has an HTTPS listener.
pub(super) fn remote_management(case: &Case<'_>) -> Outcome {
    let required = "a WinRM listener over HTTPS (5986)";
    look(case, "software", required, |hive| {
        let key = hive.key("Microsoft\\Windows\\CurrentVersion\\WSMAN\\Listener")?;
        let listeners = key.map(|key| key.keys()).transpose()?.unwrap_or_default();
        let https = listeners.iter().any(|key| key.name.to_ascii_uppercase().ends_with("+HTTPS"));
        let missing = || Outcome::found(Place::default(), "no listener over HTTPS", required);
        Ok(if https { Outcome::passed("a listener over HTTPS", required) } else { missing() })
    })
}

/// WIN-21: the drivers of the SMB server, where they are, are patched.
pub(super) fn file_server(case: &Case<'_>) -> Outcome {
    let required = "srv.sys and srv2.sys at the version of MS17-010 or newer";
    let mut faults = Vec::new();
    let mut seen = Vec::new();
    for name in ["srv.sys", "srv2.sys"] {
        let Some(found) = case.tree.file(&format!("windows/system32/drivers/{name}")) else { continue };
        let Some(version) = pe::version(found.node.bytes()) else {
            return Outcome::inconclusive(format!("{name} has no version that can be read"), required);
        };
        let [major, minor, build, revision] = version;
        let shown = format!("{name} {major}.{minor}.{build}.{revision}");
        let floor = SMB_FLOORS.iter().find(|(line, _)| *line == [major, minor, build]);
        let old = floor.map_or([major, minor, build] < [10, 0, 14393], |(_, least)| revision < *least);
        if old {
            faults.push(Fault { place: found.place(), ..fault(shown) });
        } else {
            seen.push(shown);
        }
    }
    Outcome::judged(
        faults,
        if seen.is_empty() { "neither driver is there".into() } else { seen.join(", ") },
        required,
    )
}

/// WIN-22: no product that needs an approved base.
pub(super) fn products(case: &Case<'_>) -> Outcome {
    let required = "SQL Server, Visual Studio and Office only from approved bases";
    look(case, "software", required, |hive| {
        let mut faults = Vec::new();
        for place in [UNINSTALL.to_owned(), format!("WOW6432Node\\{UNINSTALL}")] {
            let products = hive.key(&place)?.map(|key| key.keys()).transpose()?.unwrap_or_default();
            for product in products {
                let name = text(&product, "DisplayName")?.unwrap_or_default();
                let client = CLIENTS.iter().any(|client| name.contains(client));
                if !client && PRODUCTS.iter().any(|product| name.starts_with(product)) {
                    faults.push(fault(format!("{name} is installed")));
                }
            }
        }
        Ok(Outcome::judged(faults, "none of them", required))
    })
}

/// WIN-23: no policy turns updates off, and their service can start.
pub(super) fn updates(case: &Case<'_>) -> Outcome {
    let required = "automatic updates on";
    let policy = look(case, "software", required, |hive| {
        let off = number(hive, "Policies\\Microsoft\\Windows\\WindowsUpdate\\AU", "NoAutoUpdate")?;
        Ok(match off {
            Some(1) => Outcome::found(Place::default(), "NoAutoUpdate is 1", required),
            _ => Outcome::passed("no policy against updates", required),
        })
    });
    if policy.status != crate::Status::Passed {
        return policy;
    }
    look(case, "system", required, |hive| {
        let Some(services) = services(hive)? else {
            return Ok(Outcome::inconclusive(NO_SERVICES, required));
        };
        let start = services.key("wuauserv")?.map(|key| key.value("Start")).transpose()?.flatten();
        Ok(match start.and_then(|value| value.number()) {
            Some(4) => Outcome::found(Place::default(), "the update service is disabled", required),
            None => Outcome::found(Place::default(), "there is no update service", required),
            _ => Outcome::passed("the update service can start", required),
        })
    })
}

/// Whether a line of HOSTS gives this machine no other name than `localhost`.
fn is_localhost(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let address = words.next().and_then(|address| address.parse::<IpAddr>().ok());
    address.is_some_and(|address| address.is_loopback())
        && words.all(|name| name.eq_ignore_ascii_case("localhost"))
}

/// WIN-24: only accounts that Windows makes itself, and no lines in HOSTS.
pub(super) fn accounts(case: &Case<'_>) -> Outcome {
    let required = "built-in accounts only, an empty HOSTS file";
    let sam = look(case, "sam", required, |hive| {
        let Some(names) = hive.key("SAM\\Domains\\Account\\Users\\Names")? else {
            return Ok(Outcome::inconclusive("the SAM hive has no list of accounts", required));
        };
        let names = names.keys()?;
        let others =
            names.iter().filter(|key| !BUILT_IN.iter().any(|name| key.name.eq_ignore_ascii_case(name)));
        let faults = others.map(|key| fault(format!("the account {}", key.name))).collect();
        Ok(Outcome::judged(faults, "built-in accounts only", required))
    });
    if sam.status != crate::Status::Passed {
        return sam;
    }
    let Some(hosts) = case.tree.file("windows/system32/drivers/etc/hosts") else { return sam };
    let text = hosts.node.text();
    let lines = text.trim_start_matches('\u{feff}').lines();
    let lines = lines.map(|line| line.split('#').next().unwrap_or_default().trim());
    let lines = lines.filter(|line| !line.is_empty() && !is_localhost(line));
    let faults =
        lines.take(20).map(|line| Fault { place: hosts.place(), ..fault(format!("HOSTS has {line:?}")) });
    Outcome::judged(faults.collect(), "built-in accounts only, HOSTS is empty", required)
}
