//! `mercat secrets`: the master key changed, while servers run or not.

use crate::cli::SecretsCommand;
use crate::config::Config;
use crate::wiring::{self, keys};
use anyhow::bail;
use mercat_app::MasterKey;
use std::path::Path;

/// Passes after which a ledger that still changes is left for another run.
const PASSES_MAX: u32 = 10;

#[expect(clippy::print_stdout, reason = "the command's result")]
pub(crate) async fn run(data: &Path, command: &SecretsCommand) -> anyhow::Result<u8> {
    let SecretsCommand::Rotate { from } = command;
    let config = Config::load(data)?;
    let mut house = wiring::open(data, &config).await?;
    let data = data.canonicalize()?;
    let path = keys::path(&data);
    let next = keys::beside(&path, "next");
    match from {
        // The new key is where keys come from already; the old one is named.
        Some(old) => {
            if keys::is_ours(&data) {
                bail!(
                    "--from is for a key from the environment or a credential; leave it out and one is made"
                );
            }
            let now = keys::current(&data)?;
            house.app.key = MasterKey::with(vec![now, keys::read(old)?], None);
        }
        None => {
            if !keys::is_ours(&data) {
                bail!("put the new key where this one comes from, and give the old one with --from FILE");
            }
            // One that an interrupted change left is gone on with: values are sealed under it already.
            if !next.is_file() {
                keys::write(&next, &MasterKey::generate()?)?;
            }
            house.app.key = MasterKey::with(vec![keys::read(&next)?, keys::read(&path)?], None);
        }
    }
    let mut all = 0;
    for pass in 1.. {
        let count = house.app.rewrap_secrets().await?;
        all += count;
        if count == 0 {
            break;
        }
        if pass == PASSES_MAX {
            bail!("the ledger is written to all the time: run this again");
        }
    }
    if from.is_none() {
        // Servers that still seal under the old key find it here, and those that start find both.
        keys::write(&keys::beside(&path, "previous"), &keys::read(&path)?)?;
        std::fs::rename(&next, &path)?;
        println!("{all} records are under the new key, {}", path.display());
        println!(
            "restart the servers, run this once more, then delete {}",
            keys::beside(&path, "previous").display()
        );
    } else {
        println!("{all} records are under the new key");
    }
    Ok(0)
}
