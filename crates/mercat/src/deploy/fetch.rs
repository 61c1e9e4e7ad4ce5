//! A file of a known digest, fetched and checked; goes on where an earlier try stopped.

use anyhow::{Context, bail};
use futures::StreamExt;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// What is wanted.
pub(super) struct Wanted<'a> {
    pub(super) url: String,
    pub(super) token: &'a str,
    pub(super) size: u64,
    /// SHA-256, hex.
    pub(super) sha256: &'a str,
}

/// Fetches a file to a path, unless it is there already with the right bytes.
pub(super) async fn fetch(
    wanted: &Wanted<'_>,
    path: &Path,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<()> {
    bar.set_length(wanted.size);
    if path.is_file() && digest(path, bar)? == wanted.sha256 {
        return Ok(());
    }
    let part =
        path.with_extension(format!("{}.part", path.extension().unwrap_or_default().to_string_lossy()));
    let mut tries = 0;
    loop {
        match one_try(wanted, &part, bar).await {
            Ok(()) => break,
            Err(error) if tries < 5 && error.downcast_ref::<reqwest::Error>().is_some() => {
                tries += 1;
                tokio::time::sleep(std::time::Duration::from_secs(1 << tries)).await;
            }
            Err(error) => return Err(error),
        }
    }
    let found = digest(&part, bar)?;
    if found != wanted.sha256 {
        fs_err::remove_file(&part)?;
        bail!(
            "{} came as sha256:{found}, sha256:{} was announced; it was deleted",
            path.display(),
            wanted.sha256
        );
    }
    fs_err::rename(&part, path)?;
    Ok(())
}

async fn one_try(wanted: &Wanted<'_>, part: &Path, bar: &indicatif::ProgressBar) -> anyhow::Result<()> {
    let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(part)?;
    let mut have = file.metadata()?.len();
    if have == wanted.size {
        return Ok(());
    }
    if have > wanted.size {
        have = 0;
    }
    let http = reqwest::Client::builder().no_proxy().build()?;
    let mut request = http.get(&wanted.url);
    if !wanted.token.is_empty() {
        request = request.bearer_auth(wanted.token);
    }
    if have > 0 {
        let tag = format!("\"{}\"", wanted.sha256);
        request = request.header(RANGE, format!("bytes={have}-")).header(IF_RANGE, tag);
    }
    let answer = request.send().await?;
    let continues = answer.status() == StatusCode::PARTIAL_CONTENT
        && answer
            .headers()
            .get(CONTENT_RANGE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|text| text.starts_with(&format!("bytes {have}-")));
    match answer.status() {
        StatusCode::OK => have = 0,
        StatusCode::PARTIAL_CONTENT if continues => {}
        status => bail!("{} is answered {status}", wanted.url),
    }
    if let Some(tag) = answer.headers().get(ETAG).and_then(|value| value.to_str().ok())
        && tag.trim_matches('"') != wanted.sha256
    {
        bail!("the server has another file by now; start again");
    }
    file.set_len(have)?;
    file.seek(SeekFrom::Start(have))?;
    bar.set_position(have);
    let mut stream = answer.bytes_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        // Disks are mostly empty: what is zero becomes a hole.
        if chunk.iter().all(|byte| *byte == 0) {
            file.seek(SeekFrom::Current(i64::try_from(chunk.len())?))?;
        } else {
            file.write_all(&chunk)?;
        }
        have += chunk.len() as u64;
        bar.set_position(have);
        if have > wanted.size {
            bail!("more than {} bytes came", wanted.size);
        }
    }
    file.set_len(have)?;
    file.sync_all()?;
    if have < wanted.size {
        bail!("{have} of {} bytes came; run the command again to go on", wanted.size);
    }
    Ok(())
}

fn digest(path: &Path, bar: &indicatif::ProgressBar) -> anyhow::Result<String> {
    let mut file = File::open(path).with_context(|| path.display().to_string())?;
    let (mut hash, mut window, mut done) = (Sha256::new(), vec![0; 1 << 20], 0);
    loop {
        let count = file.read(&mut window)?;
        if count == 0 {
            break;
        }
        hash.update(&window[..count]);
        done += count as u64;
        bar.set_position(done);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
