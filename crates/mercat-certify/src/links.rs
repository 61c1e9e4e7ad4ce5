//! Links by which a layer has its records elsewhere than where they are read.

use crate::facts::Note;
use mercat_artifact::pkgdb::{RECORDS, is_release, root_of_record};
use mercat_machine::accounts;

/// [`RECORDS`], the files of accounts, and something in the directory of records of dpkg.
fn read() -> impl Iterator<Item = &'static str> {
    RECORDS.into_iter().chain(accounts::IN_USE).chain(["var/lib/dpkg/status.d/x"])
}

/// Where a symbolic link leads, from the root; links on the way are not followed.
pub(crate) fn target(path: &str, link: &str) -> String {
    let base =
        if link.starts_with('/') { "" } else { path.rsplit_once('/').map_or("", |(parent, _)| parent) };
    mercat_guest::resolve(&format!("{base}/{link}"), &|_| None).unwrap_or_default()
}

fn is_above(directory: &str, path: &str) -> bool {
    directory.is_empty() || path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether what is read by its path lies below a link, and so is somewhere else. Distributions have links of their own,
/// to places that are read too.
pub(crate) fn hides(path: &str, target: &str) -> bool {
    const USUAL: [(&str, &str); 7] = [
        ("lib", "usr/lib"),
        ("var/lib/rpm", "usr/lib/sysimage/rpm"),
        ("var/lib/rpm", "usr/share/rpm"),
        ("usr/lib/sysimage/rpm", "usr/share/rpm"),
        ("usr/lib/sysimage/rpm", "var/lib/rpm"),
        ("usr/lib/apk", "lib/apk"),
        ("lib/apk", "usr/lib/apk"),
    ];
    !USUAL.contains(&(path, target)) && read().any(|read| is_above(path, read))
}

/// Tells of a link in the place of what is read by its path.
pub(crate) fn unread(path: &str, target: &str) -> Note {
    let observed = format!("a link to {target}, which was not read as what it is here");
    let required = "plain files and directories where the system has its records";
    Note::new("INC-11", path, observed, required, "put the file or directory itself there")
}

/// Whether a link stands for packages of another root that are read by their path. Distributions have links to their name.
pub(crate) fn hides_below(path: &str) -> bool {
    const DIRECTORIES: [&str; 2] = ["/var/lib/dpkg", "/lib/apk/db"];
    root_of_record(path).is_some() && !is_release(path) || DIRECTORIES.iter().any(|end| path.ends_with(end))
}

/// Whether what is read by its path could be written through a link elsewhere.
pub(crate) fn is_alias(path: &str, target: &str) -> bool {
    path != target && read().any(|read| is_above(target, read) && !is_above(path, read))
}

/// The names by which what is read could have been written through a link.
pub(crate) fn by_alias(alias: &str, target: &str) -> Vec<(String, &'static str)> {
    let inside = read().filter(|read| is_above(target, read) && !read.ends_with("/x"));
    let named =
        inside.map(|read| (format!("{alias}/{}", read[target.len()..].trim_start_matches('/')), read));
    // What is read under this name, too, was read.
    named.filter(|(name, _)| !read().any(|read| read == name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_above_what_is_read_hide_it_but_those_of_distributions() {
        assert_eq!(target("var/lib/rpm", "../../usr/lib/sysimage/rpm"), "usr/lib/sysimage/rpm");
        assert_eq!(target("a/b", "/../x/./y"), "x/y");
        for (path, target) in [
            ("var/lib/rpm", "usr/lib/sysimage/rpm"),
            ("lib", "usr/lib"),
            ("var/run", "run"),
            ("etc/ssl", "usr/lib/ssl"),
        ] {
            assert!(!hides(path, target), "{path}");
        }
        for (path, target) in
            [("var/lib/dpkg", "opt/db"), ("etc", "e2"), ("lib", "opt"), ("var/lib/rpm", "opt/rpm")]
        {
            assert!(hides(path, target), "{path}");
        }
        assert!(is_alias("d", "var/lib") && is_alias("srv/root", "") && is_alias("e", "etc"));
        assert!(
            !is_alias("etc/ssl/certs", "etc/pki")
                && !is_alias("usr/x", "etc/ssh")
                && by_alias("lib", "usr/lib").iter().all(|(name, _)| name != "lib/apk/db/installed")
        );
        assert!(by_alias("d", "var/lib").contains(&("d/dpkg/status".to_owned(), "var/lib/dpkg/status")));
        assert!(by_alias("r", "").contains(&("r/etc/shadow".to_owned(), "etc/shadow")));
    }
}
