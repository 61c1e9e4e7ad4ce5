//! `mercat demo`: the main job, told from draft to live on a throw-away server.

mod guest;
mod image;
mod machine;
mod pull;

use crate::cli::DemoArgs;
use crate::client::Client;
use crate::config::{Config, EgressConfig, Server, Sources};
use crate::offer::{Goal, path, placeholder, watch};
use crate::serve;
use crate::wiring::{self, House};
use anyhow::{Context, bail};
use mercat_artifact::oci::reference::{self, Source};
use mercat_certify::Policy;
use mercat_certify::advisories::{Batch, Content, Import, osv};
use mercat_depot::{Copies, Credentials, Depot, Region, import, selected};
use mercat_domain::OfferKey;
use mercat_domain::access::{Principal, Role, Scope};
use mercat_egress::Egress;
use reqwest::Method;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;

type Leads = Arc<Mutex<Vec<Value>>>;

#[derive(Clone)]
struct Demo {
    client: Client,
    base: String,
    key: OfferKey,
    source: PathBuf,
    subscription: (String, String),
    stranger: (String, String),
    leads: Leads,
}

#[expect(clippy::print_stdout, reason = "the story is the command's result")]
fn say(text: &str) {
    println!("{text}");
}

pub(crate) async fn run(args: &DemoArgs) -> anyhow::Result<u8> {
    let home = crate::scratch::Scratch::new("demo")?;
    let data = home.path().join("data");
    let source = home.path().join("images/greeter");
    fs_err::create_dir_all(&data)?;
    fs_err::create_dir_all(&source)?;
    let leads: Leads = Arc::default();
    let crm = start_crm(leads.clone()).await?;
    prepare_knowledge(&data, args.image.is_some())?;
    let listener = match &args.listen {
        Some(listen) => {
            TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?
        }
        None => match TcpListener::bind("127.0.0.1:8080").await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind("127.0.0.1:0").await.context("no free port")?,
        },
    };
    let listen = listener.local_addr()?.to_string();
    let config = Config {
        server: Server { listen: listen.clone(), ..Server::default() },
        egress: EgressConfig { allow: vec![crm.clone()], ..EgressConfig::default() },
        sources: Sources { directories: vec![home.path().join("images")] },
        ..Config::default()
    };
    let house = wiring::open(&data, &config).await?;
    let running = serve::start(&house, &config, listener);
    say(&format!("1. A server on embedded defaults: http://{listen}"));
    if args.image.is_some() {
        say(
            "   It has invented advisories only: of vulnerabilities that your image has it knows nothing, and here that is a warning.",
        );
    }
    let demo = set_up(&house, &format!("http://{listen}"), &source, leads).await?;
    let told = match tell(&demo, args, &crm).await {
        Ok(0) if args.image.is_none() => machine::tell(&demo, &crm).await.map(|()| 0),
        told => told,
    };
    match &told {
        Ok(0) if !args.exit => {
            say(&format!(
                "\nServing on http://{listen} - product page http://{listen}/marketplace/apps/aurora.greeter"
            ));
            if let Some(link) = house.app.bootstrap().await? {
                say(&format!("operator sign-in, works once: {link}"));
            }
            let publisher =
                mercat_store::find::<mercat_store::UserRow>(&*house.app.ledger, "publisher", "aurora")
                    .await?;
            if let Some(user) = publisher.first() {
                say(&format!("publisher sign-in, works once: {}", house.app.issue_link(&user.row.id).await?));
            }
            say("Ctrl-C ends it; everything it made goes away.");
            serve::wait_for_signal().await?;
        }
        _ => {}
    }
    running.end().await;
    told
}

/// A receiver for leads on this machine, as a customer-relations system would be elsewhere.
async fn start_crm(leads: Leads) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let take = move |body: String| {
        let lead = serde_json::from_str(&body).unwrap_or(Value::Null);
        leads.lock().unwrap_or_else(PoisonError::into_inner).push(lead);
        async { "taken" }
    };
    let app = axum::Router::new().route("/leads", axum::routing::post(take));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

/// Advisories for the built-in image. For an image of the user's, missing advisories are told, not blocking.
fn prepare_knowledge(data: &Path, own_image: bool) -> anyhow::Result<()> {
    // Invented today, so that they are never too old.
    let now = jiff::Timestamp::now();
    let mut records = Vec::new();
    for text in image::ADVISORIES {
        let record = osv::read_json(text.replace("NOW", &now.to_string()).as_bytes())?;
        records.push(record);
    }
    let import =
        Import { source: "invented for the demo".into(), at_unix: now.as_second(), ..Import::default() };
    let mut content = Content::default();
    content.add(Batch { records, ..Batch::default() }, false, import);
    let mut snapshot = Vec::new();
    content.write(&mut snapshot)?;
    fs_err::write(data.join("advisories.bin"), snapshot)?;
    // The demo's guest has no kernel that could start.
    let mut policy = Policy::built_in().replace("boot = \"when-available\"", "boot = \"off\"");
    if own_image {
        policy = policy.replace("INC-06 = \"inconclusive\"", "INC-06 = \"warning\"");
    }
    fs_err::write(data.join("policy.toml"), policy)?;
    Ok(())
}

