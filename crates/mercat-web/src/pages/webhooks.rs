//! Webhooks of a publisher, and what was sent to them.

use super::{Answer, Frame, fail, see, show};
use crate::Site;
use crate::guard::Caller;
use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use mercat_store::{MessageLogRow, WebhookRow, find};
use serde::Deserialize;
use std::sync::Arc;

type Shared = State<Arc<Site>>;
type One = Path<(String, String)>;

#[derive(Template)]
#[template(path = "webhooks.html")]
struct Webhooks {
    f: Frame,
    publisher: String,
    hooks: Vec<WebhookRow>,
    secret: Option<String>,
}

#[derive(Template)]
#[template(path = "webhook.html")]
struct Webhook {
    f: Frame,
    publisher: String,
    hook: WebhookRow,
    messages: Vec<MessageLogRow>,
}

impl Webhook {
    fn state(&self, row: &MessageLogRow) -> String {
        self.f.t(&format!("lead-state-{}", row.state))
    }
}

async fn list(site: &Site, caller: &Caller, publisher: String, secret: Option<String>) -> Answer {
    let rows = find::<WebhookRow>(&*site.app.ledger, "publisher", &publisher).await;
    let rows = rows.map_err(|error| fail(caller)(error.into()))?;
    let hooks = rows.into_iter().map(|row| row.row).collect();
    Ok(show(StatusCode::OK, &Webhooks { f: Frame::new(caller), publisher, hooks, secret }))
}

pub(super) async fn all(State(site): Shared, caller: Caller, Path(publisher): Path<String>) -> Answer {
    list(&site, &caller, publisher, None).await
}

#[derive(Deserialize)]
pub(super) struct NewWebhook {
    url: String,
    #[serde(default)]
    events: String,
}

pub(super) async fn create(
    State(site): Shared,
    caller: Caller,
    Path(publisher): Path<String>,
    Form(new): Form<NewWebhook>,
) -> Answer {
    let events: Vec<String> = new.events.split_whitespace().map(str::to_owned).collect();
    let made = site.app.create_webhook(caller.actor(), &publisher, new.url.trim(), &events).await;
    let (_, secret) = made.map_err(fail(&caller))?;
    list(&site, &caller, publisher, Some(secret)).await
}

pub(super) async fn one(State(site): Shared, caller: Caller, Path((publisher, id)): One) -> Answer {
    let loaded = async {
        let hook = site.app.webhook(&publisher, &id).await?.row;
        Ok::<_, mercat_app::AppError>((hook, site.app.messages(&publisher, &id).await?))
    };
    let (hook, messages) = loaded.await.map_err(fail(&caller))?;
    Ok(show(StatusCode::OK, &Webhook { f: Frame::new(&caller), publisher, hook, messages }))
}

#[derive(Deserialize)]
pub(super) struct Wish {
    action: String,
    #[serde(default)]
    message: String,
}

pub(super) async fn act(
    State(site): Shared,
    caller: Caller,
    Path((publisher, id)): One,
    Form(wish): Form<Wish>,
) -> Answer {
    let (app, actor) = (&site.app, caller.actor());
    let done = match wish.action.as_str() {
        "rotate" => {
            let secret = app.rotate_webhook(actor, &publisher, &id).await.map_err(fail(&caller))?;
            return list(&site, &caller, publisher, Some(secret)).await;
        }
        "remove" => {
            app.remove_webhook(actor, &publisher, &id).await.map_err(fail(&caller))?;
            return Ok(see(&format!("/portal/publishers/{publisher}/webhooks")));
        }
        "ping" => app.ping_webhook(&publisher, &id).await,
        _ => app.replay_message(&publisher, &wish.message).await,
    };
    done.map_err(fail(&caller))?;
    Ok(see(&format!("/portal/publishers/{publisher}/webhooks/{id}")))
}
