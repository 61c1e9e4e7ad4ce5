//! `mercat offer`: offers as a file, over the API.

mod file;
mod upload;
mod watch;

pub(crate) use file::{placeholder, template};
pub(crate) use watch::{Goal, watch};

use crate::cli::{Kind, OfferArgs, OfferCommand, Output, Until};
use crate::client::{Answer, Client, problem_text};
use crate::{EXIT_FINDINGS, EXIT_OURS, Usage};
use anyhow::{Context, bail};
use mercat_domain::OfferKey;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::Path;

pub(crate) fn path(key: &OfferKey, tail: &str) -> String {
    format!("/api/v1/publishers/{}/offers/{}{tail}", key.publisher, key.offer)
}

pub(crate) async fn run(args: &OfferArgs) -> anyhow::Result<u8> {
    if let OfferCommand::Init { offer, kind, file } = &args.command {
        return init(offer, *kind, file);
    }
    if args.token.is_empty() {
        let told = "no token: make one on the Account page and pass --token or MERCAT_TOKEN";
        return Err(Usage(told.to_owned()).into());
    }
    let client = Client::new(&args.server, &args.token)?;
    match &args.command {
        OfferCommand::Init { .. } => Ok(0),
        OfferCommand::Apply { file, dry_run } => apply(&client, file, *dry_run, args.output).await,
        OfferCommand::Show { offer } => {
            show(&about(&client, Method::GET, offer, "", None).await?);
            Ok(0)
        }
        OfferCommand::List { publisher } => list(&client, publisher, args.output).await,
        OfferCommand::Upload { publisher, file, fresh } => {
            upload::run(&client, publisher, file, *fresh, args.output).await
        }
        OfferCommand::Publish { offer, emails, wait, replace, notes } => {
            let body = json!({"notificationEmails": emails, "replace": replace, "notes": notes});
            publish(&client, offer, &body, *wait, args.output).await
        }
        OfferCommand::Status { offer } => {
            let status = about(&client, Method::GET, offer, "/status", None).await?;
            if args.output == Output::Json {
                show(&status)
            } else {
                watch::print_status(&status)
            }
            Ok(0)
        }
        OfferCommand::Golive { offer, wait } => {
            let status = about(&client, Method::GET, offer, "/status", None).await?;
            let body = json!({"snapshotDigest": status["snapshotDigest"]});
            let answer = about(&client, Method::POST, offer, "/golive", Some(&body)).await?;
            if *wait {
                return end(&watch(&client, offer, Goal::Live).await?);
            }
            accepted(offer, &answer, args.output);
            Ok(0)
        }
        OfferCommand::Cancel { offer } => {
            let answer = about(&client, Method::POST, offer, "/cancel", None).await?;
            accepted(offer, &answer, args.output);
            Ok(0)
        }
    }
}

/// Asks about an offer that is there.
async fn about(
    client: &Client,
    method: Method,
    key: &OfferKey,
    tail: &str,
    body: Option<&Value>,
) -> anyhow::Result<Value> {
    let answer = client.call(method, &path(key, tail), None, body).await?;
    if !answer.status.is_success() {
        bail!("{}", refused(key, &answer));
    }
    Ok(answer.body)
}

