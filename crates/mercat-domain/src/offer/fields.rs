//! The field table: what an offer may hold, for the form, the API and the checks alike.

use crate::ids::OfferKind;

/// The editor tab on which a field is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// Offer settings.
    Settings,
    /// Plans.
    Plans,
    /// Technical assets of a plan.
    Technical,
    /// Marketplace listing.
    Marketplace,
    /// Lead management.
    Leads,
    /// Contacts.
    Support,
}

impl Tab {
    /// Every tab, in editor order.
    pub const ALL: [Self; 6] =
        [Self::Settings, Self::Plans, Self::Technical, Self::Marketplace, Self::Leads, Self::Support];

    /// The key of the tab's title.
    pub fn key(self) -> &'static str {
        match self {
            Self::Settings => "tab-settings",
            Self::Plans => "tab-plans",
            Self::Technical => "tab-technical",
            Self::Marketplace => "tab-marketplace",
            Self::Leads => "tab-leads",
            Self::Support => "tab-support",
        }
    }
}

/// When a field must be filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// May stay empty.
    Optional,
    /// Must be filled in.
    Required,
    /// Must be filled in when the other field holds this text.
    When(&'static str, &'static str),
    /// Must be filled in unless the other field is yes.
    Unless(&'static str),
}

/// What a field may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Plain text of at most this many characters.
    Text(usize),
    /// Plain text over several lines of at most this many characters, kept as it is.
    Lines(usize),
    /// Simple HTML of at most this many characters.
    Html(usize),
    /// An id.
    Slug(usize),
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// An http or https link.
    Url,
    /// An https link.
    HttpsUrl,
    /// Yes or no.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Subscription ids, within the given counts.
    Guids(usize, usize),
    /// Countries by ISO 3166-1 alpha-2 code.
    Countries,
    /// Categories, `category` or `category/subcategory`; at most two categories with two subcategories each.
    Categories,
    /// A picture: media digest, exact width and height in pixels.
    Picture(u32, u32),
    /// Pictures, at most this many, exact width and height.
    Pictures(usize, u32, u32),
    /// `registry[:port]/repository`, without tag.
    ImageReference,
    /// Tags or digests of the image.
    Tags,
    /// Platforms, `os/architecture[/variant]`.
    Platforms,
    /// A secret: stored sealed, never returned.
    Secret(usize),
    /// A connection string of Azure Table Storage: a secret.
    Connection,
    /// E-mail addresses, at most this many.
    Emails(usize),
    /// Text of a given shape.
    Shaped(Shape),
    /// Rows with these columns, at most this many.
    Rows(&'static [&'static str], usize),
    /// VM versions: rows of version, disk URL and data disks.
    Versions,
    /// Decimal number, two places, in USD.
    Price,
}

impl Rule {
    /// Whether values are stored sealed and never returned.
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Secret(_) | Self::Connection)
    }
}

/// Shapes of ids that other services give out (domain rules 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A GUID.
    Guid,
    /// An organisation id of Salesforce.
    Organisation,
    /// A host name.
    HostName,
    /// A Munchkin account id.
    Munchkin,
    /// A number of at most this many digits.
    Number(usize),
}

impl Shape {
    /// Whether a text has the shape.
    pub fn fits(self, text: &str) -> bool {
        let all = |test: fn(&u8) -> bool| text.bytes().all(|byte| test(&byte));
        match self {
            Self::Guid => crate::ids::is_guid(text),
            Self::Organisation => text.len() == 15 && all(u8::is_ascii_alphanumeric),
            Self::HostName => {
                text.len() <= 255
                    && all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(byte))
                    && text.contains('.')
                    && text.split('.').all(|label| !label.is_empty())
            }
            Self::Munchkin => {
                let parts: Vec<&str> = text.split('-').collect();
                parts.len() == 3
                    && parts
                        .iter()
                        .all(|part| part.len() == 3 && part.bytes().all(|b| b.is_ascii_alphanumeric()))
            }
            Self::Number(digits) => (1..=digits).contains(&text.len()) && all(u8::is_ascii_digit),
        }
    }

    /// The shape in words.
    pub fn required(self) -> &'static str {
        match self {
            Self::Guid => "a GUID, 8-4-4-4-12 hexadecimal digits",
            Self::Organisation => "an organisation id of 15 letters and digits",
            Self::HostName => "a host name such as app-ab01.example.com",
            Self::Munchkin => "a Munchkin account id such as 123-ABC-456",
            Self::Number(_) => "a number",
        }
    }
}

/// Whether a field belongs to the offer or to each plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One value for the offer.
    Offer,
    /// One value a plan.
    Plan,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Name in the API, files and forms.
    pub key: &'static str,
    /// Where it is edited.
    pub tab: Tab,
    /// Offer or plan.
    pub scope: Scope,
    /// Which kinds have it; `None` means both.
    pub kind: Option<OfferKind>,
    /// When it must be filled in.
    pub need: Need,
    /// What it may hold.
    pub rule: Rule,
    /// Whether it may not change once the offer was published (domain rules 1.10).
    pub locked: bool,
}