async fn set_up(house: &House, base: &str, source: &Path, leads: Leads) -> anyhow::Result<Demo> {
    let app = &house.app;
    app.create_publisher("demo", "aurora", "Aurora Labs").await?;
    let owner = app
        .add_member(
            &Principal { operator: true, ..Principal::default() },
            "aurora",
            "publisher@example.org",
            Role::Owner,
        )
        .await?;
    let token = app.create_token(&owner.id, "demo", Scope::GoLive, 1).await?;
    let listed = app.create_subscription("customer-1", "Allow-listed customer", None).await?;
    let listed_token = app.create_pull_token("customer-1", &listed.id).await?;
    let other = app.create_subscription("customer-2", "Stranger", None).await?;
    let other_token = app.create_pull_token("customer-2", &other.id).await?;
    say("2. Publisher aurora, an allow-listed subscription, and a stranger's subscription");
    Ok(Demo {
        client: Client::new(base, &token.secret)?,
        base: base.to_owned(),
        key: OfferKey::new("aurora", "greeter"),
        source: source.to_owned(),
        subscription: (listed.id, listed_token.secret),
        stranger: (other.id, other_token.secret),
        leads,
    })
}

/// Tells the story of an image; what comes back is the exit code.
async fn tell(demo: &Demo, args: &DemoArgs, crm: &str) -> anyhow::Result<u8> {
    let first = match &args.image {
        Some(reference) => {
            adopt(reference, &demo.source).await?;
            say(&format!("3. {reference} copied by digest, with the tags latest and 1.0.0"));
            "1.0.0"
        }
        None => {
            image::write(&demo.source, "1.0.0", true)?;
            say(
                "3. A small image: three layers, a package database, an entry point - and a private key left in the top layer",
            );
            "1.0.0"
        }
    };
    save_offer(demo, crm, first).await?;
    say("\n4. Publish: the first submission");
    let status = publish(demo).await?;
    if args.image.is_none() {
        if status["status"] != "failed" {
            bail!("the planted key was not found");
        }
        image::write(&demo.source, "1.0.0", false)?;
        say("\n5. The key is removed, the image rebuilt, and published again from step 1");
        let fixed = publish(demo).await?;
        let certify = fixed["steps"].as_array().and_then(|steps| steps.iter().find(|s| s["id"] == "certify"));
        let reuse = certify.map(|step| step["reuse"].clone()).unwrap_or_default();
        say(&format!("   layers read {}, results used again {}", reuse["layersRead"], reuse["layersReused"]));
        previewed(demo, &fixed).await?;
        return Ok(0);
    }
    let end = crate::offer::end(&status)?;
    if end == 0 {
        previewed(demo, &status).await?;
    } else {
        say("\nYour image does not come to its preview, by what is said above.");
    }
    Ok(end)
}

async fn previewed(demo: &Demo, status: &Value) -> anyhow::Result<()> {
    if status["status"] != "waitingForPublisherReview" {
        bail!("the submission did not reach preview: {}", status["status"]);
    }
    say("\n6. Preview: who can pull it");
    let certified = status["images"][0]["digest"].as_str().unwrap_or_default().to_owned();
    let preview = "preview/aurora/greeter/standard";
    let digest = pull::image(&demo.base, preview, "latest", Some(&demo.subscription)).await?;
    let digest = digest.context("the allow-listed subscription cannot pull the preview")?;
    say(&format!("   allow-listed subscription: {digest}"));
    for (who, credentials) in [("stranger", Some(&demo.stranger)), ("nobody signed in", None)] {
        match pull::image(&demo.base, preview, "latest", credentials).await? {
            None => say(&format!("   {who}: 404, as for what does not exist")),
            Some(_) => bail!("{who} can pull the preview"),
        }
    }
    say("\n7. Go Live");
    let body = json!({"snapshotDigest": status["snapshotDigest"]});
    demo.client.must(Method::POST, &path(&demo.key, "/golive"), Some(&body)).await?;
    let live = watch(&demo.client, &demo.key, Goal::Live).await?;
    if live["status"] != "succeeded" {
        bail!("it did not go live: {}", live["status"]);
    }
    let public = pull::image(&demo.base, "aurora/greeter/standard", "latest", None).await?;
    let public = public.context("the public pull failed")?;
    if public != digest || public != certified {
        bail!("the public pull gives {public}, the preview gave {digest}, certified was {certified}");
    }
    say(&format!("   public pull: {public}, the same as certified and previewed"));
    mails(demo).await
}

