//! `mercat deploy`: fetches, verifies and starts what a plan sells, or writes the files that start it elsewhere.

mod fetch;
mod start;
mod write;

use crate::EXIT_USAGE;
use crate::cli::{DeployArgs, Target};
use crate::client::{Client, problem_text};
use anyhow::{Context, bail};
use mercat_app::Urn;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use write::{Container, Disk, Machine, plain};

/// A plan of a listing, with the version that was asked for.
struct Found {
    urn: Urn,
    listing: Value,
    plan: Value,
    /// Digest that the version stands for.
    digest: String,
}

pub(crate) async fn run(args: &DeployArgs) -> anyhow::Result<u8> {
    let Some(urn) = Urn::parse(&args.urn) else {
        return Ok(usage(&format!(
            "{:?} is not publisher:offer:plan:version; version may be latest",
            args.urn
        )));
    };
    if args.token.is_empty() || args.subscription.is_empty() {
        return Ok(usage(
            "deploying needs an API token (--token, MERCAT_TOKEN; scope publish) and a subscription \
             (--subscription, MERCAT_SUBSCRIPTION); make both on the Account page",
        ));
    }
    let client = Client::new(&args.server, &args.token)?;
    let found = find(&client, args, urn).await?;
    let container = found.plan["disks"].as_array().is_none_or(Vec::is_empty);
    let target = args.to.unwrap_or(if container { Target::Kubernetes } else { Target::Qemu });
    if target.is_for_containers() != container {
        let kind = if container { "a container image" } else { "a virtual machine" };
        return Ok(usage(&format!("{} is {kind}; choose another --to", args.urn)));
    }
    accept_terms(&client, args, &found.urn).await?;
    let out = args.out.clone().unwrap_or_else(|| {
        PathBuf::from(plain(&format!("{}-{}-{}", found.urn.key.offer, found.urn.plan, found.urn.version)))
    });
    std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
    let done = if container {
        container_files(args, &found, target, &out)
    } else {
        machine(args, &found, target, &out).await
    };
    record(&client, args, &found.urn, target, &done).await?;
    match done? {
        Done::Written(files) => {
            say(&format!("wrote {}", files.join(", ")));
            Ok(0)
        }
        Done::Started(running) => running.wait(),
    }
}

/// What a deployment led to.
enum Done {
    Written(Vec<String>),
    Started(start::Running),
}

async fn find(client: &Client, args: &DeployArgs, mut urn: Urn) -> anyhow::Result<Found> {
    let slot = if args.preview { "preview" } else { "catalogue" };
    let path = format!("/api/v1/{slot}/{}.{}", urn.key.publisher, urn.key.offer);
    let listing = client.must(Method::GET, &path, None).await?;
    let plans = listing["plans"].as_array().cloned().unwrap_or_default();
    let Some(plan) = plans.iter().find(|plan| plan["id"] == urn.plan.as_str()).cloned() else {
        let known: Vec<&str> = plans.iter().filter_map(|plan| plan["id"].as_str()).collect();
        bail!("{} has no plan {}; it has {}", urn.key, urn.plan, known.join(", "));
    };
    let tags = plan["tags"].as_object().cloned().unwrap_or_default();
    let Some(digest) = tags.get(&urn.version).and_then(Value::as_str).map(str::to_owned) else {
        let known: Vec<&str> = tags.keys().map(String::as_str).collect();
        bail!("{}:{} has no version {}; it has {}", urn.key, urn.plan, urn.version, known.join(", "));
    };
    if urn.version == "latest" {
        // What runs is named for good: latest means something else tomorrow.
        let named =
            tags.iter().find(|(tag, value)| tag.as_str() != "latest" && value.as_str() == Some(&digest));
        urn.version = named.map_or_else(|| digest.replace(':', "-"), |(tag, _)| tag.clone());
    }
    Ok(Found { urn, listing, plan, digest })
}

async fn accept_terms(client: &Client, args: &DeployArgs, urn: &Urn) -> anyhow::Result<()> {
    let text = format!("{}:{}:{}:{}", urn.key.publisher, urn.key.offer, urn.plan, urn.version);
    let path = format!("/api/v1/subscriptions/{}/terms/{text}?preview={}", args.subscription, args.preview);
    let answer = client.call(Method::GET, &path, None, None).await?;
    if answer.status == StatusCode::NOT_FOUND {
        bail!("subscription {} is not one of yours, or {text} is not offered to it", args.subscription);
    }
    if !answer.status.is_success() {
        bail!("{}", problem_text(&answer));
    }
    let terms = answer.body;
    if !terms["accepted"].is_null() {
        return Ok(());
    }
    let words = terms["terms"].as_str().unwrap_or_default();
    say(if words.is_empty() { "The standard contract of the marketplace applies." } else { words });
    if !args.accept_terms {
        if !std::io::stdin().is_terminal() {
            bail!("the terms above were not accepted for this subscription yet: pass --accept-terms");
        }
        print_prompt("Accept these terms for the subscription? [y/N] ");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if !answer.trim().eq_ignore_ascii_case("y") {
            bail!("the terms were not accepted; nothing was deployed");
        }
    }
    client.must(Method::POST, &path, Some(&json!({"digest": terms["digest"]}))).await?;
    Ok(())
}

