//! What an inspecting child says, and what of it is believed.
//!
//! The child reads what others wrote, and may be theirs by the time it speaks. It can lie about its own specimen, but
//! it names nothing that belongs to another one.

use super::{InspectError, Inspection, Line};
use mercat_certify::{LayerFacts, Verdict};
use mercat_domain::Digest;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use tokio::io::AsyncBufReadExt;

/// Longest line of a child: facts hold package databases, and JSON may write a byte as six.
const LINE_BYTES_MAX: u64 = 256 << 20;
/// All that a child may say; it is kept in memory until the child has ended.
const TALK_BYTES_MAX: u64 = 1 << 30;
/// What a child may complain of, in bytes.
const COMPLAINT_BYTES_MAX: u64 = 64 << 10;

/// What a child was asked about.
#[derive(Debug, Default)]
pub(super) struct Heed {
    /// The image; a disk's verdict names none.
    pub(super) root: Option<Digest>,
    /// Keys of facts that will be kept, with their blobs.
    pub(super) wanted: BTreeMap<String, Digest>,
}

fn lies(what: &str) -> InspectError {
    InspectError::Ended(what.to_owned())
}

impl Heed {
    /// Whether facts will be kept. Each key counts once. An honest child names another key when a scanner's database
    /// changed after its parent looked.
    fn facts(&mut self, key: &str, facts: &LayerFacts) -> Result<bool, InspectError> {
        match self.wanted.remove(key) {
            Some(blob) if facts.blob == blob.as_str() => Ok(true),
            Some(_) => Err(lies("facts of another blob")),
            None => Ok(false),
        }
    }

    fn sbom(&self, digest: &str, text: &str) -> Result<(), InspectError> {
        let own = Digest::from_sha256(&Sha256::digest(text.as_bytes()));
        if own.as_str() == digest { Ok(()) } else { Err(lies("an SBOM under another digest")) }
    }

    fn verdict(&self, text: &str) -> Result<(), InspectError> {
        match &self.root {
            Some(root) if Verdict::subject_of(text).as_deref() != Some(root.as_str()) => {
                Err(lies("a verdict about something else"))
            }
            _ => Ok(()),
        }
    }
}

/// Takes what a child says, line by line, until it says no more.
pub(super) async fn listen(
    output: impl tokio::io::AsyncRead + Unpin,
    heed: Heed,
    progress: &mut impl FnMut(u64, u64),
) -> Result<Inspection, InspectError> {
    listen_to(output, heed, progress, TALK_BYTES_MAX).await
}

async fn listen_to(
    output: impl tokio::io::AsyncRead + Unpin,
    mut heed: Heed,
    progress: &mut impl FnMut(u64, u64),
    mut left: u64,
) -> Result<Inspection, InspectError> {
    let mut out = Inspection::default();
    let mut reader = tokio::io::BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = tokio::io::AsyncReadExt::take(&mut reader, LINE_BYTES_MAX.min(left));
        let count = limited.read_until(b'\n', &mut line).await.map_err(InspectError::Start)?;
        if count == 0 && left > 0 {
            return Ok(out);
        }
        left -= count as u64;
        if line.last() != Some(&b'\n') {
            return Err(InspectError::Ended("a line without end".to_owned()));
        }
        match serde_json::from_slice(&line) {
            Ok(Line::Confined(how)) => out.confinement = how,
            Ok(Line::Progress(done, total)) => progress(done, total),
            Ok(Line::Facts(key, facts)) => {
                if heed.facts(&key, &facts)? {
                    out.facts.push((key, *facts));
                }
            }
            Ok(Line::Sbom(digest, text)) => {
                heed.sbom(&digest, &text)?;
                out.sboms.push((digest, text));
            }
            Ok(Line::Verdict(text)) if out.verdict.is_empty() => {
                heed.verdict(&text)?;
                out.verdict = text;
            }
            Ok(Line::Verdict(_)) => return Err(InspectError::Ended("two verdicts".to_owned())),
            Ok(Line::Failed(why)) => return Err(InspectError::Ended(why)),
            Err(error) => return Err(InspectError::Ended(error.to_string())),
        }
    }
}

/// What a child says on standard error, shortened.
pub(super) async fn complaint(errors: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut text = Vec::new();
    let mut limited = tokio::io::AsyncReadExt::take(errors, COMPLAINT_BYTES_MAX);
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut limited, &mut text).await;
    let text = String::from_utf8_lossy(&text);
    text.trim().chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(seed: u8) -> Digest {
        Digest::from_sha256(&[seed; 32])
    }

    fn facts(key: &str, of: &Digest) -> Line {
        let mut facts = LayerFacts::default();
        facts.blob = of.to_string();
        Line::Facts(key.to_owned(), Box::new(facts))
    }

    fn text(lines: &[Line]) -> String {
        lines.iter().map(|line| serde_json::to_string(line).expect("JSON") + "\n").collect()
    }

    async fn hear(lines: &[Line], wanted: &[(&str, Digest)]) -> Result<Vec<String>, InspectError> {
        let wanted = wanted.iter().map(|(key, blob)| ((*key).to_owned(), blob.clone())).collect();
        let heed = Heed { root: None, wanted };
        let heard = listen(text(lines).as_bytes(), heed, &mut |_, _| {}).await?;
        Ok(heard.facts.into_iter().map(|(key, _)| key).collect())
    }

    #[tokio::test]
    async fn only_facts_that_were_asked_for_are_taken() {
        let wanted = [("facts/a", blob(1)), ("facts/b", blob(2))];
        let lines = [
            facts("facts/b", &blob(2)),
            facts("facts/of-another-image", &blob(1)),
            facts("verdict/of-another-image", &blob(1)),
            facts("facts/a", &blob(1)),
            facts("facts/a", &blob(1)),
        ];
        let heard = hear(&lines, &wanted).await.map_err(|error| error.to_string());
        assert_eq!(heard, Ok(vec!["facts/b".to_owned(), "facts/a".to_owned()]));
        let told = hear(&[facts("facts/a", &blob(2))], &wanted).await.map_err(|error| error.to_string());
        assert!(told.is_err_and(|why| why.contains("another blob")));
    }

    #[tokio::test]
    async fn an_sbom_has_the_digest_of_its_text() {
        let digest = Digest::from_sha256(&Sha256::digest(b"{}")).to_string();
        assert!(hear(&[Line::Sbom(digest.clone(), "{}".to_owned())], &[]).await.is_ok());
        for digest in [blob(1).to_string(), "../x".to_owned()] {
            assert!(hear(&[Line::Sbom(digest, "{}".to_owned())], &[]).await.is_err());
        }
    }

    #[tokio::test]
    async fn all_that_a_child_says_has_an_end() {
        let lines = text(&[Line::Progress(1, 2), Line::Confined("confined".to_owned())]);
        let most = lines.len() as u64;
        for (left, ends_well) in [(most + 1, true), (most, false), (most - 1, false), (20, false)] {
            let heard = listen_to(lines.as_bytes(), Heed::default(), &mut |_, _| {}, left).await;
            assert_eq!(heard.is_ok(), ends_well, "{left}");
        }
    }
}
