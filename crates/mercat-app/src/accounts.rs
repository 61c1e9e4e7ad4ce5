//! Who is there: links, sessions, tokens, publishers, members and subscriptions.
//!
//! No password and no default credential: the first start prints a one-time link for the operator.

use crate::notices::Told;
use crate::{App, AppError};
use mercat_domain::access::{Principal, Role, Scope};
use mercat_domain::calendar::{DAY, HOUR, MINUTE};
use mercat_domain::ids::is_guid;
use mercat_domain::notice::NoticeKind;
use mercat_domain::offer::{Problem, id_problem, is_email};
use mercat_domain::plain::{is_hidden, plain};
use mercat_domain::{Millis, OfferKey};
use mercat_store::{
    CollectedRow, Commit, Expect, LinkRow, NewEvent, PublisherRow, PullTokenRow, Query, SessionRow,
    SettingRow, SubscriberRow, SubscriptionRow, TokenRow, UserRow, commit_surely, find, list, load, put,
    remove,
};
use sha2::{Digest as _, Sha256};

const LINK_LIFE: Millis = 24 * HOUR;
const SESSION_LIFE: Millis = 7 * DAY;

/// A secret that was just made, shown once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// Id for lists and revocation.
    pub id: String,
    /// The secret itself.
    pub secret: String,
    /// When it lapses.
    pub expires: Millis,
}

/// The hash under which a secret is kept.
pub fn hash_secret(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn new_secret(prefix: &str) -> Result<String, AppError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| crate::SealError)?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{prefix}{text}"))
}

fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// What is wrong with a name that people see in lists: it is short, and nothing of it is hidden.
fn check_name(path: &str, name: &str) -> Option<Problem> {
    let name = name.trim();
    // Those two join letters, and pictures of people.
    let hidden = |c: char| is_hidden(c) && !matches!(c, '\u{200c}' | '\u{200d}');
    let right = (1..=100).contains(&name.chars().count()) && !name.chars().any(hidden);
    (!right).then(|| Problem::new("F002", path, plain(name), "printable text of 1 to 100 characters"))
}

/// Whether somebody is an owner of a publisher.
fn owns(row: &UserRow, publisher: &str) -> bool {
    row.roles.iter().any(|(id, role)| id == publisher && role == Role::Owner.name())
}

