//! What is known about what is installed: distribution packages and packages of languages alike.

mod java;

use crate::inventory::{Rooted, ecosystem};
use crate::scan::OURS;
use crate::{Knowledge, advisories};
use advisories::versions::{Scheme, is_rpm};
use advisories::vex::{Statement, Status, Subject};
use advisories::{Day, EPSS_ONE, SnapshotError, Vulnerability, canonical_name, ecosystem_of_purl_type};
use java::Identity;
use mercat_artifact::pkgdb::{OsRelease, Package};
use mercat_domain::finding::{Finding, Place, Severity};
use mercat_inventory::{Component, Evidence};
use mercat_policy::VulnerabilityPolicy;
use mercat_sbom::purl;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What was found in an image or on a disk.
pub(crate) struct Installed<'a> {
    pub(crate) os: &'a OsRelease,
    pub(crate) packages: &'a [Package],
    pub(crate) components: &'a [Component],
    /// Digests by which statements may name it.
    pub(crate) digests: &'a [String],
}

/// The findings, and which statements were about something.
#[derive(Default)]
pub(crate) struct Judged {
    pub(crate) findings: Vec<Finding>,
    pub(crate) statements: Statements,
}

/// Of the statements in [`Knowledge::vex`], by their place there.
#[derive(Default)]
pub(crate) struct Statements {
    /// They were about something.
    matched: BTreeSet<usize>,
    /// They name a vulnerability that was found, and not what it was found in, which is this.
    beside: BTreeMap<usize, String>,
}

impl Statements {
    /// Takes in those about another image.
    pub(crate) fn extend(&mut self, other: Self) {
        self.matched.extend(other.matched);
        for (at, purl) in other.beside {
            self.beside.entry(at).or_insert(purl);
        }
    }
}

/// A package to look up.
struct Subjected<'a> {
    ecosystem: &'a str,
    scheme: Scheme,
    names: Vec<&'a str>,
    /// The version that is compared.
    version: &'a str,
    /// The stream of a module that it came with.
    module: &'a str,
    shown: String,
    place: Place,
    /// See [`Named::guessed`].
    guessed: bool,
    /// Whether it is there, or only in a list of what somebody meant.
    there: bool,
}

/// Statements that one finding tells; a document may hold thousands about one vulnerability.
const CLAIMS_TOLD_MAX: usize = 3;

fn finding(rule: &str, place: Place, observed: String, required: &str, fix: &str) -> Finding {
    let (rule, required, fix) = (rule.to_owned(), required.to_owned(), fix.to_owned());
    Finding { rule, severity: Severity::Error, place, observed, required, fix }
}

impl Knowledge {
    /// Digest and newest record of the advisories, and the day on which their age is judged.
    pub(crate) fn about_advisories(&self) -> [String; 3] {
        let today = self.today.map(|day| day.to_string()).unwrap_or_default();
        [self.advisories.digest(), self.advisories.newest(), today]
    }

    /// Ecosystems whose advisories are too old by the policy, with the reason: what of today's date a
    /// verdict depends on.
    pub fn stale_advisories(&self) -> BTreeMap<String, String> {
        let known = self.advisories.meta().map(|meta| meta.ecosystems.keys()).into_iter().flatten();
        known.filter_map(|ecosystem| Some((ecosystem.clone(), self.staleness(ecosystem)?))).collect()
    }

    /// Why the signatures are too old by the policy.
    pub fn stale_signatures(&self) -> Option<String> {
        let (today, max) = (self.today?, self.policy.malware.signatures_max_age_days?);
        let Some(imported) = self.signatures_imported else {
            return Some(format!("no signatures, or none of which the day is known; at most {max} days"));
        };
        let days = today.since(imported);
        let told = format!("signatures imported on {imported}, {days} days ago; at most {max} days");
        (!(0..=i64::from(max)).contains(&days)).then_some(told)
    }

    fn staleness(&self, ecosystem: &str) -> Option<String> {
        let (today, coverage) = (self.today?, self.advisories.coverage(ecosystem)?);
        let policy = &self.policy.vulnerabilities;
        let over = |max: Option<u32>, day: Day| {
            let days = today.since(day);
            max.filter(|max| days > i64::from(*max)).map(|max| (days, max))
        };
        if let Some((days, max)) = over(policy.advisories_max_age_days, coverage.imported) {
            return Some(format!("imported on {}, {days} days ago; at most {max} days", coverage.imported));
        }
        let Some(newest) = Day::parse(&coverage.newest) else {
            return policy.newest_max_age_days.map(|_| "no record has a date that counts".to_owned());
        };
        let (days, max) = over(policy.newest_max_age_days, newest)?;
        Some(format!("the newest record is of {newest}, {days} days ago; at most {max} days"))
    }
}

