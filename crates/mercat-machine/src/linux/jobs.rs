//! Scheduled jobs: LNX-26.

use super::{Case, Faults, Found, Outcome, lines};
use mercat_guest::Kind;

/// LNX-26: jobs that no package of the distribution brings.
pub(super) fn jobs(case: &Case<'_>) -> Outcome {
    let mut faults = Faults::default();
    for found in case.tree.below("var/spool/cron").filter(|found| found.node.is_file()) {
        // Output and state of `at`, whose jobs are told as those of users.
        let is_of_at = ["/atspool/", "/atjobs/.SEQ"].iter().any(|place| found.node.path.contains(place));
        let own = !found.node.name().starts_with('.') && !is_of_at && found.node.size > 0;
        if own && lines(&found.node.text()).next().is_some() {
            faults.at(&found, "a user's crontab");
        }
    }
    const KNOWN: [&str; 30] = [
        "e2scrub_all",
        "anacron",
        "0hourly",
        "sysstat",
        "popularity-contest",
        "mdadm",
        "raid-check",
        "php",
        "apt-compat",
        "dpkg",
        "logrotate",
        "man-db",
        "apport",
        "bsdmainutils",
        "passwd",
        "mlocate",
        "plocate",
        "update-notifier-common",
        "ubuntu-advantage-tools",
        "0anacron",
        "rhsmd",
        "cron",
        "aptitude",
        "exim4-base",
        "samba",
        "apache2",
        "ntp",
        "suse.de-backup-rpmdb",
        "suse-clean_catman",
        "dnf-automatic",
    ];
    // With the package that brings them.
    const OF_PACKAGES: [(&str, &str); 14] = [
        ("0yum-daily.cron", "yum-cron"),
        ("0yum-hourly.cron", "yum-cron"),
        ("aide", "aide-common"),
        ("certbot", "certbot"),
        ("cracklib-runtime", "cracklib-runtime"),
        ("etckeeper", "etckeeper"),
        ("fstrim", "util-linux"),
        ("man-db.cron", "man-db"),
        ("mlocate.cron", "mlocate"),
        ("packagekit-background.cron", "PackageKit-cron"),
        ("quota", "quota"),
        ("spamassassin", "spamassassin"),
        ("suse.de-snapper", "snapper"),
        ("zfsutils-linux", "zfsutils-linux"),
    ];
    let is_installed = |package: &str| case.packages.iter().any(|installed| installed.name == package);
    let is_brought =
        |name: &str| OF_PACKAGES.iter().any(|(job, package)| *job == name && is_installed(package));
    // What every machine has, as a job of the week.
    let is_elsewhere =
        |found: &Found<'_>| found.node.name() == "fstrim" && !found.node.path.contains("cron.weekly/");
    const PLACES: [&str; 7] = [
        "etc/cron.d",
        "etc/cron.hourly",
        "etc/cron.daily",
        "etc/cron.weekly",
        "etc/cron.monthly",
        "etc/cron.yearly",
        "etc/periodic",
    ];
    let is_job = |found: &Found<'_>| matches!(found.node.kind, Kind::File | Kind::Symlink);
    for found in PLACES.iter().flat_map(|place| case.tree.below(place)).filter(is_job) {
        let name = found.node.name();
        let is_off = found.node.link == "/dev/null";
        // What a link leads to may be anything.
        let is_known = (KNOWN.contains(&name) || is_brought(name)) && found.node.is_file();
        if !name.starts_with('.') && !is_off && (!is_known || is_elsewhere(&found)) {
            faults.at(&found, "a scheduled job");
        }
    }
    let tables = ["etc/crontab", "etc/anacrontab"].into_iter().filter_map(|path| case.tree.file(path));
    for found in tables.chain(case.tree.files("etc/crontabs").map(|(_, found)| found)) {
        if lines(&found.node.text()).any(|line| !is_usual(line)) {
            faults.at(&found, "a scheduled job");
        }
    }
    for found in case.tree.below("etc/systemd/system") {
        // A timer of a package is a link to where packages have them; a file was written here.
        let real = case.tree.real(&found.node.path).unwrap_or_default();
        let places = ["usr/lib/systemd/", "lib/systemd/", "etc/systemd/", "dev/null"];
        let is_timer = real.ends_with(".timer") || real == "dev/null";
        let is_packaged = found.node.kind == Kind::Symlink
            && is_timer
            && places.iter().any(|place| real.starts_with(place));
        if found.node.name().ends_with(".timer") && !is_packaged {
            faults.at(&found, "a timer");
        }
    }
    for line in &case.boot().lines {
        if super::kernel::has(&line.text, |word| word.starts_with("systemd.run=")) {
            faults.at(&line.found, "a command on the kernel command line");
        }
    }
    faults.judge("only those of packages", "no scheduled jobs but the distribution's")
}

/// Whether a line of a table of jobs only sets a variable, or runs the directories of jobs, which are looked at
/// themselves, as those of Debian, Red Hat, SUSE and Alpine do.
fn is_usual(line: &str) -> bool {
    const SYSTEM_PATHS: [&str; 7] =
        ["/sbin", "/bin", "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/lib/news/bin"];
    const WORDS: [&str; 20] = [
        "root",
        "cd",
        "&&",
        "||",
        "{",
        "}",
        "test",
        "-x",
        "[",
        "]",
        "nice",
        "ionice",
        "-n",
        "run-parts",
        "--report",
        "/usr/sbin/anacron",
        "/usr/lib/cron/run-crons",
        ">/dev/null",
        "2>&1",
        "-",
    ];
    // Others may lead to programs that are started.
    let is_variable = line.split_once('=').is_some_and(|(name, value)| {
        let value = value.trim().trim_matches(['"', '\'']);
        match name.trim_end() {
            "SHELL" => ["/bin/sh", "/bin/bash", "/usr/bin/bash"].contains(&value),
            "PATH" => value.split(':').all(|path| SYSTEM_PATHS.contains(&path)),
            "MAILTO" | "HOME" | "LOGNAME" | "CRON_TZ" | "RANDOM_DELAY" | "START_HOURS_RANGE" | "LANG" => true,
            _ => false,
        }
    });
    let is_time = |word: &str| {
        let is_number = |byte: u8| byte.is_ascii_digit() || b"*/,-".contains(&byte);
        word.starts_with('@') || !word.starts_with('/') && word.bytes().all(is_number)
    };
    let is_directory = |word: &str| {
        let name = word.strip_prefix("/etc/").unwrap_or(word);
        let period = name.strip_prefix("cron.").or_else(|| name.strip_prefix("periodic/"));
        period.is_some_and(|period| {
            ["15min", "hourly", "daily", "weekly", "monthly", "yearly"].contains(&period)
        })
    };
    let line = line.replace("cd / ", "cd ");
    let words: Vec<&str> = line.split_whitespace().map(|word| word.trim_matches(['(', ')', ';'])).collect();
    let user = words.iter().position(|word| *word == "root").unwrap_or(words.len());
    let is_plain = |(at, word): (usize, &&str)| {
        let before = at.checked_sub(1).and_then(|at| words.get(at)).copied().unwrap_or_default();
        match before {
            // What it runs is a directory that is looked into.
            "run-parts" | "--report" => {
                *word == "--report" || word.starts_with("/etc/") && is_directory(word)
            }
            "-n" => word.parse::<i8>().is_ok() || WORDS.contains(word),
            _ => WORDS.contains(word) || at < user && is_time(word) || is_directory(word) || word.is_empty(),
        }
    };
    is_variable || words.iter().enumerate().all(is_plain)
}

#[cfg(test)]
mod tests;
