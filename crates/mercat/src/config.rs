//! Configuration: `mercat.toml` in the data directory, read once; secrets are named by file.

use anyhow::{Context, bail};
use ipnet::IpNet;
use mercat_app::LeadSettings;
use mercat_courier::{LeadServices, SmtpConfig};
use mercat_domain::calendar::{DAY, MINUTE};
use mercat_domain::lead::RetryPolicy;
use mercat_domain::run::{CancelRule, ReviewRule};
use mercat_egress::{PORTS, Rules};
use mercat_worker::{ClamdConfig, JudgeAgain};
use serde::Deserialize;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};

/// The user's data directory for this program.
pub(crate) fn default_data() -> PathBuf {
    directories::ProjectDirs::from("", "", "mercat")
        .map_or_else(|| PathBuf::from("mercat-data"), |dirs| dirs.data_dir().to_owned())
}

/// The whole file. Every part has defaults.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) database: Database,
    pub(crate) publishing: Publishing,
    #[serde(rename = "region")]
    pub(crate) regions: Vec<RegionConfig>,
    pub(crate) smtp: Option<SmtpConfig>,
    pub(crate) egress: EgressConfig,
    pub(crate) leads: LeadsConfig,
    pub(crate) sources: Sources,
    pub(crate) worker: WorkerConfig,
    pub(crate) depot: DepotConfig,
    pub(crate) certification: Certification,
    #[serde(rename = "scanner")]
    pub(crate) scanners: Vec<ScannerConfig>,
}

/// Another scanner, behind an adapter.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScannerConfig {
    /// Its name in findings; every scanner has its own.
    pub(crate) name: String,
    /// Where the adapter is, without `/api/v1`.
    pub(crate) url: String,
    /// `harbor`: the pluggable scanner adapter API.
    pub(crate) kind: String,
    /// `enforce` or `shadow`.
    pub(crate) mode: String,
    #[serde(default)]
    pub(crate) username: String,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) token_file: Option<PathBuf>,
    /// Seconds that the scanner has for one image.
    #[serde(default = "scanner_secs")]
    pub(crate) timeout_secs: u32,
    /// Where the adapter reaches this server; `server.base_url` when empty.
    #[serde(default)]
    pub(crate) pull_url: String,
}

/// Seconds that a scanner has where nothing is set.
fn scanner_secs() -> u32 {
    300
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Certification {
    /// Policy pack: `default`, `legacy-2017`, `legacy-2021`, or a file; `policy.toml` in the data directory,
    /// where it is there, when not set.
    pub(crate) policy: Option<PathBuf>,
    /// Inspect even where the kernel cannot confine the inspector; every verdict then says so.
    pub(crate) allow_unconfined: bool,
    /// ClamAV's daemon, which sees every plain file beside the built-in scanners.
    pub(crate) clamd: Option<ClamdConfig>,
    /// What makes live offers be judged again: `advisories` (default; a policy, too), `everything` (signatures and
    /// rules, too, with which every artifact is read again) or `off`.
    pub(crate) judge_again: String,
    /// Statements about vulnerabilities that this market trusts: OpenVEX or CycloneDX documents, relative to the data
    /// directory.
    pub(crate) vex: Vec<PathBuf>,
    /// Eligibility policies: files of Rego and JSON, relative to the data directory. `mercat policy show eligibility`
    /// prints the policy that stands where no Rego is named.
    pub(crate) eligibility: Vec<PathBuf>,
    /// SHA-256 digests of the files that inspectors use (policy pack, advisories, signatures, rules, statements):
    /// `sha256:HEX`. Nothing is certified by other files, or when one is missing. Any may be used when none is named.
    pub(crate) pins: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    /// Address and port.
    pub(crate) listen: String,
    /// Where people reach the server; `http://` and the listen address when empty.
    pub(crate) base_url: String,
    /// Language of mails to people who chose none: `en` (default) or `ja`.
    pub(crate) locale: String,
    /// Who hears of overdue steps, support requests and requests for exceptions.
    pub(crate) operator_emails: Vec<String>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            base_url: String::new(),
            locale: "en".to_owned(),
            operator_emails: vec![],
        }
    }
}

