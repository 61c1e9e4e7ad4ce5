//! Other scanners, from `[[scanner]]`.

use crate::config::{ScannerConfig, text_of};
use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mercat_egress::{Egress, host_and_port};
use mercat_worker::scanners::{Mode, Scanner};
use std::collections::BTreeSet;
use std::path::Path;
use url::Url;

/// Seconds that a scanner may be given for one image.
const TIMEOUT_SECS_MAX: u32 = 3600;
/// Characters of a scanner's name.
const NAME_CHARS_MAX: usize = 40;

/// The scanners of a configuration; `base_url` is where this server is.
pub(super) fn scanners(configs: &[ScannerConfig], base_url: &str) -> anyhow::Result<Vec<Scanner>> {
    let mut names = BTreeSet::new();
    let mut out = Vec::new();
    for config in configs {
        let name = &config.name;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        ensure!(
            (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(plain),
            "scanner {name:?}: name is 1 to {NAME_CHARS_MAX} letters, digits, \"-\", \"_\" or \".\""
        );
        ensure!(names.insert(name.clone()), "scanner {name}: there are two of this name");
        out.push(scanner(config, base_url).with_context(|| format!("scanner {name}"))?);
    }
    Ok(out)
}

fn scanner(config: &ScannerConfig, base_url: &str) -> anyhow::Result<Scanner> {
    ensure!(config.kind == "harbor", "kind is {:?}: use harbor", config.kind);
    let mode = match config.mode.as_str() {
        "enforce" => Mode::Enforce,
        "shadow" => Mode::Shadow,
        other => bail!("mode is {other:?}: use enforce or shadow"),
    };
    ensure!(
        (1..=TIMEOUT_SECS_MAX).contains(&config.timeout_secs),
        "timeout_secs is {}: use 1 to {TIMEOUT_SECS_MAX}",
        config.timeout_secs
    );
    let url = address("url", &config.url)?;
    let pull_url = match config.pull_url.as_str() {
        "" => base_url.to_owned(),
        other => address("pull_url", other)?.as_str().trim_end_matches('/').to_owned(),
    };
    // An exception of its own: what publishers name never reaches the adapter.
    let egress = Egress::new(&[host_and_port(&url)])?;
    let authorization = authorization(config)?;
    let (name, timeout_secs) = (config.name.clone(), config.timeout_secs);
    Ok(Scanner { name, url, mode, authorization, timeout_secs, pull_url, egress })
}

fn address(what: &str, text: &str) -> anyhow::Result<Url> {
    let url = Url::parse(text).with_context(|| format!("{what} is {text:?}, which is no URL"))?;
    ensure!(
        matches!(url.scheme(), "http" | "https") && url.has_host(),
        "{what} is {text:?}: use http://... or https://..."
    );
    ensure!(
        url.username().is_empty() && url.password().is_none(),
        "{what} holds credentials: name a password_file or a token_file instead"
    );
    ensure!(url.query().is_none() && url.fragment().is_none(), "{what} is {text:?}: leave out ? and #");
    Ok(url)
}

/// The header for the adapter; empty where it asks for none.
fn authorization(config: &ScannerConfig) -> anyhow::Result<String> {
    let header = match (config.username.as_str(), &config.password_file, &config.token_file) {
        ("", None, None) => String::new(),
        ("", None, Some(file)) => format!("Bearer {}", secret("token_file", file)?),
        (name, Some(file), None) if !name.is_empty() => {
            ensure!(!name.contains(':'), "username holds a colon, which Basic authorization cannot carry");
            let pair = format!("{name}:{}", secret("password_file", file)?);
            format!("Basic {}", STANDARD.encode(pair))
        }
        _ => bail!("set username and password_file, or token_file, or none of them"),
    };
    ensure!(
        header.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "token_file holds what cannot stand in a header"
    );
    Ok(header)
}

fn secret(what: &str, file: &Path) -> anyhow::Result<String> {
    let text = text_of(what, file)?;
    ensure!(!text.is_empty(), "{what} {} is empty", file.display());
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &str) -> Result<Vec<Scanner>, String> {
        #[derive(serde::Deserialize)]
        struct File {
            scanner: Vec<ScannerConfig>,
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        let least = "[[scanner]]\nname = \"s\"\nkind = \"harbor\"\n";
        let file: File = toml::from_str(&format!("{least}{more}")).map_err(|error| error.to_string())?;
        scanners(&file.scanner, "https://here").map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_scanner_is_read_with_its_defaults_and_an_exception_of_its_own() {
        let read = read("url = \"http://10.0.0.9:8080/a/\"\nmode = \"shadow\"\n").expect("reads");
        let one = &read[0];
        assert_eq!((one.mode, one.timeout_secs, one.pull_url.as_str()), (Mode::Shadow, 300, "https://here"));
        assert!(one.egress.check(&one.url).is_ok());
        let other = Url::parse("http://10.0.0.8:8080/").expect("a URL");
        assert!(one.egress.check(&other).is_err());
    }

    #[test]
    fn what_is_wrong_is_told_with_the_scanner_and_the_key() {
        let url = "url = \"https://s.example.org\"\n";
        let good = format!("{url}mode = \"enforce\"\n");
        for (text, why) in [
            (format!("{url}mode = \"maybe\"\n"), "mode"),
            (url.to_owned(), "mode"),
            ("url = \"ftp://s\"\nmode = \"enforce\"\n".into(), "url"),
            ("url = \"https://u:p@s\"\nmode = \"enforce\"\n".into(), "credentials"),
            (format!("{good}timeout_secs = 0\n"), "timeout_secs"),
            (format!("{good}username = \"u\"\n"), "password_file"),
            (format!("{good}token_file = \"/nowhere/at/all\"\n"), "token_file"),
            (format!("{good}pull_url = \"x\"\n"), "pull_url"),
            (format!("{good}other = 1\n"), "other"),
            (format!("{good}[[scanner]]\nname = \"s\"\nkind = \"harbor\"\n{good}"), "two of this name"),
            (format!("{good}[[scanner]]\nname = \"t\"\nkind = \"x\"\n{good}"), "kind"),
        ] {
            match read(&text) {
                Err(error) => assert!(error.contains(why), "{text}: {error}"),
                Ok(_) => panic!("accepted: {text}"),
            }
        }
    }
}
