//! Webhooks of a publisher, and what was sent to them.

use super::filled::{Filled, Form, Texts, text};
use super::{Answer, Frame, fail, see, show};
use crate::Site;
use crate::guard::Caller;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use mercat_app::AppError;
use mercat_domain::Millis;
use mercat_store::{MessageLogRow, WebhookRow, find};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// How long the page of a test waits for the first try.
const TEST_PATIENCE: Duration = Duration::from_secs(5);

type Shared = State<Arc<Site>>;
type One = Path<(String, String)>;

#[derive(Template)]
#[template(path = "webhooks.html")]
struct Webhooks {
    f: Frame,
    publisher: String,
    hooks: Vec<WebhookRow>,
    secret: Option<String>,
    filled: Filled,
}

#[derive(Template)]
#[template(path = "webhook.html")]
struct Webhook {
    f: Frame,
    publisher: String,
    hook: WebhookRow,
    messages: Vec<MessageLogRow>,
    /// Until when the receiver is left alone.
    rests: Option<Millis>,
}

impl Webhook {
    fn state(&self, row: &MessageLogRow) -> String {
        self.f.t(&format!("lead-state-{}", row.state))
    }
}

async fn list(
    site: &Site,
    caller: &Caller,
    publisher: String,
    secret: Option<String>,
    filled: Filled,
) -> Answer {
    let rows = find::<WebhookRow>(&*site.app.ledger, "publisher", &publisher).await;
    let rows = rows.map_err(|error| fail(caller)(error.into()))?;
    let hooks = rows.into_iter().map(|row| row.row).collect();
    let f = Frame::new(caller);
    Ok(show(filled.status(), &Webhooks { f, publisher, hooks, secret, filled }))
}

pub(super) async fn all(State(site): Shared, caller: Caller, Path(publisher): Path<String>) -> Answer {
    list(&site, &caller, publisher, None, Filled::default()).await
}

pub(super) async fn create(
    State(site): Shared,
    caller: Caller,
    Path(publisher): Path<String>,
    Form(sent): Form<Texts>,
) -> Answer {
    let text = |name| text(&sent, name);
    let events: Vec<String> = text("events")
        .split([' ', ',', '\n', '\t'])
        .filter(|event| !event.is_empty())
        .map(str::to_owned)
        .collect();
    let (secret, filled) =
        match site.app.create_webhook(caller.actor(), &publisher, text("url"), &events).await {
            Ok((_, secret)) => (Some(secret), Filled::default()),
            Err(error) => (None, Filled::refused(&caller, error, &sent)?),
        };
    list(&site, &caller, publisher, secret, filled).await
}

pub(super) async fn one(State(site): Shared, caller: Caller, Path((publisher, id)): One) -> Answer {
    let loaded = async {
        let hook = site.app.webhook(&publisher, &id).await?.row;
        let rests = site.app.webhook_rests(&hook).await?;
        Ok::<_, AppError>((hook, rests, site.app.messages(&publisher, &id).await?))
    };
    let (hook, rests, messages) = loaded.await.map_err(fail(&caller))?;
    Ok(show(StatusCode::OK, &Webhook { f: Frame::new(&caller), publisher, hook, messages, rests }))
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
            return list(&site, &caller, publisher, Some(secret), Filled::default()).await;
        }
        "remove" => {
            app.remove_webhook(actor, &publisher, &id).await.map_err(fail(&caller))?;
            return Ok(see(&format!("/portal/publishers/{publisher}/webhooks")));
        }
        // Whoever presses the button waits for what becomes of it.
        "ping" => match app.ping_webhook(&publisher, &id).await {
            Ok(row) => {
                app.message_tried(&row.id, TEST_PATIENCE).await;
                Ok(())
            }
            Err(error) => Err(error),
        },
        // One of this webhook's: ids begin with it.
        _ if !wish.message.starts_with(&format!("{id}/")) => Err(AppError::NotFound),
        _ => app.replay_message(&publisher, &wish.message).await.map(|_| ()),
    };
    done.map_err(fail(&caller))?;
    Ok(see(&format!("/portal/publishers/{publisher}/webhooks/{id}")))
}