async fn record(
    client: &Client,
    args: &DeployArgs,
    urn: &Urn,
    target: Target,
    done: &anyhow::Result<Done>,
) -> anyhow::Result<()> {
    let detail = match done {
        Ok(Done::Written(files)) => format!("wrote {}", files.join(", ")),
        Ok(Done::Started(running)) => running.detail.clone(),
        Err(error) => format!("{error:#}"),
    };
    let body = json!({
        "urn": format!("{}:{}:{}:{}", urn.key.publisher, urn.key.offer, urn.plan, urn.version),
        "target": target.name(), "success": done.is_ok(), "detail": detail, "preview": args.preview,
    });
    let path = format!("/api/v1/subscriptions/{}/deployments", args.subscription);
    client.must(Method::POST, &path, Some(&body)).await?;
    Ok(())
}

fn container_files(args: &DeployArgs, found: &Found, target: Target, out: &Path) -> anyhow::Result<Done> {
    let host = args.server.split("://").nth(1).unwrap_or(&args.server).trim_end_matches('/');
    let prefix = if args.preview { "preview/" } else { "" };
    let key = &found.urn.key;
    let container = Container {
        urn: format!("{}:{}:{}:{}", key.publisher, key.offer, found.urn.plan, found.urn.version),
        name: plain(&format!("{}-{}", key.offer, found.urn.plan)),
        image: format!("{host}/{prefix}{}/{}/{}@{}", key.publisher, key.offer, found.urn.plan, found.digest),
        edge: found.plan["edge"].clone(),
    };
    let files = match target {
        Target::Compose => write::compose(&container),
        Target::IotEdge => write::iot_edge(&container),
        _ => write::kubernetes(&container),
    };
    save(out, &files)
}

fn save(out: &Path, files: &write::Files) -> anyhow::Result<Done> {
    let mut written = Vec::new();
    for (name, text) in files {
        let path = out.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        if name.ends_with(".sh") {
            use std::os::unix::fs::PermissionsExt;
            fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        }
        written.push(path.display().to_string());
    }
    Ok(Done::Written(written))
}

async fn machine(args: &DeployArgs, found: &Found, target: Target, out: &Path) -> anyhow::Result<Done> {
    let slot = if args.preview { "preview" } else { "catalogue" };
    let key = &found.urn.key;
    let word = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let mut disks = Vec::new();
    for disk in found.plan["disks"].as_array().into_iter().flatten() {
        let reference = word(disk, "reference");
        let Some((version, lun)) = mercat_domain::offer::disk::of_reference(&reference) else { continue };
        if version != found.urn.version {
            continue;
        }
        let downloads = disk["downloads"].as_array().into_iter().flatten();
        let Some(file) = downloads.into_iter().find(|file| file["format"] == "qcow2") else {
            bail!("{reference} is not offered as qcow2");
        };
        let name = format!("{}.qcow2", lun.map_or("os".to_owned(), |lun| format!("lun{lun}")));
        let sha256 = word(file, "sha256");
        let wanted = fetch::Wanted {
            url: format!(
                "{}/api/v1/{slot}/{}.{}/plans/{}/disks/{reference}/qcow2",
                args.server.trim_end_matches('/'),
                key.publisher,
                key.offer,
                found.urn.plan
            ),
            token: &args.token,
            size: file["size"].as_u64().unwrap_or(0),
            sha256: &sha256,
        };
        let bar = crate::certify::bar(&format!("fetching {reference}"))?;
        let fetched = fetch::fetch(&wanted, &out.join(&name), &bar).await;
        bar.finish_and_clear();
        fetched?;
        disks.push(Disk { lun, file: name, sha256, size: disk["size"].as_u64().unwrap_or(0) });
    }
    disks.sort_by_key(|disk| disk.lun);
    if disks.is_empty() {
        bail!("{}:{} has no disks in version {}", key, found.urn.plan, found.urn.version);
    }
    say(&format!("fetched and verified {} disks in {}", disks.len(), out.display()));
    let ports = found.plan["openPorts"].as_array().into_iter().flatten();
    let machine = Machine {
        urn: format!("{}:{}:{}:{}", key.publisher, key.offer, found.urn.plan, found.urn.version),
        name: plain(&format!("{}-{}", key.offer, found.urn.plan)),
        summary: word(&found.listing, "summary"),
        server: args.server.trim_end_matches('/').to_owned(),
        os_family: word(&found.plan, "osFamily"),
        os_name: word(&found.plan, "osName"),
        memory: args.memory,
        uefi: args.uefi,
        disks,
        ports: ports
            .filter_map(|row| Some((row[1].as_str()?.to_owned(), row[2].as_str()?.to_owned())))
            .collect(),
        today: mercat_app::rfc3339(i64::try_from(
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis(),
        )?)[..10]
            .to_owned(),
    };
    match target {
        Target::Kubevirt => save(out, &write::kubevirt(&machine)),
        Target::Openstack => save(out, &write::openstack(&machine)),
        Target::Proxmox => save(out, &write::proxmox(&machine)),
        Target::Libvirt => start::libvirt(&machine, out).map(Done::Started),
        _ => start::qemu(&machine, out, args.detach).map(Done::Started),
    }
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stdout, reason = "a question")]
fn print_prompt(text: &str) {
    print!("{text}");
    let _ = std::io::stdout().flush();
}

#[expect(clippy::print_stderr, reason = "the command's result")]
fn usage(text: &str) -> u8 {
    eprintln!("mercat: {text}");
    EXIT_USAGE
}
