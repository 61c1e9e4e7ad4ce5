//! The shapes of records, and typed reading and writing of them.

mod run;

pub use run::{RunRow, StepRow};

mod card;

pub use card::{CardRow, NowRow};

mod listed;

pub use listed::{DownloadRow, EdgeRow, ListedDisk, WordsRow};

use crate::{Expect, Ledger, LedgerError, Query, Result, Write};
use mercat_domain::Millis;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A record's shape: its kind, key and index entries.
pub trait Row: Serialize + DeserializeOwned {
    /// Kind of record.
    const KIND: &'static str;
    /// Key within the kind.
    fn key(&self) -> String;
    /// Index entries.
    fn index(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// A row with the version under which it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<R> {
    /// For [`Expect::Version`].
    pub version: u64,
    /// The row.
    pub row: R,
}

fn parse<R: Row>(key: &str, version: u64, body: &str) -> Result<Versioned<R>> {
    let row = serde_json::from_str(body).map_err(|error| LedgerError::Corrupt {
        kind: R::KIND.to_owned(),
        key: key.to_owned(),
        why: error.to_string(),
    })?;
    Ok(Versioned { version, row })
}

/// Reads one row.
///
/// # Errors
/// When the ledger does not answer or the record is corrupt.
pub async fn load<R: Row>(ledger: &dyn Ledger, key: &str) -> Result<Option<Versioned<R>>> {
    match ledger.get(R::KIND, key).await? {
        Some(record) => parse(&record.key, record.version, &record.body).map(Some),
        None => Ok(None),
    }
}

/// Reads rows in key order.
///
/// # Errors
/// As [`load`].
pub async fn list<R: Row>(ledger: &dyn Ledger, query: Query) -> Result<Vec<Versioned<R>>> {
    let query = Query { kind: R::KIND, ..query };
    let records = ledger.list(&query).await?;
    records.into_iter().map(|record| parse(&record.key, record.version, &record.body)).collect()
}

/// Reads all rows under an index value, up to 1,000.
///
/// # Errors
/// As [`load`].
pub async fn find<R: Row>(ledger: &dyn Ledger, name: &'static str, value: &str) -> Result<Vec<Versioned<R>>> {
    list(ledger, Query { index: Some((name, value.to_owned())), limit: 1000, ..Query::default() }).await
}

/// The write that stores a row.
pub fn put<R: Row>(row: &R, expect: Expect) -> Write {
    let body = serde_json::to_string(row).expect("rows hold nothing that JSON cannot");
    Write { kind: R::KIND, key: row.key(), expect, body: Some(body), index: row.index() }
}

/// The write that removes a row.
pub fn remove<R: Row>(key: &str) -> Write {
    Write { kind: R::KIND, key: key.to_owned(), expect: Expect::Any, body: None, index: vec![] }
}

macro_rules! row {
    ($(#[$doc:meta])* $name:ident, $kind:literal, |$self:ident| $key:expr, index: $index:expr,
     { $($(#[$fdoc:meta])* $field:ident : $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $($(#[$fdoc])* #[serde(default)] pub $field: $type),*
        }
        impl Row for $name {
            const KIND: &'static str = $kind;
            fn key(&self) -> String { let $self = self; $key }
            fn index(&self) -> Vec<(&'static str, String)> { let $self = self; $index }
        }
    };
}

mod measured;

pub use measured::TimingRow;

mod review;
mod standing;

pub use review::ReviewRow;
pub use standing::{KnownRow, StandingRow};
mod contact;
mod support;

pub use contact::{
    BreakerRow, CollectedRow, LeadRow, MarkRow, MessageLogRow, PersonRow, SubscriberRow, TallyRow,
    WebhookRow, WebhookSecretRow, lead_period,
};

row!(
    /// An organisation that publishes.
    PublisherRow, "publisher", |row| row.id.clone(), index: { let _ = row; vec![] },
    {
        /// Slug.
        id: String,
        /// Shown in the storefront.
        name: String,
        /// When it was made.
        created: Millis,
    }
);

row!(
    /// A person.
    UserRow, "user", |row| row.id.clone(),
    index: std::iter::once(("email", row.email.clone()))
        .chain(row.roles.iter().map(|(publisher, _)| ("publisher", publisher.clone())))
        .collect(),
    {
        /// Id, never reused.
        id: String,
        /// Address.
        email: String,
        /// Whether the user operates the market.
        operator: bool,
        /// Publisher and role name.
        roles: Vec<(String, String)>,
        /// Whether somebody signed in with this account ever.
        signed_in: bool,
        /// When a sign-in link was asked for by mail last.
        asked: Millis,
    }
);

row!(
    /// A one-time sign-in link, by the hash of its secret.
    LinkRow, "link", |row| row.hash.clone(), index: vec![("user", row.user.clone())],
    {
        /// SHA-256 of the secret, hex.
        hash: String,
        /// Whom it signs in.
        user: String,
        /// When it lapses.
        expires: Millis,
    }
);

row!(
    /// A browser session, by the hash of its cookie.
    SessionRow, "session", |row| row.hash.clone(), index: vec![("user", row.user.clone())],
    {
        /// SHA-256 of the cookie, hex.
        hash: String,
        /// Who is signed in.
        user: String,
        /// When it lapses, at the latest.
        expires: Millis,
    }
);

row!(
    /// An API token, by its hash.
    TokenRow, "token", |row| row.hash.clone(), index: vec![("user", row.user.clone())],
    {
        /// SHA-256 of the token, hex.
        hash: String,
        /// Shown in lists, to revoke by.
        id: String,
        /// Whose it is.
        user: String,
        /// What it is for.
        label: String,
        /// Ceiling, by name.
        scope: String,
        /// When it was made.
        created: Millis,
        /// When it lapses.
        expires: Millis,
    }
);

row!(
    /// A customer's subscription.
    SubscriptionRow, "subscription", |row| row.id.clone(), index: vec![("user", row.user.clone())],
    {
        /// GUID.
        id: String,
        /// Given by its owner.
        name: String,
        /// Whose it is.
        user: String,
        /// When it was made.
        created: Millis,
    }
);

row!(
    /// A pull token of a subscription, by its hash.
    PullTokenRow, "pulltoken", |row| row.hash.clone(), index: vec![("subscription", row.subscription.clone())],
    {
        /// SHA-256 of the token, hex.
        hash: String,
        /// Shown in lists, to revoke by.
        id: String,
        /// The subscription that it acts for.
        subscription: String,
        /// When it lapses.
        expires: Millis,
    }
);

row!(
    /// The working copy of an offer; its version is the ETag.
    DraftRow, "draft", |row| format!("{}/{}", row.publisher, row.offer),
    index: vec![("publisher", row.publisher.clone())],
    {
        /// Publisher id.
        publisher: String,
        /// Offer id.
        offer: String,
        /// The document; secrets are sealed.
        document: serde_json::Value,
        /// When it was saved.
        saved: Millis,
        /// Who saved it.
        saved_by: String,
    }
);

row!(
    /// An offer: its slots and what is under way.
    OfferRow, "offer", |row| format!("{}/{}", row.publisher, row.offer),
    index: {
        let mut index = vec![("publisher", row.publisher.clone())];
        if let Some(card) = row.card.as_ref().filter(|card| card.public) {
            index.push(("live", "yes".to_owned()));
            index.extend(card.categories.iter().map(|category| ("category", category.clone())));
        }
        index
    },
    {
        /// Publisher id.
        publisher: String,
        /// Offer id.
        offer: String,
        /// Kind by name.
        kind: String,
        /// Name in the portal.
        name: String,
        /// Submission in production.
        live: Option<String>,
        /// Submission in preview.
        preview: Option<String>,
        /// What was in preview before, restored on cancel.
        preview_before: Option<String>,
        /// Subscriptions that may see the preview.
        audience: Vec<String>,
        /// Those of the preview before, restored with it.
        audience_before: Vec<String>,
        /// Submission that is not over.
        active: Option<String>,
        /// Newest submission.
        latest: Option<String>,
        /// Submissions so far.
        submissions: u32,
        /// Addresses of the last publish, offered again.
        emails: Vec<String>,
        /// Tags in production by plan.
        tags: BTreeMap<String, BTreeMap<String, String>>,
        /// Tags of versions that are or were in production, by plan, with what they name for good.
        published: BTreeMap<String, BTreeMap<String, String>>,
        /// The live listing in short.
        card: Option<CardRow>,
        /// The newest submission in short.
        now: NowRow,
    }
);

impl OfferRow {
    /// The tags of a plan that name something for good: those that were in production, and those that are.
    pub fn published_of(&self, plan: &str) -> BTreeMap<String, String> {
        let of =
            |tags: &BTreeMap<String, BTreeMap<String, String>>| tags.get(plan).cloned().unwrap_or_default();
        let mut out = of(&self.tags);
        out.extend(of(&self.published));
        out
    }
}

/// One listed reference of a plan, resolved and copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageRow {
    /// Plan id.
    pub plan: String,
    /// Tag or digest, as listed.
    pub reference: String,
    /// Manifest or index digest.
    pub digest: String,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
}

row!(
    /// One publish of an offer, over an immutable snapshot.
    SubmissionRow, "submission", |row| row.id.clone(),
    index: vec![("offer", format!("{}/{}", row.publisher, row.offer))],
    {
        /// Time-ordered UUID.
        id: String,
        /// Publisher id.
        publisher: String,
        /// Offer id.
        offer: String,
        /// Counts the offer's submissions.
        number: u32,
        /// The snapshot; secrets are sealed.
        document: serde_json::Value,
        /// How far it is.
        run: RunRow,
        /// Who is told.
        emails: Vec<String>,
        /// Language of the mails.
        locale: String,
        /// For the reviewers.
        notes: String,
        /// Who pressed Publish.
        created_by: String,
        /// When.
        created: Millis,
        /// What validation copied.
        images: Vec<ImageRow>,
    }
);

/// A message on a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageRow {
    /// `information`, `warning` or `error`.
    pub level: String,
    /// Key of its words.
    pub code: String,
    /// Arguments of its words.
    pub args: BTreeMap<String, String>,
    /// When.
    pub at: Millis,
}

/// A finding, as kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FindingRow {
    /// Rule id.
    pub rule: String,
    /// Severity by name.
    pub severity: String,
    /// Plan id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub plan: String,
    /// `os/architecture[/variant]`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// Layer digest.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub layer: String,
    /// Path in the layer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Digest of the file's bytes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// Package URL.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub package: String,
    /// Field path.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// Line of the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What was seen.
    pub observed: String,
    /// What would have been right.
    pub required: String,
    /// What to do.
    pub fix: String,
}

impl FindingRow {
    /// Whether an exception lets it pass, as [`mercat_domain::exception::excuse`] writes it.
    pub fn is_excused(&self) -> bool {
        mercat_domain::exception::excused_by(&self.fix).is_some()
    }

    /// Where it is, in one line.
    pub fn place(&self) -> String {
        let path = mercat_domain::finding::at_line(&self.path, self.line);
        [&self.plan, &self.platform, &self.layer, &path, &self.package, &self.field]
            .into_iter()
            .filter(|part| !part.is_empty())
            .cloned()
            .collect::<Vec<_>>()
            .join(" · ")
    }
}

impl From<&mercat_domain::Finding> for FindingRow {
    fn from(finding: &mercat_domain::Finding) -> Self {
        let place = finding.place.clone();
        Self {
            rule: finding.rule.clone(),
            severity: finding.severity.name().to_owned(),
            plan: place.plan,
            platform: place.platform,
            layer: place.layer,
            file: place.file,
            path: place.path,
            package: place.package,
            field: place.field,
            line: place.line,
            observed: finding.observed.clone(),
            required: finding.required.clone(),
            fix: finding.fix.clone(),
        }
    }
}

row!(
    /// What a step reported.
    ReportRow, "report", |row| format!("{}/{}", row.submission, row.step), index: { let _ = row; vec![] },
    {
        /// Submission id.
        submission: String,
        /// Step by name.
        step: String,
        /// Messages.
        messages: Vec<MessageRow>,
        /// Findings.
        findings: Vec<FindingRow>,
        /// Digests of the images judged, with the digest of each verdict document.
        verdicts: BTreeMap<String, String>,
        /// Layers read in this run.
        layers_read: u32,
        /// Layers whose earlier results were used again.
        layers_reused: u32,
    }
);

/// A part of a step with its own progress, for example a region.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PartRow {
    /// Name.
    pub name: String,
    /// Bytes done.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
    /// Whether it is complete.
    pub complete: bool,
    /// Why it waits, or empty.
    pub note: String,
}

/// What a step waits for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WaitRow {
    /// Key of the words for whom or what it waits.
    pub on: String,
    /// Detail, for example a host name.
    pub detail: String,
    /// Since when.
    pub since: Millis,
    /// When it is tried again.
    pub next: Millis,
    /// How often it was tried.
    pub tries: u32,
}