async fn mails(demo: &Demo) -> anyhow::Result<()> {
    say("\n8. Mails (no mail server is configured, so they are in the built-in mailbox)");
    for _ in 0..40 {
        let mails = demo.client.must(Method::GET, "/api/v1/publishers/aurora/mail", None).await?;
        if mails.as_array().into_iter().flatten().any(|mail| mail["notice"] == "N6") {
            for mail in mails.as_array().into_iter().flatten().rev() {
                say(&format!(
                    "   {} {}",
                    mail["notice"].as_str().unwrap_or_default(),
                    mail["subject"].as_str().unwrap_or_default()
                ));
            }
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    say("\n9. Test lead, as the publisher's system received it");
    let leads = demo.leads.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let lead = leads.first().context("no test lead arrived")?;
    say(&format!(
        "   {} {}",
        lead["leadId"].as_str().unwrap_or_default(),
        lead["UserDetails"]["Email"].as_str().unwrap_or_default()
    ));
    Ok(())
}

async fn publish(demo: &Demo) -> anyhow::Result<Value> {
    let body = json!({"notificationEmails": ["publisher@example.org"]});
    demo.client.must(Method::POST, &path(&demo.key, "/publish"), Some(&body)).await?;
    watch(&demo.client, &demo.key, Goal::Preview).await
}

async fn save_offer(demo: &Demo, crm: &str, version: &str) -> anyhow::Result<()> {
    let mut offer = json!({
        "type": "container", "name": "Greeter",
        "title": "Greeter", "summary": "Says hello from the market square",
        "longSummary": "A small program that says hello, to show how an image is inspected and delivered.",
        "description": "<p>Says <em>hello</em>, once.</p><p>Minimum hardware: one core, 64 MB of RAM.</p>", "marketingId": "greeter",
        "categories": ["internet-of-things/iot-edge-modules", "containers/container-images"],
        "plans": [{
            "plan": "standard", "title": "Standard", "summary": "One greeter", "description": "<p>One greeter.</p>",
            "markets": ["JP", "DE", "US"], "licenseModel": "free",
            "image": format!("oci:{}", demo.source.display()), "tags": ["latest", version],
        }],
    });
    complete(demo, crm, &mut offer).await?;
    demo.client.must(Method::PUT, &path(&demo.key, ""), Some(&offer)).await?;
    Ok(())
}

/// What the demo's offers have in common: identity, audience, contacts, leads and logos.
async fn complete(demo: &Demo, crm: &str, offer: &mut Value) -> anyhow::Result<()> {
    let common = json!({
        "publisher": demo.key.publisher, "offer": demo.key.offer,
        "allowedSubscriptions": [demo.subscription.0],
        "privacyUrl": "https://example.org/privacy", "useStandardContract": true,
        "leadDestination": "https", "leadHttpsUrl": format!("http://{crm}/leads"),
        "engineeringContactName": "Engineering", "engineeringContactEmail": "engineering@example.org",
        "engineeringContactPhone": "+1 555 0100", "supportContactName": "Support",
        "supportContactEmail": "support@example.org", "supportContactPhone": "+1 555 0101",
    });
    for (field, value) in common.as_object().into_iter().flatten() {
        offer[field] = value.clone();
    }
    for (field, width, height) in
        [("smallLogo", 48, 48), ("mediumLogo", 90, 90), ("largeLogo", 216, 216), ("wideLogo", 255, 115)]
    {
        let digest = demo.client.upload(&demo.key.publisher, placeholder(width, height)?).await?;
        offer[field] = Value::String(digest);
    }
    Ok(())
}

/// Copies an image of the user's into the demo's own layout, under the tags that the rules ask for.
async fn adopt(reference: &str, layout: &Path) -> anyhow::Result<()> {
    let (place, selector) = reference::parse(reference)?;
    let allow = match &place {
        Source::Registry { host, .. } if host.contains(':') => vec![host.clone()],
        _ => Vec::new(),
    };
    let temporary = tempfile::tempdir()?;
    let depot = Depot::local(temporary.path())?;
    let egress = Egress::new(&allow)?;
    let images = import(&depot, &egress, &place, Credentials::default(), &selected(&selector), &())
        .await
        .map_err(|error| anyhow::anyhow!("{}", mercat_worker::chain(&error)))?;
    let image = images.first().context("the source holds no image")?;
    let tags = ["latest", "1.0.0"].iter().map(|tag| ((*tag).to_owned(), image.digest.clone())).collect();
    let (root, name) = (layout.parent().unwrap_or(layout), layout.file_name().unwrap_or_default());
    let copies = Copies {
        repository: name.to_string_lossy().into_owned(),
        tags,
        manifests: image.manifests.iter().cloned().collect(),
        blobs: image.blobs.clone(),
        near: String::new(),
    };
    let region = Region::Directory { name: "demo".into(), path: root.to_owned() };
    region
        .copy(&depot, "", &copies, &())
        .await
        .map(|_| ())
        .map_err(|error| anyhow::anyhow!("{}", mercat_worker::chain(&error)))
}
