//! `mercat offer upload`: a disk in parts, by tus 1.0.0.

use super::show;
use crate::cli::Output;
use crate::client::Client;
use anyhow::{Context, bail};
use base64::Engine;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

/// Bytes of a part: what is lost at most when the line breaks.
const PART_BYTES: usize = 16 << 20;
/// Tries of a part that does not arrive.
const TRIES: u32 = 6;

#[expect(clippy::print_stdout, reason = "the command's result")]
pub(super) async fn run(
    client: &Client,
    publisher: &str,
    path: &Path,
    fresh: bool,
    output: Output,
) -> anyhow::Result<u8> {
    let mut file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    let about = file.metadata()?;
    if !about.is_file() || about.len() == 0 {
        let what = if about.is_dir() { "is a directory" } else { "has no bytes that could be uploaded" };
        anyhow::bail!("{} {what}", path.display());
    }
    let size = about.len();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let base = format!("/api/v1/publishers/{publisher}/uploads");
    let print = fingerprint(&mut file, size)?;
    let half_way = if fresh { None } else { unfinished(client, &base, &name, size, &print).await? };
    let upload = match half_way {
        Some(upload) => upload,
        None => begin(client, &base, &name, size, &print).await?,
    };
    let id = upload["id"].as_str().unwrap_or_default().to_owned();
    let bar = crate::certify::bar("uploading")?;
    bar.set_length(size);
    let mut offset = upload["offset"].as_u64().unwrap_or(0);
    let mut tries = 0;
    while offset < size {
        bar.set_position(offset);
        file.seek(SeekFrom::Start(offset))?;
        let mut part = vec![0; PART_BYTES.min(usize::try_from(size - offset).unwrap_or(PART_BYTES))];
        file.read_exact(&mut part).context("the file became shorter")?;
        match send(client, &format!("{base}/{id}"), offset, part).await {
            Ok(next) => {
                offset = next;
                tries = 0;
            }
            Err(error) if tries < TRIES => {
                tries += 1;
                bar.set_message(format!("waiting: {error:#}"));
                tokio::time::sleep(Duration::from_secs(1 << tries)).await;
                // What arrived of the part is kept: the server says where to go on.
                let found = client.must(Method::GET, &format!("{base}/{id}"), None).await;
                offset = found.ok().and_then(|found| found["offset"].as_u64()).unwrap_or(offset);
            }
            Err(error) => {
                bar.finish_and_clear();
                return Err(error.context("run the command again to go on"));
            }
        }
    }
    bar.finish_and_clear();
    if output == Output::Json {
        show(&client.must(Method::GET, &format!("{base}/{id}"), None).await?);
    } else {
        println!("upload:{id}");
    }
    Ok(0)
}

/// What tells this file from one that was built anew: its time, and both ends of its content.
fn fingerprint(file: &mut std::fs::File, size: u64) -> anyhow::Result<String> {
    use std::os::unix::fs::MetadataExt;
    let meta = file.metadata()?;
    let mut hash = Sha256::new();
    hash.update(format!("{size} {}.{}", meta.mtime(), meta.mtime_nsec()));
    for from in [0, size.saturating_sub(1 << 20)] {
        file.seek(SeekFrom::Start(from))?;
        let mut end = Vec::new();
        file.by_ref().take(1 << 20).read_to_end(&mut end)?;
        hash.update(&end);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn unfinished(
    client: &Client,
    base: &str,
    name: &str,
    size: u64,
    print: &str,
) -> anyhow::Result<Option<Value>> {
    let all = client.must(Method::GET, base, None).await?;
    let same = |upload: &&Value| {
        upload["name"] == name
            && upload["size"] == size
            && upload["fingerprint"] == print
            && upload["complete"] == false
    };
    Ok(all.as_array().into_iter().flatten().find(same).cloned())
}

async fn begin(client: &Client, base: &str, name: &str, size: u64, print: &str) -> anyhow::Result<Value> {
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let (name, print) = (base64(name), base64(print));
    let request = client
        .request(Method::POST, base)
        .header("tus-resumable", "1.0.0")
        .header("upload-length", size)
        .header("upload-metadata", format!("filename {name},fingerprint {print}"));
    let answer = request.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    if status != StatusCode::CREATED {
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        bail!("{}", crate::client::problem_text(&crate::client::Answer { status, etag: None, body }));
    }
    Ok(serde_json::from_str(&text)?)
}

async fn send(client: &Client, path: &str, offset: u64, part: Vec<u8>) -> anyhow::Result<u64> {
    let request = client
        .request(Method::PATCH, path)
        .header("tus-resumable", "1.0.0")
        .header("content-type", "application/offset+octet-stream")
        .header("upload-offset", offset)
        .body(part);
    let answer = request.send().await?;
    let next = answer.headers().get("upload-offset").and_then(|value| value.to_str().ok()?.parse().ok());
    match (answer.status(), next) {
        (StatusCode::NO_CONTENT | StatusCode::CONFLICT, Some(next)) => Ok(next),
        (status, _) => bail!("the part is answered {status}: {}", answer.text().await.unwrap_or_default()),
    }
}
