//! Puts the rooms together.

pub(crate) mod keys;
mod scanners;

use crate::config::{Config, text_of};
use anyhow::Context;
use mercat_app::{App, Settings, WayOut};
use mercat_certify::Policy;
use mercat_courier::{Leads, Mailer};
use mercat_depot::{Credentials, Depot, Region, Spool};
use mercat_egress::{Egress, EgressError, SystemLookup};
use mercat_text::Locale;
use mercat_worker::deliveries::UnderWay;
use mercat_worker::{Inspector, KnowledgeFiles, PATIENCE_SECS, Unconfined, Worker};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

/// Names of the default regions.
pub(crate) const REGIONS: [&str; 3] = ["east", "north", "west"];

/// Everything that a process needs.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) app: App,
    pub(crate) depot: Depot,
    pub(crate) spool: Spool,
    pub(crate) worker: Worker,
}

/// Opens a data directory that a server was started in before: a typing error in its name makes none.
pub(crate) async fn open_known(data: &Path, config: &Config) -> anyhow::Result<House> {
    anyhow::ensure!(data.is_dir(), "there is no installation in {}: name it with --data", data.display());
    open(data, config).await
}

/// Opens a data directory with its configuration.
pub(crate) async fn open(data: &Path, config: &Config) -> anyhow::Result<House> {
    std::fs::create_dir_all(data)
        .with_context(|| format!("the data directory {} cannot be made", data.display()))?;
    let data = data.canonicalize()?;
    // Database and key are this user's only.
    fs_err::set_permissions(&data, std::fs::Permissions::from_mode(0o700))?;
    let key = keys::open(&data)?;
    let url = config.database_url(&data);
    let ledger = mercat_store::open(&url).await.map_err(|error| {
        anyhow::anyhow!("the database cannot be opened: {}", mercat_worker::chain(&error))
    })?;
    let base_url = match config.server.base_url.as_str() {
        "" => format!("http://{}", config.server.listen),
        url => url.trim_end_matches('/').to_owned(),
    };
    let scanners = scanners::scanners(&config.scanners, &base_url)?;
    let settings = Settings {
        cancel: config.cancel_rule()?,
        review: config.review_rule()?,
        locale: config.server.locale.clone(),
        leads: config.leads.settings(),
        operator_emails: config.server.operator_emails.clone(),
        regions: region_names(config),
        mails: config.smtp.is_some(),
        ..Settings::new(base_url)
    };
    let mut app = App::new(ledger, settings, key);
    let depot_root = config.depot.directory.clone().unwrap_or_else(|| data.join("depot"));
    let depot = Depot::local(&depot_root).with_context(|| format!("the depot {}", depot_root.display()))?;
    // Beside the blobs, which all machines share: an upload may arrive at one and be read by another.
    let spool = Spool::open(&depot_root.join("spool")).context("the spool cannot be made")?;
    let spool = spool.keeping_free(config.depot.keep_free_mib.map(|mib| mib.saturating_mul(1 << 20)));
    let egress = Egress::with(config.egress.rules()?, Arc::new(SystemLookup))?;
    app.way_out = Arc::new(Out(egress.clone()));
    let mailer = config.smtp.as_ref().map(Mailer::new).transpose()?.map(Arc::new);
    let worker = Worker {
        app: app.clone(),
        depot: depot.clone(),
        spool: spool.clone(),
        egress: egress.clone(),
        regions: Arc::new(regions(&data, config, &egress)?),
        mailer,
        under_way: UnderWay::default(),
        leads: Leads { egress: egress.clone(), services: config.leads.services() },
        inspector: inspector(&data, config)?,
        scanners: Arc::new(scanners),
        local_sources: Arc::new(config.sources.directories.clone()),
        judge_again: config.judge_again()?,
        name: format!("worker-{}", uuid::Uuid::new_v4().simple()),
        keep_one_free: config.worker.hands > 1,
        lease_ms: i64::from(config.worker.lease_secs.max(1)) * 1000,
    };
    Ok(House { app, depot, spool, worker })
}

/// The one way out, as the verbs ask it.
struct Out(Egress);

impl WayOut for Out {
    fn check(&self, url: &str) -> Result<(), &'static str> {
        let url = url.parse().map_err(|_| "it names no host")?;
        match self.0.check(&url) {
            Err(EgressError::Denied { why, .. }) => Err(why),
            _ => Ok(()),
        }
    }
}