row!(
    /// How far a step is; written often, outside the run's own record.
    ProgressRow, "progress", |row| format!("{}/{}", row.submission, row.step), index: { let _ = row; vec![] },
    {
        /// Submission id.
        submission: String,
        /// Step by name.
        step: String,
        /// Bytes done.
        done: u64,
        /// Bytes in all; 0 when not known.
        total: u64,
        /// Regions or images.
        parts: Vec<PartRow>,
        /// What it waits for.
        wait: Option<WaitRow>,
    }
);

row!(
    /// A document kept under the digest of what it is about and how it was made:
    /// verdicts, layer facts and SBOMs.
    PaperRow, "paper", |row| row.key.clone(), index: { let _ = row; vec![] },
    {
        /// `verdict/...`, `facts/...` or `sbom/...`.
        key: String,
        /// The document's exact text.
        text: String,
        /// When it was made.
        made: Millis,
    }
);

row!(
    /// A boot test with its evidence.
    BootRow, "boot", |row| row.key.clone(), index: { let _ = row; vec![] },
    {
        /// `submission/disk digest`, and once more by what it depends on.
        key: String,
        /// `passed`, `failed` or `not-run`.
        outcome: String,
        /// Why it was not passed.
        why: String,
        /// `kvm` or `tcg`.
        accelerator: String,
        /// How QEMU was confined.
        confinement: String,
        /// Wall-clock time.
        seconds: u64,
        /// Serial console.
        console: String,
        /// Digest of a PNG in the depot, or empty.
        screenshot: String,
        /// Findings.
        findings: Vec<FindingRow>,
        /// When it was made.
        made: Millis,
    }
);

