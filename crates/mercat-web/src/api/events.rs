//! Server-sent events of a submission: history from the ledger by place, progress in between.

use super::{Answer, Shared, fail};
use crate::guard::Caller;
use crate::streams::Watch;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use mercat_app::rfc3339;
use mercat_domain::OfferKey;
use mercat_domain::run::State as RunState;
use mercat_store::{EventQuery, ProgressRow, load};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

const EVERY: Duration = Duration::from_millis(400);

pub(super) async fn stream(
    State(site): Shared,
    caller: Caller,
    Path((publisher, offer, id)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    site.app.status(&key, Some(&id)).await.map_err(fail(&caller))?;
    let mut watch = Watch::begin(&site, &caller, headers.clone(), &key)?;
    let after = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    let (send, receive) = mpsc::channel::<Result<Event, Infallible>>(16);
    tokio::spawn(async move {
        let mut after: i64 = after;
        let mut last_progress = String::new();
        let mut stop = site.stop.clone();
        while !*stop.borrow() && watch.may_go_on().await {
            let query = EventQuery { run: Some(id.clone()), after, limit: 100, ..EventQuery::default() };
            let Ok(events) = site.app.ledger.events(&query).await else { break };
            let mut over = false;
            let mut step = String::new();
            for event in events {
                after = event.seq;
                let body: Value = serde_json::from_str(&event.event.body).unwrap_or(Value::Null);
                let state = body.get("state").and_then(Value::as_str).and_then(RunState::parse);
                over = state.is_some_and(RunState::is_over);
                let data =
                    json!({"type": event.event.kind, "at": rfc3339(event.at), "detail": body}).to_string();
                let message = Event::default().id(event.seq.to_string()).event("submission").data(data);
                if send.send(Ok(message)).await.is_err() {
                    return;
                }
            }
            if over {
                return;
            }
            if let Ok(view) = site.app.status(&key, Some(&id)).await {
                if view.state.is_some_and(RunState::is_over) {
                    // Its last event was before the place that the caller asked for.
                    return;
                }
                let busy = view.steps.iter().find(|s| s.status == mercat_domain::run::StepStatus::InProgress);
                step = busy.map(|s| s.step.name().to_owned()).unwrap_or_default();
            }
            if !step.is_empty()
                && let Ok(Some(row)) = load::<ProgressRow>(&*site.app.ledger, &format!("{id}/{step}")).await
            {
                let data = serde_json::to_string(&row.row).unwrap_or_default();
                if data != last_progress {
                    last_progress.clone_from(&data);
                    if send.send(Ok(Event::default().event("progress").data(data))).await.is_err() {
                        return;
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = send.closed() => return,
                _ = stop.changed() => {}
            }
        }
    });
    Ok(Sse::new(ReceiverStream::new(receive)).keep_alive(KeepAlive::default()).into_response())
}