/// What whoever wrote a policy pack may not know of it.
pub(crate) fn remarks(policy: &Policy) -> Vec<String> {
    fn family(rule: &str) -> &str {
        rule.split('-').next().unwrap_or(rule)
    }
    let known = Policy::known_rules();
    let is_known = |rule: &str| {
        // Families that no pack names are those of readers, which have words for all of them together.
        let by_family = || !known.iter().any(|known| family(known) == family(rule));
        let words = mercat_text::listed(rule);
        known.contains(rule)
            || words == rule
            || by_family() && !mercat_text::rule(Locale::En, words).is_empty()
    };
    let named: BTreeSet<&str> = policy.named_rules().collect();
    let unknown: Vec<&str> = named.iter().copied().filter(|rule| !is_known(rule)).collect();
    let unnamed: Vec<&str> = known.iter().map(String::as_str).filter(|rule| !named.contains(rule)).collect();
    let all = [
        ("it names rules that this version does not have", unknown),
        ("it does not name these rules, which block therefore", unnamed),
    ];
    let some = all.into_iter().filter(|(_, rules)| !rules.is_empty());
    let mut told: Vec<String> = some.map(|(what, rules)| format!("{what}: {}", rules.join(", "))).collect();
    let namesake = Policy::named(&policy.name).and_then(|text| Policy::parse(text).ok());
    if namesake.is_some_and(|pack| pack.digest != policy.digest) {
        let what = "it differs from the pack of this program that has its name";
        told.push(format!("{what}, {}: give it a name of its own, which reports show", policy.name));
    }
    told
}

pub(crate) fn inspector(data: &Path, config: &Config) -> anyhow::Result<Inspector> {
    let program = std::env::current_exe().context("this program cannot find itself")?;
    let mut knowledge = KnowledgeFiles::in_directory(data);
    knowledge.vex = config.certification.vex.iter().map(|path| data.join(path)).collect();
    if let Some(policy) = &config.certification.policy {
        let named = policy.to_str().is_some_and(|name| Policy::named(name).is_some());
        knowledge.policy = Some(if named { policy.clone() } else { data.join(policy) });
    }
    let unconfined = match config.certification.allow_unconfined {
        true => Unconfined::Allowed,
        false => Unconfined::Refused,
    };
    knowledge.eligibility = config.certification.eligibility.iter().map(|file| data.join(file)).collect();
    knowledge.clamd = config.certification.clamd.clone();
    knowledge.pins = config.certification.pins.clone();
    Ok(Inspector {
        program,
        knowledge,
        unconfined,
        listing: None,
        statements: None,
        expected: None,
        gentle: false,
        inventory_alone: false,
        loaded: Arc::default(),
        patience_secs: PATIENCE_SECS,
    })
}

fn region_names(config: &Config) -> Vec<String> {
    match config.regions.as_slice() {
        [] => REGIONS.map(str::to_owned).to_vec(),
        named => named.iter().map(|region| region.name.clone()).collect(),
    }
}

fn regions(data: &Path, config: &Config, egress: &Egress) -> anyhow::Result<Vec<Region>> {
    if config.regions.is_empty() {
        let region =
            |name: &str| Region::Directory { name: name.to_owned(), path: data.join("regions").join(name) };
        return Ok(REGIONS.iter().map(|name| region(name)).collect());
    }
    let mut out = Vec::new();
    for region in &config.regions {
        let name = region.name.clone();
        if let Some(path) = &region.directory {
            out.push(Region::Directory { name, path: path.clone() });
        } else if let Some(host) = &region.registry {
            let password = match &region.password_file {
                None => String::new(),
                Some(file) => text_of(&format!("region {name}: password_file"), file)?,
            };
            let credentials = Credentials { username: region.username.clone(), password };
            let (host, prefix) = (host.clone(), region.prefix.clone());
            out.push(Region::Registry { name, host, prefix, credentials, egress: egress.clone() });
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_misspells_a_rule_is_told_and_of_the_one_that_was_meant_too() {
        let remarks = |text: &str| remarks(&Policy::parse(text).unwrap_or_else(|error| panic!("{error}")));
        for pack in Policy::names() {
            assert_eq!(remarks(Policy::named(pack).unwrap_or_default()), [""; 0], "{pack}");
        }
        let namesake = remarks(&Policy::built_in().replace("CTR-24 = \"warning\"", "CTR-24 = \"off\""));
        assert!(matches!(&namesake[..], [one] if one.contains("that has its name, default")), "{namesake:?}");
        let own = Policy::built_in().replace("name = \"default\"", "name = \"ours\"");
        assert!(own != Policy::built_in() && remarks(&own).is_empty());
        let more = format!("{own}TAR-27 = \"warning\"\nINC-99 = \"off\"\n");
        assert_eq!(remarks(&more), ["it names rules that this version does not have: INC-99"]);
        let other = own.replace("CTR-24 = ", "CTR-240 = ");
        let unnamed = "it does not name these rules, which block therefore: CTR-24";
        assert_eq!(remarks(&other), ["it names rules that this version does not have: CTR-240", unnamed]);
    }
}
