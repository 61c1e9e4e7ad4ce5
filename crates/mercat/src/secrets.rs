//! `mercat secrets`: the master key changed, while servers run or not.

use crate::cli::SecretsCommand;
use crate::config::Config;
use crate::wiring::{self, keys};
use anyhow::{Context, bail};
use mercat_app::{App, MasterKey};
use std::fs::File;
use std::path::Path;

/// Passes after which a ledger that still changes is left for another run.
const PASSES_MAX: u32 = 10;

#[expect(clippy::print_stdout, reason = "the command's result")]
pub(crate) async fn run(data: &Path, command: &SecretsCommand) -> anyhow::Result<u8> {
    let SecretsCommand::Rotate { from } = command;
    let config = Config::load(data)?;
    let mut house = wiring::open_known(data, &config).await?;
    let data = data.canonicalize()?;
    let path = keys::path(&data);
    let Some(old) = from else {
        if !keys::is_ours(&data) {
            bail!("put the new key where this one comes from, and give the old one with --from FILE");
        }
        // Two at a time would put away each other's keys. The lock ends with this process.
        let alone = File::open(&data)?;
        alone.try_lock().context("this directory's key is being changed by another process")?;
        println!("{}", rotate(&mut house.app, &path).await?);
        return Ok(0);
    };
    // The new key is where keys come from already; the old one is named.
    if keys::is_ours(&data) {
        bail!("--from is for a key from the environment or a credential; leave it out and one is made");
    }
    house.app.key = MasterKey::with(vec![keys::current(&data)?, keys::read(old)?], None);
    println!("{} records are under the new key", rewrap(&house.app).await?);
    Ok(0)
}

/// Changes the key in our file, or goes on with a change that was cut short. Tells what came of it and what is next.
///
/// A key is never given up before every record is under another one: `next` is on the disk before a record is under
/// it, and `previous` stays until somebody who knows all servers takes it away.
async fn rotate(app: &mut App, path: &Path) -> anyhow::Result<String> {
    let (next, previous) = (keys::beside(path, "next"), keys::beside(path, "previous"));
    let old = keys::read(path)?;
    let put_away = previous.is_file().then(|| keys::read(&previous)).transpose()?;
    // Servers may still seal under the previous key: what is left of it comes under this one, and no third is made.
    if put_away.is_some_and(|key| key != old) {
        app.key = MasterKey::with(keys::read_all(path)?, None);
        let count = rewrap(app).await?;
        if next.is_file() {
            fs_err::remove_file(&next)?;
        }
        return Ok(format!(
            "{count} records came under the key, {}\nif every server was restarted since it was changed, delete {}; \
             if not, restart them and run this once more",
            path.display(),
            previous.display()
        ));
    }
    // One that an interrupted change left is gone on with: values are sealed under it already.
    if !next.is_file() {
        keys::write(&next, &MasterKey::generate()?)?;
    }
    app.key = MasterKey::with(vec![keys::read(&next)?, old], None);
    let count = rewrap(app).await?;
    // Servers that still seal under the old key find it here, and those that start find both.
    keys::write(&previous, &old)?;
    keys::put(&next, path)?;
    Ok(format!(
        "{count} records are under the new key, {}\nrestart the servers, run this once more, then delete {}",
        path.display(),
        previous.display()
    ))
}

/// Wraps all secrets under the first key, until a pass finds none to wrap.
async fn rewrap(app: &App) -> anyhow::Result<u32> {
    let mut all = 0;
    for _ in 0..PASSES_MAX {
        match app.rewrap_secrets().await? {
            0 => return Ok(all),
            count => all += count,
        }
    }
    bail!("the ledger is written to all the time: run this again")
}