row!(
    /// An uploaded picture.
    MediaRow, "media", |row| format!("{}/{}", row.publisher, row.digest),
    index: vec![("publisher", row.publisher.clone()), ("digest", row.digest.clone())],
    {
        /// Digest of the re-encoded PNG in the depot.
        digest: String,
        /// Who uploaded it.
        publisher: String,
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    }
);

row!(
    /// A mail, as delivered or to be delivered.
    MailRow, "mail", |row| row.id.clone(),
    index: vec![("publisher", row.publisher.clone()), ("submission", row.submission.clone())],
    {
        /// Message-ID without brackets; begins with the time.
        id: String,
        /// Notice id.
        notice: String,
        /// Publisher concerned.
        publisher: String,
        /// Submission concerned.
        submission: String,
        /// Recipients.
        to: Vec<String>,
        /// Subject.
        subject: String,
        /// Text body.
        text: String,
        /// HTML body.
        html: String,
        /// When it was made.
        at: Millis,
        /// Whether a mail server took it; the built-in mailbox shows it either way.
        sent: bool,
    }
);

pub use support::{AttachmentRow, ExceptionRow, RequestRow, ThreadMessageRow};

/// A plan as listed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListedPlan {
    /// Plan id.
    pub id: String,
    /// Title.
    pub title: String,
    /// One sentence.
    pub summary: String,
    /// Sanitised HTML.
    pub description: String,
    /// The same in Japanese.
    #[serde(skip_serializing_if = "WordsRow::is_empty")]
    pub ja: WordsRow,
    /// Not shown in the storefront.
    pub hidden: bool,
    /// Who may use it; `None` means everybody.
    pub audience: Option<Vec<String>>,
    /// Licence model.
    pub license: String,
    /// US dollars an hour, for a plan that is paid by use.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub price: String,
    /// Countries.
    pub markets: Vec<String>,
    /// Tags and their digests.
    pub tags: BTreeMap<String, String>,
    /// Manifests and indexes that may be pulled, with media type.
    pub manifests: BTreeMap<String, String>,
    /// Blobs that may be pulled.
    pub blobs: Vec<String>,
    /// Platforms.
    pub platforms: Vec<String>,
    /// Disks, oldest version first. Their chunks may be pulled and are not listed in `blobs`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<ListedDisk>,
    /// `linux` or `windows`; empty for containers.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub os_family: String,
    /// Operating system, for example `Debian 12`; empty for containers.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub os_name: String,
    /// Recommended sizes of virtual machines, the default first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vm_sizes: Vec<String>,
    /// Defaults of an IoT Edge module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edge: Option<EdgeRow>,
    /// Open ports: label, port or range, protocol.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open_ports: Vec<(String, String, String)>,
}

