//! Where the master key comes from.
//!
//! From `MERCAT_MASTER_KEY` (base64), else from the file that `MERCAT_MASTER_KEY_FILE` names, else from systemd's
//! credential `mercat-master-key`, else from `master.key` in the data directory, which is made on the first start.
//! Beside a file, `FILE.next` and `FILE.previous` hold the other key while the key is being changed.

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mercat_app::MasterKey;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const VARIABLE: &str = "MERCAT_MASTER_KEY";
const CREDENTIAL: &str = "mercat-master-key";

/// Opens the keys of a data directory.
pub(crate) fn open(data: &Path) -> anyhow::Result<MasterKey> {
    if std::env::var_os(VARIABLE).is_some() {
        return Ok(MasterKey::new(current(data)?));
    }
    let path = path(data);
    if !path.try_exists().with_context(|| format!("the key {} cannot be read", path.display()))? {
        if std::env::var_os("MERCAT_MASTER_KEY_FILE").is_some()
            && path.parent().is_none_or(|dir| !dir.is_dir())
        {
            bail!("the key {} cannot be made: its directory is not there", path.display());
        }
        write(&path, &MasterKey::generate()?)?;
    }
    let keys = read_all(&path)?;
    let again = path.clone();
    Ok(MasterKey::with(keys, Some(Arc::new(move || read_all(&again).unwrap_or_default()))))
}

/// The key that seals now.
pub(crate) fn current(data: &Path) -> anyhow::Result<[u8; 32]> {
    match std::env::var(VARIABLE) {
        Ok(text) => decode(text.as_bytes()).with_context(|| format!("{VARIABLE} is not base64 of 32 bytes")),
        Err(_) => read(&path(data)),
    }
}

/// The file of the key, whether it is there or not.
pub(crate) fn path(data: &Path) -> PathBuf {
    if let Some(file) = std::env::var_os("MERCAT_MASTER_KEY_FILE") {
        return file.into();
    }
    let credential = std::env::var_os("CREDENTIALS_DIRECTORY").map(|dir| PathBuf::from(dir).join(CREDENTIAL));
    credential.filter(|file| file.is_file()).unwrap_or_else(|| data.join("master.key"))
}

/// Whether the key is in a file of ours, which we may replace.
pub(crate) fn is_ours(data: &Path) -> bool {
    std::env::var_os(VARIABLE).is_none() && path(data) == data.join("master.key")
}

/// Beside the key: `next` or `previous`.
pub(crate) fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{what}"));
    name.into()
}

/// The key itself first, then those beside it.
pub(crate) fn read_all(path: &Path) -> anyhow::Result<Vec<[u8; 32]>> {
    loop {
        let mut keys = vec![read(path)?];
        for what in ["next", "previous"] {
            let file = beside(path, what);
            match read(&file) {
                Ok(key) => keys.push(key),
                Err(_) if !file.is_file() => {}
                Err(error) => return Err(error),
            }
        }
        // While a new key takes its place, it is seen neither there nor beside.
        if read(path)? == keys[0] {
            return Ok(keys);
        }
    }
}

/// 32 bytes, or base64 of them.
pub(crate) fn read(path: &Path) -> anyhow::Result<[u8; 32]> {
    let bytes = std::fs::read(path).with_context(|| format!("the key {} cannot be read", path.display()))?;
    decode(&bytes).with_context(|| format!("{} is not a key of 32 bytes", path.display()))
}

fn decode(bytes: &[u8]) -> Option<[u8; 32]> {
    if let Ok(key) = bytes.try_into() {
        return Some(key);
    }
    STANDARD.decode(bytes.trim_ascii()).ok()?.try_into().ok()
}

/// Writes a key so that it is whole or absent, and readable by this user only.
pub(crate) fn write(path: &Path, key: &[u8; 32]) -> anyhow::Result<()> {
    let part = beside(path, "part");
    let _ = std::fs::remove_file(&part);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    file.write_all(key)?;
    file.sync_all()?;
    put(&part, path)
}

/// Gives a file the place of another one, so that it is there after a power cut, too.
pub(crate) fn put(from: &Path, path: &Path) -> anyhow::Result<()> {
    fs_err::rename(from, path)?;
    let directory = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(std::fs::File::open(directory)?.sync_all()?)
}