/// What the advisories know about what is installed, or why they cannot say.
pub(crate) fn judge(installed: &Installed<'_>, knowledge: &Knowledge) -> Judged {
    let mut out = Judged::default();
    if let Some(observed) = knowledge.stale_signatures().filter(|_| !knowledge.inventory_alone) {
        let required = "signatures that are young enough for the policy";
        out.findings.push(finding("INC-21", Place::default(), observed, required, OURS));
    }
    let distribution = ecosystem(installed.os);
    if let Some(trouble) = knowledge.advisories.trouble() {
        if !installed.packages.is_empty() || !installed.components.is_empty() {
            out.findings.push(unusable(trouble));
        }
        return out;
    }
    let scheme = if installed.packages.is_empty() { None } else { Scheme::of(&distribution) };
    let covered = knowledge.advisories.coverage(&distribution).is_some();
    let mut subjects = Vec::new();
    match scheme {
        None if installed.packages.is_empty() => {}
        None => {
            let observed = match installed.os.pretty_name.as_str() {
                "" => "packages, and no os-release that says of which distribution".to_owned(),
                name => format!("the distribution {name:?}"),
            };
            let required = "a distribution with an OSV ecosystem";
            let fix = "build on a distribution that publishes advisories";
            out.findings.push(finding("INC-07", Place::default(), observed, required, fix));
        }
        Some(_) if !covered => out.findings.push(uncovered("INC-06", &distribution)),
        Some(scheme) => {
            subjects.extend(
                installed
                    .packages
                    .iter()
                    .map(|package| of_distribution(&distribution, scheme, installed.os, package)),
            );
        }
    }
    let judged = if scheme.is_some() && covered { owners(installed, knowledge) } else { HashSet::new() };
    let components = named(installed.components, &judged, knowledge, &mut out.findings);
    subjects.extend(of_languages(&components, &judged, knowledge, &mut out.findings));
    let used: BTreeSet<&str> = subjects.iter().map(|subject| subject.ecosystem).collect();
    for ecosystem in used {
        // What is not known is found nowhere.
        let coverage = knowledge.advisories.coverage(ecosystem);
        if let Some(part) = coverage.filter(|coverage| coverage.is_part(ecosystem)) {
            let told =
                format!("advisories for {ecosystem}: only {}, too few to be all of them", part.advisories);
            out.findings.push(Finding { observed: told, ..uncovered("INC-18", ecosystem) });
        }
        if let Some(why) = knowledge.staleness(ecosystem) {
            let (observed, fix) = (
                format!("advisories for {ecosystem}: {why}"),
                "the operator imports newer advisories: mercat advisories import",
            );
            out.findings.push(finding(
                "INC-13",
                Place::default(),
                observed,
                "advisories that are not too old",
                fix,
            ));
        }
    }
    for subject in &subjects {
        if let Err(error) = one(subject, installed.digests, knowledge, &mut out) {
            out.findings.push(unusable(&error));
            break;
        }
    }
    out
}

/// The same of the packages of other roots.
pub(crate) fn judge_rooted(rooted: &[Rooted], digests: &[String], knowledge: &Knowledge) -> Judged {
    let mut out = Judged::default();
    for Rooted { os, packages } in rooted {
        let plain: Vec<Package> = packages.iter().map(|(package, _)| package.clone()).collect();
        let judged = judge(&Installed { os, packages: &plain, components: &[], digests }, knowledge);
        let of: HashMap<String, _> = packages.iter().map(|of| (purl(os, &of.0), of)).collect();
        let first = packages.first().and_then(|(_, roots)| roots.first());
        out.statements.extend(judged.statements);
        out.findings.extend(judged.findings.into_iter().map(|mut finding| {
            let found = of.get(&finding.place.package);
            let is_of_distribution = ["INC-06", "INC-07"].contains(&finding.rule.as_str());
            // What is about the advisories is told once.
            let root = found.and_then(|(_, roots)| roots.first()).or(first.filter(|_| is_of_distribution));
            finding.place.path = root.cloned().unwrap_or_default();
            finding
        }));
    }
    out
}