row!(
    /// The product page of one submission: made once by the package step, never changed.
    ListingRow, "listing", |row| row.submission.clone(), index: { let _ = row; vec![] },
    {
        /// Submission id.
        submission: String,
        /// Publisher id.
        publisher: String,
        /// Publisher name.
        publisher_name: String,
        /// Offer id.
        offer: String,
        /// Title.
        title: String,
        /// One sentence.
        summary: String,
        /// Two sentences.
        long_summary: String,
        /// Sanitised HTML.
        description: String,
        /// The same in Japanese.
        ja: WordsRow,
        /// Sanitised HTML.
        terms: String,
        /// Link.
        privacy_url: String,
        /// Link.
        support_url: String,
        /// Title and link.
        links: Vec<(String, String)>,
        /// Categories.
        categories: Vec<String>,
        /// Media digests by field.
        media: BTreeMap<String, String>,
        /// Media digests.
        screenshots: Vec<String>,
        /// Plans.
        plans: Vec<ListedPlan>,
    }
);

row!(
    /// Terms of a plan, accepted for a subscription.
    AcceptanceRow, "acceptance", |row| row.key.clone(),
    index: vec![("subscription", row.subscription.clone())],
    {
        /// `subscription/publisher/offer/plan`.
        key: String,
        /// Subscription id.
        subscription: String,
        /// Digest of the terms.
        terms: String,
        /// Who accepted them.
        user: String,
        /// The market that was chosen, ISO 3166-1 alpha-2; empty where none was asked for.
        market: String,
        /// When.
        at: Millis,
    }
);