const BOTH: Option<OfferKind> = None;
const CONTAINER: Option<OfferKind> = Some(OfferKind::Container);
const VM: Option<OfferKind> = Some(OfferKind::VirtualMachine);

const fn offer(key: &'static str, tab: Tab, need: Need, rule: Rule) -> Field {
    Field { key, tab, scope: Scope::Offer, kind: BOTH, need, rule, locked: false }
}

const fn plan(key: &'static str, tab: Tab, kind: Option<OfferKind>, need: Need, rule: Rule) -> Field {
    Field { key, tab, scope: Scope::Plan, kind, need, rule, locked: false }
}

const fn locked(mut field: Field) -> Field {
    field.locked = true;
    field
}

use Need::{Optional, Required, Unless, When};
use Rule::*;

/// Kinds of lead destinations.
pub const LEAD_DESTINATIONS: &[&str] =
    &["none", "https", "table", "dynamics", "salesforce", "marketo", "hubspot", "email"];

/// Every field of every kind, in editor order (domain rules 3.1 to 3.7).
pub static FIELDS: &[Field] = &[
    offer("name", Tab::Settings, Required, Text(50)),
    plan("title", Tab::Plans, BOTH, Required, Text(50)),
    plan("summary", Tab::Plans, BOTH, Required, Text(100)),
    plan("description", Tab::Plans, BOTH, Required, Html(3000)),
    plan("titleJa", Tab::Plans, BOTH, Optional, Text(50)),
    plan("summaryJa", Tab::Plans, BOTH, Optional, Text(100)),
    plan("descriptionJa", Tab::Plans, BOTH, Optional, Html(3000)),
    plan("hidden", Tab::Plans, BOTH, Optional, Flag),
    plan("private", Tab::Plans, BOTH, Optional, Flag),
    plan("audience", Tab::Plans, BOTH, When("private", "true"), Guids(1, 20_000)),
    plan("markets", Tab::Plans, BOTH, Required, Countries),
    locked(plan("licenseModel", Tab::Plans, BOTH, Required, Choice(&["free", "byol", "usage"]))),
    plan("price", Tab::Plans, VM, When("licenseModel", "usage"), Price),
    locked(plan("image", Tab::Technical, CONTAINER, Required, ImageReference)),
    plan("username", Tab::Technical, CONTAINER, Optional, Text(256)),
    plan("password", Tab::Technical, CONTAINER, Optional, Secret(4096)),
    plan("tags", Tab::Technical, CONTAINER, Required, Tags),
    plan("platforms", Tab::Technical, CONTAINER, Optional, Platforms),
    plan("edgeRoutes", Tab::Technical, CONTAINER, Optional, Rows(&["name", "value"], 5)),
    plan("edgeTwin", Tab::Technical, CONTAINER, Optional, Rows(&["name", "value"], 5)),
    plan("edgeEnv", Tab::Technical, CONTAINER, Optional, Rows(&["name", "value"], 5)),
    plan("edgeCreateOptions", Tab::Technical, CONTAINER, Optional, Text(511)),
    plan("vex", Tab::Technical, BOTH, Optional, Lines(50_000)),
    locked(plan("osFamily", Tab::Technical, VM, Required, Choice(&["linux", "windows"]))),
    plan("osName", Tab::Technical, VM, Optional, Text(100)),
    plan("vmSizes", Tab::Technical, VM, Required, Rows(&["size"], 6)),
    plan("noRemoteConnection", Tab::Technical, VM, Optional, Flag),
    plan("supportsExtensions", Tab::Technical, VM, Optional, Flag),
    plan("openPorts", Tab::Technical, VM, Optional, Rows(&["label", "port", "protocol"], 100)),
    plan("versions", Tab::Technical, VM, Required, Versions),
    offer("title", Tab::Marketplace, Required, Text(50)),
    offer("summary", Tab::Marketplace, Required, Text(100)),
    offer("longSummary", Tab::Marketplace, Required, Text(256)),
    offer("description", Tab::Marketplace, Required, Html(3000)),
    offer("titleJa", Tab::Marketplace, Optional, Text(50)),
    offer("summaryJa", Tab::Marketplace, Optional, Text(100)),
    offer("longSummaryJa", Tab::Marketplace, Optional, Text(256)),
    offer("descriptionJa", Tab::Marketplace, Optional, Html(3000)),
    locked(offer("marketingId", Tab::Marketplace, Required, Slug(50))),
    offer("allowedSubscriptions", Tab::Marketplace, Required, Guids(1, crate::limits::ALLOW_LIST_MAX)),
    offer("categories", Tab::Marketplace, Required, Categories),
    offer("usefulLinks", Tab::Marketplace, Optional, Rows(&["title", "url"], 25)),
    offer("smallLogo", Tab::Marketplace, Required, Picture(48, 48)),
    offer("mediumLogo", Tab::Marketplace, Required, Picture(90, 90)),
    offer("largeLogo", Tab::Marketplace, Required, Picture(216, 216)),
    offer("wideLogo", Tab::Marketplace, Required, Picture(255, 115)),
    offer("hero", Tab::Marketplace, Optional, Picture(815, 290)),
    offer("screenshots", Tab::Marketplace, Optional, Pictures(5, 1280, 720)),
    offer("privacyUrl", Tab::Marketplace, Required, Url),
    offer("useStandardContract", Tab::Marketplace, Optional, Flag),
    offer("termsOfUse", Tab::Marketplace, Unless("useStandardContract"), Html(100_000)),
    offer("leadDestination", Tab::Leads, Required, Choice(LEAD_DESTINATIONS)),
    offer("leadHttpsUrl", Tab::Leads, When("leadDestination", "https"), HttpsUrl),
    offer("leadSecret", Tab::Leads, Optional, Secret(256)),
    offer("leadTableConnection", Tab::Leads, When("leadDestination", "table"), Connection),
    offer("leadDynamicsUrl", Tab::Leads, When("leadDestination", "dynamics"), HttpsUrl),
    offer("leadDynamicsDirectory", Tab::Leads, When("leadDestination", "dynamics"), Shaped(Shape::Guid)),
    offer("leadDynamicsApplication", Tab::Leads, When("leadDestination", "dynamics"), Shaped(Shape::Guid)),
    offer("leadDynamicsKey", Tab::Leads, When("leadDestination", "dynamics"), Secret(2048)),
    offer("leadSalesforceId", Tab::Leads, When("leadDestination", "salesforce"), Shaped(Shape::Organisation)),
    offer("leadMarketoServer", Tab::Leads, When("leadDestination", "marketo"), Shaped(Shape::HostName)),
    offer("leadMarketoMunchkin", Tab::Leads, When("leadDestination", "marketo"), Shaped(Shape::Munchkin)),
    offer("leadMarketoForm", Tab::Leads, When("leadDestination", "marketo"), Shaped(Shape::Number(8))),
    offer("leadHubspotPortal", Tab::Leads, When("leadDestination", "hubspot"), Shaped(Shape::Number(12))),
    offer("leadHubspotForm", Tab::Leads, When("leadDestination", "hubspot"), Shaped(Shape::Guid)),
    offer("leadEmails", Tab::Leads, When("leadDestination", "email"), Emails(20)),
    offer("leadLegacyMarker", Tab::Leads, Optional, Flag),
    offer("engineeringContactName", Tab::Support, Required, Text(128)),
    offer("engineeringContactEmail", Tab::Support, Required, Email),
    offer("engineeringContactPhone", Tab::Support, Required, Phone),
    offer("supportContactName", Tab::Support, Required, Text(128)),
    offer("supportContactEmail", Tab::Support, Required, Email),
    offer("supportContactPhone", Tab::Support, Required, Phone),
    offer("supportUrl", Tab::Support, Optional, Url),
];