fn unusable(error: &SnapshotError) -> Finding {
    let fix = "the operator imports the advisories again: mercat advisories import --replace";
    finding("INC-17", Place::default(), error.to_string(), "an advisory snapshot that can be used", fix)
}

fn uncovered(rule: &str, ecosystem: &str) -> Finding {
    let fix = "the operator imports advisories for it: mercat advisories import DIRECTORY";
    let observed = format!("no advisories for {ecosystem}");
    finding(rule, Place::default(), observed, "an advisory snapshot that covers it", fix)
}

fn of_distribution<'a>(
    ecosystem: &'a str,
    scheme: Scheme,
    os: &OsRelease,
    package: &'a Package,
) -> Subjected<'a> {
    // Some rpm distributions name the source, others the package.
    let mut names = vec![package.source.as_str()];
    if is_rpm(ecosystem) && package.name != package.source {
        names.push(&package.name);
    }
    Subjected {
        ecosystem,
        scheme,
        names,
        version: &package.source_version,
        module: &package.module,
        shown: format!("{} {}", package.name, package.version),
        place: Place { package: purl(os, package), ..Place::default() },
        guessed: false,
        there: true,
    }
}

/// Whether an installed package is one of the distribution's: whatever a publisher writes into its own database, the
/// advisories tell of the packages that everybody has.
pub(crate) fn is_of_distribution(
    os: &OsRelease,
    packages: &[Package],
    package: &str,
    knowledge: &Knowledge,
) -> bool {
    let installed = packages.iter().filter(|installed| installed.name == package);
    is_known(os, installed, knowledge)
}

fn is_known<'a>(os: &OsRelease, installed: impl Iterator<Item = &'a Package>, knowledge: &Knowledge) -> bool {
    let distribution = ecosystem(os);
    let (Some(scheme), Some(snapshot)) = (Scheme::of(&distribution), knowledge.advisories.snapshot()) else {
        return false;
    };
    let mut names =
        installed.flat_map(|installed| of_distribution(&distribution, scheme, os, installed).names);
    names.any(|name| {
        let known = snapshot.package(&distribution, &canonical_name(&distribution, name));
        known.is_ok_and(|known| !known.is_empty())
    })
}

/// The owners of components that the distribution's advisories speak for.
fn owners<'a>(installed: &Installed<'a>, knowledge: &Knowledge) -> HashSet<&'a str> {
    let named = installed.components.iter().map(|component| component.owner.as_str());
    let named: HashSet<&str> = named.filter(|owner| !owner.is_empty()).collect();
    let mut packages: HashMap<&str, Vec<&Package>> = HashMap::new();
    for package in installed.packages {
        packages.entry(&package.name).or_default().push(package);
    }
    let is_of = |owner: &&str| {
        packages.get(owner).is_some_and(|of| is_known(installed.os, of.iter().copied(), knowledge))
    };
    named.into_iter().filter(is_of).collect()
}

/// Whether a component is judged as the package of the distribution that owns it, because distributions mend old
/// versions. Their packages lie where theirs do, whatever a list on the image says of other places.
fn is_judged(component: &Component, owners: &HashSet<&str>) -> bool {
    const PLACES: [&str; 7] = ["usr/", "lib/", "lib32/", "lib64/", "bin/", "sbin/", "etc/"];
    let is_place = PLACES.iter().any(|place| component.path.starts_with(place));
    owners.contains(component.owner.as_str()) && is_place && !component.path.starts_with("usr/local/")
}

/// Whether something is there, and not only named by a list.
fn is_there(component: &Component) -> bool {
    !matches!(component.evidence, Evidence::Intent | Evidence::Claim)
}

/// A package of a language, by the name that advisories know it by.
struct Named<'a> {
    component: Cow<'a, Component>,
    /// Whether the name is what its own name and classes make of it, as nothing in it says its group.
    guessed: bool,
}