row!(
    /// One deployment of a plan's version.
    DeploymentRow, "deployment", |row| row.id.clone(),
    index: vec![
        ("subscription", row.subscription.clone()),
        ("offer", format!("{}/{}", row.publisher, row.offer)),
    ],
    {
        /// Time-ordered UUID.
        id: String,
        /// Subscription id.
        subscription: String,
        /// Publisher id.
        publisher: String,
        /// Offer id.
        offer: String,
        /// `publisher:offer:plan:version`.
        urn: String,
        /// Whether what was deployed was in preview.
        preview: bool,
        /// Where to.
        target: String,
        /// Whether it worked.
        success: bool,
        /// In words.
        detail: String,
        /// Who deployed.
        user: String,
        /// When.
        at: Millis,
    }
);

row!(
    /// The answer to a request with an Idempotency-Key.
    ReplayRow, "replay", |row| row.key.clone(), index: { let _ = row; vec![] },
    {
        /// Caller and key, hashed.
        key: String,
        /// Hash of the request.
        request: String,
        /// Status code of the answer.
        status: u16,
        /// Body of the answer.
        body: String,
        /// When.
        at: Millis,
    }
);

row!(
    /// A setting of the deployment that must outlive restarts.
    SettingRow, "setting", |row| row.name.clone(), index: { let _ = row; vec![] },
    {
        /// Name.
        name: String,
        /// Value.
        value: String,
    }
);
