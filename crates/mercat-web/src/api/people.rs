//! Accounts over the API.

use super::{Answer, Shared, body, fail, no_content};
use crate::guard::Caller;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json};
use mercat_app::{AppError, rfc3339};
use mercat_domain::access::{Role, Scope};
use mercat_domain::offer::Problem;
use mercat_store::{
    MailRow, PublisherRow, PullTokenRow, Query, SubscriptionRow, TokenRow, UserRow, find, list,
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) async fn me(State(_): Shared, caller: Caller) -> Answer {
    let who = &caller.who;
    let roles: Vec<Value> =
        who.roles.iter().map(|(id, role)| json!({"publisher": id, "role": role.name()})).collect();
    let body = json!({
        "user": who.user, "operator": who.operator, "roles": roles, "subscriptions": who.subscriptions,
        "scope": who.scope.map(Scope::name),
    });
    Ok(Json(body).into_response())
}

pub(super) async fn publishers(State(site): Shared, caller: Caller) -> Answer {
    let query = Query { limit: 1000, ..Query::default() };
    let rows = list::<PublisherRow>(&*site.app.ledger, query).await.map_err(|e| fail(&caller)(e.into()))?;
    let mine = |row: &PublisherRow| caller.who.operator || caller.who.role(&row.id).is_some();
    let rows: Vec<PublisherRow> = rows.into_iter().map(|row| row.row).filter(mine).collect();
    Ok(Json(rows).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPublisher {
    id: String,
    name: String,
}

pub(super) async fn new_publisher(State(site): Shared, caller: Caller, bytes: Bytes) -> Answer {
    let new: NewPublisher = body(&bytes)?;
    let row = site.app.create_publisher(caller.actor(), &new.id, &new.name).await.map_err(fail(&caller))?;
    Ok((StatusCode::CREATED, Json(row)).into_response())
}

pub(super) async fn members(State(site): Shared, caller: Caller, Path(publisher): Path<String>) -> Answer {
    let rows = find::<UserRow>(&*site.app.ledger, "publisher", &publisher).await;
    let rows = rows.map_err(|error| fail(&caller)(error.into()))?;
    let one = |row: &UserRow| {
        let role = row.roles.iter().find(|(id, _)| *id == publisher).map(|(_, role)| role);
        json!({"user": row.id, "email": row.email, "role": role})
    };
    Ok(Json(rows.iter().map(|row| one(&row.row)).collect::<Vec<_>>()).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMember {
    email: String,
    role: Option<String>,
}

pub(super) async fn new_member(
    State(site): Shared,
    caller: Caller,
    Path(publisher): Path<String>,
    bytes: Bytes,
) -> Answer {
    let new: NewMember = body(&bytes)?;
    let role = role(new.role.as_deref().unwrap_or("contributor")).map_err(fail(&caller))?;
    let added = async { site.app.invite(&caller.who, &publisher, &new.email, role).await };
    let (user, link) = added.await.map_err(fail(&caller))?;
    Ok((StatusCode::CREATED, Json(json!({"user": user.id, "signInLink": link}))).into_response())
}

pub(super) async fn remove_member(
    State(site): Shared,
    caller: Caller,
    Path((publisher, user)): Path<(String, String)>,
) -> Answer {
    site.app.remove_member(&caller.who, &publisher, &user).await.map_err(fail(&caller))?;
    Ok(no_content())
}

pub(super) async fn mail(State(site): Shared, caller: Caller, Path(publisher): Path<String>) -> Answer {
    let query =
        Query { index: Some(("publisher", publisher)), limit: 200, newest_first: true, ..Query::default() };
    let rows =
        list::<MailRow>(&*site.app.ledger, query).await.map_err(|error| fail(&caller)(error.into()))?;
    Ok(Json(rows.into_iter().map(|row| row.row).collect::<Vec<_>>()).into_response())
}

pub(super) async fn tokens(State(site): Shared, caller: Caller) -> Answer {
    let rows = find::<TokenRow>(&*site.app.ledger, "user", caller.actor()).await;
    let rows = rows.map_err(|error| fail(&caller)(error.into()))?;
    let one = |row: &TokenRow| json!({"id": row.id, "label": row.label, "scope": row.scope, "created": rfc3339(row.created), "expires": rfc3339(row.expires)});
    Ok(Json(rows.iter().map(|row| one(&row.row)).collect::<Vec<_>>()).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    label: String,
    scope: String,
    days: Option<u32>,
}

/// The scope that somebody asks for: a token never makes a stronger one.
pub(crate) fn scope(caller: &Caller, name: &str) -> Result<Scope, AppError> {
    let refused = || AppError::Problems(vec![Problem::new("F003", "scope", name, "read, publish or golive")]);
    let scope = Scope::parse(name).ok_or_else(refused)?;
    if caller.who.scope.is_some_and(|own| own < scope) { Err(AppError::Forbidden) } else { Ok(scope) }
}

/// The role that somebody is to have.
pub(crate) fn role(name: &str) -> Result<Role, AppError> {
    let refused = || AppError::Problems(vec![Problem::new("F003", "role", name, "contributor or owner")]);
    Role::parse(name).ok_or_else(refused)
}

pub(super) async fn new_token(State(site): Shared, caller: Caller, bytes: Bytes) -> Answer {
    let new: NewToken = body(&bytes)?;
    let scope = scope(&caller, &new.scope).map_err(fail(&caller))?;
    let token = site.app.create_token(caller.actor(), &new.label, scope, new.days.unwrap_or(90)).await;
    let token = token.map_err(fail(&caller))?;
    let body = json!({"id": token.id, "token": token.secret, "expires": rfc3339(token.expires)});
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

pub(super) async fn revoke_token(State(site): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    site.app.revoke_token(caller.actor(), &id).await.map_err(fail(&caller))?;
    Ok(no_content())
}

pub(super) async fn subscriptions(State(site): Shared, caller: Caller) -> Answer {
    let rows = find::<SubscriptionRow>(&*site.app.ledger, "user", caller.actor()).await;
    let rows = rows.map_err(|error| fail(&caller)(error.into()))?;
    Ok(Json(rows.into_iter().map(|row| row.row).collect::<Vec<_>>()).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSubscription {
    name: String,
    id: Option<String>,
}

pub(super) async fn new_subscription(State(site): Shared, caller: Caller, bytes: Bytes) -> Answer {
    let new: NewSubscription = body(&bytes)?;
    // Ids stand on allow-lists: whoever could choose one could walk into somebody's preview.
    if new.id.is_some() && !caller.who.operator {
        return Err(fail(&caller)(AppError::Forbidden));
    }
    let row = site.app.create_subscription(caller.actor(), &new.name, new.id.as_deref()).await;
    Ok((StatusCode::CREATED, Json(row.map_err(fail(&caller))?)).into_response())
}

pub(super) async fn new_pull_token(State(site): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    let token = site.app.create_pull_token(caller.actor(), &id).await.map_err(fail(&caller))?;
    let body = json!({"id": token.id, "token": token.secret, "expires": rfc3339(token.expires)});
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

pub(super) async fn pull_tokens(State(site): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    let rows = site.app.pull_tokens(caller.actor(), &id).await.map_err(fail(&caller))?;
    let one = |row: &PullTokenRow| json!({"id": row.id, "expires": rfc3339(row.expires)});
    Ok(Json(rows.iter().map(one).collect::<Vec<_>>()).into_response())
}

pub(super) async fn revoke_pull_token(
    State(site): Shared,
    caller: Caller,
    Path((id, token)): Path<(String, String)>,
) -> Answer {
    site.app.revoke_pull_token(caller.actor(), &id, &token).await.map_err(fail(&caller))?;
    Ok(no_content())
}
