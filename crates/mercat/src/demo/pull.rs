//! A pull as a container client does it: challenge, token, manifest, every blob checked.

use anyhow::{Context, bail};
use reqwest::StatusCode;
use serde_json::Value;
use sha2::{Digest, Sha256};

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Pulls an image and checks every byte; `None` when the registry says 404.
pub(crate) async fn image(
    base: &str,
    repository: &str,
    tag: &str,
    credentials: Option<&(String, String)>,
) -> anyhow::Result<Option<String>> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let mut request = http.get(format!("{base}/v2/token?service=mercat&scope=repository:{repository}:pull"));
    if let Some((name, secret)) = credentials {
        request = request.basic_auth(name, Some(secret));
    }
    let token: Value = serde_json::from_str(&request.send().await?.error_for_status()?.text().await?)?;
    let token = token["token"].as_str().context("no token")?.to_owned();
    let get = async |path: String| {
        http.get(format!("{base}/v2/{repository}/{path}")).bearer_auth(&token).send().await
    };
    let answer = get(format!("manifests/{tag}")).await?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let bytes = answer.error_for_status()?.bytes().await?;
    let manifest: Value = serde_json::from_slice(&bytes)?;
    let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
    for blob in std::iter::once(&manifest["config"]).chain(&layers) {
        let wanted = blob["digest"].as_str().unwrap_or_default();
        if wanted.is_empty() {
            continue; // An index: its children are pulled by platform.
        }
        let body = get(format!("blobs/{wanted}")).await?.error_for_status()?.bytes().await?;
        if digest(&body) != wanted {
            bail!("{wanted} came with other bytes");
        }
    }
    Ok(Some(digest(&bytes)))
}