impl App {
    /// Makes the operator on the first start, and a one-time link as long as nobody ever signed in.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn bootstrap(&self) -> Result<Option<String>, AppError> {
        if load::<SettingRow>(&*self.ledger, "operator-signed-in").await?.is_some() {
            return Ok(None);
        }
        let users = list::<UserRow>(&*self.ledger, Query { limit: 1000, ..Query::default() }).await?;
        let id = match users.iter().find(|user| user.row.operator) {
            Some(user) => user.row.id.clone(),
            None => {
                let user = UserRow { id: new_id(), operator: true, ..UserRow::default() };
                let mut commit = Commit::new();
                commit.writes.push(put(&user, Expect::Absent));
                commit_surely(&*self.ledger, &commit).await?;
                user.id
            }
        };
        Ok(Some(self.issue_link(&id).await?))
    }

    /// A one-time sign-in link for a user.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn issue_link(&self, user: &str) -> Result<String, AppError> {
        let secret = new_secret("")?;
        let expires = self.ledger.now().await? + LINK_LIFE;
        let link = LinkRow { hash: hash_secret(&secret), user: user.to_owned(), expires };
        let mut commit = Commit::new();
        commit.writes.push(put(&link, Expect::Absent));
        commit_surely(&*self.ledger, &commit).await?;
        Ok(format!("{}/sign-in?link={secret}", self.settings.base_url))
    }

    /// Gives somebody a part in a publisher, with a link to sign in. There is none for an account that was used
    /// before, unless the operator asks: whoever holds the link is that person, in every publisher and subscription.
    ///
    /// # Errors
    /// As [`App::add_member`].
    pub async fn invite(
        &self,
        actor: &Principal,
        publisher: &str,
        email: &str,
        role: Role,
    ) -> Result<(UserRow, Option<String>), AppError> {
        let user = self.add_member(actor, publisher, email, role).await?;
        let link = actor.operator || !user.signed_in;
        let link = if link { Some(self.issue_link(&user.id).await?) } else { None };
        Ok((user, link))
    }

    /// Sends a sign-in link to whoever an address belongs to, once a minute. Whether there is such an account is not
    /// told: the answer is always the same.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn mail_link(&self, email: &str, locale: &str) -> Result<(), AppError> {
        let email = email.trim().to_lowercase();
        if !self.settings.mails || !is_email(&email) {
            return Ok(());
        }
        let Some(found) = find::<UserRow>(&*self.ledger, "email", &email).await?.into_iter().next() else {
            return Ok(());
        };
        let now = self.ledger.now().await?;
        if now - found.row.asked < MINUTE {
            return Ok(());
        }
        let told = Told::new(NoticeKind::SignIn, &OfferKey::new("", ""), &new_id())
            .link("/sign-in")
            .locale(locale)
            .word("user", &found.row.id);
        let mut commit = Commit::new();
        commit.tasks = self.letters(&told, &[email]);
        commit.writes.push(put(&UserRow { asked: now, ..found.row }, Expect::Version(found.version)));
        match commit_surely(&*self.ledger, &commit).await {
            // Somebody asked at the same time.
            Err(mercat_store::LedgerError::Conflict { .. }) => Ok(()),
            other => {
                self.bell.notify_waiters();
                Ok(other?)
            }
        }
    }

    /// Uses a link up and opens a session; the cookie's value comes back.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when the link was used, lapsed or never existed.
    pub async fn redeem_link(&self, secret: &str) -> Result<String, AppError> {
        let link = load::<LinkRow>(&*self.ledger, &hash_secret(secret)).await?.ok_or(AppError::NotFound)?;
        let now = self.ledger.now().await?;
        if link.row.expires < now {
            return Err(AppError::NotFound);
        }
        let cookie = new_secret("")?;
        let session = SessionRow {
            hash: hash_secret(&cookie),
            user: link.row.user.clone(),
            expires: now + SESSION_LIFE,
        };
        let mut commit = Commit::new();
        let mut used = remove::<LinkRow>(&link.row.hash);
        used.expect = Expect::Version(link.version);
        commit.writes.push(used);
        commit.writes.push(put(&session, Expect::Absent));
        let user = load::<UserRow>(&*self.ledger, &link.row.user).await?.ok_or(AppError::NotFound)?;
        if !user.row.signed_in {
            let known = UserRow { signed_in: true, ..user.row.clone() };
            commit.writes.push(put(&known, Expect::Version(user.version)));
        }
        if user.row.operator {
            let seen = SettingRow { name: "operator-signed-in".into(), value: link.row.user.clone() };
            commit.writes.push(put(&seen, Expect::Any));
        }
        commit.events.push(event("account", "session.opened", &link.row.user, ""));
        match commit_surely(&*self.ledger, &commit).await {
            Err(mercat_store::LedgerError::Conflict { .. }) => Err(AppError::NotFound),
            other => Ok(other.map(|()| cookie)?),
        }
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn sign_out(&self, cookie: &str) -> Result<(), AppError> {
        let mut commit = Commit::new();
        commit.writes.push(remove::<SessionRow>(&hash_secret(cookie)));
        Ok(commit_surely(&*self.ledger, &commit).await?)
    }

    /// Who a session cookie belongs to; a stranger when it is not valid.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn by_session(&self, cookie: &str) -> Result<Principal, AppError> {
        let session = load::<SessionRow>(&*self.ledger, &hash_secret(cookie)).await?;
        match session {
            Some(session) if session.row.expires > self.ledger.now().await? => {
                self.principal(&session.row.user, None).await
            }
            _ => Ok(Principal::default()),
        }
    }

    /// Who an API token belongs to; a stranger when it is not valid.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn by_token(&self, token: &str) -> Result<Principal, AppError> {
        let row = load::<TokenRow>(&*self.ledger, &hash_secret(token)).await?;
        match row {
            Some(row) if row.row.expires > self.ledger.now().await? => {
                let scope = Scope::parse(&row.row.scope).unwrap_or(Scope::Read);
                self.principal(&row.row.user, Some(scope)).await
            }
            _ => Ok(Principal::default()),
        }
    }

    /// The subscription that a pull token acts for; a stranger when it is not valid.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn by_pull_token(&self, hash: &str) -> Result<Principal, AppError> {
        let row = load::<PullTokenRow>(&*self.ledger, hash).await?;
        match row {
            Some(row) if row.row.expires > self.ledger.now().await? => {
                Ok(Principal { subscriptions: vec![row.row.subscription], ..Principal::default() })
            }
            _ => Ok(Principal::default()),
        }
    }

    async fn principal(&self, user: &str, scope: Option<Scope>) -> Result<Principal, AppError> {
        let Some(user) = load::<UserRow>(&*self.ledger, user).await? else { return Ok(Principal::default()) };
        let subscriptions = find::<SubscriptionRow>(&*self.ledger, "user", &user.row.id).await?;
        let evidence = self.evidence(&user.row.id).await?;
        let role = |(publisher, role): &(String, String)| Some((publisher.clone(), Role::parse(role)?));
        Ok(Principal {
            roles: user.row.roles.iter().filter_map(role).collect(),
            user: Some(user.row.id),
            operator: user.row.operator,
            scope,
            evidence,
            subscriptions: subscriptions.into_iter().map(|row| row.row.id).collect(),
            specimen: None,
        })
    }

    /// Makes a publisher.
    ///
    /// # Errors
    /// Problems with the id, or that it exists.
    pub async fn create_publisher(
        &self,
        actor: &str,
        id: &str,
        name: &str,
    ) -> Result<PublisherRow, AppError> {
        let mut problems = Vec::new();
        problems.extend(id_problem(id, "id"));
        if RESERVED.contains(&id) {
            problems.push(Problem::new("F003", "id", id, "a-z, 0-9, - and _, not a reserved word"));
        }
        problems.extend(check_name("name", name));
        if !problems.is_empty() {
            return Err(AppError::Problems(problems));
        }
        let row = PublisherRow {
            id: id.to_owned(),
            name: name.trim().to_owned(),
            created: self.ledger.now().await?,
        };
        let mut commit = Commit::new();
        commit.writes.push(put(&row, Expect::Absent));
        commit.events.push(event(&format!("publisher:{id}"), "publisher.created", actor, name));
        match commit_surely(&*self.ledger, &commit).await {
            Err(mercat_store::LedgerError::Conflict { .. }) => Err(AppError::Exists),
            other => Ok(other.map(|()| row)?),
        }
    }

    /// Gives somebody a part in a publisher; makes the user when the address is new.
    ///
    /// Only an operator may bring in an address that has an account: a link for it, or a part given to
    /// whoever holds it, would cross from one publisher into another. What that account had open is ended.
    ///
    /// # Errors
    /// Problems with the address, a missing publisher, or [`AppError::Exists`].
    pub async fn add_member(
        &self,
        actor: &Principal,
        publisher: &str,
        email: &str,
        role: Role,
    ) -> Result<UserRow, AppError> {
        if !is_email(email) {
            return Err(AppError::Problems(vec![Problem::new("F023", "email", email, "name@example.org")]));
        }
        if load::<PublisherRow>(&*self.ledger, publisher).await?.is_none() {
            return Err(AppError::NotFound);
        }
        let email = email.to_lowercase();
        let found = find::<UserRow>(&*self.ledger, "email", &email).await?.into_iter().next();
        let mut commit = Commit::new();
        let (mut user, expect) = match found {
            Some(found) => {
                let member = found.row.roles.iter().any(|(id, _)| id == publisher);
                let only_here = member && found.row.roles.len() == 1;
                if !actor.operator && !only_here {
                    return Err(AppError::Exists);
                }
                if owns(&found.row, publisher)
                    && role != Role::Owner
                    && !self.other_owner(publisher, &found.row.id).await?
                {
                    let required = "owner, or another owner first";
                    return Err(AppError::Problems(vec![Problem::new(
                        "F003",
                        "role",
                        role.name(),
                        required,
                    )]));
                }
                if !member {
                    self.end_everything(&mut commit, &found.row.id).await?;
                }
                (found.row, Expect::Version(found.version))
            }
            None => (UserRow { id: new_id(), email: email.clone(), ..UserRow::default() }, Expect::Absent),
        };
        user.roles.retain(|(id, _)| id != publisher);
        user.roles.push((publisher.to_owned(), role.name().to_owned()));
        commit.writes.push(put(&user, expect));
        let about = format!("{} {}", user.id, role.name());
        let by = actor.user.as_deref().unwrap_or("");
        commit.events.push(event(&format!("publisher:{publisher}"), "member.added", by, &about));
        commit_surely(&*self.ledger, &commit).await?;
        Ok(user)
    }

    /// Whether a publisher has an owner beside this user.
    async fn other_owner(&self, publisher: &str, user: &str) -> Result<bool, AppError> {
        let members = find::<UserRow>(&*self.ledger, "publisher", publisher).await?;
        Ok(members.iter().any(|found| found.row.id != user && owns(&found.row, publisher)))
    }

    /// Takes somebody's part away and ends their sessions and tokens.
    ///
    /// # Errors
    /// When there is no such member.
    pub async fn remove_member(
        &self,
        actor: &Principal,
        publisher: &str,
        user: &str,
    ) -> Result<(), AppError> {
        let mut found = load::<UserRow>(&*self.ledger, user).await?.ok_or(AppError::NotFound)?;
        if !found.row.roles.iter().any(|(id, _)| id == publisher) {
            return Err(AppError::NotFound);
        }
        found.row.roles.retain(|(id, _)| id != publisher);
        let mut commit = Commit::new();
        commit.writes.push(put(&found.row, Expect::Version(found.version)));
        // Parts are looked up at every request, so this is already effective. What the account has open is
        // ended where nobody else's business hangs on it.
        if actor.operator || found.row.roles.is_empty() {
            self.end_everything(&mut commit, user).await?;
        }
        self.end_notices(&mut commit, publisher, &found.row).await?;
        let by = actor.user.as_deref().unwrap_or("");
        commit.events.push(event(&format!("publisher:{publisher}"), "member.removed", by, user));
        Ok(commit_surely(&*self.ledger, &commit).await?)
    }

    /// What somebody asked to be told about a publisher ends with their part in it.
    async fn end_notices(
        &self,
        commit: &mut Commit,
        publisher: &str,
        user: &UserRow,
    ) -> Result<(), AppError> {
        for found in find::<SubscriberRow>(&*self.ledger, "publisher", publisher).await? {
            let row = found.row;
            if row.user != user.id && !row.email.eq_ignore_ascii_case(&user.email) {
                continue;
            }
            let subscriber = format!("{publisher}/{}", row.email);
            for collected in find::<CollectedRow>(&*self.ledger, "subscriber", &subscriber).await? {
                commit.writes.push(remove::<CollectedRow>(&collected.row.id));
            }
            commit.writes.push(remove::<SubscriberRow>(&subscriber));
        }
        Ok(())
    }

    /// Ends sessions, tokens and open links of a user, and the tokens of their subscriptions.
    async fn end_everything(&self, commit: &mut Commit, user: &str) -> Result<(), AppError> {
        for session in find::<SessionRow>(&*self.ledger, "user", user).await? {
            commit.writes.push(remove::<SessionRow>(&session.row.hash));
        }
        for token in find::<TokenRow>(&*self.ledger, "user", user).await? {
            commit.writes.push(remove::<TokenRow>(&token.row.hash));
        }
        for link in find::<LinkRow>(&*self.ledger, "user", user).await? {
            commit.writes.push(remove::<LinkRow>(&link.row.hash));
        }
        for subscription in find::<SubscriptionRow>(&*self.ledger, "user", user).await? {
            for token in find::<PullTokenRow>(&*self.ledger, "subscription", &subscription.row.id).await? {
                commit.writes.push(remove::<PullTokenRow>(&token.row.hash));
            }
        }
        Ok(())
    }

    /// A fresh sign-in link for the operator, for whoever can read the data directory.
    ///
    /// # Errors
    /// When there is no operator yet.
    pub async fn operator_link(&self) -> Result<String, AppError> {
        let users = list::<UserRow>(&*self.ledger, Query { limit: 1000, ..Query::default() }).await?;
        let operator = users.iter().find(|user| user.row.operator).ok_or(AppError::NotFound)?;
        self.issue_link(&operator.row.id).await
    }

    /// Makes an API token; the secret is shown once.
    ///
    /// # Errors
    /// Problems with the label or the life time.
    pub async fn create_token(
        &self,
        user: &str,
        label: &str,
        scope: Scope,
        days: u32,
    ) -> Result<NewToken, AppError> {
        let mut problems: Vec<Problem> = check_name("label", label).into_iter().collect();
        if !(1..=366).contains(&days) {
            problems.push(Problem::new("F003", "days", days.to_string(), "1 to 366 days"));
        }
        if !problems.is_empty() {
            return Err(AppError::Problems(problems));
        }
        let secret = new_secret("mercat_")?;
        let now = self.ledger.now().await?;
        let token = TokenRow {
            hash: hash_secret(&secret),
            id: new_id(),
            user: user.to_owned(),
            label: label.trim().to_owned(),
            scope: scope.name().to_owned(),
            created: now,
            expires: now + i64::from(days) * DAY,
        };
        let mut commit = Commit::new();
        commit.writes.push(put(&token, Expect::Absent));
        commit.events.push(event("account", "token.created", user, &token.id));
        commit_surely(&*self.ledger, &commit).await?;
        Ok(NewToken { id: token.id, secret, expires: token.expires })
    }

    /// Revokes one of the user's API tokens.
    ///
    /// # Errors
    /// When the user has no such token.
    pub async fn revoke_token(&self, user: &str, id: &str) -> Result<(), AppError> {
        let tokens = find::<TokenRow>(&*self.ledger, "user", user).await?;
        let token = tokens.into_iter().find(|token| token.row.id == id).ok_or(AppError::NotFound)?;
        let mut commit = Commit::new();
        commit.writes.push(remove::<TokenRow>(&token.row.hash));
        commit.events.push(event("account", "token.revoked", user, id));
        Ok(commit_surely(&*self.ledger, &commit).await?)
    }

    /// Makes a customer subscription for a user.
    ///
    /// # Errors
    /// Problems with a chosen id.
    pub async fn create_subscription(
        &self,
        user: &str,
        name: &str,
        id: Option<&str>,
    ) -> Result<SubscriptionRow, AppError> {
        if let Some(id) = id.filter(|id| !is_guid(id)) {
            return Err(AppError::Problems(vec![Problem::new("F007", "id", id, "a GUID")]));
        }
        if let Some(problem) = check_name("name", name) {
            return Err(AppError::Problems(vec![problem]));
        }
        let row = SubscriptionRow {
            id: id.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_lowercase),
            name: name.trim().to_owned(),
            user: user.to_owned(),
            created: self.ledger.now().await?,
        };
        let mut commit = Commit::new();
        commit.writes.push(put(&row, Expect::Absent));
        match commit_surely(&*self.ledger, &commit).await {
            Err(mercat_store::LedgerError::Conflict { .. }) => Err(AppError::Exists),
            other => Ok(other.map(|()| row)?),
        }
    }

    /// Makes a pull token for one of the user's subscriptions; the secret is shown once.
    ///
    /// # Errors
    /// When the subscription is not the user's.
    pub async fn create_pull_token(&self, user: &str, subscription: &str) -> Result<NewToken, AppError> {
        let owned = load::<SubscriptionRow>(&*self.ledger, subscription).await?;
        if owned.is_none_or(|row| row.row.user != user) {
            return Err(AppError::NotFound);
        }
        let secret = new_secret("pull_")?;
        let expires = self.ledger.now().await? + 90 * DAY;
        let (hash, id) = (hash_secret(&secret), new_id());
        let row = PullTokenRow { hash, id: id.clone(), subscription: subscription.to_owned(), expires };
        let mut commit = Commit::new();
        commit.writes.push(put(&row, Expect::Absent));
        commit_surely(&*self.ledger, &commit).await?;
        Ok(NewToken { id, secret, expires })
    }

    /// The pull tokens of one of the user's subscriptions.
    ///
    /// # Errors
    /// When the subscription is not the user's.
    pub async fn pull_tokens(&self, user: &str, subscription: &str) -> Result<Vec<PullTokenRow>, AppError> {
        let owned = load::<SubscriptionRow>(&*self.ledger, subscription).await?;
        if owned.is_none_or(|row| row.row.user != user) {
            return Err(AppError::NotFound);
        }
        let rows = find::<PullTokenRow>(&*self.ledger, "subscription", subscription).await?;
        Ok(rows.into_iter().map(|found| found.row).collect())
    }

    /// Ends a pull token at once.
    ///
    /// # Errors
    /// When the subscription is not the user's, or has no such token.
    pub async fn revoke_pull_token(&self, user: &str, subscription: &str, id: &str) -> Result<(), AppError> {
        let rows = self.pull_tokens(user, subscription).await?;
        let row = rows.into_iter().find(|row| row.id == id).ok_or(AppError::NotFound)?;
        let mut commit = Commit::new();
        commit.writes.push(remove::<PullTokenRow>(&row.hash));
        Ok(commit_surely(&*self.ledger, &commit).await?)
    }

    /// The key under which short-lived registry tokens are signed; made once.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn registry_key(&self) -> Result<String, AppError> {
        const NAME: &str = "registry-key";
        if let Some(found) = load::<SettingRow>(&*self.ledger, NAME).await? {
            return Ok(self.key.open(NAME, &found.row.value)?);
        }
        let row = SettingRow { name: NAME.into(), value: self.key.seal(NAME, &new_secret("")?)? };
        let mut commit = Commit::new();
        commit.writes.push(put(&row, Expect::Absent));
        // Another process may have made it meanwhile; whichever is stored is used.
        match commit_surely(&*self.ledger, &commit).await {
            Ok(()) | Err(mercat_store::LedgerError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let found = load::<SettingRow>(&*self.ledger, NAME).await?.ok_or(AppError::NotFound)?;
        Ok(self.key.open(NAME, &found.row.value)?)
    }
}

/// Ids that paths of this server use.
const RESERVED: [&str; 8] = ["api", "preview", "portal", "v2", "media", "sign-in", "static", "marketplace"];

/// Life time of a registry token.
pub(crate) const REGISTRY_TOKEN_LIFE: Millis = 5 * MINUTE;

pub(crate) fn event(subject: &str, kind: &str, actor: &str, body: &str) -> NewEvent {
    NewEvent {
        subject: subject.to_owned(),
        run: String::new(),
        kind: kind.to_owned(),
        actor: actor.to_owned(),
        body: serde_json::json!({ "detail": body }).to_string(),
    }
}