/// Gives packages their names: Java archives without coordinates may be several, or told as not known.
fn named<'a>(
    components: &'a [Component],
    owners: &HashSet<&str>,
    knowledge: &Knowledge,
    findings: &mut Vec<Finding>,
) -> Vec<Named<'a>> {
    let (mut out, mut nameless, mut trouble) = (Vec::new(), BTreeSet::new(), None);
    let ecosystem = ecosystem_of_purl_type("maven").filter(|of| knowledge.advisories.coverage(of).is_some());
    for component in components {
        out.push(Named { component: Cow::Borrowed(component), guessed: false });
        // Who wrote coordinates meant them; a manifest is for people.
        let is_asked = component.kind == "maven"
            && (!component.name.contains(':') || component.evidence == Evidence::Manifest)
            && !is_judged(component, owners);
        let Some(ecosystem) = ecosystem.filter(|_| is_asked) else { continue };
        match java::identity(component, ecosystem, knowledge) {
            Ok(Identity::Known(names)) => {
                out.pop();
                out.extend(names.into_iter().map(|(name, version)| {
                    let component = Component { name, version, ..component.clone() };
                    Named { component: Cow::Owned(component), guessed: true }
                }));
            }
            Ok(Identity::Unheard) => {}
            Ok(Identity::Unclear) => {
                let shown = format!("{} {}", component.name, component.version);
                nameless.insert(format!("{} in {}", shown.trim_end(), component.path));
            }
            Err(error) => trouble = Some(unusable(&error)),
        }
    }
    findings.extend(without_group(&nameless));
    findings.extend(trouble);
    out
}

/// Packages of languages, but for those that are judged as a package of the distribution; ecosystems without advisories are
/// told once each.
fn of_languages<'a>(
    components: &'a [Named<'a>],
    owners: &HashSet<&str>,
    knowledge: &Knowledge,
    findings: &mut Vec<Finding>,
) -> Vec<Subjected<'a>> {
    let (mut out, mut absent) = (Vec::new(), BTreeSet::new());
    let key = |component: &'a Component| {
        (component.kind.as_str(), component.name.as_str(), component.version.as_str())
    };
    let there = components.iter().map(|named| &*named.component).filter(|component| is_there(component));
    let installed: HashSet<_> = there.filter(|component| !is_judged(component, owners)).map(key).collect();
    let mut unheard = BTreeSet::new();
    for Named { component, guessed } in components.iter().filter(|named| !is_judged(&named.component, owners))
    {
        let ecosystem = ecosystem_of_purl_type(&component.kind);
        let Some((ecosystem, scheme)) = ecosystem.and_then(|of| Some((of, Scheme::of(of)?))) else {
            if is_there(component) {
                unheard.insert(component.purl());
            }
            continue;
        };
        if knowledge.advisories.coverage(ecosystem).is_none() {
            absent.insert(ecosystem);
            continue;
        }
        // What a list names is told where it is installed.
        if !is_there(component) && installed.contains(&key(component)) {
            continue;
        }
        let place = Place { package: component.purl(), path: component.path.clone(), ..Place::default() };
        out.push(Subjected {
            ecosystem,
            scheme,
            names: vec![&component.name],
            version: &component.version,
            module: "",
            shown: format!("{} {}", component.name, component.version),
            place,
            guessed: *guessed,
            there: is_there(component),
        });
    }
    findings.extend(absent.into_iter().map(|ecosystem| uncovered("INC-18", ecosystem)));
    findings.extend(without_advisories(&unheard));
    out
}

/// The first names of many.
const NAMES_SHOWN: usize = 5;

/// What is there and nobody writes advisories about that could be compared: nothing found is no pass.
fn without_advisories(names: &BTreeSet<String>) -> Option<Finding> {
    let first: Vec<&str> = names.iter().take(NAMES_SHOWN).map(String::as_str).collect();
    let observed = match names.len() {
        0 => return None,
        1..=NAMES_SHOWN => format!("no advisories are about: {}", first.join(", ")),
        count => format!("no advisories are about {count} of what is there, first {}", first.join(", ")),
    };
    let fix = "follow what their makers announce, or install them as packages of the distribution";
    let told = finding("PKG-08", Place::default(), observed, "packages of a kind that has advisories", fix);
    Some(told)
}

/// Java archives of which nobody says in which group they are: advisories name the group, too.
fn without_group(names: &BTreeSet<String>) -> Option<Finding> {
    let first: Vec<&str> = names.iter().take(NAMES_SHOWN).map(String::as_str).collect();
    let observed = match names.len() {
        0 => return None,
        1..=NAMES_SHOWN => format!("Java archives without a group: {}", first.join(", ")),
        count => format!("{count} Java archives without a group, first {}", first.join(", ")),
    };
    let fix = "build them with META-INF/maven, or attest a CycloneDX document that names their groups";
    let told = finding("INC-24", Place::default(), observed, "group, name and version of each archive", fix);
    Some(told)
}

