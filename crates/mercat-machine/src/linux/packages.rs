//! Installed software: LNX-02, 06, 07, 10, 11, 21, 23, 25, 27 and 28.

use super::kernel::line;
use super::{Case, Faults, Found, Outcome, at, at_least, here, lines, upstream, version};
use mercat_domain::finding::Severity;

const AGENT: [&str; 4] = ["walinuxagent", "WALinuxAgent", "python-azure-agent", "wa-linux-agent"];

/// The version of the guest agent: by its package, else by its own files.
fn agent_version(case: &Case<'_>) -> Option<String> {
    if let Some(version) = version(case, &AGENT) {
        return Some(upstream(version).to_owned());
    }
    let of_files = |found: Found<'_>| {
        let text = found.node.text().into_owned();
        let line = lines(&text).find_map(|line| line.strip_prefix("AGENT_VERSION"))?.to_owned();
        Some(line.trim_start_matches([' ', '=']).trim_matches(['"', '\'']).to_owned())
    };
    let is_version = |found: &Found<'_>| found.node.path.ends_with("azurelinuxagent/common/version.py");
    // Which of several is started is not known: the oldest counts.
    let versions = case.tree.all().filter(is_version).filter_map(of_files);
    versions.min_by(|one, other| mercat_advisories::versions::rpm_part(one, other))
}

/// Whether cloud-init is there and may stand for the agent.
fn by_cloud_init(case: &Case<'_>) -> bool {
    let installed =
        version(case, &["cloud-init"]).is_some() || case.tree.find("usr/bin/cloud-init").is_some();
    let disabled = case.tree.node("etc/cloud/cloud-init.disabled").is_some()
        || case.tree.below("etc/cloud").any(|found| lines(&found.node.text()).any(is_without_source));
    case.policy.cloud_init_is_agent && installed && !disabled
}

/// Whether a line of cloud-init's configuration leaves it no place to take data from.
fn is_without_source(line: &str) -> bool {
    let Some(list) = line.strip_prefix("datasource_list:") else { return false };
    let mut names = list.split(|letter: char| !letter.is_alphanumeric()).filter(|name| !name.is_empty());
    names.clone().next().is_some() && names.all(|name| name.eq_ignore_ascii_case("none"))
}

fn has_agent(case: &Case<'_>) -> bool {
    let programs = ["usr/sbin/waagent", "usr/bin/waagent"];
    agent_version(case).is_some() || programs.iter().any(|path| case.tree.file(path).is_some())
}

/// Whether the agent updates itself: so unless its configuration says otherwise.
fn updates_itself(case: &Case<'_>) -> bool {
    let text = case.tree.text("etc/waagent.conf").unwrap_or_default();
    let value = |key: &str| {
        let values = lines(&text).filter_map(|line| line.split_once('='));
        let found = values.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim()).next();
        found.is_none_or(|value| value.eq_ignore_ascii_case("y"))
    };
    value("AutoUpdate.Enabled") && value("AutoUpdate.UpdateToLatestVersion")
}

/// LNX-02: the guest agent, or what stands for it.
pub(super) fn agent(case: &Case<'_>) -> Outcome {
    let least = &case.policy.agent_min;
    let instead = if case.policy.cloud_init_is_agent { ", or cloud-init" } else { "" };
    let required = format!("guest agent {least} or newer, or one that updates itself{instead}");
    if !has_agent(case) {
        return match by_cloud_init(case) {
            true => Outcome::passed("cloud-init", required),
            false => Outcome::found(at(case.tree, "usr/sbin/waagent"), "no guest agent", required),
        };
    }
    let Some(version) = agent_version(case) else {
        return Outcome::found(
            at(case.tree, "usr/sbin/waagent"),
            "a guest agent without a version",
            required,
        );
    };
    let observed = format!("guest agent {version}");
    // Older packs ask for a version; agents before the least one cannot renew themselves.
    let renewed = case.policy.cloud_init_is_agent && updates_itself(case) && at_least(&version, "2.2.10");
    match renewed || at_least(&version, least) {
        true => Outcome::passed(observed, required),
        false => Outcome::found(at(case.tree, "usr/sbin/waagent"), observed, required),
    }
}

/// LNX-11: the agent renews itself.
pub(super) fn auto_update(case: &Case<'_>) -> Outcome {
    let required = "AutoUpdate.Enabled=y, which is the default";
    if !has_agent(case) {
        return match by_cloud_init(case) {
            true => Outcome::not_applicable("provisioned by cloud-init, without an agent"),
            false => Outcome::found(here(), "no guest agent", required),
        };
    }
    match updates_itself(case) {
        true => Outcome::passed("the agent updates itself", required),
        false => Outcome::found(at(case.tree, "etc/waagent.conf"), "updates of the agent are off", required),
    }
}