/// Why an offer gave no answer. One that was never saved and one that is none of the caller's business answer alike.
fn refused(key: &OfferKey, answer: &Answer) -> String {
    let text = problem_text(answer);
    match answer.status {
        StatusCode::NOT_FOUND => {
            format!("{text}; {key} is not saved yet (mercat offer apply -f FILE) or not yours")
        }
        _ => text,
    }
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn show(value: &Value) {
    println!("{}", serde_json::to_string_pretty(value).unwrap_or_default());
}

/// What became of a submission that something was asked of.
#[expect(clippy::print_stdout, reason = "the command's result")]
fn accepted(key: &OfferKey, answer: &Value, output: Output) {
    if output == Output::Json {
        return show(answer);
    }
    let (number, state) = (&answer["number"], answer["status"].as_str().unwrap_or_default());
    println!(
        "{key} submission {number}: {}; how it goes on: mercat offer status {key}",
        watch::state_words(state)
    );
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn init(key: &OfferKey, kind: Kind, file: &Path) -> anyhow::Result<u8> {
    if file.exists() {
        bail!("{} exists; choose another name with --file", file.display());
    }
    let directory = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for (name, width, height) in [
        ("logo-48.png", 48, 48),
        ("logo-90.png", 90, 90),
        ("logo-216.png", 216, 216),
        ("logo-wide.png", 255, 115),
    ] {
        let target = directory.join(name);
        if !target.exists() {
            fs_err::write(&target, placeholder(width, height)?)?;
        }
    }
    fs_err::write(file, template(key, kind))?;
    println!("wrote {}: fill it in, then: mercat offer apply -f {}", file.display(), file.display());
    Ok(0)
}

#[expect(clippy::print_stdout, reason = "the command's result")]
async fn apply(client: &Client, file: &Path, dry_run: bool, output: Output) -> anyhow::Result<u8> {
    let mut offer = file::read(file).map_err(|error| Usage(format!("{error:#}")))?;
    let word = |name: &str| offer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let key = OfferKey::parse(&format!("{}/{}", word("publisher"), word("offer"))).with_context(|| {
        format!("{}: publisher and offer must be ids of a-z, 0-9, - and _", file.display())
    })?;
    file::upload_pictures(client, &key.publisher, file, &mut offer, dry_run).await?;
    let before = client.call(Method::GET, &path(&key, ""), None, None).await?;
    let earlier = if before.status == StatusCode::OK { before.body } else { json!({}) };
    let changes = file::diff(&earlier, &offer);
    if output == Output::Text {
        for change in &changes {
            println!("{change}");
        }
        if changes.is_empty() {
            println!("nothing changes");
        }
    }
    if dry_run {
        return Ok(0);
    }
    let saved = client.call(Method::PUT, &path(&key, ""), before.etag.as_deref(), Some(&offer)).await?;
    if saved.status == StatusCode::UNPROCESSABLE_ENTITY {
        bail_findings(&problem_text(&saved));
        return Ok(EXIT_FINDINGS);
    }
    if !saved.status.is_success() {
        bail!("{}", problem_text(&saved));
    }
    if output == Output::Json {
        show(&saved.body);
    } else {
        println!("saved {key}, version {}", saved.etag.unwrap_or_default());
    }
    Ok(0)
}

#[expect(clippy::print_stdout, reason = "the command's result")]
async fn list(client: &Client, publisher: &str, output: Output) -> anyhow::Result<u8> {
    let offers = client.must(Method::GET, &format!("/api/v1/publishers/{publisher}/offers"), None).await?;
    if output == Output::Json {
        show(&offers);
        return Ok(0);
    }
    for offer in offers.as_array().into_iter().flatten() {
        let word = |key: &str| offer[key].as_str().unwrap_or_default();
        let live = if offer["live"].as_bool().unwrap_or(false) { "live" } else { "-" };
        println!(
            "{:<30} {:<16} {live:<5} {:<26} {}",
            word("offer"),
            word("type"),
            watch::state_words(word("status")),
            word("name")
        );
    }
    Ok(0)
}

async fn publish(
    client: &Client,
    key: &OfferKey,
    body: &Value,
    wait: Option<Until>,
    output: Output,
) -> anyhow::Result<u8> {
    let answer = client.call(Method::POST, &path(key, "/publish"), None, Some(body)).await?;
    if answer.status == StatusCode::UNPROCESSABLE_ENTITY {
        bail_findings(&problem_text(&answer));
        return Ok(EXIT_FINDINGS);
    }
    if !answer.status.is_success() {
        bail!("{}", refused(key, &answer));
    }
    match wait {
        None => {
            accepted(key, &answer.body, output);
            Ok(0)
        }
        Some(until) => {
            let goal = if until == Until::Preview { Goal::Preview } else { Goal::Live };
            let status = watch(client, key, goal).await?;
            if output == Output::Json {
                show(&status);
            }
            end(&status)
        }
    }
}

#[expect(clippy::print_stderr, reason = "the command's result")]
fn bail_findings(text: &str) {
    eprintln!("mercat: {text}");
}

/// The exit code of a submission's state.
pub(crate) fn end(status: &Value) -> anyhow::Result<u8> {
    Ok(match (status["status"].as_str(), status["fault"].as_str()) {
        (Some("failed"), Some("ours")) => EXIT_OURS,
        (Some("failed" | "canceled"), _) => EXIT_FINDINGS,
        _ => 0,
    })
}
