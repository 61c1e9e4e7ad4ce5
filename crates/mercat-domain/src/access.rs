//! Who may do what: the one decision that every route asks.

/// A person's part in a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Edits, publishes, goes live, cancels.
    Contributor,
    /// The same, and manages members and tokens.
    Owner,
}

impl Role {
    /// The name used in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Contributor => "contributor",
            Self::Owner => "owner",
        }
    }

    /// Reads [`Role::name`] back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Contributor, Self::Owner].into_iter().find(|role| role.name() == name)
    }
}

/// What an API token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Read only.
    Read,
    /// Read, edit drafts, publish, cancel.
    Publish,
    /// All of that and Go Live.
    GoLive,
}

impl Scope {
    /// The name used in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Publish => "publish",
            Self::GoLive => "golive",
        }
    }

    /// Reads [`Scope::name`] back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Read, Self::Publish, Self::GoLive].into_iter().find(|scope| scope.name() == name)
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Principal {
    /// The user's id; `None` for a stranger.
    pub user: Option<String>,
    /// Parts in publishers.
    pub roles: Vec<(String, Role)>,
    /// Whether the user operates the market.
    pub operator: bool,
    /// The ceiling set by an API token; `None` for a browser session.
    pub scope: Option<Scope>,
    /// Subscriptions that the caller acts for.
    pub subscriptions: Vec<String>,
    /// Publisher and offer that the caller may look at, because they help with an open support request.
    pub evidence: Vec<(String, String)>,
    /// Digest of the one specimen that the caller may pull, in whatever state its offer is.
    pub specimen: Option<String>,
}

impl Principal {
    /// The caller's part in a publisher.
    pub fn role(&self, publisher: &str) -> Option<Role> {
        self.roles.iter().find(|(id, _)| id == publisher).map(|(_, role)| *role)
    }

