//! The second half of the story: a virtual machine.

use super::guest::{self, Faults};
use super::{Demo, complete, publish, say};
use crate::offer::{Goal, path, watch};
use anyhow::{Context, bail};
use mercat_domain::OfferKey;
use reqwest::{Method, StatusCode};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::path::Path;

/// Bytes of the disk: almost all of it is a hole.
const DISK_BYTES: u64 = 1 << 30;

/// Tells how a disk goes from draft to live.
pub(super) async fn tell(demo: &Demo, crm: &str) -> anyhow::Result<()> {
    if !guest::can_build() {
        say("\n10. A virtual machine offer: left out, because mke2fs (package e2fsprogs) is not installed");
        return Ok(());
    }
    let demo = Demo { key: OfferKey::new("aurora", "appliance"), ..demo.clone() };
    let disk = demo.source.with_file_name("appliance.raw");
    let faults = Faults { swap: true, history: true, password: true };
    guest::build(&disk, DISK_BYTES, &guest::files(faults), faults.swap)?;
    say(
        "\n10. A virtual machine offer: a disk of 1 GiB, GPT and ext4 - with a swap partition, a shell history and a password left in",
    );
    save_offer(&demo, crm, &disk).await?;
    let status = publish(&demo).await?;
    if status["status"] != "failed" {
        bail!("the planted faults were not found");
    }
    guest::build(&disk, DISK_BYTES, &guest::files(Faults::default()), false)?;
    say("\n11. The disk is built again without them, and published again from step 1");
    let status = publish(&demo).await?;
    if status["status"] != "waitingForPublisherReview" {
        bail!("the submission did not reach preview: {}", status["status"]);
    }
    say("\n12. Preview: who can download the disk");
    let preview = download(&demo, "preview", "qcow2", &demo.subscription.1).await?;
    let (bytes, digest) = preview.context("the allow-listed subscription cannot download the preview")?;
    say(&format!("   allow-listed subscription: qcow2, {bytes} bytes, sha256:{digest}"));
    for (who, token) in [("stranger", demo.stranger.1.as_str()), ("nobody signed in", "")] {
        if download(&demo, "preview", "qcow2", token).await?.is_some() {
            bail!("{who} can download the preview");
        }
        say(&format!("   {who}: 404, as for what does not exist"));
    }
    let body = json!({"snapshotDigest": status["snapshotDigest"]});
    demo.client.must(Method::POST, &path(&demo.key, "/golive"), Some(&body)).await?;
    let live = watch(&demo.client, &demo.key, Goal::Live).await?;
    if live["status"] != "succeeded" {
        bail!("it did not go live: {}", live["status"]);
    }
    say("\n13. Live: one disk in four formats, made while they are sent");
    for format in ["raw", "vhd-fixed", "vhdx", "qcow2"] {
        let (bytes, digest) =
            download(&demo, "catalogue", format, "").await?.context("the public download failed")?;
        say(&format!("   {format:<9} {bytes:>10} bytes  sha256:{digest}"));
    }
    Ok(())
}

/// Downloads a disk; its size and digest, which must be the announced one. `None` when it is hidden.
async fn download(
    demo: &Demo,
    slot: &str,
    format: &str,
    token: &str,
) -> anyhow::Result<Option<(u64, String)>> {
    let place = format!("/api/v1/{slot}/aurora.appliance/plans/small/disks/latest/{format}");
    let http = reqwest::Client::builder().no_proxy().build()?;
    let mut request = http.get(format!("{}{place}", demo.base));
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    let mut answer = request.send().await?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).unwrap_or_default().to_owned();
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    while let Some(chunk) = answer.chunk().await? {
        bytes += chunk.len() as u64;
        hash.update(&chunk);
    }
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if tag.trim_matches('"') != digest {
        bail!("{format} came as {digest}, {tag} was announced");
    }
    Ok(Some((bytes, digest)))
}

async fn save_offer(demo: &Demo, crm: &str, disk: &Path) -> anyhow::Result<()> {
    let mut offer = json!({
        "type": "virtual-machine", "name": "Appliance",
        "title": "Greeter appliance", "summary": "A machine that says hello",
        "longSummary": "A small machine, to show how a disk is inspected, replicated and delivered.",
        "description": "<p>A machine that says <em>hello</em>.</p>", "marketingId": "appliance",
        "categories": ["compute/operating-systems"],
        "plans": [{
            "plan": "small", "title": "Small", "summary": "One machine", "description": "<p>One machine.</p>",
            "markets": ["JP", "DE", "US"], "licenseModel": "free", "osFamily": "linux", "osName": "Debian 12",
            "vmSizes": [{"size": "1 vCPU, 1 GiB"}],
            "versions": [{"version": "1.0.0", "osDiskUrl": format!("file:{}", disk.display())}],
        }],
    });
    complete(demo, crm, &mut offer).await?;
    demo.client.must(Method::PUT, &path(&demo.key, ""), Some(&offer)).await?;
    Ok(())
}