/// LNX-23: extensions need an agent and Python.
pub(super) fn extensions(case: &Case<'_>) -> Outcome {
    let least = &case.policy.extension_agent_min;
    let required = format!("guest agent {least} or newer, and Python");
    let mut lacking = Vec::new();
    match agent_version(case) {
        None => lacking.push("no guest agent".to_owned()),
        Some(version) if !at_least(&version, least) => lacking.push(format!("guest agent {version}")),
        Some(_) => {}
    }
    if python_version(case).is_none() {
        lacking.push("no Python".to_owned());
    }
    if lacking.is_empty() {
        return Outcome::passed("agent and Python", required);
    }
    let observed = lacking.join(", ");
    match case.claims.supports_extensions {
        true => Outcome::found(here(), observed, required),
        false if by_cloud_init(case) => Outcome::not_applicable("the plan does not claim extensions"),
        false => Outcome::advice(here(), observed, required),
    }
}

fn python_version(case: &Case<'_>) -> Option<String> {
    let names =
        ["python3", "python3-minimal", "python3-base", "python2", "python", "python2.7", "python3-libs"];
    let numbered = |name: &str| {
        let number = name.strip_prefix("python3").unwrap_or("x").trim_start_matches(['.', '-']);
        number.bytes().all(|byte| byte.is_ascii_digit())
    };
    // The one that programs mean first.
    let by_package = names.iter().find_map(|name| version(case, &[name])).or_else(|| {
        let found = case.packages.iter().find(|package| numbered(&package.name));
        found.map(|package| package.version.as_str())
    });
    if let Some(version) = by_package {
        return Some(upstream(version).to_owned());
    }
    let programs = case.tree.below("usr/bin").filter(|found| found.node.name().starts_with("python"));
    let versions = programs.filter_map(|found| {
        let number = found.node.name().strip_prefix("python")?.to_owned();
        (number.contains('.') && number.bytes().all(|b| b.is_ascii_digit() || b == b'.')).then_some(number)
    });
    versions.max_by(|one, other| mercat_advisories::versions::rpm_part(one, other))
}

/// LNX-07: Python, where it is there.
pub(super) fn python(case: &Case<'_>) -> Outcome {
    let least = &case.policy.python_min;
    let required = format!("Python {least} or newer");
    match python_version(case) {
        None if case.policy.python_advised => Outcome::found(here(), "no Python", required),
        None => Outcome::not_applicable("no Python"),
        Some(version) if at_least(&version, least) => Outcome::passed(format!("Python {version}"), required),
        Some(version) => Outcome::found(here(), format!("Python {version}"), required),
    }
}

/// LNX-06: OpenSSL, by its packages, else by the names of its libraries.
pub(super) fn openssl(case: &Case<'_>) -> Outcome {
    const PACKAGES: [&str; 9] = [
        "openssl",
        "openssl-libs",
        "libssl3",
        "libssl3t64",
        "libssl1.1",
        "libssl1.0.2",
        "libssl1.0.0",
        "libopenssl1_1",
        "libopenssl3",
    ];
    let policy = case.policy;
    let required = match policy.openssl_extended.as_slice() {
        [] => format!("OpenSSL {} or newer", policy.openssl_min),
        lines => format!("OpenSSL {} or newer, or {}", policy.openssl_min, lines.join(", ")),
    };
    let mut versions: Vec<String> = Vec::new();
    for package in case.packages.iter().filter(|package| PACKAGES.contains(&package.name.as_str())) {
        versions.push(upstream(&package.version).to_owned());
    }
    if versions.is_empty() {
        let library = |found: Found<'_>| Some(found.node.name().strip_prefix("libssl.so.")?.to_owned());
        versions.extend(case.tree.all().filter_map(library));
    }
    versions.sort();
    versions.dedup();
    if versions.is_empty() {
        return Outcome::not_applicable("no OpenSSL");
    }
    let good = |version: &String| {
        let extended = policy.openssl_extended.iter().any(|line| version.starts_with(line.as_str()));
        // A library's name ends with its major version alone.
        let major = policy.openssl_min.split('.').next() == Some(version.as_str());
        extended || major || at_least(version, &policy.openssl_min)
    };
    let mut faults = Faults::default();
    for version in versions.iter().filter(|version| !good(version)) {
        faults.add(here(), format!("OpenSSL {version}"));
    }
    faults.judge(format!("OpenSSL {}", versions.join(", ")), required)
}