fn one(
    subject: &Subjected<'_>,
    digests: &[String],
    knowledge: &Knowledge,
    out: &mut Judged,
) -> Result<(), SnapshotError> {
    let found = knowledge.advisories.find(
        subject.scheme,
        subject.ecosystem,
        &subject.names,
        (subject.version, subject.module),
    )?;
    if let Some(undecided) = found.undecided {
        let observed = format!(
            "{} of {} cannot be compared with {} records about it, first {}: {}",
            subject.shown, subject.ecosystem, undecided.records, undecided.first, undecided.why
        );
        let required = "a version by the rules of its ecosystem";
        // What a list alone names does not block where it is known, either.
        let rule = if subject.there { "INC-12" } else { "CTR-22-BELOW" };
        out.findings.push(finding(rule, subject.place.clone(), observed, required, OURS));
    }
    for vulnerability in &found.vulnerabilities {
        let claims = claims(vulnerability, &subject.place.package, digests, knowledge, out);
        out.findings.push(told(subject, vulnerability, &claims, &knowledge.policy.vulnerabilities));
    }
    Ok(())
}

/// What is claimed about a vulnerability of a package, and whether it would matter by one of the claims.
#[derive(Default)]
struct Claims {
    texts: Vec<String>,
    harmless: bool,
}

fn claims(
    vulnerability: &Vulnerability,
    purl: &str,
    digests: &[String],
    knowledge: &Knowledge,
    out: &mut Judged,
) -> Claims {
    let mut said: Vec<&Statement> = Vec::new();
    for (at, statement) in knowledge.vex.iter().enumerate() {
        if !statement.names(&vulnerability.names) {
            continue;
        }
        if !statement.is_about(&vulnerability.names, &Subject { digests, purl }) {
            let what = match statement.lacks_the_version(&Subject { digests, purl }) {
                true => "of which it names no version",
                false => "which it does not name",
            };
            out.statements.beside.entry(at).or_insert_with(|| format!("{purl}, {what}"));
            continue;
        }
        out.statements.matched.insert(at);
        // Nobody knows today what will be so; that something matters counts from the day that it is read.
        if statement.is_ahead(knowledge.today) && statement.status != Status::Affected {
            out.findings.push(out_of_time(purl, format!("{}: dated after today", statement.text())));
            continue;
        }
        said.push(statement);
    }
    let mut claims = Claims::default();
    let mut counted: Vec<&Statement> = Vec::new();
    for statement in newest(&said) {
        if statement.is_over(knowledge.today) {
            let last = statement.expires.map(|day| day.to_string()).unwrap_or_default();
            out.findings.push(out_of_time(purl, format!("{}: held until {last}", statement.text())));
        } else {
            claims.texts.push(statement.text());
            counted.push(statement);
        }
    }
    // Where statements contradict each other, the vulnerability counts.
    if counted.iter().any(|statement| statement.status == Status::Affected) {
        return claims;
    }
    // Who made a package to do harm may say that it does none.
    let accepts_publisher =
        knowledge.policy.vulnerabilities.accept_publisher_vex && !is_malicious(vulnerability);
    counted.retain(|statement| {
        matches!(statement.status, Status::NotAffected | Status::Fixed)
            && (!statement.of_publisher || accepts_publisher)
    });
    match vulnerability.left(counted.iter().map(|statement| &*statement.vulnerability)) {
        None => claims.harmless = true,
        Some(left) if counted.is_empty() || left.is_empty() => {}
        Some(left) => claims.texts.push(format!("nothing of the kind is claimed about {}", left.join(", "))),
    }
    claims
}

fn out_of_time(purl: &str, observed: String) -> Finding {
    let place = Place { package: purl.to_owned(), ..Place::default() };
    finding("VEX-02", place, observed, "a statement that holds today", "ask its author for a new statement")
}

/// The newest word of each author: it takes the place of older ones about the same. That something is affected is taken back
/// by what is newer about each of its names, and only where it has a date.
fn newest<'s>(said: &[&'s Statement]) -> Vec<&'s Statement> {
    let of = |statement: &'s Statement| (statement.of_publisher, statement.author.as_str());
    let mut days = BTreeMap::new();
    for statement in said {
        for name in statement.names_in_lower_case() {
            let day = days.entry((of(statement), name)).or_insert(statement.day);
            *day = statement.day.max(*day);
        }
    }
    let is_newest = |statement: &&&'s Statement| {
        let mut each =
            statement.names_in_lower_case().map(|name| days[&(of(statement), name)] == statement.day);
        match statement.status {
            Status::Affected => statement.day.is_none() || each.any(|newest| newest),
            _ => each.all(|newest| newest),
        }
    };
    said.iter().filter(is_newest).copied().collect()
}