/// The fields of one kind and scope, in editor order.
pub fn fields_of(kind: OfferKind, scope: Scope) -> impl Iterator<Item = &'static Field> {
    FIELDS.iter().filter(move |f| f.scope == scope && f.kind.is_none_or(|of| of == kind))
}

/// Storefront categories and their subcategories (domain rules 8.3).
pub static CATEGORIES: &[(&str, &[&str])] = &[
    ("analytics", &["big-data", "data-analytics", "data-insights", "streaming"]),
    ("ai-machine-learning", &["bot-services", "ml-operations", "ml-services"]),
    ("compute", &["application-infrastructure", "cache", "operating-systems"]),
    ("containers", &["container-images"]),
    ("databases", &["data-lakes", "data-warehouse", "nosql", "relational"]),
    ("developer-tools", &["developer-service", "scripts", "tools"]),
    ("devops", &[]),
    ("identity", &["access-management"]),
    ("integration", &["messaging"]),
    (
        "internet-of-things",
        &[
            "connectivity",
            "core-services",
            "data-analytics-and-visualization",
            "iot-edge-modules",
            "solutions",
        ],
    ),
    ("it-management-tools", &["business-applications", "management-solutions"]),
    ("media", &["content-protection", "media-services", "streaming"]),
    ("monitoring", &[]),
    ("networking", &["appliance-managers", "connectivity", "firewalls", "load-balancers"]),
    ("security", &["identity-and-access", "information-protection", "threat-protection"]),
    ("storage", &["backup-and-recovery", "data-lifecycle", "file-sharing", "hybrid"]),
    ("web", &["blogs-and-cms", "e-commerce", "frameworks", "web-apps"]),
];