/// LNX-10: the C library, shell and OpenSSL are newer than the bugs that everybody knows by name.
pub(super) fn named_threats(case: &Case<'_>) -> Outcome {
    // Upstream releases with the fixes, and the packages in which Red Hat fixed older ones.
    const THREATS: [(&str, &[&str], &str); 3] = [
        ("GHOST (CVE-2015-0235)", &["libc6", "glibc"], "2.18"),
        ("Shellshock (CVE-2014-6271)", &["bash"], "4.3"),
        ("Heartbleed (CVE-2014-0160)", &["libssl3", "openssl", "openssl-libs", "libssl1.1"], "1.0.1"),
    ];
    const MENDED: [(&str, &str); 4] = [
        ("2.12", "2.12-1.149.el6_6.5"),
        ("2.17", "2.17-55.el7_0.5"),
        ("4.1.2", "4.1.2-15.el6_5.2"),
        ("4.2.45", "4.2.45-5.el7_0.4"),
    ];
    let required = "newer than GHOST, Shellshock and Heartbleed";
    let mut faults = Faults::default();
    for (threat, names, fixed) in THREATS {
        let Some(version) = version(case, names) else { continue };
        let upstream = upstream(version);
        let heartbleed = threat.starts_with("Heartbleed");
        let vulnerable = match heartbleed {
            // Only 1.0.1 to 1.0.1f.
            true => upstream.starts_with(fixed) && upstream.len() <= 6 && upstream < "1.0.1g",
            false => {
                let is_mended = |(of, package): &(&str, &str)| {
                    version.contains(".el") && line(upstream) == line(of) && at_least(version, package)
                };
                !at_least(upstream, fixed) && !MENDED.iter().any(is_mended)
            }
        };
        if vulnerable {
            faults.add(here(), format!("{threat} may be open: {} {version}", names[0]));
        }
    }
    faults.judge("no named vulnerability", required)
}

/// LNX-21: OMI, if it is there.
pub(super) fn omi(case: &Case<'_>) -> Outcome {
    let least = &case.policy.omi_min;
    let required = format!("no OMI, or {least} and newer");
    let dashes = |version: &str| version.replace('-', ".");
    match version(case, &["omi"]) {
        Some(version) if at_least(&dashes(version), least) => {
            Outcome::passed(format!("OMI {version}"), required)
        }
        Some(version) => Outcome::found(here(), format!("OMI {version}"), required),
        None => match case.tree.find("opt/omi/bin/omiserver") {
            Some(found) => {
                Outcome::found(found.place(), "OMI without a package that says its version", required)
            }
            None => Outcome::passed("no OMI", required),
        },
    }
}

/// LNX-25: agents that customers did not ask for.
pub(super) fn foreign_agents(case: &Case<'_>) -> Outcome {
    const NAMES: [&str; 24] = [
        "clamav",
        "clamav-daemon",
        "sophos-av",
        "falcon-sensor",
        "mdatp",
        "cbagentd",
        "ds-agent",
        "ds_agent",
        "savce",
        "esets",
        "mcafeetp",
        "isectp",
        "teamviewer",
        "anydesk",
        "rustdesk",
        "puppet-agent",
        "chef",
        "salt-minion",
        "landscape-client",
        "zabbix-agent",
        "nessusagent",
        "qualys-cloud-agent",
        "amazon-ssm-agent",
        "splunkforwarder",
    ];
    let mut faults = Faults::default();
    for package in case.packages {
        let name = package.name.to_ascii_lowercase();
        if NAMES.contains(&name.as_str()) {
            faults.add(here(), format!("{} {}", package.name, package.version));
        }
    }
    faults.judge("none", "no antivirus and remote management")
}

/// LNX-27: what the advisories said.
pub(super) fn patches(case: &Case<'_>) -> Outcome {
    let required = "no known vulnerability over the threshold";
    if let Some(why) =
        case.findings.iter().find(|f| ["INC-06", "INC-07", "INC-08"].contains(&f.rule.as_str()))
    {
        return Outcome::inconclusive(why.observed.clone(), required);
    }
    match case.findings.iter().filter(|finding| finding.rule == "CTR-22").count() {
        0 if case.packages.is_empty() => Outcome::not_applicable("no packages to look up"),
        0 => Outcome::passed(format!("{} packages looked up", case.packages.len()), required),
        count => Outcome::elsewhere(format!("{count} known vulnerabilities (CTR-22)"), required),
    }
}

/// LNX-28: what the scanners said.
pub fn malware(case: &Case<'_>) -> Outcome {
    let required = "no virus or malware, every byte scanned";
    let count = case.findings.iter().filter(|finding| finding.rule == "CTR-20").count();
    if count > 0 {
        return Outcome::elsewhere(format!("{count} viruses or malware (CTR-20)"), required);
    }
    let scanners = ["INC-01", "INC-02", "INC-03", "INC-04", "INC-05", "INC-23"];
    let unsure = |rule: &str| scanners.contains(&rule) || !rule.contains("CTR") && !rule.starts_with("INC");
    let open = case.findings.iter().find(|f| f.severity == Severity::Inconclusive && unsure(&f.rule));
    match open {
        Some(finding) => Outcome::inconclusive(finding.observed.clone(), required),
        None => Outcome::passed("none", required),
    }
}