fn told(
    subject: &Subjected<'_>,
    found: &Vulnerability,
    claims: &Claims,
    policy: &VulnerabilityPolicy,
) -> Finding {
    let malicious = is_malicious(found);
    let level = found.level.as_str();
    let shown = match level {
        _ if malicious => "malicious".to_owned(),
        "" => format!("not rated, counts as {}", policy.unknown_counts_as),
        level => level.to_owned(),
    };
    let likely = found.epss.is_some_and(|epss| {
        policy.block_epss_at.is_some_and(|share| f64::from(epss.probability) >= share * f64::from(EPSS_ONE))
    });
    let exploited = policy.block_kev && found.kev.is_some();
    let grave = policy.blocks(level, found.fixed.is_some());
    let rule = match () {
        () if claims.harmless => "CTR-22-VEX",
        () if malicious => {
            if subject.there {
                "CTR-20"
            } else {
                "CTR-20-SUSPECT"
            }
        }
        () if subject.there && (grave || exploited || likely) => "CTR-22",
        () => "CTR-22-BELOW",
    };
    let mut observed = format!("{} ({shown}) in {}", found.names.join(", "), subject.shown);
    if subject.guessed {
        observed.push_str(", by its name and where its classes are");
    }
    if !subject.there {
        observed.push_str(", which a list names and nothing shows installed");
    }
    if let Some(kev) = &found.kev {
        let ransomware = if kev.ransomware { ", by ransomware too" } else { "" };
        observed.push_str(&format!("; known to be exploited since {}{ransomware}", kev.added));
    }
    if let Some(epss) = found.epss {
        let percent = f64::from(epss.probability) * 100.0 / f64::from(EPSS_ONE);
        observed.push_str(&format!("; EPSS {percent:.2} %"));
    }
    for claim in claims.texts.iter().take(CLAIMS_TOLD_MAX) {
        observed.push_str("; ");
        observed.push_str(claim);
    }
    if let Some(more) = claims.texts.len().checked_sub(CLAIMS_TOLD_MAX).filter(|more| *more > 0) {
        observed.push_str(&format!("; and {more} more statements"));
    }
    let required = found.fixed.as_ref().map_or("not fixed yet".to_owned(), |fix| format!("{fix} or newer"));
    let name = subject.shown.split(' ').next().unwrap_or_default();
    if malicious {
        let fix = "remove the package, build again, and treat what it could reach as known to others";
        return finding(rule, subject.place.clone(), observed, "no malicious package", fix);
    }
    let fix = match &found.fixed {
        // The library comes with the compiler.
        Some(version) if subject.place.package.starts_with("pkg:golang/stdlib@") => {
            format!("build with Go {version} or newer")
        }
        Some(_) => format!("upgrade {name} and rebuild"),
        None => "watch for a fix, or remove the package".to_owned(),
    };
    finding(rule, subject.place.clone(), observed, &required, &fix)
}

/// Whether a record is one of the malicious packages (OpenSSF), which are not rated and never fixed.
fn is_malicious(vulnerability: &Vulnerability) -> bool {
    vulnerability.names.iter().any(|name| name.starts_with("MAL-"))
}

/// Statements of the publisher that cannot be read: nobody knows what they would say.
pub(crate) fn unread(why: &str) -> Finding {
    let place = Place { field: "vex".to_owned(), ..Place::default() };
    let fix = "correct the document, or empty the field";
    let required = "an OpenVEX 0.2.0 or CycloneDX document";
    finding("VEX-03", place, why.to_owned(), required, fix)
}

/// Statements that were about nothing in the whole specimen.
pub(crate) fn unmatched(statements: &Statements, knowledge: &Knowledge) -> Vec<Finding> {
    let rest = knowledge.vex.iter().enumerate().filter(|(at, _)| !statements.matched.contains(at));
    rest.map(|(at, statement)| {
        let beside =
            statements.beside.get(&at).map_or_else(String::new, |found| format!("; found in {found}"));
        let names = statement.vulnerability.join(", ");
        let observed = format!("{} about {names}{beside}", statement.text());
        let required = "a statement about a vulnerability that was found";
        let fix = "compare its package URLs and digests with the SBOM, or drop it";
        finding("VEX-01", Place::default(), observed, required, fix)
    })
    .collect()
}

#[cfg(test)]
mod tests;
