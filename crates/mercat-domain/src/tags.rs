//! Tag rules of container plans (domain rules 6.2), over names and digests only.

use crate::Digest;
use crate::finding::{Finding, Place, Severity};
use std::collections::BTreeMap;

/// Whether the text is a tag by the distribution specification's grammar.
pub fn is_tag(text: &str) -> bool {
    let head = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(head)
        && text.bytes().all(|b| head(b) || b == b'.' || b == b'-')
}

/// Whether the text is a repository name by the distribution specification's grammar.
pub fn is_repository(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let component = |part: &str| {
        part.bytes().next().is_some_and(plain)
            && part.bytes().last().is_some_and(plain)
            && part.bytes().all(|b| plain(b) || b"._-".contains(&b))
            && !["..", "___", "._", "_.", ".-", "-.", "-_", "_-"].iter().any(|bad| part.contains(bad))
    };
    text.len() <= 255 && text.split('/').all(component)
}

/// Whether the text names a repository at a registry, or an operator-allowed local source
/// (`oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE`).
pub fn is_repository_reference(text: &str) -> bool {
    for scheme in ["oci:", "oci-archive:", "docker-archive:"] {
        if let Some(path) = text.strip_prefix(scheme) {
            return path.starts_with('/') && !path.split('/').any(|part| part == "..");
        }
    }
    let Some((host, repository)) = text.split_once('/') else { return false };
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let host_ok = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
        && (name.contains('.') || port.is_some() || name == "localhost");
    host_ok && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|p| p > 0)) && is_repository(repository)
}

/// Reads `X.Y.Z`, all integers.
pub fn parse_triple(text: &str) -> Option<[u64; 3]> {
    let mut parts = text.split('.').map(number);
    let triple = [parts.next()??, parts.next()??, parts.next()??];
    (parts.next().is_none() && text.len() <= 32).then_some(triple)
}

fn number(text: &str) -> Option<u64> {
    let ok = !text.is_empty() && text.len() <= 10 && text.bytes().all(|b| b.is_ascii_digit());
    ok.then(|| text.parse().ok()).flatten()
}

/// A version tag: `X.Y` or `X.Y.Z`, with an optional `-suffix`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionTag {
    /// Major, minor and patch; patch is 0 when not given.
    pub number: [u64; 3],
    /// Whether the patch was given; `X.Y` tags may roll.
    pub exact: bool,
    /// What follows the dash.
    pub suffix: String,
}

/// Reads a version tag by rule CTR-05.
pub fn parse_version(tag: &str) -> Option<VersionTag> {
    let (numbers, suffix) = tag.split_once('-').map_or((tag, ""), |(n, s)| (n, s));
    if tag.contains('-') && suffix.is_empty() {
        return None;
    }
    let mut parts = numbers.split('.').map(number);
    let (major, minor) = (parts.next()??, parts.next()??);
    let patch = match parts.next() {
        None => None,
        Some(patch) => Some(patch?),
    };
    parts.next().is_none().then(|| VersionTag {
        number: [major, minor, patch.unwrap_or(0)],
        exact: patch.is_some(),
        suffix: suffix.to_owned(),
    })
}

/// Whether a tag names a version for good once it is published: `latest` and `X.Y` roll.
pub fn is_fixed(tag: &str) -> bool {
    parse_version(tag).is_some_and(|version| version.exact)
}

/// What a plan has in production.
#[derive(Debug, Clone, Copy)]
pub struct Published<'a> {
    /// Its tags there.
    pub live: &'a BTreeMap<String, Digest>,
    /// Tags of versions that are or were there, with what they named.
    pub ever: &'a BTreeMap<String, Digest>,
}

/// One listed reference of a plan, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The tag or digest as listed.
    pub reference: String,
    /// The manifest or index that it names.
    pub digest: Digest,
    /// Whether that is an index.
    pub is_index: bool,
    /// The platforms below it, `os/architecture[/variant]`.
    pub platforms: Vec<String>,
    /// Digests of the index's children, each with its platform.
    pub children: Vec<Digest>,
}

/// The severity of one rule; the policy pack stands behind it.
pub type SeverityOf<'a> = &'a dyn Fn(&str) -> Option<Severity>;