impl Server {
    /// Links in mails and documents begin with the address, so it is one that people can follow.
    fn check(&self) -> anyhow::Result<()> {
        let followed = |url: &url::Url| ["http", "https"].contains(&url.scheme()) && url.host_str().is_some();
        // Nothing is served below a path.
        let plain = |url: &url::Url| {
            let parts = [
                url.query(),
                url.fragment(),
                url.password(),
                Some(url.username()).filter(|name| !name.is_empty()),
            ];
            url.path() == "/" && parts.iter().all(Option::is_none)
        };
        let right = url::Url::parse(&self.base_url).is_ok_and(|url| followed(&url) && plain(&url));
        if !self.base_url.is_empty() && !right {
            bail!("server.base_url is {:?}: write an address like https://market.example.org", self.base_url);
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Database {
    /// `sqlite:PATH` or `postgres://...`; a SQLite file in the data directory when empty.
    pub(crate) url: String,
    /// File that holds the URL, for one with a password.
    pub(crate) url_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Publishing {
    /// `from-sign-off` (default) or `any-time`.
    pub(crate) cancel: String,
    /// Which submissions the certification team looks at: `never` (default), `always`, or a share such as `10%`.
    pub(crate) review: String,
}

/// A region: a directory of OCI layouts, or a registry.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegionConfig {
    pub(crate) name: String,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) registry: Option<String>,
    #[serde(default)]
    pub(crate) prefix: String,
    #[serde(default)]
    pub(crate) username: String,
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EgressConfig {
    /// `host:port` of places that may be private or plain http.
    pub(crate) allow: Vec<String>,
    /// Public addresses or networks that are not to be reached either, for example this server's own.
    pub(crate) deny: Vec<String>,
    /// Ports of places that are no exceptions; those of https when empty.
    pub(crate) ports: Vec<u16>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sources {
    /// Directories below which `oci:` and archive references may be read.
    pub(crate) directories: Vec<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WorkerConfig {
    /// Tasks at a time; 0 leaves the work to `mercat worker` elsewhere.
    pub(crate) hands: usize,
    /// Seconds after which the work of a dead worker is taken over.
    pub(crate) lease_secs: u32,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self { hands: 3, lease_secs: 30 }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DepotConfig {
    /// Directory of the blobs; `depot` in the data directory when not set. Shared by all machines.
    pub(crate) directory: Option<PathBuf>,
    /// MiB of its disk that uploads leave free; a tenth of the disk, and no more than 16 GiB, when not set.
    pub(crate) keep_free_mib: Option<u64>,
}

/// How leads and webhooks are repeated, and how long personal data stay.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LeadsConfig {
    /// Milliseconds before the second try; each wait is twice the one before.
    pub(crate) first_retry_ms: i64,
    /// Longest wait, in minutes.
    pub(crate) longest_wait_minutes: i64,
    /// Days after which a delivery is given up.
    pub(crate) give_up_days: i64,
    /// Days after which personal data are taken out of leads; 0 keeps them.
    pub(crate) keep_days: i64,
    /// Where applications of Dynamics 365 sign in; another place in national clouds.
    pub(crate) authority: Option<String>,
    /// Where Salesforce takes web-to-lead.
    pub(crate) salesforce: Option<String>,
    /// Where HubSpot takes forms; another place for data kept in the EU.
    pub(crate) hubspot: Option<String>,
}

/// Larger numbers of `[leads]` are taken for mistakes; as days they are far from what times can hold.
const LEADS_MOST: i64 = 1_000_000_000;

impl Default for LeadsConfig {
    fn default() -> Self {
        Self {
            first_retry_ms: 60_000,
            longest_wait_minutes: 360,
            give_up_days: 7,
            keep_days: 365,
            authority: None,
            salesforce: None,
            hubspot: None,
        }
    }
}

impl LeadsConfig {
    fn check(&self) -> anyhow::Result<()> {
        for (name, value, least) in [
            ("first_retry_ms", self.first_retry_ms, 1),
            ("longest_wait_minutes", self.longest_wait_minutes, 1),
            ("give_up_days", self.give_up_days, 0),
            ("keep_days", self.keep_days, 0),
        ] {
            if !(least..=LEADS_MOST).contains(&value) {
                bail!("leads.{name} is {value}: use {least} to {LEADS_MOST}");
            }
        }
        Ok(())
    }

    pub(crate) fn settings(&self) -> LeadSettings {
        let retry = RetryPolicy {
            first: self.first_retry_ms,
            most: self.longest_wait_minutes * MINUTE,
            life: self.give_up_days * DAY,
        };
        LeadSettings { retry, keep: self.keep_days * DAY }
    }

    pub(crate) fn services(&self) -> LeadServices {
        let default = LeadServices::default();
        let own = |text: &Option<String>, default: String| {
            text.as_ref().map_or(default, |text| text.trim_end_matches('/').to_owned())
        };
        LeadServices {
            authority: own(&self.authority, default.authority),
            salesforce: own(&self.salesforce, default.salesforce),
            hubspot: own(&self.hubspot, default.hubspot),
        }
    }
}

impl EgressConfig {
    /// The rules of the one way out.
    pub(crate) fn rules(&self) -> anyhow::Result<Rules> {
        let network = |text: &String| {
            let parsed = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            parsed.with_context(|| {
                format!("egress.deny {text:?}: use an address or a network such as 203.0.113.0/24")
            })
        };
        for place in &self.allow {
            let named = |host: &str| match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                Some(address) => address.parse::<Ipv6Addr>().is_ok(),
                None => !host.is_empty() && !host.contains(|c: char| "/@:".contains(c) || c.is_whitespace()),
            };
            let parts =
                place.rsplit_once(':').filter(|(host, port)| named(host) && port.parse::<u16>().is_ok());
            if parts.is_none() {
                bail!("egress.allow {place:?}: use host:port, for example crm.internal:8443");
            }
        }
        let deny = self.deny.iter().map(network).collect::<anyhow::Result<_>>()?;
        let ports = if self.ports.is_empty() { PORTS.to_vec() } else { self.ports.clone() };
        Ok(Rules { allow: self.allow.clone(), deny, ports, ..Rules::default() })
    }
}

/// The text of a file that a key names, without the blanks around it.
pub(crate) fn text_of(key: &str, file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{key} {}", file.display()))?;
    Ok(text.trim().to_owned())
}

impl Config {
    /// Reads the file of a data directory; defaults when there is none.
    pub(crate) fn load(data: &Path) -> anyhow::Result<Self> {
        let path = data.join("mercat.toml");
        let mut config: Self = match std::fs::read_to_string(&path) {
            Ok(text) => {
                toml::from_str(&text).with_context(|| format!("{} cannot be used", path.display()))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::default(),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        if let Ok(url) = std::env::var("MERCAT_DATABASE_URL") {
            config.database.url = url;
        }
        if let Some(file) = &config.database.url_file {
            config.database.url = text_of("database.url_file", file)?;
        }
        config.cancel_rule()?;
        config.review_rule()?;
        config.egress.rules()?;
        config.leads.check()?;
        config.server.check()?;
        for region in &config.regions {
            if region.directory.is_some() == region.registry.is_some() {
                bail!("region {:?}: set either directory or registry", region.name);
            }
        }
        Ok(config)
    }

    pub(crate) fn cancel_rule(&self) -> anyhow::Result<CancelRule> {
        match self.publishing.cancel.as_str() {
            "" => Ok(CancelRule::default()),
            name => CancelRule::parse(name)
                .with_context(|| format!("publishing.cancel is {name:?}: use from-sign-off or any-time")),
        }
    }

    pub(crate) fn judge_again(&self) -> anyhow::Result<JudgeAgain> {
        match self.certification.judge_again.as_str() {
            "" | "advisories" => Ok(JudgeAgain::Advisories),
            "everything" => Ok(JudgeAgain::Everything),
            "off" => Ok(JudgeAgain::Off),
            name => {
                bail!("certification.judge_again is {name:?}: use advisories, everything or off")
            }
        }
    }

    pub(crate) fn review_rule(&self) -> anyhow::Result<ReviewRule> {
        match self.publishing.review.as_str() {
            "" => Ok(ReviewRule::default()),
            name => ReviewRule::parse(name).with_context(|| {
                format!("publishing.review is {name:?}: use never, always or a share such as 10%")
            }),
        }
    }

    pub(crate) fn database_url(&self, data: &Path) -> String {
        match self.database.url.as_str() {
            "" => format!("sqlite:{}", data.join("mercat.db").display()),
            url => url.to_owned(),
        }
    }
}