    fn scope_allows(&self, needed: Scope) -> bool {
        self.scope.is_none_or(|scope| scope >= needed)
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Pages and documents for everybody.
    SeePublic,
    /// Look at one's own account.
    UseAccount,
    /// Change one's own account: tokens and subscriptions. A weak token makes nothing stronger.
    ManageAccount,
    /// Accept terms for one's own subscription and record what was deployed into it.
    Deploy,
    /// Read drafts, submissions, reports and history of a publisher.
    ReadOffers,
    /// Create and change drafts, upload media.
    EditOffers,
    /// Publish and cancel.
    Publish,
    /// Go Live.
    GoLive,
    /// Members of a publisher.
    ManageMembers,
    /// The market as a whole: publishers, users, mailbox, workers.
    Operate,
    /// Decide about a publisher's submission for the certification team.
    Review,
    /// See the leads of a publisher: details of people, for its members only.
    ReadLeads,
    /// Export, send again and erase leads.
    ManageLeads,
    /// Webhooks and subscribers of a publisher.
    ManageWebhooks,
    /// Ask for support.
    AskSupport,
    /// Read a support request and write to it.
    ReadThread,
    /// Write to it as the helping side.
    HelpThread,
    /// See or pull what a slot serves.
    UseListing,
    /// Pull an image while it is certified.
    PullSpecimen,
}

/// What it is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object<'a> {
    /// The market itself.
    Market,
    /// Everything below one publisher.
    Publisher(&'a str),
    /// Everything below one offer of a publisher.
    Offer(&'a str, &'a str),
    /// A support request.
    Thread(Thread<'a>),
    /// A listing or repository that exists.
    Listing(Audience<'a>),
    /// The image or index of a digest, and everything below it.
    Specimen(&'a str),
    /// Something that does not exist.
    Nothing,
}

/// Who has a part in a support request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thread<'a> {
    /// Who asked.
    pub requester: &'a str,
    /// Publisher concerned.
    pub publisher: Option<&'a str>,
    /// Whether that publisher helps; else the operator does.
    pub to_publisher: bool,
    /// Who was named to help.
    pub engineer: Option<&'a str>,
}

/// Who may see a listing, as decided when it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audience<'a> {
    /// The publisher that owns it.
    pub publisher: &'a str,
    /// Whether the listing is a preview.
    pub preview: bool,
    /// Subscriptions that may use it; `None` means everybody.
    pub subscriptions: Option<&'a [String]>,
}

/// The decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Allow,
    /// Answer exactly as for something that does not exist.
    Hide,
    /// Ask who is there.
    SignIn,
    /// Known, and refused.
    Forbid,
}

/// Decides one request. A publisher's objects are hidden from everybody who has no part in it.
pub fn may(who: &Principal, action: Action, object: Object<'_>) -> Answer {
    match action {
        Action::SeePublic => Answer::Allow,
        Action::UseAccount => signed_in(who, Answer::Allow),
        Action::ManageAccount if who.scope_allows(Scope::GoLive) => signed_in(who, Answer::Allow),
        Action::ManageAccount => signed_in(who, Answer::Forbid),
        Action::Deploy if who.scope_allows(Scope::Publish) => signed_in(who, Answer::Allow),
        Action::Deploy => signed_in(who, Answer::Forbid),
        Action::Operate => match (who.operator, who.scope_allows(Scope::GoLive)) {
            (true, true) => Answer::Allow,
            (true, false) => Answer::Forbid,
            (false, _) => signed_in(who, Answer::Forbid),
        },
        Action::UseListing => match object {
            Object::Listing(audience) => listing(who, audience),
            _ => Answer::Hide,
        },
        // For nobody but the scanner that was asked about this very digest: not for operators either.
        Action::PullSpecimen => match (object, &who.specimen) {
            (Object::Specimen(digest), Some(own)) if own == digest => Answer::Allow,
            _ => Answer::Hide,
        },
        // Nobody decides about an offer of a publisher in which they have a part.
        Action::Review => match object {
            Object::Publisher(id) | Object::Offer(id, _)
                if who.operator && who.role(id).is_none() && who.scope_allows(Scope::GoLive) =>
            {
                Answer::Allow
            }
            _ => signed_in(who, Answer::Forbid),
        },
        Action::AskSupport if who.scope_allows(Scope::Publish) => signed_in(who, Answer::Allow),
        Action::AskSupport => signed_in(who, Answer::Forbid),
        Action::ReadThread | Action::HelpThread => match object {
            Object::Thread(of) => thread(who, action == Action::HelpThread, of),
            _ => Answer::Hide,
        },
        Action::ReadOffers if helps_with(who, object) => Answer::Allow,
        Action::ReadOffers => publisher(who, object, Scope::Read, Role::Contributor),
        Action::EditOffers | Action::Publish => publisher(who, object, Scope::Publish, Role::Contributor),
        Action::GoLive => publisher(who, object, Scope::GoLive, Role::Contributor),
        // Whoever operates the market has no part in what people told a publisher.
        Action::ReadLeads | Action::ManageLeads | Action::ManageWebhooks if operates_only(who, object) => {
            Answer::Forbid
        }
        Action::ReadLeads => publisher(who, object, Scope::Read, Role::Contributor),
        Action::ManageLeads | Action::ManageWebhooks => publisher(who, object, Scope::GoLive, Role::Owner),
        Action::ManageMembers => publisher(who, object, Scope::GoLive, Role::Owner),
    }
}

/// Whether somebody is here as an operator and not as a member of the publisher.
fn operates_only(who: &Principal, object: Object<'_>) -> bool {
    matches!(object, Object::Publisher(id) | Object::Offer(id, _) if who.operator && who.role(id).is_none())
}

/// Whether somebody was named to help with this very offer.
fn helps_with(who: &Principal, object: Object<'_>) -> bool {
    let Object::Offer(publisher, offer) = object else { return false };
    who.user.is_some() && who.evidence.iter().any(|(id, of)| id == publisher && of == offer)
}

fn thread(who: &Principal, helping: bool, of: Thread<'_>) -> Answer {
    let Some(user) = who.user.as_deref() else { return Answer::SignIn };
    let member = of.publisher.is_some_and(|publisher| who.role(publisher).is_some());
    let helps = if of.to_publisher { member } else { who.operator || of.engineer == Some(user) };
    let asks = of.requester == user || (!of.to_publisher && member);
    match (helps, asks) {
        (true, _) => Answer::Allow,
        (false, true) if helping => Answer::Forbid,
        (false, true) => Answer::Allow,
        (false, false) => Answer::Hide,
    }
}

fn signed_in(who: &Principal, then: Answer) -> Answer {
    if who.user.is_some() { then } else { Answer::SignIn }
}

fn publisher(who: &Principal, object: Object<'_>, scope: Scope, role: Role) -> Answer {
    if who.user.is_none() {
        return Answer::SignIn;
    }
    let (Object::Publisher(id) | Object::Offer(id, _)) = object else { return Answer::Hide };
    match who.role(id) {
        Some(has) if has >= role && who.scope_allows(scope) => Answer::Allow,
        Some(_) => Answer::Forbid,
        // Operators read everything and manage members; they never edit or publish for others (9.1).
        None if who.operator && who.scope_allows(scope) && (scope == Scope::Read || role == Role::Owner) => {
            Answer::Allow
        }
        None if who.operator => Answer::Forbid,
        None => Answer::Hide,
    }
}

fn listing(who: &Principal, audience: Audience<'_>) -> Answer {
    let own = who.role(audience.publisher).is_some() || who.operator;
    let named = |list: &[String]| who.subscriptions.iter().any(|id| list.contains(id));
    match audience.subscriptions {
        None if !audience.preview => Answer::Allow,
        _ if own => Answer::Allow,
        Some(list) if named(list) => Answer::Allow,
        _ => Answer::Hide,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(role: Role) -> Principal {
        Principal { user: Some("u".into()), roles: vec![("aurora".into(), role)], ..Principal::default() }
    }

    #[test]
    fn a_stranger_is_asked_who_they_are_and_an_outsider_sees_nothing() {
        let aurora = Object::Publisher("aurora");
        let outsider = Principal { user: Some("o".into()), ..Principal::default() };
        assert_eq!(may(&Principal::default(), Action::ReadOffers, aurora), Answer::SignIn);
        assert_eq!(may(&outsider, Action::ReadOffers, aurora), Answer::Hide);
        assert_eq!(may(&outsider, Action::Operate, Object::Market), Answer::Forbid);
    }

    #[test]
    fn a_token_never_exceeds_its_scope() {
        let aurora = Object::Publisher("aurora");
        let read = Principal { scope: Some(Scope::Read), ..member(Role::Owner) };
        let publish = Principal { scope: Some(Scope::Publish), ..member(Role::Owner) };
        assert_eq!(may(&read, Action::ReadOffers, aurora), Answer::Allow);
        assert_eq!(may(&read, Action::Publish, aurora), Answer::Forbid);
        assert_eq!(may(&publish, Action::Publish, aurora), Answer::Allow);
        assert_eq!(may(&publish, Action::GoLive, aurora), Answer::Forbid);
    }

    #[test]
    fn an_operator_reads_but_does_not_publish_for_others() {
        let operator = Principal { user: Some("op".into()), operator: true, ..Principal::default() };
        let aurora = Object::Publisher("aurora");
        assert_eq!(may(&operator, Action::ReadOffers, aurora), Answer::Allow);
        assert_eq!(may(&operator, Action::Publish, aurora), Answer::Forbid);
        assert_eq!(may(&operator, Action::ManageMembers, aurora), Answer::Allow);
        assert_eq!(may(&member(Role::Contributor), Action::ManageMembers, aurora), Answer::Forbid);
    }

    #[test]
    fn a_reviewer_never_decides_about_their_own_publisher() {
        let operator = Principal { user: Some("op".into()), operator: true, ..Principal::default() };
        let both = Principal { operator: true, ..member(Role::Contributor) };
        let aurora = Object::Publisher("aurora");
        assert_eq!(may(&operator, Action::Review, aurora), Answer::Allow);
        assert_eq!(may(&both, Action::Review, aurora), Answer::Forbid);
        assert_eq!(may(&both, Action::Review, Object::Publisher("other")), Answer::Allow);
        assert_eq!(may(&member(Role::Owner), Action::Review, aurora), Answer::Forbid);
        assert_eq!(may(&Principal::default(), Action::Review, aurora), Answer::SignIn);
    }

    #[test]
    fn a_support_request_is_for_both_sides_and_its_evidence_for_who_was_named() {
        let person = |id: &str| Principal { user: Some(id.into()), ..Principal::default() };
        let operator = Principal { operator: true, ..person("op") };
        let of = |to_publisher| Thread {
            requester: "r",
            publisher: Some("aurora"),
            to_publisher,
            engineer: Some("e"),
        };
        let read = |who: &Principal, to| may(who, Action::ReadThread, Object::Thread(of(to)));
        let help = |who: &Principal, to| may(who, Action::HelpThread, Object::Thread(of(to)));
        for who in [person("r"), member(Role::Contributor), operator.clone(), person("e")] {
            assert_eq!(read(&who, false), Answer::Allow);
        }
        assert_eq!(
            (read(&person("x"), false), read(&Principal::default(), false)),
            (Answer::Hide, Answer::SignIn)
        );
        assert_eq!((help(&person("r"), false), help(&person("e"), false)), (Answer::Forbid, Answer::Allow));
        // A customer's ticket is between them and the publisher.
        assert_eq!(
            (read(&operator, true), help(&member(Role::Contributor), true)),
            (Answer::Hide, Answer::Allow)
        );
        let engineer = Principal { evidence: vec![("aurora".into(), "gateway".into())], ..person("e") };
        assert_eq!(may(&engineer, Action::ReadOffers, Object::Offer("aurora", "gateway")), Answer::Allow);
        for (action, object) in [
            (Action::ReadOffers, Object::Offer("aurora", "other")),
            (Action::ReadOffers, Object::Publisher("aurora")),
            (Action::EditOffers, Object::Offer("aurora", "gateway")),
            (Action::ReadLeads, Object::Offer("aurora", "gateway")),
        ] {
            assert_eq!(may(&engineer, action, object), Answer::Hide, "{action:?}");
        }
    }

    #[test]
    fn leads_are_for_members_and_their_export_is_for_owners() {
        let aurora = Object::Publisher("aurora");
        let operator = Principal { user: Some("op".into()), operator: true, ..Principal::default() };
        let outsider = Principal { user: Some("o".into()), ..Principal::default() };
        for action in [Action::ReadLeads, Action::ManageLeads] {
            assert_eq!(may(&operator, action, aurora), Answer::Forbid);
            assert_eq!(may(&outsider, action, aurora), Answer::Hide);
            assert_eq!(may(&member(Role::Owner), action, aurora), Answer::Allow);
        }
        assert_eq!(may(&member(Role::Contributor), Action::ReadLeads, aurora), Answer::Allow);
        assert_eq!(may(&member(Role::Contributor), Action::ManageLeads, aurora), Answer::Forbid);
    }

    #[test]
    fn a_specimen_is_for_the_scanner_that_was_asked_about_it_and_for_nobody_else() {
        let scanner = Principal { specimen: Some("sha256:a".into()), ..Principal::default() };
        let operator = Principal { user: Some("op".into()), operator: true, ..Principal::default() };
        let pull = |who: &Principal, digest| may(who, Action::PullSpecimen, Object::Specimen(digest));
        assert_eq!(pull(&scanner, "sha256:a"), Answer::Allow);
        assert_eq!(pull(&scanner, "sha256:b"), Answer::Hide);
        for other in [Principal::default(), operator, member(Role::Owner)] {
            assert_eq!(pull(&other, "sha256:a"), Answer::Hide);
        }
        assert_eq!(may(&scanner, Action::PullSpecimen, Object::Publisher("sha256:a")), Answer::Hide);
        assert_eq!(may(&scanner, Action::ReadOffers, Object::Publisher("aurora")), Answer::SignIn);
        let list = ["s1".to_owned()];
        let private = Audience { publisher: "aurora", preview: false, subscriptions: Some(&list) };
        assert_eq!(may(&scanner, Action::UseListing, Object::Listing(private)), Answer::Hide);
    }

    #[test]
    fn a_preview_is_for_the_allow_list_and_its_publisher() {
        let list = ["s1".to_owned()];
        let preview =
            Object::Listing(Audience { publisher: "aurora", preview: true, subscriptions: Some(&list) });
        let customer = |id: &str| Principal { subscriptions: vec![id.into()], ..Principal::default() };
        assert_eq!(may(&customer("s1"), Action::UseListing, preview), Answer::Allow);
        assert_eq!(may(&customer("s2"), Action::UseListing, preview), Answer::Hide);
        assert_eq!(may(&Principal::default(), Action::UseListing, preview), Answer::Hide);
        assert_eq!(may(&member(Role::Contributor), Action::UseListing, preview), Answer::Allow);
        assert_eq!(may(&customer("s1"), Action::UseListing, Object::Nothing), Answer::Hide);
    }
}