/// Applies CTR-01 to CTR-08, CTR-14 and CTR-36 to one plan.
///
/// `declared` are the platforms that the listing names, empty when it names none.
pub fn check(
    plan: &str,
    resolved: &[Resolved],
    published: Published<'_>,
    declared: &[String],
    severity: SeverityOf<'_>,
) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut report = |rule: &str, observed: String, required: &str, fix: &str| {
        if let Some(severity) = severity(rule) {
            out.push(Finding {
                rule: rule.to_owned(),
                severity,
                place: Place {
                    plan: plan.to_owned(),
                    field: format!("plans/{plan}/tags"),
                    ..Place::default()
                },
                observed,
                required: required.to_owned(),
                fix: fix.to_owned(),
            });
        }
    };
    let tags: Vec<&Resolved> = resolved.iter().filter(|r| Digest::parse(&r.reference).is_none()).collect();
    let names = tags.iter().map(|r| r.reference.as_str()).collect::<Vec<_>>().join(", ");
    let latest = tags.iter().find(|r| r.reference == "latest");
    let versions: Vec<(VersionTag, &Resolved)> =
        tags.iter().filter_map(|r| Some((parse_version(&r.reference)?, *r))).collect();

    if latest.is_none() {
        report("CTR-01", names.clone(), "the tag latest in the list", "push and list the tag latest");
    }
    if versions.is_empty() {
        report("CTR-02", names, "at least one version tag such as 1.0.1", "push and list a version tag");
    }
    for item in tags.iter().filter(|r| r.platforms.len() > 1 && !r.is_index) {
        report(
            "CTR-03",
            item.reference.clone(),
            "an index when there are several platforms",
            "push an OCI index",
        );
    }
    for index in tags.iter().filter(|r| r.is_index) {
        let unlisted: Vec<&str> = index
            .children
            .iter()
            .filter(|child| !resolved.iter().any(|r| r.digest == **child))
            .map(Digest::as_str)
            .collect();
        if !unlisted.is_empty() {
            report(
                "CTR-04",
                format!("{} refers to {}", index.reference, unlisted.join(", ")),
                "each platform's manifest listed by its own tag or digest",
                "list the manifests so that customers can pin one platform",
            );
        }
    }
    for item in tags.iter().filter(|r| r.reference != "latest" && parse_version(&r.reference).is_none()) {
        report(
            "CTR-05",
            item.reference.clone(),
            "X.Y or X.Y.Z, optionally followed by -suffix",
            "rename the tag, for example 1.4.0-debian",
        );
    }
    for (version, item) in versions.iter().filter(|(version, _)| version.exact) {
        let Some(then) = published.ever.get(&item.reference) else {
            let newest = published.ever.keys().filter_map(|tag| parse_version(tag)).filter(|v| v.exact).max();
            if let Some(newest) = newest.filter(|newest| version.number < newest.number) {
                let [x, y, z] = newest.number;
                report(
                    "CTR-07",
                    item.reference.clone(),
                    &format!("greater than {x}.{y}.{z}, the newest published"),
                    "raise the version",
                );
            }
            continue;
        };
        if *then != item.digest {
            report(
                "CTR-06",
                format!("{} is {}", item.reference, item.digest),
                &format!("{then}, as published"),
                "publish the new content under a new version tag",
            );
        }
    }
    let is_listed = |tag: &str| tags.iter().any(|item| item.reference == tag);
    let leaving = published.live.keys().filter(|tag| parse_version(tag).is_some() && !is_listed(tag));
    let leaving = leaving.map(String::as_str).collect::<Vec<_>>().join(", ");
    if !leaving.is_empty() {
        report(
            "CTR-36",
            format!("not listed any more: {leaving}"),
            "the versions that customers have",
            "list them again, or tell customers: after Go Live nobody can pull them",
        );
    }
    if let (Some(latest), Some(number)) = (latest, versions.iter().map(|(version, _)| version.number).max())
        && !versions.iter().any(|(version, item)| version.number == number && item.digest == latest.digest)
    {
        let [x, y, z] = number;
        report(
            "CTR-08",
            format!("latest is {}", latest.digest),
            &format!("the image of {x}.{y}.{z}, the newest version listed"),
            "move latest to the newest version",
        );
    }
    if !declared.is_empty() {
        for item in &tags {
            let lacking: Vec<&str> = declared
                .iter()
                .filter(|platform| !item.platforms.contains(platform))
                .map(String::as_str)
                .collect();
            let extra: Vec<&str> =
                item.platforms.iter().filter(|p| !declared.contains(p)).map(String::as_str).collect();
            if !lacking.is_empty() || !extra.is_empty() {
                report(
                    "CTR-14",
                    format!("{}: {}", item.reference, item.platforms.join(", ")),
                    &format!("{}, as the listing declares", declared.join(", ")),
                    "build the missing platforms or correct the listing",
                );
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(reference: &str, seed: u8) -> Resolved {
        Resolved {
            reference: reference.into(),
            digest: Digest::from_sha256(&[seed; 32]),
            is_index: false,
            platforms: vec!["linux/amd64".into()],
            children: Vec::new(),
        }
    }

    fn rules(resolved: &[Resolved], published: &BTreeMap<String, Digest>, declared: &[&str]) -> Vec<String> {
        rules_after(resolved, Published { live: published, ever: published }, declared)
    }

    fn rules_after(resolved: &[Resolved], published: Published<'_>, declared: &[&str]) -> Vec<String> {
        let declared: Vec<String> = declared.iter().map(ToString::to_string).collect();
        check("standard", resolved, published, &declared, &|_| Some(Severity::Error))
            .into_iter()
            .map(|finding| finding.rule)
            .collect()
    }

    #[test]
    fn latest_and_a_version_of_the_same_image_pass() {
        assert_eq!(rules(&[image("latest", 1), image("1.0.1", 1)], &BTreeMap::new(), &[]), [""; 0]);
    }

    #[test]
    fn each_tag_rule_is_reached_by_its_own_mistake() {
        let none = BTreeMap::new();
        assert_eq!(rules(&[image("1.0.1", 1)], &none, &[]), ["CTR-01"]);
        assert_eq!(rules(&[image("latest", 1)], &none, &[]), ["CTR-02"]);
        assert_eq!(rules(&[image("latest", 1), image("1.0", 1), image("beta", 2)], &none, &[]), ["CTR-05"]);
        assert_eq!(rules(&[image("latest", 1), image("1.0", 1), image("1.1", 2)], &none, &[]), ["CTR-08"]);
        let both = [image("latest", 1), image("1.0.1", 1)];
        assert_eq!(rules(&both, &none, &["linux/arm64"]), ["CTR-14", "CTR-14"]);
        let moved = BTreeMap::from([("1.0.1".to_owned(), Digest::from_sha256(&[9; 32]))]);
        assert_eq!(rules(&both, &moved, &[]), ["CTR-06"]);
        let newer = BTreeMap::from([("2.0.0".to_owned(), Digest::from_sha256(&[9; 32]))]);
        assert_eq!(rules(&both, &newer, &[]), ["CTR-07", "CTR-36"]);
        let several =
            Resolved { platforms: vec!["linux/amd64".into(), "linux/arm64".into()], ..image("latest", 1) };
        assert_eq!(rules(&[several, image("1.0.1", 1)], &none, &[]), ["CTR-03"]);
        let index =
            Resolved { is_index: true, children: vec![Digest::from_sha256(&[7; 32])], ..image("latest", 3) };
        let pair = [index.clone(), Resolved { reference: "1.0.1".into(), ..index }];
        assert_eq!(rules(&pair, &none, &[]), ["CTR-04", "CTR-04"]);
        let listed = Resolved { digest: Digest::from_sha256(&[7; 32]), ..image("1.0.1-amd64", 7) };
        assert_eq!(rules(&[pair[0].clone(), pair[1].clone(), listed], &none, &[]), [""; 0]);
    }

    #[test]
    fn what_left_production_comes_back_as_it_was_or_not_at_all() {
        let tags = |of: &[(&str, u8)]| -> BTreeMap<String, Digest> {
            of.iter().map(|(tag, seed)| ((*tag).to_owned(), Digest::from_sha256(&[*seed; 32]))).collect()
        };
        let (live, ever) = (tags(&[("latest", 1), ("1.0.0", 1)]), tags(&[("1.0.0", 1), ("2.0.0", 2)]));
        let after = Published { live: &live, ever: &ever };
        let list = |of: &[(&str, u8)]| of.iter().map(|(tag, seed)| image(tag, *seed)).collect::<Vec<_>>();
        let told = |of: &[(&str, u8)]| rules_after(&list(of), after, &[]);
        assert_eq!(told(&[("latest", 2), ("1.0.0", 1), ("2.0.0", 2)]), [""; 0]);
        assert_eq!(told(&[("latest", 3), ("1.0.0", 1), ("2.0.0", 3)]), ["CTR-06"]);
        assert_eq!(told(&[("latest", 3), ("1.0.0", 1), ("1.0.1", 3)]), ["CTR-07"]);
        assert_eq!(told(&[("latest", 3), ("3.0.0", 3)]), ["CTR-36"]);
        // Of the very first there is nothing to lose.
        let none = BTreeMap::new();
        assert_eq!(rules(&list(&[("latest", 3), ("3.0.0", 3)]), &none, &[]), [""; 0]);
    }

    #[test]
    fn references_need_a_registry_and_a_lower_case_repository() {
        for good in
            ["registry.example.org/a/b", "localhost:5000/x", "10.0.0.1:5000/a__b/c-d", "oci:/srv/images/a"]
        {
            assert!(is_repository_reference(good), "{good}");
        }
        for bad in [
            "ubuntu",
            "a/b",
            "registry.example.org/A",
            "x.org/a/../b",
            "x.org:0/a",
            "oci:relative",
            "oci:/a/../etc",
            "x.org/a:1",
        ] {
            assert!(!is_repository_reference(bad), "{bad}");
        }
    }

    #[test]
    fn version_tags_follow_the_grammar() {
        assert_eq!(parse_version("1.2").map(|v| (v.number, v.exact)), Some(([1, 2, 0], false)));
        assert_eq!(parse_version("1.2.3-deb").map(|v| (v.number, v.suffix)), Some(([1, 2, 3], "deb".into())));
        for bad in ["v1.2.3", "1", "1.2.3.4", "1.2-", "1.x.3"] {
            assert_eq!(parse_version(bad), None, "{bad}");
        }
    }
}
